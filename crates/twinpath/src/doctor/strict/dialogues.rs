//! Trials by control connections: each one of its own, written and read message by message.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use twinpath_runtime::probe::RawRead;
use twinpath_wire::control::{Accept, AcceptSession, ServerGreeting, ServerStart};

use super::control::messages;
use super::{Link, Listed, Outcome, Status, Subjects, Trial, Tried};

/// How long an answer, or a connection, is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long what must not come is waited for.
pub(super) const SILENCE: Duration = Duration::from_millis(400);
/// Octets of what must not come that are looked at.
const LISTENED: usize = 128;
/// Attempts for a trial that does not pass.
const ATTEMPTS: usize = 2;
/// After so long no further trial begins.
const LONGEST: Duration = Duration::from_mins(1);
/// Trials that end one after the other without a greeting before the rest is left out.
const MOST_UNGREETED: usize = 3;

/// What is written and read on a connection, and its judge.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// The Set-Up-Response to a greeting of these modes; `None`: they do not offer what is tried.
    pub(super) opening: fn(u32) -> Option<Vec<u8>>,
    /// After a Server-Start that accepts.
    pub(super) steps: &'static [Step],
    /// What was read says.
    pub(super) judge: fn(&Transcript) -> Outcome,
}

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
    /// Sends a test packet to the port of the first session, from one of the two UDP ports.
    Packet { from: usize, patience: Duration },
    /// The same to the port of the second session.
    SecondPacket { from: usize, patience: Duration },
    /// Waits.
    Pause(Duration),
}

/// To the first session, from the port that it was requested for: an answer must come.
pub(super) const PACKET: Step = Step::Packet {
    from: 0,
    patience: PATIENCE,
};

/// The same, where no answer may come.
pub(super) const UNANSWERED: Step = Step::Packet {
    from: 0,
    patience: SILENCE,
};

impl Step {
    /// Datagrams.
    const fn packets(&self) -> usize {
        match self {
            Self::Packet { .. } | Self::SecondPacket { .. } => 1,
            Self::Write(_) | Self::Read(_) | Self::Listen | Self::CloseHalf | Self::Pause(_) => 0,
        }
    }
}

/// What was read on a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transcript {
    /// The connection is over IPv6.
    pub(super) is_v6: bool,
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
}

/// A connection on which a dialogue is led.
pub(crate) trait Line {
    /// UDP ports beside it.
    fn ports(&self) -> [u16; 2];
    fn write(&mut self, octets: &[u8]) -> bool;
    fn read(&mut self, octets: usize, patience: Duration) -> RawRead;
    fn close_half(&mut self);
    /// Sends a datagram from one of the UDP ports to this port; whether one came back.
    fn exchange(&mut self, from: usize, to: u16, datagram: &[u8], patience: Duration) -> bool;
    fn pause(&mut self, time: Duration);
}

impl Transcript {
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

/// Connections and datagrams at most.
pub(super) fn most_packets(trials: &[Trial<Dialogue>]) -> usize {
    let each = trials.iter().map(|trial| {
        let packets = trial.how.steps.iter().map(Step::packets);
        1 + packets.sum::<usize>()
    });
    // One more, for what is ordinary.
    1 + ATTEMPTS * each.sum::<usize>()
}

/// How long these trials take at most: the last one begins before [`LONGEST`].
pub(super) fn most_time(trials: &[Trial<Dialogue>]) -> Duration {
    let longest = trials.iter().map(|trial| {
        let steps = trial.how.steps.iter().map(|step| match step {
            Step::Write(_) | Step::Read(_) => PATIENCE,
            Step::Listen => SILENCE,
            Step::CloseHalf => Duration::ZERO,
            Step::Packet { patience, .. } | Step::SecondPacket { patience, .. } => *patience,
            Step::Pause(time) => *time,
        });
        PATIENCE * 4 + steps.sum()
    });
    let each = longest.clone().map(|time| time * 2).sum::<Duration>();
    PATIENCE * 4 + each.min(LONGEST + longest.max().unwrap_or_default())
}

/// Makes these trials.
pub(super) fn run(
    trials: &[Trial<Dialogue>],
    subjects: &Subjects,
    link: &mut dyn Link,
) -> Vec<Tried> {
    let Some(far) = subjects.control else {
        let skipped = trials.iter().map(|trial| {
            Tried::of(
                Listed::of(trial),
                Outcome::skipped("no TWAMP-Control server answers"),
            )
        });
        return skipped.collect();
    };
    let until = Instant::now() + LONGEST;
    let ordinary = ordinary(far, link);
    let mut ungreeted = 0;
    let each = trials.iter().map(|trial| {
        let mut outcome = None;
        for _ in 0..ATTEMPTS {
            if ungreeted >= MOST_UNGREETED {
                break;
            }
            if Instant::now() >= until {
                break;
            }
            let Some(found) = attempt(&trial.how, far, ordinary, link) else {
                break;
            };
            let found = match found {
                Found::Judged(found) => {
                    ungreeted = 0;
                    found
                }
                Found::NoGreeting(why) => {
                    ungreeted += 1;
                    Outcome::unclear(why)
                }
            };
            let is_open = matches!(found.status, Status::Fail | Status::Unclear);
            outcome = Some(match outcome.take() {
                None => found,
                Some(first) => found.after(first),
            });
            if !is_open {
                break;
            }
        }
        let why = if ungreeted >= MOST_UNGREETED {
            "the server greets no more"
        } else {
            "stopped, or out of time"
        };
        Tried::of(
            Listed::of(trial),
            outcome.unwrap_or_else(|| Outcome::skipped(why)),
        )
    });
    each.collect()
}

enum Found {
    Judged(Outcome),
    NoGreeting(String),
}

/// What the server says to an ordinary request in the unauthenticated mode: without that, a refusal tells little.
/// `None`: nothing.
fn ordinary(far: SocketAddr, link: &mut dyn Link) -> Option<u8> {
    let mut server = link.connect(far, PATIENCE)?.ok()?;
    let mut seen = Transcript {
        is_v6: far.is_ipv6(),
        ports: server.ports(),
        ..Transcript::default()
    };
    server.read(ServerGreeting::OCTETS, PATIENCE);
    server.write(&messages::set_up(1));
    seen.start = server.read(ServerStart::OCTETS, PATIENCE);
    if seen.start_accept() == Some(0) {
        server.write(&messages::request(&seen));
        seen.reads
            .push(server.read(AcceptSession::OCTETS, PATIENCE));
    }
    seen.accept(0)
}

/// One connection; `None`: it was stopped.
fn attempt(
    dialogue: &Dialogue,
    far: SocketAddr,
    ordinary: Option<u8>,
    link: &mut dyn Link,
) -> Option<Found> {
    let mut server = match link.connect(far, PATIENCE)? {
        Ok(server) => server,
        Err(error) => return Some(Found::NoGreeting(format!("no connection: {error}"))),
    };
    let greeting = server.read(ServerGreeting::OCTETS, PATIENCE);
    let Ok(view) = ServerGreeting::view(&greeting.octets) else {
        let octets = greeting.octets.len();
        return Some(Found::NoGreeting(format!(
            "a greeting of {octets} octets came, not 64"
        )));
    };
    let modes = view.modes.get();
    let Some(opening) = (dialogue.opening)(modes) else {
        return Some(Found::Judged(Outcome::skipped(
            "the server's modes do not allow it",
        )));
    };
    let mut seen = Transcript {
        is_v6: far.is_ipv6(),
        ports: server.ports(),
        modes,
        ordinary,
        ..Transcript::default()
    };
    server.write(&opening);
    seen.start = server.read(ServerStart::OCTETS, PATIENCE);
    if !dialogue.steps.is_empty() {
        match seen.start_accept() {
            Some(0) => lead(dialogue.steps, &mut seen, &mut *server),
            Some(accept) => {
                return Some(Found::Judged(Outcome::unclear(format!(
                    "the set-up was refused: Accept {}",
                    named(accept)
                ))));
            }
            None => {
                return Some(Found::Judged(Outcome::unclear(
                    "no Server-Start to an ordinary set-up",
                )));
            }
        }
    }
    Some(Found::Judged((dialogue.judge)(&seen)))
}

fn lead(steps: &[Step], seen: &mut Transcript, line: &mut dyn Line) {
    for step in steps {
        match step {
            Step::Write(message) => {
                // A connection that is closed says so when it is read.
                line.write(&message(seen));
            }
            Step::Read(octets) => seen.reads.push(line.read(*octets, PATIENCE)),
            Step::Listen => seen.reads.push(line.read(LISTENED, SILENCE)),
            Step::CloseHalf => line.close_half(),
            Step::Packet { from, patience } => packet(0, *from, *patience, seen, line),
            Step::SecondPacket { from, patience } => packet(1, *from, *patience, seen, line),
            Step::Pause(time) => line.pause(*time),
        }
    }
}

/// A test packet to the port of the session of this Accept-Session.
fn packet(
    session: usize,
    from: usize,
    patience: Duration,
    seen: &mut Transcript,
    line: &mut dyn Line,
) {
    let mut octets = vec![0; 41];
    let number = u8::try_from(seen.packets.len()).unwrap_or(u8::MAX);
    if let Some(last) = octets.get_mut(3) {
        *last = number;
    }
    if let Some(multiplier) = octets.get_mut(13) {
        *multiplier = 1;
    }
    let port = seen
        .port(session)
        .filter(|_| seen.accept(session) == Some(0));
    let answered = port.is_some_and(|port| line.exchange(from, port, &octets, patience));
    seen.packets.push(answered);
}
