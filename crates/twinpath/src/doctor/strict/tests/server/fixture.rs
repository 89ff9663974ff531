//! A server in memory: the engine, in virtual time, and how it errs.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use twinpath_proto::control::{
    Admission, Nonces, Opened, Server, ServerConfig, ServerEvent, SessionRequest,
};
use twinpath_proto::security::{Credentials, InForce, KeyTable, SessionKeys};
use twinpath_runtime::probe::{Crowd, RawRead};
use twinpath_wire::Mono;
use twinpath_wire::control::{Accept, Sid};

use super::relay::{Relay, RelayErrs};
use super::*;
use crate::doctor::strict::steps::Line;

pub(super) const FIRST_PORT: u16 = 20_000;
pub(super) const PORTS: [u16; 2] = [50_001, 50_002];

/// A session, and until when it is reflected.
pub(super) struct Session {
    pub(super) sid: Sid,
    pub(super) sender: u16,
    pub(super) port: u16,
    pub(super) timeout: Duration,
    pub(super) is_running: bool,
    pub(super) until: Option<Duration>,
    /// Replies so far, and the datagrams that came.
    pub(super) replies: u32,
    pub(super) datagrams: Vec<Vec<u8>>,
}

/// A datagram to a session's port.
pub(super) struct Came<'a> {
    pub(super) session: &'a Session,
    pub(super) octets: &'a [u8],
    /// Its header, where its HMAC is right.
    pub(super) header: Option<[u8; 48]>,
    /// It is whole, and its HMAC is right.
    pub(super) is_right: bool,
    /// Its source port.
    pub(super) from: u16,
    pub(super) now: Duration,
    /// It is answered where all is right.
    pub(super) is_answered: bool,
}

impl Came<'_> {
    /// It is from the port that the session is for.
    pub(super) fn is_from_sender(&self) -> bool {
        self.session.sender == self.from
    }

    /// It comes before the session's end.
    pub(super) fn is_in_time(&self) -> bool {
        self.session.until.is_none_or(|until| self.now <= until)
    }
}

/// How test packets are answered.
#[derive(Clone, Copy)]
pub(super) struct Reflects {
    pub(super) takes: fn(&Came<'_>) -> bool,
    /// Changes a reply before it is sealed; in a mode that seals it, or not.
    pub(super) reply: fn(&mut Vec<u8>, bool),
    pub(super) sealed: fn(&mut Vec<u8>),
}

impl Default for Reflects {
    fn default() -> Self {
        Self {
            takes: |came| came.is_answered,
            reply: |_, _| {},
            sealed: |_| {},
        }
    }
}

/// One connection to a server in memory, in virtual time.
pub(super) struct Connection {
    pub(super) server: Server,
    pub(super) errs: Rc<Errs>,
    pub(super) sessions: Vec<Session>,
    pub(super) now: Duration,
    pub(super) out: Vec<u8>,
    /// Of messages of the client, so far.
    pub(super) written: Vec<u8>,
    /// Replies that wait at each of the two UDP ports, and from which port they came.
    pub(super) replies: [VecDeque<(u16, Vec<u8>)>; 2],
    pub(super) is_stalled: bool,
    pub(super) relay: Option<Relay>,
    /// Datagrams and connections to the server so far, on all connections.
    pub(super) counts: Rc<Counts>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) connections: Cell<usize>,
    pub(super) datagrams: Cell<u32>,
}

/// The client's octets so far, and a message of the server.
pub(super) type Says = fn(&[u8], &mut Vec<u8>);
/// The sessions, a packet's source port, and the time since the connection.
pub(super) type Answers = fn(&[Session], u16, Duration) -> bool;

/// How a server errs.
#[derive(Default)]
pub(super) struct Errs {
    pub(super) config: ServerConfig,
    /// Changes each message of the server.
    pub(super) messages: Option<Says>,
    /// Changes what the client writes before the server reads it.
    pub(super) reads: Option<fn(&mut Vec<u8>)>,
    /// Whether a test packet of this source port is answered, if not as the sessions say.
    pub(super) packets: Option<Answers>,
    /// The port of a session.
    pub(super) port: Option<fn(usize) -> u16>,
    /// It says nothing more once the client has closed its side.
    pub(super) is_mute_at_the_end: bool,
    /// It closes each after a refusal.
    pub(super) closes_on_refusal: bool,
    /// What comes of many connections, if the last is not greeted.
    pub(super) crowded: Option<Crowd>,
    /// It has the client's key, and offers the secured modes.
    pub(super) has_key: bool,
    /// What becomes of the replies to a datagram of this number among all, and of this copied number.
    pub(super) network: Option<Network>,
    /// On the connection of this number it says nothing after the greeting.
    pub(super) stalls: Option<Box<dyn Fn(usize) -> bool>>,
    /// What it does with test packets.
    pub(super) reflects: Reflects,
    /// What stands between the client and the engine, and knows the keys.
    pub(super) relay: Option<RelayErrs>,
}

/// What arrives in place of a reply.
pub(super) type Network = Box<dyn Fn(u32, Vec<u8>) -> Vec<Vec<u8>>>;

/// Connects to such servers.
pub(super) struct Host {
    pub(super) errs: Rc<Errs>,
    pub(super) counts: Rc<Counts>,
}

impl Connection {
    fn new(errs: &Rc<Errs>, counts: &Rc<Counts>) -> Self {
        let config = errs.config.clone();
        let mut keys = KeyTable::new(SALT, COUNT, [0; 16]);
        if errs.has_key {
            let key = key();
            keys.insert(
                key.id,
                key.passphrase.derive(&SALT, COUNT),
                InForce::begin(),
            );
        }
        let [near, far] = ["198.51.100.1:50000", "203.0.113.7:862"];
        let server = Server::new(
            Arc::new(config),
            Arc::new(keys),
            Admission::Served,
            Nonces::default(),
            Mono::from_ns(1),
            near.parse().unwrap(),
            far.parse().unwrap(),
        );
        let mut connection = Self {
            server,
            errs: Rc::clone(errs),
            sessions: Vec::new(),
            now: Duration::ZERO,
            out: Vec::new(),
            written: Vec::new(),
            replies: [VecDeque::new(), VecDeque::new()],
            is_stalled: false,
            relay: None,
            counts: Rc::clone(counts),
        };
        connection.drain();
        connection
    }

    fn mono(&self) -> Mono {
        Mono::from_ns(1) + self.now
    }

    fn open(&mut self, request: &SessionRequest) -> Result<Opened, Accept> {
        if request.receiver != "203.0.113.7".parse::<std::net::IpAddr>().unwrap() {
            return Err(Accept::NotSupported);
        }
        let number = self.sessions.len();
        let free = FIRST_PORT + u16::try_from(number).unwrap();
        let sid = Sid([u8::try_from(number + 1).unwrap(); 16]);
        let port = self.errs.port.map_or(free, |port| port(number));
        self.sessions.push(Session {
            sid,
            sender: request.sender.port(),
            port,
            timeout: request.timeout,
            is_running: false,
            until: None,
            replies: 0,
            datagrams: Vec::new(),
        });
        Ok(Opened {
            sid,
            port,
            server_octets: 0,
        })
    }

    fn drain(&mut self) {
        loop {
            while let Some(event) = self.server.poll_event() {
                let now = self.now;
                let of = |sessions: &mut Vec<Session>, sid, act: fn(&mut Session, Duration)| {
                    let mut each = sessions.iter_mut();
                    if let Some(session) = each.find(|session| session.sid == sid) {
                        act(session, now);
                    }
                };
                match event {
                    ServerEvent::Open(request) => {
                        let answer = self.open(&request);
                        self.server.answer_open(self.mono(), answer);
                    }
                    ServerEvent::Start(sid) => {
                        of(&mut self.sessions, sid, |session, _| {
                            session.is_running = true;
                        });
                    }
                    ServerEvent::Stop(sid) | ServerEvent::Remove(sid) => {
                        of(&mut self.sessions, sid, |session, now| {
                            session.until = Some(now + session.timeout);
                        });
                    }
                    ServerEvent::Ready { .. }
                    | ServerEvent::Refused(_)
                    | ServerEvent::Note(_)
                    | ServerEvent::Closed(_) => {}
                }
            }
            let Some(message) = self.server.poll_output().map(<[u8]>::to_vec) else {
                break;
            };
            self.server.handle_written(self.mono(), message.len());
            let mut message = message;
            if let Some(relay) = &mut self.relay {
                relay.up(&mut message);
            }
            if let Some(change) = self.errs.messages {
                change(&self.written, &mut message);
            }
            let is_refusal =
                message.len() == 48 && (1..=5).contains(&message[0]) && self.written.len() > 164;
            self.out.extend(message);
            if is_refusal && self.errs.closes_on_refusal {
                self.server.handle_eof(self.mono());
            }
        }
    }

    /// The reply to a datagram, sealed.
    fn reflect(&mut self, from: usize, to: u16, datagram: &[u8]) -> Option<Vec<u8>> {
        let is_expected = self.is_answered(PORTS[from], to);
        let errs = Rc::clone(&self.errs);
        // One that is for this source port, if several have the port.
        let near = |session: &Session| session.port == to && session.sender == PORTS[from];
        let mut each = self.sessions.iter();
        let place = each.position(near).or_else(|| {
            let mut each = self.sessions.iter();
            each.position(|session| session.port == to)
        })?;
        let guard = self.server.test_guard(self.sessions[place].sid);
        let is_secured = guard.is_secured();
        let header = guard.open_header::<48>(datagram).filter(|_| is_secured);
        let is_right = if is_secured {
            header.is_some()
        } else {
            datagram.len() >= 14
        };
        let session = &self.sessions[place];
        let is_taken = (errs.reflects.takes)(&Came {
            session,
            octets: datagram,
            header,
            is_right,
            from: PORTS[from],
            now: self.now,
            is_answered: is_expected && is_right,
        });
        let session = &mut self.sessions[place];
        session.datagrams.push(datagram.to_vec());
        if !is_taken {
            return None;
        }
        let mut request = datagram.to_vec();
        request.resize(datagram.len().max(48), 0);
        if let Some(header) = header {
            request[..48].copy_from_slice(&header);
        }
        let mut reply = reply_to(&request, datagram.len(), session.replies, is_secured);
        session.replies += 1;
        (errs.reflects.reply)(&mut reply, is_secured);
        if is_secured {
            guard.seal_header(&mut reply[..112]);
        }
        Some(reply)
    }

    fn is_answered(&self, from: u16, to: u16) -> bool {
        if let Some(packets) = self.errs.packets {
            return packets(&self.sessions, from, self.now);
        }
        self.sessions.iter().any(|session| {
            session.is_running
                && session.port == to
                && session.sender == from
                && session.until.is_none_or(|until| self.now <= until)
        })
    }
}

impl Line for Connection {
    fn ports(&self) -> [u16; 2] {
        PORTS
    }

    fn crowd(
        &mut self,
        connections: usize,
        octets: usize,
        _: Duration,
        _: &dyn Fn() -> bool,
    ) -> Crowd {
        let known = self.counts.connections.get();
        self.counts.connections.set(known + connections);
        let mut greeting = vec![0; octets];
        greeting[15] = 1;
        let greeted = Crowd::Made(RawRead {
            octets: greeting,
            is_closed: false,
        });
        self.errs.crowded.clone().unwrap_or(greeted)
    }

    fn write(&mut self, octets: &[u8]) -> bool {
        if self.is_stalled {
            return true;
        }
        self.written.extend(octets);
        let mut octets = octets.to_vec();
        if let Some(change) = self.errs.reads {
            change(&mut octets);
        }
        if let Some(relay) = &mut self.relay {
            octets = relay.down(&octets);
        } else if let Some(errs) = self.errs.relay {
            self.relay = Relay::after(&octets, errs);
        }
        let mut rest = &octets[..];
        while !rest.is_empty() && self.server.wants_input() {
            let taken = self.server.handle_input(self.mono(), rest);
            self.drain();
            if taken == 0 {
                break;
            }
            rest = &rest[taken..];
        }
        true
    }

    fn read(&mut self, octets: usize, patience: Duration) -> RawRead {
        let taken = octets.min(self.out.len());
        let read = RawRead {
            octets: self.out.drain(..taken).collect(),
            is_closed: taken < octets && self.server.is_closed(),
        };
        if taken < octets {
            self.now += patience;
        }
        read
    }

    fn close_half(&mut self) {
        let now = self.mono();
        self.server.handle_eof(now);
        self.drain();
        if self.errs.is_mute_at_the_end {
            self.out.clear();
        }
    }

    fn send(&mut self, from: usize, to: u16, datagram: &[u8]) {
        let number = self.counts.datagrams.get();
        self.counts.datagrams.set(number + 1);
        let Some(mut reply) = self.reflect(from, to, datagram) else {
            return;
        };
        (self.errs.reflects.sealed)(&mut reply);
        let arriving = match &self.errs.network {
            Some(network) => network(number, reply),
            None => vec![reply],
        };
        self.replies[from].extend(arriving.into_iter().map(|reply| (to, reply)));
    }

    fn receive(
        &mut self,
        at: usize,
        from: u16,
        patience: Duration,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        while let Some((port, reply)) = self.replies[at].pop_front() {
            if port == from && wanted(&reply) {
                return Some(reply);
            }
        }
        self.now += patience;
        None
    }

    fn pause(&mut self, time: Duration) {
        self.now += time;
    }
}

impl Link for Host {
    fn now(&self) -> Wall {
        Wall::from_unix_ns(0)
    }

    fn trains(&mut self, _: &[Train]) -> Option<Vec<Result<TrainSeen, String>>> {
        None
    }

    fn is_stopped(&self) -> bool {
        false
    }

    fn credentials(&mut self, key: &Key) -> Option<Credentials> {
        Some(Credentials {
            key_id: key.id,
            passphrase: key.passphrase.clone(),
            session: SessionKeys::new([0x31; 16], [0x32; 32]),
            client_iv: [0x33; 16],
        })
    }

    fn connect(&mut self, _: SocketAddr, _: Duration) -> Option<Result<Box<dyn Line>, String>> {
        let number = self.counts.connections.get();
        self.counts.connections.set(number + 1);
        let mut connection = Connection::new(&self.errs, &self.counts);
        connection.is_stalled = self
            .errs
            .stalls
            .as_ref()
            .is_some_and(|stalls| stalls(number));
        Some(Ok(Box::new(connection)))
    }
}

/// A reply to an opened request of so many octets.
fn reply_to(request: &[u8], octets: usize, number: u32, is_secured: bool) -> Vec<u8> {
    let (least, t3, t2, sender) = if is_secured {
        (112, 16, 32, 48)
    } else {
        (41, 4, 16, 24)
    };
    let mut reply = vec![0; octets.max(least)];
    reply[..4].copy_from_slice(&number.to_be_bytes());
    for (at, nanoseconds) in [(t2, 1_000_000_000), (t3, 1_000_020_000)] {
        let time = twinpath_wire::WireTime::ntp(Wall::from_unix_ns(nanoseconds));
        reply[at..at + 8].copy_from_slice(&time.bits().to_be_bytes());
    }
    reply[t3 + 9] = 1;
    let copied = if is_secured {
        vec![(0, 4), (16, 10)]
    } else {
        vec![(0, 14)]
    };
    for (at, octets) in copied {
        reply[sender + at..sender + at + octets].copy_from_slice(&request[at..at + octets]);
    }
    reply
}
