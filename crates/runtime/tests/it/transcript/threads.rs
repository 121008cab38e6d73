//! Calls about threads.

use bailiwick_model::Result;
use bailiwick_runtime::TenantHandle;

use crate::support::Random;
use crate::transcript::call::Answer;
use crate::transcript::known::{Both, limit, name};

#[derive(Clone, Debug)]
pub(crate) enum ThreadCall {
    Append { thread_id: String, messages: String, expected_length: Option<u64> },
    Messages { thread_id: String, limit: usize, cursor: Option<String> },
    List { actor: Option<String>, limit: usize, cursor: Option<String> },
    Fork { thread_id: String, through: String, new_id: Option<String> },
    Delete(String),
}

impl ThreadCall {
    pub(crate) fn next(random: &mut Random, both: Both<'_>) -> Self {
        let thread_id = if random.one_in(3) { both.id(random, "thr_") } else { name(random) };
        match random.below(12) {
            0..=4 => {
                let messages: Vec<String> = (0..random.below(4)).map(|_| message(random)).collect();
                let expected_length = random.one_in(3).then(|| random.below(4) as u64);
                Self::Append { thread_id, messages: format!("[{}]", messages.join(",")), expected_length }
            }
            5..=7 => Self::Messages { thread_id, limit: limit(random), cursor: both.cursor(random, "messages") },
            8 | 9 => Self::List {
                actor: random.one_in(2).then(|| name(random)),
                limit: limit(random),
                cursor: both.cursor(random, "threads"),
            },
            10 => Self::Fork {
                thread_id,
                through: both.id(random, "msg_"),
                new_id: random.one_in(2).then(|| name(random)),
            },
            _ => Self::Delete(thread_id),
        }
    }

    pub(crate) async fn make(&self, handle: &TenantHandle, answer: &mut Answer) -> Result<()> {
        match self {
            Self::Append { thread_id, messages, expected_length } => {
                let messages = handle.threads().append(thread_id, messages.as_bytes(), *expected_length).await?;
                messages.iter().for_each(|message| answer.see(message));
            }
            Self::Messages { thread_id, limit, cursor } => {
                answer.see_page("messages", handle.threads().messages(thread_id, *limit, cursor.as_deref()).await?);
            }
            Self::List { actor, limit, cursor } => {
                answer.see_page("threads", handle.threads().list(actor.as_deref(), *limit, cursor.as_deref()).await?);
            }
            Self::Fork { thread_id, through, new_id } => {
                answer.see(&handle.threads().fork(thread_id, through, new_id.as_deref()).await?);
            }
            Self::Delete(thread_id) => answer.see(&handle.threads().delete(thread_id).await?.to_string()),
        }
        Ok(())
    }
}

fn message(random: &mut Random) -> String {
    let text = if random.one_in(6) { "m".repeat(5000) } else { format!("message {}", random.below(3)) };
    let actor = if random.one_in(2) { format!(r#","actor":"{}""#, name(random)) } else { String::new() };
    let role = if random.one_in(20) { "nobody" } else { "user" };
    format!(r#"{{"role":"{role}","parts":[{{"type":"text","text":"{text}"}}],"createdAt":1{actor}}}"#)
}
