//! The process is killed at random moments: no acknowledged step is lost, none is half there, the store opens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bailiwick_store::conformance::support::noise;
use bailiwick_store::conformance::workload::{Crash, read_acknowledged, verify};

/// Kills of one directory before the next begins.
const ROUNDS: u64 = 10;

fn child() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = format!("crash_child{}", std::env::consts::EXE_SUFFIX);
    let child = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(child.exists(), "build it: cargo build --release -p bailiwick-store --example crash_child");
    child
}

/// Starts the workload and kills it after a while that is different each time.
fn run_and_kill(directory: &Path, acks: &Path, seed: u64, point: u64) {
    let mut command = Command::new(child());
    command.arg(directory).arg(acks).arg(seed.to_string()).arg(u64::MAX.to_string());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let random = u64::from(u32::from_be_bytes(noise(point, 4)[..].try_into().unwrap()));
    // Some during creation and recovery, most at work. This is the moment of the kill, not a wait for anything.
    std::thread::sleep(Duration::from_micros(random % if point.is_multiple_of(4) { 20_000 } else { 180_000 }));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    // Windows gives who is killed a code like any other.
    assert!(if cfg!(unix) { status.code().is_none() } else { !status.success() }, "it ended by itself");
}

#[test]
fn a_kill_at_a_random_point_loses_and_tears_nothing() {
    let points = if std::env::var_os("BAILIWICK_LONG").is_some() { 10_000 } else { 200 };
    let mut directory = tempfile::tempdir().unwrap();
    let mut steps = 0;
    for point in 0..points {
        if point % ROUNDS == 0 {
            directory = tempfile::tempdir().unwrap();
        }
        let seed = point / ROUNDS;
        let (store, acks) = (directory.path().join("store"), directory.path().join("acks"));
        run_and_kill(&store, &acks, seed, point);
        let acknowledged = read_acknowledged(&acks);
        if let Err(error) = verify(&store, seed, &acknowledged, Crash::Killed) {
            let kept = directory.keep();
            panic!("kill {point}: {error}; see {}", kept.display());
        }
        if point % ROUNDS == ROUNDS - 1 {
            steps += acknowledged.len();
        }
    }
    assert!(steps as u64 > points, "{steps} steps were acknowledged in all");
}

#[test]
fn the_check_of_the_crash_tests_notices_missing_data() {
    let directory = tempfile::tempdir().unwrap();
    let (store, acks) = (directory.path().join("store"), directory.path().join("acks"));
    let status = Command::new(child()).arg(&store).arg(&acks).args(["7", "200"]).status().unwrap();
    assert!(status.success());
    let acknowledged = read_acknowledged(&acks);
    assert_eq!(acknowledged, (0..200).collect::<BTreeSet<_>>());
    verify(&store, 7, &acknowledged, Crash::Killed).unwrap();
    for lane in 0..8 {
        let mut more = acknowledged.clone();
        more.insert(800 + lane);
        verify(&store, 7, &more, Crash::Killed).unwrap_err();
    }
    verify(&store, 8, &acknowledged, Crash::Killed).unwrap_err();
}
