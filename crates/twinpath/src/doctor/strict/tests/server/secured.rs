//! Servers that err in the secured modes, and the trials that find them.

use super::relay::{Down, Forward};
use super::*;

/// The prefixes of the trials of each mode.
const MODES: [&str; 3] = [
    "strict.control-authenticated.",
    "strict.control-encrypted.",
    "strict.control-mixed.",
];
const SET_UP: usize = 164;

struct Error {
    name: &'static str,
    /// Trials that fail, in each mode.
    fail: &'static [&'static str],
    errs: Errs,
}

/// Right in all, for the client's key.
pub(super) fn with_key() -> Errs {
    Errs {
        has_key: true,
        ..Errs::default()
    }
}

fn reading(reads: fn(&mut Vec<u8>)) -> Errs {
    Errs {
        reads: Some(reads),
        ..with_key()
    }
}

fn saying(messages: fn(&[u8], &mut Vec<u8>)) -> Errs {
    Errs {
        messages: Some(messages),
        ..with_key()
    }
}

fn relaying(down: fn(&Down<'_>) -> Forward) -> Errs {
    Errs {
        relay: Some(RelayErrs {
            down,
            ..RelayErrs::default()
        }),
        ..with_key()
    }
}

fn errors() -> Vec<Error> {
    let mut all = set_ups();
    all.extend(messages());
    all.extend(replays());
    all
}

/// Accepts after a Set-Up-Response with this KeyID, whatever its Token.
fn let_in(written: &[u8], message: &mut [u8], key_id: &[u8]) {
    let is_set_up = written.len() == SET_UP && message.len() == 48;
    if is_set_up && written[3].is_power_of_two() && written[4..84].starts_with(key_id) {
        message[15] = 0;
    }
}

/// The Mode of a Set-Up-Response with a KeyID.
fn mode(octets: &[u8]) -> Option<u8> {
    (octets.len() == SET_UP && octets[4..] != [0; 160]).then(|| octets[3] & 15)
}

fn set_ups() -> Vec<Error> {
    vec![
        Error {
            name: "takes no mode for a secured one",
            fail: &["mode-none"],
            errs: reading(|octets| {
                if mode(octets) == Some(0) {
                    octets[3] = 2;
                }
            }),
        },
        Error {
            name: "takes one of two modes",
            fail: &["mode-two"],
            errs: reading(|octets| {
                if mode(octets).is_some_and(|mode| mode.count_ones() == 2) {
                    octets[3] = 4;
                }
            }),
        },
        Error {
            name: "takes any Token with a known KeyID",
            fail: &["token-changed", "token-challenge", "passphrase"],
            errs: saying(|written, message| let_in(written, message, b"alice\0")),
        },
        Error {
            name: "takes an unknown KeyID",
            fail: &["key-unknown"],
            errs: saying(|written, message| let_in(written, message, b"twinpath-conformance\0")),
        },
        Error {
            name: "takes no KeyID for a known one",
            fail: &["key-empty"],
            errs: saying(|written, message| let_in(written, message, &[0])),
        },
        Error {
            name: "leaves something in the Server-Start",
            fail: &["start-zeros"],
            errs: saying(|written, message| {
                if written.len() == SET_UP && message.len() == 48 {
                    message[0] = 1;
                }
            }),
        },
    ]
}

fn messages() -> Vec<Error> {
    vec![
        Error {
            name: "seals with a wrong HMAC",
            fail: &["answer-hmac"],
            errs: Errs {
                relay: Some(RelayErrs {
                    up_sealed: |message| message[message.len() - 1] ^= 1,
                    ..RelayErrs::default()
                }),
                ..with_key()
            },
        },
        Error {
            name: "obeys requests of a wrong HMAC",
            fail: &["request-hmac", "request-changed"],
            errs: relaying(|down| down.taken(|opened| opened.len() == 112 && opened[0] == 5)),
        },
        Error {
            name: "obeys a Start-Sessions of a wrong HMAC",
            fail: &["start-hmac"],
            errs: relaying(|down| down.taken(|opened| opened.len() == 32 && opened[0] == 2)),
        },
        Error {
            name: "obeys a Stop-Sessions of a wrong HMAC",
            fail: &["stop-hmac"],
            errs: relaying(|down| down.taken(|opened| opened.len() == 32 && opened[0] == 3)),
        },
        Error {
            name: "takes requests that are not encrypted",
            fail: &["request-plain"],
            errs: relaying(|down| {
                if down.octets.len() == 112 && down.octets[..4] == [5, 4, 0, 0] {
                    return Forward::Right(down.octets.to_vec());
                }
                down.as_it_is()
            }),
        },
        Error {
            name: "discards what it does not verify, and goes on",
            fail: &[
                "request-hmac",
                "request-changed",
                "request-plain",
                "start-hmac",
                "stop-hmac",
                "request-replayed",
                "start-replayed",
            ],
            errs: relaying(|down| {
                if down.is_right {
                    down.as_it_is()
                } else {
                    Forward::Nothing
                }
            }),
        },
        Error {
            name: "answers an unknown command with another Accept",
            fail: &["command-unknown"],
            errs: Errs {
                relay: Some(RelayErrs {
                    up: |last, message| {
                        if last.first() == Some(&200) {
                            message[0] = 1;
                        }
                    },
                    ..RelayErrs::default()
                }),
                ..with_key()
            },
        },
    ]
}

/// The decrypted octets of what came before.
fn replayed(down: &Down<'_>, octets: usize) -> Forward {
    let mut earlier = down.earlier.iter();
    let known = earlier.find(|(came, _)| came == down.octets && came.len() == octets);
    known.map_or_else(
        || down.as_it_is(),
        |(_, opened)| Forward::Right(opened.clone()),
    )
}

fn replays() -> Vec<Error> {
    vec![
        Error {
            name: "obeys a request again",
            fail: &["request-replayed"],
            errs: relaying(|down| replayed(down, 112)),
        },
        Error {
            name: "answers a Start-Sessions again",
            fail: &["start-replayed"],
            errs: relaying(|down| replayed(down, 32)),
        },
    ]
}

#[test]
fn a_server_with_keys_that_does_all_as_it_must_passes_all() {
    let tried = tried(with_key());
    assert!(tried.len() >= 92, "{}", tried.len());
    let other: Vec<_> = tried
        .iter()
        .filter(|tried| tried.status != Status::Pass)
        .collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn each_error_of_a_secured_server_is_found_by_its_trials_and_by_no_others() {
    let mut wrong = Vec::new();
    let mut found_by = BTreeSet::new();
    for error in errors() {
        let tried = tried(error.errs);
        let failed = with(&tried, Status::Fail);
        let is_wanted = |id: &str| {
            let mut names = MODES.iter().filter_map(|mode| id.strip_prefix(mode));
            names.any(|name| error.fail.contains(&name))
        };
        let wanted: BTreeSet<_> = tried
            .iter()
            .map(|tried| tried.id)
            .filter(|id| is_wanted(id))
            .collect();
        assert_eq!(
            wanted.len(),
            MODES.len() * error.fail.len(),
            "{}",
            error.name
        );
        found_by.extend(failed.iter().copied());
        let others = with(&tried, Status::Unclear);
        if failed != wanted || !others.is_empty() {
            wrong.push(odd(error.name, &tried));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    found_by.extend(sessions::found_by());
    assert_found(true, &found_by);
}

#[test]
fn a_key_that_the_server_has_not_is_no_error_of_the_server() {
    let other = Key {
        passphrase: Passphrase::new(b"another".to_vec()),
        ..key()
    };
    let secured = |tried: &Tried| !tried.id.contains("session.");
    let all = tried_with(with_key(), Some(other));
    for tried in all.into_iter().filter(secured) {
        assert_eq!(tried.status, Status::Skipped, "{tried:?}");
        assert!(tried.evidence.contains("Accept 1 "), "{tried:?}");
    }
}

#[test]
fn a_mode_that_is_not_offered_and_a_high_count_are_not_tried() {
    let few = Errs {
        config: ServerConfig {
            modes: twinpath_wire::control::Modes::from_bits(1 | 2),
            ..ServerConfig::default()
        },
        ..with_key()
    };
    for tried in tried(few) {
        let is_offered = tried.id.contains("-authenticated.") || tried.id.contains("session.");
        let status = if is_offered {
            Status::Pass
        } else {
            Status::Skipped
        };
        assert_eq!(tried.status, status, "{tried:?}");
    }
    let slow = saying(|written, message| {
        if written.is_empty() {
            message[51] = 200;
        }
    });
    let secured = |tried: &Tried| !tried.id.contains("session.");
    for tried in tried(slow).into_iter().filter(secured) {
        assert_eq!(tried.status, Status::Skipped, "{tried:?}");
        assert!(tried.evidence.contains("PBKDF2"), "{tried:?}");
    }
}
