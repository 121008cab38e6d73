//! Threads.

use bailiwick_model::Result;
use bailiwick_model::json::Json;

use super::call::{Call, array_answer, flag, json_answer, page_answer, page_limit};
use crate::message::Answer;

pub(super) async fn list(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let actor = arguments.optional_text()?;
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.threads().list(actor, limit, cursor).await?))
}

pub(super) async fn messages(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let thread = arguments.text()?;
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.threads().messages(thread, limit, cursor).await?))
}

pub(super) async fn append(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (thread, expected_length) = (arguments.text()?, arguments.whole("expectedLength")?);
    let messages = handle.threads().append(thread, arguments.bytes()?, expected_length).await?;
    Ok(array_answer(messages))
}

pub(super) async fn fork(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (thread, through) = (arguments.text()?, arguments.text()?);
    let new_id = handle.threads().fork(thread, through, arguments.optional_text()?).await?;
    Ok(json_answer(vec![("threadId", Json::String(new_id))]))
}

pub(super) async fn delete(call: Call) -> Result<Answer> {
    Ok(flag(call.handle()?.threads().delete(call.reader().text()?).await?))
}
