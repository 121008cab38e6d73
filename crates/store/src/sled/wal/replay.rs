//! What the two files hold when a store is opened.
//!
//! A frame counts if it is whole and follows the one before it: by its version and by that one's checksum. The first that does not ends its
//! file: a crash has cut it off, or it is of an earlier round. It is damage, not a crash, if a whole frame anywhere says that a later version
//! than the last one found was durable.

use super::frame::{self, ALIGNMENT, Frame, Sum};
use super::overlay::Rows;

/// How often [`furthest_durable`] may look at a byte. Files that we write need one time.
const MOST_LOOKS: usize = 4;

/// Acknowledged frames are missing, or a frame is not one of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// A round that may not be in a table.
pub(super) struct Pending {
    /// The number of its file.
    pub(super) file: usize,
    pub(super) rows: Rows,
    /// The end of its last frame.
    pub(super) end: u64,
}

/// What was found.
pub(super) struct Replayed {
    /// At most two, the older one first.
    pub(super) pending: Vec<Pending>,
    /// The version of the last frame, or of the tables.
    pub(super) version: u64,
    /// The checksum of the last frame.
    pub(super) sum: Sum,
}

/// Reads both files. The tables hold every row up to version `applied`.
pub(super) fn replay(files: [&[u8]; 2], applied: u64) -> Result<Replayed, Damaged> {
    let mut durable = 0;
    let mut runs = Vec::new();
    for (number, bytes) in files.into_iter().enumerate() {
        let (frames, end) = chained(bytes);
        let rest = bytes.get(end..).unwrap_or_default();
        durable = frames.iter().map(|frame| frame.link.durable).fold(durable, u64::max).max(furthest_durable(rest)?);
        if let Some(first) = frames.first() {
            runs.push((first.link.before, number, frames));
        }
    }
    runs.sort_by_key(|(before, number, _)| (*before, *number));
    let mut found = Replayed { pending: Vec::new(), version: applied, sum: Sum::default() };
    let mut last: Option<(u64, Sum)> = None;
    for (_, file, frames) in runs {
        let pending = follow(file, frames, &mut found.version, &mut last)?;
        found.pending.extend(pending);
    }
    found.sum = last.map(|(_, sum)| sum).unwrap_or_default();
    if durable > found.version { Err(Damaged) } else { Ok(found) }
}

/// The frames at the beginning of a file that follow each other, and where they end.
fn chained(bytes: &[u8]) -> (Vec<Frame<'_>>, usize) {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut end = 0;
    while let Some(frame) = bytes.get(end..).and_then(frame::read) {
        let follows = |last: &Frame<'_>| last.link.after == frame.link.before && last.sum == frame.link.chain;
        if !frames.last().is_none_or(follows) {
            break;
        }
        end = end.saturating_add(frame.length);
        frames.push(frame);
    }
    (frames, end)
}

/// Takes the frames of a file that follow `version`.
fn follow(
    file: usize,
    frames: Vec<Frame<'_>>,
    version: &mut u64,
    last: &mut Option<(u64, Sum)>,
) -> Result<Option<Pending>, Damaged> {
    let (mut rows, mut end, mut has_any) = (Rows::new(), 0_u64, false);
    for frame in frames {
        let link = &frame.link;
        let is_in_sled = link.after <= *version;
        let follows =
            link.before == *version && last.is_none_or(|(after, sum)| after != link.before || sum == link.chain);
        if !is_in_sled && !follows {
            break;
        }
        *last = Some((link.after, frame.sum));
        end = end.saturating_add(frame.length as u64);
        if !is_in_sled {
            rows.extend(frame.rows().ok_or(Damaged)?);
            *version = link.after;
            has_any = true;
        }
    }
    Ok(has_any.then_some(Pending { file, rows, end }))
}

/// The latest version that a whole frame in these bytes says was durable.
fn furthest_durable(bytes: &[u8]) -> Result<u64, Damaged> {
    let (mut durable, mut at, mut looks) = (0, 0_usize, 0_usize);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if !frame::may_begin(rest) {
            at = at.saturating_add(ALIGNMENT);
            continue;
        }
        // Somebody may have made a file in which reading would never end.
        looks = looks.saturating_add(frame::cost(rest));
        if looks > bytes.len().saturating_mul(MOST_LOOKS) {
            return Err(Damaged);
        }
        let frame = frame::read(rest);
        durable = frame.as_ref().map_or(durable, |frame| durable.max(frame.link.durable));
        at = at.saturating_add(frame.map_or(ALIGNMENT, |frame| frame.length));
    }
    Ok(durable)
}
