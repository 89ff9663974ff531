//! What to run: arguments read, names resolved, sizes checked. A plan holds no socket yet.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_metrics::{BinEdges, FigureMemory, MetricsConfig, ReflectorKind};
use twinpath_net::PathOptions;
use twinpath_proto::TestGuard;
use twinpath_proto::extension::AskedTlv;
use twinpath_proto::reflector::ReflectorConfig;
use twinpath_proto::sender::{Fill, Limit, PayloadSize, Schedule, Wire};
use twinpath_proto::stamp::StampKey;
use twinpath_report::MicroSession;
use twinpath_wire::{TlvType, Tos, nanoseconds};

use crate::measure::Member;

/// Which source port a Session-Sender binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortChoice {
    /// This one or fail (0: any free one).
    Exact(u16),
    /// This one if it is free, else any free one.
    Prefer(u16),
    /// The first free one of this range, both ends included.
    Range(u16, u16),
}

/// All that a Session-Sender's run needs.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings that are independent of each other"
)]
pub struct SenderPlan {
    /// The Session-Reflector.
    pub far: SocketAddr,
    /// The local address to send from; `None`: the system's choice for `far`.
    pub near: Option<IpAddr>,
    /// The local port.
    pub port: PortChoice,
    /// The port of the session that this one goes on for, which it has too unless others took it.
    pub earlier_port: Option<u16>,
    /// What its packets look like.
    pub wire: Wire,
    /// What protects its packets: the key of authenticated STAMP.
    pub guard: TestGuard,
    /// What its packets ask for with STAMP's TLVs.
    pub tlvs: Vec<AskedTlv>,
    /// The member of a link that they take; `None`: the routes say.
    pub member: Option<Member>,
    /// The key of their HMAC TLV.
    pub tlv_key: Option<StampKey>,
    /// Stop when a reply does not carry the SSID of its request (row ST-19).
    pub stop_without_ssid: bool,
    /// When to end.
    pub limit: Limit,
    /// When packets leave.
    pub schedule: Schedule,
    /// A reply after it counts as lost (Tmax).
    pub timeout: Duration,
    /// Octets of UDP payload of each packet.
    pub payload: PayloadSize,
    /// `--padding` as given, for the report; -1 is IMIX.
    pub padding: i64,
    /// What padding is made of.
    pub fill: Fill,
    /// ToS or Traffic Class octet of the packets.
    pub tos: Tos,
    /// What is set below UDP.
    pub path: PathOptions,
    /// Wait before the first packet.
    pub start_delay: Duration,
    /// And this long after that; `None`: a random part of an interval, by the seed.
    pub phase: Option<Duration>,
    /// Spin before each departure.
    pub spin: bool,
    /// Leave exactly on time, by a thread of the session's own; else it may share one with others.
    pub exact: bool,
    /// How many missed departures are caught up in a row (row M-67).
    pub max_burst: u32,
    /// Hand every sample to the caller's ring (`-v`, jsonl, csv).
    pub records: bool,
    /// And a row of figures for each time of this length; `None`: none.
    pub rows: Option<Duration>,
    /// Columns of the timeline that is kept; `None`: none is.
    pub columns: Option<usize>,
    /// Seed of padding, of the first departure's phase and of a random schedule.
    pub seed: u64,
    /// Figures that are to be had for the asking.
    pub figures: FigureOptions,
}

/// What is counted in a session, where it is not the usual.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FigureOptions {
    /// Bins in which delays are counted exactly (`--bins`); `None`: in none.
    pub bins: Option<BinEdges>,
    /// Losses at most this many packets apart are noticeable (`--loss-noticeable`; row M-36).
    pub noticeable_distance: Option<u64>,
    /// Losses in a row after which a session has failed (`--failed-after`; row SL-87).
    pub failed_after: Option<u64>,
    /// Whether the reflector counts its replies (`--reflector`; row M-30).
    pub reflector: Option<ReflectorKind>,
    /// When the path is unavailable (`--unavailable`; row M-63).
    pub unavailable: Option<Unavailable>,
    /// As for [`MetricsConfig::memory`].
    pub memory: FigureMemory,
}

/// When a path counts as unavailable (row M-63).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unavailable {
    /// A block is bad if more than this share of its packets is lost.
    pub bad_above: f64,
    /// This many bad blocks in a row make the path unavailable.
    pub in_a_row: u32,
    /// Length of a block; `None`: a second, or ten intervals.
    pub block: Option<Duration>,
}

impl FigureOptions {
    /// Puts what is asked for in the place of the usual.
    pub fn apply(&self, config: &mut MetricsConfig) {
        if self.bins.is_some() {
            config.bins.clone_from(&self.bins);
        }
        config.memory = self.memory;
        if let Some(distance) = self.noticeable_distance {
            config.noticeable_distance = distance;
        }
        if let Some(losses) = self.failed_after {
            config.failed_after = losses;
        }
        if let Some(reflector) = self.reflector {
            config.reflector = reflector;
        }
        if let Some(unavailable) = self.unavailable {
            let rule = &mut config.availability;
            rule.bad_above = unavailable.bad_above;
            rule.in_a_row = unavailable.in_a_row;
            if let Some(block) = unavailable.block {
                rule.block_ns = nanoseconds::of(block);
            }
        }
    }
}

impl SenderPlan {
    /// A hundred TWAMP Light packets to `far`, one every 100 ms.
    pub fn to(far: SocketAddr) -> Self {
        Self {
            far,
            near: None,
            port: PortChoice::Exact(0),
            earlier_port: None,
            wire: Wire::TWAMP_LIGHT,
            guard: TestGuard::default(),
            tlvs: Vec::new(),
            member: None,
            tlv_key: None,
            stop_without_ssid: false,
            limit: Limit::Count(100),
            schedule: Schedule::every(Duration::from_millis(100)),
            timeout: Duration::from_secs(2),
            payload: PayloadSize::Fixed(41),
            padding: 27,
            fill: Fill::Random,
            tos: Tos(0),
            path: PathOptions::default(),
            start_delay: Duration::ZERO,
            phase: None,
            spin: false,
            exact: false,
            max_burst: 10,
            records: true,
            rows: None,
            columns: None,
            seed: 0,
            figures: FigureOptions::default(),
        }
    }

    /// Packets that are on their way at a time, on average at most: each for no longer than the timeout.
    pub fn most_in_flight(&self) -> u64 {
        let interval = self.schedule.mean_interval().as_nanos().max(1);
        u64::try_from(self.timeout.as_nanos().div_ceil(interval)).unwrap_or(u64::MAX)
    }

    /// The micro-session that its TLVs make it.
    pub fn micro_session(&self) -> Option<MicroSession> {
        let mut tlvs = self.tlvs.iter();
        let ids = tlvs.find(|tlv| tlv.kind() == TlvType::MICRO_SESSION_ID)?;
        let ids = ids.value(self.tos).ok()?;
        let (id, far_id) = ids.split_first_chunk()?;
        let far_id = far_id.first_chunk().copied().map(u16::from_be_bytes);
        Some(MicroSession {
            id: u16::from_be_bytes(*id),
            far_id: far_id.filter(|id| *id != 0),
            interface: self.member.as_ref().map(|member| member.interface.clone()),
        })
    }

    /// This plan as one of several sessions has it, from 0: with its class, the next port, and
    /// another seed. Neighbouring seeds give unrelated departures.
    #[must_use]
    pub fn of_session(&self, index: usize, tos: Tos) -> Self {
        let step = u16::try_from(index).unwrap_or(u16::MAX);
        let port = match self.port {
            PortChoice::Exact(port @ 1..) => PortChoice::Exact(port.saturating_add(step)),
            PortChoice::Prefer(port @ 1..) => PortChoice::Prefer(port.saturating_add(step)),
            PortChoice::Exact(0) | PortChoice::Prefer(0) | PortChoice::Range(..) => self.port,
        };
        Self {
            port,
            tos,
            seed: self.seed.wrapping_add(u64::from(step)),
            ..self.clone()
        }
    }
}

/// All that a Session-Reflector's run needs.
#[derive(Clone, Debug)]
pub struct ResponderPlan {
    /// Addresses to listen on. Port 0 takes a free one. The unspecified IPv6 address means IPv6 only.
    pub near: Vec<SocketAddr>,
    /// Addresses that may be left out when the host cannot bind their family (default: all).
    pub tolerate_missing_family: bool,
    /// What is answered, and how; its sessions are those of all threads.
    pub reflector: ReflectorConfig,
    /// What is set below UDP.
    pub path: PathOptions,
    /// Threads, each with its own sockets (`SO_REUSEPORT`).
    pub threads: usize,
    /// Do not advance T3 by the measured transmit latency.
    pub raw_t3: bool,
    /// Interfaces that are member links of a LAG, with their Micro-session IDs (RFC 9534).
    pub members: Vec<(u16, String)>,
    /// Multicast groups to join, and by which interface; `None`: the one that the socket is bound to, or the
    /// kernel's choice. What is sent to them is answered as [`ReflectorConfig::groups`] says. The sockets are on all
    /// addresses.
    pub joins: Vec<(IpAddr, Option<String>)>,
}

impl ResponderPlan {
    /// A Session-Reflector with the usual answers to all else, on these addresses.
    pub fn on(near: Vec<SocketAddr>) -> Self {
        Self {
            near,
            tolerate_missing_family: false,
            reflector: ReflectorConfig::default(),
            path: PathOptions::default(),
            threads: 1,
            raw_t3: false,
            members: Vec::new(),
            joins: Vec::new(),
        }
    }
}
