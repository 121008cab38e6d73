//! A copy of a whole store in a directory of its own, while work goes on. It is a store itself, but for the root key:
//! whoever has only the copy can read nothing.
//!
//! It is made beside the directory asked for and renamed at the end, so that half a copy never looks like one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use bailiwick_model::{Error, Result};
use bailiwick_store::{Engine, Exported, Found, Opened, Tag, Vault, sled};
use bytes::Bytes;

use crate::copying::{Copied, copy_rows};
use crate::failure;
use crate::name_row;
use crate::opening::open_sled;
use crate::store::Store;

/// How often a copy is begun again because a tenant was erased meanwhile, by this process or another: it would hold what
/// must be gone.
const ATTEMPTS: usize = 3;
/// So many headers are copied at once.
const HEADERS: usize = 256;

impl Store {
    /// Copies everything into a directory that is not there yet, or empty.
    ///
    /// # Errors
    /// `InvalidInput` if there is something in the directory, `Conflict` if tenants keep being erased meanwhile, and those
    /// of the store and of the disk.
    pub async fn backup(&self, directory: &Path) -> Result<Copied> {
        let unfinished = refuse_taken(directory)?;
        for _ in 0..ATTEMPTS {
            remove(&unfinished)?;
            let copied = self.copy_into(&unfinished).await;
            match copied {
                Ok(Some(copied)) => {
                    finish(&unfinished, directory)?;
                    return Ok(copied);
                }
                Ok(None) => {}
                Err(error) => {
                    let _ = remove(&unfinished);
                    return Err(error);
                }
            }
        }
        remove(&unfinished)?;
        Err(Error::Conflict(
            "Tenants were erased, or the root key was rotated, while the copy was made. Make it again.".to_owned(),
        ))
    }

    /// `None`: a tenant was erased meanwhile, or another process rotated the root key.
    async fn copy_into(&self, directory: &Path) -> Result<Option<Copied>> {
        let target = open_sled(directory, None, sled::Absent::Make, None)?;
        let copied = self.copy_all(&target).await;
        target.engine.close().await;
        copied
    }

    async fn copy_all(&self, target: &Opened) -> Result<Option<Copied>> {
        let mut names = BTreeSet::new();
        let copied = copy_rows(&*self.engine, &*target.engine, |exported| names.extend(name_of(exported))).await?;
        // All of them under one root key.
        let _no_rotation = self.rotation.lock().await;
        // Headers come before their name rows and go after them: so a tenant with a row has its header here.
        copy_headers(&*self.vault, &*target.vault).await?;
        let same = same_names(&*self.engine, &*target.engine, names).await?
            && same_headers(&*self.vault, &*target.vault).await?;
        Ok(same.then_some(copied))
    }
}

async fn copy_headers(from: &dyn Vault, to: &dyn Vault) -> Result<()> {
    let mut after = None;
    loop {
        let names = from.names(after, HEADERS).await.map_err(failure::read)?;
        for name in &names {
            if let Some(slot) = from.get(*name).await.map_err(failure::read)? {
                to.create(*name, slot.value).await.map_err(failure::read)?;
            }
        }
        match names.last() {
            Some(last) => after = Some(*last),
            None => return Ok(()),
        }
    }
}

fn name_of(exported: &Exported) -> Option<[u8; 32]> {
    match exported {
        Exported::Row { tag, row, .. } if row.place == name_row::PLACE => Some(tag.0),
        _ => None,
    }
}

/// Whether the rows of all names that were copied are still what they were: an erase begins by changing one.
async fn same_names(from: &dyn Engine, to: &dyn Engine, names: BTreeSet<[u8; 32]>) -> Result<bool> {
    for name in names {
        if name_row_of(from, name).await? != name_row_of(to, name).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// As it is sealed: no two changes of it are alike.
async fn name_row_of(engine: &dyn Engine, name: [u8; 32]) -> Result<Option<Bytes>> {
    let found = engine.get(Tag(name), vec![(name_row::PLACE, None)], u64::MAX, 0).await.map_err(failure::read)?;
    Ok(match found.into_iter().next() {
        Some(Found::Entry(row)) => Some(row.value),
        _ => None,
    })
}

/// Whether all headers that were copied are still there and the same: a tenant that came meanwhile may have none but
/// that, and a rotation changes them all.
async fn same_headers(from: &dyn Vault, to: &dyn Vault) -> Result<bool> {
    let mut after = None;
    loop {
        let names = to.names(after, HEADERS).await.map_err(failure::read)?;
        for name in &names {
            let [there, here] = [from.get(*name).await, to.get(*name).await];
            let [there, here] = [there.map_err(failure::read)?, here.map_err(failure::read)?];
            if there.map(|slot| slot.value) != here.map(|slot| slot.value) {
                return Ok(false);
            }
        }
        match names.last() {
            Some(last) => after = Some(*last),
            None => return Ok(true),
        }
    }
}

/// Where the copy is made, if there is nothing in the way of it.
fn refuse_taken(directory: &Path) -> Result<PathBuf> {
    let taken = || Error::invalid("A backup goes into a directory that is not there yet, or is empty. Name another.");
    match std::fs::symlink_metadata(directory) {
        Ok(found) if !found.is_dir() => return Err(taken()),
        Ok(_) if std::fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some()) => return Err(taken()),
        _ => {}
    }
    let name = directory.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::invalid("A backup needs the name of a directory, such as ./backup."))?;
    Ok(directory.with_file_name(format!(".{name}.unfinished")))
}

/// Removes what a copy that was cut off has left, and nothing else.
fn remove(unfinished: &Path) -> Result<()> {
    sled::remove_copy(unfinished).map_err(|error| match error {
        sled::OpenError::Locked => Error::Conflict(
            "Another backup into this directory is being made. Wait for its end, or name another.".to_owned(),
        ),
        sled::OpenError::Full | sled::OpenError::Unavailable(_) => Error::StoreUnavailable(format!(
            "What an earlier backup has left cannot be removed, in {:?} beside the directory. Remove it, or name another directory.",
            last_name(unfinished),
        )),
        _ => Error::invalid(format!(
            "Beside the directory there is {:?}, where the backup would be made, and it holds something else than an unfinished backup. Nothing was changed. Move it away, or name another directory.",
            last_name(unfinished),
        )),
    })
}

fn last_name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

fn finish(unfinished: &Path, directory: &Path) -> Result<()> {
    // Windows renames nothing onto a directory, were it empty as here.
    if cfg!(windows) && directory.exists() {
        std::fs::remove_dir(directory).map_err(|error| unusable(&error))?;
    }
    std::fs::rename(unfinished, directory).map_err(|error| unusable(&error))?;
    sled::sync_parent(directory).map_err(|error| unusable(&error))
}

fn unusable(error: &std::io::Error) -> Error {
    Error::StoreUnavailable(format!("The backup's directory cannot be used: {}.", error.kind()))
}
