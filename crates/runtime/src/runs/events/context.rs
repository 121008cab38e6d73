//! A context that was folded.

use serde::{Deserialize, Serialize};

use super::usage::Usage;
use crate::context::{Fold, Short};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContextFolded {
    /// The ids of the first and the last message that are folded; empty if a message was shortened and none is folded.
    pub(crate) from: String,
    pub(crate) to: String,
    /// The tokens of these messages, by estimate.
    pub(crate) tokens: u64,
    /// What the model is sent in their place.
    pub(crate) summary: String,
    /// What the model used that wrote it, if one did.
    #[serde(default, skip_serializing_if = "Usage::is_empty")]
    pub(crate) usage: Usage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptContext {
    pub(crate) fold: Fold,
    /// The messages behind it that are shown by their beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) short: Option<Short>,
}
