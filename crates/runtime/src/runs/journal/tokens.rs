//! The sum of a tenant's tokens, of runs that ended or are suspended.

use bailiwick_model::Result;
use bailiwick_model::json;
use bailiwick_tenancy::{Access, Area, Change, Name, When};

use super::head::KIND;
use crate::runs::events::{Usage, damaged};

/// Serialises those who add to a tenant's sum in this process. An optimisation: version conflicts decide between processes.
#[derive(Default)]
pub(crate) struct TokenTurns(pub(crate) tokio::sync::Mutex<()>);

/// Reads the sum, and the condition under which it may be replaced.
pub(crate) async fn read(access: &Access) -> Result<(Usage, When)> {
    let rows = [(Area::Record, tokens_name(access))];
    let Some(record) = access.read_current(KIND, &rows).await?.pop().flatten() else {
        return Ok((Usage::default(), When::Absent));
    };
    let sum = json::from_slice(&record.body, &json::Limits::default()).map_err(|_| damaged())?;
    Ok((sum, When::Version(record.version)))
}

/// The change that adds tokens to it, if there are any.
pub(crate) async fn added(access: &Access, more: &Usage) -> Result<Option<Change>> {
    if more.total() == 0 {
        return Ok(None);
    }
    let (mut sum, when) = read(access).await?;
    sum.add_all(more);
    let (area, name, body) = (Area::Record, tokens_name(access), json::to_text(&sum).into_bytes());
    Ok(Some(Change::Write { kind: KIND, area, name, body, expires_at: None, counted: None, when }))
}

fn tokens_name(access: &Access) -> Name {
    access.name(KIND, b"tokens")
}
