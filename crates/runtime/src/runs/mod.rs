//! Runs: agents at work, by a journal that is all there is of them.
//!
//! [`state`] says what is to be done next, from the journal alone; [`driver`] does it: it asks the host's models and tools
//! and appends what came of it, one small commit a step. Resuming is reading the journal and going on.

mod approver;
mod ask;
mod callbacks;
mod calls;
mod collected;
mod consent;
mod driver;
mod ending;
mod entry;
mod event;
mod feed;
mod frame;
mod head;
mod journal;
mod lease;
mod limits;
mod listing;
mod live;
mod origin;
mod parts;
mod planning;
mod prompt;
mod request;
mod result;
mod resume;
mod start;
mod state;
mod steps;
mod team;
mod together;
mod tool;

mod usage;

pub use callbacks::{Ask, Asked, Callbacks, Reply};
pub use head::RunStatus;
pub use listing::RunFilter;
pub(crate) use listing::{run_events_before, run_id_of};
pub use live::{RunPage, RunPosition};
pub use request::{PreparedRun, RunRequest};
pub(crate) use steps::references as results_taken;
pub(crate) use team::Team;
