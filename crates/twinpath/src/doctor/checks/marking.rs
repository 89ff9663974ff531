//! What becomes of DSCP and ECN on both ways (RFC 2474, RFC 3168, RFC 5357 section 4.2.1).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{Ecn, Tos};

use super::of_train::OfTrain;
use crate::doctor::train::TrainKind;
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
    packet: |writer, number, now| (writer.base(number, now), Tos(of(&TOS, place(number)))),
};

static ECN_CAPABLE: TrainKind = TrainKind {
    name: "ecn-capable",
    count: 2 * ECT.len(),
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |writer, number, now| (writer.base(number, now), Tos(of(&ECT, place(number)))),
};

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn of(all: &[u8], place: usize) -> u8 {
    all.get(place % all.len()).copied().unwrap_or(0)
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

/// What came of packets with an ECN-capable codepoint.
struct OfCodepoint {
    sent: Ecn,
    /// Of the first reply; `None`: this system does not tell it.
    back: Option<Ecn>,
    is_answered: bool,
}

fn ecn(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let each = ECT.map(|ect| {
        let places = (0..exchange.requests.len()).filter(|place| of(&ECT, *place) == ect);
        let replies: Vec<_> = places
            .flat_map(|place| exchange.replies_to(place))
            .collect();
        let backs = replies.iter().filter_map(|(reply, _)| reply.tos);
        // One that met congestion says more than the other.
        let back = backs.map(Tos::ecn).max_by_key(|back| *back == Ecn::Ce);
        OfCodepoint {
            sent: Tos(ect).ecn(),
            back,
            is_answered: !replies.is_empty(),
        }
    });
    let backs: serde_json::Map<_, _> = each
        .iter()
        .filter_map(|of| Some((name(of.sent).to_owned(), name(of.back?).into())))
        .collect();
    judge_ecn(seen, &each).with("replies", backs)
}

fn judge_ecn(seen: &Seen, each: &[OfCodepoint]) -> Judged {
    let silent: Vec<&str> = each
        .iter()
        .filter(|of| !of.is_answered)
        .map(|of| name(of.sent))
        .collect();
    let is_none_answered = silent.len() == each.len();
    let silent = silent.join(" and ");
    if !silent.is_empty() && seen.is_lossy() {
        return Judged::unknown(format!(
            "no answer to packets with {silent}, and other packets are lost too"
        ));
    }
    if is_none_answered {
        return Judged::warn("packets with ECN bits are not answered, and others are")
            .advise("a filter on the way drops ECN-capable packets: mend it, TCP suffers too");
    }
    if !silent.is_empty() {
        return Judged::warn(format!(
            "packets with {silent} are not answered, and others with ECN bits are"
        ))
        .advise("look for a filter on the way that drops them");
    }
    let known: Vec<(Ecn, Ecn)> = each
        .iter()
        .filter_map(|of| Some((of.sent, of.back?)))
        .collect();
    if known.is_empty() {
        return Judged::unknown(
            "ECN-capable packets are answered, and this system does not tell the ECN bits of replies",
        );
    }
    let is_congested = known.iter().any(|(_, back)| *back == Ecn::Ce);
    let changed: Vec<String> = known
        .iter()
        .filter(|(sent, back)| sent != back && *back != Ecn::Ce)
        .map(|(sent, back)| format!("{} comes back as {}", name(*sent), name(*back)))
        .collect();
    if changed.is_empty() && is_congested {
        Judged::ok(
            "ECN-capable packets pass, and replies come back with CE: a queue on one of the ways is congested",
        )
    } else if changed.is_empty() {
        Judged::ok("ECN-capable packets pass, and come back with their ECN bits")
    } else if known.iter().all(|(_, back)| *back == Ecn::NotEct) {
        Judged::ok(
            "ECN-capable packets pass; replies come without ECN bits: the reflector does not copy them, or a device on the way clears them",
        )
    } else {
        Judged::warn(changed.join(", ")).advise(
            "a device on the way changes ECN bits, or the reflector chooses those of replies: look at both",
        )
    }
}

const fn name(ecn: Ecn) -> &'static str {
    match ecn {
        Ecn::NotEct => "Not-ECT",
        Ecn::Ect0 => "ECT(0)",
        Ecn::Ect1 => "ECT(1)",
        Ecn::Ce => "CE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{FarEndPlan, Keys, Status};

    #[test]
    fn ecn_bits_of_replies_are_judged_as_far_as_they_show() {
        let seen = Seen::new(FarEndPlan {
            name: "r1".to_owned(),
            host: "r1".to_owned(),
            addresses: Vec::new(),
            port: None,
            keys: Keys::default(),
        });
        for (backs, status, said) in [
            ([None, None], Status::Unknown, "does not tell the ECN bits"),
            ([Some(2), Some(1)], Status::Ok, "come back with their"),
            ([Some(0), Some(0)], Status::Ok, "come without ECN bits"),
            ([Some(3), Some(1)], Status::Ok, "a queue on one of the ways"),
            (
                [Some(2), Some(0)],
                Status::Warn,
                "ECT(1) comes back as Not-ECT",
            ),
            (
                [Some(1), Some(1)],
                Status::Warn,
                "ECT(0) comes back as ECT(1)",
            ),
        ] {
            let of = |place: usize| OfCodepoint {
                sent: Tos(ECT[place]).ecn(),
                back: backs[place].map(|back| Tos(back).ecn()),
                is_answered: true,
            };
            let judged = judge_ecn(&seen, &[of(0), of(1)]);
            assert_eq!(judged.status, status, "{judged:?}");
            assert!(judged.finding.contains(said), "{judged:?}");
        }
    }
}
