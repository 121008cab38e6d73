//! Look, authenticate, repair: what a crash has left is mended, and what is in the way is removed, only where it is known
//! that it is ours.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bailiwick_model::{Error, Kind};
use bailiwick_tenancy::{Area, Change, Durability, Limits, RootKey, When};

use crate::tamper::directories::{Outcome, copy, examined, filled, open_with, opened, refusal, wait};
use crate::tamper::picture::picture;
use crate::tamper::planted::open_existing;
use crate::tamper::raw::{KEY, scope};

const SLOT: usize = 256;

fn private(path: &Path) -> bool {
    path.metadata().unwrap().permissions().mode() & 0o077 == 0
}

/// What crashes leave, all of it at once: a torn slot, values that were never committed, secrets never written to their
/// end. And modes that let others read.
fn leave_half_done(store: &Path) -> Vec<PathBuf> {
    let keys = store.join("keys");
    let mut bytes = std::fs::read(&keys).unwrap();
    let last = bytes.len() - SLOT;
    assert!(bytes[last..].iter().all(|byte| *byte == 0));
    bytes[last..last + 100].fill(9);
    std::fs::write(&keys, bytes).unwrap();
    let left = ["segments/00000000000000fe", "values/00000000000000ff", "root.key.new", "root.key.next.new"];
    let left: Vec<_> = left.iter().map(|name| store.join(name)).collect();
    left.iter().for_each(|path| std::fs::write(path, [8; 50]).unwrap());
    let segment = std::fs::read_dir(store.join("segments")).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let mut tail = std::fs::OpenOptions::new().append(true).open(segment).unwrap();
    std::io::Write::write_all(&mut tail, &[7; 500]).unwrap();
    for path in [store.to_owned(), keys] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    left
}

fn torn_slot_is_wiped(store: &Path) -> bool {
    let bytes = std::fs::read(store.join("keys")).unwrap();
    bytes[bytes.len() - SLOT..].iter().all(|byte| *byte == 0)
}

#[test]
fn nothing_is_repaired_before_the_root_key_has_opened_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let left = leave_half_done(&store);
    std::fs::write(store.join("root.key.next"), [1; 32]).unwrap();
    let key = std::fs::read(store.join("root.key")).unwrap();
    let before = picture(&store);
    let wrong = || RootKey::Given(KEY.to_vec().into());
    assert!(matches!(wait(open_with(&store, wrong())).err(), Some(Error::InvalidInput(_))));
    assert!(picture(&store) == before, "by a wrong key");
    std::fs::rename(store.join("root.key"), directory.path().join("kept")).unwrap();
    let before = picture(&store);
    assert!(matches!(refusal(&store), Error::InvalidInput(_)));
    assert!(picture(&store) == before, "without a key");
    std::fs::write(store.join("root.key"), key).unwrap();
    assert_eq!(examined(store.clone()), Outcome::Read(0));
    assert!(torn_slot_is_wiped(&store));
    assert!(left.iter().all(|path| !path.exists()) && !store.join("root.key.next").exists());
    assert!(private(&store) && private(&store.join("keys")));
}

#[test]
fn a_store_whose_header_is_damaged_is_not_repaired_by_guess() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let left = leave_half_done(&store);
    let keys = store.join("keys");
    let mut bytes = std::fs::read(&keys).unwrap();
    // The store's own slot is the first that was written.
    bytes[60] ^= 1;
    std::fs::write(&keys, &bytes).unwrap();
    for _ in 0..2 {
        assert!(matches!(refusal(&store), Error::StoreCorrupt(_)));
        assert_eq!(std::fs::read(&keys).unwrap(), bytes, "who knows how can still mend the header");
        assert!(left.iter().all(|path| path.exists()));
    }
    bytes[60] ^= 1;
    std::fs::write(&keys, &bytes).unwrap();
    assert_eq!(examined(store.clone()), Outcome::Read(0));
    assert!(torn_slot_is_wiped(&store) && left.iter().all(|path| !path.exists()));
}

#[test]
fn names_that_a_store_does_not_give_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let names = [
        "notes.txt",
        "keys.old",
        "tables/notes.txt",
        "tables/ff",
        "db.unfinished.old",
        "segments/ff",
        "segments/000000000000000A",
        "segments/thesis.txt",
        "values/+00000000000000f",
        "values/00000000000000001",
        "values/00000000000000f0.bak",
    ];
    for name in names {
        std::fs::write(store.join(name), name).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(examined(store.clone()), Outcome::Read(0));
    }
    for name in names {
        assert_eq!(std::fs::read(store.join(name)).unwrap(), name.as_bytes(), "{name}");
    }
}

#[test]
fn opening_an_existing_store_creates_none() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let (missing, empty, begun) =
        (store.with_file_name("missing"), store.with_file_name("empty"), store.with_file_name("begun"));
    std::fs::create_dir(&empty).unwrap();
    copy(&store.join("tables"), &begun.join("tables"));
    std::fs::write(begun.join("keys"), b"").unwrap();
    for path in [missing, empty, begun] {
        let before = picture(&path);
        let refused = wait(open_existing(&path)).err();
        assert!(matches!(&refused, Some(Error::InvalidInput(why)) if why.contains("no store here yet")), "{refused:?}");
        assert!(picture(&path) == before, "{path:?}");
    }
}

#[test]
fn a_directory_that_is_removed_or_moved_while_it_is_open_is_noticed() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm, bool); 6] = [
        ("removed", |store| std::fs::remove_dir_all(store).unwrap(), true),
        (
            "removed and made again",
            |store| {
                let aside = store.with_file_name("aside");
                copy(store, &aside);
                std::fs::remove_dir_all(store).unwrap();
                std::fs::rename(aside, store).unwrap();
            },
            true,
        ),
        ("without its tables", |store| std::fs::remove_dir_all(store.join("tables")).unwrap(), true),
        ("without its keys", |store| std::fs::remove_file(store.join("keys")).unwrap(), false),
        ("without its lock", |store| std::fs::remove_file(store.join("lock")).unwrap(), false),
        ("moved", |store| std::fs::rename(store, store.with_file_name("moved")).unwrap(), false),
    ];
    for (what, harm, loses_commits) in harms {
        let directory = tempfile::tempdir().unwrap();
        let store = filled(directory.path());
        wait(async {
            let handle = opened(&store).await.unwrap();
            let access = scope(handle.store(), "acme").for_writing().await.unwrap();
            assert!(handle.store().health().await.ok);
            harm(&store);
            let health = handle.store().health().await;
            assert!(
                !health.ok && health.problems.iter().any(|problem| problem.contains("removed")),
                "{what}: {health:?}"
            );
            if loses_commits {
                let name = access.name(Kind::Cache, b"late");
                let (body, counted) = (b"late".to_vec(), Some(4));
                let (kind, area) = (Kind::Cache, Area::Record);
                let write = Change::Write { kind, area, name, body, expires_at: None, counted, when: When::Any };
                let late = access.commit(vec![write], &Limits::default(), Durability::Sync).await;
                assert!(matches!(late, Err(Error::StoreUnavailable(_))), "{what}: {late:?}");
            }
            if what != "moved" && what != "without its lock" {
                let late = scope(handle.store(), "newcomer").for_writing().await.err();
                assert!(matches!(late, Some(Error::StoreUnavailable(_))), "{what}: {late:?}");
            }
            handle.release().await;
        });
    }
}

#[test]
fn only_an_unfinished_copy_is_removed_from_where_a_backup_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let (target, unfinished) = (directory.path().join("copy"), directory.path().join(".copy.unfinished"));
    let backup = || {
        wait(async {
            let handle = opened(&store).await.unwrap();
            let made = handle.backup(&target).await;
            handle.release().await;
            made
        })
    };
    let refused = |what: &str| {
        let before = picture(&unfinished);
        let made = backup();
        assert!(matches!(&made, Err(Error::InvalidInput(why)) if why.contains(".copy.unfinished")), "{what}: {made:?}");
        assert!(picture(&unfinished) == before && !target.exists(), "{what}");
        if unfinished.is_dir() {
            std::fs::remove_dir_all(&unfinished).unwrap();
        } else {
            std::fs::remove_file(&unfinished).unwrap();
        }
    };
    std::fs::write(&unfinished, b"mine").unwrap();
    refused("a file");
    std::fs::create_dir(&unfinished).unwrap();
    std::fs::write(unfinished.join("thesis.txt"), b"mine").unwrap();
    refused("something else");
    std::fs::create_dir(&unfinished).unwrap();
    std::fs::write(unfinished.join("keys"), b"mine").unwrap();
    refused("a file with a name of ours, and no lock");
    copy(&store, &unfinished);
    refused("a store with its root key");
    copy(&store, &unfinished);
    std::fs::remove_file(unfinished.join("root.key")).unwrap();
    std::fs::write(unfinished.join("values").join("thesis.txt"), b"mine").unwrap();
    refused("a copy with something else in it");

    // What a backup that was cut off leaves: a directory, a lock, part of a store.
    for names in [&[][..], &["lock"], &["lock", "manifest", "tables", "keys", "segments", "values"]] {
        std::fs::create_dir(&unfinished).unwrap();
        for name in names {
            if store.join(name).is_dir() {
                copy(&store.join(name), &unfinished.join(name));
            } else {
                std::fs::copy(store.join(name), unfinished.join(name)).unwrap();
            }
        }
        backup().unwrap();
        assert!(!unfinished.exists());
        std::fs::remove_dir_all(&target).unwrap();
    }
}
