//! What a raw file says of its run beside the rows: JSON in the footer, when it begins and when it
//! is over.

mod convert;
mod reports;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_metrics::{AvailabilityRule, MetricsConfig};
use twinpath_proto::sender::{Protocol, Schedule};
use twinpath_runtime::SessionReport;
use twinpath_runtime::controller::ControlReport;
use twinpath_runtime::sender::BooksFacts;
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{Tos, Wall};

use self::convert::{nanoseconds, plain};
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
    /// Octets of payload by number, where they differ.
    #[serde(default)]
    sizes_in_turn: Vec<u32>,
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
    #[serde(default)]
    rebinds: u64,
    records_dropped: u64,
    icmp: Vec<IcmpFacts>,
    #[serde(default)]
    icmp_foreign: u64,
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
    #[serde(default)]
    attempts: Vec<AttemptFacts>,
    modes_offered: u32,
    modes: u32,
    #[serde(default)]
    refused: Vec<RefusedFacts>,
    notes: Vec<NoteFacts>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct AttemptFacts {
    address: SocketAddr,
    error: String,
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
            key: plain(&label.key),
            value: plain(&label.value),
        });
        Meta {
            host: self.host.as_deref().map(plain),
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
                ttl: plan.path.ttl,
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
            rebinds: report.rebinds,
            records_dropped: report.records_dropped,
            icmp_foreign: report.icmp_foreign,
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
                attempts: control.attempts.iter().map(AttemptFacts::from).collect(),
                modes_offered: control.offered.bits(),
                modes: control.modes.bits(),
                refused: control.refused.iter().map(RefusedFacts::from).collect(),
                notes: control.notes.iter().map(NoteFacts::from).collect(),
            }),
            rows_missing,
        }
    }
}
