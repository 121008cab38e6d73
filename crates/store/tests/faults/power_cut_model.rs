//! The power-cut harness itself: a program that forgets a sync must be found losing data, and one that does not must not.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::disk::{Disk, Fate, Names};
use crate::fault::program::Run;
use crate::fault::random::Random;
use crate::fault::record::{Event, Synced};
use crate::fault::{Cuts, forget, power_cuts};

const BOTH: &[Names] = &[Names::SyncedByDirectory, Names::SyncedByFile];

/// The programs under test: this test program started again, as `kind`.
#[test]
#[ignore = "the child of the other tests"]
fn toy() {
    let variable = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let (dir, mut acks) = (variable("TOY_DIR"), File::create(variable("TOY_ACKS")).unwrap());
    let mut ack = |number: u32| acks.write_all(format!("{number}\n").as_bytes()).unwrap();
    let open = |name: &str| OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(name)).unwrap();
    let sync_dir = || File::open(&dir).unwrap().sync_all().unwrap();
    match std::env::var("TOY_KIND").unwrap().as_str() {
        kind @ ("appends" | "appends without sync" | "appends without directory sync") => {
            let mut file = open("log");
            if kind != "appends without directory sync" {
                sync_dir();
            }
            for number in 0..50 {
                file.write_all(&entry(number)).unwrap();
                if kind != "appends without sync" {
                    file.sync_data().unwrap();
                }
                ack(number);
            }
        }
        kind @ ("replaces" | "replaces without sync") => {
            for number in 0..20 {
                let next = open("next");
                next.set_len(0).unwrap();
                next.write_all_at(&entry(number), 0).unwrap();
                if kind == "replaces" {
                    next.sync_all().unwrap();
                }
                std::fs::rename(dir.join("next"), dir.join("log")).unwrap();
                sync_dir();
                ack(number);
            }
        }
        "overwrites in place" => {
            let file = open("log");
            sync_dir();
            for number in 0..50 {
                file.write_all_at(&entry(number), 0).unwrap();
                file.sync_data().unwrap();
                ack(number);
            }
        }
        other => panic!("{other}"),
    }
}

/// 2,000 bytes, different in every sector.
fn entry(number: u32) -> Vec<u8> {
    (0..500_u32).flat_map(|word| (number * 1000 + word).to_le_bytes()).collect()
}

fn run(kind: &str, inject: Option<&str>) -> Run {
    Run::recorded(inject, |data, acks| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "power_cut_model::toy", "--ignored", "--nocapture"]);
        command.env("TOY_KIND", kind).env("TOY_DIR", data).env("TOY_ACKS", acks);
        command
    })
}

fn failures(kind: &str, names: &[Names], check: fn(&Path, Option<u32>) -> Result<(), String>) -> Vec<String> {
    let cuts = Cuts { points: 100, seed: 7, names };
    let failures = power_cuts(&run(kind, None).succeeded().recording(), &cuts, |dir, acks| {
        check(dir, std::str::from_utf8(acks).unwrap().lines().last().map(|line| line.parse().unwrap()))
    });
    forget(&failures);
    failures
}

/// All entries up to the last acknowledged one are there.
fn has_all(dir: &Path, last: Option<u32>) -> Result<(), String> {
    let Some(last) = last else { return Ok(()) };
    let expected: Vec<u8> = (0..=last).flat_map(entry).collect();
    match std::fs::read(dir.join("log")) {
        Ok(found) if found.starts_with(&expected) => Ok(()),
        Ok(found) => Err(format!("{} bytes, not the {} that were acknowledged", found.len(), expected.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// One whole entry is there, the last acknowledged one or a later one.
fn has_one(dir: &Path, last: Option<u32>) -> Result<(), String> {
    let Some(last) = last else { return Ok(()) };
    let found = std::fs::read(dir.join("log")).map_err(|error| error.to_string())?;
    if (last..last + 2).any(|number| found == entry(number)) { Ok(()) } else { Err("torn or lost".to_owned()) }
}

#[test]
fn a_program_that_syncs_is_found_to_keep_its_word() {
    assert_eq!(failures("appends", BOTH, has_all), Vec::<String>::new());
    assert_eq!(failures("replaces", BOTH, has_one), Vec::<String>::new());
}

#[test]
fn a_program_that_does_not_sync_is_found_losing_data() {
    assert!(failures("appends without sync", BOTH, has_all).len() > 20);
    assert!(failures("replaces without sync", BOTH, has_one).len() > 20);
}

#[test]
fn a_missing_directory_sync_is_found_where_it_matters() {
    assert!(failures("appends without directory sync", &[Names::SyncedByDirectory], has_all).len() > 10);
    assert_eq!(failures("appends without directory sync", &[Names::SyncedByFile], has_all), Vec::<String>::new());
}

#[test]
fn a_torn_overwrite_is_found() {
    assert!(!failures("overwrites in place", BOTH, has_one).is_empty());
}

#[test]
fn injected_faults_arrive() {
    for (inject, message) in [
        ("write:3:ENOSPC:once", "No space left on device"),
        ("sync:4:EIO:always", "Input/output error"),
        ("open:1:EIO:once", "Input/output error"),
    ] {
        let run = run("appends", Some(inject));
        assert!(!run.output.status.success() && run.describe().contains(message), "{inject}: {}", run.describe());
    }
    let short = run("appends", Some("write:1:short:always")).succeeded();
    assert!(short.count("write") > 500);
    has_all(&short.data(), Some(49)).unwrap();
}

fn content(disk: &Disk, fate: Fate, seed: u64) -> Option<Vec<u8>> {
    let place = crate::fault::program::scratch();
    disk.after_power_cut(Names::SyncedByDirectory, fate, &mut Random::new(seed), place.path());
    std::fs::read(place.path().join("a")).ok()
}

#[test]
fn writes_during_a_sync_are_not_covered_by_it() {
    let write = |offset, text: &str| Event::Write { file: 1, offset, bytes: text.into() };
    let begin = |token, what| Event::SyncBegin { token, what };
    let mut disk = Disk::default();
    let events = [
        Event::Create { file: 1, path: "a".into() },
        begin(1, Synced::Directory(String::new())),
        Event::SyncEnd { token: 1 },
        write(0, "before"),
        begin(2, Synced::File(1)),
        write(6, " during"),
        Event::SyncEnd { token: 2 },
    ];
    events.iter().enumerate().for_each(|(index, event)| disk.apply(index, event));
    assert_eq!(content(&disk, Fate::AllDropped, 0).unwrap(), b"before");
    assert_eq!(content(&disk, Fate::AllKept, 0).unwrap(), b"before during");
}

#[test]
fn writes_of_a_failed_sync_stay_in_doubt() {
    let write = |text: &str| Event::Write { file: 1, offset: 0, bytes: text.into() };
    let mut disk = Disk::default();
    let events = [
        Event::Create { file: 1, path: "a".into() },
        Event::SyncBegin { token: 1, what: Synced::Directory(String::new()) },
        Event::SyncEnd { token: 1 },
        write("first"),
        Event::SyncBegin { token: 2, what: Synced::File(1) },
        Event::SyncFailed { token: 2 },
        Event::SyncBegin { token: 3, what: Synced::File(1) },
        Event::SyncEnd { token: 3 },
    ];
    events.iter().enumerate().for_each(|(index, event)| disk.apply(index, event));
    assert_eq!(content(&disk, Fate::AllDropped, 0).unwrap(), b"");
    let kept: std::collections::BTreeSet<_> =
        (0..50).map(|seed| content(&disk, Fate::AllKept, seed).unwrap()).collect();
    assert_eq!(kept.len(), 2);
    let again = [write("newer"), Event::SyncBegin { token: 4, what: Synced::File(1) }, Event::SyncEnd { token: 4 }];
    again.iter().enumerate().for_each(|(index, event)| disk.apply(events.len() + index, event));
    for (seed, fate) in (0..50).flat_map(|seed| Fate::ALL.map(|fate| (seed, fate))) {
        assert_eq!(content(&disk, fate, seed).unwrap(), b"newer");
    }
}
