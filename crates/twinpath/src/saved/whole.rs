//! The whole of a file, or what it was before its end broke off.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Take};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length, SerializedFileReader};

use super::Broken;
use super::group::MAGIC;
use super::guard::fenced;

/// How far back the end of a whole file is looked for, and how many places are tried.
const FAR: u64 = 64 << 20;
const PLACES: usize = 64;
/// Octets looked through at once.
const STRETCH: u64 = 64 << 10;

/// The first octets of a file: so many as were whole.
#[derive(Debug)]
pub(super) struct Whole {
    file: File,
    octets: u64,
}

impl Whole {
    pub(super) fn new(file: File, octets: u64) -> Self {
        Self { file, octets }
    }
}

impl Length for Whole {
    fn len(&self) -> u64 {
        self.octets
    }
}

impl ChunkReader for Whole {
    type T = Take<BufReader<File>>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let left = self.octets.saturating_sub(start);
        Ok(self.file.get_read(start)?.take(left))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.octets) {
            let error = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(error.into());
        }
        self.file.get_bytes(start, length)
    }
}

/// A file that is being read, and how many octets of it count.
#[derive(Debug)]
pub(super) struct Extent {
    pub(super) octets: u64,
    /// There are more, which the end of a file is missing of.
    pub(super) torn: bool,
}

/// Opens a file, or what is left of it where its end is missing.
pub(super) fn open(
    file: &File,
) -> std::result::Result<(SerializedFileReader<Whole>, Extent), Broken> {
    let all = file.metadata().map_err(ParquetError::from)?.len();
    let error = match fenced(|| Ok(upto(file, all)?)) {
        Ok(reader) => {
            return Ok((
                reader,
                Extent {
                    octets: all,
                    torn: false,
                },
            ));
        }
        Err(error) => error,
    };
    for octets in ends(file, all)
        .map_err(ParquetError::from)?
        .into_iter()
        .take(PLACES)
    {
        if let Ok(reader) = fenced(|| Ok(upto(file, octets)?)) {
            return Ok((reader, Extent { octets, torn: true }));
        }
    }
    Err(error)
}

fn upto(file: &File, octets: u64) -> Result<SerializedFileReader<Whole>> {
    let file = file.try_clone()?;
    SerializedFileReader::new(Whole { file, octets })
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
