//! The thread that writes a raw file, so that a slow disk does not affect the measurement.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use twinpath_metrics::Record;
use twinpath_proto::extension::ReplyTlvs;
use twinpath_report::words;
use twinpath_wire::Wall;

use super::footer::{FooterBegin, FooterEnd};
use super::parts::{self, OpenPart, Parts, Written};
use super::series::Series;
use super::sizes::FileSizes;
use super::{FORMAT, FORMAT_KEY, RUN_KEY, Row};
use crate::args::Rotate;
use crate::files::{self, Unfit};

/// Rows that are handed over at once.
const BATCH: usize = 1_024;
/// How often fewer are handed over: each time wakes a thread on the measuring host.
const HAND_OVER_EVERY: Duration = Duration::from_millis(250);
/// The most batches that wait for the disk; beyond that, rows are dropped and counted.
const WAITING: usize = 128;
/// The most lines that wait for their user.
const LINES: usize = 8;

/// Where a run is to be saved.
#[derive(Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    /// Where there is one file after the other.
    series: Option<Series>,
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
    /// The name of the file, or of all of them.
    pub(crate) fn path(&self) -> String {
        let files = self.series.as_ref().map(Series::pattern);
        files.as_ref().unwrap_or(&self.path).display().to_string()
    }

    /// Whether the name is another file's, which the run replaces.
    pub(crate) fn is_there(&self) -> bool {
        self.before.is_some()
    }

    /// Makes sure that a run can be saved as `path`, and leaves what has that name as it is. With
    /// `rotate`: in files whose names begin as that one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(path: &Path, rotate: Option<Rotate>) -> Result<Self, OpenError> {
        let series = rotate.map(|rotate| Series::new(path, rotate));
        for path in [path.to_owned()]
            .into_iter()
            .chain(series.iter().map(|series| series.file(Wall::default(), 1)))
        {
            files::try_out(&path).map_err(|source| unfit(&path, source))?;
        }
        let before = match series {
            Some(_) => None,
            None => claim(path)?,
        };
        Ok(Self {
            path: path.to_owned(),
            series,
            before,
        })
    }

    /// Files whose names begin as `path`, another one after each time `every`, and after so many octets. Nothing is
    /// tried out: their directory is made, and the first of them begins, with the first row. `sizes`: of all files of
    /// the store that has them.
    pub(crate) fn series(
        path: &Path,
        every: Duration,
        most_octets: Option<u64>,
        sizes: &FileSizes,
    ) -> Self {
        Self {
            path: path.to_owned(),
            series: Some(Series {
                most_octets,
                makes_directory: true,
                sizes: Some(sizes.clone()),
                ..Series::new(path, Rotate::Every(every))
            }),
            before: None,
        }
    }

    /// Begins to save: a file that is whole, and has no row yet, takes the name. Of several, the
    /// first begins with the first row.
    ///
    /// # Errors
    /// [`OpenError`]; nothing can be saved here.
    pub(crate) fn begin(self, facts: &FooterBegin) -> Result<Saver, OpenError> {
        let Self {
            path,
            series,
            before,
        } = self;
        let io = |source: io::Error| unfit(&path, source.into());
        let now = facts.started;
        let facts = serde_json::to_string(facts).map_err(|error| io(error.into()))?;
        let facts = vec![(FORMAT_KEY, FORMAT.to_owned()), (RUN_KEY, facts)];
        let mut first = None;
        if series.is_none() {
            if before.is_none() {
                // It may belong to another run by now.
                claim(&path)?;
            }
            let new = files::create(&path).map_err(|source| unfit(&path, source))?;
            let writer = parts::writer(new.as_file(), facts.clone()).map_err(io)?;
            new.persist(&path).map_err(|error| io(error.into()))?;
            first = Some(OpenPart::new(path.clone(), writer));
        }
        let (messages, inbox) = sync_channel(WAITING);
        let (said, lines) = sync_channel(LINES);
        let parts = Parts::new(series.clone(), facts, first, said);
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        let thread = thread::Builder::new()
            .name("saver".to_owned())
            .spawn(move || save(parts, &inbox, &shared))
            .map_err(io)?;
        Ok(Saver {
            series,
            messages: Some(messages),
            lines,
            thread: Some(thread),
            batch: Vec::with_capacity(BATCH),
            at: now,
            handed_over: Instant::now(),
            recorded: 0,
            missing: 0,
            facts: None,
            counts,
        })
    }
}

/// Keeps other runs from saving in a file that is there. `None`: there is none, or none that can be kept.
fn claim(path: &Path) -> Result<Option<File>, OpenError> {
    let Ok(file) = files::open(path) else {
        return Ok(None);
    };
    match files::lock(&file) {
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

/// Rows that were recorded one after the other.
#[derive(Debug)]
pub(super) struct Batch {
    /// When the first of them was, or none, by the host's clock.
    pub(super) at: Wall,
    pub(super) rows: Vec<Row>,
    /// Rows that were dropped so far.
    pub(super) missing: u64,
}

/// Messages to the thread.
enum Message {
    Rows(Batch),
    /// The facts of its beginning, which are others now.
    Begin(String),
    /// The run is over; the facts of its end.
    End(End),
}

/// The end of a run.
pub(super) struct End {
    pub(super) at: Wall,
    pub(super) missing: u64,
    /// `None`: it has no reports of its sessions.
    pub(super) facts: Option<String>,
}

/// The result of saving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Files, where there may be several.
    pub(crate) files: Option<u64>,
    /// Records in the file, or in all of them.
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

/// A run that is being saved. Never waits for the disk.
#[derive(Debug)]
pub(crate) struct Saver {
    series: Option<Series>,
    messages: Option<SyncSender<Message>>,
    lines: Receiver<String>,
    thread: Option<JoinHandle<Written>>,
    batch: Vec<Row>,
    /// A time before the first row of the batch, and in the same file.
    at: Wall,
    /// When the last batch was, or the run began.
    handed_over: Instant,
    recorded: u64,
    missing: u64,
    /// Facts that are to be told before the next rows.
    facts: Option<String>,
    counts: Arc<Counts>,
}

/// What the thread has done.
#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
}

impl Saver {
    /// Records an event of a session, numbered from 1, with the TLVs of its reply.
    pub(crate) fn record(&mut self, session: u32, record: &Record, tlvs: Option<&ReplyTlvs>) {
        self.recorded += 1;
        self.batch.push(Row {
            session,
            record: *record,
            tlvs: tlvs.map(|tlvs| Box::new(tlvs.clone())),
        });
        if self.batch.len() >= BATCH {
            self.hand_over();
        }
    }

    /// The run is this from the rows on that were recorded last.
    pub(crate) fn tell(&mut self, facts: &FooterBegin) {
        self.facts = serde_json::to_string(facts).ok();
        self.hand_over_facts();
    }

    /// Whether the next call of [`Self::record`] or [`Self::look`] hands over what was recorded.
    pub(crate) fn is_due(&self, now: Wall) -> bool {
        self.batch.len() + 1 >= BATCH
            || self.handed_over.elapsed() >= HAND_OVER_EVERY
            || self.turns(now)
    }

    /// Whether another file is due.
    fn turns(&self, now: Wall) -> bool {
        let turns = |series: &Series| series.turn(now) != series.turn(self.at);
        self.series.as_ref().is_some_and(turns)
    }

    /// Records in files so far, and those that are in none.
    pub(crate) fn counts(&self) -> [u64; 2] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            of(&self.counts.written),
            self.missing + of(&self.counts.dropped),
        ]
    }

    /// Hands over the events so far, if due; those that follow are later than `now`. `Some`: a line
    /// to report, returned once.
    pub(crate) fn look(&mut self, now: Wall) -> Option<String> {
        let turns = self.turns(now);
        if turns || self.handed_over.elapsed() >= HAND_OVER_EVERY {
            self.hand_over();
        }
        if self.batch.is_empty() {
            self.at = now;
        }
        if turns {
            // Without a row too: the file is closed on time.
            self.send();
        }
        self.lines.try_recv().ok()
    }

    /// The run is over.
    pub(crate) fn finish<'a, S: Serialize>(
        mut self,
        now: Wall,
        end: impl FnOnce(u64) -> FooterEnd<'a, S>,
    ) -> Saved {
        self.hand_over();
        let facts = serde_json::to_string(&end(self.missing)).unwrap_or_default();
        self.end(now, Some(facts))
    }

    /// The run is over, without reports of its sessions.
    pub(crate) fn close(mut self, now: Wall) -> Saved {
        self.hand_over();
        self.end(now, None)
    }

    fn end(&mut self, now: Wall, facts: Option<String>) -> Saved {
        if let Some(messages) = self.messages.take() {
            if let Some(facts) = self.facts.take() {
                let _ = messages.send(Message::Begin(facts));
            }
            // Fails if the thread has ended: it says why.
            let _ = messages.send(Message::End(End {
                at: now,
                missing: self.missing,
                facts,
            }));
        }
        let written = self.join().unwrap_or_default();
        let slow = || Shortfall {
            line: format!(
                "the disk was too slow for {}",
                words::count(self.missing, "record", "records")
            ),
            remedy: "use a file on a faster disk",
        };
        Saved {
            files: self.series.is_some().then_some(written.files),
            records: written.rows,
            of: self.recorded,
            error: written.error.or_else(|| (self.missing > 0).then(slow)),
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
        if !self.batch.is_empty() {
            self.send();
        }
    }

    fn send(&mut self) {
        self.handed_over = Instant::now();
        let rows = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let count = rows.len() as u64;
        let batch = Batch {
            at: self.at,
            rows,
            missing: self.missing,
        };
        // Without the facts of its session a row means nothing.
        let messages = self.messages.as_ref().filter(|_| self.facts.is_none());
        let taken = messages.is_some_and(|to| to.try_send(Message::Rows(batch)).is_ok());
        if !taken {
            self.missing += count;
        }
    }

    /// Waits for the thread; its result, once.
    fn join(&mut self) -> Option<Written> {
        self.messages = None;
        let written = self.thread.take()?.join();
        Some(written.unwrap_or_else(|_| Written {
            error: Some(Shortfall {
                line: "internal error".to_owned(),
                remedy: "report it",
            }),
            ..Written::default()
        }))
    }
}

impl Drop for Saver {
    /// A run that failed: what it had until then is in the file.
    fn drop(&mut self) {
        self.hand_over();
        self.join();
    }
}

fn save(mut parts: Parts, inbox: &Receiver<Message>, counts: &Counts) -> Written {
    loop {
        let [written, dropped] = parts.counts();
        counts.written.store(written, Ordering::Relaxed);
        counts.dropped.store(dropped, Ordering::Relaxed);
        match inbox.recv_timeout(parts.wait()) {
            Ok(Message::Rows(batch)) => parts.take(batch),
            Ok(Message::Begin(facts)) => parts.begin_again(facts),
            Ok(Message::End(end)) => return parts.end(Some(end)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return parts.end(None),
        }
        parts.look();
    }
}
