//! Calls about approvals and their ledger.

use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::{Json, Result, json};
use bailiwick_runtime::{ApprovalContext, ApprovalRequest, RequestedSubject, TenantHandle};

use crate::support::Random;
use crate::transcript::call::Answer;
use crate::transcript::known::{Both, limit, name, ttl};
use crate::transcript::plans::plan_id;

#[derive(Clone, Debug)]
pub(crate) enum ApprovalCall {
    Request(ApprovalRequest),
    Get(String),
    Pending { limit: usize, cursor: Option<String> },
    Respond { approval_id: String, decide: Decision, actor: String, reason: Option<String> },
    Withdraw(String),
    History { limit: usize, cursor: Option<String> },
    Checkpoint,
    Prove(u64),
    ProveConsistency(Checkpoint),
    Verify(Option<Checkpoint>),
}

impl ApprovalCall {
    pub(crate) fn next(random: &mut Random, both: Both<'_>) -> Self {
        match random.below(16) {
            0..=3 => Self::Request(request(random, both)),
            4 => Self::Get(both.id(random, "approval_")),
            5 => Self::Pending { limit: limit(random), cursor: both.cursor(random, "pending") },
            6..=8 => Self::Respond {
                approval_id: both.id(random, "approval_"),
                decide: if random.one_in(2) { Decision::Approved } else { Decision::Rejected },
                actor: if random.one_in(10) { String::new() } else { name(random) },
                reason: random.one_in(2).then(|| "because".to_owned()),
            },
            9 => Self::Withdraw(both.id(random, "approval_")),
            10 => Self::History { limit: limit(random), cursor: both.cursor(random, "history") },
            11 => Self::Checkpoint,
            12 => Self::Prove(random.below(4) as u64),
            13 | 14 => both.checkpoint(random).map_or(Self::Checkpoint, Self::ProveConsistency),
            _ => Self::Verify(both.checkpoint(random)),
        }
    }

    pub(crate) async fn make(&self, handle: &TenantHandle, answer: &mut Answer) -> Result<()> {
        match self {
            Self::Request(request) => answer.see(&json::to_text(&handle.approvals().request(request.clone()).await?)),
            Self::Get(approval_id) => answer.see(&json::to_text(&handle.approvals().get(approval_id).await?)),
            Self::Pending { limit, cursor } => {
                answer.see_page("pending", handle.approvals().pending(*limit, cursor.as_deref()).await?);
            }
            Self::Respond { approval_id, decide, actor, reason } => {
                let responded = handle.approvals().respond(approval_id, *decide, actor, reason.as_deref()).await?;
                answer.see(&json::to_text(&responded));
            }
            Self::Withdraw(approval_id) => {
                let records = handle.approvals().withdraw(&[approval_id], None, Vec::new()).await?;
                answer.see(&format!("{records:?}"));
            }
            Self::History { limit, cursor } => {
                answer.see_page("history", handle.approvals().history(*limit, cursor.as_deref()).await?);
            }
            Self::Checkpoint => {
                let checkpoint = handle.approvals().checkpoint().await?;
                answer.see(&json::write(&checkpoint.to_json()));
                answer.checkpoint = Some(checkpoint);
            }
            Self::Prove(sequence) => answer.see(&json::write(&handle.approvals().prove(*sequence).await?.to_json())),
            Self::ProveConsistency(from) => {
                answer.see(&json::write(&handle.approvals().prove_consistency(from.clone()).await?.to_json()));
            }
            Self::Verify(against) => {
                answer.see(&json::to_text(&handle.approvals().verify(against.as_ref()).await?));
            }
        }
        Ok(())
    }
}

/// A rule of two people, one that excludes some, or none.
fn rule(random: &mut Random) -> Option<ApprovalRule> {
    match random.below(4) {
        0 => Some(ApprovalRule { to: None, quorum: 2, requesters: None }),
        1 => Some(ApprovalRule { to: None, quorum: 1, requesters: Some((0..4).map(|_| name(random)).collect()) }),
        _ => None,
    }
}

fn request(random: &mut Random, both: Both<'_>) -> ApprovalRequest {
    let subject = match random.below(4) {
        0 => RequestedSubject::Plan { plan_id: plan_id(random, both) },
        1 => RequestedSubject::Tool { tool: "ship".to_owned(), input: Json::String("x".repeat(5000)) },
        _ => RequestedSubject::Tool { tool: "ship".to_owned(), input: Json::Number(random.below(3) as f64) },
    };
    let requested_by = random.one_in(2).then(|| name(random));
    ApprovalRequest {
        subject,
        context: ApprovalContext::default(),
        requested_by,
        ttl_ms: ttl(random),
        rule: rule(random),
    }
}
