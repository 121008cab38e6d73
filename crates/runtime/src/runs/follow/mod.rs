//! Runs as they are listed and followed.

mod events;
mod feed;
mod list;
mod live;
mod message;
mod progress;
mod registry;

pub(crate) use events::{run_events_before, run_id_of};
pub use list::RunFilter;
pub(crate) use live::Live;
pub(crate) use message::Writing;
pub(crate) use registry::{LiveRuns, Registered};

/// The position of a follower.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPosition {
    /// The sequence of the next event.
    pub next: u64,
    /// The message whose deltas it has seen some of; empty if none.
    pub message_id: String,
    /// How much of its text it has seen, in UTF-16 units.
    pub text: u64,
    /// How much of its reasoning.
    pub reasoning: u64,
    /// The number of the last progress of a call that it has seen.
    pub progress: u64,
}

/// What is new for a follower.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPage {
    /// JSON texts of events, oldest first.
    pub events: Vec<String>,
    /// Where to go on.
    pub position: RunPosition,
    /// Whether this process works at the run.
    pub live: bool,
    /// Whether the run is over, so that nothing comes after these.
    pub over: bool,
}
