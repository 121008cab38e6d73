//! Approvals and their ledger.

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{ApprovalContext, ApprovalRequest, Decide, Question, TenantHandle};

use super::{json_text, no_such_operation, page_answer, page_limit};
use crate::message::{Answer, Reader};

pub(super) async fn run(handle: &TenantHandle, number: u32, arguments: &mut Reader<'_>) -> Result<Answer> {
    match number {
        50 => {
            let subject = arguments.bytes()?;
            let taken = handle.parsing(subject, 2)?;
            let question = Question::read(subject)?;
            let requested_by = arguments.optional_text()?.map(str::to_owned);
            let (context, ttl_ms) = (ApprovalContext::default(), arguments.whole("ttlMs")?);
            let request = ApprovalRequest { question, context, requested_by, ttl_ms };
            let approval = handle.request_approval(request).await?;
            drop(taken);
            Ok(Answer(approval.json().into_bytes()))
        }
        51 => Ok(Answer(handle.approval(arguments.text()?).await?.json().into_bytes())),
        52 => {
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.list_pending_approvals(limit, cursor).await?))
        }
        53 => {
            let (approval_id, decide) = (arguments.text()?, decide(arguments.u8()?)?);
            let (actor, reason) = (arguments.text()?, arguments.optional_text()?);
            Ok(json_text(&handle.respond_to_approval(approval_id, decide, actor, reason).await?.to_json()))
        }
        54 => {
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.approval_history(limit, cursor).await?))
        }
        55 => Ok(json_text(&handle.approval_checkpoint().await?.to_json())),
        56 => {
            let sequence = arguments.whole("sequence")?.ok_or_else(|| Error::invalid("prove needs a sequence."))?;
            Ok(json_text(&handle.prove_approval(sequence).await?.to_json()))
        }
        57 => {
            let from = checkpoint(arguments.bytes()?)?;
            Ok(json_text(&handle.prove_approval_consistency(from).await?.to_json()))
        }
        58 => {
            let against = match arguments.bytes()? {
                [] => None,
                text => Some(checkpoint(text)?),
            };
            Ok(json_text(&handle.verify_approvals(against.as_ref()).await?.to_json()))
        }
        _ => Err(no_such_operation()),
    }
}

fn decide(number: u8) -> Result<Decide> {
    match number {
        1 => Ok(Decide::Approve),
        2 => Ok(Decide::Reject),
        _ => Err(no_such_operation()),
    }
}

fn checkpoint(text: &[u8]) -> Result<Checkpoint> {
    let value: Json = json::parse(text, &json::Limits::default())?;
    Checkpoint::from_json(&value).ok_or_else(|| {
        Error::invalid("A checkpoint must be { note, size, rootHash }, as approvals.checkpoint() gave it.")
    })
}
