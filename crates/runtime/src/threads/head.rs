//! The bytes of a thread's head: all of the thread but its messages.
//!
//! ```text
//! 0    journal        16 bytes  random: the journal of its messages
//! 16   length         u64be     messages
//! 24   bytes          u64be     of all entries together
//! 32   largest        u32be     bytes of the largest entry
//! 36   created        u64be     epoch microseconds: the thread's position in lists
//! 44   updated        u64be     epoch milliseconds
//! 52   listed until   u64be     epoch milliseconds; when its list rows expire; all ones: never
//! 60   thread         u16be length ‖ its id
//! …    actor          the rest; empty if there is none
//! ```

use std::sync::Arc;

use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Area, Name, Record};
use serde::Serialize;

/// The expiry of list rows that never expire.
pub(crate) const FOR_EVER: u64 = u64::MAX;

/// A thread as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadSummary {
    /// The caller's id, or `thr_` and 32 characters.
    pub thread_id: String,
    /// The number of messages.
    pub length: u64,
    /// The actor who created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Epoch milliseconds.
    pub created_at: u64,
    /// The time of the last append, in epoch milliseconds.
    pub updated_at: u64,
}

/// The head of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) journal: [u8; 16],
    pub(crate) length: u64,
    pub(crate) bytes: u64,
    pub(crate) largest: u32,
    pub(crate) created_micros: u64,
    pub(crate) updated_at: u64,
    pub(crate) listed_until: u64,
    pub(crate) thread_id: String,
    pub(crate) actor: Option<String>,
}

impl Head {
    pub(crate) fn write(&self) -> Vec<u8> {
        let actor = self.actor.as_deref().unwrap_or_default();
        let mut body = Vec::with_capacity(62 + self.thread_id.len() + actor.len());
        body.extend_from_slice(&self.journal);
        body.extend_from_slice(&self.length.to_be_bytes());
        body.extend_from_slice(&self.bytes.to_be_bytes());
        body.extend_from_slice(&self.largest.to_be_bytes());
        for number in [self.created_micros, self.updated_at, self.listed_until] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        write_names(&mut body, &self.thread_id, actor);
        body
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        Self::parse(body).ok_or_else(damaged)
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let (journal, rest) = body.split_first_chunk::<16>()?;
        let (length, rest) = take_u64(rest)?;
        let (bytes, rest) = take_u64(rest)?;
        let (largest, rest) = rest.split_first_chunk::<4>()?;
        let (created_micros, rest) = take_u64(rest)?;
        let (updated_at, rest) = take_u64(rest)?;
        let (listed_until, rest) = take_u64(rest)?;
        let (thread_id, actor) = read_names(rest)?;
        Some(Self {
            journal: *journal,
            length,
            bytes,
            largest: u32::from_be_bytes(*largest),
            created_micros,
            updated_at,
            listed_until,
            thread_id,
            actor,
        })
    }

    /// Counts appended messages.
    pub(crate) fn add(&mut self, entry_bytes: usize) {
        self.length += 1;
        self.bytes += entry_bytes as u64;
        self.largest = self.largest.max(u32::try_from(entry_bytes).unwrap_or(u32::MAX));
    }

    pub(crate) fn summary(self) -> ThreadSummary {
        let Self { thread_id, length, actor, updated_at, .. } = self;
        ThreadSummary { thread_id, length, actor, created_at: self.created_micros / 1000, updated_at }
    }
}

/// Reads a thread's head and its record. `None`: absent, expired, deleted or foreign.
pub(super) async fn read_head(access: &Access, thread_id: &str) -> Result<Option<(Arc<Record>, Head)>> {
    let record = access.read(Kind::Threads, Area::Record, head_name(access, thread_id)).await?;
    record.map(|record| Ok((record.clone(), Head::read(&record.body)?))).transpose()
}

/// Returns the name of a thread's head.
pub(crate) fn head_name(access: &Access, thread_id: &str) -> Name {
    access.name(Kind::Threads, thread_id.as_bytes())
}

/// Returns the name of a journal's entries. Its first byte is in no thread's id, which is UTF-8.
pub(crate) fn journal_name(access: &Access, journal: &[u8; 16]) -> Name {
    let logical: Vec<u8> = std::iter::once(0xff).chain(*journal).collect();
    access.name(Kind::Threads, &logical)
}

/// Writes `u16be length ‖ thread ‖ actor`.
pub(crate) fn write_names(body: &mut Vec<u8>, thread_id: &str, actor: &str) {
    // An id has at most 256 bytes.
    body.extend_from_slice(&u16::try_from(thread_id.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.extend_from_slice(thread_id.as_bytes());
    body.extend_from_slice(actor.as_bytes());
}

pub(crate) fn read_names(bytes: &[u8]) -> Option<(String, Option<String>)> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (thread_id, actor) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let actor = Some(str::from_utf8(actor).ok()?).filter(|actor| !actor.is_empty());
    Some((str::from_utf8(thread_id).ok()?.to_owned(), actor.map(str::to_owned)))
}

/// Takes `u16be length ‖ text`.
pub(crate) fn take_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((str::from_utf8(text).ok()?, rest))
}

pub(crate) fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

pub(crate) fn damaged() -> Error {
    Error::damaged("A thread's record")
}
