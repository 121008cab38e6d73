//! The first commit of a run that begins: it takes its thread and gives it the prompt.

use bailiwick_model::json::SAFE_INTEGER;
use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, Name, When, contended};

use super::lease;
use super::new_run::NewRun;
use super::queued::QueuedRun;
use crate::handle::{Runs, expiry};
use crate::runs::definitions::{self, StoredDefinitions};
use crate::runs::driver::Driver;
use crate::runs::events::{WhenBusy, damaged};
use crate::runs::follow::Registered;
use crate::runs::host::Callbacks;
use crate::runs::journal::{
    End, Journal, KIND, Owner, Queue, RunStatus, UNFINISHED_MS, block_change, busy, hash, owner_name, read_head,
    run_name, write,
};
use crate::runs::state::RunState;
use crate::threads::Appends;
use crate::work;

/// Who has a thread, and who waits for it.
pub(super) struct Place {
    /// The run that has it.
    pub(super) owner: Option<String>,
    /// The owner's record, and the condition that no run takes or leaves the thread meanwhile.
    name: Name,
    when: When,
    pub(super) queue: Queue,
}

impl Place {
    /// The condition that no run takes or leaves the thread meanwhile.
    pub(super) fn unchanged(&self) -> Change {
        Change::Check { kind: KIND, area: Area::Record, name: self.name, when: self.when }
    }

    /// The run that has the thread, or else the next one.
    pub(super) fn first(&self) -> Option<&str> {
        self.owner.as_deref().or(self.queue.first())
    }
}

impl<'a> Runs<'a> {
    /// Begins a run that is not queued.
    pub(super) async fn begin<'b>(
        self,
        access: Access,
        new: &NewRun,
        registered: &Registered,
        host: &'b dyn Callbacks,
    ) -> Result<Driver<'b>>
    where
        'a: 'b,
    {
        for _ in 0..ATTEMPTS {
            let place = self.place(&access, &new.thread_id).await?;
            // A run that replaces others goes before those that wait.
            let first = if new.request.when_busy == WhenBusy::Replace { place.owner.as_deref() } else { place.first() };
            if let Some(first) = first {
                return Err(self.busy_with(&access, first).await?);
            }
            let others = vec![place.queue.unchanged()];
            let access = access.clone();
            if let Some(driver) = self.try_begin(access, new, None, &place, others, registered, host).await? {
                return Ok(driver);
            }
        }
        Err(contended())
    }

    /// Makes the first commit of a run on a thread that is free, with other changes. `before`: the run as it was queued. `None`: a
    /// condition did not hold, and nothing was written.
    pub(super) async fn try_begin<'b>(
        self,
        access: Access,
        new: &NewRun,
        before: Option<&QueuedRun>,
        place: &Place,
        others: Vec<Change>,
        registered: &Registered,
        host: &'b dyn Callbacks,
    ) -> Result<Option<Driver<'b>>>
    where
        'a: 'b,
    {
        let handle = self.handle;
        let (threads, thread_id) = (handle.threads(), new.thread_id.as_str());
        let thread = match &new.prompt {
            Some(prompt) => {
                let prompt = std::slice::from_ref(prompt);
                threads.append_changes(&access, thread_id, prompt, Appends::Prompt).await?
            }
            // A run that has come and gone since leaves no trace but in the thread.
            None => threads.claimed(&access, thread_id).await?.map(|(claim, length)| (vec![claim], length)),
        };
        let Some((thread, base)) = thread else { return Err(contended()) };
        ahead(2 * new.weight()).await;
        let expires_at = self.unfinished_until(&access)?;
        let now = access.now().max(before.map_or(0, |queued| queued.head.updated_at));
        let created_micros = before.map_or_else(|| access.next_micros(), |queued| queued.head.created_micros);
        let start = before.map_or(End::NONE, |queued| queued.end);
        let definition = handle.catalogue.agents.agent(&new.agent).map(|agent| &agent.definition);
        let known = handle.scope.shared::<StoredDefinitions>();
        let stored = definition.and_then(|own| definitions::stored(&known, &access, own, expires_at));
        let entries = new.entries(now, base, definition.map(|own| own.hash.clone()));
        let block = write(&start.hash, &entries);
        let end = start.behind(hash(&block), block.len() as u64, entries.len());
        let head = new.head(RunStatus::Running, now, created_micros, &end);
        let owner = Owner { run_id: new.run_id.clone(), epoch: 1 };
        let name = run_name(&access, &new.run_id);
        let (area, body, counted) = (Area::Record, head.write(), Some(end.bytes));
        let when = before.map_or(When::Absent, |queued| When::Version(queued.version));
        let mut changes = vec![
            owner.written(place.name, place.when, expires_at),
            block_change(name, start.next, block, expires_at),
            Change::Write { kind: KIND, area, name, body, expires_at, counted, when },
        ];
        changes.extend(head.listed(name, before.map(|queued| queued.head.status), expires_at));
        changes.extend(thread);
        changes.extend(lease::taken(&access, &new.run_id));
        changes.push(work::look_again(now));
        changes.extend(others);
        changes.extend(new.with.iter().cloned());
        changes.extend(stored.clone());
        if access.commit(changes, &handle.engine_limits, Durability::Sync).await? != Committed::Done {
            return Ok(None);
        }
        known.note(stored.as_slice());
        ahead(new.weight()).await;
        let mut state = entries.first().and_then(|entry| RunState::begin(&new.run_id, entry));
        for entry in entries.iter().skip(1) {
            state.as_mut().ok_or_else(damaged)?.take(entry).await.ok_or_else(damaged)?;
        }
        let state = state.ok_or_else(damaged)?;
        let journal = Journal::of(&access, &owner, &new.thread_id, end, expires_at).await?;
        ahead(new.weight()).await;
        registered.live.begin_at(start.next);
        registered.live.committed(&new.run_id, (start.next..).zip(&entries));
        Ok(Some(Driver::new(handle, access, host, registered, state, journal, head)))
    }

    /// Reads who has a thread, and who waits for it.
    pub(super) async fn place(self, access: &Access, thread_id: &str) -> Result<Place> {
        let (owner, when) = self.owner(access, thread_id).await?;
        let (name, queue) = (owner_name(access, thread_id), Queue::read(access, thread_id).await?);
        Ok(Place { owner, name, when, queue })
    }

    /// The run that has a thread, and the condition that no run takes or leaves it meanwhile.
    pub(crate) async fn thread_owner(self, access: &Access, thread_id: &str) -> Result<(Option<String>, Change)> {
        let (run_id, when) = self.owner(access, thread_id).await?;
        Ok((run_id, Change::Check { kind: KIND, area: Area::Record, name: owner_name(access, thread_id), when }))
    }

    async fn owner(self, access: &Access, thread_id: &str) -> Result<(Option<String>, When)> {
        let Some((owner, version)) = Owner::read(access, thread_id).await? else { return Ok((None, When::Absent)) };
        // The rest of a run that has expired keeps no other one out.
        let head = read_head(access, &owner.run_id).await?.filter(|(head, _)| !head.status.is_end());
        Ok((head.map(|_| owner.run_id), When::Version(version)))
    }

    /// The error for a thread that this run writes.
    pub(crate) async fn busy_with(self, access: &Access, run_id: &str) -> Result<Error> {
        let Some((head, _)) = read_head(access, run_id).await? else { return Ok(contended()) };
        let is_live = self.at_work(access, std::slice::from_ref(&head)).await?.contains(&true);
        Ok(busy(run_id, head.shown(is_live)))
    }

    /// When the rows of an unfinished run expire that are written now.
    pub(crate) fn unfinished_until(self, access: &Access) -> Result<Option<u64>> {
        let kept = self.handle.retention_ms(KIND).map(|ttl| ttl.saturating_add(UNFINISHED_MS));
        expiry(access.now(), kept.map(|ttl| ttl.min(SAFE_INTEGER)))
    }
}
