//! What the sled engine and its vault acknowledged survives a power cut at any point.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::program::Run;
use crate::fault::record::Event;
use crate::fault::{Cuts, child, power_cuts};
use bailiwick_store::conformance::support::block_on;
use bailiwick_store::conformance::workload::Crash;
use bailiwick_store::sled::{self, SledOptions};

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
    for nth in 1..=6 {
        let at = 1 + syncs * nth / 7;
        let run = child::work(4, 80, Some(&format!("sync:{at}:EIO:once")));
        let cuts = Cuts { points: 12, seed: at, ..Cuts::usual(0) };
        let failures = power_cuts(&run.recording(), &cuts, after_cut(4));
        assert!(failures.is_empty(), "sync {at} failed, {} cuts lost data: {failures:#?}", failures.len());
    }
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
    let run = Run::recorded(None, |data, acks| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "power_cut::keep_a_secret", "--ignored", "--nocapture"])
            .env("DIR", data)
            .env("ACKS", acks);
        command
    });
    let recording = run.succeeded().recording();
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
