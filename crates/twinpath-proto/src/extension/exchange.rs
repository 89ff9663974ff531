//! What an extension of a Session-Reflector sees of a packet, and what it wants of the reply.

use std::net::{IpAddr, SocketAddr};

use twinpath_wire::{Arrival, Dscp, Mono, Stamp, TimeFormat, Wall, WireTime};

use super::granted::Proof;
use super::host::Host;
use super::policy::ExtensionPolicy;
use super::segments::Segments;

/// One request at a Session-Reflector.
pub struct Exchange<'a> {
    /// When it is answered.
    pub now: Mono,
    /// How the request arrived.
    pub arrival: &'a Arrival,
    /// What the operator allows.
    pub policy: &'a ExtensionPolicy,
    /// What is known of this host.
    pub host: &'a Host,
    /// The format of times in the reply.
    pub format: TimeFormat,
    /// TAI - UTC in seconds, for [`TimeFormat::Ptp`].
    pub tai_offset_s: i32,
    /// The request's Sequence Number.
    pub seq: u32,
    /// When the request left, by its sender.
    pub t1: Wall,
    /// The Sequence Number of the reply.
    pub number: u32,
    /// What a stateful reflector keeps of the session; `None`: it is answered without state.
    session: Option<&'a mut SessionState>,
    /// Something of it was used, so it must be kept.
    pub uses_state: bool,
    /// An HMAC over the base packet or over the TLVs was right.
    pub is_authentic: bool,
    /// What the HMAC of a request for several replies proves.
    pub(super) proof: Option<Proof>,
    /// The request, of number 0, begins its session again.
    pub restarts_session: bool,
    /// Octets of a reply that can be kept to be sent more than once.
    pub copy_room: usize,
    /// What the reply must be like.
    pub effects: Effects,
    /// What it must visit, if its effects say so.
    pub segments: Segments,
    /// Of the whole request.
    pub(super) request: RequestShape,
}

/// What a reflector keeps of a session for its extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionState {
    /// Requests received before this one, and replies sent, since the state is kept; they wrap.
    pub received: u32,
    /// See `received`.
    pub replied: u32,
    /// The reply that left last, as far as the system said when.
    pub sent: Option<SentReply>,
    /// The highest Sequence Number of a Reflected Test Packet Control (RFC 10052 section 5), and T1 of that request
    /// in authenticated mode.
    pub(super) control_mark: Option<(u32, Option<Wall>)>,
    /// The last request wanted no reply.
    pub(crate) is_one_way: bool,
    /// Requests since an extension used it.
    unused: u16,
}

/// State that so many requests of its session in a row did not use is not kept longer.
const MOST_UNUSED: u16 = 1_000;

impl SessionState {
    /// What is kept where the session begins again: the mark, until a verified packet says so (row SL-68).
    pub(crate) fn restarted(self) -> Self {
        Self {
            control_mark: self.control_mark,
            ..Self::default()
        }
    }

    /// Whether it is kept after a request that did, or did not, use it. A mark is kept as long as the session.
    pub(crate) fn is_still_used(&mut self, is_used: bool) -> bool {
        self.unused = if is_used {
            0
        } else {
            self.unused.saturating_add(1)
        };
        self.unused < MOST_UNUSED || self.control_mark.is_some()
    }

    /// The session has begun again indeed.
    pub(crate) fn forget_mark(&mut self) {
        self.control_mark = None;
    }

    /// Counts a request, and its reply.
    pub(crate) fn count(&mut self, is_answered: bool) {
        self.received = self.received.wrapping_add(1);
        self.replied = self.replied.wrapping_add(u32::from(is_answered));
    }
}

/// A reply that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentReply {
    /// Its own Sequence Number.
    pub number: u32,
    /// When.
    pub at: Stamp,
}

/// How a reply differs from an ordinary one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The DSCP to send it with; `None`: the ordinary one.
    pub dscp: Option<Dscp>,
    /// The address to send it from; `None`: the one that the request came to.
    pub source: Option<IpAddr>,
    /// The address to send it to, at the request's source port; `None`: the request's source.
    pub destination: Option<IpAddr>,
    /// It must leave by the interface that the request came in on.
    pub same_link: bool,
    /// It must visit the segments that the exchange has.
    pub over_segments: bool,
    /// When it left must be known for the next reply's Follow-Up Telemetry.
    pub wants_sent_time: bool,
    /// More replies than one, or one of another size.
    pub replies: Option<Replies>,
    /// What became of Reflected Test Packet Control, where some client may use it.
    pub control: Option<ControlAnswer>,
}

/// What became of Reflected Test Packet Control (RFC 10052).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlAnswer {
    /// Replies as they were asked for.
    Granted,
    /// From a client that may not use it, or without an HMAC (row SL-15).
    NotAllowed,
    /// Asked together with no reply (row SL-13).
    Contradictory,
    /// It was followed before, or its number is not beyond that of the one before (row SL-14).
    Repeated,
    /// One ordinary reply, as the request cannot be remembered.
    TableFull,
    /// One reply, as more are beyond a limit.
    OverLimit,
    /// One reply, as long as the MTU.
    OverMtu,
}

/// Replies by Reflected Test Packet Control (RFC 10052).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replies {
    /// How many: at least 1.
    pub count: u16,
    /// Nanoseconds between their departures.
    pub interval_ns: u32,
    /// UDP payload of each, at most; as near to it as Extra Padding can come.
    pub octets: usize,
}

/// What is known of a request before its first TLV is processed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestShape {
    /// Octets of all of it.
    pub(super) octets: usize,
    /// Octets of the base packet and of all TLVs but Extra Padding.
    pub(super) unpadded_octets: usize,
    /// A TLV that is malformed ends the processing somewhere.
    pub(super) is_malformed: bool,
    /// The Return Path that counts asks for no reply.
    pub(super) asks_no_reply: bool,
    /// The Reflected Test Packet Control that counts asks for one reply or more.
    pub(super) asks_replies: bool,
}

impl Effects {
    /// Of an ordinary reply.
    pub const NONE: Self = Self {
        dscp: None,
        source: None,
        destination: None,
        same_link: false,
        over_segments: false,
        wants_sent_time: false,
        replies: None,
        control: None,
    };

    /// Replies that follow the first.
    pub fn copies(&self) -> u16 {
        self.replies.map_or(0, |all| all.count.saturating_sub(1))
    }

    /// The same by the ordinary way.
    #[must_use]
    pub fn without_way(self) -> Self {
        Self {
            source: None,
            destination: None,
            same_link: false,
            ..self
        }
    }

    /// It does not go the way of an ordinary reply, and the system may refuse that.
    pub fn has_way(&self) -> bool {
        self.source.is_some() || self.destination.is_some() || self.same_link || self.over_segments
    }

    /// Where the reply to a request goes.
    pub fn to(&self, arrival: &Arrival) -> SocketAddr {
        let address = self.destination;
        address.map_or(arrival.from, |address| beside_sender(arrival, address))
    }
}

/// An address with the port of a request's sender; a link-local one on the link of the request.
fn beside_sender(arrival: &Arrival, address: IpAddr) -> SocketAddr {
    let mut beside = SocketAddr::new(address, arrival.from.port());
    if let SocketAddr::V6(v6) = &mut beside
        && v6.ip().is_unicast_link_local()
    {
        v6.set_scope_id(arrival.interface);
    }
    beside
}

impl<'a> Exchange<'a> {
    /// Of a request with this Sequence Number, whose reply will have the number `number`.
    pub fn new(
        arrival: &'a Arrival,
        policy: &'a ExtensionPolicy,
        host: &'a Host,
        session: Option<&'a mut SessionState>,
        (seq, number): (u32, u32),
    ) -> Self {
        Self {
            now: Mono::default(),
            arrival,
            policy,
            host,
            format: TimeFormat::Ntp,
            tai_offset_s: 0,
            seq,
            t1: Wall::from_unix_ns(0),
            number,
            session,
            uses_state: false,
            is_authentic: false,
            proof: None,
            restarts_session: false,
            copy_room: usize::MAX,
            effects: Effects::default(),
            segments: Segments::default(),
            request: RequestShape::default(),
        }
    }

    /// Whether it is an address of this host; loopback is one only of packets from this host (row
    /// SL-17).
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        let is_reachable = !address.is_loopback() || self.arrival.from.ip().is_loopback();
        is_reachable
            && !address.is_multicast()
            && (self.arrival.to == Some(address)
                || self.host.has(beside_sender(self.arrival, address)))
    }

    /// An HMAC of the request was right, if `is_authentic`.
    pub fn set_authentic(&mut self, is_authentic: bool) {
        self.is_authentic |= is_authentic;
        if is_authentic
            && self.restarts_session
            && let Some(session) = self.session.as_deref_mut()
        {
            session.forget_mark();
        }
    }

    /// What is kept of the session, which it is from now on.
    pub(super) fn state(&mut self) -> Option<&mut SessionState> {
        self.uses_state = self.session.is_some();
        self.session.as_deref_mut()
    }

    /// A time as the reply's Z bit says.
    pub(super) fn time(&self, at: Stamp) -> WireTime {
        WireTime::write(at.at, self.format, self.tai_offset_s)
    }

    /// Both a request for replies and one for none: neither can be followed (RFC 10052 section
    /// 4.3; row SL-13).
    pub(super) fn is_contradictory(&self) -> bool {
        self.request.asks_no_reply && self.request.asks_replies && self.allows_control()
    }

    /// Whether the request was sent to a multicast group, of which every member may answer it.
    pub(crate) fn is_to_group(&self) -> bool {
        self.arrival.to.is_some_and(|to| to.is_multicast())
    }

    /// Whether the request asked for replies by Reflected Test Packet Control and gets them, or one within the
    /// limits.
    pub(crate) fn is_control_followed(&self) -> bool {
        self.effects.control.is_some_and(|answer| match answer {
            ControlAnswer::Granted | ControlAnswer::OverLimit | ControlAnswer::OverMtu => true,
            ControlAnswer::NotAllowed
            | ControlAnswer::Contradictory
            | ControlAnswer::Repeated
            | ControlAnswer::TableFull => false,
        })
    }

    /// Whether Reflected Test Packet Control is enabled for this client (row SL-15), and for the
    /// address that its replies go to (row SL-64).
    pub(super) fn allows_control(&self) -> bool {
        self.policy.control.as_ref().is_some_and(|control| {
            let from = self.arrival.from.ip();
            let mut ends = [Some(from), self.effects.destination].into_iter().flatten();
            ends.all(|end| control.allow.permits(end))
                && (self.is_authentic || control.unauthenticated)
                && !(self.is_to_group() && control.unauthenticated)
        })
    }
}
