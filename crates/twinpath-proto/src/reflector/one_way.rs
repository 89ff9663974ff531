//! Requests that get no reply because their sender wants none (RFC 9503 section 4.1.1): what they tell
//! of the way here (row SL-24).

use std::net::{IpAddr, SocketAddr};

use twinpath_wire::{Arrival, ErrorEstimate, SenderOpen, Wall, WireTime};

use super::form::Form;
use super::lru::SlotId;

/// A session that a stateful reflector remembers: no other one has the same, and a new run of its sender
/// has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(SlotId);

/// A request to which no reply is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWayRequest {
    /// Its session.
    pub session: SessionId,
    /// Its source.
    pub from: SocketAddr,
    /// Its destination; `None`: the socket does not say it.
    pub to: Option<IpAddr>,
    /// Its destination port.
    pub to_port: u16,
    /// The SSID of its session.
    pub ssid: u16,
    /// It is of the authenticated mode.
    pub is_authenticated: bool,
    /// Its number.
    pub number: u32,
    /// When it left, by its sender; `None`: not set.
    pub t1: Option<Wall>,
    /// When it arrived.
    pub t2: Wall,
    /// What the sender says of its clock.
    pub error: ErrorEstimate,
    /// It was refused, and only its number may be used.
    pub is_refused: bool,
}

impl OneWayRequest {
    /// `None`: it is of no session, because the reflector keeps none or has no room for more.
    pub(super) fn new(
        arrival: &Arrival,
        form: Form,
        sender: &SenderOpen,
        session: Option<SlotId>,
        tai_offset_s: i32,
    ) -> Option<Self> {
        let t2 = arrival.at.at;
        let is_set = sender.t1 != WireTime::from_bits(0);
        let t1 = is_set.then(|| {
            let format = sender.error.format();
            sender.t1.read_plausibly(format, t2, tai_offset_s).at
        });
        Some(Self {
            session: SessionId(session?),
            from: arrival.from,
            to: arrival.to,
            to_port: arrival.to_port,
            ssid: form.ssid(),
            is_authenticated: form.is_authenticated(),
            number: sender.seq.get(),
            t1,
            t2,
            error: sender.error,
            is_refused: false,
        })
    }
}
