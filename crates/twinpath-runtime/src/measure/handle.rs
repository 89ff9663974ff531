//! The handles on a session, and what they share with the thread that measures it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use twinpath_metrics::{ClosedInterval, Record, Series};
use twinpath_net::Waker;
use twinpath_proto::extension::ReplyTlvs;
use twinpath_proto::sender::Wire;
use twinpath_report::SessionReport;
use twinpath_wire::Sample;
use twinpath_wire::control::Sid;

use super::Progress;
use super::SeriesFacts;
use super::report::{Ended, EndedSession};
use super::shared::LookWaker;
use crate::error::RunError;

/// What a session tells as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionNews {
    /// What happened: all that figures are made of; of a reply with TLVs, these too.
    Record(Record, Option<Box<ReplyTlvs>>),
    /// The timeout of a packet passed: it is counted lost. The record of it comes when it is known
    /// whether it is late, up to another timeout later: as here, if it is not. Left out where news
    /// are read too slowly.
    Overdue(Sample),
}

/// What TWAMP-Control settled about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Where its packets go.
    pub far: SocketAddr,
    /// What they look like.
    pub wire: Wire,
    /// Its identifier.
    pub sid: Option<Sid>,
    /// As for [`SenderPlan::padding`](crate::SenderPlan::padding).
    pub padding: i64,
}

/// Rows that wait for the caller at most: more remain open.
const ROWS: usize = 8;

/// What the measuring thread and the handles share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Nothing more is to be sent.
    pub(super) stop: AtomicBool,
    /// Nothing more is to be waited for either.
    pub(super) abandoned: AtomicBool,
    /// A snapshot is asked for.
    pub(super) snapshot_wanted: AtomicBool,
    /// Records that found no room.
    pub(super) records_dropped: AtomicU64,
    pub(super) commands: Commands,
    /// Not before it begins, and only if it was agreed on.
    pub(super) agreed: OnceLock<Box<Agreed>>,
    progress: Mutex<Progress>,
    rows: Mutex<Vec<ClosedInterval>>,
    /// Where records go from the next snapshot on.
    reader: Mutex<Option<rtrb::Producer<SessionNews>>>,
    snapshot: Mutex<Option<Arc<Series>>>,
    finished: AtomicBool,
    outcome: Mutex<Option<Outcome>>,
    has_ended: Condvar,
}

/// What is asked of a session beside its end: a bit for each [`Command`].
#[derive(Debug, Default)]
pub(super) struct Commands(AtomicU8);

/// Something that a session does once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Command {
    /// Count from 0.
    Clear = 1,
    /// Send a packet whatever the schedule.
    SendNow = 2,
}

impl Commands {
    /// Asks for it; false: it was asked for before, and is not done yet.
    fn add(&self, command: Command) -> bool {
        let bit = command as u8;
        self.0.fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// Takes what was asked for, each command once.
    pub(super) fn take(&self) -> impl Iterator<Item = Command> + use<> {
        let none = self.0.load(Ordering::Relaxed) == 0;
        let bits = if none {
            0
        } else {
            self.0.swap(0, Ordering::AcqRel)
        };
        let all = [Command::Clear, Command::SendNow].into_iter();
        all.filter(move |command| bits & *command as u8 != 0)
    }
}

/// What is left of a session: all that its report is made of.
type Outcome = Result<Arc<Ended>, RunError>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Never waits: while somebody reads, the next call will do.
    pub(super) fn show(&self, now: &Progress) {
        if let Ok(mut progress) = self.progress.try_lock() {
            *progress = *now;
        }
    }

    /// Who wants to read records from here on, and did not before.
    pub(super) fn put_snapshot(&self, series: Arc<Series>) -> Option<rtrb::Producer<SessionNews>> {
        self.snapshot_wanted.store(false, Ordering::Release);
        *lock(&self.snapshot) = Some(series);
        lock(&self.reader).take()
    }

    /// Puts rows where the caller finds them, as many as there is room for. Never waits.
    pub(super) fn add_rows(&self, rows: impl Iterator<Item = ClosedInterval>) {
        if let Ok(mut waiting) = self.rows.try_lock() {
            let room = ROWS.saturating_sub(waiting.len());
            waiting.extend(rows.take(room));
        }
    }

    /// The session is over. Its first outcome counts.
    fn finish(&self, outcome: Outcome) {
        if let Ok(ended) = &outcome {
            // The last snapshot is the whole session.
            self.put_snapshot(Arc::clone(&ended.series));
        }
        let mut slot = lock(&self.outcome);
        if !self.finished.swap(true, Ordering::AcqRel) {
            *slot = Some(outcome);
            self.has_ended.notify_all();
        }
    }

    /// Waits for the end. The error of a session that failed is returned once.
    fn outcome(&self) -> Outcome {
        let mut outcome = lock(&self.outcome);
        while outcome.is_none() && !self.finished.load(Ordering::Acquire) {
            outcome = self
                .has_ended
                .wait(outcome)
                .unwrap_or_else(PoisonError::into_inner);
        }
        match &*outcome {
            Some(Ok(ended)) => Ok(Arc::clone(ended)),
            Some(Err(_)) | None => outcome.take().unwrap_or(Err(RunError::Fault)),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }
}

/// Has the session's thread look at it.
#[derive(Clone, Debug)]
pub(super) enum Wake {
    /// It has the thread for itself.
    Own(Waker),
    /// It shares it.
    Shared(LookWaker),
}

impl Wake {
    fn wake(&self) {
        match self {
            Self::Own(waker) => waker.wake(),
            Self::Shared(waker) => waker.wake(),
        }
    }
}

/// How a session is ended and looked at, without reading its news.
#[derive(Clone, Debug)]
pub(crate) struct SessionControl {
    pub(super) shared: Arc<Shared>,
    pub(super) waker: Wake,
}

impl SessionControl {
    /// A glance at the session, at most about 50 ms old.
    pub(crate) fn progress(&self) -> Progress {
        *lock(&self.shared.progress)
    }

    /// Ends sending. What was sent is waited for as at any other end.
    pub(crate) fn stop(&self) {
        // It may be asked again and again.
        if !self.shared.stop.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Ends the session at once.
    pub(crate) fn abandon(&self) {
        let is_told = self.shared.abandoned.swap(true, Ordering::AcqRel);
        if !is_told && !self.shared.is_finished() {
            self.waker.wake();
        }
    }

    fn command(&self, command: Command) {
        if self.shared.commands.add(command) {
            self.waker.wake();
        }
    }

    /// Waits for the end. The error of a session that failed is returned once.
    ///
    /// # Errors
    /// [`RunError`]: nothing was measured, and why.
    pub(crate) fn ended(&self) -> Result<EndedSession, RunError> {
        EndedSession::of(self.shared.outcome()?)
    }
}

/// A session as it goes on: its news, its figures so far and a glance at it. Without its handle, and
/// without that of its negotiation, a session is ended.
#[derive(Debug)]
pub struct SessionHandle {
    pub(super) sender: SocketAddr,
    pub(super) control: SessionControl,
    pub(super) news: Option<rtrb::Consumer<SessionNews>>,
    /// How many of them may wait.
    pub(super) room: usize,
    pub(super) is_followed: bool,
    pub(super) series: SeriesFacts,
}

impl SessionHandle {
    /// The local address and port, as the far end sees them without NAT.
    pub fn sender(&self) -> SocketAddr {
        self.sender
    }

    /// What was agreed on with a Server; `None`: nothing, or not yet.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.control.shared.agreed.get().map(Box::as_ref)
    }

    /// What happened next; `None`: nothing yet, or the plan wanted no records.
    pub fn next_news(&mut self) -> Option<SessionNews> {
        self.news.as_mut()?.pop().ok()
    }

    /// Has news of a session whose plan wanted no records: what happens after the next snapshot.
    pub fn follow(&mut self) {
        if self.news.is_none() {
            let (producer, consumer) = rtrb::RingBuffer::new(self.room);
            *lock(&self.control.shared.reader) = Some(producer);
            (self.news, self.is_followed) = (Some(consumer), true);
            self.request_snapshot();
        }
    }

    /// Ends what [`SessionHandle::follow`] began.
    pub fn unfollow(&mut self) {
        if std::mem::take(&mut self.is_followed) {
            self.news = None;
            *lock(&self.control.shared.reader) = None;
        }
    }

    /// How many news wait.
    pub fn waiting(&self) -> usize {
        self.news.as_ref().map_or(0, rtrb::Consumer::slots)
    }

    /// How many records were dropped because news are read too slowly, since the session began.
    pub fn records_dropped(&self) -> u64 {
        self.control.shared.records_dropped.load(Ordering::Relaxed)
    }

    /// The rows that are known since the last time. Those that are left at the end are
    /// [`EndedSession::rows`].
    pub fn take_rows(&self) -> Vec<ClosedInterval> {
        std::mem::take(&mut *lock(&self.control.shared.rows))
    }

    /// The next record; all other news are passed over.
    pub fn next_record(&mut self) -> Option<Record> {
        loop {
            if let SessionNews::Record(record, _) = self.next_news()? {
                return Some(record);
            }
        }
    }

    /// The next packet whose fate is known; all other records are passed over.
    pub fn next_sample(&mut self) -> Option<Sample> {
        loop {
            if let Record::Sample(sample) = self.next_record()? {
                return Some(sample);
            }
        }
    }

    /// What was counted before it began: nothing.
    pub fn series(&self) -> Series {
        self.series.open(None, None)
    }

    /// What series of the session begin with: to keep it with records that are saved.
    pub fn series_facts(&self) -> &SeriesFacts {
        &self.series
    }

    /// A glance at the session, at most about 50 ms old.
    pub fn progress(&self) -> Progress {
        self.control.progress()
    }

    /// Ends sending. The report comes when the packets that were sent are answered or lost: after the
    /// timeout at the latest.
    pub fn stop(&self) {
        self.control.stop();
    }

    /// Resets all figures, those of the interval in progress too. Numbers and schedule go on; packets in flight are
    /// counted as sent.
    pub fn clear(&self) {
        self.control.command(Command::Clear);
    }

    /// Sends a packet at once whatever the schedule, which goes on as before. One that was asked for and has not left is
    /// the same.
    pub fn send_now(&self) {
        self.control.command(Command::SendNow);
    }

    /// The session is over: read [`SessionHandle::next_news`] to its end, then [`SessionHandle::join`].
    pub fn is_finished(&self) -> bool {
        self.control.shared.is_finished()
    }

    /// Asks for a snapshot of all figures, which [`SessionHandle::take_snapshot`] has a moment later.
    pub fn request_snapshot(&self) {
        let wanted = &self.control.shared.snapshot_wanted;
        if !wanted.swap(true, Ordering::AcqRel) {
            self.control.waker.wake();
        }
    }

    /// The newest snapshot, if there is one that was not taken before. The last one, which needs no
    /// request, is the whole session.
    pub fn take_snapshot(&self) -> Option<Arc<Series>> {
        lock(&self.control.shared.snapshot).take()
    }

    /// Waits for the end and gives the report.
    ///
    /// # Errors
    /// [`RunError`]: nothing was measured, and why.
    pub fn join(self) -> Result<SessionReport, RunError> {
        Ok(self.ended()?.report())
    }

    /// Waits for the end and gives what the report is made of.
    ///
    /// # Errors
    /// [`RunError`]: nothing was measured, and why; returned once.
    pub fn ended(&self) -> Result<EndedSession, RunError> {
        self.control.ended()
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.control.abandon();
    }
}

/// Called when a session is over.
pub(crate) type WhenEnded = Box<dyn FnOnce() + Send>;

/// Says that a session is over when it is dropped, after a panic too.
pub(super) struct EndGuard {
    shared: Arc<Shared>,
    when_ended: Option<WhenEnded>,
}

impl EndGuard {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            when_ended: None,
        }
    }

    /// This is called when the session is over.
    pub(super) fn calling(mut self, when_ended: Option<WhenEnded>) -> Self {
        self.when_ended = when_ended;
        self
    }

    /// The session came to this.
    pub(super) fn finish(self, outcome: Outcome) {
        self.shared.finish(outcome);
    }
}

impl std::fmt::Debug for EndGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndGuard").finish_non_exhaustive()
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.shared.finish(Err(RunError::Fault));
        if let Some(ended) = self.when_ended.take() {
            ended();
        }
    }
}
