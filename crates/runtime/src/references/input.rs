//! Values to put, checked, canonicalised and summarised before any I/O.

use bailiwick_model::glimpse::Content;
use bailiwick_model::json::{self, Json};
use bailiwick_model::names::shown;
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Kind, Result};

use crate::catalogue::ReferenceRules;
use crate::handle::{References, check_size, expiry};

/// The bytes above which JSON is large. No glimpse is longer.
const LARGE_TEXT: usize = 64 << 10;

/// The content of a value to put.
pub enum PutContent {
    /// JSON text, which is checked and stored in canonical form.
    Json(Vec<u8>),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// One value for [`References::put`].
pub struct PutItem {
    /// The name of its type, registered or not.
    pub type_name: String,
    /// The value.
    pub content: PutContent,
    /// Milliseconds; overrides the type's.
    pub ttl_ms: Option<u64>,
    /// Overrides the type's.
    pub media_type: Option<String>,
}

/// A [`PutItem`] without its content.
pub(crate) struct ItemRules {
    pub(crate) type_name: String,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) media_type: Option<String>,
}

/// A value that has been read.
pub(crate) enum ReadContent {
    /// JSON, with the number of bytes that its text had.
    Json(Json, usize),
    /// JSON in canonical form, without a tree.
    Canonical(json::Canonical),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A value that has passed every check.
pub(crate) struct CheckedValue {
    pub(crate) type_name: String,
    pub(crate) media_type: String,
    pub(crate) glimpse: json::Text,
    pub(crate) content: Vec<u8>,
    pub(crate) expires_at: Option<u64>,
}

impl References<'_> {
    /// # Errors
    /// `InvalidInput` and `QuotaExceeded` for a value that may not be stored.
    pub(crate) async fn check_item(self, item: PutItem) -> Result<CheckedValue> {
        let PutItem { type_name, content, ttl_ms, media_type } = item;
        check_type(&type_name)?;
        let rules = ItemRules { type_name, ttl_ms, media_type };
        match content {
            PutContent::Json(text) => {
                check_size(text.len())?;
                let _taken = self.handle.parsing(&text, 1)?;
                let content = self.read_json(&rules.type_name, text, 0, false).await?;
                self.check_read(rules, content).await
            }
            PutContent::Text(text) => self.check_read(rules, ReadContent::Text(text)).await,
            PutContent::Bytes(bytes) => self.check_read(rules, ReadContent::Bytes(bytes)).await,
        }
    }

    /// Parses the JSON text that begins at `from`, and frees it. Large JSON whose tree is not needed is canonicalised
    /// as it is read, because a tree takes many times the memory of its text.
    pub(crate) async fn read_json(
        self,
        type_name: &str,
        bytes: Vec<u8>,
        from: usize,
        is_looked_at: bool,
    ) -> Result<ReadContent> {
        let text = bytes.get(from..).unwrap_or_default();
        let is_checked = self.handle.catalogue.reference(type_name).is_some_and(ReferenceRules::has_schema);
        if text.len() > LARGE_TEXT && !is_looked_at && !is_checked {
            ahead_of(text.len()).await;
            let read = json::canonical_of(text, &json::Limits::default())?;
            // If it was mostly white space, the glimpse is the value.
            if let Some(canonical) = read.filter(|read| read.text.len() > LARGE_TEXT) {
                return Ok(ReadContent::Canonical(canonical));
            }
        }
        ahead_of(text.len()).await;
        let value = json::parse(text, &json::Limits::default())?;
        Ok(ReadContent::Json(value, text.len()))
    }

    /// As [`References::check_item`], for a parsed value. The caller holds the reservation for parsing meanwhile.
    ///
    /// # Errors
    /// `InvalidInput` and `QuotaExceeded` for a value that may not be stored.
    pub(crate) async fn check_read(self, item: ItemRules, content: ReadContent) -> Result<CheckedValue> {
        check_type(&item.type_name)?;
        let rules = self.handle.catalogue.reference(&item.type_name);
        let media_type = item.media_type.or_else(|| rules.and_then(|rules| rules.media_type.clone()));
        let default = match &content {
            ReadContent::Json(..) | ReadContent::Canonical(_) => "application/json",
            ReadContent::Text(_) => "text/plain",
            ReadContent::Bytes(_) => "application/octet-stream",
        };
        let media_type = media_type.unwrap_or_else(|| default.to_owned());
        check_media_type(&media_type)?;
        let (content, glimpse) = match content {
            ReadContent::Json(value, length) => {
                check_size(length)?;
                if let Some(rules) = rules.filter(|rules| rules.has_schema()) {
                    ahead_of(length).await;
                    rules.check(&item.type_name, &value).await?;
                }
                ahead_of(length).await;
                (json::canonical(&value), ReferenceRules::glimpse(rules, Content::Json(&value)))
            }
            ReadContent::Canonical(json::Canonical { text, sample }) => {
                check_size(text.len())?;
                (text, ReferenceRules::glimpse(rules, Content::Sample(&sample)))
            }
            ReadContent::Text(text) => {
                check_size(text.len())?;
                ahead_of(text.len()).await;
                if let Some(rules) = rules.filter(|rules| rules.has_schema()) {
                    rules.check(&item.type_name, &Json::String(text.clone())).await?;
                }
                let glimpse = ReferenceRules::glimpse(rules, Content::Text(&text));
                (text.into_bytes(), glimpse)
            }
            ReadContent::Bytes(bytes) => {
                check_size(bytes.len())?;
                let shown = Content::Bytes { byte_length: bytes.len() as u64, media_type: &media_type };
                let glimpse = ReferenceRules::glimpse(rules, shown);
                (bytes, glimpse)
            }
        };
        self.handle.check_value_bytes(content.len())?;
        let ttl = item.ttl_ms.or_else(|| rules.and_then(|rules| rules.ttl_ms));
        Ok(CheckedValue {
            type_name: item.type_name,
            media_type,
            glimpse: json::Text::new(glimpse),
            content,
            expires_at: expiry(self.handle.scope.now(), ttl.or_else(|| self.handle.retention_ms(Kind::References)))?,
        })
    }
}

pub(crate) fn check_type(name: &str) -> Result<()> {
    if bailiwick_model::names::is_name(name) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "The type of a reference must match ^[a-z][a-z0-9_-]{{0,63}}$: lower-case letters, digits, _ and -, starting with a letter. It is {}.",
            shown(name)
        )))
    }
}

fn check_media_type(media_type: &str) -> Result<()> {
    if bailiwick_model::names::is_media_type(media_type) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "mediaType must look like type/subtype, such as text/csv, in at most 255 characters. It is {}.",
            shown(media_type)
        )))
    }
}
