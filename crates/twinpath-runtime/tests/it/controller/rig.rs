//! A Server on a thread: the engine over a blocking socket, a reflector behind it, and a script
//! that decides what goes wrong.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use twinpath_net::clock;
use twinpath_proto::control::{
    Admission, Message, Nonces, Opened, Server, ServerConfig, ServerEvent, SessionRequest,
};
use twinpath_proto::reflector::{NegotiatedConfig, SessionReflector, SessionSpec};
use twinpath_proto::security::KeyTable;
use twinpath_report::{ControlReport, Finding, SessionReport};
use twinpath_runtime::controller::{
    self, ControlError, ControlEvent, ControlPlan, ControllerPlan, ControllerRun,
};
use twinpath_runtime::measure::{Engine, SessionHandle};
use twinpath_runtime::{PortChoice, SenderPlan, StartError};
use twinpath_wire::control::{Accept, Modes, Sid};
use twinpath_wire::{Arrival, Dscp, ErrorEstimate, Rung, Stamp, Tos};

use crate::{PATIENCE, far_end, sender_plan};

/// What the script makes of an event, once the driver has done what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    /// The answers to it are written; then the connection is cut.
    Close,
    /// Nothing is written or read any more; the connection stays.
    Hang,
}

type Answer = Box<dyn FnMut(&SessionRequest, usize, u16) -> Result<Opened, Accept> + Send>;

pub(crate) struct Script {
    pub(crate) config: ServerConfig,
    pub(crate) keys: Arc<KeyTable>,
    pub(crate) admission: Admission,
    /// What becomes of a request; the number counts them. The port is the reflector's own.
    pub(crate) answer: Answer,
    pub(crate) then: Box<dyn FnMut(&ServerEvent) -> Then + Send>,
    /// The ToS octet with which packets reach the reflector; `None`: it does not know.
    pub(crate) arrive_with: Option<Tos>,
    /// Where the Server and its reflector listen.
    pub(crate) near: &'static str,
    /// The reflector goes with its Server.
    pub(crate) mortal: bool,
    /// Each reply is sent again after this time; the first of a session at once, so that copies are known
    /// of before the last reply comes.
    pub(crate) again_after: Option<Duration>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            config: ServerConfig::default(),
            keys: Arc::new(KeyTable::new([0; 16], 16384, [0; 16])),
            admission: Admission::Served,
            answer: Box::new(|_, number, port| Ok(opened(number, port))),
            then: Box::new(|_| Then::GoOn),
            arrive_with: None,
            near: "127.0.0.1:0",
            mortal: false,
            again_after: None,
        }
    }
}

pub(crate) fn sid(number: usize) -> Sid {
    Sid([u8::try_from(number).unwrap() + 1; 16])
}

pub(crate) fn opened(number: usize, port: u16) -> Opened {
    Opened {
        sid: sid(number),
        port,
        server_octets: 0,
    }
}

/// A Server for one connection.
pub(crate) struct Rig {
    pub(crate) server: SocketAddr,
    /// The reflector's UDP port.
    pub(crate) port: u16,
    over: Arc<AtomicBool>,
    control: JoinHandle<Vec<ServerEvent>>,
}

type Shared = Arc<Mutex<SessionReflector>>;

pub(crate) fn serve(script: Script) -> Rig {
    let listener = TcpListener::bind(script.near).unwrap();
    let server = listener.local_addr().unwrap();
    let socket = far_end(script.near);
    let port = socket.local_addr().unwrap().port();
    let reflector = Arc::new(Mutex::new(SessionReflector::for_negotiated(
        NegotiatedConfig::default(),
    )));
    let over = Arc::new(AtomicBool::new(false));
    let (shared, ends) = (reflector.clone(), over.clone());
    let (arrive_with, again_after) = (script.arrive_with, script.again_after);
    std::thread::spawn(move || mirror(&socket, &shared, &ends, arrive_with, again_after));
    let (mortal, ends) = (script.mortal, over.clone());
    let control = std::thread::spawn(move || {
        let (stream, peer) = listener.accept().unwrap();
        let events = Connection::new(script, stream, peer, port, reflector).run();
        ends.fetch_or(mortal, Ordering::Release);
        events
    });
    Rig {
        server,
        port,
        over,
        control,
    }
}

impl Rig {
    /// What the Server saw, once its connection is over.
    pub(crate) fn events(self) -> Vec<ServerEvent> {
        let events = self.control.join().unwrap();
        self.over.store(true, Ordering::Release);
        events
    }

    pub(crate) fn plan(&self) -> ControlPlan {
        ControlPlan {
            answer_timeout: PATIENCE,
            ..ControlPlan::to(self.server)
        }
    }
}

/// Reflects what the sessions allow, until the test is over.
fn mirror(
    socket: &UdpSocket,
    reflector: &Shared,
    over: &AtomicBool,
    tos: Option<Tos>,
    again_after: Option<Duration>,
) {
    let local = socket.local_addr().unwrap();
    let patience = Duration::from_millis(20);
    socket.set_read_timeout(Some(patience)).unwrap();
    let mut octets = [0; 2048];
    while !over.load(Ordering::Acquire) {
        let Ok((count, from)) = socket.recv_from(&mut octets) else {
            continue;
        };
        let (now, wall) = clock::pair();
        let arrival = Arrival {
            to_port: local.port(),
            ttl: Some(64),
            tos,
            ..Arrival::new(
                Stamp {
                    at: wall,
                    rung: Rung::User,
                },
                from,
            )
        };
        let mut reflector = reflector.lock().unwrap();
        if let Ok(reflection) = reflector.reflect(now, &mut octets, count, &arrival) {
            let reply = &mut octets[..reflection.octets];
            reflector.seal(&reflection, reply, wall, ErrorEstimate::from_bits(1));
            if local.is_ipv4() {
                let tos = u32::from(reflection.tos.0);
                socket2::SockRef::from(socket).set_tos_v4(tos).unwrap();
            }
            socket.send_to(reply, from).unwrap();
            if again_after.is_some() && reply[..4] == [0; 4] {
                socket.send_to(reply, from).unwrap();
            } else if let Some(after) = again_after {
                let (copy, socket) = (reply.to_vec(), socket.try_clone().unwrap());
                std::thread::spawn(move || {
                    std::thread::sleep(after);
                    socket.send_to(&copy, from).unwrap();
                });
            }
        }
    }
}

struct Connection {
    script: Script,
    stream: TcpStream,
    server: Server,
    reflector: Shared,
    port: u16,
    events: Vec<ServerEvent>,
    requests: usize,
    then: Then,
}

impl Connection {
    fn new(
        script: Script,
        stream: TcpStream,
        peer: SocketAddr,
        port: u16,
        reflector: Shared,
    ) -> Self {
        let patience = Duration::from_millis(5);
        stream.set_read_timeout(Some(patience)).unwrap();
        let local = stream.local_addr().unwrap();
        let server = Server::new(
            Arc::new(script.config.clone()),
            Arc::clone(&script.keys),
            script.admission,
            Nonces::default(),
            clock::mono(),
            peer,
            local,
        );
        Self {
            script,
            stream,
            server,
            reflector,
            port,
            events: Vec::new(),
            requests: 0,
            then: Then::GoOn,
        }
    }

    fn run(mut self) -> Vec<ServerEvent> {
        let patience = Instant::now() + Duration::from_mins(1);
        let mut octets = [0; 512];
        let mut unread: Vec<u8> = Vec::new();
        let mut eof = false;
        loop {
            assert!(Instant::now() < patience, "the connection does not end");
            let taken = self.server.handle_input(clock::mono(), &unread);
            unread.drain(..taken);
            self.take_events();
            if self.then == Then::Hang {
                // Until the client gives up.
                while !matches!(self.stream.read(&mut octets), Ok(0)) {
                    assert!(Instant::now() < patience, "the connection does not end");
                }
                return self.events;
            }
            while let Some(message) = self.server.poll_output() {
                if self.stream.write_all(message).is_err() {
                    eof = true;
                }
                let count = message.len();
                self.server.handle_written(clock::mono(), count);
            }
            if self.then == Then::Close || (self.server.is_closed() && unread.is_empty()) {
                let _ = self.stream.shutdown(std::net::Shutdown::Write);
                while matches!(self.stream.read(&mut octets), Ok(1..)) {}
                return self.events;
            }
            if eof && unread.is_empty() {
                self.server.handle_eof(clock::mono());
                self.take_events();
                return self.events;
            }
            if unread.is_empty() {
                match self.stream.read(&mut octets) {
                    Ok(0) => eof = true,
                    Ok(count) => unread.extend_from_slice(&octets[..count]),
                    Err(_) => {}
                }
            }
            let now = clock::mono();
            if self.server.poll_timeout().is_some_and(|due| due <= now) {
                self.server.handle_timeout(now);
            }
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.server.poll_event() {
            let now = clock::mono();
            let mut reflector = self.reflector.lock().unwrap();
            match event {
                ServerEvent::Open(request) => {
                    let answer = (self.script.answer)(&request, self.requests, self.port);
                    self.requests += 1;
                    if let Ok(opened) = answer {
                        let spec = spec(&request, opened);
                        reflector.open(spec, opened.port, None).unwrap();
                    }
                    self.server.answer_open(now, answer);
                }
                ServerEvent::Start(sid) => reflector.start(sid, now),
                ServerEvent::Stop(sid) => reflector.stop(sid, now),
                ServerEvent::Remove(sid) => reflector.remove(sid),
                ServerEvent::Ready { .. }
                | ServerEvent::Refused(_)
                | ServerEvent::Note(_)
                | ServerEvent::Closed(_) => {}
            }
            drop(reflector);
            self.events.push(event);
            if self.then == Then::GoOn {
                self.then = (self.script.then)(&event);
            }
        }
    }
}

fn spec(request: &SessionRequest, opened: Opened) -> SessionSpec {
    SessionSpec {
        sid: opened.sid,
        sender: request.sender,
        modes: request.modes,
        dscp: request.dscp,
        padding_length: request.padding_length,
        timeout: request.timeout,
        refwait: Duration::from_mins(15),
        padding_to_reflect: request.padding_to_reflect,
        server_octets: opened.server_octets,
        nat: None,
        begins: None,
    }
}

/// Twenty packets in each class.
pub(crate) fn plan(control: ControlPlan, classes: &[Dscp]) -> ControllerPlan {
    let session = |class: &Dscp| SenderPlan {
        port: PortChoice::Exact(0),
        tos: class.tos(),
        ..sender_plan(control.server)
    };
    let sessions = classes.iter().map(session).collect();
    ControllerPlan {
        control,
        sessions,
        secured: None,
    }
}

/// What a run came to, and what was told meanwhile.
pub(crate) struct Outcome {
    pub(crate) result: Result<ControlReport, ControlError>,
    pub(crate) sessions: Vec<SessionReport>,
    pub(crate) events: Vec<ControlEvent>,
}

impl Outcome {
    pub(crate) fn report(&self) -> &ControlReport {
        self.result.as_ref().unwrap()
    }

    /// The error's line.
    pub(crate) fn line(&self) -> String {
        let line = self.result.as_ref().unwrap_err().to_string();
        assert!(!line.contains('\n'), "{line}");
        line
    }

    /// The messages of the control connection.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        for event in &self.events {
            if let ControlEvent::Message(message) = event {
                messages.push(*message);
            }
        }
        messages
    }

    /// Keys of the findings on the connection.
    pub(crate) fn keys(&self) -> Vec<Cow<'static, str>> {
        self.report().findings.iter().map(Finding::key).collect()
    }
}

pub(crate) fn control(plan: ControllerPlan) -> Outcome {
    finish(start(plan).unwrap())
}

/// Each session on a thread of its own.
pub(crate) fn start(plan: ControllerPlan) -> Result<ControllerRun, StartError> {
    controller::start(plan, &Engine::start(0).unwrap())
}

pub(crate) fn finish(run: ControllerRun) -> Outcome {
    let patience = Instant::now() + Duration::from_mins(1);
    while !run.is_finished() {
        assert!(Instant::now() < patience, "the run does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    let events = std::iter::from_fn(|| run.next_event()).collect();
    let ended = run.sessions().iter().map(SessionHandle::ended);
    let sessions = (1..).zip(ended).filter_map(|(number, ended)| {
        let mut report = ended.ok()?.report();
        report.identity.number = number;
        Some(report)
    });
    Outcome {
        sessions: sessions.collect(),
        result: run.join(),
        events,
    }
}

/// A Server that offers these features.
pub(crate) fn offering(features: Modes) -> Script {
    Script {
        config: ServerConfig {
            modes: Modes::UNAUTHENTICATED | features,
            ..ServerConfig::default()
        },
        ..Script::default()
    }
}

pub(crate) fn stops(events: &[ServerEvent]) -> usize {
    let stop = |event: &&ServerEvent| matches!(event, ServerEvent::Stop(_));
    events.iter().filter(stop).count()
}

/// Slips of our own that the Server noticed: there must be none.
pub(crate) fn slips(events: &[ServerEvent]) -> Vec<ServerEvent> {
    let slip = |event: &&ServerEvent| matches!(event, ServerEvent::Note(_));
    events.iter().filter(slip).copied().collect()
}
