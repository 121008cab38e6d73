//! A copy of a whole store in a directory of its own, while work goes on. It is a store itself, but for the root key:
//! whoever has only the copy can read nothing.
//!
//! It is made beside the directory asked for and renamed at the end, so that half a copy never looks like one.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use bailiwick_model::{Error, Result};
use bailiwick_store::{Commit, Durability, Engine, Exported, Limits, Op, Opened, Tag, Vault, When, sled};

use crate::failure;
use crate::opening::open_sled;
use crate::store::Store;

/// How often a copy is begun again because a tenant was erased meanwhile: it would hold what must be gone.
const ATTEMPTS: usize = 3;
/// So many operations of one tenant are written together.
const OPS: usize = 512;
/// So many headers are copied at once.
const HEADERS: usize = 256;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many rows: records, their parts and the rows of lists.
    pub rows: u64,
    /// The bytes of their sealed values.
    pub bytes: u64,
}

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
        Err(Error::Conflict("Tenants were erased while the copy was made. Make it again.".to_owned()))
    }

    /// `None`: a tenant was erased meanwhile.
    async fn copy_into(&self, directory: &Path) -> Result<Option<Copied>> {
        let erases = self.erases.load(Ordering::SeqCst);
        let target = open_sled(directory, None)?;
        let copied = self.copy_all(&target).await;
        target.engine.close().await;
        let copied = copied?;
        Ok((self.erases.load(Ordering::SeqCst) == erases).then_some(copied))
    }

    async fn copy_all(&self, target: &Opened) -> Result<Copied> {
        let copied = copy_rows(&*self.engine, &*target.engine).await?;
        // All of them under one root key.
        let _no_rotation = self.rotation.lock().await;
        // Headers come before their name rows and go after them: so a tenant with a row has its header here.
        copy_headers(&*self.vault, &*target.vault).await?;
        Ok(copied)
    }
}

async fn copy_rows(from: &dyn Engine, to: &dyn Engine) -> Result<Copied> {
    let mut export = from.export().await.map_err(failure::read)?;
    let mut copied = Copied::default();
    loop {
        let part = export.next().await.map_err(failure::read)?;
        if part.is_empty() {
            return Ok(copied);
        }
        let mut batch: Option<(Tag, Vec<Op>)> = None;
        for exported in part {
            let (tag, op) = lower(exported, &mut copied);
            match &mut batch {
                Some((same, ops)) if *same == tag && ops.len() < OPS => ops.push(op),
                _ => {
                    let full = batch.replace((tag, vec![op]));
                    write(to, full).await?;
                }
            }
        }
        write(to, batch).await?;
    }
}

fn lower(exported: Exported, copied: &mut Copied) -> (Tag, Op) {
    match exported {
        Exported::Row { tag, row, counted } => {
            copied.rows += 1;
            copied.bytes += row.value.len() as u64;
            let (place, value, expires_at) = (row.place, row.value, row.expires_at);
            (tag, Op::Put { place, value, expires_at, counted, when: When::Any })
        }
        Exported::Gone { tag, place } => (tag, Op::Delete { place, when: When::Any }),
        Exported::Wake { due, at } => (due.tag, Op::Wake { kind: due.kind, at }),
    }
}

async fn write(to: &dyn Engine, batch: Option<(Tag, Vec<Op>)>) -> Result<()> {
    let Some((tag, ops)) = batch else { return Ok(()) };
    // Closing the target makes all of it durable.
    let commit = Commit { tag, now: 0, ops, limits: Limits::default(), durability: Durability::Relaxed };
    to.commit(commit).await.map(|_| ()).map_err(failure::commit)
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

/// Removes what a copy that was cut off has left.
fn remove(unfinished: &Path) -> Result<()> {
    match std::fs::remove_dir_all(unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(&error)),
        _ => Ok(()),
    }
}

fn finish(unfinished: &Path, directory: &Path) -> Result<()> {
    std::fs::rename(unfinished, directory).map_err(|error| unusable(&error))?;
    sled::sync_parent(directory).map_err(|error| unusable(&error))
}

fn unusable(error: &std::io::Error) -> Error {
    Error::StoreUnavailable(format!("The backup's directory cannot be used: {}.", error.kind()))
}
