//! Runs, with a scripted host.

mod behaviour;
mod continues;
mod crashes;
mod cut_off;
mod damage;
mod dying;
mod folded;
mod folded_threads;
pub(crate) mod host;
mod left;
mod left_crashes;
mod left_generated;
mod left_kept;
mod many_results;
mod multiplied;
mod processes;
pub(crate) mod queue;
mod queue_crashes;
mod queue_generated;
mod schemas;
mod scripted;
mod threads;
mod waits;
mod work;
mod work_generated;
mod written;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

pub(crate) use crate::support::wait;
use crate::support::{NOW, handle_of};
use bailiwick_model::json::Json;
use bailiwick_runtime::{Catalogue, RunPosition, RunRequest, Store, TenantHandle};
use bailiwick_store::Opened;
use host::{Host, parsed};

/// Does two things at once.
pub(crate) async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(context)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(context)
        {
            second = Some(value);
        }
        if first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (first.unwrap(), second.unwrap())
}

/// Every role, and tools of every kind.
pub(crate) const TEAM: &str = r#"{"bailiwick":1,
  "references":[{"name":"table"}],
  "plans":[{"name":"report"}],
  "tools":[
    {"name":"search","description":"Finds","effects":"read","input":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}},
    {"name":"book","description":"Books","onInterrupted":"retry","input":{"type":"object"}},
    {"name":"mail","description":"Mails","onInterrupted":"fail","input":{"type":"object"}},
    {"name":"send","description":"Sends","approval":"always","input":{"type":"object"}},
    {"name":"load","description":"Loads","effects":"read","result":"table","input":{"type":"object"}},
    {"name":"use","description":"Uses","onInterrupted":"retry","references":{"from":"table"},"input":{"type":"object","properties":{"from":{"type":"string"},"first":{"type":"number"}}}}
  ],
  "agents":[
    {"role":"coordinator","name":"front","model":"test/m","prompt":"Route.","routes":["planner","helper"],"tools":["search","book","mail","send","load","use"]},
    {"role":"planner","name":"planner","model":"test/m","prompt":"Plan.","plan":"report"},
    {"role":"executor","name":"worker","tools":["load","use","send"]},
    {"role":"specialist","name":"helper","model":"test/m","prompt":"Help.","tools":["search"],"output":{"type":"object","required":["n"]}}
  ]}"#;

pub(crate) fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap())
}

pub(crate) async fn open(opened: Opened, seed: u64) -> (Arc<Store>, TenantHandle) {
    let store = crate::support::store(opened, seed, NOW, 1 << 20).await;
    let handle = handle_of(&store, "acme", "v1", "", &catalogue());
    (store, handle)
}

pub(crate) fn request(prompt: &str) -> RunRequest {
    RunRequest::new(Json::from(prompt))
}

/// Runs a query to its result.
pub(crate) async fn query(handle: &TenantHandle, request: RunRequest, host: &Host) -> Json {
    let prepared = handle.runs().prepare(None).unwrap();
    parsed(&handle.runs().start(prepared, request, host).await.unwrap())
}

pub(crate) fn text<'a>(value: &'a Json, key: &str) -> &'a str {
    value.get(key).and_then(Json::as_str).unwrap_or_else(|| panic!("no {key} in {value:?}"))
}

/// The events of a run that is not at work, without deltas, after a check of their sequences.
pub(crate) async fn events(handle: &TenantHandle, run_id: &str) -> Vec<Json> {
    let (mut events, mut position) = (Vec::new(), RunPosition::default());
    loop {
        let page = handle.runs().events(run_id, position, false).await.unwrap();
        if page.events.is_empty() {
            break;
        }
        events.extend(page.events.iter().map(|event| parsed(event)));
        position = page.position;
    }
    events.retain(|event| event.get("sequence").is_some());
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event.get("sequence").unwrap().as_f64(), Some(at as f64), "{event:?}");
    }
    events
}

pub(crate) fn kinds(events: &[Json]) -> Vec<&str> {
    events.iter().map(|event| text(event, "type")).collect()
}
