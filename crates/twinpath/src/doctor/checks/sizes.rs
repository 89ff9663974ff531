//! How long replies are, and which sizes pass without fragments (RFC 6038 section 4.2.1, RFC 8762 section 4.3).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_runtime::probe::{Departure, IcmpKind};
use twinpath_wire::{Tos, Wall};

use super::of_train::OfTrain;
use crate::doctor::train::{FIRST, TrainKind, stamp};
use crate::doctor::{Exchange, Judged, Seen};

/// Octets of UDP payload, each twice.
const PAYLOADS: [usize; 5] = [44, 60, 200, 700, 1_200];
/// Octets of IP packets, from a fragment of IPv4 to a jumbo frame.
const PACKETS: [usize; 12] = [
    576, 1_280, 1_400, 1_420, 1_450, 1_472, 1_480, 1_492, 1_500, 4_000, 8_000, 9_000,
];
/// IP and UDP.
const HEADERS_V4: usize = 28;
const HEADERS_V6: usize = 48;

static SIZES: TrainKind = TrainKind {
    name: "sizes",
    count: 2 * PAYLOADS.len(),
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |_, number, now| {
        let octets = of(&PAYLOADS, number);
        (padded(number, now, octets), Tos(0))
    },
};

static UNFRAGMENTED: TrainKind = TrainKind {
    name: "unfragmented",
    count: 2 * PACKETS.len(),
    interval: Duration::from_millis(5),
    path: || PathOptions {
        dont_fragment: true,
        ..PathOptions::default()
    },
    packet: |far, number, now| {
        let headers = if far.is_ipv4() {
            HEADERS_V4
        } else {
            HEADERS_V6
        };
        let octets = of(&PACKETS, number) - headers;
        (padded(number, now, octets), Tos(0))
    },
};

fn of(all: &[usize], number: u32) -> usize {
    let place = usize::try_from(number).unwrap_or(0) % all.len();
    all.get(place).copied().unwrap_or(0)
}

/// STAMP's base packet without a Session Identifier, with zeros to this length: TWAMP Light too.
fn padded(number: u32, now: Wall, octets: usize) -> Vec<u8> {
    let mut packet = stamp(number, now, 0);
    packet.resize(octets.max(packet.len()), 0);
    packet
}

/// Length of replies.
pub(super) static REPLIES: OfTrain = OfTrain {
    id: "test.reply-size",
    kind: &SIZES,
    judges_silence: true,
    judge: replies,
};

fn replies(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let mut silent = Vec::new();
    for octets in PAYLOADS {
        match reply_octets(exchange, octets) {
            Some(reply) => pairs.push((octets, reply)),
            None => silent.push(octets.to_string()),
        }
    }
    let data: Vec<_> = pairs
        .iter()
        .map(|(request, reply)| serde_json::json!([request, reply]))
        .collect();
    let sizes: Vec<usize> = pairs.iter().map(|(_, reply)| *reply).collect();
    let judged = if !silent.is_empty() && seen.is_lossy() {
        Judged::unknown(format!(
            "no answer to requests of {} octets, and other packets are lost too",
            silent.join(", ")
        ))
    } else if !silent.is_empty() {
        Judged::fail(format!(
            "requests of {} octets are not answered, and others are",
            silent.join(", ")
        ))
        .advise("look for a limit on the size at the reflector and on the way")
    } else if pairs.iter().all(|(request, reply)| request == reply) {
        Judged::ok("replies are as long as their requests")
    } else if sizes.iter().all(|reply| Some(reply) == sizes.first()) {
        Judged::warn(format!("all replies have {} octets, whatever the request has: the way back is measured with small packets", sizes.first().copied().unwrap_or(0)))
            .advise("large packets are tested on the way out only; see whether the reflector has an option for padding")
    } else if pairs.iter().all(|(request, reply)| *reply == request + 27) {
        Judged::warn("replies are 27 octets longer than their requests: padding is not truncated")
            .advise("leave room for 27 octets below the MTU; RFC 6038 section 4.2.1 has them of one size")
    } else {
        Judged::warn("replies do not have the size of their requests")
            .advise("compare sizes before both ways are compared")
    };
    judged.with("request_and_reply_octets", data)
}

/// The largest packet that passes whole.
pub(super) static MTU: OfTrain = OfTrain {
    id: "path.mtu",
    kind: &UNFRAGMENTED,
    judges_silence: true,
    judge: mtu,
};

fn mtu(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let passed = |place: usize| {
        [place, place + PACKETS.len()]
            .into_iter()
            .any(|place| exchange.replies_to(place).next().is_some())
    };
    let (mut largest, mut smallest_lost) = (None, None);
    for (place, octets) in PACKETS.into_iter().enumerate() {
        if passed(place) {
            largest = Some(octets);
        } else if smallest_lost.is_none() {
            smallest_lost = Some(octets);
        }
    }
    if smallest_lost.is_some() && seen.is_lossy() {
        return Judged::unknown("packets are lost whatever their size");
    }
    let Some(largest) = largest else {
        return Judged::fail("no packet with DF set is answered, and others are")
            .advise("look for a filter that drops such packets");
    };
    let told = exchange.seen.refusals.iter().find_map(|refusal| {
        let IcmpKind::TooBig { mtu } = refusal.kind else {
            return None;
        };
        Some(mtu)
    });
    let data = |judged: Judged| {
        judged
            .with("largest_octets", largest)
            .with("told_mtu", told)
    };
    match smallest_lost {
        Some(lost) if lost < largest => {
            data(Judged::warn(format!("a packet of {lost} octets with DF is lost, and one of {largest} is answered: losses, or sizes that are filtered")))
        }
        Some(lost) if told.is_none() && !was_refused_here(exchange) => {
            data(Judged::warn(format!("packets with DF pass up to {largest} octets, and those of {lost} vanish without an ICMP error"))
                .advise("a router drops them silently (a PMTU black hole), or filters ICMP: TCP suffers too"))
        }
        Some(lost) => data(Judged::ok(format!("packets with DF pass up to {largest} octets; of the sizes tried, {lost} is the next"))),
        None => data(Judged::ok(format!("packets with DF pass up to {largest} octets, the largest tried"))),
    }
}

/// This host's own interface is the limit.
fn was_refused_here(exchange: &Exchange<'_>) -> bool {
    let is_failed = |departure: &_| matches!(departure, Departure::Failed(_));
    exchange.seen.departures.iter().any(is_failed)
}

/// Octets of the reply to a request of this length.
fn reply_octets(exchange: &Exchange<'_>, octets: usize) -> Option<usize> {
    let replies = exchange.replies();
    let mut lengths = replies.filter_map(|(reply, head)| {
        let place = head.sender_seq.get().wrapping_sub(FIRST);
        let request = exchange.requests.get(usize::try_from(place).ok()?)?;
        (request.len() == octets).then_some(reply.octets.len())
    });
    lengths.next()
}
