//! Which session it is, and what it was told to do.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_metrics::{AvailabilityRule, MetricsConfig};
use twinpath_proto::sender::{Protocol, Schedule};
use twinpath_wire::control::{SecurityMode, Sid};
use twinpath_wire::{Tos, nanoseconds};

/// Which session it is, and what it was told to do: known before its first packet, but for the
/// addresses and the Session Identifier of a session that is still to be negotiated. The keys are those
/// of raw files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Its place in its run, from 1; those that came to nothing have theirs too.
    pub number: usize,
    /// TWAMP, TWAMP Light or STAMP.
    pub protocol: Protocol,
    /// How the session is secured.
    pub mode: SecurityMode,
    /// Session Identifier; TWAMP-Control alone gives one.
    #[serde(with = "sid")]
    pub sid: Option<Sid>,
    /// The sender's address and port as the far end sees them without NAT.
    pub sender: SocketAddr,
    /// The reflector's address and port.
    pub reflector: SocketAddr,
    /// When packets were to leave.
    pub schedule: Schedule,
    /// What a random schedule and the first departure came out of.
    pub seed: u64,
    /// A reply after it counts as lost (Tmax).
    #[serde(rename = "timeout_ns", with = "nanoseconds")]
    pub timeout: Duration,
    /// The first departure was put off by a random time up to this (dT of RFC 3432).
    #[serde(rename = "start_within_ns", with = "nanoseconds")]
    pub start_within: Duration,
    /// ToS octet of the packets.
    pub tos: Tos,
    /// TTL of the packets.
    pub ttl: u8,
    /// `--padding` as given; -1 is IMIX.
    pub padding: i64,
}

/// A session before its first packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSetup {
    /// Which session it is.
    #[serde(flatten)]
    pub identity: Identity,
    /// Packets asked for; `None` where a duration was.
    pub asked: Option<u64>,
    /// For how long packets were to be sent, in nanoseconds; `None` where a count was.
    pub duration_ns: Option<u64>,
    /// What its figures are made by.
    pub metrics: MetricsConfig,
}

impl SessionSetup {
    /// Of a session whose sender is not this program's: with the parameters of `identity`.
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

/// A Session Identifier as raw files have it: 32 hexadecimal digits.
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
