//! The sled engine at work in a process of its own: the example `crash_child`, and what it must have kept.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use bailiwick_store::conformance::workload::{self, Crash};

use super::program::{Run, example};

/// Opens an empty store, takes so many steps and acknowledges each, closes. The program ends with 0, or with 1 or 2
/// after errors that it could print.
pub(crate) fn work(seed: u64, steps: u64, inject: Option<&str>) -> Run {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| example("crash_child"));
    Run::recorded(inject, |data, acks| {
        let mut command = Command::new(path);
        command.arg(data).arg(acks).arg(seed.to_string()).arg(steps.to_string());
        command
    })
}

/// Opens the store without any fault and checks all that was acknowledged.
pub(crate) fn verify(dir: &Path, acks: &Path, seed: u64, crash: Crash) -> Result<(), String> {
    workload::verify(dir, seed, &workload::read_acknowledged(acks), crash)
}
