//! What can be submitted, by number. The numbers and shapes stand in `ts/native/operations.ts` too.

mod approvals;
mod cache;
mod plans;
mod references;
mod runs;
mod store;
mod threads;
mod traces;

use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{DEFAULT_LIMIT, Held, Page};

pub(crate) use references::resolved_header;
use runs::{RESUME, START};

use crate::environment::Environment;
use crate::message::{Answer, Reader};

const PUT: u32 = 10;
const PUT_MANY: u32 = 11;
const GIVE_UP: u32 = 25;
const ERASE: u32 = 31;
const TRACES_FLUSH: u32 = 84;
const ROTATE_ROOT_KEY: u32 = 100;
const SETUP_STORE: u32 = 101;
const MIGRATE: u32 = 102;
const MIGRATED_SO_FAR: u32 = 103;

/// The names of the operations, for tests that make one panic.
pub(crate) fn name(number: u32) -> &'static str {
    match number {
        1 => "openStore",
        2 => "closeStore",
        3 => "storeHealth",
        4 => "storeStats",
        5 => "registerTopology",
        6 => "advanceClock",
        7 => "storeSweep",
        8 => "storeBackup",
        9 => "storeCheck",
        PUT => "put",
        PUT_MANY => "putMany",
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
        GIVE_UP => "cacheGiveUp",
        30 => "usage",
        ERASE => "erase",
        40 => "planSave",
        41 => "planLoad",
        42 => "planList",
        43 => "planHistory",
        50 => "approvalRequest",
        51 => "approvalGet",
        52 => "approvalPending",
        53 => "approvalRespond",
        54 => "approvalHistory",
        55 => "approvalCheckpoint",
        56 => "approvalProve",
        57 => "approvalProveConsistency",
        58 => "approvalVerify",
        70 => "threadsList",
        71 => "threadMessages",
        72 => "threadAppend",
        73 => "threadFork",
        74 => "threadDelete",
        80 => "tracesList",
        81 => "tracesEnd",
        82 => "tracesNext",
        83 => "tracesRejected",
        TRACES_FLUSH => "tracesFlush",
        90 => "runStart",
        91 => "runResume",
        92 => "runEvents",
        runs::CANCEL => "runCancel",
        94 => "runGet",
        95 => "runsList",
        96 => "tokens",
        97 => "runOrigin",
        ROTATE_ROOT_KEY => "rotateRootKey",
        SETUP_STORE => "setupStore",
        MIGRATE => "migrate",
        MIGRATED_SO_FAR => "migratedSoFar",
        _ => "unknown",
    }
}

/// Whether an operation is one of a handle, and counts for its tenant. What ends something does not, since it must not be
/// refused because a tenant is busy: giving up a computation, cancelling a run, writing the last traces, erasing.
pub(crate) fn is_of_a_tenant(number: u32) -> bool {
    !is_of_a_store(number) && !matches!(number, GIVE_UP | ERASE | TRACES_FLUSH | runs::CANCEL)
}

fn is_of_a_store(number: u32) -> bool {
    number < 10 || matches!(number, ROTATE_ROOT_KEY | SETUP_STORE | MIGRATE | MIGRATED_SO_FAR)
}

/// What a call takes besides its arguments and its answer, as measured: what JavaScript keeps of it (a promise, a closure),
/// its task and what it reads at first. It bounds the number of calls under way, too.
pub(crate) const CALL_BYTES: usize = 8 * 1024;

/// Whether an operation can be asked again when its answer was refused, because it changes nothing.
pub(crate) fn only_reads(number: u32) -> bool {
    matches!(number, 12..=15 | 20 | 30 | 41..=43 | 51 | 52 | 54 | 55..=58 | 70 | 71 | 80..=82 | 92 | 94..=97)
}

/// To be called for a call that is not started: a run that it was to begin is not prepared any more.
pub(crate) fn refused(environment: &Environment, number: u32, arguments: &[u8]) {
    if number == START
        && let Ok(run_id) = Reader::new(arguments).text()
    {
        drop(environment.tables().prepared.remove(run_id));
    }
}

/// Runs one operation. `target` is a store or a handle, `held` what the call holds of its tenant's limit.
pub(crate) async fn run(
    environment: &Arc<Environment>,
    number: u32,
    target: u32,
    given: Vec<u8>,
    held: Option<&Arc<Held>>,
) -> Result<Answer> {
    let mut arguments = Reader::new(&given);
    if is_of_a_store(number) {
        return store::run(environment, number, target, &mut arguments).await;
    }
    if number == GIVE_UP {
        // Without the handle, which may be closed by now: others may wait for this computation.
        drop(environment.tables().computing.take(arguments.u32()?));
        return Ok(Answer::default());
    }
    let handle = environment.tables().handles.get(target)?;
    if (START..=RESUME).contains(&number) {
        // A run reads in small parts for as long as it lasts. What it asks and answers is bounded by its own limits.
        return runs::run(environment, &handle, number, &mut arguments).await;
    }
    let handle = held.map_or_else(|| handle.clone(), |held| Arc::new(handle.within(held)));
    match number {
        PUT | PUT_MANY => {
            let items = references::items(number, &mut arguments)?;
            // They are copies, and what is large is not kept twice while it is written.
            drop(given);
            references::put(&handle, number, items).await
        }
        10..=19 => references::run(&handle, number, &mut arguments).await,
        20..=29 => cache::run(environment, &handle, number, given).await,
        30 => Ok(json_text(&handle.usage_json().await?)),
        ERASE => Ok(json_text(&handle.erase(arguments.text()?).await?)),
        40..=49 => plans::run(&handle, number, &mut arguments).await,
        50..=69 => approvals::run(&handle, number, &mut arguments).await,
        70..=79 => threads::run(&handle, number, &mut arguments).await,
        80..=89 => traces::run(&handle, number, &mut arguments).await,
        90..=99 => runs::run(environment, &handle, number, &mut arguments).await,
        _ => Err(no_such_operation()),
    }
}

fn no_such_operation() -> Error {
    Error::Internal("There is no such operation.".to_owned())
}

fn json_answer(members: Vec<(&str, Json)>) -> Answer {
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Answer(json::write(&Json::Object(members)).into_bytes())
}

fn json_text(value: &Json) -> Answer {
    Answer(json::write(value).into_bytes())
}

/// A page as JSON. Cursors need no escapes.
fn page_answer(page: Page) -> Answer {
    let cursor = page.cursor.map(|cursor| format!(",\"cursor\":\"{cursor}\"")).unwrap_or_default();
    Answer(array_within("{\"items\":", page.items, &format!("{cursor}}}")).into_bytes())
}

/// How many items a page is to have.
fn page_limit(arguments: &mut Reader<'_>) -> Result<usize> {
    Ok(arguments.whole("limit")?.map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

fn array(texts: Vec<String>) -> String {
    array_within("", texts, "")
}

/// JSON texts as an array, with what stands before and behind it. Each is gone once it is copied, so that there are never
/// more than two copies of what a call reads.
fn array_within(before: &str, texts: Vec<String>, behind: &str) -> String {
    let bytes = texts.iter().map(|text| text.len() + 1).sum::<usize>();
    let mut all = String::with_capacity(before.len() + 2 + bytes + behind.len());
    all.push_str(before);
    all.push('[');
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            all.push(',');
        }
        all.push_str(&text);
    }
    all.push(']');
    all.push_str(behind);
    all
}
