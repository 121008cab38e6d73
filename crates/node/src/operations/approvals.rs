//! Approvals and their ledger.

use std::collections::BTreeSet;

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{ApprovalContext, ApprovalRequest, RequestedRule, RequestedSubject, Response};

use super::call::{Call, json_text, page_answer, page_limit};
use crate::message::Answer;

pub(super) async fn request(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let subject = arguments.bytes()?;
    let taken = handle.parsing(subject, 2)?;
    let subject = RequestedSubject::read(subject)?;
    let requested_by = arguments.optional_text()?.map(str::to_owned);
    let (context, ttl_ms) = (ApprovalContext::default(), arguments.whole("ttlMs")?);
    let rule = rule(arguments.bytes()?, requested_by.as_ref())?;
    let request = ApprovalRequest { subject, context, requested_by, ttl_ms, rule };
    let approval = handle.approvals().request(request).await?;
    drop(taken);
    Ok(json_text(&approval))
}

pub(super) async fn get(call: Call) -> Result<Answer> {
    let approval = call.handle()?.approvals().get(call.reader().text()?).await?;
    Ok(json_text(&approval))
}

pub(super) async fn pending(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.approvals().pending(limit, cursor).await?))
}

pub(super) async fn respond(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (approval_id, decision) = (arguments.text()?, decision(arguments.u8()?)?);
    let (actor, reason) = (arguments.text()?, arguments.optional_text()?);
    let text = arguments.bytes()?;
    let taken = handle.parsing(text, 2)?;
    let input = if text.is_empty() { None } else { Some(json::parse(text, &json::Limits::default())?) };
    let response = Response { decision, actor, reason, input: input.as_ref() };
    let responded = handle.approvals().decide(approval_id, response).await?;
    drop((taken, input));
    Ok(json_text(&responded))
}

/// The rule of a request of the host's own; an empty text for none.
fn rule(text: &[u8], requested_by: Option<&String>) -> Result<Option<ApprovalRule>> {
    if text.is_empty() {
        return Ok(None);
    }
    let asked = RequestedRule::read(&json::parse(text, &json::Limits::default())?)?;
    asked.map(|rule| rule.fixed(&BTreeSet::from([requested_by.cloned()]))).transpose()
}

/// `1` approves, `2` rejects.
fn decision(number: u8) -> Result<Decision> {
    match number {
        1 => Ok(Decision::Approved),
        2 => Ok(Decision::Rejected),
        _ => Err(Error::internal("There is no such decision.")),
    }
}

pub(super) async fn history(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.approvals().history(limit, cursor).await?))
}

pub(super) async fn checkpoint(call: Call) -> Result<Answer> {
    Ok(json_text(&call.handle()?.approvals().checkpoint().await?.to_json()))
}

pub(super) async fn prove(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let sequence = arguments.whole("sequence")?.ok_or_else(|| Error::invalid("prove needs a sequence."))?;
    Ok(json_text(&handle.approvals().prove(sequence).await?.to_json()))
}

pub(super) async fn prove_consistency(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let from = given_checkpoint(arguments.bytes()?)?;
    Ok(json_text(&handle.approvals().prove_consistency(from).await?.to_json()))
}

pub(super) async fn verify(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let against = match arguments.bytes()? {
        [] => None,
        text => Some(given_checkpoint(text)?),
    };
    Ok(json_text(&handle.approvals().verify(against.as_ref()).await?))
}

fn given_checkpoint(text: &[u8]) -> Result<Checkpoint> {
    let value: Json = json::parse(text, &json::Limits::default())?;
    Checkpoint::from_json(&value).ok_or_else(|| {
        Error::invalid("A checkpoint must be { note, size, rootHash }, as approvals.checkpoint() gave it.")
    })
}
