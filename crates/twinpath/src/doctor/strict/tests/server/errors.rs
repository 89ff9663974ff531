//! Servers that err in a defined way, and the trials that find them.

use super::*;

mod sessions;

pub(super) struct Error {
    pub(super) name: &'static str,
    pub(super) fail: &'static [&'static str],
    pub(super) unclear: &'static [&'static str],
    pub(super) errs: Errs,
}

pub(super) fn all() -> Vec<Error> {
    let mut all = set_up();
    all.extend(features());
    all.extend(messages());
    all.extend(requests());
    all.extend(sessions::all());
    all
}

/// Octets of a Set-Up-Response, and of a request.
const SET_UP: usize = 164;
const REQUEST: usize = 112;

fn fails(name: &'static str, fail: &'static [&'static str], errs: Errs) -> Error {
    Error {
        name,
        fail,
        unclear: &[],
        errs,
    }
}

fn unclear(name: &'static str, unclear: &'static [&'static str], errs: Errs) -> Error {
    Error {
        name,
        fail: &[],
        unclear,
        errs,
    }
}

/// Takes what the client writes for something else.
fn reading(reads: fn(&mut Vec<u8>)) -> Errs {
    Errs {
        reads: Some(reads),
        ..Errs::default()
    }
}

/// Says something else.
fn saying(messages: fn(&[u8], &mut Vec<u8>)) -> Errs {
    Errs {
        messages: Some(messages),
        ..Errs::default()
    }
}

/// Of a Set-Up-Response.
fn mode(octets: &[u8]) -> Option<u32> {
    let mode = octets.first_chunk().filter(|_| octets.len() == SET_UP);
    mode.map(|mode| u32::from_be_bytes(*mode))
}

fn choose(octets: &mut [u8], mode: u32) {
    octets[..4].copy_from_slice(&mode.to_be_bytes());
}

fn set_up() -> Vec<Error> {
    vec![
        fails(
            "takes no mode for the open one",
            &["strict.control.mode-none"],
            reading(|octets| {
                if mode(octets) == Some(0) {
                    choose(octets, 1);
                }
            }),
        ),
        fails(
            "takes the first of several modes",
            &["strict.control.mode-several"],
            reading(|octets| {
                if mode(octets).is_some_and(|mode| (mode & 15).count_ones() > 1) {
                    choose(octets, 1);
                }
            }),
        ),
        fails(
            "takes any mode for the open one",
            &["strict.control.mode-not-offered"],
            reading(|octets| {
                if matches!(mode(octets), Some(2 | 4 | 8)) {
                    choose(octets, 1);
                }
            }),
        ),
        fails(
            "refuses unassigned mode bits",
            &["strict.control.mode-unassigned"],
            reading(|octets| {
                if mode(octets).is_some_and(|mode| mode > 0xffff) {
                    choose(octets, 0);
                }
            }),
        ),
    ]
}

fn features() -> Vec<Error> {
    vec![
        unclear(
            "ignores features that it lacks",
            &["strict.control.feature-not-offered"],
            Errs {
                config: ServerConfig {
                    modes: twinpath_wire::control::Modes::from_bits(1 | 16),
                    ..ServerConfig::default()
                },
                ..reading(|octets| {
                    if let Some(mode) = mode(octets)
                        && mode & 15 == 1
                    {
                        choose(octets, mode & (1 | 16));
                    }
                })
            },
        ),
        fails(
            "looks at the KeyID of the open mode",
            &["strict.control.unused-fields"],
            reading(|octets| {
                if octets.len() == SET_UP && octets[4] == 0xc3 {
                    choose(octets, 0);
                }
            }),
        ),
        fails(
            "takes any Token",
            &["strict.control.unknown-key"],
            Errs {
                messages: Some(|_, message| {
                    if message.len() == 64 {
                        message[15] |= 2;
                    }
                }),
                ..reading(|octets| {
                    if mode(octets) == Some(2) {
                        choose(octets, 1);
                    }
                })
            },
        ),
        fails(
            "leaves something in the Server-Start",
            &["strict.control.start-zeros"],
            saying(|written, message| {
                if written.len() == SET_UP && message.len() == 48 {
                    message[0] = 1;
                }
            }),
        ),
    ]
}

fn messages() -> Vec<Error> {
    vec![
        fails(
            "takes one segment for a message",
            &["strict.control.pieces"],
            reading(|octets| {
                if octets.len() == 1 {
                    octets.clear();
                }
            }),
        ),
        fails(
            "takes a segment for one message",
            &["strict.control.together"],
            reading(|octets| {
                if octets.len() == 2 * REQUEST {
                    octets.truncate(REQUEST);
                }
            }),
        ),
        fails(
            "fills what is cut off",
            &["strict.control.cut-off"],
            reading(|octets| {
                if octets.len() == REQUEST / 2 {
                    octets.resize(REQUEST, 0);
                }
            }),
        ),
        unclear(
            "drops its answer at the end",
            &["strict.control.half-closed"],
            Errs {
                is_mute_at_the_end: true,
                ..Errs::default()
            },
        ),
        fails(
            "answers an unknown command with another Accept",
            &["strict.control.command-unknown"],
            saying(|written, message| refuse_command(200, written, message)),
        ),
        fails(
            "answers a forbidden command with another Accept",
            &["strict.control.command-forbidden"],
            saying(|written, message| refuse_command(1, written, message)),
        ),
        fails(
            "answers a reserved command with another Accept",
            &["strict.control.command-reserved"],
            saying(|written, message| refuse_command(0, written, message)),
        ),
        unclear(
            "closes after a refusal",
            &["strict.control.together", "strict.control.after-refusal"],
            Errs {
                closes_on_refusal: true,
                ..Errs::default()
            },
        ),
    ]
}

/// Accept 1 to this command.
fn refuse_command(command: u8, written: &[u8], message: &mut [u8]) {
    if written.get(SET_UP) == Some(&command) && message.len() == 48 {
        message[0] = 1;
    }
}

/// A request with these octets there.
fn has(octets: &[u8], at: usize, field: &[u8]) -> bool {
    octets.len() == REQUEST && octets[0] == 5 && octets.get(at..at + field.len()) == Some(field)
}

/// Refuses a request for what it must not look at.
fn refuse(octets: &mut [u8]) {
    octets[2] = 1;
}

fn requests() -> Vec<Error> {
    let mut all = accepted_requests();
    all.extend(answers());
    all.extend(unanswered_requests());
    all.extend(refused_requests());
    all
}

fn accepted_requests() -> Vec<Error> {
    vec![
        fails(
            "ignores Conf-Sender",
            &["strict.control.conf-sender"],
            reading(|octets| {
                if has(octets, 2, &[1]) {
                    octets[2] = 0;
                }
            }),
        ),
        fails(
            "ignores Conf-Receiver",
            &["strict.control.conf-receiver"],
            reading(|octets| {
                if has(octets, 3, &[1]) {
                    octets[3] = 0;
                }
            }),
        ),
        unclear(
            "ignores the IP version",
            &["strict.control.ipvn"],
            reading(|octets| {
                if has(octets, 1, &[5]) {
                    octets[1] = 4;
                }
            }),
        ),
        unclear(
            "ignores schedule slots",
            &["strict.control.slots"],
            reading(|octets| {
                if has(octets, 4, &[0, 0, 0, 3]) {
                    octets[7] = 0;
                }
            }),
        ),
    ]
}

fn answers() -> Vec<Error> {
    vec![
        fails(
            "takes the SID of the request",
            &["strict.control.sid"],
            saying(|written, message| {
                if message.len() == 48 && written.get(SET_UP + 48) == Some(&0xab) {
                    message[4..20].fill(0xab);
                }
            }),
        ),
        unclear(
            "accepts any padding",
            &["strict.control.padding-huge"],
            reading(|octets| {
                if has(octets, 64, &[0xff; 4]) {
                    octets[64..67].fill(0);
                }
            }),
        ),
        fails(
            "reflects for any host",
            &["strict.control.receiver-foreign"],
            reading(|octets| {
                if has(octets, 32, &[192]) {
                    octets[32..36].fill(0);
                }
            }),
        ),
        fails(
            "leaves something in the Accept-Session",
            &["strict.control.accept-zeros"],
            saying(|written, message| {
                if written.len() > SET_UP && message.len() == 48 && message[0] == 0 {
                    message[47] = 1;
                }
            }),
        ),
        fails(
            "forgets octets to be reflected",
            &["strict.control.reflected-octets"],
            saying(|written, message| {
                if written.len() > SET_UP && message.len() == 48 && message[0] == 0 {
                    message[20..22].fill(0);
                }
            }),
        ),
        fails(
            "reflects more than there is",
            &["strict.control.reflected-padding"],
            reading(|octets| {
                if has(octets, 90, &500_u16.to_be_bytes()) {
                    octets[90..92].fill(0);
                }
            }),
        ),
    ]
}

fn refused_requests() -> Vec<Error> {
    vec![
        fails(
            "does not answer a number of packets",
            &["strict.control.packets"],
            reading(|octets| {
                if has(octets, 8, &[0, 0, 3, 0xe8]) {
                    octets.clear();
                }
            }),
        ),
        fails(
            "looks at MBZ",
            &["strict.control.request-mbz"],
            reading(|octets| {
                if has(octets, 92, &[0xff; 4]) {
                    refuse(octets);
                }
            }),
        ),
        fails(
            "looks at MBZ beside the IP version",
            &["strict.control.request-mbz-first"],
            reading(|octets| {
                if has(octets, 1, &[0xf4]) {
                    refuse(octets);
                }
            }),
        ),
        fails(
            "looks at the HMAC of the open mode",
            &["strict.control.hmac-unused"],
            reading(|octets| {
                if has(octets, 96, &[0x77]) {
                    refuse(octets);
                }
            }),
        ),
    ]
}

fn unanswered_requests() -> Vec<Error> {
    vec![
        fails(
            "does not answer an undefined Type-P",
            &["strict.control.type-p"],
            reading(|octets| {
                if has(octets, 84, &[0xc0]) {
                    octets.clear();
                }
            }),
        ),
        fails(
            "does not answer a Start Time in the past",
            &["strict.control.start-past"],
            reading(|octets| {
                if has(octets, 68, &[0x83]) {
                    octets.clear();
                }
            }),
        ),
        fails(
            "does not answer a long Timeout",
            &["strict.control.timeout-huge"],
            reading(|octets| {
                if has(octets, 76, &[0xff]) {
                    octets.clear();
                }
            }),
        ),
        fails(
            "does not answer a low port",
            &["strict.control.port-low"],
            reading(|octets| {
                if has(octets, 14, &[0, 1]) {
                    octets.clear();
                }
            }),
        ),
        fails(
            "does not answer without a Sender Port",
            &["strict.control.port-zero"],
            reading(|octets| {
                if has(octets, 12, &[0, 0]) {
                    octets.clear();
                }
            }),
        ),
    ]
}
