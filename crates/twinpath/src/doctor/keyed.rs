//! Authenticated STAMP: what shows whether a far end checks HMACs, and what its replies are (RFC 8762 section 4.4,
//! RFC 8972 section 4.8).

use std::net::SocketAddr;

use twinpath_proto::stamp::StampKey;
use twinpath_runtime::probe::Reply;
use twinpath_wire::{
    self as wire, ReflectorOpen, ReflectorSecured, ReplyHead, StampReflectorAuthenticated, Tlv,
    TlvFlags, TlvHeader, TlvType, Tlvs, Tos,
};

use super::train::{SSID, STAMP, TrainKind};
use super::{Exchange, Seen};

/// Octets of the Extra Padding with which the HMAC of TLVs is tried.
const EXTRA_OCTETS: usize = 8;

/// As the standard has them.
pub(crate) static AUTHENTICATED: TrainKind = TrainKind {
    name: "stamp-authenticated",
    ..STAMP
};
/// Their HMAC has a changed bit.
pub(crate) static FORGED: TrainKind = TrainKind {
    name: "stamp-forged",
    packet: |writer, number, now| {
        let mut octets = writer.base(number, now);
        if let Some(last) = octets.last_mut() {
            *last ^= 1;
        }
        (octets, Tos(0))
    },
    ..STAMP
};
/// With a TLV and its HMAC.
pub(crate) static WITH_TLVS: TrainKind = TrainKind {
    name: "stamp-tlv-hmac",
    count: 2,
    packet: |writer, number, now| {
        let kind = TlvType::EXTRA_PADDING;
        let octets = writer.with_tlv((number, now), kind, EXTRA_OCTETS, |_| ());
        (octets, Tos(0))
    },
    ..STAMP
};

/// A reply to an authenticated packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyedReply {
    /// Its HMAC is right.
    Right,
    /// It has the layout, and another HMAC.
    WrongHmac,
    /// It has the layout of an open one.
    Open,
}

impl<'a> Exchange<'a> {
    /// What replies to authenticated packets are, as far as they have the number of one, in the order of arrival.
    pub(crate) fn keyed_replies(
        &self,
        key: &'a StampKey,
    ) -> impl Iterator<Item = (KeyedReply, &'a [u8])> + use<'a> {
        let requests = self.requests;
        self.seen.replies.iter().filter_map(move |reply| {
            let octets = &reply.octets[..];
            let of = |at: usize| {
                let copied = octets.get(at..at + 4);
                copied.is_some() && requests.iter().any(|request| request.get(..4) == copied)
            };
            let secured = StampReflectorAuthenticated::view(octets).ok();
            if secured.is_some() && of(ReflectorSecured::SENDER_SEQ_AT) {
                let is_right = key.opens(octets);
                let kind = if is_right {
                    KeyedReply::Right
                } else {
                    KeyedReply::WrongHmac
                };
                return Some((kind, octets));
            }
            let is_open = ReplyHead::view(octets).is_ok() && of(ReflectorOpen::SENDER_SEQ_AT);
            is_open.then_some((KeyedReply::Open, octets))
        })
    }
}

/// What came of the HMAC of TLVs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlvsBack {
    /// It is right.
    Right,
    /// The reflector says that it was wrong (flag I).
    Refused,
    /// The TLVs are those of the request, as is their HMAC, which does not fit the reply.
    Unchanged,
    /// There is none.
    NoHmac,
    /// It is wrong.
    WrongHmac,
}

impl Exchange<'_> {
    /// The HMAC of a reply's TLVs; `None`: packets are not authenticated.
    pub(crate) fn tlvs_back(&self, (reply, said): (&Reply, &wire::Reply)) -> Option<TlvsBack> {
        let key = self.key?;
        let base = self.security().base_octets();
        let chain = reply.octets.get(base..).unwrap_or_default();
        let mut at = 0;
        for tlv in Tlvs::new(chain).map_while(Result::ok) {
            let Tlv { header, value } = tlv;
            if header.flags.has(TlvFlags::INTEGRITY) {
                return Some(TlvsBack::Refused);
            }
            if header.kind == TlvType::HMAC {
                let before = chain.get(..at).unwrap_or_default();
                let number = reply.octets.get(..4).unwrap_or_default();
                let mut tag = value.first_chunk().into_iter();
                let asked = self.request_of(said).and_then(|asked| asked.get(base..));
                return Some(if tag.any(|tag| key.verify(&[number, before], tag)) {
                    TlvsBack::Right
                } else if asked == Some(chain) {
                    TlvsBack::Unchanged
                } else {
                    TlvsBack::WrongHmac
                });
            }
            at += TlvHeader::OCTETS + value.len();
        }
        Some(TlvsBack::NoHmac)
    }
}

impl Seen {
    /// The key of packets to this place.
    pub(crate) fn stamp_key(&self, far: SocketAddr) -> Option<&StampKey> {
        self.plan.keys.stamp.for_packet(far.ip(), SSID)
    }

    /// Where authenticated packets are answered with the right HMAC: the first place.
    pub(crate) fn authenticated(&self) -> Option<Exchange<'_>> {
        self.trains(&AUTHENTICATED).find(Exchange::is_answered)
    }

    /// What came of such authenticated datagrams to this place, and their key.
    pub(crate) fn keyed_to(
        &self,
        far: SocketAddr,
        kind: &'static TrainKind,
    ) -> Option<(Exchange<'_>, &StampKey)> {
        let exchange = self.train(far, kind)?;
        Some((exchange, exchange.key?))
    }
}
