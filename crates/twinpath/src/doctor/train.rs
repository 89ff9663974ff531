//! Datagrams that checks send, by kind.

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{Tos, Wall};

use super::keyed::AUTHENTICATED;
use super::packets::{PacketWriter, light};

/// Datagrams from one port: what several checks may learn from.
#[derive(Debug)]
pub(crate) struct TrainKind {
    /// Its name; no two have the same.
    pub(crate) name: &'static str,
    /// How many.
    pub(crate) count: usize,
    pub(crate) interval: Duration,
    pub(crate) path: fn() -> PathOptions,
    /// The packet with this number and this time.
    pub(crate) packet: fn(PacketWriter<'_>, u32, Wall) -> (Vec<u8>, Tos),
}

impl TrainKind {
    /// It is sent before anything is known of the far end.
    pub(super) fn is_first(&self) -> bool {
        [&LIGHT, &STAMP, &AUTHENTICATED]
            .into_iter()
            .any(|first| self == first)
    }

    /// It shows whether anything listens.
    pub(super) fn is_of_reach(&self) -> bool {
        self.is_first() || [&AGAIN, &STAMP_AGAIN].contains(&self)
    }
}

impl PartialEq for TrainKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TrainKind {}

/// The SSID of the STAMP packets that ask whether it comes back.
pub(crate) const SSID: u16 = 0x7a31;

/// Octets of TWAMP Light's requests, so that replies can be as long.
const LIGHT_OCTETS: usize = 41;
/// Padding that no sender of zeros has: what is kept of it shows.
pub(super) const PADDING: u8 = 0x5a;

/// Numbers begin here: a reflector that counts replies by itself shows.
pub(crate) const FIRST: u32 = 1_000;

/// TWAMP Light as short as a reply.
pub(crate) static LIGHT: TrainKind = TrainKind {
    name: "light",
    count: 3,
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |_, number, now| (light(number, now, LIGHT_OCTETS, PADDING), Tos(0)),
};

/// To a port that was silent: a host that limits its ICMP errors to one a second may send one now. It sends one for
/// one port, and then for the other.
pub(crate) static AGAIN: TrainKind = TrainKind {
    name: "again",
    count: 2,
    interval: Duration::from_millis(1_100),
    ..LIGHT
};
/// STAMP to such a port.
pub(crate) static STAMP_AGAIN: TrainKind = TrainKind {
    name: "stamp-again",
    count: 1,
    ..STAMP
};

/// STAMP's base packet with an SSID.
pub(crate) static STAMP: TrainKind = TrainKind {
    name: "stamp",
    count: 3,
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |writer, number, now| (writer.base(number, now), Tos(0)),
};

/// For all that shows in a sequence of packets.
pub(crate) static PACED: TrainKind = TrainKind {
    name: "paced",
    count: 20,
    interval: Duration::from_millis(25),
    path: PathOptions::default,
    packet: |writer, number, now| (writer.base(number, now), Tos(0)),
};
