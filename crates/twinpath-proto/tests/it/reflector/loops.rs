//! One spoofed packet must not make two reflectors answer each other for ever.

use std::net::SocketAddr;

use proptest::prelude::*;
use twinpath_proto::reflector::{ReflectorProtocols, SessionReflector, classify};
use twinpath_wire::{Arrival, Delta, ReplyHead, SenderOpen, Stamp, TimeFormat, Wall, WireTime};

use super::support::{
    HERE, NOW, THERE, arrival, ask, ask_slow, light, ms, reflector, stamp, way_back,
};

/// Rounds after which a loop is called endless.
const ENDLESS: usize = 50;

/// Lets two ends answer each other, the first packet spoofed; says how often each did.
fn play(
    mut first: impl FnMut(&[u8], &Arrival) -> Option<Vec<u8>>,
    mut second: impl FnMut(&[u8], &Arrival) -> Option<Vec<u8>>,
    spoofed: &[u8],
    ports: [u16; 2],
) -> [usize; 2] {
    let from = SocketAddr::new(THERE, ports[0]);
    let mut arrival = Arrival {
        from,
        to: Some(HERE),
        to_port: ports[1],
        ..arrival()
    };
    let mut packet = spoofed.to_vec();
    let mut answers = [0, 0];
    for round in 0..ENDLESS {
        let turn = round % 2;
        let answer = if turn == 0 {
            first(&packet, &arrival)
        } else {
            second(&packet, &arrival)
        };
        let Some(answer) = answer else { break };
        answers[turn] += 1;
        packet = answer;
        arrival = way_back(&arrival);
        arrival.at.at = arrival.at.at + Delta::from_ns(1_000_000);
    }
    answers
}

fn ours(mut engine: SessionReflector) -> impl FnMut(&[u8], &Arrival) -> Option<Vec<u8>> {
    move |packet, arrival| {
        ask(&mut engine, ms(0), packet, arrival)
            .ok()
            .map(|(reply, _)| reply)
    }
}

#[test]
fn two_responders_and_a_spoofed_packet_make_one_reply() {
    let mut spoofs = vec![light(0, &[]), light(0, &[0; 27]), light(9, &[7; 200])];
    spoofs.push(stamp(0, 5, &[0x80, 1, 0, 4, 1, 2, 3, 4]));
    let mut old = light(0, &[0; 27]);
    SenderOpen::view_mut(&mut old).unwrap().0.t1 = WireTime::from_bits(0);
    spoofs.push(old);
    for spoofed in spoofs {
        for ports in [
            [862, 862],
            [20_001, 862],
            [862, 5_000],
            [5_000, 6_000],
            [20_001, 20_001],
        ] {
            let answers = play(
                ours(reflector(|_| {})),
                ours(reflector(|_| {})),
                &spoofed,
                ports,
            );
            assert_eq!(answers, [1, 0], "{ports:?}, {} octets", spoofed.len());
        }
    }
}

/// Reflectors that answer any datagram, each with a different mistake.
fn careless(slip: Slip) -> impl FnMut(&[u8], &Arrival) -> Option<Vec<u8>> {
    move |packet, arrival| {
        let mut reply = vec![0; packet.len().max(41)];
        let clock = match slip {
            Slip::ClockOfItsOwn => Wall::from_unix_ns(1_000_000_000),
            Slip::None | Slip::ShortReplies | Slip::NoT2 | Slip::Ptp | Slip::Echo => arrival.at.at,
        };
        let format = if slip == Slip::Ptp {
            TimeFormat::Ptp
        } else {
            TimeFormat::Ntp
        };
        let (request, padding) = SenderOpen::view(packet).ok()?;
        let kept = padding.len().min(reply.len() - 41);
        reply[41..41 + kept].copy_from_slice(&padding[..kept]);
        let head = ReplyHead::view_mut(&mut reply).ok()?.0;
        head.seq = request.seq;
        head.t3 = WireTime::write(clock, format, 37);
        head.error = request.error;
        head.t2 = if slip == Slip::NoT2 {
            WireTime::default()
        } else {
            head.t3
        };
        head.sender_seq = request.seq;
        head.sender_t1 = request.t1;
        reply[38] = 1; // not even MBZ is zero
        match slip {
            Slip::ShortReplies => reply.truncate(38),
            Slip::Echo => reply = packet.to_vec(),
            Slip::None | Slip::ClockOfItsOwn | Slip::NoT2 | Slip::Ptp => {}
        }
        Some(reply)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slip {
    None,
    ShortReplies,
    ClockOfItsOwn,
    NoT2,
    Ptp,
    Echo,
}

#[test]
fn another_program_that_answers_everything_gets_two_replies_at_most() {
    use Slip::{ClockOfItsOwn, Echo, NoT2, None, Ptp, ShortReplies};
    for slip in [None, ShortReplies, ClockOfItsOwn, NoT2, Ptp, Echo] {
        for t1 in [0, 1, WireTime::ntp(NOW).bits(), 0x1234_5678_9abc_def0] {
            for ports in [[862, 862], [862, 5_000], [5_000, 862], [5_000, 6_000]] {
                let mut spoofed = light(0, &[0x55; 60]);
                SenderOpen::view_mut(&mut spoofed).unwrap().0.t1 = WireTime::from_bits(t1);
                let [mine, _] = play(ours(reflector(|_| {})), careless(slip), &spoofed, ports);
                assert!(
                    (1..=2).contains(&mine),
                    "{slip:?}, {t1:x}, {ports:?}: {mine} replies"
                );
                let [_, mine] = play(careless(slip), ours(reflector(|_| {})), &spoofed, ports);
                assert!(mine <= 2, "{slip:?}, {t1:x}, {ports:?}: {mine} replies");
            }
        }
    }
}

#[test]
fn reflectors_that_only_one_protocol_or_ptp_is_asked_of_do_not_loop_either() {
    let engine = |speaks| {
        reflector(|config| {
            config.protocols = speaks;
            config.format = TimeFormat::Ptp;
        })
    };
    let every = [
        ReflectorProtocols::Auto,
        ReflectorProtocols::TwampLight,
        ReflectorProtocols::Stamp,
    ];
    for first in every {
        for second in every {
            let spoofed = light(0, &[0; 60]);
            let answers = play(
                ours(engine(first)),
                ours(engine(second)),
                &spoofed,
                [5_000, 6_000],
            );
            assert_eq!(answers, [1, 0], "{first:?} and {second:?}");
        }
    }
}

/// The first 38 octets of a reply, as some reflectors send no more: no MBZ to go by.
fn short_reply(t3: Wall, t2: Wall, sender_t1: WireTime) -> Vec<u8> {
    let mut reply = vec![0; 38];
    let head = ReplyHead::view_mut(&mut reply).unwrap().0;
    (head.t3, head.t2, head.sender_t1) = (WireTime::ntp(t3), WireTime::ntp(t2), sender_t1);
    reply
}

#[test]
fn each_sign_of_a_reply_is_enough_and_none_is_not() {
    let second = |seconds: i64| Delta::from_ns(seconds * 1_000_000_000);
    let long_ago = Wall::from_unix_ns(1_000_000_000_000_000_000);
    let far = WireTime::ntp(long_ago - second(40 * 86_400));
    for (what, t3, t2, sender_t1, ports, is_reply) in [
        ("no sign", long_ago, long_ago, far, [5_000, 6_000], false),
        ("port 862", long_ago, long_ago, far, [862, 6_000], true),
        ("port 20001", long_ago, long_ago, far, [20_001, 6_000], true),
        ("equal ports", long_ago, long_ago, far, [6_000, 6_000], true),
        ("to 862", long_ago, long_ago, far, [5_000, 862], false),
        (
            "T1 near T3",
            long_ago,
            long_ago,
            near_t3(long_ago),
            [5_000, 6_000],
            true,
        ),
        (
            "T1 near our clock",
            long_ago,
            long_ago,
            WireTime::ntp(NOW),
            [5_000, 6_000],
            true,
        ),
        (
            "in PTP",
            long_ago,
            long_ago,
            WireTime::ptp(NOW, 37),
            [5_000, 6_000],
            true,
        ),
        (
            "T3 1 s before T2",
            long_ago,
            long_ago + second(1),
            far,
            [862, 862],
            true,
        ),
        (
            "T3 2 s before T2",
            long_ago,
            long_ago + second(2),
            far,
            [862, 862],
            false,
        ),
        (
            "10 s at the reflector",
            long_ago,
            long_ago - second(10),
            far,
            [862, 862],
            true,
        ),
        (
            "11 s at the reflector",
            long_ago,
            long_ago - second(11),
            far,
            [862, 862],
            false,
        ),
    ] {
        let packet = short_reply(t3, t2, sender_t1);
        let class = classify(ReflectorProtocols::Auto, &packet, ports[0], ports[1], NOW);
        assert_eq!(class.is_err(), is_reply, "{what}");
    }
}

fn near_t3(t3: Wall) -> WireTime {
    WireTime::ntp(t3 - Delta::from_ns(29 * 86_400 * 1_000_000_000))
}

proptest! {
    /// Whatever the forger wrote, and however wrong the two clocks are.
    #[test]
    fn no_reply_of_ours_is_answered_by_one_of_us(
        spoofed in prop::collection::vec(any::<u8>(), 14..200),
        ports in prop::array::uniform2(1024_u16..),
        clocks_s in prop::array::uniform2(1..4_000_000_000_i64),
        residence_ns in 0..10_000_000_000_i64,
        stateful in any::<bool>(),
        speaks in prop_oneof![Just(ReflectorProtocols::Auto), Just(ReflectorProtocols::TwampLight), Just(ReflectorProtocols::Stamp)],
    ) {
        let at = |seconds: i64| Stamp {
            at: Wall::from_unix_ns(seconds * 1_000_000_000 + 500_000_007),
            ..arrival().at
        };
        let from = SocketAddr::new(THERE, ports[0]);
        let arrival = Arrival { from, to_port: ports[1], at: at(clocks_s[0]), ..arrival() };
        let mut one = reflector(|config| (config.stateful, config.protocols) = (stateful, speaks));
        let residence = Delta::from_ns(residence_ns);
        if let Ok((reply, _)) = ask_slow(&mut one, ms(0), &spoofed, &arrival, residence) {
            let back = Arrival { at: at(clocks_s[1]), ..way_back(&arrival) };
            for speaks in [ReflectorProtocols::Auto, ReflectorProtocols::TwampLight, ReflectorProtocols::Stamp] {
                let mut other = reflector(|config| config.protocols = speaks);
                prop_assert!(ask(&mut other, ms(0), &reply, &back).is_err());
            }
        }
    }
}
