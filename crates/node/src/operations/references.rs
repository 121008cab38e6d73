//! References.

use bailiwick_model::Result;
use bailiwick_runtime::{HostEvent, PutContent, PutItem, Reference, Resolved, TenantHandle};

use super::call::{Call, array_answer, flag, json_text, page_answer, page_limit};
use crate::message::{Answer, Reader};

pub(super) async fn put(call: Call) -> Result<Answer> {
    let handle = call.handle()?;
    let item = put_item(&mut call.reader())?;
    // The item is a copy, and a large one is not kept twice while it is written.
    drop(call);
    Ok(json_text(&put_items(&handle, vec![item]).await?.pop()))
}

pub(super) async fn put_many(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let count = arguments.u32()?;
    let items = (0..count).map(|_| put_item(&mut arguments)).collect::<Result<_>>()?;
    drop(call);
    Ok(array_answer(put_items(&handle, items).await?))
}

/// Puts what the host's own code keeps, and records a trace of it.
async fn put_items(handle: &TenantHandle, items: Vec<PutItem>) -> Result<Vec<Reference>> {
    let references = handle.references().put(items).await?;
    for reference in &references {
        handle.traces().record(&HostEvent::ReferenceCreated { reference: &reference.id }).await;
    }
    Ok(references)
}

pub(super) async fn resolve(call: Call) -> Result<Answer> {
    let found = call.handle()?.references().resolve(call.reader().text()?).await?;
    Ok(resolved(Answer::with_capacity(resolved_bytes(&found)), &found))
}

pub(super) async fn resolve_many(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let count = arguments.u32()?;
    let ids = (0..count).map(|_| arguments.text()).collect::<Result<Vec<_>>>()?;
    let found = handle.references().resolve_many(&ids).await?;
    let bytes = found.iter().map(|found| 1 + found.as_ref().map_or(0, resolved_bytes)).sum();
    Ok(found.iter().fold(Answer::with_capacity(bytes), |answer, found| match found {
        Some(found) => resolved(answer.u8(1), found),
        None => answer.u8(0),
    }))
}

pub(super) async fn describe(call: Call) -> Result<Answer> {
    Ok(json_text(&call.handle()?.references().describe(call.reader().text()?).await?))
}

pub(super) async fn list(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let type_name = arguments.optional_text()?;
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.references().list(type_name, limit, cursor).await?))
}

pub(super) async fn delete(call: Call) -> Result<Answer> {
    Ok(flag(call.handle()?.references().delete(call.reader().text()?).await?))
}

fn put_item(arguments: &mut Reader<'_>) -> Result<PutItem> {
    let type_name = arguments.text()?.to_owned();
    let media_type = arguments.optional_text()?.map(str::to_owned);
    let ttl_ms = arguments.whole("ttlMs")?;
    let content = match arguments.u8()? {
        0 => PutContent::Json(arguments.bytes()?.to_vec()),
        1 => PutContent::Text(arguments.text()?.to_owned()),
        _ => PutContent::Bytes(arguments.bytes()?.to_vec()),
    };
    Ok(PutItem { type_name, content, ttl_ms, media_type })
}

/// What [`resolved_header`] says, and what it says it of.
fn resolved(answer: Answer, found: &Resolved) -> Answer {
    let header = resolved_header(found);
    [&header, found.members(), found.glimpse(), found.bytes()].into_iter().fold(answer, Answer::rest)
}

/// The bytes of [`resolved`].
fn resolved_bytes(found: &Resolved) -> usize {
    RESOLVED_HEADER + found.members().len() + found.glimpse().len() + found.bytes().len()
}

/// The bytes of [`resolved_header`].
const RESOLVED_HEADER: usize = 20;

/// How a resolved reference begins: `f64 expiry, NaN for none ‖ u32 length of the members ‖ u32 of the glimpse ‖ u32 of the
/// content`. These three follow.
pub(crate) fn resolved_header(found: &Resolved) -> [u8; RESOLVED_HEADER] {
    let mut header = [0; RESOLVED_HEADER];
    let (expiry, lengths) = header.split_at_mut(8);
    expiry.copy_from_slice(&found.expires_at().map_or(f64::NAN, |at| at as f64).to_le_bytes());
    for (to, part) in lengths.chunks_mut(4).zip([found.members(), found.glimpse(), found.bytes()]) {
        to.copy_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    header
}
