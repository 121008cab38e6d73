//! The ends of a run: its thread gets its messages and is free, its approvals are withdrawn, its tokens are counted, and
//! its record says how it stands, in one commit with the last entry.

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::AgentRole;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Change, Limits, When};

use super::driver::Driver;
use super::entry::{self, Entry, STORED, number, object};
use super::frame::{Call, Frame, message, result_part, text_parts};
use super::head::{KIND, RunHead, RunStatus, run_name, tokens_name};
use super::journal::taken_over;
use super::lease;
use super::usage::Usage;
use crate::handle::{TenantHandle, expiry};
use crate::leftover;
use crate::plans::PlanStatus;
use crate::retry::{ATTEMPTS, contended};
use crate::threads::Appends;

/// Turns of those who count a tenant's tokens in this process. They only spare them conflicts.
#[derive(Default)]
struct TokenTurns(tokio::sync::Mutex<()>);

/// So many messages wait for the end of a run at most, and those of one turn.
const LAGGING: usize = 200;
/// So many approvals are withdrawn at once.
const WITHDRAWN: usize = 100;

impl TenantHandle {
    /// Takes approvals back that still wait, however many, in as few commits as that takes.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn withdraw_all(&self, approval_ids: &[String], reason: &str) -> Result<()> {
        for ids in approval_ids.chunks(WITHDRAWN) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            self.approvals().withdraw(&ids, Some(reason), Vec::new()).await?;
        }
        Ok(())
    }
}

impl Driver<'_> {
    /// Ends the run with this entry.
    ///
    /// # Errors
    /// Those of the store; then the run is interrupted.
    pub(crate) async fn end(&mut self, last: Entry) -> Result<()> {
        let status = match last.kind() {
            "run.completed" => RunStatus::Completed,
            "run.limited" => RunStatus::Limited,
            "run.cancelled" => RunStatus::Cancelled,
            _ => RunStatus::Failed,
        };
        let waiting: Vec<String> = self.state.frames.iter().flat_map(Frame::waiting).map(str::to_owned).collect();
        self.note(last)?;
        let live = self.live.clone();
        let _not_renewed = live.ending.lock().await;
        let turns = self.handle.scope.shared::<TokenTurns>();
        let _turn = turns.0.lock().await;
        let (early, late) = waiting.split_at(waiting.len().saturating_sub(WITHDRAWN));
        self.handle.withdraw_all(early, ENDED).await?;
        let ids: Vec<&str> = late.iter().map(String::as_str).collect();
        for _ in 0..ATTEMPTS {
            let (block, changes) = self.journal.appended(&self.pending);
            let head = self.head_after(status, &block, self.pending.len());
            let expires_at = expiry(self.access.now(), self.handle.retention_ms(KIND))?;
            let mut others = self.head_changes(&head, block.len() as u64, expires_at);
            // The journal was begun to live longer than the record does now.
            others.extend(expires_at.map(|at| leftover::due(KIND, self.journal.name, at)));
            others.extend(self.tokens_changes().await?);
            others.extend(self.appended_changes(&self.own_messages(), None).await?);
            others.extend(self.plan_changes().await?);
            let when = When::Any;
            others.push(Change::Delete { kind: KIND, area: Area::Record, name: self.journal.owner, when });
            others.extend(lease::given_back(&self.access, &head.run_id));
            if ids.is_empty() {
                // The end frees more than it takes: a limit must not keep a run and its thread for ever.
                if self.try_flush_within(others, &Limits::default()).await? {
                    self.head = head;
                    return Ok(());
                }
                continue;
            }
            let all = changes.into_iter().chain(self.kept.changes(&self.access)?).chain(others).collect();
            if self.handle.approvals().withdraw(&ids, Some(ENDED), all).await?.is_some() {
                self.head = head;
                self.committed(&block);
                return Ok(());
            }
            self.check_owner().await?;
            self.kept.look_again(&self.access).await?;
        }
        Err(contended())
    }

    async fn check_owner(&self) -> Result<()> {
        match super::journal::Owner::read(&self.access, &self.state.thread_id).await? {
            Some((_, version)) if version == self.journal.version => Ok(()),
            _ => Err(taken_over(&self.state.run_id)),
        }
    }

    /// The record of the run once this block is written.
    pub(crate) fn head_after(&self, status: RunStatus, block: &[u8], entries: usize) -> RunHead {
        RunHead {
            status,
            updated_at: self.state.updated_at,
            usage: self.state.usage.clone(),
            next: self.journal.next + entries as u64,
            hash: entry::hash(block),
            counted: self.state.usage.clone(),
            ..self.head.clone()
        }
    }

    /// The changes that write it, with its place on lists.
    pub(crate) fn head_changes(&self, head: &RunHead, more_bytes: u64, expires_at: Option<u64>) -> Vec<Change> {
        let name = run_name(&self.access, &head.run_id);
        let counted = Some(self.journal.bytes + more_bytes);
        let (area, when) = (Area::Record, When::Any);
        let mut changes = vec![Change::Write { kind: KIND, area, name, body: head.write(), expires_at, counted, when }];
        changes.extend(head.listed(name, Some(self.head.status), expires_at));
        changes
    }

    /// What the sum of tokens has not had yet.
    pub(crate) async fn tokens_changes(&self) -> Result<Vec<Change>> {
        tokens_changes(&self.access, &self.state.usage.since(&self.head.counted)).await
    }

    /// The changes that append what the thread does not have of these messages. A thread that was deleted meanwhile stays
    /// deleted; another one lives until `until` at least.
    async fn appended_changes(&self, messages: &[String], until: Option<u64>) -> Result<Vec<Change>> {
        let new = messages.iter().skip(self.state.threaded);
        let new: Vec<Json> = new.filter_map(|message| self.for_thread(message)).collect();
        let (thread_id, said) = (self.state.thread_id.as_str(), Appends::Said { until });
        let appended = match self.handle.threads().append_changes(&self.access, thread_id, &new, said).await {
            Err(Error::InvalidInput(_) | Error::QuotaExceeded { .. }) => {
                // A thread has limits that a journal has not, and the run must be able to end.
                let told = message("", "assistant", text_parts(TOO_LARGE), self.state.updated_at);
                let told: Vec<Json> = self.for_thread(&told).into_iter().collect();
                self.handle.threads().append_changes(&self.access, thread_id, &told, said).await?
            }
            appended => appended?,
        };
        Ok(appended.map(|(changes, _)| changes).unwrap_or_default())
    }

    /// A message of the run as its thread takes it: without its id, with the run's, without results that the thread has.
    /// `None` if nothing is left.
    fn for_thread(&self, message: &str) -> Option<Json> {
        let Json::Object(mut members) = json::parse(message.as_bytes(), &STORED).ok()? else { return None };
        members.retain(|(key, _)| key != "messageId");
        if let Some((_, Json::Array(parts))) = members.iter_mut().find(|(key, _)| key == "parts") {
            let before = parts.len();
            let is_told = |part: &Json| {
                let call_id = part.get("callId").and_then(Json::as_str);
                part.get("result").is_some() && call_id.is_some_and(|call_id| self.state.told.contains(call_id))
            };
            parts.retain(|part| !is_told(part));
            if parts.is_empty() && before > 0 {
                return None;
            }
        }
        members.push(("runId".to_owned(), Json::from(self.state.run_id.as_str())));
        Some(Json::Object(members))
    }

    /// What ends give to a plan that was being carried out: it is not any more.
    async fn plan_changes(&self) -> Result<Vec<Change>> {
        let at_work = self.state.frames.iter().find(|frame| frame.role == AgentRole::Executor);
        let Some(stage) = at_work.and_then(|frame| frame.plan.as_ref()) else { return Ok(Vec::new()) };
        let status = PlanStatus::Failed;
        let changes =
            self.handle.plans().status_changes(&self.access, &stage.plan_id, &stage.hash, status, None).await?;
        Ok(changes.unwrap_or_default())
    }

    /// Gives the thread a part of what it is to get, if that is much: the rest must fit into the commit of the end. The last
    /// entry that waits says how much the thread has then.
    ///
    /// # Errors
    /// As [`Driver::flush`].
    pub(crate) async fn flush_thread(&mut self) -> Result<()> {
        let messages = self.state.frames.first().map(|frame| frame.messages.clone()).unwrap_or_default();
        let Some(last) = self.pending.pop() else { return Ok(()) };
        self.pending.push(last.own("threaded", number(messages.len() as u64)));
        for _ in 0..ATTEMPTS {
            let changes = self.appended_changes(&messages, None).await?;
            if self.try_flush(changes).await? {
                self.state.threaded = messages.len();
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Whether it is time for that.
    pub(crate) fn thread_lags(&self) -> bool {
        let messages = self.state.frames.first().map_or(0, |frame| frame.messages.len());
        messages.saturating_sub(self.state.threaded) >= LAGGING && !self.pending.is_empty()
    }

    /// Adds to the entry of a suspension what the thread has with it: all that was said, and the results of the last turn so
    /// far. Their message comes once its turn is complete, with the others.
    pub(crate) fn telling(&self, suspended: Entry) -> Entry {
        let Some(frame) = self.state.frames.first() else { return suspended };
        let suspended = suspended.own("threaded", number(frame.messages.len() as u64));
        let told: Vec<Json> = self.untold().iter().map(|call| Json::from(call.call_id.as_str())).collect();
        if told.is_empty() { suspended } else { suspended.own("told", Json::Array(told)) }
    }

    /// The changes that tell it, and let the thread live as long as the run may wait.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn telling_changes(&self, until: u64) -> Result<Vec<Change>> {
        let mut messages = self.state.frames.first().map(|frame| frame.messages.clone()).unwrap_or_default();
        let results = self.untold().into_iter().filter_map(|call| {
            let done = call.done.as_ref()?;
            Some(result_part(&call.call_id, done.result.clone(), done.failed))
        });
        let results: Vec<Json> = results.collect();
        if !results.is_empty() {
            messages.push(message("", "tool", Json::Array(results), self.state.updated_at));
        }
        self.appended_changes(&messages, Some(until)).await
    }

    /// The calls of the agent that was asked that are done while others of the same turn wait, and that the thread has no
    /// result of.
    fn untold(&self) -> Vec<&Call> {
        let calls = self.state.frames.first().map(|frame| frame.calls.iter()).into_iter().flatten();
        calls.filter(|call| call.done.is_some() && !self.state.told.contains(&call.call_id)).collect()
    }

    /// The messages of the agent that was asked. A call that was never answered gets a result that says so: without one
    /// the thread could not be gone on with.
    fn own_messages(&self) -> Vec<String> {
        let Some(frame) = self.state.frames.first() else { return self.state.thread_messages.clone() };
        let mut messages = frame.messages.clone();
        let unanswered = frame.calls.iter().map(|call| match &call.done {
            Some(done) => result_part(&call.call_id, done.result.clone(), done.failed),
            None => {
                let told =
                    object([("code", Json::from("INTERRUPTED")), ("message", Json::from("The run ended before."))]);
                result_part(&call.call_id, object([("error", told)]), true)
            }
        });
        let parts: Vec<Json> = unanswered.collect();
        if !parts.is_empty() {
            messages.push(message(&self.state.message_id(), "tool", Json::Array(parts), self.state.updated_at));
        }
        messages
    }
}

/// What a thread gets in the place of messages that it cannot have.
const TOO_LARGE: &str = "What was said in this run is too large for a thread. The events of the run have it.";

/// Why approvals are withdrawn.
const ENDED: &str = "The run that asked has ended.";

/// The tokens that a tenant's models have read and written in runs that ended or are suspended.
pub(crate) async fn tokens(access: &Access) -> Result<(Usage, When)> {
    let rows = [(Area::Record, tokens_name(access))];
    let Some(record) = access.read_current(KIND, &rows).await?.pop().flatten() else {
        return Ok((Usage::default(), When::Absent));
    };
    let stored = json::parse(&record.body, &json::Limits::default())?;
    Ok((Usage::read(&stored).ok_or_else(entry::damaged)?, When::Version(record.version)))
}

async fn tokens_changes(access: &Access, more: &Usage) -> Result<Vec<Change>> {
    if more.total() == 0 {
        return Ok(Vec::new());
    }
    let (mut sum, when) = tokens(access).await?;
    sum.add_all(more);
    let (area, name, body) = (Area::Record, tokens_name(access), json::write(&sum.to_json()).into_bytes());
    Ok(vec![Change::Write { kind: KIND, area, name, body, expires_at: None, counted: None, when }])
}
