//! The contents of the screen as plain data, so that it can be redrawn at another size.

use std::time::Duration;

use twinpath_metrics::{Basis, ClockEstimate, Coverage, Figures};
use twinpath_runtime::measure::Progress;
use twinpath_wire::Rung;

use super::columns::{OneWay, Strip};
use super::rows::Rows;
use crate::output::UNAWAITED;
use crate::output::clocks::{ONE_HOST, offset};
use crate::output::words::finding::missed_departures;
use crate::output::{UNKNOWN, units};

/// Lines of warnings at most.
const WARNINGS: usize = 4;

/// A run at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    /// `sender`, `controller`.
    pub(super) command: &'static str,
    /// Address and port.
    pub(super) far: String,
    /// Protocol.
    pub(super) what: String,
    /// Since the first packet was due; `None` before.
    pub(super) elapsed: Option<Duration>,
    /// The last event of the control connection.
    pub(super) event: Option<String>,
    /// The last line that was logged.
    pub(super) log: Option<String>,
    /// Whether the user wants to end the run.
    pub(super) ending: bool,
    pub(super) paused: bool,
    pub(super) window: Window,
    pub(super) widths: Widths,
    /// The sessions that are looked at, in their order.
    pub(super) sessions: Vec<Session>,
    /// Of how many, and the first one's place among them.
    pub(super) all: usize,
    pub(super) first: usize,
    /// All sessions together.
    pub(super) progress: Progress,
    /// A list instead of charts.
    pub(super) rows: Option<Rows>,
    /// The session of the list whose charts these are, with its far end.
    pub(super) opened: Option<String>,
}

/// How far back the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Window {
    /// To the beginning.
    #[default]
    Whole,
    /// In narrow columns.
    Near,
    /// In wider ones.
    Far,
}

impl Window {
    /// The next shorter one that has narrower columns; itself, if there is none.
    pub(super) fn shorter(self, columns: &Widths) -> Self {
        let [near, far] = [columns.near, columns.far].map(|width| width < columns.whole);
        match self {
            Self::Whole if far => Self::Far,
            Self::Far => Self::Near,
            Self::Whole if near => Self::Near,
            Self::Whole | Self::Near => self,
        }
    }

    /// The next longer one, but none with wider columns than the whole run has.
    pub(super) fn longer(self, columns: &Widths) -> Self {
        match self {
            Self::Near if columns.far < columns.whole => Self::Far,
            Self::Near | Self::Far | Self::Whole => Self::Whole,
        }
    }
}

/// How much time a column of the screen is, in each window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Widths {
    pub(super) whole: Duration,
    pub(super) near: Duration,
    pub(super) far: Duration,
}

/// One session at one moment.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Its class, where there are several.
    pub(super) name: Option<String>,
    pub(super) figures: Figures,
    /// The estimate of the two clocks, at most a few seconds old.
    pub(super) clocks: Option<ClockEstimate>,
    /// Both ends are on this host, and read one clock.
    pub(super) one_clock: bool,
    /// Whether raw one-way delays can be trusted.
    pub(super) basis: Basis,
    /// Lost, and sent, of all packets whose fate is known: as the sender counts them.
    pub(super) counted: (u64, u64),
    /// The same of the last seconds.
    pub(super) now: (u64, u64),
    /// Packets that the network refused to take.
    pub(super) refused: u64,
    /// Scheduled packets that were not sent.
    pub(super) missed: u64,
    /// Packets to send; `None` for a duration.
    pub(super) asked: Option<u64>,
    /// Steps of the local clock.
    pub(super) steps: u64,
    pub(super) suspensions: u64,
    pub(super) source_changes: u64,
    pub(super) strip: Strip,
}

impl Session {
    /// Whether more than a few packets that were due were not sent, so that the loss is unknown.
    pub(super) fn is_incomplete(&self) -> bool {
        // Whether missed packets are sent later, because the run has a count.
        let left_out = self.asked.map_or(self.missed, |_| 0);
        let unsent = self.refused.saturating_add(left_out);
        !Coverage::of(&self.figures, unsent, 0).is_complete()
    }

    /// The share of packets that were lost.
    pub(super) fn loss(&self) -> String {
        let (lost, sent) = self.counted;
        if self.is_incomplete() {
            UNKNOWN.to_owned()
        } else {
            units::percent(lost, sent)
        }
    }

    /// Whether both clocks are synchronized, as far as known.
    pub(super) fn is_synchronized(&self) -> bool {
        matches!(self.basis, Basis::Synchronized { .. })
    }

    pub(super) fn one_way(&self) -> OneWay<'_> {
        if self.is_synchronized() {
            OneWay::Delay
        } else {
            OneWay::Variation(self.clocks.as_ref())
        }
    }

    /// Reasons for doubt, the worst first.
    fn doubts(&self) -> Vec<String> {
        let figures = &self.figures;
        let times = |count| units::count(count, "time", "times");
        let mut doubts = Vec::new();
        let (lost, sent) = self.now;
        if sent > 0 && lost == sent {
            doubts.push("no reply in the last seconds".to_owned());
        }
        if self.figures.unawaited > 0 {
            let packets = units::count(self.figures.unawaited, "packet", "packets");
            doubts.push(format!("{packets} {UNAWAITED}"));
        }
        if self.refused > 0 {
            let packets = units::count(self.refused, "packet", "packets");
            doubts.push(format!("the network refused {packets}"));
        }
        if self.steps > 0 {
            doubts.push(format!("the sender's clock stepped {}", times(self.steps)));
        }
        if self.suspensions > 0 {
            let count = times(self.suspensions);
            doubts.push(format!("this host was suspended {count}"));
        }
        if self.source_changes > 0 {
            let count = times(self.source_changes);
            doubts.push(format!("this host's address changed {count}"));
        }
        if let Some(clocks) = &self.clocks {
            if clocks.far_steps_total > 0 {
                let steps = times(clocks.far_steps_total);
                doubts.push(format!("the reflector's clock stepped {steps}"));
            }
            if clocks.path_change {
                doubts.push(
                    "the minimum round trip changed: the path seems to have changed".to_owned(),
                );
            }
        }
        if figures.reflector_restarts > 0 {
            let restarts = times(figures.reflector_restarts);
            doubts.push(format!("the reflector restarted {restarts}"));
        }
        if matches!(self.basis, Basis::Disproved { .. }) {
            doubts.push("both clocks claim to be synchronized but are not".to_owned());
        }
        if self.missed > 0 {
            let what = missed_departures(self.missed, self.asked.is_some());
            doubts.push(format!("{} {what}: this host is too slow", self.missed));
        }
        let stamps = figures.stamps_transmit.fell_back() + figures.stamps_receive.fell_back();
        if stamps > 0 {
            let stamps = units::count(stamps, "timestamp", "timestamps");
            doubts.push(format!("{stamps} from a worse source"));
        }
        doubts
    }

    fn stamps(&self) -> String {
        let rung = |rung: Option<Rung>| rung.map_or("-", Rung::name);
        format!(
            "transmit {}, receive {}",
            rung(self.figures.stamps_transmit.best()),
            rung(self.figures.stamps_receive.best())
        )
    }

    fn clocks(&self) -> String {
        if !self.figures.far_times.are_usable() {
            return "the reflector's times are unusable: rtt includes its own time".to_owned();
        }
        if self.one_clock {
            return ONE_HOST.to_owned();
        }
        match (self.basis, &self.clocks) {
            (Basis::Synchronized { error_ns }, _) => {
                format!(
                    "synchronized, one-way delays within {}",
                    units::span(error_ns)
                )
            }
            (Basis::Disproved { .. } | Basis::Unsynchronized, None) => {
                "not synchronized (var is variation)".to_owned()
            }
            (Basis::Disproved { .. } | Basis::Unsynchronized, Some(clocks)) => {
                format!("reflector {}", offset(clocks))
            }
        }
    }
}

impl Scene {
    /// What is shown.
    pub(super) fn subject(&self) -> &str {
        self.opened.as_ref().unwrap_or(&self.far)
    }

    /// Warnings, the worst first; those of several sessions by name.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = Vec::new();
        for session in &self.sessions {
            for doubt in session.doubts() {
                warnings.push(match &session.name {
                    Some(name) => format!("{name}: {doubt}"),
                    None => doubt,
                });
            }
        }
        let rest = warnings.len().saturating_sub(WARNINGS);
        if rest > 0 {
            warnings.truncate(WARNINGS - 1);
            warnings.push(format!("and {} more", rest + 1));
        }
        warnings.extend(self.log.iter().map(|line| format!("log: {line}")));
        warnings
    }

    /// Facts of the first session that is looked at, with their names.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let first = self.sessions.first();
        let mut facts = Vec::new();
        if let Some(session) = first.filter(|session| session.figures.stamps_transmit.total() > 0) {
            facts.push(("Stamps", session.stamps()));
            facts.push(("Clocks", session.clocks()));
        }
        if let Some(event) = &self.event {
            facts.push(("Control", event.clone()));
        }
        facts
    }
}
