//! Giving back the space of replaced and removed rows, and stores of older formats.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bailiwick_store::conformance::support::{
    block_on, commit, commit_of, delete, noise, place, put, tag, value, whole_range,
};
use bailiwick_store::sled::older::downgrade;
use bailiwick_store::sled::{self, OpenError, SledOptions};
use bailiwick_store::{Compacted, Engine, Exported, Opened, Place};
use bytes::Bytes;

const RECORDS: u8 = 3;
const LISTED: u8 = 0x83;

fn open_with(path: &Path, options: SledOptions) -> Opened {
    sled::open(path, options).unwrap()
}

fn open(path: &Path) -> Opened {
    open_with(path, SledOptions::default())
}

/// Small rounds, and space is given back early.
fn eager() -> SledOptions {
    SledOptions { round_bytes: 256 * 1024, least_waste_bytes: 128 * 1024, ..SledOptions::default() }
}

fn compact(opened: &Opened) -> Compacted {
    block_on(opened.engine.compact()).unwrap().unwrap()
}

/// Writes rows of 256 bytes, each with a row in a list.
fn fill(engine: &dyn Engine, numbers: std::ops::Range<u64>, seed: u64) {
    for from in numbers.clone().step_by(50) {
        let ops = (from..(from + 50).min(numbers.end)).flat_map(|number| {
            [put(place(RECORDS, number), noise(number ^ seed, 256)), put(place(LISTED, number), "")]
        });
        commit(engine, tag(1), ops.collect()).unwrap();
    }
}

fn remove(engine: &dyn Engine, numbers: std::ops::Range<u64>) {
    for from in numbers.clone().step_by(50) {
        let ops = (from..(from + 50).min(numbers.end))
            .flat_map(|number| [delete(place(RECORDS, number)), delete(place(LISTED, number))]);
        commit(engine, tag(1), ops.collect()).unwrap();
    }
}

fn count(engine: &dyn Engine, kind: u8) -> usize {
    block_on(engine.scan(tag(1), whole_range(kind))).unwrap().rows.len()
}

/// The bytes of all files of a store.
fn disk(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| if entry.path().is_dir() { disk(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}

#[test]
fn rows_take_less_than_twice_their_bytes_and_nothing_once_they_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let opened = open(&path);
    let empty = disk(&path);
    fill(&*opened.engine, 0..20_000, 0);
    let Compacted { after: kept, .. } = compact(&opened);
    assert!(kept < 2 * 256 * 20_000, "{kept} bytes are kept");
    fill(&*opened.engine, 0..20_000, 1);
    let Compacted { after, .. } = compact(&opened);
    assert!(after < kept + kept / 100, "{after} bytes after writing all anew, {kept} before");
    assert_eq!(value(&*opened.engine, tag(1), place(RECORDS, 7)).unwrap(), noise(7 ^ 1, 256));
    remove(&*opened.engine, 0..20_000);
    let Compacted { after, .. } = compact(&opened);
    assert!(after < 16 * 1024, "{after} bytes are left");
    assert_eq!(count(&*opened.engine, RECORDS), 0);
    block_on(opened.engine.close());
    assert!(disk(&path) < empty + 16 * 1024, "{} bytes, {empty} when it was empty", disk(&path));
    let opened = open(&path);
    assert_eq!((count(&*opened.engine, RECORDS), count(&*opened.engine, LISTED)), (0, 0));
    block_on(opened.engine.close());
}

/// Two seconds without a commit, the log is applied, and then merged what is due.
#[test]
fn an_erased_tenant_gives_its_space_back_without_a_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let opened = open_with(&path, eager());
    fill(&*opened.engine, 0..20_000, 0);
    commit(&*opened.engine, tag(2), vec![put(place(RECORDS, 1), "of another tenant")]).unwrap();
    block_on(opened.engine.erase(tag(1))).unwrap();
    let tables = path.join("tables");
    while disk(&tables) > 256 * 1024 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(value(&*opened.engine, tag(2), place(RECORDS, 1)).unwrap(), "of another tenant");
    block_on(opened.engine.close());
}

/// All rows of an export, as it says of them last.
fn exported(engine: &dyn Engine) -> BTreeMap<Place, Bytes> {
    let mut export = block_on(engine.export()).unwrap();
    let mut rows = BTreeMap::new();
    loop {
        let part = block_on(export.next()).unwrap();
        if part.is_empty() {
            return rows;
        }
        for exported in part {
            match exported {
                Exported::Row { row, .. } => drop(rows.insert(row.place, row.value)),
                Exported::Gone { place, .. } => drop(rows.remove(&place)),
                Exported::Wake { .. } => {}
            }
        }
    }
}

#[test]
fn readers_and_exports_see_every_row_once_while_space_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open_with(&directory.path().join("store"), eager());
    let is_stable = |number: u64| number.is_multiple_of(2);
    fill(&*opened.engine, 0..4_000, 0);
    let is_over = AtomicBool::new(false);
    let engine = &*opened.engine;
    let scan = |reverse| {
        let request = bailiwick_store::ScanRequest { reverse, ..whole_range(RECORDS) };
        let rows = block_on(engine.scan(tag(1), request)).unwrap().rows;
        let found =
            rows.iter().filter(|row| (0..4_000).any(|number| is_stable(number) && place(RECORDS, number) == row.place));
        assert_eq!(found.count(), 2_000);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                scan(false);
                scan(true);
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let stable = exported(engine);
                for number in (0..4_000).filter(|number| is_stable(*number)) {
                    assert_eq!(stable.get(&place(RECORDS, number)), Some(&noise(number, 256)));
                }
            }
        });
        for round in 0..6 {
            for number in (0..4_000).filter(|number| !is_stable(*number)).step_by(3) {
                let op = if round % 2 == 0 {
                    delete(place(RECORDS, number))
                } else {
                    put(place(RECORDS, number), noise(round, 300))
                };
                drop(engine.commit(commit_of(tag(1), vec![op])));
            }
            compact(&opened);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    block_on(opened.engine.close());
}

/// Four seconds without a round, the files of the log are short again, and grow when they are needed.
#[test]
fn a_log_that_is_not_used_gives_its_space_back_and_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let opened = open(&path);
    let log = || ["wal-1", "wal-2"].map(|name| path.join(name).metadata().unwrap().len()).into_iter().sum::<u64>();
    let empty = log();
    for round in 0..2 {
        fill(&*opened.engine, round * 4_000..(round + 1) * 4_000, 0);
        assert!(log() > empty);
        while log() > empty {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    fill(&*opened.engine, 8_000..8_100, 0);
    block_on(opened.engine.close());
    let opened = open(&path);
    assert_eq!(count(&*opened.engine, RECORDS), 8_100);
    block_on(opened.engine.close());
}

#[test]
fn stores_of_older_formats_are_brought_to_the_current_one() {
    for format in [1, 2] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let opened = open(&path);
        fill(&*opened.engine, 0..2_000, 0);
        commit(&*opened.engine, tag(1), vec![put(place(1, 1), noise(5, 100_000))]).unwrap();
        block_on(opened.engine.close());
        downgrade(&path, format);
        let opened = open(&path);
        let text = std::fs::read_to_string(path.join("format")).unwrap();
        assert_eq!(text, "bailiwick-store 3\n", "versions that know format {format} refuse it from here on");
        assert!(!path.join("db").exists(), "what sled held is gone");
        assert_eq!((count(&*opened.engine, RECORDS), count(&*opened.engine, LISTED)), (2_000, 2_000));
        assert_eq!(value(&*opened.engine, tag(1), place(RECORDS, 77)).unwrap(), noise(77, 256));
        assert_eq!(value(&*opened.engine, tag(1), place(1, 1)).unwrap(), noise(5, 100_000));
        commit(&*opened.engine, tag(1), vec![put(place(1, 2), "later"), delete(place(1, 1))]).unwrap();
        block_on(opened.engine.close());
        let opened = open(&path);
        assert_eq!(value(&*opened.engine, tag(1), place(1, 2)).unwrap(), "later");
        block_on(opened.engine.close());
    }
}

#[test]
fn a_store_of_an_older_format_without_a_file_is_corrupt_and_stays_as_it_is() {
    for missing in ["db/db", "db/conf", "keys", "wal-1"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let opened = open(&path);
        fill(&*opened.engine, 0..100, 0);
        block_on(opened.engine.close());
        downgrade(&path, 2);
        std::fs::rename(path.join(missing), directory.path().join("elsewhere")).unwrap();
        let opened = sled::open(&path, SledOptions::default());
        assert!(matches!(opened, Err(OpenError::Corrupt)), "{missing}");
        std::fs::rename(directory.path().join("elsewhere"), path.join(missing)).unwrap();
        let opened = open(&path);
        assert_eq!(count(&*opened.engine, RECORDS), 100);
        block_on(opened.engine.close());
    }
}
