//! The thread that writes rows as they come: into the growing file of their day, every few seconds. While the disk
//! does not take them they wait in memory, the latest of them.

mod lost;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_runtime::wall;

use crate::files::{self, Unfit};
use crate::saved::{GrowingFile, Sync, Writer};

use super::columns::Intervals;
use super::cursor::Wanted;
use super::filter::Filter;
use super::layout::{Day, sync_directory};
use super::query::covered;
use super::row::{StoredInterval, StoredRow};
use super::segment::Segment;
use super::{FORMAT, FORMAT_KEY, Pace, Shared};

/// The most rows that wait for the disk; of more, the oldest are dropped and counted.
const MOST_WAITING: usize = 1 << 14;
/// Intervals that are taken before files are looked at again.
const TURN: usize = 1_024;
/// How soon a disk that took nothing is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How often files are looked at if nothing comes.
const LOOK: Duration = Duration::from_secs(1);
/// Files that grow at once: of today and of yesterday.
const MOST_OPEN: usize = 2;
/// How long no row came for a day that is over.
const QUIET: Duration = Duration::from_mins(2);

/// What writes a file.
type SegmentWriter = Writer<File, Intervals>;

/// A file that grows.
#[derive(Debug)]
struct OpenSegment {
    day: Day,
    path: PathBuf,
    writer: SegmentWriter,
    growing: GrowingFile,
    opened: Instant,
    last_row: Instant,
    /// Rows in it that were counted.
    counted: u64,
}

impl OpenSegment {
    fn new(day: Day, path: PathBuf, writer: SegmentWriter, growing: GrowingFile) -> Self {
        growing.set(writer.octets());
        Self {
            day,
            path,
            writer,
            growing,
            opened: Instant::now(),
            last_row: Instant::now(),
            counted: 0,
        }
    }
}

/// What writes.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    pace: Pace,
    open: Vec<OpenSegment>,
    /// Those that are not in their place any more, until their rows are written again.
    lost: Vec<OpenSegment>,
    waiting: VecDeque<StoredRow>,
    /// When the rows that are not on the disk are written, if there are some.
    due: Option<Instant>,
    /// The disk took nothing; when it is tried again.
    again: Option<Instant>,
    /// Rows that were counted in files that are lost, and are written again.
    recounted: u64,
    /// Tells who closes files that there is one.
    wake: Sender<Day>,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, pace: Pace, wake: Sender<Day>) -> Self {
        Self {
            shared,
            pace,
            open: Vec::new(),
            lost: Vec::new(),
            waiting: VecDeque::new(),
            due: None,
            again: None,
            recounted: 0,
            wake,
        }
    }

    /// Takes intervals until there can be no more.
    pub(super) fn run(mut self, inbox: &Receiver<Arc<StoredInterval>>) {
        loop {
            match inbox.recv_timeout(self.wait()) {
                Ok(interval) => self.take(&interval),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            inbox
                .try_iter()
                .take(TURN)
                .for_each(|interval| self.take(&interval));
            self.look();
        }
        self.end();
    }

    /// Until rows are due to be written.
    pub(super) fn wait(&self) -> Duration {
        self.again.or(self.due).map_or(LOOK, |due| {
            due.saturating_duration_since(Instant::now()).min(LOOK)
        })
    }

    pub(super) fn take(&mut self, interval: &StoredInterval) {
        self.add(StoredRow::of(interval));
    }

    pub(super) fn add(&mut self, row: StoredRow) {
        // When the next row of the session comes, this one is on the disk.
        let interval = Duration::from_nanos((row.end - row.start).abs_ns());
        let due = Instant::now() + interval.min(self.pace.flush);
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        self.waiting.push_back(row);
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        if self.again.or(self.due).is_some_and(|due| now >= due) {
            self.flush();
        }
        self.close_those_due();
    }

    /// Writes all rows, or keeps them until the disk takes them.
    pub(super) fn flush(&mut self) {
        match self.write() {
            Ok(()) => {
                if self.again.take().is_some() {
                    let dropped = self.shared.dropped.load(Ordering::Relaxed);
                    info!("the store takes rows again; {dropped} were dropped since it began");
                    self.shared.fail(None);
                }
                self.due = None;
            }
            Err(error) => {
                if self.again.is_none() {
                    let place = self.shared.layout.root().display();
                    let remedy = match &error {
                        Unfit::Io(error) => files::remedy(error),
                        Unfit::Kind(_) | Unfit::Link(_) => error.remedy(),
                    };
                    warn!(
                        "cannot write to the store {place}: {error}; the latest {MOST_WAITING} rows wait in \
                         memory; {remedy}"
                    );
                }
                self.shared.fail(Some(error.to_string()));
                self.again = Some(Instant::now() + TRY_AGAIN.min(self.pace.flush.max(LOOK)));
            }
        }
    }

    fn write(&mut self) -> Result<(), Unfit> {
        // Nothing is written into the store of another process.
        self.shared.keep_lock()?;
        self.write_open()?;
        while let Some(day) = self.waiting.front().map(|row| Day::of(row.start)) {
            let segment = self.segment(day)?;
            let Some(segment) = self.open.get_mut(segment) else {
                break;
            };
            if let Some(row) = self.waiting.pop_front() {
                segment.last_row = Instant::now();
                if segment.writer.push(row) {
                    segment.writer.write(Sync::Memory)?;
                }
            }
            if segment.writer.pushed() >= self.pace.segment_rows {
                segment.writer.write(Sync::Memory)?;
                self.close_those_due();
            }
        }
        self.write_open()
    }

    /// Writes what the open files lack. The rows of a file that is not in its place any more go to another one.
    fn write_open(&mut self) -> Result<(), Unfit> {
        self.find_lost();
        self.write_lost()?;
        for segment in &mut self.open {
            segment.writer.write(Sync::Disk)?;
            segment.growing.set(segment.writer.octets());
            let written = segment.writer.written();
            let more = written.saturating_sub(segment.counted);
            segment.counted = written;
            let again = more.min(self.recounted);
            self.recounted -= again;
            self.shared.rows.fetch_add(more - again, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The place of the open file of a day, which is made if it is missing.
    fn segment(&mut self, day: Day) -> Result<usize, Unfit> {
        if let Some(place) = self.open.iter().position(|segment| segment.day == day) {
            return Ok(place);
        }
        if self.open.len() >= MOST_OPEN {
            let oldest = (0..)
                .zip(&self.open)
                .min_by_key(|(_, segment)| segment.last_row);
            if let Some((place, _)) = oldest {
                let segment = self.open.remove(place);
                self.close(segment);
            }
        }
        let segment = self.begin(day, |_| Ok(()))?;
        self.open.push(segment);
        Ok(self.open.len() - 1)
    }

    /// A new file, which has its name once it is filled.
    fn begin(
        &self,
        day: Day,
        fill: impl FnOnce(&mut SegmentWriter) -> io::Result<()>,
    ) -> Result<OpenSegment, Unfit> {
        let layout = &self.shared.layout;
        let directory = layout.day(day);
        if fs::create_dir_all(&directory).is_ok() {
            sync_directory(layout.root());
        }
        let files = layout.files(day)?;
        let covered = files.whole_day.as_deref().map(covered);
        let covered = covered
            .and_then(|numbers| numbers.last().copied())
            .unwrap_or(0);
        let number = files.next_number().max(covered.saturating_add(1));
        let path = layout.segment(day, number);
        let (mut writer, new) = new_file(&path)?;
        fill(&mut writer)?;
        let growing = self.shared.sizes.grow(&path);
        new.persist(&path).map_err(|error| error.error)?;
        sync_directory(&directory);
        Ok(OpenSegment::new(day, path, writer, growing))
    }

    /// Goes on with the last file of today, if the process before did not close it: a copy takes its place.
    pub(super) fn resume(&mut self) {
        let day = Day::of(wall());
        let files = self.shared.layout.files(day);
        let last = files.ok().and_then(|mut files| files.segments.pop_last());
        let Some((_, path)) = last else {
            return;
        };
        let Ok(segment) = Segment::open(&path) else {
            return;
        };
        // A damaged one is set aside as it is.
        let is_whole = segment.damage().is_none();
        if segment.is_closed() || !is_whole || segment.rows() >= self.pace.segment_rows / 2 {
            return;
        }
        match copied(&segment, &path) {
            Ok(writer) => {
                let growing = self.shared.sizes.grow(&path);
                self.open.push(OpenSegment {
                    counted: writer.written(),
                    ..OpenSegment::new(day, path, writer, growing)
                });
            }
            Err(error) => warn!("cannot go on with {}: {error}", path.display()),
        }
    }

    pub(super) fn close_those_due(&mut self) {
        let today = Day::of(wall());
        let (rows, age) = (self.pace.segment_rows, self.pace.segment_age);
        let octets = self.pace.segment_octets;
        let is_due = |segment: &mut OpenSegment| {
            segment.writer.written() >= rows
                || segment.writer.written() > 0 && segment.writer.octets() >= octets
                || segment.opened.elapsed() >= age
                || segment.day != today && segment.last_row.elapsed() >= QUIET
        };
        let due: Vec<OpenSegment> = self.open.extract_if(.., is_due).collect();
        for segment in due {
            self.close(segment);
        }
    }

    fn close(&mut self, mut segment: OpenSegment) {
        if !segment.writer.is_named(&segment.path) {
            self.lose(segment);
            return;
        }
        if let Err(error) = segment
            .writer
            .finish()
            .and_then(|()| segment.writer.settle())
        {
            // It is whole up to the last write, and its other rows are here.
            warn!("cannot close {}: {error}", segment.path.display());
            let unwritten = segment
                .writer
                .pushed()
                .saturating_sub(segment.writer.written());
            let rows = segment.writer.take_rows();
            let written = rows
                .len()
                .saturating_sub(usize::try_from(unwritten).unwrap_or(0));
            for row in rows.into_iter().skip(written).rev() {
                self.waiting.push_front(row);
            }
        }
        let written = segment.writer.written().saturating_sub(segment.counted);
        let again = written.min(self.recounted);
        self.recounted -= again;
        self.shared
            .rows
            .fetch_add(written - again, Ordering::Relaxed);
        segment.growing.set(segment.writer.octets());
        let day = segment.day;
        drop(segment);
        // It is over.
        let _ = self.wake.send(day);
    }

    /// The store is closed: the last rows are written, and the files are left to the next process.
    fn end(mut self) {
        self.flush();
        let gone = self.lost.iter().map(|segment| segment.writer.pushed());
        let lost = self.waiting.len() as u64 + gone.sum::<u64>();
        if lost > 0 {
            self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
            warn!("{lost} rows are not in the store");
        }
        for segment in &mut self.open {
            if let Err(error) = segment
                .writer
                .finish()
                .and_then(|()| segment.writer.settle())
            {
                warn!("cannot close {}: {error}", segment.path.display());
            }
        }
    }
}

/// A file without rows, which is to have this name.
fn new_file(path: &std::path::Path) -> Result<(SegmentWriter, tempfile::NamedTempFile), Unfit> {
    let new = files::create(path)?;
    let facts = vec![(FORMAT_KEY, FORMAT.to_owned())];
    let file: File = new.as_file().try_clone()?;
    Ok((Writer::of(Intervals, file, facts)?, new))
}

/// Adds a row to a file.
fn put(writer: &mut SegmentWriter, row: StoredRow) -> io::Result<()> {
    if writer.push(row) {
        writer.write(Sync::Memory)?;
    }
    Ok(())
}

/// A file with the rows of another one, in whose place it is.
fn copied(segment: &Segment, path: &std::path::Path) -> io::Result<SegmentWriter> {
    let (mut writer, new) = new_file(path).map_err(io::Error::other)?;
    let copied = segment.each(&Filter::ALL, &Wanted::All, |row| {
        put(&mut writer, row).map_err(CopyError::Io)
    });
    copied.map_err(io::Error::other)?;
    writer.write(Sync::Disk)?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(writer)
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Unreadable(#[from] crate::saved::Unreadable),
    #[error(transparent)]
    Io(io::Error),
}
