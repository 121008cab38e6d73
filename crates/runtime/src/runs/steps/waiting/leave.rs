//! The end of a run whose model has stopped while calls of it still wait: the run is completed, its thread is free, and the calls are
//! left open. The first of them that ends begins a run of its own (`lifecycle::continuation`).

use bailiwick_tenancy::{ATTEMPTS, Change, Limits, contended};

use super::{note_settled, unasked};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{AgentAnswer, CutOff, Entry, Event, Nothing, RunCompleted, Usage, damaged};
use crate::runs::journal::tokens::TokenTurns;
use crate::runs::journal::{RunHead, RunStatus};
use crate::runs::lifecycle::{end_changes, head_after};
use crate::runs::steps::approval;
use crate::runs::steps::waiting::suspend::kept_until;
use crate::waits::Wait;
use crate::work;

/// Completes the run, unless something of what it waits for has ended: then it goes on.
pub(in crate::runs::steps) async fn leave(run: &mut Driver<'_>) -> Result<(), Stop> {
    let (approvals, is_any_decided) = approval::note_decisions(run).await?;
    let (open, is_any_settled) = note_settled(run).await?;
    if is_any_decided || is_any_settled {
        return Ok(());
    }
    if unasked(run, &approvals) {
        return approval::ask(run, approvals).await;
    }
    let entries = entries(run)?;
    let (before, live) = (run.pending.len(), run.live.clone());
    let _not_renewed = live.ending.lock().await;
    let turns = run.handle.scope.shared::<TokenTurns>();
    let _turn = turns.0.lock().await;
    run.pending.extend(entries.iter().cloned());
    for _ in 0..ATTEMPTS {
        let block = run.block(&[]).await;
        let updated_at = entries.last().map_or(run.state.updated_at, |entry| entry.at);
        let head = RunHead { waiting: true, updated_at, ..head_after(run, RunStatus::Completed, &block) };
        let mut changes: Vec<Change> = open.found.iter().map(|found| found.unchanged(&run.access)).collect();
        let (until, references) = kept_until(run, &open.waits).await?;
        changes.extend(references);
        if let Some(next) = open.waits.iter().map(Wait::until).min() {
            changes.extend(work::due(&run.access, run.journal.name, next, run.journal.expires_at));
        }
        changes.extend(end_changes(run, &head, &block, Some(until)).await?);
        // The end frees more than it takes: a limit must not keep a run and its thread for ever.
        if run.try_commit(block, changes, &Limits::default()).await? {
            run.head = head;
            for entry in &entries {
                run.state.take(entry).await.ok_or_else(damaged)?;
            }
            return Ok(());
        }
        if !open.is_unchanged(run).await? {
            run.pending.truncate(before);
            return Ok(());
        }
    }
    Err(contended().into())
}

/// The last entries of the run.
fn entries(run: &Driver<'_>) -> Result<[Entry; 2], Stop> {
    let Some(frame) = run.state.frames.first() else { return Err(damaged().into()) };
    let Some(answer) = frame.answer.clone() else { return Err(damaged().into()) };
    let (text, output, failed) = (answer.text, answer.output, answer.failed);
    let waiting = frame.deferred().map(|call| call.call_id.clone()).collect();
    let (usage, finish_reason) = (run.state.usage.clone(), run.state.finish_reason);
    let completed = RunCompleted { text: text.clone(), output: output.clone(), finish_reason, usage, waiting };
    let left = Event::AgentCompleted(
        Nothing {},
        AgentAnswer { text, output, failed, lost: Usage::default(), takes_back: None },
    );
    Ok([
        Entry::new(run.now(), left).about(run.state.agent()),
        Entry::new(run.now(), Event::RunCompleted(completed, CutOff::default())),
    ])
}
