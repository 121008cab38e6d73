//! Random commits, look-ups, scans and reopenings on every engine, against a model that is as simple as can be.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_store::conformance::Home;
use bailiwick_store::conformance::database::Database;
use bailiwick_store::conformance::support::{block_on, item, noise, place};
use bailiwick_store::memory::{self, MemoryOptions};
use bailiwick_store::sled::{self, SledOptions};
use bailiwick_store::{
    Commit, CommitError, Count, Due, Durability, Found, Kinds, Limits, Op, Opened, Place, Promptness, Row, ScanRequest,
    Tag, Usage, Version, When,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const LENGTHS: [usize; 7] = [0, 1, 300, 4_069, 4_070, 4_071, 30_000];

#[derive(Clone, Copy, Debug)]
enum Condition {
    Any,
    Absent,
    /// The version the row has, or had last, or none has ever had.
    Current,
    /// Another than it has.
    Stale,
}

#[derive(Clone, Debug)]
enum Step {
    Put { length: usize, expires_at: Option<u64>, counted: Option<u64>, when: Condition },
    Extend { expires_at: Option<u64> },
    Delete { when: Condition },
    Check { when: Condition },
}

#[derive(Clone, Debug)]
enum Action {
    Commit { tag: u8, now: u64, steps: Vec<(u8, u64, Step)>, items: Option<u64>, bytes: Option<u64>, is_relaxed: bool },
    Get { tag: u8, kind: u8, item: u64, knows: bool, now: u64 },
    Scan { tag: u8, kind: u8, from: u64, to: u64, reverse: bool, limit: usize, now: u64 },
    Usage { tag: u8 },
    Sweep { tag: u8, kind: u8, now: u64 },
    Reopen,
    Compact,
}

fn times() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(90..120_u64)
}

fn conditions() -> impl Strategy<Value = Condition> {
    prop_oneof![
        3 => Just(Condition::Any),
        1 => Just(Condition::Absent),
        2 => Just(Condition::Current),
        1 => Just(Condition::Stale),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let put = (prop::sample::select(&LENGTHS[..]), times(), prop::option::of(0..50_u64), conditions());
    prop_oneof![
        5 => put.prop_map(|(length, expires_at, counted, when)| Step::Put { length, expires_at, counted, when }),
        2 => times().prop_map(|expires_at| Step::Extend { expires_at }),
        2 => conditions().prop_map(|when| Step::Delete { when }),
        1 => conditions().prop_map(|when| Step::Check { when }),
    ]
}

fn actions() -> impl Strategy<Value = Action> {
    let now = || 100..110_u64;
    let limits = || prop::option::weighted(0.3, 0..6_u64);
    let commit =
        (0..2_u8, now(), prop::collection::vec((0..2_u8, 0..5_u64, steps()), 1..6), limits(), limits(), any::<bool>());
    prop_oneof![
        12 => commit.prop_map(|(tag, now, steps, items, bytes, is_relaxed)| {
            Action::Commit { tag, now, steps, items, bytes: bytes.map(|bytes| bytes * 20), is_relaxed }
        }),
        4 => (0..2_u8, 0..2_u8, 0..5_u64, any::<bool>(), now())
            .prop_map(|(tag, kind, item, knows, now)| Action::Get { tag, kind, item, knows, now }),
        4 => (0..2_u8, 0..2_u8, 0..6_u64, 0..6_u64, any::<bool>(), 0..5_usize, now())
            .prop_map(|(tag, kind, from, to, reverse, limit, now)| Action::Scan { tag, kind, from, to, reverse, limit, now }),
        1 => (0..2_u8).prop_map(|tag| Action::Usage { tag }),
        2 => (0..2_u8, 0..2_u8, now()).prop_map(|(tag, kind, now)| Action::Sweep { tag, kind, now }),
        1 => Just(Action::Reopen),
        2 => Just(Action::Compact),
    ]
}

/// A row of the model; its version is the number of the commit that wrote it.
#[derive(Clone, Debug)]
struct Known {
    version: usize,
    length: usize,
    seed: u64,
    expires_at: Option<u64>,
    counted: Option<u64>,
}

type Rows = BTreeMap<(u8, u8, u64), Known>;

#[derive(Default)]
struct Model {
    rows: Rows,
    /// The last version each place has had.
    last: BTreeMap<(u8, u8, u64), usize>,
}

fn is_live(known: &Known, now: u64) -> bool {
    known.expires_at.is_none_or(|at| at > now)
}

fn counts(rows: &Rows, tag: u8) -> Usage {
    let mut usage = Usage::new();
    for ((_, kind, _), known) in rows.iter().filter(|((owner, ..), _)| *owner == tag) {
        if let Some(bytes) = known.counted {
            let count = usage.entry(*kind).or_default();
            count.items += 1;
            count.bytes += bytes;
        }
    }
    usage
}

impl Model {
    /// The logical version that a condition names, if it names one.
    fn version(&self, at: (u8, u8, u64), condition: Condition) -> Option<usize> {
        let last = self.last.get(&at).copied();
        match condition {
            Condition::Any | Condition::Absent => None,
            Condition::Current => Some(last.unwrap_or(usize::MAX)),
            Condition::Stale => Some(last.map_or(usize::MAX, |last| last.wrapping_sub(1))),
        }
    }

    /// Removes what has expired, and says how many rows that were.
    fn sweep(&mut self, tag: u8, kind: u8, now: u64) -> u64 {
        let before = self.rows.len();
        self.rows.retain(|at, known| (at.0, at.1) != (tag, kind) || is_live(known, now));
        (before - self.rows.len()) as u64
    }

    /// The tags and kinds that have something to sweep.
    fn due(&self, now: u64) -> BTreeSet<Due> {
        let expired = self.rows.iter().filter(|(_, known)| !is_live(known, now));
        expired.map(|((tag, kind, _), _)| Due { tag: owner(*tag), kind: *kind }).collect()
    }

    /// Whether the commit goes through, and what it would leave.
    fn commit(&self, number: usize, action: &Action) -> Result<Rows, CommitError> {
        let Action::Commit { tag, now, steps, items, bytes, .. } = action else { panic!("no commit") };
        let mut rows = self.rows.clone();
        for (op, (kind, item, step)) in steps.iter().enumerate() {
            let at = (*tag, *kind, *item);
            let live = rows.get(&at).filter(|known| is_live(known, *now)).cloned();
            let holds = |condition: Condition| match condition {
                Condition::Any => true,
                Condition::Absent => live.is_none(),
                Condition::Current | Condition::Stale => {
                    live.as_ref().is_some_and(|known| Some(known.version) == self.version(at, condition))
                }
            };
            let goes_through = match step {
                Step::Put { when, .. } | Step::Delete { when } | Step::Check { when } => holds(*when),
                Step::Extend { .. } => live.is_some(),
            };
            if !goes_through {
                return Err(CommitError::Conflict { op });
            }
            match step {
                Step::Put { length, expires_at, counted, .. } => {
                    let seed = number as u64 * 100 + op as u64;
                    let known =
                        Known { version: number, length: *length, seed, expires_at: *expires_at, counted: *counted };
                    rows.insert(at, known);
                }
                Step::Extend { expires_at } => {
                    let known = rows.get_mut(&at).unwrap();
                    known.version = number;
                    known.expires_at = match (known.expires_at, expires_at) {
                        (Some(old), Some(asked)) => Some(old.max(*asked)),
                        _ => None,
                    };
                }
                Step::Delete { .. } => drop(rows.remove(&at)),
                Step::Check { .. } => {}
            }
        }
        let (before, after) = (counts(&self.rows, *tag), counts(&rows, *tag));
        let items_of = |usage: &Usage| usage.get(&0).map_or(0, |count| count.items);
        if let Some(limit) = items.filter(|limit| items_of(&after) > items_of(&before).max(*limit)) {
            let (used, after) = (items_of(&before), items_of(&after));
            return Err(CommitError::Quota { kind: Some(0), limit, used, more: after - used });
        }
        let bytes_of = |usage: &Usage| usage.values().map(|count| count.bytes).sum::<u64>();
        match *bytes {
            Some(limit) if bytes_of(&after) > bytes_of(&before) && bytes_of(&after) > limit => {
                let (used, after) = (bytes_of(&before), bytes_of(&after));
                Err(CommitError::Quota { kind: None, limit, used, more: after - used })
            }
            _ => Ok(rows),
        }
    }
}

/// An engine under test, and the versions it gave to the model's.
struct Subject {
    opened: Opened,
    versions: BTreeMap<usize, Version>,
}

fn owner(tag: u8) -> Tag {
    Tag([tag; 32])
}

impl Subject {
    fn new(opened: Opened) -> Self {
        Self { opened, versions: BTreeMap::new() }
    }

    fn version(&self, version: usize) -> Version {
        self.versions.get(&version).copied().unwrap_or(Version(u64::MAX))
    }

    fn commit(&mut self, model: &Model, number: usize, action: &Action) -> Result<(), CommitError> {
        let Action::Commit { tag, now, steps, items, bytes, is_relaxed } = action else { panic!("no commit") };
        let op = |(op, (kind, item, step)): (usize, &(u8, u64, Step))| {
            let at = place(*kind, *item);
            let when = |condition: &Condition| match condition {
                Condition::Any => When::Any,
                Condition::Absent => When::Absent,
                _ => When::Version(self.version(model.version((*tag, *kind, *item), *condition).unwrap())),
            };
            match step {
                Step::Put { length, expires_at, counted, when: condition } => Op::Put {
                    place: at,
                    value: noise(number as u64 * 100 + op as u64, *length),
                    expires_at: *expires_at,
                    counted: *counted,
                    when: when(condition),
                },
                Step::Extend { expires_at } => Op::Extend { place: at, expires_at: *expires_at },
                Step::Delete { when: condition } => Op::Delete { place: at, when: when(condition) },
                Step::Check { when: condition } => Op::Check { place: at, when: when(condition) },
            }
        };
        let commit = Commit {
            tag: owner(*tag),
            now: *now,
            ops: steps.iter().enumerate().map(op).collect(),
            limits: Limits { items: items.iter().map(|limit| (0, *limit)).collect(), bytes: *bytes },
            durability: if *is_relaxed { Durability::Relaxed } else { Durability::Sync },
        };
        let version = block_on(self.opened.engine.commit(commit))?;
        self.versions.insert(number, version);
        Ok(())
    }

    fn row(&self, kind: u8, item: u64, known: &Known) -> Row {
        Row {
            place: place(kind, item),
            version: self.version(known.version),
            expires_at: known.expires_at,
            value: noise(known.seed, known.length),
        }
    }

    fn look(&self, model: &Model, action: &Action) {
        match *action {
            Action::Get { tag, kind, item, knows, now } => {
                let live = model.rows.get(&(tag, kind, item)).filter(|known| is_live(known, now));
                let known_version = live.filter(|_| knows).map(|known| self.version(known.version));
                let expected = match live {
                    None => Found::Absent,
                    Some(known) if knows => Found::NotModified { expires_at: known.expires_at },
                    Some(known) => Found::Entry(self.row(kind, item, known)),
                };
                let wanted: Vec<(Place, Option<Version>)> = vec![(place(kind, item), known_version)];
                assert_eq!(block_on(self.opened.engine.get(owner(tag), wanted, u64::MAX, now)).unwrap(), [expected]);
            }
            Action::Scan { tag, kind, from, to, reverse, limit, now } => {
                let within = |at: &(u8, u8, u64)| at.0 == tag && at.1 == kind && from <= at.2 && at.2 <= to;
                let live = model.rows.iter().filter(|(at, known)| within(at) && is_live(known, now));
                let mut expected: Vec<Row> = live.map(|(at, known)| self.row(kind, at.2, known)).collect();
                if reverse {
                    expected.reverse();
                }
                expected.truncate(limit);
                let request = ScanRequest { kind, from: item(from), to: item(to), reverse, limit, most: u64::MAX, now };
                assert_eq!(block_on(self.opened.engine.scan(owner(tag), request)).unwrap().rows, expected);
            }
            Action::Usage { tag } => {
                let mut usage = block_on(self.opened.engine.usage(owner(tag))).unwrap();
                usage.retain(|_, count| *count != Count::default());
                assert_eq!(usage, counts(&model.rows, tag));
            }
            Action::Commit { .. } | Action::Sweep { .. } | Action::Reopen | Action::Compact => {}
        }
    }

    /// Everything that has something to sweep is named; what has nothing any more may be, until it was swept.
    fn check_due(&self, model: &Model, now: u64) {
        let named = block_on(self.opened.engine.due(now, Kinds::AllBut(200), Promptness::Now, 100)).unwrap();
        let missing: Vec<Due> = model.due(now).into_iter().filter(|due| !named.contains(due)).collect();
        assert_eq!(missing, []);
    }
}

fn run(actions: &[Action]) {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::fresh();
    let on_sled = || {
        sled::open(&directory.path().join("store"), SledOptions { cache_bytes: 4 << 20, ..SledOptions::default() })
            .unwrap()
    };
    let on_postgres = || database.open();
    let durable: [&dyn Fn() -> Opened; 2] = [&on_sled, &on_postgres];
    let mut model = Model::default();
    let mut subjects: Vec<Subject> = durable.iter().map(|open| Subject::new(open())).collect();
    subjects.push(Subject::new(memory::open(MemoryOptions::default())));
    for (number, action) in actions.iter().enumerate() {
        match action {
            Action::Commit { .. } => {
                let expected = model.commit(number, action);
                for subject in &mut subjects {
                    let result = subject.commit(&model, number, action);
                    assert_eq!(result, expected.clone().map(drop), "{action:?}");
                }
                if let Ok(rows) = expected {
                    model.last.extend(rows.iter().map(|(at, known)| (*at, known.version)));
                    model.rows = rows;
                }
            }
            Action::Sweep { tag, kind, now } => {
                let expected = model.sweep(*tag, *kind, *now);
                for subject in &subjects {
                    let due = Due { tag: owner(*tag), kind: *kind };
                    assert_eq!(block_on(subject.opened.engine.sweep(due, *now)), Ok(expected), "{action:?}");
                    let left =
                        block_on(subject.opened.engine.due(*now, Kinds::AllBut(200), Promptness::Now, 100)).unwrap();
                    assert!(!left.contains(&due), "{action:?}");
                }
            }
            Action::Reopen => {
                for (subject, open) in subjects.iter_mut().zip(durable) {
                    block_on(subject.opened.engine.close());
                    subject.opened = open();
                }
            }
            Action::Compact => subjects.iter().for_each(|subject| {
                let compacted = block_on(subject.opened.engine.compact()).unwrap();
                assert!(compacted.is_none_or(|bytes| bytes.after <= bytes.before.max(4_096)), "{compacted:?}");
            }),
            look => subjects.iter().for_each(|subject| subject.look(&model, look)),
        }
        for now in [95, 105, 115] {
            subjects.iter().for_each(|subject| subject.check_due(&model, now));
        }
    }
}

#[test]
fn engines_behave_like_the_model() {
    let cases = if std::env::var_os("BAILIWICK_LONG").is_some() { 1_280 } else { 64 };
    let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let sequences = prop::collection::vec(actions(), 1..80);
    TestRunner::new(config)
        .run(&sequences, |actions| {
            run(&actions);
            Ok(())
        })
        .unwrap();
}
