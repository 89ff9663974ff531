//! Datagrams of authenticated STAMP, sealed with a key, by kind (RFC 8762 section 4.4, RFC 8972 section 4.8).

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::stamp::StampKey;
use twinpath_wire::{
    ErrorEstimate, ReplyHead, StampReflectorAuthenticated, StampSenderAuthenticated, TimeFormat,
    Tlv, TlvFlags, TlvType, TlvWriter, Tlvs, Wall, WireTime,
};

use super::train::{FIRST, SSID};
use super::{Answer, Ask, Seen};

/// Octets of an HMAC.
const TAG: usize = 16;
/// TLVs: Extra Padding of 8 octets, and an HMAC.
const EXTRA_OCTETS: usize = 8;
const TLVS_OCTETS: usize = 4 + EXTRA_OCTETS + 4 + TAG;

/// Datagrams from one port.
#[derive(Debug)]
pub(crate) struct KeyedKind {
    /// Its name; no two have the same.
    pub(crate) name: &'static str,
    pub(crate) count: usize,
    pub(crate) interval: Duration,
    /// The packet with this number and this time.
    pub(crate) packet: fn(&StampKey, u32, Wall) -> Vec<u8>,
}

impl PartialEq for KeyedKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for KeyedKind {}

const INTERVAL: Duration = Duration::from_millis(10);

/// As the standard has them.
pub(crate) static AUTHENTICATED: KeyedKind = KeyedKind {
    name: "stamp-authenticated",
    count: 3,
    interval: INTERVAL,
    packet: base,
};
/// Their HMAC has a changed bit.
pub(crate) static FORGED: KeyedKind = KeyedKind {
    name: "stamp-forged",
    count: 3,
    interval: INTERVAL,
    packet: |key, number, now| {
        let mut octets = base(key, number, now);
        if let Some(last) = octets.last_mut() {
            *last ^= 1;
        }
        octets
    },
};
/// With TLVs and their HMAC.
pub(crate) static WITH_TLVS: KeyedKind = KeyedKind {
    name: "stamp-tlv-hmac",
    count: 2,
    interval: INTERVAL,
    packet: with_tlvs,
};

fn base(key: &StampKey, number: u32, now: Wall) -> Vec<u8> {
    let mut octets = vec![0; StampSenderAuthenticated::OCTETS];
    if let Ok((head, _)) = StampSenderAuthenticated::view_mut(&mut octets) {
        head.seq.set(FIRST.wrapping_add(number));
        head.t1 = WireTime::ntp(now);
        head.error = ErrorEstimate::new(false, TimeFormat::Ntp, Duration::from_secs(1));
        head.ssid.set(SSID);
    }
    key.seal(&mut octets);
    octets
}

fn with_tlvs(key: &StampKey, number: u32, now: Wall) -> Vec<u8> {
    let mut octets = base(key, number, now);
    let mut chain = vec![0; TLVS_OCTETS];
    let mut writer = TlvWriter::new(&mut chain);
    writer.push(TlvType::EXTRA_PADDING, EXTRA_OCTETS);
    writer.push(TlvType::HMAC, TAG);
    let covered = chain.get(..4 + EXTRA_OCTETS).unwrap_or_default();
    let tag = key.sign(&[octets.get(..4).unwrap_or_default(), covered]);
    if let Some(field) = chain.last_chunk_mut() {
        *field = tag;
    }
    octets.extend(chain);
    octets
}

/// What came of such datagrams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed<'a> {
    pub(crate) sent: usize,
    replies: &'a [twinpath_runtime::probe::Reply],
    requests: &'a [Vec<u8>],
}

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

impl<'a> Keyed<'a> {
    /// The replies that are some, in the order of arrival.
    pub(crate) fn replies(
        &self,
        key: &'a StampKey,
    ) -> impl Iterator<Item = (KeyedReply, &'a [u8])> + use<'a> {
        let requests = self.requests;
        self.replies.iter().filter_map(move |reply| {
            let octets = &reply.octets[..];
            let of = |copied: Option<&[u8]>| {
                copied.is_some() && requests.iter().any(|request| request.get(..4) == copied)
            };
            let secured = StampReflectorAuthenticated::view(octets).ok();
            if secured.is_some() && of(octets.get(48..52)) {
                let is_right = key.opens(octets);
                let kind = if is_right {
                    KeyedReply::Right
                } else {
                    KeyedReply::WrongHmac
                };
                return Some((kind, octets));
            }
            let is_open = ReplyHead::view(octets).is_ok() && of(octets.get(24..28));
            is_open.then_some((KeyedReply::Open, octets))
        })
    }
}

/// What came of the TLVs of [`WITH_TLVS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlvsBack {
    /// With the right HMAC.
    Right,
    /// The reflector says that their HMAC is wrong (flag I).
    Refused,
    /// Not at all, or without an HMAC.
    NoHmac,
    /// Their HMAC is wrong.
    WrongHmac,
}

/// The TLVs of a reply.
pub(crate) fn tlvs_back(reply: &[u8], key: &StampKey) -> TlvsBack {
    let chain = reply
        .get(StampReflectorAuthenticated::OCTETS..)
        .unwrap_or_default();
    let mut at = 0;
    for tlv in Tlvs::new(chain).map_while(Result::ok) {
        let Tlv { header, value } = tlv;
        if header.flags.has(TlvFlags::INTEGRITY) {
            return TlvsBack::Refused;
        }
        if header.kind == TlvType::HMAC {
            let before = chain.get(..at).unwrap_or_default();
            let number = reply.get(..4).unwrap_or_default();
            let is_right = value
                .first_chunk()
                .is_some_and(|tag| key.verify(&[number, before], tag));
            return if is_right {
                TlvsBack::Right
            } else {
                TlvsBack::WrongHmac
            };
        }
        at += 4 + value.len();
    }
    TlvsBack::NoHmac
}

impl Seen {
    /// The key of packets to this place.
    pub(crate) fn stamp_key(&self, far: SocketAddr) -> Option<&StampKey> {
        self.plan.keys.stamp.for_packet(far.ip(), SSID)
    }

    /// Where authenticated packets are answered: the first place.
    pub(crate) fn authenticated(&self) -> Option<SocketAddr> {
        self.places().into_iter().find(|far| {
            let right = self.keyed_to(*far, &AUTHENTICATED);
            right.is_some_and(|(keyed, key)| {
                keyed
                    .replies(key)
                    .any(|(kind, _)| kind == KeyedReply::Right)
            })
        })
    }

    /// What came of such datagrams to this place.
    pub(crate) fn keyed_to(
        &self,
        far: SocketAddr,
        kind: &'static KeyedKind,
    ) -> Option<(Keyed<'_>, &StampKey)> {
        self.answers().find_map(|(ask, answer)| {
            let (Ask::Keyed(asked, of), Answer::Train(requests, Ok(seen))) = (ask, answer) else {
                return None;
            };
            let keyed = Keyed {
                sent: requests.len(),
                replies: &seen.replies,
                requests,
            };
            (*asked == far && *of == kind).then_some((keyed, self.stamp_key(far)?))
        })
    }
}
