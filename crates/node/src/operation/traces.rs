//! Traces.

use std::time::Duration;

use bailiwick_model::Result;
use bailiwick_runtime::{HostEvent, TenantHandle, TracePage, TracePosition};

use super::{array, no_such_operation, page_answer, page_limit};
use crate::message::{Answer, Reader};

/// How long a call waits for events before it answers with none. The caller asks again: so that whoever follows a handle
/// finds out that it was closed, and nothing waits for ever.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn run(handle: &TenantHandle, number: u32, arguments: &mut Reader<'_>) -> Result<Answer> {
    match number {
        80 => {
            let run_id = arguments.optional_text()?;
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.list_traces(run_id, limit, cursor).await?))
        }
        81 => Ok(Answer(written(handle.trace_end().await?).into_bytes())),
        82 => {
            let mut number = || arguments.whole("after").map(Option::unwrap_or_default);
            let after = TracePosition { host: number()?, runs: number()? };
            let page = match tokio::time::timeout(PATIENCE, handle.next_traces(after)).await {
                Ok(page) => page?,
                Err(_) => TracePage { events: Vec::new(), next: Some(after) },
            };
            let next = page.next.map_or_else(|| "null".to_owned(), written);
            let text = format!("{{\"events\":{},\"next\":{next}}}", array(page.events));
            Ok(Answer(text.into_bytes()))
        }
        83 => {
            handle.record_event(&HostEvent::RequestRejected).await;
            Ok(Answer::default())
        }
        84 => {
            handle.flush_traces().await?;
            Ok(Answer::default())
        }
        _ => Err(no_such_operation()),
    }
}

/// A position as JSON text.
fn written(position: TracePosition) -> String {
    format!("[{},{}]", position.host, position.runs)
}
