//! Writers that note what they were told, and the oracle that compares it with what the server did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use bailiwick_store::conformance::database::{execute, with_client};
use bailiwick_store::conformance::support::{NOW, block_on, noise, place, tag};
use bailiwick_store::postgres::{self, PostgresOptions};
use bailiwick_store::{Commit, CommitError, Durability, Engine, Found, Limits, Op, Opened, Tag, Version, When};
use parking_lot::{Condvar, Mutex};

/// So many commits are under way at once.
const LANES: u64 = 8;
/// The lanes share so many tags.
const TAGS: u64 = 3;
/// To this one new rows alone are added, without limits.
const ADDED_TO: u64 = 2;
/// Each lane's rows have numbers of their own.
const LANE: u64 = 1_000_000;

/// How often who waits looks whether the load has ended for another reason.
const LOOK: Duration = Duration::from_millis(100);

/// Notes each row that is written, with its transaction: none of it remains if that does not go through.
const NOTING: &str = "
CREATE TABLE public.written (kind smallint, item bytea);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO public.written VALUES (NEW.kind, NEW.item); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON bailiwick.records FOR EACH ROW EXECUTE FUNCTION public.note()";

/// Has the server note what it writes.
pub(crate) fn noting(url: &str) {
    execute(url, NOTING);
}

/// Opens the store so that tests need not wait long for a server that does not answer.
pub(crate) fn open(url: &str) -> Opened {
    let patience = Duration::from_millis(800);
    block_on(postgres::open(&url.parse().unwrap(), PostgresOptions { patience, ..PostgresOptions::default() })).unwrap()
}

/// What a writer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    NotDone,
    Unknown,
}

#[derive(Default)]
pub(crate) struct Load {
    told: Mutex<BTreeMap<u64, Told>>,
    more: Condvar,
    is_over: AtomicBool,
}

impl Load {
    /// Writes until `faults` are over, which get a view of how far it has come.
    pub(crate) fn run(engine: &dyn Engine, faults: impl FnOnce(&Self)) -> Self {
        let load = Self::default();
        scope(|scope| {
            for lane in 0..LANES {
                let load = &load;
                scope.spawn(move || {
                    let _over = Over(&load.is_over);
                    load.write(engine, lane);
                });
            }
            let _over = Over(&load.is_over);
            faults(&load);
        });
        load
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Waits until so many more commits were acknowledged.
    pub(crate) fn wait_for_done(&self, more: usize) {
        self.wait_for(|told| told == Told::Done, more);
    }

    /// Waits until so many more commits were not.
    pub(crate) fn wait_for_failed(&self, more: usize) {
        self.wait_for(|told| told != Told::Done, more);
    }

    fn wait_for(&self, what: impl Fn(Told) -> bool, more: usize) {
        let mut told = self.told.lock();
        let count = |told: &BTreeMap<u64, Told>| told.values().filter(|told| what(**told)).count();
        let enough = count(&told) + more;
        while count(&told) < enough && !self.is_over() {
            self.more.wait_for(&mut told, LOOK);
        }
    }

    /// Of how many commits nobody knew.
    pub(crate) fn unknown(&self) -> usize {
        self.told.lock().values().filter(|told| **told == Told::Unknown).count()
    }

    /// One commit after the other. Each also replaces the lane's last row of another kind under the version that the one
    /// before was given, so one that is applied twice, or whose refusal was not true, makes the next conflict. One that adds
    /// rows alone conflicts with itself if it is applied twice.
    fn write(&self, engine: &dyn Engine, lane: u64) {
        let (mut last, mut known) = (lane * LANE, None);
        for number in lane * LANE.. {
            if self.is_over() {
                return;
            }
            let result = block_on(engine.commit(commit(number, last, known)));
            let told = match result {
                Ok(version) => {
                    known = Some(version);
                    Told::Done
                }
                Err(CommitError::Unavailable) => {
                    // So often a host would ask again.
                    sleep(Duration::from_millis(5));
                    Told::NotDone
                }
                Err(CommitError::OutcomeUnknown) => {
                    (last, known) = (number, None);
                    Told::Unknown
                }
                Err(error) => panic!("commit {number}: {error:?}"),
            };
            self.told.lock().insert(number, told);
            self.more.notify_all();
        }
    }

    /// Compares with what the server noted, what is there, and what is counted.
    pub(crate) fn check(&self, engine: &dyn Engine, url: &str) {
        let told = self.told.lock();
        let written = with_client(url, async move |client| {
            let sql = "SELECT item, count(*) FROM public.written WHERE kind = 1 GROUP BY item";
            let rows = client.query(sql, &[]).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1))).collect::<BTreeMap<Vec<u8>, i64>>()
        });
        let mut counted: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (&number, &told) in &*told {
            let times = written.get(&place(1, number).item[..]).copied().unwrap_or(0);
            match told {
                Told::Done => assert_eq!(times, 1, "commit {number} was acknowledged"),
                Told::NotDone => assert_eq!(times, 0, "commit {number} was said not to have happened"),
                Told::Unknown => assert!(times <= 1, "commit {number} happened {times} times"),
            }
            let found = block_on(engine.get(owner(number), vec![(place(1, number), None)], u64::MAX, NOW)).unwrap();
            let value = if let [Found::Entry(row)] = &found[..] { Some(row.value.clone()) } else { None };
            let is_right = value == (times == 1).then(|| noise(number, length(number)));
            assert!(
                is_right,
                "commit {number}, {told:?}: another value, of {:?} bytes",
                value.map(|value| value.len())
            );
            if times == 1 {
                let count = counted.entry(number / LANE % TAGS).or_default();
                *count = (count.0 + 1, count.1 + length(number) as u64);
            }
        }
        for (number, count) in counted {
            let usage = block_on(engine.usage(owner(number * LANE))).unwrap();
            assert_eq!(usage.get(&1).map(|found| (found.items, found.bytes)), Some(count));
        }
    }
}

/// Ends the load when it is dropped, so that a failure on one thread is not waited for on another.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn owner(number: u64) -> Tag {
    tag(u8::try_from(number / LANE % TAGS).unwrap())
}

fn length(number: u64) -> usize {
    if number.is_multiple_of(50) { 2_500_000 } else { 64 + (number % 7) as usize * 500 }
}

fn commit(number: u64, last: u64, known: Option<Version>) -> Commit {
    let is_adding = number / LANE % TAGS == ADDED_TO;
    let (value, counted) = (noise(number, length(number)), Some(length(number) as u64));
    let when = if number.is_multiple_of(2) && !is_adding { When::Any } else { When::Absent };
    let mut ops = vec![Op::Put { place: place(1, number), value, expires_at: Some(NOW + 1 + number), counted, when }];
    if !is_adding {
        let when = known.map_or(When::Absent, When::Version);
        let value = number.to_be_bytes().to_vec().into();
        ops.push(Op::Put { place: place(2, last), value, expires_at: None, counted: None, when });
    }
    let limits = Limits { bytes: (!is_adding).then_some(u64::MAX), ..Limits::default() };
    Commit { tag: owner(number), now: NOW, ops, limits, durability: Durability::Sync }
}
