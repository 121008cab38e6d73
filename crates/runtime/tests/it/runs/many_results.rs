//! A plan with more results than one commit takes, which dies at any of its last commits: who asked for it learns what came of it.

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{ApprovalContext, ApprovalRequest, Catalogue, RequestedSubject, RunFilter, TenantHandle};
use bailiwick_store::Opened;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::dying::Dying;
use super::host::{Host, calls, gives, parsed, says};
use super::{handle_of, request, text, wait};
use crate::support::{Kept, NOW};

const TEAM: &str = r#"{"bailiwick":1,
  "references":[{"name":"table"}],
  "plans":[{"name":"report"}],
  "tools":[{"name":"load","description":"Loads","effects":"read","result":"table","input":{"type":"object"}}],
  "agents":[
    {"role":"coordinator","name":"front","model":"test/m","prompt":"Route.","routes":["worker"]},
    {"role":"executor","name":"worker","tools":["load"]}
  ]}"#;

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap())
}

fn host() -> Host {
    Host::new(
        |_, answers, last| match answers {
            0 => calls(&[("worker", r#"{"planId":"p"}"#)]),
            _ if json::write(last).contains("PLAN_NOT_APPROVED") => says("It was lost."),
            _ => says("All done."),
        },
        |_, input| {
            gives(&format!(r#"{{"rows":[{},"{}"]}}"#, input.get("n").unwrap().as_f64().unwrap(), "x".repeat(200)))
        },
    )
}

/// Saves a plan of that many steps, and has it approved.
async fn approved_plan(handle: &TenantHandle, steps: usize) {
    let steps: Vec<String> =
        (0..steps).map(|number| format!(r#"{{"id":"s{number}","tool":"load","input":{{"n":{number}}}}}"#)).collect();
    let draft = format!(r#"{{"type":"report","planId":"p","goal":"Load","steps":[{}]}}"#, steps.join(","));
    handle.plans().save(draft.as_bytes(), None).await.unwrap();
    let subject = RequestedSubject::Plan { plan_id: "p".to_owned() };
    let asked =
        ApprovalRequest { subject, context: ApprovalContext::default(), requested_by: None, ttl_ms: None, rule: None };
    let approval = handle.approvals().request(asked).await.unwrap();
    handle.approvals().respond(&approval.approval_id, Decision::Approved, "kim", None).await.unwrap();
}

/// One life that ends after some commits of the run, and another that finishes it. Returns how many commits the run made, if it did not end.
async fn two_lives(steps: usize, commits: usize) -> usize {
    let home = Kept::Memory.open();
    let store = crate::support::store(home.opened.clone(), 1, NOW, 1 << 20).await;
    approved_plan(&handle_of(&store, "acme", "v1", "", &catalogue()), steps).await;
    drop(store);
    let dying = Dying::new(home.opened.engine.clone(), commits, true);
    let first = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
    let Ok(store) = crate::support::try_store(first, 2, NOW, 1 << 20).await else { return commits };
    let handle = handle_of(&store, "acme", "v1", "", &catalogue());
    let prepared = handle.runs().prepare(None).unwrap();
    let outcome = handle.runs().start(prepared, request("Go"), &host()).await;
    let made = dying.commits.load(Ordering::SeqCst);
    assert!(dying.is_dead() || outcome.is_ok(), "{outcome:?}");
    drop((handle, store));
    let store = crate::support::store(home.opened.clone(), 3, NOW, 1 << 20).await;
    assert!(store.advance(20_000));
    let handle = handle_of(&store, "acme", "v1", "", &catalogue());
    if let Some(run) = handle.runs().list(&RunFilter::default(), 1, None).await.unwrap().items.first() {
        let run_id = text(&parsed(run), "runId").to_owned();
        let result: Json = parsed(&handle.runs().resume(&run_id, &host()).await.unwrap());
        let told = (text(&result, "status"), text(&result, "text"));
        assert_eq!(told, ("completed", "All done."), "{steps} steps, died after {commits} commits");
    }
    store.close().await;
    made
}

#[test]
fn a_plan_whose_results_fill_a_commit_is_complete_for_who_asked_wherever_it_dies() {
    wait(async {
        for steps in [99, 100, 101, 200] {
            let all = two_lives(steps, usize::MAX).await;
            assert!(all > 3, "{all}");
            for commits in all.saturating_sub(6)..all {
                two_lives(steps, commits).await;
            }
        }
    });
}
