//! Root keys, the headers of store and tenants, and the row that says that a tenant exists.

use std::sync::Arc;

use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{RootKey, Scope, Store};

use crate::tamper::raw::{ITEM, KEY, Raw, block_on, given, is_corrupt, on_every_engine, read, scope, write};

const STORE_SLOT: [u8; 32] = [0; 32];

/// A store with two tenants, closed again: the slots of the first and of the second.
fn two_tenants(raw: &Raw) -> ([u8; 32], [u8; 32]) {
    let store = raw.open(given()).unwrap();
    let mut slots = Vec::new();
    for id in ["acme", "other"] {
        let access = block_on(scope(&store, id).for_writing()).unwrap();
        block_on(write(&access, ITEM, id.as_bytes()));
        let known: Vec<_> =
            raw.slots().into_iter().filter(|slot| *slot != STORE_SLOT && !slots.contains(slot)).collect();
        slots.extend(known);
    }
    (*slots.first().unwrap(), *slots.last().unwrap())
}

/// What a tenant gets, to read and to write.
fn look(store: &Arc<Store>, id: &str) -> (Result<Option<Vec<u8>>>, Result<()>) {
    let reading = |scope: &Scope| match block_on(scope.existing())? {
        Some(access) => block_on(read(&access, ITEM)),
        None => Ok(None),
    };
    (reading(&scope(store, id)), block_on(scope(store, id).for_writing()).map(|_| ()))
}

fn refusal(raw: &Raw, root_key: RootKey) -> String {
    match raw.open(root_key) {
        Err(Error::InvalidInput(message)) => message,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn a_wrong_missing_or_short_root_key_opens_nothing() {
    on_every_engine(|fresh| {
        let raw = fresh();
        two_tenants(&raw);
        let wrong = refusal(&raw, RootKey::Given(vec![8; 32].into()));
        let mut near = KEY;
        near[31] ^= 1;
        assert_eq!(refusal(&raw, RootKey::Given(near.to_vec().into())), wrong);
        assert_ne!(refusal(&raw, RootKey::Local), wrong);
        for length in [0, 1, 16, 31, 33, 64] {
            assert!(refusal(&raw, RootKey::Given(vec![9; length].into())).contains("exactly 32 bytes"));
        }
        assert!(RootKey::from_base64("not base64!").is_err());
        assert!(RootKey::from_base64("").is_ok_and(|key| refusal(&raw, key).contains("exactly 32 bytes")));
        let store = raw.open(RootKey::from_base64("CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=").unwrap()).unwrap();
        assert_eq!(look(&store, "acme").0, Ok(Some(b"acme".to_vec())));
    });
}

#[test]
fn an_external_root_key_does_not_open_a_store_with_its_own_key() {
    // Where there is a place for one beside the data.
    let raw = Raw::in_memory();
    raw.open(RootKey::Local).unwrap();
    refusal(&raw, given());
    raw.open(RootKey::Local).unwrap();
}

#[test]
fn tenants_headers_that_changed_places_are_refused() {
    on_every_engine(|fresh| {
        let raw = fresh();
        let (acme, other) = two_tenants(&raw);
        let (first, second) = (raw.slot(acme), raw.slot(other));
        // Only one of them: a copy of acme's header in the place of the other's.
        raw.replace_slot(other, first.clone());
        let store = raw.open(given()).unwrap();
        assert_eq!(look(&store, "acme").0, Ok(Some(b"acme".to_vec())));
        let (reading, writing) = look(&store, "other");
        assert!(is_corrupt(&reading) && is_corrupt(&writing));
        raw.replace_slot(acme, second);
        let store = raw.open(given()).unwrap();
        for id in ["acme", "other"] {
            let (reading, writing) = look(&store, id);
            assert!(is_corrupt(&reading) && is_corrupt(&writing), "{id}");
        }
    });
}

#[test]
fn a_tenant_without_a_header_is_damaged_and_not_new() {
    on_every_engine(|fresh| {
        let raw = fresh();
        let (acme, _) = two_tenants(&raw);
        assert!(raw.wipe(acme));
        let store = raw.open(given()).unwrap();
        let (reading, writing) = look(&store, "acme");
        assert!(is_corrupt(&reading) && is_corrupt(&writing));
        assert_eq!(raw.slots().len(), 2, "no new keys were made");
        assert_eq!(look(&store, "other").0, Ok(Some(b"other".to_vec())));
        assert_eq!(look(&store, "newcomer").0, Ok(None));
    });
}

#[test]
fn a_store_without_a_header_is_damaged_and_not_new() {
    on_every_engine(|fresh| {
        let raw = fresh();
        two_tenants(&raw);
        assert!(raw.wipe(STORE_SLOT));
        assert!(is_corrupt(&raw.open(given()).map(|_| ())));
        assert_eq!(raw.slots().len(), 2);
    });
}

#[test]
fn an_altered_header_is_refused_whichever_byte_it_is() {
    on_every_engine(|fresh| {
        let raw = fresh();
        let (acme, _) = two_tenants(&raw);
        let header = raw.slot(acme);
        for offset in 0..header.len() {
            let mut altered = header.clone();
            *altered.get_mut(offset).unwrap() ^= 0x40;
            raw.replace_slot(acme, altered);
            let (reading, writing) = look(&raw.open(given()).unwrap(), "acme");
            // The first byte is the format.
            let expected = if offset == 0 { "INVALID_INPUT" } else { "STORE_CORRUPT" };
            assert_eq!(reading.unwrap_err().code(), expected, "offset {offset}");
            assert_eq!(writing.unwrap_err().code(), expected, "offset {offset}");
            raw.replace_slot(acme, header.get(..offset).unwrap().to_vec());
            assert!(is_corrupt(&look(&raw.open(given()).unwrap(), "acme").0), "cut to {offset}");
        }
        raw.replace_slot(acme, header);
        let header = raw.slot(STORE_SLOT);
        for offset in 0..header.len() {
            let mut altered = header.clone();
            *altered.get_mut(offset).unwrap() ^= 0x40;
            raw.replace_slot(STORE_SLOT, altered);
            // A wrong key and an altered header cannot be told apart.
            refusal(&raw, given());
            raw.replace_slot(STORE_SLOT, header.get(..offset).unwrap().to_vec());
            assert!(
                matches!(raw.open(given()), Err(Error::StoreCorrupt(_) | Error::InvalidInput(_))),
                "cut to {offset}"
            );
        }
        raw.replace_slot(STORE_SLOT, header);
        assert_eq!(look(&raw.open(given()).unwrap(), "acme").0, Ok(Some(b"acme".to_vec())));
    });
}

#[test]
fn a_newer_format_of_a_header_is_named_as_such() {
    on_every_engine(|fresh| {
        let raw = fresh();
        let (acme, _) = two_tenants(&raw);
        let newer = |slot| {
            let mut header = raw.slot(slot);
            *header.first_mut().unwrap() = 2;
            raw.replace_slot(slot, header);
        };
        newer(acme);
        let refused = look(&raw.open(given()).unwrap(), "acme").0.unwrap_err();
        assert!(refused.to_string().contains("newer version") && refused.code() == "INVALID_INPUT");
        newer(STORE_SLOT);
        assert!(refusal(&raw, given()).contains("newer version"));
    });
}

#[test]
fn another_stores_header_gives_no_data() {
    on_every_engine(|fresh| {
        let (raw, foreign) = (fresh(), fresh());
        let (acme, _) = two_tenants(&raw);
        foreign.open(RootKey::Given(vec![7; 32].into())).unwrap();
        let own = raw.slot(STORE_SLOT);
        raw.replace_slot(STORE_SLOT, foreign.slot(STORE_SLOT));
        refusal(&raw, given());
        // Under the same root key it opens, but the records are not those of its store.
        let twin = fresh();
        twin.open(given()).unwrap();
        raw.replace_slot(STORE_SLOT, twin.slot(STORE_SLOT));
        let store = raw.open(given());
        assert!(is_corrupt(&store.map(|_| ())));
        // Nor is a tenant's header from another store any good.
        let (there, _) = two_tenants(&twin);
        raw.replace_slot(STORE_SLOT, own);
        raw.replace_slot(acme, twin.slot(there));
        assert!(is_corrupt(&look(&raw.open(given()).unwrap(), "acme").0));
    });
}

#[test]
fn a_name_row_of_another_tenant_is_refused() {
    on_every_engine(|fresh| {
        let raw = fresh();
        two_tenants(&raw);
        // The store's own row is the first; then every tenant's name row, followed by its record.
        let (acme, other) = (raw.put_number(1), raw.put_number(3));
        let row = raw.bytes(acme);
        raw.overwrite(other, row.clone());
        assert!(is_corrupt(&look(&raw.open(given()).unwrap(), "other").1));
        assert_eq!(look(&raw.open(given()).unwrap(), "acme").1, Ok(()));
        let mut altered = row;
        *altered.last_mut().unwrap() ^= 1;
        raw.overwrite(acme, altered);
        assert!(is_corrupt(&look(&raw.open(given()).unwrap(), "acme").1));
    });
}

#[test]
fn records_without_their_keys_are_damage_and_not_a_new_store() {
    on_every_engine(|fresh| {
        let raw = fresh();
        two_tenants(&raw);
        for slot in raw.slots() {
            assert!(raw.wipe(slot));
        }
        assert!(is_corrupt(&raw.open(given()).map(|_| ())));
        assert!(raw.slots().is_empty());
    });
}

#[test]
fn keys_without_their_records_are_damage_and_not_a_new_store() {
    on_every_engine(|fresh| {
        let raw = fresh();
        two_tenants(&raw);
        raw.remove(raw.put_number(0));
        assert!(is_corrupt(&raw.open(given()).map(|_| ())));
        // Without tenants it is a store that was not made to its end.
        let unfinished = fresh();
        unfinished.open(given()).unwrap();
        unfinished.remove(unfinished.put_number(0));
        unfinished.open(given()).unwrap();
        assert_eq!(unfinished.put_number(1), unfinished.put_number(0), "the row is written again");
    });
}

#[test]
fn a_tenant_that_was_not_made_to_its_end_is_finished_before_anything_is_written() {
    on_every_engine(|fresh| {
        let raw = fresh();
        let (acme, _) = two_tenants(&raw);
        raw.remove(raw.put_number(1));
        let store = raw.open(given()).unwrap();
        let scope = scope(&store, "acme");
        // A look comes first, and finds the keys.
        assert!(block_on(scope.existing()).unwrap().is_some());
        block_on(write(&block_on(scope.for_writing()).unwrap(), ITEM, b"new"));
        drop((scope, store));
        assert!(raw.wipe(acme));
        let (reading, writing) = look(&raw.open(given()).unwrap(), "acme");
        assert!(is_corrupt(&reading) && is_corrupt(&writing));
    });
}
