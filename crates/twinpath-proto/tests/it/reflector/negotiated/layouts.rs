//! Replies octet by octet, from the tables of RFC 5357 section 4.2.1, RFC 6038 section 5.2, RFC 7750
//! section 2.2.1 and RFC 8186 section 2.

use twinpath_wire::control::Modes;
use twinpath_wire::{Delta, ErrorEstimate, SenderOpen, Tos, Wall, WireTime};

use super::super::support::{NOW, arrival, light, ms};
use super::{ask, combinations, running};

/// Unix seconds of [`NOW`], and its nanoseconds.
const NOW_S: u32 = 1_795_392_000;
const NOW_NS: u32 = 123_456_789;

/// T2 or T3, built by hand, each 20 us later.
fn time(ptp: bool, later_ns: u32) -> [u8; 8] {
    let ns = NOW_NS + later_ns;
    let (seconds, below) = if ptp {
        (NOW_S + 37, ns)
    } else {
        let fraction = ((u64::from(ns) << 32) + 500_000_000) / 1_000_000_000;
        (
            NOW_S.wrapping_add(2_208_988_800),
            u32::try_from(fraction).unwrap(),
        )
    };
    let mut octets = [0; 8];
    octets[..4].copy_from_slice(&seconds.to_be_bytes());
    octets[4..].copy_from_slice(&below.to_be_bytes());
    octets
}

/// A request as its variant has it: zeros where Symmetrical Size wants them, then padding of which
/// no octet is like its neighbour.
fn request(modes: Modes, padding: usize) -> Vec<u8> {
    let zeros = match (modes.bits() & 64 != 0, modes.bits() & 256 != 0) {
        (false, _) => 0,
        (true, false) => 27,
        (true, true) => 28,
    };
    let padding = (0x30..0x40).cycle().take(padding);
    let behind: Vec<u8> = std::iter::repeat_n(0, zeros).chain(padding).collect();
    light(0x0102_0304, &behind)
}

/// The reply by the tables, for a request that is as long as its variant needs.
fn by_hand(modes: Modes, request: &[u8]) -> Vec<u8> {
    let (symmetrical, monitored) = (modes.bits() & 64 != 0, modes.bits() & 256 != 0);
    let ptp = modes.bits() & 512 != 0;
    let mut reply = Vec::new();
    reply.extend([0, 0, 0, 0]); // 0: Sequence Number, the session's first
    reply.extend(time(ptp, 20_000)); // 4: Timestamp
    reply.extend(if ptp { [0xcd, 0x01] } else { [0x8d, 0x01] }); // 12: Error Estimate, Z
    reply.extend([0, 0]); // 14: MBZ
    reply.extend(time(ptp, 0)); // 16: Receive Timestamp
    reply.extend(&request[..4]); // 24: Sender Sequence Number
    reply.extend(&request[4..12]); // 28: Sender Timestamp
    reply.extend(&request[12..14]); // 36: Sender Error Estimate
    reply.extend([0, 0]); // 38: MBZ
    reply.push(61); // 40: Sender TTL
    if monitored {
        reply.push(0xb9); // 41: S-DSCP-ECN
        reply.extend([0, 0]); // 42: MBZ
    }
    let padding = match (symmetrical, monitored) {
        (false, _) => &request[14..],
        (true, false) => &request[41..],
        (true, true) => &request[42..],
    };
    let longest = request.len().max(reply.len());
    reply.extend(padding);
    reply.truncate(longest);
    reply
}

#[test]
fn replies_of_every_combination_of_features_are_those_of_the_tables() {
    for modes in combinations() {
        for padding in [30, 31, 44, 59, 100, 300, 1_400] {
            for reflected in [0, 2, 29, 57] {
                let mut ours = running(|spec| {
                    spec.modes = modes;
                    spec.padding_to_reflect = reflected;
                });
                let request = request(modes, padding);
                let mut arrival = arrival();
                arrival.tos = Some(Tos(0xb9));
                let (reply, _) = ask(&mut ours, ms(0), &request, &arrival).unwrap();
                let context = format!("{modes}; padding {padding}, to reflect {reflected}");
                assert_eq!(reply, by_hand(modes, &request), "{context}");
            }
        }
    }
}

#[test]
fn octets_to_be_reflected_follow_the_header_wherever_they_came_from() {
    for modes in combinations().filter(|modes| modes.bits() & 32 != 0) {
        let reflected = 21;
        let mut ours = running(|spec| {
            spec.modes = modes;
            spec.padding_to_reflect = reflected;
        });
        let request = request(modes, 27 + 3 + 21);
        let from = request.len() - 51;
        let (reply, _) = ask(&mut ours, ms(0), &request, &arrival()).unwrap();
        let header = if modes.bits() & 256 != 0 { 44 } else { 41 };
        assert_eq!(
            reply[header..header + 21],
            request[from..from + 21],
            "{modes}"
        );
        assert_eq!(reply.len(), request.len(), "{modes}");
    }
}

#[test]
fn every_tos_octet_comes_back_as_it_arrived_and_an_unknown_one_as_zero() {
    let mut ours = running(|spec| spec.modes = Modes::from_bits(1 | 256));
    let mut arrival = arrival();
    for octet in 0..=255 {
        arrival.tos = Some(Tos(octet));
        let (reply, tos) = ask(
            &mut ours,
            ms(0),
            &request(Modes::from_bits(1), 30),
            &arrival,
        )
        .unwrap();
        assert_eq!(reply[41..44], [octet, 0, 0]);
        assert_eq!(tos, Tos(0), "the reply has the session's");
    }
    arrival.tos = None;
    let (reply, _) = ask(
        &mut ours,
        ms(0),
        &request(Modes::from_bits(1), 30),
        &arrival,
    )
    .unwrap();
    assert_eq!(reply[41..44], [0, 0, 0]);
}

#[test]
fn a_session_without_ptp_answers_in_ntp_whatever_its_sender_writes_and_copies_what_it_wrote() {
    for (bits, z) in [(1_u32, 0_u16), (1 | 512, 0x4000)] {
        let mut ours = running(|spec| spec.modes = Modes::from_bits(bits));
        let mut request = light(9, &[0x11; 40]);
        let head = SenderOpen::view_mut(&mut request).unwrap().0;
        head.t1 = WireTime::ptp(NOW, 37);
        head.error = ErrorEstimate::from_bits(0x7fff);
        let (reply, _) = ask(&mut ours, ms(0), &request, &arrival()).unwrap();
        assert_eq!(reply[24..38], request[..14]);
        assert_eq!(u16::from_be_bytes([reply[12], reply[13]]), 0x8d01 | z);
    }
}

#[test]
fn an_error_estimate_of_zero_is_never_sent() {
    let mut ours = running(|spec| spec.modes = Modes::from_bits(1 | 512));
    let mut buffer = light(9, &[0x11; 40]);
    let octets = buffer.len();
    let reflection = ours
        .reflect(ms(0), &mut buffer, octets, &arrival())
        .unwrap();
    let t3: Wall = NOW + Delta::from_ns(1);
    ours.seal(&reflection, &mut buffer, t3, ErrorEstimate::from_bits(0));
    assert_ne!(buffer[13], 0);
    assert_eq!(buffer[12] & 0x40, 0x40);
}
