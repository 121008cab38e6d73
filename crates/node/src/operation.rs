//! What can be submitted, by number. The numbers and shapes stand in `ts/native/operations.ts` too.

use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use bailiwick_runtime::stores::{self, OpenOptions};
use bailiwick_runtime::{
    Begun, CacheValue, Catalogue, Clock, PutContent, PutItem, Resolved, RootKey, StoreOptions, TenantHandle,
};

use crate::environment::Environment;
use crate::message::{Answer, Reader};

/// The names of the operations, for tests that make one panic.
pub(crate) fn name(number: u32) -> &'static str {
    match number {
        1 => "openStore",
        2 => "closeStore",
        3 => "storeHealth",
        4 => "storeStats",
        5 => "registerTopology",
        6 => "advanceClock",
        10 => "put",
        11 => "putMany",
        12 => "resolve",
        13 => "resolveMany",
        14 => "describe",
        15 => "list",
        16 => "delete",
        20 => "cacheGet",
        21 => "cacheSet",
        22 => "cacheDelete",
        23 => "cacheBegin",
        24 => "cacheComputed",
        25 => "cacheGiveUp",
        30 => "usage",
        _ => "unknown",
    }
}

/// Runs one operation. `target` is a store or a handle.
pub(crate) async fn run(environment: &Arc<Environment>, number: u32, target: u32, arguments: &[u8]) -> Result<Answer> {
    let mut arguments = Reader::new(arguments);
    match number {
        1 => open_store(environment, &mut arguments).await,
        2 => {
            let store = environment.tables().stores.take(target);
            if let Some(store) = store {
                store.release().await;
            }
            Ok(Answer::default())
        }
        3 => store_health(environment, target).await,
        4 => store_stats(environment, target),
        5 => {
            let topology = json::parse(arguments.bytes()?, &json::Limits::default())?;
            let catalogue = Arc::new(Catalogue::from_json(&topology)?);
            Ok(Answer::default().u32(environment.tables().topologies.add(catalogue)?))
        }
        6 => {
            let store = environment.tables().stores.get(target)?;
            let advanced = store.store().advance(arguments.whole("ms")?.unwrap_or(0));
            Ok(Answer::default().u8(u8::from(advanced)))
        }
        _ => {
            let handle = environment.tables().handles.get(target)?;
            match number {
                10..=16 => references(&handle, number, &mut arguments).await,
                20..=25 => cache(environment, &handle, number, &mut arguments).await,
                30 => usage(&handle).await,
                _ => Err(Error::Internal("There is no such operation.".to_owned())),
            }
        }
    }
}

async fn open_store(environment: &Arc<Environment>, arguments: &mut Reader<'_>) -> Result<Answer> {
    let url = arguments.text()?;
    let root_key = match arguments.u8()? {
        0 => RootKey::Local,
        1 => RootKey::Given(arguments.bytes()?.to_vec().into()),
        _ => RootKey::from_base64(arguments.text()?)?,
    };
    let engine_cache_bytes = arguments.whole("cacheBytes")?;
    let opened_bytes = arguments.whole("openedBytes")?;
    let seed = arguments.whole("seed")?;
    let now = arguments.whole("now")?;
    let defaults = StoreOptions::default();
    let store = StoreOptions {
        root_key,
        opened_bytes: opened_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(defaults.opened_bytes),
        clock: now.map_or_else(Clock::system, Clock::fixed),
        seed,
    };
    let handle = stores::open(url, OpenOptions { store, engine_cache_bytes }).await?;
    Ok(Answer::default().u32(environment.tables().stores.add(Arc::new(handle))?))
}

async fn store_health(environment: &Environment, target: u32) -> Result<Answer> {
    let store = environment.tables().stores.get(target)?;
    let health = store.store().health().await;
    let problems = health.problems.into_iter().map(Json::String).collect();
    Ok(json_answer(vec![("ok", Json::Bool(health.ok)), ("problems", Json::Array(problems))]))
}

fn store_stats(environment: &Environment, target: u32) -> Result<Answer> {
    let store = environment.tables().stores.get(target)?;
    let stats = store.store().stats();
    Ok(json_answer(vec![
        ("tenants", Json::Number(stats.tenants as f64)),
        ("openedBytes", Json::Number(stats.opened_bytes as f64)),
        ("alarms", Json::Number(stats.alarms as f64)),
    ]))
}

async fn references(handle: &TenantHandle, number: u32, arguments: &mut Reader<'_>) -> Result<Answer> {
    match number {
        10 => {
            let references = handle.put_references(vec![put_item(arguments)?]).await?;
            let reference = references.into_iter().next().map(|reference| reference.json).unwrap_or_default();
            Ok(Answer(reference.into_bytes()))
        }
        11 => {
            let count = arguments.u32()?;
            let items = (0..count).map(|_| put_item(arguments)).collect::<Result<_>>()?;
            let references = handle.put_references(items).await?;
            let texts: Vec<String> = references.into_iter().map(|reference| reference.json).collect();
            Ok(Answer(array(&texts).into_bytes()))
        }
        12 => Ok(resolved(Answer::default(), &handle.resolve(arguments.text()?).await?)),
        13 => {
            let count = arguments.u32()?;
            let ids = (0..count).map(|_| arguments.text()).collect::<Result<Vec<_>>>()?;
            let found = handle.resolve_many(&ids).await?;
            Ok(found.iter().fold(Answer::default(), |answer, found| match found {
                Some(found) => resolved(answer.u8(1), found),
                None => answer.u8(0),
            }))
        }
        14 => Ok(Answer(handle.describe(arguments.text()?).await?.json.into_bytes())),
        15 => {
            let type_name = arguments.optional_text()?;
            let (limit, cursor) = (arguments.whole("limit")?, arguments.optional_text()?);
            let limit = limit.map_or(100, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
            let page = handle.list_references(type_name, limit, cursor).await?;
            let cursor = page.cursor.map(|cursor| format!(",\"cursor\":\"{cursor}\"")).unwrap_or_default();
            Ok(Answer(format!("{{\"items\":{}{cursor}}}", array(&page.items)).into_bytes()))
        }
        _ => Ok(Answer::default().u8(u8::from(handle.delete_reference(arguments.text()?).await?))),
    }
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

/// `u32 length ‖ JSON ‖ u32 length ‖ content`
fn resolved(answer: Answer, found: &Resolved) -> Answer {
    answer.bytes(found.json.as_bytes()).bytes(found.bytes())
}

async fn cache(
    environment: &Environment,
    handle: &TenantHandle,
    number: u32,
    arguments: &mut Reader<'_>,
) -> Result<Answer> {
    match number {
        20 => {
            let value = handle.cache_get(arguments.text()?).await?;
            Ok(value.map_or_else(|| Answer::default().u8(0), |value| cached(&value)))
        }
        21 => {
            let (key, ttl_ms) = (arguments.text()?, arguments.whole("ttlMs")?);
            handle.cache_set(key, cache_value(arguments)?, ttl_ms).await?;
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
            handle.cache_computed(computing, cache_value(arguments)?).await?;
            Ok(Answer::default())
        }
        _ => {
            drop(environment.tables().computing.take(arguments.u32()?));
            Ok(Answer::default())
        }
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

async fn usage(handle: &TenantHandle) -> Result<Answer> {
    let kinds = handle.usage().await?.into_iter().map(|(kind, count)| {
        let count = Json::Object(vec![
            ("items".to_owned(), Json::Number(count.items as f64)),
            ("bytes".to_owned(), Json::Number(count.bytes as f64)),
        ]);
        (kind.name(), count)
    });
    Ok(json_answer(kinds.collect()))
}

fn json_answer(members: Vec<(&str, Json)>) -> Answer {
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Answer(json::write(&Json::Object(members)).into_bytes())
}

fn array(texts: &[String]) -> String {
    format!("[{}]", texts.join(","))
}
