//! Stores and topologies.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_runtime::stores::{self, OpenOptions};
use bailiwick_runtime::{Catalogue, Clock, Outcome, Promptness, RootKey, StoreOptions, keep_swept, sweep};

use super::{MIGRATE, MIGRATED_SO_FAR, ROTATE_ROOT_KEY, SETUP_STORE, json_answer, no_such_operation};
use crate::environment::Environment;
use crate::message::{Answer, Reader};

pub(super) async fn run(
    environment: &Arc<Environment>,
    number: u32,
    target: u32,
    arguments: &mut Reader<'_>,
) -> Result<Answer> {
    match number {
        1 => open_store(environment, arguments).await,
        2 => {
            let store = end_handles(environment, target);
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
            let advanced = store.store().advance(arguments.whole("milliseconds")?.unwrap_or(0));
            Ok(Answer::default().u8(u8::from(advanced)))
        }
        7 => store_sweep(environment, target).await,
        8 => store_backup(environment, target, arguments.text()?).await,
        9 => store_check(environment, target).await,
        ROTATE_ROOT_KEY => {
            let store = environment.tables().stores.get(target)?;
            store.store().rotate_root_key(arguments.bytes()?).await?;
            Ok(Answer::default())
        }
        SETUP_STORE => {
            let url = stores::setup(arguments.text()?).await?;
            Ok(json_answer(vec![("url", Json::String(url))]))
        }
        MIGRATE => migrate(environment, arguments).await,
        MIGRATED_SO_FAR => {
            let progress = environment.tables().progress.clone();
            let number = |count: &AtomicU64| Json::Number(count.load(Ordering::Relaxed) as f64);
            Ok(json_answer(vec![("copied", number(&progress.copied)), ("compared", number(&progress.compared))]))
        }
        _ => Err(no_such_operation()),
    }
}

async fn migrate(environment: &Arc<Environment>, arguments: &mut Reader<'_>) -> Result<Answer> {
    let (from, to) = (arguments.text()?, arguments.text()?);
    let root_key = root_key(arguments)?;
    let progress = Arc::default();
    environment.tables().progress = Arc::clone(&progress);
    let migrated = stores::migrate(from, to, root_key, &progress).await?;
    let mut members = vec![
        ("from", Json::String(migrated.from)),
        ("to", Json::String(migrated.to)),
        ("hasKeyBeside", Json::Bool(migrated.has_key_beside)),
    ];
    if let Outcome::Moved(moved) = migrated.outcome {
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

fn root_key(arguments: &mut Reader<'_>) -> Result<RootKey> {
    Ok(match arguments.u8()? {
        0 => RootKey::Local,
        1 => RootKey::Given(arguments.bytes()?.to_vec().into()),
        _ => RootKey::from_base64(arguments.text()?)?,
    })
}

/// Takes a store out and ends what its handles wait for. Other holders of the same store are not concerned.
fn end_handles(environment: &Environment, target: u32) -> Option<Arc<stores::StoreHandle>> {
    let mut tables = environment.tables();
    let numbers: Vec<u32> = tables.stores_of.iter().filter(|(_, store)| **store == target).map(|(at, _)| *at).collect();
    numbers.iter().filter_map(|number| tables.handles.get(*number).ok()).for_each(|handle| handle.close());
    tables.stores.take(target)
}

async fn open_store(environment: &Arc<Environment>, arguments: &mut Reader<'_>) -> Result<Answer> {
    let url = arguments.text()?;
    let root_key = root_key(arguments)?;
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
    match environment.keep_store(handle.clone()) {
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

async fn store_sweep(environment: &Environment, target: u32) -> Result<Answer> {
    let store = environment.tables().stores.get(target)?;
    let swept = sweep(store.store(), Promptness::Now).await?;
    Ok(json_answer(vec![
        ("removed", Json::Number(swept.removed as f64)),
        ("expiredApprovals", Json::Number(swept.expired_approvals as f64)),
        ("erased", Json::Number(swept.erased as f64)),
    ]))
}

async fn store_backup(environment: &Environment, target: u32, directory: &str) -> Result<Answer> {
    let store = environment.tables().stores.get(target)?;
    let copied = store.backup(Path::new(directory)).await?;
    Ok(json_answer(vec![("rows", Json::Number(copied.rows as f64)), ("bytes", Json::Number(copied.bytes as f64))]))
}

async fn store_check(environment: &Environment, target: u32) -> Result<Answer> {
    let store = environment.tables().stores.get(target)?;
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
