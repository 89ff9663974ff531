//! Raw files: every packet of a run as Parquet, written while it runs and read back for a report.
//! docs/saved.md describes them for other readers.

mod checksum;
mod file;
mod footer;
mod group;
mod guard;
mod pages;
mod parts;
mod read;
mod saver;
mod schema;
mod series;
mod sizes;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use checksum::{check as check_group, of_groups as group_checksums, seal};
pub(crate) use file::{Sync, Writer};
pub(crate) use footer::{FooterBegin, FooterEnd, FooterPart};
pub(crate) use group::{Format, Groups, MAGIC};
pub(crate) use guard::catch_panics;
pub(crate) use pages::check_pages;
pub(crate) use read::{Reader, read_values};
pub(crate) use saver::{OpenError, Opened, Saved, Saver, Shortfall};
pub(crate) use schema::Row;
pub(crate) use sizes::{FileSizes, GrowingFile};
pub(crate) use whole::{Opened as OpenedFile, VerifiedFile, open as open_growing};

/// The key under which a file says of which format it is.
pub(crate) const FORMAT_KEY: &str = "twinpath.format";
/// The format described in docs/saved.md.
pub(crate) const FORMAT: &str = "2";
/// The one before: times are plain numbers, and there are no columns of delays.
const FORMAT_1: &str = "1";
/// The key of the metadata of the beginning.
pub(crate) const RUN_KEY: &str = "twinpath.run";
/// The key of the metadata of the end; an interrupted run has none.
pub(crate) const END_KEY: &str = "twinpath.end";
/// The key of what part of its run a file holds, where there are several.
pub(crate) const PART_KEY: &str = "twinpath.part";
/// The most sessions of a run, each of which has its own series: as many as are measured at once, and as
/// many that these began in the place of, because their far ends had other addresses.
const MOST_SESSIONS: usize = 20_000;
/// Who wrote the file, whatever the version.
const WRITER: &str = "twinpath ";
/// Who writes files.
pub(crate) const CREATED_BY: &str = concat!("twinpath ", env!("CARGO_PKG_VERSION"));

impl Reader {
    /// What part of its run the file holds, if the run has several.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) fn part(&self) -> Result<Option<FooterPart>, Unreadable> {
        let part = self.fact(PART_KEY).map(footer::read).transpose();
        part.map_err(Unreadable::Facts)
    }

    /// The metadata of the beginning, and those of the end if the run reached it.
    ///
    /// # Errors
    /// [`Unreadable`]: it is not a raw file, or has a newer format.
    pub(crate) fn facts(&self) -> Result<(FooterBegin, Option<FooterEnd<'static>>), Unreadable> {
        let format = self.fact(FORMAT_KEY).ok_or(Unreadable::NoFormat)?;
        if ![FORMAT_1, FORMAT].contains(&format) {
            return Err(Unreadable::Format(format.chars().take(20).collect()));
        }
        let run = self.fact(RUN_KEY).ok_or(Unreadable::NoFormat)?;
        let mut run: FooterBegin = footer::read(run).map_err(Unreadable::Facts)?;
        let end = self.fact(END_KEY).map(footer::read).transpose();
        let end: Option<FooterEnd<'_>> = end.map_err(Unreadable::Facts)?;
        // Rows name their session by its number.
        run.sessions.sort_by_key(|session| session.identity.number);
        let count = run.sessions.len();
        let numbers = run.sessions.iter().map(|session| session.identity.number);
        if count > MOST_SESSIONS || !numbers.eq((1..).take(count)) {
            return Err(Unreadable::Sessions);
        }
        if let Some(end) = &end {
            let known = 1..=count;
            let numbers = end.sessions.iter().map(|session| session.identity.number);
            let numbers: Vec<usize> = numbers.collect();
            let rising = numbers.windows(2).all(|pair| pair.first() < pair.last());
            if !rising || numbers.iter().any(|number| !known.contains(number)) {
                return Err(Unreadable::Sessions);
            }
        }
        Ok((run, end))
    }
}

/// Why a file cannot be read as a raw file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is not Parquet, or not whole.
    #[error("not a Parquet file, or damaged ({0})")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// It is Parquet of another program.
    #[error("a Parquet file, but not a raw file of twinpath: column {0} is missing")]
    NoColumn(&'static str),
    /// It has the rows but not the metadata.
    #[error("a Parquet file without the facts of a run (twinpath.format, twinpath.run)")]
    NoFormat,
    /// A format that this version does not know.
    #[error("a raw file of format {0}; this version of twinpath reads 1 and 2")]
    Format(String),
    /// The metadata are invalid.
    #[error("the facts of the run are damaged ({0})")]
    Facts(serde_json::Error),
    /// Octets differ from those written.
    #[error("it is damaged: wrong checksum")]
    Checksum,
    /// A column has an unexpected type.
    #[error("column {0} has the wrong type")]
    OtherColumn(&'static str),
    /// Times as other programs write them unless told otherwise.
    #[error("column {0} is not in nanoseconds")]
    Unit(&'static str),
    /// A value that each row of its kind has is not there.
    #[error("a row lacks {0}")]
    Missing(&'static str),
    /// A word unknown to this version.
    #[error("it has a row of an unknown kind ({0})")]
    Word(String),
    /// Pages of another program, too large for memory.
    #[error("it has a page of more than 64 MiB")]
    TooLarge,
    /// Values that are stored so that a few octets are many rows.
    #[error("it claims more rows than its octets can hold")]
    TooDense,
    /// Stored in an encoding that is not read.
    #[error("a column has an encoding that is not supported")]
    Encoding,
    /// More sessions than a run can have, or such of the same number.
    #[error("its sessions are damaged")]
    Sessions,
    /// A file of another program where a store has its own.
    #[error("a Parquet file, but not one of a store of twinpath")]
    NoStore,
    /// A file of a store lacks a column.
    #[error("column {0} is missing")]
    NoStoreColumn(String),
    /// A column of a store's file has an unexpected type.
    #[error("column {0} has the wrong type")]
    OtherStoreColumn(String),
    /// A growing file of a store lost its end.
    #[error("its end is damaged: rows in its last {0} octets cannot be read")]
    Torn(u64),
    /// A file of a store that has another name since.
    #[error("it is damaged and was set aside: rows of that day are missing")]
    SetAside,
    /// Inconsistent values.
    #[error("its rows are damaged")]
    Rows,
}
