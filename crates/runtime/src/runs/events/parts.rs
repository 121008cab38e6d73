//! The parts of a model's answer, as messages keep them.

use std::sync::Arc;

use bailiwick_model::json::Json;
use serde::{Deserialize, Serialize};

/// A part of a model's answer. `metadata` is the provider's, for its own use when the message is sent to it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Part {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        metadata: Option<Json>,
    },
    Reasoning {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        metadata: Option<Json>,
    },
    /// What only its provider understands.
    Opaque { provider: String, data: Json },
    /// A call. Arguments that are no JSON are a text.
    ToolCall {
        call_id: String,
        tool: String,
        /// Shared with the call and its entry, for it may be large.
        input: Arc<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        metadata: Option<Json>,
    },
}

impl Part {
    pub(crate) fn is_call(&self) -> bool {
        matches!(self, Self::ToolCall { .. })
    }

    /// About how many bytes it is written with.
    pub(super) fn weight(&self) -> u64 {
        let (weight, metadata) = match self {
            Self::Text { text, metadata } | Self::Reasoning { text, metadata } => (text.len() as u64, metadata),
            Self::Opaque { data, .. } => (data.weight(), &None),
            Self::ToolCall { input, metadata, .. } => (input.weight(), metadata),
        };
        32 + weight + metadata.as_ref().map_or(0, Json::weight)
    }
}

/// The texts of an answer, without reasoning.
pub(crate) fn text_of(parts: &[Part]) -> String {
    let texts =
        parts.iter().filter_map(|part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None });
    texts.collect()
}

pub(crate) fn reasoning_of(parts: &[Part]) -> String {
    let texts = parts
        .iter()
        .filter_map(|part| if let Part::Reasoning { text, .. } = part { Some(text.as_str()) } else { None });
    texts.collect()
}
