//! Events of the trace journal, and the bytes of their blocks. An event has the sequence of its block plus its position
//! in it.
//!
//! ```text
//! for each event: u32be length ‖ members of a JSON object: "type", "at" and those of the type
//! ```

use bailiwick_model::json;
use bailiwick_model::{Error, Result};
use serde::Serialize;

/// An event of the host's own calls.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum HostEvent<'a> {
    /// A query that named another tenant was rejected. The other name is not recorded.
    RequestRejected {
        /// The reason.
        reason: Rejection,
    },
    /// A value was put.
    ReferenceCreated {
        /// Its id.
        reference: &'a str,
    },
    /// A plan was saved.
    PlanSaved {
        /// The plan.
        plan_id: &'a str,
        /// Its version.
        version: u64,
        /// The hash of that version.
        hash: &'a str,
    },
}

/// The reason why a request was rejected.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Rejection {
    /// It named another tenant.
    Tenant,
}

/// An event with the members that all events have.
#[derive(Serialize)]
struct Recorded<'a> {
    #[serde(rename = "type")]
    type_name: &'static str,
    at: u64,
    #[serde(flatten)]
    event: &'a HostEvent<'a>,
}

impl HostEvent<'_> {
    /// Returns the members of its JSON object, as a block has them.
    pub(crate) fn members(&self, at: u64) -> String {
        let type_name = match self {
            Self::RequestRejected { .. } => "request.rejected",
            Self::ReferenceCreated { .. } => "reference.created",
            Self::PlanSaved { .. } => "plan.saved",
        };
        let text = json::to_text(&Recorded { type_name, at, event: self });
        text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned()
    }
}

/// An event as read: its sequence and its JSON text.
pub(crate) type Read = (u64, String);

pub(crate) fn write(events: &[String]) -> Vec<u8> {
    let mut body = Vec::with_capacity(events.iter().map(|event| event.len() + 4).sum());
    for event in events {
        body.extend_from_slice(&u32::try_from(event.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend_from_slice(event.as_bytes());
    }
    body
}

/// Reads the events of a block that begins with `first`.
pub(crate) fn read(first: u64, body: &[u8]) -> Result<Vec<Read>> {
    parse(first, body).ok_or_else(|| Error::damaged("The trace journal"))
}

fn parse(first: u64, body: &[u8]) -> Option<Vec<Read>> {
    let (mut events, mut rest, mut sequence) = (Vec::new(), body, first);
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (members, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        events.push((sequence, format!("{{{},\"sequence\":{sequence}}}", str::from_utf8(members).ok()?)));
        (rest, sequence) = (tail, sequence.checked_add(1)?);
    }
    Some(events)
}
