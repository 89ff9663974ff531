//! What padding replies have (RFC 5357 section 4.2.1).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{ReflectorOpen, SenderOpen, StampReflector, StampSender, Tos};

use super::of_train::OfTrain;
use crate::doctor::packets::light;
use crate::doctor::train::{FIRST, TrainKind};
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, Seen};

/// Octets of UDP payload.
const PAYLOAD: usize = 200;

/// TWAMP Light with padding that no reflector has by chance.
static PADDED: TrainKind = TrainKind {
    name: "padded",
    count: 2,
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |_, number, now| {
        let mut octets = light(number, now, PAYLOAD, 0);
        let padding = octets.get_mut(SenderOpen::OCTETS..).unwrap_or_default();
        fill(padding, FIRST.wrapping_add(number));
        (octets, Tos(0))
    },
};

/// Octets that look random (xorshift).
fn fill(octets: &mut [u8], seed: u32) {
    let mut state = seed | 1;
    for octet in octets {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *octet = state.to_be_bytes()[0];
    }
}

/// Where padding of replies comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// From the request.
    Copied,
    Zero,
    /// From the reflector.
    Own,
}

impl Padding {
    /// Of this reply; `None`: it has none, or the request's is zero, which tells nothing.
    pub(super) fn of(request: &[u8], reply: &[u8]) -> Option<Self> {
        let is_zero = |octets: &[u8]| octets.iter().all(|octet| *octet == 0);
        // The base packet of STAMP ends with octets that must be zero (RFC 8762 section 4.3.1).
        let end = reply.get(ReflectorOpen::OCTETS..StampReflector::OCTETS);
        let (asked_from, from) = if end.is_some_and(is_zero) {
            (StampSender::OCTETS, StampReflector::OCTETS)
        } else {
            (SenderOpen::OCTETS, ReflectorOpen::OCTETS)
        };
        let (asked, padding) = (request.get(asked_from..)?, reply.get(from..)?);
        if padding.is_empty() || is_zero(asked) {
            return None;
        }
        // Truncated, or where it was in the request.
        let in_place = request.get(from..reply.len());
        let is_copied = asked.starts_with(padding) || in_place == Some(padding);
        Some(if is_copied {
            Self::Copied
        } else if is_zero(padding) {
            Self::Zero
        } else {
            Self::Own
        })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Zero => "zero",
            Self::Own => "own",
        }
    }
}

/// Padding of TWAMP Light; STAMP has a TLV for it.
pub(super) struct OfReplies;

static OF_TRAIN: OfTrain = OfTrain {
    id: "test.padding",
    kind: &PADDED,
    judges_silence: false,
    judge,
};

impl Check for OfReplies {
    fn id(&self) -> &'static str {
        OF_TRAIN.id
    }

    fn costs(&self) -> Vec<Cost> {
        OF_TRAIN.costs()
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let is_light = seen.light().map(|exchange| exchange.far) == seen.subject();
        if is_light && !seen.has_extensions() {
            OF_TRAIN.asks(seen)
        } else {
            Vec::new()
        }
    }

    fn judge(&self, seen: &Seen) -> Judged {
        if seen.has_extensions() {
            return Judged::skipped("in STAMP padding is a TLV (stamp.tlv.extra-padding)");
        }
        OF_TRAIN.judge(seen)
    }
}

fn judge(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    let mut each = exchange
        .replies()
        .filter_map(|(reply, said)| Padding::of(exchange.request_of(&said)?, &reply.octets));
    let Some(padding) = each.next() else {
        return Judged::skipped("replies have no padding");
    };
    let judged = match padding {
        Padding::Copied => Judged::ok("replies have the padding of their requests"),
        Padding::Own => Judged::ok("replies have padding of their own"),
        Padding::Zero => Judged::ok("replies are padded with zeros, whatever requests have")
            .advise("if a link on the way compresses data, replies pass it faster than requests: do not compare the two ways"),
    };
    judged.with("padding", padding.name())
}
