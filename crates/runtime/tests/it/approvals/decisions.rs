//! Who may decide what, when, and how often.

use std::sync::Arc;

use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Error, Kind, Result, json};
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, ApprovalStatus, PlanStatus, RequestedSubject, Subject, TenantHandle,
};

use crate::approvals::{DAY, approve, asked, asking, asking_about, history, pending, request, respond};
use crate::raw::Open;
use crate::support::{Kept, NOW, at_once, catalogue, handle, handle_of, memory_store, store, told, wait};

fn save_plan(handle: &TenantHandle, plan_id: &str, goal: &str) -> String {
    let text = format!(r#"{{"type":"t","planId":"{plan_id}","goal":"{goal}","steps":[]}}"#);
    at_once(handle.plans().save(text.as_bytes(), None)).unwrap().hash
}

fn plan_status(handle: &TenantHandle, plan_id: &str) -> PlanStatus {
    at_once(handle.plans().load(plan_id, None)).unwrap().status
}

fn is_closed<T: std::fmt::Debug>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(Error::ApprovalClosed(_))), "{outcome:?}");
}

#[test]
fn an_approval_is_asked_decided_and_kept() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    let approval = request(&acme, asking(r#"{"b":1.0,"a":2}"#)).unwrap();
    assert_eq!(approval.status, ApprovalStatus::Pending);
    assert_eq!((approval.created_at, approval.expires_at), (NOW, NOW + 7 * DAY));
    assert_eq!(at_once(acme.approvals().get(&approval.approval_id)).unwrap(), approval);
    assert_eq!(pending(&acme), [approval.approval_id.as_str()]);
    store.advance(5);
    let record = respond(&acme, &approval.approval_id, Decision::Rejected).unwrap();
    assert_eq!((record.sequence, record.decision, record.actor.as_deref()), (0, Decision::Rejected, Some("kim")));
    assert_eq!((record.reason.as_deref(), record.requested_by.as_deref()), (Some("because"), Some("bot")));
    assert_eq!((record.requested_at, record.decided_at), (NOW, NOW + 5));
    assert_eq!(record.subject_hash, approval.subject_hash);
    let after = at_once(acme.approvals().get(&approval.approval_id)).unwrap();
    assert_eq!(after.status, ApprovalStatus::Decided(Decision::Rejected));
    assert_eq!(pending(&acme), [""; 0]);
    assert_eq!(history(&acme), [record]);
    is_closed(approve(&acme, &approval.approval_id));
    assert_eq!(history(&acme).len(), 1);
    // Kept until it is deleted, like its record.
    store.advance(10_000 * DAY);
    assert_eq!(at_once(acme.approvals().get(&approval.approval_id)).unwrap(), after);
}

#[test]
fn an_approval_covers_the_canonical_bytes_of_the_input() {
    let acme = handle(&memory_store(), "acme");
    let approval = request(&acme, asking(r#"{"b":1.0,"a":"\u00e9"}"#)).unwrap();
    let hash: String = approval.subject_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        json::to_text(&approval),
        format!(
            r#"{{"approvalId":"{}","status":"pending","subject":{{"tool":"ship","input":{{"a":"é","b":1}}}},"subjectHash":"{hash}","requestedBy":"bot","createdAt":{NOW},"expiresAt":{}}}"#,
            approval.approval_id,
            NOW + 7 * DAY
        )
    );
    assert!(matches!(&approval.subject, Subject::Tool { input, .. } if input == r#"{"a":"é","b":1}"#.as_bytes()));
}

#[test]
fn the_subject_hash_depends_on_every_part_of_a_subject() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "other"));
    let elsewhere = at_once(crate::support::store(Kept::Memory.open().opened, 2, NOW, 0));
    save_plan(&acme, "ship", "1");
    let hash = |handle: &TenantHandle, asked: ApprovalRequest| request(handle, asked).unwrap().subject_hash;
    let of_run = |context| ApprovalRequest { context, ..asking("1") };
    let named = |tool: &str| ApprovalRequest {
        subject: RequestedSubject::Tool { tool: tool.to_owned(), input: bailiwick_model::Json::Number(1.0) },
        ..asking("1")
    };
    let context = ApprovalContext::default;
    let hashes = [
        hash(&acme, asking("1")),
        hash(&acme, asking("2")),
        hash(&acme, named("ship1")),
        hash(&acme, of_run(ApprovalContext { run_id: Some("r".to_owned()), ..context() })),
        hash(&acme, of_run(ApprovalContext { call_id: Some("r".to_owned()), ..context() })),
        hash(&acme, of_run(ApprovalContext { definition: Some([7; 32]), ..context() })),
        hash(&acme, asking_about("ship")),
        hash(&other, asking("1")),
        hash(&handle(&elsewhere, "acme"), asking("1")),
    ];
    for (at, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..at].contains(hash), "{at}");
    }
    assert_eq!(hashes[0], hash(&acme, asking("1.0")), "the same bytes");
}

#[test]
fn the_context_of_a_run_is_kept() {
    let acme = handle(&memory_store(), "acme");
    let context = ApprovalContext {
        run_id: Some("run".to_owned()),
        thread_id: Some("thread".to_owned()),
        call_id: Some("call".to_owned()),
        definition: Some([7; 32]),
    };
    let approval = request(&acme, ApprovalRequest { context: context.clone(), ..asking("1") }).unwrap();
    assert_eq!(at_once(acme.approvals().get(&approval.approval_id)).unwrap().context, context);
    assert!(json::to_text(&approval).contains(r#""runId":"run","threadId":"thread","status""#));
}

#[test]
fn a_hundred_callers_get_one_decision() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let store = store(home.opened, 1, NOW, 1 << 20).await;
            let acme = Arc::new(handle(&store, "acme"));
            let ids: Vec<String> = {
                let requests = (0..5).map(|_| asking("1")).collect();
                let asked = acme.approvals().request_all(requests).await.unwrap();
                asked.into_iter().map(|approval| approval.approval_id).collect()
            };
            let calls: Vec<_> = (0..100_usize)
                .map(|number| {
                    let (acme, id) = (acme.clone(), ids[number % 5].clone());
                    let decide = if number % 3 == 0 { Decision::Rejected } else { Decision::Approved };
                    tokio::spawn(async move { acme.approvals().respond(&id, decide, "kim", None).await })
                })
                .collect();
            let mut accepted = Vec::new();
            for call in calls {
                match call.await.unwrap() {
                    Ok(responded) => accepted.extend(responded.record()),
                    Err(error) => assert!(matches!(error, Error::ApprovalClosed(_)), "{error:?}"),
                }
            }
            accepted.sort_by_key(|record| record.sequence);
            let mut decided: Vec<&str> = accepted.iter().map(|record| record.approval_id.as_str()).collect();
            decided.sort_unstable();
            let mut expected: Vec<&str> = ids.iter().map(String::as_str).collect();
            expected.sort_unstable();
            assert_eq!(decided, expected, "{kept:?}");
            let report = acme.approvals().verify(None).await.unwrap();
            assert_eq!((report.size, report.problems.len()), (5, 0));
            store.close().await;
        });
    }
}

#[test]
fn an_approval_cannot_be_decided_after_its_time() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    let short = |ttl_ms| ApprovalRequest { ttl_ms: Some(ttl_ms), ..asking("1") };
    let ids: Vec<String> =
        [10, 10, 10, 10, 20].map(|ttl| request(&acme, short(ttl)).unwrap().approval_id).into_iter().collect();
    store.advance(9);
    assert!(approve(&acme, &ids[3]).is_ok());
    store.advance(1);
    is_closed(approve(&acme, &ids[0]));
    assert_eq!(at_once(acme.approvals().get(&ids[1])).unwrap().status, ApprovalStatus::Decided(Decision::Expired));
    assert_eq!(pending(&acme), [ids[4].as_str()]);
    store.advance(10);
    let records = history(&acme);
    let decisions: Vec<_> = records.iter().map(|record| (record.approval_id.as_str(), record.decision)).collect();
    assert_eq!(decisions[0], (ids[3].as_str(), Decision::Approved));
    assert_eq!(decisions.len(), 5);
    for id in [&ids[0], &ids[1], &ids[2], &ids[4]] {
        let expired: Vec<_> = records.iter().filter(|record| record.approval_id == *id).collect();
        assert_eq!((expired.len(), expired[0].decision, &expired[0].actor), (1, Decision::Expired, &None));
    }
    assert_eq!(at_once(acme.approvals().expire()).unwrap(), 0);
}

#[test]
fn expired_approvals_are_recorded_whatever_their_number() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    let many = |ttl_ms| (0..100).map(|_| ApprovalRequest { ttl_ms: Some(ttl_ms), ..asking("1") }).collect();
    for ttl_ms in [10, 1000, 10, 10] {
        at_once(acme.approvals().request_all(many(ttl_ms))).unwrap();
    }
    assert_eq!(at_once(acme.approvals().expire()).unwrap(), 0);
    store.advance(10);
    assert_eq!(at_once(acme.approvals().expire()).unwrap(), 300);
    assert_eq!(pending(&acme).len(), 100);
    store.advance(990);
    assert_eq!(pending(&acme), [""; 0]);
    assert_eq!(history(&acme).len(), 400);
    assert_eq!(at_once(acme.approvals().verify(None)).unwrap().problems, []);
}

#[test]
fn a_plan_is_decided_with_its_approval() {
    let acme = handle(&memory_store(), "acme");
    let hash = save_plan(&acme, "p", "one");
    let approval = request(&acme, asking_about("p")).unwrap();
    assert_eq!(approval.subject, Subject::Plan { plan_id: "p".to_owned(), plan_hash: hash });
    approve(&acme, &approval.approval_id).unwrap();
    assert_eq!(plan_status(&acme, "p"), PlanStatus::Approved);
    let again = request(&acme, asking_about("p")).unwrap().approval_id;
    respond(&acme, &again, Decision::Rejected).unwrap();
    assert_eq!(plan_status(&acme, "p"), PlanStatus::Rejected);
    assert_eq!(request(&acme, asking_about("none")), Err(Error::NotFound));
}

#[test]
fn an_approval_of_a_plan_that_has_changed_is_withdrawn() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    for decide in [Decision::Approved, Decision::Rejected] {
        save_plan(&acme, "p", "one");
        let id = request(&acme, asking_about("p")).unwrap().approval_id;
        save_plan(&acme, "p", "one");
        is_closed(respond(&acme, &id, decide));
        assert_eq!(plan_status(&acme, "p"), PlanStatus::Draft);
        let status = at_once(acme.approvals().get(&id)).unwrap().status;
        assert_eq!(status, ApprovalStatus::Decided(Decision::Withdrawn));
    }
    let id = request(&acme, ApprovalRequest { ttl_ms: Some(1000 * DAY), ..asking_about("p") }).unwrap().approval_id;
    store.advance(365 * DAY);
    is_closed(approve(&acme, &id));
    let decisions: Vec<_> = history(&acme).into_iter().map(|record| (record.decision, record.actor)).collect();
    assert_eq!(decisions, vec![(Decision::Withdrawn, None); 3]);
}

#[test]
fn approvals_that_are_not_needed_any_more_are_withdrawn_together() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    let ids: Vec<String> = (0..3).map(|_| asked(&acme)).collect();
    approve(&acme, &ids[0]).unwrap();
    let all: Vec<&str> = ids.iter().map(String::as_str).chain(["approval_none"]).collect();
    let records = at_once(acme.approvals().withdraw(&all, Some("cancelled"), Vec::new())).unwrap().unwrap();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.decision == Decision::Withdrawn && record.actor.is_none()));
    is_closed(approve(&acme, &ids[1]));
    assert_eq!(at_once(acme.approvals().withdraw(&all, None, Vec::new())).unwrap(), Some(Vec::new()));
    assert_eq!(pending(&acme), [""; 0]);
}

#[test]
fn a_decision_needs_an_actor() {
    let acme = handle(&memory_store(), "acme");
    let id = asked(&acme);
    for actor in ["", &"x".repeat(1025)] {
        let outcome = at_once(acme.approvals().respond(&id, Decision::Approved, actor, None));
        assert!(matches!(outcome, Err(Error::InvalidInput(_))));
    }
    let long = "x".repeat((16 << 10) + 1);
    let outcome = at_once(acme.approvals().respond(&id, Decision::Approved, "kim", Some(&long)));
    assert!(matches!(outcome, Err(Error::InvalidInput(_))));
    assert_eq!(history(&acme), []);
}

#[test]
fn an_invalid_request_is_refused_and_creates_no_tenant() {
    let open = Open::new();
    let acme = handle(&open.store, "acme");
    open.calls.take();
    let named = |tool: &str| RequestedSubject::Tool { tool: tool.to_owned(), input: bailiwick_model::Json::Null };
    let large = bailiwick_model::Json::String("x".repeat(1 << 20));
    let bad = [
        ApprovalRequest { subject: named("no good"), ..asking("1") },
        ApprovalRequest { subject: RequestedSubject::Tool { tool: "t".to_owned(), input: large }, ..asking("1") },
        ApprovalRequest { requested_by: Some(String::new()), ..asking("1") },
        ApprovalRequest { ttl_ms: Some(0), ..asking("1") },
        ApprovalRequest { ttl_ms: Some(u64::MAX), ..asking("1") },
    ];
    for request in bad {
        let outcome = crate::approvals::request(&acme, request);
        assert!(matches!(outcome, Err(Error::InvalidInput(_))), "{outcome:?}");
    }
    assert_eq!(open.raw.rows(Kind::Approvals as u8).len(), 0);
    assert_eq!(open.calls.take(), []);
    for text in
        ["1", "{}", r#"{"tool":"t"}"#, r#"{"input":1}"#, r#"{"tool":"t","input":1,"planId":"p"}"#, r#"{"planId":1}"#]
    {
        assert!(matches!(RequestedSubject::read(text.as_bytes()), Err(Error::InvalidInput(_))), "{text}");
    }
    assert_eq!(RequestedSubject::read(br#"{"planId":"p"}"#).unwrap(), asking_about("p").subject);
}

#[test]
fn an_approval_of_another_tenant_is_absent_with_the_same_work() {
    let open = Open::new();
    let (acme, other) = (handle(&open.store, "acme"), handle(&open.store, "other"));
    let foreign = asked(&acme);
    asked(&other);
    let outcome = |approval_id: &str| {
        open.calls.take();
        let read = at_once(other.approvals().get(approval_id)).map_err(|error| told(&error));
        let decided = approve(&other, approval_id).map_err(|error| told(&error));
        (read, decided, open.calls.take())
    };
    let seen = outcome(&foreign);
    assert_eq!(seen, outcome(&format!("approval_{}", "a".repeat(32))));
    assert_eq!((&seen.0, &seen.1), (&Err(told(&Error::NotFound)), &Err(told(&Error::NotFound))));
    for malformed in ["", "approval_", &foreign.to_uppercase(), &format!("{foreign}a")] {
        assert_eq!(at_once(other.approvals().get(malformed)), Err(Error::NotFound));
    }
    let nobody = handle(&open.store, "nobody");
    assert_eq!(approve(&nobody, &foreign), Err(Error::NotFound));
    assert_eq!(at_once(nobody.approvals().prove(0)), Err(Error::NotFound));
    approve(&acme, &foreign).unwrap();
    assert_eq!(at_once(other.approvals().prove(0)), Err(Error::NotFound));
    assert_eq!(history(&other), []);
}

#[test]
fn a_decided_approval_may_expire_and_its_record_stays() {
    let store = memory_store();
    let acme = handle_of(&store, "acme", "v1", r#","retention":{"approvals":{"ttlMs":1000}}"#, &catalogue());
    let (decided, waiting) = (asked(&acme), asked(&acme));
    approve(&acme, &decided).unwrap();
    store.advance(1000);
    assert_eq!(at_once(acme.approvals().get(&decided)), Err(Error::NotFound));
    assert_eq!(pending(&acme), [waiting.as_str()]);
    assert_eq!(history(&acme).len(), 1);
    assert_eq!(at_once(acme.approvals().verify(None)).unwrap().problems, []);
}

#[test]
fn pending_approvals_are_limited_and_expired_ones_make_room() {
    let store = memory_store();
    let acme = handle_of(&store, "acme", "v1", r#","limits":{"pendingApprovals":2}"#, &catalogue());
    let (first, _) = (asked(&acme), asked(&acme));
    let full = || request(&acme, asking("1"));
    let quota = Error::QuotaExceeded { quota: "pendingApprovals".to_owned(), limit: 2, used: 2, more: 1 };
    assert_eq!(full(), Err(quota.clone()));
    respond(&acme, &first, Decision::Rejected).unwrap();
    assert!(full().is_ok());
    assert_eq!(full(), Err(quota));
    store.advance(7 * DAY);
    assert!(full().is_ok());
    let used = at_once(acme.usage()).unwrap().into_iter().find(|(kind, _)| *kind == Kind::Approvals).unwrap().1;
    assert_eq!(used.items, 4);
}

#[test]
fn a_decision_is_possible_at_the_limit() {
    let acme =
        handle_of(&memory_store(), "acme", "v1", r#","limits":{"bytes":1030,"items":{"approvals":1}}"#, &catalogue());
    let id = request(&acme, asking("1")).unwrap().approval_id;
    assert!(matches!(request(&acme, asking("1")), Err(Error::QuotaExceeded { .. })));
    approve(&acme, &id).unwrap();
}

#[test]
fn pages_of_pending_approvals_and_history_belong_to_one_tenant() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "other"));
    let mut ids: Vec<String> = (0..5).map(|_| asked(&acme)).collect();
    asked(&other);
    let page = at_once(acme.approvals().pending(3, None)).unwrap();
    let rest = at_once(acme.approvals().pending(3, page.cursor.as_deref())).unwrap();
    let seen: Vec<String> = page.items.into_iter().chain(rest.items).map(|approval| approval.approval_id).collect();
    ids.reverse();
    assert_eq!(seen, ids);
    let cursor = page.cursor.unwrap();
    assert!(matches!(at_once(other.approvals().pending(3, Some(&cursor))), Err(Error::InvalidInput(_))));
    for id in &ids {
        approve(&acme, id).unwrap();
    }
    assert_eq!(history(&acme).iter().map(|record| record.approval_id.clone()).collect::<Vec<_>>(), ids);
    let cursor = at_once(acme.approvals().history(3, None)).unwrap().cursor.unwrap();
    assert!(matches!(at_once(other.approvals().history(3, Some(&cursor))), Err(Error::InvalidInput(_))));
    for limit in [0, 1001] {
        assert!(matches!(at_once(acme.approvals().history(limit, None)), Err(Error::InvalidInput(_))));
    }
    let text = json::to_text(&at_once(acme.approvals().history(1, None)).unwrap().items[0]);
    let record = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
    assert_eq!(record.get("sequence").unwrap().as_f64(), Some(0.0));
}
