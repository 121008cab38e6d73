//! Runs.

use std::sync::Arc;
use std::time::Duration;

use bailiwick_model::json::Text;
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{RunFilter, RunPage, RunPosition, RunRequest, TenantHandle};
use serde::Serialize;

use super::call::{Call, json_text, page_answer, page_limit};
use super::host::Host;
use crate::environment::Environment;
use crate::message::{Answer, Reader};

/// The time that a call waits for events before it answers with none. The caller asks again.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn start(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.unmetered_handle()?, call.reader());
    let prepared = call.environment.tables().prepared.remove(arguments.text()?);
    let prepared = prepared.ok_or_else(|| Error::internal("A run was begun twice."))?;
    let host = host(&call.environment, &handle, &mut arguments)?;
    if arguments.u8()? == 1 {
        prepared.cancel();
    }
    let request = RunRequest::read(arguments.bytes()?)?;
    Ok(Answer(handle.runs().start(prepared, request, &host).await?.into_bytes()))
}

pub(super) async fn resume(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.unmetered_handle()?, call.reader());
    let run_id = arguments.text()?;
    let host = host(&call.environment, &handle, &mut arguments)?;
    Ok(Answer(handle.runs().resume(run_id, &host).await?.into_bytes()))
}

fn host(environment: &Arc<Environment>, handle: &Arc<TenantHandle>, arguments: &mut Reader<'_>) -> Result<Host> {
    let number = arguments.whole("host")?.unwrap_or_default();
    let has_approver = arguments.u8()? == 1;
    Ok(Host { environment: environment.clone(), handle: handle.clone(), number, has_approver })
}

pub(super) async fn cancel(call: Call) -> Result<Answer> {
    call.handle()?.runs().cancel(call.reader().text()?).await?;
    Ok(Answer::default())
}

pub(super) async fn get(call: Call) -> Result<Answer> {
    Ok(Answer(call.handle()?.runs().summary(call.reader().text()?).await?.into_bytes()))
}

pub(super) async fn list(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let mut next = || Ok::<_, Error>(arguments.optional_text()?.map(str::to_owned));
    let filter = RunFilter { status: next()?, thread_id: next()?, actor: next()? };
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.runs().list(&filter, limit, cursor).await?))
}

pub(super) async fn tokens(call: Call) -> Result<Answer> {
    Ok(Answer(call.handle()?.runs().tokens().await?.into_bytes()))
}

pub(super) async fn origin(call: Call) -> Result<Answer> {
    Ok(Answer(call.handle()?.runs().origin(call.reader().text()?).await?.into_bytes()))
}

pub(super) async fn events(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let run_id = arguments.text()?;
    let next = arguments.whole("after")?.unwrap_or(0);
    let message_id = arguments.text()?.to_owned();
    let text = arguments.whole("text")?.unwrap_or(0);
    let reasoning = arguments.whole("reasoning")?.unwrap_or(0);
    let position = RunPosition { next, message_id, text, reasoning };
    let patient = arguments.u8()? == 1;
    let page = match tokio::time::timeout(PATIENCE, handle.runs().events(run_id, position.clone(), patient)).await {
        Ok(page) => page?,
        Err(_) => RunPage { events: Vec::new(), position, live: true, over: false },
    };
    let RunPosition { next, message_id, text, reasoning } = page.position;
    Ok(json_text(&Events {
        events: page.events.into_iter().map(Text::new).collect(),
        live: page.live,
        over: page.over,
        position: Position { next, message_id, text, reasoning },
    }))
}

#[derive(Serialize)]
struct Events {
    events: Vec<Text>,
    live: bool,
    over: bool,
    position: Position,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Position {
    next: u64,
    message_id: String,
    text: u64,
    reasoning: u64,
}
