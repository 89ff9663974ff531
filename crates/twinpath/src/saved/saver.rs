//! The thread that writes a raw file, so that a slow disk does not affect the measurement.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use twinpath_metrics::Record;
use twinpath_report::words;

use super::file::{Sync, Writer};
use super::footer::{FooterBegin, FooterEnd};
use super::{END_KEY, FORMAT, FORMAT_KEY, RUN_KEY, Row};
use crate::files::{self, Unfit};

/// The longest time until a row is written, if its row group is not full before. At the beginning
/// of a run, when there is little to rewrite, it is a second; it doubles each time.
const WRITE_EVERY: Duration = Duration::from_secs(10);
const FIRST_WRITE: Duration = Duration::from_secs(1);
/// The same in long runs: the largest share of the disk's time spent on rewriting.
const WRITE_EVERY_AT_MOST: Duration = Duration::from_mins(1);
const AGAIN_PER_SECOND: u64 = 16_384;
/// How often the system is asked to put the file on the disk itself.
const SYNC_EVERY: Duration = Duration::from_mins(1);
/// Rows that are handed over at once.
const BATCH: usize = 1_024;
/// How often fewer are handed over: each time wakes a thread on the measuring host.
const HAND_OVER_EVERY: Duration = Duration::from_millis(250);
/// The most batches that wait for the disk; beyond that, rows are dropped and counted.
const WAITING: usize = 128;

/// Where a run is to be saved.
#[derive(Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    /// What has the name until the run begins: ours alone as long as this is.
    before: Option<File>,
}

/// Why a run cannot be saved in a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot write {path}: {source}")]
    Unfit { path: String, source: Unfit },
    #[error("cannot save to {path}: another run is saving to it")]
    Busy { path: String },
}

impl OpenError {
    /// Why, without the file's name.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Unfit { source, .. } => source.to_string(),
            Self::Busy { .. } => "another run is saving to it".to_owned(),
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Unfit { source, .. } => source.remedy(),
            Self::Busy { .. } => "use another name",
        }
    }
}

impl Opened {
    /// The name of the file.
    pub(crate) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether the name is another file's, which the run replaces.
    pub(crate) fn is_there(&self) -> bool {
        self.before.is_some()
    }

    /// Makes sure that a run can be saved as `path`, and leaves what has that name as it is.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        files::try_out(path).map_err(|source| unfit(path, source))?;
        let before = claim(path)?;
        Ok(Self {
            path: path.to_owned(),
            before,
        })
    }

    /// Begins to save: a file that is whole, and has no row yet, takes the name.
    ///
    /// # Errors
    /// [`OpenError`]; nothing can be saved here.
    pub(crate) fn begin(self, facts: &FooterBegin) -> Result<Saver, OpenError> {
        let Self { path, before } = self;
        let io = |source: io::Error| unfit(&path, source.into());
        let facts = serde_json::to_string(facts).map_err(|error| io(error.into()))?;
        let facts = vec![(FORMAT_KEY, FORMAT.to_owned()), (RUN_KEY, facts)];
        if before.is_none() {
            // It may belong to another run by now.
            claim(&path)?;
        }
        let new = files::create(&path).map_err(|source| unfit(&path, source))?;
        let file = new.as_file().try_clone().map_err(io)?;
        // A file system without locks saves all the same.
        let _ = file.try_lock();
        let writer = Writer::new(file, facts).map_err(io)?;
        new.persist(&path).map_err(|error| io(error.into()))?;
        let (messages, inbox) = sync_channel(WAITING);
        let thread = thread::Builder::new()
            .name("saver".to_owned())
            .spawn(move || save(writer, &inbox))
            .map_err(io)?;
        Ok(Saver {
            path,
            messages: Some(messages),
            thread: Some(thread),
            batch: Vec::with_capacity(BATCH),
            handed_over: Instant::now(),
            recorded: 0,
            missing: 0,
            facts: None,
            ended: None,
        })
    }
}

/// Keeps other runs from saving in a file that is there. `None`: there is none, or none that can be kept.
fn claim(path: &Path) -> Result<Option<File>, OpenError> {
    let Ok(file) = files::open(path) else {
        return Ok(None);
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(OpenError::Busy {
            path: path.display().to_string(),
        }),
        // A file system without locks saves all the same.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

fn unfit(path: &Path, source: Unfit) -> OpenError {
    OpenError::Unfit {
        path: path.display().to_string(),
        source,
    }
}

/// Messages to the thread.
enum Message {
    Rows(Vec<Row>),
    /// The facts of its beginning, which are others now.
    Begin(String),
    /// The run is over; the facts of its end.
    End(String),
}

/// The result of saving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Records in the file.
    pub(crate) records: u64,
    /// Records that the run had.
    pub(crate) of: u64,
    /// Why it does not contain all of them; `None` if it does.
    pub(crate) error: Option<Shortfall>,
}

/// Why a file does not contain all of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortfall {
    pub(crate) line: String,
    pub(crate) remedy: &'static str,
}

impl From<io::Error> for Shortfall {
    fn from(error: io::Error) -> Self {
        Self {
            line: error.to_string(),
            remedy: files::remedy(&error),
        }
    }
}

/// How many rows a file contains, and why saving ended before its run.
type Ended = (u64, Option<Shortfall>);

/// A run that is being saved. Never waits for the disk.
#[derive(Debug)]
pub(crate) struct Saver {
    path: PathBuf,
    messages: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<Ended>>,
    batch: Vec<Row>,
    /// When the last batch was, or the run began.
    handed_over: Instant,
    recorded: u64,
    missing: u64,
    /// Facts that are to be told before the next rows.
    facts: Option<String>,
    /// The thread has.
    ended: Option<Ended>,
}

impl Saver {
    /// Records an event of a session, numbered from 1.
    pub(crate) fn record(&mut self, session: u32, record: &Record) {
        self.recorded += 1;
        self.batch.push(Row {
            session,
            record: *record,
        });
        if self.batch.len() >= BATCH {
            self.hand_over();
        }
    }

    /// The run is this from now on.
    pub(crate) fn tell(&mut self, facts: &FooterBegin) {
        self.hand_over();
        self.facts = serde_json::to_string(facts).ok();
        self.hand_over_facts();
    }

    /// Hands over the events so far, if due. `Some`: saving has ended; one line to report, returned
    /// once.
    pub(crate) fn look(&mut self) -> Option<String> {
        if self.handed_over.elapsed() >= HAND_OVER_EVERY {
            self.hand_over();
        }
        let ended = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        if !ended {
            return None;
        }
        self.join();
        let (written, why) = self.ended.as_ref()?;
        let why = why.as_ref().map_or("internal error", |why| &why.line);
        Some(format!(
            "saving to {} failed: {why}; the measurement continues, the file holds {written} of its records",
            self.path.display()
        ))
    }

    /// The run is over.
    pub(crate) fn finish<'a, S: Serialize>(
        mut self,
        end: impl FnOnce(u64) -> FooterEnd<'a, S>,
    ) -> Saved {
        self.hand_over();
        let facts = serde_json::to_string(&end(self.missing)).unwrap_or_default();
        if let Some(messages) = self.messages.take() {
            if let Some(facts) = self.facts.take() {
                let _ = messages.send(Message::Begin(facts));
            }
            // Fails if the thread has ended: it says why.
            let _ = messages.send(Message::End(facts));
        }
        self.join();
        let (records, error) = self.ended.take().unwrap_or_default();
        let slow = || Shortfall {
            line: format!(
                "the disk was too slow for {}",
                words::count(self.missing, "record", "records")
            ),
            remedy: "use a file on a faster disk",
        };
        Saved {
            records,
            of: self.recorded,
            error: error.or_else(|| (self.missing > 0).then(slow)),
        }
    }

    fn hand_over_facts(&mut self) {
        if let (Some(facts), Some(messages)) = (self.facts.take(), &self.messages)
            && let Err(TrySendError::Full(Message::Begin(facts))) =
                messages.try_send(Message::Begin(facts))
        {
            self.facts = Some(facts);
        }
    }

    fn hand_over(&mut self) {
        self.hand_over_facts();
        if self.batch.is_empty() {
            return;
        }
        self.handed_over = Instant::now();
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let rows = batch.len() as u64;
        let taken = match &self.messages {
            Some(messages) => messages.try_send(Message::Rows(batch)).is_ok(),
            None => false,
        };
        if !taken {
            self.missing += rows;
        }
    }

    /// Waits for the thread, and keeps its result.
    fn join(&mut self) {
        self.messages = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.ended = Some(thread.join().unwrap_or_else(|_| {
            let why = Shortfall {
                line: "internal error".to_owned(),
                remedy: "report it",
            };
            (0, Some(why))
        }));
    }
}

impl Drop for Saver {
    /// A run that failed: what it had until then is in the file.
    fn drop(&mut self) {
        self.hand_over();
        self.join();
    }
}

fn save(mut writer: Writer, inbox: &Receiver<Message>) -> Ended {
    let end = follow(&mut writer, inbox);
    (writer.written(), end.err().map(Shortfall::from))
}

fn follow(writer: &mut Writer, inbox: &Receiver<Message>) -> io::Result<()> {
    let mut wait = FIRST_WRITE;
    let mut write_due = Instant::now() + wait;
    let mut sync_due = write_due + SYNC_EVERY;
    let mut how = |now: Instant| {
        if now < sync_due {
            return Sync::Memory;
        }
        sync_due = now + SYNC_EVERY;
        Sync::Disk
    };
    loop {
        match inbox.recv_timeout(write_due.saturating_duration_since(Instant::now())) {
            Ok(Message::Rows(rows)) => {
                for row in rows {
                    if writer.push(row) {
                        let now = Instant::now();
                        writer.write(how(now))?;
                        write_due = now + wait;
                    }
                }
            }
            Ok(Message::Begin(facts)) => writer.set_metadata(RUN_KEY, facts),
            Ok(Message::End(facts)) => {
                writer.set_metadata(END_KEY, facts);
                return writer.finish();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return writer.finish(),
        }
        let now = Instant::now();
        if now >= write_due {
            writer.write(how(now))?;
            let steady = Duration::from_secs(writer.rewritten_octets() / AGAIN_PER_SECOND);
            wait = (wait * 2).min(steady.clamp(WRITE_EVERY, WRITE_EVERY_AT_MOST));
            write_due = now + wait;
        }
    }
}
