//! Running a program under the shim of `test/fault/shim`, and cutting the power of what it recorded.

pub(crate) mod child;
pub(crate) mod disk;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod record;

use std::path::Path;

use disk::{Disk, Fate, Names};
use random::Random;
use record::{Event, Recording};

/// Which power cuts to try.
pub(crate) struct Cuts<'a> {
    pub(crate) points: usize,
    pub(crate) seed: u64,
    /// What the file system promises about names; each point takes one in turn.
    pub(crate) names: &'a [Names],
}

impl Cuts<'_> {
    /// 200 points under both promises; `BAILIWICK_LONG=1`: 10,000.
    pub(crate) fn usual(seed: u64) -> Self {
        let long = std::env::var_os("BAILIWICK_LONG").is_some_and(|value| value == "1");
        let points = if long { 10_000 } else { 200 };
        Cuts { points, seed, names: &[Names::SyncedByDirectory, Names::SyncedByFile] }
    }
}

/// Rebuilds the directory as each power cut leaves it and asks `check` whether it keeps what was acknowledged before
/// the cut. Returns what `check` found wrong. The same recording and seed give the same cuts.
pub(crate) fn power_cuts(
    recording: &Recording,
    cuts: &Cuts<'_>,
    check: impl Fn(&Path, &[u8]) -> Result<(), String> + Sync,
) -> Vec<String> {
    let mut random = Random::new(cuts.seed);
    let count = recording.events.len() as u64;
    let mut points: Vec<(usize, Names, Fate, u64)> = (0..cuts.points)
        .map(|nth| {
            let at = random.below(count + 1) as usize;
            (at, cuts.names[nth % cuts.names.len()], Fate::ALL[random.below(4) as usize], random.next())
        })
        .collect();
    points.sort_by_key(|point| point.0);
    let half = |which: usize| {
        let mut disk = Disk::default();
        let mut done = 0;
        let mut wrong = Vec::new();
        for (at, names, fate, seed) in points.iter().skip(which).step_by(2).copied() {
            for (index, event) in recording.events.iter().enumerate().take(at).skip(done) {
                disk.apply(index, event);
            }
            done = done.max(at);
            let place = program::scratch();
            let dir = place.path().join("data");
            disk.after_power_cut(names, fate, &mut Random::new(seed), &dir);
            if let Err(problem) = check(&dir, &recording.acknowledged(at)) {
                let kept = place.keep();
                wrong.push(format!("cut at {at} of {count}, {names:?}, {fate:?}, seed {seed}: {problem} ({kept:?})"));
            }
        }
        wrong
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut wrong = half(0);
        wrong.extend(other.join().unwrap());
        wrong
    })
}

/// Removes the directories that [`power_cuts`] keeps of failures; for tests that expect failures.
pub(crate) fn forget(failures: &[String]) {
    for failure in failures {
        if let Some((_, kept)) = failure.rsplit_once("(\"") {
            std::fs::remove_dir_all(kept.trim_end_matches("\")")).unwrap();
        }
    }
}

impl Recording {
    /// What had been acknowledged before the event with that index.
    pub(crate) fn acknowledged(&self, before: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for event in self.events.iter().take(before) {
            if let Event::Ack { bytes: some } = event {
                bytes.extend_from_slice(some);
            }
        }
        bytes
    }
}
