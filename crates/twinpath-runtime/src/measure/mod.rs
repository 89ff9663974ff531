//! Measuring: the Session-Sender's sessions, their sockets and threads, and the handles on them.

mod departures;
mod exact;
mod handle;
mod member;
mod open;
mod pace;
mod phase;
mod progress;
mod quotes;
mod recorder;
mod refusals;
mod report;
mod session;
mod shared;
mod source;
mod suspension;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use twinpath_metrics::{
    AvailabilityRule, Intervals, MetricsConfig, ReflectorKind, Series, SeriesConfig, Waits,
};
use twinpath_net::{SocketSet, TestSocket};
use twinpath_proto::TestGuard;
use twinpath_proto::extension::RequestChain;
use twinpath_proto::sender::{PayloadSize, Schedule, Wire, late_reply_wait, loss_wait};
use twinpath_report::Finding;
use twinpath_wire::control::Sid;

pub use handle::{Agreed, SessionHandle, SessionNews};
pub(crate) use handle::{SessionControl, WhenEnded};
pub use member::Member;
pub use phase::spread;
pub use progress::{PacketGroup, Progress, RecentPackets};
pub(crate) use quotes::Quoted;
pub use report::EndedSession;

use exact::ExactLoop;
use handle::{EndGuard, Shared, Wake};
use session::{Session, Setup};
use shared::{Lease, SharedThread};

use crate::error::{StartError, spawn};
use crate::{PortChoice, SenderPlan};

/// Samples that wait for the caller at most; beyond that they are dropped and counted.
const RECORDS: usize = 16_384;
/// The same of a session among many: at least, and for this long.
const LEAST_RECORDS: usize = 16;
const RECORDS_TIME: Duration = Duration::from_secs(10);

/// How long a stopped run waits for what it sent, whatever its timeout: who stops a
/// service kills it some seconds later, and its report with it.
pub const STOP_WAIT: Duration = Duration::from_secs(5);

/// What records may come later than they are due: the caller's naps, a busy host.
const SLACK: Duration = Duration::from_millis(400);
/// The narrowest column that a timeline begins with.
const LEAST_COLUMN: Duration = Duration::from_millis(10);

/// A session on its thread: a stale one is none, not another session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId {
    index: u32,
    generation: u32,
}

/// The threads that measure. A session that must leave on the microsecond has one for itself; all
/// others share these, and their sockets.
#[derive(Debug)]
pub struct Engine {
    threads: Vec<SharedThread>,
    next: AtomicUsize,
}

impl Engine {
    /// With this many threads for sessions that share them.
    ///
    /// # Errors
    /// [`StartError`]: what could not be had.
    pub fn start(threads: usize) -> Result<Self, StartError> {
        let threads = (0..threads).map(|_| SharedThread::start());
        Ok(Self {
            threads: threads.collect::<Result<_, _>>()?,
            next: AtomicUsize::new(0),
        })
    }

    /// Begins to send.
    ///
    /// # Errors
    /// [`StartError`]: what could not be had.
    pub fn begin(&self, plan: SenderPlan) -> Result<SessionHandle, StartError> {
        let (bound, session) = self.bind(plan)?;
        bound.begin(Agreement::default(), None)?;
        Ok(session)
    }

    /// Opens a socket or shares one, and sends nothing yet. With it comes what its caller follows the
    /// session by.
    pub(crate) fn bind(&self, plan: SenderPlan) -> Result<(Bound, SessionHandle), StartError> {
        let next = match plan.port {
            // One thread's: another could not bind it.
            PortChoice::Exact(port @ 1..) => usize::from(port),
            PortChoice::Exact(0) | PortChoice::Prefer(_) | PortChoice::Range(..) => {
                self.next.fetch_add(1, Ordering::Relaxed)
            }
        };
        let mut threads = self.threads.iter();
        let with_its_port = threads.position(|thread| thread.has_earlier_port(&plan));
        let next = with_its_port.unwrap_or(next % self.threads.len().max(1));
        match self.threads.get(next) {
            Some(thread) if !plan.exact => {
                open::check_path(&plan)?;
                let lease = thread.bind(&plan);
                let lease = lease.or_else(|error| self.share(&plan, error))?;
                let wake = Wake::Shared(lease.waker());
                bound(plan, lease.local, Place::Shared(lease), wake)
            }
            Some(_) | None => bind(plan),
        }
    }

    /// A place on a socket of any thread, where all ports of a range are taken: by others of them.
    fn share(&self, plan: &SenderPlan, error: StartError) -> Result<Lease, StartError> {
        if !matches!(error, StartError::NoFreePort { .. }) {
            return Err(error);
        }
        let mut threads = self.threads.iter();
        let lease = threads.find_map(|thread| thread.bind(plan).ok());
        lease.ok_or(error)
    }
}

/// Opens the socket and begins to send.
///
/// # Errors
/// [`StartError`]: what could not be had.
pub fn start(plan: SenderPlan) -> Result<SessionHandle, StartError> {
    let (bound, session) = bind(plan)?;
    bound.begin(Agreement::default(), None)?;
    Ok(session)
}

/// Opens the socket, and sends nothing yet. With it comes what its caller follows the session by.
///
/// # Errors
/// [`StartError`]: what could not be had.
fn bind(plan: SenderPlan) -> Result<(Bound, SessionHandle), StartError> {
    open::check_path(&plan)?;
    let socket = open::socket(&plan, None)?;
    let local = socket.local();
    let no_descriptor = StartError::system("a descriptor to wait by");
    let (mut sockets, waker) = SocketSet::new().map_err(no_descriptor)?;
    sockets.insert(exact::ONLY, socket).map_err(no_descriptor)?;
    bound(plan, local, Place::Own(sockets), Wake::Own(waker))
}

fn bound(
    plan: SenderPlan,
    local: SocketAddr,
    place: Place,
    waker: Wake,
) -> Result<(Bound, SessionHandle), StartError> {
    let sender = open::sender_address(&plan, local)?;
    let room = records(&plan);
    let (producer, consumer) = if plan.records {
        Some(rtrb::RingBuffer::new(room))
    } else {
        None
    }
    .unzip();
    let shared = Arc::new(Shared::default());
    let control = SessionControl { shared, waker };
    let session = SessionHandle {
        sender,
        control: control.clone(),
        news: consumer,
        room,
        is_followed: false,
        series: SeriesFacts::of(&plan),
    };
    let bound = Bound {
        plan,
        sender,
        place,
        guard: EndGuard::new(Arc::clone(&control.shared)),
        control,
        news: producer,
    };
    Ok((bound, session))
}

/// Room for what the caller has not read yet. Many sessions have no more than they may fill, because each
/// is as large as its room once it was full.
fn records(plan: &SenderPlan) -> usize {
    if plan.exact {
        return RECORDS;
    }
    let interval = plan.schedule.mean_interval().as_nanos().max(1);
    let packets = RECORDS_TIME.as_nanos() / interval;
    usize::try_from(packets)
        .unwrap_or(RECORDS)
        .clamp(LEAST_RECORDS, RECORDS)
}

/// Where a session is measured.
#[derive(Debug)]
enum Place {
    /// On a thread of its own, with its own socket.
    Own(SocketSet),
    /// On a thread and a socket that it shares.
    Shared(Lease),
}

/// A session with its socket, that sends nothing yet.
#[derive(Debug)]
pub(crate) struct Bound {
    plan: SenderPlan,
    sender: SocketAddr,
    place: Place,
    control: SessionControl,
    /// A session that never begins is over as well.
    guard: EndGuard,
    news: Option<rtrb::Producer<SessionNews>>,
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
        Series::new(self.config(interval, columns, true))
    }

    /// The same for records that were saved, without the reports of loss that precede records in a run.
    pub fn open_saved(&self, interval: Option<Duration>, columns: Option<usize>) -> Series {
        Series::new(self.config(interval, columns, false))
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

    fn config(
        &self,
        interval: Option<Duration>,
        columns: Option<usize>,
        losses_at_once: bool,
    ) -> SeriesConfig {
        // Narrower columns would be empty, but for those that a packet falls into.
        let schedule = self.schedule;
        let width = schedule
            .mean_interval()
            .saturating_mul(4)
            .max(schedule.usual_gap());
        SeriesConfig {
            metrics: self.metrics.clone(),
            waits: waits(self.timeout, losses_at_once),
            interval,
            columns: columns.map(|columns| (columns, width.max(LEAST_COLUMN))),
        }
    }
}

/// When the fates of packets are known that may take `timeout`.
fn waits(timeout: Duration, losses_at_once: bool) -> Waits {
    Waits {
        fates: loss_wait(timeout),
        records: late_reply_wait(timeout),
        slack: SLACK,
        losses_at_once,
    }
}

/// Octets of the packets' payload in turn, where they differ.
fn sizes_in_turn(plan: &SenderPlan) -> Vec<u32> {
    let sizes = match plan.payload {
        PayloadSize::Fixed(_) => return Vec::new(),
        PayloadSize::Imix(sizes) => sizes.map(|asked| plan.wire.payload_octets(asked)),
    };
    let octets = |octets| u32::try_from(octets).unwrap_or(u32::MAX);
    let turn = PayloadSize::Imix(sizes).in_turn();
    turn.into_iter().map(octets).collect()
}

/// What is known of a session's packets in advance.
pub(crate) fn metrics_config(plan: &SenderPlan) -> MetricsConfig {
    let chain = RequestChain::new(&plan.tlvs, plan.tos).unwrap_or_default();
    let asked = chain.reply_dscp();
    let mut config = MetricsConfig {
        // RFC 5357 section 4.2.1 guarantees a counter.
        reflector: match plan.wire.format.features() {
            Some(_) => ReflectorKind::Stateful,
            None => ReflectorKind::Undeclared,
        },
        tos_forward: Some(plan.tos),
        // The DSCP agreed on or asked for, else a copy; no ECN is agreed on (rows M-71, TT-44).
        tos_backward: Some(asked.unwrap_or(plan.tos.dscp()).tos()),
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
        wire: Wire,
    ) -> Result<(), StartError> {
        (self.plan.payload, self.plan.padding) = (payload, padding);
        self.plan.wire = wire;
        open::check_path(&self.plan)
    }
}

impl Bound {
    /// What it will do.
    #[cfg(feature = "control")]
    pub(crate) fn plan(&self) -> &SenderPlan {
        &self.plan
    }

    /// Begins to send; `when_ended` is called when the session is over, however it ended.
    pub(crate) fn begin(
        mut self,
        agreement: Agreement,
        when_ended: Option<WhenEnded>,
    ) -> Result<SessionControl, StartError> {
        if let Some((far, wire)) = agreement.session {
            self.plan.far = far;
            self.plan.wire = wire;
            self.plan.guard = agreement.guard.clone();
            let _ = self.control.shared.agreed.set(Box::new(Agreed {
                far,
                wire,
                sid: agreement.sid,
                padding: self.plan.padding,
            }));
        }
        let setup = Setup {
            plan: self.plan,
            agreement,
            sender: self.sender,
            shared: Arc::clone(&self.control.shared),
            news: self.news,
        };
        let guard = self.guard.calling(when_ended);
        match self.place {
            Place::Own(sockets) => {
                let socket = sockets.get(exact::ONLY);
                let has_stamps = socket.is_some_and(TestSocket::has_transmit_stamps);
                let session = Session::new(setup, has_stamps);
                let exact = ExactLoop::new(session, sockets);
                spawn("sender", move || guard.finish(exact.run()))?;
            }
            Place::Shared(mut lease) => {
                lease.aim(setup.plan.far)?;
                lease.begin(setup, guard);
            }
        }
        Ok(self.control)
    }
}

/// What TWAMP-Control settled about a session; nothing without it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agreement {
    /// Where to, and in which packets.
    pub(crate) session: Option<(SocketAddr, Wire)>,
    /// Its identifier.
    pub(crate) sid: Option<Sid>,
    /// What protects its packets.
    pub(crate) guard: TestGuard,
    /// What is remarkable about its negotiation.
    pub(crate) findings: Vec<Finding>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_among_many_has_room_for_what_10_seconds_bring() {
        let room = |exact, interval_ms| {
            records(&SenderPlan {
                exact,
                schedule: Schedule::every(Duration::from_millis(interval_ms)),
                ..SenderPlan::to("192.0.2.1:862".parse().unwrap())
            })
        };
        assert_eq!(room(true, 1_000), RECORDS);
        assert_eq!(room(false, 100), 100);
        assert_eq!(room(false, 60_000), LEAST_RECORDS);
        assert_eq!(room(false, 1), 10_000);
        assert_eq!(room(false, 0), RECORDS);
    }
}
