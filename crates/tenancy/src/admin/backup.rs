//! Backup: a copy of a whole store in another directory, while the store is in use. It is a store itself, without the root key:
//! the copy alone cannot be decrypted.
//!
//! It is written beside the requested directory and renamed at the end, so that an incomplete copy is never taken for a backup.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use bailiwick_model::{Error, Result};
use bailiwick_store::{Engine, EngineFuture, Exported, Opened, Tag, Vault, sled};

use super::copy_rows::{Copied, copy_rows};
use super::open::open_sled;
use crate::errors;
use crate::rows::internal::{self, NAME};
use crate::tenant::store::Store;

/// How often a copy is started again because a tenant was erased meanwhile: it would contain what must be gone.
const ATTEMPTS: usize = 3;
/// The headers that are copied at once.
const HEADERS: usize = 256;

impl Store {
    /// Copies everything into a directory that does not exist yet or is empty.
    ///
    /// # Errors
    /// `InvalidInput` if the directory is not empty, `Conflict` if tenants are erased again and again meanwhile, and those of
    /// the store and of the disk.
    pub fn backup<'a>(&'a self, directory: &'a Path) -> EngineFuture<'a, Result<Copied>> {
        Box::pin(async move {
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
        })
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
        // All headers are wrapped with one root key.
        let _no_rotation = self.rotation.lock().await;
        // A header is created before its name row and wiped after it: so every tenant with a copied row has its header here.
        copy_headers(&*self.vault, &*target.vault).await?;
        let same = same_names(&*self.engine, &*target.engine, names).await?
            && same_headers(&*self.vault, &*target.vault).await?;
        Ok(same.then_some(copied))
    }
}

async fn copy_headers(from: &dyn Vault, to: &dyn Vault) -> Result<()> {
    let mut after = None;
    loop {
        let names = from.names(after, HEADERS).await.map_err(errors::read)?;
        for name in &names {
            if let Some(slot) = from.get(*name).await.map_err(errors::read)? {
                to.create(*name, slot.value).await.map_err(errors::read)?;
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
        Exported::Row { tag, row, .. } if row.place == NAME => Some(tag.0),
        _ => None,
    }
}

/// Whether all name rows that were copied are unchanged: an erase begins with a change of one.
async fn same_names(from: &dyn Engine, to: &dyn Engine, names: BTreeSet<[u8; 32]>) -> Result<bool> {
    for name in names {
        // Compared sealed: no two versions of a row are equal then.
        let [here, copied] = [internal::read(from, Tag(name), NAME).await?, internal::read(to, Tag(name), NAME).await?];
        if here.map(|row| row.value) != copied.map(|row| row.value) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether all headers that were copied are unchanged: a tenant that was created meanwhile may have only that, and a rotation
/// changes all.
async fn same_headers(from: &dyn Vault, to: &dyn Vault) -> Result<bool> {
    let mut after = None;
    loop {
        let names = to.names(after, HEADERS).await.map_err(errors::read)?;
        for name in &names {
            let [there, here] = [from.get(*name).await, to.get(*name).await];
            let [there, here] = [there.map_err(errors::read)?, here.map_err(errors::read)?];
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

/// Returns the directory where the copy is written, if the requested one is free.
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

/// Removes the incomplete copy of an interrupted backup, and nothing else.
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
    // Windows cannot rename onto a directory, even an empty one.
    if cfg!(windows) && directory.exists() {
        std::fs::remove_dir(directory).map_err(|error| unusable(&error))?;
    }
    std::fs::rename(unfinished, directory).map_err(|error| unusable(&error))?;
    sled::sync_parent(directory).map_err(|error| unusable(&error))
}

fn unusable(error: &std::io::Error) -> Error {
    Error::StoreUnavailable(format!("The backup's directory cannot be used: {}.", error.kind()))
}
