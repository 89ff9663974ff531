//! One negotiated session: its state and its clock.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::control::Sid;
use twinpath_wire::{Dscp, Mono, ReflectorSecured, SenderOpen, SenderSecured, nanoseconds};

use super::super::listed::address;
use super::super::table::halves;
use super::super::{Ignored, ListedSession, SessionOrigin, SessionStage};
use super::replays::{Repeat, Replays};
use super::{SessionCounters, SessionSpec};
use crate::TestGuard;
use crate::features::TestFeatures;
use crate::test_guard::PacketFault;

/// A Start Time farther ahead than this is taken as this (row TC-48).
const FARTHEST_START: Duration = Duration::from_hours(24);

/// The key of a datagram's session: its source and the local port. IPv4 addresses are mapped; zones
/// of link-local addresses are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SenderKey {
    address: [u64; 2],
    ports: [u16; 2],
}

impl SenderKey {
    pub(super) fn new(sender: SocketAddr, local_port: u16) -> Self {
        Self {
            address: halves(sender.ip()),
            ports: [sender.port(), local_port],
        }
    }

    /// Of a link-local sender without its zone.
    fn sender(&self) -> SocketAddr {
        let [port, _] = self.ports;
        address(self.address, port, 0)
    }

    pub(super) fn local_port(&self) -> u16 {
        let [_, local_port] = self.ports;
        local_port
    }
}

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Accepted, not started: nothing is reflected.
    Negotiated,
    /// Started.
    Running,
    /// Stopped, and reflected until then (row TT-22).
    Stopping { until: Mono },
}

/// The state kept for a session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) sid: Sid,
    pub(super) key: SenderKey,
    /// The address that its packets are sent to, if that is negotiated.
    local: Option<IpAddr>,
    pub(crate) features: TestFeatures,
    pub(crate) dscp: Dscp,
    pub(super) state: State,
    /// The control client's address, if the session allows for NAT and no packet has arrived yet.
    pub(crate) unbound: Option<IpAddr>,
    /// Sequence Number of the next reply (row TT-11).
    next: u32,
    /// How long it is reflected after its stop; 64 bits of nanoseconds to save memory.
    timeout_ns: u64,
    refwait_ns: u64,
    /// When a packet was last reflected, or when one was first due.
    last_packet: Mono,
    /// When it begins, if that is after its start.
    begins: Mono,
    /// When the table handles it next.
    pub(super) timer: Option<Mono>,
    pub(crate) counters: SessionCounters,
    /// `None` if packets are not secured.
    pub(super) secured: Option<Box<Secured>>,
}

/// Additional state of a session in a secured mode.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) guard: TestGuard,
    replays: Replays,
}

impl Session {
    pub(super) fn new(
        spec: &SessionSpec,
        guard: TestGuard,
        local_port: u16,
        local: Option<IpAddr>,
    ) -> Self {
        Self {
            sid: spec.sid,
            key: SenderKey::new(spec.sender, local_port),
            local: local.map(|local| local.to_canonical()),
            features: spec.features(),
            dscp: spec.dscp,
            state: State::Negotiated,
            unbound: spec.nat.map(|client| client.to_canonical()),
            next: 0,
            timeout_ns: nanoseconds::of(spec.timeout.min(spec.refwait)),
            refwait_ns: nanoseconds::of(spec.refwait),
            last_packet: Mono::default(),
            begins: spec.begins.unwrap_or_default(),
            timer: None,
            counters: SessionCounters::default(),
            secured: guard.is_secured().then(|| {
                Box::new(Secured {
                    guard,
                    replays: Replays::default(),
                })
            }),
        }
    }

    /// Whether datagrams to this address belong to it, as far as both are known.
    pub(super) fn accepts_destination(&self, to: Option<IpAddr>) -> bool {
        match (self.local, to) {
            (Some(local), Some(to)) => local == to.to_canonical(),
            _ => true,
        }
    }

    /// The decrypted fields of a request; none is used before its HMAC is verified (row TT-34).
    pub(crate) fn read(&self, request: &[u8]) -> Result<SenderOpen, Ignored> {
        let Some(secured) = &self.secured else {
            let (sender, _) = SenderOpen::view(request).map_err(|_| Ignored::TooShort)?;
            return Ok(*sender);
        };
        let header = secured
            .guard
            .open::<{ SenderSecured::OCTETS }>(request)
            .map_err(|unopened| match unopened {
                PacketFault::Short => Ignored::TooShort,
                PacketFault::Forged => Ignored::Forged,
            })?;
        let (sender, _) = SenderSecured::view(&header).map_err(|_| Ignored::TooShort)?;
        Ok(SenderOpen {
            seq: sender.seq,
            t1: sender.t1,
            error: sender.error,
        })
    }

    /// Whether its packets are reflected now.
    pub(crate) fn check_state(&self, now: Mono) -> Result<(), Ignored> {
        match self.state {
            State::Negotiated => Err(Ignored::NotStarted),
            State::Stopping { until } if until <= now => Err(Ignored::NoSession),
            State::Running | State::Stopping { .. } => Ok(()),
        }
    }

    /// Whether a genuine request of this number came before, or may have (row TT-35).
    pub(crate) fn is_repeated(&mut self, number: u32) -> Result<bool, Ignored> {
        let Some(secured) = &mut self.secured else {
            return Ok(false);
        };
        let repeat = secured.replays.classify(number);
        if repeat == Repeat::Old {
            self.counters.old += 1;
            // The HMAC of the encrypted mode covers a request's whole header, which no reply has.
            // That of the authenticated mode covers only the first block, and a reply's is computed
            // over the same octets with the same key, so that a reply's first block and HMAC pass
            // for a request's and numbers can be forged. Refusing old numbers would let a forger
            // block the real sender.
            if secured.guard.covers_headers() {
                return Err(Ignored::Old);
            }
        }
        let is_repeated = repeat != Repeat::New;
        self.counters.replays += u64::from(is_repeated);
        Ok(is_repeated)
    }

    /// Encrypts what does not depend on T3, in the secured modes: whether it is in one.
    pub(crate) fn prepare(&self, reply: &mut [u8]) -> bool {
        let header = reply.get_mut(..ReflectorSecured::OCTETS);
        let (Some(secured), Some(header)) = (&self.secured, header) else {
            return false;
        };
        secured.guard.prepare(header);
        true
    }

    pub(super) fn listed(&self, now: Mono) -> ListedSession {
        let stage = match self.state {
            State::Negotiated => SessionStage::Accepted,
            State::Running => SessionStage::Running,
            State::Stopping { .. } => SessionStage::Stopping,
        };
        let idle = match stage {
            SessionStage::Accepted => Duration::ZERO,
            SessionStage::Running | SessionStage::Stopping => now.since(self.last_packet),
        };
        ListedSession {
            sender: self.counters.bound.unwrap_or_else(|| self.key.sender()),
            port: self.key.local_port(),
            idle,
            origin: SessionOrigin::Negotiated {
                sid: self.sid,
                mode: self.features.modes.security(),
                dscp: self.dscp,
                stage,
                counters: self.counters,
            },
        }
    }

    /// Reflects from now on.
    pub(super) fn start(&mut self, now: Mono) {
        self.state = State::Running;
        self.last_packet = self.begins.clamp(now, now + FARTHEST_START);
    }

    /// Reflects for the Timeout only.
    pub(super) fn stop(&mut self, now: Mono) {
        let until = now + Duration::from_nanos(self.timeout_ns);
        self.state = State::Stopping { until };
    }

    /// When it ends if no more packets arrive; `None`: not by time.
    pub(super) fn ends(&self) -> Option<Mono> {
        match self.state {
            State::Negotiated => None,
            State::Running => Some(self.last_packet + Duration::from_nanos(self.refwait_ns)),
            State::Stopping { until } => Some(until),
        }
    }

    /// The number of the reply to a request of `received` octets, made at `now`.
    pub(crate) fn number(&mut self, now: Mono, received: usize, sender: &SenderOpen) -> u32 {
        self.counters.error_multiplier_zero += u64::from(sender.error.multiplier() == 0);
        self.counters.too_short += u64::from(self.features.is_too_short(received));
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.last_packet = self.last_packet.max(now);
        number
    }
}
