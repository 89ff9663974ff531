//! Errors of authentication.

use super::*;

/// Flags of all TLVs of a reply become these.
fn flag_all(request: &[u8], reply: &mut [u8], flags: u8) {
    let mut at = if is_authenticated(request) { 112 } else { 44 };
    while at + 4 <= reply.len() {
        reply[at] = flags;
        at += 4 + usize::from(u16::from_be_bytes([reply[at + 2], reply[at + 3]]));
    }
}

/// Numbers of the requests of trials: their content differs by the key.
fn is_one_of(request: &[u8], numbers: &[u32]) -> bool {
    !is_light(request) && numbers.contains(&number(request))
}

fn flagging(numbers: &'static [u32], flags: u8) -> Errs {
    changing(move |request, reply| {
        if is_one_of(request, numbers) {
            flag_all(request, reply, flags);
        }
    })
}

pub(super) fn all() -> Vec<Error> {
    let mut all = tlvs();
    all.extend(authenticated());
    all
}

fn tlvs() -> Vec<Error> {
    vec![
        fails(
            "takes a wrong digest for right",
            &[
                "strict.tlv.hmac-wrong",
                "strict.tlv.hmac-wrong-digest",
                "strict.tlv.hmac-changed",
                "strict.authenticated.wrong-hmac-tlv",
            ],
            flagging(&[500, 540, 550, 552, 670], 0),
        ),
        fails(
            "takes an HMAC TLV wherever it is",
            &["strict.tlv.hmac-position", "strict.tlv.hmac-before-other"],
            flagging(&[510, 560], 0),
        ),
        fails(
            "takes a short digest for right",
            &["strict.tlv.hmac-length"],
            flagging(&[520], 0),
        ),
        fails(
            "looks at the first HMAC TLV alone",
            &["strict.tlv.hmac-twice"],
            flagging(&[580], 0),
        ),
        fails(
            "refuses a right digest",
            &["strict.tlv.hmac-right", "strict.authenticated.hmac-tlv"],
            flagging(&[530, 660], 0x20),
        ),
        fails(
            "wants the HMAC TLV to be the last",
            &["strict.tlv.hmac-then-padding"],
            flagging(&[570], 0x20),
        ),
        fails(
            "returns the request's digest",
            &["strict.tlv.hmac-reply"],
            changing(|request, reply| {
                if is_one_of(request, &[535]) {
                    let at = reply.len() - 16;
                    reply[at..].copy_from_slice(&request[at..]);
                }
            }),
        ),
        fails(
            "marks the HMAC TLV alone",
            &["strict.tlv.hmac-wrong", "strict.tlv.hmac-wrong-digest"],
            changing(|request, reply| {
                if is_one_of(request, &[500, 540]) {
                    reply[44] = 0;
                }
            }),
        ),
    ]
}

fn authenticated() -> Vec<Error> {
    vec![
        fails(
            "answers what is cut",
            &["strict.authenticated.short"],
            answering(|request| {
                is_one_of(request, &[620, 621]).then(|| authenticated_reply(request))
            }),
        ),
        fails(
            "looks at MBZ of authenticated packets",
            &["strict.authenticated.mbz"],
            silent_to(|request| is_one_of(request, &[630])),
        ),
        fails(
            "seals replies wrong",
            &["strict.authenticated.reply-hmac"],
            changing(|request, reply| {
                if is_authenticated(request) {
                    reply[96] ^= 1;
                }
            }),
        ),
        fails(
            "leaves something in MBZ of authenticated replies",
            &["strict.authenticated.reply-zeros"],
            changing(|request, reply| {
                if is_authenticated(request) {
                    reply[90] = 1;
                    StampKey::new(&far::KEY).unwrap().seal(reply);
                }
            }),
        ),
        unclear(
            "answers authenticated replies",
            &["strict.authenticated.loop"],
            answering(|request| {
                let is_reply = is_authenticated(request) && number(request) == 60;
                is_reply.then(|| authenticated_reply(request))
            }),
        ),
        fails(
            "wants an HMAC TLV for Extra Padding alone",
            &["strict.authenticated.padding-alone"],
            flagging(&[640], 0x20),
        ),
        unclear(
            "wants no HMAC TLV",
            &["strict.authenticated.no-hmac-tlv"],
            flagging(&[650], 0),
        ),
        unclear(
            "does not say that an HMAC TLV lacks",
            &["strict.authenticated.no-hmac-tlv"],
            flagging(&[650], 0x80),
        ),
    ]
}
