//! A plan whose rows were altered, removed or put back to an older state is found, and nothing is guessed.

use bailiwick_model::{Error, Kind, Result};
use bailiwick_runtime::TenantHandle;

use crate::plans::{DAY, draft, history, load, save};
use crate::raw::{ENTRY, Open};
use crate::support::{at_once, handle};

const RECORD: u8 = Kind::Plans as u8;

/// Two versions of one plan, whose rows can be changed.
fn two_versions() -> (Open, TenantHandle, Vec<u8>) {
    let open = Open::new();
    let acme = handle(&open.store, "acme");
    save(&acme, "p", "one").unwrap();
    (open, acme, draft("p", "three"))
}

fn corrupt<T: std::fmt::Debug>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(Error::StoreCorrupt(_))), "{outcome:?}");
}

#[test]
fn a_head_that_is_rolled_back_to_an_older_version_is_detected() {
    let (open, acme, next) = two_versions();
    let (tag, old) = open.raw.rows(RECORD).remove(0);
    save(&acme, "p", "two").unwrap();
    open.raw.put(tag, old.place, &old);
    corrupt(load(&acme, "p"));
    corrupt(at_once(acme.plans().load("p", Some(1))));
    corrupt(history(&acme, "p"));
    corrupt(at_once(acme.plans().save(&next, None)));
}

#[test]
fn a_version_that_is_removed_replaced_or_moved_is_found() {
    let (open, acme, _) = two_versions();
    let (tag, first) = open.raw.rows(RECORD | ENTRY).remove(0);
    save(&acme, "p", "two").unwrap();
    let (_, second) = open.raw.rows(RECORD | ENTRY).remove(1);
    open.raw.delete(tag, first.place);
    corrupt(history(&acme, "p"));
    corrupt(at_once(acme.plans().load("p", Some(1))));
    open.raw.put(tag, first.place, &second);
    corrupt(history(&acme, "p"));
    corrupt(at_once(acme.plans().load("p", Some(1))));
    open.raw.put(tag, first.place, &first);
    assert_eq!(history(&acme, "p").unwrap().len(), 2);
    open.raw.delete(tag, second.place);
    corrupt(load(&acme, "p"));
    corrupt(history(&acme, "p"));
}

#[test]
fn a_version_of_an_earlier_plan_of_the_same_id_is_found() {
    let (open, acme, _) = two_versions();
    let (tag, earlier) = open.raw.rows(RECORD | ENTRY).remove(0);
    open.store.advance(365 * DAY);
    save(&acme, "p", "another").unwrap();
    let mut replayed = earlier.clone();
    replayed.expires_at = None;
    open.raw.put(tag, earlier.place, &replayed);
    corrupt(load(&acme, "p"));
    save(&acme, "p", "next").unwrap();
    corrupt(history(&acme, "p"));
    corrupt(at_once(acme.plans().load("p", Some(1))));
}
