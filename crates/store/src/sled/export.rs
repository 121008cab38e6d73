//! A consistent copy while work goes on. All rows are read one after the other; what changes meanwhile is noted by the
//! committer and read again, until so little is left that the committer can say at one moment how it stands.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{CommitError, EngineFuture, Export, Exported, Place, ReadError, Row, Tag, Version};
use crate::sled::shared::Shared;
use crate::sled::tree::Tree;
use crate::sled::tree::codec::{BUCKET_PREFIX, DecodedValue, Key, Stored, bucket_of, decode, decode_bucket};
use crate::sled::values::files::Files;
use crate::sled::values::record::RecordError;
use crate::sled::wal::batch::RowKey;
use crate::sled::wal::range::Order;
use crate::sled::writer::change_log::Changed;

/// A part has so many rows at most,
const ROWS: usize = 512;
/// or stops after this many bytes.
const BYTES: usize = 8 * 1024 * 1024;
/// Whose turn an export waits for: nobody's.
const STORE: Tag = Tag([0; 32]);
const RECORD_PREFIX: u8 = crate::engine::KEY_FORMAT;

/// See the module.
struct Copy {
    shared: Arc<Shared>,
    number: u64,
    step: Step,
}

/// What is read next.
enum Step {
    /// The rows after this key.
    Rows(RowKey),
    /// These rows again.
    Again(Vec<Key>),
    /// The buckets after this key.
    Buckets(RowKey),
    /// Nothing.
    Over,
}

/// See [`crate::Engine::export`].
pub(in crate::sled) async fn begin(shared: &Arc<Shared>) -> Result<Box<dyn Export>, ReadError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    shared
        .maintain(STORE, move |committer, _| committer.begin_export(number))
        .await
        .map_err(|error| as_read(&error))?;
    Ok(Box::new(Copy { shared: Arc::clone(shared), number, step: Step::Rows(RowKey::from(&[RECORD_PREFIX])) }))
}

impl Export for Copy {
    fn next(&mut self) -> EngineFuture<'_, Result<Vec<Exported>, ReadError>> {
        Box::pin(async move {
            loop {
                let part = self.part().await?;
                if !part.is_empty() || matches!(self.step, Step::Over) {
                    return Ok(part);
                }
            }
        })
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let number = self.number;
        // The order is in the queue once it was polled; nobody needs its answer.
        let ended = self.shared.maintain(STORE, move |committer, _| committer.end_export(number));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = std::pin::pin!(ended).poll(&mut context);
    }
}

impl Copy {
    async fn part(&mut self) -> Result<Vec<Exported>, ReadError> {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Rows(after) => {
                let (part, last) = self.shared.read(|tree, files| rows(tree, files, &after))?;
                self.step = match last {
                    Some(last) => Step::Rows(last),
                    None => Step::Again(Vec::new()),
                };
                Ok(part)
            }
            Step::Again(mut keys) if !keys.is_empty() => {
                let rest = keys.split_off(keys.len().min(ROWS));
                let part = self.shared.read(|tree, files| again(tree, files, &keys))?;
                self.step = Step::Again(rest);
                Ok(part)
            }
            Step::Again(_) => {
                let number = self.number;
                let changed = self.shared.maintain(STORE, move |committer, _| committer.changed(number)).await;
                match changed.map_err(|error| as_read(&error))? {
                    Changed::Keys(keys) => {
                        self.step = Step::Again(keys);
                        Ok(Vec::new())
                    }
                    Changed::Last(rows) => {
                        self.step = Step::Buckets(RowKey::from(&[BUCKET_PREFIX]));
                        let part = |(key, entry)| self.shared.read(|_, files| last(files, &key, entry));
                        rows.into_iter().map(part).collect()
                    }
                }
            }
            Step::Buckets(after) => {
                let (part, last) = self.shared.read(|tree, _| wakes(tree, &after))?;
                if let Some(last) = last {
                    self.step = Step::Buckets(last);
                }
                Ok(part)
            }
            Step::Over => Ok(Vec::new()),
        }
    }
}

/// What a failed order means for whoever reads.
fn as_read(error: &CommitError) -> ReadError {
    match error {
        CommitError::Closed => ReadError::Closed,
        CommitError::Corrupt => ReadError::Corrupt,
        _ => ReadError::Unavailable,
    }
}

/// Some rows after a key, and the last one's key if there may be more.
fn rows(tree: &Tree, files: &Files, after: &RowKey) -> Result<(Vec<Exported>, Option<RowKey>), ReadError> {
    let bounds = (Bound::Excluded(*after), Bound::Excluded(RowKey::from(&[RECORD_PREFIX + 1])));
    let mut rows = tree.range(bounds, Order::Forward)?;
    let (mut part, mut bytes) = (Vec::new(), 0);
    while let Some((last, value)) = rows.next()? {
        let key: Key = last.as_ref().try_into().map_err(|_| ReadError::Corrupt)?;
        let exported = row(files, &key, &value)?;
        bytes += length(&exported);
        part.push(exported);
        if part.len() == ROWS || bytes > BYTES {
            return Ok((part, Some(last)));
        }
    }
    Ok((part, None))
}

fn length(exported: &Exported) -> usize {
    match exported {
        Exported::Row { row, .. } => row.value.len(),
        _ => 0,
    }
}

/// Rows as they are now.
fn again(tree: &Tree, files: &Files, keys: &[Key]) -> Result<Vec<Exported>, ReadError> {
    let now = |key: &Key| match tree.get(key)? {
        Some(bytes) => row(files, key, &bytes),
        None => gone(key),
    };
    keys.iter().map(now).collect()
}

/// A row as the committer has it at hand.
fn last(files: &Files, key: &Key, entry: Option<crate::stage::Entry<Stored>>) -> Result<Exported, ReadError> {
    let Some(entry) = entry else { return gone(key) };
    let value = match entry.value {
        Stored::Inline(value) => value,
        Stored::Encoded(bytes) => return row(files, key, &bytes),
        Stored::Placed(pointer) => files.read(key, &pointer).map_err(|error| read_error(&error))?,
        Stored::Unplaced(_) => return Err(ReadError::Unavailable),
    };
    let (tag, place) = address(key)?;
    let row = Row { place, version: Version(entry.version), expires_at: entry.expires_at, value };
    Ok(Exported::Row { tag, row, counted: entry.counted })
}

fn row(files: &Files, key: &Key, bytes: &[u8]) -> Result<Exported, ReadError> {
    let decoded = decode(bytes).ok_or(ReadError::Corrupt)?;
    let value = match decoded.value {
        DecodedValue::Inline(value) => bytes::Bytes::copy_from_slice(value),
        DecodedValue::Placed(pointer) => files.read(key, &pointer).map_err(|error| read_error(&error))?,
    };
    let (tag, place) = address(key)?;
    let row = Row { place, version: Version(decoded.version), expires_at: decoded.expires_at, value };
    Ok(Exported::Row { tag, row, counted: decoded.counted })
}

fn gone(key: &Key) -> Result<Exported, ReadError> {
    let (tag, place) = address(key)?;
    Ok(Exported::Gone { tag, place })
}

fn read_error(error: &RecordError) -> ReadError {
    match error {
        RecordError::Damaged => ReadError::Corrupt,
        RecordError::Io => ReadError::Unavailable,
    }
}

fn address(key: &Key) -> Result<(Tag, Place), ReadError> {
    crate::engine::address(key).ok_or(ReadError::Corrupt)
}

/// Some wakes after a key: a bucket of rows is one too, which does no harm.
fn wakes(tree: &Tree, after: &RowKey) -> Result<(Vec<Exported>, Option<RowKey>), ReadError> {
    let bounds = (Bound::Excluded(*after), Bound::Excluded(RowKey::from(&[BUCKET_PREFIX + 1])));
    let mut buckets = tree.range(bounds, Order::Forward)?;
    let mut part = Vec::new();
    while let Some((key, bytes)) = buckets.next()? {
        let (bucket, at) = bucket_of(&key).zip(decode_bucket(&bytes)).ok_or(ReadError::Corrupt)?;
        part.push(Exported::Wake { due: bucket.due, at });
        if part.len() == ROWS {
            return Ok((part, Some(key)));
        }
    }
    Ok((part, None))
}
