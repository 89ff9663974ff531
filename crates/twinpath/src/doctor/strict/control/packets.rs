//! Test packets of sessions in the unauthenticated, authenticated and encrypted modes, and their replies (RFC 5357
//! section 4.2, RFC 4656 section 6.10).

mod judge;

use std::time::Duration;

use twinpath_wire::control::SecurityMode;

use super::sessions::{AFTER_STOP, silent_then};
use super::{READ_SESSION, READ_START, REQUEST, START, STOP, messages};
use crate::doctor::strict::exchange::{DUE, NOT_DUE, Packet};
use crate::doctor::strict::form::{OPEN_SESSION, SECURED_SESSION, put};
use crate::doctor::strict::in_mode::InMode;
use crate::doctor::strict::steps::{PACKET, Step, UNANSWERED};
use crate::doctor::strict::{Part, Trial, Trials};

use judge::{
    after_timeout, copied, each_reply, numbers, other_session, padding, reply_hmac,
    secured_in_open, size, times, within_timeout, zeros,
};

/// Octets of a request's header in the unauthenticated and the other modes.
const OPEN_HEADER: usize = 14;
const SECURED_HEADER: usize = 48;
/// Octets of a packet in the unauthenticated and the other modes, as long as its reply.
const OPEN_OCTETS: usize = 41;
const SECURED_OCTETS: usize = 112;
const SECOND_REQUEST: Step = Step::Write(messages::second_request);
/// The same for a port next to that of the first session, which the server may share among sessions else.
const OWN_PORT_REQUEST: Step = Step::Write(|seen| {
    let port = seen.port(0).unwrap_or(0).checked_add(1).unwrap_or(50_000);
    let mut message = messages::second_request(seen);
    put(&mut message, messages::RECEIVER_PORT, &port.to_be_bytes());
    message
});
/// How long replies of one session are apart, so that they keep their order.
const APART: Step = Step::Pause(Duration::from_millis(20));
const COPY: Step = Step::Packet(Packet {
    is_copy: true,
    ..DUE
});

/// A packet of another form that is due, or not.
macro_rules! packet {
    ($base:expr, $when:ident: $change:expr) => {
        Step::Packet(Packet {
            $when: $change,
            ..$base
        })
    };
}

/// Steps after a session is started.
macro_rules! in_session {
    ($($step:expr),*) => {
        &[REQUEST, READ_SESSION, START, READ_START, $($step),*]
    };
}

macro_rules! trial {
    ($mode:expr, $id:expr, $rfc:literal, $section:literal, $sends:literal, $steps:expr, $judge:expr) => {
        Trial {
            id: $id,
            rfc: $rfc,
            section: $section,
            sends: $sends,
            how: InMode {
                mode: $mode,
                set_up: |_| {},
                steps: $steps,
                judge: $judge,
            },
        }
    };
}

/// What packets and replies of each mode must be.
macro_rules! packets {
    ($part:ident, $name:literal, $mode:expr, $prefix:literal, $layout:expr, $header:expr) => {
        pub(crate) static $part: Part = Part {
            name: $name,
            trials: Trials::InMode(&[
                trial!(
                    $mode,
                    concat!($prefix, "copies"),
                    5357,
                    "4.2.1",
                    "three packets of a session; the replies copy their Timestamps and Error Estimates",
                    in_session![PACKET, APART, PACKET, APART, PACKET],
                    |seen| each_reply(seen, |exchanged, reply| copied($layout, exchanged, reply))
                ),
                trial!(
                    $mode,
                    concat!($prefix, "reply-zeros"),
                    5357,
                    "4.2.1",
                    "a packet of a session; the reply's MBZ octets must be zero",
                    in_session![PACKET],
                    |seen| each_reply(seen, |_, reply| zeros($layout, reply))
                ),
                trial!(
                    $mode,
                    concat!($prefix, "reply-number"),
                    5357,
                    "4.2.1",
                    "three packets of a session, numbered from 7; the replies' own numbers begin at 0",
                    in_session![PACKET, APART, PACKET, APART, PACKET],
                    numbers
                ),
                trial!(
                    $mode,
                    concat!($prefix, "reply-times"),
                    5357,
                    "4.2.1",
                    "a packet of a session; the reply has both times, in order, and a Multiplier that is not 0",
                    in_session![PACKET],
                    |seen| each_reply(seen, |_, reply| times($layout, reply))
                ),
                trial!(
                    $mode,
                    concat!($prefix, "reply-size"),
                    5357,
                    "4.2.1",
                    "a packet of a session as long as a reply; both should have one size",
                    in_session![PACKET],
                    size
                ),
                trial!(
                    $mode,
                    concat!($prefix, "copy"),
                    5357,
                    "4.2",
                    "a packet of a session twice: each received packet is answered",
                    in_session![PACKET, COPY],
                    |seen| each_reply(seen, |_, _| None)
                ),
                trial!(
                    $mode,
                    concat!($prefix, "short"),
                    5357,
                    "4.1.2",
                    "packets of a session that end before their header, and a whole one",
                    in_session![
                        packet!(NOT_DUE, after: |packet| packet.truncate($header - 1)),
                        packet!(NOT_DUE, after: |packet| packet.truncate(4)),
                        PACKET
                    ],
                    |seen| silent_then(seen, "that ends before its header")
                ),
                trial!(
                    $mode,
                    concat!($prefix, "other-session"),
                    5938,
                    "4.2",
                    "two sessions, a packet of the first to the port of the second, and one of each to its own",
                    &[
                        REQUEST,
                        READ_SESSION,
                        OWN_PORT_REQUEST,
                        READ_SESSION,
                        START,
                        READ_START,
                        packet!(NOT_DUE, to: 1),
                        Step::Packet(SECOND),
                        PACKET
                    ],
                    other_session
                ),
                trial!(
                    $mode,
                    concat!($prefix, "padding"),
                    5357,
                    "4.2",
                    "packets of a session without padding, and with more of it than was agreed",
                    in_session![
                        packet!(DUE, before: |packet| packet.truncate($header)),
                        packet!(DUE, before: |packet| packet.resize($header + 300, 0x5a)),
                        PACKET
                    ],
                    padding
                ),
            ]),
        };
    };
}

/// What protects packets and replies.
macro_rules! protection {
    ($part:ident, $name:literal, $mode:expr, $prefix:literal, $other:expr, $other_sends:literal) => {
        pub(crate) static $part: Part = Part {
            name: $name,
            trials: Trials::InMode(&[
                trial!(
                    $mode,
                    concat!($prefix, "hmac"),
                    4656,
                    "6.10",
                    "packets whose HMAC is zero or has a changed bit, one whose number was changed, and a right one",
                    in_session![
                        packet!(NOT_DUE, after: |packet| put(packet, 32, &[0; 16])),
                        packet!(NOT_DUE, after: |packet| flip(packet, 47)),
                        packet!(NOT_DUE, after: |packet| flip(packet, 0)),
                        PACKET
                    ],
                    |seen| silent_then(seen, "of a wrong HMAC")
                ),
                trial!(
                    $mode,
                    concat!($prefix, "reply-hmac"),
                    5357,
                    "4.2.1",
                    "a packet of a session; the reply is encrypted as this mode has it, and its HMAC is right",
                    in_session![PACKET],
                    reply_hmac
                ),
                trial!(
                    $mode,
                    concat!($prefix, "mbz"),
                    5357,
                    "4.1.2",
                    "a packet of a right HMAC whose MBZ octets are not zero",
                    in_session![packet!(DUE, before: |packet| {
                        put(packet, 4, &[0xb7; 12]);
                        put(packet, 26, &[0xb7; 6]);
                    })],
                    |seen| each_reply(seen, |_, _| None)
                ),
                trial!(
                    $mode,
                    concat!($prefix, "plain"),
                    4656,
                    "4.1.2",
                    "a packet that is neither encrypted nor has an HMAC, and a right one",
                    in_session![
                        packet!(NOT_DUE, after: |packet| {
                            packet.fill(0);
                            put(packet, 3, &[9]);
                        }),
                        PACKET
                    ],
                    |seen| silent_then(seen, "without an HMAC")
                ),
                trial!(
                    $mode,
                    concat!($prefix, "other-keys"),
                    5357,
                    "4.2.1",
                    "two sessions, a packet to the first that is sealed with the keys of the second, and a right one",
                    &[
                        REQUEST,
                        READ_SESSION,
                        SECOND_REQUEST,
                        READ_SESSION,
                        START,
                        READ_START,
                        packet!(NOT_DUE, session: 1),
                        PACKET
                    ],
                    |seen| silent_then(seen, "with the keys of another session")
                ),
                trial!(
                    $mode,
                    concat!($prefix, "before-start"),
                    4656,
                    "3.7",
                    "a packet before Start-Sessions, and one after",
                    &[
                        REQUEST,
                        READ_SESSION,
                        UNANSWERED,
                        START,
                        READ_START,
                        PACKET
                    ],
                    |seen| silent_then(seen, "before Start-Sessions")
                ),
                trial!(
                    $mode,
                    concat!($prefix, "open-packet"),
                    4656,
                    "4.1.2",
                    "packets as the unauthenticated mode has them, short and as long as one of this mode, and a right one",
                    in_session![
                        packet!(NOT_DUE, after: |packet| *packet = open_packet(packet, OPEN_OCTETS)),
                        packet!(NOT_DUE, after: |packet| *packet = open_packet(packet, packet.len())),
                        PACKET
                    ],
                    |seen| silent_then(seen, "of the unauthenticated mode")
                ),
                trial!(
                    $mode,
                    concat!($prefix, "other-mode"),
                    4656,
                    "4.1.2",
                    $other_sends,
                    in_session![packet!(NOT_DUE, sealed_as: Some($other)), PACKET],
                    |seen| silent_then(seen, "of another mode")
                ),
                trial!(
                    $mode,
                    concat!($prefix, "within-timeout"),
                    5357,
                    "3.5",
                    "a packet after Stop-Sessions, within the Timeout of 2 s",
                    in_session![PACKET, STOP, PACKET],
                    within_timeout
                ),
                trial!(
                    $mode,
                    concat!($prefix, "after-timeout"),
                    5357,
                    "4.2",
                    "a packet after Stop-Sessions and the Timeout, which is 0",
                    &[
                        Step::Write(|seen| messages::request_with(
                            seen,
                            messages::TIMEOUT,
                            &[0; 8]
                        )),
                        READ_SESSION,
                        START,
                        READ_START,
                        PACKET,
                        STOP,
                        Step::Pause(AFTER_STOP),
                        UNANSWERED
                    ],
                    after_timeout
                ),
            ]),
        };
    };
}

/// A packet of the second session.
const SECOND: Packet = Packet {
    session: 1,
    to: 1,
    from: 1,
    ..DUE
};

packets!(
    OPEN_PACKETS,
    "TWAMP-Test",
    SecurityMode::Unauthenticated,
    "strict.session.",
    OPEN_SESSION,
    OPEN_HEADER
);
packets!(
    AUTHENTICATED_PACKETS,
    "TWAMP-Test, authenticated",
    SecurityMode::Authenticated,
    "strict.session-authenticated.",
    SECURED_SESSION,
    SECURED_HEADER
);
packets!(
    ENCRYPTED_PACKETS,
    "TWAMP-Test, encrypted",
    SecurityMode::Encrypted,
    "strict.session-encrypted.",
    SECURED_SESSION,
    SECURED_HEADER
);
protection!(
    AUTHENTICATED_HMACS,
    "TWAMP-Test HMAC, authenticated",
    SecurityMode::Authenticated,
    "strict.session-authenticated.",
    SecurityMode::Encrypted,
    "a packet as the encrypted mode has it, with the session's keys, and a right one"
);
protection!(
    ENCRYPTED_HMACS,
    "TWAMP-Test HMAC, encrypted",
    SecurityMode::Encrypted,
    "strict.session-encrypted.",
    SecurityMode::Authenticated,
    "a packet as the authenticated mode has it, with the session's keys, and a right one"
);

/// Packets of a secured mode in an unauthenticated session.
pub(crate) static OTHER_PACKETS: Part = Part {
    name: "TWAMP-Test, packets of another mode",
    trials: Trials::InMode(&[trial!(
        SecurityMode::Unauthenticated,
        "strict.session.secured-packet",
        5357,
        "4.2.1",
        "a packet as the authenticated mode has it, and a right one",
        in_session![
            packet!(NOT_DUE, after: |packet| *packet = secured_packet(packet)),
            PACKET
        ],
        secured_in_open
    )]),
};

/// An open packet of so many octets, with the number of this secured one.
fn open_packet(secured: &[u8], octets: usize) -> Vec<u8> {
    let mut packet = vec![0x5a; octets];
    put(&mut packet, 0, &[0, 0, 0, 9]);
    // T1 is in clear in the authenticated mode alone: any time does.
    let t1 = secured.get(16..24).unwrap_or_default();
    put(&mut packet, 4, t1);
    put(&mut packet, 12, &[0, 1]);
    packet
}

/// A packet of the authenticated mode's layout, with the number and the time of this open one, and an HMAC that no
/// session has.
fn secured_packet(open: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; SECURED_OCTETS];
    let field = |at: usize, octets: usize| open.get(at..at + octets).unwrap_or_default();
    put(&mut packet, 0, field(0, 4));
    put(&mut packet, 16, field(4, 8));
    put(&mut packet, 24, field(12, 2));
    put(&mut packet, 32, &[0x77; 16]);
    packet
}

fn flip(packet: &mut [u8], at: usize) {
    if let Some(octet) = packet.get_mut(at) {
        *octet ^= 1;
    }
}
