//! The one thread that writes, and what it works on.

pub(in crate::sled) mod change_log;
pub(in crate::sled) mod committer;
pub(in crate::sled) mod maintenance;
pub(in crate::sled) mod queue;
pub(in crate::sled) mod status;
