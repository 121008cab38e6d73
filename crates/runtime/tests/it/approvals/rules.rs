//! An approval is decided as the rule says that was fixed with its request, whatever is tried.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailiwick_model::ledger::note::NoteVerifier;
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::{Error, Json, Result, json};
use bailiwick_runtime::{ApprovalRequest, RequestedRule, Responded, Store, TenantHandle};
use bailiwick_store::Opened;

use crate::approvals::asking;
use crate::runs::both;
use crate::support::{Home, Kept, NOW, Random, handle, long, shared, store, wait};

const PEOPLE: [&str; 5] = ["ann", "bob", "kim", "lee", "Kim"];

fn person(random: &mut Random) -> String {
    random.pick(&PEOPLE).copied().unwrap().to_owned()
}

/// A rule as the host asks for it, and the same as a text.
fn asked(random: &mut Random) -> (Option<BTreeSet<String>>, u64, bool, String) {
    let to: Option<BTreeSet<String>> =
        random.one_in(2).then(|| (0..1 + random.below(4)).map(|_| person(random)).collect());
    let (quorum, not_by) = (1 + random.below(3) as u64, random.one_in(2));
    let mut members = Vec::new();
    members.extend(to.as_ref().map(|to| format!(r#""to":{}"#, json::to_text(to))));
    members.push(format!(r#""quorum":{quorum}"#));
    members.extend(not_by.then(|| r#""notBy":"requester""#.to_owned()));
    (to, quorum, not_by, format!("{{{}}}", members.join(",")))
}

fn read(text: &str) -> Result<Option<RequestedRule>> {
    RequestedRule::read(&json::parse(text.as_bytes(), &json::Limits::default()).unwrap())
}

fn fixed(text: &str, requesters: &[Option<&str>]) -> Result<Option<ApprovalRule>> {
    let requesters = requesters.iter().map(|requester| requester.map(str::to_owned)).collect();
    read(text)?.map(|rule| rule.fixed(&requesters)).transpose()
}

/// What should be of one approval.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    id: String,
    to: Option<BTreeSet<String>>,
    quorum: u64,
    /// Those who may not.
    barred: BTreeSet<String>,
    approved: Vec<String>,
    decided: Option<Decision>,
    /// Whether it has any rule.
    ruled: bool,
}

/// What a response leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Decided(Decision),
    Pending(usize),
    Closed,
    Forbidden,
}

impl Expected {
    fn respond(&mut self, actor: &str, yes: bool) -> Outcome {
        if self.decided.is_some() {
            return Outcome::Closed;
        }
        if self.barred.contains(actor) || self.to.as_ref().is_some_and(|to| !to.contains(actor)) {
            return Outcome::Forbidden;
        }
        if !yes {
            self.decided = Some(Decision::Rejected);
            return Outcome::Decided(Decision::Rejected);
        }
        if !self.approved.iter().any(|other| other == actor) {
            self.approved.push(actor.to_owned());
        }
        if (self.approved.len() as u64) < self.quorum {
            return Outcome::Pending(self.approved.len());
        }
        self.decided = Some(Decision::Approved);
        Outcome::Decided(Decision::Approved)
    }
}

fn outcome(responded: &Result<Responded>) -> Outcome {
    match responded {
        Ok(Responded::Decided(record)) => Outcome::Decided(record.decision),
        Ok(Responded::Pending(approval)) => Outcome::Pending(approval.approved_by.len()),
        Err(Error::ApprovalClosed(_)) => Outcome::Closed,
        Err(Error::ApprovalForbidden(_)) => Outcome::Forbidden,
        Err(error) => panic!("{error:?}"),
    }
}

async fn respond(handle: &TenantHandle, id: &str, actor: &str, yes: bool) -> Result<Responded> {
    let decide = if yes { Decision::Approved } else { Decision::Rejected };
    handle.approvals().respond(id, decide, actor, Some("because")).await
}

/// A process: a store of its own on the engine that all share. `seed`: what its ids follow from.
async fn process(opened: &Opened, seed: u64) -> (Arc<Store>, TenantHandle) {
    let store = store(opened.clone(), seed, NOW, 1 << 20).await;
    let handle = handle(&store, "acme");
    (store, handle)
}

/// Requests, decisions one by one and two at once, restarts, and attempts of another tenant.
async fn script(home: &Home, random: &mut Random, acts: usize) {
    let opened = shared(home.opened.clone());
    let mut processes = [process(&opened, 1).await, process(&opened, 2).await];
    let mut all: Vec<Expected> = Vec::new();
    for _ in 0..acts {
        let at = random.below(2);
        let act = if all.is_empty() { 0 } else { random.below(10) };
        match act {
            0 | 1 => request(&processes[at].1, random, &mut all).await,
            2 => processes[at] = process(&opened, random.next()).await,
            3 => {
                let one = random.pick(&all).unwrap();
                let foreign = handle(&processes[at].0, "globex");
                let answer = respond(&foreign, &one.id, &person(random), random.one_in(2)).await;
                assert_eq!(answer, Err(Error::NotFound));
            }
            4 | 5 => {
                let one = random.below(all.len());
                let [(mine, mine_yes), (theirs, theirs_yes)] = [(); 2].map(|()| (person(random), !random.one_in(4)));
                let id = all[one].id.clone();
                let [(_, ours), (_, others)] = &processes;
                let (first, second) =
                    both(respond(ours, &id, &mine, mine_yes), respond(others, &id, &theirs, theirs_yes)).await;
                let seen = (outcome(&first), outcome(&second));
                let (mut before, mut after) = (all[one].clone(), all[one].clone());
                let in_order = (before.respond(&mine, mine_yes), before.respond(&theirs, theirs_yes));
                let second = after.respond(&theirs, theirs_yes);
                let reversed = (after.respond(&mine, mine_yes), second);
                let now = ours.approvals().get(&id).await.unwrap();
                let names: Vec<&str> = now.approved_by.iter().map(|by| by.actor.as_str()).collect();
                // Either order may have been; what is stored says which.
                let ruled = all[one].ruled;
                let fits = |outcomes, model: &Expected| seen == outcomes && (!ruled || names == model.approved);
                assert!(fits(in_order, &before) || fits(reversed, &after), "{seen:?} of {:?}", all[one]);
                all[one] = if fits(in_order, &before) { before } else { after };
            }
            _ => {
                let one = random.below(all.len());
                let (actor, yes) = (person(random), !random.one_in(5));
                let before = processes[at].1.approvals().get(&all[one].id).await.unwrap();
                let answer = respond(&processes[at].1, &all[one].id, &actor, yes).await;
                let expected = all[one].respond(&actor, yes);
                assert_eq!(outcome(&answer), expected, "{actor} {yes} of {:?}", all[one]);
                let after = processes[1 - at].1.approvals().get(&all[one].id).await.unwrap();
                if matches!(expected, Outcome::Closed | Outcome::Forbidden) {
                    assert_eq!(after, before, "nothing is recorded");
                }
            }
        }
    }
    check(&processes[0], &all).await;
}

async fn request(handle: &TenantHandle, random: &mut Random, all: &mut Vec<Expected>) {
    let (to, quorum, not_by, text) = asked(random);
    let by = (!random.one_in(4)).then(|| person(random));
    let barred: BTreeSet<String> = by.iter().filter(|_| not_by).cloned().collect();
    let may = to.as_ref().map_or(u64::MAX, |to| to.difference(&barred).count() as u64);
    let rule = fixed(&text, &[by.as_deref()]);
    if may < quorum || (not_by && by.is_none()) {
        assert!(matches!(rule, Err(Error::InvalidInput(_))), "{text} {by:?}: {rule:?}");
        return;
    }
    let rule = rule.unwrap();
    let ruled = rule.is_some();
    assert_eq!(ruled, to.is_some() || quorum > 1 || not_by, "{text}");
    let approval = handle
        .approvals()
        .request(ApprovalRequest { rule: rule.clone(), requested_by: by, ..asking("1") })
        .await
        .unwrap();
    assert_eq!(approval.rule, rule);
    let id = approval.approval_id;
    all.push(Expected { id, to, quorum, barred, approved: Vec::new(), decided: None, ruled });
}

/// What the ledger says of all approvals is what was decided, and every record obeys the rule that it names.
async fn check((store, handle): &(Arc<Store>, TenantHandle), all: &[Expected]) {
    let records = handle.approvals().history(1000, None).await.unwrap().items;
    assert_eq!(records.len(), all.iter().filter(|one| one.decided.is_some()).count());
    let key = NoteVerifier::parse(&store.public_key()).unwrap();
    for record in &records {
        let one = all.iter().find(|one| one.id == record.approval_id).unwrap();
        assert_eq!(Some(record.decision), one.decided);
        obeys(record, one);
        let proof = handle.approvals().prove(record.sequence).await.unwrap();
        assert!(proof.verify(&key, None) && proof.record == *record);
    }
    assert_eq!(handle.approvals().verify(None).await.unwrap().problems, []);
}

fn obeys(record: &ApprovalRecord, one: &Expected) {
    assert_eq!(record.rule.is_some(), one.ruled);
    let names: Vec<&str> = record.approved_by.iter().map(|by| by.actor.as_str()).collect();
    let Some(rule) = &record.rule else { return assert!(names.is_empty()) };
    assert_eq!(names, one.approved, "{record:?}");
    assert_eq!((rule.quorum, rule.to.clone()), (one.quorum, one.to.clone().map(|to| to.into_iter().collect())));
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(distinct.len(), names.len());
    let actor = record.actor.as_deref().unwrap();
    assert!(names.iter().copied().chain([actor]).all(|actor| rule.admits(actor) && !one.barred.contains(actor)));
    if record.decision == Decision::Approved {
        assert_eq!((names.len() as u64, names.last().copied()), (rule.quorum, Some(actor)));
    }
}

#[test]
fn decisions_follow_the_rule_in_any_order_by_two_processes_and_after_restarts() {
    let more = if long() { 20 } else { 1 };
    for kept in Kept::ALL {
        let scripts = if kept == Kept::Postgres { 6 } else { 60 };
        for seed in 0..scripts * more {
            let home = kept.open();
            wait(script(&home, &mut Random::new(seed), 40));
        }
    }
}

/// What is not said as it must be lets nobody decide more easily.
#[test]
fn a_rule_that_is_not_understood_is_refused() {
    let wrong = [
        "[]",
        "true",
        r#"{"to":[]}"#,
        r#"{"to":null}"#,
        r#"{"to":""}"#,
        r#"{"to":[""]}"#,
        r#"{"to":["kim",1]}"#,
        r#"{"to":{}}"#,
        r#"{"quorum":0}"#,
        r#"{"quorum":1.5}"#,
        r#"{"quorum":-1}"#,
        r#"{"quorum":101}"#,
        r#"{"quorum":null}"#,
        r#"{"quorum":"2"}"#,
        r#"{"notBy":"kim"}"#,
        r#"{"notBy":null}"#,
        r#"{"notBy":["requester"]}"#,
        r#"{"quorom":2}"#,
        r#"{"to":"kim","quorum":2}"#,
        r#"{"to":["kim","kim"],"quorum":2}"#,
    ];
    for text in wrong {
        assert!(matches!(read(text), Err(Error::InvalidInput(_))), "{text}: {:?}", read(text));
    }
    let many = Json::Array((0..101).map(|number| Json::from(format!("{number}").as_str())).collect());
    assert!(RequestedRule::read(&Json::Object(vec![("to".to_owned(), many)])).is_err());
    let long = Json::from("x".repeat(1025).as_str());
    assert!(RequestedRule::read(&Json::Object(vec![("to".to_owned(), long)])).is_err());
    for text in ["{}", r#"{"quorum":1}"#] {
        assert_eq!(read(text), Ok(None), "every actor may decide alone");
    }
}

#[test]
fn whoever_asked_must_be_known_to_be_excluded() {
    let not_by = r#"{"notBy":"requester"}"#;
    for requesters in [&[None][..], &[], &[None, Some("kim")]] {
        assert!(matches!(fixed(not_by, requesters), Err(Error::InvalidInput(_))), "{requesters:?}");
    }
    let rule = fixed(not_by, &[Some("lee"), Some("kim")]).unwrap().unwrap();
    assert_eq!(json::to_text(&rule), r#"{"quorum":1,"notBy":"requester","requesters":["kim","lee"]}"#);
    assert!(!rule.admits("kim") && !rule.admits("lee") && rule.admits("Kim") && rule.admits("ann"));
    // Nobody is left.
    assert!(fixed(r#"{"to":"kim","notBy":"requester"}"#, &[Some("kim")]).is_err());
    assert!(fixed(r#"{"to":["kim","lee"],"notBy":"requester","quorum":2}"#, &[Some("kim")]).is_err());
    assert!(fixed(r#"{"to":["kim","lee"],"notBy":"requester"}"#, &[Some("kim")]).is_ok());
}

#[test]
fn the_subject_hash_depends_on_the_rule() {
    let home = Kept::Memory.open();
    wait(async {
        let (_store, acme) = process(&home.opened, 1).await;
        let texts = [
            "{}",
            r#"{"quorum":2}"#,
            r#"{"quorum":3}"#,
            r#"{"to":"kim"}"#,
            r#"{"to":"lee"}"#,
            r#"{"notBy":"requester"}"#,
        ];
        let mut hashes = BTreeSet::new();
        for text in texts {
            let rule = fixed(text, &[Some("bot")]).unwrap();
            let approval = acme.approvals().request(ApprovalRequest { rule, ..asking("1") }).await.unwrap();
            hashes.insert(approval.subject_hash);
        }
        assert_eq!(hashes.len(), texts.len());
    });
}

/// A decision never adds to what its tenant uses.
#[test]
fn a_quorum_of_long_names_is_reserved_with_the_request() {
    let home = Kept::Memory.open();
    wait(async {
        let (_store, acme) = process(&home.opened, 1).await;
        let rule = fixed(r#"{"quorum":2}"#, &[None]).unwrap();
        let id = acme.approvals().request(ApprovalRequest { rule, ..asking("1") }).await.unwrap().approval_id;
        let used = acme.usage().await.unwrap();
        for actor in ["a".repeat(1024), "b".repeat(1024)] {
            respond(&acme, &id, &actor, true).await.unwrap();
            assert_eq!(acme.usage().await.unwrap(), used);
        }
    });
}
