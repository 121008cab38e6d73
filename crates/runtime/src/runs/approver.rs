//! The host's approver: its channel to a person, who is asked while the run waits.

use std::time::Duration;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use tokio::time::timeout;

use super::callbacks::{Ask, Reply};
use super::driver::{Driver, Halt, failed, host_gone};
use super::together::Together;
use crate::approvals::{Approval, ApprovalStatus, Decide};

/// How often a run whose approver thinks looks whether somebody else has decided.
const LOOKING: Duration = Duration::from_secs(1);

impl Driver<'_> {
    /// Asks the host's approver about approvals, and records what it decides.
    pub(crate) async fn ask_approver(&mut self, open: Vec<Approval>) -> Result<(), Halt> {
        // The approver may take long, and the process may die meanwhile.
        self.flush().await?;
        let callbacks = self.callbacks;
        let mut together = Together::new();
        let asking = self.asking();
        let mut undecided: Vec<String> = Vec::new();
        for approval in open {
            self.asked.insert(approval.approval_id.clone());
            undecided.push(approval.approval_id.clone());
            let request = format!("{{{asking},\"approval\":{}}}", approval.json());
            together.add(async move {
                let mut asked = callbacks.ask(Ask::Approve, request);
                (approval.approval_id, asked.next().await)
            });
        }
        loop {
            let Ok(next) = self.unless_halted(timeout(LOOKING, together.next())).await? else {
                if self.decided_elsewhere(&undecided).await? {
                    return Ok(());
                }
                continue;
            };
            let Some((approval_id, reply)) = next else { return Ok(()) };
            undecided.retain(|id| *id != approval_id);
            let answer = match reply {
                None => return Err(host_gone().into()),
                Some(Reply::Value(answer)) => json::parse(&answer, &json::Limits::default()).unwrap_or(Json::Null),
                // Nobody has decided: the approval waits, as if it had been deferred. The host tells its own people why.
                Some(_) => continue,
            };
            let text = |key: &str| answer.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
            let decide = match text("decision") {
                Some("defer") => continue,
                Some("approve") => Decide::Approve,
                Some("reject") => Decide::Reject,
                _ => {
                    return Err(failed(
                        "CALLBACK_FAILED",
                        "approve must answer { decision: 'approve' | 'reject' | 'defer', … }.",
                    ));
                }
            };
            let Some(actor) = text("actor") else {
                return Err(failed("CALLBACK_FAILED", "approve decided without an actor. Say who it was."));
            };
            match self.handle.approvals().respond(&approval_id, decide, actor, text("reason")).await {
                // Somebody else was faster, or its time is over: that counts then.
                Ok(_) | Err(Error::ApprovalClosed(_)) => {}
                Err(Error::InvalidInput(told)) => return Err(failed("CALLBACK_FAILED", &told)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether somebody else, in this process or another, has ended all of these.
    async fn decided_elsewhere(&self, approval_ids: &[String]) -> Result<bool, Halt> {
        for approval_id in approval_ids {
            match self.handle.approvals().get(approval_id).await {
                Ok(approval) if approval.status == ApprovalStatus::Pending => return Ok(false),
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}
