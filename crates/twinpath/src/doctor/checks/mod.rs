//! The checks, a file each.

mod clock;
mod copies;
mod drift;
mod greeting;
mod icmp;
mod light;
mod marking;
mod mtu;
mod numbers;
mod of_train;
mod sizes;
mod stamp;
mod tcp;
mod times;
mod tlv;
mod ttl;
mod udp;

use super::Check;
pub(super) use udp::elsewhere;

pub(crate) use greeting::control_server;

/// All of them, in the order of their rows.
pub(crate) static CHECKS: &[&dyn Check] = &[
    &icmp::Icmp,
    &udp::Udp,
    &tcp::OWAMP_SERVER,
    &tcp::CONTROL,
    &greeting::OFFERED,
    &greeting::FORM,
    &light::Answers,
    &stamp::Answers,
    &tlv::OfType {
        id: "stamp.tlv.extra-padding",
        place: 0,
    },
    &tlv::OfType {
        id: "stamp.tlv.location",
        place: 1,
    },
    &tlv::OfType {
        id: "stamp.tlv.timestamp-information",
        place: 2,
    },
    &tlv::OfType {
        id: "stamp.tlv.cos",
        place: 3,
    },
    &tlv::OfType {
        id: "stamp.tlv.direct-measurement",
        place: 4,
    },
    &tlv::OfType {
        id: "stamp.tlv.access-report",
        place: 5,
    },
    &tlv::OfType {
        id: "stamp.tlv.follow-up-telemetry",
        place: 6,
    },
    &tlv::OfType {
        id: "stamp.tlv.unknown",
        place: 7,
    },
    &tlv::OfType {
        id: "stamp.tlv.malformed",
        place: 8,
    },
    &copies::ONE_EACH,
    &copies::COPIED,
    &numbers::NUMBERS,
    &sizes::REPLIES,
    &times::FORMAT,
    &times::UNIT,
    &times::RESIDENCE,
    &ttl::SENDER_TTL,
    &ttl::REPLY_TTL,
    &clock::OFFSET,
    &clock::Claims,
    &drift::SKEW,
    &drift::STEPS,
    &marking::DSCP,
    &marking::ECN,
    &mtu::Unfragmented,
    &mtu::Fragments,
];
