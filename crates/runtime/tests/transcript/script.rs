//! What a tenant does next: a random call, often about something that somebody has made.

use crate::call::{Answer, Call, Content, Value};
use crate::support::Random;

/// What one tenant knows: ids and cursors it was given.
#[derive(Clone, Default)]
pub(crate) struct Known {
    ids: Vec<String>,
    cursors: Vec<String>,
}

impl Known {
    pub(crate) fn learn(&mut self, answer: &Answer) {
        self.ids.extend(answer.ids.iter().cloned());
        self.cursors.extend(answer.cursor.clone());
    }
}

const KEYS: [&str; 5] = ["k", "k ", "K", "*", "__proto__"];
const TYPES: [&str; 4] = ["note", "row", "free", "blob"];
const INLINE: usize = 4096;

/// The next call of a tenant who knows `own` and has come by everything in `foreign`.
pub(crate) fn next_call(random: &mut Random, own: &Known, foreign: &Known, computing: bool) -> Call {
    match random.below(26) {
        0..=5 => Call::Put(vec![value(random)]),
        6 => Call::Put((0..random.below(5)).map(|_| value(random)).collect()),
        7..=9 => Call::Resolve(id(random, own, foreign)),
        10 => Call::ResolveMany((0..random.below(6)).map(|_| id(random, own, foreign)).collect()),
        11 => Call::Describe(id(random, own, foreign)),
        12..=14 => list(random, own, foreign),
        15 | 16 => Call::Delete(id(random, own, foreign)),
        17 => Call::CacheGet(key(random)),
        18 | 19 => Call::CacheSet { key: key(random), value: cached(random), ttl_ms: ttl(random) },
        20 => Call::CacheDelete(key(random)),
        21 | 22 if computing => {
            if random.one_in(3) {
                Call::CacheGiveUp
            } else {
                Call::CacheComputed(cached(random))
            }
        }
        21 | 22 => Call::CacheBegin { key: key(random), ttl_ms: ttl(random) },
        23 => Call::Reopen,
        _ => Call::Usage,
    }
}

/// Few different values, so that both tenants keep the same ones, and keep them again.
fn value(random: &mut Random) -> Value {
    let number = random.below(4);
    let content = match random.below(12) {
        0..=2 => Content::Text(format!("text {number}")),
        3 | 4 => Content::Json(format!(r#"{{"b":{number},"a":[1.0,null]}}"#)),
        5 => Content::Json(format!(r#"{{"a":[1,null],"b":{number}.0}}"#)),
        6 => Content::Json(r#"{"twice":1,"twice":2}"#.to_owned()),
        7 | 8 => Content::Bytes(number as u8, INLINE - 1 + random.below(3)),
        9 => Content::Bytes(number as u8, 5 * 1024),
        10 if random.one_in(8) => Content::Bytes(number as u8, 100 * 1024),
        10 => Content::Bytes(0, 0),
        _ => Content::Text("x".repeat(INLINE + 1)),
    };
    let type_name = if random.one_in(20) { "Not A Name" } else { random.pick(&TYPES).copied().unwrap_or_default() };
    let media_type = match random.below(8) {
        0 => Some("text/csv; header=present".to_owned()),
        1 => Some("none".to_owned()),
        _ => None,
    };
    Value { type_name: type_name.to_owned(), content, ttl_ms: ttl(random), media_type }
}

fn ttl(random: &mut Random) -> Option<u64> {
    match random.below(12) {
        0 => Some(0),
        1 => Some(u64::MAX),
        2..=6 => Some(1 + random.below(4000) as u64),
        _ => None,
    }
}

fn id(random: &mut Random, own: &Known, foreign: &Known) -> String {
    let fresh = |random: &mut Random| {
        let letters = b"abcdefghijklmnopqrstuvwxyz234567";
        let letter = |random: &mut Random| char::from(random.pick(letters).copied().unwrap_or_default());
        format!("ref_{}", (0..32).map(|_| letter(random)).collect::<String>())
    };
    let known = match random.below(10) {
        0 => return fresh(random),
        1 => return "ref_*".to_owned(),
        2..=4 => random.pick(&foreign.ids),
        _ => random.pick(&own.ids),
    };
    known.cloned().unwrap_or_else(|| fresh(random))
}

fn list(random: &mut Random, own: &Known, foreign: &Known) -> Call {
    let type_name = match random.below(8) {
        0..=3 => None,
        4 => Some("*"),
        _ => random.pick(&TYPES).copied(),
    };
    let limit = match random.below(12) {
        0 => 0,
        1 => 1001,
        2 => 1000,
        _ => 1 + random.below(3),
    };
    let cursor = match random.below(6) {
        0 | 1 => random.pick(&own.cursors).cloned(),
        2 => random.pick(&foreign.cursors).cloned(),
        3 if random.one_in(3) => Some("bm90IGEgY3Vyc29y".to_owned()),
        _ => None,
    };
    Call::List { type_name: type_name.map(str::to_owned), limit, cursor }
}

fn key(random: &mut Random) -> String {
    match random.below(40) {
        0 => String::new(),
        1 => "k".repeat(1025),
        _ => random.pick(&KEYS).copied().unwrap_or_default().to_owned(),
    }
}

fn cached(random: &mut Random) -> String {
    match random.below(10) {
        0 => "not json".to_owned(),
        1 => format!("\"{}\"", "c".repeat(5000)),
        number => format!(r#"{{"cached":{number}}}"#),
    }
}
