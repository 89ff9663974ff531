//! The thread that writes a raw file: a slow disk is none of the measurement's business.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use twinpath_metrics::Record;

use super::facts::{EndFacts, RunFacts};
use super::file::{Sync, Writer};
use super::{END_KEY, FORMAT, FORMAT_KEY, RUN_KEY, Row};

/// A row waits so long for its place in the file, if its row group is not full before; at the
/// beginning of a run, when there is little to write again, a second, then twice as long each time.
const WRITE_EVERY: Duration = Duration::from_secs(10);
const FIRST_WRITE: Duration = Duration::from_secs(1);
/// The same in long runs: what is written again each time takes no more of the disk than this.
const WRITE_EVERY_AT_MOST: Duration = Duration::from_mins(1);
const AGAIN_PER_SECOND: u64 = 16_384;
/// How often the system is asked to put the file on the disk itself.
const SYNC_EVERY: Duration = Duration::from_mins(1);
/// Rows that are handed over at once.
const BATCH: usize = 1_024;
/// Fewer are handed over so often: each time wakes a thread on a host that measures.
const HAND_OVER_EVERY: Duration = Duration::from_millis(250);
/// Octets that a disk with room for a run has room for.
const PROBE: usize = 4_096;
/// Batches that wait for the disk at most; beyond that rows are left out and counted.
const WAITING: usize = 128;

/// A file that a run is to be saved in.
#[derive(Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    file: File,
    /// It was not there before: it goes again, unless a run begins.
    ours: Option<Ours>,
}

/// A file of our own making that goes with this.
#[derive(Debug)]
struct Ours(Option<PathBuf>);

impl Ours {
    /// It stays.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Somebody else may have taken it away.
            let _ = fs::remove_file(path);
        }
    }
}

/// Why a file cannot be saved in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot write {path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("cannot save in {path}: it is no regular file")]
    NotRegular { path: String },
    #[error("cannot save in {path}: another run does")]
    Busy { path: String },
}

impl Opened {
    /// Opens `path` for writing, and leaves what it holds as it is. Where nothing is, a file is made
    /// that goes again if this is dropped.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = || path.display().to_string();
        let io = |source| OpenError::Io {
            path: shown(),
            source,
        };
        let mut options = OpenOptions::new();
        options.write(true).truncate(false);
        let made = options.clone().create_new(true).open(path);
        let ours = made.is_ok().then(|| Ours(Some(path.to_owned())));
        let mut file = match made {
            // Through a link to what is not there yet, too.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                options.create(true).open(path)
            }
            made => made,
        }
        .map_err(io)?;
        if !file.metadata().map_err(io)?.is_file() {
            return Err(OpenError::NotRegular { path: shown() });
        }
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(OpenError::Busy { path: shown() }),
            // A file system without locks saves all the same.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if ours.is_some() {
            // A full disk makes files as well as any: only writing tells.
            let room = file.write_all(&[0; PROBE]).and_then(|()| file.set_len(0));
            room.map_err(io)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            ours,
        })
    }

    /// Empties the file and begins to save.
    ///
    /// # Errors
    /// [`OpenError`]; nothing can be saved here.
    pub(crate) fn begin(self, facts: &RunFacts) -> Result<Saver, OpenError> {
        let Self { path, file, ours } = self;
        let io = |source| OpenError::Io {
            path: path.display().to_string(),
            source,
        };
        let facts = serde_json::to_string(facts).map_err(|error| io(error.into()))?;
        let facts = vec![(FORMAT_KEY, FORMAT.to_owned()), (RUN_KEY, facts)];
        let writer = Writer::new(file, facts).map_err(io)?;
        // From now on it holds a run.
        if let Some(ours) = ours {
            ours.keep();
        }
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
            missing: 0,
            gone: false,
        })
    }
}

/// What the thread is told.
enum Message {
    Rows(Vec<Row>),
    /// The run is over; the facts of its end.
    End(String),
}

/// Saving that came to an end before its run.
#[derive(Debug)]
pub(crate) struct Ended {
    error: io::Error,
    /// Rows that the file holds.
    written: u64,
}

/// A run that is being saved. Never waits for the disk.
#[derive(Debug)]
pub(crate) struct Saver {
    path: PathBuf,
    messages: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<Result<(), Ended>>>,
    batch: Vec<Row>,
    /// When the last batch was, or the run began.
    handed_over: Instant,
    missing: u64,
    /// The thread has ended early, which was said.
    gone: bool,
}

impl Saver {
    /// Something happened in a session, numbered from 1.
    pub(crate) fn record(&mut self, session: u32, record: &Record) {
        self.batch.push(Row {
            session,
            record: *record,
        });
        if self.batch.len() >= BATCH {
            self.hand_over();
        }
    }

    /// Hands over what has happened so far, if that is due. `Some`: saving has come to an end, in one
    /// line to be said; once.
    pub(crate) fn look(&mut self) -> Option<String> {
        if self.handed_over.elapsed() >= HAND_OVER_EVERY {
            self.hand_over();
        }
        let ended = !self.gone && self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        if ended { self.last_words() } else { None }
    }

    /// The run is over. `Some`: not all of it could be saved, in one line to be said.
    pub(crate) fn finish(mut self, end: impl FnOnce(u64) -> EndFacts) -> Option<String> {
        self.hand_over();
        if self.gone {
            return None;
        }
        let facts = serde_json::to_string(&end(self.missing)).unwrap_or_default();
        if let Some(messages) = self.messages.take() {
            // Fails if the thread has ended: it says why.
            let _ = messages.send(Message::End(facts));
        }
        self.last_words().or_else(|| {
            (self.missing > 0).then(|| {
                format!(
                    "{} lacks {} records: the disk was too slow for them",
                    self.path.display(),
                    self.missing
                )
            })
        })
    }

    fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.handed_over = Instant::now();
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let rows = batch.len() as u64;
        if let Some(messages) = &self.messages {
            match messages.try_send(Message::Rows(batch)) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.missing += rows,
            }
        }
    }

    /// Waits for the thread. `None`: it did all that it was told to.
    fn last_words(&mut self) -> Option<String> {
        self.messages = None;
        self.gone = true;
        let path = self.path.display();
        match self.thread.take()?.join() {
            Ok(Ok(())) => None,
            Ok(Err(Ended { error, written })) => Some(format!(
                "cannot go on saving to {path}: {error}; the measurement goes on, the file holds \
                 the first {written} records of it"
            )),
            Err(_) => Some(format!("cannot go on saving to {path}: internal error")),
        }
    }
}

impl Drop for Saver {
    /// A run that failed: what it had until then is in the file.
    fn drop(&mut self) {
        self.hand_over();
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn save(mut writer: Writer, inbox: &Receiver<Message>) -> Result<(), Ended> {
    let result = follow(&mut writer, inbox);
    result.map_err(|error| Ended {
        error,
        written: writer.written(),
    })
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
            Ok(Message::End(facts)) => {
                writer.tell(END_KEY, facts);
                return writer.finish();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return writer.finish(),
        }
        let now = Instant::now();
        if now >= write_due {
            writer.write(how(now))?;
            let steady = Duration::from_secs(writer.again() / AGAIN_PER_SECOND);
            wait = (wait * 2).min(steady.clamp(WRITE_EVERY, WRITE_EVERY_AT_MOST));
            write_due = now + wait;
        }
    }
}
