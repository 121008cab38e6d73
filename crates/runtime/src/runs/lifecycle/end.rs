//! The end of a run: its thread gets its messages and is free, its approvals are withdrawn, its tokens are counted, and its
//! record says how it ended, in one commit with the last entry.

use bailiwick_model::Result;
use bailiwick_model::pace::ahead;
use bailiwick_model::spec::AgentRole;
use bailiwick_tenancy::{ATTEMPTS, Area, Change, Limits, When, contended};

use super::{lease, thread};
use crate::handle::{TenantHandle, expiry};
use crate::plans::PlanStatus;
use crate::runs::driver::{Block, Driver, Stop};
use crate::runs::events::{CutOff, Event, RunCompleted, damaged};
use crate::runs::journal::tokens::{self, TokenTurns};
use crate::runs::journal::{KIND, Owner, Queue, RunHead, RunStatus, fenced, run_name};
use crate::runs::state::{Answer, Frame};
use crate::sweep::journals;
use crate::waits::{CLOSED_AT_ONCE, closing};

/// How many approvals are withdrawn at once.
const WITHDRAWN: usize = 100;
/// Why approvals are withdrawn.
const ENDED: &str = "The run that asked has ended.";

/// Withdraws approvals that still wait, however many, in as few commits as that takes.
pub(crate) async fn withdraw_all(handle: &TenantHandle, approval_ids: &[String], reason: &str) -> Result<()> {
    for ids in approval_ids.chunks(WITHDRAWN) {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        handle.approvals().withdraw(&ids, Some(reason), Vec::new()).await?;
    }
    Ok(())
}

/// Completes a run whose agents are done.
pub(crate) async fn finish(run: &mut Driver<'_>) -> Result<(), Stop> {
    ahead(run.state.answer.as_ref().map_or(0, Answer::weight)).await;
    let Some(answer) = run.state.answer.clone() else { return Err(damaged().into()) };
    let (usage, finish_reason) = (run.state.usage.clone(), run.state.finish_reason);
    let waiting = Vec::new();
    let completed = RunCompleted { text: answer.text, output: answer.output, finish_reason, usage, waiting };
    end(run, Event::RunCompleted(completed, CutOff::default())).await.map_err(Stop::from)
}

/// Ends the run with this event.
///
/// # Errors
/// Those of the store; then the run is interrupted.
pub(crate) async fn end(run: &mut Driver<'_>, last: Event) -> Result<()> {
    let status = match last {
        Event::RunCompleted(..) => RunStatus::Completed,
        Event::RunLimited(..) => RunStatus::Limited,
        Event::RunCancelled(..) => RunStatus::Cancelled,
        _ => RunStatus::Failed,
    };
    let waiting: Vec<String> = run.state.frames.iter().flat_map(Frame::waiting).map(str::to_owned).collect();
    if !run.opening.is_empty() {
        // They are cancelled as those that the store has.
        run.flush().await?;
    }
    run.note_run(last).await?;
    let live = run.live.clone();
    let _not_renewed = live.ending.lock().await;
    let turns = run.handle.scope.shared::<TokenTurns>();
    let _turn = turns.0.lock().await;
    let open: Vec<String> =
        run.state.frames.iter().flat_map(Frame::open_waits).map(|(_, open)| open.wait.wait_id.clone()).collect();
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    let (first, last) = open.split_at(open.len().saturating_sub(CLOSED_AT_ONCE));
    run.handle.close_waits(&run.access, first).await?;
    let (early, late) = waiting.split_at(waiting.len().saturating_sub(WITHDRAWN));
    withdraw_all(run.handle, early, ENDED).await?;
    let ids: Vec<&str> = late.iter().map(String::as_str).collect();
    for _ in 0..ATTEMPTS {
        let block = run.block(&[]).await;
        let head = head_after(run, status, &block);
        let mut others = end_changes(run, &head, &block, None).await?;
        others.extend(closing(&run.access, last).await?);
        let is_done = if ids.is_empty() {
            // The end frees more than it takes: a limit must not keep a run and its thread for ever.
            run.try_commit(block, others, &Limits::default()).await?
        } else {
            commit_withdrawing(run, &ids, block, others).await?
        };
        if is_done {
            run.head = head;
            return Ok(());
        }
    }
    Err(contended())
}

/// Commits the last block together with the withdrawal of approvals. `false`: a condition did not hold, and nothing was
/// written.
async fn commit_withdrawing(run: &mut Driver<'_>, ids: &[&str], block: Block, others: Vec<Change>) -> Result<bool> {
    let (hash, bytes) = (block.hash, block.bytes);
    let changes = run.changes(block.body, others).await?;
    if run.handle.approvals().withdraw(ids, Some(ENDED), changes).await?.is_some() {
        run.committed(hash, bytes).await;
        return Ok(true);
    }
    match Owner::read(&run.access, &run.state.thread_id).await? {
        Some((_, version)) if version == run.journal.version => {}
        _ => return Err(fenced(&run.state.run_id)),
    }
    run.kept.look_again(&run.access).await?;
    Ok(false)
}

/// What the end changes besides the journal. `until`: when the last call that it leaves has ended, if it leaves any; its rows and its
/// thread are kept as long as those of a suspended run.
pub(crate) async fn end_changes(
    run: &Driver<'_>,
    head: &RunHead,
    block: &Block,
    until: Option<u64>,
) -> Result<Vec<Change>> {
    let expires_at = match until {
        Some(_) => run.journal.expires_at,
        None => expiry(run.access.now(), run.handle.retention_ms(KIND))?,
    };
    let mut changes = head_changes(run, head, block.bytes, expires_at);
    // The journal was begun to live longer than the record does now.
    changes.extend(expires_at.map(|at| journals::due(KIND, run.journal.name, at)));
    changes.extend(tokens::added(&run.access, &run.state.usage.since(&run.head.counted)).await?);
    changes.extend(thread::last_changes(run, until).await?);
    changes.extend(plan_changes(run).await?);
    // The thread is free: the next run begins.
    let queue = Queue::read(&run.access, &run.state.thread_id).await?;
    changes.push(queue.unchanged());
    changes.extend(queue.next_due(&run.access, None, run.handle.runs().unfinished_until(&run.access)?).await?);
    let when = When::Any;
    changes.push(Change::Delete { kind: KIND, area: Area::Record, name: run.journal.owner, when });
    changes.extend(lease::given_back(&run.access, &head.run_id));
    Ok(changes)
}

/// The changes to the plans that the end interrupts: they have failed.
async fn plan_changes(run: &Driver<'_>) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let executors = run.state.frames.iter().filter(|frame| frame.role == AgentRole::Executor);
    for stage in executors.filter_map(|frame| frame.plan.as_ref()) {
        let (plans, status) = (run.handle.plans(), PlanStatus::Failed);
        let change = plans.status_changes(&run.access, &stage.plan_id, &stage.hash, status, None).await?;
        changes.extend(change.unwrap_or_default());
    }
    Ok(changes)
}

/// The record of the run once this block is written.
pub(crate) fn head_after(run: &Driver<'_>, status: RunStatus, block: &Block) -> RunHead {
    RunHead {
        status,
        updated_at: run.state.updated_at,
        usage: run.state.usage.clone(),
        next: run.journal.end.next + block.entries as u64,
        hash: block.hash,
        counted: run.state.usage.clone(),
        ..run.head.clone()
    }
}

/// The changes that write it, with its place on lists.
pub(crate) fn head_changes(run: &Driver<'_>, head: &RunHead, more_bytes: u64, expires_at: Option<u64>) -> Vec<Change> {
    let name = run_name(&run.access, &head.run_id);
    let counted = Some(run.journal.end.bytes + more_bytes);
    let (area, when) = (Area::Record, When::Any);
    let mut changes = vec![Change::Write { kind: KIND, area, name, body: head.write(), expires_at, counted, when }];
    changes.extend(head.listed(name, Some(run.head.status), expires_at));
    changes
}
