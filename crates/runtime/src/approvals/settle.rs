//! Ends approvals, each in one commit with its record in the ledger.

use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_model::base32::parse_prefixed_id;
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::pace::ahead;
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, List, Name, Record, When, contended};

use super::ledger::{Head, KIND, Leaf, Ledger, approval_name, write};
use super::record::{Approval, ApprovalStatus, PREFIX, damaged};
use crate::handle::{Approvals, expiry};
use crate::runs::run_name;
use crate::work;

/// An approval as it was read.
pub(crate) struct Found {
    pub(crate) approval: Approval,
    pub(super) name: Name,
    pub(super) record: Arc<Record>,
}

/// The end of one approval.
pub(crate) struct Settlement {
    pub(crate) found: Found,
    pub(crate) decision: Decision,
    pub(crate) actor: Option<String>,
    pub(crate) reason: Option<String>,
    /// The other changes of the commit.
    pub(crate) with: Vec<Change>,
    /// Whether a run that waits for it can go on. Not so if the run itself withdraws the approval.
    pub(crate) lets_run_go_on: bool,
}

impl Settlement {
    /// Returns an end without a person's decision.
    pub(crate) fn of_itself(found: Found, decision: Decision) -> Self {
        Self { found, decision, actor: None, reason: None, with: Vec::new(), lets_run_go_on: true }
    }
}

/// Returns the list of pending approvals, newest first.
pub(crate) fn pending_list() -> List {
    List { kind: KIND, filter: "status", value: "pending".to_owned() }
}

/// Reads an approval and checks that its status and its decision agree. A malformed id is not looked up; every other id
/// is read in the same way, so that timing does not reveal other tenants.
pub(crate) async fn find(access: &Access, approval_id: &str) -> Result<Option<Found>> {
    if parse_prefixed_id(PREFIX, approval_id).is_none() {
        return Ok(None);
    }
    let name = approval_name(access, approval_id);
    let mut before = None;
    for _ in 0..ATTEMPTS {
        let rows = [(Area::Record, name), (Area::Entry(0), name)];
        let mut records = access.read_current(KIND, &rows).await?;
        let (decision, record) = (records.pop().flatten(), records.pop().flatten());
        let Some(record) = record else { return Ok(None) };
        let approval = Approval::read(&record.body).await?;
        if approval.approval_id != approval_id {
            return Ok(None);
        }
        if (approval.status == ApprovalStatus::Pending) == decision.is_none() {
            return Ok(Some(Found { approval, name, record }));
        }
        // The two rows change together; this may have read one before and one after the change.
        if before == Some(record.version) {
            return Err(damaged());
        }
        before = Some(record.version);
    }
    Err(contended())
}

/// Whether one of these approvals is no longer what was read.
async fn has_changed(access: &Access, settlements: &[Settlement]) -> Result<bool> {
    for Settlement { found, .. } in settlements {
        let now = find(access, &found.approval.approval_id).await?;
        if now.is_none_or(|now| now.record.version != found.record.version) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Approvals<'_> {
    /// Ends approvals in one commit. `None`: the head, an approval or a row of `also` has changed since it was read;
    /// read again. `next_expiry`, if given, replaces the ledger's.
    ///
    /// # Errors
    /// `StoreCorrupt` if the ledger has a row that must not exist yet, and those of the store.
    pub(crate) async fn settle(
        self,
        access: &Access,
        ledger: &Ledger,
        settlements: Vec<Settlement>,
        next_expiry: Option<u64>,
    ) -> Result<Option<Vec<ApprovalRecord>>> {
        let count = settlements.len() as u64;
        let Some(pending) = ledger.head.pending.checked_sub(count) else {
            // Another process may have ended one since it was read, and before the head was.
            return if has_changed(access, &settlements).await? { Ok(None) } else { Err(damaged()) };
        };
        let head = Head {
            size: ledger.head.size + count,
            pending,
            next_expiry: next_expiry.unwrap_or(ledger.head.next_expiry),
        };
        let now = access.now();
        let mut changes = vec![ledger.write_head(access, head)];
        let (mut leaves, mut markers) = (Vec::new(), Vec::new());
        for (sequence, settlement) in (ledger.head.size..).zip(settlements) {
            let Settlement { found, decision, actor, reason, with, lets_run_go_on } = settlement;
            let Found { mut approval, name, record } = found;
            let ledger_record = ApprovalRecord {
                sequence,
                approval_id: approval.approval_id.clone(),
                decision,
                actor,
                reason,
                subject_hash: approval.subject_hash,
                edited_hash: approval.edited_hash(access),
                rule: approval.rule.clone(),
                approved_by: approval.approved_by.clone(),
                requested_by: approval.requested_by.clone(),
                requested_at: approval.created_at,
                decided_at: now.max(approval.created_at),
            };
            leaves.push(Leaf::new(ledger_record, self.handle.scope.random()));
            approval.status = ApprovalStatus::Decided(decision);
            let expires_at = expiry(now, approval.retain_ms)?;
            ahead(approval.byte_length).await;
            let (body, counted) = (approval.write()?, Some(approval.byte_length));
            let when = When::Version(record.version);
            changes.push(Change::Write { kind: KIND, area: Area::Record, name, body, expires_at, counted, when });
            changes.push(Change::Unlist { list: pending_list(), micros: approval.created_micros, name });
            if lets_run_go_on && let Some(run_id) = &approval.context.run_id {
                let until = self.handle.runs().unfinished_until(access)?;
                changes.extend(work::due(access, run_name(access, run_id), now, until));
            }
            changes.extend(with);
            markers.push(write(Area::Entry(0), name, sequence.to_be_bytes().to_vec(), When::Absent));
        }
        // The conditions above held, so a later one that fails was tampered with.
        let certain = changes.len();
        changes.extend(markers);
        let Some(appended) = ledger.append(access, &leaves).await? else { return Ok(None) };
        changes.extend(appended);
        match access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? {
            Committed::Done => Ok(Some(leaves.into_iter().map(|leaf| leaf.record).collect())),
            Committed::Conflict(at) if at < certain => Ok(None),
            Committed::Conflict(_) => Err(damaged()),
        }
    }
}
