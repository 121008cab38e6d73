//! Threads.

use bailiwick_model::Result;
use bailiwick_model::json::Json;
use bailiwick_runtime::TenantHandle;

use super::{array, json_answer, no_such_operation, page_answer, page_limit};
use crate::message::{Answer, Reader};

pub(super) async fn run(handle: &TenantHandle, number: u32, arguments: &mut Reader<'_>) -> Result<Answer> {
    match number {
        70 => {
            let actor = arguments.optional_text()?;
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.list_threads(actor, limit, cursor).await?))
        }
        71 => {
            let thread = arguments.text()?;
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.thread_messages(thread, limit, cursor).await?))
        }
        72 => {
            let (thread, expected_length) = (arguments.text()?, arguments.whole("expectedLength")?);
            let messages = handle.append_messages(thread, arguments.bytes()?, expected_length).await?;
            Ok(Answer(array(messages).into_bytes()))
        }
        73 => {
            let (thread, through) = (arguments.text()?, arguments.text()?);
            let new_id = handle.fork_thread(thread, through, arguments.optional_text()?).await?;
            Ok(json_answer(vec![("threadId", Json::String(new_id))]))
        }
        74 => Ok(Answer::default().u8(u8::from(handle.delete_thread(arguments.text()?).await?))),
        _ => Err(no_such_operation()),
    }
}
