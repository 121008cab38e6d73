//! Whatever happens to runs and processes, each run that can go on is taken up, and no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bailiwick_runtime::Store;
use bailiwick_store::Opened;

use super::host::Host;
use super::work::{LATEST, SECOND, decide, host, interrupted, nothing_is_due, process, suspended, take_up, taken};
use super::{catalogue, wait};
use crate::support::{Home, Kept, NOW, Random, handle_of, long, shared};

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// Waits for this approval.
    Waits(String),
    /// Can go on.
    Due,
    Over,
}

/// Two processes on one place, and what became of the runs.
struct World<'a> {
    home: &'a Home,
    opened: Opened,
    is_shared: bool,
    now: u64,
    /// The latest that it ever was.
    latest: u64,
    processes: Vec<Arc<Store>>,
    /// With their tenants, of which each has two: what makes one of many runs due would hide what is missing.
    runs: BTreeMap<String, (String, Known)>,
    hangs: Arc<AtomicBool>,
    host: Host,
    random: Random,
}

impl World<'_> {
    async fn open(&mut self) {
        let count = if self.is_shared { 2 } else { 1 };
        while self.processes.len() < count {
            self.processes.push(process(&self.opened, self.now).await.0);
        }
    }

    fn advance(&mut self, by: u64) {
        self.now += by;
        self.latest = self.latest.max(self.now);
        self.processes.iter().for_each(|store| _ = store.advance(by));
    }

    /// A process is gone; the next may have a clock that is behind.
    async fn kill(&mut self, at: usize) {
        drop(self.processes.remove(at));
        if self.processes.is_empty() && self.random.one_in(3) {
            self.now -= [SECOND, LATEST, 3600 * SECOND][self.random.below(3)];
        }
        self.open().await;
    }

    async fn dispatch(&mut self, at: usize) {
        let host = self.host.reborn();
        let store = self.processes[at].clone();
        for run in taken(&store).await {
            let (tenant, known) = self.runs.get_mut(&run.run_id).unwrap();
            let handle = handle_of(&store, tenant, "v1", "", &catalogue());
            assert_eq!(*known, Known::Due, "{run:?}");
            if self.random.one_in(4) {
                // It is lost on the way.
                continue;
            }
            assert_eq!(take_up(&handle, &run, &host).await, "completed");
            *known = Known::Over;
        }
    }

    async fn step(&mut self) {
        let at = self.random.below(self.processes.len());
        let handle = |tenant: &str| handle_of(&self.processes[at], tenant, "v1", "", &catalogue());
        let next = format!("tenant-{}", self.runs.len() / 2);
        match self.random.below(8) {
            0 | 1 => {
                let (run_id, approval_id) = suspended(&handle(&next), &self.host).await;
                self.runs.insert(run_id, (next, Known::Waits(approval_id)));
            }
            2 | 3 => {
                let waits = self.runs.iter().filter(|(_, (_, known))| matches!(known, Known::Waits(_)));
                let waits: Vec<String> = waits.map(|(run_id, _)| run_id.clone()).collect();
                if let Some((tenant, known)) = self.random.pick(&waits).and_then(|run_id| self.runs.get_mut(run_id))
                    && let Known::Waits(approval_id) = std::mem::replace(known, Known::Due)
                {
                    decide(&handle(tenant), &approval_id).await;
                }
            }
            4 => {
                let run_id = interrupted(&handle(&next), &self.host, &self.hangs).await;
                self.runs.insert(run_id, (next, Known::Due));
            }
            5 => {
                let by = [1, SECOND, 9 * SECOND, 3600 * SECOND][self.random.below(4)];
                self.advance(by);
            }
            6 => self.kill(at).await,
            _ => self.dispatch(at).await,
        }
    }

    /// From here on, whatever can go on does within the time that a lease takes.
    async fn check(&mut self) {
        let last = self.runs.clone();
        // A clock that went back is where it was before.
        self.advance(self.latest - self.now);
        for _ in 0..40 {
            for at in 0..self.processes.len() {
                self.dispatch(at).await;
            }
            self.advance(LATEST);
        }
        let left: Vec<_> = self.runs.iter().filter(|(_, (_, known))| *known == Known::Due).collect();
        assert!(left.is_empty(), "{left:?} of {last:?}");
        if self.runs.values().all(|(_, known)| *known == Known::Over) {
            nothing_is_due(self.home).await;
        }
    }
}

#[test]
fn whatever_happens_every_run_that_can_go_on_is_taken_up_and_no_other() {
    let (seeds, steps) = if long() { (200, 200) } else { (4, 50) };
    for kept in Kept::ALL {
        for seed in 0..seeds {
            let home = kept.open();
            let is_shared = home.opened.engine.is_shared() || seed % 2 == 1;
            let opened = Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() };
            let opened = if is_shared { shared(opened) } else { opened };
            let hangs = Arc::new(AtomicBool::new(false));
            let mut world = World {
                home: &home,
                opened,
                is_shared,
                now: NOW,
                latest: NOW,
                processes: Vec::new(),
                runs: BTreeMap::new(),
                host: host(&hangs),
                hangs,
                random: Random::new(seed),
            };
            wait(async {
                world.open().await;
                for _ in 0..steps {
                    world.step().await;
                }
                world.check().await;
            });
        }
    }
}
