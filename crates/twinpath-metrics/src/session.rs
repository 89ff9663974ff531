//! All metrics of a session: samples in, figures out.

use twinpath_wire::{Exclusion, Fate, Sample};

use crate::delays::Delays;
use crate::loss::LossDirection;
use crate::marking::Marking;
use crate::reordering::Reordering;
use crate::ttl::TtlRange;
use crate::{Figures, ReflectorKind, RungCounts};

/// Everything that is measured in one session, in constant memory: under 256 KB whatever the
/// values are and however long the run is.
///
/// Received packets are recorded in their order of arrival, which reordering (RFC 4737) and jitter
/// (RFC 3550) are about. The fates of others may come at any time.
///
/// ```
/// use twinpath_metrics::SessionMetrics;
/// use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};
///
/// let at = |ns| Stamp { at: Wall::from_unix_ns(ns), rung: Rung::Kernel };
/// let mut metrics = SessionMetrics::new();
/// metrics.record(&Sample {
///     seq: 0,
///     fate: Fate::Received,
///     t1: at(1_000),
///     t2: Some(Wall::from_unix_ns(5_300)),
///     t3: Some(Wall::from_unix_ns(5_310)),
///     t4: Some(at(1_050)),
///     reflector_seq: Some(0),
///     ttl_forward: Some(64),
///     ttl_backward: Some(61),
///     tos_forward: None,
///     tos_backward: None,
///     departure: Delta::from_ns(7),
///     excluded: None,
/// });
/// let figures = metrics.figures();
/// assert_eq!(figures.round_trip.unwrap().min_ns, 40);
/// assert_eq!(figures.backward.unwrap().min_ns, -4_260);
/// ```
#[derive(Clone, Debug)]
pub struct SessionMetrics {
    received: u64,
    lost: u64,
    late: u64,
    duplicates: u64,
    excluded_clock_step: u64,
    excluded_implausible: u64,
    residence_seen: bool,
    reordering: Reordering,
    loss: LossDirection,
    delays: Delays,
    ttl_forward: TtlRange,
    ttl_backward: TtlRange,
    marking_forward: Marking,
    marking_backward: Marking,
    stamps_transmit: RungCounts,
    stamps_receive: RungCounts,
}

impl Default for SessionMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionMetrics {
    /// A session of which nothing is known in advance.
    pub fn new() -> Self {
        Self::with_reflector(ReflectorKind::Undeclared)
    }

    /// A session whose reflector is known to keep a counter of its own, or not to (row M-30).
    pub fn with_reflector(kind: ReflectorKind) -> Self {
        Self {
            received: 0,
            lost: 0,
            late: 0,
            duplicates: 0,
            excluded_clock_step: 0,
            excluded_implausible: 0,
            residence_seen: false,
            reordering: Reordering::default(),
            loss: LossDirection::new(kind),
            delays: Delays::new(),
            ttl_forward: TtlRange::default(),
            ttl_backward: TtlRange::default(),
            marking_forward: Marking::default(),
            marking_backward: Marking::default(),
            stamps_transmit: RungCounts::default(),
            stamps_receive: RungCounts::default(),
        }
    }

    /// One packet's end, or one further copy of a reply. Allocates only when a delay falls into an
    /// octave for the first time, or a counter has to widen.
    pub fn record(&mut self, sample: &Sample) {
        match sample.fate {
            Fate::Received => self.receive(sample),
            Fate::Lost => self.lost += 1,
            Fate::Late => {
                self.lost += 1;
                self.late += 1;
            }
            Fate::Duplicate => self.duplicates += 1,
        }
        if sample.fate != Fate::Duplicate {
            self.stamps_transmit.record(sample.t1.rung);
        }
        if self.loss.record(sample) {
            self.delays.reset_paths();
        }
        // A lost packet's exclusion is old news: its timeout has passed since the step.
        if sample.excluded == Some(Exclusion::ClockStep) && sample.fate != Fate::Lost {
            self.delays.reset();
        }
        self.delays.record(sample);
    }

    /// The local clock stepped: jitter and IPDV start anew (row M-22). Not needed where a sample
    /// that the step excluded follows, harmless there.
    pub fn record_clock_step(&mut self) {
        self.delays.reset();
    }

    /// The network refused this number: it was never sent (row M-4), and the reflector does not
    /// miss it. Without this call the direction of as many losses may stay unknown.
    pub fn record_not_sent(&mut self, seq: u64) {
        self.loss.record_not_sent(seq);
    }

    /// The figures so far. Walks the histograms: for a report or a glance, not for every packet.
    pub fn figures(&self) -> Figures {
        let direction = self.loss.value();
        let delays = self.delays.figures();
        Figures {
            received: self.received,
            lost: self.lost,
            late: self.late,
            duplicates: self.duplicates,
            reordered: self.reordering.value(),
            lost_forward: direction.forward,
            lost_backward: direction.backward,
            lost_unattributed: Some(direction.unattributed),
            direction_uncertain: direction.uncertain,
            excluded_clock_step: self.excluded_clock_step,
            excluded_implausible: self.excluded_implausible,
            round_trip: delays.round_trip,
            forward: delays.forward,
            backward: delays.backward,
            residence: delays.residence,
            departure: delays.departure,
            ttl_forward: self.ttl_forward.value(),
            ttl_backward: self.ttl_backward.value(),
            dscp_forward: self.marking_forward.dscp(),
            dscp_backward: self.marking_backward.dscp(),
            congestion_forward: self.marking_forward.congestion(),
            congestion_backward: self.marking_backward.congestion().unwrap_or(0),
            stamps_transmit: self.stamps_transmit,
            stamps_receive: self.stamps_receive,
            residence_never_measured: self.received > 0 && !self.residence_seen,
            numbers_equal: direction.numbers_equal,
            reflector_restarts: direction.restarts,
        }
    }

    /// Memory of the session in octets, its heap included.
    pub fn memory_octets(&self) -> usize {
        size_of::<Self>() + self.delays.heap_octets() + self.loss.heap_octets()
    }

    fn receive(&mut self, sample: &Sample) {
        self.received += 1;
        match sample.excluded {
            Some(Exclusion::ClockStep) => self.excluded_clock_step += 1,
            Some(Exclusion::Implausible) => self.excluded_implausible += 1,
            None => {}
        }
        self.residence_seen |= sample.t2 != sample.t3;
        self.reordering.record(sample.seq);
        self.ttl_forward.record(sample.ttl_forward);
        self.ttl_backward.record(sample.ttl_backward);
        self.marking_forward.record(sample.tos_forward);
        self.marking_backward.record(sample.tos_backward);
        if let Some(t4) = sample.t4 {
            self.stamps_receive.record(t4.rung);
        }
    }
}
