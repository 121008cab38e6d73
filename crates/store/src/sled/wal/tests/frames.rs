//! Frames that are torn, damaged, or of an earlier round.

use crate::sled::wal::batch::{Change, Row, RowKey};
use crate::sled::wal::frame::{self, Link, Sum};
use crate::sled::wal::replay::{Damaged, Replayed, replay};

const LENGTH: usize = 4_096;

fn rows(version: u64) -> Vec<(RowKey, Row)> {
    let value = vec![version as u8; 40 + version as usize % 60];
    vec![
        ((&[1, version as u8]).into(), Some(value.into())),
        ((&[2]).into(), (!version.is_multiple_of(3)).then(|| (&[version as u8]).into())),
    ]
}

fn changes(version: u64) -> Vec<Change> {
    rows(version).into_iter().map(|(key, row)| Change { key, row, is_new: false }).collect()
}

/// A file, and what the next frame in it follows.
struct Writer {
    files: [Vec<u8>; 2],
    ends: Vec<(usize, usize)>,
    sum: Sum,
    version: u64,
    durable: u64,
    opening: u64,
}

impl Writer {
    fn new() -> Self {
        let files = [vec![0; LENGTH], vec![0; LENGTH]];
        Self { files, ends: Vec::new(), sum: Sum::default(), version: 0, durable: 0, opening: 1 }
    }

    /// Appends a frame to a file, at its beginning if `from` says so.
    fn append(&mut self, file: usize, at: usize) -> usize {
        let link = Link {
            opening: self.opening,
            before: self.version,
            after: self.version + 1,
            durable: self.durable,
            chain: self.sum,
        };
        let mut buffer = Vec::new();
        self.version += 1;
        self.sum = frame::encode(&link, &changes(self.version), &mut buffer).unwrap();
        let end = at + buffer.len();
        self.files[file][at..end].copy_from_slice(&buffer);
        self.ends.push((file, end));
        end
    }

    fn fill(&mut self, file: usize, frames: u64) -> usize {
        (0..frames).fold(0, |at, _| self.append(file, at))
    }

    fn replay(&self, applied: u64) -> Result<Replayed, Damaged> {
        replay([&self.files[0], &self.files[1]], applied)
    }

    fn version(&self, applied: u64) -> Result<u64, Damaged> {
        self.replay(applied).map(|found| found.version)
    }
}

#[test]
fn frames_are_read_back_and_those_that_sled_holds_are_passed_over() {
    let mut writer = Writer::new();
    let end = writer.fill(0, 5);
    for applied in 0..5 {
        let found = writer.replay(applied).unwrap();
        assert_eq!((found.version, found.sum, found.pending.len()), (5, writer.sum, 1));
        assert_eq!((found.pending[0].file, found.pending[0].end), (0, end as u64));
        assert_eq!(found.pending[0].rows.len() as u64, 5 - applied + 1);
        assert_eq!(found.pending[0].rows[&RowKey::from(&[2])].as_deref(), Some([5].as_slice()));
    }
    assert!(writer.replay(5).unwrap().pending.is_empty());
    assert_eq!(writer.version(9), Ok(9));
}

#[test]
fn a_last_frame_cut_off_at_any_byte_is_dropped() {
    let mut writer = Writer::new();
    writer.fill(0, 3);
    writer.durable = 3;
    let start = writer.ends[2].1;
    let end = writer.append(0, start);
    let whole = writer.files[0].clone();
    let used = frame::read(&whole[start..]).unwrap().length;
    assert_eq!(start + used, end);
    // The last bytes only fill up to the alignment.
    for cut in start..end - 8 {
        writer.files[0][cut..end].fill(0);
        assert_eq!(writer.version(0), Ok(3), "cut at {cut}");
        writer.files[0][cut..end].fill(0xff);
        assert_eq!(writer.version(0), Ok(3), "overwritten from {cut}");
        writer.files[0].copy_from_slice(&whole);
        // The end arrived before the beginning.
        writer.files[0][start..=cut].fill(0);
        assert_eq!(writer.version(0), Ok(3), "begun at {cut}");
        writer.files[0].copy_from_slice(&whole);
    }
    assert_eq!(writer.version(0), Ok(4));
}

#[test]
fn a_damaged_byte_in_a_frame_that_was_known_to_be_durable_is_found() {
    let mut writer = Writer::new();
    let mut at = 0;
    for version in 1..=5 {
        at = writer.append(0, at);
        // The last two were never synced.
        writer.durable = version.min(3);
    }
    let whole = writer.files[0].clone();
    for byte in 0..writer.ends[4].1 {
        writer.files[0][byte] ^= 0x10;
        let frame = writer.ends.iter().filter(|(_, end)| byte >= *end).count() as u64;
        match writer.version(0) {
            Err(Damaged) => assert!(frame < 3, "byte {byte}"),
            // Bytes that only fill up change nothing.
            Ok(version) => assert!(version == 5 || (version == frame && frame >= 3), "byte {byte}: {version}"),
        }
        writer.files[0].copy_from_slice(&whole);
    }
    assert_eq!(writer.version(0), Ok(5));
}

#[test]
fn rounds_follow_each_other_across_files_and_a_lost_end_is_found() {
    let mut writer = Writer::new();
    writer.fill(0, 4);
    writer.durable = 4;
    writer.fill(1, 3);
    let found = writer.replay(0).unwrap();
    assert_eq!(found.pending.iter().map(|pending| pending.file).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(found.version, 7);
    assert_eq!(writer.replay(4).unwrap().pending.len(), 1);
    // The file of the first round is used again.
    writer.durable = 7;
    let third = writer.fill(0, 2);
    assert_eq!(writer.version(4), Ok(9));
    assert_eq!(writer.version(7), Ok(9));
    // The tables do not hold what they held when the file was freed.
    assert_eq!(writer.version(3), Err(Damaged));
    // Torn: only the second round is there.
    writer.files[0][10] ^= 1;
    assert_eq!(writer.version(4), Ok(7));
    writer.files[0][10] ^= 1;
    let lost = writer.ends[6].1 - 20;
    writer.files[1][lost] ^= 1;
    assert_eq!(writer.version(4), Err(Damaged), "the second round has lost its end");
    assert!(third > 0);
}

#[test]
fn a_frame_that_was_lost_does_not_come_back_behind_one_that_took_its_place() {
    let mut writer = Writer::new();
    writer.fill(0, 2);
    let (start, sum) = (writer.ends[1].1, writer.sum);
    let middle = writer.append(0, start);
    writer.append(0, middle);
    // The third is lost, the fourth is not; both were unsynced. Then the store goes on.
    writer.files[0][start..middle].fill(0);
    assert_eq!(writer.version(0), Ok(2));
    (writer.version, writer.sum, writer.opening) = (2, sum, 2);
    assert_eq!(writer.append(0, start), middle);
    assert_eq!(writer.version(0), Ok(3));
    assert_eq!(writer.replay(3).unwrap().pending.len(), 0);
}

#[test]
fn reading_a_file_that_was_made_to_take_long_ends() {
    let mut bytes = vec![0; 1 << 20];
    for header in bytes.chunks_exact_mut(8) {
        header.copy_from_slice(&[b'B', b'W', b'L', 1, 0, 0x0f, 0, 0]);
    }
    assert!(matches!(replay([&bytes, &[]], 0), Err(Damaged)));
}
