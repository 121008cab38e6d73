//! Programs that must not compile outside this crate. Each follows a program that does compile; the two differ in the one line
//! that reaches around the scope, so that line is what fails. `cargo test --doc` compiles them; only nightly compilers check the
//! error codes.
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
//! A scope returns the time and an access:
//! ```
//! # use bailiwick_tenancy::{Access, Scope};
//! fn reach(scope: Scope) { let _: Option<Access> = scope.at_hand(); }
//! ```
//! but its parts cannot be taken from it, and no other code can make a scope or an access:
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
//! Only an access can make a name, and only for its own tenant:
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
