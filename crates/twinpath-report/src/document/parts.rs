//! The smaller objects of a session's document.

use crate::{ClockState, Origin, SessionReport};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use twinpath_metrics::{TtlFigures, figures, ratio};
use twinpath_proto::sender::SenderCounters;
use twinpath_wire::{Dscp, Rung, TimeFormat};

use crate::hops::Hops;

#[derive(Serialize)]
pub(super) struct TimeStamps {
    pub(super) transmit: Option<&'static str>,
    pub(super) receive: Option<&'static str>,
    pub(super) clock_synchronized: Option<bool>,
    pub(super) clock_error_ns: Option<u64>,
    pub(super) far_clock: Option<ClockState>,
    /// Of this end.
    pub(super) format: Option<TimeFormat>,
    /// Of the far end; `None` without a reply.
    pub(super) far_format: Option<TimeFormat>,
}

impl TimeStamps {
    pub(super) fn new(report: &SessionReport) -> Self {
        let (stamps, has_end) = (&report.stamps, report.origin.has_end());
        Self {
            transmit: stamps.transmit.map(Rung::name),
            receive: stamps.receive.map(Rung::name),
            clock_synchronized: has_end.then_some(stamps.clock.synchronized),
            clock_error_ns: stamps.clock.error_ns,
            far_clock: stamps.far_clock,
            format: (report.origin.has_setup()).then(|| report.identity.wire.format.time_format()),
            far_format: report.far_time_format(),
        }
    }
}

figures! { TimeStamps:
    clock_error_ns, Nanoseconds, Greatest, "", "maximum error that this host's clock claims";
}

#[derive(Serialize)]
pub(super) struct Packets {
    pub(super) asked: Option<u64>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) lost_forward: Option<u64>,
    pub(super) lost_backward: Option<u64>,
    pub(super) lost_unattributed: Option<u64>,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) late: u64,
    pub(super) loss_ratio: Option<f64>,
    pub(super) send_errors: Option<u64>,
    pub(super) slots_skipped: Option<u64>,
    pub(super) in_flight: Option<u64>,
    pub(super) stale: Option<u64>,
    pub(super) largest_burst: Option<u32>,
    pub(super) loss_ratio_forward: Option<f64>,
    pub(super) loss_ratio_backward: Option<f64>,
    pub(super) unsent: u64,
    pub(super) unawaited: u64,
    pub(super) lost_since_reply: Option<u64>,
}

figures! { Packets:
    asked, Packets, Sum, "", "packets to send; unknown where a duration was asked for";
    sent, Packets, Sum, "", "packets sent whose fate is known";
    received, Packets, Sum, "RFC 2681 section 2.5", "packets with a first valid reply in time";
    lost, Packets, Sum, "RFC 6673 section 4.3", "packets without one, the late ones among them";
    lost_forward, Packets, Sum, "RFC 5357 section 4.2.1", "packets lost on the way to the reflector";
    lost_backward, Packets, Sum, "RFC 5357 section 4.2.1", "packets lost on the way back";
    lost_unattributed, Packets, Derived, "", "packets lost in an unknown direction";
    duplicates, Packets, Sum, "RFC 5560", "further copies of replies";
    reordered, Packets, Sum, "RFC 4737 section 3.3", "packets that arrived after one with a greater number";
    late, Packets, Sum, "", "packets whose first reply came after the timeout";
    loss_ratio, Ratio, Derived, "RFC 6673 section 6.1", "lost packets of those sent";
    send_errors, Packets, Sum, "", "packets that this host's network refused: not sent";
    slots_skipped, Events, Sum, "RFC 4656 section 4.1.1", "departures that were missed and not caught up";
    in_flight, Packets, Sum, "", "packets whose fate was not known when the run ended";
    stale, Packets, Sum, "", "replies that came too late to be counted as late";
    largest_burst, Packets, Greatest, "", "most packets sent in a row to catch up";
    loss_ratio_forward, Ratio, Derived, "RFC 7680 section 4.1", "packets lost on the way out of those sent";
    loss_ratio_backward, Ratio, Derived, "RFC 6673 section 7", "packets lost on the way back of those that reached the reflector";
    unsent, Packets, Derived, "", "packets that were due and not sent";
    unawaited, Packets, Sum, "RFC 9503 section 4.1.1", "packets without a reply, to which none was to come here: neither received nor lost";
    lost_since_reply, Packets, Derived, "", "packets lost after the last one that was answered";
}

impl Packets {
    pub(super) fn new(report: &SessionReport) -> Self {
        let (counters, figures) = (&report.counters, &report.figures);
        let (has_end, has_unsent) = (report.origin.has_end(), report.origin.has_unsent());
        // A ratio of the packets sent would be too low if more were due.
        let coverage = report.coverage();
        let known = coverage.is_complete();
        let ratio = |part: u64, whole: u64| ratio(part, whole).filter(|_| known);
        // It is known for a direction if every loss has a direction.
        let by_direction = |lost: Option<u64>, whole: u64| {
            let lost = lost.filter(|_| figures.lost_unattributed == Some(0))?;
            ratio(lost, whole)
        };
        // Of the packets that reached the far end (RFC 6673 section 7).
        let reached = figures.lost_backward.unwrap_or(0) + figures.received + figures.late;
        Self {
            asked: counters.asked,
            sent: counters.sent,
            received: counters.received,
            lost: counters.lost,
            lost_forward: figures.lost_forward,
            lost_backward: figures.lost_backward,
            lost_unattributed: figures.lost_unattributed,
            duplicates: counters.duplicates,
            reordered: figures.reordered,
            late: counters.late,
            loss_ratio: ratio(counters.lost, counters.sent),
            send_errors: has_unsent.then_some(counters.send_errors),
            slots_skipped: has_unsent.then_some(counters.slots_skipped),
            in_flight: matches!(report.origin, Origin::Run | Origin::Capture)
                .then_some(counters.in_flight),
            stale: has_end.then_some(counters.stale),
            largest_burst: has_end.then_some(counters.largest_burst),
            loss_ratio_forward: by_direction(figures.lost_forward, counters.sent),
            loss_ratio_backward: by_direction(figures.lost_backward, reached),
            unsent: coverage.unsent,
            unawaited: counters.unawaited,
            lost_since_reply: (report.origin.has_packets())
                .then_some(figures.reply_status.lost_since),
        }
    }
}

/// Packets of one size, if there are several.
#[derive(Serialize)]
pub(super) struct LossOfSize {
    octets: u32,
    sent: u64,
    received: u64,
    lost: u64,
    loss_ratio: Option<f64>,
}

impl LossOfSize {
    /// `None` if all have the same size, or it is unknown.
    pub(super) fn of(report: &SessionReport) -> Option<Vec<Self>> {
        let known = report.coverage().is_complete();
        let sizes = report.figures.by_size.iter();
        let sizes: Vec<Self> = sizes
            .map(|counts| Self {
                octets: counts.octets,
                sent: counts.sent(),
                received: counts.received,
                lost: counts.lost,
                loss_ratio: ratio(counts.lost, counts.sent()).filter(|_| known),
            })
            .collect();
        (!sizes.is_empty()).then_some(sizes)
    }
}

/// How long packets waited in this host from the send call to the kernel's timestamp of T1.
#[derive(Serialize)]
pub(super) struct OwnWait {
    pub(super) count: u64,
    pub(super) mean_ns: u64,
}

figures! { OwnWait:
    count, Packets, Sum, "", "packets whose T1 is the kernel's";
    mean_ns, Nanoseconds, Derived, "", "mean time from the send call to the kernel's T1";
}

impl OwnWait {
    pub(super) fn of(report: &SessionReport) -> Option<Self> {
        let mean = report.counters.own_wait_mean()?;
        Some(Self {
            count: report.counters.stamped,
            mean_ns: u64::try_from(mean.as_nanos()).unwrap_or(u64::MAX),
        })
    }
}

#[derive(Serialize)]
pub(super) struct Excluded {
    pub(super) clock_step: u64,
    pub(super) implausible: u64,
    pub(super) unstamped: u64,
}

figures! { Excluded:
    clock_step, Packets, Sum, "", "packets left out of the delays: a step of the local clock touched them";
    implausible, Packets, Sum, "", "packets left out of the delays: the reflector's times cannot be true";
    unstamped, Packets, Sum, "", "packets left out of the delays: the reply has no T2 or no T3";
}

impl From<&twinpath_metrics::Figures> for Excluded {
    fn from(figures: &twinpath_metrics::Figures) -> Self {
        Self {
            clock_step: figures.excluded_clock_step,
            implausible: figures.excluded_implausible,
            unstamped: figures.excluded_unstamped,
        }
    }
}

#[derive(Serialize)]
pub(super) struct FallbackStamps {
    pub(super) transmit: u64,
    pub(super) receive: u64,
}

impl FallbackStamps {
    pub(super) fn of(report: &SessionReport) -> Option<Self> {
        report.origin.has_packets().then_some(Self {
            transmit: report.stamps.fallback_transmit,
            receive: report.stamps.fallback_receive,
        })
    }
}

figures! { FallbackStamps:
    transmit, Packets, Derived, "", "T1 that fell to a lower rung than the best one";
    receive, Packets, Derived, "", "T4 that fell to a lower rung than the best one";
}

#[derive(Serialize)]
pub(super) struct Range {
    #[serde(flatten)]
    pub(super) ttl: TtlFigures,
    pub(super) hops_min: Option<u8>,
    pub(super) hops_max: Option<u8>,
}

figures! { Range:
    hops_min, Hops, Derived, "RFC 5357 section 4.2.1", "minimum number of routers on the path";
    hops_max, Hops, Derived, "RFC 5357 section 4.2.1", "maximum number of routers on the path";
}

impl Range {
    pub(super) fn of(ttl: Option<TtlFigures>, hops: Hops) -> Option<Self> {
        Some(Self {
            ttl: ttl?,
            hops_min: hops.map(|(least, _)| least),
            hops_max: hops.map(|(_, greatest)| greatest),
        })
    }
}

/// Packets by code point.
pub(super) struct DscpCounts<'a>(pub(super) &'a [(Dscp, u64)]);

impl Serialize for DscpCounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(dscp, count)| (dscp, count)))
    }
}

/// Replies with anomalies, by the kinds that occurred.
pub(super) struct OddReplies<'a>(pub(super) &'a SenderCounters);

impl Serialize for OddReplies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, count) in self.0.anomalies.kinds().filter(|(_, count)| *count > 0) {
            map.serialize_entry(&kind.to_lowercase().replace(' ', "_"), &count)?;
        }
        map.end()
    }
}
