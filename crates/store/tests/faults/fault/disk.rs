//! A model of what a power cut leaves of a directory.
//!
//! - **Contents.** A sync that returned makes every earlier change of its file durable. Of the later ones each is kept,
//!   dropped, or (a write) torn at sectors of 512 bytes, in any combination. Changes before a sync that failed are never
//!   made durable by a later one: Linux marks their pages clean.
//! - **Names** (create, mkdir, rename, unlink, rmdir). What a sync of the directory covers is durable. Of the rest a
//!   prefix is kept, by directory. That is what POSIX promises ([`Names::SyncedByDirectory`]). Journalling file systems
//!   do more: names become durable in one order over all directories, so a directory's sync brings every name before it
//!   and a file's sync its own creation and all before that ([`Names::SyncedByFile`]). A store should live with either.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::random::Random;
use super::record::{Event, Synced};

/// What the file system promises about names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    SyncedByDirectory,
    SyncedByFile,
}

/// What becomes of changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    AllDropped,
    AllKept,
    /// Those up to some moment are kept.
    Prefix,
    /// Each is kept, dropped or torn for itself.
    Mixed,
}

impl Fate {
    pub(crate) const ALL: [Self; 4] = [Self::AllDropped, Self::AllKept, Self::Prefix, Self::Mixed];
}

const SECTOR: u64 = 512;

#[derive(Default)]
pub(crate) struct Disk {
    files: HashMap<u64, File>,
    names: Vec<Name>,
    syncs: HashMap<u64, (usize, Synced)>,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
struct Change {
    index: usize,
    event: Event,
    /// Covered by a sync that returned, but behind a lost one, so that it still has to be applied in its turn.
    durable: bool,
    /// A sync that should have covered it failed.
    lost: bool,
}

struct Name {
    index: usize,
    event: Event,
    by_directory: bool,
    by_file: bool,
}

impl Disk {
    /// Takes in the next event of a recording.
    pub(crate) fn apply(&mut self, index: usize, event: &Event) {
        match event {
            Event::Create { file, .. } => {
                self.files.insert(*file, File::default());
                self.name(index, event);
            }
            Event::Mkdir { .. } | Event::Rename { .. } | Event::Unlink { .. } | Event::Rmdir { .. } => {
                self.name(index, event);
            }
            Event::Write { file, .. }
            | Event::Truncate { file, .. }
            | Event::Zero { file, .. }
            | Event::Extend { file, .. } => {
                let change = Change { index, event: event.clone(), durable: false, lost: false };
                self.files.entry(*file).or_default().pending.push(change);
            }
            Event::SyncBegin { token, what } => {
                self.syncs.insert(*token, (index, what.clone()));
            }
            Event::SyncEnd { token } => {
                let (begin, what) = self.syncs.remove(token).unwrap();
                self.synced(begin, &what);
            }
            Event::SyncFailed { token } => {
                let (begin, what) = self.syncs.remove(token).unwrap();
                if let Synced::File(file) = what {
                    let pending = &mut self.files.entry(file).or_default().pending;
                    pending
                        .iter_mut()
                        .filter(|change| change.index < begin && !change.durable)
                        .for_each(|change| change.lost = true);
                }
            }
            Event::Ack { .. } => {}
        }
    }

    fn name(&mut self, index: usize, event: &Event) {
        self.names.push(Name { index, event: event.clone(), by_directory: false, by_file: false });
    }

    fn synced(&mut self, begin: usize, what: &Synced) {
        match what {
            Synced::File(file) => {
                let state = self.files.entry(*file).or_default();
                let covered = |change: &&mut Change| change.index < begin && !change.lost;
                state.pending.iter_mut().filter(covered).for_each(|change| change.durable = true);
                let settled = state.pending.iter().take_while(|change| change.durable).count();
                for change in state.pending.drain(..settled) {
                    change_whole(&mut state.durable, &change.event);
                }
                let creation =
                    |name: &Name| matches!(&name.event, Event::Create { file: created, .. } if created == file);
                if let Some(created) = self.names.iter().position(creation) {
                    self.names[..=created].iter_mut().for_each(|name| name.by_file = true);
                }
            }
            Synced::Directory(path) => {
                let covered = |name: &&mut Name| name.index < begin && name.directory() == path;
                self.names.iter_mut().filter(covered).for_each(|name| name.by_directory = true);
                self.names.iter_mut().filter(|name| name.index < begin).for_each(|name| name.by_file = true);
            }
        }
    }

    /// Writes down what a power cut now would leave.
    pub(crate) fn after_power_cut(&self, names: Names, fate: Fate, random: &mut Random, to: &Path) {
        let tree = self.tree(names, fate, random);
        let oldest = self.files.values().flat_map(|file| file.pending.iter()).map(|change| change.index).min();
        let newest = self.files.values().flat_map(|file| file.pending.iter()).map(|change| change.index).max();
        let moment = match (oldest, newest) {
            (Some(oldest), Some(newest)) => oldest + random.below((newest - oldest + 2) as u64) as usize,
            _ => 0,
        };
        std::fs::create_dir_all(to).unwrap();
        for (path, node) in &tree {
            match node {
                None => std::fs::create_dir_all(to.join(path)).unwrap(),
                Some(file) => {
                    let file = &self.files[file];
                    let mut bytes = file.durable.clone();
                    for change in &file.pending {
                        match fate {
                            _ if change.durable => change_whole(&mut bytes, &change.event),
                            Fate::AllKept | Fate::Prefix if change.lost && random.coin() => {}
                            Fate::AllDropped => {}
                            Fate::AllKept => change_whole(&mut bytes, &change.event),
                            Fate::Prefix if change.index < moment => change_whole(&mut bytes, &change.event),
                            Fate::Prefix => {}
                            Fate::Mixed => match random.below(3) {
                                0 => {}
                                1 => change_whole(&mut bytes, &change.event),
                                _ => change_torn(&mut bytes, &change.event, random),
                            },
                        }
                    }
                    std::fs::write(to.join(path), bytes).unwrap();
                }
            }
        }
    }

    /// The names that are left: a directory is `None`, a file its number.
    fn tree(&self, names: Names, fate: Fate, random: &mut Random) -> BTreeMap<String, Option<u64>> {
        let mut tree = BTreeMap::new();
        // From the first name on that is dropped, the later ones of its directory (or of all) are.
        let mut ended: HashMap<&str, bool> = HashMap::new();
        for name in &self.names {
            let (durable, scope) = match names {
                Names::SyncedByDirectory => (name.by_directory, name.directory()),
                Names::SyncedByFile => (name.by_file, ""),
            };
            if !durable {
                let ended = ended.entry(scope).or_default();
                *ended = *ended
                    || match fate {
                        Fate::AllDropped => true,
                        Fate::AllKept => false,
                        Fate::Prefix | Fate::Mixed => random.below(3) == 0,
                    };
                if *ended {
                    continue;
                }
            }
            change_names(&mut tree, &name.event);
        }
        tree
    }
}

impl Name {
    /// The directory whose sync makes it durable.
    fn directory(&self) -> &str {
        let path = match &self.event {
            Event::Create { path, .. } | Event::Mkdir { path } | Event::Unlink { path } | Event::Rmdir { path } => path,
            Event::Rename { to, .. } => to,
            other => panic!("not a name: {other:?}"),
        };
        path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

fn change_names(tree: &mut BTreeMap<String, Option<u64>>, event: &Event) {
    let exists = |tree: &BTreeMap<String, Option<u64>>, path: &str| match path.rsplit_once('/') {
        Some((directory, _)) => tree.get(directory) == Some(&None),
        None => true,
    };
    match event {
        Event::Create { file, path } if exists(tree, path) => {
            tree.insert(path.clone(), Some(*file));
        }
        Event::Mkdir { path } if exists(tree, path) => {
            tree.insert(path.clone(), None);
        }
        Event::Rename { from, to } if exists(tree, to) => {
            if let Some(node) = tree.remove(from) {
                tree.insert(to.clone(), node);
                let inside = format!("{from}/");
                let moved: Vec<String> = tree.keys().filter(|path| path.starts_with(&inside)).cloned().collect();
                for path in moved {
                    let node = tree.remove(&path).unwrap();
                    tree.insert(format!("{to}/{}", &path[inside.len()..]), node);
                }
            }
        }
        Event::Unlink { path } | Event::Rmdir { path } => {
            tree.remove(path);
        }
        _ => {}
    }
}

fn change_whole(bytes: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write { offset, bytes: new, .. } => put(bytes, *offset, new),
        Event::Truncate { length, .. } => bytes.resize(*length as usize, 0),
        Event::Extend { length, .. } if *length as usize > bytes.len() => bytes.resize(*length as usize, 0),
        Event::Zero { offset, length, .. } => {
            let end = ((offset + length) as usize).min(bytes.len());
            bytes[(*offset as usize).min(end)..end].fill(0);
        }
        _ => {}
    }
}

/// A write of which some sectors arrive; everything else happens or does not.
fn change_torn(bytes: &mut Vec<u8>, event: &Event, random: &mut Random) {
    let Event::Write { offset, bytes: new, .. } = event else {
        if random.coin() {
            change_whole(bytes, event);
        }
        return;
    };
    let prefix_only = random.coin();
    let mut at = 0;
    while at < new.len() {
        let sector_end = (offset + at as u64) / SECTOR * SECTOR + SECTOR;
        let end = ((sector_end - offset) as usize).min(new.len());
        if random.coin() {
            put(bytes, offset + at as u64, &new[at..end]);
        } else if prefix_only {
            return;
        }
        at = end;
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, new: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + new.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[start..end].copy_from_slice(new);
}
