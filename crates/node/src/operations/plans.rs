//! Plans.

use bailiwick_model::Result;
use bailiwick_runtime::HostEvent;

use super::call::{Call, array_answer, json_text, page_answer, page_limit};
use crate::message::Answer;

pub(super) async fn save(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (plan, expected_version) = (arguments.bytes()?, arguments.whole("expectedVersion")?);
    let plan = handle.plans().save(plan, expected_version).await?;
    let saved = HostEvent::PlanSaved { plan_id: &plan.plan_id, version: plan.version, hash: &plan.hash };
    handle.traces().record(&saved).await;
    Ok(json_text(&plan))
}

pub(super) async fn load(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (plan_id, version) = (arguments.text()?, arguments.whole("version")?);
    Ok(json_text(&handle.plans().load(plan_id, version).await?))
}

pub(super) async fn list(call: Call) -> Result<Answer> {
    let (handle, mut arguments) = (call.handle()?, call.reader());
    let (limit, cursor) = (page_limit(&mut arguments)?, arguments.optional_text()?);
    Ok(page_answer(handle.plans().list(limit, cursor).await?))
}

pub(super) async fn history(call: Call) -> Result<Answer> {
    let plans = call.handle()?.plans().history(call.reader().text()?).await?;
    Ok(array_answer(plans))
}
