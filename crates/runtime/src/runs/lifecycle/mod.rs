//! The life of a run: started, queued, resumed, cancelled and ended.

mod begin;
mod continuation;
mod end;
mod lease;
mod new_run;
mod queued;
mod release;
mod request;
mod result;
mod resume;
mod start;
mod thread;

pub(crate) use end::{end, end_changes, finish, head_after, head_changes, withdraw_all};
pub(crate) use lease::{LEASE_MS, Renewal, given_back};
pub(crate) use queued::take_prompts;
pub use request::{PreparedRun, RunRequest};
pub(crate) use thread::{flush_thread, thread_changes, thread_lags, thread_progress};
