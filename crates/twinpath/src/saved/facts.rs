//! What a raw file says of its run beside the rows: JSON in the footer, when it begins and when it
//! is over.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_metrics::{
    AvailabilityRule, BinEdges, Figures, MetricsConfig, ReflectorKind, SessionMetrics,
};
use twinpath_proto::TestFeatures;
use twinpath_proto::control::{Refusal, Step};
use twinpath_proto::sender::{Protocol, Schedule, SenderTally};
use twinpath_runtime::controller::{ControlReport, RefusedSession};
use twinpath_runtime::sender::BooksFacts;
use twinpath_runtime::{ClockState, IcmpCount, Note, SessionReport, StampReport};
use twinpath_wire::control::{Modes, SecurityMode, Sid};
use twinpath_wire::{Tos, Wall};

use super::mirror::Tally;
use crate::args::Label;
use crate::output::Meta;

/// What is known when a run begins: `twinpath.run`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunFacts {
    /// Of twinpath.
    pub(crate) version: String,
    pub(crate) host: Option<String>,
    pub(crate) labels: Vec<LabelFacts>,
    /// Unix time.
    pub(crate) started_ns: i64,
    pub(crate) sessions: Vec<SessionFacts>,
}

/// What is known when a run is over: `twinpath.end`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EndFacts {
    pub(crate) sessions: Vec<SessionEnd>,
    pub(crate) control: Option<ControlFacts>,
    /// Rows that are not in the file: the disk was too slow.
    pub(crate) rows_missing: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LabelFacts {
    key: String,
    value: String,
}

/// Which session it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// From 1, as in the column `session`.
    pub(crate) number: u32,
    pub(crate) protocol: ProtocolFacts,
    mode: String,
    sid: Option<String>,
    pub(crate) sender: SocketAddr,
    pub(crate) reflector: SocketAddr,
    schedule: ScheduleFacts,
    seed: u64,
    timeout_ns: u64,
    start_within_ns: u64,
    pub(crate) tos: u8,
    ttl: u8,
    padding: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum ProtocolFacts {
    TwampLight,
    Twamp {
        modes: u32,
        padding_to_reflect: u16,
        server_octets: u16,
    },
    Stamp {
        ssid: u16,
    },
}

/// When packets leave.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
enum ScheduleFacts {
    Periodic { interval_ns: u64 },
    Poisson { mean_ns: u64 },
    Uniform { least_ns: u64, most_ns: u64 },
    Bursts { packets: u32, gap_ns: u64 },
}

/// A session before its first packet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionFacts {
    #[serde(flatten)]
    pub(crate) identity: Identity,
    /// Packets asked for; `null` where a duration was.
    pub(crate) asked: Option<u64>,
    duration_ns: Option<u64>,
    metrics: MetricsFacts,
}

/// What is known of the packets in advance: the figures depend on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct MetricsFacts {
    reflector: String,
    tos_forward: Option<u8>,
    tos_backward: Option<u8>,
    block_ns: u64,
    bad_above: f64,
    in_a_row: u32,
    noticeable_distance: u64,
    bins_ns: Option<Vec<i64>>,
}

/// A session when it is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionEnd {
    #[serde(flatten)]
    pub(crate) identity: Identity,
    started_ns: i64,
    duration_ns: u64,
    achieved_pps: Option<f64>,
    tally: Tally,
    clock: ClockFacts,
    far_clock: Option<ClockFacts>,
    receive_drops: u64,
    records_dropped: u64,
    icmp: Vec<IcmpFacts>,
    notes: Vec<NoteFacts>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct ClockFacts {
    synchronized: bool,
    error_ns: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct IcmpFacts {
    what: String,
    from: Option<IpAddr>,
    count: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct NoteFacts {
    key: String,
    line: String,
    warning: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ControlFacts {
    server: SocketAddr,
    client: SocketAddr,
    modes_offered: u32,
    modes: u32,
    #[serde(default)]
    refused: Vec<RefusedFacts>,
    notes: Vec<NoteFacts>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RefusedFacts {
    number: u32,
    tos: u8,
    step: String,
    accept: u8,
    advice: String,
}

/// What of a session the plan and the socket say.
pub(crate) struct Planned<'a> {
    pub(crate) number: usize,
    pub(crate) protocol: Protocol,
    pub(crate) mode: SecurityMode,
    pub(crate) sender: SocketAddr,
    pub(crate) reflector: SocketAddr,
    pub(crate) tos: Tos,
    pub(crate) plan: &'a twinpath_runtime::SenderPlan,
    pub(crate) books: &'a BooksFacts,
}

impl RunFacts {
    pub(crate) fn new(meta: &Meta, started: Wall, sessions: Vec<SessionFacts>) -> Self {
        let labels = meta.labels.iter().map(|label| LabelFacts {
            key: label.key.clone(),
            value: label.value.clone(),
        });
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: meta.host.clone(),
            labels: labels.collect(),
            started_ns: started.unix_ns(),
            sessions,
        }
    }

    pub(crate) fn meta(&self) -> Meta {
        let labels = self.labels.iter().map(|label| Label {
            key: label.key.clone(),
            value: label.value.clone(),
        });
        Meta {
            host: self.host.clone(),
            labels: labels.collect(),
            ..Meta::default()
        }
    }
}

impl SessionFacts {
    pub(crate) fn new(planned: &Planned<'_>) -> Self {
        use twinpath_proto::sender::Limit;
        let plan = planned.plan;
        let (asked, duration) = match plan.limit {
            Limit::Count(count) => (Some(count), None),
            Limit::Duration(duration) => (None, Some(nanoseconds(duration))),
        };
        Self {
            identity: Identity {
                number: u32::try_from(planned.number).unwrap_or(u32::MAX),
                protocol: planned.protocol.into(),
                mode: planned.mode.name().to_owned(),
                sid: None,
                sender: planned.sender,
                reflector: planned.reflector,
                schedule: plan.schedule.into(),
                seed: plan.seed,
                timeout_ns: nanoseconds(plan.timeout),
                start_within_ns: 0,
                tos: planned.tos.0,
                ttl: plan.ttl,
                padding: plan.padding,
            },
            asked,
            duration_ns: duration,
            metrics: MetricsFacts::from(&planned.books.metrics),
        }
    }

    /// Of packets that others sent: what a capture tells.
    pub(crate) fn captured(
        number: usize,
        protocol: Protocol,
        ends: [SocketAddr; 2],
        marking: (Tos, u8),
        sizes_from: i64,
        times: [Duration; 2],
    ) -> Self {
        let [sender, reflector] = ends;
        let [interval, timeout] = times;
        let metrics = MetricsConfig {
            tos_forward: Some(marking.0),
            availability: AvailabilityRule::for_interval(interval),
            ..MetricsConfig::default()
        };
        Self {
            identity: Identity {
                number: u32::try_from(number).unwrap_or(u32::MAX),
                protocol: protocol.into(),
                mode: SecurityMode::Unauthenticated.name().to_owned(),
                sid: None,
                sender,
                reflector,
                schedule: Schedule::every(interval).into(),
                seed: 0,
                timeout_ns: nanoseconds(timeout),
                start_within_ns: 0,
                tos: marking.0.0,
                ttl: marking.1,
                padding: sizes_from,
            },
            asked: None,
            duration_ns: None,
            metrics: MetricsFacts::from(&metrics),
        }
    }

    /// What books of the session are opened with.
    pub(crate) fn books(&self) -> BooksFacts {
        BooksFacts {
            metrics: MetricsConfig::from(&self.metrics),
            timeout: Duration::from_nanos(self.identity.timeout_ns),
            schedule: self.identity.schedule.into(),
        }
    }
}

impl SessionEnd {
    fn new(report: &SessionReport) -> Self {
        Self {
            identity: Identity {
                number: u32::try_from(report.number).unwrap_or(u32::MAX),
                protocol: report.protocol.into(),
                mode: report.mode.name().to_owned(),
                sid: report.sid.map(|sid| sid.to_string()),
                sender: report.sender,
                reflector: report.reflector,
                schedule: report.schedule.into(),
                seed: report.seed,
                timeout_ns: nanoseconds(report.timeout),
                start_within_ns: nanoseconds(report.start_within),
                tos: report.tos.0,
                ttl: report.ttl,
                padding: report.padding,
            },
            started_ns: report.started.unix_ns(),
            duration_ns: nanoseconds(report.duration),
            achieved_pps: report.achieved_pps,
            tally: Tally::from(&report.tally),
            clock: report.stamps.clock.into(),
            far_clock: report.stamps.far_clock.map(ClockFacts::from),
            receive_drops: report.receive_drops,
            records_dropped: report.records_dropped,
            icmp: report
                .icmp
                .iter()
                .map(|icmp| IcmpFacts {
                    what: icmp.what.clone(),
                    from: icmp.from,
                    count: icmp.count,
                })
                .collect(),
            notes: report.notes.iter().map(NoteFacts::from).collect(),
        }
    }

    /// The report that the run ended with, its figures from the rows.
    pub(crate) fn report(&self, metrics: &SessionMetrics, config: MetricsConfig) -> SessionReport {
        let figures = metrics.figures();
        let tally = SenderTally::from(&self.tally);
        SessionReport {
            started: Wall::from_unix_ns(self.started_ns),
            duration: Duration::from_nanos(self.duration_ns),
            achieved_pps: self.achieved_pps,
            stamps: StampReport {
                clock: self.clock.into(),
                far_clock: self.far_clock.map(ClockState::from),
                ..stamps(&figures)
            },
            receive_drops: self.receive_drops,
            records_dropped: self.records_dropped,
            icmp: self
                .icmp
                .iter()
                .map(|icmp| IcmpCount {
                    what: icmp.what.clone(),
                    from: icmp.from,
                    count: icmp.count,
                })
                .collect(),
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
            records_dropped: 0,
            notes: Vec::new(),
        }
    }
}

impl EndFacts {
    pub(crate) fn new(
        sessions: &[SessionReport],
        control: Option<&ControlReport>,
        rows_missing: u64,
    ) -> Self {
        Self {
            sessions: sessions.iter().map(SessionEnd::new).collect(),
            control: control.map(|control| ControlFacts {
                server: control.server,
                client: control.near,
                modes_offered: control.offered.bits(),
                modes: control.modes.bits(),
                refused: control.refused.iter().map(RefusedFacts::from).collect(),
                notes: control.notes.iter().map(NoteFacts::from).collect(),
            }),
            rows_missing,
        }
    }
}

impl ControlFacts {
    /// The report of a control connection with these sessions.
    pub(crate) fn report(&self, sessions: Vec<SessionReport>) -> ControlReport {
        ControlReport {
            server: self.server,
            near: self.client,
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

impl From<&RefusedSession> for RefusedFacts {
    fn from(session: &RefusedSession) -> Self {
        Self {
            number: u32::try_from(session.number).unwrap_or(u32::MAX),
            tos: session.dscp.tos().0,
            step: session.refusal.step.name().to_owned(),
            accept: session.refusal.octet,
            advice: session.advice.clone(),
        }
    }
}

const STEPS: [Step; 4] = [Step::SetUp, Step::Request, Step::Start, Step::Stop];

impl RefusedFacts {
    /// `None`: a step that this version does not know.
    fn session(&self) -> Option<RefusedSession> {
        let step = STEPS.into_iter().find(|step| step.name() == self.step)?;
        Some(RefusedSession {
            number: usize::try_from(self.number).ok()?,
            dscp: Tos(self.tos).dscp(),
            refusal: Refusal {
                step,
                octet: self.accept,
            },
            advice: self.advice.clone(),
        })
    }
}

impl From<Protocol> for ProtocolFacts {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::TwampLight => Self::TwampLight,
            Protocol::Twamp(features) => Self::Twamp {
                modes: features.modes.bits(),
                padding_to_reflect: features.padding_to_reflect,
                server_octets: features.server_octets,
            },
            Protocol::Stamp { ssid } => Self::Stamp { ssid },
        }
    }
}

impl From<&ProtocolFacts> for Protocol {
    fn from(facts: &ProtocolFacts) -> Self {
        match *facts {
            ProtocolFacts::TwampLight => Self::TwampLight,
            ProtocolFacts::Twamp {
                modes,
                padding_to_reflect,
                server_octets,
            } => Self::Twamp(TestFeatures {
                modes: Modes::from_bits(modes),
                padding_to_reflect,
                server_octets,
            }),
            ProtocolFacts::Stamp { ssid } => Self::Stamp { ssid },
        }
    }
}

impl From<Schedule> for ScheduleFacts {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Periodic { interval } => Self::Periodic {
                interval_ns: nanoseconds(interval),
            },
            Schedule::Poisson { mean } => Self::Poisson {
                mean_ns: nanoseconds(mean),
            },
            Schedule::Uniform { least, most } => Self::Uniform {
                least_ns: nanoseconds(least),
                most_ns: nanoseconds(most),
            },
            Schedule::Bursts { packets, gap } => Self::Bursts {
                packets,
                gap_ns: nanoseconds(gap),
            },
        }
    }
}

impl From<ScheduleFacts> for Schedule {
    fn from(facts: ScheduleFacts) -> Self {
        match facts {
            ScheduleFacts::Periodic { interval_ns } => {
                Self::every(Duration::from_nanos(interval_ns))
            }
            ScheduleFacts::Poisson { mean_ns } => Self::Poisson {
                mean: Duration::from_nanos(mean_ns),
            },
            ScheduleFacts::Uniform { least_ns, most_ns } => Self::Uniform {
                least: Duration::from_nanos(least_ns),
                most: Duration::from_nanos(most_ns),
            },
            ScheduleFacts::Bursts { packets, gap_ns } => Self::Bursts {
                packets,
                gap: Duration::from_nanos(gap_ns),
            },
        }
    }
}

impl From<&MetricsConfig> for MetricsFacts {
    fn from(config: &MetricsConfig) -> Self {
        Self {
            reflector: match config.reflector {
                ReflectorKind::Undeclared => "undeclared",
                ReflectorKind::Stateful => "stateful",
                ReflectorKind::Stateless => "stateless",
            }
            .to_owned(),
            tos_forward: config.tos_forward.map(|tos| tos.0),
            tos_backward: config.tos_backward.map(|tos| tos.0),
            block_ns: config.availability.block_ns,
            bad_above: config.availability.bad_above,
            in_a_row: config.availability.in_a_row,
            noticeable_distance: config.noticeable_distance,
            bins_ns: config.bins.as_ref().map(|bins| bins.edges_ns().to_vec()),
        }
    }
}

impl From<&MetricsFacts> for MetricsConfig {
    fn from(facts: &MetricsFacts) -> Self {
        Self {
            reflector: match facts.reflector.as_str() {
                "stateful" => ReflectorKind::Stateful,
                "stateless" => ReflectorKind::Stateless,
                _ => ReflectorKind::Undeclared,
            },
            tos_forward: facts.tos_forward.map(Tos),
            tos_backward: facts.tos_backward.map(Tos),
            availability: AvailabilityRule {
                block_ns: facts.block_ns.max(1),
                bad_above: facts.bad_above,
                in_a_row: facts.in_a_row,
            },
            noticeable_distance: facts.noticeable_distance,
            bins: facts
                .bins_ns
                .as_ref()
                .and_then(|edges| BinEdges::new(edges).ok()),
        }
    }
}

impl From<ClockState> for ClockFacts {
    fn from(clock: ClockState) -> Self {
        Self {
            synchronized: clock.synchronized,
            error_ns: clock.error_ns,
        }
    }
}

impl From<ClockFacts> for ClockState {
    fn from(clock: ClockFacts) -> Self {
        Self {
            synchronized: clock.synchronized,
            error_ns: clock.error_ns,
        }
    }
}

impl From<&Note> for NoteFacts {
    fn from(note: &Note) -> Self {
        Self {
            key: note.key.to_owned(),
            line: note.line.clone(),
            warning: note.warning,
        }
    }
}

impl From<&NoteFacts> for Note {
    fn from(note: &NoteFacts) -> Self {
        Self {
            key: known(&note.key),
            line: note.line.clone(),
            warning: note.warning,
        }
    }
}

/// Keys of notes are words of the program; those of a file are kept as such, for as long as it runs,
/// but no more than a file of ours can have.
fn known(key: &str) -> &'static str {
    const MOST: usize = 256;
    const LONGEST: usize = 64;
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known.get(key) {
        return key;
    }
    if key.len() > LONGEST || known.len() >= MOST {
        return "unknown";
    }
    let key: &'static str = String::leak(key.to_owned());
    known.insert(key);
    key
}

fn security(name: &str) -> SecurityMode {
    [
        SecurityMode::Authenticated,
        SecurityMode::Encrypted,
        SecurityMode::Mixed,
    ]
    .into_iter()
    .find(|mode| mode.name() == name)
    .unwrap_or(SecurityMode::Unauthenticated)
}

fn sid(hex: &str) -> Option<Sid> {
    let number = u128::from_str_radix(hex, 16).ok()?;
    Some(Sid(number.to_be_bytes()))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
