//! The cache.

use bailiwick_model::{Error, Result};
use bailiwick_runtime::{Begun, CacheValue, TenantHandle};

use super::no_such_operation;
use crate::environment::Environment;
use crate::message::{Answer, Reader};

pub(super) async fn run(
    environment: &Environment,
    handle: &TenantHandle,
    number: u32,
    given: Vec<u8>,
) -> Result<Answer> {
    let arguments = &mut Reader::new(&given);
    match number {
        20 => {
            let value = handle.cache_get(arguments.text()?).await?;
            Ok(value.map_or_else(|| Answer::default().u8(0), |value| cached(&value)))
        }
        21 => {
            let (key, ttl_ms) = (arguments.text()?.to_owned(), arguments.whole("ttlMs")?);
            let value = cache_value(arguments)?;
            // What is large is not kept twice while it is written.
            drop(given);
            handle.cache_set(&key, value, ttl_ms).await?;
            Ok(Answer::default())
        }
        22 => Ok(Answer::default().u8(u8::from(handle.cache_delete(arguments.text()?).await?))),
        23 => {
            let (key, ttl_ms) = (arguments.text()?, arguments.whole("ttlMs")?);
            Ok(match handle.cache_begin(key, ttl_ms).await? {
                Begun::Value(value) => cached(&value),
                Begun::Compute(computing) => {
                    Answer::default().u8(0).u32(environment.tables().computing.add(computing)?)
                }
            })
        }
        24 => {
            let number = arguments.u32()?;
            let computing = environment.tables().computing.take(number);
            let computing = computing.ok_or_else(|| Error::Internal("This computation has ended.".to_owned()))?;
            let value = cache_value(arguments)?;
            drop(given);
            handle.cache_computed(computing, value).await?;
            Ok(Answer::default())
        }
        _ => Err(no_such_operation()),
    }
}

fn cache_value(arguments: &mut Reader<'_>) -> Result<CacheValue> {
    Ok(match arguments.u8()? {
        1 => CacheValue::Json(arguments.bytes()?.to_vec()),
        _ => CacheValue::Bytes(arguments.bytes()?.to_vec()),
    })
}

/// `u8 form ‖ the value`: 1 is JSON text, 2 is bytes.
fn cached(value: &CacheValue) -> Answer {
    match value {
        CacheValue::Json(text) => Answer::with_capacity(text.len() + 1).u8(1).rest(text),
        CacheValue::Bytes(bytes) => Answer::with_capacity(bytes.len() + 1).u8(2).rest(bytes),
    }
}
