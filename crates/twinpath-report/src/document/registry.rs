//! Names of figures in the Performance Metrics Registry (RFC 8912), for runs with exactly the
//! parameters of a name.

use std::collections::BTreeMap;

use crate::SessionReport;
use twinpath_metrics::{
    RegistryMetric as Metric, RegistryParameters, RegistryStatistic as Statistic, RegistryStream,
    registry_name,
};
use twinpath_proto::sender::{PayloadSize, Schedule};
use twinpath_wire::control::SecurityMode;
use twinpath_wire::nanoseconds;

/// Figures by their keys in the session's document. The inbound direction is not a stream of the
/// registry: its departures depend on the arrivals of the sender's packets.
pub(super) const FIGURES: [(&str, Metric, Statistic); 9] = {
    use Metric::{OneWayDelay, OneWayLoss, OneWayVariation, RoundTripDelay, RoundTripLoss};
    use Statistic::{LossRatio, Max, Mean, Min, Percentile95, StdDev};
    [
        ("round_trip.p95_ns", RoundTripDelay, Percentile95),
        ("packets.loss_ratio", RoundTripLoss, LossRatio),
        (
            "one_way.forward.variation.p95_ns",
            OneWayVariation,
            Percentile95,
        ),
        ("forward.p95_ns", OneWayDelay, Percentile95),
        ("forward.mean_ns", OneWayDelay, Mean),
        ("forward.min_ns", OneWayDelay, Min),
        ("forward.max_ns", OneWayDelay, Max),
        ("forward.stddev_ns", OneWayDelay, StdDev),
        ("packets.loss_ratio_forward", OneWayLoss, LossRatio),
    ]
};

/// The registry's names by the keys of their figures.
pub(super) fn names(report: &SessionReport) -> BTreeMap<&'static str, &'static str> {
    // The registry has no round trip that includes the reflector's time.
    let usable = report.figures.far_times.are_usable() && report.origin.has_setup();
    let Some(parameters) = parameters(report).filter(|_| usable) else {
        return BTreeMap::new();
    };
    let known = report.coverage().is_complete();
    let figures = FIGURES.into_iter();
    let figures = figures.filter(|(.., statistic)| known || *statistic != Statistic::LossRatio);
    let named = figures.filter_map(|(key, metric, statistic)| {
        Some((key, registry_name(metric, statistic, &parameters)?))
    });
    named.collect()
}

fn parameters(report: &SessionReport) -> Option<RegistryParameters> {
    let PayloadSize::Fixed(octets) = report.payload_sizes() else {
        return None;
    };
    let stream = match report.identity.schedule {
        Schedule::Periodic { interval } => RegistryStream::Periodic {
            interval_ns: nanoseconds::of(interval),
            start_within_ns: nanoseconds::of(report.identity.start_within),
        },
        Schedule::Poisson { mean } => RegistryStream::Poisson {
            mean_ns: nanoseconds::of(mean),
            longest_ns: Some(nanoseconds::of(report.identity.schedule.longest_gap())),
        },
        Schedule::Uniform { .. } | Schedule::Bursts { .. } => return None,
    };
    Some(RegistryParameters {
        stream,
        payload: u32::try_from(octets).ok()?,
        timeout_ns: nanoseconds::of(report.identity.timeout),
        ttl: report.identity.ttl,
        dscp: report.identity.tos.dscp().value(),
        twamp_format: report.identity.wire.security == SecurityMode::Unauthenticated,
    })
}
