//! The vault of a directory: the `keys` file behind a thread that groups changes into few syncs, and the local
//! secret, whose changes take their turn among them.

pub(in crate::sled) mod keys_file;
pub(in crate::sled) mod local_secret;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::engine::ReadError;
use crate::memory::refuse_oversized;
use crate::sled::keys::keys_file::{KeysFile, Pending};
use crate::sled::keys::local_secret::LocalSecret;
use crate::sled::writer::committer::CommitQueue;
use crate::sled::writer::status::{GONE, Status};
use crate::vault::{Created, Slot};

/// So many changes share their syncs.
const TOGETHER: usize = 128;

type Name = [u8; 32];
type Waiter<T> = oneshot::Sender<Result<T, ReadError>>;

/// A change, and who waits for it.
pub(in crate::sled) enum Request {
    Create { name: Name, value: Vec<u8>, answer: Waiter<Created> },
    Replace { name: Name, generation: u64, value: Vec<u8>, answer: Waiter<bool> },
    Wipe { name: Name, value: Vec<u8>, answer: Waiter<bool> },
    CreateLocalSecret { secret: Vec<u8>, answer: Waiter<bool> },
    CreateNextLocalSecret { secret: Vec<u8>, answer: Waiter<bool> },
    SettleLocalSecret { promote: bool, answer: Waiter<()> },
}

impl Request {
    fn name(&self) -> Option<Name> {
        match self {
            Self::Create { name, .. } | Self::Replace { name, .. } | Self::Wipe { name, .. } => Some(*name),
            Self::CreateLocalSecret { .. } | Self::CreateNextLocalSecret { .. } | Self::SettleLocalSecret { .. } => {
                None
            }
        }
    }

    fn refuse(self, error: ReadError) {
        match self {
            Self::Create { answer, .. } => {
                let _ = answer.send(Err(error));
            }
            Self::Replace { answer, .. }
            | Self::Wipe { answer, .. }
            | Self::CreateLocalSecret { answer, .. }
            | Self::CreateNextLocalSecret { answer, .. } => {
                let _ = answer.send(Err(error));
            }
            Self::SettleLocalSecret { answer, .. } => {
                let _ = answer.send(Err(error));
            }
        }
    }
}

/// An answer that is given once everything is synced.
type Then = Box<dyn FnOnce(Result<(), ReadError>)>;

fn then<T: 'static>(answer: Waiter<T>, value: T) -> Then {
    Box::new(move |result| {
        let _ = answer.send(result.map(|()| value));
    })
}

/// See the module.
pub(in crate::sled) struct Keys {
    secret: LocalSecret,
    file: Mutex<KeysFile>,
    status: Arc<Status>,
    queue: Arc<CommitQueue>,
}

impl Keys {
    pub(in crate::sled) fn new(
        secret: LocalSecret,
        file: KeysFile,
        status: Arc<Status>,
        queue: Arc<CommitQueue>,
    ) -> Self {
        Self { secret, file: Mutex::new(file), status, queue }
    }

    /// Whether the file can still be found.
    pub(in crate::sled) fn has_name(&self) -> bool {
        self.file.lock().has_name()
    }

    pub(in crate::sled) fn get(&self, name: &Name) -> Result<Option<Slot>, ReadError> {
        match self.file.lock().get(name) {
            None => Ok(None),
            Some(Ok(Some(slot))) => Ok(Some(slot)),
            Some(Ok(None)) => Err(ReadError::Corrupt),
            Some(Err(_)) => Err(ReadError::Unavailable),
        }
    }

    pub(in crate::sled) fn names(&self, after: Option<Name>, limit: usize) -> Vec<Name> {
        self.file.lock().names(after, limit)
    }

    pub(in crate::sled) fn local_secret(&self) -> Result<Option<Vec<u8>>, ReadError> {
        self.secret.read().map_err(|_| ReadError::Unavailable)
    }

    pub(in crate::sled) fn next_local_secret(&self) -> Result<Option<Vec<u8>>, ReadError> {
        self.secret.read_next().map_err(|_| ReadError::Unavailable)
    }

    /// Makes changes until there is nobody left to ask for any.
    pub(in crate::sled) fn run(&self, requests: Receiver<Request>) {
        let mut first = requests.recv().ok();
        while let Some(request) = first.take() {
            let mut names: BTreeSet<Name> = request.name().into_iter().collect();
            let mut together = vec![request];
            while together.len() < TOGETHER {
                let Ok(request) = requests.try_recv() else { break };
                // A name that is being changed can only be judged afterwards.
                if !request.name().is_some_and(|name| names.insert(name)) {
                    first = Some(request);
                    break;
                }
                together.push(request);
            }
            self.change(together);
            first = first.or_else(|| requests.recv().ok());
        }
    }

    fn change(&self, requests: Vec<Request>) {
        if self.status.has_failed() {
            return requests.into_iter().for_each(|request| request.refuse(ReadError::Unavailable));
        }
        let mut file = self.file.lock();
        if !file.has_name() {
            self.status.fail(GONE, &self.queue);
            return requests.into_iter().for_each(|request| request.refuse(ReadError::Unavailable));
        }
        let mut changes = Vec::new();
        let mut waiters = Vec::new();
        for request in requests {
            waiters.extend(self.decide(&mut file, request, &mut changes));
        }
        let result = file.settle(changes).map_err(|_| {
            self.status.fail("a sync of the keys failed", &self.queue);
            ReadError::Unavailable
        });
        drop(file);
        for waiter in waiters {
            waiter(result);
        }
    }

    /// Answers a request that changes nothing; otherwise writes its value and says whom to answer after the sync.
    fn decide(&self, file: &mut KeysFile, request: Request, changes: &mut Vec<Pending>) -> Option<Then> {
        match request {
            Request::Create { name, value, answer } => {
                if let Some(found) = file.get(&name) {
                    let existing = match found {
                        Ok(Some(slot)) => Ok(Created::Existing(slot)),
                        Ok(None) => Err(ReadError::Corrupt),
                        Err(_) => Err(ReadError::Unavailable),
                    };
                    let _ = answer.send(existing);
                    return None;
                }
                self.write(file, name, &value, answer, Created::New, changes)
            }
            Request::Replace { name, generation, value, answer } => {
                if file.generation(&name) != Some(generation) {
                    let _ = answer.send(Ok(false));
                    return None;
                }
                self.write(file, name, &value, answer, true, changes)
            }
            Request::Wipe { name, value, answer } => {
                let found = file.get(&name).transpose();
                if !matches!(&found, Ok(Some(Some(slot))) if slot.value == value) {
                    let _ = answer.send(found.map(|_| false).map_err(|_| ReadError::Unavailable));
                    return None;
                }
                changes.push(file.remove(name));
                Some(then(answer, true))
            }
            Request::CreateLocalSecret { secret, answer } => {
                let _ = answer.send(self.create_local_secret(file, &secret));
                None
            }
            Request::CreateNextLocalSecret { secret, answer } => {
                let _ = answer.send(self.secret.write_next(&secret).map_err(|_| ReadError::Unavailable));
                None
            }
            Request::SettleLocalSecret { promote, answer } => {
                let _ = answer.send(self.secret.settle(promote).map_err(|_| ReadError::Unavailable));
                None
            }
        }
    }

    fn write<T: 'static>(
        &self,
        file: &mut KeysFile,
        name: Name,
        value: &[u8],
        answer: Waiter<T>,
        success: T,
        changes: &mut Vec<Pending>,
    ) -> Option<Then> {
        let written = refuse_oversized(value).and_then(|()| {
            file.write(name, value).map_err(|_| {
                self.status.note("a key could not be written");
                ReadError::Unavailable
            })
        });
        match written {
            Ok(change) => {
                changes.push(change);
                Some(then(answer, success))
            }
            Err(error) => {
                let _ = answer.send(Err(error));
                None
            }
        }
    }

    fn create_local_secret(&self, file: &KeysFile, secret: &[u8]) -> Result<bool, ReadError> {
        if !file.is_empty() || self.local_secret()?.is_some() {
            return Ok(false);
        }
        self.secret.write(secret).map(|()| true).map_err(|_| ReadError::Unavailable)
    }
}
