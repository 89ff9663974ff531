//! Identity and parameters of a session.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_metrics::{AvailabilityRule, MetricsConfig};
use twinpath_proto::sender::{Schedule, Wire};
use twinpath_wire::control::Sid;
use twinpath_wire::{Tos, nanoseconds};

/// Identity and parameters of a session: known before its first packet, except for the addresses
/// and Session Identifier of a session not yet negotiated. The keys are those of raw files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Its position in its run, from 1; refused sessions count too.
    pub number: usize,
    /// What its packets look like.
    #[serde(flatten)]
    pub wire: Wire,
    /// Session Identifier; only with TWAMP-Control.
    #[serde(with = "sid")]
    pub sid: Option<Sid>,
    /// The sender's address and port as the far end sees them without NAT.
    pub sender: SocketAddr,
    /// The reflector's address and port.
    pub reflector: SocketAddr,
    /// The requested schedule.
    pub schedule: Schedule,
    /// Seed of a random schedule and of the first departure.
    pub seed: u64,
    /// A reply after it counts as lost (Tmax).
    #[serde(rename = "timeout_ns", with = "nanoseconds")]
    pub timeout: Duration,
    /// The first departure was delayed by a random time up to this (dT of RFC 3432).
    #[serde(rename = "start_within_ns", with = "nanoseconds")]
    pub start_within: Duration,
    /// ToS octet of the packets.
    pub tos: Tos,
    /// TTL of the packets.
    pub ttl: u8,
    /// `--padding` as given; -1 is IMIX.
    pub padding: i64,
    /// What is measured, as it was asked for; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Which of several paths to its target it takes, from 1; `None` with a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<u16>,
    /// Which member link of a LAG it measures (RFC 9534); `None` if it is not meant for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_session: Option<MicroSession>,
}

impl Identity {
    /// One of which only the target, class and path are known: the ends have no address.
    pub fn unknown(number: usize, target: Target, tos: Tos, path: Option<u16>) -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            number,
            wire: Wire::TWAMP_LIGHT,
            sid: None,
            sender: nowhere,
            reflector: nowhere,
            schedule: Schedule::Periodic {
                interval: Duration::from_nanos(1),
            },
            seed: 0,
            timeout: Duration::ZERO,
            start_within: Duration::ZERO,
            tos,
            ttl: 0,
            padding: 0,
            target: Some(target),
            path,
            micro_session: None,
        }
    }

    /// Whether the addresses of its ends are known.
    pub fn has_ends(&self) -> bool {
        !(self.reflector.ip().is_unspecified() && self.reflector.port() == 0)
    }
}

/// A session on a member link of a LAG.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MicroSession {
    /// Its Sender Micro-session ID.
    pub id: u16,
    /// The far end's, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far_id: Option<u16>,
    /// The interface that its packets take and replies must come by; `None`: the ID is all that is
    /// checked.
    pub interface: Option<String>,
}

impl MicroSession {
    /// What it is called among others.
    pub fn name(&self) -> String {
        match &self.interface {
            Some(interface) => interface.clone(),
            None => format!("ID {}", self.id),
        }
    }

    /// Its IDs as a user gives them: `1`, `1:11`.
    pub fn ids(&self) -> String {
        match self.far_id {
            Some(far) => format!("{}:{far}", self.id),
            None => self.id.to_string(),
        }
    }
}

/// What a session measures, as it was asked for; its address is the reflector's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As given.
    pub name: String,
    /// The user's remarks about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its name had another address before, which was measured in another session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_moved: bool,
    /// It was given where there can be others (`--to`, `--targets`), so that outputs name it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_listed: bool,
}

/// A target of which something could not be measured, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTarget {
    /// Its name as given.
    pub target: String,
    /// One line; with the number of its sessions that it holds for, if others were measured.
    pub error: String,
    /// That number; `None`: nothing of it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// In a report of several files: the one that it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A session before its first packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSetup {
    /// Its identity.
    #[serde(flatten)]
    pub identity: Identity,
    /// Requested number of packets; `None` if a duration was requested.
    pub asked: Option<u64>,
    /// Requested duration of sending, in nanoseconds; `None` if a count was requested.
    pub duration_ns: Option<u64>,
    /// Parameters of its figures.
    pub metrics: MetricsConfig,
}

impl SessionSetup {
    /// Of a session with a sender of another program: with the parameters of `identity`.
    pub fn of_others(identity: Identity) -> Self {
        let metrics = MetricsConfig {
            tos_forward: Some(identity.tos),
            availability: AvailabilityRule::for_interval(identity.schedule.mean_interval()),
            ..MetricsConfig::default()
        };
        Self {
            identity,
            asked: None,
            duration_ns: None,
            metrics,
        }
    }
}

/// A Session Identifier as stored in raw files: 32 hexadecimal digits.
mod sid {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use twinpath_wire::control::Sid;

    #[expect(clippy::ref_option, reason = "as serde calls it")]
    pub(super) fn serialize<S: Serializer>(sid: &Option<Sid>, to: S) -> Result<S::Ok, S::Error> {
        match sid {
            Some(sid) => to.serialize_some(&sid.to_string()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Sid>, D::Error> {
        let hex = Option::<String>::deserialize(from)?;
        let number = hex.and_then(|hex| u128::from_str_radix(&hex, 16).ok());
        Ok(number.map(|number| Sid(number.to_be_bytes())))
    }
}
