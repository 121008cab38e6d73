//! A tenant as a whole.

use bailiwick_model::Result;

use super::call::{Call, json_text};
use crate::message::Answer;

pub(super) async fn usage(call: Call) -> Result<Answer> {
    Ok(json_text(&call.handle()?.usage_json().await?))
}

pub(super) async fn erase(call: Call) -> Result<Answer> {
    Ok(json_text(&call.handle()?.erase(call.reader().text()?).await?))
}
