//! Plans.

use bailiwick_model::Result;
use bailiwick_runtime::{HostEvent, TenantHandle};

use super::{array, json_text, no_such_operation, page_answer, page_limit};
use crate::message::{Answer, Reader};

pub(super) async fn run(handle: &TenantHandle, number: u32, arguments: &mut Reader<'_>) -> Result<Answer> {
    match number {
        40 => {
            let (plan, expected_version) = (arguments.bytes()?, arguments.whole("expectedVersion")?);
            let plan = handle.save_plan(plan, expected_version).await?;
            let saved = HostEvent::PlanSaved { plan_id: &plan.plan_id, version: plan.version, hash: &plan.hash };
            handle.record_event(&saved).await;
            Ok(json_text(&plan.to_json()))
        }
        41 => {
            let (plan_id, version) = (arguments.text()?, arguments.whole("version")?);
            Ok(json_text(&handle.load_plan(plan_id, version).await?.to_json()))
        }
        42 => {
            let (limit, cursor) = (page_limit(arguments)?, arguments.optional_text()?);
            Ok(page_answer(handle.list_plans(limit, cursor).await?))
        }
        43 => {
            let plans = handle.plan_history(arguments.text()?).await?;
            Ok(Answer(array(plans).into_bytes()))
        }
        _ => Err(no_such_operation()),
    }
}
