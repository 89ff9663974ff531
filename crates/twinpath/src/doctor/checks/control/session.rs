//! Whether a session can be had, and on which port (RFC 5357 sections 3.5 to 3.7).

use twinpath_runtime::probe::{IcmpKind, SessionTrain};
use twinpath_wire::control::Modes;

use super::{
    Dialogue, OfDialogues, answered, broken, first_login, first_session, greeting, is_accepted,
    not_had, reflects, refused, secured,
};
use crate::doctor::dialogue::{ANY_PORT, SESSION as FIRST_SESSION, ZERO_ADDRESSES};
use crate::doctor::{Judged, Seen, Status};

/// What a server needs to learn the ports that NAT gives to sessions.
const NAT_AT_SERVER: &str = "the server --nat too";

/// The whole: requested, accepted, started, reflected.
pub(in crate::doctor::checks) static SESSION: OfDialogues = OfDialogues {
    id: "control.session",
    kinds: &[&FIRST_SESSION],
    judge: session,
};

fn session(seen: &Seen) -> Judged {
    let Some(dialogue) = seen.dialogue(&FIRST_SESSION) else {
        return not_had(seen);
    };
    let mode = dialogue.seen.modes.security();
    let judged = match first_session(dialogue).and_then(|session| session.answer.as_ref()) {
        Some(Err(refusal)) => refused(Status::Fail, "a session", *refusal),
        Some(Ok(accepted)) => {
            let (sent, came) = answered(dialogue, 0);
            if sent > 0 && came > 0 {
                Judged::ok(format!(
                    "a session is agreed on, started and reflected: {came} of {sent} packets to UDP port {}",
                    accepted.port
                ))
            } else if dialogue.is_interrupted {
                Judged::ok(format!("a session is agreed on: UDP port {}", accepted.port))
            } else if let Some(train) = first_session(dialogue).and_then(|session| session.train.as_ref()) {
                silent(train)
            } else {
                broken(Status::Fail, "the start of a session", &dialogue.seen.end)
                    .unwrap_or_else(|| Judged::fail("a session is accepted and not started")
                        .advise("see the server's log"))
            }
            .with("port", accepted.port)
        }
        None => of_login(seen, dialogue)
            .or_else(|| broken(Status::Fail, "a session", &dialogue.seen.end))
            .unwrap_or_else(|| Judged::unknown("the request of a session has no answer")),
    };
    let judged = explained(seen, judged, dialogue);
    match mode {
        Some(mode) => judged.with("mode", mode.name()),
        None => judged,
    }
}

/// What is said where the login for the first session fails.
fn of_login(seen: &Seen, dialogue: &Dialogue) -> Option<Judged> {
    let key = seen.plan.keys.control.as_ref()?;
    if first_login(seen).is_none_or(|first| first.name != FIRST_SESSION.name) {
        return None;
    }
    let (_, greeting) = greeting(seen)?;
    let mode = FIRST_SESSION.mode(Modes::from_bits(greeting.modes.get()), true)?;
    secured::login_failed(seen, key.id, mode.name(), dialogue)
}

/// What a refusal is about, where another request is accepted.
fn explained(seen: &Seen, mut judged: Judged, dialogue: &Dialogue) -> Judged {
    if is_accepted(dialogue) {
        return judged;
    }
    let accepts = |kind| seen.dialogue(kind).filter(|dialogue| is_accepted(dialogue));
    let (what, option) = if accepts(&ZERO_ADDRESSES).is_some() {
        ("zero addresses", "--nat".to_owned())
    } else if let Some(port) = accepts(&ANY_PORT).and_then(given_port) {
        (
            "no wished port",
            format!("--receiver-port {port}, which it gives by itself"),
        )
    } else {
        return judged;
    };
    judged.finding = format!("{}; one with {what} is accepted", judged.finding);
    if !reflects(seen) {
        judged.status = Status::Fail;
        judged
            .finding
            .push_str(", and its packets are not answered");
        return judged.advise(format!(
            "give the controller {option}; if there is NAT on the way, give {NAT_AT_SERVER}; if not, open the UDP ports of sessions in firewalls"
        ));
    }
    judged.status = Status::Warn;
    judged.advise(format!("give the controller {option}"))
}

/// The UDP port that the server gives.
pub(super) fn given_port(dialogue: &Dialogue) -> Option<u16> {
    let accepted = first_session(dialogue)?.answer?.ok()?;
    Some(accepted.port)
}

/// Its packets are not answered.
fn silent(train: &SessionTrain) -> Judged {
    let port = train.far.port();
    let (requests, seen) = &train.opening;
    let sent = requests.len().max(train.paced.0.len());
    let refusals = seen.refusals.iter().chain(&train.paced.1.refusals);
    let kinds: Vec<IcmpKind> = refusals.map(|refusal| refusal.kind).collect();
    if train.forged > 0 {
        return Judged::fail(format!(
            "replies come from UDP port {port}, and none has the right keys"
        ))
        .advise("report it to the vendor: the keys of a session are derived from its SID (RFC 4656 section 4.1.2)");
    }
    if !seen.replies.is_empty() || !train.paced.1.replies.is_empty() {
        return Judged::fail(format!(
            "a session is agreed on, and what comes from UDP port {port} are no replies"
        ))
        .advise("report it to the vendor (RFC 5357 section 4.2.1)");
    }
    if kinds.contains(&IcmpKind::PortUnreachable) {
        return Judged::fail(format!(
            "a session is agreed on, and nothing listens on its UDP port {port}"
        ))
        .advise("see the server's reflector");
    }
    let what = format!(
        "a session is agreed on and started, and none of {sent} packets to UDP port {port} is answered"
    );
    if kinds.is_empty() {
        Judged::fail(what).advise(format!(
            "open UDP port {port} to the far end, and the replies from it; see whether its reflector runs; if there is NAT on the way, give the controller --nat and {NAT_AT_SERVER}"
        ))
    } else {
        Judged::fail(format!("{what}: ICMP errors come back"))
            .advise("look at firewalls and routes on the way")
    }
}

/// The port of the session.
pub(in crate::doctor::checks) static PORT: OfDialogues = OfDialogues {
    id: "control.port",
    kinds: &[&FIRST_SESSION],
    judge: port,
};

fn port(seen: &Seen) -> Judged {
    let Some(dialogue) = seen.dialogue(&FIRST_SESSION) else {
        return not_had(seen);
    };
    let Some((session, Some(Ok(accepted)))) =
        first_session(dialogue).map(|session| (session, session.answer.as_ref()))
    else {
        return Judged::skipped("no session was accepted");
    };
    let (wished, given) = (session.plan.receiver_port, accepted.port);
    let judged = if wished == given {
        Judged::ok(format!("the server gives the wished UDP port: {given}"))
    } else {
        Judged::ok(format!(
            "the server chooses UDP ports: {given} in place of the wished {wished}"
        ))
    };
    judged.with("wished", wished).with("given", given)
}
