//! The rows of the batch that is being collected, for the next process if this one is killed: the number and id of
//! the batch, then each row with its length and a checksum before it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::spool::BatchId;

const NAME: &str = "journal";
/// The number, and 32 hexadecimal digits.
const HEAD: usize = 8 + 32;
/// Octets before a row: its length and checksum.
const FRAME: usize = 8;
/// Octets that are read.
const MOST_OCTETS: u64 = 64 << 20;

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Whether it has all rows of its batch.
    is_whole: bool,
}

/// What another process has left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) id: BatchId,
    pub(super) rows: Vec<Vec<u8>>,
}

impl Journal {
    /// Opens the one of a directory, and reads what is left in it.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, Option<Left>)> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let file = options.open(directory.join(NAME))?;
        let mut octets = Vec::new();
        (&file).take(MOST_OCTETS).read_to_end(&mut octets)?;
        let left = parse(&octets);
        let is_whole = false;
        Ok((Self { file, is_whole }, left))
    }

    /// Begins again, for this batch.
    pub(super) fn begin(&mut self, id: &BatchId) {
        self.is_whole = self.clear().is_ok() && {
            let mut head = id.number.to_le_bytes().to_vec();
            head.extend_from_slice(id.id.as_bytes());
            self.file.write_all(&head).is_ok()
        };
    }

    /// Adds a row. On a disk that takes nothing the rows of this batch are in memory alone.
    pub(super) fn add(&mut self, row: &[u8]) {
        let Ok(length) = u32::try_from(row.len()) else {
            return;
        };
        if self.is_whole {
            let mut record = Vec::with_capacity(FRAME + row.len());
            record.extend_from_slice(&length.to_le_bytes());
            record.extend_from_slice(&crc32fast::hash(row).to_le_bytes());
            record.extend_from_slice(row);
            self.is_whole = self.file.write_all(&record).is_ok();
        }
    }

    /// Forgets all rows.
    ///
    /// # Errors
    /// They are still there.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0)).map(drop)
    }
}

/// The rows that are whole.
fn parse(octets: &[u8]) -> Option<Left> {
    let (head, mut rest) = octets.split_at_checked(HEAD)?;
    let (number, id) = head.split_first_chunk::<8>()?;
    let id = str::from_utf8(id).ok()?;
    if !id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    let mut rows = Vec::new();
    while let Some((row, more)) = record(rest) {
        rows.push(row.to_vec());
        rest = more;
    }
    let id = BatchId {
        number: u64::from_le_bytes(*number),
        id: id.to_owned(),
    };
    (!rows.is_empty()).then_some(Left { id, rows })
}

fn record(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (row, rest) = rest.split_at_checked(length)?;
    let is_whole = crc32fast::hash(row) == u32::from_le_bytes(*sum) && !row.is_empty();
    is_whole.then_some((row, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> BatchId {
        BatchId {
            number: 7,
            id: "0123456789abcdef0123456789abcdef".to_owned(),
        }
    }

    #[test]
    fn the_next_process_finds_the_rows_that_are_whole() {
        let place = tempfile::tempdir().unwrap();
        let (mut journal, left) = Journal::open(place.path()).unwrap();
        assert_eq!(left, None);
        journal.begin(&id());
        journal.add(b"first");
        journal.add(b"second");
        let (_, left) = Journal::open(place.path()).unwrap();
        let rows = vec![b"first".to_vec(), b"second".to_vec()];
        assert_eq!(left, Some(Left { id: id(), rows }));
        let path = place.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            let rows = parse(&whole[..cut]).map_or(0, |left| left.rows.len());
            let expected = usize::from(cut >= HEAD + FRAME + 5);
            assert_eq!(rows, expected, "{cut}");
        }
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(parse(&damaged).unwrap().rows, [b"first".to_vec()]);
        journal.clear().unwrap();
        assert_eq!(Journal::open(place.path()).unwrap().1, None);
    }
}
