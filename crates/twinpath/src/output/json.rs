//! The report for machines: key names and their order are a contract, additions stand last.

mod counted;
mod details;
mod one_way;
mod parts;
mod registry;
mod voice;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use twinpath_metrics::{DelayFigures, DuplicationFigures, LossPeriods};
use twinpath_proto::sender::{PayloadSize, Protocol};
use twinpath_report::{ControlReport, IcmpCount, Note, RefusedSession, SessionReport};
use twinpath_runtime::host::HostSurvey;
use twinpath_wire::{Rung, Sample, nanoseconds};

use super::captures::CaptureCounts;
use super::labels::Labels;
use super::rows::{self, Row};
use super::survey::Survey;
use super::{Meta, Outcome, Sink, Wanted, Written, WrittenFile, ends, hops, rfc3339, schedule};

use counted::{Bins, Histograms};
use details::{Availability, Marking, Reordering, WithLoss};
use one_way::OneWay;
use parts::{
    DscpCounts, Excluded, FallbackStamps, LossOfSize, OddReplies, OwnWait, Packets, Range,
    TimeStamps,
};
use voice::Voice;

/// The whole document.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    host: Option<&'a str>,
    labels: Labels<'a>,
    sessions: Vec<Session<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    survey: Option<Survey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Control<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<&'a Written>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<&'a Written>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a Written>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    captures: &'a [CaptureCounts],
}

impl<'a> Document<'a> {
    /// From the sessions of one run.
    pub(crate) fn new(meta: &'a Meta, outcome: Outcome<'a>) -> Self {
        Self {
            schema: "twinpath-report-1",
            version: env!("CARGO_PKG_VERSION"),
            host: meta.host.as_deref(),
            labels: Labels(&meta.labels),
            sessions: outcome
                .sessions
                .iter()
                .enumerate()
                .map(|(place, report)| Session::new(report, outcome.file(place), &meta.wanted))
                .collect(),
            survey: None,
            control: outcome.control.map(Control::from),
            saved: written(outcome, WrittenFile::Saved).next(),
            pictures: written(outcome, WrittenFile::Picture).collect(),
            log: written(outcome, WrittenFile::Log).next(),
            captures: outcome.captures,
        }
    }

    /// With what this host can do.
    pub(crate) fn with_survey(mut self, survey: &HostSurvey) -> Self {
        self.survey = Some(Survey::from(survey));
        self
    }
}

/// The files of one kind.
fn written(outcome: Outcome<'_>, what: WrittenFile) -> impl Iterator<Item = &Written> {
    outcome.written.iter().filter(move |file| file.what == what)
}

/// A control connection: modes as the bits of RFC 4656 section 3.1.
#[derive(Serialize)]
struct Control<'a> {
    server: String,
    client: String,
    attempts: Vec<Attempt<'a>>,
    modes_offered: u32,
    modes: u32,
    notes: &'a [Note],
    refused: Vec<Refused<'a>>,
}

/// An address of the Server that did not take the connection.
#[derive(Serialize)]
pub(super) struct Attempt<'a> {
    address: String,
    error: &'a str,
}

impl<'a> From<&'a twinpath_report::Attempt> for Attempt<'a> {
    fn from(attempt: &'a twinpath_report::Attempt) -> Self {
        Self {
            address: ends::named(attempt.server),
            error: &attempt.error,
        }
    }
}

/// A session that the Server refused.
#[derive(Serialize)]
struct Refused<'a> {
    session: usize,
    dscp: u8,
    step: &'static str,
    accept: u8,
    reason: &'static str,
    advice: &'a str,
}

impl<'a> From<&'a RefusedSession> for Refused<'a> {
    fn from(refused: &'a RefusedSession) -> Self {
        Self {
            session: refused.number,
            dscp: refused.dscp.value(),
            step: refused.refusal.step.name(),
            accept: refused.refusal.octet,
            reason: refused.refusal.accept().name(),
            advice: &refused.advice,
        }
    }
}

impl<'a> From<&'a ControlReport> for Control<'a> {
    fn from(report: &'a ControlReport) -> Self {
        Self {
            server: ends::named(report.server),
            client: ends::named(report.near),
            attempts: report.attempts.iter().map(Attempt::from).collect(),
            modes_offered: report.offered.bits(),
            modes: report.modes.bits(),
            notes: &report.notes,
            refused: report.refused.iter().map(Refused::from).collect(),
        }
    }
}

/// `--output json`: one document at the end, and one for each row before it.
pub(crate) struct Json<W> {
    out: W,
    meta: Meta,
    /// Rows were written: each document has a line then.
    rows: bool,
}

impl<W: Write> Json<W> {
    pub(crate) fn new(out: W, meta: Meta) -> Self {
        let rows = false;
        Self { out, meta, rows }
    }
}

impl<W: Write> Sink for Json<W> {
    fn sample(&mut self, _: Option<usize>, _: &Sample) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.rows = true;
        rows::write_document(row, &self.meta, &mut self.out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()> {
        let document = Document::new(&self.meta, outcome);
        if self.rows {
            serde_json::to_writer(&mut self.out, &document)?;
            self.out.write_all(b"\n")?;
            return self.out.flush();
        }
        write(&document, &mut self.out)
    }
}

/// A document as people can read it too.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(document: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[derive(Serialize)]
struct Session<'a> {
    protocol: &'static str,
    mode: &'static str,
    sender: String,
    reflector: String,
    sid: Option<String>,
    ssid: Option<u16>,
    started: String,
    duration_ns: u64,
    interval_ns: u64,
    schedule: &'static str,
    dscp: u8,
    padding: i64,
    timestamps: TimeStamps,
    packets: Packets,
    excluded: Excluded,
    fallback_stamps: FallbackStamps,
    round_trip: Option<DelayFigures>,
    forward: Option<DelayFigures>,
    backward: Option<DelayFigures>,
    residence: Option<DelayFigures>,
    departure: Option<DelayFigures>,
    tos: u8,
    ttl: u8,
    ttl_forward: Option<Range>,
    ttl_backward: Option<Range>,
    dscp_backward: DscpCounts<'a>,
    congestion_backward: u64,
    achieved_pps: Option<f64>,
    direction_uncertain: bool,
    numbers_equal: bool,
    residence_measured: Option<bool>,
    clock_steps: Option<u64>,
    reflector_restarts: u64,
    odd_replies: Option<OddReplies<'a>>,
    icmp: Option<&'a [IcmpCount]>,
    receive_drops: Option<u64>,
    records_dropped: Option<u64>,
    notes: &'a [Note],
    payload_octets: PayloadSize,
    dscp_forward: DscpCounts<'a>,
    congestion_forward: Option<u64>,
    #[serde(rename = "session")]
    number: usize,
    timeout_ns: u64,
    start_within_ns: u64,
    loss_periods: LossPeriods,
    duplication: DuplicationFigures,
    reordering: Reordering<'a>,
    marking: Marking,
    availability: Option<Availability>,
    far_resolution_ns: Option<u64>,
    one_way: Option<OneWay>,
    voice: Option<Voice>,
    percentiles_with_loss: Option<WithLoss>,
    bins: Option<Bins>,
    histograms: Histograms,
    registry: BTreeMap<&'static str, &'static str>,
    schedule_parameters: schedule::Numbers,
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
    /// Where a report is made from several files.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

/// A protocol as documents name it.
pub(crate) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TwampLight => "twamp-light",
        Protocol::Twamp(_) => "twamp",
        Protocol::Stamp { .. } => "stamp",
    }
}

/// The Session-Sender Identifier, where there is one.
pub(crate) fn ssid(protocol: Protocol) -> Option<u16> {
    match protocol {
        Protocol::TwampLight | Protocol::Twamp(_) | Protocol::Stamp { ssid: 0 } => None,
        Protocol::Stamp { ssid } => Some(ssid),
    }
}

impl<'a> Session<'a> {
    fn new(report: &'a SessionReport, file: Option<&'a str>, wanted: &Wanted) -> Self {
        let figures = &report.figures;
        // What nobody knows is null, not 0.
        let (has_end, has_sender) = (report.origin.has_end(), report.origin.has_sender());
        Self {
            protocol: protocol(report.protocol),
            mode: report.mode.name(),
            sender: ends::sender(report),
            reflector: ends::named(report.reflector),
            sid: report.sid.map(|sid| sid.to_string()),
            ssid: ssid(report.protocol),
            started: rfc3339(report.started),
            duration_ns: nanoseconds::of(report.duration),
            interval_ns: nanoseconds::of(report.schedule.mean_interval()),
            schedule: report.schedule.name(),
            dscp: report.tos.dscp().value(),
            padding: report.padding,
            timestamps: TimeStamps {
                transmit: report.stamps.transmit.map(Rung::name),
                receive: report.stamps.receive.map(Rung::name),
                clock_synchronized: has_end.then_some(report.stamps.clock.synchronized),
                clock_error_ns: report.stamps.clock.error_ns,
                far_clock: report.stamps.far_clock,
            },
            packets: Packets::new(report),
            excluded: Excluded::from(figures),
            fallback_stamps: FallbackStamps {
                transmit: report.stamps.fallback_transmit,
                receive: report.stamps.fallback_receive,
            },
            round_trip: figures.round_trip,
            forward: figures.forward,
            backward: figures.backward,
            residence: figures.residence,
            departure: figures.departure,
            tos: report.tos.0,
            ttl: report.ttl,
            ttl_forward: figures
                .ttl_forward
                .map(|ttl| Range::new(ttl, hops::forward(report))),
            ttl_backward: figures
                .ttl_backward
                .map(|ttl| Range::new(ttl, hops::backward(report))),
            dscp_backward: DscpCounts(&figures.dscp_backward),
            congestion_backward: figures.congestion_backward,
            achieved_pps: report.achieved_pps,
            direction_uncertain: figures.direction_uncertain,
            numbers_equal: figures.numbers_equal,
            residence_measured: figures
                .residence
                .is_some()
                .then_some(!figures.residence_never_measured),
            clock_steps: Some(report.tally.clock_steps).filter(|steps| has_sender || *steps > 0),
            reflector_restarts: figures.reflector_restarts,
            odd_replies: has_end.then_some(OddReplies(&report.tally)),
            icmp: has_end.then_some(&*report.icmp),
            receive_drops: has_end.then_some(report.receive_drops),
            records_dropped: has_end.then_some(report.records_dropped),
            notes: &report.notes,
            payload_octets: super::sizes(report),
            dscp_forward: DscpCounts(&figures.dscp_forward),
            congestion_forward: figures.congestion_forward,
            number: report.number,
            timeout_ns: nanoseconds::of(report.timeout),
            start_within_ns: nanoseconds::of(report.start_within),
            loss_periods: figures.loss_periods,
            duplication: figures.duplication,
            reordering: Reordering::from(figures),
            marking: Marking::from(report),
            availability: figures
                .availability
                .map(|availability| Availability::new(availability, report)),
            far_resolution_ns: figures.far_resolution_ns,
            one_way: OneWay::of(report),
            voice: Voice::new(&super::voice(report, wanted), wanted.voice),
            percentiles_with_loss: wanted.with_loss.then(|| WithLoss::from(report)),
            bins: super::bins(report, wanted).as_ref().map(Bins::from),
            histograms: Histograms::from(&report.delays),
            registry: registry::names(report),
            schedule_parameters: schedule::numbers(report.schedule),
            seed: has_sender.then_some(report.seed),
            interface_rebinds: has_end.then_some(report.rebinds),
            icmp_foreign: has_end.then_some(report.icmp_foreign),
            far_times: (figures.received > 0).then(|| figures.far_times.name()),
            round_trip_includes_residence: includes_residence(figures),
            loss_by_size: LossOfSize::of(report),
            own_wait: OwnWait::of(report),
            suspensions: has_sender.then_some(report.tally.suspensions),
            suspended_ns: has_sender.then_some(report.tally.suspended_ns),
            implausible: figures.implausible,
            file,
        }
    }
}

/// Whether the reflector's time is in the round trip; `None` without one.
fn includes_residence(figures: &twinpath_metrics::Figures) -> Option<bool> {
    let known = figures.round_trip.is_some();
    known.then(|| figures.round_trip_includes_residence())
}

#[cfg(test)]
mod tests;
