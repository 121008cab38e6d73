//! What can be at the path of a store, and what becomes of it.

#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bailiwick_store::conformance::support::{block_on, commit, delete, get, noise, place, put, tag, value};
use bailiwick_store::sled::{self, OpenError, SledOptions};
use bailiwick_store::{Created, Opened};

fn try_open(path: &Path) -> Result<Opened, OpenError> {
    sled::open(path, SledOptions { cache_bytes: 4 << 20, ..SledOptions::default() })
}

fn open(path: &Path) -> Opened {
    try_open(path).unwrap()
}

fn close(opened: Opened) {
    block_on(opened.engine.close());
}

/// A closed store with a row, a large value, a key and a local secret.
fn store(directory: &Path) -> PathBuf {
    let path = directory.join("store");
    let opened = open(&path);
    assert!(block_on(opened.vault.create_local_secret(vec![1; 32])).unwrap());
    assert_eq!(block_on(opened.vault.create([1; 32], vec![5; 100])).unwrap(), Created::New);
    commit(&*opened.engine, tag(1), vec![put(place(1, 1), "row"), put(place(1, 2), noise(2, 100_000))]).unwrap();
    commit(&*opened.engine, tag(1), vec![put(place(1, 3), noise(3, 5_000_000))]).unwrap();
    close(opened);
    path
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_path_buf()];
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            found.extend(files(&entry.unwrap().path()));
        }
    }
    found
}

#[test]
#[cfg(unix)]
fn modes_are_private_whatever_the_umask() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path());
    let private = |path: &Path| {
        for file in files(path) {
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert!(mode == if file.is_dir() { 0o700 } else { 0o600 }, "{file:?} has {mode:o}");
        }
    };
    private(&path);
    for file in files(&path) {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    close(open(&path));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(path.join("tables").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for secret in ["keys", "root.key"] {
        assert_eq!(path.join(secret).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{secret}");
    }
}

#[test]
fn a_store_is_open_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path());
    let opened = open(&path);
    assert!(matches!(try_open(&path), Err(OpenError::Locked)));
    drop(opened);
    let Opened { engine, vault } = open(&path);
    drop(engine);
    assert!(matches!(try_open(&path), Err(OpenError::Locked)), "the vault still holds it");
    drop(vault);
    close(open(&path));
}

#[test]
#[cfg(unix)]
fn a_symbolic_link_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path());
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(try_open(&link), Err(OpenError::Symlink)));
    let above = tempfile::tempdir().unwrap();
    symlink(directory.path(), above.path().join("parent")).unwrap();
    close(open(&above.path().join("parent").join("store")));
}

#[test]
fn a_directory_without_a_store_is_left_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("photos");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("holiday.jpg"), b"sea").unwrap();
    assert!(matches!(try_open(&path), Err(OpenError::Foreign)));
    assert_eq!(files(&path).len(), 2);
    assert!(matches!(try_open(&path.join("holiday.jpg")), Err(OpenError::Foreign)));
    std::fs::write(path.join("format"), b"something else").unwrap();
    assert!(matches!(try_open(&path), Err(OpenError::Foreign)));
    assert_eq!(files(&path).len(), 3);
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path());
    std::fs::write(path.join("format"), b"bailiwick-store 4\n").unwrap();
    assert!(matches!(try_open(&path), Err(OpenError::NewerFormat)));
}

#[test]
fn parents_are_created() {
    let directory = tempfile::tempdir().unwrap();
    close(open(&directory.path().join("a").join("b").join("store")));
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    close(open(&empty));
}

#[test]
#[cfg(unix)]
fn parents_are_private_and_never_below_a_link_to_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    close(open(&directory.path().join("a").join("b").join("store")));
    for made in ["a", "a/b", "a/b/store"] {
        assert_eq!(directory.path().join(made).metadata().unwrap().permissions().mode() & 0o777, 0o700, "{made}");
    }
    symlink(directory.path().join("nowhere"), directory.path().join("link")).unwrap();
    let below = directory.path().join("link").join("a").join("store");
    assert!(matches!(try_open(&below), Err(OpenError::Unavailable(_))));
    assert!(!directory.path().join("nowhere").exists());
}

#[test]
fn missing_files_are_corruption() {
    for damage in ["manifest", "tables", "keys", "wal-1", "wal-2"] {
        let directory = tempfile::tempdir().unwrap();
        let path = store(directory.path());
        std::fs::rename(path.join(damage), directory.path().join("elsewhere")).unwrap();
        assert!(matches!(try_open(&path), Err(OpenError::Corrupt)), "{damage}");
    }
}

#[test]
fn a_flipped_byte_in_a_large_value_is_corrupt_and_the_rest_is_readable() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path());
    for folder in ["segments", "values"] {
        let file = files(&path.join(folder)).pop().unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        *bytes.get_mut(middle).unwrap() ^= 1;
        std::fs::write(&file, bytes).unwrap();
    }
    let opened = open(&path);
    for number in [2, 3] {
        let found = block_on(opened.engine.get(tag(1), vec![(place(1, number), None)], u64::MAX, 0));
        assert_eq!(found, Err(bailiwick_store::ReadError::Corrupt));
    }
    assert_eq!(value(&*opened.engine, tag(1), place(1, 1)).unwrap(), "row");
    commit(&*opened.engine, tag(1), vec![delete(place(1, 2)), delete(place(1, 3))]).unwrap();
    assert_eq!(get(&*opened.engine, tag(1), place(1, 2)), None);
    close(opened);
}

#[test]
fn torn_and_half_replaced_slots_are_cleared_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path());
    let keys = path.join("keys");
    let old = std::fs::read(&keys).unwrap();
    let opened = open(&path);
    assert!(block_on(opened.vault.replace([1; 32], 0, vec![6; 100])).unwrap());
    close(opened);
    // As if the crash had come before the old slot was wiped, and while another was being written.
    let mut bytes = std::fs::read(&keys).unwrap();
    let torn = bytes.len() - 256;
    bytes[..256].copy_from_slice(&old[..256]);
    bytes[torn..torn + 100].copy_from_slice(&old[..100]);
    std::fs::write(&keys, &bytes).unwrap();
    let opened = open(&path);
    assert_eq!(block_on(opened.vault.get([1; 32])).unwrap().unwrap().value, vec![6; 100]);
    close(opened);
    let after = std::fs::read(&keys).unwrap();
    assert!(after[..256].iter().all(|byte| *byte == 0), "the old value is gone from the file");
    assert!(after[torn..].iter().all(|byte| *byte == 0), "the torn one too");
    assert!(!after.windows(100).any(|window| window == [5; 100]));
}

#[test]
fn uncommitted_data_is_dropped_and_freed_space_is_reused() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path());
    let segment = files(&path.join("segments")).pop().unwrap();
    let length = segment.metadata().unwrap().len();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes.extend_from_slice(&[9; 5_000]);
    std::fs::write(&segment, bytes).unwrap();
    std::fs::write(path.join("values").join("00000000000000ff"), b"never committed").unwrap();
    let opened = open(&path);
    assert_eq!(segment.metadata().unwrap().len(), length);
    assert_eq!(files(&path.join("values")).len(), 2);
    assert_eq!(value(&*opened.engine, tag(1), place(1, 2)).unwrap(), noise(2, 100_000));
    commit(&*opened.engine, tag(1), vec![delete(place(1, 2)), delete(place(1, 3))]).unwrap();
    close(opened);
    assert_eq!(files(&path.join("values")).len(), 1, "the file of the deleted value is gone");
    #[cfg(target_os = "linux")]
    assert!(std::os::unix::fs::MetadataExt::blocks(&segment.metadata().unwrap()) * 512 < 20_000, "its space is free");
}

/// A child that was forked while a store was open has its lock, too, until it begins its program.
#[cfg(unix)]
#[test]
fn a_store_opens_again_while_other_threads_start_processes() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("store");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    std::process::Command::new("true").status().unwrap();
                }
            });
        }
        let opened =
            (0..60).map(|_| sled::open(&path, SledOptions::default()).map(|opened| block_on(opened.engine.close())));
        let failed: Vec<_> = opened.filter_map(Result::err).collect();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(failed.is_empty(), "{failed:?}");
    });
}
