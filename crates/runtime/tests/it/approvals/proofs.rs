//! What the store signs can be checked by somebody who has nothing but its public key.

use bailiwick_model::json;
use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::note::NoteVerifier;
use bailiwick_model::ledger::proof::{ConsistencyProof, InclusionProof};
use bailiwick_model::{Error, Json};
use bailiwick_runtime::{Clock, RootKey, Store, StoreOptions, TenantHandle};

use crate::approvals::decided;
use crate::support::{Kept, NOW, at_once, handle, memory_store, store, wait};

fn checkpoint(handle: &TenantHandle) -> Checkpoint {
    at_once(handle.approvals().checkpoint()).unwrap()
}

fn verifier(store: &Store) -> NoteVerifier {
    NoteVerifier::parse(&store.public_key()).unwrap()
}

/// What somebody else reads who was sent this.
fn sent(value: &Json) -> Json {
    json::parse(json::write(value).as_bytes(), &json::Limits::default()).unwrap()
}

#[test]
fn every_record_of_a_ledger_of_any_size_is_proved() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    let key = verifier(&store);
    let mut checkpoints = vec![checkpoint(&acme)];
    for size in 1..=36 {
        let records = decided(&acme, 1);
        assert_eq!(records[0].sequence, size - 1);
        checkpoints.push(checkpoint(&acme));
        for sequence in 0..size {
            let proof = at_once(acme.approvals().prove(sequence)).unwrap();
            let proof = InclusionProof::from_json(&sent(&proof.to_json())).unwrap();
            assert!(proof.verify(&key, None), "{sequence} of {size}");
            assert_eq!((proof.record.sequence, &proof.checkpoint), (sequence, &checkpoints[size as usize]));
        }
        for from in &checkpoints {
            let proof = at_once(acme.approvals().prove_consistency(from.clone())).unwrap();
            let proof = ConsistencyProof::from_json(&sent(&proof.to_json())).unwrap();
            assert!(proof.verify(&key, None), "{} of {size}", from.size);
            assert_eq!(at_once(acme.approvals().verify(Some(from))).unwrap().problems, []);
        }
        for absent in [size, u64::MAX] {
            assert_eq!(at_once(acme.approvals().prove(absent)), Err(Error::NotFound));
        }
    }
    assert_eq!(at_once(acme.approvals().verify(None)).unwrap().size, 36);
}

#[test]
fn the_records_of_a_ledger_are_the_decisions() {
    let acme = handle(&memory_store(), "acme");
    let records = decided(&acme, 40);
    assert_eq!(crate::approvals::history(&acme), records);
    for record in records {
        assert_eq!(at_once(acme.approvals().prove(record.sequence)).unwrap().record, record);
    }
}

#[test]
fn a_proof_of_one_tenant_does_not_hold_for_another() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "other"));
    for tenant in [&acme, &other] {
        decided(tenant, 3);
    }
    let (mine, foreign) = (checkpoint(&acme), checkpoint(&other));
    let key = verifier(&store);
    let origin = mine.verified_origin(&key).unwrap();
    assert_ne!(origin, foreign.verified_origin(&key).unwrap());
    assert!(origin.starts_with(&format!("{}/", key.name())) && !mine.note.contains("acme"));
    let proof = at_once(other.approvals().prove(0)).unwrap();
    assert!(proof.verify(&key, None) && !proof.verify(&key, Some(origin)));
    let elsewhere = handle(&at_once(crate::support::store(Kept::Memory.open().opened, 2, NOW, 0)), "acme");
    let altered = Checkpoint { size: 2, ..mine.clone() };
    for checkpoint in [foreign, checkpoint(&elsewhere), altered] {
        let consistency = at_once(acme.approvals().prove_consistency(checkpoint.clone()));
        assert!(matches!(consistency, Err(Error::InvalidInput(_))));
        assert!(matches!(at_once(acme.approvals().verify(Some(&checkpoint))), Err(Error::InvalidInput(_))));
    }
    let nobody = handle(&store, "nobody");
    assert!(matches!(at_once(nobody.approvals().prove_consistency(mine.clone())), Err(Error::InvalidInput(_))));
    assert!(matches!(at_once(nobody.approvals().verify(Some(&mine))), Err(Error::InvalidInput(_))));
    assert_eq!(at_once(nobody.approvals().verify(None)).unwrap().size, 0);
}

#[test]
fn the_empty_ledger_has_a_checkpoint() {
    let store = memory_store();
    let empty = checkpoint(&handle(&store, "acme"));
    assert_eq!(empty.size, 0);
    assert!(empty.verify(&verifier(&store), None));
}

#[test]
fn the_key_and_the_ledger_are_the_same_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let opened = || {
        bailiwick_store::sled::open(
            &path,
            bailiwick_store::sled::SledOptions {
                cache_bytes: 16 << 20,
                ..bailiwick_store::sled::SledOptions::default()
            },
        )
    };
    wait(async {
        let options =
            || StoreOptions { root_key: RootKey::Local, opened_bytes: 0, clock: Clock::fixed(NOW), seed: None };
        let first = Store::open(opened().unwrap(), options()).await.unwrap();
        let acme = handle(&first, "acme");
        for _ in 0..20 {
            let approval = acme.approvals().request(crate::approvals::asking("1")).await.unwrap();
            let decide = bailiwick_model::ledger::record::Decision::Approved;
            acme.approvals().respond(&approval.approval_id, decide, "kim", None).await.unwrap();
        }
        let exported = acme.approvals().checkpoint().await.unwrap();
        first.close().await;
        let second = Store::open(opened().unwrap(), options()).await.unwrap();
        assert_eq!(first.public_key(), second.public_key());
        let acme = handle(&second, "acme");
        assert_eq!(acme.approvals().checkpoint().await.unwrap(), exported);
        let report = acme.approvals().verify(Some(&exported)).await.unwrap();
        assert_eq!((report.size, report.problems), (20, Vec::new()));
        second.close().await;
    });
    let other = at_once(store(Kept::Memory.open().opened, 9, NOW, 0));
    assert_ne!(other.public_key(), memory_store().public_key());
}
