//! Values and rules: errors, kinds, JSON, tenants, specs and records. This crate does no I/O.

pub mod base32;
pub mod dispatcher;
pub mod error;
pub mod fair_queue;
pub mod glimpse;
pub mod json;
pub mod kind;
pub mod ledger;
pub mod names;
pub mod pace;
pub mod spec;
pub mod tenant;

pub use dispatcher::{Dispatcher, Weight};
pub use error::{BusyRun, Error, Issue, Result};
pub use fair_queue::FairQueue;
pub use json::Json;
pub use kind::Kind;
pub use spec::RuntimeSpec;
pub use tenant::Tenant;
