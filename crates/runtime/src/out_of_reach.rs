//! Code that does not compile outside this crate, each after its twin that does: see `bailiwick_tenancy`'s file of this name.
//!
//! A handle reads for its tenant:
//! ```
//! # use bailiwick_runtime::{Store, TenantHandle};
//! async fn reach(store: &Store, handle: &TenantHandle) { let _ = handle.references().resolve("ref_").await; }
//! ```
//! and does not say how:
//! ```compile_fail,E0616
//! # use bailiwick_runtime::{Store, TenantHandle};
//! async fn reach(store: &Store, handle: &TenantHandle) { let _ = &handle.scope; }
//! ```
//! Nor does a store through this crate:
//! ```compile_fail,E0616
//! # use bailiwick_runtime::{Store, TenantHandle};
//! async fn reach(store: &Store, handle: &TenantHandle) { let _ = &store.engine; }
//! ```
//! No verb takes a tenant:
//! ```compile_fail,E0061
//! # use bailiwick_runtime::{Store, TenantHandle};
//! async fn reach(store: &Store, handle: &TenantHandle) { let _ = handle.references().resolve("other", "ref_").await; }
//! ```
//! and the way to a tenant's rows has no name here:
//! ```compile_fail,E0432
//! # use bailiwick_runtime::{Store, TenantHandle};
//! use bailiwick_runtime::Scope;
//! ```
