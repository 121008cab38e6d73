//! Traces.

use std::time::Duration;

use bailiwick_model::Result;
use bailiwick_model::json::Text;
use bailiwick_runtime::{HostEvent, Rejection, TracePage, TracePosition};
use serde::Serialize;

use super::call::{Call, json_text, page_answer, page_limit};
use crate::message::Answer;

/// The time that a call waits for events before it answers with none. The caller asks again, so that a follower of a handle
/// learns that it was closed.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn list(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let run_id = arguments.optional_text()?;
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.traces().list(run_id, limit, cursor).await?))
}

pub(super) async fn end(call: Call) -> Result<Answer> {
    Ok(json_text(&numbers(call.handle()?.traces().end().await?)))
}

pub(super) async fn next(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let mut number = || arguments.whole("after").map(Option::unwrap_or_default);
    let after = TracePosition { host: number()?, runs: number()? };
    let page = match tokio::time::timeout(PATIENCE, handle.traces().next(after)).await {
        Ok(page) => page?,
        Err(_) => TracePage { events: Vec::new(), next: Some(after) },
    };
    let events = page.events.into_iter().map(Text::new).collect();
    Ok(json_text(&Next { events, next: page.next.map(numbers) }))
}

#[derive(Serialize)]
struct Next {
    events: Vec<Text>,
    next: Option<[u64; 2]>,
}

pub(super) async fn rejected(call: Call) -> Result<Answer> {
    call.handle()?.traces().record(&HostEvent::RequestRejected { reason: Rejection::Tenant }).await;
    Ok(Answer::default())
}

pub(super) async fn flush(call: Call) -> Result<Answer> {
    call.handle()?.traces().flush().await?;
    Ok(Answer::default())
}

fn numbers(position: TracePosition) -> [u64; 2] {
    [position.host, position.runs]
}
