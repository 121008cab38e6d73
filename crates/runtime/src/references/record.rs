//! The bytes of a reference's record.
//!
//! ```text
//! 0    digest         32 bytes  the keyed hash whose first 20 bytes are the id
//! 32   created        u64be     epoch microseconds: the item's place in lists
//! 40   flags          1 byte    0x01: the content lies in a row of its own
//! 41   type           u8 length ‖ bytes
//! …    description    u16be length ‖ members of a JSON object: "type", "mediaType", "byteLength", "createdAt"
//! …    glimpse        u16be length ‖ JSON text
//! …    content        the rest, unless it lies in a row of its own
//! ```

use std::ops::Range;

use bailiwick_model::Error;
use bailiwick_model::base32::reference_id;
use bailiwick_model::json::{self, Json};

const SEPARATE: u8 = 1;
const FLAGS_AT: usize = 40;
const BYTE_LENGTH: &str = ",\"byteLength\":";

/// A reference as its tenant sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `ref_` and 32 characters.
    pub id: String,
    /// The whole of it as JSON text: `{id, type, mediaType, byteLength, createdAt, expiresAt, glimpse}`.
    pub json: String,
}

/// What is known of a reference beside its content.
pub(crate) struct Description<'a> {
    pub(crate) digest: [u8; 32],
    pub(crate) created_micros: u64,
    pub(crate) type_name: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) byte_length: usize,
    pub(crate) glimpse: &'a str,
}

impl Description<'_> {
    /// The record's bytes, with the content in it or without.
    pub(crate) fn write(&self, content: Option<&[u8]>) -> Option<Vec<u8>> {
        let members = format!(
            "\"type\":{},\"mediaType\":{}{BYTE_LENGTH}{},\"createdAt\":{}",
            quoted(self.type_name),
            quoted(self.media_type),
            self.byte_length,
            self.created_micros / 1000,
        );
        let inline = content.unwrap_or_default();
        let mut body =
            Vec::with_capacity(64 + self.type_name.len() + members.len() + self.glimpse.len() + inline.len());
        body.extend_from_slice(&self.digest);
        body.extend_from_slice(&self.created_micros.to_be_bytes());
        body.push(if content.is_some() { 0 } else { SEPARATE });
        body.push(u8::try_from(self.type_name.len()).ok()?);
        body.extend_from_slice(self.type_name.as_bytes());
        for text in [members.as_str(), self.glimpse] {
            body.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
            body.extend_from_slice(text.as_bytes());
        }
        body.extend_from_slice(inline);
        Some(body)
    }
}

fn quoted(text: &str) -> String {
    json::write(&Json::String(text.to_owned()))
}

/// The length of the content, as the members of a description say it.
pub(crate) fn content_length(members: &[u8]) -> Option<u64> {
    let (_, rest) = std::str::from_utf8(members).ok()?.rsplit_once(BYTE_LENGTH)?;
    rest.split(',').next()?.parse().ok()
}

/// Where the parts of a record lie.
#[derive(Clone)]
pub(crate) struct Layout {
    pub(crate) type_name: Range<usize>,
    /// The members of the description.
    pub(crate) members: Range<usize>,
    pub(crate) glimpse: Range<usize>,
    /// Whether the content lies in a row of its own. If not, it follows the glimpse.
    pub(crate) separate: bool,
}

impl Layout {
    /// `None` if these are not the bytes of such a record.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let (flags, rest) = body.get(FLAGS_AT..)?.split_first()?;
        let (type_length, rest) = rest.split_first()?;
        let (_, after_type) = rest.split_at_checked(usize::from(*type_length))?;
        let (members, after_members) = sized(after_type)?;
        let (glimpse, after_glimpse) = sized(after_members)?;
        let before = |rest: &[u8], length: usize| {
            let end = body.len() - rest.len();
            end - length..end
        };
        Some(Self {
            type_name: before(after_type, usize::from(*type_length)),
            members: before(after_members, members.len()),
            glimpse: before(after_glimpse, glimpse.len()),
            separate: flags & SEPARATE != 0,
        })
    }
}

/// The first 20 bytes of the digest that a record begins with.
pub(crate) fn record_id(body: &[u8]) -> Option<[u8; 20]> {
    body.first_chunk::<20>().copied()
}

/// A record, read in place.
pub(crate) struct View<'a> {
    pub(crate) digest: [u8; 32],
    pub(crate) created_micros: u64,
    pub(crate) type_name: &'a str,
    /// Whether the content lies in a row of its own.
    pub(crate) separate: bool,
    members: &'a str,
    /// JSON text.
    pub(crate) glimpse: &'a str,
}

impl<'a> View<'a> {
    /// `None` if these are not the bytes of such a record.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let (digest, rest) = body.split_first_chunk::<32>()?;
        let (created, _) = rest.split_first_chunk::<8>()?;
        let layout = Layout::read(body)?;
        let text = |range: Range<usize>| body.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok());
        Some(Self {
            digest: *digest,
            created_micros: u64::from_be_bytes(*created),
            type_name: text(layout.type_name)?,
            separate: layout.separate,
            members: text(layout.members)?,
            glimpse: text(layout.glimpse)?,
        })
    }

    pub(crate) fn id(&self) -> [u8; 20] {
        first20(&self.digest)
    }

    pub(crate) fn reference(&self, expires_at: Option<u64>) -> Reference {
        let id = reference_id(&self.id());
        let expires_at = expires_at.map_or_else(|| "null".to_owned(), |at| at.to_string());
        let json =
            format!("{{\"id\":\"{id}\",{},\"expiresAt\":{expires_at},\"glimpse\":{}}}", self.members, self.glimpse);
        Reference { id, json }
    }
}

/// `u16be(length) ‖ bytes`, and what follows.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The part of a digest that the id shows.
pub(crate) fn first20(digest: &[u8; 32]) -> [u8; 20] {
    let mut id = [0; 20];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = *from;
    }
    id
}

/// What is said of a record whose bytes are not those of a reference.
pub(crate) fn damaged() -> Error {
    Error::StoreCorrupt("A reference's record is damaged.".to_owned())
}
