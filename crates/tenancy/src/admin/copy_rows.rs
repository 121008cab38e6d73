//! Copying the export of one engine into another.

use bailiwick_model::Result;
use bailiwick_store::{Commit, Durability, Engine, Exported, Limits, Op, Tag, When};

use crate::errors;

/// The most operations in one commit.
const OPS: usize = 512;
/// The bytes of values after which a commit is sent.
const BYTES: usize = 8 << 20;

/// The size of a copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// The rows: records, contents, entries and rows of lists.
    pub rows: u64,
    /// The bytes of their sealed values.
    pub bytes: u64,
}

impl Copied {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.rows += 1;
        self.bytes += bytes as u64;
    }
}

/// Copies every row as it is. `look` sees each first.
pub(crate) async fn copy_rows(from: &dyn Engine, to: &dyn Engine, mut look: impl FnMut(&Exported)) -> Result<Copied> {
    let mut export = from.export().await.map_err(errors::read)?;
    let mut writer = Writer::new(to);
    let mut copied = Copied::default();
    loop {
        let part = export.next().await.map_err(errors::read)?;
        if part.is_empty() {
            writer.flush().await?;
            return Ok(copied);
        }
        for exported in part {
            look(&exported);
            if let Exported::Row { row, .. } = &exported {
                copied.add(row.value.len());
            }
            let (tag, op) = operation(exported);
            writer.add(tag, op).await?;
        }
    }
}

/// Converts a part of an export to the operation that writes it.
pub(crate) fn operation(exported: Exported) -> (Tag, Op) {
    match exported {
        Exported::Row { tag, row, counted } => {
            let (place, value, expires_at) = (row.place, row.value, row.expires_at);
            (tag, Op::Put { place, value, expires_at, counted, when: When::Any })
        }
        Exported::Gone { tag, place } => (tag, Op::Delete { place, when: When::Any }),
        Exported::Wake { due, at } => (due.tag, Op::Wake { kind: due.kind, at }),
    }
}

/// Groups consecutive operations of a tag into relaxed commits: they are durable after the next synced commit, or when the engine
/// is closed.
pub(crate) struct Writer<'a> {
    to: &'a dyn Engine,
    tag: Tag,
    ops: Vec<Op>,
    bytes: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(to: &'a dyn Engine) -> Self {
        Self { to, tag: Tag([0; 32]), ops: Vec::new(), bytes: 0 }
    }

    pub(crate) async fn add(&mut self, tag: Tag, op: Op) -> Result<()> {
        if tag != self.tag || self.ops.len() >= OPS || self.bytes >= BYTES {
            self.flush().await?;
            self.tag = tag;
        }
        if let Op::Put { value, .. } = &op {
            self.bytes += value.len();
        }
        self.ops.push(op);
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<()> {
        let (tag, ops) = (self.tag, std::mem::take(&mut self.ops));
        self.bytes = 0;
        if ops.is_empty() {
            return Ok(());
        }
        let commit = Commit { tag, now: 0, ops, limits: Limits::default(), durability: Durability::Relaxed };
        self.to.commit(commit).await.map(|_| ()).map_err(errors::commit)
    }
}
