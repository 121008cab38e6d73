//! A naive model of threads, and a tenant that acts at random and compares.

use std::collections::BTreeMap;

use bailiwick_model::Error;
use bailiwick_runtime::TenantHandle;

use crate::support::Random;
use crate::threads::{list_all, member, message, read_all, sequence};

/// The retention of these threads in milliseconds.
pub(crate) const TTL: u64 = 1000;
const THREADS: [&str; 4] = ["a", "b", "c/*", "\u{e9}%"];
const ACTORS: [&str; 2] = ["ann", "bob"];

#[derive(Clone)]
struct ModelThread {
    actor: Option<String>,
    messages: Vec<String>,
    created: (u64, usize),
    updated: u64,
    expires: u64,
}

/// What one tenant should have.
#[derive(Default)]
pub(crate) struct Model {
    threads: BTreeMap<String, ModelThread>,
    made: usize,
}

impl Model {
    fn expire(&mut self, now: u64) {
        self.threads.retain(|_, thread| thread.expires > now);
    }

    fn create(&mut self, actor: Option<String>, now: u64) -> ModelThread {
        self.made += 1;
        ModelThread { actor, messages: Vec::new(), created: (now, self.made), updated: now, expires: now + TTL }
    }

    fn summaries(&self, actor: Option<&str>) -> Vec<String> {
        let mut threads: Vec<_> = self
            .threads
            .iter()
            .filter(|(_, thread)| actor.is_none_or(|a| thread.actor.as_deref() == Some(a)))
            .collect();
        threads.sort_by_key(|(_, thread)| std::cmp::Reverse(thread.created));
        threads
            .into_iter()
            .map(|(id, thread)| {
                let actor = thread.actor.as_ref().map(|actor| format!(r#","actor":"{actor}""#)).unwrap_or_default();
                format!(
                    r#"{{"threadId":"{id}","length":{}{actor},"createdAt":{},"updatedAt":{}}}"#,
                    thread.messages.len(),
                    thread.created.0,
                    thread.updated
                )
            })
            .collect()
    }
}

pub(crate) struct Player {
    pub(crate) handle: TenantHandle,
    pub(crate) model: Model,
    pub(crate) name: String,
}

impl Player {
    /// Does something at random and checks what comes of it.
    pub(crate) async fn act(&mut self, random: &mut Random, now: u64) {
        self.model.expire(now);
        let mut known: Vec<String> = self.model.threads.keys().cloned().collect();
        known.extend(THREADS.map(str::to_owned));
        let thread = random.pick(&known).unwrap().clone();
        match random.below(10) {
            0..=3 => self.append(random, &thread, now).await,
            4 => self.fork(random, &thread, now).await,
            5 => {
                let expected = self.model.threads.remove(&thread).is_some();
                assert_eq!(self.handle.threads().delete(&thread).await.unwrap(), expected);
            }
            6 => {
                self.handle.threads().sweep(1 + random.below(3)).await.unwrap();
            }
            7 => {
                let actor = random.pick(&ACTORS).copied().filter(|_| random.one_in(2));
                let listed = list_all(&self.handle, actor, 1 + random.below(4)).await;
                assert_eq!(listed, self.model.summaries(actor), "{actor:?}");
            }
            _ => self.compare(&thread, 1 + random.below(5)).await,
        }
    }

    async fn append(&mut self, random: &mut Random, thread: &str, now: u64) {
        let actor = random.pick(&ACTORS).copied().filter(|_| random.one_in(2));
        let texts: Vec<String> = (0..=random.below(3)).map(|_| format!("{} {}", self.name, random.next())).collect();
        let all: Vec<String> = texts.iter().map(|text| message(text, actor)).collect();
        let body = format!("[{}]", all.join(",")).into_bytes();
        let length = self.model.threads.get(thread).map_or(0, |thread| thread.messages.len() as u64);
        let expected = if random.one_in(3) { Some(length + random.below(2) as u64) } else { None };
        let outcome = self.handle.threads().append(thread, &body, expected).await;
        if expected.is_some_and(|expected| expected != length) {
            assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
            return;
        }
        let appended = outcome.unwrap();
        for (index, (appended, text)) in appended.iter().zip(&texts).enumerate() {
            assert_eq!(sequence(appended), length + index as u64);
            assert!(appended.contains(text.as_str()));
        }
        let mut kept = match self.model.threads.remove(thread) {
            Some(kept) => kept,
            None => self.model.create(actor.map(str::to_owned), now),
        };
        kept.messages.extend(appended.iter().map(|message| message.to_string()));
        (kept.updated, kept.expires) = (now, now + TTL);
        self.model.threads.insert(thread.to_owned(), kept);
    }

    async fn fork(&mut self, random: &mut Random, thread: &str, now: u64) {
        let Some(source) = self.model.threads.get(thread).cloned() else {
            let id = format!("msg_{}", "a".repeat(32));
            assert_eq!(self.handle.threads().fork(thread, &id, None).await, Err(Error::NotFound));
            return;
        };
        let last = random.below(source.messages.len());
        let through = member(&source.messages[last], "messageId");
        let new_id = random.pick(&THREADS).copied().filter(|_| random.one_in(2));
        let outcome = self.handle.threads().fork(thread, &through, new_id).await;
        if new_id.is_some_and(|id| self.model.threads.contains_key(id)) {
            assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
            return;
        }
        let id = outcome.unwrap();
        assert!(new_id.is_none_or(|new_id| new_id == id));
        let mut forked = self.model.create(source.actor, now);
        forked.messages = source.messages[..=last].to_vec();
        self.model.threads.insert(id, forked);
    }

    async fn compare(&self, thread: &str, limit: usize) {
        match (self.model.threads.get(thread), read_all(&self.handle, thread, limit).await) {
            (None, Err(Error::NotFound)) => {}
            (Some(expected), Ok(found)) => assert_eq!(found, expected.messages),
            (expected, found) => panic!("{thread}: {found:?}, expected {}", expected.is_some()),
        }
    }
}
