//! Whatever happens to the runs of a thread and to processes, they begin in the order of a simple model, and each prompt is on the
//! thread once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bailiwick_model::Error;
use bailiwick_runtime::{RunRequest, Store, TenantHandle, WhenBusy};
use bailiwick_store::Opened;

use super::host::{Host, parsed};
use super::queue::{asks, begun, finish, host, next_number, prompts, queued, status};
use super::work::{LATEST, SECOND, process, taken};
use super::{catalogue, text, wait};
use crate::support::{Kept, NOW, Random, handle_of, long, shared};

/// What is known of the thread.
#[derive(Default)]
struct Model {
    owner: Option<String>,
    queue: VecDeque<String>,
    /// Those that wait for their time, and those after it that no process has looked at.
    early: BTreeMap<String, u64>,
    prompts: BTreeMap<String, String>,
    /// In the order in which they began.
    said: Vec<String>,
}

impl Model {
    fn first(&self) -> Option<&String> {
        self.owner.as_ref().or(self.queue.front())
    }

    fn begins(&mut self, run_id: &str) {
        assert_eq!(self.owner, None);
        self.queue.retain(|waiting| waiting != run_id);
        self.early.remove(run_id);
        self.said.push(self.prompts[run_id].clone());
        self.owner = Some(run_id.to_owned());
    }
}

struct World {
    opened: Opened,
    now: u64,
    processes: Vec<Arc<Store>>,
    host: Host,
    random: Random,
    model: Model,
}

impl World {
    async fn open(&mut self, count: usize) {
        while self.processes.len() < count {
            self.processes.push(process(&self.opened, self.now).await.0);
        }
    }

    fn handle(&mut self) -> TenantHandle {
        let at = self.random.below(self.processes.len());
        handle_of(&self.processes[at], "acme", "v1", "", &catalogue())
    }

    async fn ask(&mut self, when_busy: WhenBusy) {
        let (handle, prompt) = (self.handle(), next_number().to_string());
        let request = asks(&prompt, when_busy);
        let is_free = self.model.first().is_none();
        if when_busy == WhenBusy::Queue && !is_free {
            let run_id = queued(&handle, request, &self.host).await;
            self.model.prompts.insert(run_id.clone(), prompt);
            self.model.queue.push_back(run_id);
            return;
        }
        let outcome = begun(&handle, request, &self.host).await;
        if when_busy == WhenBusy::Reject && !is_free {
            let Err(Error::ThreadBusy { run: Some(busy), .. }) = outcome else { panic!("{outcome:?}") };
            assert_eq!(Some(&busy.run_id), self.model.first());
            return;
        }
        if let Some(replaced) = self.model.owner.take() {
            assert_eq!(status(&handle, &replaced).await, "cancelled");
        }
        let run_id = outcome.unwrap();
        self.model.prompts.insert(run_id.clone(), prompt);
        self.model.begins(&run_id);
    }

    /// Hands a prompt to the run that has the thread, or begins a run with it.
    async fn steer(&mut self) {
        if self.model.owner.is_none() && !self.model.queue.is_empty() {
            return;
        }
        let (handle, prompt) = (self.handle(), next_number().to_string());
        let run_id = begun(&handle, asks(&prompt, WhenBusy::Steer), &self.host).await.unwrap();
        if let Some(owner) = &self.model.owner {
            assert_eq!(&run_id, owner);
            self.model.said.push(prompt);
        } else {
            self.model.prompts.insert(run_id.clone(), prompt);
            self.model.begins(&run_id);
        }
    }

    async fn ask_later(&mut self) {
        let (handle, prompt) = (self.handle(), next_number().to_string());
        let at = self.now + SECOND * (1 + self.random.below(20) as u64);
        let request = RunRequest { start_at: Some(at), ..asks(&prompt, WhenBusy::Reject) };
        let run_id = queued(&handle, request, &self.host).await;
        self.model.prompts.insert(run_id.clone(), prompt);
        self.model.early.insert(run_id, at);
    }

    async fn end(&mut self) {
        let Some(owner) = self.model.owner.take() else { return };
        let handle = self.handle();
        if self.random.one_in(3) {
            handle.runs().cancel(&owner).await.unwrap();
        } else {
            finish(&handle, &owner, &self.host).await;
        }
    }

    async fn cancel_waiting(&mut self) {
        let waiting: Vec<String> = self.model.queue.iter().chain(self.model.early.keys()).cloned().collect();
        let Some(run_id) = self.random.pick(&waiting).cloned() else { return };
        self.handle().runs().cancel(&run_id).await.unwrap();
        self.model.queue.retain(|waiting| *waiting != run_id);
        self.model.early.remove(&run_id);
    }

    /// A process takes what is due, and may lose some of it.
    async fn dispatch(&mut self, loses: bool) {
        let at = self.random.below(self.processes.len());
        let store = self.processes[at].clone();
        let handle = handle_of(&store, "acme", "v1", "", &catalogue());
        for run in taken(&store).await {
            if loses && self.random.one_in(4) {
                continue;
            }
            let run_id = run.run_id.as_str();
            let outcome = handle.runs().take_up(run_id, run.row, &self.host).await;
            if self.model.owner.as_deref() == Some(run_id) {
                // A prompt that was handed to it made it due.
                assert_eq!(text(&parsed(&outcome.unwrap()), "status"), "suspended");
                continue;
            }
            let is_due = self.model.early.get(run_id).is_none_or(|at| *at <= self.now);
            let is_next = self.model.queue.front().is_none_or(|first| first == run_id);
            if self.model.owner.is_none() && is_next && is_due {
                assert_eq!(text(&parsed(&outcome.unwrap()), "status"), "suspended");
                self.model.begins(run_id);
                continue;
            }
            assert!(matches!(outcome, Err(Error::ThreadBusy { .. })), "{outcome:?}");
            if is_due && self.model.early.remove(run_id).is_some() {
                self.model.queue.push_back(run_id.to_owned());
            }
        }
    }

    async fn step(&mut self, count: usize) {
        match self.random.below(14) {
            0 => self.ask(WhenBusy::Reject).await,
            1..=3 => self.ask(WhenBusy::Queue).await,
            4 => self.ask(WhenBusy::Replace).await,
            12 | 13 => self.steer().await,
            5 => self.ask_later().await,
            6 | 7 => self.end().await,
            8 => self.cancel_waiting().await,
            9 => {
                let by = [1, SECOND, 9 * SECOND][self.random.below(3)];
                self.now += by;
                self.processes.iter().for_each(|store| _ = store.advance(by));
            }
            10 => {
                drop(self.processes.remove(self.random.below(count)));
                self.open(count).await;
            }
            _ => self.dispatch(true).await,
        }
        assert!(self.model.said.is_empty() || prompts(&self.handle()).await == self.model.said);
    }

    /// From here on, whatever waits begins within the time that a lease takes.
    async fn check(&mut self) {
        for _ in 0..400 {
            if self.model.first().is_none() && self.model.early.is_empty() {
                break;
            }
            self.end().await;
            self.now += LATEST;
            self.processes.iter().for_each(|store| _ = store.advance(LATEST));
            for _ in 0..self.processes.len() * 2 {
                self.dispatch(false).await;
            }
        }
        let (left, early) = (&self.model.queue, &self.model.early);
        assert!(self.model.owner.is_none() && left.is_empty() && early.is_empty(), "{left:?} {early:?}");
        let handle = self.handle();
        assert!(self.model.said.is_empty() || prompts(&handle).await == self.model.said);
        for run_id in self.model.prompts.keys() {
            assert!(matches!(status(&handle, run_id).await.as_str(), "completed" | "cancelled"));
        }
    }
}

#[test]
fn whatever_happens_the_runs_of_a_thread_begin_in_the_order_of_the_model() {
    let (seeds, steps) = if long() { (200, 200) } else { (6, 60) };
    for kept in Kept::ALL {
        for seed in 0..seeds {
            let home = kept.open();
            let is_shared = home.opened.engine.is_shared() || seed % 2 == 1;
            let opened = Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() };
            let opened = if is_shared { shared(opened) } else { opened };
            let (random, model) = (Random::new(seed), Model::default());
            let mut world = World { opened, now: NOW, processes: Vec::new(), host: host(), random, model };
            wait(async {
                let count = if is_shared { 2 } else { 1 };
                world.open(count).await;
                for _ in 0..steps {
                    world.step(count).await;
                }
                world.check().await;
            });
        }
    }
}
