//! Any octets as what comes back to a Session-Sender, and when.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use twinpath_proto::TestGuard;
use twinpath_proto::extension::{AskedTlv, RequestChain};
use twinpath_proto::security::SessionKeys;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SenderCounters, SessionSender, Wire,
};
use twinpath_proto::stamp::StampKey;
use twinpath_proto::{ClockPair, TestFeatures};
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{
    Arrival, ErrorEstimate, Mono, ReflectorSecured, ReplyHead, Rung, SenderOpen, SenderSecured,
    Stamp, StampReflectorAuthenticated, StampSenderAuthenticated, TlvType, Tos, Wall,
};

use crate::extensions::sign;
use crate::peer::{AES, HMAC, TestKeys};

const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 862);
const EPOCH_NS: i64 = 1_795_392_000_000_000_000;

/// A session of eight packets. Octet 0: the protocol, features, TLVs and security mode. Then its history:
/// per record one octet that says what happens (bits 0 to 5: after this many times 2 ms; bit 0: its HMAC
/// TLV is made right; bit 6: the datagram is made a reply to one of the requests; bit 7: a transmit stamp comes), one that says how
/// long the datagram is, then the datagram. Every packet has one fate at the end.
pub(crate) fn sender(data: &[u8]) {
    history(data);
}

fn history(data: &[u8]) -> SessionSender {
    let flags = data.first().copied().unwrap_or(0);
    let secured = secured(flags);
    let sid = Sid([7; 16]);
    let keys = TestKeys::new(sid.0, secured == Modes::ENCRYPTED);
    let is_secured = flags & 0x85 == 0x84;
    let stamp_key = StampKey::new(&AES).ok().filter(|_| flags & 0x81 == 0x81);
    let guard = match &stamp_key {
        Some(key) => TestGuard::stamp(key.clone()),
        None if is_secured => TestGuard::with_keys(secured, &SessionKeys::new(AES, HMAC), sid),
        None => TestGuard::default(),
    };
    let chain = RequestChain::new(&asked(flags), Tos(0)).expect("they fit");
    let is_signed = chain.value(TlvType::HMAC).is_some();
    let tlv_key = StampKey::new(&HMAC).ok().filter(|_| is_signed);
    let mut sender = SessionSender::new(config(flags, is_secured, &chain))
        .guarded(guard)
        .asking(chain, tlv_key);
    let mut now = Mono::from_ns(0);
    let mut requests: Vec<Vec<u8>> = Vec::new();
    let mut tokens = Vec::new();
    let mut fates = [0_u32; 8];
    let mut rest = data.get(1..).unwrap_or_default();
    while let Some((&[what, octets], tail)) = rest.split_first_chunk() {
        let (datagram, tail) = tail.split_at(usize::from(octets).min(tail.len()));
        rest = tail;
        now += Duration::from_micros(u64::from(what & 0x3f) * 2_000);
        let wall = Wall::from_unix_ns(EPOCH_NS.saturating_add_unsigned(now.ns()));
        let mut packet = [0; 256];
        while let Some(transmit) = sender.poll_transmit(now, &mut packet) {
            let sent = packet.get_mut(..transmit.octets).unwrap_or_default();
            tokens.push(sender.finish(sent, transmit, ClockPair { mono: now, wall }));
            let mut sent = sent.to_vec();
            let is_right = match &stamp_key {
                Some(key) => key.opens(&sent),
                None => !is_secured || keys.open(&mut sent, SenderSecured::OCTETS),
            };
            assert!(is_right, "a request with a wrong HMAC");
            requests.push(sent);
        }
        let mut datagram = datagram.to_vec();
        if is_signed && what & 1 != 0 {
            sign(&mut datagram, if stamp_key.is_some() { 112 } else { 44 });
        }
        match &stamp_key {
            _ if what & 0x40 == 0 => {}
            Some(key) => answer_authenticated(&mut datagram, &requests, key),
            None if is_secured => answer_secured(&mut datagram, &requests, &keys),
            None => answer(&mut datagram, &requests, flags & 1 != 0),
        }
        let rung = if octets & 1 == 0 {
            Rung::Kernel
        } else {
            Rung::User
        };
        let arrival = Arrival {
            to_port: 20_000,
            truncated: octets & 2 == 2,
            ..Arrival::new(Stamp { at: wall, rung }, FAR)
        };
        sender.handle_reply(now, &datagram, &arrival);
        if what & 0x80 != 0
            && let Some(token) = tokens.get(usize::from(octets % 8))
        {
            sender.handle_tx_stamp(token, Stamp { at: wall, rung });
        }
        sender.handle_timeout(now);
        count(&mut sender, &mut fates);
    }
    sender.stop(now);
    count(&mut sender, &mut fates);
    check(sender.counters(), &fates);
    sender
}

fn config(flags: u8, is_secured: bool, chain: &RequestChain) -> SenderConfig {
    let tlv_octets = u16::try_from(chain.octets()).unwrap_or(0);
    let wire = wire(flags).with_tlvs(tlv_octets);
    SenderConfig {
        wire,
        far: FAR,
        start: Mono::from_ns(0),
        schedule: Schedule::every(Duration::from_millis(50)),
        limit: Limit::Count(8),
        timeout: Duration::from_millis(200),
        payload: PayloadSize::Fixed(if is_secured {
            112
        } else {
            wire.payload_octets(41)
        }),
        fill: Fill::Random,
        seed: 1,
        max_burst: 3,
        error: ErrorEstimate::from_bits(1),
        tai_offset_s: 37,
        await_tx_stamps: flags & 2 == 2,
    }
}

/// Every packet that was sent has one fate, and the counts say so.
fn check(counters: &SenderCounters, fates: &[u32]) {
    assert_eq!(
        counters.sent,
        counters.received + counters.lost,
        "{counters:?}"
    );
    assert!(
        fates.iter().all(|ends| *ends <= 1),
        "a packet ended twice: {fates:?}"
    );
    assert_eq!(
        u64::from(fates.iter().sum::<u32>()),
        counters.sent,
        "{fates:?} {counters:?}"
    );
}

/// With bits 2 and 7, and not bit 0: one of the two modes that secure packets.
fn secured(flags: u8) -> Modes {
    if flags & 8 == 0 {
        Modes::ENCRYPTED
    } else {
        Modes::AUTHENTICATED
    }
}

/// Bit 0: STAMP, with bit 7 authenticated. Bit 2: agreed, with the features of bits 3 to 6; with bit 7 too, secured.
fn wire(flags: u8) -> Wire {
    match flags & 5 {
        0 => Wire::TWAMP_LIGHT,
        4 => Wire::twamp(TestFeatures {
            modes: Modes::from_bits(u32::from(flags & 0x78) << 2)
                | if flags & 0x80 == 0 {
                    Modes::UNAUTHENTICATED
                } else {
                    secured(flags)
                },
            padding_to_reflect: 6,
            server_octets: u16::from(flags & 8),
        }),
        _ if flags & 0x80 != 0 => Wire::stamp(7).authenticated(),
        _ => Wire::stamp(7),
    }
}

/// Bits 3 to 6, with bit 0: the TLVs of STAMP.
fn asked(flags: u8) -> Vec<AskedTlv> {
    let names = ["follow-up-telemetry", "micro-session=3", "cos=46", "hmac"];
    let bits = (3..7).filter(|bit| flags & 1 != 0 && flags >> bit & 1 != 0);
    bits.filter_map(|bit| names.get(bit - 3)?.parse().ok())
        .collect()
}

/// Makes the datagram a reply to one of the requests, where it is long enough.
fn answer(datagram: &mut [u8], requests: &[Vec<u8>], is_stamp: bool) {
    let Ok((head, _)) = ReplyHead::view_mut(datagram) else {
        return;
    };
    let which = usize::try_from(head.sender_seq.get() % 8).unwrap_or(0);
    let Some(request) = requests.get(which) else {
        return;
    };
    let Ok((request, _)) = SenderOpen::view(request) else {
        return;
    };
    head.sender_seq = request.seq;
    head.sender_t1 = request.t1;
    if is_stamp {
        // Without it, what follows is padding.
        head.ssid.set(7);
    }
}

/// The same where packets are secured: the plain octets are sealed, one in eight with a wrong HMAC.
fn answer_secured(datagram: &mut [u8], requests: &[Vec<u8>], keys: &TestKeys) {
    let forgery = datagram.first().map_or(0, |octet| u8::from(octet & 7 == 7));
    let Ok((head, _)) = ReflectorSecured::view_mut(datagram) else {
        return;
    };
    let which = usize::try_from(head.sender_seq.get() % 8).unwrap_or(0);
    let Some(request) = requests.get(which) else {
        return;
    };
    let Ok((request, _)) = SenderSecured::view(request) else {
        return;
    };
    head.sender_seq = request.seq;
    head.sender_t1 = request.t1;
    keys.seal(datagram, ReflectorSecured::OCTETS, forgery);
}

/// The same of authenticated STAMP.
fn answer_authenticated(datagram: &mut [u8], requests: &[Vec<u8>], key: &StampKey) {
    let forgery = datagram.first().is_some_and(|octet| octet & 7 == 7);
    let Ok((head, _)) = StampReflectorAuthenticated::view_mut(datagram) else {
        return;
    };
    let which = usize::try_from(head.sender_seq.get() % 8).unwrap_or(0);
    let Some(request) = requests.get(which) else {
        return;
    };
    let Ok((request, _)) = StampSenderAuthenticated::view(request) else {
        return;
    };
    head.sender_seq = request.seq;
    head.sender_t1 = request.t1;
    head.ssid.set(7);
    key.seal(datagram);
    if forgery && let Some(octet) = datagram.get_mut(96) {
        *octet ^= 1;
    }
}

fn count(sender: &mut SessionSender, fates: &mut [u32; 8]) {
    while let Some(sample) = sender.poll_sample() {
        let ends = u32::from(sample.fate != twinpath_wire::Fate::Duplicate);
        if let Some(fate) = usize::try_from(sample.seq)
            .ok()
            .and_then(|seq| fates.get_mut(seq))
        {
            *fate += ends;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn replies_are_received_in_the_open_and_sealed() {
        let counted = |mode: u8| {
            let inputs = corpus::of("sender");
            let of = inputs.iter().filter(|input| {
                let flags = input.first().copied().unwrap_or(0);
                let is_stamp = flags & 0x81 == 0x81;
                let is_twamp = flags & 0x85 == 0x84;
                mode == u8::from(is_twamp) + 2 * u8::from(is_stamp)
            });
            of.map(|input| *history(input).counters())
                .map(|counters| (counters.received, counters.anomalies.forged))
                .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        };
        let [(open, _), (twamp, _), (stamp, forged)] = [0, 1, 2].map(counted);
        assert!(open >= 4 && twamp >= 8, "{open} {twamp}");
        assert!(stamp >= 2 && forged >= 1, "{stamp} {forged}");
    }

    #[test]
    fn tlvs_of_replies_are_used_and_refused() {
        let inputs = corpus::of("sender");
        let learnt = inputs.iter().filter_map(|input| {
            let sender = history(input);
            let other = sender.counters().anomalies.micro_session;
            let learnt = sender.learnt()?;
            Some([learnt.corrections.count, learnt.unverified, other])
        });
        let sums = learnt.fold([0; 3], |sums, one| [0, 1, 2].map(|at| sums[at] + one[at]));
        assert!(sums.iter().all(|sum| *sum >= 2), "{sums:?}");
    }
}
