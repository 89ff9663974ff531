//! Errors of sessions.

use twinpath_runtime::probe::{Crowd, RawRead};

use super::*;

/// Octets of Start-Sessions and Stop-Sessions, and of Start-N-Sessions of one session.
const COMMAND: usize = 32;
const ABOUT_ONE: usize = 48;
/// Of a session that the fixture makes up.
const MADE_UP: u8 = 0xee;

pub(super) fn all() -> Vec<Error> {
    let mut all = crowded();
    all.extend(order());
    all.extend(packets());
    all.extend(individual());
    all.extend(again());
    all
}

/// The answer to so many octets of the client becomes this one.
fn instead(written: &[u8], message: &mut [u8], after: usize, octets: usize, accept: u8) {
    if written.len() == after && message.len() == octets {
        message[0] = accept;
    }
}

fn crowded() -> Vec<Error> {
    vec![unclear(
        "closes the last of many connections without a greeting",
        &["strict.control.idle-connections"],
        Errs {
            crowded: Some(Crowd::Made(RawRead {
                octets: Vec::new(),
                is_closed: true,
            })),
            ..Errs::default()
        },
    )]
}

fn order() -> Vec<Error> {
    vec![
        unclear(
            "starts nothing",
            &["strict.control.start-first"],
            saying(|written, message| {
                instead(written, message, SET_UP + COMMAND, 32, 0);
            }),
        ),
        fails(
            "answers Stop-Sessions",
            &["strict.control.stop-first"],
            reading(|octets| {
                if octets.len() == COMMAND && octets[0] == 3 && octets[7] == 0 {
                    octets[0] = 2;
                }
            }),
        ),
        fails(
            "makes sessions while others run",
            &["strict.control.request-started"],
            saying(|written, message| {
                let after = SET_UP + REQUEST + COMMAND + REQUEST;
                if written.len() == after && written[after - REQUEST] == 5 && message.len() == 48 {
                    message[0] = 0;
                }
            }),
        ),
        unclear(
            "starts twice",
            &["strict.control.start-twice"],
            saying(|written, message| {
                instead(written, message, SET_UP + REQUEST + 2 * COMMAND, 32, 0);
            }),
        ),
        unclear(
            "goes on after a wrong number",
            &["strict.control.stop-count"],
            reading(|octets| {
                if octets.len() == COMMAND && octets[0] == 3 && octets[7] == 7 {
                    octets[7] = 1;
                }
            }),
        ),
        unclear(
            "allows one round",
            &["strict.control.again", "strict.control.stop-accept"],
            saying(|written, message| {
                instead(
                    written,
                    message,
                    SET_UP + REQUEST + 2 * COMMAND + REQUEST,
                    48,
                    3,
                );
            }),
        ),
        unclear(
            "names no limit",
            &["strict.control.many-sessions"],
            Errs {
                config: ServerConfig {
                    max_sessions: 5,
                    ..ServerConfig::default()
                },
                ..saying(|written, message| {
                    if written.len() > SET_UP && message.len() == 48 && message[0] == 4 {
                        message[0] = 1;
                    }
                })
            },
        ),
    ]
}

fn answering(packets: fn(&[Session], u16, Duration) -> bool) -> Errs {
    Errs {
        packets: Some(packets),
        ..Errs::default()
    }
}

fn is_in_time(session: &Session, now: Duration) -> bool {
    session.until.is_none_or(|until| now <= until)
}

fn packets() -> Vec<Error> {
    vec![
        fails(
            "reflects before the start",
            &[
                "strict.control.before-start",
                "strict.individual.start-sessions",
            ],
            answering(|sessions, from, now| {
                let mut each = sessions.iter();
                each.any(|session| session.sender == from && is_in_time(session, now))
            }),
        ),
        fails(
            "reflects whatever comes",
            &["strict.control.other-port"],
            answering(|sessions, _, now| {
                let mut each = sessions.iter();
                each.any(|session| session.is_running && is_in_time(session, now))
            }),
        ),
        fails(
            "takes any Sender Address for the client's",
            &["strict.control.sender-foreign"],
            reading(|octets| {
                if has(octets, 16, &[192]) {
                    octets[16..20].fill(0);
                }
            }),
        ),
        fails(
            "ends with Stop-Sessions",
            &["strict.control.within-timeout"],
            answering(|sessions, from, _| {
                let mut each = sessions.iter();
                each.any(|session| {
                    session.sender == from && session.is_running && session.until.is_none()
                })
            }),
        ),
        fails(
            "never ends",
            &["strict.control.after-timeout"],
            answering(|sessions, from, _| {
                let mut each = sessions.iter();
                each.any(|session| session.sender == from && session.is_running)
            }),
        ),
        Error {
            unclear: &["strict.individual.stop-one"],
            ..fails(
                "reflects one session",
                &["strict.control.two-sessions"],
                answering(|sessions, from, now| {
                    let first = sessions.first();
                    first.is_some_and(|session| {
                        session.sender == from && session.is_running && is_in_time(session, now)
                    })
                }),
            )
        },
        fails(
            "has one port",
            &["strict.control.same-ends"],
            Errs {
                port: Some(|_| FIRST_PORT),
                ..Errs::default()
            },
        ),
    ]
}

/// An acknowledgement of this command and Accept says something else.
fn acknowledging(message: &mut [u8], command: u8, is_affirmed: bool, accept: u8) {
    if message.len() == 48 && message[0] == command && (message[1] == 0) == is_affirmed {
        message[1] = accept;
    }
}

/// A command about a session that is made up.
fn make_up(octets: &mut Vec<u8>) {
    octets.truncate(12);
    octets.extend([0, 0, 0, 1]);
    octets.extend([MADE_UP; 16]);
    octets.resize(ABOUT_ONE, 0);
}

/// Affirms what is made up.
fn affirm_made_up(message: &mut [u8]) {
    if message.len() == 48 && message[16] == MADE_UP && message[31] == MADE_UP {
        message[1] = 0;
    }
}

/// Commands that come again, or are about one of several sessions.
fn again() -> Vec<Error> {
    vec![
        unclear(
            "takes no Stop-Sessions of another Accept",
            &["strict.control.stop-accept"],
            reading(|octets| {
                if octets.len() == COMMAND && octets[..2] == [3, 1] {
                    octets.clear();
                }
            }),
        ),
        fails(
            "answers a second start with another session",
            &["strict.individual.start-again"],
            saying(|written, message| {
                let after = SET_UP + REQUEST + 2 * ABOUT_ONE;
                if written.len() == after && message.len() == 48 && message[0] == 8 {
                    message[16] ^= 1;
                }
            }),
        ),
        fails(
            "answers a second stop with another session",
            &["strict.individual.stop-again"],
            saying(|written, message| {
                let after = SET_UP + REQUEST + 3 * ABOUT_ONE;
                if written.len() == after && message.len() == 48 && message[0] == 10 {
                    message[16] ^= 1;
                }
            }),
        ),
        fails(
            "stops all sessions for one",
            &[
                "strict.control.within-timeout",
                "strict.individual.stop-one",
            ],
            answering(|sessions, from, _| {
                let is_stopped = sessions.iter().any(|session| session.until.is_some());
                let mut each = sessions.iter();
                !is_stopped && each.any(|session| session.sender == from && session.is_running)
            }),
        ),
    ]
}

fn individual() -> Vec<Error> {
    vec![
        Error {
            unclear: &[
                "strict.individual.start-again",
                "strict.individual.stop-again",
            ],
            ..fails(
                "refuses what it starts",
                &["strict.individual.start"],
                saying(|_, message| {
                    acknowledging(message, 8, true, 3);
                }),
            )
        },
        fails(
            "affirms unknown starts",
            &["strict.individual.start-unknown"],
            saying(|_, message| {
                acknowledging(message, 8, false, 0);
            }),
        ),
        fails(
            "affirms unknown stops",
            &["strict.individual.stop-unknown"],
            saying(|_, message| {
                acknowledging(message, 10, false, 0);
            }),
        ),
        fails(
            "affirms a command about nothing",
            &["strict.individual.none"],
            Errs {
                messages: Some(|_, message| affirm_made_up(message)),
                ..reading(|octets| {
                    if octets.len() == 32 && octets[0] == 7 {
                        make_up(octets);
                    }
                })
            },
        ),
        fails(
            "affirms before all is there",
            &["strict.individual.huge"],
            Errs {
                messages: Some(|_, message| affirm_made_up(message)),
                ..reading(|octets| {
                    if octets.len() == 16 && octets[12] == 0xff {
                        make_up(octets);
                    }
                })
            },
        ),
        fails(
            "refuses requests while others run",
            &["strict.individual.request-started"],
            saying(|written, message| {
                instead(
                    written,
                    message,
                    SET_UP + REQUEST + ABOUT_ONE + REQUEST,
                    48,
                    3,
                );
            }),
        ),
    ]
}
