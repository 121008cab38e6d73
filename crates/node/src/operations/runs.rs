//! Runs, the waits of their calls, and the work that waits for a process.

use std::sync::Arc;
use std::time::Duration;

use bailiwick_model::json::Text;
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{
    OnChanged, RunFilter, RunPage, RunPosition, RunRequest, Swept, TenantHandle, TenantWork, WaitFilter, take_work,
};
use serde::Serialize;

use super::call::{Call, flag, json_text, page_answer, page_limit};
use super::host::Host;
use crate::environment::Environment;
use crate::message::{Answer, Reader};

/// The time that a call waits for events before it answers with none. The caller asks again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time that a call waits for work before it answers with none. The caller asks again.
const WORK_PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn start(call: Call) -> Result<Answer> {
    let mut arguments = call.reader();
    // Before anything can fail: what is left would keep the run's id.
    let prepared = call.environment.tables().take_prepared(arguments.text()?);
    let handle = call.unmetered_handle()?;
    let mut prepared = prepared.ok_or_else(|| Error::internal("A run was begun twice."))?;
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
    let (is_taken, row) = (arguments.u8()? == 1, arguments.whole("row")?);
    let host = if arguments.u8()? == 1 { Host { on_changed: OnChanged::Take, ..host } } else { host };
    let runs = handle.runs();
    let result = if is_taken { runs.take_up(run_id, row, &host).await } else { runs.resume(run_id, &host).await };
    Ok(Answer(result?.into_bytes()))
}

fn host(environment: &Arc<Environment>, handle: &Arc<TenantHandle>, arguments: &mut Reader<'_>) -> Result<Host> {
    let number = arguments.whole("host")?.unwrap_or_default();
    let has_approver = arguments.u8()? == 1;
    Ok(Host {
        environment: environment.clone(),
        handle: handle.clone(),
        number,
        has_approver,
        on_changed: OnChanged::Keep,
    })
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
    let progress = arguments.whole("progress")?.unwrap_or(0);
    let position = RunPosition { next, message_id, text, reasoning, progress };
    let patient = arguments.u8()? == 1;
    let page = match tokio::time::timeout(PATIENCE, handle.runs().events(run_id, position.clone(), patient)).await {
        Ok(page) => page?,
        Err(_) => RunPage { events: Vec::new(), position, live: true, over: false },
    };
    let RunPosition { next, message_id, text, reasoning, progress } = page.position;
    Ok(json_text(&Events {
        events: page.events.into_iter().map(Text::new).collect(),
        live: page.live,
        over: page.over,
        position: Position { next, message_id, text, reasoning, progress },
    }))
}

fn number(arguments: &mut Reader<'_>, name: &str) -> Result<usize> {
    Ok(arguments.whole(name)?.map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX)))
}

/// The answer of `workTake`: work, and the result of the housekeeping since the last answer, if there was any.
#[derive(Serialize)]
struct TakenWork {
    work: Vec<TenantWork>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swept: Option<SweptShown>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SweptShown {
    removed: u64,
    expired_approvals: u64,
    erased: u64,
    duration_ms: u64,
}

impl From<(Swept, u64)> for SweptShown {
    fn from((Swept { removed, expired_approvals, erased }, duration_ms): (Swept, u64)) -> Self {
        Self { removed, expired_approvals, erased, duration_ms }
    }
}

pub(super) async fn take_work_of_store(call: Call) -> Result<Answer> {
    let (store, mut arguments) = (call.store()?, call.reader());
    let (most, each) = (number(&mut arguments, "most")?, number(&mut arguments, "each")?);
    let work = take_work(store.store(), most, each, WORK_PATIENCE).await?;
    let swept = store.store().take_swept().map(SweptShown::from);
    Ok(json_text(&TakenWork { work, swept }))
}

pub(super) async fn more_work(call: Call) -> Result<Answer> {
    let handle = call.handle()?;
    let most = number(&mut call.reader(), "most")?;
    let work = handle.work(0, most).await?;
    Ok(json_text(&work.unwrap_or_else(|| TenantWork::none(&handle))))
}

pub(super) async fn release(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.unmetered_handle()?, call.reader());
    let run_id = arguments.text()?;
    match arguments.u8()? {
        2 => handle.runs().release_queued(run_id),
        how => handle.runs().release(run_id, how == 1).await?,
    }
    Ok(Answer::default())
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
    progress: u64,
}

pub(super) async fn wait_get(call: Call) -> Result<Answer> {
    Ok(json_text(&call.handle()?.waits().get(call.reader().text()?).await?))
}

pub(super) async fn wait_list(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    let mut text = || arguments.optional_text().map(|text| text.map(str::to_owned));
    let filter = WaitFilter { run_id: text()?, kind: text()? };
    Ok(page_answer(handle.waits().list(&filter, limit, cursor).await?))
}

pub(super) async fn wait_settle(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (wait_id, actor, given) = (arguments.text()?, arguments.optional_text()?, arguments.bytes()?);
    let taken = handle.parsing(given, 2)?;
    let record = handle.waits().settle(wait_id, given, actor).await?;
    drop(taken);
    Ok(json_text(&record))
}

pub(super) async fn wait_cancel(call: Call) -> Result<Answer> {
    Ok(flag(call.handle()?.waits().cancel(call.reader().text()?).await?))
}
