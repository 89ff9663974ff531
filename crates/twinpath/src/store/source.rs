//! What a report is made from: a store's directory or some of its files, and the rows of a time in it.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use twinpath_wire::{Wall, nanoseconds};

use crate::saved::Unreadable;
use crate::selector::Selector;

use super::alarms::PastAlarms;
use super::cursor::Wanted;
use super::filter::{Chooser, Filter, Sessions};
use super::labels;
use super::layout::{DAY_NS, Day, Layout};
use super::merge::Grouping;
use super::query::{MOST_GROUPS, Query, StoreReader, covered};
use super::row::StoredRow;
use super::segment::Segment;
use super::{HOUR_NS, RESOLUTION_KEY};

/// Files whose errors are kept.
const MOST_ERRORS: usize = 16;

/// A store, or some of its files.
#[derive(Clone, Debug)]
pub(crate) struct StoreSource {
    place: Place,
    labels: BTreeMap<String, BTreeMap<String, String>>,
    chooser: Option<Chooser>,
}

#[derive(Clone, Debug)]
enum Place {
    Directory(PathBuf),
    Files(Vec<PathBuf>),
}

/// What of a time could not be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unread {
    /// Files, and why not; the first ones.
    pub(crate) files: Vec<String>,
    /// How many files.
    pub(crate) count: u64,
    /// Parts of hours of which only the whole is stored: from the beginning of the first to the end of the last.
    pub(crate) deleted: Option<Range<Wall>>,
}

impl Unread {
    fn file(&mut self, error: String) {
        // It may be read for several parts of a time.
        if self.files.contains(&error) {
            return;
        }
        self.count += 1;
        if self.files.len() < MOST_ERRORS {
            self.files.push(error);
        }
    }

    fn deleted(&mut self, time: &Range<Wall>) {
        let known = self.deleted.clone().unwrap_or_else(|| time.clone());
        self.deleted = Some(known.start.min(time.start)..known.end.max(time.end));
    }
}

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The directory cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// More rows than memory is meant for.
    #[error("more than {MOST_GROUPS} rows of a day")]
    TooDense,
}

impl StoreSource {
    /// Whether this is the directory of a store.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn is_store(path: &Path) -> io::Result<bool> {
        let layout = Layout::new(path);
        Ok(!layout.days()?.is_empty() || layout.lock().is_file())
    }

    /// Whether this file is one of a store.
    pub(crate) fn is_file(path: &Path) -> bool {
        Segment::is_of_store(path)
    }

    /// That of a directory.
    pub(crate) fn directory(path: &Path) -> Self {
        Self {
            place: Place::Directory(path.to_owned()),
            labels: labels::read(path),
            chooser: None,
        }
    }

    /// The files in the directory of a day, by their names.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn files_in(path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "parquet") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Those files. False: some have rows as measured, and some rows by the hour.
    pub(crate) fn files(paths: Vec<PathBuf>) -> (Self, bool) {
        let by_hour = |path: &PathBuf| {
            let segment = Segment::open(path).ok()?;
            Some(segment.fact(RESOLUTION_KEY).map(str::to_owned))
        };
        let mut kinds: Vec<_> = paths.iter().filter_map(by_hour).collect();
        kinds.dedup();
        let source = Self {
            place: Place::Files(paths),
            labels: BTreeMap::new(),
            chooser: None,
        };
        (source, kinds.len() < 2)
    }

    /// Only the sessions that these select.
    pub(crate) fn choose(&mut self, selectors: Vec<Selector>) {
        if selectors.is_empty() {
            return;
        }
        let labels = self.labels.clone();
        let none = BTreeMap::new();
        self.chooser = Some(Chooser::new(move |name| {
            let labels = labels.get(name).unwrap_or(&none);
            let mut selectors = selectors.iter();
            selectors.any(|selector| selector.selects(name, labels))
        }));
    }

    /// The labels that a session has in the daemon's configuration.
    pub(crate) fn labels_of(&self, session: &str) -> BTreeMap<String, String> {
        self.labels.get(session).cloned().unwrap_or_default()
    }

    /// The alarms of a session in this time, as far as they can be read; files of a store have none.
    pub(crate) fn alarms_of(&self, session: &str, time: &Range<Wall>) -> PastAlarms {
        let Place::Directory(path) = &self.place else {
            return PastAlarms::default();
        };
        let found = self
            .reader(path)
            .alarms(session, [time.start, time.end], Vec::new());
        found.unwrap_or_default()
    }

    /// The days that it has rows of, as the times when the first begins and the last ends.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn span(&self) -> io::Result<Option<Range<Wall>>> {
        let Place::Directory(path) = &self.place else {
            return Ok(None);
        };
        let span = self.reader(path).span()?;
        Ok(span.map(|span| *span.start()..*span.end()))
    }

    /// One row for each session, class and path of this time.
    ///
    /// # Errors
    /// [`SourceError`].
    pub(crate) fn totals(
        &self,
        time: &Range<Wall>,
    ) -> Result<(Vec<StoredRow>, Unread), SourceError> {
        let mut totals = Grouping::whole();
        let unread = self.each(time, None, &mut |row| {
            totals.add(row);
            fits(&totals)
        })?;
        Ok((totals.into_rows().collect(), unread))
    }

    /// The rows of this time, summed up over steps of this length from multiples of it on, in the order of time. A
    /// step is a part of a day.
    ///
    /// # Errors
    /// [`SourceError`], or what `take` gives.
    pub(crate) fn steps<E: From<SourceError>>(
        &self,
        time: &Range<Wall>,
        step: Duration,
        mut take: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<Unread, E> {
        let step_ns = i64::try_from(nanoseconds::of(step)).unwrap_or(DAY_NS);
        let mut days: BTreeMap<Day, Range<Wall>> = BTreeMap::new();
        let Place::Directory(path) = &self.place else {
            return self.steps_of(time, step_ns, &mut take);
        };
        for day in Layout::new(path).days().map_err(SourceError::from)? {
            let begin = Wall::from_unix_ns(day.end().unix_ns().saturating_sub(DAY_NS));
            let part = time.start.max(begin)..time.end.min(day.end());
            if part.start < part.end {
                days.insert(day, part);
            }
        }
        let mut unread = Unread::default();
        for part in days.into_values() {
            let more = self.steps_of(&part, step_ns, &mut take)?;
            unread.count += more.count;
            unread.files.extend(more.files);
            unread.files.truncate(MOST_ERRORS);
            more.deleted.iter().for_each(|time| unread.deleted(time));
        }
        Ok(unread)
    }

    fn steps_of<E: From<SourceError>>(
        &self,
        time: &Range<Wall>,
        step_ns: i64,
        take: &mut impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<Unread, E> {
        let mut grouping = Grouping::new(step_ns);
        let unread = self.each(time, Some(step_ns), &mut |row| {
            grouping.add(row);
            fits(&grouping)
        })?;
        let mut rows: Vec<StoredRow> = grouping.into_rows().collect();
        // Sessions whose rows begin at the same time stay in their order.
        rows.sort_by_key(|row| row.start.unix_ns().div_euclid(step_ns));
        rows.into_iter().try_for_each(take)?;
        Ok(unread)
    }

    /// Passes on rows that add up to those of this time; none is longer than a step, if there is one.
    fn each(
        &self,
        time: &Range<Wall>,
        step_ns: Option<i64>,
        take: &mut dyn FnMut(StoredRow) -> Result<(), SourceError>,
    ) -> Result<Unread, SourceError> {
        let mut unread = Unread::default();
        match &self.place {
            Place::Directory(path) => {
                for (part, resolution) in parts(time, step_ns) {
                    self.read(path, &part, resolution, take, &mut unread)?;
                }
            }
            Place::Files(paths) => {
                for path in paths {
                    self.read_file(path, time, take, &mut unread)?;
                }
            }
        }
        Ok(unread)
    }

    fn reader(&self, path: &Path) -> StoreReader {
        StoreReader::new(path).only(self.chooser.clone())
    }

    fn read(
        &self,
        path: &Path,
        time: &Range<Wall>,
        resolution: Option<i64>,
        take: &mut dyn FnMut(StoredRow) -> Result<(), SourceError>,
        unread: &mut Unread,
    ) -> Result<(), SourceError> {
        if resolution.is_none_or(|step| step % HOUR_NS != 0) {
            note_deleted(path, time, unread)?;
        }
        let resolution = resolution.and_then(|ns| u64::try_from(ns).ok());
        let rows = self.reader(path).rows(&Query {
            session: None,
            from: time.start,
            to: time.end,
            resolution: resolution.map(Duration::from_nanos),
            columns: None,
        })?;
        for row in rows {
            match row {
                Ok(row) => take(row)?,
                Err(error) => unread.file(error.to_string()),
            }
        }
        Ok(())
    }

    fn read_file(
        &self,
        path: &Path,
        time: &Range<Wall>,
        take: &mut dyn FnMut(StoredRow) -> Result<(), SourceError>,
        unread: &mut Unread,
    ) -> Result<(), SourceError> {
        match self.rows_of(path, time, take, unread) {
            Ok(()) => Ok(()),
            Err(FileStop::Taker(error)) => Err(error),
            Err(FileStop::File(error)) => {
                unread.file(format!("cannot read {}: {error}", path.display()));
                Ok(())
            }
        }
    }

    fn rows_of(
        &self,
        path: &Path,
        time: &Range<Wall>,
        take: &mut dyn FnMut(StoredRow) -> Result<(), SourceError>,
        unread: &mut Unread,
    ) -> Result<(), FileStop> {
        let filter = Filter {
            sessions: self.chooser.clone().map_or(Sessions::All, Sessions::Like),
            from: time.start,
            to: time.end,
        };
        let segment = Segment::open(path)?;
        let is_sum = segment.fact(RESOLUTION_KEY).is_some();
        if is_sum {
            // Rows that begin before, and end within.
            let from = time.start.unix_ns().saturating_sub(DAY_NS);
            let before = Filter {
                from: Wall::from_unix_ns(from),
                to: time.start,
                ..filter.clone()
            };
            segment.each(&before, &Wanted::Only(HashSet::new()), |row| {
                if row.end > time.start {
                    unread.deleted(&(time.start..row.end));
                }
                Ok::<(), FileStop>(())
            })?;
        }
        segment.each(&filter, &Wanted::All, |row| {
            if is_sum && row.end > time.end {
                unread.deleted(&(row.start..time.end));
                return Ok(());
            }
            take(row).map_err(FileStop::Taker)
        })?;
        let damage = segment.damage();
        damage.map_or(Ok(()), |damage| Err(FileStop::File(damage)))
    }
}

/// Why a file was not read to its end.
enum FileStop {
    File(Unreadable),
    Taker(SourceError),
}

impl From<Unreadable> for FileStop {
    fn from(error: Unreadable) -> Self {
        Self::File(error)
    }
}

fn fits(grouping: &Grouping) -> Result<(), SourceError> {
    if grouping.len() > MOST_GROUPS {
        Err(SourceError::TooDense)
    } else {
        Ok(())
    }
}

/// The parts of a time that are read alike: whole hours by the hour, the rest, and all if steps are shorter, as
/// measured.
fn parts(time: &Range<Wall>, step_ns: Option<i64>) -> Vec<(Range<Wall>, Option<i64>)> {
    if step_ns.is_some_and(|step| step % HOUR_NS != 0) {
        return vec![(time.clone(), None)];
    }
    let (from, to) = (time.start.unix_ns(), time.end.unix_ns());
    let last = to.saturating_sub(to.rem_euclid(HOUR_NS));
    let first = from.saturating_add((HOUR_NS - from.rem_euclid(HOUR_NS)) % HOUR_NS);
    if first >= last {
        return vec![(time.clone(), None)];
    }
    let at = Wall::from_unix_ns;
    let parts = [
        (at(from)..at(first), None),
        (at(first)..at(last), Some(step_ns.unwrap_or(DAY_NS))),
        (at(last)..at(to), None),
    ];
    let parts = parts.into_iter();
    parts.filter(|(part, _)| part.start < part.end).collect()
}

/// Whether rows as measured of this time were deleted, and those by the hour were not.
pub(super) fn note_deleted(path: &Path, time: &Range<Wall>, unread: &mut Unread) -> io::Result<()> {
    let layout = Layout::new(path);
    let last = Wall::from_unix_ns(time.end.unix_ns().saturating_sub(1));
    let days = layout.days()?;
    for day in days.range(Day::of(time.start)..=Day::of(last)) {
        let files = layout.files(*day)?;
        let of_day = files.whole_day.as_deref().map(covered).unwrap_or_default();
        let mut numbers = files.hours.keys().chain(&of_day);
        if numbers.any(|number| !files.segments.contains_key(number)) {
            let begin = Wall::from_unix_ns(day.end().unix_ns().saturating_sub(DAY_NS));
            unread.deleted(&(time.start.max(begin)..time.end.min(day.end())));
        }
    }
    Ok(())
}

/// The name of a session, class and path: rows that have the same are of one measurement.
pub(crate) type RowKey = (Arc<str>, Arc<str>, Option<u16>);

impl StoredRow {
    /// What distinguishes it from rows of others.
    pub(crate) fn key(&self) -> RowKey {
        (
            Arc::clone(&self.session),
            Arc::clone(&self.class),
            self.path,
        )
    }
}
