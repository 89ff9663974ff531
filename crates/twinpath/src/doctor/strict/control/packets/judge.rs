//! What the replies to test packets of a session say.

use crate::doctor::strict::Outcome;
use crate::doctor::strict::control::not_made;
use crate::doctor::strict::control::sessions::silent_then;
use crate::doctor::strict::exchange::Exchanged;
use crate::doctor::strict::form::Layout;
use crate::doctor::strict::heard::hex;
use crate::doctor::strict::steps::Transcript;

/// It can be read as an open packet, whose Multiplier is 0: an answer is none of another layout.
pub(super) fn secured_in_open(seen: &Transcript) -> Outcome {
    not_made(seen, 0).unwrap_or_else(|| match (seen.exchanged.first(), seen.packets.last()) {
        (Some(exchanged), _) if exchanged.reply.is_some() => {
            Outcome::pass("answered as a packet of the unauthenticated mode")
        }
        (Some(exchanged), _) if exchanged.odd > 0 => {
            Outcome::fail("what comes back is no reply of the unauthenticated mode")
        }
        (_, Some(true)) => Outcome::pass("not answered, and the session's packet is"),
        _ => Outcome::unclear("the session's own packet is not answered either"),
    })
}

/// Passes where each packet is answered, and `wrong` finds nothing wrong with a reply.
pub(super) fn each_reply(
    seen: &Transcript,
    wrong: impl Fn(&Exchanged, &[u8]) -> Option<String>,
) -> Outcome {
    if let Some(outcome) = not_made(seen, 0) {
        return outcome;
    }
    for (place, exchanged) in seen.exchanged.iter().enumerate() {
        let Some(reply) = &exchanged.reply else {
            return unanswered(place, exchanged);
        };
        if let Some(wrong) = wrong(exchanged, reply) {
            return Outcome::fail(wrong);
        }
    }
    Outcome::pass(format!("{} answered", seen.exchanged.len()))
}

fn unanswered(place: usize, exchanged: &Exchanged) -> Outcome {
    if exchanged.odd > 0 {
        return Outcome::unclear("what comes back is no reply: its HMAC or its number is wrong");
    }
    Outcome::fail(format!("packet {} is not answered", place + 1)).by_silent_packets()
}

/// The field of a reply is that of its request.
pub(super) fn copied(layout: Layout, exchanged: &Exchanged, reply: &[u8]) -> Option<String> {
    let fields = [
        ("Timestamp", layout.t1, layout.sender_t1, 8),
        ("Error Estimate", layout.error, layout.sender_error, 2),
    ];
    fields.into_iter().find_map(|(name, from, to, octets)| {
        let sent = exchanged.request.get(from..from + octets)?;
        let back = reply.get(to..to + octets);
        let shown = back.map_or("nothing".to_owned(), hex);
        (back != Some(sent)).then(|| format!("the {name} {} comes back as {shown}", hex(sent)))
    })
}

pub(super) fn zeros(layout: Layout, reply: &[u8]) -> Option<String> {
    layout.reply_zeros.iter().find_map(|(at, octets)| {
        let field = reply.get(*at..at + octets)?;
        let last = at + octets - 1;
        field.iter().any(|octet| *octet != 0).then(|| {
            format!(
                "octets {at} to {last} of the reply must be zero and are {}",
                hex(field)
            )
        })
    })
}

/// Both times are there, T3 not before T2; the Multiplier is not 0.
pub(super) fn times(layout: Layout, reply: &[u8]) -> Option<String> {
    let time = |at: usize| {
        let octets = reply.get(at..)?.first_chunk()?;
        Some(u64::from_be_bytes(*octets))
    };
    // T3 is where a request has T1.
    let (Some(t2), Some(t3)) = (time(layout.t2), time(layout.t1)) else {
        return Some("the reply ends before its times".to_owned());
    };
    if t2 == 0 || t3 == 0 {
        return Some("a time of the reply is zero".to_owned());
    }
    if t3 < t2 {
        return Some("the reply leaves before its request arrives".to_owned());
    }
    let multiplier = reply.get(layout.error + 1);
    (multiplier == Some(&0)).then(|| "the reply's Multiplier is 0".to_owned())
}

/// The reflector counts for itself, from 0 on.
pub(super) fn numbers(seen: &Transcript) -> Outcome {
    let outcome = each_reply(seen, |_, _| None);
    let replies = seen.exchanged.iter().filter_map(|one| one.reply.as_ref());
    let numbers: Vec<u32> = replies
        .filter_map(|reply| reply.first_chunk())
        .map(|number| u32::from_be_bytes(*number))
        .collect();
    match numbers[..] {
        _ if numbers.len() < seen.exchanged.len() => outcome,
        [0, 1, 2] => Outcome::pass("they are 0, 1 and 2"),
        _ if seen.is_lossy => {
            Outcome::unclear(format!("they are {numbers:?}, and packets are lost"))
        }
        _ => Outcome::fail(format!("they are {numbers:?}, not 0, 1 and 2")),
    }
}

/// One size is a SHOULD.
pub(super) fn size(seen: &Transcript) -> Outcome {
    let outcome = each_reply(seen, |_, _| None);
    let mut each = seen.exchanged.iter();
    let other = each.find_map(|exchanged| {
        let (sent, back) = (exchanged.request.len(), exchanged.reply.as_ref()?.len());
        (sent != back).then_some((sent, back))
    });
    match other {
        Some((sent, back)) => Outcome::unclear(format!(
            "the reply to {sent} octets has {back}: equal sizes are a SHOULD"
        )),
        None => outcome,
    }
}

/// A length was agreed on: what becomes of packets of another one is left open.
pub(super) fn padding(seen: &Transcript) -> Outcome {
    not_made(seen, 0).unwrap_or_else(|| match seen.packets[..] {
        [true, true, true] => Outcome::pass("answered"),
        [_, _, true] => Outcome::unclear("packets of another length than agreed are not answered"),
        _ => Outcome::unclear("the session's own packet is not answered either"),
    })
}

pub(super) fn other_session(seen: &Transcript) -> Outcome {
    if let Some(outcome) = not_made(seen, 0) {
        return outcome;
    }
    if seen.accept(1) != Some(0) || seen.port(1) == seen.port(0) {
        return Outcome::skipped("the server makes no second session with a port of its own");
    }
    if matches!(seen.packets[..], [_, false, _]) {
        return Outcome::unclear("the second session's own packet is not answered either");
    }
    let own = Transcript {
        packets: [seen.packets.first(), seen.packets.last()]
            .into_iter()
            .flatten()
            .copied()
            .collect(),
        ..seen.clone()
    };
    silent_then(&own, "to another session's port")
}

pub(super) fn reply_hmac(seen: &Transcript) -> Outcome {
    not_made(seen, 0).unwrap_or_else(|| match seen.exchanged.first() {
        Some(exchanged) if exchanged.reply.is_some() => Outcome::pass("it is right"),
        Some(exchanged) if exchanged.odd > 0 => Outcome::fail(
            "what comes back has a wrong HMAC, or is not encrypted as this mode has it",
        ),
        _ => Outcome::fail("not answered").by_silent_packets(),
    })
}

pub(super) fn within_timeout(seen: &Transcript) -> Outcome {
    not_made(seen, 0).unwrap_or_else(|| match seen.packets[..] {
        [true, true] => Outcome::pass("answered"),
        [true, false] => Outcome::fail("not answered").by_silent_packets(),
        _ => Outcome::unclear("a packet before Stop-Sessions is not answered either"),
    })
}

pub(super) fn after_timeout(seen: &Transcript) -> Outcome {
    not_made(seen, 0).unwrap_or_else(|| match seen.packets[..] {
        [true, false] => Outcome::pass("not answered").by_silent_packets(),
        [true, true] => Outcome::fail("answered"),
        _ => Outcome::unclear("a packet before Stop-Sessions is not answered either"),
    })
}
