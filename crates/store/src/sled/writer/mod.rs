//! The thread that commits, what it works on, and the thread that writes tables after it.

pub(in crate::sled) mod applier;
pub(in crate::sled) mod change_log;
pub(in crate::sled) mod committer;
pub(in crate::sled) mod maintenance;
pub(in crate::sled) mod queue;
mod space;
pub(in crate::sled) mod status;
