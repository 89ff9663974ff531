//! The thread that looks after files that no longer grow: it closes them, sums their rows up by the hour, makes one
//! file of the hours of a day that is over, and deletes what is too old or too much. It goes by what is in the
//! directory, so it takes up where a process before it was stopped.

mod by_day;
mod damaged;
mod growing;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use tracing::{info, warn};
use twinpath_runtime::wall;
use twinpath_wire::{Wall, nanoseconds};

use super::alarms::AlarmFileUpkeep;
use super::closed::{self, CloseError, FileRows};
use super::cursor::Wanted;
use super::days::DaySums;
use super::filter::{Filter, Sessions};
use super::layout::{Day, DayFiles, sync_directory};
use super::merge::Grouping;
use super::query::covered;
use super::raw::{self, RawUpkeep};
use super::row::StoredRow;
use super::segment::Segment;
use super::{HOUR_NS, Pace, RESOLUTION_KEY, SEGMENTS_KEY, Shared, StoreSettings};
use growing::Growing;

/// Files of hours after which those of a day are made one: about an hour of a thousand sessions.
const GATHERED: usize = 8;
/// Sessions whose hours are summed up at once.
const SESSIONS: usize = 64;
/// The same of days, whose histograms are several times as long, and of which a month has more.
const SESSIONS_OF_DAYS: usize = 16;

/// What looks after files.
#[derive(Debug)]
pub(super) struct Upkeep {
    shared: Arc<Shared>,
    pace: Pace,
    retention_ns: Option<i64>,
    most_octets: Option<u64>,
    /// Segments that are known to be closed.
    closed: HashSet<PathBuf>,
    /// Octets of days that no file was made of since.
    sizes: BTreeMap<Day, u64>,
    /// Days of which a file was closed since the last look.
    changed: HashSet<Day>,
    /// Days whose time is up, and since when: the clock may be wrong.
    expired: HashMap<Day, Instant>,
    /// Days that are summed up by the day; `None`: not read yet.
    summed: Option<DaySums>,
    /// Files of alarms become as old as rows.
    alarms: AlarmFileUpkeep,
    raw: RawUpkeep,
}

impl Upkeep {
    pub(super) fn new(shared: Arc<Shared>, pace: Pace, settings: &StoreSettings) -> Self {
        let nanoseconds = |it| i64::try_from(nanoseconds::of(it)).unwrap_or(i64::MAX);
        Self {
            alarms: AlarmFileUpkeep::within(shared.layout.root()),
            shared,
            pace,
            retention_ns: settings.retention.map(nanoseconds),
            most_octets: settings.max_octets,
            closed: HashSet::new(),
            sizes: BTreeMap::new(),
            changed: HashSet::new(),
            expired: HashMap::new(),
            summed: None,
            raw: RawUpkeep::default(),
        }
    }

    /// Looks after files until the store is closed.
    pub(super) fn run(mut self, wakes: &Receiver<Day>) {
        loop {
            if let Err(error) = self.look(wall())
                && !matches!(error, CloseError::Stopped)
            {
                warn!("the store's files: {error}");
            }
            match wakes.recv_timeout(self.pace.look) {
                Ok(day) => self.changed.extend([day]),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // One look is enough for all of them.
            self.changed.extend(wakes.try_iter());
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// [`CloseError`]: what could not be done; it is tried again.
    pub(super) fn look(&mut self, now: Wall) -> Result<(), CloseError> {
        if self.shared.lock.is_lost(&self.shared.layout) {
            // The next rows take it again, unless another process looks after the files.
            return Ok(());
        }
        let today = Day::of(now);
        let mut failed = None;
        self.shared.sizes.begin_look();
        let days = self.shared.layout.days()?;
        // What was deleted meanwhile takes no room, and others may have its names.
        self.sizes.retain(|day, _| days.contains(day));
        self.closed.retain(|path| path.exists());
        for day in days {
            let is_recent = day.0 >= today.0.saturating_sub(1);
            if self.sizes.contains_key(&day) && !is_recent {
                let directory = self.shared.layout.day(day);
                if self.changed.contains(&day) || self.shared.sizes.has_growing(&directory) {
                    self.measure(day)?;
                }
                continue;
            }
            match self.look_after(day, today) {
                Ok(()) => self.measure(day)?,
                Err(CloseError::Stopped) => return Err(CloseError::Stopped),
                Err(error) => failed = Some(error),
            }
        }
        self.changed.clear();
        self.gather_months(today)?;
        self.delete_expired(now)?;
        let oldest = |retention| Wall::from_unix_ns(now.unix_ns().saturating_sub(retention));
        let oldest = self.retention_ns.map(oldest);
        let of_alarms = self.alarms.look(oldest, self.pace.doubt)?;
        self.delete_excess(of_alarms)?;
        let (months, days) = self.shared.layout.day_sums()?;
        let sums = months.iter().chain(&days);
        let sums: u64 = sums.map(|path| octets_of(path)).sum();
        let rows: u64 = self.sizes.values().sum();
        let raw = raw::octets(&self.shared.layout, &self.shared.sizes)?;
        let octets = [rows, sums, raw, of_alarms].into_iter().sum();
        self.shared.sizes.end_look(octets);
        failed.map_or(Ok(()), Err)
    }

    /// Counts the octets of a day.
    fn measure(&mut self, day: Day) -> io::Result<()> {
        let files = self.shared.layout.files(day)?;
        let seen = |path: &PathBuf| self.shared.sizes.see(path, octets_of(path));
        let octets = files.all().map(seen).sum();
        self.sizes.insert(day, octets);
        Ok(())
    }

    fn look_after(&mut self, day: Day, today: Day) -> Result<(), CloseError> {
        let files = self.shared.layout.files(day)?;
        let covered = files.whole_day.as_deref().map(covered).unwrap_or_default();
        let mut is_over = day < today;
        for (number, path) in &files.segments {
            if self.shared.sizes.is_growing(path) {
                self.closed.remove(path);
                is_over = false;
                continue;
            }
            // Hours are of closed files only.
            let has_hours = covered.contains(number) || files.hours.contains_key(number);
            if !has_hours && self.close(path)? {
                let hours = self.shared.layout.hours(day, *number);
                self.sum_up(path, &hours, HOUR_NS, Vec::new())?;
            }
        }
        for (_, path) in files
            .hours
            .iter()
            .filter(|(number, _)| covered.contains(number))
        {
            remove(path)?;
        }
        let left = self.shared.layout.files(day)?.hours.len();
        if is_over && left > 0 || left >= GATHERED {
            self.gather(day, &covered)?;
        }
        if is_over {
            self.sum_day(day)?;
        }
        Ok(())
    }

    /// Sorts a file, unless it is. False: there is nothing in it.
    fn close(&mut self, path: &Path) -> Result<bool, CloseError> {
        if self.closed.contains(path) {
            return Ok(true);
        }
        let segment = match Segment::open(path) {
            Ok(segment) => segment,
            Err(error) => return self.set_aside(path, error),
        };
        let is_there = segment.is_closed() || self.sort(path, &segment)?;
        if is_there {
            self.closed.insert(path.to_owned());
        }
        Ok(is_there)
    }

    /// Puts a sorted copy in the place of a file that grew. False: there is nothing in it.
    fn sort(&self, path: &Path, segment: &Segment) -> Result<bool, CloseError> {
        if let Some(damage) = segment.damage() {
            return self.salvage(path, segment, damage);
        }
        if segment.rows() == 0 {
            remove(path)?;
            return Ok(false);
        }
        let sorted = FileRows::to_sort(segment, &self.shared.stop);
        match sorted.and_then(|rows| closed::write(path, &rows, &[])) {
            Ok(_) => Ok(true),
            Err(CloseError::Unreadable(error)) => self.salvage(path, segment, error),
            Err(error) => Err(error),
        }
    }

    /// Writes the rows of a closed file, summed up over stretches of time of this length.
    fn sum_up(
        &self,
        path: &Path,
        to: &Path,
        step_ns: i64,
        mut facts: Vec<(&str, String)>,
    ) -> Result<(), CloseError> {
        let segment = Segment::open(path)?;
        make_directory(to)?;
        let mut sums = Growing::beside(to, step_ns)?;
        let mut grouping = Grouping::new(step_ns);
        let mut whose: Option<StoredRow> = None;
        segment.each(&Filter::ALL, &Wanted::All, |row| {
            let is_same = whose.as_ref().is_none_or(|it| {
                (&it.session, &it.class, it.path) == (&row.session, &row.class, row.path)
            });
            if !is_same {
                let done = std::mem::replace(&mut grouping, Grouping::new(step_ns));
                sums.add(done)?;
            }
            if !is_same || whose.is_none() {
                let mut key = StoredRow::empty(Arc::clone(&row.session), Arc::clone(&row.class));
                key.path = row.path;
                whose = Some(key);
            }
            grouping.add(row);
            stopped(&self.shared.stop)
        })?;
        sums.add(grouping)?;
        let sums = Segment::open(sums.finish()?.path())?;
        facts.push((RESOLUTION_KEY, step_ns.to_string()));
        let rows = FileRows::in_order(&sums, &self.shared.stop)?;
        closed::write(to, &rows, &facts)?;
        Ok(())
    }

    /// Makes one file of the hours of a day.
    fn gather(&self, day: Day, covered: &BTreeSet<u32>) -> Result<(), CloseError> {
        let files = self.shared.layout.files(day)?;
        let target = self.shared.layout.whole_day(day);
        let sources: Vec<&PathBuf> = files.whole_day.iter().chain(files.hours.values()).collect();
        let gathered = self.gathered(&sources, &target, HOUR_NS, &|_, _| true)?;
        let segment = Segment::open(gathered.path())?;
        let rows = FileRows::in_order(&segment, &self.shared.stop)?;
        let numbers: Vec<&u32> = covered.iter().chain(files.hours.keys()).collect();
        let numbers = serde_json::to_string(&numbers).unwrap_or_default();
        let facts = [
            (RESOLUTION_KEY, HOUR_NS.to_string()),
            (SEGMENTS_KEY, numbers),
        ];
        closed::write(&target, &rows, &facts)?;
        files.hours.values().try_for_each(|path| remove(path))?;
        Ok(())
    }

    /// The rows of these files in one, as far as they are wanted, which has no name of its own yet.
    fn gathered(
        &self,
        sources: &[&PathBuf],
        target: &Path,
        step_ns: i64,
        wants: &dyn Fn(usize, &StoredRow) -> bool,
    ) -> Result<tempfile::NamedTempFile, CloseError> {
        let sources = sources.iter().map(|path| Segment::open(path));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        for source in &sources {
            source.each(&Filter::ALL, &Wanted::Only(HashSet::new()), |row| {
                names.insert(row.session);
                stopped(&self.shared.stop)
            })?;
        }
        let mut gathered = Growing::beside(target, step_ns)?;
        let at_once = if step_ns > HOUR_NS {
            SESSIONS_OF_DAYS
        } else {
            SESSIONS
        };
        let names: Vec<Arc<str>> = names.into_iter().collect();
        for names in names.chunks(at_once) {
            let (Some(first), Some(last)) = (names.first(), names.last()) else {
                continue;
            };
            let filter = Filter {
                sessions: Sessions::Between(Arc::clone(first), Arc::clone(last)),
                ..Filter::ALL
            };
            let mut grouping = Grouping::new(step_ns);
            for (place, source) in sources.iter().enumerate() {
                source.each(&filter, &Wanted::All, |row| {
                    if wants(place, &row) {
                        grouping.add(row);
                    }
                    stopped(&self.shared.stop)
                })?;
            }
            gathered.add(grouping)?;
        }
        gathered.finish()
    }

    /// Deletes days that are too old, unless the clock has said so for a short time only.
    fn delete_expired(&mut self, now: Wall) -> Result<(), CloseError> {
        let Some(retention) = self.retention_ns else {
            return Ok(());
        };
        let oldest = now.unix_ns().saturating_sub(retention);
        let (layout, from) = (&self.shared.layout, Wall::from_unix_ns(oldest));
        self.raw.delete_expired(layout, from, self.pace.doubt)?;
        let days: Vec<Day> = self.sizes.keys().copied().collect();
        for day in days {
            if day.end().unix_ns() > oldest {
                self.expired.remove(&day);
                continue;
            }
            let since = self.expired.entry(day).or_insert_with(Instant::now);
            if since.elapsed() >= self.pace.doubt {
                self.delete_day(day)?;
            }
        }
        Ok(())
    }

    fn delete_day(&mut self, day: Day) -> Result<(), CloseError> {
        let files = self.shared.layout.files(day)?;
        if files
            .segments
            .values()
            .any(|path| self.shared.sizes.is_growing(path))
        {
            return Ok(());
        }
        for path in files.all().chain(&files.unfinished) {
            self.closed.remove(path);
            remove(path)?;
        }
        self.forget(day);
        info!("the store's rows of {day} are deleted: they are older than its retention");
        Ok(())
    }

    /// What is not ours stays.
    fn forget(&mut self, day: Day) {
        let layout = &self.shared.layout;
        for directory in [layout.day(day), layout.hours_of_day(day)] {
            let _ = fs::remove_dir(directory);
        }
        self.sizes.remove(&day);
        self.expired.remove(&day);
        self.forget_sum(day);
    }

    /// Deletes the oldest raw packets, then the oldest rows as they were measured, then the oldest by the hour, until
    /// the rest with so many octets of alarms is not too much.
    fn delete_excess(&mut self, of_alarms: u64) -> Result<(), CloseError> {
        let Some(most) = self.most_octets else {
            return Ok(());
        };
        let rows: u64 = self.sizes.values().sum();
        let mut all = rows + of_alarms + raw::octets(&self.shared.layout, &self.shared.sizes)?;
        let deleted = raw::delete_octets(&self.shared.layout, all.saturating_sub(most))?;
        self.shared.deleted.fetch_add(deleted, Ordering::Relaxed);
        all = all.saturating_sub(deleted);
        for by_hour in [false, true] {
            let days: Vec<Day> = self.sizes.keys().copied().collect();
            for day in days {
                if all <= most {
                    return Ok(());
                }
                let files = self.shared.layout.files(day)?;
                let segments: Vec<&PathBuf> = if by_hour {
                    files.hours.values().chain(&files.whole_day).collect()
                } else {
                    files
                        .damaged
                        .iter()
                        .chain(files.segments.values())
                        .collect()
                };
                let mut deleted = 0;
                for path in segments {
                    if all <= most {
                        break;
                    }
                    if !self.shared.sizes.is_growing(path) {
                        let octets = fs::metadata(path).map_or(0, |about| about.len());
                        remove(path)?;
                        self.closed.remove(path);
                        all = all.saturating_sub(octets);
                        deleted += octets;
                    }
                }
                let left = self
                    .sizes
                    .get(&day)
                    .copied()
                    .unwrap_or(0)
                    .saturating_sub(deleted);
                self.sizes.insert(day, left);
                if left == 0 {
                    self.forget(day);
                }
                self.shared.deleted.fetch_add(deleted, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// Removes what a crash left unfinished, before anything is begun.
pub(super) fn tidy(shared: &Shared) -> io::Result<()> {
    for day in shared.layout.days()? {
        for path in shared.layout.files(day)?.unfinished {
            remove(&path)?;
        }
    }
    let others = shared.layout.unfinished()?;
    others.iter().try_for_each(|path| remove(path))
}

/// Octets of the files of a day.
pub(super) fn octets(files: &DayFiles) -> u64 {
    files.all().map(|path| octets_of(path)).sum()
}

/// Octets of a file.
pub(super) fn octets_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |about| about.len())
}

fn make_directory(file: &Path) -> io::Result<()> {
    let Some(directory) = file.parent() else {
        return Ok(());
    };
    fs::create_dir_all(directory)?;
    directory.parent().into_iter().for_each(sync_directory);
    Ok(())
}

fn stopped(stop: &AtomicBool) -> Result<(), CloseError> {
    if stop.load(Ordering::Relaxed) {
        Err(CloseError::Stopped)
    } else {
        Ok(())
    }
}

/// What is gone already is as well.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
