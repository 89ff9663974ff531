//! Features that the modes word claims, each used in a session (RFC 5938, RFC 6038, RFC 7750, RFC 8186).

use twinpath_runtime::probe::SessionTrain;
use twinpath_wire::control::Modes;
use twinpath_wire::{ReflectorSecured, Reply, TimeFormat};

use super::{
    Dialogue, OfDialogues, answered, broken, first_session, greeting, loses, not_had, refused,
    refused_otherwise, silence_of_others,
};
use crate::doctor::dialogue::{self, DialogueKind};
use crate::doctor::{Exchange, Judged, Seen, Status};

/// Sessions that are started and stopped each by itself.
pub(in crate::doctor::checks) static INDIVIDUAL: OfDialogues = OfDialogues {
    id: "control.feature.individual-control",
    kinds: &[&dialogue::INDIVIDUAL],
    judge: |seen| {
        let judged = judged(
            seen,
            &dialogue::INDIVIDUAL,
            "individual session control",
            individual,
        );
        let is_silent = |dialogue: &Dialogue| {
            let mut sessions = dialogue.seen.sessions.iter();
            sessions.all(|session| session.stop_refused.is_none())
                && (0..2).any(|index| answered(dialogue, index).1 == 0)
        };
        let dialogue = seen.dialogue(&dialogue::INDIVIDUAL);
        if judged.status == Status::Fail && dialogue.is_some_and(is_silent) && loses(seen) {
            let silence = "of two sessions one is not answered, and packets of others are lost too";
            return Judged::unknown(silence).with("offered", true);
        }
        judged
    },
};

fn individual(dialogue: &Dialogue) -> Judged {
    let refused_to_stop = dialogue
        .seen
        .sessions
        .iter()
        .find_map(|session| session.stop_refused);
    if let Some(refusal) = refused_to_stop {
        return refused(Status::Fail, "Stop-N-Sessions", refusal);
    }
    match [0, 1].map(|index| answered(dialogue, index).1 > 0) {
        [true, true] => Judged::ok(
            "individual session control works: of two sessions one is stopped, and the other goes on",
        ),
        [true, false] => Judged::fail("where one of two sessions is stopped, the other stops too")
            .advise("report it to the vendor (RFC 5938 section 3.4)"),
        [false, _] => Judged::fail("a session started with Start-N-Sessions is not reflected")
            .advise("report it to the vendor (RFC 5938 section 3.2)"),
    }
}

/// Octets and padding that come back.
pub(in crate::doctor::checks) static REFLECT_OCTETS: OfDialogues = OfDialogues {
    id: "control.feature.reflect-octets",
    kinds: &[&dialogue::REFLECT_OCTETS],
    judge: |seen| {
        judged(
            seen,
            &dialogue::REFLECT_OCTETS,
            "Reflect Octets",
            reflect_octets,
        )
    },
};

fn reflect_octets(dialogue: &Dialogue) -> Judged {
    let session = first_session(dialogue);
    let accepted = session.and_then(|session| session.answer?.ok());
    if accepted.is_some_and(|accepted| !accepted.octets_reflected) {
        return Judged::fail(
            "the server offers Reflect Octets, and Accept-Session does not return them",
        )
        .advise("report it to the vendor (RFC 6038 section 4.3)");
    }
    let Some(train) = session.and_then(|session| session.train.as_ref()) else {
        return silent("Reflect Octets");
    };
    let features = train.form.features;
    let (from, to) = (features.padding_from(), features.reply_header());
    let most = features.reflected();
    let sent = train
        .paced
        .0
        .first()
        .and_then(|request| request.get(from..from + most));
    let returns = |reply: &Vec<u8>| sent.is_some() && reply.get(to..to + most) == sent;
    if octets(train).all(returns) {
        Judged::ok(format!(
            "Reflect Octets works: {most} octets of padding come back unchanged"
        ))
    } else {
        Judged::fail("the server offers Reflect Octets, and padding does not come back unchanged")
            .advise("report it to the vendor (RFC 6038 section 5.2)")
    }
}

/// Requests as long as their replies.
pub(in crate::doctor::checks) static SYMMETRICAL: OfDialogues = OfDialogues {
    id: "control.feature.symmetrical-size",
    kinds: &[&dialogue::SYMMETRICAL],
    judge: |seen| {
        judged(
            seen,
            &dialogue::SYMMETRICAL,
            "Symmetrical Size",
            symmetrical,
        )
    },
};

fn symmetrical(dialogue: &Dialogue) -> Judged {
    let Some(train) = first_session(dialogue).and_then(|session| session.train.as_ref()) else {
        return silent("Symmetrical Size");
    };
    let request = train.paced.0.first().map_or(0, Vec::len);
    let other = octets(train).map(Vec::len).find(|reply| *reply != request);
    match other {
        None => Judged::ok("Symmetrical Size works: replies are as long as their requests"),
        Some(reply) => Judged::fail(format!(
            "the server offers Symmetrical Size, and replies to {request} octets have {reply}"
        ))
        .advise("report it to the vendor (RFC 6038 section 5.2)"),
    }
}

/// The class with which requests arrive.
pub(in crate::doctor::checks) static MONITORED: OfDialogues = OfDialogues {
    id: "control.feature.dscp-monitoring",
    kinds: &[&dialogue::MONITORED],
    judge: |seen| {
        judged(
            seen,
            &dialogue::MONITORED,
            "DSCP and ECN Monitoring",
            monitored,
        )
    },
};

fn monitored(dialogue: &Dialogue) -> Judged {
    let Some(train) = first_session(dialogue).and_then(|session| session.train.as_ref()) else {
        return silent("DSCP and ECN Monitoring");
    };
    let sent = train.form.plan.dscp.tos();
    let Some(told) = octets(train).find_map(|reply| sender_tos(train, reply)) else {
        return Judged::fail(
            "the server offers DSCP and ECN Monitoring, and replies end before its field",
        )
        .advise("report it to the vendor (RFC 7750 section 2.2.1)");
    };
    let judged = if told == sent.0 {
        Judged::ok("DSCP and ECN Monitoring works: requests arrive with the DSCP that they have")
    } else if told == 0 {
        Judged::warn("requests with DSCP ef arrive with be, as DSCP and ECN Monitoring says: remarked on the way, or not told")
            .advise("look at the devices on the way out that remark; if there are none, report it to the vendor (RFC 7750 section 2.2.1)")
    } else {
        Judged::warn(format!(
            "requests with DSCP ef arrive with {}, as DSCP and ECN Monitoring says",
            told >> 2
        ))
        .advise("look at the devices on the way out that remark")
    };
    judged.with("arrives_with_tos", told)
}

/// S-DSCP-ECN of a reply.
fn sender_tos(train: &SessionTrain, reply: &[u8]) -> Option<u8> {
    let reply = if train.form.features.is_secured() {
        Reply::from(ReflectorSecured::view(reply).ok()?.0)
    } else {
        Reply::view(reply).ok()?
    };
    reply.sender_tos
}

/// Timestamps in the format of PTP.
pub(in crate::doctor::checks) static PTP: OfDialogues = OfDialogues {
    id: "control.feature.ptp-timestamps",
    kinds: &[&dialogue::PTP],
    judge: |seen| judged(seen, &dialogue::PTP, "PTPv2 timestamps", ptp),
};

fn ptp(dialogue: &Dialogue) -> Judged {
    let Some(Some(train)) = dialogue.open.first() else {
        return silent("PTPv2 timestamps");
    };
    let exchange = Exchange::of_session(([0, 0, 0, 0], 0).into(), train);
    let trips: Vec<_> = exchange.round_trips().collect();
    if trips
        .iter()
        .any(|trip| trip.head.error.format() == TimeFormat::Ntp)
    {
        return Judged::fail("the server offers PTPv2 timestamps, and its replies say NTP (Z = 0)")
            .advise(
                "report it to the vendor (RFC 8186 section 2.2); leave out --timestamp-format ptp",
            );
    }
    if trips.iter().all(|trip| trip.times().z_wrong) {
        return Judged::fail("replies say PTPv2 timestamps (Z = 1), and have NTP's").advise(
            "report it to the vendor (RFC 8186 section 2.3); leave out --timestamp-format ptp",
        );
    }
    Judged::ok("PTPv2 timestamps work")
}

fn octets(train: &SessionTrain) -> impl Iterator<Item = &Vec<u8>> {
    train.paced.1.replies.iter().map(|reply| &reply.octets)
}

fn silent(name: &str) -> Judged {
    Judged::fail(format!(
        "a session with {name} is accepted and not reflected"
    ))
    .advise("measure without it, and report it to the vendor")
}

/// What becomes of a session with a feature.
fn judged(
    seen: &Seen,
    kind: &'static DialogueKind,
    name: &str,
    works: fn(&Dialogue) -> Judged,
) -> Judged {
    let Some((_, greeting)) = greeting(seen) else {
        return Judged::skipped("no TWAMP server");
    };
    let offers = Modes::from_bits(greeting.modes.get()).contains(kind.features);
    if !offers {
        return Judged::skipped(format!("the server does not offer {name}")).with("offered", false);
    }
    let judged = of_dialogue(seen, kind, name, works);
    judged.with("offered", true)
}

fn of_dialogue(
    seen: &Seen,
    kind: &'static DialogueKind,
    name: &str,
    works: fn(&Dialogue) -> Judged,
) -> Judged {
    let Some(dialogue) = seen.dialogue(kind) else {
        return not_had(seen);
    };
    let what = format!("a session with {name} (offered)");
    let sessions = dialogue.seen.sessions.iter();
    let mut refusals = sessions.filter_map(|session| session.answer?.err());
    if let Some(refusal) = refusals.next() {
        return refused_otherwise(seen, refusal)
            .unwrap_or_else(|| refused(Status::Fail, &what, refusal));
    }
    if answered(dialogue, 0).1 > 0 {
        return works(dialogue);
    }
    broken(Status::Fail, &what, &dialogue.seen.end)
        .unwrap_or_else(|| silence_of_others(seen, &what).unwrap_or_else(|| silent(name)))
}
