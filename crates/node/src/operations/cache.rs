//! The cache.

use bailiwick_model::{Error, Result};
use bailiwick_runtime::{Begun, CacheValue};

use super::call::{Call, flag};
use crate::message::{Answer, Reader};

pub(super) async fn get(call: Call) -> Result<Answer> {
    let value = call.handle()?.cache().get(call.reader().text()?).await?;
    Ok(value.map_or_else(|| Answer::default().u8(0), |value| cached(&value)))
}

pub(super) async fn set(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (key, ttl_ms) = (arguments.text()?.to_owned(), arguments.whole("ttlMs")?);
    let value = cache_value(&mut arguments)?;
    drop(call);
    handle.cache().set(&key, value, ttl_ms).await?;
    Ok(Answer::default())
}

pub(super) async fn delete(call: Call) -> Result<Answer> {
    Ok(flag(call.handle()?.cache().delete(call.reader().text()?).await?))
}

pub(super) async fn begin(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (key, ttl_ms) = (arguments.text()?, arguments.whole("ttlMs")?);
    Ok(match handle.cache().begin(key, ttl_ms).await? {
        Begun::Value(value) => cached(&value),
        Begun::Compute(computing) => Answer::default().u8(0).u32(call.environment.tables().computing.add(computing)?),
    })
}

pub(super) async fn computed(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let computing = call.environment.tables().computing.take(arguments.u32()?);
    let computing = computing.ok_or_else(|| Error::internal("This computation has ended."))?;
    let value = cache_value(&mut arguments)?;
    drop(call);
    handle.cache().computed(computing, value).await?;
    Ok(Answer::default())
}

/// Gives up a computation. It needs no handle, which may be closed by now: other calls may wait for this computation.
pub(super) async fn give_up(call: Call) -> Result<Answer> {
    let computing = call.reader().u32()?;
    drop(call.environment.tables().computing.take(computing));
    Ok(Answer::default())
}

/// `u8 form ‖ the value`: form 1 is JSON text, 2 is bytes.
fn cache_value(arguments: &mut Reader<'_>) -> Result<CacheValue> {
    Ok(match arguments.u8()? {
        1 => CacheValue::Json(arguments.bytes()?.to_vec()),
        _ => CacheValue::Bytes(arguments.bytes()?.to_vec()),
    })
}

/// As [`cache_value`]; form 0 says that there is none.
fn cached(value: &CacheValue) -> Answer {
    match value {
        CacheValue::Json(text) => Answer::with_capacity(text.len() + 1).u8(1).rest(text),
        CacheValue::Bytes(bytes) => Answer::with_capacity(bytes.len() + 1).u8(2).rest(bytes),
    }
}
