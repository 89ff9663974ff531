//! The secured modes with a key, and what the server does with a wrong one (RFC 4656 sections 3.1 and 6,
//! RFC 5618).

use twinpath_proto::control::ClientError;
use twinpath_proto::security::KeyId;
use twinpath_runtime::probe::DialogueEnd;
use twinpath_wire::control::{Accept, Modes, SecurityMode};

use super::{
    Dialogue, OfDialogues, answered, broken, first_session, greeting, is_key_taken, refused,
    refused_otherwise, session, silence_of_others,
};
use crate::doctor::dialogue::{
    AUTHENTICATED as IN_AUTHENTICATED, DialogueKind, ENCRYPTED as IN_ENCRYPTED, MIXED as IN_MIXED,
    UNKNOWN_KEY as WITH_UNKNOWN_KEY, WRONG_PASSPHRASE,
};
use crate::doctor::{Judged, Seen, Status};

pub(in crate::doctor::checks) static AUTHENTICATED: OfDialogues = OfDialogues {
    id: "control.mode.authenticated",
    kinds: &[&IN_AUTHENTICATED],
    judge: |seen| mode(seen, &IN_AUTHENTICATED, SecurityMode::Authenticated),
};
pub(in crate::doctor::checks) static ENCRYPTED: OfDialogues = OfDialogues {
    id: "control.mode.encrypted",
    kinds: &[&IN_ENCRYPTED],
    judge: |seen| mode(seen, &IN_ENCRYPTED, SecurityMode::Encrypted),
};
pub(in crate::doctor::checks) static MIXED: OfDialogues = OfDialogues {
    id: "control.mode.mixed",
    kinds: &[&IN_MIXED],
    judge: |seen| mode(seen, &IN_MIXED, SecurityMode::Mixed),
};

/// The strongest secured mode in which a session was reflected.
pub(crate) fn strongest(seen: &Seen) -> Option<SecurityMode> {
    let modes: [(&'static DialogueKind, _); 3] = [
        (&IN_ENCRYPTED, SecurityMode::Encrypted),
        (&IN_AUTHENTICATED, SecurityMode::Authenticated),
        (&IN_MIXED, SecurityMode::Mixed),
    ];
    let works = |kind| {
        seen.dialogue(kind)
            .is_some_and(|dialogue| answered(dialogue, 0).1 > 0)
    };
    let mut modes = modes.into_iter();
    modes.find(|(kind, _)| works(kind)).map(|(_, mode)| mode)
}

fn mode(seen: &Seen, kind: &'static DialogueKind, mode: SecurityMode) -> Judged {
    let Some((_, greeting)) = greeting(seen) else {
        return Judged::skipped("no TWAMP server");
    };
    let name = mode.name();
    let offers = Modes::from_bits(greeting.modes.get()).contains(mode.modes());
    let data = |judged: Judged| judged.with("offered", offers);
    let Some(key) = &seen.plan.keys.control else {
        return data(Judged::skipped(format!(
            "no key was given: the {name} mode is not tried (--keys FILE)"
        )));
    };
    if !offers {
        return data(Judged::skipped(format!(
            "the server does not offer the {name} mode"
        )));
    }
    let Some(dialogue) = seen.dialogue(kind) else {
        return data(not_tried(seen));
    };
    let what = format!("a session in the {name} mode");
    if let Some(Err(refusal)) = first_session(dialogue).and_then(|session| session.answer) {
        let judged = refused_otherwise(seen, refusal);
        return data(judged.unwrap_or_else(|| refused(Status::Fail, &what, refusal)));
    }
    let (sent, came) = answered(dialogue, 0);
    if came > 0 {
        return data(Judged::ok(format!(
            "the {name} mode works with the key {}: {came} of {sent} packets are reflected",
            key.id
        )));
    }
    let forged = first_session(dialogue)
        .and_then(|session| session.train.as_ref())
        .map_or(0, |train| train.forged);
    let end = &dialogue.seen.end;
    data(login_failed(seen, key.id, name, dialogue).unwrap_or_else(|| {
        if forged > 0 {
            return Judged::fail(format!(
                "a session in the {name} mode is agreed on, and its replies have the wrong keys"
            ))
            .advise("report it to the vendor (RFC 4656 section 4.1.2, RFC 5357 section 4.2.1)");
        }
        broken(Status::Fail, &what, end).unwrap_or_else(|| {
            silence_of_others(seen, &what).unwrap_or_else(|| {
                let (port, advice) = match session::given_port(dialogue) {
                    Some(port) => (
                        format!(" to UDP port {port}"),
                        format!("open UDP port {port} in a firewall on the way, and the replies from it: other modes may have other ports; or see the server's log: its reflector may not know the mode"),
                    ),
                    None => (String::new(), "see the server's log: its reflector may not know the mode".to_owned()),
                };
                Judged::fail(format!(
                    "a session in the {name} mode is agreed on, and none of its {sent} packets{port} is answered"
                ))
                .advise(advice)
            })
        })
    }))
}

/// Why there was no dialogue with a key.
fn not_tried(seen: &Seen) -> Judged {
    if is_key_taken(seen) == Some(false) {
        Judged::skipped("not tried: no login with the key succeeds")
    } else {
        super::not_had(seen)
    }
}

/// What is said where the key may be why; `None`: it is not.
pub(super) fn login_failed(
    seen: &Seen,
    key: KeyId,
    name: &str,
    dialogue: &Dialogue,
) -> Option<Judged> {
    let end = &dialogue.seen.end;
    if let DialogueEnd::Refused(refusal) = end
        && refusal.accept() == Accept::Failure
    {
        return Some(login_refused(seen, &key.to_string(), name, *refusal));
    }
    let DialogueEnd::Failed(error) = end else {
        return None;
    };
    let is_before_sessions = first_session(dialogue).is_none_or(|session| session.answer.is_none());
    if let ClientError::EndedBefore(expected) = error
        && is_before_sessions
    {
        return Some(
            Judged::fail(format!(
                "the server ends the connection before {expected} in the {name} mode: it may not know the key {key}, or its passphrase differs"
            ))
            .advise("compare the key on both sides, and see the server's log"),
        );
    }
    (*error == ClientError::Forged).then(|| {
        Judged::fail(format!(
            "the server takes the key {key} in the {name} mode, and its messages fail their HMAC"
        ))
        .advise("the passphrase differs and the server does not check it, or it derives other session keys: report it to the vendor (RFC 4656 section 3.2)")
    })
}

/// The login is refused: what can be said of why.
fn login_refused(seen: &Seen, key: &str, mode: &str, refusal: twinpath_proto::Refusal) -> Judged {
    let unknown = seen
        .dialogue(&WITH_UNKNOWN_KEY)
        .map(|dialogue| &dialogue.seen.end);
    let finding = format!("the server refuses the key {key} in the {mode} mode: Accept {refusal}");
    let judged = match unknown {
        Some(DialogueEnd::Refused(other)) if other.octet == refusal.octet => Judged::fail(finding)
            .advise("it does not know the key, or the passphrase differs: it answers a made-up key alike, so which of the two is not told; compare both on both sides"),
        Some(DialogueEnd::Refused(other)) => Judged::fail(format!(
            "{finding}; it answers a made-up key with Accept {other}"
        ))
        .advise("it seems to know the key: compare the passphrase first"),
        _ => Judged::fail(finding)
            .advise("it does not know the key, or the passphrase differs: compare both on both sides"),
    };
    judged.with("accept", refusal.octet)
}

/// A wrong passphrase must not be taken.
pub(in crate::doctor::checks) static WRONG_KEY: OfDialogues = OfDialogues {
    id: "control.wrong-key",
    kinds: &[&WRONG_PASSPHRASE],
    judge: |seen| not_to_be_taken(seen, &WRONG_PASSPHRASE, "a wrong passphrase"),
};

/// A key that the server cannot have must not be taken.
pub(in crate::doctor::checks) static UNKNOWN_KEY: OfDialogues = OfDialogues {
    id: "control.unknown-key",
    kinds: &[&WITH_UNKNOWN_KEY],
    judge: |seen| not_to_be_taken(seen, &WITH_UNKNOWN_KEY, "an unknown key"),
};

fn not_to_be_taken(seen: &Seen, kind: &'static DialogueKind, what: &str) -> Judged {
    let Some((_, greeting)) = greeting(seen) else {
        return Judged::skipped("no TWAMP server");
    };
    if seen.plan.keys.control.is_none() {
        return Judged::skipped("no key was given (--keys FILE)");
    }
    let offered = Modes::from_bits(greeting.modes.get());
    if offered.and(Modes::SECURED).is_empty() {
        return Judged::warn("a key was given, and the server offers no secured mode")
            .advise("configure keys on the server, or leave out --keys");
    }
    let Some(dialogue) = seen.dialogue(kind) else {
        return not_tried(seen);
    };
    let judged = taken(dialogue, what);
    if judged.status == Status::Ok && is_key_taken(seen) == Some(false) {
        return Judged::skipped(format!(
            "{what} is refused as the key is: that proves nothing"
        ));
    }
    judged
}

fn taken(dialogue: &Dialogue, what: &str) -> Judged {
    let end = &dialogue.seen.end;
    if let DialogueEnd::Refused(refusal) = end {
        return Judged::ok(format!("{what} is refused: Accept {refusal}"))
            .with("accept", refusal.octet);
    }
    if matches!(end, DialogueEnd::Done(_)) {
        return Judged::fail(format!("the server takes {what}")).advise(
            "anybody can use its secured modes: report it to the vendor (RFC 4656 section 3.1)",
        );
    }
    if matches!(end, DialogueEnd::Failed(ClientError::EndedBefore(_))) {
        return Judged::ok(format!(
            "{what} is refused: the server ends the connection without saying so"
        ));
    }
    broken(Status::Warn, &format!("the login with {what}"), end)
        .unwrap_or_else(|| Judged::unknown("no answer"))
}
