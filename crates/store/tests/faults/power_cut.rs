//! What the sled engine and its vault acknowledged survives a power cut at any point.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::program::Run;
use crate::fault::record::Event;
use crate::fault::{Cuts, child, power_cuts};
use bailiwick_store::conformance::support::{block_on, commit_of, delete, place, put, tag, whole_range};
use bailiwick_store::conformance::workload::Crash;
use bailiwick_store::sled::older::downgrade;
use bailiwick_store::sled::{self, SledOptions};
use bailiwick_store::{Opened, Row};

const STEPS: u64 = 240;

/// Checks a directory that a power cut left, against what had been acknowledged.
fn after_cut(seed: u64) -> impl Fn(&Path, &[u8]) -> Result<(), String> {
    move |dir, acks| {
        let file = dir.parent().unwrap().join("acks");
        std::fs::write(&file, acks).unwrap();
        child::verify(dir, &file, seed, Crash::PowerCut)
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    for seed in [1, 2] {
        let recording = child::work(seed, STEPS, None).succeeded().recording();
        let acknowledgements = recording.events.iter().filter(|event| matches!(event, Event::Ack { .. })).count();
        assert_eq!(acknowledgements as u64, STEPS);
        let mut cuts = Cuts::usual(seed);
        cuts.points /= 2;
        let failures = power_cuts(&recording, &cuts, after_cut(seed));
        assert!(failures.is_empty(), "{} of {} cuts: {failures:#?}", failures.len(), cuts.points);
    }
}

/// The checks above mean something only if a store that lost its last writes is found out.
#[test]
fn a_lost_store_is_found_out() {
    let run = child::work(3, 40, None).succeeded();
    let empty = crate::fault::program::scratch();
    let acks = std::fs::read(run.acks()).unwrap();
    after_cut(3)(&empty.path().join("data"), &acks).unwrap_err();
    child::verify(&run.data(), &run.acks(), 3, Crash::Killed).unwrap();
}

/// After a sync has failed, nothing may be acknowledged that relies on it.
#[test]
fn nothing_acknowledged_after_a_failed_sync_is_lost_in_a_power_cut() {
    let syncs = child::work(4, 80, None).succeeded().count("sync");
    for nth in 1..=12 {
        let at = 1 + syncs * nth / 13;
        let run = child::work(4, 80, Some(&format!("sync:{at}:EIO:once")));
        let cuts = Cuts { points: 8, seed: at, ..Cuts::usual(0) };
        let failures = power_cuts(&run.recording(), &cuts, after_cut(4));
        assert!(failures.is_empty(), "sync {at} failed, {} cuts lost data: {failures:#?}", failures.len());
    }
}

const ROWS: u64 = 4_000;

/// The kinds of the rows below: written anew in each round, added to, and removed in the next round.
const REWRITTEN: u8 = 1;
const LISTED: u8 = 0x81;
const REMOVED: u8 = 2;

/// Writes all rows of the test below anew, each with `round` in its value, adds to a list, and removes what the round before has added.
fn rewrite(opened: &Opened, round: u8) {
    let first = u64::from(round) * ROWS;
    for from in (0..ROWS).step_by(100) {
        for kind in [REWRITTEN, LISTED, REMOVED] {
            let ops = (from..from + 100).flat_map(|number| match kind {
                REWRITTEN => vec![put(place(kind, number), vec![round; 300])],
                LISTED => vec![put(place(kind, first + number), vec![round; 4])],
                _ => {
                    vec![put(place(kind, first + number), vec![round; 100]), delete(place(kind, first + number - ROWS))]
                }
            });
            block_on(opened.engine.commit(commit_of(tag(1), ops.collect()))).unwrap();
        }
    }
}

/// Checks what is there after some round.
fn check_rewritten(opened: &Opened, round: u8) -> Result<(), String> {
    let rows = |kind| {
        let rows =
            block_on(opened.engine.scan(tag(1), whole_range(kind))).map_err(|error| format!("scan: {error:?}"))?.rows;
        Ok::<_, String>(rows)
    };
    let is_good = |row: &Row| row.value.len() == 300 && row.value.iter().all(|byte| *byte >= round);
    let good = rows(REWRITTEN)?.iter().filter(|row| is_good(row)).count() as u64;
    let listed = rows(LISTED)?.len() as u64;
    if good != ROWS || listed < u64::from(round) * ROWS {
        return Err(format!("{good} rows written anew, {listed} rows of the list, after round {round}"));
    }
    rows(REMOVED).map(drop)
}

fn small_tables() -> SledOptions {
    SledOptions { round_bytes: 64 * 1024, least_waste_bytes: 256 * 1024, ..SledOptions::default() }
}

/// The child of the next test: rows that are in tables, and are all written anew, so that tables are merged again and again.
#[test]
#[ignore = "the child of the other tests"]
fn rewrite_what_is_in_tables() {
    let variable = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let mut acks = std::fs::File::create(variable("ACKS")).unwrap();
    for round in 1..=3 {
        let opened = sled::open(&nested(&variable("DIR")), small_tables()).unwrap();
        rewrite(&opened, round);
        acks.write_all(&[round]).unwrap();
        block_on(opened.engine.close());
    }
}

#[test]
fn rows_in_tables_survive_a_power_cut_while_they_are_written_anew() {
    let recording = recorded("power_cut::rewrite_what_is_in_tables").succeeded().recording();
    let cuts = Cuts { points: 500, ..Cuts::usual(6) };
    let failures = power_cuts(&recording, &cuts, rows_after_cut);
    assert!(failures.is_empty(), "{} cuts: {failures:#?}", failures.len());
}

fn sync_all_below(path: &Path) {
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() {
            sync_all_below(&entry);
        } else {
            std::fs::File::open(&entry).unwrap().sync_all().unwrap();
        }
    }
    std::fs::File::open(path).unwrap().sync_all().unwrap();
}

/// The child of the next test: a store of an older format, which is then opened.
#[test]
#[ignore = "the child of the other tests"]
fn open_an_older_store() {
    let variable = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let format = std::env::var("FORMAT").unwrap().parse().unwrap();
    let mut acks = std::fs::File::create(variable("ACKS")).unwrap();
    let path = nested(&variable("DIR"));
    let opened = sled::open(&path, small_tables()).unwrap();
    rewrite(&opened, 1);
    block_on(opened.engine.close());
    downgrade(&path, format);
    sync_all_below(&path);
    acks.write_all(&[1]).unwrap();
    let opened = sled::open(&path, small_tables()).unwrap();
    rewrite(&opened, 2);
    acks.write_all(&[2]).unwrap();
    block_on(opened.engine.close());
}

#[test]
fn a_store_of_an_older_format_survives_a_power_cut_while_it_is_opened() {
    for format in ["1", "2"] {
        let recording = Run::recorded(None, |data, acks| {
            let mut command = child_of("power_cut::open_an_older_store", data, acks);
            command.env("FORMAT", format);
            command
        });
        let recording = recording.succeeded().recording();
        let failures = power_cuts(&recording, &Cuts { points: 150, ..Cuts::usual(7) }, rows_after_cut);
        assert!(failures.is_empty(), "format {format}, {} cuts: {failures:#?}", failures.len());
    }
}

fn rows_after_cut(dir: &Path, acks: &[u8]) -> Result<(), String> {
    let Some(round) = acks.last() else { return Ok(()) };
    let opened = sled::open(&nested(dir), small_tables()).map_err(|error| format!("open: {error:?}"))?;
    let checked = check_rewritten(&opened, *round);
    block_on(opened.engine.close());
    checked
}

/// Runs a child of this file under the shim.
fn recorded(test: &str) -> Run {
    Run::recorded(None, |data, acks| child_of(test, data, acks))
}

fn child_of(test: &str, data: &Path, acks: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("DIR", data).env("ACKS", acks);
    command
}

/// Below the directory that is recorded, so that those above the store are new as well.
fn nested(directory: &Path) -> PathBuf {
    directory.join("above").join("it").join("store")
}

/// The child of the next test: a new store that is given its local secret, then a slot.
#[test]
#[ignore = "the child of the other tests"]
fn keep_a_secret() {
    let variable = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let mut acks = std::fs::File::create(variable("ACKS")).unwrap();
    let opened = sled::open(&nested(&variable("DIR")), SledOptions::default()).unwrap();
    acks.write_all(b"opened\n").unwrap();
    assert!(block_on(opened.vault.create_local_secret(vec![7; 32])).unwrap());
    acks.write_all(b"secret\n").unwrap();
    block_on(opened.vault.create([1; 32], vec![9; 100])).unwrap();
    acks.write_all(b"slot\n").unwrap();
    block_on(opened.engine.close());
}

#[test]
fn the_local_secret_and_the_slots_survive_a_power_cut() {
    let recording = recorded("power_cut::keep_a_secret").succeeded().recording();
    let failures = power_cuts(&recording, &Cuts::usual(5), |dir, acks| {
        let acks = std::str::from_utf8(acks).unwrap();
        let opened = sled::open(&nested(dir), SledOptions::default()).map_err(|error| format!("open: {error:?}"))?;
        let secret = block_on(opened.vault.local_secret()).map_err(|error| format!("secret: {error:?}"))?;
        let slot = block_on(opened.vault.get([1; 32])).map_err(|error| format!("slot: {error:?}"))?;
        block_on(opened.engine.close());
        match secret {
            Some(secret) if secret != [7; 32] => return Err("the secret is torn".to_owned()),
            None if acks.contains("secret") => return Err("the secret is lost".to_owned()),
            _ => {}
        }
        match slot {
            Some(slot) if slot.value != [9; 100] => Err("the slot is torn".to_owned()),
            None if acks.contains("slot") => Err("the slot is lost".to_owned()),
            _ => Ok(()),
        }
    });
    assert!(failures.is_empty(), "{} cuts: {failures:#?}", failures.len());
}
