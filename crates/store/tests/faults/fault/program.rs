//! Starting programs under the shim.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::record::Recording;

/// A directory of our own, in memory where there is such a place: the syncs are counted here, not felt.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("bailiwick-fault-").tempdir_in(place).unwrap()
}

/// The shim, compiled once for this process.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (ours, shared) = (target.join(format!("shim-{}.so", std::process::id())), target.join("shim.so"));
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wno-format-truncation", "-o"])
            .arg(&ours)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/fault/shim/shim.c"))
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("a C compiler named cc");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(ours, &shared).unwrap();
        shared
    })
}

/// The example of that name of this package, built if need be.
pub(crate) fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().unwrap().parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--package", "bailiwick-store"]);
    cargo.args(["--example", name]).arg("--target-dir").arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "the example {name} does not build");
    profile.join("examples").join(name)
}

/// One run of a program under the shim.
pub(crate) struct Run {
    place: TempDir,
    pub(crate) output: Output,
}

impl Run {
    /// Runs what `command` gives for a data directory and an acknowledgement file, and records it. The directory is
    /// empty at first. With `inject` (see `shim.c`), the calls it names fail.
    pub(crate) fn recorded(inject: Option<&str>, command: impl FnOnce(&Path, &Path) -> Command) -> Self {
        let place = scratch();
        let root = place.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("data")).unwrap();
        let mut command = command(&root.join("data"), &root.join("acks"));
        command
            .env("LD_PRELOAD", shim())
            .env("FAULT_DIR", root.join("data"))
            .env("FAULT_ACK", root.join("acks"))
            .env("FAULT_LOG", root.join("log"))
            .env("FAULT_COUNTS", root.join("counts"));
        if let Some(inject) = inject {
            command.env("FAULT_INJECT", inject);
        }
        let output = command.output().unwrap();
        Self { place, output }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    pub(crate) fn acks(&self) -> PathBuf {
        self.place.path().join("acks")
    }

    pub(crate) fn recording(&self) -> Recording {
        Recording::read(&self.place.path().join("log"))
    }

    /// How many calls of a class the program made.
    pub(crate) fn count(&self, class: &str) -> u64 {
        let classes = ["write", "sync", "allocate", "open", "name"];
        let counts = std::fs::read_to_string(self.place.path().join("counts")).expect("the program ended by itself");
        let position = classes.iter().position(|known| *known == class).unwrap();
        counts.lines().nth(position).unwrap().parse().unwrap()
    }

    /// What a person needs to see of a run that went wrong.
    pub(crate) fn describe(&self) -> String {
        let stderr = String::from_utf8_lossy(&self.output.stderr);
        let stdout = String::from_utf8_lossy(&self.output.stdout);
        format!("{}\n{stdout}\n{stderr}", self.output.status)
    }

    pub(crate) fn succeeded(self) -> Self {
        assert!(self.output.status.success(), "{}", self.describe());
        self
    }
}
