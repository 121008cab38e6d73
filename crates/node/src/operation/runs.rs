//! Runs.

use std::sync::Arc;
use std::time::Duration;

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{RunFilter, RunPage, RunPosition, RunRequest, TenantHandle};

use super::{array, no_such_operation, page_answer, page_limit};
use crate::environment::Environment;
use crate::message::{Answer, Reader};
use crate::questions::Host;

/// The operation that begins a run.
pub(super) const START: u32 = 90;
/// The operation that cancels a run.
pub(super) const CANCEL: u32 = 93;
/// The operation that goes on with one.
pub(super) const RESUME: u32 = 91;
/// How long a call waits for events before it answers with none. The caller asks again.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn run(
    environment: &Arc<Environment>,
    handle: &Arc<TenantHandle>,
    number: u32,
    arguments: &mut Reader<'_>,
) -> Result<Answer> {
    match number {
        START => {
            let run_id = arguments.text()?;
            let prepared = environment.tables().prepared.remove(run_id);
            let prepared = prepared.ok_or_else(|| Error::Internal("A run was begun twice.".to_owned()))?;
            let host = host(environment, handle, arguments)?;
            if arguments.u8()? == 1 {
                prepared.cancel();
            }
            let request = RunRequest::read(arguments.bytes()?)?;
            Ok(Answer(handle.start_run(prepared, request, &host).await?.into_bytes()))
        }
        RESUME => {
            let run_id = arguments.text()?;
            let host = host(environment, handle, arguments)?;
            Ok(Answer(handle.resume_run(run_id, &host).await?.into_bytes()))
        }
        92 => events(handle, arguments).await,
        CANCEL => {
            handle.cancel_run(arguments.text()?).await?;
            Ok(Answer::default())
        }
        94 => Ok(Answer(handle.run_summary(arguments.text()?).await?.into_bytes())),
        95 => {
            let mut next = || Ok::<_, Error>(arguments.optional_text()?.map(str::to_owned));
            let filter = RunFilter { status: next()?, thread_id: next()?, actor: next()? };
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.list_runs(&filter, limit, cursor).await?))
        }
        96 => Ok(Answer(handle.tokens().await?.into_bytes())),
        97 => Ok(Answer(handle.run_origin(arguments.text()?).await?.into_bytes())),
        _ => Err(no_such_operation()),
    }
}

fn host(environment: &Arc<Environment>, handle: &Arc<TenantHandle>, arguments: &mut Reader<'_>) -> Result<Host> {
    let number = arguments.whole("host")?.unwrap_or_default();
    let has_approver = arguments.u8()? == 1;
    Ok(Host { environment: environment.clone(), handle: handle.clone(), number, has_approver })
}

async fn events(handle: &TenantHandle, arguments: &mut Reader<'_>) -> Result<Answer> {
    let run_id = arguments.text()?;
    let whole = |name: &str, arguments: &mut Reader<'_>| Ok::<_, Error>(arguments.whole(name)?.unwrap_or(0));
    let next = whole("after", arguments)?;
    let message_id = arguments.text()?.to_owned();
    let (text, reasoning) = (whole("text", arguments)?, whole("reasoning", arguments)?);
    let position = RunPosition { next, message_id, text, reasoning };
    let patient = arguments.u8()? == 1;
    let page = match tokio::time::timeout(PATIENCE, handle.run_events(run_id, position.clone(), patient)).await {
        Ok(page) => page?,
        Err(_) => RunPage { events: Vec::new(), position, live: true, over: false },
    };
    let RunPosition { next, message_id, text, reasoning } = &page.position;
    let message_id = json::write(&Json::from(message_id.as_str()));
    Ok(Answer(
        format!(
            "{{\"events\":{},\"live\":{},\"over\":{},\"position\":{{\"next\":{next},\"messageId\":{message_id},\"text\":{text},\"reasoning\":{reasoning}}}}}",
            array(page.events),
            page.live,
            page.over,
        )
        .into_bytes(),
    ))
}
