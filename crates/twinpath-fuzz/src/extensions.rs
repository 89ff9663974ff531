//! Any policy, any state and any octets as a chain of TLVs; what comes out is checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use twinpath_proto::extension::{
    ControlPolicy, DscpSet, Effects, Exchange, ExtensionPolicy, Host, Learnt, LocationPolicy,
    MemberLink, Seen, SentReply, SessionState, SyncSource, reflect,
};
use twinpath_proto::reflector::{Access, Ignored};
use twinpath_proto::stamp::StampKey;
use twinpath_wire::{Arrival, Dscp, Rung, Stamp, TlvFlags, TlvHeader, TlvType, Tlvs, Tos, Wall};

use crate::input::Input;
use crate::peer::HMAC;

/// What a buffer holds from earlier packets; no reply may show it.
const STALE: u8 = 0xa7;
const OPEN: usize = 44;
const AUTHENTICATED: usize = 112;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// How a request comes, of the first octet.
struct Given {
    is_authenticated: bool,
    has_key: bool,
    /// The first HMAC TLV is made right.
    is_signed: bool,
}

/// Octet 0: how the request comes. Octets 1 to 9: the policy. Then MTU 2, ToS 1, Sequence Number 4,
/// and the chain of TLVs, answered twice in one session.
///
/// A reply is as long as its request, with the same types and Lengths, unless replies of another size
/// were asked for and allowed; no TLV behind a malformed one is changed; nothing is done that the
/// policy does not allow; with a key, the sender finds the reply's HMAC right.
pub(crate) fn extensions(input: &[u8]) {
    let mut input = Input::new(input);
    let flags = input.octet();
    let given = Given {
        is_authenticated: flags & 1 != 0,
        has_key: flags & 3 != 0,
        is_signed: flags & 8 != 0,
    };
    let policy = policy(&mut input);
    let mtu = u32::from(input.u16());
    let here = SocketAddr::new(HERE, 0);
    let host = Host::new(
        [here],
        vec![[2, 0, 0, 0, 0, 5]],
        [(7, mtu)],
        SyncSource::Ptp,
    );
    let at = Stamp {
        at: Wall::from_unix_ns(1_795_392_000_123_456_789),
        rung: Rung::Kernel,
    };
    let arrival = Arrival {
        to: Some(HERE),
        to_port: 862,
        ttl: Some(64),
        tos: (flags & 16 != 0).then_some(Tos(input.octet())),
        interface: if flags & 32 == 0 { 7 } else { 0 },
        ..Arrival::new(at, SocketAddr::new(THERE, 20_000))
    };
    let first = input.u32();
    let base = if given.is_authenticated {
        AUTHENTICATED
    } else {
        OPEN
    };
    let chain = input.take(u16::MAX.into());
    let mut state = SessionState::default();
    for seq in [first, first.wrapping_add(u32::from(flags >> 6))] {
        let mut request = vec![0; base];
        request[..4].copy_from_slice(&seq.to_be_bytes());
        request.extend_from_slice(chain);
        if given.is_signed {
            sign(&mut request, base);
        }
        let session = (flags & 4 != 0).then_some(&mut state);
        answer(&given, &policy, &host, &arrival, session, &request);
        state.received = state.received.wrapping_add(1);
        state.replied = state.replied.wrapping_add(1);
        state.sent = Some(SentReply { number: seq, at });
    }
}

fn policy(input: &mut Input<'_>) -> ExtensionPolicy {
    let flags = input.octet();
    let dscp = input.u64();
    let prefixes = ["192.0.2.0/24", "198.51.100.0/24"].map(|prefix| prefix.parse().expect("one"));
    ExtensionPolicy {
        reply_dscp: None,
        copies_only: flags & 1 != 0,
        location: match flags & 6 {
            0 => LocationPolicy::None,
            2 => LocationPolicy::Ports,
            _ => LocationPolicy::All,
        },
        dscp: if flags & 8 == 0 {
            DscpSet::default()
        } else {
            let allowed = (0..64).filter(|code| dscp >> code & 1 == 1);
            allowed.filter_map(|dscp| Dscp::new(dscp).ok()).collect()
        },
        return_addresses: Access::only(&prefixes[1..]),
        segments: Access::default(),
        control: (flags & 16 != 0).then(|| ControlPolicy {
            unauthenticated: dscp & 1 != 0,
            octets_per_s: 1_000_000,
            octets: 10_000,
            replies: 9,
            ..ControlPolicy::within(Access::only(&prefixes))
        }),
        micro_sessions: if flags & 32 == 0 {
            Vec::new()
        } else {
            let interface = (dscp & 2 != 0).then_some(7);
            vec![MemberLink { id: 5, interface }]
        },
        accepts_unverified: flags & 64 != 0,
        requires_hmac: flags & 128 != 0,
    }
}

fn key() -> StampKey {
    StampKey::new(&HMAC).expect("a key long enough")
}

/// Headers and Lengths of TLVs, and where each is, as far as the chain is whole.
fn headers(chain: &[u8]) -> Vec<(usize, TlvHeader)> {
    let mut at = 0;
    let tlvs = Tlvs::new(chain).map_while(Result::ok).map(|tlv| {
        let place = at;
        at += TlvHeader::OCTETS + tlv.value.len();
        (place, tlv.header)
    });
    tlvs.collect()
}

/// Makes the first HMAC TLV of a packet right, whose TLVs begin at `base`.
pub(crate) fn sign(packet: &mut [u8], base: usize) {
    let Some((at, before)) = first_digest(packet, base) else {
        return;
    };
    let digest = key().sign(&[&packet[..4], &before]);
    packet[at..at + 16].copy_from_slice(&digest);
}

/// Takes its digest away.
pub(crate) fn blank_digest(packet: &mut [u8], base: usize) {
    if let Some((at, _)) = first_digest(packet, base) {
        packet[at..at + 16].fill(0);
    }
}

/// Where the digest of the first HMAC TLV is, and the TLVs before it.
fn first_digest(packet: &[u8], base: usize) -> Option<(usize, Vec<u8>)> {
    let chain = packet.get(base..)?;
    let (at, _) = headers(chain)
        .into_iter()
        .find(|(_, header)| header.kind == TlvType::HMAC && header.length.get() == 16)?;
    Some((base + at + TlvHeader::OCTETS, chain[..at].to_vec()))
}

fn answer(
    given: &Given,
    policy: &ExtensionPolicy,
    host: &Host,
    arrival: &Arrival,
    session: Option<&mut SessionState>,
    request: &[u8],
) {
    let key = key();
    let key = given.has_key.then_some(&key);
    let base = if given.is_authenticated {
        AUTHENTICATED
    } else {
        OPEN
    };
    let number = <[u8; 4]>::try_from(&request[..4]).expect("four octets");
    let seq = u32::from_be_bytes(number);
    let mut exchange = Exchange::new(arrival, policy, host, session, (seq, seq));
    exchange.is_authentic = given.is_authenticated;
    let mut buffer = vec![STALE; usize::from(u16::MAX) + 1 + AUTHENTICATED];
    buffer[..request.len()].copy_from_slice(request);
    let received = request.len();
    let signed = given.is_authenticated;
    let reply = match reflect(&mut buffer, base, received, signed, key, &mut exchange) {
        Ok(reply) => reply,
        Err(why) => {
            let whys = [
                Ignored::NoReplyWanted,
                Ignored::MicroSession,
                Ignored::OtherGroup,
                Ignored::CountZero,
            ];
            assert!(whys.contains(&why), "{why:?}");
            assert!(!policy.copies_only, "TLVs were looked at");
            assert_eq!(
                buffer[..base],
                request[..base],
                "the base packet was changed"
            );
            return;
        }
    };
    let (is_authentic, effects) = (exchange.is_authentic, exchange.effects);
    buffer.truncate(reply.octets);
    if let Some(key) = key {
        reply.sign(&mut buffer, base, key);
    }
    assert_eq!(
        buffer[..base],
        request[..base],
        "the base packet was changed"
    );
    check_allowed(policy, arrival, is_authentic, &effects);
    match effects.replies {
        Some(replies) => {
            assert!(Tlvs::is_whole(&buffer[base..]), "a broken chain");
            assert_eq!(buffer.len(), replies.octets);
            assert!(
                (1..=9).contains(&replies.count),
                "more replies than allowed"
            );
        }
        None => check_in_place(&request[base..], &buffer[base..]),
    }
    if !request.contains(&STALE) {
        let shown = buffer[base..].iter().filter(|octet| **octet == STALE);
        // Counts, times and digests may have that octet; the buffer would show it in a row.
        assert!(shown.count() < 64, "what the buffer held before");
    }
    check_learnt(key, number, request, &buffer, base);
}

fn check_allowed(
    policy: &ExtensionPolicy,
    arrival: &Arrival,
    is_authentic: bool,
    effects: &Effects,
) {
    if let Some(to) = effects.destination {
        assert!(policy.return_addresses.permits(to), "{to} is not allowed");
    }
    assert!(
        matches!(effects.source, None | Some(HERE)),
        "not our address"
    );
    if effects.replies.is_some() {
        let control = policy.control.as_ref().expect("it is disabled");
        assert!(is_authentic || control.unauthenticated, "not authentic");
        let to = effects.to(arrival).ip();
        assert!(control.allow.permits(to), "{to} may not have several");
    }
    if let (Some(dscp), Some(tos)) = (effects.dscp, arrival.tos) {
        assert!(
            dscp == tos.dscp() || policy.dscp.has(dscp),
            "{dscp:?} is not allowed"
        );
    }
    assert!(
        !effects.same_link || arrival.interface != 0,
        "no link is known"
    );
}

/// The same types and Lengths, and behind a malformed TLV the same octets.
fn check_in_place(request: &[u8], reply: &[u8]) {
    let (asked, answered) = (headers(request), headers(reply));
    assert_eq!(request.len(), reply.len());
    assert_eq!(asked.len(), answered.len());
    for ((at, asked), (_, answered)) in asked.into_iter().zip(answered) {
        assert_eq!((asked.kind, asked.length), (answered.kind, answered.length));
        if answered.flags == TlvFlags::MALFORMED && asked.flags != answered.flags {
            let end = at + TlvHeader::OCTETS + usize::from(answered.length.get());
            assert_eq!(request[end..], reply[end..], "behind a malformed TLV");
            return;
        }
    }
}

/// What a sender learns; with a key, of a reply whose HMAC TLV is in its place, all is verified.
fn check_learnt(
    key: Option<&StampKey>,
    number: [u8; 4],
    request: &[u8],
    reply: &[u8],
    base: usize,
) {
    let mut learnt = Learnt::default();
    learnt.read(&reply[base..], number, 0, None);
    assert!(learnt.tlvs.len() <= 12, "more types than are known");
    assert_eq!(
        learnt.tlvs.iter().filter_map(Seen::facts).count(),
        learnt.tlvs.len()
    );
    let (asked, answered) = (headers(&request[base..]), headers(&reply[base..]));
    let is_hmac_used = answered
        .iter()
        .any(|(_, header)| header.kind == TlvType::HMAC && header.flags == TlvFlags(0));
    let was_hmac_used = asked
        .iter()
        .any(|(_, header)| header.kind == TlvType::HMAC && header.flags == TlvFlags(0));
    if key.is_some() && is_hmac_used && !was_hmac_used {
        let mut learnt = Learnt::default();
        learnt.read(&reply[base..], number, 0, key);
        assert_eq!(learnt.unverified, 0, "a reply with a wrong HMAC");
    }
}
