//! The owner of a thread: the run that writes it, and the epoch that fences every process that worked at the run before.
//!
//! JSON { run, epoch }

use bailiwick_model::json;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Change, Name, Version, When};
use serde::{Deserialize, Serialize};

use super::head::{KIND, RunStatus};
use crate::runs::events::damaged;

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    #[serde(rename = "run")]
    pub(crate) run_id: String,
    /// The epoch of the owner: 1 when the run begins, one more with each take-over.
    pub(crate) epoch: u64,
}

impl Owner {
    /// The change that makes it the owner.
    pub(crate) fn written(&self, name: Name, when: When, expires_at: Option<u64>) -> Change {
        let body = json::to_text(self).into_bytes();
        Change::Write { kind: KIND, area: Area::Record, name, body, expires_at, counted: None, when }
    }

    /// Reads the owner of a thread, past the cache of opened records.
    pub(crate) async fn read(access: &Access, thread_id: &str) -> Result<Option<(Self, Version)>> {
        let rows = [(Area::Record, owner_name(access, thread_id))];
        let Some(record) = access.read_current(KIND, &rows).await?.pop().flatten() else { return Ok(None) };
        let owner = json::from_slice(&record.body, &json::Limits::default()).map_err(|_| damaged())?;
        Ok(Some((owner, record.version)))
    }

    /// The version of its record, which was just written.
    ///
    /// # Errors
    /// `ThreadBusy` if the run was taken over since.
    pub(crate) async fn version(&self, access: &Access, thread_id: &str) -> Result<Version> {
        match Self::read(access, thread_id).await? {
            Some((now, version)) if now == *self => Ok(version),
            _ => Err(fenced(&self.run_id)),
        }
    }
}

/// The name of the record of a thread's owner. A run's id has another first byte.
pub(crate) fn owner_name(access: &Access, thread_id: &str) -> Name {
    access.name(KIND, &[b"owner/", thread_id.as_bytes()].concat())
}

/// The error for a process that another one has taken the run from.
pub(crate) fn fenced(run_id: &str) -> Error {
    let message = "Another process has taken this run over. Follow it there, with runs.follow.";
    Error::run_busy(message, run_id, RunStatus::Running.name())
}
