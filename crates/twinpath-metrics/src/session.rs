//! All metrics of a session, computed from its samples.

use std::time::Duration;

use twinpath_wire::{Exclusion, Fate, Sample, Wall};

use crate::clocks::far_times::{FarClockTest, FarTimes};
use crate::clocks::resolution::Resolution;
use crate::delay::delays::{Delays, Histograms};
use crate::delay::first_departures::Leading;
use crate::loss::availability::Availability;
use crate::loss::direction::{Attribution, Directions, LossDirection};
use crate::loss::duplication::Duplication;
use crate::loss::periods::Periods;
use crate::loss::reply_status::SinceReply;
use crate::loss::sizes::BySize;
use crate::order::backward::Backward;
use crate::order::reordering::Reordering;
use crate::order::resequence::Resequenced;
use crate::path::marking::Marking;
use crate::path::ttl::Ttl;
use crate::{
    Figures, MetricsConfig, PercentilesWithLoss, ReflectorKind, RungCounts, SettledBlocks,
};

/// All metrics of one session, in constant memory: under 169 KB for any values and any length of
/// run, and with a [`ClockModel`](crate::ClockModel) under 256 KB.
///
/// Received packets must be recorded in their order of arrival, which determines reordering (RFC
/// 4737) and jitter (RFC 3550). The fates of others may be recorded at any time.
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
    unawaited: u64,
    not_sent: u64,
    by_size: Option<BySize>,
    excluded_clock_step: u64,
    implausible: u64,
    residence_seen: bool,
    duplication: Duplication,
    reordering: Reordering,
    /// Forward and backward; `None` for a reflector without a counter.
    by_direction: Option<(Resequenced, Backward)>,
    loss: LossDirection,
    /// `None` before the first packet that was lost or never sent.
    periods: Option<Box<Periods>>,
    noticeable_distance: u64,
    since_reply: SinceReply,
    availability: Availability,
    delays: Delays,
    leading: Leading,
    ttl_forward: Ttl,
    ttl_backward: Ttl,
    far_resolution: Resolution,
    far_clock: FarClockTest,
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
    /// A session about which nothing is known in advance.
    pub fn new() -> Self {
        Self::with_config(&MetricsConfig::default())
    }

    /// A session with this configuration.
    pub fn with_config(config: &MetricsConfig) -> Self {
        let counts = config.reflector != ReflectorKind::Stateless;
        let window = config.memory.window;
        Self {
            received: 0,
            lost: 0,
            late: 0,
            duplicates: 0,
            unawaited: 0,
            not_sent: 0,
            by_size: BySize::new(&config.sizes_in_turn),
            excluded_clock_step: 0,
            implausible: 0,
            residence_seen: false,
            duplication: Duplication::default(),
            reordering: Reordering::new(window),
            by_direction: counts.then(|| (Resequenced::new(window), Backward::new(window))),
            loss: LossDirection::new(config.reflector),
            periods: None,
            noticeable_distance: config.noticeable_distance,
            since_reply: SinceReply::new(config.failed_after),
            availability: Availability::new(config.availability),
            delays: Delays::new(config.bins.as_ref(), config.memory.distribution_octets),
            leading: Leading::default(),
            ttl_forward: Ttl::new(),
            ttl_backward: Ttl::new(),
            far_resolution: Resolution::default(),
            far_clock: FarClockTest::default(),
            marking_forward: Marking::new(config.tos_forward),
            marking_backward: Marking::new(config.tos_backward),
            stamps_transmit: RungCounts::default(),
            stamps_receive: RungCounts::default(),
        }
    }

    /// How often the reflector's counter restarted so far (row M-29).
    pub fn reflector_restarts(&self) -> u64 {
        self.loss.restarts()
    }

    /// Records one packet's fate, or one further copy of a reply. Allocates only while windows and
    /// histograms grow: memory follows the packets, up to a bound.
    pub fn record(&mut self, sample: &Sample) {
        let attribution = self.loss.record(sample);
        if attribution.begun_again {
            self.restart();
        }
        match sample.fate {
            Fate::Received => self.receive(sample, attribution),
            Fate::Lost => {
                self.lost += 1;
                self.periods_mut().record_lost(sample.seq);
            }
            Fate::Late => {
                self.lost += 1;
                self.late += 1;
                self.periods_mut().record_late(sample.seq);
            }
            Fate::Duplicate => self.duplicates += 1,
            Fate::Unawaited => self.unawaited += 1,
        }
        self.since_reply.record(sample);
        if let Some(by_size) = &mut self.by_size {
            by_size.record(sample);
        }
        self.duplication.record(sample, attribution.copied);
        if matches!(sample.fate, Fate::Late | Fate::Duplicate) {
            self.leave_room();
        }
        if sample.fate != Fate::Duplicate {
            self.stamps_transmit.record(sample.t1.rung);
        }
        self.availability.record(sample);
        self.leading.record(sample);
        // A lost packet's exclusion does not count: its timeout has passed since the step.
        if sample.excluded == Some(Exclusion::ClockStep) && sample.fate != Fate::Lost {
            self.restart_times();
        }
        self.delays.record(sample);
    }

    /// The local clock stepped: jitter and IPDV start again (row M-22), and T1 has another zero.
    /// Call before recording packets sent after the step.
    pub fn record_clock_step(&mut self) {
        self.restart_times();
        self.availability.record_clock_step();
    }

    /// The sender's source address changed: a reflector sees a new sender, whose numbers begin at
    /// 0. That is not a restart of the reflector, and losses between the last reply to the old
    /// address and the first one to the new have no direction. Call before recording replies to the
    /// new address.
    pub fn record_source_change(&mut self) {
        self.loss.record_source_change();
    }

    /// The network refused this number at `at`: it was never sent (row M-4), and the reflector does
    /// not miss it. Without this call, the direction of that many losses may stay unknown.
    pub fn record_not_sent(&mut self, seq: u64, at: Wall) {
        self.not_sent += 1;
        self.availability.record_not_sent(seq, at);
        self.loss.record_not_sent(seq);
        self.periods_mut().record_not_sent(seq);
        self.leave_room();
    }

    /// Records that `count` packets due from `since` until `until` were not sent then (row M-67).
    pub fn record_missed(&mut self, count: u64, since: Wall, until: Wall) {
        self.availability.record_missed(count, since, until);
    }

    /// Lost packets.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Losses forward and backward, as far as known, and those without a direction.
    pub(crate) fn losses_by_direction(&self) -> (Option<u64>, Option<u64>, u64) {
        let direction = self.loss.value();
        (
            direction.forward,
            direction.backward,
            direction.unattributed,
        )
    }

    /// The delays so far, for any percentile, merging or conversion to plain data.
    pub fn histograms(&self) -> Histograms<'_> {
        self.histograms_as(self.far_times())
    }

    /// The same for a part of a session, using the whole session's verdict on T2 and T3.
    pub(crate) fn histograms_as(&self, far_times: FarTimes) -> Histograms<'_> {
        self.delays.histograms(far_times)
    }

    /// What the packets so far show about T2 and T3.
    pub fn far_times(&self) -> FarTimes {
        match self.far_clock.value() {
            usable if usable.are_usable() && self.delays.has_only_total_round_trips() => {
                FarTimes::Contradict
            }
            value => value,
        }
    }

    /// The end of the session so far.
    pub(crate) fn since_reply(&self) -> &SinceReply {
        &self.since_reply
    }

    /// The figures so far. Walks the histograms: for reports and displays, not for every packet.
    pub fn figures(&self) -> Figures {
        self.figures_as(self.far_times())
    }

    /// Blocks of the availability (row M-63) that no later packet changes, if each packet's fate is recorded `within`
    /// this time of its departure; `None`: all are recorded. Counts of blocks in [`SessionMetrics::figures`] may
    /// fall as packets come; these do not.
    pub fn settled_blocks(&self, within: Option<Duration>) -> Option<SettledBlocks> {
        // Without replies it is unknown whether the path was available.
        (self.unawaited == 0).then(|| self.availability.settled(within))
    }

    /// The same for a part of a session, using the whole session's verdict on T2 and T3.
    pub(crate) fn figures_as(&self, far_times: FarTimes) -> Figures {
        let mut direction = self.loss.value();
        if self.unawaited > 0 {
            // The reflector's numbers do not show which packets had no reply.
            (direction.forward, direction.backward) = (None, None);
        }
        let delays = self.delays.figures(far_times);
        let usable = far_times.are_usable();
        let [round_trip_with_loss, forward_with_loss, backward_with_loss] =
            self.with_loss(&direction, far_times);
        let by_direction = self.by_direction.as_ref().filter(|_| direction.counted);
        let availability = self.availability.value();
        let unmeasured_blocks = availability.map_or(0, |figures| figures.unmeasured_blocks);
        Figures {
            received: self.received,
            lost: self.lost,
            late: self.late,
            duplicates: self.duplicates,
            unawaited: self.unawaited,
            duplication: self.duplication.value(direction.counted),
            reordered: self.reordering.value().reordered,
            reordering: self.reordering.value(),
            reordering_forward: by_direction.map(|(forward, _)| forward.value()),
            reordering_backward: by_direction.map(|(_, backward)| backward.value(&self.reordering)),
            loss_periods: match &self.periods {
                Some(periods) => periods.value(),
                None => Periods::new(self.noticeable_distance).value(),
            },
            // Without replies it is unknown whether the path was available.
            availability: availability.filter(|_| self.unawaited == 0),
            not_sent: self.not_sent,
            by_size: self.by_size.as_ref().map(BySize::value).unwrap_or_default(),
            unmeasured_blocks,
            lost_forward: direction.forward,
            lost_backward: direction.backward,
            lost_unattributed: Some(direction.unattributed),
            lost_before_a_reply: direction.before_a_reply,
            reply_status: self.since_reply.reply_status(),
            direction_uncertain: direction.uncertain,
            excluded_clock_step: self.excluded_clock_step,
            // If T2 and T3 are not used, every reply has a delay.
            excluded_implausible: if usable { self.implausible } else { 0 },
            implausible: self.implausible,
            excluded_unstamped: if usable {
                self.far_clock.unstamped()
            } else {
                0
            },
            far_times,
            far_times_contradicted: self.far_clock.is_contradicted(),
            round_trip: delays.round_trip,
            forward: delays.forward,
            backward: delays.backward,
            residence: delays.residence,
            departure: delays.departure,
            first_departures: self.leading.value(),
            round_trip_with_loss,
            forward_with_loss,
            backward_with_loss,
            bins: self.delays.bins(far_times),
            ttl_forward: self.ttl_forward.value(),
            ttl_backward: self.ttl_backward.value(),
            dscp_forward: self.marking_forward.dscp(),
            dscp_backward: self.marking_backward.dscp(),
            congestion_forward: self.marking_forward.ecn().map(|counts| counts.ce),
            congestion_backward: self.marking_backward.ecn().map_or(0, |counts| counts.ce),
            ecn_forward: self.marking_forward.ecn(),
            ecn_backward: self.marking_backward.ecn(),
            remarked_forward: self.marking_forward.remarked(),
            remarked_backward: self.marking_backward.remarked(),
            far_rounding_ns: self.far_clock.step_ns().unsigned_abs(),
            far_resolution_ns: if far_times == FarTimes::Coarse {
                Some(self.far_clock.step_ns().unsigned_abs())
            } else {
                self.far_resolution.value().filter(|_| usable)
            },
            stamps_transmit: self.stamps_transmit,
            stamps_receive: self.stamps_receive,
            residence_never_measured: self.received > 0 && !self.residence_seen,
            numbers_equal: direction.numbers_equal,
            reflector_restarts: direction.restarts,
        }
    }

    /// Memory of the session in octets, including the heap.
    pub fn memory_octets(&self) -> usize {
        let by_direction = self.by_direction.as_ref();
        let periods = self.periods.as_deref();
        size_of::<Self>()
            + self.delays.heap_octets()
            + self.by_size.as_ref().map_or(0, BySize::octets)
            + self.loss.heap_octets()
            + self.reordering.octets()
            + by_direction.map_or(0, |(forward, backward)| {
                forward.octets() + backward.octets()
            })
            + periods.map_or(0, |periods| size_of::<Periods>() + periods.heap_octets())
            + self.availability.octets()
            + self.duplication.heap_octets()
            + self.ttl_forward.heap_octets()
            + self.ttl_backward.heap_octets()
            + self.marking_forward.heap_octets()
            + self.marking_backward.heap_octets()
    }

    fn periods_mut(&mut self) -> &mut Periods {
        let distance = self.noticeable_distance;
        self.periods
            .get_or_insert_with(|| Box::new(Periods::new(distance)))
    }

    /// The memory of late packets, copies and refusals is taken from the histograms'.
    #[cold]
    fn leave_room(&mut self) {
        let periods = self.periods.as_ref();
        let periods = periods.map_or(0, |periods| periods.heap_octets());
        let octets = periods + self.duplication.claimed_octets();
        self.delays.leave_room(octets);
    }

    fn receive(&mut self, sample: &Sample, attribution: Attribution) {
        self.received += 1;
        match sample.excluded {
            Some(Exclusion::ClockStep) => self.excluded_clock_step += 1,
            Some(Exclusion::Implausible) => self.implausible += 1,
            None => {}
        }
        self.residence_seen |= sample.t2 != sample.t3 || sample.t2.is_none();
        if sample.excluded != Some(Exclusion::ClockStep) {
            self.far_clock.record(sample);
            if self.far_clock.is_suspicious() {
                self.delays.record_total_round_trips();
            }
        }
        self.far_resolution.record(sample.t2);
        self.far_resolution.record(sample.t3);
        self.ttl_forward.record(sample.seq, sample.ttl_forward);
        self.ttl_backward.record(sample.seq, sample.ttl_backward);
        self.marking_forward.record(sample.tos_forward);
        self.marking_backward.record(sample.tos_backward);
        let Some(t4) = sample.t4 else { return };
        self.stamps_receive.record(t4.rung);
        let seq = i64::try_from(sample.seq).unwrap_or(i64::MAX);
        if let Some((forward, backward)) = &mut self.by_direction {
            let numbered = attribution.number.zip(sample.t2);
            let number = numbered.map(|(number, _)| number);
            backward.record(seq, number, t4.at, &self.reordering);
            if let Some((number, t2)) = numbered {
                forward.record(seq, number, t2);
            }
        }
        self.reordering.record(seq, t4.at);
    }

    /// The reflector's counter restarted.
    fn restart(&mut self) {
        self.delays.reset_paths();
        if let Some((forward, backward)) = &mut self.by_direction {
            forward.restart();
            backward.restart(&self.reordering);
        }
    }

    /// Times before and after this moment are not compared.
    fn restart_times(&mut self) {
        self.delays.reset();
        self.far_clock.record_clock_step();
        self.reordering.record_clock_step();
        if let Some((_, backward)) = &mut self.by_direction {
            backward.record_clock_step();
        }
    }

    /// Round trip, forward and backward (row M-11). One-way only where each loss has a direction:
    /// a packet lost on the way back has an unknown forward delay.
    fn with_loss(
        &self,
        direction: &Directions,
        far_times: FarTimes,
    ) -> [Option<PercentilesWithLoss>; 3] {
        let delays = self.delays.histograms(far_times);
        let split = direction.unattributed == 0;
        let one_way = |lost: Option<u64>| lost.filter(|_| split);
        [
            delays.round_trip.percentiles_with_loss(self.lost),
            one_way(direction.forward).and_then(|n| delays.forward.percentiles_with_loss(n)),
            one_way(direction.backward).and_then(|n| delays.backward.percentiles_with_loss(n)),
        ]
    }
}
