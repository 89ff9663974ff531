//! TLVs that another program sent, and what its reflector answered: ours answers the same, but for
//! differences that are named, where that program departs from an RFC or the RFC leaves a choice.

use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::extension::{ControlPolicy, DscpSet, Host, SyncSource};
use twinpath_proto::reflector::{Access, Reflection, ReflectorConfig, SessionReflector};
use twinpath_proto::stamp::{KeyScope, StampKeys};
use twinpath_wire::{
    Arrival, Dscp, ErrorEstimate, Mono, Rung, Stamp, TimeFormat, TlvHeader, TlvType, Tlvs, Wall,
    WireTime,
};

use super::hex;
use super::rig::MICRO_SESSION;
use crate::reflector::capture::{Datagram, datagrams};
use crate::stamp::known_key;

/// A difference: what a recorded reply must have, and what it must be made for ours.
type Difference = fn(&mut Recorded);

/// A recorded reply on its way to be ours.
struct Recorded {
    octets: Vec<u8>,
    base: usize,
    /// The position of its request.
    nth: u32,
}

impl Recorded {
    /// The value of the first TLV of this type, with its header.
    fn tlv(&mut self, kind: u8) -> &mut [u8] {
        let at = self.at(kind);
        let length = u16::from_be_bytes([self.octets[at + 2], self.octets[at + 3]]);
        &mut self.octets[at..at + TlvHeader::OCTETS + usize::from(length)]
    }

    /// The time in its Follow-Up Telemetry.
    fn follow_up_at(&self) -> Option<usize> {
        let mut tlvs = Tlvs::new(&self.octets[self.base..]).map_while(Result::ok);
        let is_there = tlvs.any(|tlv| tlv.header.kind == TlvType::FOLLOW_UP_TELEMETRY);
        is_there.then(|| self.at(TlvType::FOLLOW_UP_TELEMETRY.0) + 8)
    }

    fn at(&self, kind: u8) -> usize {
        let mut at = self.base;
        for tlv in Tlvs::new(&self.octets[self.base..]) {
            let header = match tlv {
                Ok(tlv) if tlv.header.kind.0 != kind => {
                    at += TlvHeader::OCTETS + tlv.value.len();
                    continue;
                }
                Ok(tlv) => tlv.header,
                Err(broken) => panic!("no TLV of type {kind}: {broken:?}"),
            };
            assert_eq!(header.kind.0, kind);
            return at;
        }
        panic!("no TLV of type {kind}");
    }

    /// A field of 4 octets in it, from one number to another.
    fn renumber(&mut self, kind: u8, at: usize, from: u32, to: u32) {
        let field = &mut self.tlv(kind)[TlvHeader::OCTETS + at..][..4];
        assert_eq!(field, from.to_be_bytes());
        field.copy_from_slice(&to.to_be_bytes());
    }

    /// Octets from some values to others.
    fn change(&mut self, at: usize, from: &[u8], to: &[u8]) {
        let field = &mut self.octets[at..at + from.len()];
        assert_eq!(field, from);
        field.copy_from_slice(to);
    }
}

/// RPE = 11 of a draft, in octets that RFC 8972 reserves (row ST-62).
fn cos_has_bits_of_a_draft(reply: &mut Recorded) {
    let at = reply.at(4);
    reply.change(at + 6, &[0x30, 0], &[0, 0]);
}

/// R_TxC leaves out the reply that carries it (row ST-45).
fn r_txc_leaves_out_its_reply(reply: &mut Recorded) {
    reply.renumber(5, 8, reply.nth, reply.nth + 1);
}

/// It gives a method where it gives no time (row ST-48).
fn first_follow_up_has_a_method(reply: &mut Recorded) {
    if reply.nth == 0 {
        let at = reply.at(7);
        reply.change(at + 4, &[[0; 12].as_slice(), &[2]].concat(), &[0; 13]);
    }
}

/// A Return Address that is the request's source redirects nothing, and is used (row SL-26).
fn own_return_address_is_refused(reply: &mut Recorded) {
    let at = reply.at(10);
    reply.change(at, &[0x80], &[0]);
    reply.change(at + TlvHeader::OCTETS, &[0x80], &[0]);
}

/// U in a TLV that the reflector itself added (row SL-51).
fn added_padding_has_u(reply: &mut Recorded) {
    let at = reply.at(1);
    reply.change(at, &[0x80], &[0]);
}

/// Octets 38 and 39 have the SSID once more, where a reply has zeros (row ST-56).
fn mbz_has_the_ssid(reply: &mut Recorded) {
    reply.change(38, &4242_u16.to_be_bytes(), &[0, 0]);
}

/// Numbers and counts go on although the SSID is another (rows ST-16, ST-21).
fn numbers_are_of_another_session(reply: &mut Recorded) {
    let nth = reply.nth;
    reply.change(0, &(nth + 5).to_be_bytes(), &nth.to_be_bytes());
    reply.renumber(5, 4, nth + 6, nth + 1);
    reply.renumber(5, 8, nth + 5, nth + 1);
    if nth == 0 {
        let value = &mut reply.tlv(7)[TlvHeader::OCTETS..];
        assert_eq!((&value[..4], value[12]), (&[0, 0, 0, 4][..], 2));
        value.fill(0);
    } else {
        reply.renumber(7, 0, nth + 4, nth - 1);
    }
}

/// Location grows to hold sub-TLVs that were not asked for, of another layout (rows ST-6, ST-37).
fn location_grows(reply: &mut Recorded) {
    let at = reply.at(2);
    assert_eq!(reply.octets[at..at + 4], [0, 2, 0, 16]);
    let grown: Vec<u8> = reply.octets.drain(at + 8..at + 20).collect();
    assert_eq!(grown, [1, 4, 127, 0, 0, 1, 2, 4, 1, 0, 0, 127]);
    reply.octets[at + 3] = 4;
}

const V1: &[Difference] = &[
    cos_has_bits_of_a_draft,
    r_txc_leaves_out_its_reply,
    first_follow_up_has_a_method,
];

/// A capture, the port of its reflector, what its clock follows, and all that is different.
const CAPTURES: [(&str, u16, SyncSource, &[Difference]); 11] = [
    (
        "stamp-tlv.pcap",
        21_862,
        SyncSource::Ntp,
        &[
            location_grows,
            numbers_are_of_another_session,
            mbz_has_the_ssid,
        ],
    ),
    ("stamp-authenticated.pcap", 21_862, SyncSource::Local, &[]),
    ("stamp-v1-tlv.pcap", 28_622, SyncSource::Local, V1),
    ("stamp-v1-tlv-hmac.pcap", 28_624, SyncSource::Local, V1),
    (
        "stamp-v1-authenticated-tlv.pcap",
        28_626,
        SyncSource::Local,
        V1,
    ),
    (
        "stamp-v1-malformed.pcap",
        28_630,
        SyncSource::Local,
        &[cos_has_bits_of_a_draft],
    ),
    (
        "stamp-v1-bad-flags.pcap",
        28_632,
        SyncSource::Local,
        &[cos_has_bits_of_a_draft],
    ),
    (
        "stamp-v1-destination-node.pcap",
        28_636,
        SyncSource::Local,
        &[],
    ),
    (
        "stamp-v1-return-path.pcap",
        28_638,
        SyncSource::Local,
        &[own_return_address_is_refused],
    ),
    (
        "stamp-v1-micro-session.pcap",
        28_640,
        SyncSource::Local,
        &[],
    ),
    (
        "stamp-v1-reflected-control.pcap",
        28_642,
        SyncSource::Local,
        &[added_padding_has_u],
    ),
];

fn ours(sync: SyncSource) -> SessionReflector {
    let mut config = ReflectorConfig::default();
    config.extensions.micro_sessions = vec![MICRO_SESSION];
    config.extensions.dscp = DscpSet::default().with(Dscp::EF);
    config.extensions.control = Some(ControlPolicy {
        octets_per_s: 1_000_000,
        octets: 1_000,
        replies: 3,
        ..ControlPolicy::within(Access::only(&["127.0.0.0/8".parse().unwrap()]))
    });
    let mut reflector = SessionReflector::new(config);
    reflector.set_host(Arc::new(Host::new([], Vec::new(), [], sync)));
    reflector.set_keys(Arc::new(StampKeys::new([(KeyScope::Default, known_key())])));
    reflector
}

/// Requests of a capture, each with the replies that follow it.
fn answered(file: &str, port: u16) -> Vec<(Datagram, Vec<Datagram>)> {
    let mut exchanges: Vec<(Datagram, Vec<Datagram>)> = Vec::new();
    for datagram in datagrams(file) {
        if datagram.arrival.to_port == port {
            exchanges.push((datagram, Vec::new()));
        } else {
            exchanges.last_mut().unwrap().1.push(datagram);
        }
    }
    exchanges
}

/// A time at this place, near that of the capture.
fn time(octets: &[u8], at: usize, near: Wall) -> Wall {
    let bits = u64::from_be_bytes(octets[at..at + 8].try_into().unwrap());
    WireTime::from_bits(bits).read(TimeFormat::Ntp, near, 37)
}

/// Times of a reply that are within a nanosecond of ours become ours: their last two bits are finer.
fn round(recorded: &mut Recorded, ours: &[u8], places: &[usize]) {
    let bits =
        |octets: &[u8], at: usize| u64::from_be_bytes(octets[at..at + 8].try_into().unwrap());
    for at in places {
        if bits(&recorded.octets, *at).abs_diff(bits(ours, *at)) < 4 {
            recorded.octets[*at..at + 8].copy_from_slice(&ours[*at..at + 8]);
        }
    }
}

/// Makes the HMACs of a reply that was changed, as RFC 8972 section 4.8 and RFC 8762 section 4.4
/// have them. Both were right.
fn sign(reply: &mut Recorded) {
    let key = known_key();
    let has_hmac = Tlvs::new(&reply.octets[reply.base..])
        .map_while(Result::ok)
        .any(|tlv| tlv.header.kind == TlvType::HMAC);
    if has_hmac {
        let at = reply.at(8);
        let digest = key.sign(&[&reply.octets[..4], &reply.octets[reply.base..at]]);
        reply.octets[at + 4..at + 20].copy_from_slice(&digest);
    }
    if reply.base == 112 {
        key.seal(&mut reply.octets);
    }
}

/// A recorded reply as ours must be.
fn expected(reply: &Datagram, base: usize, nth: u32, differences: &[Difference]) -> Recorded {
    let mut recorded = Recorded {
        octets: reply.octets.clone(),
        base,
        nth,
    };
    for difference in differences {
        difference(&mut recorded);
    }
    recorded
}

/// Seals our reply as the recorded one says, and holds it to that.
fn is_held(
    reflector: &SessionReflector,
    reflection: &Reflection,
    answer: &mut [u8],
    mut recorded: Recorded,
    near: Wall,
    context: &str,
) {
    let [t3_at, error_at, t2_at] = if recorded.base == 112 {
        [16, 24, 32]
    } else {
        [4, 12, 16]
    };
    let error = [recorded.octets[error_at], recorded.octets[error_at + 1]];
    let error = ErrorEstimate::from_bits(u16::from_be_bytes(error));
    let t3 = time(&recorded.octets, t3_at, near);
    reflector.seal(reflection, answer, t3, error);
    let places = [Some(t3_at), Some(t2_at), recorded.follow_up_at()];
    let places: Vec<usize> = places.into_iter().flatten().collect();
    round(&mut recorded, answer, &places);
    sign(&mut recorded);
    assert_eq!(hex(answer), hex(&recorded.octets), "{context}");
}

#[test]
fn tlvs_of_another_program_are_answered_as_its_reflector_did_but_for_named_differences() {
    for (file, port, sync, differences) in CAPTURES {
        let mut reflector = ours(sync);
        let exchanges = answered(file, port);
        assert_eq!(exchanges.len(), 5, "{file}");
        let mut sent = None;
        for (nth, (request, replies)) in (0..).zip(&exchanges) {
            let context = format!("{file}, packet {}", request.number);
            let is_authenticated = request.octets[4..16] == [0; 12];
            let (base, t2_at) = if is_authenticated {
                (112, 32)
            } else {
                (44, 16)
            };
            let [first, others @ ..] = replies.as_slice() else {
                panic!("{context}: no reply");
            };
            let recorded = expected(first, base, nth, differences);
            // When the reply before left, as that reflector said of it.
            let near = request.arrival.at;
            if let (Some(token), Some(at)) = (sent, recorded.follow_up_at()) {
                let at = time(&recorded.octets, at, near.at);
                let rung = Rung::Kernel;
                reflector.handle_reply_sent(token, Stamp { at, rung });
            }
            let arrival = Arrival {
                at: Stamp {
                    at: time(&recorded.octets, t2_at, near.at),
                    ..near
                },
                ..request.arrival
            };
            let mut answer = request.octets.clone();
            answer.resize(2048, 0xee);
            let mut now = Mono::from_ns(near.at.unix_ns().cast_unsigned());
            let reflection = reflector
                .reflect(now, &mut answer, request.octets.len(), &arrival)
                .unwrap_or_else(|why| panic!("{context}: {why:?}"));
            answer.truncate(reflection.octets);
            is_held(
                &reflector,
                &reflection,
                &mut answer,
                recorded,
                near.at,
                &context,
            );
            sent = reflection.token;
            let tos = first.arrival.tos.unwrap();
            assert_eq!(reflection.tos, tos, "{context}");
            assert_eq!(usize::from(reflection.effects().copies()), others.len());
            reflector.add_copies(now, &reflection, &answer, &arrival, 5);
            for other in others {
                now += Duration::from_millis(1);
                assert_eq!(reflector.next_copy(now), Some(5), "{context}");
                answer.fill(0xee);
                let copy = reflector.write_copy(now, &mut answer).unwrap();
                let recorded = expected(other, base, nth, differences);
                is_held(
                    &reflector,
                    &copy.reflection,
                    &mut answer,
                    recorded,
                    near.at,
                    &format!("{context}: {}", other.number),
                );
            }
            assert_eq!(reflector.next_copy(now + Duration::from_secs(1)), None);
        }
    }
}
