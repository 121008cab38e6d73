//! Runs that are queued: they have a record and an entry, and neither their thread nor a message on it.

mod steering;
mod turn;

pub(super) use steering::is_any_steering;
pub(crate) use steering::take_prompts;

use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, Limits, Version, When, contended};

use super::new_run::{Continued, NewRun};
use super::request::RunRequest;
use crate::approvals::PENDING_MS;
use crate::handle::{Runs, expiry};
use crate::runs::events::{Entry, Event, QueuedRequest, RunQueued, WhenBusy, damaged};
use crate::runs::follow::{Live, Registered};
use crate::runs::journal::tokens::TokenTurns;
use crate::runs::journal::{
    End, KIND, NO_BLOCK, Queue, RunHead, RunStatus, block_change, hash, read_entries, read_from, read_head, run_name,
    write,
};
use crate::sweep::journals;
use crate::threads::{Appends, prompt_files, prompt_message, thread_is_there};
use crate::work;

/// See the module's text.
pub(super) struct QueuedRun {
    pub(super) head: RunHead,
    /// That of its record.
    pub(super) version: Version,
    /// Where its journal ends.
    pub(super) end: End,
    pub(super) queued: RunQueued,
    pub(super) request: QueuedRequest,
}

impl QueuedRun {
    /// Reads a run. `None`: it is not queued any more. `known`: the run as it was read before.
    ///
    /// # Errors
    /// `NotFound`, `StoreCorrupt`, and those of the store.
    pub(super) async fn read(access: &Access, run_id: &str, known: Option<Self>) -> Result<Option<Self>> {
        let (head, record) = read_head(access, run_id).await?.ok_or(Error::NotFound)?;
        if head.status != RunStatus::Queued {
            return Ok(None);
        }
        if let Some(known) = known.filter(|known| known.version == record.version) {
            return Ok(Some(known));
        }
        let blocks = read_from(access, run_id, 0, 1).await?;
        let (_, block) = blocks.first().filter(|(_, block)| hash(&block.body) == head.hash).ok_or_else(damaged)?;
        let end = End::NONE.behind(head.hash, block.body.len() as u64, 1);
        match read_entries(access, block).await?.pop().map(|entry| entry.event) {
            Some(Event::RunQueued(queued, request)) if head.next == end.next => {
                Ok(Some(Self { head, version: record.version, end, queued, request }))
            }
            _ => Err(damaged()),
        }
    }

    /// Whether it goes before others, and the run that has the thread is cancelled.
    pub(super) fn replaces(&self) -> bool {
        self.request.when_busy == WhenBusy::Replace
    }
}

impl Runs<'_> {
    /// Queues a run. `false`: it may begin at once, or, if it replaces others, cancel the run that has the thread and begin then.
    ///
    /// # Errors
    /// `InvalidInput` and `NotFound` for its prompt; `ThreadBusy` if the queue is full; those of the store.
    pub(super) async fn enqueue(self, access: &Access, new: &NewRun, registered: &Registered) -> Result<bool> {
        let (handle, thread_id, run_id) = (self.handle, new.thread_id.as_str(), new.run_id.as_str());
        // What is wrong with the prompt is its caller's to hear of, not that of the process that begins the run.
        if let Some(prompt) = &new.prompt {
            let prompt = std::slice::from_ref(prompt);
            handle.threads().append_changes(access, thread_id, prompt, Appends::Prompt).await?;
        }
        let replaces = new.request.when_busy == WhenBusy::Replace;
        let (name, created_micros) = (run_name(access, run_id), access.next_micros());
        let turns = handle.scope.shared::<TokenTurns>();
        let _turn = turns.0.lock().await;
        for _ in 0..ATTEMPTS {
            if read_head(access, run_id).await?.is_some() {
                // Another process has queued it, for a request with the same key.
                return Ok(true);
            }
            let now = access.now();
            let start_at = new.request.start_at.filter(|at| *at > now);
            let place = self.place(access, thread_id).await?;
            let waits = place.first().is_some() && !(replaces && place.queue.first().is_none());
            if start_at.is_none() && (!waits || (replaces && place.owner.is_none())) {
                return Ok(false);
            }
            ahead(2 * new.weight()).await;
            let entry = new.queued(now, thread_is_there(access, thread_id).await?);
            let block = write(&NO_BLOCK, [&entry]);
            let end = End::NONE.behind(hash(&block), block.len() as u64, 1);
            let head = new.head(RunStatus::Queued, now, created_micros, &end);
            let begins_at = start_at.unwrap_or(now);
            let expires_at = self.unfinished_until(access)?.map(|at| at.saturating_add(begins_at - now));
            let (area, body, counted, when) = (Area::Record, head.write(), Some(end.bytes), When::Absent);
            let mut changes = vec![
                Change::Write { kind: KIND, area, name, body, expires_at, counted, when },
                block_change(name, 0, block, expires_at),
            ];
            changes.extend(head.listed(name, None, expires_at));
            if start_at.is_none() {
                changes.push(place.unchanged());
                changes.push(place.queue.with(run_id, new.request.when_busy, expires_at)?);
                changes.extend(self.owner_due(access, new.request.when_busy, &place, expires_at));
            }
            if start_at.is_some() || replaces {
                // The run that it replaces does not end by itself.
                changes.extend(work::due(access, name, begins_at, expires_at));
            }
            let calls = new.continues.iter().flat_map(|continued| &continued.calls);
            let inputs = calls.flat_map(|call| handle.catalogue.agents.references_in(&call.tool, &call.input));
            let files: Vec<&str> = new.prompt.iter().flat_map(prompt_files).chain(inputs).collect();
            let kept_until = Some(begins_at.saturating_add(PENDING_MS));
            changes.extend(handle.references().extended(access, &files, kept_until).await?);
            changes.extend(new.with.iter().cloned());
            if access.commit(changes, &handle.engine_limits, Durability::Sync).await? == Committed::Done {
                registered.live.committed(run_id, [(0, &entry)].into_iter());
                return Ok(true);
            }
        }
        Err(contended())
    }

    /// Whether a run is queued.
    pub(super) async fn is_queued(self, run_id: &str) -> Result<bool> {
        let Some(access) = self.handle.scope.existing().await? else { return Ok(false) };
        Ok(read_head(&access, run_id).await?.is_some_and(|(head, _)| head.status == RunStatus::Queued))
    }

    /// Ends a queued run, without its thread. The next run is due then if this was the next. `false`: it is not queued. `live`: its
    /// place here, if it has one.
    ///
    /// # Errors
    /// `NotFound`, and those of the store.
    pub(super) async fn end_queued(
        self,
        access: &Access,
        run_id: &str,
        last: Event,
        live: Option<&Live>,
    ) -> Result<bool> {
        let status = if matches!(last, Event::RunCancelled(..)) { RunStatus::Cancelled } else { RunStatus::Failed };
        let turns = self.handle.scope.shared::<TokenTurns>();
        let _turn = turns.0.lock().await;
        for _ in 0..ATTEMPTS {
            let Some(run) = QueuedRun::read(access, run_id, None).await? else { return Ok(false) };
            // Else they would be open until they end by themselves.
            self.close_calls(access, &run.request.left).await?;
            let queue = Queue::read(access, &run.head.thread_id).await?;
            let later = self.unfinished_until(access)?;
            let (entry, mut changes) = self.ended_changes(access, &run, last.clone(), status)?;
            changes.push(queue.without(&[run_id], later));
            if queue.first() == Some(run_id) {
                changes.extend(queue.next_due(access, Some(run_id), later).await?);
            }
            if access.commit(changes, &Limits::default(), Durability::Sync).await? == Committed::Done {
                if let Some(live) = live {
                    live.begin_at(run.end.next);
                    live.committed(run_id, [(run.end.next, &entry)].into_iter());
                }
                return Ok(true);
            }
        }
        Err(contended())
    }

    /// Returns the last entry of a queued run that ends without having begun, and the changes that end it, but for its place in the queue.
    fn ended_changes(
        self,
        access: &Access,
        run: &QueuedRun,
        last: Event,
        status: RunStatus,
    ) -> Result<(Entry, Vec<Change>)> {
        let entry = Entry::new(access.now().max(run.head.updated_at), last);
        let block = write(&run.end.hash, [&entry]);
        let end = run.end.behind(hash(&block), block.len() as u64, 1);
        let (updated_at, next, hash) = (entry.at, end.next, end.hash);
        let head = RunHead { status, updated_at, next, hash, ..run.head.clone() };
        let (name, later) = (run_name(access, &head.run_id), self.unfinished_until(access)?);
        let expires_at = expiry(access.now(), self.handle.retention_ms(KIND))?;
        let (area, body, counted, when) = (Area::Record, head.write(), Some(end.bytes), When::Version(run.version));
        let mut changes = vec![
            Change::Write { kind: KIND, area, name, body, expires_at, counted, when },
            block_change(name, run.end.next, block, later),
        ];
        changes.extend(head.listed(name, Some(run.head.status), expires_at));
        changes.extend(expires_at.map(|at| journals::due(KIND, name, at)));
        Ok((entry, changes))
    }

    /// Cancels the runs that wait for a thread, the last first.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn cancel_queued(self, access: &Access, thread_id: &str) -> Result<()> {
        for run_id in Queue::read(access, thread_id).await?.run_ids().rev() {
            self.make_way(run_id).await?;
        }
        Ok(())
    }

    /// Cancels a run so that another may have its thread. One that has just ended, or was just resumed, is left: the caller looks again.
    pub(super) async fn make_way(self, run_id: &str) -> Result<()> {
        match self.end(run_id).await {
            Ok(()) | Err(Error::NotFound | Error::ThreadBusy { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The run that begins for a queued one.
    ///
    /// # Errors
    /// `Spec` if its agent is not in the spec; `InvalidInput` for its prompt.
    pub(super) fn begun_from(self, run: &QueuedRun, now: u64) -> Result<NewRun> {
        let QueuedRequest { thread_id, agent, limits, when_busy, trace, instructions, left: calls, requesters, .. } =
            run.request.clone();
        let RunQueued { prompt, actor, start_at, continues } = run.queued.clone();
        let (role, run_id) = (self.handle.catalogue.agents.beginning(&agent)?.spec.role, run.head.run_id.clone());
        let message = match &continues {
            None => Some(prompt_message(&prompt, now, &run_id, actor.as_deref())?),
            Some(_) => None,
        };
        let own_thread = Some(thread_id.clone());
        let request = RunRequest {
            thread_id: own_thread,
            actor,
            trace,
            limits,
            instructions,
            when_busy,
            start_at,
            ..RunRequest::new(prompt)
        };
        let continues = continues.map(|run| Continued { run, calls, requesters });
        let (prompt, with) = (message, Vec::new());
        Ok(NewRun { run_id, request, agent, role, thread_id, limits, prompt, continues, with })
    }
}
