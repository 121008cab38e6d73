//! Look-ups and ranges. Each is a transaction in one round trip, so that the tag is reset with it.

use bytes::{Bytes, BytesMut};
use tokio_postgres::Row as Answered;

use crate::engine::{Found, Millis, Place, Row, ScanRequest, Scanned, Tag, Usage, Version};
use crate::postgres::connect::pool::Lease;
use crate::postgres::connect::transaction::begin_reading;
use crate::postgres::failure::Trouble;
use crate::postgres::shared::Shared;
use crate::postgres::sql::pipeline::{Answer, Parameter};
use crate::postgres::sql::statements::Statements;
use crate::postgres::sql::values::{binary, item, of_primary, signed, unsigned, usage_of};

/// How often a read is repeated on a new connection.
const ATTEMPTS: usize = 3;

/// Runs one statement for a tag. An erased tag has no rows, although a commit that began before may have left some.
async fn read(
    shared: &Shared,
    tag: Tag,
    statement: impl Fn(&Statements) -> &tokio_postgres::Statement,
    values: impl Fn() -> Vec<Parameter<'static>>,
) -> Result<Vec<Answered>, Trouble> {
    let begin = begin_reading(&tag, shared.is_citus);
    let mut trouble = Trouble::Lost;
    for _ in 0..ATTEMPTS {
        let lease: Lease = shared.connections.lease(Some(tag)).await?;
        let connection = lease.connection()?;
        let mut pipeline = connection.pipeline();
        pipeline.batch(&begin);
        pipeline.query(statement(&connection.statements), values());
        // Afterwards: rows that were read before the erase may be returned.
        pipeline.query(&connection.statements.is_erased, vec![binary(&tag.0)]);
        pipeline.batch("COMMIT");
        let found = pipeline.answers().await.and_then(|answers| {
            let mut answers = answers.into_iter().skip(1).map(Answer::rows).map(of_primary);
            let mut next = || answers.next().unwrap_or(Err(Trouble::Corrupt));
            Ok((next()?, next()?))
        });
        match found {
            Ok((rows, marks)) => {
                lease.done();
                return Ok(if marks.is_empty() { rows } else { Vec::new() });
            }
            // The primary may have changed.
            Err(error @ (Trouble::Lost | Trouble::Raced | Trouble::Standby)) => trouble = error,
            Err(error) => return Err(error),
        }
    }
    Err(trouble)
}

pub(in crate::postgres) async fn get(
    shared: &Shared,
    tag: Tag,
    wanted: Vec<(Place, Option<Version>)>,
    most: u64,
    now: Millis,
) -> Result<Vec<Found>, Trouble> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let values = || -> Vec<Parameter<'static>> {
        let kinds: Vec<i16> = wanted.iter().map(|(place, _)| i16::from(place.kind)).collect();
        let items: Vec<Vec<u8>> = wanted.iter().map(|(place, _)| place.item.to_vec()).collect();
        let known: Vec<Option<i64>> = wanted.iter().map(|(_, known)| known.map(|version| signed(version.0))).collect();
        let (now, most) = (Box::new(signed(now)), Box::new(bytes(most)));
        vec![binary(&tag.0), Box::new(kinds), Box::new(items), Box::new(known), now, most]
    };
    let answered = read(shared, tag, |statements| &statements.get, values).await?;
    let mut found = vec![Found::Absent; wanted.len()];
    for rows in answered.chunk_by(|one, other| one.get::<_, i64>(0) == other.get::<_, i64>(0)) {
        let Some(first) = rows.first() else { continue };
        let number = usize::try_from(first.get::<_, i64>(0) - 1).map_err(|_| Trouble::Corrupt)?;
        let (Some((place, known)), Some(slot)) = (wanted.get(number), found.get_mut(number)) else {
            return Err(Trouble::Corrupt);
        };
        let version = Version(unsigned(first.get(1)));
        let expires_at = first.get::<_, Option<i64>>(2).map(unsigned);
        *slot = if *known == Some(version) {
            Found::NotModified { expires_at }
        } else if let Some(bytes) = first.get::<_, Option<i64>>(5) {
            Found::Large { bytes: unsigned(bytes) }
        } else {
            Found::Entry(Row { place: *place, version, expires_at, value: value(rows, 3)? })
        };
    }
    Ok(found)
}

pub(in crate::postgres) async fn scan(shared: &Shared, tag: Tag, request: ScanRequest) -> Result<Scanned, Trouble> {
    let values = || -> Vec<Parameter<'static>> {
        let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
        let (from, to) = (binary(&request.from), binary(&request.to));
        let kind = Box::new(i16::from(request.kind));
        let most = Box::new(bytes(request.most));
        vec![binary(&tag.0), kind, from, to, Box::new(signed(request.now)), Box::new(limit), most]
    };
    let answered =
        read(shared, tag, |statements| if request.reverse { &statements.scan_back } else { &statements.scan }, values)
            .await?;
    let mut scanned = Scanned::default();
    for rows in answered.chunk_by(|one, other| one.get::<_, &[u8]>(0) == other.get::<_, &[u8]>(0)) {
        let first = rows.first().ok_or(Trouble::Corrupt)?;
        if let Some(bytes) = first.get::<_, Option<i64>>(5) {
            scanned.beyond = Some(unsigned(bytes));
            break;
        }
        let item = item(first.get(0)).ok_or(Trouble::Corrupt)?;
        let (version, expires_at) = (unsigned(first.get(1)), first.get::<_, Option<i64>>(2).map(unsigned));
        let place = Place { kind: request.kind, item };
        scanned.rows.push(Row { place, version: Version(version), expires_at, value: value(rows, 3)? });
    }
    Ok(scanned)
}

/// Converts a number of bytes.
fn bytes(most: u64) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// Returns the value of a row: the one in it, or its parts in order.
fn value(rows: &[Answered], column: usize) -> Result<Bytes, Trouble> {
    let first = rows.first().ok_or(Trouble::Corrupt)?;
    if first.get::<_, Option<&[u8]>>(column + 1).is_none() {
        let value: Option<&[u8]> = first.get(column);
        return value.map(Bytes::copy_from_slice).ok_or(Trouble::Corrupt);
    }
    let part = |row: &'_ Answered| row.get::<_, Option<&[u8]>>(column + 1).map_or(0, <[u8]>::len);
    let mut value = BytesMut::with_capacity(rows.iter().map(part).sum());
    for row in rows {
        value.extend_from_slice(row.get::<_, Option<&[u8]>>(column + 1).ok_or(Trouble::Corrupt)?);
    }
    Ok(value.freeze())
}

pub(in crate::postgres) async fn usage(shared: &Shared, tag: Tag) -> Result<Usage, Trouble> {
    let answered = read(shared, tag, |statements| &statements.usage, || vec![binary(&tag.0)]).await?;
    usage_of(&answered).ok_or(Trouble::Corrupt)
}
