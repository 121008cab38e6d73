//! The steps of a run. Each takes the driver, asks the host, and notes the outcome.

mod agents;
mod approval;
mod context;
mod model;
mod tools;
mod waiting;

use bailiwick_model::json;
use bailiwick_model::pace::ahead_of;
use serde::Serialize;

use super::driver::{Driver, Stop};
use super::lifecycle::take_prompts;
use super::state::Next;

pub(crate) use agents::end_agents;
pub(crate) use model::BrokenAnswers;
pub(crate) use waiting::still_waits;

/// Takes a step. `false`: the run is suspended.
pub(crate) async fn take(run: &mut Driver<'_>, next: Next) -> Result<bool, Stop> {
    match next {
        Next::RequestModel => {
            // What has ended of its deferred calls comes first.
            if !waiting::note_ended(run).await? && !take_prompts(run).await? {
                model::ask(run).await?;
            }
        }
        Next::Calls(ready) => return tools::run_calls(run, &ready).await,
        Next::SavePlan => agents::plan::save(run).await?,
        Next::RequestPlanApproval => return approval::request_for_plan(run).await,
        Next::Execute => agents::plan::execute(run).await?,
        Next::Wait => return waiting::wait(run).await,
        Next::Leave => agents::leave(run).await?,
        Next::Finish => super::lifecycle::finish(run).await?,
        Next::Ended => {}
    }
    Ok(true)
}

/// The members of a request that name its agent.
#[derive(Serialize)]
pub(crate) struct AgentContext<'a> {
    agent: &'a str,
    frame: u64,
}

impl<'a> AgentContext<'a> {
    /// The last agent.
    pub(crate) fn of(run: &'a Driver<'_>) -> Self {
        let frame = run.state.frames.last();
        frame.map_or(Self { agent: "", frame: 0 }, |frame| Self { agent: &frame.agent, frame: frame.number })
    }
}

/// A request to the host: the members of an object, and one behind them that is JSON text already, which may be large.
pub(crate) async fn with_json(members: &impl Serialize, key: &str, value: &str) -> String {
    ahead_of(value.len()).await;
    let mut request = json::to_text(members);
    request.pop();
    request.reserve(value.len() + key.len() + 8);
    for part in [",\"", key, "\":", value, "}"] {
        request.push_str(part);
    }
    request
}
