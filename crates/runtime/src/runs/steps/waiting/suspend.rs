//! The suspension of a run, on condition that what it waits for is still open: its references and its thread live as long as it may
//! wait.

use std::collections::BTreeSet;

use bailiwick_model::json::Json;
use bailiwick_model::pace::ahead_of;
use bailiwick_tenancy::{ATTEMPTS, Change, contended};

use super::Open;
use crate::approvals::{Approval, PENDING_MS};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{ApprovalShown, Entry, Event, RunSuspended};
use crate::runs::journal::{RunStatus, tokens};
use crate::runs::lifecycle::{head_after, head_changes, thread_changes, thread_progress};
use crate::waits::Wait;
use crate::work;

/// How much longer than what it waits for the references of a suspended run live, in milliseconds.
const AFTERWARDS_MS: u64 = 24 * 60 * 60 * 1000;

/// Suspends the run. `false`: one of its waits has ended meanwhile.
pub(super) async fn suspend(run: &mut Driver<'_>, approvals: &[Approval], open: &Open) -> Result<bool, Stop> {
    let approvals = shown(approvals).await?;
    // `tool.waiting` says what is asked.
    let waits = open.waits.iter().map(Wait::without_question).collect();
    let entry = Entry::new(run.now(), Event::RunSuspended(RunSuspended { approvals, waits }));
    let progress = thread_progress(run);
    // What the thread has is applied once it has it.
    run.note_entry(entry.clone()).await?;
    run.pending.pop();
    run.pending.push(Entry { thread: progress.clone(), ..entry });
    for _ in 0..ATTEMPTS {
        let block = run.block(&[]).await;
        let head = head_after(run, RunStatus::Suspended, &block);
        let mut others: Vec<Change> = open.found.iter().map(|found| found.unchanged(&run.access)).collect();
        others.extend(suspension_changes(run, &open.waits).await?);
        others.extend(head_changes(run, &head, block.bytes, run.journal.expires_at));
        let handle = run.handle;
        if run.try_commit(block, others, &handle.engine_limits).await? {
            run.head = head;
            run.state.note_thread(&progress);
            return Ok(true);
        }
        if !open.is_unchanged(run).await? {
            run.pending.pop();
            run.state.rest = None;
            return Ok(false);
        }
    }
    Err(contended().into())
}

/// What a suspension with these waits changes besides the run's own rows.
pub(in crate::runs::steps) async fn suspension_changes(run: &Driver<'_>, waits: &[Wait]) -> Result<Vec<Change>, Stop> {
    let (until, mut changes) = kept_until(run, waits).await?;
    changes.extend(tokens::added(&run.access, &run.state.usage.since(&run.head.counted)).await?);
    if let Some(next) = waits.iter().map(Wait::until).min() {
        changes.extend(work::due(&run.access, run.journal.name, next, run.journal.expires_at));
    }
    // Last, for what it names lives longest.
    changes.extend(thread_changes(run, until).await?);
    Ok(changes)
}

/// Until when what these waits and its approvals may need is kept, and the changes that keep the references that the run may still use.
pub(super) async fn kept_until(run: &Driver<'_>, waits: &[Wait]) -> Result<(u64, Vec<Change>), Stop> {
    let pending = run.access.now().saturating_add(PENDING_MS);
    let until = waits.iter().map(Wait::until).fold(pending, u64::max).saturating_add(AFTERWARDS_MS);
    let named = named_references(run);
    let ids: Vec<&str> = named.iter().map(String::as_str).collect();
    Ok((until, run.handle.references().extended(&run.access, &ids, Some(until)).await?))
}

/// The references that a run may still use: its results, the files of its prompt, and those that declared properties of calls
/// that are not done name.
fn named_references(run: &Driver<'_>) -> BTreeSet<String> {
    let state = &run.state;
    let mut named: BTreeSet<String> = state.references.iter().cloned().collect();
    let parts = state.prompt.as_array().unwrap_or_default();
    named.extend(parts.iter().filter_map(|part| part.get("reference")?.as_str()).map(str::to_owned));
    let open = state.frames.iter().flat_map(|frame| &frame.calls).filter(|call| call.done.is_none());
    let mut inputs: Vec<(&str, &Json)> = open.map(|call| (call.tool.as_str(), &*call.input)).collect();
    // A plan that waits for its approval has no calls yet.
    for answer in state.frames.iter().filter_map(|frame| frame.answer.as_ref()) {
        let steps = answer.output.get("steps").and_then(Json::as_array).unwrap_or_default();
        inputs.extend(steps.iter().filter_map(|step| Some((step.get("tool")?.as_str()?, step.get("input")?))));
    }
    for (tool, input) in inputs {
        named.extend(run.agents().references_in(tool, input).map(str::to_owned));
    }
    named
}

/// Approvals as events show them.
pub(in crate::runs::steps) async fn shown(approvals: &[Approval]) -> Result<Vec<ApprovalShown>, Stop> {
    let mut shown = Vec::with_capacity(approvals.len());
    for approval in approvals {
        ahead_of(approval.subject.byte_length()).await;
        shown.push(ApprovalShown::of(approval)?);
    }
    Ok(shown)
}
