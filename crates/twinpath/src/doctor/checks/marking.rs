//! What becomes of DSCP and ECN on both ways (RFC 2474, RFC 3168, RFC 5357 section 4.2.1).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::Tos;

use super::of_train::OfTrain;
use crate::doctor::train::{SSID, TrainKind, stamp};
use crate::doctor::{Exchange, Judged, Seen};

/// EF, AF41, CS1, each twice.
const TOS: [u8; 3] = [0xb8, 0x88, 0x20];
/// ECT(0) and ECT(1).
const ECT: [u8; 2] = [2, 1];

static MARKED: TrainKind = TrainKind {
    name: "marked",
    count: 2 * TOS.len(),
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |_, number, now| (stamp(number, now, SSID), Tos(of(&TOS, number))),
};

static ECN_CAPABLE: TrainKind = TrainKind {
    name: "ecn-capable",
    count: 2 * ECT.len(),
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |_, number, now| (stamp(number, now, SSID), Tos(of(&ECT, number))),
};

fn of(all: &[u8], number: u32) -> u8 {
    let place = usize::try_from(number).unwrap_or(0) % all.len();
    all.get(place).copied().unwrap_or(0)
}

/// The class of replies.
pub(super) static DSCP: OfTrain = OfTrain {
    id: "path.dscp",
    kind: &MARKED,
    judges_silence: true,
    judge: dscp,
};

fn dscp(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let name = |tos: u8| {
        let dscp = Tos(tos).dscp();
        dscp.name()
            .map_or_else(|| dscp.value().to_string(), str::to_owned)
    };
    let mut came = Vec::new();
    let mut lost = Vec::new();
    for (place, tos) in TOS.into_iter().enumerate() {
        let mut both = [place, place + TOS.len()].into_iter();
        let reply = both.find_map(|place| exchange.replies_to(place).next());
        match reply {
            Some((reply, _)) => came.extend(reply.tos.map(|back| (tos, back.0))),
            None => lost.push(name(tos)),
        }
    }
    let changed: Vec<String> = came
        .iter()
        .filter(|(tos, back)| tos >> 2 != back >> 2)
        .map(|(tos, back)| format!("{} comes back as {}", name(*tos), name(*back)))
        .collect();
    let pairs: serde_json::Map<_, _> = came
        .iter()
        .map(|(tos, back)| (name(*tos), name(*back).into()))
        .collect();
    let judged = if !lost.is_empty() && seen.is_lossy() {
        Judged::unknown(format!(
            "no answer with DSCP {}, and other packets are lost too",
            lost.join(", ")
        ))
    } else if !lost.is_empty() {
        Judged::warn(format!("packets with DSCP {} are not answered, and others are", lost.join(", ")))
            .advise("look at policers and filters for these classes, and at the classes that the reflector admits")
    } else if came.is_empty() {
        return Judged::unknown("this system does not tell the DSCP of packets");
    } else if changed.is_empty() {
        Judged::ok("replies come back with the DSCP of their requests")
    } else if let Some(back) = only_class(&came) {
        let class = name(back);
        // Which of the two it is, replies alone do not say.
        let cause = if back >> 2 == 0 {
            "the reflector does not copy the DSCP, or a device on the way back clears it"
        } else {
            "the reflector has a DSCP of its own for replies (as twinpath responder --dscp), or a device on the way back sets it"
        };
        Judged::warn(format!("replies come back with DSCP {class}, whatever the request has: {cause}"))
            .advise("round trips of other classes are measured in them on the way out alone; --tlv cos tells with which DSCP requests arrive, where STAMP is spoken")
    } else {
        Judged::warn(changed.join(", ")).advise(
            "a device on the way remarks some classes, or the reflector chooses the DSCP of replies: look at both",
        )
    };
    judged.with("replies", pairs).with("unanswered", lost)
}

/// The class of all replies, if requests of several came back in it.
fn only_class(came: &[(u8, u8)]) -> Option<u8> {
    let ((sent, back), others) = came.split_first()?;
    let is_one = others.iter().all(|(_, other)| other >> 2 == back >> 2);
    let are_several = others.iter().any(|(other, _)| other >> 2 != sent >> 2);
    (is_one && are_several).then_some(*back)
}

/// ECN-capable packets.
pub(super) static ECN: OfTrain = OfTrain {
    id: "path.ecn",
    kind: &ECN_CAPABLE,
    judges_silence: true,
    judge: ecn,
};

fn ecn(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let mut backs = exchange
        .replies()
        .map(|(reply, _)| reply.tos.map_or(0, |tos| tos.0 & 3))
        .peekable();
    if backs.peek().is_none() && seen.is_lossy() {
        return Judged::unknown("no answer with ECN bits, and other packets are lost too");
    }
    if backs.peek().is_none() {
        return Judged::warn("packets with ECN bits are not answered, and others are")
            .advise("a filter on the way drops ECN-capable packets: mend it, TCP suffers too");
    }
    if backs.any(|back| back == 3) {
        return Judged::ok(
            "ECN-capable packets pass, and replies are marked: a queue on the way back is congested",
        );
    }
    Judged::ok("ECN-capable packets pass")
}
