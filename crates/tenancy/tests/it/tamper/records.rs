//! Records that were altered or moved.

use std::sync::Arc;

use bailiwick_model::Kind;
use bailiwick_tenancy::{Access, Area, Store};

use crate::tamper::raw::{Address, ITEM, Item, Raw, block_on, given, is_corrupt, on_every_engine, read, scope, write};

/// A store with one record of a tenant.
fn one_record(fresh: &dyn Fn() -> Raw, body: &[u8]) -> (Raw, Arc<Store>, Access, Address) {
    let raw = fresh();
    let store = raw.open(given()).unwrap();
    let access = block_on(scope(&store, "acme").for_writing()).unwrap();
    block_on(write(&access, ITEM, body));
    let address = raw.last_put();
    (raw, store, access, address)
}

#[test]
fn an_altered_record_is_refused_whichever_byte_it_is() {
    on_every_engine(|fresh| {
        let (raw, _store, access, address) = one_record(fresh, b"some content that is worth keeping");
        let sealed = raw.bytes(address);
        for offset in 0..sealed.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut altered = sealed.clone();
                *altered.get_mut(offset).unwrap() ^= flip;
                raw.overwrite(address, altered);
                assert!(is_corrupt(&block_on(read(&access, ITEM))), "offset {offset}, flip {flip}");
            }
        }
        for length in 0..sealed.len() {
            raw.overwrite(address, sealed.get(..length).unwrap().to_vec());
            assert!(is_corrupt(&block_on(read(&access, ITEM))), "cut to {length}");
        }
        raw.overwrite(address, [sealed.as_slice(), &[0]].concat());
        assert!(is_corrupt(&block_on(read(&access, ITEM))));
        raw.overwrite(address, sealed);
        assert_eq!(block_on(read(&access, ITEM)).unwrap().unwrap(), b"some content that is worth keeping");
    });
}

#[test]
fn a_record_in_another_place_is_refused() {
    on_every_engine(|fresh| {
        let (raw, store, acme, from) = one_record(fresh, b"secret of acme");
        let sealed = raw.bytes(from);
        let other = block_on(scope(&store, "other").for_writing()).unwrap();
        let places = [
            ("another tenant's", &other, ITEM),
            ("another item's", &acme, Item { logical: "another", ..ITEM }),
            ("another kind's", &acme, Item { kind: Kind::References, ..ITEM }),
            ("the content's", &acme, Item { area: Area::Content, ..ITEM }),
        ];
        for (place, access, item) in places {
            block_on(write(access, item, b"to be replaced"));
            let to = raw.last_put();
            assert_ne!(to, from);
            raw.overwrite(to, sealed.clone());
            assert!(is_corrupt(&block_on(read(access, item))), "{place}");
        }
        assert_eq!(block_on(read(&acme, ITEM)).unwrap().unwrap(), b"secret of acme");
        assert_eq!(store.stats().alarms, 0, "the seal refuses before the owner is looked at");
    });
}

#[test]
fn a_record_from_another_store_is_refused_under_the_same_root_key() {
    on_every_engine(|fresh| {
        let (from, _store, _access, source) = one_record(fresh, b"of the first store");
        let (to, _second, access, target) = one_record(fresh, b"of the second store");
        assert_ne!(source, target);
        to.overwrite(target, from.bytes(source));
        assert!(is_corrupt(&block_on(read(&access, ITEM))));
        // Nor is anything found at the place it had in the first store.
        to.overwrite(source, from.bytes(source));
        assert_eq!(block_on(read(&access, Item { logical: "another", ..ITEM })), Ok(None));
    });
}

#[test]
fn no_place_holds_a_name_or_content_in_clear() {
    on_every_engine(|fresh| {
        let (raw, _store, _access, address) = one_record(fresh, b"content in clear");
        let (tag, place) = address;
        let key = bailiwick_store::engine::record_key(&tag, &place);
        for (bytes, text) in
            [(&key[..], "acme"), (&key[..], "item"), (&raw.bytes(address), "content"), (&raw.bytes(address), "acme")]
        {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
        }
    });
}
