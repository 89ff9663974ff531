//! Steps of a dialogue on a control connection, and what was read.

use std::time::Duration;

use twinpath_proto::TestGuard;
use twinpath_runtime::probe::{Crowd, RawRead};
use twinpath_wire::Wall;
use twinpath_wire::control::{Accept, SecurityMode, ServerGreeting, ServerStart};

use super::exchange::{DUE, Exchanged, NOT_DUE, OPEN_PADDING, Packet};

/// How long an answer, or a connection, is waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);
/// How long all further connections of [`Step::Crowd`] may take, one after the other.
const CROWD_PATIENCE: Duration = Duration::from_secs(6);
/// How long what must not come is waited for.
pub(super) const SILENCE: Duration = Duration::from_millis(400);
/// The Sequence Number of the first test packet: one that a reflector does not begin with by itself.
const FIRST_NUMBER: u32 = 7;
/// Octets of what must not come that are looked at.
const LISTENED: usize = 128;
/// A step of a dialogue.
#[derive(Debug)]
pub(super) enum Step {
    /// Writes a message.
    Write(fn(&Transcript) -> Vec<u8>),
    /// Writes one that is changed between its HMAC and its encryption.
    Changed(fn(&Transcript) -> Vec<u8>, fn(&mut [u8])),
    /// Writes octets as they are.
    Raw(fn(&Transcript) -> Vec<u8>),
    /// Reads an answer of so many octets.
    Read(usize),
    /// Reads what must not come, for [`SILENCE`].
    Listen,
    /// Makes so many further connections, which say nothing, and reads the greeting of the last.
    Crowd(usize),
    /// Closes this side.
    CloseHalf,
    /// Sends a test packet.
    Packet(Packet),
    /// Waits.
    Pause(Duration),
}

pub(super) const PACKET: Step = Step::Packet(DUE);
pub(super) const UNANSWERED: Step = Step::Packet(NOT_DUE);

/// Protects messages and test packets of a connection.
pub(super) trait Cipher {
    /// Makes a message ready to be written. `change` acts between its HMAC and its encryption.
    fn seal(&mut self, message: &mut [u8], change: fn(&mut [u8]));
    /// Decrypts a message; whether its HMAC is right.
    fn open(&mut self, message: &mut [u8]) -> bool;
    /// What protects the test packets of the session of this SID.
    fn guard(&self, sid: [u8; 16]) -> TestGuard;
    /// The same as another mode has it, with the keys of this connection.
    fn guard_in(&self, mode: SecurityMode, sid: [u8; 16]) -> TestGuard;
}

/// The unauthenticated mode.
pub(super) struct Open;

impl Cipher for Open {
    fn seal(&mut self, message: &mut [u8], change: fn(&mut [u8])) {
        change(message);
    }

    fn open(&mut self, _: &mut [u8]) -> bool {
        true
    }

    fn guard(&self, _: [u8; 16]) -> TestGuard {
        TestGuard::default()
    }

    fn guard_in(&self, _: SecurityMode, _: [u8; 16]) -> TestGuard {
        TestGuard::default()
    }
}

impl Step {
    /// Datagrams and further connections at most.
    pub(super) const fn packets(&self) -> usize {
        match self {
            Self::Packet(packet) => packet.sends().0,
            Self::Crowd(connections) => *connections,
            Self::Write(_)
            | Self::Changed(..)
            | Self::Raw(_)
            | Self::Read(_)
            | Self::Listen
            | Self::CloseHalf
            | Self::Pause(_) => 0,
        }
    }

    /// How long it takes at most.
    pub(super) fn longest(&self) -> Duration {
        match self {
            Self::Write(_) | Self::Changed(..) | Self::Raw(_) | Self::Read(_) => PATIENCE,
            // With the time for the greeting.
            Self::Crowd(_) => CROWD_PATIENCE * 2,
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
#[derive(Clone, Debug)]
pub(super) struct Transcript {
    /// The connection is over IPv6.
    pub(super) is_v6: bool,
    /// When it was made.
    pub(super) now: Wall,
    /// UDP ports of this side.
    pub(super) ports: [u16; 2],
    /// Padding of the sessions' packets.
    pub(super) padding: u32,
    /// Accept of an ordinary request on another connection; `None`: there was no answer.
    pub(super) ordinary: Option<u8>,
    /// After the Set-Up-Response.
    pub(super) start: RawRead,
    /// Of each [`Step::Read`] and [`Step::Listen`].
    pub(super) reads: Vec<RawRead>,
    /// Of the same, whether their HMAC was right.
    pub(super) hmacs: Vec<bool>,
    /// Of [`Step::Crowd`].
    pub(super) crowd: Option<Crowd>,
    /// What was written, as it was.
    pub(super) written: Vec<Vec<u8>>,
    /// Of each packet, whether it was answered.
    pub(super) packets: Vec<bool>,
    /// The same packets and their replies.
    pub(super) exchanged: Vec<Exchanged>,
    pub(super) last_datagram: Vec<u8>,
    /// The next datagram's Sequence Number.
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
    /// Makes further connections to the far end, which stay, and reads from the last.
    fn crowd(
        &mut self,
        connections: usize,
        octets: usize,
        patience: Duration,
        stopped: &dyn Fn() -> bool,
    ) -> Crowd;
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
            padding: OPEN_PADDING,
            ordinary: None,
            start: RawRead::default(),
            reads: Vec::new(),
            hmacs: Vec::new(),
            crowd: None,
            written: Vec::new(),
            packets: Vec::new(),
            exchanged: Vec::new(),
            last_datagram: Vec::new(),
            datagrams: FIRST_NUMBER,
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

/// Takes these steps, until it is `stopped`.
pub(super) fn lead<'a>(
    steps: impl IntoIterator<Item = &'a Step>,
    seen: &mut Transcript,
    line: &mut dyn Line,
    cipher: &mut dyn Cipher,
    stopped: &dyn Fn() -> bool,
) {
    for step in steps {
        if stopped() {
            return;
        }
        match step {
            Step::Write(message) => {
                let mut octets = message(seen);
                cipher.seal(&mut octets, |_| {});
                write(octets, seen, line);
            }
            Step::Changed(message, change) => {
                let mut octets = message(seen);
                cipher.seal(&mut octets, *change);
                write(octets, seen, line);
            }
            Step::Raw(message) => write(message(seen), seen, line),
            Step::Read(octets) => read(*octets, PATIENCE, seen, line, cipher),
            Step::Listen => read(LISTENED, SILENCE, seen, line, cipher),
            Step::Crowd(connections) => {
                let greeting = ServerGreeting::OCTETS;
                let crowd = line.crowd(*connections, greeting, CROWD_PATIENCE, stopped);
                seen.crowd = Some(crowd);
            }
            Step::CloseHalf => line.close_half(),
            Step::Packet(packet) => packet.exchange(seen, line, cipher),
            Step::Pause(time) => line.pause(*time),
        }
    }
}

fn write(octets: Vec<u8>, seen: &mut Transcript, line: &mut dyn Line) {
    // A connection that is closed says so when it is read.
    line.write(&octets);
    seen.written.push(octets);
}

fn read(
    octets: usize,
    patience: Duration,
    seen: &mut Transcript,
    line: &mut dyn Line,
    cipher: &mut dyn Cipher,
) {
    let mut read = line.read(octets, patience);
    seen.hmacs.push(cipher.open(&mut read.octets));
    seen.reads.push(read);
}
