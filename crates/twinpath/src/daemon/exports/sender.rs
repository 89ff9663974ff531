//! The thread that sends batches, the oldest first, each until it is taken.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Runtime;
use tracing::warn;

use crate::clients;
use crate::plan::jitter;

use super::Shared;
use super::sink::{Answer, Sink};
use super::spool::{Batch, Spool};

/// How long after a failure the next attempt is made, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The thread.
pub(super) struct Sender {
    sink: Sink,
    spool: Arc<Spool>,
    shared: Arc<Shared>,
    runtime: Runtime,
}

impl Sender {
    /// # Errors
    /// The system has no descriptors for it.
    pub(super) fn new(sink: Sink, spool: Arc<Spool>, shared: Arc<Shared>) -> io::Result<Self> {
        Ok(Self {
            sink,
            spool,
            shared,
            runtime: clients::runtime()?,
        })
    }

    /// Sends until it is over and nothing waits, or an attempt fails after that.
    pub(super) fn run(self) {
        let mut wait = FIRST_WAIT;
        while let Some(batch) = self.spool.next(|is_empty| self.shared.is_over(is_empty)) {
            let why = match self.attempt(&batch) {
                Ok(Answer::Taken) => {
                    self.taken(&batch);
                    wait = FIRST_WAIT;
                    continue;
                }
                Ok(Answer::Refused(why)) => {
                    self.refused(&batch, &why);
                    continue;
                }
                Ok(Answer::Failed(why)) => why,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.vanished(&batch);
                    continue;
                }
                Err(error) => format!("cannot read a batch: {error}"),
            };
            self.spool.failed();
            self.shared.sink_failed(&why);
            let is_stopped = || self.shared.is_stopped();
            if !self.spool.pause(wait.mul_f64(jitter()), is_stopped) {
                return;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn attempt(&self, batch: &Batch) -> io::Result<Answer> {
        if let Sink::Exec(words) = &self.sink {
            let is_over = || self.shared.is_over(false);
            return Ok(super::sink::run(
                words,
                fs::File::open(&batch.path)?,
                &is_over,
            ));
        }
        let body = fs::read(&batch.path)?;
        Ok(self.runtime.block_on(self.sink.post(&batch.id.id, body)))
    }

    fn taken(&self, batch: &Batch) {
        self.shared.sent.fetch_add(batch.rows, Ordering::Relaxed);
        self.shared.batches.fetch_add(1, Ordering::Relaxed);
        self.shared.sink_works();
        self.settle(self.spool.remove(batch));
    }

    fn refused(&self, batch: &Batch, why: &str) {
        let (name, rows) = (&self.shared.name, batch.rows);
        if self.shared.refused.fetch_add(rows, Ordering::Relaxed) == 0 {
            warn!("export {name}: a batch of {rows} rows was refused and put aside: {why}");
        }
        self.shared
            .health(|health| health.last_error = Some(why.to_owned()));
        self.settle(self.spool.put_aside(batch));
    }

    /// Somebody removed the file.
    fn vanished(&self, batch: &Batch) {
        self.shared.drop_rows(batch.rows);
        self.settle(self.spool.remove(batch));
    }

    /// A file that stays is sent again by the next process, with the same id.
    fn settle(&self, removed: io::Result<()>) {
        if let Err(error) = removed {
            warn!(
                "export {}: a file cannot be removed: {error}",
                self.shared.name
            );
        }
    }
}
