//! Open stores and their tenants.
//!
//! A [`store::Store`] has the states of the tenants in use, a [`state::TenantState`] its store: the only import circle of this
//! crate, because each owns or finds the other. A [`scope::Scope`] is bound to one state, and leads to its
//! [`scope::Access`] once the keys are loaded.

pub(crate) mod erase;
pub(crate) mod in_flight;
pub(crate) mod name_row;
pub(crate) mod owner_row;
pub(crate) mod reservation;
pub(crate) mod rotation;
pub(crate) mod scope;
pub(crate) mod single_flight;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod store_header;
