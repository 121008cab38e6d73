//! Proofs, receipts and 500 ways to spoil them, the same at every run. Both verifiers are tested with them.

use bailiwick_model::json::{self, Json, Limits};
use bailiwick_model::ledger::checkpoint::{Checkpoint, origin};
use bailiwick_model::ledger::note::{NoteSigner, key_name};
use bailiwick_model::ledger::proof::{ConsistencyProof, InclusionProof};
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::ledger::rule::{ApprovalRule, ApprovedBy};
use bailiwick_model::ledger::tile::TileSet;
use bailiwick_model::ledger::tree::{append, consistency, inclusion, root};
use bailiwick_model::ledger::{Hash, receipt};

const TENANT: [u8; 8] = [0xc0, 0xff, 0xee, 0, 1, 2, 3, 4];

pub(crate) fn signer() -> NoteSigner {
    NoteSigner::new(&key_name(&[0x5e; 16]), &[42; 32]).unwrap()
}

/// What test/fixtures/ledger.json holds.
pub(crate) fn fixtures() -> Json {
    let other = NoteSigner::new(signer().name(), &[43; 32]).unwrap();
    let inclusions = [(1, 0), (2, 1), (16, 15), (17, 16), (23, 6), (300, 0), (300, 255), (300, 299)];
    let consistencies = [(0, 23), (1, 2), (6, 8), (16, 17), (23, 23), (100, 300), (256, 300)];
    let valid = [
        ("inclusion", inclusions.map(|(size, sequence)| inclusion_proof(size, sequence)).to_vec()),
        ("consistency", consistencies.map(|(from, to)| consistency_proof(from, to)).to_vec()),
        ("receipt", vec![erase_receipt(""), erase_receipt(&checkpoint_member())]),
    ];
    let mutations = mutations(&valid, 500);
    let mut members = vec![
        ("publicKey".to_owned(), Json::String(signer().verifier().encode())),
        ("otherKey".to_owned(), Json::String(other.verifier().encode())),
        ("origin".to_owned(), Json::String(origin(signer().name(), &TENANT))),
    ];
    members.extend(valid.map(|(name, values)| (name.to_owned(), Json::Array(values))));
    members.push(("mutations".to_owned(), Json::Array(mutations)));
    // Lists of their own, so that those of earlier versions stay as they are.
    let ruled = [("ruled", (0..9).map(|sequence| proof_of(9, sequence, &ruled_record)).collect())];
    let ruled_mutations = self::mutations(&ruled, 300);
    members.extend(ruled.map(|(name, values)| (name.to_owned(), Json::Array(values))));
    members.push(("ruledMutations".to_owned(), Json::Array(ruled_mutations)));
    Json::Object(members)
}

fn record(sequence: u64) -> ApprovalRecord {
    ApprovalRecord {
        sequence,
        approval_id: format!("apr_{sequence:08}"),
        decision: Decision::ALL[sequence as usize % 4],
        actor: (sequence % 4 < 2).then(|| "olive@example.com".to_owned()),
        reason: sequence.is_multiple_of(3).then(|| "Zoë said \"go\" \u{1f680}\n\u{1}\u{7f}\u{2028}".to_owned()),
        subject_hash: [sequence as u8; 32],
        edited_hash: None,
        rule: None,
        approved_by: Vec::new(),
        requested_by: sequence.is_multiple_of(5).then(|| "agent".to_owned()),
        requested_at: 1_790_000_000_000 + sequence * 1000,
        decided_at: 1_790_000_000_500 + sequence * 1000,
    }
}

/// A record that was decided under a rule.
fn ruled_record(sequence: u64) -> ApprovalRecord {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let approved_by = |(at, actor): (u64, &str)| ApprovedBy {
        actor: actor.to_owned(),
        reason: at.is_multiple_of(2).then(|| "Zoë \"agrees\" \u{1f680}".to_owned()),
        at: 1_790_000_000_100 + at,
    };
    let people = ["olive@example.com", "żółć", "\u{e000}"];
    let quorum = 1 + sequence % 3;
    ApprovalRecord {
        rule: Some(ApprovalRule {
            to: sequence.is_multiple_of(2).then(|| names(&people)),
            quorum,
            requesters: sequence.is_multiple_of(3).then(|| names(&["agent", "\u{1f680}"])),
        }),
        approved_by: (0..).zip(people).take(quorum as usize).map(approved_by).collect(),
        ..record(sequence)
    }
}

fn opening(sequence: u64) -> Hash {
    let mut opening = [0x11; 32];
    opening[..8].copy_from_slice(&sequence.to_be_bytes());
    opening
}

fn tiles(size: u64) -> TileSet {
    tiles_of(size, &record)
}

fn tiles_of(size: u64, record: &dyn Fn(u64) -> ApprovalRecord) -> TileSet {
    let leaves: Vec<Hash> = (0..size).map(|sequence| record(sequence).leaf(&opening(sequence))).collect();
    append(0).apply(&TileSet::new(), &leaves).unwrap().changed.into_iter().collect()
}

fn checkpoint(size: u64) -> Checkpoint {
    checkpoint_of(size, &record)
}

fn checkpoint_of(size: u64, record: &dyn Fn(u64) -> ApprovalRecord) -> Checkpoint {
    let root = root(size).hashes(&tiles_of(size, record)).unwrap()[0];
    Checkpoint::sign(&signer(), &TENANT, size, &root).unwrap()
}

fn inclusion_proof(size: u64, sequence: u64) -> Json {
    proof_of(size, sequence, &record)
}

/// The proof of a record of a ledger of these records.
fn proof_of(size: u64, sequence: u64, record: &dyn Fn(u64) -> ApprovalRecord) -> Json {
    let path = inclusion(sequence, size).unwrap().hashes(&tiles_of(size, record)).unwrap();
    let checkpoint = checkpoint_of(size, record);
    let (record, opening) = (record(sequence), opening(sequence));
    InclusionProof { checkpoint, record, opening, path }.to_json()
}

fn consistency_proof(from: u64, to: u64) -> Json {
    let path = consistency(from, to).unwrap().hashes(&tiles(to)).unwrap();
    ConsistencyProof { from: checkpoint(from), to: checkpoint(to), path }.to_json()
}

fn checkpoint_member() -> String {
    format!(r#""checkpoint":{},"#, json::write(&checkpoint(23).to_json()))
}

fn erase_receipt(checkpoint: &str) -> Json {
    let text = format!(
        r#"{{"tenant":{{"resourceId":"acmé","version":"v1"}},"erasedAt":1790000000000,"storage":{{"references":{{"items":3,"bytes":1536}},"plans":{{"items":0,"bytes":0}}}},"tokens":{{"test/\ud83d\ude80":{{"inputTokens":12}},"test/\ue000":{{"inputTokens":7}}}},{checkpoint}"complete":true,"residues":["backups"]}}"#
    );
    receipt::sign(&signer(), json::parse(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
}

/// A place in a value: keys, and indexes of arrays as numbers.
type Path = Vec<Json>;

fn mutations(valid: &[(&str, Vec<Json>)], count: usize) -> Vec<Json> {
    let mut random = Random(0x1eaf);
    let values: Vec<(&str, usize, &Json)> = valid
        .iter()
        .flat_map(|(name, all)| all.iter().enumerate().map(|(index, value)| (*name, index, value)))
        .collect();
    let spoil = |_| {
        let (name, index, value) = values[random.below(values.len())];
        let mut places = Vec::new();
        collect(value, &mut Vec::new(), &mut places);
        let (path, part) = &places[random.below(places.len())];
        let mut mutation = vec![
            ("of".to_owned(), Json::from(name)),
            ("index".to_owned(), Json::Number(index as f64)),
            ("path".to_owned(), Json::Array(path.clone())),
        ];
        mutation.extend(change(part, &mut random));
        Json::Object(mutation)
    };
    (0..count).map(spoil).collect()
}

/// Every part of a value but the whole.
fn collect<'a>(value: &'a Json, path: &mut Path, places: &mut Vec<(Path, &'a Json)>) {
    let parts: Vec<(Json, &Json)> = match value {
        Json::Object(members) => members.iter().map(|(key, part)| (Json::from(key.as_str()), part)).collect(),
        Json::Array(parts) => parts.iter().enumerate().map(|(at, part)| (Json::Number(at as f64), part)).collect(),
        _ => Vec::new(),
    };
    for (step, part) in parts {
        path.push(step);
        places.push((path.clone(), part));
        collect(part, path, places);
        path.pop();
    }
}

/// `remove`, or another value to `set`, or one character (counted in code points) of a text to put there.
fn change(part: &Json, random: &mut Random) -> Vec<(String, Json)> {
    if random.below(10) == 0 {
        return vec![("remove".to_owned(), Json::Bool(true))];
    }
    let set = |value| vec![("set".to_owned(), value)];
    match part {
        Json::String(text) if !text.is_empty() => {
            let at = random.below(text.chars().count());
            let alphabet: Vec<char> =
                "aAzZ09+/=\n —\u{e9}".chars().filter(|c| Some(*c) != text.chars().nth(at)).collect();
            let to = alphabet[random.below(alphabet.len())];
            vec![("at".to_owned(), Json::Number(at as f64)), ("to".to_owned(), Json::String(to.to_string()))]
        }
        Json::Number(number) => {
            set(Json::Number([number + 1.0, number - 1.0, number + 0.5, -number - 1.0][random.below(4)]))
        }
        Json::Bool(value) => set(Json::Bool(!value)),
        Json::Array(parts) if !parts.is_empty() => set(Json::Array(parts[1..].to_vec())),
        Json::Null => set(Json::from("olive")),
        _ => set(Json::Null),
    }
}

/// The value with one mutation of the list made.
#[allow(dead_code, reason = "the example writes mutations, the test makes them")]
pub(crate) fn mutated(value: &Json, mutation: &Json) -> Json {
    let mut changed = value.clone();
    let path = mutation.get("path").and_then(Json::as_array).unwrap();
    let (last, parents) = path.split_last().unwrap();
    let mut parent = &mut changed;
    for step in parents {
        parent = part_mut(parent, step);
    }
    if mutation.get("remove").is_some() {
        match parent {
            Json::Object(members) => members.retain(|(key, _)| Some(key.as_str()) != last.as_str()),
            Json::Array(parts) => drop(parts.remove(last.as_f64().unwrap() as usize)),
            _ => panic!("nothing can be removed from {parent:?}"),
        }
        return changed;
    }
    let part = part_mut(parent, last);
    *part = match (mutation.get("set"), &*part) {
        (Some(value), _) => value.clone(),
        (None, Json::String(text)) => {
            let mut characters: Vec<char> = text.chars().collect();
            let at = mutation.get("at").and_then(Json::as_f64).unwrap() as usize;
            characters[at] = mutation.get("to").and_then(Json::as_str).unwrap().chars().next().unwrap();
            Json::String(characters.into_iter().collect())
        }
        (None, other) => panic!("{other:?} has no characters"),
    };
    changed
}

fn part_mut<'a>(value: &'a mut Json, step: &Json) -> &'a mut Json {
    match value {
        Json::Object(members) => {
            &mut members.iter_mut().find(|(key, _)| Some(key.as_str()) == step.as_str()).unwrap().1
        }
        Json::Array(parts) => &mut parts[step.as_f64().unwrap() as usize],
        other => panic!("{other:?} has no parts"),
    }
}

/// splitmix64: anything that gives the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
