//! From Start-Ack to the first reply, and from Stop-Sessions to the end of the connection (RFC 4656 section
//! 3.7, RFC 5357 section 3.8).

use std::time::Duration;

use twinpath_proto::control::ClientError;
use twinpath_runtime::probe::{Departure, DialogueEnd, Parting};
use twinpath_wire::{ReflectorOpen, ReflectorSecured};

use super::{OfDialogues, broken, not_had};
use crate::doctor::dialogue::{AGAIN, Dialogue, SESSION};
use crate::doctor::{Judged, Seen, Status};
use crate::output::units;

/// A start delay is a multiple of this, and longer than what was seen by this at least.
const STEP: Duration = Duration::from_millis(500);
pub(super) const MARGIN: Duration = Duration::from_millis(100);

/// When packets begin to be answered.
pub(in crate::doctor::checks) static START_DELAY: OfDialogues = OfDialogues {
    id: "control.start-delay",
    kinds: &[&SESSION, &AGAIN],
    judge: start_delay,
};

/// The first packet that is answered.
pub(super) struct FirstAnswered {
    /// Packets before it.
    pub(super) unanswered: usize,
    /// When it left, after Start-Ack.
    pub(super) offset: Duration,
}

/// Of the first session; `None`: none is answered.
pub(super) fn answered_after(dialogue: &Dialogue) -> Option<FirstAnswered> {
    let train = dialogue.seen.sessions.first()?.train.as_ref()?;
    let (requests, seen) = &train.opening;
    // The number is in the same place of all replies that are opened; only some replies come.
    let secured = train.form.features.is_secured();
    let number_at = if secured {
        ReflectorSecured::SENDER_SEQ_AT
    } else {
        ReflectorOpen::SENDER_SEQ_AT
    };
    let first = seen.replies.iter().filter_map(|reply| {
        let copied = reply.octets.get(number_at..number_at + 4)?;
        requests
            .iter()
            .position(|request| request.get(..4) == Some(copied))
    });
    let first = first.min()?;
    let Departure::Left(left) = seen.departures.get(first)? else {
        return None;
    };
    let after_ns = (left.at - train.started).ns().max(0);
    Some(FirstAnswered {
        unanswered: first,
        offset: Duration::from_nanos(after_ns.unsigned_abs()),
    })
}

/// How long the first answered packet left after Start-Ack, in the slower of two sessions.
pub(super) fn later(first: &FirstAnswered, again: Option<&FirstAnswered>) -> Duration {
    again.map_or(first.offset, |again| first.offset.max(again.offset))
}

/// What a controller is to wait for after Start-Ack; `None`: nothing.
pub(super) fn advised_delay(seen: &Seen) -> Option<Duration> {
    let both = [&SESSION, &AGAIN].map(|kind| seen.dialogue(kind).and_then(answered_after));
    let [Some(first), Some(again)] = both else {
        return None;
    };
    if first.unanswered == 0 || again.unanswered == 0 {
        return None;
    }
    let offset = later(&first, Some(&again)) + MARGIN;
    let steps = offset.as_millis().div_ceil(STEP.as_millis());
    Some(STEP * u32::try_from(steps).unwrap_or(1))
}

fn start_delay(seen: &Seen) -> Judged {
    let Some(first) = seen.dialogue(&SESSION) else {
        return not_had(seen);
    };
    let Some(after) = answered_after(first) else {
        return Judged::skipped("no packet of a session was answered");
    };
    let offset_ns = u64::try_from(after.offset.as_nanos()).unwrap_or(u64::MAX);
    let data = |judged: Judged| {
        judged
            .with("first_answered_ns", offset_ns)
            .with("unanswered", after.unanswered)
    };
    if after.unanswered == 0 {
        return data(Judged::ok("packets are answered right after Start-Ack"));
    }
    let again = seen.dialogue(&AGAIN).and_then(answered_after);
    data(match (again, advised_delay(seen)) {
        (Some(again), Some(delay)) => Judged::warn(format!(
            "packets are not answered at first: in two sessions the first that is leaves {} after Start-Ack or later",
            units::took(after.offset.min(again.offset))
        ))
        .advise(format!(
            "give the controller --start-delay {}",
            delay.as_secs_f64()
        ))
        .with("advised_s", delay.as_secs_f64()),
        (Some(_), None) => Judged::ok(format!(
            "packets are answered right after Start-Ack in a second session; in the first {} not",
            if after.unanswered == 1 { "one was" } else { "some were" }
        )),
        (None, _) => Judged::unknown(format!(
            "the first packet that is answered leaves {} after Start-Ack, and no second session tells whether that is so each time",
            units::took(after.offset)
        )),
    })
}

/// How the server takes the end.
pub(in crate::doctor::checks) static STOP: OfDialogues = OfDialogues {
    id: "control.stop",
    kinds: &[&SESSION],
    judge: stop,
};

fn stop(seen: &Seen) -> Judged {
    let Some(first) = seen.dialogue(&SESSION) else {
        return not_had(seen);
    };
    let was_started = first.seen.sessions.iter().any(|session| session.started);
    if !was_started {
        return Judged::skipped("no session was started");
    }
    let end = &first.seen.end;
    if let DialogueEnd::Done(Some(parting)) = end {
        return match parting {
            Parting::Closed => Judged::ok(
                "the server takes Stop-Sessions and closes the connection after this host",
            ),
            Parting::Reset => Judged::warn("the server resets the connection after Stop-Sessions")
                .advise("no figure suffers; see its log for what it takes amiss"),
            Parting::Open => Judged::warn(
                "the server keeps the connection open for a second and longer after this host has closed it",
            )
            .advise("it may run out of connections: see its limit, and its timeout (SERVWAIT)"),
        };
    }
    if matches!(
        end,
        DialogueEnd::Failed(ClientError::EndedWhileRunning { .. })
    ) {
        return Judged::fail("the server ends the connection while a session runs")
            .advise("its reflector may stop with it: see its log");
    }
    broken(Status::Fail, "the end of a session", end)
        .unwrap_or_else(|| Judged::skipped("no session was started"))
}
