//! References.

use bailiwick_model::Result;
use bailiwick_runtime::{HostEvent, PutContent, PutItem, Resolved, TenantHandle};

use super::{PUT, array, no_such_operation, page_answer, page_limit};
use crate::message::{Answer, Reader};

pub(super) async fn run(handle: &TenantHandle, number: u32, arguments: &mut Reader<'_>) -> Result<Answer> {
    match number {
        12 => {
            let found = handle.resolve(arguments.text()?).await?;
            Ok(resolved(Answer::with_capacity(resolved_bytes(&found)), &found))
        }
        13 => {
            let count = arguments.u32()?;
            let ids = (0..count).map(|_| arguments.text()).collect::<Result<Vec<_>>>()?;
            let found = handle.resolve_many(&ids).await?;
            let bytes = found.iter().map(|found| 1 + found.as_ref().map_or(0, resolved_bytes)).sum();
            Ok(found.iter().fold(Answer::with_capacity(bytes), |answer, found| match found {
                Some(found) => resolved(answer.u8(1), found),
                None => answer.u8(0),
            }))
        }
        14 => Ok(Answer(handle.describe(arguments.text()?).await?.json.into_bytes())),
        15 => {
            let type_name = arguments.optional_text()?;
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.list_references(type_name, limit, cursor).await?))
        }
        16 => Ok(Answer::default().u8(u8::from(handle.delete_reference(arguments.text()?).await?))),
        _ => Err(no_such_operation()),
    }
}

/// What is to be put.
pub(super) fn items(number: u32, arguments: &mut Reader<'_>) -> Result<Vec<PutItem>> {
    let count = if number == PUT { 1 } else { arguments.u32()? };
    (0..count).map(|_| put_item(arguments)).collect()
}

/// Puts what the host's own code keeps, and leaves a trace of it.
pub(super) async fn put(handle: &TenantHandle, number: u32, items: Vec<PutItem>) -> Result<Answer> {
    let references = handle.put_references(items).await?;
    for reference in &references {
        handle.record_event(&HostEvent::ReferenceCreated { reference: &reference.id }).await;
    }
    let mut texts: Vec<String> = references.into_iter().map(|reference| reference.json).collect();
    let text = if number == PUT { texts.pop().unwrap_or_default() } else { array(texts) };
    Ok(Answer(text.into_bytes()))
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
