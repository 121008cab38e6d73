//! The process is killed around decisions: afterwards every approval is either pending without a record or decided with
//! exactly its record, and everything that was acknowledged is there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

#[path = "it/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::{Json, json};
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, ApprovalStatus, Clock, PlanStatus, RequestedSubject, Responded, RootKey, Store,
    StoreOptions, Subject, TenantHandle,
};
use bailiwick_store::conformance::database::{Database, with_client};
use bailiwick_store::postgres::{self, PostgresOptions};
use bailiwick_store::sled;
use support::{Random, handle, long, wait};

/// Where the child of these tests works.
const PLACE: &str = "BAILIWICK_TEST_PLACE";
/// The URL of its database; without one, its store is in that place.
const DATABASE: &str = "BAILIWICK_TEST_DATABASE";
/// Kills of one store before the next begins.
const ROUNDS: u64 = 10;
/// How many callers ask and decide at the same time.
const CALLERS: u64 = 4;

async fn open(place: &Path, database: Option<&str>) -> Arc<Store> {
    let opened = match database {
        Some(url) => postgres::open(&url.parse().unwrap(), PostgresOptions::default()).await.unwrap(),
        None => sled::open(
            &place.join("store"),
            sled::SledOptions { cache_bytes: 16 << 20, ..sled::SledOptions::default() },
        )
        .unwrap(),
    };
    let root_key = RootKey::Given(vec![7; 32].into());
    let options = StoreOptions { root_key, opened_bytes: 1 << 20, clock: Clock::system(), seed: None };
    Store::open(opened, options).await.unwrap()
}

/// Where a killed process worked.
struct Home {
    directory: tempfile::TempDir,
    database: Option<Database>,
}

impl Home {
    fn of_sled() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), database: None }
    }

    fn of_postgres() -> Self {
        Self { database: Some(Database::fresh()), ..Self::of_sled() }
    }

    fn place(&self) -> &Path {
        self.directory.path()
    }

    fn url(&self) -> Option<String> {
        self.database.as_ref().map(Database::url)
    }

    /// Waits until nobody is at work any more: a server goes on with what a process had sent before it was killed.
    fn settle(&self) {
        let Some(database) = &self.database else { return };
        let others =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND backend_type = 'client backend'";
        let is_quiet = || {
            with_client(&database.owner_url(), async move |client| {
                client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) == 0
            })
        };
        while !is_quiet() {}
    }
}

/// A file outside the store that says what was acknowledged, a line each, written at once.
struct Acknowledged(File);

impl Acknowledged {
    fn say(&self, line: &str) {
        (&self.0).write_all(format!("{line}\n").as_bytes()).unwrap();
        println!("acknowledged");
    }
}

/// Asks and decides for ever.
#[test]
#[ignore = "the child of the other tests"]
fn child() {
    let place = std::env::var_os(PLACE).unwrap();
    let place = Path::new(&place).to_owned();
    let acknowledged = OpenOptions::new().append(true).create(true).open(place.join("acknowledged")).unwrap();
    let acknowledged = Arc::new(Acknowledged(acknowledged));
    wait(async {
        let store = open(&place, std::env::var(DATABASE).ok().as_deref()).await;
        let next = Arc::new(AtomicU64::new(std::process::id().into()));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..CALLERS {
            let (acme, acknowledged, next) = (handle(&store, "acme"), acknowledged.clone(), next.clone());
            callers.spawn(async move {
                loop {
                    let mut random = Random::new(next.fetch_add(1, Ordering::Relaxed));
                    ask_and_decide(&acme, &acknowledged, &mut random).await;
                }
            });
        }
        // Only a failure ends one.
        callers.join_next().await.unwrap().unwrap()
    });
}

/// Asks for a few approvals, then decides about some of them.
async fn ask_and_decide(acme: &TenantHandle, acknowledged: &Acknowledged, random: &mut Random) {
    let mut requests = Vec::new();
    for _ in 0..1 + random.below(3) {
        let subject = if random.one_in(3) {
            let plan = acme.plans().save(br#"{"type":"launch","goal":"ship","steps":[]}"#, None).await.unwrap();
            RequestedSubject::Plan { plan_id: plan.plan_id }
        } else {
            RequestedSubject::Tool { tool: "ship".to_owned(), input: Json::Number(random.below(10) as f64) }
        };
        let ttl_ms = random.one_in(6).then_some(1);
        requests.push(ApprovalRequest {
            subject,
            context: ApprovalContext::default(),
            requested_by: None,
            ttl_ms,
            rule: None,
        });
    }
    let approvals = acme.approvals().request_all(requests).await.unwrap();
    for approval in &approvals {
        acknowledged.say(&format!("asked {}", approval.approval_id));
    }
    for approval in approvals {
        let id = &approval.approval_id;
        let record = match random.below(8) {
            0 => continue,
            1 => acme.approvals().withdraw(&[id], None, Vec::new()).await.unwrap().unwrap().pop(),
            number => {
                let decide = if number % 2 == 0 { Decision::Approved } else { Decision::Rejected };
                // It may have expired.
                acme.approvals().respond(id, decide, "kim", Some("because")).await.ok().and_then(Responded::record)
            }
        };
        if let Some(record) = record {
            acknowledged.say(&format!("decided {}", json::write(&record.to_json())));
        }
    }
}

/// Runs the child until it has acknowledged so much, and so many microseconds longer.
fn run_and_kill(home: &Home, acknowledgements: usize, micros: usize) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture"]).env(PLACE, home.place());
    command.envs(home.url().map(|url| (DATABASE, url)));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let seen = lines.by_ref().filter(|line| line == "acknowledged").take(acknowledgements).count();
    assert_eq!(seen, acknowledgements, "it ended by itself");
    // This is the moment of the kill, not a wait for anything.
    std::thread::sleep(Duration::from_micros(micros as u64));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
    home.settle();
    drop_torn_line(&home.place().join("acknowledged"));
}

/// A kill may come in the middle of a write: what it has cut off was not said, and must not become a part of the next line.
fn drop_torn_line(file: &Path) {
    let Ok(text) = std::fs::read(file) else { return };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    OpenOptions::new().write(true).open(file).unwrap().set_len(whole as u64).unwrap();
}

/// The lines that were written whole and begin with that word, without it.
fn acknowledged(place: &Path, word: &str) -> Vec<String> {
    let text = std::fs::read_to_string(place.join("acknowledged")).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    lines.filter_map(|line| line.strip_prefix(word)).map(|line| line.trim_start().to_owned()).collect()
}

fn record(text: &str) -> ApprovalRecord {
    ApprovalRecord::from_json(&json::parse(text.as_bytes(), &json::Limits::default()).unwrap()).unwrap()
}

/// All pages of a list.
async fn all<T>(page: impl AsyncFn(Option<String>) -> bailiwick_runtime::Page<T>) -> Vec<T> {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let page = page(cursor).await;
        items.extend(page.items);
        cursor = page.cursor;
        if cursor.is_none() {
            return items;
        }
    }
}

/// Opens the store and checks all of it. Returns the ledger as it is then.
async fn check(home: &Home, before: Option<&Checkpoint>) -> Checkpoint {
    let place = home.place();
    let store = open(place, home.url().as_deref()).await;
    let acme = handle(&store, "acme");
    // First, so that what has expired has its record.
    let pending = all(async |cursor| acme.approvals().pending(1000, cursor.as_deref()).await.unwrap()).await;
    let records = all(async |cursor| acme.approvals().history(1000, cursor.as_deref()).await.unwrap()).await;
    let by_approval: BTreeMap<&str, &ApprovalRecord> =
        records.iter().map(|record| (record.approval_id.as_str(), record)).collect();
    assert_eq!(by_approval.len(), records.len(), "one record for each approval");

    for text in acknowledged(place, "decided") {
        let told = record(&text);
        assert_eq!(records.get(told.sequence as usize), Some(&told), "an acknowledged decision");
    }
    let asked: BTreeSet<String> = acknowledged(place, "asked").into_iter().collect();
    let listed: BTreeSet<String> = pending.into_iter().map(|approval| approval.approval_id).collect();
    let decided = by_approval.keys().map(|id| (*id).to_owned());
    for id in asked.iter().cloned().chain(listed.iter().cloned()).chain(decided).collect::<BTreeSet<_>>() {
        let approval = acme.approvals().get(&id).await.unwrap();
        let record = by_approval.get(id.as_str());
        let status = record.map_or(ApprovalStatus::Pending, |record| ApprovalStatus::Decided(record.decision));
        assert_eq!(approval.status, status, "{id}: pending without a record, or decided with it");
        assert_eq!(listed.contains(&id), record.is_none(), "{id}: listed while it is pending");
        assert!(record.is_none_or(|record| record.subject_hash == approval.subject_hash));
        if let Subject::Plan { plan_id, .. } = &approval.subject {
            let expected = match record.map(|record| record.decision) {
                Some(Decision::Approved) => PlanStatus::Approved,
                Some(Decision::Rejected) => PlanStatus::Rejected,
                _ => PlanStatus::Draft,
            };
            assert_eq!(acme.plans().load(plan_id, None).await.unwrap().status, expected, "the plan of {id}");
        }
    }
    let report = acme.approvals().verify(before).await.unwrap();
    assert_eq!((report.size, report.problems), (records.len() as u64, Vec::new()));
    let checkpoint = acme.approvals().checkpoint().await.unwrap();
    store.close().await;
    checkpoint
}

/// Kills so many times in all, in homes of their own.
fn kill(points: u64, home: impl Fn() -> Home) {
    let mut random = Random::new(7);
    let mut decisions = 0;
    for _ in 0..points / ROUNDS {
        let home = home();
        let mut checkpoint = None;
        for _ in 0..ROUNDS {
            let acknowledgements = random.below(60);
            // Without any, while the store opens.
            let most_micros = if acknowledgements == 0 { 40_000 } else { 3000 };
            run_and_kill(&home, acknowledgements, random.below(most_micros));
            checkpoint = Some(wait(check(&home, checkpoint.as_ref())));
        }
        decisions += acknowledged(home.place(), "decided").len() as u64;
    }
    assert!(decisions > points, "{decisions} decisions were acknowledged in all");
}

#[test]
fn a_kill_around_a_decision_leaves_it_pending_or_decided_with_its_record() {
    kill(if long() { 1000 } else { 100 }, Home::of_sled);
}

#[test]
fn a_kill_around_a_decision_on_postgresql_leaves_it_pending_or_decided_with_its_record() {
    kill(if long() { 1000 } else { 30 }, Home::of_postgres);
}

/// What would be missing after a crash is noticed.
#[test]
fn the_check_of_the_crash_tests_notices_missing_data() {
    let home = Arc::new(Home::of_sled());
    let place = home.place();
    run_and_kill(&home, 40, 0);
    wait(check(&home, None));
    let file = place.join("acknowledged");
    let kept = std::fs::read_to_string(&file).unwrap();
    let decided = acknowledged(place, "decided").pop().unwrap();
    let lost = [
        format!("asked approval_{}", "a".repeat(32)),
        format!(
            "decided {}",
            decided.replacen("\"actor\":\"kim\"", "\"actor\":\"lee\"", 1).replacen(":null", ":\"lee\"", 1)
        ),
    ];
    for line in lost {
        std::fs::write(&file, format!("{kept}{line}\n")).unwrap();
        let checking = std::thread::spawn({
            let home = home.clone();
            move || wait(check(&home, None))
        });
        assert!(checking.join().is_err(), "{line}");
    }
}
