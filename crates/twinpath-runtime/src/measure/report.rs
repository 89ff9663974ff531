//! What is left of a session once it is over, and the report that is made of it: not by the thread that
//! measured, which others may share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_metrics::Series;
use twinpath_net::{NoHardware, StampChoice, TestSocket, clock};
use twinpath_proto::sender::SenderCounters;
use twinpath_report::finding::Host;
use twinpath_report::{
    ClockState, Identity, Origin, Refusals, SessionReport, StampReport, finding,
};
use twinpath_wire::Wall;
use twinpath_wire::control::SecurityMode;

use super::departures::Departures;
use super::phase::start_within;
use super::refusals::RefusalCounts;
use super::session::Session;
use super::{Agreement, metrics_config};
use crate::error::RunError;
use crate::{SenderPlan, clock_state};

/// A session that is over: what its report is made of.
#[derive(Debug)]
pub(super) struct Ended {
    plan: SenderPlan,
    agreement: Agreement,
    sender: SocketAddr,
    started: Wall,
    duration: Duration,
    achieved_pps: Option<f64>,
    counters: SenderCounters,
    pub(super) series: Arc<Series>,
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
            no_departure_seen: socket.tells_departures() && !departures.are_heard(),
            no_hardware: socket.no_hardware(),
        }
    }
}

impl Ended {
    /// Ended now.
    pub(super) fn new(session: Session, socket: SocketEnd) -> Self {
        let at = clock::mono();
        Self {
            started: session.started.wall,
            duration: at.since(session.pace.began().unwrap_or(at)),
            achieved_pps: session.pace.per_second(),
            counters: SenderCounters {
                stamped: session.waits.count,
                own_wait_ns: session.waits.sum_ns,
                ..session.suspensions.in_counters(session.engine.counters())
            },
            series: Arc::new(session.series),
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
    /// [`RunError`]: nothing was measured, and why.
    pub(super) fn report(self) -> Result<SessionReport, RunError> {
        let Self {
            plan,
            counters,
            refusals,
            ..
        } = self;
        if counters.sent == 0
            && let Some(reason) = refusals.main_send_error()
        {
            let (far, tried) = (plan.far, counters.send_errors);
            return Err(RunError::NothingSent { far, tried, reason });
        }
        let identity = Identity {
            number: 1,
            protocol: plan.protocol,
            mode: self.agreement.mode.unwrap_or(SecurityMode::Unauthenticated),
            sid: self.agreement.sid,
            sender: self.sender,
            reflector: plan.far,
            schedule: plan.schedule,
            seed: plan.seed,
            timeout: plan.timeout,
            start_within: start_within(&plan),
            tos: plan.tos,
            ttl: plan.path.ttl,
            padding: plan.padding,
            target: None,
            path: None,
        };
        let samples = SessionReport::new(identity, self.series.metrics(), metrics_config(&plan));
        let mut report = SessionReport {
            started: self.started,
            duration: self.duration,
            achieved_pps: self.achieved_pps,
            counters,
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
                no_hardware: self.socket.no_hardware,
                ..refusals.main()
            },
            records_dropped: self.records_dropped,
            origin: Origin::Run,
            traffic: None,
            ..samples
        };
        report.findings = finding::decide(&report);
        report.add(self.source);
        report.add(self.agreement.findings);
        finding::sort(&mut report.findings);
        Ok(report)
    }
}
