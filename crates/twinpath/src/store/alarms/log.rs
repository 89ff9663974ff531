//! Writes lines. Those that the disk does not take wait in memory, the latest of them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_runtime::wall;

use super::{AlarmEvent, AlarmFiles, AlarmKey, AlarmRecord, reader};
use crate::files;
use crate::store::StoreSettings;

/// Lines that wait for the disk at most; of more, the oldest are dropped and counted.
const MOST_WAITING: usize = 4_096;
/// Octets that are written at once.
const MOST_AT_ONCE: usize = 1 << 20;
/// How soon a disk that took nothing is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Where alarms are written down as they are raised and end.
#[derive(Debug)]
pub(crate) struct AlarmLog {
    /// `None`: nothing is kept.
    files: Option<AlarmFiles>,
    waiting: VecDeque<Vec<u8>>,
    dropped: u64,
    /// The disk took nothing; when it is tried again.
    again: Option<Instant>,
    /// It was asked what earlier processes left.
    is_asked: bool,
}

impl AlarmLog {
    /// Of this store; `None`: nothing is kept.
    pub(crate) fn of(store: Option<&StoreSettings>) -> Self {
        let files = store.map(|store| AlarmFiles::within(&store.path, store.max_octets));
        Self {
            files,
            waiting: VecDeque::new(),
            dropped: 0,
            again: None,
            is_asked: false,
        }
    }

    /// Alarms that no line has ended yet, at the first call; else nothing.
    pub(crate) fn take_open(&mut self) -> Option<BTreeMap<AlarmKey, AlarmRecord>> {
        let files = self.files.as_ref()?;
        if std::mem::replace(&mut self.is_asked, true) {
            return None;
        }
        match reader::open(files) {
            Ok(open) => Some(open),
            Err(error) => {
                warn!("the store's alarms cannot be read: {error}");
                Some(BTreeMap::new())
            }
        }
    }

    /// Adds a line, which is written by [`Self::flush`].
    pub(crate) fn push(&mut self, record: &AlarmRecord) {
        if self.files.is_none() {
            return;
        }
        match record.line() {
            Some(line) => self.waiting.push_back(line),
            None => self.dropped += 1,
        }
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    /// Writes what waits, unless the disk took nothing a moment ago.
    pub(crate) fn flush(&mut self) {
        let is_due = self.again.is_none_or(|again| Instant::now() >= again);
        if is_due && !self.waiting.is_empty() {
            self.write();
        }
    }

    fn write(&mut self) {
        let error = match self.append() {
            Ok(()) => {
                if self.again.take().is_some() {
                    let dropped = self.dropped;
                    info!(
                        "the store takes alarms again; {dropped} lines were dropped since it began"
                    );
                }
                return;
            }
            Err(error) => error,
        };
        if self.again.is_none() {
            let remedy = files::remedy(&error);
            warn!("cannot write alarms into the store: {error}; they wait in memory; {remedy}");
        }
        self.again = Some(Instant::now() + TRY_AGAIN);
    }

    fn append(&mut self) -> io::Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        while !self.waiting.is_empty() {
            let mut lines = Vec::new();
            let mut count = 0;
            for line in &self.waiting {
                if count > 0 && lines.len() + line.len() > MOST_AT_ONCE {
                    break;
                }
                lines.extend_from_slice(line);
                count += 1;
            }
            // A line that is there twice is read once.
            files.append(&lines, wall())?;
            self.waiting.drain(..count);
        }
        Ok(())
    }

    /// Writes what waits, a last time.
    pub(crate) fn close(mut self) {
        if !self.waiting.is_empty() {
            self.write();
        }
        let lost = self.waiting.len();
        if lost > 0 {
            warn!("{lost} lines about alarms are not in the store");
        }
    }
}

impl AlarmEvent {
    /// Whether the alarm is not active any more.
    pub(super) fn is_end(self) -> bool {
        match self {
            Self::Raised => false,
            Self::Cleared | Self::Ended => true,
        }
    }
}
