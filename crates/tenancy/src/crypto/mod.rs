//! Cryptography, and nothing about stores, tenants or rows: encoding, keyed hashes, random bytes, sealing, key wrapping and
//! signatures. Imports nothing else of this crate.

pub(crate) mod encoding;
pub(crate) mod entropy;
pub(crate) mod hash;
pub(crate) mod key_wrapping;
pub(crate) mod seal;
pub(crate) mod signing;
