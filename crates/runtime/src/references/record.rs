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

use bailiwick_model::base32::reference_id;
use bailiwick_model::json::{self, Text};
use bailiwick_model::{Error, Result};
use serde::{Deserialize, Serialize};

const SEPARATE: u8 = 1;
const FLAGS_AT: usize = 40;

/// A reference as its tenant sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// `ref_` and 32 characters.
    pub id: String,
    /// The description.
    #[serde(flatten)]
    pub description: Description,
    /// Epoch milliseconds; `None`: kept until deleted.
    pub expires_at: Option<u64>,
    /// The summary of the content.
    pub glimpse: Text,
}

/// The members of a reference that its record has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The name of its type, registered or not.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The media type of the content.
    pub media_type: String,
    /// The bytes of the content.
    pub byte_length: u64,
    /// Epoch milliseconds.
    pub created_at: u64,
}

impl Description {
    /// Reads the members as a record has them, without the braces.
    pub(crate) fn read(members: &[u8]) -> Result<Self> {
        let text = [b"{", members, b"}"].concat();
        json::from_slice(&text, &json::Limits::default()).map_err(|_| damaged())
    }

    /// Returns the members as a record has them, without the braces.
    fn members(&self) -> String {
        let text = json::to_text(self);
        text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned()
    }
}

/// A record without its content.
pub(crate) struct NewRecord<'a> {
    pub(crate) digest: [u8; 32],
    pub(crate) created_micros: u64,
    pub(crate) description: &'a Description,
    pub(crate) glimpse: &'a Text,
}

impl NewRecord<'_> {
    /// Returns the bytes of the record, with or without the content. `None` if a part is too long.
    pub(crate) fn write(&self, content: Option<&[u8]>) -> Option<Vec<u8>> {
        let (type_name, members) = (&self.description.type_name, self.description.members());
        let (glimpse, inline): (&str, _) = (self.glimpse, content.unwrap_or_default());
        let mut body = Vec::with_capacity(64 + type_name.len() + members.len() + glimpse.len() + inline.len());
        body.extend_from_slice(&self.digest);
        body.extend_from_slice(&self.created_micros.to_be_bytes());
        body.push(if content.is_some() { 0 } else { SEPARATE });
        body.push(u8::try_from(type_name.len()).ok()?);
        body.extend_from_slice(type_name.as_bytes());
        for text in [members.as_str(), glimpse] {
            body.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
            body.extend_from_slice(text.as_bytes());
        }
        body.extend_from_slice(inline);
        Some(body)
    }
}

/// The positions of the parts of a record.
#[derive(Clone)]
pub(crate) struct Layout {
    pub(crate) type_name: Range<usize>,
    /// The members of the description, without the braces.
    pub(crate) members: Range<usize>,
    pub(crate) glimpse: Range<usize>,
    /// Whether the content lies in a row of its own. If not, it follows the glimpse.
    pub(crate) separate: bool,
}

impl Layout {
    /// Finds the parts. `None` if these are not the bytes of a record.
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

/// Returns the first 20 bytes of the digest that a record begins with.
pub(crate) fn record_id(body: &[u8]) -> Option<[u8; 20]> {
    body.first_chunk::<20>().copied()
}

/// A record, read in place.
pub(crate) struct View<'a> {
    pub(crate) digest: [u8; 32],
    pub(crate) created_micros: u64,
    pub(crate) type_name: &'a str,
    /// Returns whether the content lies in a row of its own.
    pub(crate) separate: bool,
    members: &'a str,
    /// Returns the glimpse as JSON text.
    pub(crate) glimpse: &'a str,
}

impl<'a> View<'a> {
    /// Reads a record. `None` if these are not the bytes of a record.
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

    /// Returns the reference that the record describes.
    pub(crate) fn reference(&self, expires_at: Option<u64>) -> Result<Reference> {
        Ok(Reference {
            id: reference_id(&self.id()),
            description: Description::read(self.members.as_bytes())?,
            expires_at,
            glimpse: Text::new(self.glimpse.to_owned()),
        })
    }
}

/// Splits `u16be(length) ‖ bytes` from what follows.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Returns the part of a digest that the id shows.
pub(crate) fn first20(digest: &[u8; 32]) -> [u8; 20] {
    let mut id = [0; 20];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = *from;
    }
    id
}

/// Returns the error for a damaged record of a reference.
pub(crate) fn damaged() -> Error {
    Error::damaged("A reference's record")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

    use super::{Layout, NewRecord, View};
    use crate::golden::bodies;

    #[test]
    fn golden_records_are_written_as_they_were() {
        let records = bodies(include_str!("../../tests/golden/references-record.jsonl"));
        assert!(!records.is_empty());
        for body in records {
            let (layout, view) = (Layout::read(&body).unwrap(), View::read(&body).unwrap());
            let reference = view.reference(None).unwrap();
            let record = NewRecord {
                digest: view.digest,
                created_micros: view.created_micros,
                description: &reference.description,
                glimpse: &reference.glimpse,
            };
            let content = (!layout.separate).then(|| &body[layout.glimpse.end..]);
            assert_eq!(record.write(content).unwrap(), body);
        }
    }
}
