//! Calls about traces.

use bailiwick_model::Result;
use bailiwick_runtime::{HostEvent, Rejection, TenantHandle, TracePosition};

use crate::support::Random;
use crate::transcript::call::Answer;
use crate::transcript::known::{Both, limit};

#[derive(Clone, Debug)]
pub(crate) enum TraceCall {
    Rejected,
    Created(String),
    List {
        run_id: Option<String>,
        limit: usize,
        cursor: Option<String>,
    },
    /// Follows from so many events before the end on.
    Follow(u64),
}

impl TraceCall {
    pub(crate) fn next(random: &mut Random, both: Both<'_>) -> Self {
        match random.below(8) {
            0 => Self::Rejected,
            1..=4 => Self::Created(both.id(random, "ref_")),
            5 | 6 => Self::List {
                run_id: random.one_in(6).then(|| "run".to_owned()),
                limit: limit(random),
                cursor: both.cursor(random, "traces"),
            },
            _ => Self::Follow(1 + random.below(3) as u64),
        }
    }

    pub(crate) async fn make(&self, handle: &TenantHandle, answer: &mut Answer) -> Result<()> {
        match self {
            Self::Rejected => handle.traces().record(&HostEvent::RequestRejected { reason: Rejection::Tenant }).await,
            Self::Created(reference) => handle.traces().record(&HostEvent::ReferenceCreated { reference }).await,
            Self::List { run_id, limit, cursor } => {
                answer.see_page("traces", handle.traces().list(run_id.as_deref(), *limit, cursor.as_deref()).await?);
            }
            Self::Follow(back) => {
                let end = handle.traces().end().await?;
                answer.see(&end.host.to_string());
                // From the end on it would wait.
                if let Some(host) = end.host.checked_sub(*back) {
                    let page = handle.traces().next(TracePosition { host, runs: end.runs }).await?;
                    page.events.iter().for_each(|event| answer.see(event));
                    answer.see(&format!("{:?}", page.next));
                }
            }
        }
        Ok(())
    }
}
