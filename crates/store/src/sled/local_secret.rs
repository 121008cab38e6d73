//! The secret that lies beside the data, and while it is being replaced the next one: `root.key` and `root.key.next`.
//! Drawn, with a table of crash points, in `docs/format/keys.md`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::directory::write_whole;
use super::system::{make_private_file_at, sync_directory};

const NOW: &str = "root.key";
const NEXT: &str = "root.key.next";

/// See the module.
pub(super) struct LocalSecret {
    store: PathBuf,
}

impl LocalSecret {
    /// Takes the files of a store's directory as they are, but for those that were never written to their end.
    pub(super) fn open(store: PathBuf) -> io::Result<Self> {
        for name in [NOW, NEXT] {
            let unfinished = store.join(format!("{name}.new"));
            if unfinished.exists() {
                std::fs::remove_file(unfinished)?;
            }
            match make_private_file_at(&store.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(Self { store })
    }

    pub(super) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.store.join(NOW))
    }

    pub(super) fn read_next(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.store.join(NEXT))
    }

    pub(super) fn write(&self, secret: &[u8]) -> io::Result<()> {
        write_whole(&self.store, NOW, secret)
    }

    /// `false` if there is none that it could follow.
    pub(super) fn write_next(&self, secret: &[u8]) -> io::Result<bool> {
        if self.read()?.is_none() {
            return Ok(false);
        }
        write_whole(&self.store, NEXT, secret).map(|()| true)
    }

    /// Ends the wait of the next secret. Renaming alone would leave the bytes of the old one in blocks that are free.
    pub(super) fn settle(&self, promote: bool) -> io::Result<()> {
        let (now, next) = (self.store.join(NOW), self.store.join(NEXT));
        if !next.exists() {
            return Ok(());
        }
        if promote {
            overwrite(&now)?;
            std::fs::rename(&next, &now)?;
        } else {
            overwrite(&next)?;
            std::fs::remove_file(&next)?;
        }
        sync_directory(&self.store)
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(secret) => Ok(Some(secret)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Zeros in the place of what a file holds, synced.
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}
