//! What a storage engine must do. One commit belongs to one [`Tag`] and is atomic; its conditions are declared, not
//! coded. Nothing here takes a key that names a tag of its own, so a call that crosses tags cannot be written.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

pub use crate::due::{Due, Kinds, Promptness};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = u64;

/// Whose rows: 32 bytes that only the tenancy layer can compute.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub [u8; 32]);

impl std::fmt::Debug for Tag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tag(…)")
    }
}

/// The last 32 bytes of a record key: 16 bytes of name, 16 of sequence, list position or zeros.
pub type Item = [u8; 32];

/// Where a row lies below its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// What kind of row. Opaque to the engine; usage is counted by it.
    pub kind: u8,
    /// Which one.
    pub item: Item,
}

/// The version byte that starts every record key.
pub const KEY_FORMAT: u8 = 0x01;

/// A record key: `0x01 ‖ tag(32) ‖ kind(1) ‖ item(32)`, always 66 bytes.
pub fn record_key(tag: &Tag, place: &Place) -> [u8; 66] {
    let mut key = [0; 66];
    let (format, rest) = key.split_at_mut(1);
    let (owner, rest) = rest.split_at_mut(32);
    let (kind, item) = rest.split_at_mut(1);
    format.copy_from_slice(&[KEY_FORMAT]);
    owner.copy_from_slice(&tag.0);
    kind.copy_from_slice(&[place.kind]);
    item.copy_from_slice(&place.item);
    key
}

/// Whose and where a record key is. `None` if it is none.
pub(crate) fn address(key: &[u8; 66]) -> Option<(Tag, Place)> {
    let (format, rest) = key.split_first()?;
    let (tag, rest) = rest.split_first_chunk::<32>()?;
    let (kind, item) = rest.split_first()?;
    (*format == KEY_FORMAT).then_some((Tag(*tag), Place { kind: *kind, item: item.try_into().ok()? }))
}

/// The version of a row: opaque, never reused at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

/// What must hold of a row for an operation on it to go through. A row that has expired by the commit's `now` counts
/// as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing.
    Any,
    /// There is no such row.
    Absent,
    /// The row has this version.
    Version(Version),
}

/// One step of a [`Commit`].
#[derive(Clone, Debug)]
pub enum Op {
    /// Writes a row. Values of any size up to [`EngineLimits::value_bytes`]; where a large one is kept is the engine's
    /// business.
    Put {
        /// Where.
        place: Place,
        /// What. An engine may keep this buffer, so it must not be a slice of a much larger one.
        value: Bytes,
        /// From when on it counts as absent.
        expires_at: Option<Millis>,
        /// `Some(bytes)`: counts as one item of its kind with so many bytes, until it is overwritten or deleted.
        /// `None`: a row that belongs to a counted one, such as a list row.
        counted: Option<u64>,
        /// The condition.
        when: When,
    },
    /// Sets the expiry to the later of the old and this one (`None` is latest of all). The value is not touched, the
    /// version changes. Conflicts if the row is absent.
    Extend {
        /// Where.
        place: Place,
        /// The expiry asked for.
        expires_at: Option<Millis>,
    },
    /// Removes a row. Removing an absent row under [`When::Any`] does nothing.
    Delete {
        /// Where.
        place: Place,
        /// The condition.
        when: When,
    },
    /// Only the condition.
    Check {
        /// Where.
        place: Place,
        /// The condition.
        when: When,
    },
    /// Has [`Engine::due`] name this kind of the tag from that time on, whether rows expire or not.
    Wake {
        /// The kind.
        kind: u8,
        /// From when on.
        at: Millis,
    },
}

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After it has reached stable storage: it survives a power cut.
    Sync,
    /// Once it is visible: a crash of the machine may lose about the last second; a killed process loses nothing.
    Relaxed,
}

/// How much of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Counted rows.
    pub items: u64,
    /// The sum of what they were counted with.
    pub bytes: u64,
}

/// What a tag holds, per kind byte. Kinds without rows may be missing. Expired rows count until they are removed.
pub type Usage = BTreeMap<u8, Count>;

/// What a tag may hold after a commit that adds to it. A commit that does not add to a limited quantity always passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most items, per kind byte.
    pub items: BTreeMap<u8, u64>,
    /// The most bytes, over all kinds.
    pub bytes: Option<u64>,
}

/// A change of one tag's rows: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Whose.
    pub tag: Tag,
    /// The time by which rows count as expired.
    pub now: Millis,
    /// The steps, applied in order; a later one sees what an earlier one did.
    pub ops: Vec<Op>,
    /// What the tag may hold afterwards.
    pub limits: Limits,
    /// When to acknowledge.
    pub durability: Durability,
}

/// Why a commit did not happen (or, for [`CommitError::OutcomeUnknown`], may not have).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The condition of this operation (by index) did not hold. Nothing was written.
    Conflict {
        /// The index into [`Commit::ops`].
        op: usize,
    },
    /// A limit would be passed. Nothing was written.
    Quota {
        /// The kind whose item limit it is, or `None` for the bytes.
        kind: Option<u8>,
        /// The limit.
        limit: u64,
        /// What is in use.
        used: u64,
        /// What the commit would add to it.
        more: u64,
    },
    /// A value is larger than [`EngineLimits::value_bytes`], or there are too many operations. Nothing was written.
    TooLarge,
    /// The disk is full. Nothing was written.
    Full,
    /// The engine cannot be reached or has stopped after an I/O failure. Nothing was written.
    Unavailable,
    /// A server answered that only follows another. Nothing was written.
    Standby,
    /// A pooler between here and the server does not keep a connection together. Nothing was written.
    Pooled,
    /// The commit may or may not have happened.
    OutcomeUnknown,
    /// Damage was found.
    Corrupt,
    /// The engine is closed.
    Closed,
}

/// Why a read failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The engine cannot be reached or has stopped after an I/O failure.
    Unavailable,
    /// A server answered that only follows another: what it has may be old.
    Standby,
    /// A pooler between here and the server does not keep a connection together.
    Pooled,
    /// Damage was found.
    Corrupt,
    /// The engine is closed.
    Closed,
}

impl From<ReadError> for CommitError {
    /// What a failed read means for the commit that needed it: nothing was written.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable => Self::Unavailable,
            ReadError::Standby => Self::Standby,
            ReadError::Pooled => Self::Pooled,
            ReadError::Corrupt => Self::Corrupt,
            ReadError::Closed => Self::Closed,
        }
    }
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no such row, or it has expired.
    Absent,
    /// The row still has the version the caller knows.
    NotModified {
        /// Its expiry, which may have been extended without the caller.
        expires_at: Option<Millis>,
    },
    /// The row.
    Entry(Row),
    /// The row is there, and was not read: its value does not fit into what was to be read.
    Large {
        /// The bytes of its value, or a few more.
        bytes: u64,
    },
}

/// A row as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it lies.
    pub place: Place,
    /// Its version.
    pub version: Version,
    /// Its expiry.
    pub expires_at: Option<Millis>,
    /// Its value.
    pub value: Bytes,
}

/// A range of one kind's rows of one tag, in the byte order of their items.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// The kind.
    pub kind: u8,
    /// The first item, inclusive.
    pub from: Item,
    /// The last item, inclusive.
    pub to: Item,
    /// From `to` down to `from`.
    pub reverse: bool,
    /// The most rows to return.
    pub limit: usize,
    /// The most bytes of values to read.
    pub most: u64,
    /// Rows that have expired by then are left out and do not count against `limit`.
    pub now: Millis,
}

/// The rows of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The first of them, as far as their values fit into what was to be read.
    pub rows: Vec<Row>,
    /// The bytes of the next one's value, or a few more, if it did not fit. `None`: there are no more than these, or as many
    /// as were asked for.
    pub beyond: Option<u64>,
}

/// A part of everything that an engine holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// A row as it is now; it replaces what an earlier part said of it.
    Row {
        /// Whose.
        tag: Tag,
        /// The row. Its version means nothing elsewhere.
        row: Row,
        /// What it is counted with.
        counted: Option<u64>,
    },
    /// There is no such row any more.
    Gone {
        /// Whose.
        tag: Tag,
        /// Where.
        place: Place,
    },
    /// An [`Op::Wake`] that is still to come.
    Wake {
        /// What it names.
        due: Due,
        /// From when on.
        at: Millis,
    },
}

/// A consistent copy of everything that an engine holds, as of some time between the first part and the last. Work goes
/// on meanwhile. Rows come in the order of their keys, each once; what was changed meanwhile may come again, after them.
pub trait Export: Send {
    /// The next part; empty after the last.
    fn next(&mut self) -> EngineFuture<'_, Result<Vec<Exported>, ReadError>>;
}

/// Sizes an engine holds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// The largest value of one row in bytes.
    pub value_bytes: usize,
    /// The most operations of one commit.
    pub ops: usize,
}

/// The bytes of rows on the disk before and after [`Engine::compact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Replaced and removed rows among them.
    pub before: u64,
    /// What is left.
    pub after: u64,
}

/// How an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it accepts commits.
    pub ok: bool,
    /// What is wrong, for an operator; empty if nothing is. Never a tenant's data, never a path.
    pub problems: Vec<String>,
}

/// The future of an engine call.
pub type EngineFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A storage engine. Implementations must pass `crate::conformance`.
///
/// A call may block the thread that polls its future for the time of a local disk read, never for a sync: acknowledging
/// a commit is done by waking the future.
pub trait Engine: Send + Sync + 'static {
    /// The sizes it holds to.
    fn limits(&self) -> EngineLimits;

    /// Whether other processes may work on the same rows at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// What time it is for all processes that work on the same rows, in microseconds since 1970-01-01T00:00:00Z: their own
    /// clocks may differ. `None` where there is but one.
    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Applies a commit, and resolves once it is as durable as asked. Commits that a caller awaits one after the other
    /// are applied in that order; a commit whose future is dropped may still happen.
    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>>;

    /// Looks rows up, in the order asked. With a known version, an unchanged row comes back as
    /// [`Found::NotModified`], without its value. Values are read until they would be more than `most` bytes together: from
    /// the first one that does not fit, rows come as [`Found::Large`].
    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>>;

    /// Reads a range, as far as it fits.
    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>>;

    /// What the tag holds.
    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>>;

    /// What has something to do by `now`: kinds with expired rows, and those that an [`Op::Wake`] named. The longest due
    /// first, at most `limit`, each once.
    fn due(
        &self,
        now: Millis,
        kinds: Kinds,
        promptness: Promptness,
        limit: usize,
    ) -> EngineFuture<'_, Result<Vec<Due>, ReadError>>;

    /// Removes the rows of this kind that have expired by `now`, in small commits, and says how many there were. Until its
    /// next row expires or its next wake comes, the kind is no longer due. Dropping the future leaves the rest for the
    /// next call.
    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>>;

    /// Ends that kinds are due by an [`Op::Wake`] until `now`, for kinds that no row has: in one pass for all of them. A wake that is
    /// committed meanwhile may stay or go.
    fn forget_wakes(&self, dues: Vec<Due>, now: Millis) -> EngineFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            for due in dues {
                self.sweep(due, now).await?;
            }
            Ok(())
        })
    }

    /// Removes all rows of a tag, in small commits. From the first poll on, every commit to it fails with `Closed`.
    /// Dropping the future leaves the rest for the next call; calling it again does no harm.
    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>>;

    /// A consistent copy of everything.
    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>>;

    /// Gives the space of replaced and removed rows back to the disk, and resolves once that is done. `None`: the engine has no such space,
    /// or a database looks after it.
    ///
    /// # Errors
    /// `Full` if the disk has no space for what is kept, `Corrupt`, `Unavailable`, `Closed`. Everything is as before then.
    fn compact(&self) -> EngineFuture<'_, Result<Option<Compacted>, CommitError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// How the engine is.
    fn health(&self) -> EngineFuture<'_, Health>;

    /// Makes everything acknowledged durable, ends its threads and gives its files and locks back. Later calls fail
    /// with `Closed`. Closing twice does nothing.
    fn close(&self) -> EngineFuture<'_, ()>;
}
