//! Calls about plans.

use bailiwick_model::{Result, json};
use bailiwick_runtime::TenantHandle;

use crate::support::Random;
use crate::transcript::call::Answer;
use crate::transcript::known::{Both, limit, name};

#[derive(Clone, Debug)]
pub(crate) enum PlanCall {
    Save { text: String, expected_version: Option<u64> },
    Load { plan_id: String, version: Option<u64> },
    List { limit: usize, cursor: Option<String> },
    History(String),
}

impl PlanCall {
    pub(crate) fn next(random: &mut Random, both: Both<'_>) -> Self {
        match random.below(8) {
            0..=3 => Self::Save { text: plan(random), expected_version: some_below(random, 3) },
            4 => Self::Load { plan_id: plan_id(random, both), version: some_below(random, 4) },
            5 | 6 => Self::List { limit: limit(random), cursor: both.cursor(random, "plans") },
            _ => Self::History(plan_id(random, both)),
        }
    }

    pub(crate) async fn make(&self, handle: &TenantHandle, answer: &mut Answer) -> Result<()> {
        match self {
            Self::Save { text, expected_version } => {
                let plan = handle.plans().save(text.as_bytes(), *expected_version).await?;
                answer.see(&json::to_text(&plan));
            }
            Self::Load { plan_id, version } => {
                answer.see(&json::to_text(&handle.plans().load(plan_id, *version).await?));
            }
            Self::List { limit, cursor } => {
                answer.see_page("plans", handle.plans().list(*limit, cursor.as_deref()).await?)
            }
            Self::History(plan_id) => {
                let plans = handle.plans().history(plan_id).await?;
                plans.iter().for_each(|plan| answer.see(plan));
            }
        }
        Ok(())
    }
}

/// The id of a plan: a name that both tenants use, or one that was made up for somebody.
pub(crate) fn plan_id(random: &mut Random, both: Both<'_>) -> String {
    if random.one_in(3) { both.id(random, "plan_") } else { name(random) }
}

fn plan(random: &mut Random) -> String {
    let goal = if random.one_in(10) { "" } else { "ship" };
    let plan_id = if random.one_in(4) { String::new() } else { format!(r#""planId":"{}","#, name(random)) };
    let details = match random.below(4) {
        0 => format!(r#","details":"{}""#, "d".repeat(5000)),
        1 => format!(r#","details":{{"b":{},"a":1.0}}"#, random.below(3)),
        _ => String::new(),
    };
    let step = r#"{"id":"a","tool":"ship","input":{"b":1,"a":2}}"#;
    let steps = if random.one_in(2) { step } else { "" };
    format!(r#"{{"type":"launch",{plan_id}"goal":"{goal}","steps":[{steps}]{details}}}"#)
}

fn some_below(random: &mut Random, end: usize) -> Option<u64> {
    random.one_in(3).then(|| random.below(end) as u64)
}
