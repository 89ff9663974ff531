//! Far ends that err in a defined way, and the trials that find them.

use super::far::{Errs, has_tlvs, is_authenticated, is_light};
use super::*;

mod chains;
mod hmacs;

pub(super) struct Error {
    pub(super) name: &'static str,
    /// What its trials say.
    pub(super) status: Status,
    pub(super) found_by: &'static [&'static str],
    pub(super) errs: Errs,
}

pub(super) fn all() -> Vec<Error> {
    let mut all = sizes();
    all.extend(numbers_and_times());
    all.extend(fields_of_replies());
    all.extend(stamp_packets());
    all.extend(chains::all());
    all.extend(hmacs::all());
    all
}

fn fails(name: &'static str, found_by: &'static [&'static str], errs: Errs) -> Error {
    let status = Status::Fail;
    Error {
        name,
        status,
        found_by,
        errs,
    }
}

fn unclear(name: &'static str, found_by: &'static [&'static str], errs: Errs) -> Error {
    Error {
        status: Status::Unclear,
        ..fails(name, found_by, errs)
    }
}

/// Changes each reply.
fn changing(change: impl Fn(&[u8], &mut Vec<u8>) + 'static) -> Errs {
    Box::new(move |request, mut replies| {
        for reply in &mut replies {
            change(request, reply);
        }
        replies
    })
}

/// Does not answer these.
fn silent_to(is_dropped: impl Fn(&[u8]) -> bool + 'static) -> Errs {
    Box::new(move |request, replies| {
        if is_dropped(request) {
            Vec::new()
        } else {
            replies
        }
    })
}

/// Answers what must not be answered.
fn answering(reply: impl Fn(&[u8]) -> Option<Vec<u8>> + 'static) -> Errs {
    Box::new(move |request, mut replies| {
        replies.extend(reply(request));
        replies
    })
}

fn number(request: &[u8]) -> u32 {
    let octets = request.first_chunk().copied();
    octets.map_or(0, u32::from_be_bytes)
}

/// T1 of a request.
fn t1(request: &[u8]) -> u64 {
    let at = if is_authenticated(request) { 16 } else { 4 };
    let octets = request.get(at..).and_then(<[u8]>::first_chunk).copied();
    octets.map_or(0, u64::from_be_bytes)
}

/// The Multiplier of a request in the unauthenticated layout.
fn multiplier(request: &[u8]) -> u8 {
    let known = request.get(13).filter(|_| !is_authenticated(request));
    known.copied().unwrap_or(1)
}

/// A reply to any octets, of this length, in the unauthenticated layout.
fn open_reply(request: &[u8], octets: usize) -> Vec<u8> {
    let mut reply = vec![0; octets];
    let mut copied = request.to_vec();
    copied.resize(14, 0);
    reply[24..38].copy_from_slice(&copied[..14]);
    reply
}

/// The same in the authenticated layout, without a right HMAC.
fn authenticated_reply(request: &[u8]) -> Vec<u8> {
    let mut reply = vec![0; 112];
    let mut copied = request.to_vec();
    copied.resize(26, 0);
    reply[48..52].copy_from_slice(&copied[..4]);
    reply[64..74].copy_from_slice(&copied[16..26]);
    reply
}

fn sizes() -> Vec<Error> {
    vec![
        fails(
            "answers payloads that are no packets",
            &["strict.light.short"],
            answering(|request| (request.len() < 14).then(|| open_reply(request, 41))),
        ),
        fails(
            "ends replies after the Sender Error Estimate",
            &["strict.light.shortest", "strict.stamp.short"],
            changing(|request, reply| {
                if request.len() < 41 {
                    reply.truncate(38);
                }
            }),
        ),
        unclear(
            "adds its 27 octets to the padding",
            &["strict.light.sizes"],
            changing(|request, reply| {
                if is_light(request) && request.len() > 41 {
                    reply.resize(request.len() + 27, 0);
                }
            }),
        ),
        unclear(
            "cannot reassemble fragments",
            &["strict.light.large"],
            silent_to(|request| request.len() > 1472),
        ),
    ]
}

fn numbers_and_times() -> Vec<Error> {
    vec![
        fails(
            "ignores the last number",
            &[
                "strict.light.number-wrap",
                "strict.stamp.number-wrap",
                "strict.authenticated.number-wrap",
            ],
            silent_to(|request| number(request) == u32::MAX),
        ),
        fails(
            "ignores a packet that comes late",
            &["strict.light.number-order"],
            silent_to(|request| is_light(request) && request.len() == 41 && number(request) == 5),
        ),
        fails(
            "answers a number once",
            &["strict.light.copies", "strict.stamp.copies"],
            {
                let mut last = Vec::new();
                Box::new(move |request, replies| {
                    let is_copy = last == request && !is_authenticated(request);
                    last = request.to_vec();
                    if is_copy { Vec::new() } else { replies }
                })
            },
        ),
        fails(
            "does not answer copies at all",
            &[
                "strict.light.copies",
                "strict.stamp.copies",
                "strict.authenticated.copies",
            ],
            silent_to(|request| number(request) == 10 && request.len() >= 41),
        ),
        fails(
            "wants a time in the request",
            &[
                "strict.light.time",
                "strict.stamp.time",
                "strict.authenticated.time",
            ],
            silent_to(|request| request.len() >= 41 && t1(request) == 0),
        ),
        fails(
            "replaces a Multiplier of 0",
            &["strict.light.multiplier", "strict.stamp.multiplier"],
            changing(|request, reply| {
                if multiplier(request) == 0 {
                    reply[37] = 1;
                }
            }),
        ),
        fails(
            "copies the request's Z bit beside its own times",
            &["strict.light.error-bits", "strict.stamp.error-bits"],
            changing(|request, reply| {
                if !is_authenticated(request) {
                    reply[12] |= request[12] & 0x40;
                }
            }),
        ),
    ]
}

fn fields_of_replies() -> Vec<Error> {
    vec![
        fails(
            "claims an error of 0",
            &[
                "strict.light.reply-multiplier",
                "strict.stamp.reply-multiplier",
            ],
            changing(|request, reply| {
                if !is_authenticated(request) {
                    reply[13] = 0;
                }
            }),
        ),
        fails(
            "leaves something in MBZ",
            &["strict.light.reply-zeros", "strict.stamp.reply-zeros"],
            changing(|request, reply| {
                if !is_authenticated(request) {
                    reply[38] = 1;
                }
            }),
        ),
        unclear(
            "answers replies",
            &["strict.light.loop", "strict.stamp.loop"],
            answering(|request| {
                let is_reply = number(request) == 60 && !is_authenticated(request);
                is_reply.then(|| open_reply(request, 41))
            }),
        ),
    ]
}

fn stamp_packets() -> Vec<Error> {
    vec![
        fails(
            "looks at MBZ",
            &["strict.stamp.mbz"],
            silent_to(|request| request.len() == 44 && request[16] == 0xb7),
        ),
        fails(
            "knows one octet of the SSID",
            &["strict.stamp.ssid"],
            changing(|request, reply| {
                if request.len() == 44 && request[14..16] == [0xff; 2] {
                    reply[14] = 0;
                }
            }),
        ),
        unclear(
            "numbers all sessions of a port together",
            &["strict.stamp.ssid-sessions"],
            changing(|request, reply| {
                if request.len() == 44 && request[14..16] == [0, 2] {
                    reply[3] = 2;
                }
            }),
        ),
        fails(
            "cuts what cannot be a TLV",
            &["strict.stamp.beyond"],
            changing(|request, reply| {
                if (45..=47).contains(&request.len()) && !is_light(request) {
                    reply.truncate(44);
                }
            }),
        ),
        fails(
            "verifies no HMAC",
            &[
                "strict.stamp.unproven",
                "strict.authenticated.wrong-hmac",
                "strict.authenticated.changed",
            ],
            Box::new(|request, replies| {
                if replies.is_empty() && is_authenticated(request) && number(request) != 60 {
                    vec![authenticated_reply(request)]
                } else {
                    replies
                }
            }),
        ),
    ]
}
