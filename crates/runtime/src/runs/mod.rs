//! Runs: what agents do for a request, kept as a journal.
//!
//! `events` are what a journal says, `journal` keeps it in the store, `state` replays it and gives the next step, `steps` are
//! the steps, `driver` takes one after the other, `lifecycle` starts, resumes and ends runs, and `follow` shows them. The host's
//! models, tools and approvers are asked through `host`.

mod agents;
mod definitions;
mod driver;
mod events;
mod follow;
mod host;
mod journal;
mod lifecycle;
mod prompt;
mod state;
mod steps;

use std::sync::Arc;

pub(crate) use agents::{Agents, ToolRules};
pub(crate) use events::STORED;
pub use events::WhenBusy;
use follow::LiveRuns;
pub use follow::{RunFilter, RunPage, RunPosition};
pub(crate) use follow::{run_events_before, run_id_of};
pub use host::{CallbackKind, Callbacks, OnChanged, PendingReply, Reply};
pub use journal::RunStatus;
pub(crate) use journal::{KIND, RunHead, filtered, run_name};
pub(crate) use lifecycle::LEASE_MS;
pub use lifecycle::{PreparedRun, RunRequest};
pub(crate) use state::step_refs::references as steps_taken_from;

use crate::handle::Runs;

impl Runs<'_> {
    /// Those that this process works at.
    pub(crate) fn live(self) -> Arc<LiveRuns> {
        self.handle.scope.shared::<LiveRuns>()
    }
}
