//! Reads a store, also while another thread or process writes it: rows as they were measured, or summed up over
//! stretches of time.

mod wanted;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parquet::errors::ParquetError;
use twinpath_wire::{Wall, nanoseconds};

use crate::saved::Unreadable;

use super::cursor::{Batches, Wanted};
use super::days::take_summed;
use super::filter::{Chooser, Filter, Sessions};
use super::layout::{DAY_NS, Day, DayFiles, Layout};
use super::merge::Grouping;
use super::row::StoredRow;
use super::segment::Segment;
use super::source::{Unread, note_deleted};
use super::{HOUR_NS, SEGMENTS_KEY};
use wanted::wanted;

/// How often a day's files are looked up again because one was replaced by another meanwhile.
const TURNS: usize = 5;
/// Rows of a day at most that are summed up.
pub(super) const MOST_GROUPS: usize = 1 << 18;
/// Segments of a day that a file's footer may name.
const MOST_NAMED: usize = 1 << 20;

/// Reads a store.
#[derive(Clone, Debug)]
pub(crate) struct StoreReader {
    layout: Layout,
    /// Which sessions it reads; `None`: all.
    chooser: Option<Chooser>,
}

/// Which rows are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// An entry of the configuration; `None`: all of them.
    pub(crate) session: Option<Arc<str>>,
    /// Rows that begin at this time or later,
    pub(crate) from: Wall,
    /// and before this one.
    pub(crate) to: Wall,
    /// The length of the stretches of time that rows are summed up over, from multiples of it on: at most a day, and
    /// a part of one. `None`: rows as they were measured. Of days whose rows as measured were deleted, whole hours
    /// are left.
    pub(crate) resolution: Option<Duration>,
    /// The columns of figures and histograms that are read; `None`: all of them.
    pub(crate) columns: Option<Vec<String>>,
}

/// A file that could not be read, or not all of it.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub(crate) struct ReadError {
    path: PathBuf,
    source: Unreadable,
}

impl StoreReader {
    /// Of the store in this directory.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            layout: Layout::new(path),
            chooser: None,
        }
    }

    pub(super) fn root(&self) -> &Path {
        self.layout.root()
    }

    /// That reads these sessions only.
    pub(super) fn only(self, chooser: Option<Chooser>) -> Self {
        Self { chooser, ..self }
    }

    fn sessions(&self, wanted: Option<Arc<str>>) -> Sessions {
        match (wanted, &self.chooser) {
            (Some(name), _) => Sessions::One(name),
            (None, Some(chooser)) => Sessions::Like(chooser.clone()),
            (None, None) => Sessions::All,
        }
    }

    /// The rows by day, those of whole days that were summed up before first; those of a day by session, class, path and time if they are summed up, else as their files
    /// have them. A file that cannot be read is an item, after which the next one follows.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn rows(&self, query: &Query) -> io::Result<Rows> {
        let mut days = Vec::new();
        if query.from < query.to {
            let last = Wall::from_unix_ns(query.to.unix_ns().saturating_sub(1));
            let all = self.layout.days()?;
            days.extend(all.range(Day::of(query.from)..=Day::of(last)).copied());
        }
        let step = query.resolution.map(|step| {
            let step = i64::try_from(nanoseconds::of(step)).unwrap_or(DAY_NS);
            step.clamp(1, DAY_NS)
        });
        let sums = match step {
            Some(DAY_NS) => take_summed(&self.layout, &mut days, query.from, query.to)?,
            Some(_) | None => BTreeMap::new(),
        };
        Ok(Rows {
            layout: self.layout.clone(),
            filter: Filter {
                sessions: self.sessions(query.session.clone()),
                from: query.from,
                to: query.to,
            },
            step,
            columns: query.columns.clone(),
            days: days.into(),
            sums: sums.into_iter().collect(),
            files: VecDeque::new(),
            current: None,
            ready: VecDeque::new(),
        })
    }

    /// Whether rows as measured of a day in this time were deleted, and those by the hour were not.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub(crate) fn has_deleted(&self, time: &Range<Wall>) -> io::Result<bool> {
        let mut unread = Unread::default();
        note_deleted(self.layout.root(), time, &mut unread)?;
        Ok(unread.deleted.is_some())
    }

    /// The days that the store has rows of, the first and the last, as the times when they begin and end.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn span(&self) -> io::Result<Option<RangeInclusive<Wall>>> {
        let days = self.layout.days()?;
        let (first, last) = (days.first(), days.last());
        Ok(first
            .zip(last)
            .map(|(first, last)| Day(first.0 - 1).end()..=last.end()))
    }
}

/// Rows of a store.
pub(crate) struct Rows {
    layout: Layout,
    filter: Filter,
    /// Nanoseconds.
    step: Option<i64>,
    columns: Option<Vec<String>>,
    days: VecDeque<Day>,
    /// Files that have the rows of whole days as they are wanted.
    sums: VecDeque<(PathBuf, BTreeSet<Day>)>,
    /// Of the day under way.
    files: VecDeque<PathBuf>,
    current: Option<Reading>,
    ready: VecDeque<Result<StoredRow, ReadError>>,
}

/// A file under way.
struct Reading {
    path: PathBuf,
    segment: Segment,
    group: usize,
    batches: Option<Batches>,
    /// Only rows of these days are wanted.
    only: Option<BTreeSet<Day>>,
}

impl Iterator for Rows {
    type Item = Result<StoredRow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Some(row);
            }
            if let Some(mut reading) = self.current.take() {
                let wanted = wanted(self.columns.as_deref(), false);
                match reading.next(&self.filter, &wanted) {
                    Ok(Some(rows)) => {
                        self.ready.extend(rows.into_iter().map(Ok));
                        self.current = Some(reading);
                    }
                    Ok(None) => {}
                    Err(source) => {
                        self.ready
                            .push_back(Err(error(reading.path.clone(), source)));
                        reading.pass_over();
                        self.current = Some(reading);
                    }
                }
                continue;
            }
            if let Some(path) = self.files.pop_front() {
                match Segment::open(&path) {
                    Ok(segment) => {
                        let damage = segment.damage();
                        let damage = damage.map(|source| Err(error(path.clone(), source)));
                        self.ready.extend(damage);
                        self.current = Some(Reading::new(path, segment));
                    }
                    // Its time was up.
                    Err(source) if is_missing(&source) => {}
                    Err(source) => return Some(Err(error(path, source))),
                }
                continue;
            }
            if let Some((path, days)) = self.sums.pop_front() {
                self.begin_sums(path, days);
                continue;
            }
            let day = self.days.pop_front()?;
            if let Err(failed) = self.begin(day) {
                return Some(Err(failed));
            }
        }
    }
}

impl Reading {
    fn new(path: PathBuf, segment: Segment) -> Self {
        Self {
            path,
            segment,
            group: 0,
            batches: None,
            only: None,
        }
    }

    fn next(
        &mut self,
        filter: &Filter,
        wanted: &Wanted,
    ) -> Result<Option<Vec<StoredRow>>, Unreadable> {
        loop {
            if let Some(batches) = &mut self.batches {
                if let Some(mut rows) = batches.next()? {
                    if let Some(days) = &self.only {
                        rows.retain(|row| days.contains(&Day::of(row.start)));
                    }
                    return Ok(Some(rows));
                }
                self.batches = None;
                self.group += 1;
            }
            if self.group >= self.segment.groups() {
                return Ok(None);
            }
            let ranges = self.segment.ranges(self.group, filter)?;
            self.batches = Some(self.segment.read(self.group, ranges, wanted)?);
        }
    }
}

impl Reading {
    /// Leaves out the rest of a row group.
    fn pass_over(&mut self) {
        self.batches = None;
        self.group += 1;
    }
}

impl Rows {
    /// Reads rows by the day; or by the hour, if others took their place meanwhile.
    fn begin_sums(&mut self, path: PathBuf, days: BTreeSet<Day>) {
        match Segment::open(&path) {
            Ok(segment) => {
                self.current = Some(Reading {
                    only: Some(days),
                    ..Reading::new(path, segment)
                });
            }
            Err(_) => self.days.extend(days),
        }
    }

    fn begin(&mut self, day: Day) -> Result<(), ReadError> {
        let Some(step) = self.step else {
            let files = self.files_of(day)?;
            self.ready.extend(set_aside(&files).map(Err));
            self.files = files.segments.into_values().collect();
            return Ok(());
        };
        let mut turn = 0;
        loop {
            turn += 1;
            let (rows, failed) = self.sum_up(day, step)?;
            // A file that others took the place of.
            let is_replaced = failed.iter().any(|failed| is_missing(&failed.source));
            if is_replaced && turn < TURNS {
                continue;
            }
            self.ready.extend(failed.into_iter().map(Err));
            self.ready.extend(rows.into_rows().map(Ok));
            return Ok(());
        }
    }

    fn files_of(&self, day: Day) -> Result<DayFiles, ReadError> {
        let files = self.layout.files(day);
        files.map_err(|source| error(self.layout.day(day), Unreadable::Parquet(source.into())))
    }

    /// The rows of a day, and the files that could not be read.
    fn sum_up(&self, day: Day, step: i64) -> Result<(Grouping, Vec<ReadError>), ReadError> {
        let files = self.files_of(day)?;
        let mut sums = Sums {
            query: self,
            grouping: Grouping::new(step),
            failed: set_aside(&files).collect(),
        };
        if step % HOUR_NS != 0 {
            let merging = wanted(self.columns.as_deref(), true);
            for path in files.segments.into_values() {
                sums.add(path, &self.filter, &merging);
            }
            return Ok((sums.grouping, sums.failed));
        }
        // One file for what it has and what it names, though another one may take its place.
        let whole_day = files
            .whole_day
            .clone()
            .map(|path| (Segment::open(&path), path));
        let (whole_day, covered) = match whole_day {
            Some((Ok(segment), path)) => {
                let covered = numbers_of(&segment);
                (Some((segment, path)), covered)
            }
            Some((Err(source), path)) => {
                sums.failed.push(error(path, source));
                (None, BTreeSet::new())
            }
            None => (None, BTreeSet::new()),
        };
        let others = other_hours(files, &covered);
        // Hours of the day's file that no other file has are as they are wanted, and need not be summed up.
        let range = if step == HOUR_NS {
            hours_of(&others)
        } else {
            Filter::ALL.from..Filter::ALL.to
        };
        if let Some((segment, path)) = whole_day {
            sums.add_whole_day(&segment, &path, range);
        }
        let merging = wanted(self.columns.as_deref(), true);
        for path in others {
            sums.add(path, &self.filter, &merging);
        }
        Ok((sums.grouping, sums.failed))
    }
}

/// Rows of a day that are summed up.
struct Sums<'a> {
    query: &'a Rows,
    grouping: Grouping,
    failed: Vec<ReadError>,
}

impl Sums<'_> {
    fn add(&mut self, path: PathBuf, filter: &Filter, wanted: &Wanted) {
        let read = Segment::open(&path).and_then(|segment| {
            self.add_from(&segment, filter, wanted)?;
            segment.damage().map_or(Ok(()), Err)
        });
        if let Err(source) = read {
            self.failed.push(error(path, source));
        }
    }

    fn add_from(
        &mut self,
        segment: &Segment,
        filter: &Filter,
        wanted: &Wanted,
    ) -> Result<(), Unreadable> {
        segment.each(filter, wanted, |row| {
            self.grouping.add(row);
            if self.grouping.len() > MOST_GROUPS {
                return Err(Unreadable::TooDense);
            }
            Ok(())
        })
    }

    /// Adds the hours of a day, of which other files have more in this range.
    fn add_whole_day(&mut self, segment: &Segment, path: &Path, range: Range<Wall>) {
        let filter = &self.query.filter;
        let columns = self.query.columns.as_deref();
        let part = |from: Wall, to: Wall| Filter {
            from: from.max(filter.from),
            to: to.min(filter.to),
            ..filter.clone()
        };
        for (part, merges) in [
            (part(Filter::ALL.from, range.start), false),
            (part(range.start, range.end), true),
            (part(range.end, Filter::ALL.to), false),
        ] {
            if part.from < part.to
                && let Err(source) = self.add_from(segment, &part, &wanted(columns, merges))
            {
                self.failed.push(error(path.to_owned(), source));
            }
        }
    }
}

/// The hours that these files have rows of; all, if one of them does not show it.
fn hours_of(files: &[PathBuf]) -> Range<Wall> {
    let mut hours: Option<Range<Wall>> = None;
    for path in files {
        let Some((first, last)) = Segment::open(path).ok().and_then(|it| it.starts()) else {
            return Filter::ALL.from..Filter::ALL.to;
        };
        let (from, to) = (begin_of(first), end_of(last));
        hours = Some(hours.map_or(from..to, |it| it.start.min(from)..it.end.max(to)));
    }
    // Before everything: no hour has more.
    hours.unwrap_or(Filter::ALL.from..Filter::ALL.from)
}

fn begin_of(at: Wall) -> Wall {
    let at = at.unix_ns();
    Wall::from_unix_ns(at.saturating_sub(at.rem_euclid(HOUR_NS)))
}

fn end_of(at: Wall) -> Wall {
    Wall::from_unix_ns(begin_of(at).unix_ns().saturating_add(HOUR_NS))
}

/// Files whose rows are missing.
fn set_aside(files: &DayFiles) -> impl Iterator<Item = ReadError> {
    let damaged = files.damaged.iter().cloned();
    damaged.map(|path| error(path, Unreadable::SetAside))
}

fn error(path: PathBuf, source: Unreadable) -> ReadError {
    ReadError { path, source }
}

/// Whether a file is not there.
pub(super) fn is_missing(error: &Unreadable) -> bool {
    let Unreadable::Parquet(ParquetError::External(source)) = error else {
        return false;
    };
    let source = source.downcast_ref::<io::Error>();
    source.is_some_and(|source| source.kind() == io::ErrorKind::NotFound)
}

/// The files of a day that have the rows which the day's file lacks, each row once.
fn other_hours(files: DayFiles, covered: &BTreeSet<u32>) -> Vec<PathBuf> {
    let DayFiles {
        segments,
        mut hours,
        ..
    } = files;
    for (number, path) in segments {
        hours.entry(number).or_insert(path);
    }
    hours.retain(|number, _| !covered.contains(number));
    hours.into_values().collect()
}

/// The numbers of the files whose rows this one has.
pub(super) fn covered(path: &Path) -> BTreeSet<u32> {
    Segment::open(path).map_or_else(|_| BTreeSet::new(), |segment| numbers_of(&segment))
}

fn numbers_of(segment: &Segment) -> BTreeSet<u32> {
    let numbers = segment.fact(SEGMENTS_KEY).unwrap_or_default();
    let numbers: Vec<u32> = serde_json::from_str(numbers).unwrap_or_default();
    numbers.into_iter().take(MOST_NAMED).collect()
}
