//! The trace that began a run, which its journal keeps for whoever goes on with it.

use bailiwick_model::{Error, Result};

use super::journal::{read_entries, read_from, read_head};
use crate::handle::TenantHandle;

impl TenantHandle {
    /// The W3C `traceparent` of the span in which a run was begun; empty if nobody traced it.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn run_origin(&self, run_id: &str) -> Result<String> {
        let Some(access) = self.existing().await? else { return Err(Error::NotFound) };
        read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
        let blocks = read_from(&access, run_id, 0, 1).await?;
        let Some((_, block)) = blocks.first() else { return Ok(String::new()) };
        let entries = read_entries(&access, block).await?;
        Ok(entries.first().and_then(|entry| entry.own_text("trace")).unwrap_or_default().to_owned())
    }
}
