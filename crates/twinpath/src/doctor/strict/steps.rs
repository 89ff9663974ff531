//! Steps of a dialogue on a control connection, and what was read.

use std::time::Duration;

use twinpath_runtime::probe::RawRead;
use twinpath_wire::control::{Accept, ServerStart};
use twinpath_wire::{Wall, WireTime};

use super::form::put;

/// How long an answer, or a connection, is waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);
/// How long what must not come is waited for.
pub(super) const SILENCE: Duration = Duration::from_millis(400);
/// Octets of what must not come that are looked at.
const LISTENED: usize = 128;
/// A test packet that must be answered is sent so often, until it is. One that must not be is sent twice, so
/// that the loss of one does not hide an answer.
const DUE_SENDS: usize = 3;
const OTHER_SENDS: usize = 2;
/// Octets of a test packet, as many as an unauthenticated reply has (RFC 5357 section 4.2.1).
const PACKET_OCTETS: usize = 41;
/// Padding that an echo shows: it is nobody's Sequence Number.
const PADDING: u8 = 0x5a;
/// Where a reply has the request's Sequence Number.
const SENDER_NUMBER: std::ops::Range<usize> = 24..28;

/// A step of a dialogue.
#[derive(Debug)]
pub(super) enum Step {
    /// Writes a message.
    Write(fn(&Transcript) -> Vec<u8>),
    /// Reads an answer of so many octets.
    Read(usize),
    /// Reads what must not come, for [`SILENCE`].
    Listen,
    /// Closes this side.
    CloseHalf,
    /// Sends a test packet.
    Packet(Packet),
    /// Waits.
    Pause(Duration),
}

/// A test packet of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// The session: which of the reads is its Accept-Session.
    pub(super) session: usize,
    /// From which of the two UDP ports.
    pub(super) from: usize,
    /// It must be answered.
    pub(super) is_due: bool,
}

/// To the first session, from the port that it was requested for: an answer must come.
pub(super) const DUE: Packet = Packet {
    session: 0,
    from: 0,
    is_due: true,
};
pub(super) const PACKET: Step = Step::Packet(DUE);

/// The same, where no answer may come.
pub(super) const UNANSWERED: Step = Step::Packet(Packet {
    is_due: false,
    ..DUE
});

impl Packet {
    /// Datagrams at most, and how long an answer to each is waited for.
    const fn sends(&self) -> (usize, Duration) {
        if self.is_due {
            (DUE_SENDS, Duration::from_millis(700))
        } else {
            (OTHER_SENDS, Duration::from_millis(200))
        }
    }
}

impl Step {
    /// Datagrams at most.
    pub(super) const fn packets(&self) -> usize {
        match self {
            Self::Packet(packet) => packet.sends().0,
            Self::Write(_) | Self::Read(_) | Self::Listen | Self::CloseHalf | Self::Pause(_) => 0,
        }
    }

    /// How long it takes at most.
    pub(super) fn longest(&self) -> Duration {
        match self {
            Self::Write(_) | Self::Read(_) => PATIENCE,
            Self::Listen => SILENCE,
            Self::CloseHalf => Duration::ZERO,
            Self::Packet(packet) => {
                let (sends, patience) = packet.sends();
                patience * u32::try_from(sends).unwrap_or(u32::MAX)
            }
            Self::Pause(time) => *time,
        }
    }
}

/// What was read on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transcript {
    /// The connection is over IPv6.
    pub(super) is_v6: bool,
    /// When it was made.
    pub(super) now: Wall,
    /// UDP ports of this side.
    pub(super) ports: [u16; 2],
    pub(super) modes: u32,
    /// Accept of an ordinary request on another connection; `None`: there was no answer.
    pub(super) ordinary: Option<u8>,
    /// After the Set-Up-Response.
    pub(super) start: RawRead,
    /// Of each [`Step::Read`] and [`Step::Listen`].
    pub(super) reads: Vec<RawRead>,
    /// Of each packet, whether it was answered.
    pub(super) packets: Vec<bool>,
    /// Datagrams so far: the next one's Sequence Number.
    pub(super) datagrams: u32,
    /// A packet was answered after one that was not.
    pub(super) is_lossy: bool,
}

/// A connection on which a dialogue is led.
pub(crate) trait Line {
    /// UDP ports beside it.
    fn ports(&self) -> [u16; 2];
    fn write(&mut self, octets: &[u8]) -> bool;
    fn read(&mut self, octets: usize, patience: Duration) -> RawRead;
    fn close_half(&mut self);
    /// Sends a datagram from one of the UDP ports to this port.
    fn send(&mut self, from: usize, to: u16, datagram: &[u8]);
    /// The first datagram from this port of the far end that is `wanted`; others are dropped.
    fn receive(
        &mut self,
        at: usize,
        from: u16,
        patience: Duration,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>>;
    fn pause(&mut self, time: Duration);
}

impl Transcript {
    pub(super) fn new(is_v6: bool, now: Wall, ports: [u16; 2]) -> Self {
        Self {
            is_v6,
            now,
            ports,
            modes: 0,
            ordinary: None,
            start: RawRead::default(),
            reads: Vec::new(),
            packets: Vec::new(),
            datagrams: 0,
            is_lossy: false,
        }
    }

    /// The Accept code of the Server-Start; `None`: no Server-Start came.
    pub(super) fn start_accept(&self) -> Option<u8> {
        let start = ServerStart::view(&self.start.octets).ok()?;
        Some(start.accept)
    }

    /// Of an answer, by its place among the reads: its first octet.
    pub(super) fn accept(&self, place: usize) -> Option<u8> {
        self.octets(place).first().copied()
    }

    pub(super) fn octets(&self, place: usize) -> &[u8] {
        let read = self.reads.get(place);
        read.map_or(&[], |read| &read.octets)
    }

    /// Whether the far end had closed the connection by this read.
    pub(super) fn is_closed(&self, place: usize) -> bool {
        let read = self.reads.get(place);
        read.is_some_and(|read| read.is_closed)
    }

    /// The port of an Accept-Session.
    pub(super) fn port(&self, place: usize) -> Option<u16> {
        let octets = self.octets(place).get(2..4)?.first_chunk()?;
        Some(u16::from_be_bytes(*octets))
    }

    /// The SID of an Accept-Session.
    pub(super) fn sid(&self, place: usize) -> [u8; 16] {
        let octets = self.octets(place).get(4..20);
        octets
            .and_then(<[u8]>::first_chunk)
            .copied()
            .unwrap_or_default()
    }
}

/// An Accept by number and name.
pub(super) fn named(accept: u8) -> String {
    format!("{accept} ({})", Accept::from_octet(accept))
}

/// Takes these steps.
pub(super) fn lead<'a>(
    steps: impl IntoIterator<Item = &'a Step>,
    seen: &mut Transcript,
    line: &mut dyn Line,
) {
    for step in steps {
        match step {
            Step::Write(message) => {
                // A connection that is closed says so when it is read.
                line.write(&message(seen));
            }
            Step::Read(octets) => seen.reads.push(line.read(*octets, PATIENCE)),
            Step::Listen => seen.reads.push(line.read(LISTENED, SILENCE)),
            Step::CloseHalf => line.close_half(),
            Step::Packet(packet) => exchange(*packet, seen, line),
            Step::Pause(time) => line.pause(*time),
        }
    }
}

/// Sends a test packet until one of its datagrams is answered: a reply carries the number of one of them.
fn exchange(packet: Packet, seen: &mut Transcript, line: &mut dyn Line) {
    let accepted = seen.accept(packet.session) == Some(0);
    let Some(port) = seen.port(packet.session).filter(|_| accepted) else {
        seen.packets.push(false);
        return;
    };
    let (sends, patience) = packet.sends();
    let first = seen.datagrams;
    let mut answer = None;
    for _ in 0..sends {
        line.send(packet.from, port, &datagram(seen.now, seen.datagrams));
        seen.datagrams += 1;
        let numbers = first..seen.datagrams;
        let is_reply = |octets: &[u8]| {
            let number = octets.get(SENDER_NUMBER).and_then(<[u8]>::first_chunk);
            number.is_some_and(|number| numbers.contains(&u32::from_be_bytes(*number)))
        };
        answer = line.receive(packet.from, port, patience, &is_reply);
        if answer.is_some() {
            seen.is_lossy |= numbers.len() > 1;
            break;
        }
    }
    seen.packets.push(answer.is_some());
}

/// An unauthenticated test packet of this number.
fn datagram(now: Wall, number: u32) -> Vec<u8> {
    let mut octets = vec![PADDING; PACKET_OCTETS];
    put(&mut octets, 0, &number.to_be_bytes());
    put(&mut octets, 4, &WireTime::ntp(now).bits().to_be_bytes());
    put(&mut octets, 12, &[0, 1]);
    octets
}
