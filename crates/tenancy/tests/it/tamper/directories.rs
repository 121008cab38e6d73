//! A store's directory that is not one, not ours, or damaged.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::stores::{OpenOptions, StoreHandle, open};
use bailiwick_tenancy::{Area, Clock, RootKey, StoreOptions};

use crate::tamper::raw::{Item, KEY, read, scope, write};

const LARGE: usize = 60_000;
const ITEMS: [Item; 3] = [
    Item { kind: Kind::References, area: Area::Record, logical: "one" },
    Item { kind: Kind::Cache, area: Area::Record, logical: "two" },
    Item { kind: Kind::References, area: Area::Content, logical: "three" },
];

pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) async fn open_with(path: &Path, root_key: RootKey) -> Result<StoreHandle> {
    let store = StoreOptions { root_key, opened_bytes: 0, clock: Clock::fixed(1), seed: None };
    open(
        &format!("sled:{}", path.display()),
        OpenOptions { store, engine_cache_bytes: Some(4 << 20), connections: None, must_exist: false },
    )
    .await
}

pub(crate) async fn opened(path: &Path) -> Result<StoreHandle> {
    open_with(path, RootKey::Local).await
}

pub(crate) fn refusal(path: &Path) -> Error {
    wait(opened(path)).err().unwrap()
}

fn body(tenant: &str, item: usize) -> Vec<u8> {
    format!("{tenant} {item} ").repeat(if item == 2 { LARGE / 7 } else { 12 }).into_bytes()
}

/// A closed store with two tenants.
pub(crate) fn filled(directory: &Path) -> PathBuf {
    let path = directory.join("store");
    wait(async {
        let handle = opened(&path).await.unwrap();
        for tenant in ["acme", "other"] {
            let access = scope(handle.store(), tenant).for_writing().await.unwrap();
            for (number, item) in ITEMS.into_iter().enumerate() {
                write(&access, item, &body(tenant, number)).await;
            }
        }
        handle.release().await;
    });
    path
}

pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, target).unwrap();
        }
    }
}

/// What becomes of a damaged store: nothing it says may be wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Refused,
    /// So many of the items were refused; all others are right.
    Read(usize),
    /// An item is said to be absent.
    Lost,
}

fn is_typed(error: &Error) -> bool {
    matches!(error, Error::StoreCorrupt(_) | Error::InvalidInput(_) | Error::StoreUnavailable(_))
}

async fn examine(path: &Path) -> Outcome {
    let handle = match opened(path).await {
        Ok(handle) => handle,
        Err(error) => {
            assert!(is_typed(&error), "{error:?}");
            return Outcome::Refused;
        }
    };
    let (mut refused, mut lost) = (0, false);
    for tenant in ["acme", "other"] {
        let access = scope(handle.store(), tenant).existing().await;
        for (number, item) in ITEMS.into_iter().enumerate() {
            let found = match &access {
                Ok(Some(access)) => read(access, item).await,
                Ok(None) => Ok(None),
                Err(error) => Err(error.clone()),
            };
            match found {
                Ok(Some(found)) => assert!(found == body(tenant, number), "wrong data"),
                Ok(None) => lost = true,
                Err(error) => {
                    assert!(is_typed(&error), "{error:?}");
                    refused += 1;
                }
            }
        }
    }
    handle.release().await;
    if lost { Outcome::Lost } else { Outcome::Read(refused) }
}

/// Runs it on a thread of its own, so that a panic and waiting for ever are found.
pub(crate) fn examined(path: PathBuf) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(wait(examine(&path))).unwrap());
    match receiver.recv_timeout(Duration::from_secs(120)) {
        Ok(outcome) => {
            thread.join().unwrap();
            outcome
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("it panicked: {:?}", thread.join().is_err()),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}

/// Reproducible random numbers (splitmix64).
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as usize
}

/// Flips a byte of a file where something is written.
fn flip(file: &Path, state: &mut u64) -> usize {
    let mut bytes = std::fs::read(file).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(bytes.len(), |last| last + 1);
    let offset = next(state) % written;
    *bytes.get_mut(offset).unwrap() ^= 1 << (next(state) % 8);
    std::fs::write(file, bytes).unwrap();
    offset
}

#[test]
fn a_flipped_bit_anywhere_in_a_stores_files_gives_no_wrong_data() {
    let directory = tempfile::tempdir().unwrap();
    let path = filled(directory.path());
    assert_eq!(examined(path.clone()), Outcome::Read(0));
    let long = std::env::var_os("BAILIWICK_LONG").is_some_and(|value| value == "1");
    let mut state = 3;
    let (mut refused, mut unharmed) = (0, 0);
    for round in 0..if long { 3000 } else { 200 } {
        let damaged = directory.path().join(format!("damaged-{round}"));
        copy(&path, &damaged);
        let mut files = files(&damaged);
        files.retain(|file| file.metadata().unwrap().len() > 0);
        files.sort();
        // Every file in turn, so that small ones have their share.
        let file = files.get(round % files.len()).unwrap();
        let offset = flip(file, &mut state);
        let name = file.strip_prefix(&damaged).unwrap().display().to_string();
        match examined(damaged) {
            Outcome::Refused => refused += 1,
            Outcome::Read(0) => unharmed += 1,
            Outcome::Read(_) => refused += 1,
            Outcome::Lost => panic!("items are gone without a word after a flip at {offset} of {name}"),
        }
    }
    assert!(refused > 0 && unharmed > 0, "refused {refused}, unharmed {unharmed}");
}

#[test]
fn a_missing_damaged_or_foreign_root_key_file_opens_nothing() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, foreign) = (filled(directory.path()), filled(elsewhere.path()));
    let file = path.join("root.key");
    let key = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(refusal(&path).code(), "INVALID_INPUT");
    assert!(!file.exists(), "no other key is made");
    std::fs::write(&file, [0; 31]).unwrap();
    assert_eq!(refusal(&path).code(), "STORE_CORRUPT");
    std::fs::copy(foreign.join("root.key"), &file).unwrap();
    assert_eq!(refusal(&path).code(), "INVALID_INPUT");
    assert_eq!(wait(open_with(&path, RootKey::Given(KEY.to_vec().into()))).err().unwrap().code(), "INVALID_INPUT");
    std::fs::write(&file, key).unwrap();
    assert_eq!(examined(path), Outcome::Read(0));
}

#[test]
fn the_keys_of_one_store_do_not_open_the_records_of_another_even_under_one_root_key() {
    let directory = tempfile::tempdir().unwrap();
    let key = || RootKey::Given(KEY.to_vec().into());
    let make = |name: &str| {
        let path = directory.path().join(name);
        wait(async {
            let handle = open_with(&path, key()).await.unwrap();
            let access = scope(handle.store(), "acme").for_writing().await.unwrap();
            write(&access, Item { logical: "one", ..crate::tamper::raw::ITEM }, name.as_bytes()).await;
            handle.release().await;
        });
        path
    };
    let (one, other) = (make("one"), make("other"));
    std::fs::copy(other.join("keys"), one.join("keys")).unwrap();
    assert_eq!(wait(open_with(&one, key())).err().unwrap().code(), "STORE_CORRUPT");
}

#[test]
fn a_directory_that_is_no_store_of_ours_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let foreign = directory.path().join("photos");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("sea.jpg"), b"sea").unwrap();
    assert_eq!(refusal(&foreign).code(), "INVALID_INPUT");
    assert_eq!(files(&foreign).len(), 1);
    let path = filled(directory.path());
    symlink(&path, directory.path().join("link")).unwrap();
    assert!(refusal(&directory.path().join("link")).to_string().contains("symbolic link"));
    std::fs::write(path.join("format"), b"bailiwick-store 9\n").unwrap();
    let newer = refusal(&path);
    assert!(newer.code() == "INVALID_INPUT" && newer.to_string().contains("newer version"));
}

#[test]
fn a_store_that_is_open_can_be_joined_with_its_root_key_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    wait(async {
        let key = |byte: u8| RootKey::Given(vec![byte; 32].into());
        let first = open_with(&path, key(1)).await.unwrap();
        assert_eq!(open_with(&path, key(2)).await.err().unwrap().code(), "INVALID_INPUT");
        let second = open_with(&path, key(1)).await.unwrap();
        assert!(Arc::ptr_eq(first.store(), second.store()));
        first.release().await;
        assert!(scope(second.store(), "acme").existing().await.unwrap().is_none());
        second.release().await;
        assert_eq!(scope(second.store(), "acme").existing().await.err().unwrap().code(), "CLOSED");
    });
}

#[test]
fn a_cache_too_small_to_work_with_is_refused_before_anything_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = filled(directory.path());
    let opening = |path: &Path, bytes: u64| {
        let store = StoreOptions { clock: Clock::fixed(1), ..StoreOptions::default() };
        let options = OpenOptions { store, engine_cache_bytes: Some(bytes), connections: None, must_exist: false };
        wait(open(&format!("sled:{}", path.display()), options))
    };
    let fresh = directory.path().join("above").join("fresh");
    for bytes in [0, 1, 255, (1 << 20) - 1] {
        for path in [&path, &fresh] {
            let refused = opening(path, bytes).err().unwrap();
            assert_eq!(refused.code(), "INVALID_INPUT", "{bytes}");
            assert!(refused.to_string().contains("cacheBytes must be at least 1048576"), "{refused}");
        }
    }
    assert!(!directory.path().join("above").exists());
    assert!(std::fs::read_dir(&path).unwrap().all(|entry| !entry.unwrap().path().ends_with("db.damaged-1")));
    wait(opening(&path, 1 << 20).unwrap().release());
    assert_eq!(examined(path), Outcome::Read(0));
}

#[test]
fn a_path_is_the_same_store_however_it_is_written_and_no_guess_is_made_about_a_missing_one() {
    let directory = tempfile::tempdir().unwrap();
    let below = |path: &str| directory.path().join(path);
    wait(async {
        let first = opened(&below("new/./above//store")).await.unwrap();
        symlink(below("new"), below("link")).unwrap();
        for same in ["new/above/store", "link/above/store", "link/above/../above/store", "new/above/store/"] {
            let second = opened(&below(same)).await.unwrap();
            assert!(Arc::ptr_eq(first.store(), second.store()), "{same}");
            second.release().await;
        }
        first.release().await;
    });
    for unclear in ["missing/../store", "missing/..", "new/missing/../../store", "missing/../more/store"] {
        assert_eq!(refusal(&below(unclear)).code(), "INVALID_INPUT", "{unclear}");
    }
    symlink(below("nowhere"), below("dangling")).unwrap();
    assert_eq!(refusal(&below("dangling/store")).code(), "STORE_UNAVAILABLE");
    assert!(!below("missing").exists() && !below("nowhere").exists());
}

const CHILD_DIRECTORY: &str = "BAILIWICK_TEST_DIRECTORY";

#[test]
#[ignore = "the child of the other tests"]
fn fills_a_store() {
    filled(&Path::new(&std::env::var_os(CHILD_DIRECTORY).unwrap()).join("new").join("and").join("nested"));
}

#[test]
fn files_are_their_owners_alone_whatever_the_umask() {
    for umask in ["0", "777", "22"] {
        let directory = tempfile::tempdir().unwrap();
        let script = format!("umask {umask} && exec \"$0\" --ignored --exact tamper::directories::fills_a_store");
        let mut child = Command::new("sh");
        child.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(CHILD_DIRECTORY, directory.path());
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "umask {umask}: {said}");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        for made in ["new", "new/and", "new/and/nested", "new/and/nested/store"] {
            assert_eq!(mode(&directory.path().join(made)), 0o700, "umask {umask}: {made}");
        }
        let path = directory.path().join("new/and/nested/store");
        for file in files(&path) {
            let parent = mode(file.parent().unwrap());
            assert_eq!(parent, 0o700, "umask {umask}, beside {file:?}");
            assert!(mode(&file) == 0o600, "umask {umask}: {file:?} has {:o}", mode(&file));
        }
    }
}
