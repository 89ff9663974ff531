//! What a raw file says of its run beside the rows: JSON in the footer, when it begins and when it
//! is over.

mod convert;
mod reports;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_metrics::{AvailabilityRule, MetricsConfig};
use twinpath_proto::sender::{Protocol, Schedule, SenderTally};
use twinpath_report::{Attempt, ControlReport};
use twinpath_report::{ClockState, IcmpCount, Note, SessionReport};
use twinpath_runtime::sender::SeriesFacts;
use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{Tos, Wall, nanoseconds};

use self::convert::plain;
use crate::args::Label;
use crate::output::Meta;

/// What is known when a run begins: `twinpath.run`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunFacts {
    /// Of twinpath.
    pub(crate) version: String,
    pub(crate) host: Option<String>,
    pub(crate) labels: Vec<Label>,
    /// Unix time.
    #[serde(rename = "started_ns")]
    pub(crate) started: Wall,
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

/// Which session it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// From 1, as in the column `session`.
    pub(crate) number: u32,
    pub(crate) protocol: Protocol,
    mode: SecurityMode,
    sid: Option<String>,
    pub(crate) sender: SocketAddr,
    pub(crate) reflector: SocketAddr,
    schedule: Schedule,
    seed: u64,
    #[serde(rename = "timeout_ns", with = "nanoseconds")]
    timeout: Duration,
    #[serde(rename = "start_within_ns", with = "nanoseconds")]
    start_within: Duration,
    pub(crate) tos: Tos,
    ttl: u8,
    padding: i64,
}

/// A session before its first packet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionFacts {
    #[serde(flatten)]
    pub(crate) identity: Identity,
    /// Packets asked for; `null` where a duration was.
    pub(crate) asked: Option<u64>,
    duration_ns: Option<u64>,
    metrics: MetricsConfig,
}

/// A session when it is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionEnd {
    #[serde(flatten)]
    pub(crate) identity: Identity,
    #[serde(rename = "started_ns")]
    started: Wall,
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    duration: Duration,
    achieved_pps: Option<f64>,
    tally: SenderTally,
    clock: ClockState,
    far_clock: Option<ClockState>,
    receive_drops: u64,
    #[serde(default)]
    rebinds: u64,
    records_dropped: u64,
    icmp: Vec<IcmpCount>,
    #[serde(default)]
    icmp_foreign: u64,
    /// As JSON, so that those of a later version can be read over: their words are in `notes`, in the same order.
    #[serde(default)]
    findings: Vec<serde_json::Value>,
    notes: Vec<Note>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ControlFacts {
    server: SocketAddr,
    client: SocketAddr,
    #[serde(default)]
    attempts: Vec<Attempt>,
    modes_offered: Modes,
    modes: Modes,
    #[serde(default)]
    refused: Vec<RefusedFacts>,
    #[serde(default)]
    findings: Vec<serde_json::Value>,
    notes: Vec<Note>,
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
    pub(crate) series: &'a SeriesFacts,
}

impl RunFacts {
    pub(crate) fn new(meta: &Meta, started: Wall, sessions: Vec<SessionFacts>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: meta.host.clone(),
            labels: meta.labels.clone(),
            started,
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
            Limit::Duration(duration) => (None, Some(nanoseconds::of(duration))),
        };
        Self {
            identity: Identity {
                number: u32::try_from(planned.number).unwrap_or(u32::MAX),
                protocol: planned.protocol,
                mode: planned.mode,
                sid: None,
                sender: planned.sender,
                reflector: planned.reflector,
                schedule: plan.schedule,
                seed: plan.seed,
                timeout: plan.timeout,
                start_within: Duration::ZERO,
                tos: planned.tos,
                ttl: plan.path.ttl,
                padding: plan.padding,
            },
            asked,
            duration_ns: duration,
            metrics: planned.series.metrics.clone(),
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
                protocol,
                mode: SecurityMode::Unauthenticated,
                sid: None,
                sender,
                reflector,
                schedule: Schedule::every(interval),
                seed: 0,
                timeout,
                start_within: Duration::ZERO,
                tos: marking.0,
                ttl: marking.1,
                padding: sizes_from,
            },
            asked: None,
            duration_ns: None,
            metrics,
        }
    }

    /// What series of the session are opened with.
    pub(crate) fn series(&self) -> SeriesFacts {
        SeriesFacts {
            metrics: self.metrics.clone(),
            timeout: self.identity.timeout,
            schedule: self.identity.schedule,
        }
    }
}

impl SessionEnd {
    fn new(report: &SessionReport) -> Self {
        Self {
            identity: Identity {
                number: u32::try_from(report.number).unwrap_or(u32::MAX),
                protocol: report.protocol,
                mode: report.mode,
                sid: report.sid.map(|sid| sid.to_string()),
                sender: report.sender,
                reflector: report.reflector,
                schedule: report.schedule,
                seed: report.seed,
                timeout: report.timeout,
                start_within: report.start_within,
                tos: report.tos,
                ttl: report.ttl,
                padding: report.padding,
            },
            started: report.started,
            duration: report.duration,
            achieved_pps: report.achieved_pps,
            tally: report.tally,
            clock: report.stamps.clock,
            far_clock: report.stamps.far_clock,
            receive_drops: report.receive_drops,
            rebinds: report.rebinds,
            records_dropped: report.records_dropped,
            icmp_foreign: report.icmp_foreign,
            icmp: report.icmp.clone(),
            findings: convert::values(&report.findings),
            notes: report.notes.clone(),
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
                attempts: control.attempts.clone(),
                modes_offered: control.offered,
                modes: control.modes,
                refused: control.refused.iter().map(RefusedFacts::from).collect(),
                findings: convert::values(&control.findings),
                notes: control.notes.clone(),
            }),
            rows_missing,
        }
    }
}
