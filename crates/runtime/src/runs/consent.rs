//! People's consent in a run: asked for, waited for, and acted on. The question and the suspension of the run are one
//! commit; a decision is the ledger's, and the journal notes it.

use std::collections::BTreeSet;

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::Change;

use super::calls::Checked;
use super::driver::{Driver, Halt, failed};
use super::entry::{Entry, damaged, member, object};
use super::frame::Frame;
use super::head::RunStatus;
use super::journal::taken_over;
use super::state::{Next, RunState};
use crate::approvals::{Approval, ApprovalContext, ApprovalRequest, ApprovalStatus, Question, Subject};
use crate::handle::TenantHandle;
use crate::retry::ATTEMPTS;

/// So many calls are asked about in one commit.
const AT_ONCE: usize = 50;
/// The largest input that can be asked about, in bytes.
const INPUT_BYTES: usize = 1 << 20;
/// How much longer than an approval the references of a suspended run live, in milliseconds.
const AFTERWARDS_MS: u64 = 24 * 60 * 60 * 1000;
/// How long an approval waits, in milliseconds.
const PENDING_MS: u64 = 7 * 24 * 60 * 60 * 1000;

impl Driver<'_> {
    /// Asks about calls. `false`: the run is suspended.
    pub(crate) async fn ask_about_calls(&mut self, calls: Vec<Checked>) -> Result<bool, Halt> {
        let mut requests = Vec::new();
        let mut call_ids = Vec::new();
        for checked in calls.into_iter().take(AT_ONCE) {
            if checked.input.len() > INPUT_BYTES {
                let told = "The input is too large to be asked about. Keep large values as references.";
                self.note_called(&checked.call)?;
                self.note_failure(&checked.call.call_id, "INPUT_TOO_LARGE", told)?;
                continue;
            }
            let input = json::parse(&checked.input, &json::Limits::default())?;
            let definition = self.team().tool(&checked.call.tool).map(|rules| rules.definition);
            let question = Question::Tool { tool: checked.call.tool.clone(), input };
            requests.push(self.approval_request(question, Some(&checked.call.call_id), definition));
            call_ids.push(Some(checked.call.call_id));
        }
        if requests.is_empty() { Ok(true) } else { self.request(requests, call_ids).await }
    }

    /// Asks about the plan of the last agent. `false`: the run is suspended.
    pub(crate) async fn ask_about_plan(&mut self) -> Result<bool, Halt> {
        let plan = self.state.frames.last().and_then(|frame| frame.plan.as_ref());
        let Some(plan_id) = plan.map(|plan| plan.plan_id.clone()) else { return Ok(true) };
        let request = self.approval_request(Question::Plan { plan_id }, None, None);
        // A plan that was changed or removed meanwhile cannot be asked about.
        match self.request(vec![request], vec![None]).await {
            Err(Halt::Error(Error::NotFound | Error::Conflict(_))) => {
                Err(failed("INTERNAL", "The plan of this run was changed before it could be asked about."))
            }
            other => other,
        }
    }

    fn approval_request(
        &self,
        question: Question,
        call_id: Option<&str>,
        definition: Option<[u8; 32]>,
    ) -> ApprovalRequest {
        let context = ApprovalContext {
            run_id: Some(self.state.run_id.clone()),
            thread_id: Some(self.state.thread_id.clone()),
            call_id: call_id.map(str::to_owned),
            definition,
        };
        ApprovalRequest { question, context, requested_by: self.state.actor.clone(), ttl_ms: None }
    }

    async fn request(&mut self, requests: Vec<ApprovalRequest>, call_ids: Vec<Option<String>>) -> Result<bool, Halt> {
        if !self.kept.is_empty() {
            // Their conditions are not those of the approvals.
            self.flush().await?;
        }
        let suspends = !self.callbacks.has_approver();
        // One time for all that is made of this: the next block is chained to what was committed, byte for byte.
        let at = self.access.now().max(self.state.updated_at);
        for _ in 0..ATTEMPTS {
            let others = if suspends { self.changes_of_suspension().await? } else { Vec::new() };
            let driver = &*self;
            let entries = |approvals: &[Approval]| driver.requested(approvals, &call_ids, suspends, at);
            let with = |approvals: &[Approval]| {
                let entries = entries(approvals);
                let is_suspended = entries.last().is_some_and(|entry| entry.kind() == "run.suspended");
                let (block, mut changes) = driver.journal.appended(&[driver.pending.as_slice(), &entries].concat());
                if is_suspended {
                    changes.extend(driver.suspended(&block, driver.pending.len() + entries.len()));
                    changes.extend(others.iter().cloned());
                }
                changes
            };
            if let Some(approvals) = self.handle.approvals().request_all(requests.clone(), &with).await? {
                let entries = entries(&approvals);
                let is_suspended = entries.last().is_some_and(|entry| entry.kind() == "run.suspended");
                for entry in entries {
                    self.note(entry)?;
                }
                let (block, _) = self.journal.appended(&self.pending);
                if is_suspended {
                    self.head = self.suspended_head(&block, self.pending.len());
                }
                self.committed(&block);
                return Ok(!is_suspended);
            }
        }
        Err(taken_over(&self.state.run_id).into())
    }

    /// What is noted of approvals that are asked for, and of the suspension if nothing else is left to do.
    fn requested(&self, approvals: &[Approval], call_ids: &[Option<String>], suspends: bool, at: u64) -> Vec<Entry> {
        let agent = self.state.frames.last().map(|frame| frame.agent.as_str());
        let mut entries = Vec::with_capacity(approvals.len() + 1);
        let mut after = self.state.clone();
        for (approval, call_id) in approvals.iter().zip(call_ids) {
            let entry = Entry::new("approval.requested", at).with_text("agent", agent);
            let mut entry = entry.with("approval", shown(approval));
            if let Some(call_id) = call_id {
                entry = entry.own("callId", Json::from(call_id.as_str()));
            }
            let _ = after.apply(&entry);
            entries.push(entry);
        }
        if suspends && after.next() == Next::Wait {
            let suspended =
                Entry::new("run.suspended", at).with("approvals", Json::Array(approvals.iter().map(shown).collect()));
            entries.push(self.telling(suspended));
        }
        entries
    }

    /// Looks at the approvals that the last agent waits for. `false`: all of them still wait, and the run is suspended.
    pub(crate) async fn wait(&mut self) -> Result<bool, Halt> {
        let Some(frame) = self.state.frames.last() else { return Ok(true) };
        let waiting: Vec<String> = frame.waiting().into_iter().map(str::to_owned).collect();
        let mut open = Vec::new();
        let mut noted = false;
        for approval_id in waiting {
            match self.handle.approvals().get(&approval_id).await {
                Ok(approval) if approval.status == ApprovalStatus::Pending => {
                    if self.handle.is_outdated(&approval).await? {
                        self.handle.approvals().withdraw(&[&approval_id], Some(OUTDATED), Vec::new()).await?;
                        noted |= self.note_decision(&approval, true).await?;
                    } else {
                        open.push(approval);
                    }
                }
                Ok(approval) => noted |= self.note_decision(&approval, false).await?,
                // Its record is gone with its retention: so is the consent.
                Err(Error::NotFound) => noted |= self.note_lost(&approval_id)?,
                Err(error) => return Err(error.into()),
            }
        }
        if noted {
            return Ok(true);
        }
        let unasked = open.iter().any(|approval| !self.asked.contains(&approval.approval_id));
        if self.callbacks.has_approver() && unasked {
            self.ask_approver(open).await?;
            return Ok(true);
        }
        self.suspend(open).await?;
        Ok(false)
    }

    async fn note_decision(&mut self, approval: &Approval, again: bool) -> Result<bool, Halt> {
        let Some(record) = self.handle.approvals().decision(&approval.approval_id).await? else { return Ok(false) };
        // One that was decided before it could be withdrawn is taken as it is.
        let again = again && record.decision == Decision::Withdrawn;
        let mut entry = self.agent_entry("approval.decided").with("record", record.to_json());
        if let Some(call_id) = &approval.context.call_id {
            entry = entry.own("callId", Json::from(call_id.as_str()));
        }
        if again {
            entry = entry.own("again", Json::Bool(true));
        }
        self.note(entry)?;
        Ok(true)
    }

    fn note_lost(&mut self, approval_id: &str) -> Result<bool, Halt> {
        let record = object([
            ("approvalId", Json::from(approval_id)),
            ("decision", Json::from("expired")),
            ("actor", Json::Null),
        ]);
        let waits = |approving: &super::frame::Approving| {
            *approving == super::frame::Approving::Waiting(approval_id.to_owned())
        };
        let frame = self.state.frames.last();
        let call_id = frame
            .and_then(|frame| frame.calls.iter().find(|call| waits(&call.approving)))
            .map(|call| call.call_id.clone());
        let mut entry = self.agent_entry("approval.decided").with("record", record);
        if let Some(call_id) = call_id {
            entry = entry.own("callId", Json::String(call_id));
        }
        self.note(entry)?;
        Ok(true)
    }

    /// Takes back what the last agent asks and does not need to know any more.
    pub(crate) async fn withdraw_waiting(&mut self) -> Result<(), Halt> {
        let waiting = self.state.frames.last().map(Frame::waiting).unwrap_or_default();
        let waiting: Vec<String> = waiting.into_iter().map(str::to_owned).collect();
        self.handle.withdraw_all(&waiting, NOT_NEEDED).await?;
        for approval_id in &waiting {
            match self.handle.approvals().get(approval_id).await {
                Ok(approval) => drop(self.note_decision(&approval, false).await?),
                Err(Error::NotFound) => drop(self.note_lost(approval_id)?),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether an approval was given for exactly this call.
    pub(crate) async fn approved_input(&self, approval_id: &str, checked: &Checked) -> Result<bool, Halt> {
        let approval = match self.handle.approvals().get(approval_id).await {
            Ok(approval) => approval,
            Err(Error::NotFound) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let subject = Subject::Tool { tool: checked.call.tool.clone(), input: checked.input.clone() };
        Ok(approval.status == ApprovalStatus::Decided(Decision::Approved)
            && approval.subject == subject
            && approval.context.run_id.as_deref() == Some(&self.state.run_id)
            && approval.context.call_id.as_deref() == Some(&checked.call.call_id)
            && !self.handle.is_outdated(&approval).await?)
    }

    async fn suspend(&mut self, open: Vec<Approval>) -> Result<(), Halt> {
        let suspended = self.entry("run.suspended").with("approvals", Json::Array(open.iter().map(shown).collect()));
        let told = self.telling(suspended.clone());
        // What the thread has is noted once it has it.
        self.note(suspended)?;
        self.pending.pop();
        self.pending.push(told.clone());
        for _ in 0..ATTEMPTS {
            let mut changes = self.changes_of_suspension().await?;
            let (block, _) = self.journal.appended(&self.pending);
            changes.extend(self.suspended(&block, self.pending.len()));
            let head = self.suspended_head(&block, self.pending.len());
            if self.try_flush(changes).await? {
                self.head = head;
                self.state.take_threaded(&told).ok_or_else(damaged)?;
                return Ok(());
            }
        }
        Err(crate::retry::contended().into())
    }

    /// The record of the run when it is suspended with this block.
    fn suspended_head(&self, block: &[u8], entries: usize) -> super::head::RunHead {
        self.head_after(RunStatus::Suspended, block, entries)
    }

    fn suspended(&self, block: &[u8], entries: usize) -> Vec<Change> {
        let head = self.suspended_head(block, entries);
        self.head_changes(&head, block.len() as u64, self.journal.expires_at)
    }

    /// The references that this run may still use: its results, the files of its prompt, and what declared properties of
    /// calls that are not done name.
    fn named_references(&self) -> BTreeSet<String> {
        let mut named: BTreeSet<String> = self.state.references.iter().cloned().collect();
        let parts = self.state.prompt.as_array().unwrap_or_default();
        named.extend(parts.iter().filter_map(|part| part.get("reference")?.as_str()).map(str::to_owned));
        let open = self.state.frames.iter().flat_map(|frame| &frame.calls).filter(|call| call.done.is_none());
        let mut inputs: Vec<(&str, &Json)> = open.map(|call| (call.tool.as_str(), &call.input)).collect();
        // A plan that waits for its approval has no calls yet.
        for answer in self.state.frames.iter().filter_map(|frame| frame.answer.as_ref()) {
            let steps = answer.output.get("steps").and_then(Json::as_array).unwrap_or_default();
            inputs.extend(steps.iter().filter_map(|step| Some((step.get("tool")?.as_str()?, step.get("input")?))));
        }
        for (tool, input) in inputs {
            let Some(rules) = self.team().tool(tool) else { continue };
            for (property, _) in &rules.references {
                match input.get(property) {
                    Some(Json::String(id)) => drop(named.insert(id.clone())),
                    Some(Json::Array(ids)) => named.extend(ids.iter().filter_map(Json::as_str).map(str::to_owned)),
                    _ => {}
                }
            }
        }
        named
    }

    /// What a suspension changes besides the run's own rows.
    async fn changes_of_suspension(&self) -> Result<Vec<Change>, Halt> {
        let until = self.access.now().saturating_add(PENDING_MS + AFTERWARDS_MS);
        let mut changes = self.extension(until).await?;
        changes.extend(self.tokens_changes().await?);
        // Last, for what it names lives longest.
        changes.extend(self.telling_changes(until).await?);
        Ok(changes)
    }

    /// The changes that let the references of this run live as long as it may wait.
    async fn extension(&self, until: u64) -> Result<Vec<Change>, Halt> {
        let named = self.named_references();
        let ids: Vec<&str> = named.iter().map(String::as_str).collect();
        Ok(self.handle.references().extended(&self.access, &ids, Some(until)).await?)
    }
}

impl TenantHandle {
    /// Whether nothing has changed for a suspended run: nobody has decided, and what it asks about is what it was.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn still_waits(&self, state: &RunState) -> Result<bool> {
        let waiting = state.frames.last().map(Frame::waiting).unwrap_or_default();
        for approval_id in &waiting {
            match self.approvals().get(approval_id).await {
                Ok(approval) if approval.status == ApprovalStatus::Pending => {
                    if self.is_outdated(&approval).await? {
                        return Ok(false);
                    }
                }
                Ok(_) | Err(Error::NotFound) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(!waiting.is_empty())
    }

    /// Whether the tools of what was asked about are defined in another way now.
    async fn is_outdated(&self, approval: &Approval) -> Result<bool> {
        let now = match &approval.subject {
            Subject::Tool { tool, .. } => self.catalogue.team.tool(tool).map(|rules| rules.definition),
            Subject::Plan { plan_id, .. } => match self.plans().load(plan_id, None).await {
                Ok(plan) => Some(self.plans().definition_of(&plan)),
                // Who decides is told of a plan that is gone or another one.
                Err(Error::NotFound) => return Ok(false),
                Err(error) => return Err(error),
            },
        };
        Ok(approval.context.definition != now)
    }
}

/// Why an approval is withdrawn whose tool is another one now.
const OUTDATED: &str = "The definition of a tool has changed since it was asked about.";

/// Why an approval is withdrawn whose plan has failed meanwhile.
const NOT_NEEDED: &str = "Another step of the plan has failed.";

/// An approval as events show it.
fn shown(approval: &Approval) -> Json {
    json::parse(approval.json().as_bytes(), &json::Limits::default())
        .unwrap_or_else(|_| Json::Object(vec![member("approvalId", Json::from(approval.approval_id.as_str()))]))
}
