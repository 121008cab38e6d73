//! Runs the workload of the crash tests until it is done or killed: `crash_child <directory> <ack file> <seed> <steps>`.
//! It goes on where the store is, up to step number `steps`, and after each acknowledgement appends the step's number and
//! a line end to the ack file with one `write`. Ends with 1 and the errors on the standard error if a step fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program may panic")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use bailiwick_store::conformance::support::block_on;
use bailiwick_store::conformance::workload;
use bailiwick_store::sled;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().expect("crash_child <directory> <ack file> <seed> <steps>");
    let (directory, acks) = (PathBuf::from(next()), PathBuf::from(next()));
    let mut number = || next().to_str().and_then(|text| text.parse::<u64>().ok()).expect("a number");
    let (seed, steps) = (number(), number());

    let acks = OpenOptions::new().append(true).create(true).open(acks).expect("the ack file");
    let opened = match sled::open(&directory, workload::options(seed)) {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("open: {error:?}");
            return ExitCode::from(2);
        }
    };
    let errors = workload::run(&opened, seed, steps, &|step| {
        (&acks).write_all(format!("{step}\n").as_bytes()).expect("the ack file");
    });
    for error in &errors {
        eprintln!("{error}");
    }
    block_on(opened.engine.close());
    if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
