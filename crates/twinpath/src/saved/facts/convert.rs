//! Plain data of the run and what stands for it in a file, one to the other.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twinpath_metrics::{AvailabilityRule, BinEdges, MetricsConfig, ReflectorKind};
use twinpath_proto::TestFeatures;
use twinpath_proto::control::{Refusal, Step};
use twinpath_proto::sender::{Protocol, Schedule};
use twinpath_runtime::controller::RefusedSession;
use twinpath_runtime::{ClockState, IcmpCount, Note};
use twinpath_wire::Tos;
use twinpath_wire::control::{Modes, SecurityMode, Sid};

use super::{
    ClockFacts, IcmpFacts, MetricsFacts, NoteFacts, ProtocolFacts, RefusedFacts, ScheduleFacts,
};

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
    pub(super) fn session(&self) -> Option<RefusedSession> {
        let step = STEPS.into_iter().find(|step| step.name() == self.step)?;
        Some(RefusedSession {
            number: usize::try_from(self.number).ok()?,
            dscp: Tos(self.tos).dscp(),
            refusal: Refusal {
                step,
                octet: self.accept,
            },
            advice: plain(&self.advice),
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
            sizes_in_turn: config.sizes_in_turn.clone(),
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
            sizes_in_turn: facts.sizes_in_turn.clone(),
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
            line: plain(&note.line),
            warning: note.warning,
        }
    }
}

impl From<&IcmpFacts> for IcmpCount {
    fn from(icmp: &IcmpFacts) -> Self {
        Self {
            what: plain(&icmp.what),
            from: icmp.from,
            count: icmp.count,
        }
    }
}

/// Characters of a remark at most.
const LONGEST: usize = 4_096;

/// What a file says, as a terminal may have it: one line of plain characters, and one that ends.
pub(super) fn plain(text: &str) -> String {
    // Some that are no control characters turn the direction of what follows.
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c| matches!(c, '\u{2028}' | '\u{2029}');
    text.chars()
        .take(LONGEST)
        .map(|c| {
            if c.is_control() || turns(c) || breaks(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// Keys of notes are words of the program; those of a file are kept as such, for as long as it runs,
/// but no more than a file of ours can have.
fn known(key: &str) -> &'static str {
    const MOST: usize = 256;
    const LONGEST_KEY: usize = 64;
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known.get(key) {
        return key;
    }
    if key.len() > LONGEST_KEY || known.len() >= MOST {
        return "unknown";
    }
    let key: &'static str = String::leak(plain(key));
    known.insert(key);
    key
}

pub(super) fn security(name: &str) -> SecurityMode {
    [
        SecurityMode::Authenticated,
        SecurityMode::Encrypted,
        SecurityMode::Mixed,
    ]
    .into_iter()
    .find(|mode| mode.name() == name)
    .unwrap_or(SecurityMode::Unauthenticated)
}

pub(super) fn sid(hex: &str) -> Option<Sid> {
    let number = u128::from_str_radix(hex, 16).ok()?;
    Some(Sid(number.to_be_bytes()))
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
