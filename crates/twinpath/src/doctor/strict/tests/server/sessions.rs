//! Reflectors that err with the test packets of sessions, and the trials that find them.

use super::fixture::{Came, Reflects};
use super::secured::with_key;
use super::*;

struct Error {
    name: &'static str,
    /// What the names of the trials that fail end with, and of those that are unclear.
    fail: &'static [&'static str],
    unclear: &'static [&'static str],
    errs: Reflects,
}

fn taking(
    name: &'static str,
    fail: &'static [&'static str],
    takes: fn(&Came<'_>) -> bool,
) -> Error {
    Error {
        name,
        fail,
        unclear: &[],
        errs: Reflects {
            takes,
            ..Reflects::default()
        },
    }
}

fn replying(
    name: &'static str,
    fail: &'static [&'static str],
    reply: fn(&mut Vec<u8>, bool),
) -> Error {
    Error {
        name,
        fail,
        unclear: &[],
        errs: Reflects {
            reply,
            ..Reflects::default()
        },
    }
}

fn errors() -> Vec<Error> {
    let mut all = replies();
    all.extend(packets());
    all.extend(unproven());
    all
}

fn replies() -> Vec<Error> {
    vec![
        replying(
            "changes the Sender Timestamp",
            &[".copies"],
            |reply, is_secured| {
                reply[if is_secured { 66 } else { 30 }] ^= 1;
            },
        ),
        replying(
            "leaves something in MBZ",
            &[".reply-zeros"],
            |reply, is_secured| {
                reply[if is_secured { 95 } else { 39 }] = 1;
            },
        ),
        replying(
            "copies the number",
            &[".reply-number"],
            |reply, is_secured| {
                let from = if is_secured { 48 } else { 24 };
                reply.copy_within(from..from + 4, 0);
            },
        ),
        replying("has no T2", &[".reply-times"], |reply, is_secured| {
            let at = if is_secured { 32 } else { 16 };
            reply[at..at + 8].fill(0);
        }),
        replying("takes T3 for T2", &[".reply-times"], |reply, is_secured| {
            let (t2, t3) = if is_secured { (32, 16) } else { (16, 4) };
            for octet in 0..8 {
                reply.swap(t2 + octet, t3 + octet);
            }
        }),
        replying(
            "has a Multiplier of 0",
            &[".reply-times"],
            |reply, is_secured| {
                reply[if is_secured { 25 } else { 13 }] = 0;
            },
        ),
        replying(
            "answers what is as long as a secured packet as one",
            &[".secured-packet"],
            |reply, is_secured| {
                if !is_secured && reply.len() == 112 {
                    reply.copy_within(24..28, 48);
                    reply[24..28].fill(0xee);
                }
            },
        ),
        Error {
            unclear: &[".reply-size"],
            ..replying("has longer replies", &[], |reply, _| reply.extend([0; 10]))
        },
        Error {
            unclear: &[".padding"],
            ..taking("answers no other length", &[], |came| {
                came.is_answered && matches!(came.octets.len(), 41 | 112)
            })
        },
    ]
}

fn packets() -> Vec<Error> {
    vec![
        taking("answers no copies", &[".copy"], |came| {
            let octets = came.octets.to_vec();
            came.is_answered && !came.session.datagrams.contains(&octets)
        }),
        taking("answers what is short", &[".short"], |came| {
            came.is_answered || (came.octets.len() < 14 && came.is_from_sender())
        }),
        taking("answers any port", &["session.other-session"], |came| {
            came.session.is_running && came.is_right && came.is_in_time()
        }),
        taking("looks at MBZ", &[".mbz"], |came| {
            came.is_answered && came.header.is_none_or(|header| header[4..16] == [0; 12])
        }),
        taking("reflects before the start", &[".before-start"], |came| {
            came.is_right && came.is_from_sender() && came.is_in_time()
        }),
        taking("ends with Stop-Sessions", &[".within-timeout"], |came| {
            came.is_answered && came.session.until.is_none()
        }),
        taking("never ends", &[".after-timeout"], |came| {
            came.is_right && came.is_from_sender() && came.session.is_running
        }),
    ]
}

/// Of HMACs.
fn unproven() -> Vec<Error> {
    vec![
        taking(
            "verifies no HMAC",
            &[
                ".hmac",
                ".plain",
                ".other-keys",
                ".open-packet",
                ".other-mode",
            ],
            |came| {
                let is_long = came.octets.len() >= 48 || came.is_right;
                came.session.is_running && came.is_from_sender() && came.is_in_time() && is_long
            },
        ),
        taking(
            "answers whatever comes to a running session",
            &[
                ".hmac",
                ".plain",
                ".other-keys",
                ".open-packet",
                ".other-mode",
                ".short",
                ".other-session",
            ],
            |came| came.session.is_running && came.is_in_time(),
        ),
    ]
}

fn run_with(errs: Reflects) -> Vec<Tried> {
    tried(Errs {
        reflects: errs,
        ..with_key()
    })
}

fn ending(tried: &[Tried], names: &[&str]) -> BTreeSet<&'static str> {
    let ids = tried.iter().map(|tried| tried.id);
    ids.filter(|id| id.starts_with("strict.session"))
        .filter(|id| names.iter().any(|name| id.ends_with(name)))
        .collect()
}

/// All that some reflector here does not pass.
pub(super) fn found_by() -> BTreeSet<&'static str> {
    let tried = run_with(Reflects::default());
    let mut names: Vec<&str> = errors()
        .iter()
        .flat_map(|error| [error.fail, error.unclear].concat())
        .collect();
    names.push(".reply-hmac");
    ending(&tried, &names)
}

#[test]
fn each_error_with_test_packets_is_found_by_its_trials_and_by_no_others() {
    let mut wrong = Vec::new();
    for error in errors() {
        let tried = run_with(error.errs);
        let (fail, unclear) = (ending(&tried, error.fail), ending(&tried, error.unclear));
        assert!(!fail.is_empty() || !unclear.is_empty(), "{}", error.name);
        if with(&tried, Status::Fail) != fail || with(&tried, Status::Unclear) != unclear {
            wrong.push(odd(error.name, &tried));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn replies_of_a_wrong_hmac_and_replies_that_are_not_encrypted_fail_one_trial_of_each_mode() {
    let errs: [fn(&mut Vec<u8>); 2] = [
        |reply| {
            if reply.len() >= 112 {
                reply[111] ^= 1;
            }
        },
        |reply| {
            if reply.len() >= 112 {
                reply[..96].fill(0);
            }
        },
    ];
    for sealed in errs {
        let tried = run_with(Reflects {
            sealed,
            ..Reflects::default()
        });
        assert_eq!(with(&tried, Status::Fail), ending(&tried, &[".reply-hmac"]));
        // Nothing else can be said of replies that cannot be read.
        let passed = with(&tried, Status::Pass);
        let mut secured = passed.iter().filter(|id| id.starts_with("strict.session-"));
        assert_eq!(secured.next(), None);
    }
}

#[test]
fn losses_fail_no_trial_of_a_mode() {
    for (period, phase) in [(2, 0), (2, 1), (3, 1), (5, 0), (7, 3), (1, 0)] {
        let tried = tried(Errs {
            network: Some(Box::new(move |number, reply| {
                if number % period == phase {
                    Vec::new()
                } else {
                    vec![reply]
                }
            })),
            ..with_key()
        });
        let failed = with(&tried, Status::Fail);
        assert!(failed.is_empty(), "{period} {phase}: {failed:?}");
    }
}
