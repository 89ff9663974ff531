//! Datagrams that checks send, by kind.

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{Tos, Wall};

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

/// How long a far end has to answer, where it may not be there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// The same where nothing came at first, or something is known to answer: long ways, and routers that look for a
/// host for some seconds before they report it.
pub(crate) const LATE: Duration = Duration::from_millis(2_400);

impl TrainKind {
    /// How long replies are waited for after the last departure.
    pub(super) fn patience(&self) -> Duration {
        let is_first = [&LIGHT, &STAMP].into_iter().any(|first| self == first);
        if is_first { PATIENCE } else { LATE }
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

/// One more, to a port that was silent: a host that limits its ICMP errors may send one now.
pub(crate) static AGAIN: TrainKind = TrainKind {
    name: "again",
    count: 1,
    ..LIGHT
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
