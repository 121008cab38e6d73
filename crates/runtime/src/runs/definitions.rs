//! What an agent is to a run: its models, its system prompt, its settings and its limits. A run goes on with those that its agent
//! began with, whatever the spec says meanwhile. The journal names them by a hash, and the tenant has each once, by that hash.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::{AgentSpec, RunLimits};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Change, Name, When};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::events::STORED;
use super::journal::KIND;

/// How much longer than the run that stores it a definition lives, in milliseconds: the runs of that time need not store it again.
const LONGER_MS: u64 = 24 * 60 * 60 * 1000;
/// How many bytes of the hash name a definition.
const HASH_BYTES: usize = 16;

/// See the module's text.
#[derive(Debug, PartialEq)]
pub(crate) struct Definition {
    /// Its name: a part of the hash of its body, in hexadecimal.
    pub(crate) hash: String,
    /// In the order in which they are tried.
    pub(crate) models: Vec<String>,
    pub(crate) limits: RunLimits,
    /// What the host is told once: a JSON object of `name`, `system`, `tools`, `outputSchema`, `settings`.
    pub(crate) config: String,
    /// As it is stored.
    body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    models: Vec<String>,
    system: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<Json>,
    limits: RunLimits,
}

impl Definition {
    /// The definition of an agent. `config`: see there.
    pub(crate) fn new(spec: &AgentSpec, config: Vec<(String, Json)>) -> Self {
        let member = |key: &str| config.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        let system = member("system").and_then(Json::as_str).unwrap_or_default().to_owned();
        let settings = member("settings").cloned();
        let (models, limits) = (spec.models.clone(), spec.limits);
        let body = json::to_text(&Stored { models: models.clone(), system, settings, limits }).into_bytes();
        Self { hash: hash_of(&body), models, limits, config: json::write(&Json::Object(config)), body }
    }

    /// The same agent with another definition, as it was stored. Its tools and its output schema stay those of the spec.
    pub(crate) fn with(&self, body: &[u8]) -> Result<Self> {
        let damaged = || Error::damaged("The definition of an agent");
        let stored: Stored = json::from_slice(body, &STORED).map_err(|_| damaged())?;
        let mut config = json::parse(self.config.as_bytes(), &STORED)?;
        let Json::Object(members) = &mut config else { return Err(damaged()) };
        members.retain(|(key, _)| key != "system" && key != "settings");
        members.push(("system".to_owned(), Json::String(stored.system)));
        members.extend(stored.settings.map(|settings| ("settings".to_owned(), settings)));
        let (models, limits) = (stored.models, stored.limits);
        Ok(Self { hash: hash_of(body), models, limits, config: json::write(&config), body: body.to_vec() })
    }
}

fn hash_of(body: &[u8]) -> String {
    HEXLOWER.encode(Sha256::digest(body).get(..HASH_BYTES).unwrap_or_default())
}

pub(crate) fn definition_name(access: &Access, hash: &str) -> Name {
    access.name(KIND, &[b"definition/", hash.as_bytes()].concat())
}

/// The definitions that are in the store, as far as this process knows: until when, in epoch milliseconds; `None`: for good.
#[derive(Default)]
pub(crate) struct StoredDefinitions(Mutex<HashMap<Name, Option<u64>>>);

impl StoredDefinitions {
    fn known(&self) -> MutexGuard<'_, HashMap<Name, Option<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a commit has written.
    pub(crate) fn note(&self, changes: &[Change]) {
        for change in changes {
            if let Change::Write { name, expires_at, .. } = change {
                self.known().insert(*name, *expires_at);
            }
        }
    }
}

/// Returns the change that stores a definition for a run whose rows expire at `until`; `None` if it is stored for that long.
pub(crate) fn stored(
    before: &StoredDefinitions,
    access: &Access,
    definition: &Definition,
    until: Option<u64>,
) -> Option<Change> {
    let name = definition_name(access, &definition.hash);
    let lives = |known: &Option<u64>| known.is_none_or(|known| until.is_some_and(|until| until <= known));
    if before.known().get(&name).is_some_and(lives) {
        return None;
    }
    let (kind, area, body, when) = (KIND, Area::Record, definition.body.clone(), When::Any);
    let expires_at = until.map(|until| until.saturating_add(LONGER_MS));
    Some(Change::Write { kind, area, name, body, expires_at, counted: None, when })
}
