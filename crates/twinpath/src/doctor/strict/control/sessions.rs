//! Sessions: commands out of order, and which test packets are answered when (RFC 5357 sections 3.5, 3.8, 4.2).

use std::time::Duration;

use super::limits::{IDLE, MANY, beside_idle, many_sessions};
use super::{
    ACCEPT_SESSION, READ_SESSION, READ_START, REQUEST, START, STOP, messages, not_made, open,
};
use crate::doctor::strict::dialogues::Dialogue;
use crate::doctor::strict::exchange::{DUE, NOT_DUE, Packet};
use crate::doctor::strict::form::put;
use crate::doctor::strict::steps::{PACKET, Step, Transcript, UNANSWERED, named};
use crate::doctor::strict::{Outcome, Part, Trial, Trials};

/// Longer than a Timeout of 0 and what it takes to act on a Stop-Sessions.
pub(super) const AFTER_STOP: Duration = Duration::from_millis(300);

pub(crate) static PART: Part = Part {
    name: "TWAMP-Control sessions",
    trials: Trials::Dialogues(TRIALS),
};

/// From the port that no session was requested for.
const OTHER_PORT: Step = Step::Packet(Packet { from: 1, ..NOT_DUE });

static TRIALS: &[Trial<Dialogue>] = &[
    Trial {
        id: "strict.control.idle-connections",
        rfc: 4656,
        section: "3.1",
        sends: "20 further connections that say nothing, then a request on the first",
        how: Dialogue {
            opening: open,
            steps: &[Step::Crowd(IDLE), REQUEST, READ_SESSION],
            judge: beside_idle,
        },
    },
    Trial {
        id: "strict.control.start-first",
        rfc: 4656,
        section: "3.7",
        sends: "Start-Sessions before any request",
        how: Dialogue {
            opening: open,
            steps: &[START, READ_START],
            judge: |seen| match seen.accept(0) {
                Some(0) => Outcome::unclear("Start-Ack of Accept 0, and nothing to start"),
                Some(accept) => Outcome::pass(format!("refused with Accept {}", named(accept))),
                None if seen.is_closed(0) => Outcome::pass("the connection is closed"),
                None => Outcome::fail("no Start-Ack").by_silence(),
            },
        },
    },
    Trial {
        id: "strict.control.stop-first",
        rfc: 5357,
        section: "3.8",
        sends: "Stop-Sessions before Start-Sessions, then an ordinary request",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|_| messages::stop_of(0)),
                Step::Listen,
                REQUEST,
                READ_SESSION,
            ],
            judge: |seen| match (seen.accept(0), seen.accept(1)) {
                (Some(_), _) => Outcome::fail("Stop-Sessions is answered"),
                (None, Some(0)) => Outcome::pass("no answer, and the next request is accepted"),
                (None, Some(accept)) => Outcome::unclear(format!(
                    "the next request is refused with Accept {}",
                    named(accept)
                )),
                (None, None) if seen.is_closed(1) => Outcome::pass("the connection is closed"),
                (None, None) => Outcome::fail("the next request is not answered").by_silence(),
            },
        },
    },
    Trial {
        id: "strict.control.before-start",
        rfc: 4656,
        section: "3.7",
        sends: "a test packet before Start-Sessions, and one after",
        how: Dialogue {
            opening: open,
            steps: &[REQUEST, READ_SESSION, UNANSWERED, START, READ_START, PACKET],
            judge: |seen| silent_then(seen, "before Start-Sessions"),
        },
    },
    Trial {
        id: "strict.control.other-port",
        rfc: 5938,
        section: "4.2",
        sends: "a test packet from another port than the session's, and one from its own",
        how: Dialogue {
            opening: open,
            steps: &[REQUEST, READ_SESSION, START, READ_START, OTHER_PORT, PACKET],
            judge: |seen| silent_then(seen, "from another port"),
        },
    },
    Trial {
        id: "strict.control.sender-foreign",
        rfc: 5357,
        section: "3.5",
        sends: "a session for the Sender Address of another host, and a test packet from here",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| messages::request_for(seen, messages::SENDER_ADDRESS)),
                READ_SESSION,
                START,
                READ_START,
                UNANSWERED,
            ],
            judge: |seen| match (seen.accept(0), seen.packets.first()) {
                (Some(0), Some(true)) => {
                    Outcome::fail("a packet of another address than the session's is answered")
                }
                (Some(0), _) => Outcome::pass("accepted, and the packet is not answered"),
                (Some(accept), _) => {
                    Outcome::pass(format!("refused with Accept {}", named(accept)))
                }
                (None, _) => Outcome::unclear("no answer to the request"),
            },
        },
    },
    Trial {
        id: "strict.control.request-started",
        rfc: 4656,
        section: "3.4",
        sends: "a request between Start-Sessions and Stop-Sessions",
        how: Dialogue {
            opening: open,
            steps: &[
                REQUEST,
                READ_SESSION,
                START,
                READ_START,
                Step::Write(messages::second_request),
                READ_SESSION,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.accept(2) {
                    Some(0) => Outcome::fail("accepted: only Stop-Sessions is allowed then"),
                    Some(accept) => Outcome::pass(format!("refused with Accept {}", named(accept))),
                    None if seen.is_closed(2) => Outcome::pass("the connection is closed"),
                    None => Outcome::unclear("no answer"),
                })
            },
        },
    },
    Trial {
        id: "strict.control.start-twice",
        rfc: 4656,
        section: "3.4",
        sends: "Start-Sessions twice",
        how: Dialogue {
            opening: open,
            steps: &[REQUEST, READ_SESSION, START, READ_START, START, READ_START],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.accept(2) {
                    Some(0) => Outcome::unclear("Start-Ack of Accept 0 both times"),
                    Some(accept) => Outcome::pass(format!("refused with Accept {}", named(accept))),
                    None if seen.is_closed(2) => Outcome::pass("the connection is closed"),
                    None => Outcome::unclear("no answer"),
                })
            },
        },
    },
    Trial {
        id: "strict.control.stop-count",
        rfc: 5357,
        section: "3.8",
        sends: "Stop-Sessions of 7 sessions where one is started, then a request",
        how: Dialogue {
            opening: open,
            steps: &[
                REQUEST,
                READ_SESSION,
                START,
                READ_START,
                Step::Write(|_| messages::stop_of(7)),
                Step::Write(messages::second_request),
                READ_SESSION,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| {
                    if seen.is_closed(2) {
                        Outcome::pass("the connection is closed")
                    } else {
                        Outcome::unclear("the connection goes on, and SHOULD be closed")
                    }
                })
            },
        },
    },
    Trial {
        id: "strict.control.stop-accept",
        rfc: 4656,
        section: "3.8",
        sends: "Stop-Sessions of Accept 1, then a request",
        how: Dialogue {
            opening: open,
            steps: &[
                REQUEST,
                READ_SESSION,
                START,
                READ_START,
                Step::Write(|_| {
                    let mut message = messages::stop_of(1);
                    put(&mut message, 1, &[1]);
                    message
                }),
                Step::Write(messages::second_request),
                READ_SESSION,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.accept(2) {
                    Some(0) => Outcome::pass("the sessions end, and the request is accepted"),
                    Some(accept) => Outcome::unclear(format!(
                        "the request is refused with Accept {}",
                        named(accept)
                    )),
                    None if seen.is_closed(2) => Outcome::pass("the connection is closed"),
                    None => Outcome::fail("no answer to the request").by_silence(),
                })
            },
        },
    },
    Trial {
        id: "strict.control.within-timeout",
        rfc: 5357,
        section: "3.5",
        sends: "a test packet after Stop-Sessions, within the Timeout of 2 s",
        how: Dialogue {
            opening: open,
            steps: &[
                REQUEST,
                READ_SESSION,
                START,
                READ_START,
                PACKET,
                STOP,
                PACKET,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.packets[..] {
                    [true, true] => Outcome::pass("answered"),
                    [true, false] => Outcome::fail("not answered").by_silent_packets(),
                    _ => Outcome::unclear("a packet before Stop-Sessions is not answered either"),
                })
            },
        },
    },
    Trial {
        id: "strict.control.after-timeout",
        rfc: 5357,
        section: "4.2",
        sends: "a test packet after Stop-Sessions and the Timeout, which is 0",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| messages::request_with(seen, messages::TIMEOUT, &[0; 8])),
                READ_SESSION,
                START,
                READ_START,
                PACKET,
                STOP,
                Step::Pause(AFTER_STOP),
                UNANSWERED,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.packets[..] {
                    [true, false] => Outcome::pass("not answered").by_silent_packets(),
                    [true, true] => Outcome::fail("answered"),
                    _ => Outcome::unclear("a packet before Stop-Sessions is not answered either"),
                })
            },
        },
    },
    Trial {
        id: "strict.control.two-sessions",
        rfc: 5357,
        section: "3.5",
        sends: "two sessions of one connection, and a test packet of each",
        how: Dialogue {
            opening: open,
            steps: &[
                REQUEST,
                READ_SESSION,
                Step::Write(messages::second_request),
                READ_SESSION,
                START,
                READ_START,
                PACKET,
                Step::Packet(Packet {
                    session: 1,
                    to: 1,
                    from: 1,
                    ..DUE
                }),
            ],
            judge: two_sessions,
        },
    },
    Trial {
        id: "strict.control.same-ends",
        rfc: 5938,
        section: "4.2",
        sends: "two requests for the same sender and receiver ports: packets must be told apart",
        how: Dialogue {
            opening: open,
            steps: &[
                REQUEST,
                READ_SESSION,
                Step::Write(|seen| {
                    let port = seen.port(0).unwrap_or(0).to_be_bytes();
                    messages::request_with(seen, messages::RECEIVER_PORT, &port)
                }),
                READ_SESSION,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.accept(1) {
                    Some(0) if seen.port(1) == seen.port(0) => {
                        Outcome::fail("both sessions have the same addresses and ports")
                    }
                    Some(0) => Outcome::pass("the second session has another port"),
                    Some(accept) => Outcome::pass(format!("refused with Accept {}", named(accept))),
                    None => Outcome::fail("no answer to the second request").by_silence(),
                })
            },
        },
    },
    Trial {
        id: "strict.control.many-sessions",
        rfc: 4656,
        section: "3.3",
        sends: "20 requests on one connection: a limit is stated by its Accept code",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| messages::request(seen).repeat(MANY)),
                Step::Read(MANY * ACCEPT_SESSION),
            ],
            judge: many_sessions,
        },
    },
    Trial {
        id: "strict.control.again",
        rfc: 4656,
        section: "3.4",
        sends: "another round of Request, Start and Stop on the same connection",
        how: Dialogue {
            opening: open,
            steps: &[
                REQUEST,
                READ_SESSION,
                START,
                READ_START,
                STOP,
                Step::Write(messages::second_request),
                READ_SESSION,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.accept(2) {
                    Some(0) => Outcome::pass("accepted"),
                    Some(accept) => {
                        Outcome::unclear(format!("refused with Accept {}", named(accept)))
                    }
                    None if seen.is_closed(2) => Outcome::unclear("the connection is closed"),
                    None => Outcome::fail("no answer").by_silence(),
                })
            },
        },
    },
];

/// No packet but the last, which shows that the session works, must be answered.
pub(super) fn silent_then(seen: &Transcript, what: &str) -> Outcome {
    not_made(seen, 0).unwrap_or_else(|| match seen.packets.split_last() {
        Some((_, others)) if others.contains(&true) => {
            Outcome::fail(format!("a test packet {what} is answered"))
        }
        Some((true, _)) => {
            Outcome::pass("not answered, and the session's packet is").by_silent_packets()
        }
        Some((false, _)) | None => {
            Outcome::unclear("the session's own packet is not answered either")
        }
    })
}

fn two_sessions(seen: &Transcript) -> Outcome {
    if let Some(outcome) = not_made(seen, 0) {
        return outcome;
    }
    match (seen.accept(1), &seen.packets[..]) {
        (Some(0), _) if seen.sid(0) == seen.sid(1) => {
            Outcome::fail("both sessions have the same SID")
        }
        (Some(0), [true, true]) => Outcome::pass("both are answered"),
        (Some(0), _) => Outcome::fail("not both are answered").by_silent_packets(),
        (Some(accept @ (4 | 5)), _) => Outcome::unclear(format!(
            "the second is refused with Accept {}",
            named(accept)
        )),
        (Some(accept), _) => Outcome::fail(format!(
            "the second is refused with Accept {}, and 4 or 5 name a limit",
            named(accept)
        )),
        (None, _) => Outcome::fail("no answer to the second request").by_silence(),
    }
}
