//! What does not compile outside this crate. Every program that must fail stands after its twin, which differs in the one
//! line that reaches around the scope and does compile: so it is that line that fails. Compiled by `cargo test --doc`; the
//! error codes are checked by nightly compilers alone.
//!
//! A store hands out scopes:
//! ```
//! # use {std::sync::Arc, bailiwick_model::Tenant, bailiwick_tenancy::{Scope, Store}};
//! fn reach(store: &Arc<Store>, tenant: &Tenant) { let _: Scope = store.scope(tenant); }
//! ```
//! but neither its engine, nor its vault, nor its keys:
//! ```compile_fail,E0616
//! # use {std::sync::Arc, bailiwick_model::Tenant, bailiwick_tenancy::{Scope, Store}};
//! fn reach(store: &Arc<Store>, tenant: &Tenant) { let _ = &store.engine; }
//! ```
//! ```compile_fail,E0616
//! # use {std::sync::Arc, bailiwick_model::Tenant, bailiwick_tenancy::{Scope, Store}};
//! fn reach(store: &Arc<Store>, tenant: &Tenant) { let _ = &store.vault; }
//! ```
//! ```compile_fail,E0616
//! # use {std::sync::Arc, bailiwick_model::Tenant, bailiwick_tenancy::{Scope, Store}};
//! fn reach(store: &Arc<Store>, tenant: &Tenant) { let _ = &store.keys; }
//! ```
//!
//! A scope tells the time and leads to an access:
//! ```
//! # use bailiwick_tenancy::{Access, Scope};
//! fn reach(scope: Scope) { let _: Option<Access> = scope.at_hand(); }
//! ```
//! but what it is made of cannot be taken from it, nor a scope or an access be made of anything else:
//! ```compile_fail,E0616
//! # use bailiwick_tenancy::{Access, Scope};
//! fn reach(scope: Scope) { let _ = scope.state; }
//! ```
//! ```compile_fail,E0624
//! # use bailiwick_tenancy::{Access, Scope};
//! fn reach(scope: Scope) { let _ = Scope::new(todo!()); }
//! ```
//! ```compile_fail,E0451
//! # use bailiwick_tenancy::{Access, Scope};
//! fn reach(scope: Scope) { let _ = Access { ..scope.at_hand().unwrap() }; }
//! ```
//!
//! A name is made by the access whose it is:
//! ```
//! # use {bailiwick_model::Kind, bailiwick_tenancy::{Access, Name}};
//! fn reach(access: &Access) { let _: Name = access.name(Kind::Cache, b"key"); }
//! ```
//! and not out of bytes:
//! ```compile_fail,E0423
//! # use {bailiwick_model::Kind, bailiwick_tenancy::{Access, Name}};
//! fn reach(access: &Access) { let _: Name = Name([0; 16]); }
//! ```
//!
//! A list is one of the access's own tenant:
//! ```
//! # use {bailiwick_model::{Kind, Tenant}, bailiwick_tenancy::{Access, List}};
//! async fn reach(access: &Access, other: &Tenant) { let _ = access.page(&List::all(Kind::Cache), 10, None).await; }
//! ```
//! and of no other:
//! ```compile_fail,E0061
//! # use {bailiwick_model::{Kind, Tenant}, bailiwick_tenancy::{Access, List}};
//! async fn reach(access: &Access, other: &Tenant) { let _ = access.page(other, &List::all(Kind::Cache), 10, None).await; }
//! ```
//! ```compile_fail,E0560
//! # use {bailiwick_model::{Kind, Tenant}, bailiwick_tenancy::{Access, List}};
//! async fn reach(access: &Access, other: &Tenant) { let _ = List { tenant: other, ..List::all(Kind::Cache) }; }
//! ```
