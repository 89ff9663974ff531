//! Trials against servers in memory: the engine, and what errs in a defined way around it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use twinpath_proto::control::{
    Admission, Nonces, Opened, Server, ServerConfig, ServerEvent, SessionRequest,
};
use twinpath_proto::security::KeyTable;
use twinpath_runtime::probe::RawRead;
use twinpath_wire::Mono;
use twinpath_wire::control::{Accept, Sid};

use super::*;
use crate::doctor::strict::steps::{Line, Step, Transcript};

mod errors;
mod loss;

const FIRST_PORT: u16 = 20_000;
const PORTS: [u16; 2] = [50_001, 50_002];

/// A session, and until when it is reflected.
struct Session {
    sid: Sid,
    sender: u16,
    port: u16,
    timeout: Duration,
    is_running: bool,
    until: Option<Duration>,
}

/// One connection to a server in memory, in virtual time.
struct Connection {
    server: Server,
    errs: Rc<Errs>,
    sessions: Vec<Session>,
    now: Duration,
    out: Vec<u8>,
    /// Of messages of the client, so far.
    written: Vec<u8>,
    /// Replies that wait at each of the two UDP ports, and from which port they came.
    replies: [VecDeque<(u16, Vec<u8>)>; 2],
    is_stalled: bool,
    /// Datagrams and connections to the server so far, on all connections.
    counts: Rc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: Cell<usize>,
    datagrams: Cell<u32>,
}

/// The client's octets so far, and a message of the server.
type Says = fn(&[u8], &mut Vec<u8>);
/// The sessions, a packet's source port, and the time since the connection.
type Answers = fn(&[Session], u16, Duration) -> bool;

/// How a server errs.
#[derive(Default)]
struct Errs {
    config: ServerConfig,
    /// Changes each message of the server.
    messages: Option<Says>,
    /// Changes what the client writes before the server reads it.
    reads: Option<fn(&mut Vec<u8>)>,
    /// Whether a test packet of this source port is answered, if not as the sessions say.
    packets: Option<Answers>,
    /// The port of a session.
    port: Option<fn(usize) -> u16>,
    /// It says nothing more once the client has closed its side.
    is_mute_at_the_end: bool,
    /// It closes each after a refusal.
    closes_on_refusal: bool,
    /// What becomes of the replies to a datagram of this number among all, and of this copied number.
    network: Option<Network>,
    /// On the connection of this number it says nothing after the greeting.
    stalls: Option<Box<dyn Fn(usize) -> bool>>,
}

/// What arrives in place of a reply.
type Network = Box<dyn Fn(u32, Vec<u8>) -> Vec<Vec<u8>>>;

/// Connects to such servers.
struct Host {
    errs: Rc<Errs>,
    counts: Rc<Counts>,
}

impl Connection {
    fn new(errs: &Rc<Errs>, counts: &Rc<Counts>) -> Self {
        let config = errs.config.clone();
        let keys = KeyTable::new([0; 16], 2048, [0; 16]);
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

    fn write(&mut self, octets: &[u8]) -> bool {
        if self.is_stalled {
            return true;
        }
        self.written.extend(octets);
        let mut octets = octets.to_vec();
        if let Some(change) = self.errs.reads {
            change(&mut octets);
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
        if !self.is_answered(PORTS[from], to) {
            return;
        }
        let mut reply = vec![0; 41];
        reply[24..38].copy_from_slice(&datagram[..14]);
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

fn tried(errs: Errs) -> Vec<Tried> {
    let subjects = Subjects {
        control: Some("203.0.113.7:862".parse().unwrap()),
        ..Subjects::default()
    };
    let mut host = Host {
        errs: Rc::new(errs),
        counts: Rc::default(),
    };
    let parts = run(&parts(true), &subjects, &Keys::default(), &mut host);
    let datagrams = usize::try_from(host.counts.datagrams.get()).unwrap();
    let all = host.counts.connections.get() + datagrams;
    assert!(all <= most_packets(&super::parts(true)), "{all}");
    parts.into_iter().flat_map(|(_, tried)| tried).collect()
}

#[test]
fn a_server_that_does_all_as_it_must_passes_all() {
    let tried = tried(Errs::default());
    assert!(tried.len() > 40, "{}", tried.len());
    for status in [Status::Fail, Status::Unclear] {
        let found: Vec<_> = tried
            .iter()
            .filter(|tried| tried.status == status)
            .collect();
        assert!(found.is_empty(), "{found:#?}");
    }
    // It offers all features, and has no keys.
    assert_eq!(
        with(&tried, Status::Skipped),
        BTreeSet::from([
            "strict.control.feature-not-offered",
            "strict.control.unknown-key"
        ])
    );
}

#[test]
fn where_no_request_is_accepted_nothing_is_said_of_odd_ones() {
    let errs = Errs {
        reads: Some(|octets| {
            if octets.len() == 112 {
                octets[2] = 1;
            }
        }),
        ..Errs::default()
    };
    let tried = tried(errs);
    let failed = with(&tried, Status::Fail);
    assert_eq!(failed, BTreeSet::from([""; 0]));
    let unclear = with(&tried, Status::Unclear);
    assert!(
        unclear.contains("strict.control.request-mbz"),
        "{unclear:?}"
    );
    assert!(
        unclear.contains("strict.control.receiver-foreign"),
        "{unclear:?}"
    );
    assert!(
        unclear.contains("strict.control.two-sessions"),
        "{unclear:?}"
    );
}

#[test]
fn requests_have_the_ip_version_of_their_connection() {
    for (is_v6, version, address) in [(false, 4, 192), (true, 6, 0x20)] {
        let seen = Transcript::new(is_v6, Wall::from_unix_ns(0), PORTS);
        for part in parts(true) {
            let Trials::Dialogues(trials) = part.trials else {
                continue;
            };
            for trial in trials {
                for step in trial.how.steps {
                    let Step::Write(message) = step else {
                        continue;
                    };
                    let message = message(&seen);
                    if message.len() != 112 || message[0] != 5 || trial.id.ends_with("ipvn") {
                        continue;
                    }
                    assert_eq!(message[1] & 15, version, "{}", trial.id);
                    let mut addresses = [message[16], message[32]].into_iter();
                    assert!(addresses.all(|first| first == 0 || first == address));
                }
            }
        }
    }
}

#[test]
fn each_error_of_a_server_is_found_by_its_trials_and_by_no_others() {
    let mut wrong = Vec::new();
    let mut found_by = BTreeSet::new();
    for error in errors::all() {
        let tried = tried(error.errs);
        let failed = with(&tried, Status::Fail);
        let unclear = with(&tried, Status::Unclear);
        found_by.extend(error.fail.iter().chain(error.unclear).copied());
        let wanted = |ids: &[&'static str]| ids.iter().copied().collect::<BTreeSet<_>>();
        if failed != wanted(error.fail) || unclear != wanted(error.unclear) {
            let odd: Vec<_> = tried
                .iter()
                .filter(|tried| matches!(tried.status, Status::Fail | Status::Unclear))
                .map(|tried| format!("{:?} {}: {}", tried.status, tried.id, tried.evidence))
                .collect();
            wrong.push(format!("{}: {odd:#?}", error.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = parts(true).into_iter().flat_map(Part::trials);
    let idle: Vec<_> = all
        .map(|trial| trial.id)
        .filter(|id| !found_by.contains(id))
        .collect();
    assert_eq!(idle, [""; 0], "trials without an error that they find");
}

#[test]
fn a_server_that_greets_no_more_is_not_asked_again_and_again() {
    let subjects = Subjects {
        control: Some("203.0.113.7:862".parse().unwrap()),
        ..Subjects::default()
    };
    let mut far = Far::honest();
    let parts = run(&parts(true), &subjects, &Keys::default(), &mut far);
    for (_, tried) in parts {
        let unclear = with(&tried, Status::Unclear).len();
        assert!(unclear <= 3, "{tried:#?}");
        assert_eq!(
            with(&tried, Status::Pass).len() + with(&tried, Status::Fail).len(),
            0
        );
    }
}
