//! A directory that somebody else has prepared: every name in it in turn is made a link, a pipe, something huge and so
//! on. Whatever opens it refuses it, and neither it nor what it leads to is changed by a byte.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::stores::{OpenOptions, StoreHandle, migrate, open};
use bailiwick_tenancy::{Area, Clock, MigrationProgress, RootKey, StoreOptions};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::tamper::directories::{copy, filled, opened, wait};
use crate::tamper::picture::picture;
use crate::tamper::raw::{Item, scope, write};

/// What a store may have besides what a sound one that was closed has.
const SOMETIMES: [(&str, Sort); 11] = [
    ("format.new", Sort::File),
    ("root.key.new", Sort::File),
    ("root.key.next", Sort::File),
    ("root.key.next.new", Sort::File),
    ("manifest.new", Sort::File),
    ("tables/00000000000000ff", Sort::File),
    ("db.unfinished", Sort::Directory),
    ("db.damaged-1", Sort::Directory),
    ("db/snap.00000000000000FF.generating", Sort::File),
    ("db/blobs/77", Sort::File),
    ("values/00000000000000ff", Sort::File),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    File,
    Directory,
}

/// What is put in the place of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    /// A link to what was there, which lies outside now.
    Link,
    LinkToDirectory,
    LinkToDevice,
    LinkToNowhere,
    /// A second name of what was there.
    HardLink,
    Pipe,
    /// A directory where a file belongs, and the other way round.
    Other,
    ForeignOwner,
    Huge,
}

const PLANTS: [Plant; 9] = [
    Plant::Link,
    Plant::LinkToDirectory,
    Plant::LinkToDevice,
    Plant::LinkToNowhere,
    Plant::HardLink,
    Plant::Pipe,
    Plant::Other,
    Plant::ForeignOwner,
    Plant::Huge,
];

/// Larger than any file that is read as a whole, and all hole.
const HUGE: u64 = (1 << 40) + 1;
const SOMEBODY_ELSE: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Plant {
    /// Whether there is such a thing for this name. Only root can give files away.
    fn suits(self, name: &str, sort: Sort) -> bool {
        match self {
            Self::HardLink => sort == Sort::File,
            // Files that are read in parts alone may have any size.
            Self::Huge => {
                sort == Sort::File && !["segments/", "values/", "db/blobs/"].iter().any(|part| name.starts_with(part))
            }
            Self::ForeignOwner => is_root(),
            _ => true,
        }
    }

    /// Does it. `outside` is empty.
    fn put(self, path: &Path, sort: Sort, outside: &Path) {
        let victim = outside.join("victim");
        if path.symlink_metadata().is_err() {
            // Stores of older formats have directories that newer ones do not have.
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match sort {
                Sort::File => std::fs::write(path, [7; 600]).unwrap(),
                Sort::Directory => {
                    std::fs::create_dir(path).unwrap();
                    std::fs::write(path.join("db"), [7; 600]).unwrap();
                }
            }
        }
        match self {
            Self::HardLink => std::fs::hard_link(path, &victim).unwrap(),
            Self::ForeignOwner => chown(path, Some(SOMEBODY_ELSE), None).unwrap(),
            Self::Huge => std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(HUGE).unwrap(),
            _ => std::fs::rename(path, &victim).unwrap(),
        }
        let directory = outside.join("directory");
        std::fs::create_dir(&directory).unwrap();
        // Among them names that a store gives.
        for name in ["thesis.txt", "0000000000000001", "db", "conf", "snap.0000000000000001.generating"] {
            std::fs::write(directory.join(name), b"mine").unwrap();
        }
        match self {
            Self::Link => symlink(&victim, path).unwrap(),
            Self::LinkToDirectory => symlink(&directory, path).unwrap(),
            Self::LinkToDevice => symlink("/dev/zero", path).unwrap(),
            Self::LinkToNowhere => symlink(outside.join("nowhere"), path).unwrap(),
            Self::Pipe => mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            Self::Other if sort == Sort::File => std::fs::create_dir(path).unwrap(),
            Self::Other => std::fs::write(path, b"mine").unwrap(),
            Self::HardLink | Self::ForeignOwner | Self::Huge => {}
        }
        for (name, mode) in [("victim", 0o644), ("directory", 0o755)] {
            let path = outside.join(name);
            // A hard link has the mode of the other name.
            if path.exists() && self != Self::HardLink {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

/// What somebody does with a directory that they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// As doctor, inspect, backup and restore open what they read.
    OpenExisting,
    MigrateFrom,
    MigrateTo,
    /// It lies where a backup or a restored store would be made.
    Backup,
}

pub(crate) async fn open_existing(path: &Path) -> Result<StoreHandle> {
    let store = StoreOptions { root_key: RootKey::Local, opened_bytes: 0, clock: Clock::fixed(1), seed: None };
    let options = OpenOptions { store, engine_cache_bytes: Some(4 << 20), connections: None, must_exist: true };
    open(&format!("sled:{}", path.display()), options).await
}

fn url(path: &Path) -> String {
    format!("sled:{}", path.display())
}

/// On a thread of its own, so that waiting for ever is found.
fn answer<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(ask()));
    match receiver.recv_timeout(Duration::from_secs(120)) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("it panicked: {:?}", thread.join().is_err()),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}

/// Why it was refused. `None`: it was not.
fn refusal(way: Way, evil: PathBuf, sound: PathBuf) -> Option<Error> {
    answer(move || {
        wait(async {
            let opened = match way {
                Way::Open => opened(&evil).await,
                Way::OpenExisting => open_existing(&evil).await,
                Way::MigrateFrom => {
                    let to = sound.with_file_name("fresh");
                    return migrate(&url(&evil), &url(&to), RootKey::Local, &MigrationProgress::default()).await.err();
                }
                Way::MigrateTo => {
                    return migrate(&url(&sound), &url(&evil), RootKey::Local, &MigrationProgress::default())
                        .await
                        .err();
                }
                Way::Backup => {
                    let source = opened(&sound).await.unwrap();
                    let made = source.backup(&evil.with_file_name("copy")).await;
                    source.release().await;
                    return made.err();
                }
            };
            match opened {
                Ok(handle) => {
                    handle.release().await;
                    None
                }
                Err(error) => Some(error),
            }
        })
    })
}

/// A sound store with all sorts of files: beside what it is told, a value so large that it has a file of its own.
fn store_with_everything(directory: &Path) -> PathBuf {
    let path = filled(directory);
    wait(async {
        let handle = opened(&path).await.unwrap();
        let access = scope(handle.store(), "acme").for_writing().await.unwrap();
        let item = Item { kind: Kind::References, area: Area::Content, logical: "huge" };
        write(&access, item, &vec![1; (4 << 20) + 100]).await;
        handle.release().await;
    });
    path
}

/// Every name in a store, and those that are there at times.
fn names(store: &Path) -> Vec<(String, Sort)> {
    let mut names: Vec<_> = picture(store)
        .into_keys()
        .filter(|name| name != Path::new(""))
        .map(|name| {
            let sort = if store.join(&name).is_dir() { Sort::Directory } else { Sort::File };
            (name.to_str().unwrap().to_owned(), sort)
        })
        .collect();
    let wanted = ["format", "lock", "keys", "root.key", "mark", "wal-1", "wal-2"];
    for wanted in wanted.into_iter().chain(["manifest", "tables", "segments", "values"]) {
        assert!(names.iter().any(|(name, _)| name == wanted), "{wanted}");
    }
    for part in ["tables/0", "segments/0", "values/0"] {
        assert!(names.iter().any(|(name, _)| name.starts_with(part)), "{part}");
    }
    names.extend(SOMETIMES.map(|(name, sort)| (name.to_owned(), sort)));
    names
}

#[test]
fn whatever_stands_in_the_place_of_a_stores_file_it_is_refused_and_nothing_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with_everything(directory.path());
    let (mut cells, mut wrong) = (0, Vec::new());
    for (number, (name, sort)) in names(&store).into_iter().enumerate() {
        for plant in PLANTS.into_iter().filter(|plant| plant.suits(&name, sort)) {
            let place = tempfile::tempdir_in(directory.path()).unwrap();
            let (evil, outside) = (place.path().join(".copy.unfinished"), place.path().join("outside"));
            std::fs::create_dir(&outside).unwrap();
            copy(&store, &evil);
            plant.put(&evil.join(&name), sort, &outside);
            let mut ways = vec![Way::Open, Way::OpenExisting, Way::Backup];
            // They open a directory by the same function; each name is tried once.
            if number % PLANTS.len() == plant as usize {
                ways.extend([Way::MigrateFrom, Way::MigrateTo]);
            }
            for way in ways {
                if way == Way::Backup {
                    // A copy never has a root key. With it the whole directory is refused, whatever else is in it.
                    for key in ["root.key", "root.key.next", "root.key.new"].into_iter().filter(|key| *key != name) {
                        let _ = std::fs::remove_file(evil.join(key));
                    }
                }
                let before = [picture(&evil), picture(&outside)];
                let refused = refusal(way, evil.clone(), store.clone());
                let is_changed = before != [picture(&evil), picture(&outside)];
                // A backup says where it would have been made, and not what is wrong there.
                let is_said = matches!(&refused, Some(Error::InvalidInput(why))
                    if why.contains("othing was changed") && (way == Way::Backup || why.contains(&name)));
                if is_changed || !is_said {
                    wrong.push(format!("{name}, {plant:?}, {way:?}: changed: {is_changed}, {refused:?}"));
                }
                cells += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells}: {wrong:#?}", wrong.len());
    assert!(cells > 500, "{cells}");
    // Without any of it, the same directory opens.
    wait(async { open_existing(&store).await.unwrap().release().await });
}

#[test]
fn any_other_file_in_place_of_the_directory_is_refused_and_nothing_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    for plant in PLANTS.into_iter().filter(|plant| plant.suits("", Sort::Directory)) {
        let place = tempfile::tempdir_in(directory.path()).unwrap();
        let (evil, outside) = (place.path().join(".copy.unfinished"), place.path().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        copy(&store, &evil);
        plant.put(&evil, Sort::Directory, &outside);
        for way in [Way::Open, Way::OpenExisting, Way::Backup, Way::MigrateTo] {
            let before = [picture(&evil), picture(&outside)];
            let refused = refusal(way, evil.clone(), store.clone());
            assert!(matches!(refused, Some(Error::InvalidInput(_))), "{plant:?}, {way:?}: {refused:?}");
            assert!(before == [picture(&evil), picture(&outside)], "something was changed: {plant:?}, {way:?}");
        }
    }
}

#[test]
fn a_directory_of_another_user_is_refused_with_all_its_files() {
    let directory = tempfile::tempdir().unwrap();
    // Who is not root gives nothing away, but finds what is root's.
    let foreign = if is_root() {
        let path = directory.path().join("theirs");
        std::fs::create_dir(&path).unwrap();
        chown(&path, Some(SOMEBODY_ELSE), None).unwrap();
        path
    } else {
        PathBuf::from("/usr")
    };
    let before = foreign.symlink_metadata().unwrap().permissions();
    let refused = refusal(Way::Open, foreign.clone(), foreign.clone()).unwrap();
    assert!(refused.to_string().contains("belongs to another user"), "{refused}");
    assert!(foreign.symlink_metadata().unwrap().permissions() == before && !foreign.join("lock").exists());
}

#[test]
fn a_root_key_that_was_there_before_the_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    for key in ["root.key", "root.key.new", "root.key.next", "root.key.next.new"] {
        // As a creation that was cut off leaves it, and in a directory with nothing else.
        for others in [&["lock", "keys", "tables", "segments", "values"][..], &[]] {
            let place = tempfile::tempdir_in(directory.path()).unwrap();
            let planted = place.path().join("store");
            std::fs::create_dir(&planted).unwrap();
            for other in others {
                if store.join(other).is_dir() {
                    std::fs::create_dir(planted.join(other)).unwrap();
                } else {
                    std::fs::write(planted.join(other), b"").unwrap();
                }
            }
            std::fs::write(planted.join(key), [3; 32]).unwrap();
            let before = picture(&planted);
            for way in [Way::Open, Way::OpenExisting, Way::MigrateTo] {
                let refused = refusal(way, planted.clone(), store.clone());
                assert!(matches!(&refused, Some(Error::InvalidInput(why)) if why.contains(key)), "{refused:?}");
                assert!(picture(&planted) == before, "{key}");
            }
            // Without it the store is made where its creation was cut off, with a root key of its own.
            std::fs::remove_file(planted.join(key)).unwrap();
            wait(async { opened(&planted).await.unwrap().release().await });
            assert_ne!(std::fs::read(planted.join("root.key")).unwrap(), [3; 32]);
        }
    }
}
