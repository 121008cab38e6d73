//! Checks that a conversation can be sent to a model: each result follows its call, and each call has a result. Models
//! number their calls anew in each turn, so an id may be reused once its call has a result.

use std::collections::{BTreeMap, HashMap, HashSet};

use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Kind, Result};
use bailiwick_tenancy::{Access, Entries};

use super::head::{Head, journal_name};
use super::message::{Exchange, NewMessage, Role, exchanges, stored_message, wrong};
use crate::handle::Threads;

/// Messages read at once.
pub(crate) const MESSAGES_A_READ: usize = 64;
/// Bytes of messages read at once; a single message may have more.
pub(crate) const BYTES_A_READ: u64 = 1 << 20;

/// Results whose calls must be in the thread already: call ids and places.
pub(crate) type Answers = BTreeMap<String, String>;

/// Checks the calls and results of messages that are appended together. A call may be open at their end: its result may
/// be appended later.
///
/// # Errors
/// `InvalidInput` names the place.
pub(crate) fn check(messages: &[NewMessage]) -> Result<Answers> {
    let last_turn = messages.iter().rposition(|message| message.role != Role::Tool).unwrap_or(0);
    let (mut open, mut answered) = (HashMap::<&str, (usize, String)>::new(), HashSet::<&str>::new());
    let mut answers = Answers::new();
    for (at, message) in messages.iter().enumerate() {
        let mut own = HashSet::new();
        for (part, exchange) in &message.exchanges {
            let path = format!("messages[{at}].parts[{part}]");
            match exchange {
                Exchange::Call(id) => {
                    if !own.insert(id) {
                        return Err(wrong(&path, "has the callId of another call in this message; give each its own"));
                    }
                    answered.remove(id.as_str());
                    if let Some((_, open)) = open.insert(id, (at, path)) {
                        return Err(unanswered(&open));
                    }
                }
                Exchange::Result(id) if open.remove(id.as_str()).is_some() => drop(answered.insert(id)),
                Exchange::Result(id) if answered.contains(id.as_str()) || answers.contains_key(id) => {
                    return Err(answered_already(&path));
                }
                Exchange::Result(id) => drop(answers.insert(id.clone(), path)),
            }
        }
    }
    match open.into_values().filter(|(at, _)| *at != last_turn).min() {
        Some((_, path)) => Err(unanswered(&path)),
        None => Ok(answers),
    }
}

fn unanswered(path: &str) -> bailiwick_model::Error {
    wrong(
        path,
        "is a call without a result, and other messages follow; append its result behind it (isError: true if it never ran), \
         or leave the call out",
    )
}

fn answered_already(path: &str) -> bailiwick_model::Error {
    wrong(path, "is the result of a call that has one already; leave it out")
}

impl Threads<'_> {
    /// Checks that the calls of these results are in a thread and open.
    ///
    /// # Errors
    /// `InvalidInput` names the place, and those of the store.
    pub(crate) async fn check_answers(self, access: &Access, head: &Head, mut answers: Answers) -> Result<()> {
        let mut end = head.length;
        while !answers.is_empty() && end > 0 {
            let before = self.handle.held_bytes();
            let wanted = Entries { from: 0, to: end - 1, reverse: true, limit: MESSAGES_A_READ };
            let part = access.part(Kind::Threads, journal_name(access, &head.journal), wanted, BYTES_A_READ).await?;
            let Some((first, _)) = part.entries.last() else { break };
            end = *first;
            for (_, entry) in &part.entries {
                ahead(RECORD + 2 * entry.body.len() as u64).await;
                // The last part with a call's id counts.
                for (_, exchange) in exchanges(&stored_message(&entry.body)?).into_iter().rev() {
                    let answered = match &exchange {
                        Exchange::Call(id) => answers.remove(id).and(None),
                        Exchange::Result(id) => answers.get(id),
                    };
                    answered.map_or(Ok(()), |path| Err(answered_already(path)))?;
                }
            }
            drop(part);
            self.handle.give_back_to(before);
        }
        match answers.into_values().min() {
            Some(path) => {
                Err(wrong(&path, "is the result of a call that is not in the thread; append the call before it"))
            }
            None => Ok(()),
        }
    }
}
