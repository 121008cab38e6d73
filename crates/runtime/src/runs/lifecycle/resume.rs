//! Resuming a run from its journal, and cancelling one that no process works at.

use std::sync::Arc;

use bailiwick_model::{Error, Issue, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, Limits, When, contended};

use futures_util::future::BoxFuture;

use super::lease;
use super::queued::is_any_steering;
use super::result::{result, steered_into};
use crate::handle::Runs;
use crate::runs::agents::no_such_agent;
use crate::runs::driver::Driver;
use crate::runs::events::{CutOff, Event, Nothing};
use crate::runs::follow::Registered;
use crate::runs::host::{Callbacks, NoHost, OnChanged};
use crate::runs::journal::{
    Journal, KIND, Owner, Replayed, RunHead, RunStatus, owner_name, read_head, replay, run_name,
};
use crate::runs::steps::still_waits;
use crate::sweep::journals::unconditional;
use crate::threads::thread_is_there;
use crate::work::{self, Postponed};

/// Which runs are taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TakeOver {
    /// Those that no process works at. The row of the run on the list of work is removed with it.
    IfUnowned {
        row: Option<u64>,
    },
    Always,
}

impl TakeOver {
    fn is_if_unowned(self) -> bool {
        matches!(self, Self::IfUnowned { .. })
    }
}

impl<'a> Runs<'a> {
    /// Resumes a run from its journal, until there is a result: the JSON text of a `RunResult`.
    ///
    /// # Errors
    /// `NotFound`; `ThreadBusy` if a process works at it; `StoreCorrupt`, which its followers get, too; `Closed`, and those of
    /// the store.
    pub fn resume(self, run_id: &'a str, host: &'a dyn Callbacks) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let handle = self.handle;
            let outcome = handle.scope.unless_closed(&handle.closing, Box::pin(self.go_on(run_id, host, None))).await;
            self.live().record_failure(run_id, &outcome);
            outcome
        })
    }

    /// Resumes a run that was taken (`take_work`), as [`Runs::resume`] does. `row`: the time of its row, if it has one; the row is
    /// removed. If it fails, the run is left alone for a time that doubles with each attempt.
    ///
    /// # Errors
    /// As [`Runs::resume`].
    pub fn take_up(self, run_id: &'a str, row: Option<u64>, host: &'a dyn Callbacks) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let handle = self.handle;
            let outcome = handle.scope.unless_closed(&handle.closing, Box::pin(self.go_on(run_id, host, row))).await;
            self.live().record_failure(run_id, &outcome);
            let postponed = handle.scope.shared::<Postponed>();
            match &outcome {
                Ok(_) => postponed.taken_up(run_id),
                // It was given back, or another process has it.
                Err(Error::Closed(_) | Error::ThreadBusy { .. }) => {}
                Err(_) => {
                    let at = postponed.failed(run_id, handle.scope.now());
                    // The failure is the caller's to hear of. If this fails too, the tenant is due again all the same, later.
                    let _ = self.wake_work(at).await;
                }
            }
            outcome
        })
    }

    /// Makes the tenant due for work at a time, in epoch milliseconds.
    pub(super) async fn wake_work(self, at: u64) -> Result<()> {
        let Some(access) = self.handle.scope.existing().await? else { return Ok(()) };
        let changes = vec![Change::WakeWork { at }];
        unconditional(access.commit(changes, &Limits::default(), Durability::Relaxed).await?)
    }

    /// Removes the row of a run that needs no taking up before `next`, in epoch milliseconds: it came early if the clock went back.
    pub(super) async fn not_due(
        self,
        access: &Access,
        run_id: &str,
        row: Option<u64>,
        next: Option<u64>,
    ) -> Result<()> {
        let (Some(at), name) = (row, run_name(access, run_id)) else { return Ok(()) };
        let mut changes = vec![work::not_due(name, at)];
        if let Some(next) = next {
            changes.extend(work::due(access, name, next, self.unfinished_until(access)?));
        }
        unconditional(access.commit(changes, &Limits::default(), Durability::Relaxed).await?)
    }

    /// Ends a run that is not over: its approvals are withdrawn and its thread is free. Of one that is over, it ends the run that goes on
    /// with the calls that it has left.
    ///
    /// # Errors
    /// `NotFound`, `Closed`, and those of the store.
    pub fn cancel(self, run_id: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let handle = self.handle;
            handle.scope.unless_closed(&handle.closing, Box::pin(self.end_all(run_id))).await
        })
    }

    async fn end_all(self, run_id: &str) -> Result<()> {
        self.end(run_id).await?;
        let Some(access) = self.handle.scope.existing().await? else { return Ok(()) };
        let mut run_id = run_id.to_owned();
        while let Some(next) = read_head(&access, &run_id).await?.and_then(|(head, _)| head.continued_by) {
            match self.end(&next).await {
                Ok(()) => run_id = next,
                // It has ended, and has expired since.
                Err(Error::NotFound) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Goes on with a run until there is a result.
    pub(super) async fn go_on(self, run_id: &str, host: &dyn Callbacks, row: Option<u64>) -> Result<String> {
        if self.handle.catalogue.agents.is_empty() {
            return Err(no_agents());
        }
        let Some(access) = self.handle.scope.existing().await? else { return Err(Error::NotFound) };
        let Some((head, _)) = read_head(&access, run_id).await? else { return Err(Error::NotFound) };
        Box::pin(self.go_on_from(access, head, None, host, row)).await
    }

    /// Goes on with a run that has this record now. `replayed`: its journal, if it was read.
    pub(super) async fn go_on_from(
        self,
        access: Access,
        mut head: RunHead,
        replayed: Option<Replayed>,
        host: &dyn Callbacks,
        row: Option<u64>,
    ) -> Result<String> {
        let run_id = head.run_id.clone();
        let run_id = run_id.as_str();
        if head.status == RunStatus::Queued {
            if let Some(result) = Box::pin(self.begin_in_turn(&access, run_id, host, row)).await? {
                return Ok(result);
            }
            (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
        }
        if head.has_left_calls() {
            return Box::pin(self.go_on_with_left(&access, run_id, row, host)).await;
        }
        if head.status.is_end() {
            self.not_due(&access, run_id, row, None).await?;
            let state = replay(&access, &head).await?.state;
            if head.status == RunStatus::Steered {
                return Box::pin(self.go_on(&steered_into(&state)?, host, None)).await;
            }
            return Ok(result(&state).await);
        }
        let mut found = None;
        if head.status == RunStatus::Suspended {
            let read = match replayed {
                Some(read) => read,
                None => replay(&access, &head).await?,
            };
            let asks = host.has_approver() && read.state.frames.last().is_some_and(|frame| !frame.waiting().is_empty());
            let is_steered = is_any_steering(&access, &read.state).await?;
            if !asks && !is_steered && still_waits(self.handle, &read.state).await? {
                self.not_due(&access, run_id, row, read.state.next_end()).await?;
                return Ok(result(&read.state).await);
            }
            found = Some((head, read));
        }
        let mut registered = self.live().register(run_id);
        if registered.is_none() && found.is_some() {
            // The caller that has just suspended it is still about to answer.
            self.ended_here(run_id).await;
            registered = self.live().register(run_id);
        }
        let registered =
            registered.ok_or_else(|| running(run_id, "This run is running already. Follow it with runs.follow."))?;
        let taken =
            self.take_over(access.clone(), run_id, &registered, host, TakeOver::IfUnowned { row }, found).await?;
        let Some(mut driver) = taken else {
            // It has ended meanwhile.
            let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
            return Ok(result(&replay(&access, &head).await?.state).await);
        };
        if host.on_changed() == OnChanged::Keep {
            driver.keep_definitions().await?;
        }
        if thread_is_there(&driver.access, &driver.state.thread_id).await? {
            driver.work().await?;
        } else {
            // The rest of a conversation that is gone is not done any more, approved or not.
            driver.cancel().await?;
        }
        Ok(result(&driver.state).await)
    }

    pub(super) async fn end(self, run_id: &str) -> Result<()> {
        if let Some(live) = self.live().get(run_id) {
            live.cancelled.cancel();
            self.ended_here(run_id).await;
            // It may have stopped waiting for its turn before it heard of this.
            if !self.is_queued(run_id).await? {
                return self.close_left_at_last(run_id).await;
            }
        }
        let Some(access) = self.handle.scope.existing().await? else { return Err(Error::NotFound) };
        let cancelled = Event::RunCancelled(Nothing {}, CutOff::default());
        if Box::pin(self.end_queued(&access, run_id, cancelled, None)).await? {
            return Ok(());
        }
        let Some((head, _)) = read_head(&access, run_id).await? else { return Err(Error::NotFound) };
        if head.status.is_end() {
            return Ok(());
        }
        let registered = self.live().register(run_id);
        let registered =
            registered.ok_or_else(|| running(run_id, "This run has just been resumed. Cancel it again."))?;
        match self.take_over(access, run_id, &registered, &NoHost, TakeOver::Always, None).await? {
            Some(mut driver) => driver.cancel().await,
            None => Ok(()),
        }
    }

    /// Closes the calls that a run has left with its last commit, which came before it heard that it is cancelled.
    async fn close_left_at_last(self, run_id: &str) -> Result<()> {
        let Some(access) = self.handle.scope.existing().await? else { return Ok(()) };
        let Some((head, record)) = read_head(&access, run_id).await? else { return Ok(()) };
        if head.waiting {
            let replayed = replay(&access, &head).await?;
            self.close_left(&access, &head, &record, &replayed, None).await?;
        }
        Ok(())
    }

    /// Waits until this process does not work at a run any more, as it does now.
    pub(super) async fn ended_here(self, run_id: &str) {
        let Some(live) = self.live().get(run_id) else { return };
        let mut changes = live.changes();
        loop {
            changes.mark_unchanged();
            let is_here = self.live().get(run_id).is_some_and(|now| Arc::ptr_eq(&now, &live));
            if !is_here || changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Makes this process the owner of a run. `None`: it has ended. `replayed`: the run as it was read already, if it was, with
    /// its record.
    async fn take_over<'b>(
        self,
        access: Access,
        run_id: &str,
        registered: &Registered,
        host: &'b dyn Callbacks,
        take_over: TakeOver,
        mut replayed: Option<(RunHead, Replayed)>,
    ) -> Result<Option<Driver<'b>>>
    where
        'a: 'b,
    {
        for _ in 0..ATTEMPTS {
            let (before, record) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
            if before.status.is_end() {
                return Ok(None);
            }
            let (owner, when) = self.next_owner(&access, &before, take_over).await?;
            let found = match replayed.take() {
                // A process that runs it, or ran it until now, may have appended since.
                Some((head, found)) if head.next == before.next && head.hash == before.hash => {
                    found.read_on(&access).await?
                }
                _ => replay(&access, &before).await?,
            };
            if take_over.is_if_unowned() {
                self.check_agents(&found)?;
            }
            let expires_at = self.unfinished_until(&access)?;
            let head = RunHead { status: RunStatus::Running, ..before.clone() };
            let (area, name, body) = (Area::Record, run_name(&access, run_id), head.write());
            let (counted, when_head) = (Some(found.end.bytes), When::Version(record.version));
            let mut changes = vec![
                owner.written(owner_name(&access, &head.thread_id), when, expires_at),
                Change::Write { kind: KIND, area, name, body, expires_at, counted, when: when_head },
            ];
            changes.extend(head.listed(name, Some(before.status), expires_at));
            changes.extend(lease::taken(&access, run_id));
            changes.push(work::look_again(access.now()));
            if let TakeOver::IfUnowned { row: Some(at) } = take_over {
                changes.push(work::not_due(name, at));
            }
            // What it counts is there already: no limit keeps a run from being cancelled.
            if access.commit(changes, &Limits::default(), Durability::Sync).await? != Committed::Done {
                continue;
            }
            // The former owner may have appended until it was fenced.
            let found = found.read_on(&access).await?;
            let journal = Journal::of(&access, &owner, &head.thread_id, found.end, expires_at).await?;
            registered.live.begin_at(found.end.next);
            let driver = Driver::new(self.handle, access, host, registered, found.state, journal, head);
            return Ok(Some(driver));
        }
        Err(contended())
    }

    /// The owner that this process becomes, and the condition under which it does.
    async fn next_owner(self, access: &Access, head: &RunHead, take_over: TakeOver) -> Result<(Owner, When)> {
        let run_id = head.run_id.as_str();
        let (epoch, when) = match Owner::read(access, &head.thread_id).await? {
            Some((owner, version)) if owner.run_id == run_id => (owner.epoch, When::Version(version)),
            Some((owner, _)) => return Err(self.busy_with(access, &owner.run_id).await?),
            None => (0, When::Absent),
        };
        // A lease that is taken after this was read comes with another owner, and so with a conflict.
        let may_be_leased = take_over.is_if_unowned() && head.status == RunStatus::Running;
        if may_be_leased && lease::held_elsewhere(access, &[run_id]).await? == [true] {
            return Err(lease::elsewhere(run_id));
        }
        Ok((Owner { run_id: run_id.to_owned(), epoch: epoch + 1 }, when))
    }

    /// # Errors
    /// `Spec` if an agent of the run is not in the spec any more.
    fn check_agents(self, found: &Replayed) -> Result<()> {
        let agents = &self.handle.catalogue.agents;
        match found.state.frames.iter().find(|frame| agents.agent(&frame.agent).is_none()) {
            Some(frame) => Err(no_such_agent(&frame.agent)),
            None => Ok(()),
        }
    }
}

fn running(run_id: &str, message: &str) -> Error {
    Error::run_busy(message, run_id, RunStatus::Running.name())
}

fn no_agents() -> Error {
    let message = "This runtime has no agents, so it cannot go on with a run. Resume it with one that has.".to_owned();
    Error::Spec(vec![Issue { path: "agents".to_owned(), message }])
}
