//! Plans are kept in versions per tenant and plan id, and expire as a whole.

mod damage;
mod model;

use std::sync::Arc;

use crate::raw::Open;
use crate::support::{Kept, NOW, at_once, catalogue, handle, handle_of, memory_store, store, told, wait};
use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_runtime::{Catalogue, Plan, PlanStatus, TenantHandle};
use sha2::{Digest, Sha256};

const DAY: u64 = 24 * 60 * 60 * 1000;

fn draft(plan_id: &str, goal: &str) -> Vec<u8> {
    format!(
        r#"{{"type":"launch","planId":{},"goal":"{goal}","steps":[
            {{"id":"a","tool":"ship","input":{{"b":1.0,"a":[null]}}}},
            {{"id":"b","tool":"tell","input":{{"$step":"a","path":"/x"}},"dependsOn":["a"],"note":"then"}}]}}"#,
        json::write(&Json::from(plan_id))
    )
    .into_bytes()
}

fn save(handle: &TenantHandle, plan_id: &str, goal: &str) -> Result<Plan> {
    at_once(handle.plans().save(&draft(plan_id, goal), None))
}

fn load(handle: &TenantHandle, plan_id: &str) -> Result<Plan> {
    at_once(handle.plans().load(plan_id, None))
}

fn history(handle: &TenantHandle, plan_id: &str) -> Result<Vec<String>> {
    Ok(at_once(handle.plans().history(plan_id))?.iter().map(json::to_text).collect())
}

fn listed(handle: &TenantHandle) -> Vec<String> {
    let page = at_once(handle.plans().list(1000, None)).unwrap();
    page.items.into_iter().map(|plan| plan.plan_id).collect()
}

#[test]
fn a_plan_is_saved_in_versions_and_loaded_by_them() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    let first = save(&acme, "p", "one").unwrap();
    assert_eq!((first.version, first.status, first.created_at, first.updated_at), (1, PlanStatus::Draft, NOW, NOW));
    store.advance(5);
    let second = save(&acme, "p", "two").unwrap();
    assert_eq!((second.version, second.created_at, second.updated_at), (2, NOW, NOW + 5));
    assert_ne!(first.hash, second.hash);
    assert_eq!(load(&acme, "p").unwrap(), second);
    assert_eq!(at_once(acme.plans().load("p", Some(1))).unwrap(), first);
    assert_eq!(at_once(acme.plans().load("p", Some(2))).unwrap(), second);
    for absent in [0, 3, 4, u64::MAX] {
        assert_eq!(at_once(acme.plans().load("p", Some(absent))), Err(Error::NotFound));
    }
    assert_eq!(history(&acme, "p").unwrap(), [first, second].map(|plan| json::to_text(&plan)));
}

#[test]
fn the_hash_covers_the_canonical_json_of_the_versioned_part() {
    let acme = handle(&memory_store(), "acme");
    let text = br#"{"steps":[{"input":1.0,"tool":"t","id":"s"}],"goal":"g","details":{"z":1,"a":2},"type":"launch","planId":"p"}"#;
    let plan = at_once(acme.plans().save(text, None)).unwrap();
    let canonical = r#"{"details":{"a":2,"z":1},"goal":"g","planId":"p","steps":[{"id":"s","input":1,"tool":"t"}],"type":"launch","version":1}"#;
    let expected: String = Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(plan.hash, expected);
    assert_eq!(
        json::to_text(&plan),
        format!(
            r#"{{"planId":"p","type":"launch","version":1,"hash":"{expected}","status":"draft","goal":"g","steps":[{{"id":"s","input":1,"tool":"t"}}],"details":{{"a":2,"z":1}},"createdAt":{NOW},"updatedAt":{NOW}}}"#
        )
    );
}

#[test]
fn a_plan_without_an_id_is_given_one_that_is_new() {
    let acme = handle(&memory_store(), "acme");
    let text = br#"{"type":"launch","goal":"g","steps":[]}"#;
    let ids: Vec<String> = (0..3).map(|_| at_once(acme.plans().save(text, Some(0))).unwrap().plan_id).collect();
    for id in &ids {
        assert_eq!(load(&acme, id).unwrap().version, 1);
        assert!(id.starts_with("plan_") && id.len() == 37, "{id}");
    }
    assert_eq!(listed(&acme), [ids[2].as_str(), &ids[1], &ids[0]]);
}

#[test]
fn an_expected_version_that_does_not_hold_is_a_conflict_and_changes_nothing() {
    let acme = handle(&memory_store(), "acme");
    let expecting = |version| at_once(acme.plans().save(&draft("p", "g"), Some(version)));
    assert!(matches!(expecting(1), Err(Error::Conflict(_))));
    assert_eq!(expecting(0).unwrap().version, 1);
    for wrong in [0, 2, u64::MAX] {
        assert!(matches!(expecting(wrong), Err(Error::Conflict(_))), "{wrong}");
    }
    assert_eq!(expecting(1).unwrap().version, 2);
    assert_eq!(load(&acme, "p").unwrap().version, 2);
}

#[test]
fn of_concurrent_saves_none_is_lost_and_one_wins_a_version() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let store = store(home.opened, 1, NOW, 1 << 20).await;
            let acme = Arc::new(handle(&store, "acme"));
            let race = |expected: Option<u64>| {
                let saves = (0..12).map(|number| {
                    let acme = acme.clone();
                    tokio::spawn(async move { acme.plans().save(&draft("p", &number.to_string()), expected).await })
                });
                saves.collect::<Vec<_>>()
            };
            let mut versions = Vec::new();
            for save in race(None) {
                versions.push(save.await.unwrap().unwrap().version);
            }
            versions.sort_unstable();
            assert_eq!(versions, (1..=12).collect::<Vec<_>>());
            let mut won = 0;
            for save in race(Some(12)) {
                match save.await.unwrap() {
                    Ok(plan) => won += u32::from(plan.version == 13),
                    Err(error) => assert!(matches!(error, Error::Conflict(_)), "{error:?}"),
                }
            }
            assert_eq!(won, 1, "{kept:?}");
            assert_eq!(acme.plans().history("p").await.unwrap().len(), 13);
            store.close().await;
        });
    }
}

#[test]
fn a_plan_of_another_tenant_is_absent_with_the_same_work() {
    let open = Open::new();
    let (acme, other) = (handle(&open.store, "acme"), handle(&open.store, "other"));
    save(&acme, "p", "g").unwrap();
    save(&other, "other's", "g").unwrap();
    let outcome = |plan_id: &str| {
        open.calls.take();
        let load = load(&other, plan_id).map_err(|error| told(&error));
        let history = history(&other, plan_id).map_err(|error| told(&error));
        (load, history, open.calls.take())
    };
    let foreign = outcome("p");
    assert_eq!(foreign, outcome("never"));
    assert_eq!(foreign.0, Err(told(&Error::NotFound)));
    open.store.advance(365 * DAY);
    assert_eq!(foreign, outcome("other's"), "expired");
    for malformed in ["", &"x".repeat(257)] {
        assert_eq!(load(&other, malformed), Err(Error::NotFound));
        assert_eq!(history(&other, malformed), Err(Error::NotFound));
    }
    assert_eq!(load(&handle(&open.store, "nobody"), "p"), Err(Error::NotFound));
    // The same id is another plan.
    assert_eq!(save(&other, "p", "g").unwrap().version, 1);
}

#[test]
fn a_plan_stays_under_the_next_version_of_its_tenant() {
    let store = memory_store();
    let plan = save(&handle(&store, "acme"), "p", "g").unwrap();
    let next = handle_of(&store, "acme", "v2", "", &catalogue());
    assert_eq!(load(&next, "p").unwrap(), plan);
}

#[test]
fn lists_are_newest_first_in_pages_that_belong_to_one_tenant() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "other"));
    for plan_id in ["a", "b", "c"] {
        save(&acme, plan_id, "g").unwrap();
    }
    save(&other, "x", "g").unwrap();
    // A new version changes nothing in the order.
    save(&acme, "a", "g").unwrap();
    assert_eq!(listed(&acme), ["c", "b", "a"]);
    let page = at_once(acme.plans().list(2, None)).unwrap();
    let cursor = page.cursor.unwrap();
    let rest = at_once(acme.plans().list(2, Some(&cursor))).unwrap();
    assert_eq!((page.items.len(), rest.items.len(), rest.cursor), (2, 1, None));
    let hash = load(&acme, "a").unwrap().hash;
    assert_eq!(
        json::to_text(&rest.items[0]),
        format!(
            r#"{{"planId":"a","type":"launch","version":2,"hash":"{hash}","status":"draft","goal":"g","createdAt":{NOW},"updatedAt":{NOW}}}"#
        )
    );
    for foreign in
        [at_once(other.plans().list(2, Some(&cursor))), at_once(handle(&store, "new").plans().list(2, Some(&cursor)))]
    {
        assert!(matches!(foreign, Err(Error::InvalidInput(_))));
    }
    for limit in [0, 1001] {
        assert!(matches!(at_once(acme.plans().list(limit, None)), Err(Error::InvalidInput(_))));
    }
}

#[test]
fn a_plan_is_checked_strictly() {
    let acme = handle(&memory_store(), "acme");
    let step = r#"{"id":"a","tool":"t","input":1}"#;
    let with = |steps: &str| format!(r#"{{"type":"t","goal":"g","steps":[{steps}]}}"#);
    let good = [
        with(""),
        with(step),
        with(&format!(r#"{step},{{"id":"b","tool":"T-1_x","input":null,"dependsOn":[],"note":""}}"#)),
    ];
    for text in good {
        assert!(at_once(acme.plans().save(text.as_bytes(), None)).is_ok(), "{text}");
    }
    let long_goal = format!(r#"{{"type":"t","goal":"{}","steps":[]}}"#, "g".repeat(16 * 1024 + 1));
    let long_id = format!(r#"{{"type":"t","planId":"{}","goal":"g","steps":[]}}"#, "x".repeat(257));
    let many = (0..1001).map(|id| format!(r#"{{"id":"{id}","tool":"t","input":1}}"#)).collect::<Vec<_>>().join(",");
    let bad = [
        ("[]", "must be an object"),
        ("{", "JSON"),
        (r#"{"goal":"g","steps":[]}"#, "needs type"),
        (r#"{"type":"T","goal":"g","steps":[]}"#, "must match"),
        (r#"{"type":1,"goal":"g","steps":[]}"#, "type must be a string"),
        (r#"{"type":"t","steps":[]}"#, "needs goal"),
        (r#"{"type":"t","goal":"","steps":[]}"#, "1 to 16384"),
        (&long_goal, "1 to 16384"),
        (r#"{"type":"t","planId":"","goal":"g","steps":[]}"#, "planId must have 1 to 256"),
        (&long_id, "planId must have 1 to 256"),
        (r#"{"type":"t","goal":"g"}"#, "needs steps"),
        (r#"{"type":"t","goal":"g","steps":{}}"#, "must be an array"),
        (r#"{"type":"t","goal":"g","steps":[],"extra":1}"#, r#"unknown property "extra""#),
        (&with("1"), "steps[0] must be an object"),
        (&with(r#"{"tool":"t","input":1}"#), "steps[0] needs id"),
        (&with(r#"{"id":"","tool":"t","input":1}"#), "steps[0]: id must have"),
        (&with(r#"{"id":"a","tool":"no good","input":1}"#), "steps[0].tool must match"),
        (&with(r#"{"id":"a","tool":"t"}"#), "steps[0] needs input"),
        (&with(r#"{"id":"a","tool":"t","input":1,"note":1}"#), "note must be a string"),
        (&with(r#"{"id":"a","tool":"t","input":1,"more":1}"#), "unknown property"),
        (&with(&format!("{step},{step}")), "steps[0] and steps[1] have the same id"),
        (&with(r#"{"id":"a","tool":"t","input":1,"dependsOn":"b"}"#), "array of step ids"),
        (&with(r#"{"id":"a","tool":"t","input":1,"dependsOn":[1]}"#), "array of step ids"),
        (&with(r#"{"id":"a","tool":"t","input":1,"dependsOn":["b"]}"#), "names no step"),
        (&with(r#"{"id":"a","tool":"t","input":1,"dependsOn":["a"]}"#), "the step itself"),
        (&with(&format!(r#"{step},{{"id":"b","tool":"t","input":1,"dependsOn":["a","a"]}}"#)), "a step twice"),
        (
            &with(
                r#"{"id":"a","tool":"t","input":1,"dependsOn":["b"]},{"id":"b","tool":"t","input":1,"dependsOn":["a"]}"#,
            ),
            "circle",
        ),
        (&with(&many), "at most 1000 steps"),
    ];
    for (text, expected) in bad {
        let text: &str = text;
        let Err(Error::InvalidInput(message)) = at_once(acme.plans().save(text.as_bytes(), None)) else {
            panic!("accepted: {text}");
        };
        assert!(message.contains(expected), "{text}: {message}");
    }
    assert_eq!(listed(&acme).len(), 3, "what is refused leaves nothing");
    let large = format!(r#"{{"type":"t","goal":"g","steps":[],"details":"{}"}}"#, "x".repeat(1 << 20));
    assert!(matches!(at_once(acme.plans().save(large.as_bytes(), None)), Err(Error::InvalidInput(_))));
}

#[test]
fn a_plan_nested_as_deeply_as_allowed_is_read_back() {
    let acme = handle(&memory_store(), "acme");
    let nested = format!("{}{}", "[".repeat(97), "]".repeat(97));
    let text = format!(r#"{{"type":"t","planId":"p","goal":"g","steps":[{{"id":"a","tool":"t","input":{nested}}}]}}"#);
    let plan = at_once(acme.plans().save(text.as_bytes(), None)).unwrap();
    assert_eq!(load(&acme, "p").unwrap(), plan);
}

#[test]
fn the_details_of_a_registered_type_match_its_schema() {
    let topology = br#"{"bailiwick":1,"plans":[{"name":"launch","details":{"type":"object","required":["region"]}},{"name":"free"}]}"#;
    let topology = json::parse(topology, &json::Limits::default()).unwrap();
    let catalogue = Arc::new(Catalogue::from_json(&topology).unwrap());
    let acme = handle_of(&memory_store(), "acme", "v1", "", &catalogue);
    let saved = |text: &str| at_once(acme.plans().save(text.as_bytes(), None));
    assert!(saved(r#"{"type":"launch","goal":"g","steps":[],"details":{"region":"eu"}}"#).is_ok());
    assert!(saved(r#"{"type":"free","goal":"g","steps":[]}"#).is_ok());
    for (text, expected) in [
        (r#"{"type":"launch","goal":"g","steps":[]}"#, "needs details"),
        (r#"{"type":"launch","goal":"g","steps":[],"details":{"secret":"s"}}"#, "plan type launch"),
        (r#"{"type":"launch","goal":"g","steps":[],"details":null}"#, "plan type launch"),
    ] {
        let Err(Error::InvalidInput(message)) = saved(text) else { panic!("accepted: {text}") };
        assert!(message.contains(expected) && !message.contains("secret"), "{message}");
    }
    let wrong =
        json::parse(br#"{"bailiwick":1,"plans":[{"name":"a","details":{"type":5}}]}"#, &json::Limits::default());
    let Err(Error::Spec(issues)) = Catalogue::from_json(&wrong.unwrap()) else { panic!("accepted") };
    assert_eq!(issues[0].path, "plans[0].details");
}

#[test]
fn plans_expire_as_a_whole_and_a_save_extends_every_version() {
    let store = memory_store();
    let acme = handle_of(&store, "acme", "v1", r#","retention":{"plans":{"ttlMs":1000}}"#, &catalogue());
    save(&acme, "p", "one").unwrap();
    save(&acme, "q", "one").unwrap();
    store.advance(900);
    save(&acme, "p", "two").unwrap();
    store.advance(900);
    assert_eq!(history(&acme, "p").unwrap().len(), 2);
    assert_eq!(listed(&acme), ["p"]);
    assert_eq!(load(&acme, "q"), Err(Error::NotFound));
    // A shorter retention takes nothing away from what was promised.
    let shorter = handle_of(&store, "acme", "v1", r#","retention":{"plans":{"ttlMs":1}}"#, &catalogue());
    save(&shorter, "p", "three").unwrap();
    store.advance(99);
    assert_eq!(history(&acme, "p").unwrap().len(), 3);
    store.advance(1);
    assert_eq!(load(&acme, "p"), Err(Error::NotFound));
    assert_eq!(history(&acme, "p"), Err(Error::NotFound));
    assert_eq!(listed(&acme), [""; 0]);
    assert_eq!(save(&acme, "p", "again").unwrap().version, 1);
    assert_eq!(history(&acme, "p").unwrap().len(), 1);
}

#[test]
fn a_plan_counts_as_one_item_with_the_bytes_of_all_its_versions() {
    let store = memory_store();
    let part = r#","limits":{"items":{"plans":1},"bytes":700,"valueBytes":400}"#;
    let acme = handle_of(&store, "acme", "v1", part, &catalogue());
    let used = || at_once(acme.usage()).unwrap().into_iter().find(|(kind, _)| *kind == Kind::Plans).unwrap().1;
    save(&acme, "p", "one").unwrap();
    let first = used();
    assert!(first.items == 1 && first.bytes > 150, "{first:?}");
    save(&acme, "p", "two").unwrap();
    assert!(used().items == 1 && used().bytes > 2 * first.bytes, "{:?}", used());
    let quota = |outcome: Result<Plan>| match outcome {
        Err(Error::QuotaExceeded { quota, .. }) => quota,
        other => panic!("{other:?}"),
    };
    assert_eq!(quota(save(&acme, "q", "one")), "items.plans");
    assert_eq!(quota(save(&acme, "p", "three")), "bytes");
    assert_eq!(quota(save(&acme, "p", &"x".repeat(400))), "valueBytes");
    assert_eq!(load(&acme, "p").unwrap().version, 2);
}

#[test]
fn the_last_version_there_can_be() {
    let acme = handle(&memory_store(), "acme");
    let text = br#"{"type":"t","planId":"p","goal":"g","steps":[]}"#;
    for version in 1..=1000 {
        assert_eq!(at_once(acme.plans().save(text, None)).unwrap().version, version);
    }
    assert!(matches!(at_once(acme.plans().save(text, None)), Err(Error::InvalidInput(_))));
    assert_eq!(history(&acme, "p").unwrap().len(), 1000);
    assert_eq!(load(&acme, "p").unwrap().version, 1000);
}
