//! What a tenant has.
