//! Entries of a run's journal, and the bytes of the blocks in which one commit writes them. An entry is an event as
//! consumers see it, and beside it what only the loop needs. Its sequence is that of its block plus its place in it.
//!
//! ```text
//! 0    previous   32 bytes  SHA-256 of the block before, zeros in the first
//! 32   entries    for each: u32be length ‖ event (JSON object) ‖ u32be length ‖ what the loop needs (JSON, or empty)
//! ```

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use sha2::{Digest, Sha256};

/// The hash of a block, which the next one begins with.
pub(crate) type BlockHash = [u8; 32];

/// What a model is shown last of a result that is kept as a reference.
pub(crate) const GLIMPSE: &str = "glimpse";

/// What stands before the first block.
pub(crate) const NO_BLOCK: BlockHash = [0; 32];

/// What is stored is nested deeper than what was given.
pub(crate) const STORED: json::Limits =
    json::Limits { bytes: usize::MAX, depth: json::MAX_DEPTH, elements: usize::MAX };

/// See the module's text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// `type`, `at` and what belongs to the type.
    event: Vec<(String, Json)>,
    own: Json,
}

impl Entry {
    /// An event of this type at this time, in epoch milliseconds.
    pub(crate) fn new(kind: &str, at: u64) -> Self {
        Self { event: vec![member("type", Json::from(kind)), member("at", number(at))], own: Json::Null }
    }

    /// Adds a property that consumers see.
    pub(crate) fn with(mut self, key: &str, value: Json) -> Self {
        self.event.push(member(key, value));
        self
    }

    /// Adds one if it is there.
    pub(crate) fn with_text(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(key, Json::from(value)),
            None => self,
        }
    }

    /// Adds a property that only the loop sees.
    pub(crate) fn own(mut self, key: &str, value: Json) -> Self {
        match &mut self.own {
            Json::Object(members) => members.push(member(key, value)),
            own => *own = Json::Object(vec![member(key, value)]),
        }
        self
    }

    /// About how many bytes it is written with.
    pub(crate) fn weight(&self) -> u64 {
        self.own.weight() + self.event.iter().map(|(key, value)| key.len() as u64 + value.weight()).sum::<u64>()
    }

    /// Its type, such as `tool.called`.
    pub(crate) fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// When it happened, in epoch milliseconds.
    pub(crate) fn at(&self) -> u64 {
        self.get("at").and_then(whole).unwrap_or_default()
    }

    /// A property that consumers see.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.event.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The same, if it is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// A property that only the loop sees.
    pub(crate) fn own_get(&self, key: &str) -> Option<&Json> {
        self.own.get(key)
    }

    /// All that only the loop sees.
    pub(crate) fn kept(&self) -> &Json {
        &self.own
    }

    /// A property that only the loop sees, if it is a text.
    pub(crate) fn own_text(&self, key: &str) -> Option<&str> {
        self.own_get(key)?.as_str()
    }

    /// The event as a consumer gets it: JSON text.
    pub(crate) fn json(&self, run_id: &str, sequence: u64) -> String {
        let mut rest: Vec<(String, Json)> = self.event.iter().skip(1).cloned().collect();
        if self.kind() == "approval.requested" {
            // Whoever shows it wants to know which call waits.
            rest.extend(self.own_get("callId").map(|call_id| member("callId", call_id.clone())));
        }
        let rest = json::write(&Json::Object(rest));
        let rest = rest.strip_prefix('{').unwrap_or_default();
        format!("{{\"type\":\"{}\",\"runId\":\"{run_id}\",\"sequence\":{sequence},{rest}", self.kind())
    }

    /// The reference that a call's result is kept as, if it is.
    pub(crate) fn kept_as(&self) -> Option<&str> {
        if self.kind() == "tool.completed" { self.text("reference") } else { None }
    }

    /// Gives such a result its glimpse back.
    pub(crate) fn give_glimpse(&mut self, glimpse: Json) {
        let result = self.event.iter_mut().find(|(key, _)| key == "result");
        if let Some((_, Json::Object(members))) = result {
            members.push(member(GLIMPSE, glimpse));
        }
    }

    /// The event as it is stored: a glimpse is in the reference's record and not stored twice.
    fn stored(&self) -> Json {
        let is_kept = self.kept_as().is_some();
        let members = self.event.iter().map(|(key, value)| match value {
            Json::Object(result) if is_kept && key == "result" => {
                let kept = result.iter().filter(|(key, _)| key != GLIMPSE).cloned();
                (key.clone(), Json::Object(kept.collect()))
            }
            value => (key.clone(), value.clone()),
        });
        Json::Object(members.collect())
    }

    /// Whether nothing comes after it in this life of the run.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.kind(), "run.completed" | "run.failed" | "run.limited" | "run.cancelled")
    }
}

/// The bytes of a block.
pub(crate) fn write(previous: &BlockHash, entries: &[Entry]) -> Vec<u8> {
    let mut body = previous.to_vec();
    for entry in entries {
        let own = if entry.own == Json::Null { String::new() } else { json::write(&entry.own) };
        for text in [json::write(&entry.stored()), own] {
            body.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            body.extend_from_slice(text.as_bytes());
        }
    }
    body
}

/// The hash that the next block begins with.
pub(crate) fn hash(block: &[u8]) -> BlockHash {
    Sha256::digest(block).into()
}

/// The hash of the block before, and the entries.
///
/// # Errors
/// `StoreCorrupt`.
pub(crate) fn read(block: &[u8]) -> Result<(BlockHash, Vec<Entry>)> {
    parse(block).ok_or_else(damaged)
}

fn parse(block: &[u8]) -> Option<(BlockHash, Vec<Entry>)> {
    let (previous, mut rest) = block.split_first_chunk::<32>()?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (event, after) = sized(rest)?;
        let (own, after) = sized(after)?;
        let Json::Object(event) = json::parse(event, &STORED).ok()? else { return None };
        let own = if own.is_empty() { Json::Null } else { json::parse(own, &STORED).ok()? };
        let entry = Entry { event, own };
        entry.get("at").and_then(whole)?;
        if entry.event.first().map(|(key, _)| key.as_str()) != Some("type") {
            return None;
        }
        entries.push(entry);
        rest = after;
    }
    Some((*previous, entries))
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// What every damage of a journal is to a caller.
pub(crate) fn damaged() -> Error {
    Error::StoreCorrupt(
        "The journal of this run does not fit together: something was altered or removed. Nothing was guessed. Restore the store from a backup."
            .to_owned(),
    )
}

pub(crate) fn member(key: &str, value: Json) -> (String, Json) {
    (key.to_owned(), value)
}

pub(crate) fn number(value: u64) -> Json {
    Json::Number(value as f64)
}

/// An object of these members.
pub(crate) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| member(key, value)).collect())
}

/// A whole number of JavaScript's safe range.
pub(crate) fn whole(value: &Json) -> Option<u64> {
    let number = value.as_f64()?;
    (number.fract() == 0.0 && (0.0..=9_007_199_254_740_991.0).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b4_a_glimpse_is_not_stored_twice() {
        let shown = |members: &[(&str, &str)]| {
            Json::Object(members.iter().map(|(key, value)| member(key, Json::from(*value))).collect())
        };
        let (result, without) = ([("type", "rows"), (GLIMPSE, "much")], [("type", "rows")]);
        let kept =
            Entry::new("tool.completed", 5).with("result", shown(&result)).with("reference", Json::from("ref_x"));
        let own = Entry::new("tool.completed", 6).with("result", shown(&result));
        let mut stored = read(&write(&NO_BLOCK, &[kept.clone(), own.clone()])).unwrap().1;
        assert_eq!(stored[0].get("result"), Some(&shown(&without)));
        assert_eq!(stored[1], own);
        stored[0].give_glimpse(Json::from("much"));
        assert_eq!(stored[0], kept);
    }

    #[test]
    fn b6_a_block_is_read_as_it_was_written() {
        let entries = vec![
            Entry::new("run.started", 5).with("prompt", Json::from("x")).own("limits", Json::Array(vec![])),
            Entry::new("run.cancelled", 6),
        ];
        let block = write(&NO_BLOCK, &entries);
        assert_eq!(read(&block), Ok((NO_BLOCK, entries.clone())));
        assert_eq!(
            entries[0].json("run_a", 7),
            r#"{"type":"run.started","runId":"run_a","sequence":7,"at":5,"prompt":"x"}"#
        );
        for length in 0..block.len() {
            let cut = read(&block[..length]);
            assert!(cut != Ok((NO_BLOCK, entries.clone())), "{length}");
        }
    }
}
