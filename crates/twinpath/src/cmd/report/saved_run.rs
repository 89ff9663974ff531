//! A run by its raw file, or by the files that it was saved in one after the other (`--rotate`).

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use twinpath_report::Finding;
use twinpath_report::finding::RawFile;
use twinpath_wire::Wall;

use super::Trouble;
use crate::failure::Failure;
use crate::files;
use crate::saved::{FooterBegin, FooterEnd, FooterPart, Reader, Row, Unreadable};

/// What one run was saved in.
pub(super) struct SavedRun {
    /// In the order in which they were written.
    files: Vec<SavedFile>,
}

struct SavedFile {
    path: PathBuf,
    /// `None` of one among several: it is opened again when its rows are read, because a process
    /// can have fewer files open than a run of months is saved in.
    reader: Option<Box<Reader>>,
    /// What part of the run it holds; `None`: all of it.
    part: Option<FooterPart>,
    end: Option<Box<FooterEnd<'static>>>,
    /// It is still being written.
    growing: bool,
    octets_behind: u64,
}

impl SavedFile {
    /// It holds all that it was to hold.
    fn is_closed(&self) -> bool {
        self.end.is_some() || self.part.is_some_and(|part| part.until.is_some())
    }

    fn open_again(&self) -> Result<Reader, Failure> {
        let shown = self.path.display();
        let file = files::open(&self.path)
            .map_err(|error| Failure::could_not(format!("cannot read {shown}: {error}")))?;
        Reader::open(file).map_err(|error| broken(&self.path, &error))
    }

    fn number(&self) -> u64 {
        self.part.map_or(1, |part| part.number)
    }
}

impl SavedRun {
    /// A run by one of its files, and what it began with.
    pub(super) fn open(path: &Path, file: File) -> Result<(Self, FooterBegin), Failure> {
        // A process that saves a run has its file locked.
        let growing = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        if !growing {
            // A file system without locks is asked for none.
            let _ = file.unlock();
        }
        let of_file = |error: Unreadable| broken(path, &error);
        let reader = Reader::open(file).map_err(of_file)?;
        let (run, end) = reader.facts().map_err(of_file)?;
        let part = reader.part().map_err(of_file)?;
        let file = SavedFile {
            path: path.to_owned(),
            octets_behind: reader.octets_behind(),
            reader: part.is_none().then(|| Box::new(reader)),
            part,
            end: end.map(Box::new),
            growing,
        };
        Ok((Self { files: vec![file] }, run))
    }

    /// Takes the files of another one, if they are of the same run; whether they are.
    pub(super) fn join(&mut self, other: &mut Self) -> bool {
        let is_same = self.run().is_some() && self.run() == other.run();
        if is_same {
            self.files.append(&mut other.files);
            self.files.sort_by_key(SavedFile::number);
        }
        is_same
    }

    fn run(&self) -> Option<u64> {
        let part = self.files.first()?.part?;
        Some(part.run)
    }

    /// Makes sure that no part is there twice.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for pair in self.files.windows(2) {
            if let [one, next] = pair
                && one.number() == next.number()
            {
                let (one, next) = (one.path.display(), next.path.display());
                return Err(
                    Failure::usage(format!("{one} and {next} are the same part of a run"))
                        .with_remedy(Some("give each part once")),
                );
            }
        }
        Ok(())
    }

    /// What to call it.
    pub(super) fn name(&self) -> String {
        let first = self
            .files
            .first()
            .map(|file| file.path.display().to_string());
        let first = first.unwrap_or_default();
        match self.files.len() {
            0 | 1 => first,
            all => format!("{first} and {} more", all - 1),
        }
    }

    /// The end of the run, if it came to one and all of its files are here.
    pub(super) fn end(&self) -> Option<&FooterEnd<'static>> {
        let is_whole = (1..)
            .zip(&self.files)
            .all(|(number, file)| file.number() == number);
        let last = self.files.last().filter(|_| is_whole)?;
        last.end.as_deref()
    }

    /// The last of the files was not closed; it may still be written.
    fn is_open(&self) -> bool {
        self.files.last().is_some_and(|file| !file.is_closed())
    }

    fn is_growing(&self) -> bool {
        self.is_open() && self.files.last().is_some_and(|file| file.growing)
    }

    fn octets_behind(&self) -> u64 {
        self.files.iter().map(|file| file.octets_behind).sum()
    }

    /// What is not of the records of the files: a write that was broken off, or, behind what came to
    /// its end, octets of others.
    pub(super) fn left_out(&self) -> Option<RawFile> {
        let mut files = self.files.iter();
        let is_torn = |file: &SavedFile| file.octets_behind > 0 && !file.is_closed();
        match self.octets_behind() {
            0 => None,
            _ if files.any(is_torn) => Some(RawFile::FileTorn),
            count => Some(RawFile::OctetsBehind { count }),
        }
    }

    /// Its files are not all that there are of the run, up to one that is still written or was not
    /// closed.
    pub(super) fn is_a_part(&self) -> bool {
        let has_begin = self.files.first().is_some_and(|file| file.number() == 1);
        !has_begin || !self.has_end() && !self.is_open()
    }

    fn has_end(&self) -> bool {
        let is_last = |file: &SavedFile| file.part.is_some_and(|part| part.is_last);
        let mut last = self.files.last().into_iter();
        last.any(|file| file.end.is_some() || is_last(file))
    }

    /// A file between its first and its last is missing.
    pub(super) fn has_gaps(&self) -> bool {
        missing(&self.parts()).is_some()
    }

    fn parts(&self) -> Vec<FooterPart> {
        self.files.iter().filter_map(|file| file.part).collect()
    }

    /// What is to be said of its files, if they are not all of a run that came to its end; `newest`:
    /// the last that is known; `unrecorded`: sessions without a record.
    pub(super) fn findings(&self, newest: Wall, unrecorded: u64) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.is_growing() {
            found.push(RawFile::StillRunning { newest });
        } else if self.is_open() {
            found.push(RawFile::Interrupted { newest });
        }
        let parts = self.parts();
        if self.is_a_part()
            && let (Some(first), Some(last)) = (parts.first(), parts.last())
        {
            found.push(RawFile::RunPart {
                first: first.number,
                last: last.number,
                from: first.from,
                until: last.until,
                unrecorded,
                has_end: self.has_end(),
            });
        }
        found.extend(missing(&parts));
        let count = sum(parts.iter().map(|part| part.rows_missing));
        if count > 0 {
            found.push(RawFile::PartsIncomplete { count });
        }
        found.into_iter().map(Finding::from).collect()
    }

    /// Hands out every row.
    pub(super) fn each(
        &self,
        take: &mut dyn FnMut(Row) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        for file in &self.files {
            let again;
            let reader = if let Some(reader) = &file.reader {
                reader.as_ref()
            } else {
                again = file.open_again()?;
                &again
            };
            reader
                .each(|row| take(row).map_err(Stop::Trouble))
                .map_err(|stop| match stop {
                    Stop::Trouble(trouble) => trouble,
                    Stop::Unreadable(error) => broken(&file.path, &error).into(),
                })?;
        }
        Ok(())
    }

    /// Why nothing is known of any packet of it.
    pub(super) fn nothing(&self) -> Failure {
        let name = self.name();
        let said = format!("{name} has no finished packet");
        if self.is_growing() {
            return Failure::could_not(format!("{said} yet: its run has just begun"))
                .with_remedy(Some("try again in a few seconds"));
        }
        if self.is_a_part() && !self.is_open() {
            return Failure::could_not(format!("{said}: other files of its run have them"))
                .with_remedy(Some("give all files of the run"));
        }
        if !self.is_open() {
            return Failure::could_not(format!("{said}: its run was stopped before"));
        }
        if self.octets_behind() > 0 {
            return Failure::could_not(format!(
                "{said} in what is left of it: its end is missing or damaged"
            ))
            .with_remedy(Some("copy the file again"));
        }
        Failure::could_not(format!(
            "{said}: its run was killed soon after it began, or could not be saved"
        ))
    }
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// The parts that are missing between the first and the last.
fn missing(parts: &[FooterPart]) -> Option<RawFile> {
    let pairs = parts.windows(2).filter_map(|pair| match pair {
        [one, next] => Some((
            one,
            next,
            next.number.saturating_sub(one.number.saturating_add(1)),
        )),
        _ => None,
    });
    let gaps: Vec<_> = pairs.filter(|(.., count)| *count > 0).collect();
    let ((before, ..), (_, after, _)) = (gaps.first()?, gaps.last()?);
    Some(RawFile::PartsMissing {
        count: sum(gaps.iter().map(|(.., count)| *count)),
        from: before.until.unwrap_or(before.from),
        until: after.from,
    })
}

/// Why the rows came to an end before theirs.
enum Stop {
    Trouble(Trouble),
    Unreadable(Unreadable),
}

impl From<Unreadable> for Stop {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

fn broken(path: &Path, error: &Unreadable) -> Failure {
    let remedy = match error {
        Unreadable::Parquet(_)
        | Unreadable::Facts(_)
        | Unreadable::Torn(_)
        | Unreadable::SetAside
        | Unreadable::Rows
        | Unreadable::Sessions
        | Unreadable::TooDense
        | Unreadable::Checksum
        | Unreadable::Missing(_) => "use an unchanged file written by --save",
        Unreadable::TooLarge | Unreadable::Encoding => {
            "use the file as written by --save, not one rewritten by another program"
        }
        Unreadable::NoColumn(_)
        | Unreadable::NoFormat
        | Unreadable::NoStore
        | Unreadable::NoStoreColumn(_)
        | Unreadable::OtherColumn(_)
        | Unreadable::OtherStoreColumn(_) => "use a file written by --save",
        Unreadable::Unit(_) => {
            "rewrite it with timestamps in nanoseconds (pyarrow: without coerce_timestamps)"
        }
        Unreadable::Format(_) | Unreadable::Word(_) => {
            "read it with the version that wrote it, or a newer one"
        }
    };
    let path = path.display();
    Failure::could_not(format!("cannot read {path}: {error}")).with_remedy(Some(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u64) -> FooterPart {
        FooterPart {
            run: 7,
            number,
            from: Wall::from_unix_ns(i64::try_from(number % 100).unwrap() * 10),
            until: Some(Wall::from_unix_ns(
                i64::try_from(number % 100).unwrap() * 10 + 10,
            )),
            rows_missing: u64::MAX,
            is_last: false,
        }
    }

    #[test]
    fn parts_between_the_first_and_the_last_are_missing_and_no_others() {
        let found = |numbers: &[u64]| {
            let parts: Vec<FooterPart> = numbers.iter().copied().map(part).collect();
            missing(&parts).map(|found| {
                let RawFile::PartsMissing { count, from, until } = found else {
                    panic!("{found:?}")
                };
                (count, from.unix_ns(), until.unix_ns())
            })
        };
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[3]), None);
        assert_eq!(found(&[3, 4, 5]), None);
        assert_eq!(found(&[1, 3]), Some((1, 20, 30)));
        assert_eq!(found(&[2, 3, 6, 7, 9]), Some((3, 40, 90)));
        // Whatever a damaged file says.
        let most = u64::MAX;
        assert_eq!(
            found(&[0, most - 1, most]).map(|(count, ..)| count),
            Some(most - 2)
        );
        assert_eq!(sum([most, most].into_iter()), most);
    }
}
