//! How the answer of each operation is bounded.

use std::future::Future;
use std::pin::Pin;

use bailiwick_model::Result;
use bailiwick_model::json;
use bailiwick_runtime::{Begun, CacheValue, Page, RunFilter, RunPosition, TenantHandle, TracePosition, WaitFilter};

use crate::world::World;

/// A call: how many bytes its answer has.
pub(crate) type Call = Box<dyn FnOnce(TenantHandle) -> Pin<Box<dyn Future<Output = Result<usize>> + Send>>>;

pub(crate) enum Cell {
    /// What it answers is not larger than what it was asked, but for a few KiB.
    Bounded,
    /// It reserves what it reads.
    Reads(Vec<Call>),
    /// The same; it also goes through all there is, part by part.
    Parts(Vec<Call>),
}

fn call<F>(call: impl FnOnce(TenantHandle) -> F + 'static) -> Call
where
    F: Future<Output = Result<usize>> + Send + 'static,
{
    Box::new(move |handle| Box::pin(call(handle)))
}

fn size<T: serde::Serialize>(page: Page<T>) -> usize {
    page.items.iter().map(|item| json::to_text(item).len()).sum()
}

fn cached(value: CacheValue) -> usize {
    let (CacheValue::Json(bytes) | CacheValue::Bytes(bytes)) = value;
    bytes.len()
}

/// `None`: nobody has thought about it.
#[allow(clippy::too_many_lines, reason = "a table: an arm for each operation")]
pub(crate) fn cell(world: &World, operation: &str) -> Option<Cell> {
    let (run, approval, message) = (world.run.clone(), world.approval.clone(), world.last_message.clone());
    let (large, references) = (world.large.clone(), world.references.clone());
    let [wait, other_wait] = world.waits.clone();
    Some(match operation {
        // One value or a few of what was put, and a description of each.
        "put" | "putMany" | "delete" | "cacheSet" | "cacheDelete" | "cacheComputed" | "cacheGiveUp" => Cell::Bounded,
        "usage" | "erase" | "planSave" | "approvalRequest" | "threadAppend" => Cell::Bounded,
        "tracesEnd" | "tracesRejected" | "tracesFlush" | "runCancel" | "tokens" => Cell::Bounded,
        // A run is bounded by its own limits: answers of models, results in line, one input and one request at a time.
        "runStart" | "runResume" | "runRelease" => Cell::Bounded,
        // At most a number of ids.
        "workMore" => Cell::Bounded,
        "resolve" => {
            let one = references.first().cloned().unwrap_or_default();
            let resolve =
                |id: String| call(|handle| async move { Ok(handle.references().resolve(&id).await?.bytes().len()) });
            Cell::Reads(vec![resolve(large), resolve(one)])
        }
        "resolveMany" => Cell::Reads(vec![call(|handle| async move {
            let ids: Vec<&str> = references.iter().map(String::as_str).collect();
            let found = handle.references().resolve_many(&ids).await?;
            Ok(found.iter().flatten().map(|found| found.bytes().len()).sum())
        })]),
        "describe" => Cell::Reads(vec![call(|handle| async move {
            Ok(json::to_text(&handle.references().describe(&large).await?).len())
        })]),
        "list" => {
            Cell::Reads(vec![call(|handle| async move { Ok(size(handle.references().list(None, 1000, None).await?)) })])
        }
        "cacheGet" => {
            let get = |key: &'static str| {
                call(move |handle| async move { Ok(handle.cache().get(key).await?.map_or(0, cached)) })
            };
            Cell::Reads(vec![get("large"), get("small")])
        }
        "cacheBegin" => Cell::Reads(vec![call(|handle| async move {
            Ok(match handle.cache().begin("large", None).await? {
                Begun::Value(value) => cached(value),
                Begun::Compute(_) => 0,
            })
        })]),
        "planLoad" => Cell::Reads(vec![call(|handle| async move {
            Ok(json::to_text(&handle.plans().load("p", Some(3)).await?).len())
        })]),
        "planList" => Cell::Reads(vec![call(|handle| async move { Ok(size(handle.plans().list(1000, None).await?)) })]),
        "planHistory" => Cell::Reads(vec![call(|handle| async move {
            Ok(handle.plans().history("p").await?.iter().map(|plan| plan.len()).sum())
        })]),
        "approvalGet" => Cell::Reads(vec![call(|handle| async move {
            Ok(json::to_text(&handle.approvals().get(&approval).await?).len())
        })]),
        "approvalPending" => {
            Cell::Reads(vec![call(|handle| async move { Ok(size(handle.approvals().pending(1000, None).await?)) })])
        }
        "approvalRespond" => Cell::Reads(vec![call(|handle| async move {
            let wrong = handle
                .approvals()
                .respond("approval_", bailiwick_model::ledger::record::Decision::Rejected, "kim", None)
                .await;
            Ok(wrong.err().map_or(0, |error| error.to_string().len()))
        })]),
        "approvalHistory" => {
            Cell::Reads(vec![call(|handle| async move { Ok(size(handle.approvals().history(1000, None).await?)) })])
        }
        "approvalCheckpoint" => Cell::Reads(vec![call(|handle| async move {
            Ok(json::write(&handle.approvals().checkpoint().await?.to_json()).len())
        })]),
        "approvalProve" => Cell::Reads(vec![call(|handle| async move {
            Ok(json::write(&handle.approvals().prove(7).await?.to_json()).len())
        })]),
        "approvalProveConsistency" => Cell::Reads(vec![call(|handle| async move {
            let from = handle.approvals().checkpoint().await?;
            Ok(json::write(&handle.approvals().prove_consistency(from).await?.to_json()).len())
        })]),
        "approvalVerify" => {
            Cell::Parts(vec![call(
                |handle| async move { Ok(json::to_text(&handle.approvals().verify(None).await?).len()) },
            )])
        }
        "threadsList" => {
            Cell::Reads(vec![call(|handle| async move { Ok(size(handle.threads().list(None, 1000, None).await?)) })])
        }
        "threadMessages" => {
            Cell::Reads(vec![call(|handle| async move { Ok(size(handle.threads().messages("t", 1000, None).await?)) })])
        }
        "threadFork" => {
            Cell::Parts(vec![call(|handle| async move { Ok(handle.threads().fork("t", &message, None).await?.len()) })])
        }
        "threadDelete" => {
            Cell::Reads(vec![call(|handle| async move { Ok(usize::from(handle.threads().delete("t2").await?)) })])
        }
        "tracesList" => Cell::Reads(vec![
            call(|handle| async move { Ok(size(handle.traces().list(None, 1000, None).await?)) }),
            call(|handle| async move { Ok(size(handle.traces().list(Some(&run), 1000, None).await?)) }),
        ]),
        "tracesNext" => Cell::Reads(vec![call(|handle| async move {
            let page = handle.traces().next(TracePosition::default()).await?;
            Ok(page.events.iter().map(String::len).sum())
        })]),
        "runEvents" => Cell::Reads(vec![call(|handle| async move {
            let page = handle.runs().events(&run, RunPosition::default(), false).await?;
            Ok(page.events.iter().map(String::len).sum())
        })]),
        "runGet" => Cell::Reads(vec![call(|handle| async move { Ok(handle.runs().summary(&run).await?.len()) })]),
        "runOrigin" => Cell::Reads(vec![call(|handle| async move { Ok(handle.runs().origin(&run).await?.len()) })]),
        "waitGet" => Cell::Reads(vec![call(|handle| async move { Ok(handle.waits().get(&wait).await?.len()) })]),
        "waitList" => Cell::Reads(vec![call(|handle| async move {
            Ok(size(handle.waits().list(&WaitFilter::default(), 1000, None).await?))
        })]),
        "waitSettle" => Cell::Reads(vec![call(|handle| async move {
            Ok(handle.waits().settle(&wait, br#"{"value":"so"}"#, None).await?.len())
        })]),
        "waitCancel" => {
            Cell::Reads(vec![call(|handle| async move { Ok(usize::from(handle.waits().cancel(&other_wait).await?)) })])
        }
        "runsList" => Cell::Reads(vec![call(|handle| async move {
            Ok(size(handle.runs().list(&RunFilter::default(), 1000, None).await?))
        })]),
        _ => return None,
    })
}
