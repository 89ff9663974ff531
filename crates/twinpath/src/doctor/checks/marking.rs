//! What becomes of DSCP and ECN on both ways (RFC 2474, RFC 3168, RFC 5357 section 4.2.1).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{Ecn, Tos};

use super::copies::lost_too;
use crate::doctor::train::TrainKind;
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, Seen};

mod arrivals;
mod ways;

use arrivals::{Arrivals, CLASS_OF_SERVICE};
use ways::{judge_dscp, judge_ecn};

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

/// A check of what becomes of ToS octets.
pub(super) struct Marking {
    id: &'static str,
    /// What is sent, besides [`CLASS_OF_SERVICE`].
    kind: &'static TrainKind,
    judge: fn(&Seen, &Exchange<'_>, &Arrivals) -> Judged,
}

impl Check for Marking {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        let cost = |kind: &TrainKind| (kind.name.to_owned(), kind.count);
        vec![cost(self.kind), cost(&CLASS_OF_SERVICE)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let mut asks = seen.ask_subject(self.kind);
        if super::tlv::is_class_of_service_supported(seen) {
            asks.extend(seen.ask_subject(&CLASS_OF_SERVICE));
        }
        asks
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let sent = seen.subject().and_then(|far| seen.train(far, self.kind));
        match sent {
            Some(exchange) => (self.judge)(seen, &exchange, &Arrivals::of(seen)),
            None => Judged::skipped("no replies"),
        }
    }
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn of(all: &[u8], place: usize) -> u8 {
    all.get(place % all.len()).copied().unwrap_or(0)
}

/// The class of replies.
pub(super) static DSCP: Marking = Marking {
    id: "path.dscp",
    kind: &MARKED,
    judge: dscp,
};

fn dscp(seen: &Seen, exchange: &Exchange<'_>, arrivals: &Arrivals) -> Judged {
    let mut came = Vec::new();
    let mut lost = Vec::new();
    for (place, tos) in TOS.into_iter().enumerate() {
        let mut both = [place, place + TOS.len()].into_iter();
        let reply = both.find_map(|place| exchange.replies_to(place).next());
        match reply {
            Some((reply, _)) => came.extend(reply.tos.map(|back| (tos, back.0))),
            None => lost.push(class(tos)),
        }
    }
    let arrived = arrivals.of_classes();
    let named = |pairs: &[(u8, u8)]| -> serde_json::Map<_, _> {
        let named = pairs
            .iter()
            .map(|(tos, then)| (class(*tos), class(*then).into()));
        named.collect()
    };
    let judged = if !lost.is_empty() && seen.is_lossy() {
        lost_too(seen, &format!("no answer with DSCP {}", lost.join(", ")))
    } else if !lost.is_empty() {
        Judged::warn(format!("packets with DSCP {} are not answered, and others are", lost.join(", ")))
            .advise("look at policers and filters for these classes, and at the classes that the reflector admits")
    } else if came.is_empty() {
        return Judged::unknown("this system does not tell the DSCP of packets");
    } else {
        judge_dscp(&came, &arrived)
    };
    let judged = judged
        .with("replies", named(&came))
        .with("unanswered", lost);
    if arrived.is_empty() {
        judged
    } else {
        judged.with("arrived", named(&arrived))
    }
}

/// The name of a class, by its octet.
fn class(tos: u8) -> String {
    let dscp = Tos(tos).dscp();
    dscp.name()
        .map_or_else(|| dscp.value().to_string(), str::to_owned)
}

/// ECN-capable packets.
pub(super) static ECN: Marking = Marking {
    id: "path.ecn",
    kind: &ECN_CAPABLE,
    judge: ecn,
};

/// What came of packets with an ECN-capable codepoint.
struct OfCodepoint {
    sent: Ecn,
    /// Of the first reply; `None`: this system does not tell it.
    back: Option<Ecn>,
    /// On arrival, as the reflector says; `None`: it does not.
    arrived: Option<Ecn>,
    is_answered: bool,
}

fn ecn(seen: &Seen, exchange: &Exchange<'_>, arrivals: &Arrivals) -> Judged {
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
            arrived: arrivals.ecn_of(ect),
            is_answered: !replies.is_empty(),
        }
    });
    let backs: serde_json::Map<_, _> = each
        .iter()
        .filter_map(|of| Some((name(of.sent).to_owned(), name(of.back?).into())))
        .collect();
    let arrived: serde_json::Map<_, _> = each
        .iter()
        .filter_map(|of| Some((name(of.sent).to_owned(), name(of.arrived?).into())))
        .collect();
    let judged = judge_ecn(seen, &each).with("replies", backs);
    if arrived.is_empty() {
        judged
    } else {
        judged.with("arrived", arrived)
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
