//! The files: their names, how they grow, and which are deleted.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::info;
use twinpath_wire::Wall;

use crate::store::layout::{DAY_NS, Day, month, names, sync_directory};

/// Below the store's directory.
const DIRECTORY: &str = "_alarms";
const EXTENSION: &str = ".jsonl";
/// Octets of all files at most.
const MOST_OCTETS: u64 = 64 << 20;
/// And if a store has few.
const LEAST_OCTETS: u64 = 64 << 10;
/// Their part of the octets of a store.
const PART: u64 = 8;
/// Files that all of these octets are in.
const FILES: u64 = 16;

/// The files of a store.
#[derive(Clone, Debug)]
pub(super) struct AlarmFiles {
    directory: PathBuf,
    most_octets: u64,
}

/// What a file is called: the month in which it was begun, its number in that month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileName {
    month: String,
    number: u32,
}

impl FileName {
    fn of(name: &str) -> Option<Self> {
        let (month, number) = name.strip_suffix(EXTENSION)?.split_once('.')?;
        let number = number.parse().ok()?;
        first_day(month)?;
        let name_is = Self {
            month: month.to_owned(),
            number,
        };
        (name_is.text() == name).then_some(name_is)
    }

    fn text(&self) -> String {
        format!("{}.{:04}{EXTENSION}", self.month, self.number)
    }

    /// When its month is over.
    fn end(&self) -> Option<Wall> {
        let first = first_day(&self.month)?;
        // 31 days later is the next month, whose first days are the same in every year.
        let next = first_day(&month(Day(first.0.saturating_add(31))))?;
        Some(Wall::from_unix_ns(next.0.saturating_mul(DAY_NS)))
    }
}

/// The first day of a month as in `2026-11`.
fn first_day(month: &str) -> Option<Day> {
    Day::named(format!("{month}-01").as_ref())
}

impl AlarmFiles {
    /// Those of the store in this directory, which has so many octets at most.
    pub(super) fn within(root: &Path, store_octets: Option<u64>) -> Self {
        let part = store_octets.map_or(MOST_OCTETS, |all| all / PART);
        Self {
            directory: root.join(DIRECTORY),
            most_octets: part.clamp(LEAST_OCTETS, MOST_OCTETS),
        }
    }

    fn path(&self, name: &FileName) -> PathBuf {
        self.directory.join(name.text())
    }

    /// All of them with their octets, the oldest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn all(&self) -> io::Result<Vec<(FileName, u64)>> {
        let names = names(&self.directory)?.into_iter();
        let names = names.filter_map(|name| FileName::of(name.to_str()?));
        let mut files: Vec<(FileName, u64)> = names
            .map(|name| {
                let octets = fs::metadata(self.path(&name)).map_or(0, |about| about.len());
                (name, octets)
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// The files with lines that were written at this time or later, the oldest first; `None`: all of them.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn since(&self, from: Option<Wall>) -> io::Result<Vec<PathBuf>> {
        let files = self.all()?.into_iter();
        let is_later = |name: &FileName| match (from, name.end()) {
            // A clock may have been wrong by some hours.
            (Some(from), Some(end)) => end.unix_ns().saturating_add(DAY_NS) > from.unix_ns(),
            (Some(_) | None, _) => true,
        };
        let files = files.filter(|(name, _)| is_later(name));
        Ok(files.map(|(name, _)| self.path(&name)).collect())
    }

    /// Adds lines to the file that grows, each on a line of its own.
    ///
    /// # Errors
    /// The disk does not take them, or not all.
    pub(super) fn append(&self, lines: &[u8], now: Wall) -> io::Result<()> {
        if !self.directory.is_dir() {
            fs::create_dir_all(&self.directory)?;
            self.directory.parent().into_iter().for_each(sync_directory);
        }
        let path = self.path(&self.growing(now)?);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        if is_torn(&mut file)? {
            file.write_all(b"\n")?;
        }
        file.write_all(lines)?;
        file.sync_data()
    }

    /// The file that grows: the last one of this month, or the next one if that is full.
    fn growing(&self, now: Wall) -> io::Result<FileName> {
        let month = month(Day::of(now));
        let files = self.all()?;
        let mut of_month = files.iter().filter(|(name, _)| name.month == month);
        let next = match of_month.next_back() {
            Some((name, octets)) if *octets < self.most_octets / FILES => {
                return Ok(name.clone());
            }
            Some((name, _)) => name.number.saturating_add(1),
            None => 1,
        };
        self.trim(&files)?;
        Ok(FileName {
            month,
            number: next,
        })
    }

    /// Deletes the oldest of these until the others leave room for a file.
    fn trim(&self, files: &[(FileName, u64)]) -> io::Result<()> {
        let most = self.most_octets.saturating_sub(self.most_octets / FILES);
        let mut all: u64 = files.iter().map(|(_, octets)| octets).sum();
        for (name, octets) in files {
            if all <= most {
                break;
            }
            self.remove(name)?;
            all = all.saturating_sub(*octets);
        }
        Ok(())
    }

    fn remove(&self, name: &FileName) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Whether the last line of a file has no end.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Deletes files whose time is up.
#[derive(Debug)]
pub(crate) struct AlarmFileUpkeep {
    files: AlarmFiles,
    /// Files that are too old, and since when: the clock may be wrong.
    expired: HashMap<String, Instant>,
}

impl AlarmFileUpkeep {
    /// Of the store in this directory.
    pub(crate) fn within(root: &Path) -> Self {
        Self {
            files: AlarmFiles::within(root, None),
            expired: HashMap::new(),
        }
    }

    /// Deletes files whose month ended before `oldest`, once that has been so for this time; `None`: they become of any
    /// age. Gives the octets of the others.
    ///
    /// # Errors
    /// The directory cannot be read, or a file not be deleted.
    pub(crate) fn look(&mut self, oldest: Option<Wall>, doubt: Duration) -> io::Result<u64> {
        let mut octets = 0;
        for (name, of_file) in self.files.all()? {
            let is_old = oldest.is_some_and(|oldest| name.end().is_some_and(|end| end <= oldest));
            if !is_old {
                self.expired.remove(&name.text());
                octets += of_file;
                continue;
            }
            let since = self.expired.entry(name.text());
            if since.or_insert_with(Instant::now).elapsed() < doubt {
                octets += of_file;
                continue;
            }
            self.files.remove(&name)?;
            self.expired.remove(&name.text());
            info!(
                "the store's alarms of {} are deleted: they are older than its retention",
                name.month
            );
        }
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_name_and_the_end_of_its_month() {
        let name = FileName::of("2026-11.0001.jsonl").unwrap();
        assert_eq!((name.month.as_str(), name.number), ("2026-11", 1));
        // 2026-12-01T00:00:00Z.
        assert_eq!(name.end().unwrap().unix_ns(), 1_796_083_200_000_000_000);
        let last = FileName::of("2027-12.12345.jsonl").unwrap();
        // 2028-01-01T00:00:00Z.
        assert_eq!(last.end().unwrap().unix_ns(), 1_830_297_600_000_000_000);
        assert!(name < last && FileName::of("2026-11.0002.jsonl").unwrap() > name);
        for name in [
            "2026-11.jsonl",
            "2026-11.1.jsonl",
            "2026-13.0001.jsonl",
            "2026-11.+001.jsonl",
            "2026-11.0001.json",
            "../../2026-11.0001.jsonl",
        ] {
            assert_eq!(FileName::of(name), None, "{name}");
        }
    }
}
