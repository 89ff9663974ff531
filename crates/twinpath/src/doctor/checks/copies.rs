//! Whether each request has one reply, and replies copy what they must (RFC 5357 section 4.2.1).

use super::numbers;
use super::of_train::OfTrain;
use crate::doctor::train::PACED;
use crate::doctor::{Exchange, Judged, Seen};
use crate::output::units::count;

/// Replies per request.
pub(super) static ONE_EACH: OfTrain = OfTrain {
    id: "test.one-reply",
    kind: &PACED,
    judges_silence: true,
    judge: one_each,
};

fn one_each(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let sent = exchange.requests.len();
    let each: Vec<usize> = (0..sent)
        .map(|place| exchange.replies_to(place).count())
        .collect();
    let answered = each.iter().filter(|replies| **replies > 0).count();
    let extra: usize = each.iter().map(|replies| replies.saturating_sub(1)).sum();
    let judged = if extra > 0 {
        Judged::fail(format!(
            "{} of {sent} packets had more than one reply",
            each.iter().filter(|replies| **replies > 1).count()
        ))
        .advise("look for a loop, a mirror port or two reflectors with one address")
    } else if answered < sent
        && seen.subject() == Some(exchange.far)
        && let Some(unanswered) = unanswered_at_the_end(seen)
    {
        Judged::fail(format!(
            "it answered at first, and none of the last {unanswered} packets"
        ))
        .advise("see whether the reflector still runs, and whether it or a firewall has blocked this host: some do after a few packets, or after packets that they do not expect")
        .with("stopped", true)
    } else if answered < sent {
        lost(exchange, answered)
    } else {
        Judged::ok(format!(
            "{} were each answered once",
            count(sent as u64, "packet", "packets")
        ))
    };
    judged
        .with("sent", sent)
        .with("answered", answered)
        .with("copies", extra)
}

/// So many ordinary packets without a reply at the end are no chance.
const MANY: usize = 8;

/// Ordinary packets to the subject after the last that was answered, if they are many.
fn unanswered_at_the_end(seen: &Seen) -> Option<usize> {
    let last = seen.round_trips().last()?.t1;
    let unanswered = seen
        .ordinary_departures()
        .filter(|left| *left > last)
        .count();
    (unanswered >= MANY).then_some(unanswered)
}

/// What is said of packets without a reply where others have none either: `what`, in one clause.
pub(super) fn lost_too(seen: &Seen, what: &str) -> Judged {
    if unanswered_at_the_end(seen).is_some() {
        // The same for all of them: one row.
        return Judged::unknown("it stopped answering before this was known");
    }
    Judged::unknown(format!("{what}, and other packets are lost too"))
}

/// Some packets have no reply: what the reflector's numbers say of them.
fn lost(exchange: &Exchange<'_>, answered: usize) -> Judged {
    let sent = exchange.requests.len();
    let were = if answered == 1 { "was" } else { "were" };
    let finding = format!("{answered} of {sent} packets {were} answered");
    let many = "measure the loss with more packets (twinpath sender -c 1000)";
    let Some(lost) = numbers::lost(exchange) else {
        return Judged::warn(finding).advise(format!(
            "the path or the reflector loses packets, or the reflector answers only so many a second (a rate limit): {many}"
        ));
    };
    let (out, back) = (lost.out, lost.back);
    let (ways, advice) = match (out, back) {
        (0, _) => (
            format!("{} on the way back", were_lost(back)),
            "look at the way back",
        ),
        (_, 0) => (
            format!(
                "{} on the way out, or the reflector left them unanswered",
                were_lost(out)
            ),
            "look at the way out, and for a rate limit at the reflector",
        ),
        _ => (
            format!(
                "{} on the way out or left unanswered, {} on the way back",
                were_lost(out),
                were_lost(back)
            ),
            "look at both ways, and for a rate limit at the reflector",
        ),
    };
    // Before the first reply and after the last its numbers show nothing.
    let untold = sent.saturating_sub(answered + out + back);
    let untold = match untold {
        0 => String::new(),
        1 => "; on which way the other was lost is unknown".to_owned(),
        more => format!("; on which way the other {more} were lost is unknown"),
    };
    Judged::warn(format!(
        "{finding}; by the reflector's numbers {ways}{untold}"
    ))
    .advise(format!("{advice}; {many}"))
    .with("lost_out", out)
    .with("lost_back", back)
}

fn were_lost(packets: usize) -> String {
    let were = if packets == 1 { "was" } else { "were" };
    format!("{packets} {were} lost")
}

/// Fields of the request in the reply.
pub(super) static COPIED: OfTrain = OfTrain {
    id: "test.copied",
    kind: &PACED,
    judges_silence: false,
    judge: copied,
};

fn copied(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    // Sequence Number and Timestamp are: by these replies are known.
    let mut replies = exchange.replies();
    if replies.all(|(_, said)| exchange.copies_error(&said)) {
        return Judged::ok("replies copy the request's number, time and Error Estimate");
    }
    Judged::warn("replies do not copy the request's Error Estimate").advise(
        "it is at fault by RFC 5357 section 4.2.1 and RFC 8762 section 4.3, and no figure suffers",
    )
}
