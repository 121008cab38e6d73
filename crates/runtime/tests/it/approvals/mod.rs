//! Approvals are decided once, about exactly what was asked, and the ledger of it can be proved to a third party.

mod damage;
mod decisions;
mod model;
mod proofs;
mod rules;

use crate::support::at_once;
use bailiwick_model::ledger::record::ApprovalRecord;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Result, json};
use bailiwick_runtime::{Approval, ApprovalContext, ApprovalRequest, RequestedSubject, TenantHandle};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// A request of the host to call `ship` with this JSON.
fn asking(input: &str) -> ApprovalRequest {
    let input = json::parse(input.as_bytes(), &json::Limits::default()).unwrap();
    let subject = RequestedSubject::Tool { tool: "ship".to_owned(), input };
    let (context, requested_by) = (ApprovalContext::default(), Some("bot".to_owned()));
    ApprovalRequest { subject, context, requested_by, ttl_ms: None, rule: None }
}

fn asking_about(plan_id: &str) -> ApprovalRequest {
    ApprovalRequest { subject: RequestedSubject::Plan { plan_id: plan_id.to_owned() }, ..asking("1") }
}

fn request(handle: &TenantHandle, request: ApprovalRequest) -> Result<Approval> {
    at_once(handle.approvals().request(request))
}

/// Asks for something and says its id.
fn asked(handle: &TenantHandle) -> String {
    request(handle, asking(r#"{"b":1.0,"a":2}"#)).unwrap().approval_id
}

fn respond(handle: &TenantHandle, approval_id: &str, decide: Decision) -> Result<ApprovalRecord> {
    let responded = at_once(handle.approvals().respond(approval_id, decide, "kim", Some("because")))?;
    Ok(responded.record().unwrap())
}

fn approve(handle: &TenantHandle, approval_id: &str) -> Result<ApprovalRecord> {
    respond(handle, approval_id, Decision::Approved)
}

/// Asks and approves, so many times.
fn decided(handle: &TenantHandle, count: u64) -> Vec<ApprovalRecord> {
    (0..count).map(|_| approve(handle, &asked(handle)).unwrap()).collect()
}

/// The ledger as its tenant sees it.
fn history(handle: &TenantHandle) -> Vec<ApprovalRecord> {
    let mut records = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = at_once(handle.approvals().history(7, cursor.as_deref())).unwrap();
        records.extend(page.items);
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return records,
        }
    }
}

/// The ids of those that wait, newest first.
fn pending(handle: &TenantHandle) -> Vec<String> {
    let page = at_once(handle.approvals().pending(1000, None)).unwrap();
    page.items.into_iter().map(|approval| approval.approval_id).collect()
}
