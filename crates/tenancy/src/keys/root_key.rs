//! The root key: 32 bytes, stored outside the data, that wrap every other key.

use bailiwick_model::{Error, Result};
use bailiwick_store::Vault;
use zeroize::Zeroizing;

use crate::crypto::entropy::Entropy;
use crate::crypto::hash::Key;
use crate::errors;

/// The source of the root key.
pub enum RootKey {
    /// Passed by the host: exactly 32 bytes.
    Given(Zeroizing<Vec<u8>>),
    /// Stored in the store's directory, and generated with a new store.
    Local,
}

impl RootKey {
    /// Decodes the value of an environment variable: 32 bytes in base64, with or without padding.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn from_base64(text: &str) -> Result<Self> {
        let text = text.trim_end_matches('=');
        let bytes = data_encoding::BASE64_NOPAD
            .decode(text.as_bytes())
            .or_else(|_| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()))
            .map_err(|_| wrong_length())?;
        Ok(Self::Given(Zeroizing::new(bytes)))
    }

    /// Returns the keys that may be the store's, the likeliest first; at least one.
    pub(crate) async fn load(self, vault: &dyn Vault, entropy: &Entropy) -> Result<Vec<Key>> {
        let (now, next) = match self {
            Self::Given(_) => (Ok(None), Ok(None)),
            Self::Local => (vault.local_secret().await, vault.next_local_secret().await),
        };
        match self.local_keys(now.map_err(errors::read)?, next.map_err(errors::read)?)? {
            Some(keys) => Ok(keys),
            None => Ok(vec![generate(vault, entropy).await?]),
        }
    }

    /// Returns the same from the local secrets: an interrupted rotation leaves two. `None` if there should be one and is not.
    pub(crate) fn local_keys(&self, now: Option<Vec<u8>>, next: Option<Vec<u8>>) -> Result<Option<Vec<Key>>> {
        let [now, next] = [now, next].map(|secret| secret.map(Zeroizing::new));
        match self {
            Self::Given(bytes) => Ok(Some(vec![Key::from_slice(bytes).ok_or_else(wrong_length)?])),
            Self::Local if now.is_none() => Ok(None),
            Self::Local => {
                let keys: Vec<_> = [now, next].iter().flatten().filter_map(|bytes| Key::from_slice(bytes)).collect();
                if keys.is_empty() { Err(damaged()) } else { Ok(Some(keys)) }
            }
        }
    }
}

async fn generate(vault: &dyn Vault, entropy: &Entropy) -> Result<Key> {
    let bytes = Zeroizing::new(entropy.bytes::<32>());
    if vault.create_local_secret(bytes.to_vec()).await.map_err(errors::read)? {
        Ok(Key::new(*bytes))
    } else {
        Err(missing())
    }
}

/// The root key is neither passed nor in the store's directory.
pub(crate) fn missing() -> Error {
    Error::invalid(
        "This store needs its root key: pass rootKey, or set the environment variable that rootKeyEnv names (default BAILIWICK_ROOT_KEY). The store has none of its own.",
    )
}

fn damaged() -> Error {
    Error::StoreCorrupt("The store's root key file is damaged. Restore root.key from a backup.".to_owned())
}

pub(crate) fn wrong_length() -> Error {
    Error::invalid("The root key must be exactly 32 bytes (in an environment variable: base64 of 32 bytes).")
}

pub(crate) fn wrong_key() -> Error {
    Error::invalid(
        "This is not the store's root key. Pass the rootKey that the store was created with, or that it was rotated to since.",
    )
}
