//! The store of a daemon: a row for each interval of each session, as Parquet files that other programs read too.
//!
//! A row has the figures of its interval ([`cells`]), and the distributions of its delays without loss, so that rows
//! add up to those of an hour or a year ([`merge`]). Times are by the sender's clock; a row is in the directory of
//! the UTC day in which its interval began, also after a step of the clock.
//!
//! ```text
//! _more/days/2026-11-29.parquet      those of a day that is over, by the day
//! _more/days/2026-10.parquet         those of many days of a month
//! _more/raw/packets-20261130T210000Z.parquet  packets of the sessions that ask for them (`daemon::raw`): a raw file
//! _lock                         locked by the process that writes
//! 2026-11-30/0001.parquet       rows as measured: closed, sorted by session, class, path, start
//! 2026-11-30/0002.parquet       the file that grows: as rows came
//! _hours/2026-11-30/0001.parquet  the rows of the closed file of that name, by the hour
//! _hours/2026-11-29/day.parquet   those of many files of a day, by the hour; of a day that is over, of all
//! ```
//!
//! - A growing file is whole at any moment, as raw files are (`saved::file`): written after an interval or five seconds, of which
//!   only the last 8,192 rows and the footer again. It is closed after 65,536 rows or an hour: a sorted copy takes
//!   its name in one step, so no row is ever there twice or not at all. The next process goes on with the last one.
//! - Files in `_hours` are made of closed ones; `day.parquet` names those that it has in its footer. Names with `_`
//!   are passed over by programs that read directories, and `20*/*.parquet` has each row once.
//! - Closed files have one row group with pages of 4,096 rows, and a checksum for each 16 KiB: a query of one session
//!   reads and checks some pages of the columns that it wants.
//! - One thread writes rows ([`keeper`]), which reach it through a bounded channel; another looks after closed files
//!   ([`upkeep`]) and goes by what is in the directory. Rows that the disk does not take wait in memory, the latest
//!   16,384; the others are counted.
//! - `_alarms/2026-11.0001.jsonl` has when alarms were raised and ended ([`alarms`]).
//! - `_sessions.json` has the labels of sessions as the configuration has them ([`labels`]).
//! - What is unfinished after a crash has a name of its own and is removed; what is damaged is set aside.
//! - Retention deletes days by age, once the clock has said so for an hour, and the oldest files by size: first raw
//!   packets ([`raw`]), then rows as measured, then by the hour.

mod alarms;
mod blocks;
mod cells;
mod closed;
mod columns;
mod cursor;
mod days;
mod figures;
mod filter;
mod json;
mod keeper;
mod labels;
mod layout;
mod lock;
mod merge;
mod query;
mod raw;
mod row;
mod segment;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod upkeep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::warn;
use twinpath_metrics::IntervalFigures;

use crate::failure::Failure;
use crate::files;
use crate::saved::FileSizes;

use keeper::Keeper;
use labels::Labels;
use layout::Layout;
use lock::StoreLock;
use upkeep::Upkeep;

pub(crate) use alarms::{
    AlarmEnd, AlarmEvent, AlarmInterval, AlarmLog, AlarmRecord, PastAlarm, PastAlarms,
};
pub(crate) use figures::{OverTime, column_length};
pub(crate) use query::{Query, StoreReader};
pub(crate) use raw::{RawCounters, RawPlace};
pub(crate) use row::{Delay, StoredInterval, StoredRow};
pub(crate) use source::{RowKey, SourceError, StoreSource, Unread};

/// The place of a figure in rows, by its path in a session's document; `None`: rows do not have it.
pub(crate) fn figure_place(path: &str) -> Option<usize> {
    let column = path.replace('.', "_");
    let short = column.strip_prefix("packets_");
    cells::place(&column).or_else(|| cells::place(short?))
}

/// The columns of figures.
pub(crate) fn figure_columns() -> impl Iterator<Item = &'static str> {
    cells::CELLS.iter().map(|cell| &*cell.name)
}

/// Whether a column has figures.
pub(crate) fn is_figure(column: &str) -> bool {
    cells::place(column).is_some()
}

/// The figure at this place of a row; `None`: it is not known.
pub(crate) fn figure_at(
    place: usize,
    interval: &IntervalFigures,
) -> Option<twinpath_metrics::Value> {
    cells::CELLS.get(place)?.value(interval)
}

/// The key under which a file says of which format it is.
const FORMAT_KEY: &str = "twinpath.store";
const FORMAT: &str = "1";
/// The key of the checksums of a closed file.
const BLOCKS_KEY: &str = "twinpath.blocks";
/// The key of the length of the stretches of time of rows that were summed up, in nanoseconds.
const RESOLUTION_KEY: &str = "twinpath.resolution_ns";
/// The key of the files whose rows a file has.
const SEGMENTS_KEY: &str = "twinpath.segments";
/// Nanoseconds of an hour.
const HOUR_NS: i64 = 3_600_000_000_000;

/// Intervals that wait for the thread; beyond that they are dropped and counted.
const WAITING: usize = 1 << 14;
/// Octets of a row and its part of the hours, while a store is too young to tell: of ten packets.
const USUAL_ROW: u64 = 400;
/// Which part of the octets of all files one that grows has at most, and how many at least.
const SHARE: u64 = 8;
const LEAST_SEGMENT: u64 = 1 << 16;
/// Files whose rows tell how large one is.
const SAMPLE: usize = 4;

/// Where rows are kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreSettings {
    /// The directory, which is made if it is missing.
    pub(crate) path: PathBuf,
    /// How old a day's rows become; `None`: of any age.
    pub(crate) retention: Option<Duration>,
    /// How many octets all files have at most; `None`: as many as they take.
    pub(crate) max_octets: Option<u64>,
}

/// What a store has done since it was opened, and what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreCounters {
    /// Rows that are on the disk.
    pub(crate) rows: u64,
    /// Intervals that are not, and will not be.
    pub(crate) dropped: u64,
    /// Octets of all files.
    pub(crate) octets: u64,
    /// Octets of files that were deleted because all had too many.
    pub(crate) deleted_octets: u64,
    /// Files that could not be read and were set aside.
    pub(crate) damaged: u64,
    /// Why the disk takes no rows now.
    pub(crate) error: Option<String>,
    /// Of raw packets; `None`: none were to be saved.
    pub(crate) raw: Option<RawCounters>,
}

/// How often things are done.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// How long a row waits to be written.
    flush: Duration,
    /// How old a growing file becomes, and how long.
    segment_age: Duration,
    segment_rows: u64,
    segment_octets: u64,
    /// How often files are looked after.
    look: Duration,
    /// For how long the clock has to say that a day is too old.
    doubt: Duration,
}

impl Pace {
    const USUAL: Self = Self {
        flush: Duration::from_secs(5),
        segment_age: Duration::from_hours(1),
        segment_rows: 1 << 16,
        segment_octets: u64::MAX,
        look: Duration::from_mins(1),
        doubt: Duration::from_hours(1),
    };

    /// With files that grow to a part of what all may have.
    fn within(self, most: Option<u64>) -> Self {
        let share = most.map_or(u64::MAX, |most| (most / SHARE).max(LEAST_SEGMENT));
        Self {
            segment_octets: self.segment_octets.min(share),
            ..self
        }
    }
}

/// What the threads of a store share.
#[derive(Debug)]
struct Shared {
    layout: Layout,
    lock: StoreLock,
    /// What sessions have, for a directory that is made again.
    labels: Mutex<Labels>,
    /// Octets of all files, and those that grow.
    sizes: FileSizes,
    rows: AtomicU64,
    dropped: AtomicU64,
    deleted: AtomicU64,
    damaged: AtomicU64,
    error: Mutex<Option<String>>,
    stop: AtomicBool,
}

impl Shared {
    fn new(path: &Path) -> Self {
        Self {
            layout: Layout::new(path),
            lock: StoreLock::default(),
            labels: Mutex::default(),
            sizes: FileSizes::default(),
            rows: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            deleted: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            error: Mutex::default(),
            stop: AtomicBool::new(false),
        }
    }

    /// Writes the labels of sessions.
    fn describe(&self) {
        let root = self.layout.root();
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = labels::write(root, &labels) {
            warn!(
                "cannot write the labels of sessions into the store {}: {error}",
                root.display()
            );
        }
    }

    /// Takes the lock again where the directory or the lock is not in its place any more, and puts back what belongs to it.
    ///
    /// # Errors
    /// Another process has taken it, or it cannot be made.
    fn keep_lock(&self) -> std::io::Result<()> {
        if self.lock.is_lost(&self.layout) {
            let taken = self.lock.take(&self.layout);
            taken.map_err(|error| std::io::Error::other(error.to_string()))?;
            warn!(
                "the directory of the store {} or its lock was deleted, moved or unmounted; what it had stays where it \
                 is, and the lock is taken again",
                self.layout.root().display()
            );
            self.describe();
        }
        Ok(())
    }

    fn fail(&self, error: Option<String>) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// A store that is being written. Never waits for the disk.
#[derive(Debug)]
pub(crate) struct Store {
    shared: Arc<Shared>,
    max_octets: Option<u64>,
    intervals: Option<SyncSender<Arc<StoredInterval>>>,
    keeper: Option<JoinHandle<()>>,
    upkeep: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens the store of a directory, and makes it if it is missing.
    ///
    /// # Errors
    /// The directory cannot be written, or another process does.
    pub(crate) fn open(settings: &StoreSettings) -> Result<Self, Failure> {
        Self::open_at(settings, Pace::USUAL)
    }

    fn open_at(settings: &StoreSettings, pace: Pace) -> Result<Self, Failure> {
        let pace = pace.within(settings.max_octets);
        let shared = Arc::new(Shared::new(&settings.path));
        shared.lock.take(&shared.layout)?;
        let cannot = |error: std::io::Error| cannot(&settings.path, &error);
        upkeep::tidy(&shared).map_err(cannot)?;
        let (intervals, inbox) = sync_channel(WAITING);
        let (wake, wakes) = channel();
        let mut keeper = Keeper::new(Arc::clone(&shared), pace, wake);
        keeper.resume();
        let upkeep = Upkeep::new(Arc::clone(&shared), pace, settings);
        let keeper = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || keeper.run(&inbox))
            .map_err(cannot)?;
        let upkeep = thread::Builder::new()
            .name("store-upkeep".to_owned())
            .spawn(move || upkeep.run(&wakes))
            .map_err(cannot)?;
        Ok(Self {
            shared,
            max_octets: settings.max_octets,
            intervals: Some(intervals),
            keeper: Some(keeper),
            upkeep: Some(upkeep),
        })
    }

    /// Adds the interval of a session. False: it is dropped and counted, because too many wait for the disk.
    pub(crate) fn add(&self, interval: Arc<StoredInterval>) -> bool {
        let intervals = self.intervals.as_ref();
        let is_taken = intervals.is_some_and(|it| it.try_send(interval).is_ok());
        if !is_taken {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Writes down which labels sessions have, for reports.
    pub(crate) fn describe(&self, labels: &BTreeMap<String, BTreeMap<String, String>>) {
        let known = &self.shared.labels;
        labels.clone_into(&mut known.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.describe();
    }

    /// What it has done and has.
    pub(crate) fn counters(&self) -> StoreCounters {
        let shared = &self.shared;
        let error = shared.error.lock().unwrap_or_else(PoisonError::into_inner);
        StoreCounters {
            rows: shared.rows.load(Ordering::Relaxed),
            dropped: shared.dropped.load(Ordering::Relaxed),
            octets: shared.sizes.octets(),
            deleted_octets: shared.deleted.load(Ordering::Relaxed),
            damaged: shared.damaged.load(Ordering::Relaxed),
            error: error.clone(),
            raw: None,
        }
    }

    /// Octets of a row and its part of the sums, as far as the latest files show it.
    pub(crate) fn octets_per_row(&self) -> u64 {
        let (rows, octets) = self.latest();
        octets.checked_div(rows).map_or(USUAL_ROW, |row| row.max(1))
    }

    /// Rows and octets of the latest closed files, with their part of the sums of their day.
    fn latest(&self) -> (u64, u64) {
        let layout = &self.shared.layout;
        let days = layout.days().unwrap_or_default();
        let files = days.iter().rev().filter_map(|day| layout.files(*day).ok());
        let files = files.flat_map(|files| {
            let measured: u64 = files
                .segments
                .values()
                .map(|path| upkeep::octets_of(path))
                .sum();
            let all = upkeep::octets(&files);
            let segments = files.segments.into_values().rev();
            segments.map(move |path| (path, all, measured))
        });
        let closed = files.take(2 * SAMPLE).filter_map(|(path, all, measured)| {
            let segment = segment::Segment::open(&path).ok()?;
            let own = u128::from(upkeep::octets_of(&path)) * u128::from(all);
            let own = u64::try_from(own.checked_div(measured.into())?).ok()?;
            segment.is_closed().then_some((segment.rows(), own))
        });
        let closed = closed.take(SAMPLE);
        closed.fold((0, 0), |sum, file| (sum.0 + file.0, sum.1 + file.1))
    }

    /// Where its raw packets are saved.
    pub(crate) fn raw_place(&self) -> RawPlace {
        RawPlace::within(&self.shared.layout, self.max_octets, &self.shared.sizes)
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        self.shared.layout.root()
    }

    /// Reads it, also while it is written.
    pub(crate) fn reader(&self) -> StoreReader {
        StoreReader::new(self.shared.layout.root())
    }

    /// Writes everything to the disk, and ends.
    pub(crate) fn close(mut self) -> StoreCounters {
        self.end();
        self.counters()
    }

    fn end(&mut self) {
        self.intervals = None;
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in [self.keeper.take(), self.upkeep.take()]
            .into_iter()
            .flatten()
        {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    let line = format!("cannot use the store {}: {error}", path.display());
    Failure::could_not(line).with_remedy(Some(files::remedy(error)))
}
