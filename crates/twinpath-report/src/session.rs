//! The report of a session, as plain data. Outputs turn it into text, JSON and lines.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_metrics::{
    Basis, BinFigures, ClockEstimate, ClockModel, Coverage, Distributions, FarStep, Figures,
    MetricsConfig, SessionMetrics, Timeline, VoiceFigures, figures,
};
use twinpath_proto::extension::{Learnt, ReplyDscp};
use twinpath_proto::sender::{PayloadSize, SenderCounters};
use twinpath_wire::{ErrorEstimate, Rung, TimeFormat, Wall, nanoseconds};

use crate::finding;
use crate::{Finding, Identity, Note, Refusals, Requested, Sizes, Traffic, hops};

/// The most bins, if their edges are chosen to fit the measurement.
const AUTOMATIC_BINS: u16 = 20;

/// State of a clock's discipline (adjtimex).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// Synchronized to an external source of UTC.
    pub synchronized: bool,
    /// The greatest error it claims, in nanoseconds; `None` if it claims none.
    pub error_ns: Option<u64>,
}

figures! { ClockState:
    error_ns, Nanoseconds, Greatest, "RFC 4656 section 4.1.2", "maximum error that the clock claims";
}

impl ClockState {
    /// From an Error Estimate. Without S its error is ignored (some peers claim a fraction of a
    /// nanosecond while unsynchronized).
    pub fn of_estimate(estimate: ErrorEstimate) -> Self {
        let error_ns = estimate.error_ns().and_then(|ns| u64::try_from(ns).ok());
        let synchronized = estimate.synchronized();
        Self {
            synchronized,
            error_ns: error_ns.filter(|_| synchronized),
        }
    }
}

/// Sources of a run's timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampReport {
    /// The best rung that T1 came from; `None` before any packet.
    #[serde(skip)]
    pub transmit: Option<Rung>,
    /// The best rung that T4 came from; `None` without a reply.
    #[serde(skip)]
    pub receive: Option<Rung>,
    /// T1 that fell to a lower rung than `transmit`.
    #[serde(skip)]
    pub fallback_transmit: u64,
    /// T4 that fell to a lower rung than `receive`.
    #[serde(skip)]
    pub fallback_receive: u64,
    /// The local clock at the end of the run.
    pub clock: ClockState,
    /// The claims about the reflector's clock in the replies' Error Estimates; `None` without a
    /// reply.
    pub far_clock: Option<ClockState>,
}

impl StampReport {
    /// From samples alone; nothing is known about the clocks.
    pub fn of(figures: &Figures) -> Self {
        let unknown = ClockState {
            synchronized: false,
            error_ns: None,
        };
        Self {
            transmit: figures.stamps_transmit.best(),
            receive: figures.stamps_receive.best(),
            fallback_transmit: figures.stamps_transmit.fell_back(),
            fallback_receive: figures.stamps_receive.fell_back(),
            clock: unknown,
            far_clock: None,
        }
    }
}

/// How many ICMP errors of one kind came from one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpCount {
    /// In words: "port unreachable".
    pub what: String,
    /// Who sent the last of them; `None` if the system does not report it.
    pub from: Option<IpAddr>,
    /// How many.
    pub count: u64,
}

/// The source of a report, which determines the known counts: unknown counts are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A completed run: all counts are known.
    #[default]
    Run,
    /// The records of an interrupted run: counts written only at its end are unknown.
    Records,
    /// A capture: counts known only to the sender are unknown.
    Capture,
    /// Rows of the intervals of a session: neither its ends nor how it was measured are known, and no figure that takes
    /// each packet.
    Store,
}

impl Origin {
    /// Whether the data written at the end of a run are known: replies with anomalies and stale
    /// ones, ICMP errors, drops, the largest burst, the local clock.
    pub fn has_end(self) -> bool {
        self == Self::Run
    }

    /// Whether the data of the sender are known: its seed, its clock's steps.
    pub fn has_sender(self) -> bool {
        matches!(self, Self::Run | Self::Records)
    }

    /// Whether the packets that were due and not sent are known.
    pub fn has_unsent(self) -> bool {
        self != Self::Capture
    }

    /// Whether the ends of the session, its schedule and its packets' form are known.
    pub fn has_setup(self) -> bool {
        self != Self::Store
    }

    /// Whether the figures that take each packet are known: distances between losses, extents of reordering, copies by
    /// direction, DSCP by value.
    pub fn has_packets(self) -> bool {
        self != Self::Store
    }
}

/// The report of a session. A raw file stores it without what follows from its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionReport {
    /// Its identity.
    #[serde(flatten)]
    pub identity: Identity,
    /// When the first packet was due, or the run began.
    #[serde(rename = "started_ns")]
    pub started: Wall,
    /// From the first departure to the end of the run.
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    pub duration: Duration,
    /// Departures per second as achieved; `None` under two packets.
    pub achieved_pps: Option<f64>,
    /// Counts of the Session-Sender, including replies with anomalies.
    #[serde(rename = "tally")]
    pub counters: SenderCounters,
    /// What the TLVs of replies have taught; `None`: none were asked for.
    #[serde(default, rename = "tlvs", skip_serializing_if = "Option::is_none")]
    pub learnt: Option<Box<Learnt>>,
    /// The address that replies were asked to go to (Return Path, RFC 9503 section 4.1.2), if any was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_address: Option<IpAddr>,
    /// Where timestamps came from.
    #[serde(flatten)]
    pub stamps: StampReport,
    /// Replies that the system dropped because they came faster than they were read.
    pub receive_drops: u64,
    /// How often the socket was bound again because its interface was created again.
    #[serde(default)]
    pub rebinds: u64,
    /// Per-packet records that the output was too slow to take.
    pub records_dropped: u64,
    /// ICMP errors that came back.
    pub icmp: Vec<IcmpCount>,
    /// ICMP errors about packets that this run did not send: from an earlier run, or forged.
    #[serde(default)]
    pub icmp_foreign: u64,
    /// Findings, warnings first.
    #[serde(default, deserialize_with = "finding::from_file")]
    pub findings: Vec<Finding>,
    /// The findings in words; in a sum of reports, those of several reports once.
    pub notes: Vec<Note>,
    /// Reasons why packets did not leave or did not come back, as far as they were reported.
    #[serde(skip)]
    pub refusals: Refusals,
    /// All figures from the samples.
    #[serde(skip)]
    pub figures: Figures,
    /// Parameters of the figures: thresholds, bins, the expected marking.
    #[serde(skip)]
    pub config: MetricsConfig,
    /// The delays behind the figures.
    #[serde(skip)]
    pub delays: Distributions,
    /// The estimate of the two clocks; `None` if no series was kept.
    #[serde(skip)]
    pub clocks: Option<ClockEstimate>,
    /// The session over time; `None` if it was not kept.
    #[serde(skip)]
    pub timeline: Option<Timeline>,
    /// Which of the counts are known.
    #[serde(skip)]
    pub origin: Origin,
    /// How packets were sent, as a capture shows it; `None` of a run, which knows what it was told to do.
    #[serde(skip)]
    pub traffic: Option<Traffic>,
}

/// Whether both addresses are this host's, so that both ends read one clock: they are equal, or
/// never leave a host. If a program forwards packets from there to another host, only the packets
/// show it (see [`SessionReport::is_one_clock`]).
pub fn is_one_host(sender: IpAddr, reflector: IpAddr) -> bool {
    sender == reflector || reflector.is_loopback()
}

impl SessionReport {
    /// From samples alone: counts written at the end of a run are 0, as `origin` indicates.
    pub fn new(identity: Identity, metrics: &SessionMetrics, config: MetricsConfig) -> Self {
        let figures = metrics.figures();
        Self {
            identity,
            started: Wall::default(),
            duration: Duration::ZERO,
            achieved_pps: None,
            counters: SenderCounters::default(),
            learnt: None,
            return_address: None,
            stamps: StampReport::of(&figures),
            receive_drops: 0,
            rebinds: 0,
            records_dropped: 0,
            icmp: Vec::new(),
            icmp_foreign: 0,
            findings: Vec::new(),
            notes: Vec::new(),
            refusals: Refusals::default(),
            figures,
            config,
            delays: metrics.histograms().cloned(),
            clocks: None,
            timeline: None,
            origin: Origin::Records,
            traffic: None,
        }
    }

    /// From a file, with the figures from its rows.
    #[must_use]
    pub fn with_samples(mut self, metrics: &SessionMetrics, config: MetricsConfig) -> Self {
        if self.counters.asked.is_none() {
            // Older files do not mark skipped ones.
            self.counters.slots_left_out = self.counters.slots_skipped;
        }
        self.findings = finding::in_words(self.findings, std::mem::take(&mut self.notes));
        self.figures = metrics.figures();
        self.stamps = StampReport {
            clock: self.stamps.clock,
            far_clock: self.stamps.far_clock,
            ..StampReport::of(&self.figures)
        };
        self.delays = metrics.histograms().cloned();
        self.config = config;
        self.expect_told_dscp();
        self
    }

    /// Replies are expected with the DSCP that the far end says to have sent them with: Class of Service
    /// may be refused.
    pub fn expect_told_dscp(&mut self) {
        let dscp = match self.learnt.as_deref().and_then(Learnt::reply_dscp) {
            Some(ReplyDscp::AsAsked(dscp)) => dscp,
            // With whichever other one they left: whether it was changed on the way is unknown.
            Some(ReplyDscp::Other) => {
                self.config.tos_backward = None;
                self.figures.remarked_backward = None;
                return;
            }
            None => return,
        };
        self.config.tos_backward = Some(dscp.tos());
        let seen = self.figures.dscp_backward.iter();
        let other = seen.filter(|(other, _)| *other != dscp);
        let count = other.map(|(_, count)| count).sum();
        if let Some(remarked) = &mut self.figures.remarked_backward {
            remarked.dscp = count;
        }
    }

    /// Adds the estimate of the clocks from the session's series, with its findings.
    pub fn take_clocks(&mut self, clocks: Option<ClockEstimate>) {
        self.clocks = clocks;
        if let Some(clocks) = &self.clocks {
            let findings = finding::estimated(self, clocks);
            self.add(findings);
            finding::sort(&mut self.findings);
        }
    }

    /// Whether both ends have an address of this host (see [`is_one_host`]).
    pub fn is_one_host(&self) -> bool {
        let (sender, reflector) = (self.identity.sender.ip(), self.identity.reflector.ip());
        self.origin.has_setup() && is_one_host(sender, reflector)
    }

    /// Whether both ends have an address of this host, and no packet disproves that they read one
    /// clock, as a delay below zero or an offset beyond its bound would.
    pub fn is_one_clock(&self) -> bool {
        let disproved = self
            .clocks
            .as_ref()
            .is_some_and(|clocks| self.disprove_one_clock(clocks));
        let usable = self.figures.far_times.are_usable();
        let tested = self.figures.received > 0 && usable && !self.has_negative_delay();
        self.is_one_host() && tested && !disproved
    }

    /// An offset beyond the reflector's rounding disproves one clock.
    fn disprove_one_clock(&self, clocks: &ClockEstimate) -> bool {
        let rounding = self.figures.far_rounding_ns;
        if rounding <= finding::STAMP_ERROR_NS.unsigned_abs() {
            return !clocks.may_be_one_clock();
        }
        clocks.least_offset_ns() > rounding || self.has_seen_far_step(clocks)
    }

    /// The reflector's clock stepped by more than its resolution.
    pub(crate) fn has_seen_far_step(&self, clocks: &ClockEstimate) -> bool {
        let rounding = self.figures.far_rounding_ns.saturating_mul(2);
        let beyond = |step: &FarStep| step.size_ns.unsigned_abs() > rounding;
        let unlisted = clocks.far_steps.is_empty() && clocks.far_steps_total > 0;
        unlisted || clocks.far_steps.iter().any(beyond)
    }

    /// A one-way delay is further below zero than the error of timestamps and the reflector's
    /// rounding explain.
    pub(crate) fn has_negative_delay(&self) -> bool {
        let rounding = i64::try_from(self.figures.far_rounding_ns).unwrap_or(i64::MAX);
        let least = -finding::STAMP_ERROR_NS.saturating_add(rounding);
        let one_way = [self.figures.forward, self.figures.backward];
        one_way.iter().flatten().any(|delay| delay.min_ns < least)
    }

    /// Adds to the findings.
    pub fn add<F: Into<Finding>>(&mut self, found: impl IntoIterator<Item = F>) {
        self.findings.extend(found.into_iter().map(Into::into));
    }

    /// Of the sessions to its far end, as many are answered: that is said where this one is not.
    pub fn put_beside(&mut self, answered: u64, sessions: u64) {
        finding::beside(self, answered, sessions);
    }

    /// How much of the traffic due was sent. If that is incomplete, loss and availability are
    /// unknown: a ratio of the rest would be too low.
    pub fn coverage(&self) -> Coverage {
        let counters = &self.counters;
        let unsent = counters.send_errors.saturating_add(counters.slots_left_out);
        Coverage::of(&self.figures, unsent, counters.in_flight)
    }

    /// The warning of an incomplete measurement, if the run did not send what was requested.
    pub fn incompletely_measured(&self) -> Option<&Finding> {
        let mut findings = self.findings.iter();
        findings.find(|finding| finding.key() == finding::INCOMPLETE)
    }

    /// Decides again what follows from the figures alone, for a report from a file when the user
    /// knows more about its reflector than the run did.
    pub fn decide_again(&mut self) {
        finding::renew_directions(self);
        self.decide_coverage_again();
        finding::renew_far_times(self);
    }

    /// Decides again whether the measurement is incomplete.
    pub fn decide_coverage_again(&mut self) {
        finding::renew_coverage(self);
    }

    /// Whether a packet was due, sent or not.
    pub fn has_begun(&self) -> bool {
        let counters = &self.counters;
        let due = [
            counters.sent,
            counters.in_flight,
            counters.send_errors,
            counters.slots_skipped,
        ];
        due.iter().any(|count| *count > 0)
    }

    /// Whether the session was negotiated by TWAMP-Control.
    pub(crate) fn is_negotiated(&self) -> bool {
        self.identity.wire.format.features().is_some()
    }

    /// The format of the reflector's timestamps, as they were read; `None` if that is not known.
    pub fn far_time_format(&self) -> Option<TimeFormat> {
        let counters = &self.counters;
        let claimed = counters.far_error?.format();
        let is_wrong = counters.anomalies.z_wrong > counters.received / 2;
        Some(match (claimed, is_wrong) {
            (TimeFormat::Ntp, false) | (TimeFormat::Ptp, true) => TimeFormat::Ntp,
            (TimeFormat::Ptp, false) | (TimeFormat::Ntp, true) => TimeFormat::Ptp,
        })
    }

    /// The sender's address and port. Its zone is the reflector's, if it has none.
    pub fn sender(&self) -> SocketAddr {
        let mut sender = self.identity.sender;
        if let (SocketAddr::V6(near), SocketAddr::V6(far)) = (&mut sender, self.identity.reflector)
            && near.ip().is_unicast_link_local()
            && near.scope_id() == 0
        {
            near.set_scope_id(far.scope_id());
        }
        sender
    }

    /// Octets of UDP payload of the packets.
    pub fn payload_sizes(&self) -> PayloadSize {
        PayloadSize::padded(
            self.identity.wire,
            u16::try_from(self.identity.padding).ok(),
            self.identity.reflector.ip(),
        )
    }

    /// The sizes that packets had: of a run, those that it was told to send.
    pub fn sizes(&self) -> Sizes {
        let told = || match self.payload_sizes() {
            PayloadSize::Fixed(octets) => Sizes::of([octets]),
            PayloadSize::Imix(sizes) => Sizes::of(sizes),
        };
        let seen = self.traffic.as_ref().map(|traffic| traffic.sizes.clone());
        seen.unwrap_or_else(told)
    }

    /// Routers on the outbound path; `None` if the TTL on arrival does not show it.
    pub fn hops_forward(&self) -> Option<(u8, u8)> {
        hops::forward(self)
    }

    /// Routers on the inbound path, likewise.
    pub fn hops_backward(&self) -> Option<(u8, u8)> {
        hops::backward(self)
    }

    /// Quality of a call over the path; `None` if the loss is unknown.
    pub fn voice(&self, requested: &Requested) -> VoiceFigures {
        if !self.coverage().is_complete() {
            return VoiceFigures::default();
        }
        let synchronized = matches!(self.basis(), Basis::Synchronized { .. });
        let delays = self.delays.histograms();
        VoiceFigures::new(&self.figures, &delays, synchronized, requested.voice)
    }

    /// Delays in the requested bins.
    pub fn bins(&self, requested: &Requested) -> Option<Cow<'_, BinFigures>> {
        if !requested.automatic_bins {
            return self.figures.bins.as_ref().map(Cow::Borrowed);
        }
        let delays = &self.delays;
        Some(Cow::Owned(BinFigures {
            round_trip: delays.round_trip.automatic_bins(AUTOMATIC_BINS)?,
            forward: delays.forward.automatic_bins(AUTOMATIC_BINS)?,
            backward: delays.backward.automatic_bins(AUTOMATIC_BINS)?,
        }))
    }

    /// Whether raw one-way delays can be trusted, judged by both clocks' claims and by the packets
    /// (row M-57).
    pub fn basis(&self) -> Basis {
        if self.is_one_clock() {
            // One clock: only the error of its timestamps remains.
            return Basis::Synchronized {
                error_ns: ClockModel::STAMP_ERROR_NS,
            };
        }
        if !self.figures.far_times.are_usable() {
            return Basis::Unsynchronized;
        }
        let claim = |clock: ClockState| clock.error_ns.filter(|_| clock.synchronized);
        let far = self.stamps.far_clock.and_then(claim);
        Basis::of(claim(self.stamps.clock), far, self.clocks.as_ref())
    }
}
