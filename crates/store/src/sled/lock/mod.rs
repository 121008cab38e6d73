//! The directory of a store: what is in it, whom it belongs to, and its lock.

pub(in crate::sled) mod directory;
pub(in crate::sled) mod high_water;
pub(in crate::sled) mod layout;
pub(in crate::sled) mod system;
pub(in crate::sled) mod trust;
