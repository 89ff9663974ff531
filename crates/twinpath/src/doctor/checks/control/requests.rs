//! Requests that differ in one thing from the first: what the server makes of them (RFC 4656 section 3.5,
//! RFC 5357 section 3.5).

use twinpath_runtime::probe::SessionTrain;
use twinpath_wire::Dscp;

use super::{
    Dialogue, OfDialogues, answered, broken, first_session, is_accepted, is_first_refused, not_had,
    refused, refused_otherwise, silence_of_others,
};
use crate::doctor::dialogue::{self, DialogueKind};
use crate::doctor::{Judged, Seen, Status};

/// Without a wished port.
pub(in crate::doctor::checks) static ANY_PORT: OfDialogues = OfDialogues {
    id: "control.any-port",
    kinds: &[&dialogue::ANY_PORT],
    judge: any_port,
};

fn any_port(seen: &Seen) -> Judged {
    if is_about_other(seen, &dialogue::ANY_PORT, &dialogue::ZERO_ADDRESSES) {
        return Judged::skipped("refused for its addresses, as the first session is");
    }
    let what = "a session without a wished port";
    judged(seen, &dialogue::ANY_PORT, what, Status::Warn, |dialogue| {
        let port = first_session(dialogue)
            .and_then(|session| session.answer?.ok())
            .map_or(0, |accepted| accepted.port);
        Judged::ok(format!(
            "without a wished port the server gives UDP port {port}"
        ))
        .with("given", port)
    })
}

/// With the addresses of the connection.
pub(in crate::doctor::checks) static ZERO_ADDRESSES: OfDialogues = OfDialogues {
    id: "control.zero-addresses",
    kinds: &[&dialogue::ZERO_ADDRESSES],
    judge: zero_addresses,
};

fn zero_addresses(seen: &Seen) -> Judged {
    if is_about_other(seen, &dialogue::ZERO_ADDRESSES, &dialogue::ANY_PORT) {
        return Judged::skipped("refused for its wished port, as the first session is");
    }
    let what = "a session with zero addresses";
    judged(seen, &dialogue::ZERO_ADDRESSES, what, Status::Fail, |_| {
        Judged::ok(
            "zero addresses are taken for those of the connection: it can be used behind NAT",
        )
    })
}

/// In a class.
pub(in crate::doctor::checks) static DSCP: OfDialogues = OfDialogues {
    id: "control.dscp",
    kinds: &[&dialogue::OF_CLASS],
    judge: dscp,
};

fn dscp(seen: &Seen) -> Judged {
    let what = "a session with DSCP ef";
    judged(seen, &dialogue::OF_CLASS, what, Status::Warn, |dialogue| {
        let replies = replies(dialogue);
        let Some(tos) = replies
            .into_iter()
            .flat_map(|train| &train.paced.1.replies)
            .find_map(|reply| reply.tos)
        else {
            return Judged::ok("a session with DSCP ef is accepted and reflected");
        };
        let back = tos.dscp();
        let name = back
            .name()
            .map_or_else(|| back.value().to_string(), str::to_owned);
        let judged = if back == Dscp::EF {
            Judged::ok("a session with DSCP ef is accepted, and its replies have it")
        } else {
            Judged::warn(format!("a session with DSCP ef is accepted, and its replies come with {name}"))
                .advise("a device on the way remarks them, or the reflector does not set what was agreed on (RFC 5357 section 3.5)")
        };
        judged.with("reply_dscp", back.value())
    })
}

/// With large packets.
pub(in crate::doctor::checks) static PADDING: OfDialogues = OfDialogues {
    id: "control.padding",
    kinds: &[&dialogue::LARGE],
    judge: padding,
};

fn padding(seen: &Seen) -> Judged {
    let what = "a session with 1,400 octets of padding";
    judged(seen, &dialogue::LARGE, what, Status::Warn, |dialogue| {
        let train = replies(dialogue);
        let request = train
            .and_then(|train| train.paced.0.first())
            .map_or(0, Vec::len);
        let reply = train.and_then(|train| train.paced.1.replies.first());
        let reply = reply.map_or(0, |reply| reply.octets.len());
        let judged = if reply >= request {
            Judged::ok("a session with 1,400 octets of padding is accepted and reflected in full")
        } else {
            Judged::warn(format!("replies to packets of {request} octets have {reply}: the way back is measured with smaller packets"))
                .advise("see whether the server offers Symmetrical Size (--symmetrical-size)")
        };
        judged
            .with("request_octets", request)
            .with("reply_octets", reply)
    })
}

/// With a time to start at that is over.
pub(in crate::doctor::checks) static START_PAST: OfDialogues = OfDialogues {
    id: "control.start-time.past",
    kinds: &[&dialogue::PAST],
    judge: start_past,
};

fn start_past(seen: &Seen) -> Judged {
    let what = "a session with a Start Time in the past";
    judged(seen, &dialogue::PAST, what, Status::Warn, |_| {
        Judged::ok("a session with a Start Time in the past starts at once")
    })
}

/// With a time to start at that is to come.
pub(in crate::doctor::checks) static START_FUTURE: OfDialogues = OfDialogues {
    id: "control.start-time.future",
    kinds: &[&dialogue::FUTURE],
    judge: start_future,
};

fn start_future(seen: &Seen) -> Judged {
    let Some(dialogue) = seen.dialogue(&dialogue::FUTURE) else {
        return not_had(seen);
    };
    let what = "a session with a Start Time in 2 s";
    let Some(Some(Ok(_))) = first_session(dialogue).map(|session| session.answer) else {
        return judged(seen, &dialogue::FUTURE, what, Status::Warn, |_| {
            Judged::skipped("no answer")
        });
    };
    let (_, came) = answered(dialogue, 0);
    let judged = if came > 0 {
        Judged::ok(
            "a session with a Start Time in 2 s is accepted, and reflected from Start-Ack on",
        )
    } else if let Some(judged) = broken(Status::Warn, what, &dialogue.seen.end) {
        return judged;
    } else if let Some(judged) = silence_of_others(seen, what) {
        return judged;
    } else {
        Judged::ok("a session with a Start Time in 2 s is accepted, and not reflected before")
    };
    judged.with("reflects_before", came > 0)
}

/// This and the first are refused, and the `other` that would explain it is accepted: the row names the refusal.
fn is_about_other(seen: &Seen, kind: &'static DialogueKind, other: &'static DialogueKind) -> bool {
    let accepts = |kind| seen.dialogue(kind).is_some_and(is_accepted);
    let answer = |dialogue| first_session(dialogue)?.answer;
    let is_refused = seen
        .dialogue(kind)
        .and_then(answer)
        .is_some_and(|answer| answer.is_err());
    is_first_refused(seen) && is_refused && accepts(other)
}

/// The packets of the first session.
fn replies(dialogue: &Dialogue) -> Option<&SessionTrain> {
    first_session(dialogue)?.train.as_ref()
}

/// What becomes of such a request. `status`: of a refusal.
fn judged(
    seen: &Seen,
    kind: &'static DialogueKind,
    what: &str,
    status: Status,
    accepted: impl FnOnce(&Dialogue) -> Judged,
) -> Judged {
    let Some(dialogue) = seen.dialogue(kind) else {
        return not_had(seen);
    };
    let answer = first_session(dialogue).and_then(|session| session.answer);
    if let Some(Err(refusal)) = answer {
        return refused_otherwise(seen, refusal).unwrap_or_else(|| refused(status, what, refusal));
    }
    let (sent, came) = answered(dialogue, 0);
    if came > 0 {
        return accepted(dialogue);
    }
    if let Some(judged) = broken(status, what, &dialogue.seen.end) {
        return judged;
    }
    silence_of_others(seen, what).unwrap_or_else(|| {
        Judged::warn(format!(
            "{what} is accepted, and none of its {sent} packets is answered"
        ))
        .advise("report it to the vendor, or look for losses")
    })
}
