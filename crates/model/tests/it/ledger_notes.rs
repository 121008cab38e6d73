//! Signed notes, checkpoints, proofs and receipts.

use bailiwick_model::json::{self, Json, Limits};
use bailiwick_model::ledger::checkpoint::{Checkpoint, origin};
use bailiwick_model::ledger::note::{NoteSigner, NoteVerifier, key_name};
use bailiwick_model::ledger::proof::{ConsistencyProof, InclusionProof};
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::ledger::rule::{ApprovalRule, ApprovedBy};
use bailiwick_model::ledger::tile::{Tile, TileSet};
use bailiwick_model::ledger::tree::{append, consistency, inclusion, root};
use bailiwick_model::ledger::{Hash, receipt};
use data_encoding::BASE64;
use proptest::prelude::*;

const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_SIGNATURE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn go_note() -> String {
    format!("{GO_TEXT}\n{GO_SIGNATURE}")
}

fn go_signer() -> NoteSigner {
    let secret = BASE64.decode(GO_SECRET.as_bytes()).unwrap();
    NoteSigner::new("PeterNeumann", secret[1..].try_into().unwrap()).unwrap()
}

fn signer() -> NoteSigner {
    NoteSigner::new(&key_name(&[0xab; 16]), &[7; 32]).unwrap()
}

fn record(sequence: u64) -> ApprovalRecord {
    ApprovalRecord {
        sequence,
        approval_id: format!("apr_{sequence}"),
        decision: Decision::ALL[sequence as usize % 4],
        actor: (sequence % 4 < 2).then(|| "olive@example.com".to_owned()),
        reason: sequence.is_multiple_of(3).then(|| "é \u{1f600} \"quoted\"\n".to_owned()),
        subject_hash: [sequence as u8; 32],
        edited_hash: None,
        rule: None,
        approved_by: Vec::new(),
        requested_by: sequence.is_multiple_of(2).then(|| "agent".to_owned()),
        requested_at: 1_790_000_000_000 + sequence,
        decided_at: 1_790_000_100_000 + sequence,
    }
}

struct Ledger {
    tiles: TileSet,
    size: u64,
}

impl Ledger {
    fn of(size: u64) -> Self {
        let leaves: Vec<Hash> = (0..size).map(|sequence| record(sequence).leaf(&[sequence as u8; 32])).collect();
        let tiles = append(0).apply(&TileSet::new(), &leaves).unwrap().changed.into_iter().collect();
        Self { tiles, size }
    }

    fn checkpoint(&self, size: u64, tenant: u8) -> Checkpoint {
        let root = root(size).hashes(&self.tiles).unwrap()[0];
        Checkpoint::sign(&signer(), &[tenant; 8], size, &root).unwrap()
    }

    fn inclusion(&self, sequence: u64) -> InclusionProof {
        InclusionProof {
            checkpoint: self.checkpoint(self.size, 1),
            record: record(sequence),
            opening: [sequence as u8; 32],
            path: inclusion(sequence, self.size).unwrap().hashes(&self.tiles).unwrap(),
        }
    }

    fn consistency(&self, from: u64, tenants: [u8; 2]) -> ConsistencyProof {
        ConsistencyProof {
            from: self.checkpoint(from, tenants[0]),
            to: self.checkpoint(self.size, tenants[1]),
            path: consistency(from, self.size).unwrap().hashes(&self.tiles).unwrap(),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Json> {
    json::parse(bytes, &Limits::default()).ok()
}

/// Every text that differs from this one in a single character, and some that differ in its length.
fn neighbours(text: &str) -> impl Iterator<Item = String> + '_ {
    let replaced = text.char_indices().flat_map(move |(at, character)| {
        let next = char::from_u32(u32::from(character) ^ 1).unwrap_or('?');
        let tail = &text[at + character.len_utf8()..];
        [format!("{}{next}{tail}", &text[..at]), format!("{}{tail}", &text[..at])]
    });
    replaced.chain([format!("{text}\n"), format!("\n{text}"), format!("{text}{text}"), format!("{text} ")])
}

#[test]
fn the_note_of_the_go_documentation() {
    let verifier = NoteVerifier::parse(GO_KEY).unwrap();
    assert_eq!(verifier.open(&go_note()), Some(GO_TEXT));
    assert_eq!(go_signer().sign(GO_TEXT).unwrap(), go_note());
    assert_eq!(go_signer().verifier(), verifier);
    assert_eq!(verifier.encode(), GO_KEY);
}

#[test]
fn no_character_of_a_note_or_key_can_change() {
    let verifier = NoteVerifier::parse(GO_KEY).unwrap();
    for note in neighbours(&go_note()) {
        assert_eq!(verifier.open(&note), None, "{note:?}");
    }
    for key in neighbours(GO_KEY) {
        assert_eq!(NoteVerifier::parse(&key), None, "{key:?}");
    }
}

#[test]
fn signatures_of_witnesses_may_stand_beside_ours() {
    let verifier = NoteVerifier::parse(GO_KEY).unwrap();
    let other = signer().sign(GO_TEXT).unwrap();
    let witness = other.strip_prefix(GO_TEXT).unwrap().strip_prefix('\n').unwrap();
    assert_eq!(verifier.open(&format!("{}{witness}", go_note())), Some(GO_TEXT));
    assert_eq!(verifier.open(&format!("{GO_TEXT}\n{witness}{GO_SIGNATURE}")), Some(GO_TEXT));
    assert_eq!(verifier.open(&other), None, "a witness alone");
    // A second signature of ours that is wrong.
    let wrong = GO_SIGNATURE.replace("ZJkuBS", "ZJkuBT");
    assert_eq!(verifier.open(&format!("{}{wrong}", go_note())), None);
}

#[test]
fn texts_and_names_that_cannot_be_signed() {
    for text in ["", "no line feed", "a\tb\n", "a\0\n", "a\r\n"] {
        assert!(signer().sign(text).is_err(), "{text:?}");
    }
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb"] {
        assert!(NoteSigner::new(name, &[1; 32]).is_err(), "{name:?}");
    }
    assert!(!format!("{:?}", signer()).contains('7'), "a secret is never shown");
}

#[test]
fn a_checkpoint_is_three_lines_and_a_signature() {
    let checkpoint = Checkpoint::sign(&signer(), &[0x0f; 8], 42, &[9; 32]).unwrap();
    let name = "bailiwick/abababababababababababababababab";
    let text = format!("{name}/0f0f0f0f0f0f0f0f\n42\n{}\n", BASE64.encode(&[9; 32]));
    assert!(checkpoint.note.starts_with(&format!("{text}\n— {name} ")), "{}", checkpoint.note);
    let verifier = signer().verifier();
    assert_eq!(checkpoint.verified_origin(&verifier), Some(origin(name, &[0x0f; 8]).as_str()));
    assert!(checkpoint.verify(&verifier, Some(&origin(name, &[0x0f; 8]))));
    assert!(!checkpoint.verify(&verifier, Some(&origin(name, &[0x0e; 8]))));
    assert!(!Checkpoint { size: 43, ..checkpoint.clone() }.verify(&verifier, None));
    assert!(!Checkpoint { root: [8; 32], ..checkpoint.clone() }.verify(&verifier, None));
    assert_eq!(Checkpoint::from_json(&checkpoint.to_json()), Some(checkpoint));
}

#[test]
fn other_notes_signed_by_the_key_are_no_checkpoints() {
    let (signer, root) = (signer(), BASE64.encode(&[9; 32]));
    let name = signer.name();
    let texts = [
        format!("{name}/0f0f0f0f0f0f0f0f\n042\n{root}\n"),
        format!("{name}/0f0f0f0f0f0f0f0f\n42\n{root}\nextension\n"),
        format!("{name}/0f0f0f0f0f0f0f0\n42\n{root}\n"),
        format!("{name}/0F0F0F0F0F0F0F0F\n42\n{root}\n"),
        format!("{name}\n42\n{root}\n"),
        format!("other/0f0f0f0f0f0f0f0f\n42\n{root}\n"),
        format!("bailiwick erase v1\n42\n{root}\n"),
    ];
    for text in texts {
        let checkpoint = Checkpoint { note: signer.sign(&text).unwrap(), size: 42, root: [9; 32] };
        assert!(!checkpoint.verify(&signer.verifier(), None), "{text}");
    }
}

#[test]
fn proofs_hold_for_their_tenant_alone() {
    let (ledger, verifier) = (Ledger::of(23), signer().verifier());
    let (own, foreign) = (origin(verifier.name(), &[1; 8]), origin(verifier.name(), &[2; 8]));
    for sequence in 0..23 {
        let proof = ledger.inclusion(sequence);
        assert!(proof.verify(&verifier, None) && proof.verify(&verifier, Some(&own)));
        assert!(!proof.verify(&verifier, Some(&foreign)));
        assert_eq!(InclusionProof::from_json(&proof.to_json()), Some(proof));
    }
    for from in 0..=23 {
        let proof = ledger.consistency(from, [1, 1]);
        assert!(proof.verify(&verifier, None) && proof.verify(&verifier, Some(&own)));
        assert!(!proof.verify(&verifier, Some(&foreign)));
        assert!(!ledger.consistency(from, [1, 2]).verify(&verifier, None), "checkpoints of two tenants");
        assert_eq!(ConsistencyProof::from_json(&proof.to_json()), Some(proof));
    }
    let other = NoteSigner::new(verifier.name(), &[8; 32]).unwrap().verifier();
    assert!(!ledger.inclusion(0).verify(&other, None) && !ledger.consistency(1, [1, 1]).verify(&other, None));
}

#[test]
fn no_character_of_a_proof_can_change() {
    let (ledger, verifier) = (Ledger::of(23), signer().verifier());
    let (mut tried, inclusion, consistency) =
        (0, ledger.inclusion(6).to_json(), ledger.consistency(9, [1, 1]).to_json());
    for (proof, is_inclusion) in [(&inclusion, true), (&consistency, false)] {
        for text in neighbours(&json::write(proof)) {
            let Some(changed) =
                parse(text.as_bytes()).filter(|changed| json::canonical(changed) != json::canonical(proof))
            else {
                continue;
            };
            tried += 1;
            let accepted = if is_inclusion {
                InclusionProof::from_json(&changed).is_some_and(|proof| proof.verify(&verifier, None))
            } else {
                ConsistencyProof::from_json(&changed).is_some_and(|proof| proof.verify(&verifier, None))
            };
            assert!(!accepted, "{text}");
        }
    }
    assert!(tried > 2000, "only {tried} were JSON");
}

#[test]
fn a_receipt_is_signed_to_the_last_member() {
    let (signer, verifier) = (signer(), signer().verifier());
    let checkpoint = json::write(&Ledger::of(5).checkpoint(5, 1).to_json());
    let text = format!(
        r#"{{"tenant":{{"resourceId":"acme","version":"v1"}},"erasedAt":1790000000000,"storage":{{"references":{{"items":3,"bytes":1.5e3}}}},"tokens":{{}},"checkpoint":{checkpoint},"complete":true,"residues":["backups"]}}"#
    );
    let signed = receipt::sign(&signer, parse(text.as_bytes()).unwrap()).unwrap();
    let note = signed.get("note").and_then(Json::as_str).unwrap();
    assert!(note.starts_with("bailiwick erase v1\n{\"checkpoint\":{\"note\":"), "{note}");
    assert!(receipt::verify(&verifier, &signed));
    assert!(receipt::sign(&signer, signed.clone()).is_err(), "signed already");
    assert!(receipt::sign(&signer, Json::Null).is_err());
    for changed in neighbours(&json::write(&signed)).filter_map(|text| parse(text.as_bytes())) {
        let same = json::canonical(&changed) == json::canonical(&signed);
        assert!(same || !receipt::verify(&verifier, &changed), "{}", json::write(&changed));
    }
}

#[test]
fn records_are_read_to_the_letter() {
    for sequence in 0..24 {
        let record = record(sequence);
        assert_eq!(ApprovalRecord::from_json(&record.to_json()), Some(record.clone()));
        assert_eq!(parse(&record.canonical()).and_then(|value| ApprovalRecord::from_json(&value)), Some(record));
    }
    let rule = ApprovalRule { to: Some(vec!["kim".to_owned()]), quorum: 2, requesters: Some(Vec::new()) };
    let by = |reason: Option<&str>| ApprovedBy { actor: "kim".to_owned(), reason: reason.map(str::to_owned), at: 1 };
    let ruled = ApprovalRecord { rule: Some(rule), approved_by: vec![by(None), by(Some("fine"))], ..record(0) };
    assert_eq!(ApprovalRecord::from_json(&ruled.to_json()), Some(ruled.clone()));
    refuses_spoilt_rules(&String::from_utf8(ruled.canonical()).unwrap());
    let good = String::from_utf8(record(0).canonical()).unwrap();
    let bad = [
        good.replace("\"sequence\":0", "\"sequence\":-1"),
        good.replace("\"sequence\":0", "\"sequence\":0.5"),
        good.replace("\"sequence\":0", "\"sequence\":9007199254740992"),
        good.replace("\"sequence\":0", "\"sequence\":\"0\""),
        good.replace("\"sequence\":0,", ""),
        good.replace("\"sequence\":0", "\"sequence\":0,\"sequences\":1"),
        good.replace("approved", "Approved"),
        good.replace("\"actor\":\"olive@example.com\",", ""),
        good.replace("\"olive@example.com\"", "7"),
        good.replace("\"agent\"", "null"),
        good.replace(&"0".repeat(64), &"0".repeat(63)),
        good.replace(&"0".repeat(64), &"A".repeat(64)),
        "[]".to_owned(),
    ];
    for text in bad {
        assert_ne!(text, good);
        let value = parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(ApprovalRecord::from_json(&value), None, "{text}");
    }
}

fn refuses_spoilt_rules(good: &str) {
    let spoilt = [
        ("\"quorum\":2", "\"quorum\":2.5"),
        ("\"quorum\":2", "\"quorum\":null"),
        ("\"quorum\":2", "\"quorum\":2,\"quorums\":2"),
        ("\"to\":[\"kim\"]", "\"to\":\"kim\""),
        ("\"to\":[\"kim\"]", "\"to\":null"),
        ("\"to\":[\"kim\"]", "\"to\":[1]"),
        ("\"requester\"", "\"Requester\""),
        ("\"notBy\":\"requester\",", ""),
        ("\"requesters\":[],", ""),
        ("{\"actor\":\"kim\",\"at\":1}", "{\"actor\":\"kim\"}"),
        ("{\"actor\":\"kim\",\"at\":1}", "{\"actor\":null,\"at\":1}"),
        ("{\"actor\":\"kim\",\"at\":1}", "{\"actor\":\"kim\",\"at\":1,\"by\":1}"),
        ("\"fine\"", "null"),
    ];
    for (part, other) in spoilt {
        let text = good.replace(part, other);
        assert_ne!(text, good, "{part}");
        let value = parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(ApprovalRecord::from_json(&value), None, "{text}");
    }
}

#[test]
fn a_proof_among_a_million_records_is_small() {
    let size = 1_000_000;
    let mut longest = (0, 0);
    for sequence in (0..size).step_by(9973).chain([0, size - 1]) {
        let plan = inclusion(sequence, size).unwrap();
        let tiles: TileSet =
            plan.tiles().into_iter().map(|id| (id, Tile::new(vec![[0xfe; 32]; id.width_at(size)]).unwrap())).collect();
        let id = "apr_abcdefghijklmnopqrstuvwxyz234567".to_owned();
        let proof = InclusionProof {
            checkpoint: Checkpoint::sign(&signer(), &[1; 8], size, &[0xfe; 32]).unwrap(),
            record: ApprovalRecord {
                approval_id: id,
                reason: None,
                actor: Some("olive".to_owned()),
                ..record(sequence)
            },
            opening: [0xfe; 32],
            path: plan.hashes(&tiles).unwrap(),
        };
        assert!(tiles.len() <= 10);
        let (whole, own) = (json::write(&proof.to_json()).len(), json::write(&proof.record.to_json()).len());
        longest = longest.max((whole - own, whole));
    }
    println!("the longest proof: {} bytes without the record, {} with it", longest.0, longest.1);
    assert!(longest.0 <= 1536, "{} bytes beside the record", longest.0);
    assert!(longest.1 <= 1700, "{} bytes with a small record", longest.1);
}

proptest! {
    #[test]
    fn garbage_is_neither_note_nor_key(text in "(.|\n|— |\\+){0,80}", signature in "[A-Za-z0-9+/]{90}[A-P]=") {
        let verifier = signer().verifier();
        prop_assert_eq!(verifier.open(&text), None);
        let note = format!("{text}\n\n— {} {signature}\n", verifier.name());
        prop_assert_eq!(verifier.open(&note), None);
        prop_assert_eq!(NoteVerifier::parse(&text), None);
    }
}
