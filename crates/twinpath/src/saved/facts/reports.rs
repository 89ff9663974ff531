//! From what a raw file says to the reports of its run.

use std::time::Duration;

use twinpath_metrics::{Figures, MetricsConfig, SessionMetrics};
use twinpath_proto::sender::SenderTally;
use twinpath_runtime::controller::{Attempt, ControlReport};
use twinpath_runtime::{ClockState, IcmpCount, Note, Origin, SessionReport, StampReport};
use twinpath_wire::control::Modes;
use twinpath_wire::{Tos, Wall};

use super::convert::{security, sid};
use super::{AttemptFacts, ControlFacts, Identity, RefusedFacts, SessionEnd};

impl SessionEnd {
    /// The report that the run ended with, its figures from the rows.
    pub(crate) fn report(&self, metrics: &SessionMetrics, config: MetricsConfig) -> SessionReport {
        let figures = metrics.figures();
        let mut tally = SenderTally::from(&self.tally);
        if tally.asked.is_none() {
            // Older files do not say so of those that were skipped.
            tally.slots_left_out = tally.slots_skipped;
        }
        SessionReport {
            started: Wall::from_unix_ns(self.started_ns),
            duration: Duration::from_nanos(self.duration_ns),
            achieved_pps: self.achieved_pps,
            stamps: StampReport {
                clock: self.clock.into(),
                far_clock: self.far_clock.map(ClockState::from),
                ..stamps(&figures)
            },
            origin: Origin::Run,
            receive_drops: self.receive_drops,
            rebinds: self.rebinds,
            records_dropped: self.records_dropped,
            icmp_foreign: self.icmp_foreign,
            icmp: self.icmp.iter().map(IcmpCount::from).collect(),
            notes: self.notes.iter().map(Note::from).collect(),
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
            protocol: (&self.protocol).into(),
            sid: self.sid.as_deref().and_then(sid),
            mode: security(&self.mode),
            sender: self.sender,
            reflector: self.reflector,
            started: Wall::default(),
            duration: Duration::ZERO,
            schedule: self.schedule.into(),
            seed: self.seed,
            timeout: Duration::from_nanos(self.timeout_ns),
            start_within: Duration::from_nanos(self.start_within_ns),
            achieved_pps: None,
            tos: Tos(self.tos),
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
            origin: Origin::Records,
            notes: Vec::new(),
        }
    }
}

impl From<&Attempt> for AttemptFacts {
    fn from(attempt: &Attempt) -> Self {
        Self {
            address: attempt.server,
            error: attempt.error.clone(),
        }
    }
}

impl From<&AttemptFacts> for Attempt {
    fn from(facts: &AttemptFacts) -> Self {
        Self {
            server: facts.address,
            error: facts.error.clone(),
        }
    }
}

impl ControlFacts {
    /// The report of a control connection with these sessions.
    pub(crate) fn report(&self, sessions: Vec<SessionReport>) -> ControlReport {
        ControlReport {
            server: self.server,
            near: self.client,
            attempts: self.attempts.iter().map(Attempt::from).collect(),
            offered: Modes::from_bits(self.modes_offered),
            modes: Modes::from_bits(self.modes),
            sessions,
            refused: self
                .refused
                .iter()
                .filter_map(RefusedFacts::session)
                .collect(),
            notes: self.notes.iter().map(Note::from).collect(),
        }
    }
}
