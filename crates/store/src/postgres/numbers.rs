//! Numbers on their way to the server and back. It has no unsigned ones.

use super::pipeline::Parameter;
use crate::engine::{Item, Tag};

/// Times and sizes beyond its range are all the same to it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn kind(number: i16) -> Option<u8> {
    u8::try_from(number).ok()
}

pub(super) fn item(bytes: &[u8]) -> Option<Item> {
    bytes.try_into().ok()
}

pub(super) fn tag(bytes: &[u8]) -> Option<Tag> {
    bytes.try_into().ok().map(Tag)
}

/// Bytes as a value of a statement.
pub(super) fn binary<'a>(bytes: &[u8]) -> Parameter<'a> {
    Box::new(bytes.to_vec())
}
