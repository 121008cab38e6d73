//! Values for the server, which has no unsigned numbers, and from it.

use tokio_postgres::Row;

use super::pipeline::Parameter;
use crate::engine::{Count, Item, Tag, Usage};
use crate::postgres::failure::Trouble;

/// Converts a number. Times and sizes beyond the range are equivalent.
pub(in crate::postgres) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(in crate::postgres) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(in crate::postgres) fn kind(number: i16) -> Option<u8> {
    u8::try_from(number).ok()
}

pub(in crate::postgres) fn item(bytes: &[u8]) -> Option<Item> {
    bytes.try_into().ok()
}

pub(in crate::postgres) fn tag(bytes: &[u8]) -> Option<Tag> {
    bytes.try_into().ok().map(Tag)
}

/// Returns bytes as a parameter of a statement.
pub(in crate::postgres) fn binary<'a>(bytes: &[u8]) -> Parameter<'a> {
    Box::new(bytes.to_vec())
}

/// Converts an optional number.
pub(in crate::postgres) fn signed_option(number: Option<u64>) -> Option<i64> {
    number.map(signed)
}

/// Returns the rows of a read-only statement.
///
/// # Errors
/// `Standby` if a standby answered: it may lack rows that exist.
pub(in crate::postgres) fn of_primary(mut rows: Vec<Row>) -> Result<Vec<Row>, Trouble> {
    let last = rows.first().and_then(|row| row.len().checked_sub(2)).ok_or(Trouble::Corrupt)?;
    if rows.iter().any(|row| row.get(last + 1)) {
        return Err(Trouble::Standby);
    }
    rows.retain(|row| row.get::<_, Option<bool>>(last).is_some());
    Ok(rows)
}

/// Returns the usage of a tag, summed by kind.
pub(in crate::postgres) fn usage_of(rows: &[Row]) -> Option<Usage> {
    let count =
        |row: &Row| Some((kind(row.get(0))?, Count { items: unsigned(row.get(1)), bytes: unsigned(row.get(2)) }));
    let usage = rows.iter().map(count).collect::<Option<Usage>>()?;
    Some(usage.into_iter().filter(|(_, count)| *count != Count::default()).collect())
}
