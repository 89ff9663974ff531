//! Checks against far ends in memory. Each error is found by the check that it concerns.

use twinpath_runtime::probe::{Connection, IcmpKind, PingSeen};

use twinpath_wire::Tos;

use super::fakes::{FakeFar, Request, Sent};
use super::train::FIRST;
use super::*;
use crate::failure::Exit;

const FAR: &str = "203.0.113.7:0";

/// What the checks say of `far`, and the verdict.
fn examined(mut far: FakeFar, port: Option<u16>) -> (Vec<Checked>, Verdict) {
    let mut seen = Seen::new(FarEndPlan {
        name: "r1".to_owned(),
        addresses: vec![FAR.parse().unwrap()],
        port,
    });
    let checks = examine(CHECKS, &mut seen, &mut far);
    let most: usize = CHECKS.iter().map(|check| check.most()).sum();
    assert!(far.asked <= most, "{} asked, {most} announced", far.asked);
    let verdict = verdict(&seen, &checks);
    (checks, verdict)
}

/// Names of the checks with this status.
fn with(checks: &[Checked], status: Status) -> Vec<&'static str> {
    let of = checks
        .iter()
        .filter(|checked| checked.judged.status == status);
    of.map(|checked| checked.id).collect()
}

#[test]
fn names_are_each_of_one_check() {
    let mut names: Vec<_> = CHECKS.iter().map(|check| check.id()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len());
}

#[test]
fn nothing_is_wrong_with_a_far_end_that_does_all_as_it_must() {
    let (checks, verdict) = examined(FakeFar::honest(), None);
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
    assert_eq!(with(&checks, Status::Warn), [""; 0]);
    assert_eq!(with(&checks, Status::Unknown), [""; 0]);
    assert_eq!(verdict.exit, Exit::Done);
    assert_eq!(
        verdict.command.as_deref(),
        Some("twinpath sender r1 --stamp")
    );
}

#[test]
fn a_far_end_that_does_not_answer_is_described_by_what_came_back() {
    let deaf = |_: &Request<'_>, _: Vec<Sent>| Vec::new();
    for (closed, finding) in [
        (Some(IcmpKind::PortUnreachable), "nothing listens on"),
        (Some(IcmpKind::Prohibited), "a firewall rejects"),
        (Some(IcmpKind::HostUnreachable), "routers say"),
        (None, "no answer from"),
    ] {
        let far = FakeFar {
            ports: Vec::new(),
            closed,
            ping: PingSeen::Silent,
            ..FakeFar::erring(deaf)
        };
        let (checks, verdict) = examined(far, None);
        assert_eq!(with(&checks, Status::Fail), ["reach.udp"]);
        let udp = checks
            .iter()
            .find(|checked| checked.id == "reach.udp")
            .unwrap();
        assert!(udp.judged.finding.starts_with(finding), "{udp:?}");
        assert_eq!((verdict.exit, verdict.command), (Exit::CouldNot, None));
    }
}

#[test]
fn each_error_is_found_by_its_check() {
    let errors: Vec<(&str, &str, FakeFar)> = vec![
        (
            "reach.udp",
            "sends packets back unchanged",
            FakeFar::erring(|request, replies| {
                let echo = |reply: Sent| Sent {
                    octets: request.octets.to_vec(),
                    ..reply
                };
                replies.into_iter().map(echo).collect()
            }),
        ),
        (
            "reach.udp",
            "are answered from 203.0.113.8:862",
            FakeFar::erring(|_, mut replies| {
                for reply in &mut replies {
                    reply.from = "203.0.113.8:862".parse().unwrap();
                }
                replies
            }),
        ),
        (
            "stamp.answers",
            "another Session Identifier",
            FakeFar::changing(|_, reply| reply[14..16].copy_from_slice(&[1, 2])),
        ),
        (
            "test.one-reply",
            "more than one reply",
            FakeFar::erring(|_, replies| [replies.clone(), replies].concat()),
        ),
        (
            "test.one-reply",
            "of 20 packets were answered",
            losing(|number| number % 4 == 1),
        ),
        (
            "test.copied",
            "do not copy the request's Error Estimate",
            FakeFar::changing(|_, reply| reply[36..38].copy_from_slice(&[0x3f, 0xff])),
        ),
        (
            "test.numbers",
            "all replies have the same number",
            FakeFar::changing(|_, reply| reply[..4].copy_from_slice(&7_u32.to_be_bytes())),
        ),
        (
            "test.numbers",
            "neither grow by one nor copy",
            FakeFar::changing(|_, reply| {
                let number = u32::from_be_bytes(*reply.first_chunk().unwrap());
                reply[..4].copy_from_slice(&(u32::MAX / 2).wrapping_sub(number * 7).to_be_bytes());
            }),
        ),
        (
            "test.reply-size",
            "all replies have 44 octets",
            FakeFar::changing(|_, reply| reply.truncate(44)),
        ),
        (
            "test.reply-size",
            "27 octets longer",
            FakeFar::changing(|request, reply| reply.resize(request.len() + 27, 0)),
        ),
        (
            "test.reply-size",
            "requests of 700, 1200 octets are not answered",
            FakeFar::erring(|request, replies| {
                if request.octets.len() > 600 {
                    Vec::new()
                } else {
                    replies
                }
            }),
        ),
        (
            "test.time-format",
            "no receive timestamp",
            FakeFar::changing(|_, reply| reply[16..24].fill(0)),
        ),
        (
            "test.time-format",
            "and the Z bit says PTP",
            FakeFar::changing(|_, reply| reply[12] |= 0x40),
        ),
        (
            "test.time-format",
            "have another epoch",
            // Seconds since 1970.
            FakeFar::changing(|_, reply| {
                change_times(reply, |time| time.wrapping_sub(2_208_988_800 << 32))
            }),
        ),
        (
            "test.time-unit",
            "the fraction has another unit",
            // Microseconds in place of 2^-32 s.
            FakeFar::changing(|_, reply| {
                change_times(reply, |time| {
                    time & !0xffff_ffff | (time & 0xffff_ffff) * 1_000_000 >> 32
                })
            }),
        ),
        (
            "test.time-unit",
            "all receive timestamps are the same",
            FakeFar::changing(|_, reply| change_times(reply, |time| time & !0xffff_ffff)),
        ),
        (
            "test.residence",
            "T2 and T3 are swapped",
            FakeFar::changing(|_, reply| {
                let (t3, t2) = (reply[4..12].to_vec(), reply[16..24].to_vec());
                reply[4..12].copy_from_slice(&t2);
                reply[16..24].copy_from_slice(&t3);
            }),
        ),
        (
            "test.residence",
            "T2 and T3 are equal",
            FakeFar::changing(|_, reply| {
                let t2 = reply[16..24].to_vec();
                reply[4..12].copy_from_slice(&t2);
            }),
        ),
        (
            "test.residence",
            "longer time in the reflector than the whole round trip",
            FakeFar::changing(|_, reply| {
                let t3 = u64::from_be_bytes(*reply[4..].first_chunk().unwrap()) + (1 << 31);
                reply[4..12].copy_from_slice(&t3.to_be_bytes());
            }),
        ),
        (
            "test.sender-ttl",
            "Sender TTL is 0",
            FakeFar::changing(|_, reply| reply[40] = 0),
        ),
        (
            "test.sender-ttl",
            "replies end before the Sender TTL",
            FakeFar::changing(|_, reply| reply.truncate(38)),
        ),
        (
            "clock.offset",
            "the clocks are apart: 2000.000ms",
            FakeFar::changing(|_, reply| change_times(reply, |time| time + (2 << 32))),
        ),
        (
            "clock.claims",
            "and the clocks are 2000.000ms apart",
            FakeFar::changing(|_, reply| change_times(reply, |time| time + (2 << 32))),
        ),
        (
            "clock.claims",
            "a Multiplier of 0",
            FakeFar::changing(|_, reply| reply[13] = 0),
        ),
        (
            "path.dscp",
            "come back with DSCP be",
            FakeFar::erring(|_, replies| with_tos(replies, |_| 0)),
        ),
        (
            "path.dscp",
            "ef comes back as af41",
            FakeFar::erring(|_, replies| {
                with_tos(replies, |tos| if tos == 0xb8 { 0x88 } else { tos })
            }),
        ),
        (
            "path.dscp",
            "packets with DSCP ef are not answered",
            FakeFar::erring(|_, replies| {
                replies
                    .into_iter()
                    .filter(|reply| reply.tos.0 != 0xb8)
                    .collect()
            }),
        ),
        (
            "path.mtu",
            "vanish without an ICMP error",
            FakeFar::erring(|request, replies| {
                if request.octets.len() > 1_472 {
                    Vec::new()
                } else {
                    replies
                }
            }),
        ),
        (
            "stamp.tlv.unknown",
            "as if it was processed",
            FakeFar::changing(|_, reply| {
                if reply.len() > 44 {
                    reply[44] = 0
                }
            }),
        ),
        (
            "stamp.tlv.malformed",
            "without the M flag",
            FakeFar::changing(|_, reply| {
                if reply.len() > 44 {
                    reply[44] &= !0x40
                }
            }),
        ),
        (
            "stamp.tlv.cos",
            "replies end before it",
            FakeFar::changing(|_, reply| reply.truncate(44)),
        ),
        (
            "stamp.tlv.location",
            "comes back marked as malformed",
            FakeFar::changing(|_, reply| {
                if reply.len() > 44 {
                    reply[44] = 0x40
                }
            }),
        ),
        (
            "stamp.tlv.access-report",
            "is not answered, and others are",
            FakeFar::erring(|request, replies| {
                if request.octets.get(45) == Some(&6) {
                    Vec::new()
                } else {
                    replies
                }
            }),
        ),
        (
            "stamp.tlv.timestamp-information",
            "refused without an HMAC",
            FakeFar::changing(|_, reply| {
                if reply.len() > 44 {
                    reply[44] = 0x20
                }
            }),
        ),
        (
            "stamp.tlv.direct-measurement",
            "another TLV comes back",
            FakeFar::changing(|_, reply| {
                if reply.len() > 44 {
                    reply[45] = 99
                }
            }),
        ),
    ];
    let mut wrong = Vec::new();
    for (id, finding, far) in errors {
        let (checks, _) = examined(far, None);
        let found = checks.iter().find(|checked| checked.id == id).unwrap();
        let judged = &found.judged;
        let is_right = judged.finding.contains(finding)
            && matches!(judged.status, Status::Fail | Status::Warn)
            && judged.advice.is_some();
        if !is_right {
            wrong.push(format!("{finding}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn losses_are_not_taken_for_what_a_far_end_does_not_support() {
    for period in 2..9 {
        for phase in 0..period {
            let (checks, _) = examined(losing(move |number| number % period == phase), None);
            assert_eq!(with(&checks, Status::Fail), [""; 0], "{period} {phase}");
            let mut warned = with(&checks, Status::Warn);
            warned.retain(|id| *id != "light.answers");
            assert_eq!(warned, ["test.one-reply"], "{period} {phase}");
        }
    }
}

/// One that answers none of these numbers, from 0.
fn losing(is_lost: impl Fn(u32) -> bool + 'static) -> FakeFar {
    FakeFar::erring(move |request, replies| {
        let number = u32::from_be_bytes(*request.octets.first_chunk().unwrap());
        if is_lost(number - FIRST) {
            Vec::new()
        } else {
            replies
        }
    })
}

/// Both times of a reply.
fn change_times(reply: &mut [u8], change: impl Fn(u64) -> u64) {
    for at in [4, 16] {
        let time = u64::from_be_bytes(*reply[at..].first_chunk().unwrap());
        reply[at..at + 8].copy_from_slice(&change(time).to_be_bytes());
    }
}

fn with_tos(mut replies: Vec<Sent>, tos: impl Fn(u8) -> u8) -> Vec<Sent> {
    for reply in &mut replies {
        reply.tos = Tos(tos(reply.tos.0));
    }
    replies
}

#[test]
fn what_listens_on_the_control_port_is_told_by_what_it_says() {
    for (said, status) in [
        (vec![0; 64], Status::Ok),
        (Vec::new(), Status::Warn),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), Status::Warn),
    ] {
        let far = FakeFar {
            tcp: vec![(862, Connection::Open(said))],
            ..FakeFar::honest()
        };
        let (checks, _) = examined(far, None);
        let control = checks
            .iter()
            .find(|checked| checked.id == "control.connect");
        assert_eq!(control.unwrap().judged.status, status);
    }
}
