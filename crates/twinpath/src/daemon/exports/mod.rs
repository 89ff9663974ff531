//! Rows of intervals for those who keep them elsewhere: ClickHouse, Prometheus, a web hook, a program.
//!
//! The daemon's thread gives each row to every export by a bounded channel and never waits: what does not fit is
//! counted. An export has two threads. One collects rows to batches ([`writer`]) and keeps them in a directory
//! ([`spool`]); the other ([`sender`]) sends the oldest batch again and again until it is taken, then removes it.
//!
//! A batch has an id from its first row on, also over a restart: rows that were not in a batch yet are in a journal
//! ([`journal`]). A receiver that knows the ids it had takes each row once. Beyond the bound of the directory the
//! oldest batch is dropped and its rows are counted. What is refused as wrong is put aside.

mod body;
mod journal;
mod otlp;
mod remote_write;
mod sender;
mod series;
mod sink;
mod spool;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use crate::failure::Failure;
use crate::plan::PlannedSession;
use crate::store::StoredInterval;

use sender::Sender;
use spool::Spool;
use writer::Writer;

pub(super) use sink::Sink;

/// Rows that wait for the thread of an export; beyond that they are dropped and counted.
const WAITING: usize = 1 << 14;
/// How long exports may send what waits after the daemon.
const LONGEST_END: Duration = Duration::from_secs(5);
/// How long it takes to kill a program.
const LONGEST_KILL: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An export of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExportSpec {
    pub(super) sink: Sink,
    /// The directory of its batches.
    pub(super) directory: PathBuf,
    /// Octets of all batches, at most.
    pub(super) max_octets: u64,
    /// Rows of a batch, at most.
    pub(super) batch_rows: u64,
    /// How long a row waits for others.
    pub(super) batch_age: Duration,
}

impl ExportSpec {
    /// What this host lacks for it.
    pub(super) fn lacks(&self) -> Option<Failure> {
        self.sink.lacks()
    }
}

/// A row that is given to all exports.
#[derive(Clone)]
struct ExportRow {
    interval: Arc<StoredInterval>,
    /// Its session, for the user's labels.
    session: Arc<PlannedSession>,
}

/// What an export has done since it began, and what waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportCounters {
    /// The entry of the configuration.
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// Rows that were taken, and the batches they were in.
    pub(crate) sent: u64,
    pub(crate) batches: u64,
    /// Rows that wait, and the octets of their files.
    pub(crate) waiting: u64,
    pub(crate) octets: u64,
    /// Rows that will not be sent.
    pub(crate) dropped: u64,
    /// Rows of batches that were put aside.
    pub(crate) refused: u64,
    /// Why rows are not taken now.
    pub(crate) error: Option<String>,
    /// Why they were not taken the last time that they were not.
    pub(crate) last_error: Option<String>,
    /// When rows were taken last.
    pub(crate) last_success: Option<Wall>,
}

/// What the threads of an export share.
#[derive(Debug, Default)]
struct Shared {
    name: String,
    sent: AtomicU64,
    batches: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    /// Rows that are in no batch yet.
    loose: AtomicU64,
    health: Mutex<Health>,
    spool: OnceLock<Arc<Spool>>,
    /// Until when batches are sent, once it ends.
    stop_by: OnceLock<Instant>,
    /// All rows are in batches.
    is_written: AtomicBool,
}

#[derive(Clone, Debug, Default)]
struct Health {
    /// Why there is no directory, or no room in it.
    disk: Option<String>,
    /// Why rows are not taken.
    sink: Option<String>,
    last_error: Option<String>,
    last_success: Option<Wall>,
}

impl Shared {
    fn health(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The directory cannot be used; logged once.
    fn disk_failed(&self, why: &str) {
        self.health(|health| {
            if health.disk.is_none() {
                warn!("export {}: {why}; tried again", self.name);
            }
            health.disk = Some(why.to_owned());
            health.last_error = Some(why.to_owned());
        });
    }

    fn disk_works(&self) {
        self.health(|health| {
            if health.disk.take().is_some() {
                info!("export {}: its directory can be used again", self.name);
            }
        });
    }

    /// Rows were not taken; each reason is logged once.
    fn sink_failed(&self, why: &str) {
        self.health(|health| {
            if health.sink.as_deref() != Some(why) {
                warn!("export {}: {why}; tried again", self.name);
            }
            health.sink = Some(why.to_owned());
            health.last_error = Some(why.to_owned());
        });
    }

    fn sink_works(&self) {
        self.health(|health| {
            if health.sink.take().is_some() {
                info!("export {}: rows are taken again", self.name);
            }
            health.last_success = Some(wall());
        });
    }

    /// Rows will not be sent; the first time it is logged.
    fn drop_rows(&self, rows: u64) {
        if rows > 0 && self.dropped.fetch_add(rows, Ordering::Relaxed) == 0 {
            warn!(
                "export {}: too many rows wait: the oldest are dropped, and counted in its status",
                self.name
            );
        }
    }

    /// Ends it; batches are sent until then.
    fn stop(&self, by: Instant) {
        let _by_the_first_call = self.stop_by.set(by);
        if let Some(spool) = self.spool.get() {
            spool.wake();
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop_by.get().is_some()
    }

    /// Whether no batch is sent any more. `is_empty`: none waits.
    fn is_over(&self, is_empty: bool) -> bool {
        let is_late = self.stop_by.get().is_some_and(|by| Instant::now() >= *by);
        is_late || is_empty && self.is_written.load(Ordering::Acquire)
    }
}

/// An export that runs.
struct Export {
    spec: ExportSpec,
    host: Arc<str>,
    shared: Arc<Shared>,
    rows: SyncSender<ExportRow>,
    thread: JoinHandle<()>,
}

/// All exports.
#[derive(Default)]
pub(super) struct Exports {
    all: BTreeMap<Arc<str>, Export>,
}

impl Exports {
    /// Puts these in force, for a host of this name. Those that do not change go on.
    pub(super) fn apply(&mut self, specs: &BTreeMap<Arc<str>, ExportSpec>, host: &str) {
        self.all.retain(|name, export| {
            let is_kept = specs.get(name) == Some(&export.spec) && *export.host == *host;
            if !is_kept {
                export.shared.stop(Instant::now());
            }
            is_kept
        });
        for (name, spec) in specs {
            if self.all.contains_key(name) {
                continue;
            }
            match Export::start(name, spec, host) {
                Ok(export) => {
                    let place = spec.sink.place();
                    info!("export {name}: {} {place}", spec.sink.kind().name());
                    self.all.insert(Arc::clone(name), export);
                }
                Err(error) => warn!("export {name} has no thread: {error}"),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Gives a row to all of them. Never waits.
    pub(super) fn add(&self, interval: &Arc<StoredInterval>, session: &Arc<PlannedSession>) {
        for export in self.all.values() {
            export.add(ExportRow {
                interval: Arc::clone(interval),
                session: Arc::clone(session),
            });
        }
    }

    /// What they have done, and what waits.
    pub(super) fn counters(&self) -> Vec<ExportCounters> {
        self.all.values().map(Export::counters).collect()
    }

    /// Has all rows written to their directories, and sends them for a short time.
    pub(super) fn close(self) {
        let by = Instant::now() + LONGEST_END;
        let ending = self.all.into_iter().map(|(name, export)| {
            let (shared, thread) = (Arc::clone(&export.shared), export.thread);
            drop(export.rows);
            shared.stop(by);
            (name, shared, thread)
        });
        let ending: Vec<_> = ending.collect();
        // A program that runs then is killed.
        let by = by + LONGEST_KILL;
        while ending.iter().any(|(_, _, thread)| !thread.is_finished()) && Instant::now() < by {
            thread::sleep(LOOK_EVERY);
        }
        for (name, shared, _) in &ending {
            let waiting = shared.spool.get().map_or(0, |spool| spool.waiting().rows);
            if waiting > 0 {
                info!("export {name}: {waiting} rows wait for the next start");
            }
        }
    }
}

impl Export {
    fn start(name: &str, spec: &ExportSpec, host: &str) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            ..Shared::default()
        });
        let (rows, inbox) = sync_channel(WAITING);
        let host: Arc<str> = host.into();
        let begin = Beginning {
            spec: spec.clone(),
            host: Arc::clone(&host),
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || {
                if let Some(spool) = begin.open_spool() {
                    begin.run(&spool, &inbox);
                }
            })?;
        Ok(Self {
            spec: spec.clone(),
            host,
            shared,
            rows,
            thread,
        })
    }

    fn add(&self, row: ExportRow) {
        self.shared.loose.fetch_add(1, Ordering::Relaxed);
        if self.rows.try_send(row).is_err() {
            self.shared.loose.fetch_sub(1, Ordering::Relaxed);
            self.shared.drop_rows(1);
        }
    }

    fn counters(&self) -> ExportCounters {
        let shared = &self.shared;
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let health = shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        let spooled = shared.spool.get().map(|spool| spool.waiting());
        let spooled = spooled.unwrap_or_default();
        ExportCounters {
            name: shared.name.clone(),
            kind: self.spec.sink.kind().name(),
            sent: count(&shared.sent),
            batches: count(&shared.batches),
            waiting: spooled.rows.saturating_add(count(&shared.loose)),
            octets: spooled.octets,
            dropped: count(&shared.dropped),
            refused: count(&shared.refused),
            error: health.disk.clone().or_else(|| health.sink.clone()),
            last_error: health.last_error.clone(),
            last_success: health.last_success,
        }
    }
}

/// What the threads of an export begin with.
struct Beginning {
    spec: ExportSpec,
    host: Arc<str>,
    shared: Arc<Shared>,
}

impl Beginning {
    /// Opens the directory, as soon as that can be; `None`: the export ends before.
    fn open_spool(&self) -> Option<Arc<Spool>> {
        /// Another export may have the directory until its last attempt is over.
        const TRY_AGAIN: Duration = Duration::from_millis(500);
        let kind = self.spec.sink.kind().name();
        loop {
            match Spool::open(&self.spec.directory, kind, self.spec.max_octets) {
                Ok(spool) => {
                    self.shared.disk_works();
                    let spool = self.shared.spool.get_or_init(|| Arc::new(spool));
                    return Some(Arc::clone(spool));
                }
                Err(error) => {
                    let place = self.spec.directory.display();
                    self.shared
                        .disk_failed(&format!("cannot use its directory {place}: {error}"));
                }
            }
            if self.shared.is_stopped() {
                return None;
            }
            thread::sleep(TRY_AGAIN);
        }
    }

    /// Collects rows until there can be no more, and sends them.
    fn run(self, spool: &Arc<Spool>, inbox: &Receiver<ExportRow>) {
        let shared = self.shared;
        let sink = self.spec.sink.clone();
        let mut writer = Writer::new(self.spec, self.host, Arc::clone(spool), Arc::clone(&shared));
        writer.recover();
        let sender = Sender::new(sink, Arc::clone(spool), Arc::clone(&shared));
        let thread = thread::Builder::new().name("export-send".to_owned());
        match sender.and_then(|sender| thread.spawn(move || sender.run())) {
            Ok(sender) => {
                writer.run(inbox);
                shared.is_written.store(true, Ordering::Release);
                spool.wake();
                // What it logs, it has logged.
                let _ended = sender.join();
            }
            Err(error) => shared.disk_failed(&format!("rows cannot be sent: {error}")),
        }
    }
}
