//! Far ends that err, with the check that finds it and what it says.

use twinpath_wire::{Ecn, Tos};

use crate::doctor::fakes::{FakeFar, Sent};
use crate::doctor::train::FIRST;

/// Check, part of its finding, far end.
type Error = (&'static str, &'static str, FakeFar);

pub(super) fn all() -> Vec<Error> {
    [
        reach(),
        packets(),
        times(),
        clocks(),
        paths(),
        arrivals(),
        tlvs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn reach() -> Vec<Error> {
    let echo = FakeFar::erring(|request, mut replies| {
        for reply in &mut replies {
            reply.octets = request.octets.to_vec();
        }
        replies
    });
    let elsewhere = FakeFar::erring(|_, mut replies| {
        for reply in &mut replies {
            reply.from = "203.0.113.8:862".parse().unwrap();
        }
        replies
    });
    vec![
        ("reach.udp", "returns packets unchanged", echo),
        ("reach.udp", "replies come from 203.0.113.8:862", elsewhere),
        (
            "reach.udp",
            "203.0.113.7:20001 reflects test packets, and 203.0.113.7:862 returns packets unchanged",
            FakeFar {
                ports: vec![862, 20_001],
                ..FakeFar::erring(|request, mut replies| {
                    for reply in replies.iter_mut().filter(|reply| reply.from.port() == 862) {
                        reply.octets = request.octets.to_vec();
                    }
                    replies
                })
            },
        ),
        (
            "light.answers",
            "answers STAMP, and does not answer TWAMP Light",
            FakeFar::erring(|request, mut replies| {
                replies.retain(|_| request.octets.len() >= 44);
                replies
            }),
        ),
        (
            "reach.udp",
            "and not with TWAMP or STAMP",
            changed(24, &[9; 4]),
        ),
        (
            "stamp.answers",
            "another Session Identifier",
            changed(14, &[1, 2]),
        ),
    ]
}

fn packets() -> Vec<Error> {
    let twice = FakeFar::erring(|_, replies| [replies.clone(), replies].concat());
    let odd = FakeFar::changing(|_, reply| {
        let number = u32::from_be_bytes(*reply.first_chunk().unwrap());
        let odd = (u32::MAX / 2).wrapping_sub(number * 7);
        reply[..4].copy_from_slice(&odd.to_be_bytes());
    });
    // It counts the packets of a second session too.
    let shared = FakeFar::changing(|_, reply| {
        let number = u32::from_be_bytes(*reply.first_chunk().unwrap());
        reply[..4].copy_from_slice(&(number * 2).to_be_bytes());
    });
    let longer = FakeFar::changing(|request, reply| reply.resize(request.len() + 27, 0));
    let padding = FakeFar::changing(|request, reply| reply.resize(request.len() + 4, 0));
    vec![
        ("test.one-reply", "more than one reply", twice),
        (
            "test.one-reply",
            "15 of 20 packets were answered; by the reflector's numbers 5 were lost on the way back",
            losing(|number| number % 4 == 1),
        ),
        (
            "test.one-reply",
            "15 of 20 packets were answered; by the reflector's numbers 5 were lost on the way out",
            on_the_way_out(|octets, tos| (octets[3] % 4 != 1).then_some(tos)),
        ),
        (
            "test.copied",
            "do not copy the request's Error Estimate",
            changed(36, &[0x3f, 0xff]),
        ),
        (
            "test.numbers",
            "all replies have the same number",
            changed(0, &[0, 0, 0, 7]),
        ),
        ("test.numbers", "neither grow by one nor copy", odd),
        ("test.numbers", "other packets are counted too", shared),
        ("test.reply-size", "all replies have 44 octets", cut(44)),
        ("test.reply-size", "27 octets longer", longer),
        (
            "test.reply-size",
            "do not have the size of their requests; those",
            padding,
        ),
        (
            "test.reply-size",
            "octets at most: those to longer requests are truncated",
            cut(142),
        ),
        (
            "test.reply-size",
            "requests of 700, 1200 octets are not answered",
            longest(600),
        ),
        ("test.sender-ttl", "Sender TTL is 0", changed(40, &[0])),
        (
            "test.sender-ttl",
            "Sender TTL is 64, which would be 191 hops",
            changed(40, &[64]),
        ),
        (
            "test.sender-ttl",
            "replies end before the Sender TTL",
            cut(38),
        ),
    ]
}

fn times() -> Vec<Error> {
    let unix_seconds = times_changed(|time| time.wrapping_sub(2_208_988_800 << 32));
    let gps_seconds = times_changed(|time| time.wrapping_sub((2_208_988_800 + 315_964_800) << 32));
    let since_start = times_changed(|time| (time & 0x000f_ffff_ffff_ffff) | (1 << 47));
    let years_ago = times_changed(|time| time.wrapping_sub(200_000_000 << 32));
    let microseconds = times_changed(|time| {
        let fraction = time & 0xffff_ffff;
        (time & !0xffff_ffff) | ((fraction * 1_000_000) >> 32)
    });
    let seconds = times_changed(|time| time & !0xffff_ffff);
    let swapped = FakeFar::changing(|_, reply| {
        let (t3, t2) = (reply[4..12].to_vec(), reply[16..24].to_vec());
        reply[4..12].copy_from_slice(&t2);
        reply[16..24].copy_from_slice(&t3);
    });
    let equal = FakeFar::changing(|_, reply| reply.copy_within(16..24, 4));
    let half_a_second_later = FakeFar::changing(|_, reply| {
        let t3 = u64::from_be_bytes(*reply[4..].first_chunk().unwrap()) + (1 << 31);
        reply[4..12].copy_from_slice(&t3.to_be_bytes());
    });
    let half_a_second_earlier = FakeFar::changing(|_, reply| {
        let t3 = u64::from_be_bytes(*reply[4..].first_chunk().unwrap()) - (1 << 31);
        reply[4..12].copy_from_slice(&t3.to_be_bytes());
    });
    let ptp = FakeFar::changing(|_, reply| reply[12] |= 0x40);
    vec![
        (
            "test.time-format",
            "no receive timestamp",
            changed(16, &[0; 8]),
        ),
        (
            "test.time-format",
            "no transmit timestamp",
            changed(4, &[0; 8]),
        ),
        ("test.time-format", "and the Z bit says PTP", ptp),
        ("test.time-format", "count seconds since 1970", unix_seconds),
        ("test.time-format", "count seconds since 1980", gps_seconds),
        ("test.time-format", "its clock was never set", since_start),
        ("test.time-format", "days away", years_ago),
        (
            "test.time-unit",
            "the fraction has another unit",
            microseconds,
        ),
        (
            "test.time-unit",
            "all receive timestamps are the same",
            seconds,
        ),
        ("test.residence", "T2 and T3 are swapped", swapped),
        (
            "test.residence",
            "20 of 20 replies leave before their requests arrive: the clock was set",
            half_a_second_earlier,
        ),
        ("test.residence", "T2 and T3 are equal", equal),
        (
            "test.residence",
            "than the whole round trip",
            half_a_second_later,
        ),
    ]
}

fn clocks() -> Vec<Error> {
    let ahead = || times_changed(|time| time + (2 << 32));
    let tai = times_changed(|time| time + (37 << 32));
    let gps = times_changed(|time| time + (18 << 32));
    let behind = times_changed(|time| time - (37 << 32));
    // By four thousandths, from when this fake far end begins.
    let fast = times_changed(|time| time + (time - FakeFar::BEGINNING) / 250);
    let set = |by: i64| {
        let mut replies = 0_u32;
        FakeFar::erring(move |_, mut all| {
            for reply in &mut all {
                replies += 1;
                if replies > 62 {
                    add(&mut reply.octets, by << 32);
                }
            }
            all
        })
    };
    let freely = FakeFar::changing(|_, reply| {
        // Type 3, Timestamp Information.
        if reply.get(45) == Some(&3) {
            reply[48] = 5;
        }
    });
    vec![
        (
            "clock.offset",
            "ahead (within 5.050ms): about the difference of TAI and UTC",
            tai,
        ),
        (
            "clock.offset",
            "behind (within 5.050ms): about the difference of TAI and UTC",
            behind,
        ),
        ("clock.offset", "the difference of GPS time and UTC", gps),
        ("clock.skew", "runs faster than this host's, by", fast),
        ("clock.steps", "went forwards by 1", set(2)),
        ("clock.steps", "went backwards by 1", set(-2)),
        ("clock.claims", "that it runs freely", freely),
        ("clock.offset", "the clocks are apart: 2000.000ms", ahead()),
        (
            "clock.claims",
            "and the clocks are 2000.000ms apart",
            ahead(),
        ),
        ("clock.claims", "a Multiplier of 0", changed(13, &[0])),
    ]
}

fn paths() -> Vec<Error> {
    let drops_ef = FakeFar::erring(|_, mut replies| {
        replies.retain(|reply| reply.tos.0 != 0xb8);
        replies
    });
    let remarked = remarking(|tos| if tos == 0xb8 { 0x88 } else { tos });
    let drops_ecn = FakeFar::erring(|_, mut replies| {
        replies.retain(|reply| reply.asked.ecn() == Ecn::NotEct);
        replies
    });
    let drops_ect1 = FakeFar::erring(|_, mut replies| {
        replies.retain(|reply| reply.asked.ecn() != Ecn::Ect1);
        replies
    });
    vec![
        ("path.dscp", "come back with DSCP be", remarking(|_| 0)),
        (
            "path.dscp",
            "with DSCP ef, whatever the request has: the reflector has a DSCP of its own",
            remarking(|_| 0xb8),
        ),
        ("path.dscp", "ef comes back as af41", remarked),
        (
            "path.dscp",
            "packets with DSCP ef are not answered",
            drops_ef,
        ),
        (
            "path.ecn",
            "packets with ECN bits are not answered",
            drops_ecn,
        ),
        (
            "path.ecn",
            "packets with ECT(1) are not answered, and others with ECN bits are",
            drops_ect1,
        ),
        (
            "path.ecn",
            "ECT(1) comes back as ECT(0)",
            FakeFar::erring(|_, mut replies| {
                for reply in &mut replies {
                    if reply.asked.ecn() != Ecn::NotEct {
                        reply.tos = Tos(2);
                    }
                }
                replies
            }),
        ),
    ]
}

/// What the reflector says of the way out.
fn arrivals() -> Vec<Error> {
    vec![
        (
            "path.dscp",
            "ef arrives as be, af41 arrives as be, cs1 arrives as be, as the reflector's Class of Service TLV says; replies come back with what arrived",
            on_the_way_out(|_, tos| Some(tos & 3)),
        ),
        (
            "path.dscp",
            "af41 arrives as af11, as the reflector's Class of Service TLV says",
            on_the_way_out(|_, tos| Some(if tos == 0x88 { 0x28 } else { tos })),
        ),
        (
            "path.dscp",
            "as the reflector's Class of Service TLV says, and replies come back with the DSCP of their requests",
            class_of_service_with(&[0, 0]),
        ),
        (
            "path.dscp",
            "the reflector does not copy the DSCP, or a device on the way out or back clears it",
            FakeFar {
                way_out: |_, tos| Some(tos & 3),
                ..tlv_with(0, 0x80)
            },
        ),
        (
            "path.dscp",
            "requests arrive with their DSCP, and replies come back with DSCP be",
            remarking(|_| 0),
        ),
        (
            "path.ecn",
            "ECT(0) arrives as Not-ECT, ECT(1) arrives as Not-ECT, as the reflector's",
            on_the_way_out(|_, tos| Some(tos & !3)),
        ),
    ]
}

fn tlvs() -> Vec<Error> {
    let no_access_report = FakeFar::erring(|request, replies| {
        let is_report = request.octets.get(45) == Some(&6);
        if is_report { Vec::new() } else { replies }
    });
    vec![
        (
            "stamp.tlv.unknown",
            "as if it was processed",
            tlv_with(0, 0),
        ),
        ("stamp.tlv.malformed", "without the M flag", tlv_with(0, 0)),
        ("stamp.tlv.cos", "replies end before it", cut(44)),
        ("stamp.tlv.cos", "is not a whole TLV", cut(46)),
        ("stamp.tlv.cos", "is not a whole TLV", cut(50)),
        (
            "stamp.tlv.cos",
            "packets with TLVs are not answered, and others are",
            FakeFar::erring(|request, mut replies| {
                // Padding is zeros, or Extra Padding in packets of other lengths.
                let has_tlv = match request.octets.get(45) {
                    None | Some(0) => false,
                    Some(1) => request.octets.len() == 64,
                    Some(_) => true,
                };
                replies.retain(|_| !has_tlv);
                replies
            }),
        ),
        (
            "stamp.tlv.cos",
            "zeros come in its place",
            FakeFar::changing(|_, reply| {
                if let Some(chain) = reply.get_mut(44..) {
                    chain.fill(0);
                }
            }),
        ),
        (
            "stamp.tlv.location",
            "comes back marked as malformed",
            tlv_with(0, 0x40),
        ),
        (
            "stamp.tlv.access-report",
            "is not answered, and others are",
            no_access_report,
        ),
        (
            "stamp.tlv.direct-measurement",
            "another TLV comes back",
            tlv_with(1, 99),
        ),
    ]
}

/// One that answers none of these numbers, from 0.
pub(super) fn losing(is_lost: impl Fn(u32) -> bool + 'static) -> FakeFar {
    FakeFar::erring(move |request, replies| {
        let number = u32::from_be_bytes(*request.octets.first_chunk().unwrap());
        if is_lost(number - FIRST) {
            Vec::new()
        } else {
            replies
        }
    })
}

/// Longer requests vanish.
fn longest(most: usize) -> FakeFar {
    FakeFar::erring(move |request, replies| {
        if request.octets.len() > most {
            Vec::new()
        } else {
            replies
        }
    })
}

/// Replies have these octets at this offset.
fn changed(at: usize, octets: &'static [u8]) -> FakeFar {
    FakeFar::changing(move |_, reply| reply[at..at + octets.len()].copy_from_slice(octets))
}

/// Replies have at most so many octets.
fn cut(octets: usize) -> FakeFar {
    FakeFar::changing(move |_, reply| reply.truncate(octets))
}

/// The first TLV of replies has this octet at this offset.
pub(super) fn tlv_with(at: usize, octet: u8) -> FakeFar {
    FakeFar::changing(move |_, reply| {
        if let Some(found) = reply.get_mut(44 + at) {
            *found = octet;
        }
    })
}

/// Adds to both times of a reply.
fn add(reply: &mut [u8], by: i64) {
    for at in [4, 16] {
        let time = u64::from_be_bytes(*reply[at..].first_chunk().unwrap());
        let time = time.wrapping_add_signed(by);
        reply[at..at + 8].copy_from_slice(&time.to_be_bytes());
    }
}

/// Both times of replies are others.
fn times_changed(change: impl Fn(u64) -> u64 + 'static) -> FakeFar {
    FakeFar::changing(move |_, reply| {
        for at in [4, 16] {
            let time = u64::from_be_bytes(*reply[at..].first_chunk().unwrap());
            reply[at..at + 8].copy_from_slice(&change(time).to_be_bytes());
        }
    })
}

/// The way out does so with packets.
fn on_the_way_out(way_out: fn(&[u8], u8) -> Option<u8>) -> FakeFar {
    FakeFar {
        way_out,
        ..FakeFar::honest()
    }
}

/// Class of Service TLVs come back with this.
fn class_of_service_with(value: &'static [u8]) -> FakeFar {
    FakeFar::changing(move |_, reply| {
        // Type 4.
        if reply.get(45) == Some(&4) && reply[44] == 0 {
            reply[48..48 + value.len()].copy_from_slice(value);
        }
    })
}

/// Replies come in another class.
fn remarking(tos: impl Fn(u8) -> u8 + 'static) -> FakeFar {
    FakeFar::erring(move |_, replies| {
        let remark = |reply: Sent| Sent {
            tos: Tos(tos(reply.tos.0)),
            ..reply
        };
        replies.into_iter().map(remark).collect()
    })
}
