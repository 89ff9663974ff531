//! Datagrams to a port and what came of them: requests, and the replies that answer them.

use std::net::SocketAddr;

use twinpath_proto::stamp::StampKey;
use twinpath_runtime::probe::{Departure, Reply, TrainSeen};
use twinpath_wire::{
    self as wire, ErrorEstimate, ReplyTimes, StampReflectorAuthenticated, Wall, WireTime,
};

#[cfg(feature = "control")]
use super::dialogue::OpenTrain;
use super::packets::PacketSecurity;
use super::train;

/// TAI - UTC in seconds, since 2017.
const TAI_OFFSET_S: i32 = 37;

/// Datagrams to a port and what came of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) far: SocketAddr,
    pub(crate) requests: &'a [Vec<u8>],
    pub(crate) seen: &'a TrainSeen,
    /// Of authenticated packets; `None`: they are open.
    pub(crate) key: Option<&'a StampKey>,
}

#[cfg(feature = "control")]
impl<'a> Exchange<'a> {
    /// The packets of a session.
    pub(crate) fn of_session(far: SocketAddr, train: &'a OpenTrain) -> Self {
        Self {
            far,
            requests: &train.requests,
            seen: &train.seen,
            key: None,
        }
    }
}

impl<'a> Exchange<'a> {
    /// How its packets are secured.
    pub(crate) fn security(&self) -> PacketSecurity {
        match self.key {
            None => PacketSecurity::Open,
            Some(_) => PacketSecurity::Authenticated,
        }
    }

    /// Replies to the request at this place.
    pub(crate) fn replies_to(
        &self,
        place: usize,
    ) -> impl Iterator<Item = (&'a Reply, wire::Reply)> + use<'a> {
        let requests = self.requests.get(place..=place).unwrap_or_default();
        self.replies_of(requests)
    }

    /// Replies of the layout that answers its packets: those that have the number and the time of a request, and in
    /// authenticated mode the right HMAC.
    pub(crate) fn replies(&self) -> impl Iterator<Item = (&'a Reply, wire::Reply)> + use<'a> {
        self.replies_of(self.requests)
    }

    fn replies_of(
        &self,
        requests: &'a [Vec<u8>],
    ) -> impl Iterator<Item = (&'a Reply, wire::Reply)> + use<'a> {
        let exchange = *self;
        self.seen.replies.iter().filter_map(move |reply| {
            let said = exchange.read(&reply.octets)?;
            let is_ours = requests
                .iter()
                .any(|request| exchange.copies(&said, request));
            // Last: it takes longest.
            let is_right = is_ours && exchange.key.is_none_or(|key| key.opens(&reply.octets));
            is_right.then_some((reply, said))
        })
    }

    fn read(&self, octets: &[u8]) -> Option<wire::Reply> {
        if self.key.is_none() {
            return wire::Reply::view(octets).ok();
        }
        let (said, _) = StampReflectorAuthenticated::view(octets).ok()?;
        Some(said.into())
    }

    /// A reply has the request's Sequence Number and Timestamp.
    fn copies(&self, said: &wire::Reply, request: &[u8]) -> bool {
        let t1 = request.get(self.security().t1_at()..);
        let head = &said.head;
        request.first_chunk() == Some(&head.sender_seq.get().to_be_bytes())
            && t1.and_then(<[u8]>::first_chunk) == Some(&head.sender_t1.bits().to_be_bytes())
    }

    /// The request of a reply.
    pub(crate) fn request_of(&self, said: &wire::Reply) -> Option<&'a [u8]> {
        let mut requests = self.requests.iter();
        requests
            .find(|request| self.copies(said, request))
            .map(Vec::as_slice)
    }

    /// The Error Estimate of a reply's request is in the reply.
    pub(crate) fn copies_error(&self, said: &wire::Reply) -> bool {
        let error_at = self.security().t1_at() + size_of::<WireTime>();
        let asked = self.request_of(said);
        let asked = asked.and_then(|request| request.get(error_at..)?.first_chunk());
        let asked = asked.map(|octets| u16::from_be_bytes(*octets));
        asked.is_some() && asked == said.sender_error.map(ErrorEstimate::bits)
    }

    /// The TLVs of a reply, or whatever follows its base packet; `None`: it ends before.
    pub(crate) fn chain<'b>(&self, reply: &'b Reply) -> Option<&'b [u8]> {
        reply.octets.get(self.security().base_octets()..)
    }

    /// At least one reply came that is one.
    pub(crate) fn is_answered(&self) -> bool {
        self.replies().next().is_some()
    }

    /// The Session Identifier came back.
    pub(crate) fn has_ssid(&self) -> bool {
        self.replies()
            .any(|(_, said)| said.head.ssid.get() == train::SSID)
    }

    /// When the request at this place left.
    pub(crate) fn left(&self, place: usize) -> Option<Wall> {
        match self.seen.departures.get(place)? {
            Departure::Left(stamp) => Some(stamp.at),
            Departure::Failed(_) => None,
        }
    }

    /// Each request's first reply: place, departure, arrival, and what the reply says.
    pub(crate) fn round_trips(&self) -> impl Iterator<Item = RoundTrip> + use<'a> {
        let exchange = *self;
        (0..self.requests.len()).filter_map(move |place| {
            let (reply, said) = exchange.replies_to(place).next()?;
            Some(RoundTrip {
                t1: exchange.left(place)?,
                t4: reply.at.at,
                head: said.head,
            })
        })
    }

    /// Requests that came back as they were sent.
    pub(crate) fn echoed(&self) -> usize {
        let replies = self.seen.replies.iter();
        replies
            .filter(|reply| self.requests.contains(&reply.octets))
            .count()
    }
}

/// A request and its first reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrip {
    pub(crate) t1: Wall,
    pub(crate) t4: Wall,
    pub(crate) head: wire::ReplyHead,
}

impl RoundTrip {
    /// T2 and T3, as the reply's Z bit says or as they can be meant.
    pub(crate) fn times(&self) -> ReplyTimes {
        let times = [self.head.t2, self.head.t3];
        WireTime::read_reply(times, self.head.error.format(), self.t4, TAI_OFFSET_S)
    }

    /// T2 and T3, if both are there.
    pub(crate) fn t2_t3(&self) -> Option<(Wall, Wall)> {
        let times = self.times();
        Some((times.t2?, times.t3?))
    }
}
