//! Datagrams that checks send, by kind.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{ErrorEstimate, SenderOpen, StampSender, TimeFormat, Tos, Wall, WireTime};

/// Datagrams from one port: what several checks may learn from.
#[derive(Debug)]
pub(crate) struct TrainKind {
    /// Its name; no two have the same.
    pub(crate) name: &'static str,
    /// How many.
    pub(crate) count: usize,
    pub(crate) interval: Duration,
    pub(crate) path: fn() -> PathOptions,
    /// The packet to `far` with this number and this time.
    pub(crate) packet: fn(SocketAddr, u32, Wall) -> (Vec<u8>, Tos),
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
    packet: |_, number, now| {
        let mut octets = vec![PADDING; LIGHT_OCTETS];
        write_head(&mut octets, number, now);
        (octets, Tos(0))
    },
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
    packet: |_, number, now| (stamp(number, now, SSID), Tos(0)),
};

/// For all that shows in a sequence of packets.
pub(crate) static PACED: TrainKind = TrainKind {
    name: "paced",
    count: 20,
    interval: Duration::from_millis(25),
    path: PathOptions::default,
    packet: |_, number, now| (stamp(number, now, SSID), Tos(0)),
};

/// A base packet of STAMP: TWAMP Light with 30 octets of padding too.
pub(crate) fn stamp(number: u32, now: Wall, ssid: u16) -> Vec<u8> {
    let mut octets = vec![0; StampSender::OCTETS];
    write_head(&mut octets, number, now);
    if let Ok((request, _)) = StampSender::view_mut(&mut octets) {
        request.ssid.set(ssid);
    }
    octets
}

fn write_head(octets: &mut [u8], number: u32, now: Wall) {
    if let Ok((head, _)) = SenderOpen::view_mut(octets) {
        head.seq.set(FIRST.wrapping_add(number));
        head.t1 = WireTime::ntp(now);
        head.error = ErrorEstimate::new(false, TimeFormat::Ntp, Duration::from_secs(1));
    }
}
