//! What is known about a session before its first packet.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use twinpath_wire::Tos;

use crate::delay::delays::HISTOGRAM_OCTETS;
use crate::order::window::ReorderingWindow;
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
    /// Memory of the figures of the whole run.
    #[serde(skip)]
    pub memory: FigureMemory,
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
            memory: FigureMemory::default(),
            sizes_in_turn: Vec::new(),
        }
    }
}

/// How much memory the figures of a whole run may take; intervals are always counted with the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FigureMemory {
    /// The most octets of the distributions of delays.
    pub(crate) distribution_octets: usize,
    /// The most octets of the distributions of delays without the clocks' difference.
    pub(crate) clock_octets: usize,
    /// Packets that a reordered one is compared with.
    pub(crate) window: ReorderingWindow,
}

impl FigureMemory {
    /// Enough for a session beside a thousand others: percentiles of the whole run may be off by 1 %. No more
    /// than so many packets are on their way at a time, usually: then reordering is counted as with the
    /// default.
    pub fn small(in_flight: u64) -> Self {
        Self {
            distribution_octets: 16 << 10,
            clock_octets: 16 << 10,
            window: ReorderingWindow::for_in_flight(in_flight),
        }
    }
}

impl Default for FigureMemory {
    fn default() -> Self {
        Self {
            distribution_octets: HISTOGRAM_OCTETS,
            clock_octets: 42 << 10,
            window: ReorderingWindow::default(),
        }
    }
}
