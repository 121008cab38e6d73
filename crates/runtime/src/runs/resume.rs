//! Going on with a run from its journal, and cancelling one that nobody is at work at.

use std::sync::Arc;

use bailiwick_model::{Error, Issue, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, Limits, When};

use super::callbacks::{Ask, Asked, Callbacks};
use super::driver::Driver;
use super::head::{KIND, RunHead, RunStatus, owner_name, run_name};
use super::journal::{Journal, Owner, load, read_head};
use super::lease;
use super::live::Registered;
use super::result::result;
use super::start::{HISTORY_BYTES, owned};
use crate::handle::TenantHandle;
use crate::retry::{ATTEMPTS, contended};
use crate::threads::{history, thread_is_there};

impl TenantHandle {
    /// Goes on with a run from its journal, until there is a result.
    ///
    /// # Errors
    /// `NotFound`; `ThreadBusy` if it is at work; `StoreCorrupt`, which its followers get, too; `Closed`, and those of the
    /// store.
    pub async fn resume_run(&self, run_id: &str, callbacks: &dyn Callbacks) -> Result<String> {
        let outcome = self.scope.unless_closed(&self.closing, self.resume(run_id, callbacks)).await;
        self.live_runs().came_to(run_id, &outcome);
        outcome
    }

    /// Ends a run that is not over: its approvals are withdrawn and its thread is free. Does nothing to one that is over.
    ///
    /// # Errors
    /// `NotFound`, `Closed`, and those of the store.
    pub async fn cancel_run(&self, run_id: &str) -> Result<()> {
        self.scope.unless_closed(&self.closing, self.cancel(run_id)).await
    }

    async fn resume(&self, run_id: &str, callbacks: &dyn Callbacks) -> Result<String> {
        if self.catalogue.team.is_empty() {
            return Err(no_agents());
        }
        let Some(access) = self.scope.existing().await? else { return Err(Error::NotFound) };
        let Some((head, _)) = read_head(&access, run_id).await? else { return Err(Error::NotFound) };
        if head.status.is_end() {
            return Ok(result(&load(&access, &head).await?.state));
        }
        if head.status == RunStatus::Suspended && !callbacks.has_approver() {
            let state = load(&access, &head).await?.state;
            if self.still_waits(&state).await? {
                return Ok(result(&state));
            }
        }
        let registered = self
            .live_runs()
            .register(run_id)
            .ok_or_else(|| running(run_id, "This run is at work already. Follow it with runs.follow."))?;
        let taken = self.take_over(access.clone(), run_id, &registered, callbacks, Whose::Nobodys).await?;
        let Some(mut driver) = taken else {
            // It has ended meanwhile.
            let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
            return Ok(result(&load(&access, &head).await?.state));
        };
        if thread_is_there(&driver.access, &driver.state.thread_id).await? {
            driver.work().await?;
        } else {
            // What was to be done in a conversation that is gone is not done any more, whoever has approved of it.
            let entry = driver.entry("run.cancelled");
            driver.end(entry).await?;
        }
        Ok(result(&driver.state))
    }

    async fn cancel(&self, run_id: &str) -> Result<()> {
        if let Some(live) = self.live_runs().get(run_id) {
            let mut changes = live.changes();
            live.cancelled.close();
            while self.live_runs().get(run_id).is_some_and(|now| Arc::ptr_eq(&now, &live)) {
                changes.mark_unchanged();
                if self.live_runs().get(run_id).is_none() || changes.changed().await.is_err() {
                    break;
                }
            }
            return Ok(());
        }
        let Some(access) = self.scope.existing().await? else { return Err(Error::NotFound) };
        let Some((head, _)) = read_head(&access, run_id).await? else { return Err(Error::NotFound) };
        if head.status.is_end() {
            return Ok(());
        }
        let registered = self.live_runs().register(run_id);
        let registered =
            registered.ok_or_else(|| running(run_id, "This run has just been resumed. Cancel it again."))?;
        if let Some(mut driver) = self.take_over(access, run_id, &registered, &Nobody, Whose::Anybodys).await? {
            let entry = driver.entry("run.cancelled");
            driver.end(entry).await?;
        }
        Ok(())
    }

    /// Makes this process the one that goes on with a run. `None`: it has ended.
    async fn take_over<'a>(
        &'a self,
        access: Access,
        run_id: &str,
        registered: &Registered,
        callbacks: &'a dyn Callbacks,
        whose: Whose,
    ) -> Result<Option<Driver<'a>>> {
        for _ in 0..ATTEMPTS {
            let (before, record) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
            if before.status.is_end() {
                return Ok(None);
            }
            let thread_id = before.thread_id.clone();
            let current = Owner::read(&access, &thread_id).await?;
            let (epoch, when) = match &current {
                Some((owner, version)) if owner.run_id == run_id => (owner.epoch, When::Version(*version)),
                Some((owner, _)) => return Err(self.busy_with(&access, &owner.run_id).await?),
                None => (0, When::Absent),
            };
            // A lease that is taken after this was read comes with another owner, and so with a conflict.
            let leased = whose == Whose::Nobodys && before.status == RunStatus::Running;
            if leased && lease::held_elsewhere(&access, &[run_id]).await? == [true] {
                return Err(lease::elsewhere(run_id));
            }
            let owner = Owner { run_id: run_id.to_owned(), epoch: epoch + 1 };
            let (name, owner_at) = (run_name(&access, run_id), owner_name(&access, &thread_id));
            let expires_at = self.unfinished_until(&access)?;
            let head = RunHead { status: RunStatus::Running, ..before.clone() };
            let (area, body, when_head) = (Area::Record, head.write(), When::Version(record.version));
            let mut changes = vec![
                owner.written(owner_at, when, expires_at),
                Change::Write { kind: KIND, area, name, body, expires_at, counted: None, when: when_head },
            ];
            // The journal behind the record is read once nobody else can append to it.
            let found = load(&access, &before).await?;
            let unknown = found.state.frames.iter().find(|frame| self.catalogue.team.agent(&frame.agent).is_none());
            if let Some(frame) = unknown.filter(|_| whose == Whose::Nobodys) {
                return Err(no_such_agent(&frame.agent));
            }
            let counted = Some(found.bytes);
            if let Some(Change::Write { counted: place, .. }) = changes.get_mut(1) {
                *place = counted;
            }
            changes.extend(head.listed(name, Some(before.status), expires_at));
            changes.extend(lease::taken(&access, run_id));
            // What it counts is there already: no limit keeps anybody from cancelling a run.
            if access.commit(changes, &Limits::default(), Durability::Sync).await? != Committed::Done {
                continue;
            }
            let version = owned(&access, &owner, &thread_id).await?;
            let loaded = load(&access, &head).await?;
            let history = history(&access, &thread_id, loaded.state.base, HISTORY_BYTES).await?;
            registered.live.begin_at(loaded.next);
            let journal = Journal {
                name,
                owner: owner_at,
                version,
                epoch: owner.epoch,
                next: loaded.next,
                hash: loaded.hash,
                bytes: loaded.bytes,
                expires_at,
            };
            return Ok(Some(self.driver(access, callbacks, registered, loaded.state, journal, head, history)));
        }
        Err(contended())
    }
}

fn running(run_id: &str, message: &str) -> Error {
    Error::run_busy(message, run_id, RunStatus::Running.name())
}

fn no_agents() -> Error {
    let message = "This runtime has no agents, so it cannot go on with a run. Resume it with one that has.".to_owned();
    Error::Spec(vec![Issue { path: "agents".to_owned(), message }])
}

fn no_such_agent(name: &str) -> Error {
    let message =
        format!("The run is at the agent {name}, which is not in this spec. Resume it with a spec that has it.");
    Error::Spec(vec![Issue { path: "agents".to_owned(), message }])
}

/// Which runs are taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Those that no process is at work at.
    Nobodys,
    /// All.
    Anybodys,
}

/// For a run that is ended without being gone on with.
struct Nobody;

impl Callbacks for Nobody {
    fn ask(&self, _: Ask, _: String) -> Asked {
        Asked::new(|| {}).1
    }

    fn has_approver(&self) -> bool {
        false
    }
}
