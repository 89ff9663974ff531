//! The checks, a file each.

mod addresses;
mod authenticated;
mod clock;
#[cfg(feature = "control")]
pub(super) mod control;
mod copies;
mod drift;
mod greeting;
mod icmp;
mod light;
mod marking;
mod mtu;
mod numbers;
mod of_train;
mod padding;
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
    &addresses::Addresses,
    &tcp::OWAMP_SERVER,
    &tcp::CONTROL,
    &greeting::OFFERED,
    &greeting::FORM,
    #[cfg(feature = "control")]
    &control::SESSION,
    #[cfg(feature = "control")]
    &control::PORT,
    #[cfg(feature = "control")]
    &control::START_DELAY,
    #[cfg(feature = "control")]
    &control::STOP,
    #[cfg(feature = "control")]
    &control::ANY_PORT,
    #[cfg(feature = "control")]
    &control::ZERO_ADDRESSES,
    #[cfg(feature = "control")]
    &control::DSCP,
    #[cfg(feature = "control")]
    &control::PADDING,
    #[cfg(feature = "control")]
    &control::START_PAST,
    #[cfg(feature = "control")]
    &control::START_FUTURE,
    #[cfg(feature = "control")]
    &control::INDIVIDUAL,
    #[cfg(feature = "control")]
    &control::REFLECT_OCTETS,
    #[cfg(feature = "control")]
    &control::SYMMETRICAL,
    #[cfg(feature = "control")]
    &control::MONITORED,
    #[cfg(feature = "control")]
    &control::PTP,
    #[cfg(feature = "control")]
    &control::AUTHENTICATED,
    #[cfg(feature = "control")]
    &control::ENCRYPTED,
    #[cfg(feature = "control")]
    &control::MIXED,
    #[cfg(feature = "control")]
    &control::WRONG_KEY,
    #[cfg(feature = "control")]
    &control::UNKNOWN_KEY,
    #[cfg(feature = "control")]
    &control::Connections,
    #[cfg(feature = "control")]
    &control::ONE_REPLY,
    #[cfg(feature = "control")]
    &control::COPIED,
    #[cfg(feature = "control")]
    &control::NUMBERS,
    #[cfg(feature = "control")]
    &control::REPLY_SIZE,
    #[cfg(feature = "control")]
    &control::TIME_FORMAT,
    #[cfg(feature = "control")]
    &control::RESIDENCE,
    #[cfg(feature = "control")]
    &control::SENDER_TTL,
    #[cfg(feature = "control")]
    &control::REPLY_TTL,
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
    &authenticated::ANSWERS,
    &authenticated::WRONG_HMAC,
    &authenticated::TLV_HMAC,
    &copies::ONE_EACH,
    &copies::COPIED,
    &numbers::NUMBERS,
    &sizes::REPLIES,
    &padding::OfReplies,
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
