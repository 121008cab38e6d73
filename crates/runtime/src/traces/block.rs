//! Events of the trace journal, and the bytes of the blocks in which they are kept. An event has the sequence of its
//! block plus its place in it.
//!
//! ```text
//! for each event: u32be length ‖ members of a JSON object: "type", "at" and what belongs to the type
//! ```

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};

/// What a host's own calls leave in the trace journal.
pub enum HostEvent<'a> {
    /// A query that named another tenant was refused. The other name is not kept.
    RequestRejected,
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

impl HostEvent<'_> {
    /// The members of its JSON object.
    pub(crate) fn members(&self, at: u64) -> String {
        let text = |text: &str| json::write(&Json::from(text));
        match self {
            Self::RequestRejected => format!("\"type\":\"request.rejected\",\"at\":{at},\"reason\":\"tenant\""),
            Self::ReferenceCreated { reference } => {
                format!("\"type\":\"reference.created\",\"at\":{at},\"reference\":{}", text(reference))
            }
            Self::PlanSaved { plan_id, version, hash } => format!(
                "\"type\":\"plan.saved\",\"at\":{at},\"planId\":{},\"version\":{version},\"hash\":{}",
                text(plan_id),
                text(hash),
            ),
        }
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

/// The events of a block that begins with `first`.
///
/// # Errors
/// `StoreCorrupt`.
pub(crate) fn read(first: u64, body: &[u8]) -> Result<Vec<Read>> {
    parse(first, body).ok_or_else(|| Error::StoreCorrupt("A trace's record is damaged.".to_owned()))
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
