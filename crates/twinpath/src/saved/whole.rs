//! A complete file, or its readable part if its end is missing.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Take};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, FileReader as _, Length, SerializedFileReader};

use super::group::MAGIC;
use super::guard::catch_panics;
use super::{Unreadable, checksum};

/// How far back the end of a whole file is looked for, and how many places are tried.
const FAR: u64 = 64 << 20;
const PLACES: usize = 64;
/// Octets looked through at once.
const STRETCH: u64 = 64 << 10;

/// Octets at the end of a file, at most, that are kept as they were when it was opened.
const KEPT: u64 = 64 << 20;
/// How often a file that changes while it is opened is looked at again.
const TURNS: usize = 10;
/// The same of one whose length does not change.
const SAME_TURNS: usize = 3;

/// The first octets of a file: so many as were whole.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedFile {
    file: Arc<File>,
    octets: u64,
    /// Where the last of them begin, which are in memory.
    kept: (u64, Bytes),
}

impl VerifiedFile {
    fn new(file: &Arc<File>, octets: u64) -> Self {
        Self {
            file: Arc::clone(file),
            octets,
            kept: (octets, Bytes::new()),
        }
    }

    /// With the octets from `begin` on in memory.
    fn keeping(self, begin: u64) -> Result<Self> {
        match usize::try_from(self.octets.saturating_sub(begin)) {
            Ok(length) if length as u64 <= KEPT => Ok(Self {
                kept: (begin, self.get_bytes(begin, length)?),
                ..self
            }),
            _ => Ok(self),
        }
    }
}

impl Length for VerifiedFile {
    fn len(&self) -> u64 {
        self.octets
    }
}

impl ChunkReader for VerifiedFile {
    type T = Take<Box<dyn Read>>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let left = self.octets.saturating_sub(start);
        let (begin, kept) = &self.kept;
        let from = start.checked_sub(*begin);
        let from = from.and_then(|from| usize::try_from(from).ok());
        let reader: Box<dyn Read> = match from.filter(|from| *from <= kept.len()) {
            Some(from) => Box::new(kept.slice(from..).reader()),
            None => Box::new(self.file.get_read(start)?),
        };
        Ok(reader.take(left))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.octets) {
            let error = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(error.into());
        }
        let (begin, kept) = &self.kept;
        let from = start.checked_sub(*begin);
        match from.and_then(|from| usize::try_from(from).ok()) {
            Some(from) => Ok(kept.slice(from..from + length)),
            None => self.file.get_bytes(start, length),
        }
    }
}

/// A file that is being read.
pub(crate) struct Opened {
    pub(crate) reader: SerializedFileReader<VerifiedFile>,
    /// The same, for a look at its pages.
    pub(crate) whole: VerifiedFile,
    /// Octets after the valid ones.
    pub(crate) behind: u64,
    pub(crate) checksums: Option<Vec<u32>>,
}

/// Opens a file, or its readable part if its end is missing.
pub(crate) fn open(
    file: File,
    length: impl Fn(&File) -> io::Result<u64>,
) -> std::result::Result<Opened, Unreadable> {
    let file = Arc::new(file);
    let mut all = length(&file).map_err(ParquetError::from)?;
    let mut turn = 0;
    let error = loop {
        let error = match catch_panics(|| upto(&file, all, all)) {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        // The file has changed: its writer has given it another end meanwhile, perhaps at the same place.
        let now = length(&file).map_err(ParquetError::from)?;
        turn += 1;
        if now == all && turn > SAME_TURNS || turn > TURNS {
            break error;
        }
        all = now;
    };
    let ends = ends(&file, all).map_err(ParquetError::from)?;
    let mut opened = ends.into_iter().take(PLACES);
    let opened = opened.find_map(|octets| catch_panics(|| upto(&file, octets, all)).ok());
    opened.ok_or(error)
}

fn upto(file: &Arc<File>, octets: u64, all: u64) -> std::result::Result<Opened, Unreadable> {
    let whole = VerifiedFile::new(file, octets);
    let reader = SerializedFileReader::new(whole.clone())?;
    // While the run goes on, its writer may put another row group and footer in the place of the last.
    let last = reader.metadata().row_groups().last();
    let begin = last.and_then(RowGroupMetaData::file_offset);
    let begin = begin.and_then(|begin| u64::try_from(begin).ok());
    let whole = whole.keeping(begin.unwrap_or(octets))?;
    let reader = SerializedFileReader::new(whole.clone())?;
    let checksums = checksum::of_groups(&whole, reader.metadata())?;
    Ok(Opened {
        reader,
        whole,
        behind: all - octets,
        checksums,
    })
}

/// Where files may have ended: behind each magic number, the last ones first.
fn ends(mut file: &File, all: u64) -> io::Result<Vec<u64>> {
    let mut ends = Vec::new();
    let mut octets = Vec::new();
    let mut to = all;
    let least = all.saturating_sub(FAR);
    while to > least && ends.len() < PLACES {
        let from = to.saturating_sub(STRETCH).max(least);
        file.seek(SeekFrom::Start(from))?;
        octets.clear();
        // The magic number may begin here and end in the stretch behind.
        let reach = to - from + MAGIC.len() as u64 - 1;
        file.take(reach).read_to_end(&mut octets)?;
        let found = (from..).zip(octets.windows(MAGIC.len()));
        let mut found: Vec<u64> = found
            .filter(|(_, window)| window == MAGIC)
            .map(|(at, _)| at + MAGIC.len() as u64)
            .collect();
        found.reverse();
        ends.extend(found);
        to = from;
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::file::{Sync, Writer};
    use super::super::tests::row;
    use super::super::{END_KEY, Reader, Unreadable};
    use super::*;

    fn finished() -> File {
        let file = tempfile::tempfile().unwrap();
        let mut writer = Writer::new(file.try_clone().unwrap(), Vec::new()).unwrap();
        for seq in 0..300 {
            writer.push(row(seq));
            writer.write(Sync::Memory).unwrap();
        }
        writer.set_metadata(END_KEY, "{}".to_owned());
        writer.finish().unwrap();
        file
    }

    #[test]
    fn a_file_that_its_writer_cuts_while_it_is_opened_is_whole() {
        let file = finished();
        let length = file.metadata().unwrap().len();
        let turn = Cell::new(0);
        // As its length was before the last write took what no longer counts away.
        let opened = open(file, |_| {
            turn.set(turn.get() + 1);
            Ok(if turn.get() == 1 {
                length + 999
            } else {
                length
            })
        });
        let opened = opened.unwrap();
        assert_eq!((opened.behind, opened.whole.len()), (0, length));
        assert_eq!(opened.reader.metadata().file_metadata().num_rows(), 300);
    }

    #[test]
    fn a_file_that_is_written_goes_on_being_read_as_it_was_when_it_was_opened() {
        let file = tempfile::tempfile().unwrap();
        let mut writer = Writer::new(file.try_clone().unwrap(), Vec::new()).unwrap();
        let mut write = |from: u64| {
            for seq in from..from + 50 {
                writer.push(row(seq));
            }
            writer.write(Sync::Memory).unwrap();
        };
        write(0);
        write(50);
        let reader = Reader::open(file).unwrap();
        // Each takes the place of an older one.
        (2..20).for_each(|turn| write(turn * 50));
        let mut seqs = 0;
        let read: Result<(), Unreadable> = reader.each(|found| {
            assert_eq!(found, row(seqs));
            seqs += 1;
            Ok(())
        });
        read.unwrap();
        assert_eq!(seqs, 100);
    }
}
