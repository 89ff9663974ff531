//! Files of raw packets, `_more/raw/packets-20261130T210000Z.parquet`: which there are, and which of them go. They are the
//! largest of a store and needed least later, so they go before anything else.

use std::collections::HashMap;
use std::fs::TryLockError;
use std::io;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::civil::DateTime;
use jiff::tz::Offset;
use tracing::info;
use twinpath_report::words::instant;
use twinpath_wire::Wall;

use crate::files;
use crate::saved::FileSizes;

use super::HOUR_NS;
use super::layout::Layout;
use super::upkeep::{octets_of, remove};

/// What names of files begin with.
const NAME: &str = "packets-";
/// The time in a name.
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// A part of `max-size` that one file has at most, so that the one that grows leaves room for all else.
const PART: u64 = 16;
/// Where locks do not tell, a file that was not written for so long does not grow.
const STALE: Duration = Duration::from_hours(2);

/// Where raw packets of a store are saved.
#[derive(Clone, Debug)]
pub(crate) struct RawPlace {
    /// What the names of files begin as.
    pub(crate) path: PathBuf,
    /// Octets of a file at most.
    pub(crate) most_octets: Option<u64>,
    /// Those of all files of the store.
    pub(crate) sizes: FileSizes,
}

impl RawPlace {
    pub(super) fn within(layout: &Layout, max_octets: Option<u64>, sizes: &FileSizes) -> Self {
        Self {
            path: layout.raw().join("packets.parquet"),
            most_octets: max_octets.map(|octets| octets / PART),
            sizes: sizes.clone(),
        }
    }
}

/// What became of the records of sessions whose raw packets are saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawCounters {
    /// Those in files.
    pub(crate) records: u64,
    /// Those that are in none.
    pub(crate) dropped: u64,
}

impl Add for RawCounters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_add(other.records),
            dropped: self.dropped.saturating_add(other.dropped),
        }
    }
}

/// A file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RawFile {
    /// When it begins.
    from: Wall,
    /// Which of several with that name, from 1.
    copy: u64,
    path: PathBuf,
}

impl RawFile {
    /// The file of this path; `None`: it has another name.
    pub(super) fn named(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let stem = name.strip_prefix(NAME)?.strip_suffix(".parquet")?;
        let (time, copy) = match stem.split_once('-') {
            Some((time, copy)) => (time, copy.parse().ok()?),
            None => (stem, 1),
        };
        let time = DateTime::strptime(TIME, time).ok()?;
        let from = Offset::UTC.to_timestamp(time).ok()?;
        Some(Self {
            from: Wall::from_unix_ns(i64::try_from(from.as_nanosecond()).ok()?),
            copy,
            path,
        })
    }

    /// When it ends at the latest: with its hour.
    fn end(&self) -> Wall {
        let hour = self.from.unix_ns().div_euclid(HOUR_NS);
        Wall::from_unix_ns(hour.saturating_add(1).saturating_mul(HOUR_NS))
    }

    /// Whether it may still be written: its writer has it locked.
    fn grows(&self) -> bool {
        let Ok(file) = files::open(&self.path) else {
            return false;
        };
        match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => is_recent(&self.path),
        }
    }
}

fn is_recent(path: &Path) -> bool {
    let written = path.metadata().and_then(|about| about.modified());
    let since = written.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    since.is_ok_and(|since| since < STALE)
}

/// What looks after the files.
#[derive(Debug, Default)]
pub(super) struct RawUpkeep {
    /// Files whose time is up, and since when: the clock may be wrong.
    expired: HashMap<PathBuf, Instant>,
}

impl RawUpkeep {
    /// Deletes files that ended before `oldest`, once that was so for the time `doubt`.
    ///
    /// # Errors
    /// The directory cannot be read, or a file not deleted.
    pub(super) fn delete_expired(
        &mut self,
        layout: &Layout,
        oldest: Wall,
        doubt: Duration,
    ) -> io::Result<()> {
        let files = layout.raw_files()?;
        let old = files.into_iter().filter(|file| file.end() <= oldest);
        let mut before = std::mem::take(&mut self.expired);
        let mut newest = None;
        for file in old {
            let since = before.remove(&file.path).unwrap_or_else(Instant::now);
            if since.elapsed() < doubt || file.grows() {
                self.expired.insert(file.path, since);
                continue;
            }
            remove(&file.path)?;
            newest = Some(file.end());
        }
        if let Some(newest) = newest {
            let until = instant(newest, 0);
            info!(
                "the store's raw packets until {until} are deleted: they are older than its retention"
            );
        }
        Ok(())
    }
}

/// Deletes the oldest files until so many octets are less, as far as there are some; how many are.
///
/// # Errors
/// The directory cannot be read, or a file not deleted.
pub(super) fn delete_octets(layout: &Layout, excess: u64) -> io::Result<u64> {
    let mut deleted = 0;
    if excess == 0 {
        return Ok(deleted);
    }
    for file in layout.raw_files()? {
        if deleted >= excess {
            break;
        }
        if !file.grows() {
            let octets = octets_of(&file.path);
            remove(&file.path)?;
            deleted += octets;
        }
    }
    Ok(deleted)
}

/// Octets of all files.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn octets(layout: &Layout, sizes: &FileSizes) -> io::Result<u64> {
    let files = layout.raw_files()?;
    let octets = |file: &RawFile| sizes.see(&file.path, octets_of(&file.path));
    Ok(files.iter().map(octets).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_the_hour_in_their_names() {
        let named = |name: &str| RawFile::named(Path::new("/s/_raw").join(name));
        let file = named("packets-20261130T211530Z-2.parquet").unwrap();
        assert_eq!(instant(file.from, 0), "2026-11-30T21:15:30Z");
        assert_eq!(instant(file.end(), 0), "2026-11-30T22:00:00Z");
        let first = named("packets-20261130T211530Z.parquet").unwrap();
        let tenth = named("packets-20261130T211530Z-10.parquet").unwrap();
        let next = named("packets-20261130T220000Z.parquet").unwrap();
        assert!(first < file && file < tenth && tenth < next);
        for name in [
            "packets-20261130T211530Z.damaged",
            "packets-20261330T211530Z.parquet",
            "packets-.parquet",
            "other-20261130T211530Z.parquet",
            "packets-20261130T211530Z-x.parquet",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }

    #[test]
    fn a_file_grows_as_long_as_it_is_locked() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("packets-20261130T211530Z.parquet");
        let writer = std::fs::File::create(&path).unwrap();
        writer.lock().unwrap();
        let file = RawFile::named(path).unwrap();
        assert!(file.grows());
        drop(writer);
        assert!(!file.grows());
    }
}
