//! Random prompts and random ends of what their calls wait for, in one process or two, which die at any commit: no result is lost or told
//! twice, no run goes on twice with the same calls, and the order of the thread holds.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_runtime::{RunFilter, RunRequest, Store, TenantHandle, WhenBusy, take_work};
use bailiwick_store::Opened;

use super::continues::{Turns, all_events, decide_some, ends, host, pending, said, team, turns};
use super::dying::Dying;
use super::host::{Host, parsed};
use super::queue_crashes::begin;
use super::scripted::{messages, on, parts};
use super::{both, text, wait};
use crate::support::{Home, Kept, NOW, Random, handle_of, long, shared, try_store};

const MINUTE: u64 = 60_000;

struct World {
    home: Home,
    host: Host,
    random: Random,
    now: u64,
    /// Prompts so far, and those of which it is known that they were taken.
    prompts: usize,
    taken: HashSet<String>,
    opened: usize,
}

/// A process, and what it dies of.
struct Process {
    store: Arc<Store>,
    handle: TenantHandle,
    dying: Arc<Dying>,
}

impl World {
    async fn process(&mut self, dies: bool, is_shared: bool) -> Option<Process> {
        let commits = if dies { 1 + self.random.below(30) } else { usize::MAX };
        let dying = Dying::new(self.home.opened.engine.clone(), commits, self.random.one_in(2));
        let opened = Opened { engine: dying.clone(), vault: self.home.opened.vault.clone() };
        let opened = if is_shared { shared(opened) } else { opened };
        self.opened += 1;
        let store = try_store(opened, self.opened as u64, self.now, 1 << 20).await.ok()?;
        let handle = handle_of(&store, "acme", "v1", "", &team());
        Some(Process { store, handle, dying })
    }

    /// One or two processes that do some things, and end.
    async fn life(&mut self, is_shared: bool) {
        self.now += 2 * MINUTE;
        let mut processes = Vec::new();
        for _ in 0..if is_shared { 2 } else { 1 } {
            let dies = self.random.one_in(2);
            processes.extend(self.process(dies, is_shared).await);
        }
        for _ in 0..8 {
            let Some(at) = (!processes.is_empty()).then(|| self.random.below(processes.len())) else { return };
            let (process, other) = (&processes[at], &processes[processes.len() - 1 - at]);
            let outcome = match self.random.below(8) {
                0 | 1 => self.prompt(process).await,
                2 | 3 => {
                    decide_some(&process.handle, &mut self.random).await;
                    Ok(())
                }
                4 => self.resume_any(process).await,
                5 => {
                    let (host, one) = (self.host.reborn(), Box::pin(take_up_all(process, &self.host)));
                    let (first, second) = both(one, Box::pin(take_up_all(other, &host))).await;
                    first.and(second.or_else(|error| if other.dying.is_dead() { Ok(()) } else { Err(error) }))
                }
                _ => take_up_all(process, &self.host).await,
            };
            assert!(process.dying.is_dead() || outcome.is_ok(), "{outcome:?}");
            processes.retain(|process| !process.dying.is_dead());
        }
    }

    async fn prompt(&mut self, process: &Process) -> Result<(), Error> {
        self.prompts += 1;
        let prompt = format!("Prompt {}", self.prompts);
        let when_busy = if self.random.one_in(3) { WhenBusy::Reject } else { WhenBusy::Queue };
        let is_free = is_free(&process.handle).await?;
        let prepared = process.handle.runs().prepare(None)?;
        let request = RunRequest { when_busy, ..on("t", &prompt) };
        match begin(&process.handle, prepared, request, &self.host).await {
            Ok(()) => drop(self.taken.insert(prompt)),
            Err(Error::ThreadBusy { .. }) if !is_free => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn resume_any(&mut self, process: &Process) -> Result<(), Error> {
        let runs = process.handle.runs().list(&RunFilter::default(), 100, None).await?.items;
        let Some(run) = self.random.pick(&runs) else { return Ok(()) };
        let result = process.handle.runs().resume(text(&parsed(run), "runId"), &self.host).await;
        within(result)
    }
}

/// Whether no run has the thread or waits for it.
async fn is_free(handle: &TenantHandle) -> Result<bool, Error> {
    let runs = handle.runs().list(&RunFilter::default(), 1000, None).await?.items;
    Ok(runs.iter().all(|run| text(&parsed(run), "status") == "completed"))
}

/// A run waits only for what its agent needs: a tool that holds it up, or a call of an agent that it called.
fn within(result: Result<String, Error>) -> Result<(), Error> {
    match result {
        Ok(result) => {
            let result = parsed(&result);
            if text(&result, "status") == "suspended" {
                let of = |key: &str| result.get(key).unwrap().as_array().unwrap().to_vec();
                let held = of("waits").iter().any(|wait| {
                    text(wait, "tool") == "held"
                        || !text(wait, "callId").starts_with('c')
                        || text(wait, "callId").starts_with("call-")
                });
                let asked = of("approvals").iter().any(|approval| json::write(approval).contains(r#""tool":"asked""#));
                assert!(held || asked, "{result:?}");
            }
            Ok(())
        }
        Err(Error::ThreadBusy { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn take_up_all(process: &Process, host: &Host) -> Result<(), Error> {
    let work = take_work(&process.store, 100, 100, Duration::ZERO).await?;
    for run in work.into_iter().flat_map(|tenant| tenant.runs) {
        within(process.handle.runs().take_up(&run.run_id, run.row, host).await)?;
    }
    Ok(())
}

/// From here on nothing dies: all that waits ends, and hosts do the rest.
async fn settle(world: &mut World, place: &str) -> Process {
    for _ in 0..200 {
        world.now += MINUTE;
        let process = world.process(false, false).await.unwrap();
        for _ in 0..4 {
            decide_some(&process.handle, &mut world.random).await;
            take_up_all(&process, &world.host).await.unwrap();
            process.store.advance(20_000);
        }
        let usage = process.handle.usage().await.unwrap();
        let waits = usage.iter().find(|(kind, _)| kind.name() == "waits").map_or(0, |(_, count)| count.items);
        if pending(&process.handle).await == (vec![], vec![]) && waits == 0 && is_free(&process.handle).await.unwrap() {
            return process;
        }
    }
    panic!("{place}: it does not end");
}

async fn check(world: &World, process: &Process, turns: &Turns, place: &str) {
    let thread = messages(&process.handle, "t").await;
    let ends = ends(&thread, place);
    let asked = thread.iter().filter(|message| text(message, "role") == "assistant").count();
    let made: usize = turns.iter().take(asked).map(Vec::len).sum();
    assert_eq!(ends.len(), made, "{place}");
    let events = all_events(&process.handle, place).await;
    let said = said(&events, place);
    assert_eq!(said, ends, "{place}");
    // Each prompt is there once, and only those that were taken.
    let users = thread.iter().filter(|message| text(message, "role") == "user");
    let mut prompts = HashSet::new();
    for message in users.clone() {
        assert!(prompts.insert(text(&parts(message)[0], "text").to_owned()), "{place}: {message:?}");
    }
    assert!(world.taken.is_subset(&prompts), "{place}: {:?} {prompts:?}", world.taken);
    // A run that goes on has no prompt.
    let prompted: HashSet<&str> = users.map(|message| text(message, "runId")).collect();
    for started in events.iter().filter(|event| text(event, "type") == "run.started") {
        let continues = started.get("continues").is_some();
        assert_ne!(prompted.contains(text(started, "runId")), continues, "{place}: {started:?}");
    }
    // Whatever a process died of, a call was made under one key.
    let mut keys: BTreeMap<(String, String), HashSet<String>> = BTreeMap::new();
    for (tool, key, input) in world.host.world.calls.lock().iter().filter(|(_, _, input)| input != "{}") {
        keys.entry((tool.clone(), input.clone())).or_default().insert(key.clone());
    }
    assert!(keys.values().all(|keys| keys.len() == 1), "{place}: {keys:?}");
}

#[test]
fn no_result_is_lost_or_told_twice_whatever_happens_to_processes() {
    let seeds = if long() { 1_500 } else { 60 };
    let mut late = 0;
    for seed in 0..seeds {
        let (kept, is_shared) = if seed % 20 == 19 { (Kept::Postgres, true) } else { (Kept::Memory, seed % 2 == 1) };
        let mut random = Random::new(seed);
        let turns = turns(&mut random);
        let place = format!("seed {seed}: {turns:?}");
        let host = host(turns.clone());
        let (prompts, taken, opened) = (0, HashSet::new(), 0);
        let mut world = World { home: kept.open(), host, random, now: NOW, prompts, taken, opened };
        wait(async {
            for _ in 0..10 {
                world.life(is_shared).await;
            }
            if world.prompts == 0 {
                return;
            }
            let process = settle(&mut world, &place).await;
            if !matches!(process.handle.threads().messages("t", 1, None).await, Err(Error::NotFound)) {
                check(&world, &process, &turns, &place).await;
                let all = messages(&process.handle, "t").await;
                late += all
                    .iter()
                    .flat_map(parts)
                    .filter(|part| part.get("state").and_then(Json::as_str) == Some("late"))
                    .count();
            }
        });
    }
    assert!(late > 0);
}
