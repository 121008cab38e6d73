//! Stores and topologies.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_runtime::stores::{self, OpenOptions};
use bailiwick_runtime::{Catalogue, Clock, MigrationOutcome, Promptness, RootKey, StoreOptions, keep_swept};

use super::call::{Call, flag, json_answer};
use crate::environment::Environment;
use crate::message::{Answer, Reader};

pub(super) async fn open(call: Call) -> Result<Answer> {
    let mut arguments = call.reader();
    let url = arguments.text()?;
    let root_key = root_key(&mut arguments)?;
    let engine_cache_bytes = arguments.whole("cacheBytes")?;
    let opened_bytes = arguments.whole("openedCacheBytes")?;
    let connections = arguments.whole("connections")?;
    let seed = arguments.whole("seed")?;
    let now = arguments.whole("now")?;
    let must_exist = arguments.u8()? == 1;
    let defaults = StoreOptions::default();
    let store = StoreOptions {
        root_key,
        opened_bytes: opened_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(defaults.opened_bytes),
        clock: now.map_or_else(Clock::system, Clock::fixed),
        seed,
    };
    let handle = Arc::new(stores::open(url, OpenOptions { store, engine_cache_bytes, connections, must_exist }).await?);
    match call.environment.keep_store(handle.clone()) {
        Ok(number) => {
            tokio::spawn(keep_swept(Arc::downgrade(handle.store())));
            let public_key = handle.store().public_key();
            let answer = text(Answer::default().u32(number), &public_key);
            Ok(text(answer, handle.url()))
        }
        Err(error) => {
            handle.release().await;
            Err(error)
        }
    }
}

fn text(answer: Answer, text: &str) -> Answer {
    answer.u32(u32::try_from(text.len()).unwrap_or(u32::MAX)).rest(text.as_bytes())
}

fn root_key(arguments: &mut Reader<'_>) -> Result<RootKey> {
    Ok(match arguments.u8()? {
        0 => RootKey::Local,
        1 => RootKey::Given(arguments.bytes()?.to_vec().into()),
        _ => RootKey::from_base64(arguments.text()?)?,
    })
}

pub(super) async fn close(call: Call) -> Result<Answer> {
    if let Some(store) = end_handles(&call.environment, call.target) {
        store.release().await;
    }
    Ok(Answer::default())
}

/// Takes a store out and ends what its handles wait for. Other holders of the same store are not concerned.
fn end_handles(environment: &Environment, target: u32) -> Option<Arc<stores::StoreHandle>> {
    let mut tables = environment.tables();
    let numbers: Vec<u32> = tables.stores_of.iter().filter(|(_, store)| **store == target).map(|(at, _)| *at).collect();
    numbers.iter().filter_map(|number| tables.handles.get(*number).ok()).for_each(|handle| handle.close());
    tables.stores.take(target)
}

pub(super) async fn health(call: Call) -> Result<Answer> {
    let store = call.store()?;
    let health = store.store().health().await;
    let problems = health.problems.into_iter().map(Json::String).collect();
    Ok(json_answer(vec![("ok", Json::Bool(health.ok)), ("problems", Json::Array(problems))]))
}

pub(super) async fn stats(call: Call) -> Result<Answer> {
    let store = call.store()?;
    let stats = store.store().stats();
    Ok(json_answer(vec![
        ("tenants", Json::Number(stats.tenants as f64)),
        ("openedBytes", Json::Number(stats.opened_bytes as f64)),
        ("alarms", Json::Number(stats.alarms as f64)),
    ]))
}

pub(super) async fn sweep(call: Call) -> Result<Answer> {
    let store = call.store()?;
    let swept = bailiwick_runtime::sweep(store.store(), Promptness::Now).await?;
    Ok(json_answer(vec![
        ("removed", Json::Number(swept.removed as f64)),
        ("expiredApprovals", Json::Number(swept.expired_approvals as f64)),
        ("erased", Json::Number(swept.erased as f64)),
    ]))
}

pub(super) async fn compact(call: Call) -> Result<Answer> {
    let store = call.store()?;
    let compacted = store.store().compact().await?;
    Ok(json_answer(vec![
        ("bytesBefore", Json::Number(compacted.before as f64)),
        ("bytesAfter", Json::Number(compacted.after as f64)),
    ]))
}

pub(super) async fn backup(call: Call) -> Result<Answer> {
    let store = call.store()?;
    let copied = store.backup(Path::new(call.reader().text()?)).await?;
    Ok(json_answer(vec![("rows", Json::Number(copied.rows as f64)), ("bytes", Json::Number(copied.bytes as f64))]))
}

pub(super) async fn check(call: Call) -> Result<Answer> {
    let store = call.store()?;
    let report = store.store().check().await?;
    Ok(json_answer(vec![
        ("ok", Json::Bool(report.count == 0)),
        ("tenants", Json::Number(report.tenants as f64)),
        ("rows", Json::Number(report.rows as f64)),
        ("bytes", Json::Number(report.bytes as f64)),
        ("count", Json::Number(report.count as f64)),
        ("problems", Json::Array(report.problems.into_iter().map(Json::String).collect())),
    ]))
}

pub(super) async fn register_topology(call: Call) -> Result<Answer> {
    let topology = json::parse(call.reader().bytes()?, &json::Limits::default())?;
    let catalogue = Arc::new(Catalogue::from_json(&topology)?);
    Ok(Answer::default().u32(call.environment.tables().topologies.add(catalogue)?))
}

pub(super) async fn advance_clock(call: Call) -> Result<Answer> {
    let store = call.store()?;
    Ok(flag(store.store().advance(call.reader().whole("milliseconds")?.unwrap_or(0))))
}

pub(super) async fn rotate_root_key(call: Call) -> Result<Answer> {
    call.store()?.store().rotate_root_key(call.reader().bytes()?).await?;
    Ok(Answer::default())
}

pub(super) async fn setup(call: Call) -> Result<Answer> {
    let url = stores::setup(call.reader().text()?).await?;
    Ok(json_answer(vec![("url", Json::String(url))]))
}

pub(super) async fn migrate(call: Call) -> Result<Answer> {
    let mut arguments = call.reader();
    let (from, to) = (arguments.text()?, arguments.text()?);
    let root_key = root_key(&mut arguments)?;
    let progress = Arc::default();
    call.environment.tables().progress = Arc::clone(&progress);
    let migrated = stores::migrate(from, to, root_key, &progress).await?;
    let mut members = vec![
        ("from", Json::String(migrated.from)),
        ("to", Json::String(migrated.to)),
        ("hasKeyBeside", Json::Bool(migrated.root_key_in_dir)),
    ];
    if let MigrationOutcome::Moved(moved) = migrated.outcome {
        let numbers = [
            ("tenants", moved.tenants),
            ("rows", moved.all.rows),
            ("bytes", moved.all.bytes),
            ("written", moved.written),
        ];
        members.extend(numbers.map(|(name, number)| (name, Json::Number(number as f64))));
    }
    Ok(json_answer(members))
}

pub(super) async fn migrated_so_far(call: Call) -> Result<Answer> {
    let progress = call.environment.tables().progress.clone();
    let number = |count: &AtomicU64| Json::Number(count.load(Ordering::Relaxed) as f64);
    Ok(json_answer(vec![("copied", number(&progress.copied)), ("compared", number(&progress.compared))]))
}
