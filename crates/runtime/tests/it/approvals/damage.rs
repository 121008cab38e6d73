//! Whatever is done to the rows of a ledger past the core is found.

use std::collections::BTreeMap;

use bailiwick_model::pace::PIECE;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_runtime::TenantHandle;
use bailiwick_store::{Place, Row, Tag};

use crate::approvals::{approve, asked, asking, decided, history};
use crate::raw::{ENTRY, Open};
use crate::support::{at_once, handle, in_pieces, wait};

const RECORD: u8 = Kind::Approvals as u8;

/// A ledger of 40 records and the rows it consists of.
struct Ledger {
    open: Open,
    acme: TenantHandle,
    /// By sequence.
    records: Vec<(Tag, Row)>,
    /// Everything that was written as a record more than once: the head and the tiles, in the order of their creation.
    grown: Vec<(Tag, Place)>,
    /// The rows as they were at 20 records.
    before: BTreeMap<Place, Row>,
}

impl Ledger {
    fn new() -> Self {
        let open = Open::new();
        let acme = handle(&open.store, "acme");
        decided(&acme, 20);
        let before: BTreeMap<Place, Row> = [RECORD, RECORD | ENTRY]
            .into_iter()
            .flat_map(|kind| open.raw.rows(kind))
            .map(|(_, row)| (row.place, row))
            .collect();
        decided(&acme, 20);
        let records = open.raw.rows(RECORD | ENTRY);
        // The ledger's own entries are those of the name that has the most.
        let name_of = |row: &Row| row.place.item[..16].to_vec();
        let mut names: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (_, row) in &records {
            *names.entry(name_of(row)).or_default() += 1;
        }
        let ledger = names.into_iter().max_by_key(|(_, count)| *count).unwrap().0;
        let mut records: Vec<_> = records.into_iter().filter(|(_, row)| name_of(row) == ledger).collect();
        records.sort_by_key(|(_, row)| row.place.item);
        assert_eq!(records.len(), 40);
        let grown = open
            .raw
            .rows(RECORD)
            .into_iter()
            .filter(|(_, row)| before.get(&row.place).is_some_and(|old| old.version != row.version))
            .map(|(tag, row)| (tag, row.place))
            .collect();
        Self { open, acme, records, grown, before }
    }

    /// What `verify` finds: with which records something is wrong.
    fn problems(&self) -> Vec<Option<u64>> {
        let report = at_once(self.acme.approvals().verify(None)).unwrap();
        report.problems.iter().map(|problem| problem.sequence).collect()
    }

    fn tag(&self) -> Tag {
        self.records[0].0
    }
}

fn corrupt<T>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(Error::StoreCorrupt(_))));
}

#[test]
fn a_removed_record_is_found() {
    for sequence in [0, 15, 16, 39] {
        let ledger = Ledger::new();
        let (tag, row) = &ledger.records[sequence];
        ledger.open.raw.delete(*tag, row.place);
        assert_eq!(ledger.problems(), [Some(sequence as u64)]);
        corrupt(at_once(ledger.acme.approvals().prove(sequence as u64)));
        if sequence < 39 {
            corrupt(at_once(ledger.acme.approvals().history(1000, None)));
        }
    }
}

#[test]
fn a_changed_record_is_found() {
    let ledger = Ledger::new();
    let (tag, row) = &ledger.records[7];
    let mut bytes = row.value.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    ledger.open.raw.put(*tag, row.place, &Row { value: bytes.into(), ..row.clone() });
    assert_eq!(ledger.problems(), [Some(7)]);
    corrupt(at_once(ledger.acme.approvals().prove(7)));
    corrupt(at_once(ledger.acme.approvals().history(1000, None)));
    assert!(at_once(ledger.acme.approvals().prove(8)).is_ok());
}

/// A long ledger is read in parts, several at the same time.
#[test]
fn every_damage_of_a_long_ledger_is_found_in_its_order() {
    const RECORDS: usize = 2500;
    let open = Open::new();
    let acme = handle(&open.store, "acme");
    for _ in 0..RECORDS / 100 {
        let requests = (0..100).map(|_| asking("1")).collect();
        let approvals = at_once(acme.approvals().request_all(requests)).unwrap();
        let ids: Vec<&str> = approvals.iter().map(|approval| approval.approval_id.as_str()).collect();
        at_once(acme.approvals().withdraw(&ids, None, Vec::new())).unwrap().unwrap();
    }
    // Those of the ledger are the only entries with another sequence than 0, and its first goes before the rest.
    let mut rows = open.raw.rows(RECORD | ENTRY);
    let ledger = rows.iter().find(|(_, row)| row.place.item[24..] != [0; 8]).unwrap().1.place.item;
    rows.retain(|(_, row)| row.place.item[..16] == ledger[..16]);
    rows.sort_by_key(|(_, row)| row.place.item);
    assert_eq!(rows.len(), RECORDS);
    let damaged = [3, 1023, 1024, 2047, 2499];
    for sequence in damaged {
        let (tag, row) = &rows[sequence];
        open.raw.delete(*tag, row.place);
    }
    let report = at_once(acme.approvals().verify(None)).unwrap();
    let found: Vec<_> = report.problems.iter().map(|problem| problem.sequence).collect();
    assert_eq!(found, damaged.map(|sequence| Some(sequence as u64)));
    assert_eq!(wait(acme.approvals().verify(None)), Ok(report), "with threads to read the parts, as without");
}

#[test]
fn reordered_records_are_found() {
    let ledger = Ledger::new();
    let ((tag, one), (_, other)) = (&ledger.records[3], &ledger.records[30]);
    ledger.open.raw.put(*tag, one.place, other);
    ledger.open.raw.put(*tag, other.place, one);
    assert_eq!(ledger.problems(), [Some(3), Some(30)]);
}

#[test]
fn records_of_another_tenant_are_detected() {
    let ledger = Ledger::new();
    let other = handle(&ledger.open.store, "other");
    decided(&other, 4);
    let foreign: Vec<_> =
        ledger.open.raw.rows(RECORD | ENTRY).into_iter().filter(|(tag, _)| *tag != ledger.tag()).collect();
    let (tag, row) = &ledger.records[3];
    ledger.open.raw.put(*tag, row.place, &foreign[1].1);
    assert_eq!(ledger.problems(), [Some(3)]);
}

#[test]
fn a_head_that_was_rolled_back_or_removed_is_detected() {
    let ledger = Ledger::new();
    let (tag, head) = ledger.grown[0];
    let current = ledger.open.raw.row(tag, head).unwrap();
    for removed in [false, true] {
        if removed {
            ledger.open.raw.delete(tag, head);
        } else {
            ledger.open.raw.put(tag, head, &ledger.before[&head]);
        }
        assert!(ledger.problems().contains(&None));
        corrupt(at_once(ledger.acme.approvals().checkpoint()));
        corrupt(at_once(ledger.acme.approvals().prove(0)));
        corrupt(at_once(ledger.acme.approvals().request(crate::approvals::asking("1"))));
        ledger.open.raw.put(tag, head, &current);
    }
    assert_eq!(ledger.problems(), []);
    let mut altered = current.clone();
    altered.value = current.value.slice(..current.value.len() - 1);
    ledger.open.raw.put(tag, head, &altered);
    assert_eq!(ledger.problems(), [None]);
}

#[test]
fn every_tile_that_was_rolled_back_removed_or_exchanged_is_detected() {
    let tiles = Ledger::new().grown.len();
    assert!(tiles > 2, "a tile of leaves and one above it grew");
    for number in 1..tiles {
        for damage in 0..3 {
            let ledger = Ledger::new();
            let (tag, place) = ledger.grown[number];
            match damage {
                0 => ledger.open.raw.put(tag, place, &ledger.before[&place]),
                1 => ledger.open.raw.delete(tag, place),
                _ => {
                    let (_, other) = ledger.grown[1 + number % (tiles - 1)];
                    ledger.open.raw.put(tag, place, &ledger.open.raw.row(tag, other).unwrap());
                }
            }
            assert!(!ledger.problems().is_empty(), "{number} {damage}");
        }
    }
}

/// Puts every row back as it was at 20 records, and removes what came later.
fn roll_back(ledger: &Ledger) {
    for kind in [RECORD, RECORD | ENTRY] {
        for (tag, row) in ledger.open.raw.rows(kind) {
            match ledger.before.get(&row.place) {
                Some(old) => ledger.open.raw.put(tag, row.place, old),
                None => ledger.open.raw.delete(tag, row.place),
            }
        }
    }
}

#[test]
fn a_whole_ledger_that_was_rolled_back_is_detected_against_a_checkpoint() {
    let ledger = Ledger::new();
    let exported = at_once(ledger.acme.approvals().checkpoint()).unwrap();
    roll_back(&ledger);
    assert_eq!(ledger.problems(), [], "without a checkpoint nobody can tell");
    assert_eq!(history(&ledger.acme).len(), 20);
    let report = at_once(ledger.acme.approvals().verify(Some(&exported))).unwrap();
    assert_eq!((report.size, report.problems.len()), (20, 1));
    corrupt(at_once(ledger.acme.approvals().prove_consistency(exported.clone())));
    // Nor does it help to write on.
    decided(&ledger.acme, 30);
    let report = at_once(ledger.acme.approvals().verify(Some(&exported))).unwrap();
    assert_eq!((report.size, report.problems.len()), (50, 1));
    corrupt(at_once(ledger.acme.approvals().prove_consistency(exported)));
}

#[test]
fn an_approval_that_was_rolled_back_to_pending_cannot_be_decided_again() {
    let open = Open::new();
    let acme = handle(&open.store, "acme");
    let id = asked(&acme);
    let pending = open.raw.rows(RECORD);
    approve(&acme, &id).unwrap();
    for (tag, row) in &pending {
        // The ledger's head too: it is older than its first record then.
        open.raw.put(*tag, row.place, row);
    }
    corrupt(approve(&acme, &id));
    corrupt(at_once(acme.approvals().get(&id)));
    assert!(!at_once(acme.approvals().verify(None)).unwrap().problems.is_empty());
}

#[test]
fn an_approval_alone_that_was_rolled_back_to_pending_cannot_be_decided_again() {
    let open = Open::new();
    let acme = handle(&open.store, "acme");
    let id = asked(&acme);
    let before = open.raw.rows(RECORD);
    approve(&acme, &id).unwrap();
    // The head is larger by a record since, so what is of the same size is the approval.
    let (tag, approval) = before.iter().max_by_key(|(_, row)| row.value.len()).unwrap();
    open.raw.put(*tag, approval.place, approval);
    corrupt(approve(&acme, &id));
    corrupt(at_once(acme.approvals().get(&id)));
    assert_eq!(history(&acme).len(), 1);
}

#[test]
fn verify_gives_way_every_few_records() {
    let open = Open::new();
    let acme = handle(&open.store, "acme");
    decided(&acme, 600);
    let (report, pieces) = at_once(in_pieces(acme.approvals().verify(None)));
    assert_eq!((report.unwrap().size, pieces.len() > 4), (600, true), "{pieces:?}");
    assert!(pieces.iter().all(|work| *work <= PIECE), "{pieces:?}");
}

#[test]
fn a_page_of_everything_gives_way_too() {
    let open = Open::new();
    let acme = handle(&open.store, "acme");
    decided(&acme, 600);
    let (page, pieces) = at_once(in_pieces(acme.approvals().history(500, None)));
    assert_eq!((page.unwrap().items.len(), pieces.len() > 2), (500, true), "{pieces:?}");
}
