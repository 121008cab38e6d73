//! The log by itself, on real files, with a map in the place of the tables.

mod crashes;
mod frames;
mod store;
