//! The keys of a store and of its tenants, and the headers that hold them in the vault.

pub(crate) mod root_key;
mod store_keys;
mod tenant_keys;

use bailiwick_model::Error;
use bailiwick_store::vault::MOVED;

pub(crate) use store_keys::{StoreKeys, StoreSecret, store_generation_of};
pub(crate) use tenant_keys::{TenantKeys, UnnamedKeys, is_abandoned, rewrap, tag_of};

use crate::errors;

/// The first byte of every header.
pub(crate) const FORMAT: u8 = 1;
/// The first byte of the store's slot in the target of a migration until the copy is complete.
pub(crate) const UNFINISHED: u8 = 0xFE;

/// Returns why a store whose slot begins with this byte does not open.
pub(crate) fn refusal(first: Option<&u8>) -> Error {
    match first.copied() {
        Some(UNFINISHED) => Error::invalid(
            "A store is being moved to this place, and not all of it is here. Run `bailiwick migrate` again from where it was, to the end.",
        ),
        Some(MOVED) => errors::moved(),
        _ => errors::newer_version(),
    }
}
