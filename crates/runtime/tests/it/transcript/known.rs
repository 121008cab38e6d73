//! What a tenant knows, and what it names in its next call: mostly something of its own.

use std::collections::BTreeMap;

use bailiwick_model::ledger::checkpoint::Checkpoint;

use crate::support::Random;
use crate::transcript::call::Answer;

/// What one tenant was given: ids, cursors, checkpoints.
#[derive(Clone, Default)]
pub(crate) struct Known {
    /// By their prefix.
    ids: BTreeMap<&'static str, Vec<String>>,
    /// By their list.
    cursors: BTreeMap<&'static str, Vec<String>>,
    checkpoints: Vec<Checkpoint>,
}

const PREFIXES: [&str; 5] = ["ref_", "plan_", "approval_", "msg_", "thr_"];
/// The digits behind a prefix.
const DIGITS: usize = 32;
const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Known {
    pub(crate) fn learn(&mut self, answer: &Answer) {
        let seen = String::from_utf8_lossy(&answer.seen);
        for prefix in PREFIXES {
            let known = self.ids.entry(prefix).or_default();
            for (at, _) in seen.match_indices(prefix) {
                let Some(id) = seen.get(at..at + prefix.len() + DIGITS) else { continue };
                let is_id = id.bytes().skip(prefix.len()).all(|digit| ALPHABET.contains(&digit));
                if is_id && !known.iter().any(|known| known == id) {
                    known.push(id.to_owned());
                }
            }
        }
        if let Some((list, cursor)) = &answer.cursor {
            self.cursors.entry(list).or_default().push(cursor.clone());
        }
        self.checkpoints.extend(answer.checkpoint.clone());
    }
}

/// One's own knowledge, and that of the other tenant, which one has come by.
#[derive(Clone, Copy)]
pub(crate) struct Both<'a> {
    pub(crate) own: &'a Known,
    pub(crate) foreign: &'a Known,
}

impl Both<'_> {
    /// An id with this prefix: one's own, a foreign one, one that was never given out, or none at all.
    pub(crate) fn id(self, random: &mut Random, prefix: &'static str) -> String {
        let ids = match random.below(10) {
            0 => return fresh(random, prefix),
            1 => return format!("{prefix}*"),
            2..=4 => &self.foreign.ids,
            _ => &self.own.ids,
        };
        let known = ids.get(prefix).and_then(|ids| random.pick(ids));
        known.cloned().unwrap_or_else(|| fresh(random, prefix))
    }

    /// Where to go on in a list, if anywhere.
    pub(crate) fn cursor(self, random: &mut Random, list: &str) -> Option<String> {
        let cursors = match random.below(8) {
            0 | 1 => self.own.cursors.get(list),
            2 => self.foreign.cursors.get(list),
            3 => {
                let lists: Vec<&Vec<String>> = self.own.cursors.values().collect();
                random.pick(&lists).copied()
            }
            4 if random.one_in(3) => return Some("bm90IGEgY3Vyc29y".to_owned()),
            _ => None,
        };
        cursors.and_then(|cursors| random.pick(cursors)).cloned()
    }

    /// A checkpoint, if there is one.
    pub(crate) fn checkpoint(self, random: &mut Random) -> Option<Checkpoint> {
        let known = if random.one_in(3) { self.foreign } else { self.own };
        random.pick(&known.checkpoints).cloned()
    }
}

fn fresh(random: &mut Random, prefix: &str) -> String {
    let letter = |random: &mut Random| char::from(random.pick(ALPHABET).copied().unwrap_or_default());
    format!("{prefix}{}", (0..DIGITS).map(|_| letter(random)).collect::<String>())
}

/// How many items of a page are asked for.
pub(crate) fn limit(random: &mut Random) -> usize {
    match random.below(12) {
        0 => 0,
        1 => 1001,
        2 => 1000,
        _ => 1 + random.below(3),
    }
}

/// How long something is to live, in milliseconds.
pub(crate) fn ttl(random: &mut Random) -> Option<u64> {
    match random.below(12) {
        0 => Some(0),
        1 => Some(u64::MAX),
        2..=6 => Some(1 + random.below(4000) as u64),
        _ => None,
    }
}

/// One of a few names, which both tenants use.
pub(crate) fn name(random: &mut Random) -> String {
    const NAMES: [&str; 5] = ["k", "k ", "K", "*", "__proto__"];
    random.pick(&NAMES).copied().unwrap_or_default().to_owned()
}
