//! Dialogues with a TWAMP server that checks have, by kind.

mod outcome;

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::control::SessionPlan;
use twinpath_proto::security::{KeyId, Passphrase};
use twinpath_runtime::keys::Key;
use twinpath_runtime::probe::{
    DialoguePlan, DialogueTrain, MOST_OPENING_PACKETS, PacketForm, WantedSession,
};
use twinpath_runtime::wall;
use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{
    Delta, Dscp, ErrorEstimate, SenderOpen, SenderSecured, TimeFormat, Tos, Wall, WireTime,
};

pub(crate) use outcome::{Dialogue, OpenTrain, is_accepted, packets_sent};

use super::seen::Keys;
use super::train::PADDING;

/// How long a server has to answer: PBKDF2 is a second's work for some.
const PATIENCE: Duration = Duration::from_secs(3);
/// A lost SYN is sent again after a second.
const CONNECT_PATIENCE: Duration = Duration::from_millis(3_500);
/// For replies, at least.
const REPLY_PATIENCE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(10);
/// Padding with which open requests and replies have one size, with all features too.
const PADDING_OCTETS: u32 = 30;
/// The same of authenticated and encrypted ones (RFC 5357 section 4.2.1).
const SECURED_PADDING_OCTETS: u32 = 64;
/// With its headers below 1,500 octets over IPv6 too.
const LARGE_PADDING_OCTETS: u32 = 1_400;
/// Octets that a server with Reflect Octets gives back.
pub(crate) const OCTETS_TO_REFLECT: u16 = 0x5a17;
/// Padding that it gives back.
pub(crate) const PADDING_TO_REFLECT: u16 = 16;
/// How far ahead a Start Time in the future is.
const AHEAD: Delta = Delta::from_ns(2_000_000_000);
const BEHIND: Delta = Delta::from_ns(-3_600_000_000_000);

/// A dialogue: what several checks may learn from.
#[derive(Debug)]
pub(crate) struct DialogueKind {
    /// Its name; no two have the same.
    pub(crate) name: &'static str,
    pub(crate) security: Security,
    pub(crate) key: KeyUse,
    pub(crate) features: Modes,
    /// What is requested, each started if it is accepted.
    pub(crate) sessions: &'static [Request],
    /// Packets are sent from Start-Ack on until one is answered, before those that are judged.
    pub(crate) has_opening: bool,
    /// Packets in each session.
    pub(crate) count: usize,
}

/// The mode of a dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// The first that can be used, the open one before others.
    Any,
    /// This one.
    Only(SecurityMode),
    /// The first secured one that can be used.
    Secured,
}

/// The key of a dialogue in a secured mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// The user's.
    Own,
    /// Its name with another passphrase.
    WrongPassphrase,
    /// A name that no server has.
    UnknownName,
}

/// A session to request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    wishes_port: bool,
    has_zero_addresses: bool,
    dscp: Dscp,
    is_large: bool,
    start: Option<Delta>,
}

/// What the first dialogues have shown: the others do likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Adapted {
    pub(crate) zero_addresses: bool,
    pub(crate) no_wished_port: bool,
    /// After Start-Ack.
    pub(crate) start_delay: Duration,
    /// For replies, after the last packet.
    pub(crate) patience: Duration,
}

impl Default for Adapted {
    fn default() -> Self {
        Self {
            zero_addresses: false,
            no_wished_port: false,
            start_delay: Duration::ZERO,
            patience: REPLY_PATIENCE,
        }
    }
}

/// A dialogue with a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DialogueAsk {
    pub(crate) server: SocketAddr,
    pub(crate) kind: &'static DialogueKind,
    pub(crate) mode: SecurityMode,
    pub(crate) adapted: Adapted,
}

impl PartialEq for DialogueAsk {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server && self.kind.name == other.kind.name
    }
}

impl Eq for DialogueAsk {}

const PLAIN: Request = Request {
    wishes_port: true,
    has_zero_addresses: false,
    dscp: Dscp::BE,
    is_large: false,
    start: None,
};

const fn of_requests(name: &'static str, sessions: &'static [Request]) -> DialogueKind {
    DialogueKind {
        name,
        security: Security::Any,
        key: KeyUse::Own,
        features: Modes::from_bits(0),
        sessions,
        has_opening: false,
        count: 3,
    }
}

const fn of_feature(name: &'static str, features: Modes) -> DialogueKind {
    DialogueKind {
        features,
        ..of_requests(name, &[PLAIN])
    }
}

const fn of_mode(name: &'static str, mode: SecurityMode) -> DialogueKind {
    DialogueKind {
        security: Security::Only(mode),
        ..of_requests(name, &[PLAIN])
    }
}

const fn of_key(name: &'static str, key: KeyUse) -> DialogueKind {
    DialogueKind {
        security: Security::Secured,
        key,
        ..of_requests(name, &[])
    }
}

/// The first: an ordinary session, judged as a train of TWAMP Light is.
pub(crate) static SESSION: DialogueKind = DialogueKind {
    has_opening: true,
    count: 12,
    ..of_requests("control-session", &[PLAIN])
};
/// The same again, where its first packet was not answered.
pub(crate) static AGAIN: DialogueKind = DialogueKind {
    has_opening: true,
    count: 1,
    ..of_requests("control-session-again", &[PLAIN])
};
pub(crate) static ANY_PORT: DialogueKind = of_requests(
    "control-any-port",
    &[Request {
        wishes_port: false,
        ..PLAIN
    }],
);
pub(crate) static ZERO_ADDRESSES: DialogueKind = of_requests(
    "control-zero-addresses",
    &[Request {
        has_zero_addresses: true,
        ..PLAIN
    }],
);
pub(crate) static OF_CLASS: DialogueKind = of_requests(
    "control-dscp",
    &[Request {
        dscp: Dscp::EF,
        ..PLAIN
    }],
);
pub(crate) static LARGE: DialogueKind = of_requests(
    "control-padding",
    &[Request {
        is_large: true,
        ..PLAIN
    }],
);
pub(crate) static PAST: DialogueKind = of_requests(
    "control-start-past",
    &[Request {
        start: Some(BEHIND),
        ..PLAIN
    }],
);
pub(crate) static FUTURE: DialogueKind = of_requests(
    "control-start-future",
    &[Request {
        start: Some(AHEAD),
        ..PLAIN
    }],
);
pub(crate) static INDIVIDUAL: DialogueKind = DialogueKind {
    sessions: &[PLAIN, PLAIN],
    ..of_feature("control-individual", Modes::INDIVIDUAL_CONTROL)
};
pub(crate) static REFLECT_OCTETS: DialogueKind =
    of_feature("control-reflect-octets", Modes::REFLECT_OCTETS);
pub(crate) static SYMMETRICAL: DialogueKind =
    of_feature("control-symmetrical", Modes::SYMMETRICAL_SIZE);
pub(crate) static MONITORED: DialogueKind = DialogueKind {
    sessions: &[Request {
        dscp: Dscp::EF,
        ..PLAIN
    }],
    ..of_feature("control-monitored", Modes::DSCP_MONITORING)
};
pub(crate) static PTP: DialogueKind = of_feature("control-ptp", Modes::PTP_TIME);
pub(crate) static AUTHENTICATED: DialogueKind =
    of_mode("control-authenticated", SecurityMode::Authenticated);
pub(crate) static ENCRYPTED: DialogueKind = of_mode("control-encrypted", SecurityMode::Encrypted);
pub(crate) static MIXED: DialogueKind = of_mode("control-mixed", SecurityMode::Mixed);
/// For a load in place of its packets.
pub(crate) static LOADED: DialogueKind = DialogueKind {
    count: 0,
    ..of_requests("control-load", &[PLAIN])
};
pub(crate) static WRONG_PASSPHRASE: DialogueKind =
    of_key("control-wrong-passphrase", KeyUse::WrongPassphrase);
pub(crate) static UNKNOWN_KEY: DialogueKind = of_key("control-unknown-key", KeyUse::UnknownName);

impl DialogueKind {
    /// What it costs at most: the connection and the packets.
    pub(crate) fn packets(&self) -> usize {
        let opening = if self.has_opening {
            MOST_OPENING_PACKETS
        } else {
            0
        };
        1 + opening + self.count * self.sessions.len()
    }

    /// The mode in which it is had with a server that offers these; `None`: not at all.
    pub(crate) fn mode(&self, offered: Modes, has_key: bool) -> Option<SecurityMode> {
        let secured = [
            SecurityMode::Mixed,
            SecurityMode::Authenticated,
            SecurityMode::Encrypted,
        ];
        let candidates: Vec<SecurityMode> = match self.security {
            Security::Any => [SecurityMode::Unauthenticated]
                .into_iter()
                .chain(secured)
                .collect(),
            Security::Only(mode) => vec![mode],
            Security::Secured => secured.to_vec(),
        };
        let is_able = |mode: &SecurityMode| has_key || *mode == SecurityMode::Unauthenticated;
        let mut able = candidates.into_iter().filter(is_able);
        able.find(|mode| offered.contains(mode.modes()))
            .filter(|_| offered.contains(self.features))
    }
}

impl DialogueAsk {
    /// The same for the network.
    pub(crate) fn plan(&self, keys: &Keys, longest: Duration) -> DialoguePlan {
        let kind = self.kind;
        let key = keys.control.clone().map(|own| match kind.key {
            KeyUse::Own => own,
            KeyUse::WrongPassphrase => Key {
                passphrase: Passphrase::new(b"not the passphrase of this key".to_vec()),
                ..own
            },
            KeyUse::UnknownName => Key {
                id: KeyId::new("twinpath-doctor-unknown").unwrap_or(own.id),
                ..own
            },
        });
        let is_secured = self.mode != SecurityMode::Unauthenticated;
        let sessions = kind.sessions.iter().map(|request| self.wanted(*request));
        let count = u32::try_from(kind.count).unwrap_or(u32::MAX);
        DialoguePlan {
            server: self.server,
            security: self.mode,
            key: key.filter(|_| is_secured),
            most_pbkdf2_count: keys.most_pbkdf2_count,
            features: kind.features,
            sessions: sessions.collect(),
            train: (!kind.sessions.is_empty()).then_some(DialogueTrain {
                start_delay: (!kind.has_opening).then_some(self.adapted.start_delay),
                count,
                interval: INTERVAL,
                patience: self.adapted.patience,
                packet,
                load: None,
            }),
            connect_patience: CONNECT_PATIENCE,
            patience: PATIENCE,
            longest,
        }
    }

    fn wanted(&self, request: Request) -> WantedSession {
        let reflects = self.kind.features.contains(Modes::REFLECT_OCTETS);
        let padding_length = if request.is_large {
            LARGE_PADDING_OCTETS
        } else if self.mode.secures_packets() {
            SECURED_PADDING_OCTETS + u32::from(PADDING_TO_REFLECT)
        } else {
            PADDING_OCTETS + u32::from(PADDING_TO_REFLECT)
        };
        let start = request.start.map(|after| WireTime::ntp(wall() + after));
        WantedSession {
            plan: SessionPlan {
                dscp: request.dscp,
                padding_length,
                start_time: start.unwrap_or_default(),
                octets_to_reflect: if reflects { OCTETS_TO_REFLECT } else { 0 },
                padding_to_reflect: if reflects { PADDING_TO_REFLECT } else { 0 },
                ..SessionPlan::default()
            },
            wishes_own_port: request.wishes_port && !self.adapted.no_wished_port,
            has_zero_addresses: request.has_zero_addresses || self.adapted.zero_addresses,
        }
    }
}

/// A test packet of a session.
pub(crate) fn packet(form: &PacketForm, number: u32, now: Wall) -> (Vec<u8>, Tos) {
    let features = form.features;
    let padding = usize::try_from(form.plan.padding_length).unwrap_or(0);
    let from = features.padding_from();
    let mut octets = vec![0; from];
    octets.resize(from + padding, PADDING);
    if features.reflected() >= 2
        && features.server_octets != 0
        && let Some(first) = octets.get_mut(from..from + 2)
    {
        first.copy_from_slice(&features.server_octets.to_be_bytes());
    }
    let (t1, error) = (
        WireTime::ntp(now),
        ErrorEstimate::new(false, TimeFormat::Ntp, Duration::from_secs(1)),
    );
    if features.is_secured() {
        if let Ok((head, _)) = SenderSecured::view_mut(&mut octets) {
            head.seq.set(number);
            (head.t1, head.error) = (t1, error);
        }
    } else if let Ok((head, _)) = SenderOpen::view_mut(&mut octets) {
        head.seq.set(number);
        (head.t1, head.error) = (t1, error);
    }
    (octets, form.plan.dscp.tos())
}
