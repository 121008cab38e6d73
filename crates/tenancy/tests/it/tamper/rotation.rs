//! What a rotation of the root key leaves in a store's directory, and what it finds there after it was cut off.

use std::path::Path;

use bailiwick_tenancy::RootKey;

use crate::tamper::directories::{Outcome, examined, files, filled, open_with, opened, refusal, wait};

const NEXT: [u8; 32] = [0x5a; 32];

fn rotate(path: &Path) {
    wait(async {
        let handle = opened(path).await.unwrap();
        handle.store().rotate_root_key(&NEXT).await.unwrap();
        handle.release().await;
    });
}

fn holds(path: &Path, key: &[u8]) -> bool {
    files(path).iter().any(|file| std::fs::read(file).unwrap().windows(key.len()).any(|bytes| bytes == key))
}

#[test]
fn after_a_rotation_the_old_root_key_is_in_no_file_and_opens_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = filled(directory.path());
    let (old, keys) = (std::fs::read(path.join("root.key")).unwrap(), std::fs::read(path.join("keys")).unwrap());
    assert!(holds(&path, &old));
    rotate(&path);
    assert!(!holds(&path, &old));
    assert_eq!(std::fs::read(path.join("root.key")).unwrap(), NEXT);
    assert!(!path.join("root.key.next").exists());
    let given = |key: &[u8]| RootKey::Given(key.to_vec().into());
    assert_eq!(wait(open_with(&path, given(&old))).err().unwrap().code(), "INVALID_INPUT");

    // The keys as a backup has them are of no use to the new root key: it takes the old one.
    let new_keys = std::fs::read(path.join("keys")).unwrap();
    std::fs::write(path.join("keys"), keys).unwrap();
    assert_eq!(refusal(&path).code(), "INVALID_INPUT");
    wait(async { open_with(&path, given(&old)).await.unwrap().release().await });
    std::fs::write(path.join("keys"), new_keys).unwrap();
    assert_eq!(examined(path), Outcome::Read(0));
}

#[test]
fn the_store_decides_whether_a_next_root_key_file_is_used_or_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = filled(directory.path());
    let (key, next) = (path.join("root.key"), path.join("root.key.next"));
    let old = std::fs::read(&key).unwrap();
    let is_settled = |expected: &[u8]| {
        wait(async { opened(&path).await.unwrap().release().await });
        assert_eq!(std::fs::read(&key).unwrap(), expected);
        assert!(!next.exists());
    };
    // Cut off before the store's header was replaced, and while the file was written.
    std::fs::write(&next, NEXT).unwrap();
    is_settled(&old);
    std::fs::write(path.join("root.key.next.new"), [1; 7]).unwrap();
    is_settled(&old);
    assert!(!path.join("root.key.next.new").exists());
    // Given up, but not to the end.
    std::fs::write(&next, [0; 32]).unwrap();
    is_settled(&old);

    rotate(&path);
    // Cut off before the old key was overwritten, while it was, and after it.
    for left in [old.clone(), [&[0; 9], &old[9..]].concat(), vec![0; 32], vec![0; 9]] {
        std::fs::write(&key, left).unwrap();
        std::fs::write(&next, NEXT).unwrap();
        is_settled(&NEXT);
    }
    // Two keys of which neither is the store's.
    std::fs::write(&key, [7; 32]).unwrap();
    std::fs::write(&next, [8; 32]).unwrap();
    assert_eq!(refusal(&path).code(), "INVALID_INPUT");
    assert_eq!(std::fs::read(&next).unwrap(), [8; 32], "nothing is guessed, and nothing removed");
    std::fs::write(&key, NEXT).unwrap();
    assert_eq!(examined(path), Outcome::Read(0));
}
