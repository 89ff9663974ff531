//! TTL or Hop Limit, each way (RFC 5357 section 4.2.1, RFC 8762 section 4.3).

use super::of_train::OfTrain;
use crate::doctor::train::PACED;
use crate::doctor::{Exchange, Judged, Seen};
use crate::output::units::count;

/// The values that hosts begin with.
const FIRST: [u8; 4] = [32, 64, 128, 255];

/// Paths have fewer hops.
const MOST_HOPS: u8 = 63;

/// What the reflector says of the TTL of requests.
pub(super) static SENDER_TTL: OfTrain = OfTrain {
    id: "test.sender-ttl",
    kind: &PACED,
    judges_silence: false,
    judge: sender_ttl,
};

fn sender_ttl(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    let Some(ttl) = exchange.replies().find_map(|(_, said)| said.sender_ttl) else {
        return Judged::warn("replies end before the Sender TTL: the reflector truncates them")
            .advise("send packets of at least 41 octets (--padding 27)");
    };
    let judged = match ttl {
        0 => Judged::warn("Sender TTL is 0: the reflector does not know the TTL of requests")
            .advise("hops towards it cannot be counted; nothing else suffers"),
        255 => Judged::ok(
            "requests arrive with TTL 255: no router between, or the reflector does not know it",
        ),
        ttl if ttl < 255 - MOST_HOPS => Judged::warn(format!(
            "Sender TTL is {ttl}, which would be {}: rather a TTL that is set on the way, or a value that the reflector does not take from requests",
            hops(ttl)
        ))
        .advise("do not count hops towards it; nothing else suffers"),
        ttl => Judged::ok(format!("requests arrive with TTL {ttl}: {}", hops(ttl))),
    };
    judged.with("ttl", ttl)
}

/// That of replies.
pub(super) static REPLY_TTL: OfTrain = OfTrain {
    id: "test.reply-ttl",
    kind: &PACED,
    judges_silence: false,
    judge: reply_ttl,
};

fn reply_ttl(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    let Some(ttl) = exchange.replies().find_map(|(reply, _)| reply.ttl) else {
        return Judged::skipped("this system does not tell the TTL of packets");
    };
    let first = FIRST.into_iter().find(|first| *first >= ttl).unwrap_or(255);
    let finding = if first == 255 && ttl >= 255 - MOST_HOPS {
        format!(
            "replies arrive with TTL {ttl}: {}, if they leave with 255",
            hops(ttl)
        )
    } else if first == 255 {
        format!("replies arrive with TTL {ttl}: with what they leave does not show")
    } else {
        format!("replies arrive with TTL {ttl}: they seem to leave with {first} rather than 255")
    };
    Judged::ok(finding).with("ttl", ttl)
}

/// Routers that a packet passed whose TTL was 255.
fn hops(ttl: u8) -> String {
    count((255 - ttl).into(), "hop", "hops")
}
