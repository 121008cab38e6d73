//! Expires overdue approvals, each with its record in the ledger.

use bailiwick_model::Result;
use bailiwick_model::ledger::record::Decision;
use bailiwick_tenancy::{ATTEMPTS, Access, Committed, Durability, contended};

use futures_util::future::BoxFuture;

use super::ledger::{Head, Ledger, LedgerTurns};
use super::record::{Approval, ApprovalStatus};
use super::settle::{Settlement, find, pending_list};
use super::{MOST_AT_ONCE, is_due};
use crate::handle::Approvals;

/// The limit in bytes of the approvals that expire in one commit.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Overdue approvals, and when the next one expires.
struct Due {
    approval_ids: Vec<String>,
    /// The bytes of their records.
    bytes: usize,
    next_expiry: u64,
}

impl<'a> Approvals<'a> {
    /// Records every overdue approval as expired, and returns their number. If none is overdue, it reads one row: every
    /// list
    /// of approvals calls it first, and the sweeper may at any time.
    ///
    /// # Errors
    /// Those of the store.
    pub fn expire(self) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            let Some(access) = self.handle.scope.existing().await? else { return Ok(0) };
            if Ledger::read_head(&access).await?.head.next_expiry > access.now() {
                return Ok(0);
            }
            let turns = self.handle.scope.shared::<LedgerTurns>();
            let _turn = turns.0.lock().await;
            let (mut expired, mut failures) = (0, 0);
            while failures < ATTEMPTS {
                let ledger = Ledger::read(&access).await?;
                if ledger.head.next_expiry > access.now() {
                    return Ok(expired);
                }
                let due = due(&access).await?;
                match self.record_expired(&access, &ledger, due).await? {
                    Some(count) => expired += count,
                    None => failures += 1,
                }
            }
            Err(contended())
        })
    }

    /// Records approvals as expired in one commit. `None`: something has changed since they were read.
    async fn record_expired(self, access: &Access, ledger: &Ledger, due: Due) -> Result<Option<u64>> {
        let mut settlements = Vec::with_capacity(due.approval_ids.len());
        for approval_id in &due.approval_ids {
            match find(access, approval_id).await? {
                Some(found) if found.approval.status == ApprovalStatus::Pending => {
                    settlements.push(Settlement::of_itself(found, Decision::Expired));
                }
                _ => return Ok(None),
            }
        }
        if settlements.is_empty() {
            let head = Head { next_expiry: due.next_expiry, ..ledger.head };
            let changes = vec![ledger.write_head(access, head)];
            let committed = access.commit(changes, &self.handle.engine_limits, Durability::Sync).await?;
            return Ok((committed == Committed::Done).then_some(0));
        }
        let records = self.settle(access, ledger, settlements, Some(due.next_expiry)).await?;
        Ok(records.map(|records| records.len() as u64))
    }
}

/// Reads the first overdue approvals, oldest last.
async fn due(access: &Access) -> Result<Due> {
    let now = access.now();
    let mut due = Due { approval_ids: Vec::new(), bytes: 0, next_expiry: u64::MAX };
    let mut cursor: Option<String> = None;
    loop {
        let page = access.record_page(&pending_list(), MOST_AT_ONCE, cursor.as_deref()).await?;
        for record in page.records.into_iter().filter_map(|(_, record)| record) {
            let approval = Approval::read(&record.body).await?;
            if !is_due(&approval, now) {
                due.next_expiry = due.next_expiry.min(approval.expires_at);
            } else if due.approval_ids.len() < MOST_AT_ONCE && due.bytes < BYTES_AT_ONCE {
                due.bytes += record.body.len();
                due.approval_ids.push(approval.approval_id);
            } else {
                // The rest does not fit into this commit: it is due at once.
                due.next_expiry = due.next_expiry.min(approval.expires_at);
            }
        }
        match page.cursor {
            Some(next) if !due.is_full(now) => cursor = Some(next),
            // Approvals on later pages may be due too.
            Some(_) => return Ok(Due { next_expiry: now, ..due }),
            None => return Ok(due),
        }
    }
}

impl Due {
    fn is_full(&self, now: u64) -> bool {
        self.approval_ids.len() == MOST_AT_ONCE || self.bytes >= BYTES_AT_ONCE || self.next_expiry <= now
    }
}
