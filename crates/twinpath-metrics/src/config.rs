//! What is known about a session before its first packet.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use twinpath_wire::Tos;

use crate::{AvailabilityRule, BinEdges, LossPeriods, ReflectorKind, ReplyStatus};

/// Options of [`SessionMetrics`](crate::SessionMetrics).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsConfig {
    /// Whether the reflector keeps its own counter (row M-30).
    pub reflector: ReflectorKind,
    /// ToS octet with which packets are sent: those that reach the reflector with another were
    /// remarked (row M-71).
    pub tos_forward: Option<Tos>,
    /// ToS octet with which the reflector should send replies.
    pub tos_backward: Option<Tos>,
    /// Blocks of the availability (row M-63).
    #[serde(flatten)]
    pub availability: AvailabilityRule,
    /// Losses at most this many packets apart are noticeable (RFC 3357 section 6.1).
    pub noticeable_distance: u64,
    /// A session has failed after so many losses in a row, until a reply comes (row SL-87); at least 1.
    #[serde(default = "usual_failed_after")]
    pub failed_after: u64,
    /// User-defined bins in which delays are counted exactly, round trip and one-way; `None`: no
    /// bins.
    #[serde(rename = "bins_ns", default, deserialize_with = "usable_bins")]
    pub bins: Option<BinEdges>,
    /// The most octets of the distributions of delays of the whole run, in which percentiles are then less exact:
    /// 16 KiB are enough for an error of 1 %. Those of intervals are as exact as ever. `None`: 81 KiB.
    #[serde(skip)]
    pub distribution_octets: Option<usize>,
    /// Payload sizes of the packets in turn, beginning with number 0, in octets; empty if all are
    /// equal.
    #[serde(default)]
    pub sizes_in_turn: Vec<u32>,
}

fn usual_failed_after() -> u64 {
    ReplyStatus::FAILED_AFTER
}

/// Unusable edges count as none.
fn usable_bins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BinEdges>, D::Error> {
    let edges_ns = Option::<Vec<i64>>::deserialize(deserializer)?;
    Ok(edges_ns.and_then(|edges_ns| BinEdges::new(&edges_ns).ok()))
}

impl From<ReflectorKind> for MetricsConfig {
    fn from(reflector: ReflectorKind) -> Self {
        Self {
            reflector,
            ..Self::default()
        }
    }
}

impl Default for MetricsConfig {
    /// Nothing is known; packets are at most a second apart; losses within 99 packets are
    /// noticeable.
    fn default() -> Self {
        Self {
            reflector: ReflectorKind::Undeclared,
            tos_forward: None,
            tos_backward: None,
            availability: AvailabilityRule::for_interval(Duration::ZERO),
            noticeable_distance: LossPeriods::DELTA,
            failed_after: ReplyStatus::FAILED_AFTER,
            bins: None,
            distribution_octets: None,
            sizes_in_turn: Vec::new(),
        }
    }
}
