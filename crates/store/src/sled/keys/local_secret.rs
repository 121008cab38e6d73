//! The secret that lies beside the data, and while it is being replaced the next one: `root.key` and `root.key.next`.
//! Drawn, with a table of crash points, in `docs/format/keys.md`.

use std::io::{self, Write};
use std::sync::Arc;

use crate::sled::lock::directory::{read_small, write_whole};
use crate::sled::lock::layout::{NEXT_ROOT_KEY as NEXT, ROOT_KEY as NOW, SMALL};
use crate::sled::lock::system::{Directory, How, make_private_file};

/// See the module.
pub(in crate::sled) struct LocalSecret {
    store: Arc<Directory>,
}

impl LocalSecret {
    /// Takes the files of a store's directory as they are.
    pub(in crate::sled) fn new(store: Arc<Directory>) -> Self {
        Self { store }
    }

    /// Makes them their owner's alone.
    pub(in crate::sled) fn make_private(&self) -> io::Result<()> {
        for name in [NOW, NEXT] {
            if let Some(file) = self.store.file_if_there(name, How::Write)? {
                make_private_file(&file)?;
            }
        }
        Ok(())
    }

    /// Removes what was never written to its end.
    pub(in crate::sled) fn repair(&self) -> io::Result<()> {
        [NOW, NEXT].iter().try_for_each(|name| self.store.remove_if_there(&format!("{name}.new")))
    }

    pub(in crate::sled) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        read_small(&self.store, NOW)
    }

    pub(in crate::sled) fn read_next(&self) -> io::Result<Option<Vec<u8>>> {
        read_small(&self.store, NEXT)
    }

    pub(in crate::sled) fn write(&self, secret: &[u8]) -> io::Result<()> {
        write_whole(&self.store, NOW, secret)
    }

    /// `false` if there is none that it could follow.
    pub(in crate::sled) fn write_next(&self, secret: &[u8]) -> io::Result<bool> {
        if self.read()?.is_none() {
            return Ok(false);
        }
        write_whole(&self.store, NEXT, secret).map(|()| true)
    }

    /// Ends the wait of the next secret. Renaming alone would leave the bytes of the old one in blocks that are free.
    pub(in crate::sled) fn settle(&self, promote: bool) -> io::Result<()> {
        if self.store.entry(NEXT)?.is_none() {
            return Ok(());
        }
        if promote {
            self.overwrite(NOW)?;
            self.store.rename(NEXT, NOW)?;
        } else {
            self.overwrite(NEXT)?;
            self.store.remove_file(NEXT)?;
        }
        self.store.sync()
    }

    /// Zeros in the place of what a file holds, synced.
    fn overwrite(&self, name: &str) -> io::Result<()> {
        let Some(mut file) = self.store.file_if_there(name, How::Write)? else { return Ok(()) };
        let length = file.metadata()?.len().min(SMALL);
        file.write_all(&vec![0; usize::try_from(length).unwrap_or_default()])?;
        file.sync_all()
    }
}
