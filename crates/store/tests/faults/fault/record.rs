//! What the shim wrote down: every change of a directory and every sync, in order. The layout is in `recorder.h`.

use std::path::Path;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Create { file: u64, path: String },
    Mkdir { path: String },
    Write { file: u64, offset: u64, bytes: Vec<u8> },
    Truncate { file: u64, length: u64 },
    SyncBegin { token: u64, what: Synced },
    SyncEnd { token: u64 },
    SyncFailed { token: u64 },
    Rename { from: String, to: String },
    Unlink { path: String },
    Rmdir { path: String },
    Zero { file: u64, offset: u64, length: u64 },
    Extend { file: u64, length: u64 },
    Ack { bytes: Vec<u8> },
}

/// What a sync was called on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Synced {
    File(u64),
    Directory(String),
}

#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) events: Vec<Event>,
}

impl Recording {
    /// Reads a record. Panics at one that cannot be replayed faithfully.
    pub(crate) fn read(path: &Path) -> Self {
        let log = std::fs::read(path).unwrap();
        let mut rest = log.as_slice();
        let mut events = Vec::new();
        while let Some((head, tail)) = rest.split_at_checked(25) {
            let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
            // A killed program may leave half a record at the end; what it stands for then never returned.
            let Some((bytes, tail)) = tail.split_at_checked(number(17) as usize) else { break };
            events.push(event(head[0], number(1), number(9), bytes));
            rest = tail;
        }
        Self { events }
    }
}

fn event(kind: u8, file: u64, number: u64, bytes: &[u8]) -> Event {
    let text = || String::from_utf8(bytes.to_vec()).unwrap();
    match kind {
        1 => Event::Create { file, path: text() },
        2 => Event::Mkdir { path: text() },
        3 => Event::Write { file, offset: number, bytes: bytes.to_vec() },
        4 => Event::Truncate { file, length: number },
        5 if file == 0 => Event::SyncBegin { token: number, what: Synced::Directory(text()) },
        5 => Event::SyncBegin { token: number, what: Synced::File(file) },
        6 => Event::SyncEnd { token: number },
        7 => Event::SyncFailed { token: number },
        8 => {
            let text = text();
            let (from, to) = text.split_once('\0').unwrap();
            Event::Rename { from: from.to_owned(), to: to.to_owned() }
        }
        9 => Event::Unlink { path: text() },
        10 => Event::Rmdir { path: text() },
        11 => Event::Zero { file, offset: number, length: u64::from_le_bytes(bytes.try_into().unwrap()) },
        12 => Event::Extend { file, length: number },
        13 => Event::Ack { bytes: bytes.to_vec() },
        14 => panic!("the program did what the shim cannot record: {}", text()),
        other => panic!("unknown record {other}"),
    }
}
