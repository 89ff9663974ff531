//! The batches of an export, a file each in a directory of their own: `NUMBER-ID-ROWS.KIND`, in the order of their
//! numbers.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::files;
use crate::plan::seed;

const LOCK: &str = "lock";
/// A file that is written.
const NEW: &str = "new";
/// Batches that were refused.
const ASIDE: &str = "refused";
/// How many of them are kept.
const MOST_ASIDE: usize = 4;
/// Files of a directory that are looked at.
const MOST_FILES: usize = 1 << 20;

/// What a batch is known by: its place in the order, and what no other batch has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchId {
    pub(super) number: u64,
    pub(super) id: String,
}

/// A batch in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) id: BatchId,
    pub(super) rows: u64,
    pub(super) octets: u64,
    pub(super) path: PathBuf,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) rows: u64,
    pub(super) octets: u64,
}

/// The directory.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    kind: &'static str,
    max_octets: u64,
    state: Mutex<State>,
    changed: Condvar,
    /// Ours alone as long as this is.
    _lock: File,
}

#[derive(Debug, Default)]
struct State {
    batches: BTreeMap<u64, Batch>,
    waiting: Waiting,
    next: u64,
    /// The batch of an attempt that goes on.
    sending: Option<u64>,
}

impl State {
    fn insert(&mut self, batch: Batch) {
        self.waiting.rows = self.waiting.rows.saturating_add(batch.rows);
        self.waiting.octets = self.waiting.octets.saturating_add(batch.octets);
        self.next = self.next.max(batch.id.number.saturating_add(1));
        self.batches.insert(batch.id.number, batch);
    }

    fn remove(&mut self, number: u64) {
        if let Some(batch) = self.batches.remove(&number) {
            self.waiting.rows = self.waiting.rows.saturating_sub(batch.rows);
            self.waiting.octets = self.waiting.octets.saturating_sub(batch.octets);
        }
    }
}

impl Spool {
    /// Opens a directory, which is made if it is missing.
    ///
    /// # Errors
    /// It cannot be written, or another process has it.
    pub(super) fn open(directory: &Path, kind: &'static str, max_octets: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let lock = lock(&directory.join(LOCK))?;
        let mut state = State::default();
        for entry in fs::read_dir(directory)?.take(MOST_FILES) {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|it| it == NEW) {
                remove(&path)?;
            } else if let Some((id, rows)) = parse(&path, kind) {
                let octets = entry.metadata()?.len();
                state.insert(Batch {
                    id,
                    rows,
                    octets,
                    path,
                });
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            kind,
            max_octets,
            state: Mutex::new(state),
            changed: Condvar::new(),
            _lock: lock,
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits.
    pub(super) fn waiting(&self) -> Waiting {
        self.state().waiting
    }

    /// For a batch that begins.
    pub(super) fn new_id(&self) -> BatchId {
        let mut state = self.state();
        let number = state.next;
        state.next = number.saturating_add(1);
        let id = format!("{:016x}{:016x}", seed(), seed());
        BatchId { number, id }
    }

    /// Whether this batch is in a file.
    pub(super) fn has(&self, id: &BatchId) -> bool {
        let state = self.state();
        let known = state.batches.get(&id.number);
        known.is_some_and(|batch| batch.id == *id)
    }

    /// Writes a batch, which is not sent before [`Self::release`]; older ones make room. Returns it and the rows of
    /// those that are gone.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn write(&self, id: BatchId, rows: u64, body: &[u8]) -> io::Result<(Batch, u64)> {
        let octets = body.len() as u64;
        let dropped = self.make_room(octets)?;
        let name = format!("{:020}-{}-{rows}.{}", id.number, id.id, self.kind);
        let path = self.directory.join(name);
        let new = path.with_extension(NEW);
        let mut file = File::create(&new)?;
        let written = file.write_all(body).and_then(|()| file.sync_all());
        if let Err(error) = written.and_then(|()| fs::rename(&new, &path)) {
            remove(&new)?;
            return Err(error);
        }
        sync_directory(&self.directory);
        let batch = Batch {
            id,
            rows,
            octets,
            path,
        };
        Ok((batch, dropped))
    }

    /// Has a batch that was written sent.
    pub(super) fn release(&self, batch: Batch) {
        self.state().insert(batch);
        self.changed.notify_all();
    }

    /// Removes the oldest batches until there is room for so many octets, or only the one that is being sent is left.
    fn make_room(&self, octets: u64) -> io::Result<u64> {
        let mut state = self.state();
        let mut rows: u64 = 0;
        while state.waiting.octets.saturating_add(octets) > self.max_octets {
            let sending = state.sending;
            let mut others = state.batches.values();
            let oldest = others.find(|batch| Some(batch.id.number) != sending);
            let Some(oldest) = oldest.cloned() else {
                break;
            };
            remove(&oldest.path)?;
            state.remove(oldest.id.number);
            rows = rows.saturating_add(oldest.rows);
        }
        Ok(rows)
    }

    /// The oldest batch, for an attempt to send it; waits for one until `is_over`, which is given whether no batch waits.
    pub(super) fn next(&self, is_over: impl Fn(bool) -> bool) -> Option<Batch> {
        /// Should the end be missed.
        const LOOK_EVERY: Duration = Duration::from_secs(1);
        let mut state = self.state();
        loop {
            let oldest = state.batches.values().next().cloned();
            if is_over(oldest.is_none()) {
                return None;
            }
            if let Some(batch) = oldest {
                state.sending = Some(batch.id.number);
                return Some(batch);
            }
            let waited = self.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// An attempt has failed.
    pub(super) fn failed(&self) {
        self.state().sending = None;
    }

    /// Removes a batch that was taken, or that is not there any more.
    ///
    /// # Errors
    /// The file is still there.
    pub(super) fn remove(&self, batch: &Batch) -> io::Result<()> {
        let removed = remove(&batch.path);
        let mut state = self.state();
        state.sending = None;
        state.remove(batch.id.number);
        removed
    }

    /// Puts a batch aside that was refused; the latest are kept.
    ///
    /// # Errors
    /// The file is still there.
    pub(super) fn put_aside(&self, batch: &Batch) -> io::Result<()> {
        let aside = self.directory.join(ASIDE);
        let moved = fs::create_dir_all(&aside).and_then(|()| {
            let name = batch.path.file_name().unwrap_or_default();
            fs::rename(&batch.path, aside.join(name))
        });
        if moved.is_err() {
            return self.remove(batch);
        }
        {
            let mut state = self.state();
            state.sending = None;
            state.remove(batch.id.number);
        }
        let files = fs::read_dir(&aside)?.take(MOST_FILES);
        let mut files: Vec<PathBuf> = files.filter_map(|it| Some(it.ok()?.path())).collect();
        files.sort();
        let more = files.len().saturating_sub(MOST_ASIDE);
        files.iter().take(more).try_for_each(|path| remove(path))
    }

    /// Waits so long, unless it is over before; false: it is.
    pub(super) fn pause(&self, time: Duration, is_over: impl Fn() -> bool) -> bool {
        let by = Instant::now() + time;
        let mut state = self.state();
        loop {
            let left = by.saturating_duration_since(Instant::now());
            if is_over() || left.is_zero() {
                return !is_over();
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Has those that wait look whether it is over.
    pub(super) fn wake(&self) {
        let _state = self.state();
        self.changed.notify_all();
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let lock = options.open(path)?;
    match files::lock(&lock) {
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::other("another export or process writes to it"))
        }
        // A file system without locks keeps batches all the same.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(lock),
    }
}

/// The id and rows of a batch by the name of its file; `None`: it is no batch.
fn parse(path: &Path, kind: &str) -> Option<(BatchId, u64)> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(kind)?.strip_suffix('.')?;
    let mut parts = name.split('-');
    let (number, id, rows) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = id.len() == 32 && id.bytes().all(|it| it.is_ascii_hexdigit());
    if !is_id || parts.next().is_some() {
        return None;
    }
    let id = BatchId {
        number: number.parse().ok()?,
        id: id.to_owned(),
    };
    Some((id, rows.parse().ok()?))
}

/// A file that is gone is what was wanted.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// So that a new name outlasts a loss of power. Some systems cannot.
fn sync_directory(directory: &Path) {
    if let Ok(directory) = File::open(directory) {
        let _synced = directory.sync_all();
    }
}
