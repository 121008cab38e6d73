//! What things are in bailiwick: errors, kinds, JSON, tenants, specs and records. This crate does no I/O.

pub mod base32;
pub mod error;
pub mod glimpse;
pub mod json;
pub mod kind;
pub mod ledger;
pub mod names;
pub mod pace;
pub mod spec;
pub mod starts;
pub mod tenant;
pub mod turns;

pub use error::{BusyRun, Error, Issue, Result};
pub use json::Json;
pub use kind::Kind;
pub use spec::RuntimeSpec;
pub use starts::{Starts, Weight};
pub use tenant::Tenant;
pub use turns::Turns;
