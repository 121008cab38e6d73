//! Hashes as hexadecimal text in JSON: for `#[serde(with = "crate::hex")]`.

use bailiwick_model::ledger::Hash;
use data_encoding::HEXLOWER;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER.encode(hash))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
    let text = String::deserialize(deserializer)?;
    let hash = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    hash.ok_or_else(|| D::Error::custom("a hash has 64 hexadecimal digits"))
}

/// For `Option<Hash>`, with `default` and `skip_serializing_if`.
pub(crate) mod optional {
    use super::{Deserializer, Hash, Serializer};

    pub(crate) fn serialize<S: Serializer>(hash: &Option<Hash>, serializer: S) -> Result<S::Ok, S::Error> {
        match hash {
            Some(hash) => super::serialize(hash, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Hash>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}
