//! The Session-Sender's run: a socket, a thread and a handle on it.

mod classes;
mod departures;
mod open;
mod pace;
mod phase;
mod progress;
mod quotes;
mod refusals;
mod sender_loop;
mod session;
mod source;
mod suspension;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use twinpath_metrics::{
    AvailabilityRule, Intervals, MetricsConfig, ReflectorKind, Series, SeriesConfig, Waits,
};
use twinpath_net::{TestSocket, Waiter, Waker};
use twinpath_proto::TestGuard;
use twinpath_proto::sender::{PayloadSize, Protocol, Schedule, lingering, patience};
use twinpath_report::{Finding, SessionReport};
use twinpath_wire::control::{SecurityMode, Sid};

pub use classes::{ClassesReport, ClassesRun, start_classes};
pub use progress::Progress;
pub(crate) use quotes::Quoted;
pub use session::{SessionHandle, SessionNews};

use crate::SenderPlan;
use crate::error::{RunError, StartError, spawn};

/// Samples that wait for the caller at most; beyond that they are dropped and counted.
const RECORDS: usize = 16_384;

/// How long a stopped run waits for what it sent, whatever its timeout: who stops a
/// service kills it some seconds later, and its report with it.
pub const STOP_WAIT: Duration = Duration::from_secs(5);

/// What records may come later than they are due: the caller's naps, a busy host.
const SLACK: Duration = Duration::from_millis(400);
/// The narrowest column that a timeline begins with.
const LEAST_COLUMN: Duration = Duration::from_millis(10);

/// What the thread and its handle share.
#[derive(Debug, Default)]
struct Shared {
    /// Nothing more is to be sent.
    stop: AtomicBool,
    /// Nothing more is to be waited for either.
    abandoned: AtomicBool,
    progress: Mutex<Progress>,
}

/// A Session-Sender that runs.
#[derive(Debug)]
pub struct SenderRun {
    session: SessionHandle,
    thread: SenderThread,
}

/// Opens the socket and begins to send.
///
/// # Errors
/// [`StartError`]: what could not be had.
pub fn start(plan: SenderPlan) -> Result<SenderRun, StartError> {
    let (bound, session) = bind(plan)?;
    let thread = bound.begin(Negotiated::default(), None)?;
    Ok(SenderRun { session, thread })
}

/// Opens the socket, and sends nothing yet. With it comes what its caller follows the session by.
///
/// # Errors
/// [`StartError`]: what could not be had.
pub(crate) fn bind(plan: SenderPlan) -> Result<(Bound, SessionHandle), StartError> {
    open::check_path(&plan)?;
    let socket = open::socket(&plan)?;
    let sender = open::sender_address(&plan, &socket)?;
    let (producer, consumer) = if plan.records {
        Some(rtrb::RingBuffer::new(RECORDS))
    } else {
        None
    }
    .unzip();
    let (waiter, waker) = Waiter::new().map_err(StartError::system("a descriptor to wait by"))?;
    let shared = Arc::new(Shared::default());
    let handle = Handle { shared, waker };
    let session = SessionHandle {
        sender,
        handle: handle.clone(),
        news: consumer,
        series: SeriesFacts::of(&plan),
    };
    let bound = Bound {
        plan,
        socket,
        sender,
        waiter,
        handle,
        records: producer,
    };
    Ok((bound, session))
}

/// A Session-Sender with a socket of its own, that sends nothing yet.
#[derive(Debug)]
pub(crate) struct Bound {
    plan: SenderPlan,
    socket: TestSocket,
    sender: SocketAddr,
    waiter: Waiter,
    handle: Handle,
    records: Option<rtrb::Producer<SessionNews>>,
}

/// What is known of a session before its first packet, for its series.
#[derive(Clone, Debug)]
pub struct SeriesFacts {
    /// What is known of the packets.
    pub metrics: MetricsConfig,
    /// A reply after it counts as lost.
    pub timeout: Duration,
    /// When packets leave.
    pub schedule: Schedule,
}

impl SeriesFacts {
    pub(crate) fn of(plan: &SenderPlan) -> Self {
        Self {
            metrics: metrics_config(plan),
            timeout: plan.timeout,
            schedule: plan.schedule,
        }
    }

    /// An empty series for one session of a run: with rows of `interval`, and with a timeline of this many
    /// `columns`, where these are wanted.
    pub fn open(&self, interval: Option<Duration>, columns: Option<usize>) -> Series {
        self.series(interval, columns, true)
    }

    /// The same for records that were saved, without what is told before them.
    pub fn open_saved(&self, interval: Option<Duration>, columns: Option<usize>) -> Series {
        self.series(interval, columns, false)
    }

    /// The most rows of intervals that wait for their packets' fates at once.
    pub const MOST_ROWS: u32 = Intervals::OPEN;

    /// How long after its interval a row of saved records waits: longer than one of a run.
    pub fn longest_wait(timeout: Duration) -> Duration {
        waits(timeout, false).row()
    }

    /// The shortest interval that has rows, of a run and of its saved records alike.
    pub fn shortest_interval(timeout: Duration) -> Duration {
        Intervals::shortest(&waits(timeout, false))
    }

    fn series(&self, interval: Option<Duration>, columns: Option<usize>, told: bool) -> Series {
        // Narrower columns would be empty, but for those that a packet falls into.
        let schedule = self.schedule;
        let width = schedule
            .mean_interval()
            .saturating_mul(4)
            .max(schedule.usual_gap());
        Series::new(SeriesConfig {
            metrics: self.metrics.clone(),
            waits: waits(self.timeout, told),
            interval,
            columns: columns.map(|columns| (columns, width.max(LEAST_COLUMN))),
        })
    }
}

/// When the fates of packets are known that may take `timeout`.
fn waits(timeout: Duration, told: bool) -> Waits {
    Waits {
        fates: patience(timeout),
        records: lingering(timeout),
        slack: SLACK,
        told,
    }
}

/// Octets of the packets' payload in turn, where they differ.
fn sizes_in_turn(plan: &SenderPlan) -> Vec<u32> {
    let sizes = match plan.payload {
        PayloadSize::Fixed(_) => return Vec::new(),
        PayloadSize::Imix(sizes) => sizes.map(|asked| plan.protocol.payload_octets(asked)),
    };
    let octets = |octets| u32::try_from(octets).unwrap_or(u32::MAX);
    let turn = PayloadSize::Imix(sizes).in_turn();
    turn.into_iter().map(octets).collect()
}

/// What is known of a session's packets in advance.
pub(crate) fn metrics_config(plan: &SenderPlan) -> MetricsConfig {
    let mut config = MetricsConfig {
        reflector: match plan.protocol {
            // RFC 5357 section 4.2.1 guarantees a counter.
            Protocol::Twamp(_) => ReflectorKind::Stateful,
            Protocol::TwampLight | Protocol::Stamp { .. } => ReflectorKind::Undeclared,
        },
        tos_forward: Some(plan.tos),
        // The DSCP agreed on, else a copy; no ECN is agreed on (rows M-71, TT-44).
        tos_backward: Some(plan.tos.dscp().tos()),
        availability: AvailabilityRule::for_interval(plan.schedule.mean_interval()),
        sizes_in_turn: sizes_in_turn(plan),
        ..MetricsConfig::default()
    };
    plan.figures.apply(&mut config);
    config
}

/// What a Control-Client needs of it.
#[cfg(feature = "control")]
impl Bound {
    /// The local address and port, as the far end sees them without NAT.
    pub(crate) fn sender(&self) -> SocketAddr {
        self.sender
    }

    /// Takes other sizes than it was bound with.
    ///
    /// # Errors
    /// [`StartError::TooLargeForPath`], as when it was bound.
    pub(crate) fn resize(
        &mut self,
        payload: PayloadSize,
        padding: i64,
        protocol: Protocol,
    ) -> Result<(), StartError> {
        (self.plan.payload, self.plan.padding) = (payload, padding);
        self.plan.protocol = protocol;
        open::check_path(&self.plan)
    }
}

impl Bound {
    /// What it will do.
    pub(crate) fn plan(&self) -> &SenderPlan {
        &self.plan
    }

    /// Begins to send; `ended` is called when the thread has ended, however it did.
    pub(crate) fn begin(
        mut self,
        negotiated: Negotiated,
        ended: Option<Ended>,
    ) -> Result<SenderThread, StartError> {
        if let Some((far, protocol)) = negotiated.session {
            self.plan.far = far;
            self.plan.protocol = protocol;
        }
        let handle = self.handle.clone();
        let sender_loop = sender_loop::SenderLoop::new(self, negotiated);
        let thread = spawn("sender", move || {
            let _guard = EndGuard(ended);
            sender_loop.run()
        })?;
        Ok(SenderThread {
            handle,
            thread: Some(thread),
        })
    }
}

/// What TWAMP-Control settled about a session; nothing without it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Negotiated {
    /// Where to, and in which packets.
    pub(crate) session: Option<(SocketAddr, Protocol)>,
    /// Its identifier.
    pub(crate) sid: Option<Sid>,
    /// How the connection is secured.
    pub(crate) mode: Option<SecurityMode>,
    /// What protects its packets.
    pub(crate) guard: TestGuard,
    /// What is remarkable about its negotiation.
    pub(crate) findings: Vec<Finding>,
}

/// Called when a sender's thread has ended.
pub(crate) type Ended = Box<dyn FnOnce() + Send>;

/// Calls what waits for a thread's end, after a panic too.
struct EndGuard(Option<Ended>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        if let Some(ended) = self.0.take() {
            ended();
        }
    }
}

/// A glance at a run, and how to end it.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    shared: Arc<Shared>,
    waker: Waker,
}

impl Handle {
    pub(crate) fn progress(&self) -> Progress {
        *self
            .shared
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends sending. What was sent is waited for as at any other end.
    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ends the run at once.
    pub(crate) fn abandon(&self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl SenderRun {
    /// The session as it goes on.
    pub fn session(&mut self) -> &mut SessionHandle {
        &mut self.session
    }

    /// Ends sending. The report comes when the packets that were sent are answered or lost: after the
    /// timeout at the latest.
    pub fn stop(&self) {
        self.thread.handle.stop();
    }

    /// The run is over: drain [`SessionHandle::next_news`] once more, then [`SenderRun::join`].
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end and gives the report.
    ///
    /// # Errors
    /// [`RunError`]: nothing was measured, and why.
    pub fn join(self) -> Result<SessionReport, RunError> {
        self.thread.join()
    }
}

/// The thread of a session; without this its run is ended.
#[derive(Debug)]
pub(crate) struct SenderThread {
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<Result<SessionReport, RunError>>>,
}

impl SenderThread {
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    pub(crate) fn join(mut self) -> Result<SessionReport, RunError> {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or(Err(RunError::Fault)),
            None => Err(RunError::Fault),
        }
    }
}

impl Drop for SenderThread {
    fn drop(&mut self) {
        self.handle.abandon();
    }
}
