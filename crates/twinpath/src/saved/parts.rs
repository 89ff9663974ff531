//! The files of a run that is being saved: one, or one after the other.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use twinpath_report::words;
use twinpath_wire::Wall;

use super::file::{Sync, Writer};
use super::footer::FooterPart;
use super::saver::{Batch, End, Shortfall};
use super::series::Series;
use super::sizes::GrowingFile;
use super::{END_KEY, PART_KEY, RUN_KEY};

/// The longest time until a row is written, if its row group is not full before. At the beginning
/// of a file, when there is little to rewrite, it is a second; it doubles each time.
const WRITE_EVERY: Duration = Duration::from_secs(10);
const FIRST_WRITE: Duration = Duration::from_secs(1);
/// The same in long runs: the largest share of the disk's time spent on rewriting.
const WRITE_EVERY_AT_MOST: Duration = Duration::from_mins(1);
const AGAIN_PER_SECOND: u64 = 16_384;
/// How often the system is asked to put the file on the disk itself.
const SYNC_EVERY: Duration = Duration::from_mins(1);
/// How soon another file is tried when one could not be written.
const TRY_AGAIN: Duration = Duration::from_mins(1);

/// Writes a raw file without rows into an empty one, and keeps other runs away from it.
pub(super) fn writer(file: &File, facts: Vec<(&'static str, String)>) -> io::Result<Writer> {
    let file = file.try_clone()?;
    // A file system without locks saves all the same.
    let _ = file.try_lock();
    Writer::new(file, facts)
}

/// A file that takes rows.
#[derive(Debug)]
pub(super) struct OpenPart {
    path: PathBuf,
    writer: Writer,
    /// Rows that it was given.
    rows: u64,
    /// What it says of itself, if there are several.
    part: Option<FooterPart>,
    /// Its size among those of a store.
    growing: Option<GrowingFile>,
    wait: Duration,
    write_due: Instant,
    sync_due: Instant,
}

impl OpenPart {
    pub(super) fn new(path: PathBuf, writer: Writer) -> Self {
        let write_due = Instant::now() + FIRST_WRITE;
        Self {
            path,
            writer,
            rows: 0,
            part: None,
            growing: None,
            wait: FIRST_WRITE,
            write_due,
            sync_due: write_due + SYNC_EVERY,
        }
    }

    /// With its size among those of a store.
    pub(super) fn of(mut self, growing: Option<GrowingFile>) -> Self {
        self.growing = growing;
        self.measure();
        self
    }

    /// Tells its size.
    fn measure(&self) {
        if let Some(growing) = &self.growing {
            growing.set(self.writer.octets());
        }
    }

    /// Writes what is due; whether anything was.
    fn write_if_due(&mut self, is_full: bool) -> io::Result<bool> {
        let now = Instant::now();
        let is_due = now >= self.write_due;
        if !is_due && !is_full {
            return Ok(false);
        }
        let mut sync = Sync::Memory;
        if now >= self.sync_due {
            self.sync_due = now + SYNC_EVERY;
            sync = Sync::Disk;
        }
        self.writer.write(sync)?;
        self.measure();
        self.look_for_name()?;
        if is_due {
            let steady = Duration::from_secs(self.writer.rewritten_octets() / AGAIN_PER_SECOND);
            self.wait = (self.wait * 2).min(steady.clamp(WRITE_EVERY, WRITE_EVERY_AT_MOST));
        }
        self.write_due = now + self.wait;
        Ok(true)
    }

    /// Makes sure that what is written can be found: in a store under its own name.
    fn look_for_name(&self) -> io::Result<()> {
        let path = self.path.display();
        if self.growing.is_some() && !self.writer.is_named(&self.path) {
            return Err(io::Error::other(format!(
                "{path} was deleted, moved or unmounted while it was written"
            )));
        }
        if self.writer.is_deleted(&self.path) {
            return Err(io::Error::other(format!(
                "{path} was deleted while it was written"
            )));
        }
        Ok(())
    }

    fn tell(&mut self, part: FooterPart) {
        self.part = Some(part);
        let part = serde_json::to_string(&part).unwrap_or_default();
        self.writer.set_metadata(PART_KEY, part);
    }
}

/// The result of saving, so far.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Files.
    pub(super) files: u64,
    /// Rows in them.
    pub(super) rows: u64,
    /// Why rows are missing, the first time.
    pub(super) error: Option<Shortfall>,
}

/// The files of a run.
#[derive(Debug)]
pub(super) struct Parts {
    /// `None`: there is one.
    series: Option<Series>,
    /// A random number, the same in all files of the run.
    run: u64,
    /// Of each file from its beginning.
    facts: Vec<(&'static str, String)>,
    current: Option<OpenPart>,
    /// The one before, on its way to the disk.
    settling: Option<(PathBuf, JoinHandle<io::Result<()>>)>,
    /// The turn that is under way.
    turn: Option<i64>,
    /// When the turn was due, if no file has begun since.
    due: Option<Wall>,
    /// When another file is tried, after one that failed.
    again: Instant,
    /// Nothing is saved, and that was said.
    is_failing: bool,
    /// Rows that are in no file: those dropped before, and here.
    missing: u64,
    dropped: u64,
    /// Of these, what a file knows already.
    known_missing: u64,
    written: Written,
    /// Lines for the user.
    said: SyncSender<String>,
}

impl Parts {
    /// `first`: the only file, if there is no series.
    pub(super) fn new(
        series: Option<Series>,
        facts: Vec<(&'static str, String)>,
        first: Option<OpenPart>,
        said: SyncSender<String>,
    ) -> Self {
        Self {
            series,
            // JSON numbers of other programs have 53 bits.
            run: RandomState::new().hash_one(0) >> 11,
            facts,
            written: Written {
                files: u64::from(first.is_some()),
                ..Written::default()
            },
            current: first,
            settling: None,
            turn: None,
            due: None,
            again: Instant::now(),
            is_failing: false,
            missing: 0,
            dropped: 0,
            known_missing: 0,
            said,
        }
    }

    /// Rows in files, and rows that are in none and did not get lost before.
    pub(super) fn counts(&self) -> [u64; 2] {
        let current = self.current.as_ref();
        let written = current.map_or(0, |part| part.writer.written());
        [self.written.rows + written, self.dropped]
    }

    /// How long nothing needs to be written.
    pub(super) fn wait(&self) -> Duration {
        let due = self.current.as_ref().map(|part| part.write_due);
        due.map_or(WRITE_EVERY_AT_MOST, |due| {
            due.saturating_duration_since(Instant::now())
        })
    }

    /// Writes what waits for too long.
    pub(super) fn look(&mut self) {
        self.write(false);
    }

    /// The rows that were recorded next.
    pub(super) fn take(&mut self, batch: Batch) {
        let at = batch.at;
        self.missing = batch.missing;
        self.turn(at);
        for row in batch.rows {
            if self.current.is_none() && !self.open(at) {
                self.dropped += 1;
                continue;
            }
            let Some(part) = &mut self.current else {
                continue;
            };
            part.rows += 1;
            if part.writer.push(row) {
                self.write(true);
            }
            self.turn_if_large(at);
        }
    }

    /// The run has other facts of its beginning from now on.
    pub(super) fn begin_again(&mut self, run: String) {
        self.facts.retain(|(key, _)| *key != RUN_KEY);
        self.facts.push((RUN_KEY, run.clone()));
        if let Some(part) = &mut self.current {
            part.writer.set_metadata(RUN_KEY, run);
        }
    }

    /// The run is over; without an `end` it failed.
    pub(super) fn end(mut self, end: Option<End>) -> Written {
        let at = end.as_ref().map(|end| end.at);
        let mut is_last = false;
        if let Some(End { at, missing, facts }) = end {
            self.missing = missing;
            self.turn(at);
            is_last = facts.is_none();
            if let Some(facts) = facts {
                if self.current.is_none() {
                    self.again = Instant::now();
                    self.open(at);
                }
                if let Some(part) = &mut self.current {
                    part.writer.set_metadata(END_KEY, facts);
                }
            }
        }
        self.close(at, is_last);
        self.settle();
        self.written
    }

    /// Closes the file of a turn that is over.
    fn turn(&mut self, at: Wall) {
        let Some(series) = &self.series else { return };
        let turn = series.turn(at);
        match self.turn.replace(turn) {
            Some(before) if before != turn => {
                let until = at.min(series.turn_at(before.saturating_add(1)));
                self.due = Some(series.turn_at(turn));
                self.close(Some(until), false);
                self.again = Instant::now();
            }
            _ => {}
        }
    }

    /// Closes a file that is large enough. What it would have is an estimate, until it is written.
    fn turn_if_large(&mut self, at: Wall) {
        let Some(octets) = self.series.as_ref().and_then(|series| series.most_octets) else {
            return;
        };
        let is_large = |part: &OpenPart| part.writer.is_as_large_as(octets);
        if !self.current.as_ref().is_some_and(is_large) {
            return;
        }
        self.write(true);
        if self.current.as_ref().is_some_and(is_large) {
            self.close(Some(at), false);
        }
    }

    /// Opens the next file, if there is to be one; whether there is one.
    fn open(&mut self, at: Wall) -> bool {
        let Some(series) = &self.series else {
            return false;
        };
        if Instant::now() < self.again {
            return false;
        }
        let part = FooterPart {
            run: self.run,
            number: self.written.files + 1,
            from: self.due.unwrap_or(at),
            until: None,
            rows_missing: self.missing + self.dropped - self.known_missing,
            is_last: false,
        };
        let mut facts = self.facts.clone();
        facts.push((PART_KEY, serde_json::to_string(&part).unwrap_or_default()));
        match series.create(part.from, &facts) {
            Ok(open) => {
                self.current = Some(OpenPart {
                    part: Some(part),
                    ..open
                });
                self.due = None;
                self.known_missing += part.rows_missing;
                self.written.files += 1;
                true
            }
            Err((path, error)) => {
                let why = Shortfall {
                    line: error.to_string(),
                    remedy: error.remedy(),
                };
                self.fail(&path, why);
                false
            }
        }
    }

    /// Writes what is due into the file; one that cannot be written is given up.
    fn write(&mut self, is_full: bool) {
        let Some(part) = &mut self.current else {
            return;
        };
        match part.write_if_due(is_full) {
            Ok(wrote) => {
                if wrote && self.is_failing && part.writer.written() > 0 {
                    self.is_failing = false;
                    let _ = self.said.try_send(format!(
                        "saving continues in {}; {} in no file",
                        part.path.display(),
                        words::count(self.missing + self.dropped, "record is", "records are")
                    ));
                }
            }
            Err(error) => self.give_up(error),
        }
    }

    /// Closes the file under way, until that time of the host's clock.
    fn close(&mut self, until: Option<Wall>, is_last: bool) {
        self.settle();
        let missing = self.missing + self.dropped - self.known_missing;
        let Some(part) = &mut self.current else {
            return;
        };
        if let Some(about) = part.part
            && until.is_some()
        {
            part.tell(FooterPart {
                until,
                rows_missing: about.rows_missing + missing,
                is_last,
                ..about
            });
        }
        let finished = part.writer.finish();
        part.measure();
        if let Err(error) = finished.and_then(|()| part.look_for_name()) {
            self.give_up(error);
            return;
        }
        let Some(part) = self.current.take() else {
            return;
        };
        self.known_missing += missing;
        self.written.rows += part.writer.written();
        // What the run records meanwhile does not wait for the disk.
        let settle = thread::Builder::new().name("settler".to_owned());
        let OpenPart { path, writer, .. } = part;
        let thread = settle.spawn(move || writer.settle());
        self.settling = thread.ok().map(|thread| (path, thread));
    }

    /// Waits until the file before is on the disk.
    fn settle(&mut self) {
        let Some((path, thread)) = self.settling.take() else {
            return;
        };
        if let Ok(Err(error)) = thread.join() {
            self.fail(&path, error.into());
        }
    }

    /// What the file under way holds is all that it will hold; nothing, if it was deleted.
    fn give_up(&mut self, error: io::Error) {
        let Some(part) = self.current.take() else {
            return;
        };
        let is_deleted = part.look_for_name().is_err();
        let kept = if is_deleted { 0 } else { part.writer.written() };
        self.written.rows += kept;
        self.dropped += part.rows - kept;
        let mut why = Shortfall::from(error);
        if is_deleted {
            why.remedy = "leave a file where it is until it is closed";
        } else if kept == part.rows {
            why.line = format!("its end could not be written: {}", why.line);
        }
        self.fail(&part.path, why);
    }

    fn fail(&mut self, path: &Path, why: Shortfall) {
        self.again = Instant::now() + TRY_AGAIN;
        if !self.is_failing {
            self.is_failing = true;
            let next = match self.series {
                Some(_) => "another file is tried every minute".to_owned(),
                None => format!("the file holds {} of its records", self.written.rows),
            };
            let (path, why) = (path.display(), &why.line);
            let _ = self.said.try_send(format!(
                "saving to {path} failed: {why}; the measurement continues, {next}"
            ));
        }
        self.written.error.get_or_insert(why);
    }
}
