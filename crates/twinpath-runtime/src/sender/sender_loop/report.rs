//! What a sender found out, once its run is over.

use twinpath_net::{StampChoice, clock};
use twinpath_proto::sender::SenderCounters;
use twinpath_report::{
    ClockState, Identity, Origin, Refusals, SessionReport, StampReport, finding,
};
use twinpath_wire::control::SecurityMode;

use super::{SenderLoop, metrics_config, start_within};
use crate::clock_state;
use crate::error::RunError;

impl SenderLoop {
    pub(super) fn report(self) -> Result<SessionReport, RunError> {
        let waited = self.departures.waited;
        let counters = SenderCounters {
            stamped: waited.count,
            own_wait_ns: waited.sum_ns,
            ..self.suspensions.in_counters(self.engine.counters())
        };
        if counters.sent == 0
            && let Some(reason) = self.refusals.main_send_error()
        {
            let (far, tried) = (self.plan.far, counters.send_errors);
            return Err(RunError::NothingSent { far, tried, reason });
        }
        let ended = clock::mono();
        let identity = Identity {
            number: 1,
            protocol: self.plan.protocol,
            mode: self
                .negotiated
                .mode
                .unwrap_or(SecurityMode::Unauthenticated),
            sid: self.negotiated.sid,
            sender: self.sender,
            reflector: self.plan.far,
            schedule: self.plan.schedule,
            seed: self.plan.seed,
            timeout: self.plan.timeout,
            start_within: start_within(&self.plan),
            tos: self.plan.tos,
            ttl: self.plan.path.ttl,
            padding: self.plan.padding,
        };
        let samples = SessionReport::new(identity, &self.metrics, metrics_config(&self.plan));
        let mut report = SessionReport {
            started: self.started.wall,
            duration: ended.since(self.pace.began().unwrap_or(ended)),
            achieved_pps: self.pace.per_second(),
            counters,
            stamps: StampReport {
                clock: clock_state(),
                far_clock: counters.far_error.map(ClockState::of_estimate),
                ..samples.stamps
            },
            receive_drops: self.socket.receive_drops().into(),
            icmp: self.refusals.icmp_counts(),
            icmp_foreign: self.refusals.icmp_foreign,
            rebinds: self.rebinds,
            refusals: Refusals {
                no_departure_seen: self.socket.tells_departures() && !self.departures.are_heard(),
                hardware_asked: self.plan.path.stamps == StampChoice::Hardware,
                no_hardware: self.socket.no_hardware(),
                ..self.refusals.main()
            },
            records_dropped: self.records_dropped,
            origin: Origin::Run,
            traffic: None,
            ..samples
        };
        report.findings = finding::decide(&report);
        report.add(self.source.finding());
        report.add(self.negotiated.findings);
        finding::sort(&mut report.findings);
        Ok(report)
    }
}
