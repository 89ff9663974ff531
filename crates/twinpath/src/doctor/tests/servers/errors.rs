//! How servers err in what is judged, with the check that finds it and what it says.

use twinpath_proto::control::ClientError;
use twinpath_runtime::probe::{DialogueEnd, DialogueSeen, Parting, TrainSeen};
use twinpath_wire::Tos;

use super::{CHOSEN, each_reply, refuses};
use crate::doctor::dialogue::{
    DialogueAsk, INDIVIDUAL, LARGE, MONITORED, PTP, REFLECT_OCTETS, SYMMETRICAL, ZERO_ADDRESSES,
};

/// Check, part of its finding, how the server errs.
type Error = (&'static str, &'static str, Changed);
type Changed = fn(&DialogueAsk, &mut DialogueSeen);

pub(super) const ERRORS: &[Error] = &[
    (
        "control.port",
        "chooses UDP ports: 18760 in place of",
        |_, seen| {
            for session in &mut seen.sessions {
                if let Some(Ok(accepted)) = &mut session.answer {
                    accepted.port = CHOSEN;
                }
            }
        },
    ),
    (
        "control.session",
        "none of 13 packets to UDP port",
        |_, seen| {
            for train in seen
                .sessions
                .iter_mut()
                .filter_map(|session| session.train.as_mut())
            {
                train.opening.0 = vec![Vec::new(); 13];
                train.opening.1.replies.clear();
                train.paced = (Vec::new(), TrainSeen::default());
            }
        },
    ),
    ("control.stop", "resets the connection", |_, seen| {
        seen.end = DialogueEnd::Done(Some(Parting::Reset));
    }),
    ("control.stop", "keeps the connection open", |_, seen| {
        seen.end = DialogueEnd::Done(Some(Parting::Open));
    }),
    ("control.stop", "while a session runs", |_, seen| {
        let running = 1;
        seen.end = DialogueEnd::Failed(ClientError::EndedWhileRunning { running });
    }),
    (
        "control.zero-addresses",
        "refuses a session with zero addresses: Accept 3",
        |ask, seen| {
            if ask.kind.name == ZERO_ADDRESSES.name {
                refuses(seen, 3);
            }
        },
    ),
    (
        "control.padding",
        "replies to packets of 1414 octets have 41",
        |ask, seen| {
            if ask.kind.name == LARGE.name {
                each_reply(seen, |reply| reply.octets.truncate(41));
            }
        },
    ),
    ("control.dscp", "replies come with be", |_, seen| {
        each_reply(seen, |reply| reply.tos = Some(Tos(0)));
    }),
    (
        "control.feature.individual-control",
        "the other stops too",
        |ask, seen| {
            if ask.kind.name == INDIVIDUAL.name {
                let other = seen.sessions[1].train.as_mut().unwrap();
                other.paced.1.replies.clear();
            }
        },
    ),
    (
        "control.feature.individual-control",
        "refuses a session with individual",
        |ask, seen| {
            if ask.kind.name == INDIVIDUAL.name {
                refuses(seen, 3);
            }
        },
    ),
    (
        "control.feature.reflect-octets",
        "Accept-Session does not return them",
        |ask, seen| {
            if ask.kind.name == REFLECT_OCTETS.name
                && let Some(Ok(accepted)) = &mut seen.sessions[0].answer
            {
                accepted.octets_reflected = false;
            }
        },
    ),
    (
        "control.feature.reflect-octets",
        "padding does not come back",
        |ask, seen| {
            if ask.kind.name == REFLECT_OCTETS.name {
                each_reply(seen, |reply| reply.octets[45] = 0);
            }
        },
    ),
    (
        "control.feature.symmetrical-size",
        "have 41",
        |ask, seen| {
            if ask.kind.name == SYMMETRICAL.name {
                each_reply(seen, |reply| reply.octets.truncate(41));
            }
        },
    ),
    (
        "control.feature.dscp-monitoring",
        "arrive with be",
        |ask, seen| {
            if ask.kind.name == MONITORED.name {
                each_reply(seen, |reply| reply.octets[41] = 0);
            }
        },
    ),
    (
        "control.feature.dscp-monitoring",
        "end before its field",
        |ask, seen| {
            if ask.kind.name == MONITORED.name {
                each_reply(seen, |reply| reply.octets.truncate(41));
            }
        },
    ),
    ("control.feature.ptp-timestamps", "say NTP", |ask, seen| {
        if ask.kind.name == PTP.name {
            each_reply(seen, |reply| reply.octets[12] &= 0xbf);
        }
    }),
    ("session.one-reply", "more than one reply", |_, seen| {
        for train in seen
            .sessions
            .iter_mut()
            .filter_map(|session| session.train.as_mut())
        {
            train.paced.1.replies.extend_from_within(..);
        }
    }),
    (
        "session.numbers",
        "all replies have the same number",
        |_, seen| {
            each_reply(seen, |reply| reply.octets[..4].fill(9));
        },
    ),
    ("session.time-format", "no transmit timestamp", |_, seen| {
        each_reply(seen, |reply| reply.octets[4..12].fill(0));
    }),
    ("session.sender-ttl", "Sender TTL is 0", |_, seen| {
        each_reply(seen, |reply| reply.octets[40] = 0);
    }),
    (
        "session.reply-size",
        "replies to 60 octets have 41",
        |_, seen| {
            each_reply(seen, |reply| reply.octets.truncate(41));
        },
    ),
];
