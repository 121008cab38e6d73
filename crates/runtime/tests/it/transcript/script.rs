//! What a tenant does next: a random call, often about something that somebody has made.

use crate::support::Random;
use crate::transcript::approvals::ApprovalCall;
use crate::transcript::call::{Call, Content, Value};
use crate::transcript::known::{Both, limit, name, ttl};
use crate::transcript::plans::PlanCall;
use crate::transcript::threads::ThreadCall;
use crate::transcript::traces::TraceCall;

const TYPES: [&str; 4] = ["note", "row", "free", "blob"];
const INLINE: usize = 4096;

/// A kind of calls. A script is short, so it has a favourite: else it would not get far with any.
#[derive(Clone, Copy)]
pub(crate) enum Theme {
    References,
    Cache,
    Plans,
    Approvals,
    Threads,
    Traces,
}

pub(crate) const THEMES: [Theme; 6] =
    [Theme::References, Theme::Cache, Theme::Plans, Theme::Approvals, Theme::Threads, Theme::Traces];

/// The next call of a tenant.
pub(crate) fn next_call(random: &mut Random, favourite: Theme, both: Both<'_>, computing: bool) -> Call {
    match random.below(20) {
        0 => return Call::Reopen,
        1 => return Call::Usage,
        _ => {}
    }
    let theme = if random.one_in(3) { random.pick(&THEMES).copied().unwrap_or(favourite) } else { favourite };
    match theme {
        Theme::References => reference_call(random, both),
        Theme::Cache => cache_call(random, computing),
        Theme::Plans => Call::Plans(PlanCall::next(random, both)),
        Theme::Approvals => Call::Approvals(ApprovalCall::next(random, both)),
        Theme::Threads => Call::Threads(ThreadCall::next(random, both)),
        Theme::Traces => Call::Traces(TraceCall::next(random, both)),
    }
}

fn reference_call(random: &mut Random, both: Both<'_>) -> Call {
    let id = |random: &mut Random| both.id(random, "ref_");
    match random.below(17) {
        0..=5 => Call::Put(vec![value(random)]),
        6 => Call::Put((0..random.below(5)).map(|_| value(random)).collect()),
        7..=9 => Call::Resolve(id(random)),
        10 => Call::ResolveMany((0..random.below(6)).map(|_| id(random)).collect()),
        11 => Call::Describe(id(random)),
        12..=14 => list(random, both),
        _ => Call::Delete(id(random)),
    }
}

fn cache_call(random: &mut Random, computing: bool) -> Call {
    match random.below(7) {
        0 | 1 => Call::CacheGet(key(random)),
        2 | 3 => Call::CacheSet { key: key(random), value: cached(random), ttl_ms: ttl(random) },
        4 => Call::CacheDelete(key(random)),
        _ if computing => {
            if random.one_in(3) {
                Call::CacheGiveUp
            } else {
                Call::CacheComputed(cached(random))
            }
        }
        _ => Call::CacheBegin { key: key(random), ttl_ms: ttl(random) },
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

fn list(random: &mut Random, both: Both<'_>) -> Call {
    let type_name = match random.below(8) {
        0..=3 => None,
        4 => Some("*"),
        _ => random.pick(&TYPES).copied(),
    };
    Call::List {
        type_name: type_name.map(str::to_owned),
        limit: limit(random),
        cursor: both.cursor(random, "references"),
    }
}

fn key(random: &mut Random) -> String {
    match random.below(40) {
        0 => String::new(),
        1 => "k".repeat(1025),
        _ => name(random),
    }
}

fn cached(random: &mut Random) -> String {
    match random.below(10) {
        0 => "not json".to_owned(),
        1 => format!("\"{}\"", "c".repeat(5000)),
        number => format!(r#"{{"cached":{number}}}"#),
    }
}
