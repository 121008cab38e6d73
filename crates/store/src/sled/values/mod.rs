//! Large values: in segments that they share, or in a file of their own.

pub(in crate::sled) mod files;
pub(in crate::sled) mod large_writer;
pub(in crate::sled) mod record;
pub(in crate::sled) mod segments;
