//! The log by itself, on real files, with a map in the place of sled.

mod crashes;
mod frames;
mod store;
