//! Every field of every document that a store signs says what is so. Each is worked out again from the outside, of a
//! tenant with a history of its own: from what was done, from the engine's rows, from the events of runs, and with another
//! implementation of the tree.

mod history;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cut::Cut;
use crate::runs::host::parsed;
use crate::support::{Kept, NOW, long, store, wait};
use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::hash::{Hash, leaf_data, leaf_hash};
use bailiwick_model::ledger::note::NoteVerifier;
use bailiwick_model::ledger::receipt;
use bailiwick_model::{Json, Kind, json};
use bailiwick_runtime::Store;
use bailiwick_store::{Engine, Exported, Opened};
use data_encoding::{BASE64, HEXLOWER};
use history::{Decided, History};

fn keys(value: &Json) -> BTreeSet<&str> {
    value.as_object().unwrap().iter().map(|(key, _)| key.as_str()).collect()
}

/// The value of a member, and that there is no other than these.
fn of<'a>(value: &'a Json, name: &str, all: &[&str]) -> &'a Json {
    let (found, all) = (keys(value), all.iter().copied().collect::<BTreeSet<_>>());
    assert!(found.is_subset(&all), "a field that nothing works out again: {found:?}, {all:?}");
    value.get(name).unwrap_or_else(|| panic!("no {name} in {value:?}"))
}

fn number(value: u64) -> Json {
    Json::Number(value as f64)
}

/// What the engine's rows count with, by kind.
async fn counted(engine: &Arc<dyn Engine>) -> Json {
    let mut counts: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
    let mut export = engine.export().await.unwrap();
    loop {
        let part = export.next().await.unwrap();
        if part.is_empty() {
            break;
        }
        for exported in part {
            if let Exported::Row { row, counted: Some(bytes), .. } = exported {
                let count = counts.entry(row.place.kind).or_default();
                *count = (count.0 + 1, count.1 + bytes);
            }
        }
    }
    let kind = |kind: Kind| {
        let (items, bytes) = counts.get(&(kind as u8)).copied().unwrap_or_default();
        (
            kind.name().to_owned(),
            Json::Object(vec![("items".to_owned(), number(items)), ("bytes".to_owned(), number(bytes))]),
        )
    };
    Json::Object(Kind::ALL.into_iter().map(kind).collect())
}

const CHECKPOINT: [&str; 3] = ["note", "size", "rootHash"];

/// Checks each field of a checkpoint of a ledger of these leaves, and returns its origin.
fn check_checkpoint(store: &Store, checkpoint: &Json, leaves: &[Hash]) -> String {
    let of = |name| of(checkpoint, name, &CHECKPOINT);
    let root = BASE64.encode(&tree::root(leaves));
    assert_eq!((of("size"), of("rootHash")), (&number(leaves.len() as u64), &Json::from(root.as_str())));
    let verifier = NoteVerifier::parse(&store.public_key()).unwrap();
    let text = verifier.open(of("note").as_str().unwrap()).unwrap();
    let (origin, rest) = text.split_once('\n').unwrap();
    assert_eq!(rest, format!("{}\n{root}\n", leaves.len()));
    assert_eq!(origin.rsplit_once('/').unwrap().0, verifier.name());
    origin.to_owned()
}

/// Checks each field of a record.
fn check_record(record: &Json, sequence: usize, decided: &Decided) {
    let all = [
        "sequence",
        "approvalId",
        "decision",
        "actor",
        "reason",
        "subjectHash",
        "requestedBy",
        "requestedAt",
        "decidedAt",
    ];
    let text = |value: &Option<String>| value.as_deref().map(Json::from);
    assert_eq!(of(record, "sequence", &all), &number(sequence as u64));
    assert_eq!(of(record, "approvalId", &all), &Json::from(decided.approval_id.as_str()));
    assert_eq!(of(record, "decision", &all), &Json::from(decided.decision));
    assert_eq!(of(record, "actor", &all), &text(&decided.actor).unwrap_or(Json::Null));
    assert_eq!(record.get("reason"), text(&decided.reason).as_ref());
    assert_eq!(of(record, "subjectHash", &all), &Json::String(HEXLOWER.encode(&decided.subject_hash)));
    assert_eq!(record.get("requestedBy"), text(&decided.requested_by).as_ref());
    assert_eq!(of(record, "requestedAt", &all), &number(decided.requested_at));
    assert_eq!(of(record, "decidedAt", &all), &number(decided.decided_at));
}

/// Checks all proofs of a ledger, and returns its leaves.
async fn check_ledger(store: &Store, history: &History) -> Vec<Hash> {
    let tenant = &history.tenant;
    let (mut leaves, mut proofs) = (Vec::new(), Vec::new());
    for (sequence, decided) in history.decided.iter().enumerate() {
        let proof = tenant.approvals().prove(sequence as u64).await.unwrap().to_json();
        let all = ["checkpoint", "record", "opening", "path"];
        check_record(of(&proof, "record", &all), sequence, decided);
        let opening = BASE64.decode(of(&proof, "opening", &all).as_str().unwrap().as_bytes()).unwrap();
        let canonical = json::canonical(of(&proof, "record", &all));
        leaves.push(leaf_hash(&leaf_data(&opening.try_into().unwrap(), &canonical)));
        proofs.push(proof);
    }
    let path = |hashes: Vec<Hash>| Json::Array(hashes.iter().map(|hash| Json::String(BASE64.encode(hash))).collect());
    let mut origins = BTreeSet::new();
    for (sequence, proof) in proofs.iter().enumerate() {
        assert_eq!(proof.get("path"), Some(&path(tree::inclusion(sequence, &leaves))), "{sequence}");
        origins.insert(check_checkpoint(store, proof.get("checkpoint").unwrap(), &leaves));
    }
    for earlier in &history.checkpoints {
        let proof = tenant.approvals().prove_consistency(earlier.clone()).await.unwrap().to_json();
        let all = ["from", "to", "path"];
        let size = earlier.size as usize;
        assert_eq!(of(&proof, "from", &all), &earlier.to_json());
        origins.insert(check_checkpoint(store, of(&proof, "from", &all), &leaves[..size]));
        origins.insert(check_checkpoint(store, of(&proof, "to", &all), &leaves));
        assert_eq!(of(&proof, "path", &all), &path(tree::consistency(size, &leaves)), "{size}");
    }
    assert!(origins.len() == 1 || leaves.is_empty(), "one ledger has one origin: {origins:?}");
    leaves
}

async fn check_receipt(kept: Kept, seed: u64, is_cut_off: bool) -> Json {
    let home = kept.open();
    let cut = Cut::after(home.opened.clone(), isize::MAX, false);
    let store = store(Opened { engine: cut.clone(), vault: cut.clone() }, seed, NOW + seed, 1 << 20).await;
    let history = History::of(&store, seed, kept).await;
    let leaves = check_ledger(&store, &history).await;
    let storage = counted(&home.opened.engine).await;
    let tokens = history.tokens().await;
    let now = history.now();
    if is_cut_off {
        // The name's row and the header go through, the removal of rows does not.
        cut.allow(2);
    }
    let receipt = history.tenant.erase("acme").await.unwrap();
    let all = ["tenant", "erasedAt", "storage", "tokens", "checkpoint", "complete", "residues", "note"];
    let of = |name| of(&receipt, name, &all);
    let tenant = format!(r#"{{"resourceId":"acme","version":"v{seed}"}}"#);
    assert_eq!(of("tenant"), &parsed(&tenant));
    assert_eq!(of("erasedAt"), &number(now));
    assert_eq!(of("storage"), &storage, "{kept:?} {seed}");
    assert_eq!(json::canonical(of("tokens")), json::canonical(&tokens), "{kept:?} {seed}");
    assert_eq!(of("complete"), &Json::Bool(!is_cut_off));
    let residues: Vec<&str> =
        of("residues").as_array().unwrap().iter().map(|residue| residue.as_str().unwrap()).collect();
    assert!(residues[0].starts_with("Earlier backups"), "{residues:?}");
    assert_eq!(residues[1..], *store.residues());
    match leaves.as_slice() {
        [] => assert_eq!(receipt.get("checkpoint"), None),
        leaves => drop(check_checkpoint(&store, of("checkpoint"), leaves)),
    }
    let verifier = NoteVerifier::parse(&store.public_key()).unwrap();
    let unsigned = receipt.as_object().unwrap().iter().filter(|(key, _)| key != "note").cloned().collect();
    let text = String::from_utf8(json::canonical(&Json::Object(unsigned))).unwrap();
    assert_eq!(verifier.open(of("note").as_str().unwrap()), Some(format!("bailiwick erase v1\n{text}\n").as_str()));
    assert!(receipt::verify(&verifier, &receipt));
    receipt
}

#[test]
fn every_field_of_every_signed_document_is_true() {
    let seeds = if long() { 40 } else { 4 };
    let mut receipts = Vec::new();
    for kept in Kept::ALL {
        for seed in 0..seeds {
            receipts.push(wait(check_receipt(kept, seed, false)));
        }
    }
    receipts.push(wait(check_receipt(Kept::Memory, 1, true)));
    // Nothing here would find a constant that happens to be right: each field differs from one history to another.
    for name in ["tenant", "erasedAt", "storage", "tokens", "checkpoint", "complete", "residues", "note"] {
        let values: BTreeSet<_> = receipts.iter().map(|receipt| receipt.get(name).map(json::write)).collect();
        assert!(values.len() > 1, "{name} is the same everywhere");
    }
}

#[test]
fn the_checkpoint_of_an_empty_ledger_states_size_zero() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let checkpoint: Checkpoint = crate::support::handle(&store, "acme").approvals().checkpoint().await.unwrap();
        check_checkpoint(&store, &checkpoint.to_json(), &[]);
    });
}
