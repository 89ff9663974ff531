//! The report for machines: key names and their order are a contract, additions stand last.

use std::io::{self, Write};
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use twinpath_metrics::{DelayFigures, Figures, TtlFigures};
use twinpath_proto::sender::{PayloadSize, Protocol, SenderTally};
use twinpath_runtime::controller::ControlReport;
use twinpath_runtime::host::HostSurvey;
use twinpath_runtime::{ClockState, SessionReport};
use twinpath_wire::{Dscp, Rung, Sample};

use crate::args::Label;

use super::rows::{self, Row};
use super::survey::Survey;
use super::{Meta, Outcome, Sink, ends, rfc3339};

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
}

impl<'a> Document<'a> {
    /// From the sessions of one run.
    pub(crate) fn new(meta: &'a Meta, outcome: Outcome<'a>) -> Self {
        Self {
            schema: "twinpath-report-1",
            version: env!("CARGO_PKG_VERSION"),
            host: meta.host.as_deref(),
            labels: Labels(&meta.labels),
            sessions: outcome.sessions.iter().map(Session::from).collect(),
            survey: None,
            control: outcome.control.map(Control::from),
        }
    }

    /// With what this host can do.
    pub(crate) fn with_survey(mut self, survey: &HostSurvey) -> Self {
        self.survey = Some(Survey::from(survey));
        self
    }
}

/// A control connection: modes as the bits of RFC 4656 section 3.1.
#[derive(Serialize)]
struct Control<'a> {
    server: String,
    client: String,
    modes_offered: u32,
    modes: u32,
    notes: Vec<Note<'a>>,
}

impl<'a> From<&'a ControlReport> for Control<'a> {
    fn from(report: &'a ControlReport) -> Self {
        Self {
            server: ends::named(report.server),
            client: ends::named(report.near),
            modes_offered: report.offered.bits(),
            modes: report.modes.bits(),
            notes: report.notes.iter().map(Note::from).collect(),
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

/// The user's remarks.
pub(super) struct Labels<'a>(pub(super) &'a [Label]);

impl Labels<'_> {
    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|label| (&label.key, &label.value)))
    }
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
    round_trip: Option<Delay>,
    forward: Option<Delay>,
    backward: Option<Delay>,
    residence: Option<Delay>,
    departure: Option<Delay>,
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
    clock_steps: u64,
    reflector_restarts: u64,
    odd_replies: OddReplies<'a>,
    icmp: Vec<Icmp<'a>>,
    receive_drops: u64,
    records_dropped: u64,
    notes: Vec<Note<'a>>,
    payload_octets: PayloadOctets,
    dscp_forward: DscpCounts<'a>,
    congestion_forward: Option<u64>,
    #[serde(rename = "session")]
    number: usize,
}

impl<'a> From<&'a SessionReport> for Session<'a> {
    fn from(report: &'a SessionReport) -> Self {
        let figures = &report.figures;
        let range = |ttl: Option<TtlFigures>| {
            ttl.map(|ttl| Range {
                min: ttl.min,
                max: ttl.max,
            })
        };
        let delay = |figures: &Option<DelayFigures>| figures.as_ref().map(Delay::from);
        Self {
            protocol: match report.protocol {
                Protocol::TwampLight => "twamp-light",
                Protocol::Twamp(_) => "twamp",
                Protocol::Stamp { .. } => "stamp",
            },
            mode: report.mode.name(),
            sender: ends::sender(report),
            reflector: ends::named(report.reflector),
            sid: report.sid.map(|sid| sid.to_string()),
            ssid: match report.protocol {
                Protocol::TwampLight | Protocol::Twamp(_) | Protocol::Stamp { ssid: 0 } => None,
                Protocol::Stamp { ssid } => Some(ssid),
            },
            started: rfc3339(report.started),
            duration_ns: nanoseconds(report.duration),
            interval_ns: nanoseconds(report.interval),
            schedule: "periodic",
            dscp: report.tos.dscp().value(),
            padding: report.padding,
            timestamps: TimeStamps {
                transmit: report.stamps.transmit.map(Rung::name),
                receive: report.stamps.receive.map(Rung::name),
                clock_synchronized: report.stamps.clock.synchronized,
                clock_error_ns: report.stamps.clock.error_ns,
                far_clock: report.stamps.far_clock.map(FarClock::from),
            },
            packets: Packets::new(&report.tally, figures),
            excluded: Excluded {
                clock_step: figures.excluded_clock_step,
                implausible: figures.excluded_implausible,
            },
            fallback_stamps: FallbackStamps {
                transmit: report.stamps.fallback_transmit,
                receive: report.stamps.fallback_receive,
            },
            round_trip: delay(&figures.round_trip),
            forward: delay(&figures.forward),
            backward: delay(&figures.backward),
            residence: delay(&figures.residence),
            departure: delay(&figures.departure),
            tos: report.tos.0,
            ttl: report.ttl,
            ttl_forward: range(figures.ttl_forward),
            ttl_backward: range(figures.ttl_backward),
            dscp_backward: DscpCounts(&figures.dscp_backward),
            congestion_backward: figures.congestion_backward,
            achieved_pps: report.achieved_pps,
            direction_uncertain: figures.direction_uncertain,
            numbers_equal: figures.numbers_equal,
            residence_measured: figures
                .residence
                .is_some()
                .then_some(!figures.residence_never_measured),
            clock_steps: report.tally.clock_steps,
            reflector_restarts: figures.reflector_restarts,
            odd_replies: OddReplies(&report.tally),
            icmp: report
                .icmp
                .iter()
                .map(|icmp| Icmp {
                    what: &icmp.what,
                    from: icmp.from.map(|from| from.to_string()),
                    count: icmp.count,
                })
                .collect(),
            receive_drops: report.receive_drops,
            records_dropped: report.records_dropped,
            notes: report.notes.iter().map(Note::from).collect(),
            payload_octets: PayloadOctets(super::sizes(report)),
            dscp_forward: DscpCounts(&figures.dscp_forward),
            congestion_forward: figures.congestion_forward,
            number: report.number,
        }
    }
}

/// One number, or the three of IMIX.
struct PayloadOctets(PayloadSize);

impl Serialize for PayloadOctets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            PayloadSize::Fixed(octets) => octets.serialize(serializer),
            PayloadSize::Imix(sizes) => sizes.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct TimeStamps {
    transmit: Option<&'static str>,
    receive: Option<&'static str>,
    clock_synchronized: bool,
    clock_error_ns: Option<u64>,
    far_clock: Option<FarClock>,
}

#[derive(Serialize)]
struct FarClock {
    synchronized: bool,
    error_ns: Option<u64>,
}

impl From<ClockState> for FarClock {
    fn from(clock: ClockState) -> Self {
        Self {
            synchronized: clock.synchronized,
            error_ns: clock.error_ns,
        }
    }
}

#[derive(Serialize)]
struct Packets {
    asked: Option<u64>,
    sent: u64,
    received: u64,
    lost: u64,
    lost_forward: Option<u64>,
    lost_backward: Option<u64>,
    lost_unattributed: Option<u64>,
    duplicates: u64,
    reordered: u64,
    late: u64,
    loss_ratio: Option<f64>,
    send_errors: u64,
    slots_skipped: u64,
    in_flight: u64,
    stale: u64,
    largest_burst: u32,
}

impl Packets {
    fn new(tally: &SenderTally, figures: &Figures) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a ratio; the counts stand beside it"
        )]
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        Self {
            asked: tally.asked,
            sent: tally.sent,
            received: tally.received,
            lost: tally.lost,
            lost_forward: figures.lost_forward,
            lost_backward: figures.lost_backward,
            lost_unattributed: figures.lost_unattributed,
            duplicates: tally.duplicates,
            reordered: figures.reordered,
            late: tally.late,
            loss_ratio: ratio(tally.lost, tally.sent),
            send_errors: tally.send_errors,
            slots_skipped: tally.slots_skipped,
            in_flight: tally.in_flight,
            stale: tally.stale,
            largest_burst: tally.largest_burst,
        }
    }
}

#[derive(Serialize)]
struct Excluded {
    clock_step: u64,
    implausible: u64,
}

#[derive(Serialize)]
struct FallbackStamps {
    transmit: u64,
    receive: u64,
}

#[derive(Serialize)]
struct Range {
    min: u8,
    max: u8,
}

#[derive(Serialize)]
pub(super) struct Delay {
    count: u64,
    min_ns: i64,
    max_ns: i64,
    mean_ns: i64,
    median_ns: i64,
    stddev_ns: u64,
    p90_ns: i64,
    p95_ns: i64,
    p99_ns: i64,
    p999_ns: i64,
    jitter_ns: Option<u64>,
    pdv_p99_ns: Option<u64>,
    ipdv_mean_abs_ns: Option<u64>,
    reference_ns: Option<i64>,
    bins_per_octave: u32,
}

impl From<&DelayFigures> for Delay {
    fn from(figures: &DelayFigures) -> Self {
        Self {
            count: figures.count,
            min_ns: figures.min_ns,
            max_ns: figures.max_ns,
            mean_ns: figures.mean_ns,
            median_ns: figures.median_ns,
            stddev_ns: figures.stddev_ns,
            p90_ns: figures.p90_ns,
            p95_ns: figures.p95_ns,
            p99_ns: figures.p99_ns,
            p999_ns: figures.p999_ns,
            jitter_ns: figures.jitter_ns,
            pdv_p99_ns: figures.pdv_p99_ns,
            ipdv_mean_abs_ns: figures.ipdv_mean_abs_ns,
            reference_ns: figures.reference_ns,
            bins_per_octave: figures.bins_per_octave,
        }
    }
}

/// Packets by code point.
struct DscpCounts<'a>(&'a [(Dscp, u64)]);

impl Serialize for DscpCounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(dscp, count)| (dscp.value(), count)))
    }
}

/// Odd replies, the kinds that occurred.
struct OddReplies<'a>(&'a SenderTally);

impl Serialize for OddReplies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, count) in self.0.odd.kinds().filter(|(_, count)| *count > 0) {
            map.serialize_entry(&kind.to_lowercase().replace(' ', "_"), &count)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Icmp<'a> {
    what: &'a str,
    from: Option<String>,
    count: u64,
}

#[derive(Serialize)]
pub(super) struct Note<'a> {
    key: &'static str,
    warning: bool,
    line: &'a str,
}

impl<'a> From<&'a twinpath_runtime::Note> for Note<'a> {
    fn from(note: &'a twinpath_runtime::Note) -> Self {
        Self {
            key: note.key,
            warning: note.warning,
            line: &note.line,
        }
    }
}

/// Saturating at 584 years.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixtures;

    fn document(report: SessionReport) -> String {
        let mut out = Vec::new();
        Json::new(&mut out, fixtures::meta())
            .report([report].as_slice().into())
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_and_their_order_are_a_contract() {
        insta::assert_snapshot!("json_quiet_path", document(fixtures::quiet_path()));
        insta::assert_snapshot!("json_loss", document(fixtures::loss()));
        insta::assert_snapshot!(
            "json_nothing_came_back",
            document(fixtures::nothing_came_back())
        );
    }

    #[test]
    fn a_ratio_of_nothing_is_null() {
        let mut report = fixtures::nothing_came_back();
        (report.tally.sent, report.tally.lost) = (0, 0);
        let document: serde_json::Value = serde_json::from_str(&document(report)).unwrap();
        assert!(document["sessions"][0]["packets"]["loss_ratio"].is_null());
    }
}
