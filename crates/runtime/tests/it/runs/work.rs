//! Work: runs that can go on are taken, by one process or another, whatever happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{DueRun, Promptness, Store, TenantHandle, WorkReason, sweep, take_work};
use bailiwick_store::{Commit, Due, Durability, Item, Kinds, Limits, Op, Opened, Place, ScanRequest, When};

use super::host::{Host, calls, gives, parsed, says};
use super::processes::{called, dies_after};
use super::{catalogue, query, request, text, wait};
use crate::support::{Home, Kept, NOW, handle_of, shared, store};

/// The kind byte under which tenants are due for work.
const WORK: u8 = 0x1f;
/// That of the rows of lists of runs.
const LISTS_OF_RUNS: u8 = 0x86;
pub(super) const SECOND: u64 = 1000;
/// The time after which a tenant with a running run is due, at most.
pub(super) const LATEST: u64 = 20 * SECOND;

/// A host whose model asks for a tool that needs an approval, or for one that does not, and is done. The latter answers unless it hangs.
pub(super) fn host(hangs: &Arc<AtomicBool>) -> Host {
    let hangs = hangs.clone();
    Host::new(
        |_, answers, last| {
            let asks = bailiwick_model::json::write(last);
            match answers {
                0 if asks.contains("send") => calls(&[("send", "{}")]),
                0 => calls(&[("book", "{}")]),
                _ => says("Done."),
            }
        },
        move |tool, _| if tool == "book" && hangs.load(Ordering::SeqCst) { None } else { gives("1") },
    )
}

pub(super) async fn taken(store: &Arc<Store>) -> Vec<DueRun> {
    let work = take_work(store, 100, 100, Duration::ZERO).await.unwrap();
    work.into_iter().flat_map(|tenant| tenant.runs).collect()
}

pub(super) async fn take_up(handle: &TenantHandle, run: &DueRun, host: &Host) -> String {
    let result = handle.runs().take_up(&run.run_id, run.row, host).await;
    text(&parsed(&result.unwrap()), "status").to_owned()
}

pub(super) async fn suspended(handle: &TenantHandle, host: &Host) -> (String, String) {
    let result = query(handle, request("send"), host).await;
    let approvals = result.get("approvals").unwrap().as_array().unwrap();
    (text(&result, "runId").to_owned(), text(&approvals[0], "approvalId").to_owned())
}

pub(super) async fn interrupted(handle: &TenantHandle, host: &Host, hangs: &AtomicBool) -> String {
    hangs.store(true, Ordering::SeqCst);
    host.world.calls.lock().clear();
    let prepared = handle.runs().prepare(None).unwrap();
    let run_id = prepared.run_id.clone();
    dies_after(handle.runs().start(prepared, request("book"), host), called(host)).await;
    hangs.store(false, Ordering::SeqCst);
    run_id
}

pub(super) async fn decide(handle: &TenantHandle, approval_id: &str) {
    handle.approvals().respond(approval_id, Decision::Approved, "kim", None).await.unwrap();
}

pub(super) async fn process(opened: &Opened, now: u64) -> (Arc<Store>, TenantHandle) {
    let opened = Opened { engine: opened.engine.clone(), vault: opened.vault.clone() };
    // No two processes make the same ids.
    static SEED: AtomicU64 = AtomicU64::new(1);
    let store = store(opened, SEED.fetch_add(1, Ordering::SeqCst), now, 0).await;
    let handle = handle_of(&store, "acme", "v1", "", &catalogue());
    (store, handle)
}

pub(super) fn on_every_engine(test: impl AsyncFn(&Home)) {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async { test(&home).await });
    }
}

/// Whether a row of a list is on one that begins with the latest, as all but the list of work do.
fn is_latest(item: &Item) -> bool {
    u64::from_be_bytes(item[8..16].try_into().unwrap()) < u64::MAX / 2
}

pub(super) async fn nothing_is_due(home: &Home) {
    let due = home.opened.engine.due(u64::MAX / 2, Kinds::Only(WORK), Promptness::Now, 10).await.unwrap();
    assert_eq!(due, []);
}

#[test]
fn a_decision_makes_the_run_due_at_once_and_once() {
    on_every_engine(async |home| {
        let (store, handle) = process(&home.opened, NOW).await;
        let host = host(&Arc::default());
        let (run_id, approval_id) = suspended(&handle, &host).await;
        assert_eq!(taken(&store).await, [], "nothing is decided");
        decide(&handle, &approval_id).await;
        let runs = taken(&store).await;
        assert_eq!(runs.len(), 1);
        assert_eq!((&runs[0].run_id, runs[0].reason, runs[0].due_at), (&run_id, WorkReason::Settled, NOW));
        assert_eq!(taken(&store).await, [], "it is another's to take up");
        assert_eq!(take_up(&handle, &runs[0], &host).await, "completed");
        store.advance(LATEST);
        assert_eq!(taken(&store).await, []);
        store.advance(LATEST);
        assert_eq!(taken(&store).await, []);
        nothing_is_due(home).await;
    });
}

#[test]
fn work_that_was_taken_and_not_taken_up_is_due_again() {
    on_every_engine(async |home| {
        let (store, handle) = process(&home.opened, NOW).await;
        let host = host(&Arc::default());
        let (run_id, approval_id) = suspended(&handle, &host).await;
        decide(&handle, &approval_id).await;
        for _ in 0..3 {
            let runs = taken(&store).await;
            assert_eq!(runs.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&run_id]);
            // The first question looks ahead as far as that, too.
            store.advance(2 * LATEST);
        }
    });
}

#[test]
fn the_next_process_takes_up_what_the_one_before_worked_at() {
    on_every_engine(async |home| {
        let hangs = Arc::new(AtomicBool::new(false));
        let host = host(&hangs);
        let (store, handle) = process(&home.opened, NOW).await;
        let run_id = interrupted(&handle, &host, &hangs).await;
        drop((store, handle));
        // No time has passed, unless others may have it: then its lease must lapse first.
        let (store, handle) = process(&home.opened, NOW).await;
        store.advance(if home.opened.engine.is_shared() { LATEST } else { 0 });
        let runs = taken(&store).await;
        assert_eq!(runs.len(), 1, "{runs:?}");
        assert_eq!((&runs[0].run_id, runs[0].reason), (&run_id, WorkReason::Interrupted));
        assert_eq!(take_up(&handle, &runs[0], &host).await, "completed");
    });
}

#[test]
fn a_run_that_cannot_be_taken_up_is_left_alone_for_a_while_and_hides_no_other() {
    on_every_engine(async |home| {
        let (store, handle) = process(&home.opened, NOW).await;
        let host = host(&Arc::default());
        let (first, approval_id) = suspended(&handle, &host).await;
        decide(&handle, &approval_id).await;
        let none = handle_of(&store, "acme", "v1", "", &crate::support::catalogue());
        for pause in [1, 2, 4] {
            let runs = taken(&store).await;
            assert_eq!(runs.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&first]);
            none.runs().take_up(&first, runs[0].row, &host).await.unwrap_err();
            let (second, approval_id) = suspended(&handle, &host).await;
            decide(&handle, &approval_id).await;
            let others = taken(&store).await;
            assert_eq!(others.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&second]);
            assert_eq!(take_up(&handle, &others[0], &host).await, "completed");
            store.advance(pause * SECOND - 1);
            assert_eq!(taken(&store).await, []);
            store.advance(1);
        }
        let runs = taken(&store).await;
        assert_eq!(take_up(&handle, &runs[0], &host).await, "completed");
    });
}

#[test]
fn a_tenant_with_much_work_gives_it_in_parts() {
    on_every_engine(async |home| {
        let (store, handle) = process(&home.opened, NOW).await;
        let host = host(&Arc::default());
        let mut all = BTreeSet::new();
        for _ in 0..5 {
            let (run_id, approval_id) = suspended(&handle, &host).await;
            decide(&handle, &approval_id).await;
            all.insert(run_id);
        }
        let mut work = take_work(&store, 100, 2, Duration::ZERO).await.unwrap().remove(0);
        for has_more in [true, true, false] {
            assert_eq!(work.has_more, has_more);
            for run in &work.runs {
                assert!(all.remove(&run.run_id), "each once");
                assert_eq!(take_up(&handle, run, &host).await, "completed");
            }
            work = handle.work(0, 2).await.unwrap().unwrap();
        }
        assert!(all.is_empty() && work.runs.is_empty());
    });
}

#[test]
fn a_released_run_is_taken_up_by_another_process_at_once() {
    on_every_engine(async |home| {
        let opened = shared(Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() });
        for at_once in [true, false] {
            let hangs = Arc::new(AtomicBool::new(at_once));
            let host = host(&hangs);
            let (_store, handle) = process(&opened, NOW).await;
            let (other, theirs) = process(&opened, NOW).await;
            let prepared = handle.runs().prepare(None).unwrap();
            let run_id = prepared.run_id.clone();
            if !at_once {
                handle.runs().release(&run_id, false).await.unwrap();
            }
            let release = async {
                if at_once {
                    called(&host).await;
                    handle.runs().release(&run_id, true).await.unwrap();
                }
            };
            let (ended, ()) = super::both(handle.runs().start(prepared, request("book"), &host), release).await;
            assert!(matches!(ended, Err(bailiwick_model::Error::Closed(_))), "{ended:?}");
            hangs.store(false, Ordering::SeqCst);
            let runs = taken(&other).await;
            assert_eq!(runs.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&run_id]);
            assert_eq!(take_up(&theirs, &runs[0], &host).await, "completed");
        }
    });
}

#[test]
fn dues_that_no_host_takes_do_not_pile_up_and_are_found_by_the_first_host() {
    on_every_engine(async |home| {
        let (store, handle) = process(&home.opened, NOW).await;
        let host = host(&Arc::default());
        // A new store has nothing of earlier versions.
        sweep(&store, Promptness::Now).await.unwrap();
        let (run_id, approval_id) = suspended(&handle, &host).await;
        for _ in 0..20 {
            assert_eq!(text(&query(&handle, request("book"), &host).await, "status"), "completed");
            store.advance(LATEST);
        }
        store.advance(100 * SECOND);
        sweep(&store, Promptness::Now).await.unwrap();
        nothing_is_due(home).await;
        decide(&handle, &approval_id).await;
        for _ in 0..3 {
            store.advance(100 * SECOND);
            sweep(&store, Promptness::Now).await.unwrap();
        }
        let runs = taken(&store).await;
        assert_eq!(runs.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&run_id]);
    });
}

#[test]
fn runs_of_an_earlier_version_are_found_once() {
    on_every_engine(async |home| {
        let hangs = Arc::new(AtomicBool::new(false));
        let host = host(&hangs);
        let (store, handle) = process(&home.opened, NOW).await;
        let (decided, approval_id) = suspended(&handle, &host).await;
        let (waits, _) = suspended(&handle, &host).await;
        let engine = &home.opened.engine;
        let tag = engine.due(u64::MAX / 2, Kinds::Only(WORK), Promptness::Now, 10).await.unwrap()[0].tag;
        let lists = async || -> BTreeSet<Item> {
            let (from, to) = ([0; 32], [0xff; 32]);
            let kind = LISTS_OF_RUNS;
            let request = ScanRequest { kind, from, to, reverse: false, limit: 1000, most: u64::MAX, now: NOW };
            engine.scan(tag, request).await.unwrap().rows.into_iter().map(|row| row.place.item).collect()
        };
        let before = lists().await;
        decide(&handle, &approval_id).await;
        let dead = interrupted(&handle, &host, &hangs).await;
        let ops = lists()
            .await
            .difference(&before)
            .filter(|item| !is_latest(item))
            .map(|item| Op::Delete { place: Place { kind: LISTS_OF_RUNS, item: *item }, when: When::Any })
            .collect::<Vec<_>>();
        assert_eq!(ops.len(), 1);
        // An earlier version leaves nothing of what leads there.
        let (limits, durability) = (Limits::default(), Durability::Sync);
        engine.commit(Commit { tag, now: NOW, ops, limits, durability }).await.unwrap();
        engine.sweep(Due { tag, kind: WORK }, u64::MAX / 2).await.unwrap();
        nothing_is_due(home).await;
        sweep(&store, Promptness::Now).await.unwrap();
        let runs: BTreeMap<String, DueRun> =
            taken(&store).await.into_iter().map(|run| (run.run_id.clone(), run)).collect();
        assert_eq!(runs.keys().collect::<BTreeSet<_>>(), BTreeSet::from([&decided, &waits, &dead]));
        assert_eq!(take_up(&handle, &runs[&waits], &host).await, "suspended");
        assert_eq!(take_up(&handle, &runs[&decided], &host).await, "completed");
        assert_eq!(take_up(&handle, &runs[&dead], &host).await, "completed");
        for _ in 0..3 {
            store.advance(2 * LATEST);
            sweep(&store, Promptness::Now).await.unwrap();
            assert_eq!(taken(&store).await, []);
        }
        nothing_is_due(home).await;
    });
}
