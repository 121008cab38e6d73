//! Decisions about approvals, each under the rule that was fixed with the request.

use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::ledger::rule::ApprovedBy;
use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Json, Result, names};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, When, contended};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::ledger::{KIND, Ledger, LedgerTurns};
use super::record::{Approval, ApprovalStatus, damaged};
use super::settle::{Found, Settlement, find};
use super::{REASON_BYTES, Subject, closed, is_due};
use crate::actor::check_actor;
use crate::handle::Approvals;
use crate::plans::PlanStatus;

/// The reason for withdrawing an approval whose plan has changed.
const PLAN_CHANGED: &str = "The plan was changed, run or removed after the request.";

/// The answer to a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Responded {
    /// The record of the ledger.
    Decided(Box<ApprovalRecord>),
    /// The approval, whose rule asks for more actors.
    Pending(Box<Approval>),
}

impl Responded {
    /// Returns the record, if there is one.
    pub fn record(self) -> Option<ApprovalRecord> {
        if let Self::Decided(record) = self { Some(*record) } else { None }
    }
}

impl Serialize for Responded {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Progress<'a> {
            decision: &'static str,
            approval: &'a Approval,
        }
        match self {
            Self::Decided(record) => record.serialize(serializer),
            Self::Pending(approval) => Progress { decision: "pending", approval }.serialize(serializer),
        }
    }
}

/// A person's decision.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// `Approved` or `Rejected`.
    pub decision: Decision,
    /// The actor who decides: 1 to 1,024 bytes.
    pub actor: &'a str,
    /// The actor's reason: at most 16 KiB.
    pub reason: Option<&'a str>,
    /// The input with which it is approved instead of the one that was asked about.
    pub input: Option<&'a Json>,
}

impl<'a> Approvals<'a> {
    /// Decides without a change of the input, as [`Approvals::decide`].
    ///
    /// # Errors
    /// Those of [`Approvals::decide`].
    pub async fn respond(
        self,
        approval_id: &str,
        decision: Decision,
        actor: &str,
        reason: Option<&str>,
    ) -> Result<Responded> {
        self.decide(approval_id, Response { decision, actor, reason, input: None }).await
    }

    /// Decides, `Approved` or `Rejected`: once, before the approval expires, about the exact subject of the request, and as its rule
    /// says. An approval that is not the last which the rule asks for is noted, and the same actor's again changes nothing.
    ///
    /// # Errors
    /// `InvalidInput` without an actor, for another decision, or for an input with which it cannot be approved; `NotFound` for every id that is not this tenant's;
    /// `ApprovalClosed` if it was decided, has expired or was withdrawn, also because its plan has changed; `ApprovalForbidden` if its
    /// rule does not let the actor decide; those of the store.
    pub fn decide(self, approval_id: &'a str, response: Response<'a>) -> BoxFuture<'a, Result<Responded>> {
        Box::pin(async move {
            let Response { decision, actor, reason, input } = response;
            let plan_status =
                PlanStatus::after(decision).ok_or_else(|| Error::invalid("A decision is Approved or Rejected."))?;
            check_actor(actor, "actor")?;
            if reason.is_some_and(|reason| reason.len() > REASON_BYTES) {
                return Err(Error::invalid("reason must have at most 16 KiB of UTF-8."));
            }
            if input.is_some() && decision != Decision::Approved {
                return Err(Error::invalid("input goes with an approval: a rejected call is not made."));
            }
            let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
            // Before its turn: the check may take long, and what it depends on never changes.
            let edited = match input {
                Some(input) => self.edited(&access, approval_id, actor, input).await?,
                None => None,
            };
            let turns = self.handle.scope.shared::<LedgerTurns>();
            let _turn = turns.0.lock().await;
            for _ in 0..ATTEMPTS {
                let mut found = find(&access, approval_id).await?.ok_or(Error::NotFound)?;
                if let ApprovalStatus::Decided(decision) = found.approval.status {
                    return Err(closed(decision));
                }
                if found.approval.subject_hash != found.approval.hash(&access) {
                    return Err(damaged());
                }
                if is_due(&found.approval, access.now()) {
                    if self.end(&access, Settlement::of_itself(found, Decision::Expired)).await?.is_some() {
                        return Err(closed(Decision::Expired));
                    }
                    continue;
                }
                check_rule(&found.approval, actor)?;
                let Some(with) = self.subject_changes(&access, &found.approval, plan_status).await? else {
                    let withdrawn = Settlement::of_itself(found, Decision::Withdrawn);
                    let reason = Some(PLAN_CHANGED.to_owned());
                    if self.end(&access, Settlement { reason, ..withdrawn }).await?.is_some() {
                        return Err(closed(Decision::Withdrawn));
                    }
                    continue;
                };
                if let Some(edited) = edited.clone() {
                    found.approval.byte_length += edited.len() as u64;
                    found.approval.edited = Some(edited);
                }
                if let Some(responded) = self.record(&access, found, response, with).await? {
                    return Ok(responded);
                }
            }
            Err(contended())
        })
    }

    /// Records what an actor says who may decide. `None`: something has changed since it was read.
    async fn record(
        self,
        access: &Access,
        mut found: Found,
        response: Response<'_>,
        with: Vec<Change>,
    ) -> Result<Option<Responded>> {
        let Response { decision, actor, reason, .. } = response;
        let approval = &mut found.approval;
        if decision == Decision::Approved
            && let Some(rule) = &approval.rule
        {
            if approval.approved_by.iter().any(|by| by.actor == actor) {
                return Ok(Some(Responded::Pending(Box::new(found.approval))));
            }
            let at = access.now().max(approval.created_at);
            approval.approved_by.push(ApprovedBy { actor: actor.to_owned(), reason: reason.map(str::to_owned), at });
            if (approval.approved_by.len() as u64) < rule.quorum {
                return self.note_approved(access, found).await;
            }
        }
        let settlement = Settlement {
            actor: Some(actor.to_owned()),
            reason: reason.map(str::to_owned),
            with,
            ..Settlement::of_itself(found, decision)
        };
        Ok(self.end(access, settlement).await?.map(|record| Responded::Decided(Box::new(record))))
    }

    /// Writes an approval with one more actor who has approved. `None`: it has changed since it was read.
    async fn note_approved(self, access: &Access, found: Found) -> Result<Option<Responded>> {
        let Found { approval, name, record } = found;
        ahead(approval.byte_length).await;
        let (body, counted, when) = (approval.write()?, Some(approval.byte_length), When::Version(record.version));
        let change = Change::Write { kind: KIND, area: Area::Record, name, body, expires_at: None, counted, when };
        match access.commit(vec![change], &self.handle.engine_limits, Durability::Sync).await? {
            Committed::Done => Ok(Some(Responded::Pending(Box::new(approval)))),
            Committed::Conflict(_) => Ok(None),
        }
    }

    /// Ends one approval. `None`: something has changed since it was read.
    async fn end(self, access: &Access, settlement: Settlement) -> Result<Option<ApprovalRecord>> {
        let ledger = Ledger::read(access).await?;
        let Some(records) = self.settle(access, &ledger, vec![settlement], None).await? else { return Ok(None) };
        records.into_iter().next().ok_or_else(damaged).map(Some)
    }

    /// Returns the changes of a decision beside the approval's. `None`: its plan has changed, so that it cannot be
    /// decided.
    async fn subject_changes(
        self,
        access: &Access,
        approval: &Approval,
        status: PlanStatus,
    ) -> Result<Option<Vec<Change>>> {
        match &approval.subject {
            Subject::Tool { .. } => Ok(Some(Vec::new())),
            Subject::Plan { plan_id, plan_hash } => {
                self.handle
                    .plans()
                    .status_changes(access, plan_id, plan_hash, status, approval.context.definition)
                    .await
            }
        }
    }
}

/// # Errors
/// `ApprovalForbidden` if the rule does not let this actor decide.
pub(super) fn check_rule(approval: &Approval, actor: &str) -> Result<()> {
    let Some(rule) = approval.rule.as_ref().filter(|rule| !rule.admits(actor)) else { return Ok(()) };
    let asked = rule.requesters.iter().flatten().any(|requester| requester == actor);
    let why = if asked { "whoever asked may not decide" } else { "it names others" };
    Err(Error::ApprovalForbidden(format!(
        "{} may not decide this approval: by its rule, {why}. `rule` of the approval says who may.",
        names::shown(actor)
    )))
}
