//! Test packets of a session, and their replies.

use std::cell::Cell;
use std::time::Duration;

use twinpath_proto::TestGuard;
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{ReflectorSecured, SenderOpen, SenderSecured, Wall, WireTime};

use super::form::{Layout, OPEN_SESSION, SECURED_SESSION, put};
use super::steps::{Cipher, Line, Transcript};

/// A test packet that must be answered is sent so often, until it is. One that must not be is sent twice, so
/// that the loss of one does not hide an answer.
const DUE_SENDS: usize = 3;
const OTHER_SENDS: usize = 2;
/// Padding that an echo shows: no packet has it as Sequence Number.
const PADDING: u8 = 0x5a;
/// Padding with which requests and replies have one size (RFC 5357 section 4.2.1).
pub(super) const OPEN_PADDING: u32 = 27;
pub(super) const SECURED_PADDING: u32 = 64;

/// A test packet of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// The session that it is made for: which of the reads is its Accept-Session.
    pub(super) session: usize,
    /// The session to whose port it goes.
    pub(super) to: usize,
    /// From which of the two UDP ports.
    pub(super) from: usize,
    /// It must be answered.
    pub(super) is_due: bool,
    /// It is the last packet once more.
    pub(super) is_copy: bool,
    /// It is sealed as this mode has it; `None`: that of the session.
    pub(super) sealed_as: Option<SecurityMode>,
    /// What is changed before it is sealed.
    pub(super) before: fn(&mut Vec<u8>),
    /// What is changed afterwards.
    pub(super) after: fn(&mut Vec<u8>),
}

/// As it must be.
pub(super) fn unchanged(_: &mut Vec<u8>) {}

/// To the first session, from the port that it was requested for: an answer must come.
pub(super) const DUE: Packet = Packet {
    session: 0,
    to: 0,
    from: 0,
    is_due: true,
    is_copy: false,
    sealed_as: None,
    before: unchanged,
    after: unchanged,
};

/// The same, where no answer may come.
pub(super) const NOT_DUE: Packet = Packet {
    is_due: false,
    ..DUE
};

/// What came of a packet.
#[derive(Clone, Debug)]
pub(super) struct Exchanged {
    /// The last datagram, before it was sealed.
    pub(super) request: Vec<u8>,
    /// The reply that carries the number of one of the datagrams, opened.
    pub(super) reply: Option<Vec<u8>>,
    /// Datagrams that came back and are no reply to any packet of the session.
    pub(super) odd: usize,
}

impl Packet {
    /// Datagrams at most, and how long an answer to each is waited for.
    pub(super) const fn sends(&self) -> (usize, Duration) {
        if self.is_due {
            (DUE_SENDS, Duration::from_millis(700))
        } else {
            (OTHER_SENDS, Duration::from_millis(200))
        }
    }

    /// Sends it until one of its datagrams is answered: a reply carries the number of one of them.
    pub(super) fn exchange(self, seen: &mut Transcript, line: &mut dyn Line, cipher: &dyn Cipher) {
        let mut exchanged = Exchanged {
            request: Vec::new(),
            reply: None,
            odd: 0,
        };
        let port = |place: usize| seen.port(place).filter(|_| seen.accept(place) == Some(0));
        if let (Some(to), Some(_)) = (port(self.to), port(self.session)) {
            self.send(to, &mut exchanged, seen, line, cipher);
        }
        let is_answered = exchanged.reply.is_some() || (!self.is_due && exchanged.odd > 0);
        seen.packets.push(is_answered);
        seen.exchanged.push(exchanged);
    }

    fn send(
        self,
        to: u16,
        exchanged: &mut Exchanged,
        seen: &mut Transcript,
        line: &mut dyn Line,
        cipher: &dyn Cipher,
    ) {
        let guard = cipher.guard(seen.sid(self.session));
        let sealing = self
            .sealed_as
            .map(|mode| cipher.guard_in(mode, seen.sid(self.session)));
        let sealing = sealing.as_ref().unwrap_or(&guard);
        let layout = layout(&guard);
        let (sends, patience) = self.sends();
        let first = seen.datagrams - u32::from(self.is_copy);
        for sent in 1..=sends {
            if !self.is_copy {
                exchanged.request = request(&guard, seen.now, seen.datagrams);
                (self.before)(&mut exchanged.request);
                let mut datagram = exchanged.request.clone();
                if let Some(header) = datagram.get_mut(..SenderSecured::OCTETS) {
                    sealing.seal_header(header);
                }
                (self.after)(&mut datagram);
                seen.last_datagram = datagram;
                seen.datagrams += 1;
            }
            line.send(self.from, to, &seen.last_datagram);
            let numbers = first..seen.datagrams;
            let odd = Cell::new(0);
            let is_reply = |octets: &[u8]| {
                let number = opened(&guard, octets).and_then(|reply| number(&reply, layout));
                let is_ours = number.is_some_and(|number| numbers.contains(&number));
                if !is_ours && number.is_none_or(|number| number >= first) {
                    odd.set(odd.get() + 1);
                }
                is_ours
            };
            let reply = line.receive(self.from, to, patience, &is_reply);
            exchanged.odd += odd.get();
            if let Some(reply) = reply {
                exchanged.reply = opened(&guard, &reply);
                seen.is_lossy |= sent > 1;
                break;
            }
        }
    }
}

/// Where fields are in packets that are opened.
fn layout(guard: &TestGuard) -> Layout {
    if guard.is_secured() {
        SECURED_SESSION
    } else {
        OPEN_SESSION
    }
}

/// A request of this number, before it is sealed.
fn request(guard: &TestGuard, now: Wall, number: u32) -> Vec<u8> {
    let layout = layout(guard);
    let (header, padding) = if guard.is_secured() {
        (SenderSecured::OCTETS, SECURED_PADDING)
    } else {
        (SenderOpen::OCTETS, OPEN_PADDING)
    };
    let mut octets = vec![0; header];
    put(&mut octets, 0, &number.to_be_bytes());
    put(
        &mut octets,
        layout.t1,
        &WireTime::ntp(now).bits().to_be_bytes(),
    );
    put(&mut octets, layout.error, &[0, 1]);
    octets.resize(header + usize::try_from(padding).unwrap_or(0), PADDING);
    octets
}

/// A reply, opened; `None`: its HMAC is wrong.
fn opened(guard: &TestGuard, octets: &[u8]) -> Option<Vec<u8>> {
    if !guard.is_secured() {
        return Some(octets.to_vec());
    }
    let header = guard.open_header::<{ ReflectorSecured::OCTETS }>(octets)?;
    let padding = octets.get(header.len()..).unwrap_or_default();
    Some([&header, padding].concat())
}

/// The number of the request that a reply belongs to.
fn number(reply: &[u8], layout: Layout) -> Option<u32> {
    let number = reply.get(layout.sender_number..)?.first_chunk()?;
    Some(u32::from_be_bytes(*number))
}
