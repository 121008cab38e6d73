//! Approvals: requests for a person's decision, and the append-only ledger of decisions.
//!
//! Each change of an approval's status is one commit: the ledger's head and the approval, both on condition of their
//! versions; its row in the list of pending approvals; its decision and its record in the ledger, both written once;
//! the
//! tiles of the ledger's tree; and the status of its plan.

mod edited;
mod expire;
mod ledger;
mod record;
mod respond;
mod rule;
mod settle;
mod subject;

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, When, check_limit, contended};
use futures_util::future::BoxFuture;

use crate::actor::check_actor;
use crate::handle::{Approvals, expiry};
use crate::page::Page;
use ledger::{Head, KIND, Ledger, LedgerTurns, approval_name};
pub use ledger::{Problem, VerifyReport};
use record::PREFIX;
pub use record::{Approval, ApprovalStatus};
pub use respond::{Responded, Response};
pub(crate) use rule::Need;
pub use rule::RequestedRule;
use settle::{Settlement, find, pending_list};
pub(crate) use subject::INPUT_BYTES;
pub use subject::{ApprovalContext, RequestedSubject, Subject};

/// The default time to decide, in milliseconds: 7 days.
pub(crate) const PENDING_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// The longest reason, in bytes of UTF-8.
const REASON_BYTES: usize = 16 << 10;
/// The bytes that an approval reserves beside its input, so that a decision never adds to the tenant's usage.
const RECORD_BYTES: u64 = 1024;
/// The most approvals that are requested, or end, in one commit.
const MOST_AT_ONCE: usize = 100;

/// A request for one approval.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalRequest {
    /// The subject.
    pub subject: RequestedSubject,
    /// The run that it belongs to.
    pub context: ApprovalContext,
    /// The requester: 1 to 1,024 bytes.
    pub requested_by: Option<String>,
    /// The time to decide, in milliseconds; 7 days by default.
    pub ttl_ms: Option<u64>,
    /// The rule, fixed for the requester; `None`: every actor may decide alone.
    pub rule: Option<ApprovalRule>,
}

/// A request that has passed every check.
struct Draft {
    subject: Subject,
    context: ApprovalContext,
    requested_by: Option<String>,
    expires_at: u64,
    rule: Option<ApprovalRule>,
}

impl<'a> Approvals<'a> {
    /// Checks requests and makes their approvals, without a commit.
    ///
    /// # Errors
    /// `InvalidInput`; `NotFound` for a plan that is not this tenant's; `Conflict` for a plan that runs or has run; those of
    /// the store.
    pub(crate) async fn prepare(self, requests: Vec<ApprovalRequest>) -> Result<Vec<Approval>> {
        if requests.is_empty() || requests.len() > MOST_AT_ONCE {
            return Err(Error::invalid(format!("Request 1 to {MOST_AT_ONCE} approvals at a time.")));
        }
        // All checks come before the tenant is created.
        let mut drafts = Vec::with_capacity(requests.len());
        for request in requests {
            drafts.push(self.draft(request).await?);
        }
        let access = self.handle.for_writing().await?;
        Ok(drafts.into_iter().map(|draft| self.new_approval(&access, draft)).collect())
    }

    /// Writes prepared approvals in one commit together with other changes, such as those of the run that waits.
    /// Durable when this resolves. `false`: a condition of the other changes did not hold, and nothing was written.
    ///
    /// # Errors
    /// `QuotaExceeded` for `pendingApprovals`, and those of the store.
    pub(crate) async fn commit(self, approvals: &[Approval], with: &[Change]) -> Result<bool> {
        let access = self.handle.for_writing().await?;
        self.make_room(&access, approvals.len() as u64).await?;
        let turns = self.handle.scope.shared::<LedgerTurns>();
        let _turn = turns.0.lock().await;
        for _ in 0..ATTEMPTS {
            let ledger = Ledger::read(&access).await?;
            let pending = ledger.head.pending + approvals.len() as u64;
            self.check_pending(ledger.head.pending, approvals.len() as u64)?;
            let soonest = approvals.iter().map(|approval| approval.expires_at).min().unwrap_or(u64::MAX);
            let head = Head { pending, next_expiry: ledger.head.next_expiry.min(soonest), ..ledger.head };
            let mut changes = vec![ledger.write_head(&access, head)];
            for approval in approvals {
                let name = approval_name(&access, &approval.approval_id);
                ahead(approval.byte_length).await;
                let (body, counted) = (approval.write()?, Some(approval.byte_length));
                let (area, when) = (Area::Record, When::Absent);
                changes.push(Change::Write { kind: KIND, area, name, body, expires_at: None, counted, when });
                let (list, micros) = (pending_list(), approval.created_micros);
                changes.push(Change::List { list, micros, name, expires_at: None });
                changes.push(Change::Wake { kind: KIND, at: approval.expires_at });
            }
            let own = changes.len();
            ahead(with.iter().map(Change::weight).sum()).await;
            changes.extend_from_slice(with);
            match access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? {
                Committed::Done => return Ok(true),
                Committed::Conflict(at) if at >= own => return Ok(false),
                Committed::Conflict(_) => {}
            }
        }
        Err(contended())
    }

    /// Requests approvals, all of them in one commit. Durable when this resolves.
    ///
    /// # Errors
    /// `InvalidInput`; `NotFound` for a plan that is not this tenant's; `Conflict` for a plan that runs or has run;
    /// `QuotaExceeded` for `pendingApprovals`, and those of the store.
    pub fn request_all(self, requests: Vec<ApprovalRequest>) -> BoxFuture<'a, Result<Vec<Approval>>> {
        Box::pin(async move {
            let approvals = self.prepare(requests).await?;
            if self.commit(&approvals, &[]).await? { Ok(approvals) } else { Err(contended()) }
        })
    }

    /// Requests one approval.
    ///
    /// # Errors
    /// As [`Approvals::request_all`].
    pub async fn request(self, request: ApprovalRequest) -> Result<Approval> {
        self.request_all(vec![request]).await?.pop().ok_or_else(contended)
    }

    /// Reads an approval, after recording it as expired if it is overdue.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn get(self, approval_id: &str) -> Result<Approval> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        for _ in 0..ATTEMPTS {
            let found = find(&access, approval_id).await?.ok_or(Error::NotFound)?;
            if !is_due(&found.approval, access.now()) {
                return Ok(found.approval);
            }
            self.expire().await?;
        }
        Err(contended())
    }

    /// Lists pending approvals, newest first. A page of large approvals may have fewer than `limit`.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit or cursor, and those of the store.
    pub async fn pending(self, limit: usize, cursor: Option<&str>) -> Result<Page<Approval>> {
        check_limit(limit)?;
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        self.expire().await?;
        let page = access.record_page(&pending_list(), limit, cursor).await?;
        let mut items = Vec::with_capacity(page.records.len());
        for record in page.records.into_iter().filter_map(|(_, record)| record) {
            let approval = Approval::read(&record.body).await?;
            if approval.status == ApprovalStatus::Pending && !is_due(&approval, access.now()) {
                items.push(approval);
            }
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// Withdraws pending approvals in one commit together with the changes in `with`, such as those of a cancelled run.
    /// It skips other approvals and ids that are not this tenant's. `None`: a condition in `with` did not hold, and
    /// nothing was written.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn withdraw(
        self,
        approval_ids: &[&str],
        reason: Option<&str>,
        with: Vec<Change>,
    ) -> Result<Option<Vec<ApprovalRecord>>> {
        if approval_ids.len() > MOST_AT_ONCE {
            return Err(Error::invalid(format!("Withdraw at most {MOST_AT_ONCE} approvals at a time.")));
        }
        let access = self.handle.for_writing().await?;
        let turns = self.handle.scope.shared::<LedgerTurns>();
        let _turn = turns.0.lock().await;
        for _ in 0..ATTEMPTS {
            let mut settlements = Vec::new();
            for approval_id in approval_ids {
                if let Some(found) = find(&access, approval_id).await?
                    && found.approval.status == ApprovalStatus::Pending
                {
                    let decision =
                        if is_due(&found.approval, access.now()) { Decision::Expired } else { Decision::Withdrawn };
                    let reason = reason.map(str::to_owned);
                    let settlement = Settlement::of_itself(found, decision);
                    settlements.push(Settlement { reason, lets_run_go_on: false, ..settlement });
                }
            }
            let Some(last) = settlements.last_mut() else {
                return Ok(match access.commit(with, &self.handle.engine_limits, Durability::Sync).await? {
                    Committed::Done => Some(Vec::new()),
                    Committed::Conflict(_) => None,
                });
            };
            ahead(with.iter().map(Change::weight).sum()).await;
            last.with = with.clone();
            let ledger = Ledger::read(&access).await?;
            if let Some(records) = self.settle(&access, &ledger, settlements, None).await? {
                return Ok(Some(records));
            }
        }
        Ok(None)
    }

    async fn draft(self, request: ApprovalRequest) -> Result<Draft> {
        let ApprovalRequest { subject, mut context, requested_by, ttl_ms, rule } = request;
        if let Some(requested_by) = &requested_by {
            check_actor(requested_by, "requestedBy")?;
        }
        let expires_at = expiry(self.handle.scope.now(), Some(ttl_ms.unwrap_or(PENDING_MS)))?.unwrap_or(u64::MAX);
        let subject = match subject {
            RequestedSubject::Tool { tool, input } => {
                // Written here, and then hashed.
                ahead(2 * input.weight()).await;
                Subject::tool(tool, &input)?
            }
            RequestedSubject::Plan { plan_id } => {
                let plan = self.handle.plans().to_approve(&plan_id).await?;
                context.definition = Some(self.handle.plans().definition_of(&plan));
                Subject::Plan { plan_id, plan_hash: plan.hash }
            }
        };
        self.handle.check_value_bytes(subject.byte_length())?;
        Ok(Draft { subject, context, requested_by, expires_at, rule })
    }

    fn new_approval(self, access: &Access, draft: Draft) -> Approval {
        let Draft { subject, context, requested_by, expires_at, rule } = draft;
        let created_micros = access.next_micros();
        Approval {
            approval_id: prefixed_id(PREFIX, &self.handle.scope.random()),
            subject_hash: subject.hash(access, &context, rule.as_ref()),
            context,
            status: ApprovalStatus::Pending,
            byte_length: subject.byte_length() as u64 + RECORD_BYTES + rule::reserved(rule.as_ref()),
            retain_ms: self.handle.retention_ms(KIND),
            subject,
            requested_by,
            created_at: created_micros / 1000,
            expires_at,
            created_micros,
            rule,
            approved_by: Vec::new(),
            edited: None,
        }
    }

    /// Records overdue approvals as expired if the request would exceed the limit of pending ones.
    async fn make_room(self, access: &Access, more: u64) -> Result<()> {
        let pending = Ledger::read(access).await?.head.pending + more;
        if pending > self.handle.pending_approvals() {
            self.expire().await?;
        }
        Ok(())
    }

    fn check_pending(self, used: u64, more: u64) -> Result<()> {
        let limit = self.handle.pending_approvals();
        if used.saturating_add(more) <= limit {
            Ok(())
        } else {
            Err(Error::QuotaExceeded { quota: "pendingApprovals".to_owned(), limit, used, more })
        }
    }
}

/// Returns whether an undecided approval's time has passed.
fn is_due(approval: &Approval, now: u64) -> bool {
    approval.status == ApprovalStatus::Pending && now >= approval.expires_at
}

fn closed(decision: Decision) -> Error {
    Error::ApprovalClosed(
        match decision {
            Decision::Approved => "This approval was given already. The ledger says by whom.",
            Decision::Rejected => "This approval was rejected already. The ledger says by whom. Request it again if it is needed.",
            Decision::Expired => "This approval has expired without a decision. Request it again if it is needed.",
            Decision::Withdrawn => {
                "This approval was withdrawn: its subject has changed or is not needed any more. Request it again if it is needed."
            }
        }
        .to_owned(),
    )
}
