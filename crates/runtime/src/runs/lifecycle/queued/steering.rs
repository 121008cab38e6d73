//! Prompts that are handed to the run that has their thread. Each was queued as a run, so that it is not lost if that run ends before:
//! then it begins in its turn.

use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Change};

use super::super::begin::Place;
use super::QueuedRun;
use super::turn::Waits;
use crate::handle::Runs;
use crate::runs::driver::{Driver, given_up};
use crate::runs::events::{CutOff, Entry, Event, PromptReceived, RunQueued, RunSteered, WhenBusy, damaged};
use crate::runs::follow::Live;
use crate::runs::host::Callbacks;
use crate::runs::journal::tokens::TokenTurns;
use crate::runs::journal::{Queue, RunStatus, read_head, replay, run_name};
use crate::runs::state::RunState;
use crate::work;

/// How many prompts are handed over with one commit at most.
const AT_ONCE: usize = 16;
/// No more are handed over with one commit than those that have this many bytes together.
const BYTES_AT_ONCE: u64 = 4 << 20;

/// Hands the prompts that wait for it to a run that is about to ask its model, or to wait. `false`: there are none, or it cannot take
/// them yet.
///
/// # Errors
/// Those of the store.
pub(crate) async fn take_prompts(run: &mut Driver<'_>) -> Result<bool> {
    if !run.state.takes_prompts() || !is_any_steering(&run.access, &run.state).await? {
        return Ok(false);
    }
    run.flush().await?;
    let turns = run.handle.scope.shared::<TokenTurns>();
    let _turn = turns.0.lock().await;
    for _ in 0..ATTEMPTS {
        let queue = Queue::read(&run.access, &run.state.thread_id).await?;
        let runs = run.handle.runs();
        let (mut entries, mut changes, mut taken, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for run_id in queue.steering().take(AT_ONCE) {
            if bytes >= BYTES_AT_ONCE {
                break;
            }
            taken.push(run_id);
            // One that is not queued any more, or has expired, only leaves the queue.
            let queued = match QueuedRun::read(&run.access, run_id, None).await {
                Ok(Some(queued)) => queued,
                Ok(None) | Err(Error::NotFound) => continue,
                Err(error) => return Err(error),
            };
            let RunQueued { prompt, actor, .. } = queued.queued.clone();
            bytes += prompt.weight();
            ahead(3 * prompt.weight()).await;
            let received = PromptReceived { from: queued.head.run_id.clone(), prompt, actor };
            entries.push(Entry::new(run.now(), Event::PromptReceived(received)).about(run.state.agent()));
            let last = Event::RunSteered(RunSteered { into: run.state.run_id.clone() }, CutOff::default());
            changes.extend(runs.ended_changes(&run.access, &queued, last, RunStatus::Steered)?.1);
        }
        if entries.is_empty() {
            return Ok(false);
        }
        changes.push(queue.without(&taken, runs.unfinished_until(&run.access)?));
        run.pending.clone_from(&entries);
        if run.try_flush(changes).await? {
            for entry in &entries {
                run.state.take(entry).await.ok_or_else(damaged)?;
            }
            return Ok(true);
        }
        run.pending.clear();
    }
    // They are taken before the next question, or begin a run.
    Ok(false)
}

/// Whether prompts wait to be handed to a run that can take them.
///
/// # Errors
/// Those of the store.
pub(in crate::runs::lifecycle) async fn is_any_steering(access: &Access, state: &RunState) -> Result<bool> {
    Ok(state.takes_prompts() && Queue::read(access, &state.thread_id).await?.steering().next().is_some())
}

impl Runs<'_> {
    /// Returns the changes that make the run due that has a thread, if a prompt is to be handed to it.
    pub(super) fn owner_due(
        self,
        access: &Access,
        when_busy: WhenBusy,
        place: &Place,
        expires_at: Option<u64>,
    ) -> Vec<Change> {
        let owner = place.owner.as_deref().filter(|_| when_busy == WhenBusy::Steer);
        let due = owner.map(|owner| work::due(access, run_name(access, owner), access.now(), expires_at));
        due.into_iter().flatten().collect()
    }

    /// Goes on with the suspended run that has the thread of a queued run, so that it takes the prompt of that. `false`: it does not need
    /// to, or cannot. `live`: the place of the queued run here. `refused`: the run, and the end of its journal, that did not take it before.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn steer(
        self,
        access: &Access,
        waits: &Waits,
        refused: &mut Option<(String, u64)>,
        live: &Live,
        host: &dyn Callbacks,
    ) -> Result<bool> {
        let Some(owner) = waits.behind.as_deref().filter(|_| waits.run.request.when_busy == WhenBusy::Steer) else {
            return Ok(false);
        };
        let Some((head, _)) = read_head(access, owner).await? else { return Ok(false) };
        if head.status != RunStatus::Suspended {
            return Ok(false);
        }
        let seen = Some((head.run_id.clone(), head.next));
        if *refused == seen {
            return Ok(false);
        }
        let replayed = replay(access, &head).await?;
        if !is_any_steering(access, &replayed.state).await? {
            *refused = seen;
            return Ok(false);
        }
        // Another process may have it, or its agent may be gone here: then this one waits for its turn.
        let mut work = Box::pin(self.go_on_from(access.clone(), head, Some(replayed), host, None));
        let outcome = tokio::select! {
            outcome = &mut work => outcome,
            // What is given up with the request is the run that it goes on with.
            () = live.released.cancelled() => {
                self.release(owner, true).await?;
                let _ = work.await;
                return Err(given_up());
            }
        };
        if outcome.is_err() {
            *refused = seen;
        }
        Ok(!self.is_queued(&waits.run.head.run_id).await?)
    }
}
