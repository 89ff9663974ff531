//! Whether each request has one reply, and replies copy what they must (RFC 5357 section 4.2.1).

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

fn one_each(_: &Seen, exchange: &Exchange<'_>) -> Judged {
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
    } else if answered < sent {
        let were = if answered == 1 { "was" } else { "were" };
        Judged::warn(format!("{answered} of {sent} packets {were} answered"))
            .advise("the path or the reflector loses packets, or the reflector answers only so many a second (a rate limit): measure it with more of them")
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
