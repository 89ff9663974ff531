//! Where files of a store are: `DAY/NUMBER.parquet` has the rows as measured, `_hours/DAY/NUMBER.parquet` those
//! of the same file by the hour, `_hours/DAY/day.parquet` those of a whole day. `*/*.parquet` are the rows as
//! measured, each once: all else lies deeper, and programs that read directories pass over names that begin with `_`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use twinpath_wire::Wall;

use super::raw::RawFile;

/// Nanoseconds of a day.
pub(super) const DAY_NS: i64 = 86_400_000_000_000;
/// Rows by the hour, below the store's directory.
const HOURS: &str = "_hours";
/// Rows by the day, below the store's directory.
const DAYS: &str = "_more/days";
/// Raw packets, below the store's directory.
const RAW: &str = "_more/raw";
/// The name of the rows by the hour of a whole day.
const WHOLE_DAY: &str = "day.parquet";
const EXTENSION: &str = "parquet";
/// What names of unfinished files begin with.
const UNFINISHED: &str = ".twinpath-";
/// Files of a day at most.
const MOST_NUMBERS: u32 = 1_000_000;

/// A day of UTC: its number since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(pub(super) i64);

impl Day {
    pub(super) fn of(at: Wall) -> Self {
        Self(at.unix_ns().div_euclid(DAY_NS))
    }

    /// The day of a directory's name.
    pub(super) fn named(name: &OsStr) -> Option<Self> {
        let name = name.to_str()?;
        let date: Date = name.parse().ok()?;
        let at = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        let day = Self(at.as_second().div_euclid(86_400));
        (day.to_string() == name).then_some(day)
    }

    pub(super) fn end(self) -> Wall {
        Wall::from_unix_ns(self.0.saturating_add(1).saturating_mul(DAY_NS))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0.saturating_mul(86_400)) {
            Ok(at) => Offset::UTC.to_datetime(at).date().fmt(f),
            Err(_) => write!(f, "day {}", self.0),
        }
    }
}

/// The directory of a store.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The file whose lock a store holds.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("_lock")
    }

    pub(super) fn day(&self, day: Day) -> PathBuf {
        self.root.join(day.to_string())
    }

    pub(super) fn segment(&self, day: Day, number: u32) -> PathBuf {
        self.day(day).join(named(number))
    }

    pub(super) fn hours_of_day(&self, day: Day) -> PathBuf {
        self.root.join(HOURS).join(day.to_string())
    }

    pub(super) fn hours(&self, day: Day, number: u32) -> PathBuf {
        self.hours_of_day(day).join(named(number))
    }

    pub(super) fn whole_day(&self, day: Day) -> PathBuf {
        self.hours_of_day(day).join(WHOLE_DAY)
    }

    /// The rows of a day by the day.
    pub(super) fn day_sum(&self, day: Day) -> PathBuf {
        self.root.join(DAYS).join(format!("{day}.{EXTENSION}"))
    }

    /// Those of many days of the same month.
    pub(super) fn month_sum(&self, day: Day) -> PathBuf {
        let month = month(day);
        self.root.join(DAYS).join(format!("{month}.{EXTENSION}"))
    }

    /// The files of months and of days that have rows by the day.
    ///
    /// # Errors
    /// Their directory cannot be read.
    pub(super) fn day_sums(&self) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let directory = self.root.join(DAYS);
        let (mut months, mut days) = (Vec::new(), Vec::new());
        for name in names(&directory)? {
            let path = directory.join(&name);
            let stem = path.file_stem().unwrap_or_default();
            if path.extension() != Some(OsStr::new(EXTENSION)) {
                continue;
            }
            if Day::named(stem).is_some() {
                days.push(path);
            } else if is_month(stem) {
                months.push(path);
            }
        }
        Ok((months, days))
    }

    /// The directory of raw packets.
    pub(super) fn raw(&self) -> PathBuf {
        self.root.join(RAW)
    }

    /// The files of raw packets, the oldest first.
    ///
    /// # Errors
    /// Their directory cannot be read.
    pub(super) fn raw_files(&self) -> io::Result<Vec<RawFile>> {
        let directory = self.raw();
        let names = names(&directory)?.into_iter();
        let files = names.filter_map(|name| RawFile::named(directory.join(name)));
        let mut files: Vec<RawFile> = files.collect();
        files.sort_unstable();
        Ok(files)
    }

    /// What a crash left of rows by the day, and of raw packets.
    ///
    /// # Errors
    /// Their directories cannot be read.
    pub(super) fn unfinished(&self) -> io::Result<Vec<PathBuf>> {
        let is_unfinished = |name: &std::ffi::OsString| {
            name.to_str()
                .is_some_and(|name| name.starts_with(UNFINISHED))
        };
        let mut unfinished = Vec::new();
        for directory in [self.root.join(DAYS), self.raw()] {
            let names = names(&directory)?.into_iter().filter(is_unfinished);
            unfinished.extend(names.map(|name| directory.join(name)));
        }
        Ok(unfinished)
    }

    /// The days that have files, of either kind.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn days(&self) -> io::Result<BTreeSet<Day>> {
        let mut days = BTreeSet::new();
        for root in [self.root.clone(), self.root.join(HOURS)] {
            for name in names(&root)? {
                days.extend(Day::named(&name));
            }
        }
        Ok(days)
    }

    /// The files of a day.
    ///
    /// # Errors
    /// Its directories cannot be read.
    pub(super) fn files(&self, day: Day) -> io::Result<DayFiles> {
        let mut files = DayFiles::default();
        let directory = self.day(day);
        for name in names(&directory)? {
            match number(&name) {
                Some(number) => {
                    files.segments.insert(number, directory.join(name));
                }
                None => files.sort_out(&directory, &name),
            }
        }
        let directory = self.hours_of_day(day);
        for name in names(&directory)? {
            match number(&name) {
                Some(number) => {
                    files.hours.insert(number, directory.join(name));
                }
                None if name == WHOLE_DAY => files.whole_day = Some(directory.join(name)),
                None => files.sort_out(&directory, &name),
            }
        }
        Ok(files)
    }
}

/// The files of a day, by their numbers.
#[derive(Debug, Default)]
pub(super) struct DayFiles {
    /// Rows as measured.
    pub(super) segments: BTreeMap<u32, PathBuf>,
    /// Rows by the hour.
    pub(super) hours: BTreeMap<u32, PathBuf>,
    /// Rows by the hour of many files.
    pub(super) whole_day: Option<PathBuf>,
    /// What a crash left.
    pub(super) unfinished: Vec<PathBuf>,
    /// Files that could not be read, under the names that they were given.
    pub(super) damaged: Vec<PathBuf>,
}

impl DayFiles {
    fn sort_out(&mut self, directory: &Path, name: &OsStr) {
        let path = directory.join(name);
        if name
            .to_str()
            .is_some_and(|name| name.starts_with(UNFINISHED))
        {
            self.unfinished.push(path);
        } else if path.extension() == Some(OsStr::new("damaged")) {
            self.damaged.push(path);
        }
    }

    /// The number of the next file.
    pub(super) fn next_number(&self) -> u32 {
        let last = |files: &BTreeMap<u32, PathBuf>| files.keys().next_back().copied();
        let last = last(&self.segments).max(last(&self.hours));
        last.unwrap_or(0).saturating_add(1)
    }

    /// All of them, unfinished ones aside.
    pub(super) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let numbered = self.segments.values().chain(self.hours.values());
        numbered.chain(&self.whole_day).chain(&self.damaged)
    }
}

/// The month of a day: `2026-11`.
pub(super) fn month(day: Day) -> String {
    let mut name = day.to_string();
    name.truncate("2026-11".len());
    name
}

/// Whether this is the name of a month.
fn is_month(name: &OsStr) -> bool {
    let first = name.to_str().map(|name| format!("{name}-01"));
    first.is_some_and(|first| Day::named(first.as_ref()).is_some())
}

fn named(number: u32) -> String {
    format!("{number:04}.{EXTENSION}")
}

fn number(name: &OsStr) -> Option<u32> {
    let number = Path::new(name).file_stem()?.to_str()?.parse().ok()?;
    (number <= MOST_NUMBERS && named(number) == name.to_str()?).then_some(number)
}

/// The names in a directory; none if it is missing.
pub(super) fn names(directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

/// Puts the names in a directory on the disk, where the system can do that.
pub(super) fn sync_directory(directory: &Path) {
    if let Ok(directory) = fs::File::open(directory) {
        // Other systems cannot open directories, or do not sync them.
        let _ = directory.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_packets_are_no_part_of_what_other_programs_read_as_rows() {
        let layout = Layout::new(Path::new("/store"));
        let day = Day(20_000);
        let depth = |path: &Path| path.components().count();
        let rows = depth(&layout.day(day).join("0001.parquet"));
        let others = [
            layout.hours(day, 1),
            layout.whole_day(day),
            layout.day_sum(day),
            layout.month_sum(day),
            layout.raw().join("packets.parquet"),
        ];
        for other in others {
            assert!(depth(&other) > rows, "{}", other.display());
            let below = other.strip_prefix("/store").unwrap();
            assert!(
                below.to_str().unwrap().starts_with('_'),
                "{}",
                below.display()
            );
        }
        let lock = layout.lock();
        let lock = lock.file_name().unwrap();
        assert!(lock.to_str().unwrap().starts_with('_'));
    }

    #[test]
    fn days_and_files_have_one_name_each() {
        let day = Day::of(Wall::from_unix_ns(1_795_449_600_500_000_000));
        assert_eq!(day.to_string(), "2026-11-23");
        assert_eq!(Day::of(Wall::from_unix_ns(-1)).to_string(), "1969-12-31");
        assert_eq!(Day::named(OsStr::new("2026-11-23")), Some(day));
        for name in ["2026-11-3", "20261123", "2026-13-01", "_hours", "_lock"] {
            assert_eq!(Day::named(OsStr::new(name)), None, "{name}");
        }
        for (name, expected) in [
            ("0001.parquet", Some(1)),
            ("12345.parquet", Some(12_345)),
            ("1.parquet", None),
            ("0001.damaged", None),
            ("+001.parquet", None),
            ("day.parquet", None),
        ] {
            assert_eq!(number(OsStr::new(name)), expected, "{name}");
        }
    }
}
