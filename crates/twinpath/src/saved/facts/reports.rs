//! From what a raw file says to the reports of its run.

use std::time::Duration;

use twinpath_metrics::{Figures, MetricsConfig, SessionMetrics};
use twinpath_proto::sender::SenderTally;
use twinpath_report::{ClockState, ControlReport, Origin, Refusals, SessionReport, StampReport};
use twinpath_wire::Wall;

use super::convert::{findings, plain_attempts, plain_errors, sid};
use super::{ControlFacts, Identity, RefusedFacts, SessionEnd};

impl SessionEnd {
    /// The report that the run ended with, its figures from the rows.
    pub(crate) fn report(&self, metrics: &SessionMetrics, config: MetricsConfig) -> SessionReport {
        let figures = metrics.figures();
        let mut tally = self.tally;
        if tally.asked.is_none() {
            // Older files do not say so of those that were skipped.
            tally.slots_left_out = tally.slots_skipped;
        }
        SessionReport {
            started: self.started,
            duration: self.duration,
            achieved_pps: self.achieved_pps,
            stamps: StampReport {
                clock: self.clock,
                far_clock: self.far_clock,
                ..stamps(&figures)
            },
            origin: Origin::Run,
            receive_drops: self.receive_drops,
            rebinds: self.rebinds,
            records_dropped: self.records_dropped,
            icmp_foreign: self.icmp_foreign,
            icmp: plain_errors(&self.icmp),
            findings: findings(&self.findings, &self.notes),
            ..self.identity.report(&tally, metrics, config)
        }
    }
}

/// Where the stamps came from, by the rows alone; nothing is known of the clocks.
fn stamps(figures: &Figures) -> StampReport {
    StampReport {
        transmit: figures.stamps_transmit.best(),
        receive: figures.stamps_receive.best(),
        fallback_transmit: figures.stamps_transmit.fell_back(),
        fallback_receive: figures.stamps_receive.fell_back(),
        clock: ClockState {
            synchronized: false,
            error_ns: None,
        },
        far_clock: None,
    }
}

impl Identity {
    /// A report of what is known without its end.
    pub(crate) fn report(
        &self,
        tally: &SenderTally,
        metrics: &SessionMetrics,
        config: MetricsConfig,
    ) -> SessionReport {
        let figures = metrics.figures();
        SessionReport {
            number: usize::try_from(self.number).unwrap_or(usize::MAX),
            protocol: self.protocol,
            sid: self.sid.as_deref().and_then(sid),
            mode: self.mode,
            sender: self.sender,
            reflector: self.reflector,
            started: Wall::default(),
            duration: Duration::ZERO,
            schedule: self.schedule,
            seed: self.seed,
            timeout: self.timeout,
            start_within: self.start_within,
            achieved_pps: None,
            tos: self.tos,
            ttl: self.ttl,
            padding: self.padding,
            stamps: stamps(&figures),
            tally: *tally,
            figures,
            config,
            delays: metrics.histograms().cloned(),
            receive_drops: 0,
            clocks: None,
            timeline: None,
            icmp: Vec::new(),
            icmp_foreign: 0,
            rebinds: 0,
            records_dropped: 0,
            refusals: Refusals::default(),
            origin: Origin::Records,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl ControlFacts {
    /// The report of a control connection with these sessions.
    pub(crate) fn report(&self, sessions: Vec<SessionReport>) -> ControlReport {
        ControlReport {
            server: self.server,
            near: self.client,
            attempts: plain_attempts(&self.attempts),
            offered: self.modes_offered,
            modes: self.modes,
            sessions,
            refused: self
                .refused
                .iter()
                .filter_map(RefusedFacts::session)
                .collect(),
            findings: findings(&self.findings, &self.notes),
            notes: Vec::new(),
        }
    }
}
