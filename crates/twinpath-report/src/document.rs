//! A session as a document: the keys of `twinpath-report-1` and their order are a contract;
//! additions come last. Unknown values are `null`, never 0.

mod counted;
mod details;
mod metrics;
mod one_way;
mod parts;
mod registry;
mod schedule;
mod voice;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;
use twinpath_metrics::{DelayFigures, DuplicationFigures, LossPeriods, SessionState};
use twinpath_proto::extension::{FactValue, Learnt};
use twinpath_proto::sender::PayloadSize;
use twinpath_wire::nanoseconds;

use crate::words::rfc3339;
use crate::{Finding, IcmpCount, Identity, MicroSession, Note, Requested, SessionReport, hops};

use counted::{Bins, Histograms};
use details::{Availability, Marking, Reordering, WithLoss};
use one_way::OneWay;
use parts::{
    DscpCounts, Excluded, FallbackStamps, LossOfSize, OddReplies, OwnWait, Packets, Range,
    TimeStamps,
};
use voice::Voice;

pub use metrics::{METRICS, Metric};

/// A session's object in `sessions`.
#[derive(Serialize)]
pub struct SessionDocument<'a> {
    /// `twamp`, `twamp-light`, `stamp`; `None`: unknown.
    pub protocol: Option<&'static str>,
    mode: Option<&'static str>,
    /// Its address and port; `None`: unknown.
    pub sender: Option<String>,
    /// Its address and port; `None`: unknown.
    pub reflector: Option<String>,
    sid: Option<String>,
    ssid: Option<u16>,
    started: String,
    duration_ns: u64,
    interval_ns: Option<u64>,
    schedule: Option<&'static str>,
    /// As sent.
    pub dscp: u8,
    padding: Option<i64>,
    timestamps: TimeStamps,
    packets: Packets,
    excluded: Excluded,
    fallback_stamps: Option<FallbackStamps>,
    round_trip: Option<DelayFigures>,
    forward: Option<DelayFigures>,
    backward: Option<DelayFigures>,
    residence: Option<DelayFigures>,
    departure: Option<DelayFigures>,
    tos: Option<u8>,
    ttl: Option<u8>,
    ttl_forward: Option<Range>,
    ttl_backward: Option<Range>,
    dscp_backward: Option<DscpCounts<'a>>,
    congestion_backward: u64,
    achieved_pps: Option<f64>,
    direction_uncertain: Option<bool>,
    numbers_equal: Option<bool>,
    residence_measured: Option<bool>,
    clock_steps: Option<u64>,
    reflector_restarts: u64,
    odd_replies: Option<OddReplies<'a>>,
    icmp: Option<&'a [IcmpCount]>,
    receive_drops: Option<u64>,
    records_dropped: Option<u64>,
    notes: &'a [Note],
    payload_octets: Option<PayloadSize>,
    dscp_forward: Option<DscpCounts<'a>>,
    congestion_forward: Option<u64>,
    /// Its position in its run, from 1.
    #[serde(rename = "session")]
    pub number: usize,
    timeout_ns: Option<u64>,
    start_within_ns: Option<u64>,
    loss_periods: Option<LossPeriods>,
    duplication: Option<DuplicationFigures>,
    reordering: Option<Reordering<'a>>,
    marking: Marking,
    availability: Option<Availability>,
    far_resolution_ns: Option<u64>,
    one_way: Option<OneWay>,
    voice: Option<Voice>,
    percentiles_with_loss: Option<WithLoss>,
    bins: Option<Bins>,
    histograms: Histograms,
    registry: BTreeMap<&'static str, &'static str>,
    schedule_parameters: Option<schedule::Numbers>,
    seed: Option<u64>,
    interface_rebinds: Option<u64>,
    icmp_foreign: Option<u64>,
    far_times: Option<&'static str>,
    round_trip_includes_residence: Option<bool>,
    loss_by_size: Option<Vec<LossOfSize>>,
    own_wait: Option<OwnWait>,
    suspensions: Option<u64>,
    suspended_ns: Option<u64>,
    implausible: u64,
    findings: &'a [Finding],
    state: Option<SessionState>,
    /// If a report is made from several files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    /// What it measures, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetDocument<'a>>,
    /// DSCP name of its packets.
    pub class: String,
    /// Which of several paths to its target it takes, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<u16>,
    /// Which member link it measures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_session: Option<&'a MicroSession>,
    /// What was learnt by each TLV that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<BTreeMap<String, BTreeMap<&'static str, FactValue>>>,
}

/// What a session measures.
#[derive(Clone, Debug, Serialize)]
pub struct TargetDocument<'a> {
    /// As given.
    pub name: &'a str,
    /// The address and port used; `None`: unknown.
    pub address: Option<String>,
    /// The user's remarks about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: &'a BTreeMap<String, String>,
}

impl<'a> TargetDocument<'a> {
    /// Of the session with this identity. `endpoint`: how an address is written.
    pub fn new(
        identity: &'a Identity,
        endpoint: impl FnOnce(SocketAddr) -> String,
    ) -> Option<Self> {
        identity.target.as_ref().map(|target| Self {
            name: &target.name,
            address: (identity.has_ends()).then(|| endpoint(identity.reflector)),
            labels: &target.labels,
        })
    }
}

impl<'a> SessionDocument<'a> {
    /// From `report`, with the figures `requested` in addition to the usual ones. `file`: the file
    /// it is from, if a report has several.
    pub fn new(report: &'a SessionReport, file: Option<&'a str>, requested: &Requested) -> Self {
        let (figures, identity) = (&report.figures, &report.identity);
        // Unknown values are null, not 0.
        let (has_end, has_sender) = (report.origin.has_end(), report.origin.has_sender());
        let (has_setup, has_packets) = (report.origin.has_setup(), report.origin.has_packets());
        Self {
            protocol: has_setup.then(|| identity.wire.format.name()),
            mode: has_setup.then(|| identity.wire.security.name()),
            sender: has_setup.then(|| requested.endpoint(report.sender())),
            reflector: has_setup.then(|| requested.endpoint(identity.reflector)),
            sid: identity.sid.map(|sid| sid.to_string()),
            ssid: identity.wire.format.ssid(),
            started: rfc3339(report.started),
            duration_ns: nanoseconds::of(report.duration),
            interval_ns: has_setup.then(|| nanoseconds::of(identity.schedule.mean_interval())),
            schedule: has_setup.then(|| identity.schedule.name()),
            dscp: identity.tos.dscp().value(),
            padding: has_setup.then_some(identity.padding),
            timestamps: TimeStamps::new(report),
            packets: Packets::new(report),
            excluded: Excluded::from(figures),
            fallback_stamps: FallbackStamps::of(report),
            round_trip: figures.round_trip,
            forward: figures.forward,
            backward: figures.backward,
            residence: figures.residence,
            departure: figures.departure,
            tos: has_setup.then_some(identity.tos.0),
            ttl: has_setup.then_some(identity.ttl),
            ttl_forward: Range::of(figures.ttl_forward, hops::forward(report)),
            ttl_backward: Range::of(figures.ttl_backward, hops::backward(report)),
            dscp_backward: has_packets.then_some(DscpCounts(&figures.dscp_backward)),
            congestion_backward: figures.congestion_backward,
            achieved_pps: report.achieved_pps,
            direction_uncertain: has_packets.then_some(figures.direction_uncertain),
            numbers_equal: has_packets.then_some(figures.numbers_equal),
            residence_measured: residence_measured(figures),
            clock_steps: Some(report.counters.clock_steps).filter(|steps| has_sender || *steps > 0),
            reflector_restarts: figures.reflector_restarts,
            odd_replies: odd_replies(report),
            icmp: has_end.then_some(&*report.icmp),
            receive_drops: has_end.then_some(report.receive_drops),
            records_dropped: has_end.then_some(report.records_dropped),
            notes: &report.notes,
            payload_octets: has_setup.then(|| report.payload_sizes()),
            dscp_forward: has_packets.then_some(DscpCounts(&figures.dscp_forward)),
            congestion_forward: figures.congestion_forward,
            number: identity.number,
            timeout_ns: has_setup.then(|| nanoseconds::of(identity.timeout)),
            start_within_ns: has_setup.then(|| nanoseconds::of(identity.start_within)),
            loss_periods: has_packets.then_some(figures.loss_periods),
            duplication: has_packets.then_some(figures.duplication),
            reordering: has_packets.then(|| Reordering::from(figures)),
            marking: Marking::from(report),
            availability: Availability::of(report),
            far_resolution_ns: figures.far_resolution_ns,
            one_way: OneWay::of(report),
            voice: Voice::new(&report.voice(requested), requested.voice),
            percentiles_with_loss: requested.with_loss.then(|| WithLoss::from(report)),
            bins: report.bins(requested).as_deref().map(Bins::from),
            histograms: Histograms::from(&report.delays),
            registry: registry::names(report),
            schedule_parameters: has_setup.then(|| schedule::numbers(identity.schedule)),
            seed: has_sender.then_some(identity.seed),
            interface_rebinds: has_end.then_some(report.rebinds),
            icmp_foreign: has_end.then_some(report.icmp_foreign),
            far_times: (has_packets && figures.received > 0).then(|| figures.far_times.name()),
            round_trip_includes_residence: includes_residence(figures).filter(|_| has_packets),
            loss_by_size: LossOfSize::of(report),
            own_wait: OwnWait::of(report),
            suspensions: has_sender.then_some(report.counters.suspensions),
            suspended_ns: has_sender.then_some(report.counters.suspended_ns),
            implausible: figures.implausible,
            findings: &report.findings,
            state: has_packets.then_some(figures.reply_status.state),
            file,
            target: TargetDocument::new(identity, |it| requested.endpoint(it)),
            class: identity.tos.dscp().to_string(),
            path: identity.path,
            micro_session: identity.micro_session.as_ref(),
            stamp: report.learnt.as_deref().map(learnt),
        }
    }
}

/// Odd replies; `None` of what does not tell that there are none.
fn odd_replies(report: &SessionReport) -> Option<OddReplies<'_>> {
    let mut kinds = report.counters.anomalies.kinds();
    let is_known = report.origin.has_end() || kinds.any(|(_, count)| count > 0);
    is_known.then_some(OddReplies(&report.counters))
}

/// The facts of each TLV, whose name has underscores here.
fn learnt(learnt: &Learnt) -> BTreeMap<String, BTreeMap<&'static str, FactValue>> {
    let facts = learnt.facts().into_iter();
    let named = facts.map(|(name, facts)| (name.replace('-', "_"), facts.into_iter().collect()));
    named.collect()
}

/// Whether the reflector's time was measured; `None` without it.
fn residence_measured(figures: &twinpath_metrics::Figures) -> Option<bool> {
    let known = figures.residence.is_some();
    known.then_some(!figures.residence_never_measured)
}

/// Whether the round trip includes the reflector's time; `None` without a round trip.
fn includes_residence(figures: &twinpath_metrics::Figures) -> Option<bool> {
    let known = figures.round_trip.is_some();
    known.then(|| figures.round_trip_includes_residence())
}
