//! How long replies are (RFC 6038 section 4.2.1, RFC 8762 section 4.3).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::Tos;

use super::copies::lost_too;
use super::of_train::OfTrain;
use crate::doctor::packets::PacketSecurity;
use crate::doctor::train::{FIRST, TrainKind};
use crate::doctor::{Exchange, Judged, Seen};

/// Octets of UDP payload, each twice; of authenticated packets.
const PAYLOADS: [usize; 4] = [44, 200, 700, 1_200];
const AUTHENTICATED_PAYLOADS: [usize; 4] = [112, 200, 700, 1_200];

static SIZES: TrainKind = TrainKind {
    name: "sizes",
    count: 2 * PAYLOADS.len(),
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |writer, number, now| {
        let octets = of(payloads(writer.security()), number);
        (writer.padded(number, now, octets), Tos(0))
    },
};

fn payloads(security: PacketSecurity) -> &'static [usize] {
    match security {
        PacketSecurity::Open => &PAYLOADS,
        PacketSecurity::Authenticated => &AUTHENTICATED_PAYLOADS,
    }
}

fn of(all: &[usize], number: u32) -> usize {
    let place = usize::try_from(number).unwrap_or(0) % all.len();
    all.get(place).copied().unwrap_or(0)
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
    for octets in payloads(exchange.security()) {
        match reply_octets(exchange, *octets) {
            Some(reply) => pairs.push((*octets, reply)),
            None => silent.push(octets.to_string()),
        }
    }
    let data: Vec<_> = pairs
        .iter()
        .map(|(request, reply)| serde_json::json!([request, reply]))
        .collect();
    let sizes: Vec<usize> = pairs.iter().map(|(_, reply)| *reply).collect();
    let judged = if !silent.is_empty() && seen.is_lossy() {
        let octets = silent.join(", ");
        lost_too(seen, &format!("no answer to requests of {octets} octets"))
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
    } else if let Some(most) = cut_at(&pairs) {
        Judged::warn(format!(
            "replies have {most} octets at most: those to longer requests are truncated"
        ))
        .advise("larger packets are tested on the way out only; see whether the reflector has an option for padding")
    } else {
        let differ = pairs.iter().filter(|(request, reply)| request != reply);
        let differ: Vec<String> = differ
            .map(|(request, reply)| format!("{request} as {reply}"))
            .collect();
        Judged::warn(format!(
            "replies do not have the size of their requests; those of these octets come back: {}",
            differ.join(", ")
        ))
        .advise("delays of the two ways are those of different sizes: do not compare them")
    };
    judged.with("request_and_reply_octets", data)
}

/// The length of the longest replies, if those to shorter requests are as long as these; `None`: not so.
fn cut_at(pairs: &[(usize, usize)]) -> Option<usize> {
    let most = pairs.iter().map(|(_, reply)| *reply).max()?;
    let mut pairs = pairs.iter();
    pairs
        .all(|(request, reply)| *reply == most.min(*request))
        .then_some(most)
}

/// Octets of the reply to a request of this length.
fn reply_octets(exchange: &Exchange<'_>, octets: usize) -> Option<usize> {
    let replies = exchange.replies();
    let mut lengths = replies.filter_map(|(reply, said)| {
        let place = said.head.sender_seq.get().wrapping_sub(FIRST);
        let request = exchange.requests.get(usize::try_from(place).ok()?)?;
        (request.len() == octets).then_some(reply.octets.len())
    });
    lengths.next()
}
