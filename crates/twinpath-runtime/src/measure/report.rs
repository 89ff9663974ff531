//! What is left of a session once it is over, and the reports that are made of it: not by the thread that
//! measured, which others may share, and one at a time where there are many.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_metrics::{ClosedInterval, Series, SessionMetrics};
use twinpath_net::{NoHardware, StampChoice, TestSocket, clock};
use twinpath_proto::extension::{AskedTlv, Learnt};
use twinpath_proto::sender::SenderCounters;
use twinpath_report::finding::Host;
use twinpath_report::{
    ClockState, Identity, Origin, Refusals, SessionReport, StampReport, finding,
};
use twinpath_wire::Wall;

use super::departures::Departures;
use super::phase::start_within;
use super::refusals::RefusalCounts;
use super::session::Session;
use super::{Agreement, metrics_config};
use crate::error::RunError;
use crate::{SenderPlan, clock_state};

/// A session that is over, and its report whenever it is wanted: the report takes more memory than what
/// it is made of.
#[derive(Clone, Debug)]
pub struct EndedSession(Arc<Ended>);

impl EndedSession {
    /// # Errors
    /// [`RunError`]: nothing was measured, and why.
    pub(super) fn of(ended: Arc<Ended>) -> Result<Self, RunError> {
        ended.has_sent()?;
        Ok(Self(ended))
    }

    /// Its report, without what its series has beside figures.
    pub fn report(&self) -> SessionReport {
        self.report_and_series().0
    }

    /// The same, and that series.
    pub fn report_and_series(&self) -> (SessionReport, Cow<'_, Series>) {
        let series = self.0.series.counted();
        (self.0.report(&series.metrics()), series)
    }

    /// How many of its packets were answered in time.
    pub fn received(&self) -> u64 {
        self.0.counters.received
    }

    /// Its last rows, which were not known before its end.
    pub fn rows(&self) -> &[ClosedInterval] {
        &self.0.rows
    }
}

/// What the report of a session is made of.
#[derive(Debug)]
pub(super) struct Ended {
    plan: SenderPlan,
    agreement: Agreement,
    sender: SocketAddr,
    started: Wall,
    duration: Duration,
    achieved_pps: Option<f64>,
    counters: SenderCounters,
    learnt: Option<Box<Learnt>>,
    pub(super) series: Arc<Series>,
    rows: Vec<ClosedInterval>,
    refusals: RefusalCounts,
    source: Option<Host>,
    rebinds: u64,
    records_dropped: u64,
    socket: SocketEnd,
    clock: ClockState,
}

/// What the session's socket came to.
#[derive(Debug)]
pub(super) struct SocketEnd {
    pub(super) receive_drops: u64,
    no_departure_seen: bool,
    no_hardware: Option<NoHardware>,
}

impl SocketEnd {
    pub(super) fn of(socket: &TestSocket, departures: &Departures) -> Self {
        Self {
            receive_drops: socket.receive_drops().into(),
            no_departure_seen: socket.has_transmit_stamps() && !departures.have_stamps(),
            no_hardware: socket.no_hardware(),
        }
    }
}

impl Ended {
    /// Ended now.
    pub(super) fn new(session: Session, socket: SocketEnd) -> Self {
        let at = clock::mono();
        let stopped_without_ssid = session.stops_without_ssid();
        let (series, rows) = session.recorder.finish();
        Self {
            started: session.started.wall,
            duration: at.since(session.pace.began().unwrap_or(at)),
            achieved_pps: session.pace.per_second(),
            counters: SenderCounters {
                stamped: session.waits.count,
                own_wait_ns: session.waits.sum_ns,
                stopped_without_ssid,
                ..session.suspensions.in_counters(session.engine.counters())
            },
            learnt: session.engine.learnt().cloned().map(Box::new),
            series: Arc::new(series),
            rows,
            refusals: session.refusals,
            source: session.source.finding(),
            rebinds: session.rebinds,
            records_dropped: session.records_dropped,
            socket,
            clock: clock_state(),
            plan: session.plan,
            agreement: session.agreement,
            sender: session.sender,
        }
    }

    /// # Errors
    /// [`RunError`]: nothing was sent, and why.
    fn has_sent(&self) -> Result<(), RunError> {
        match self.refusals.main_send_error() {
            Some(reason) if self.counters.sent == 0 => Err(RunError::NothingSent {
                far: self.plan.far,
                tried: self.counters.send_errors,
                reason,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn report(&self, metrics: &SessionMetrics) -> SessionReport {
        let Self {
            plan,
            counters,
            refusals,
            ..
        } = self;
        let identity = Identity {
            number: 1,
            wire: plan.wire,
            sid: self.agreement.sid,
            sender: self.sender,
            reflector: plan.far,
            schedule: plan.schedule,
            seed: plan.seed,
            timeout: plan.timeout,
            start_within: start_within(plan),
            tos: plan.tos,
            ttl: plan.path.ttl,
            padding: plan.padding,
            target: None,
            path: None,
            micro_session: plan.micro_session(),
        };
        let samples = SessionReport::new(identity, metrics, metrics_config(plan));
        let mut report = SessionReport {
            started: self.started,
            duration: self.duration,
            achieved_pps: self.achieved_pps,
            counters: *counters,
            learnt: self.learnt.clone(),
            return_address: plan.tlvs.iter().find_map(AskedTlv::return_address),
            stamps: StampReport {
                clock: self.clock,
                far_clock: counters.far_error.map(ClockState::of_estimate),
                ..samples.stamps
            },
            receive_drops: self.socket.receive_drops,
            icmp: refusals.icmp_counts(),
            icmp_foreign: refusals.icmp_foreign,
            rebinds: self.rebinds,
            refusals: Refusals {
                no_departure_seen: self.socket.no_departure_seen,
                hardware_asked: plan.path.stamps == StampChoice::Hardware,
                no_hardware: self.socket.no_hardware.clone(),
                ..refusals.main()
            },
            records_dropped: self.records_dropped,
            origin: Origin::Run,
            traffic: None,
            ..samples
        };
        report.expect_told_dscp();
        report.findings = finding::decide(&report);
        report.add(self.source.clone());
        report.add(self.agreement.findings.iter().cloned());
        finding::sort(&mut report.findings);
        report
    }
}
