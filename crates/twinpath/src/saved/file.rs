//! A raw file as it grows: whole after each write, in bounded memory.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use parquet::file::metadata::RowGroupMetaData;

use super::group::{Group, Groups, MAGIC};
use super::schema::Row;

/// Rows of a finished row group in a file of up to [`DOUBLES_AFTER`] groups.
const GROUP_ROWS: usize = 1 << 16;
/// Groups after which they become twice as long, twice: the footer of a long run stays short.
const DOUBLES_AFTER: usize = 64;

/// A raw file that is being written. Row groups that are finished stay as they are; the last one is
/// written again, with the footer, as it grows.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    groups: Groups,
    /// Of the finished row groups.
    finished: Vec<RowGroupMetaData>,
    /// Where the next row group, or the footer, begins.
    end: u64,
    /// What stands from there on, to be put back if there is no room for more.
    tail: Vec<u8>,
    facts: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    /// The rows in the file.
    written: u64,
    /// Something is not in the file yet.
    stale: bool,
}

impl Writer {
    /// Empties `file` and makes it a raw file without rows.
    pub(super) fn new(mut file: File, facts: Vec<(&'static str, String)>) -> io::Result<Self> {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(MAGIC)?;
        let mut writer = Self {
            file,
            groups: Groups::new().map_err(io::Error::other)?,
            finished: Vec::new(),
            end: MAGIC.len() as u64,
            tail: Vec::new(),
            facts,
            rows: Vec::new(),
            written: 0,
            stale: true,
        };
        writer.write()?;
        Ok(writer)
    }

    /// Another row; `true`: the row group is full, [`Writer::write`] finishes it.
    pub(super) fn push(&mut self, row: Row) -> bool {
        self.rows.push(row);
        self.stale = true;
        self.rows.len() >= self.group_rows()
    }

    /// Says something else about the run.
    pub(super) fn tell(&mut self, key: &'static str, value: String) {
        self.facts.retain(|(known, _)| *known != key);
        self.facts.push((key, value));
        self.stale = true;
    }

    /// Rows that the file holds.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Puts all that is known into the file. A file that cannot take it is left as it was.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if !self.stale {
            return Ok(());
        }
        let group = if self.rows.is_empty() {
            None
        } else {
            Some(self.groups.encode(&self.rows).map_err(io::Error::other)?)
        };
        let tail = self.tail(group.as_ref()).map_err(io::Error::other)?;
        if let Err(error) = self.put(&tail) {
            // What stood there has its room already.
            let old = std::mem::take(&mut self.tail);
            let length = self.end + old.len() as u64;
            let _ = self.put(&old).and_then(|()| self.file.set_len(length));
            self.tail = old;
            return Err(error);
        }
        self.tail = tail;
        self.stale = false;
        let finished: i64 = self.finished.iter().map(RowGroupMetaData::num_rows).sum();
        self.written = finished.unsigned_abs() + self.rows.len() as u64;
        if self.rows.len() >= self.group_rows()
            && let Some(group) = group
        {
            let about = group.at(self.end, self.finished.len());
            self.finished.push(about.map_err(io::Error::other)?);
            self.end += group.octets.len() as u64;
            self.tail.drain(..group.octets.len());
            self.rows.clear();
        }
        Ok(())
    }

    /// On the disk, not in the system's memory.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The row group under way and the footer behind it.
    fn tail(&self, group: Option<&Group>) -> parquet::errors::Result<Vec<u8>> {
        let mut groups = self.finished.clone();
        let mut tail = Vec::new();
        if let Some(group) = group {
            groups.push(group.at(self.end, self.finished.len())?);
            tail.extend_from_slice(&group.octets);
        }
        let footer = self.groups.footer(groups, &self.facts)?;
        // Never shorter than before, or the old end would stand behind the new one. Readers do not
        // look between a row group and the footer.
        let least = self.tail.len().saturating_sub(footer.len());
        tail.resize(tail.len().max(least), 0);
        tail.extend(footer);
        Ok(tail)
    }

    /// One write over what stands from `end` on: a process that is killed leaves one or the other.
    fn put(&mut self, tail: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(tail)
    }

    fn group_rows(&self) -> usize {
        GROUP_ROWS << (self.finished.len() / DOUBLES_AFTER).min(2)
    }
}
