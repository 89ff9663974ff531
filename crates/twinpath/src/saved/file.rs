//! Writes a growing raw file: complete at any moment, in bounded memory.

use std::fs::{File, Metadata};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::files;

use super::checksum;
use super::group::{Format, Group, Groups, MAGIC, Packets, Placed};

/// Groups after which their length doubles, twice, so that the footer of a long run stays short.
const DOUBLES_AFTER: usize = 64;
/// Octets of a row, until a file has enough rows to tell.
const ROW_OCTETS: u64 = 20;
const TELLING_ROWS: u64 = 1_000;
/// Length of the footer and magic number, which a Parquet file ends with.
const END: usize = 8;

/// How far a write goes before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Into the system's memory: enough for a process that is killed.
    Memory,
    /// On the disk: for a power cut too.
    Disk,
}

/// A file that is being written. Finished row groups do not change; the last one is rewritten,
/// followed by a footer, as it grows.
///
/// The file is complete at any moment: its end stays in place until its replacement is complete
/// elsewhere in the file; then one change of the file's length, or of its last eight octets,
/// switches to the replacement.
#[derive(Debug)]
pub(crate) struct Writer<S = File, F: Format = Packets> {
    file: S,
    groups: Groups<F>,
    /// Of the finished row groups.
    finished: Vec<Placed>,
    /// Where the next row group, or the footer, is to begin in the end.
    end: u64,
    /// The current end of the file.
    live: Live,
    facts: Vec<(&'static str, String)>,
    rows: Vec<F::Row>,
    /// Rows of a row group in a file of up to [`DOUBLES_AFTER`] groups: [`Format::GROUP_ROWS`], unless asked for.
    group_rows: usize,
    /// Those of the finished row groups.
    finished_rows: u64,
    /// The rows in the file.
    written: u64,
    /// Whether something is not in the file yet.
    stale: bool,
}

/// The row group under way and the footer with which the file ends. The octets between the finished
/// row groups and this are unused.
#[derive(Clone, Copy, Debug, Default)]
struct Live {
    begin: u64,
    footer: u64,
    end: u64,
}

/// The same in octets, for one place in the file.
struct Tail {
    octets: Vec<u8>,
    at: Live,
}

/// The target of writes: a file of the system, or one that fails where a test wants it to.
pub(crate) trait Store {
    /// Writes these octets there; the file grows as it must.
    fn put(&mut self, at: u64, octets: &[u8]) -> io::Result<()>;
    /// Gives the file this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Waits until all of it is on the disk.
    fn sync(&self) -> io::Result<()>;
}

impl Store for File {
    fn put(&mut self, at: u64, octets: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        self.write_all(octets)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

impl<F: Format> Writer<File, F> {
    /// Whether what is written is lost: the file has no name any more. `path`: what it had.
    pub(crate) fn is_deleted(&self, path: &Path) -> bool {
        let there = path.metadata();
        self.file
            .metadata()
            .is_ok_and(|file| is_deleted(&file, there.ok().as_ref()))
    }

    /// Whether the file has this name.
    pub(crate) fn is_named(&self, path: &Path) -> bool {
        files::is_named(&self.file, path)
    }

    /// The file, to be read while nothing is written.
    ///
    /// # Errors
    /// The system has no room for another open file.
    pub(crate) fn reader(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

#[cfg(unix)]
fn is_deleted(file: &Metadata, there: Option<&Metadata>) -> bool {
    use std::os::unix::fs::MetadataExt;
    // Some file systems do not count the names of a file.
    file.nlink() == 0 && there.map(MetadataExt::ino) != Some(file.ino())
}

/// Other systems keep the name of a file that is open.
#[cfg(not(unix))]
fn is_deleted(_: &Metadata, _: Option<&Metadata>) -> bool {
    false
}

impl<S: Store> Writer<S> {
    /// Empties `file` and makes it a raw file without rows.
    pub(super) fn new(file: S, facts: Vec<(&'static str, String)>) -> io::Result<Self> {
        Self::of(Packets::new(), file, facts)
    }
}

impl<S: Store, F: Format> Writer<S, F> {
    /// Empties `file` and makes it a file of this format without rows.
    pub(crate) fn of(
        format: F,
        mut file: S,
        facts: Vec<(&'static str, String)>,
    ) -> io::Result<Self> {
        file.cut(0)?;
        file.put(0, MAGIC)?;
        let mut writer = Self {
            file,
            groups: Groups::new(format).map_err(io::Error::other)?,
            finished: Vec::new(),
            end: MAGIC.len() as u64,
            live: Live::default(),
            facts,
            rows: Vec::new(),
            group_rows: F::GROUP_ROWS,
            finished_rows: 0,
            written: 0,
            stale: true,
        };
        let tail = writer.tail(None, writer.end)?;
        writer.file.put(tail.at.begin, &tail.octets)?;
        writer.live = tail.at;
        Ok(writer)
    }

    /// Another row; `true`: the row group is full, [`Writer::write`] finishes it.
    pub(crate) fn push(&mut self, row: F::Row) -> bool {
        self.rows.push(row);
        self.stale = true;
        self.rows.len() >= self.group_rows()
    }

    /// Replaces the metadata of the run.
    pub(crate) fn set_metadata(&mut self, key: &'static str, value: String) {
        self.facts.retain(|(known, _)| *known != key);
        self.facts.push((key, value));
        self.stale = true;
    }

    /// The rows of the row group under way, which the writer then lacks: for a file that is lost.
    pub(crate) fn take_rows(&mut self) -> Vec<F::Row> {
        std::mem::take(&mut self.rows)
    }

    /// The rows of the row group under way.
    pub(crate) fn rows(&self) -> &[F::Row] {
        &self.rows
    }

    /// Rows that are in the file, or are to be.
    pub(crate) fn pushed(&self) -> u64 {
        self.finished_rows + self.rows.len() as u64
    }

    /// Rows of the finished row groups, which are in the file alone.
    pub(crate) fn finished(&self) -> u64 {
        self.finished_rows
    }

    /// Octets of the file.
    pub(crate) fn octets(&self) -> u64 {
        self.live.end
    }

    /// Rows in the file.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// With row groups of this many rows.
    #[must_use]
    pub(crate) fn of_groups(mut self, rows: usize) -> Self {
        self.group_rows = rows;
        self
    }

    /// What it writes to.
    #[cfg(test)]
    pub(super) fn store(&mut self) -> &mut S {
        &mut self.file
    }

    /// Approximate number of octets that the next write rewrites.
    pub(super) fn rewritten_octets(&self) -> u64 {
        self.live.end.saturating_sub(self.live.begin)
    }

    /// Writes everything known into the file. If that fails, the file is left as it was.
    pub(crate) fn write(&mut self, sync: Sync) -> io::Result<()> {
        let full = self.rows.len() >= self.group_rows();
        if self.stale {
            self.replace(full, sync)?;
        }
        Ok(())
    }

    /// The last write, which leaves no unused octets in the file.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.stale || self.live.begin > self.end {
            self.replace(true, Sync::Memory)?;
        }
        Ok(())
    }

    /// Waits until all of the file is on the disk.
    pub(crate) fn settle(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Whether the file would have about this many octets if it ended here, at least half of them
    /// rows.
    pub(super) fn is_as_large_as(&self, octets: u64) -> bool {
        let footer = self.live.end - self.live.footer;
        let last = self
            .live
            .footer
            .saturating_sub(self.live.begin.max(self.end));
        let written = self.end + last;
        let each = match self.written {
            ..TELLING_ROWS => ROW_OCTETS,
            rows => written / rows,
        };
        let waiting = self.finished_rows + self.rows.len() as u64 - self.written;
        let rows = written + waiting * each;
        rows >= footer && rows + footer >= octets
    }

    /// Makes the rows under way, and a footer for them and all before, what the file ends with.
    /// `finished`: they are a row group of their own, right behind the others; else they are wherever
    /// there is room, and are written again.
    fn replace(&mut self, finished: bool, sync: Sync) -> io::Result<()> {
        let group = (!self.rows.is_empty()).then(|| self.groups.encode(&self.rows));
        let group = group.transpose().map_err(io::Error::other)?;
        let tail = self.tail(group.as_ref(), self.end)?;
        let fits = tail.at.end <= self.live.begin;
        if !fits {
            let mut at = self.live.end;
            if finished {
                at = at.max(tail.at.end);
            }
            let behind = self.tail(group.as_ref(), at)?;
            if let Err(error) = self.put_behind(&behind, sync) {
                // What the file said before still stands where it did.
                let _ = self.file.cut(self.live.end);
                return Err(error);
            }
        }
        if fits || finished {
            self.put_before(&tail, sync)?;
        }
        self.stale = false;
        self.written = self.finished_rows + self.rows.len() as u64;
        if finished && let Some(group) = group {
            let placed = group.at(self.end, self.finished.len());
            self.finished.push(placed.map_err(io::Error::other)?);
            self.end += group.octets.len() as u64;
            self.finished_rows = self.written;
            self.rows.clear();
        }
        Ok(())
    }

    /// Into unused space, where the file then ends.
    fn put_before(&mut self, tail: &Tail, sync: Sync) -> io::Result<()> {
        self.file.put(tail.at.begin, &tail.octets)?;
        self.sync(sync)?;
        self.file.cut(tail.at.end)?;
        self.live = tail.at;
        Ok(())
    }

    /// Behind what counts. The file gets its new length at once, with an end that points to the
    /// footer of before: what is between is of no meaning to readers until the end is another.
    fn put_behind(&mut self, tail: &Tail, sync: Sync) -> io::Result<()> {
        let (Some((body, end)), Ok(back)) = (
            tail.octets.split_last_chunk::<END>(),
            u32::try_from(tail.at.end - END as u64 - self.live.footer),
        ) else {
            return Err(io::Error::other("the end of the file is too long"));
        };
        let last = tail.at.end - END as u64;
        self.file
            .put(last, &[back.to_le_bytes(), *MAGIC].concat())?;
        self.file.put(tail.at.begin, body)?;
        self.sync(sync)?;
        self.file.put(last, end)?;
        self.live = tail.at;
        Ok(())
    }

    fn sync(&self, sync: Sync) -> io::Result<()> {
        match sync {
            Sync::Disk => self.file.sync(),
            Sync::Memory => Ok(()),
        }
    }

    /// The row group under way and the footer behind it, to stand from `begin` on.
    fn tail(&self, group: Option<&Group>, begin: u64) -> io::Result<Tail> {
        let mut groups = self.finished.clone();
        let mut octets = Vec::new();
        if let Some(group) = group {
            let placed = group.at(begin, self.finished.len());
            groups.push(placed.map_err(io::Error::other)?);
            octets.extend_from_slice(&group.octets);
        }
        let footer = self.groups.footer(groups, &self.facts);
        let footer = footer.map_err(io::Error::other)?;
        let seal = checksum::seal(footer.get(..footer.len() - END).unwrap_or_default());
        // The last eight octets are one write that nothing interrupts: they are not to lie across
        // pages. Readers do not look between a row group and the footer.
        let end = begin + (octets.len() + seal.len() + footer.len()) as u64;
        let gap = usize::try_from(end.next_multiple_of(END as u64) - end).unwrap_or(0);
        octets.resize(octets.len() + gap, 0);
        octets.extend(seal);
        let at = Live {
            begin,
            footer: begin + octets.len() as u64,
            end: begin + (octets.len() + footer.len()) as u64,
        };
        octets.extend(footer);
        Ok(Tail { octets, at })
    }

    fn group_rows(&self) -> usize {
        self.group_rows << (self.finished.len() / DOUBLES_AFTER).min(2)
    }
}
