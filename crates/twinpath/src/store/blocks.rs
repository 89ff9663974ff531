//! Checksums of a closed file's blocks, so that reading a few rows of it checks no more than the blocks that these
//! are in.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Octets of a block.
const BLOCK: u64 = 16 << 10;
const BLOCK_OCTETS: usize = 16 << 10;
/// The most blocks of a file: 16 GiB.
const MOST: usize = 1 << 20;

/// Writes on, and computes checksums of what it writes.
#[derive(Debug)]
pub(super) struct Hashing<W> {
    inner: W,
    written: u64,
    block: crc32fast::Hasher,
    blocks: Vec<u32>,
    /// Of everything behind the magic number.
    all: crc32fast::Hasher,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            written: 0,
            block: crc32fast::Hasher::new(),
            blocks: Vec::new(),
            all: crc32fast::Hasher::new(),
        }
    }

    /// The checksums of the blocks so far, the last of which may be short; and that of all octets behind the magic
    /// number.
    pub(super) fn checksums(&self) -> (Checksums, u32) {
        let mut blocks = self.blocks.clone();
        if !self.written.is_multiple_of(BLOCK) {
            blocks.push(self.block.clone().finalize());
        }
        let blocks = Checksums {
            octets: self.written,
            blocks: blocks.into(),
        };
        (blocks, self.all.clone().finalize())
    }

    pub(super) fn inner_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    fn hash(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let left = usize::try_from(BLOCK - self.written % BLOCK).unwrap_or(usize::MAX);
            let (now, later) = octets.split_at(left.min(octets.len()));
            self.block.update(now);
            self.written += now.len() as u64;
            if self.written.is_multiple_of(BLOCK) {
                let block = std::mem::take(&mut self.block);
                self.blocks.push(block.finalize());
            }
            octets = later;
        }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(octets)?;
        let octets = octets.get(..written).unwrap_or_default();
        let magic = crate::saved::MAGIC.len() as u64;
        let begins = usize::try_from(magic.saturating_sub(self.written)).unwrap_or(0);
        self.all.update(octets.get(begins..).unwrap_or_default());
        self.hash(octets);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Checksums of the blocks of the first octets of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksums {
    octets: u64,
    blocks: Box<[u32]>,
}

impl Checksums {
    /// As a fact of the footer: the octets, then eight hexadecimal digits for each block.
    pub(super) fn fact(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{}:", self.octets);
        for block in &self.blocks {
            let _ = write!(text, "{block:08x}");
        }
        text
    }

    /// Those of such a fact; `None`: it is damaged.
    pub(super) fn of_fact(text: &str) -> Option<Self> {
        let (octets, digits) = text.split_once(':')?;
        let octets: u64 = octets.parse().ok()?;
        let digits = digits.as_bytes();
        let is_whole = digits.len().is_multiple_of(8) && digits.len() / 8 <= MOST;
        if !is_whole || octets.div_ceil(BLOCK) != digits.len() as u64 / 8 {
            return None;
        }
        let blocks = digits.chunks_exact(8).map(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            u32::from_str_radix(digits, 16).ok()
        });
        Some(Self {
            octets,
            blocks: blocks.collect::<Option<_>>()?,
        })
    }

    /// Whether the block with this number is as it was; those behind all of them are not known.
    fn holds(&self, number: u64, block: &[u8]) -> bool {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(expected) = self.blocks.get(place) else {
            return true;
        };
        let end = self.octets.saturating_sub(number * BLOCK);
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(block.len());
        block
            .get(..end)
            .is_some_and(|block| crc32fast::hash(block) == *expected)
    }
}

/// A file whose blocks are checked as they are read.
#[derive(Clone, Debug)]
pub(super) struct BlockFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    octets: u64,
    /// Not known until the footer was read, which has its own checksum.
    blocks: OnceLock<Checksums>,
    /// The blocks read last, from this one on: headers of pages are read one after the other.
    last: Mutex<(u64, Bytes)>,
}

impl BlockFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let octets = file.metadata()?.len();
        Ok(Self(Arc::new(Inner {
            file,
            octets,
            blocks: OnceLock::new(),
            last: Mutex::default(),
        })))
    }

    /// Checks all that is read from now on.
    pub(super) fn check(&self, blocks: Checksums) {
        // It is done once.
        let _ = self.0.blocks.set(blocks);
    }

    /// Octets from `start` on, at least one and at most `length`, from whole blocks.
    fn blocks(&self, start: u64, length: u64) -> Result<Bytes> {
        let inner = &*self.0;
        let end = start.saturating_add(length).min(inner.octets);
        if start >= end {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let first = start / BLOCK;
        let mut last = inner.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_kept = first >= last.0 && end <= last.0 * BLOCK + last.1.len() as u64;
        if !is_kept || last.1.is_empty() {
            *last = (first, inner.read(first, end.div_ceil(BLOCK))?);
        }
        let skipped = usize::try_from(start - last.0 * BLOCK).unwrap_or(usize::MAX);
        let length = usize::try_from(end - start).unwrap_or(usize::MAX);
        Ok(last.1.slice(skipped..skipped + length))
    }
}

impl Inner {
    /// Blocks from `first` to before `end`, checked.
    fn read(&self, first: u64, end: u64) -> Result<Bytes> {
        let begin = first * BLOCK;
        let length = self.octets.min(end * BLOCK) - begin;
        let length = usize::try_from(length).map_err(|_| ParquetError::EOF("too long".into()))?;
        let octets = self.file.get_bytes(begin, length)?;
        let Some(blocks) = self.blocks.get() else {
            return Ok(octets);
        };
        let mut read = (first..).zip(octets.chunks(BLOCK_OCTETS));
        if !read.all(|(number, block)| blocks.holds(number, block)) {
            return Err(ParquetError::General("wrong checksum".to_owned()));
        }
        Ok(octets)
    }
}

impl Length for BlockFile {
    fn len(&self) -> u64 {
        self.0.octets
    }
}

impl ChunkReader for BlockFile {
    type T = BlockReader;

    fn get_read(&self, start: u64) -> Result<BlockReader> {
        Ok(BlockReader {
            file: self.clone(),
            at: start,
            left: Bytes::new(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length == 0 {
            return Ok(BytesMut::new().freeze());
        }
        let octets = self.blocks(start, length as u64)?;
        if octets.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(octets)
    }
}

/// Reads such a file from a place on.
#[derive(Debug)]
pub(super) struct BlockReader {
    file: BlockFile,
    at: u64,
    left: Bytes,
}

impl Read for BlockReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left.is_empty() && self.at < self.file.len() {
            let here = BLOCK - self.at % BLOCK;
            let octets = self.file.blocks(self.at, here).map_err(io::Error::other)?;
            self.at += octets.len() as u64;
            self.left = octets;
        }
        let now = into.len().min(self.left.len());
        if let (Some(into), Some(from)) = (into.get_mut(..now), self.left.get(..now)) {
            into.copy_from_slice(from);
        }
        self.left.advance(now);
        Ok(now)
    }
}
