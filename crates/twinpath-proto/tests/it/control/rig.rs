//! A Server with a driver in virtual time, as `twinpath_proto::control` describes its round.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::control::{
    Admission, ClientEvent, ControlClient, Message, Nonces, Opened, Server, ServerConfig,
    ServerEvent, SessionRequest,
};
use twinpath_proto::security::KeyTable;
use twinpath_wire::Mono;
use twinpath_wire::control::Accept;

use super::messages::{self, sid};

pub(crate) const START: Mono = Mono::from_ns(1_000_000_000_000);

type Answer = Box<dyn FnMut(&SessionRequest, u8) -> Result<Opened, Accept>>;

/// A Server, its driver, and all that came out.
pub(crate) struct ServerRig {
    pub(crate) server: Server,
    pub(crate) now: Mono,
    pub(crate) events: Vec<ServerEvent>,
    /// Messages, whole.
    pub(crate) sent: Vec<Vec<u8>>,
    /// The driver's answer to a request; the second argument counts requests.
    pub(crate) answer: Answer,
    opened: u8,
}

pub(crate) fn peer() -> SocketAddr {
    "192.0.2.1:50000".parse().unwrap()
}

pub(crate) fn local() -> SocketAddr {
    "192.0.2.2:862".parse().unwrap()
}

/// Grants everything: the port as wished, [`sid`] by number.
pub(crate) fn grant(request: &SessionRequest, number: u8) -> Opened {
    Opened {
        sid: sid(number),
        port: request.receiver_port,
        server_octets: 0,
    }
}

impl ServerRig {
    pub(crate) fn new(config: ServerConfig) -> Self {
        Self::between(config, Admission::Served, peer(), local())
    }

    pub(crate) fn between(
        config: ServerConfig,
        admission: Admission,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        let keys = KeyTable::new([0; 16], 16384, [0; 16]);
        let server = Server::new(
            Arc::new(config),
            Arc::new(keys),
            admission,
            Nonces::default(),
            START,
            peer,
            local,
        );
        Self::of(server)
    }

    /// A Server with keys.
    pub(crate) fn keyed(
        config: ServerConfig,
        keys: impl Into<Arc<KeyTable>>,
        nonces: Nonces,
    ) -> Self {
        Self::keyed_between(config, keys, nonces, [peer(), local()])
    }

    pub(crate) fn keyed_between(
        config: ServerConfig,
        keys: impl Into<Arc<KeyTable>>,
        nonces: Nonces,
        [peer, local]: [SocketAddr; 2],
    ) -> Self {
        let (config, keys) = (Arc::new(config), keys.into());
        let admission = Admission::Served;
        Self::of(Server::new(
            config, keys, admission, nonces, START, peer, local,
        ))
    }

    pub(crate) fn of(server: Server) -> Self {
        let mut rig = Self {
            server,
            now: START,
            events: Vec::new(),
            sent: Vec::new(),
            answer: Box::new(|request, number| Ok(grant(request, number))),
            opened: 0,
        };
        rig.drain();
        rig
    }

    /// A Server set up in `modes`; `events` and `sent` do not include the set-up.
    pub(crate) fn set_up(config: ServerConfig, modes: u32) -> Self {
        let mut rig = Self::new(config);
        rig.feed(&messages::set_up(modes));
        assert_eq!(rig.sent.last().unwrap()[15], 0, "set-up was refused");
        rig.forget();
        rig
    }

    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.sent.clear();
    }

    /// Offers octets, round after round, until all are taken or the Server will take no more.
    pub(crate) fn feed(&mut self, octets: &[u8]) {
        let mut rest = octets;
        loop {
            let taken = self.server.handle_input(self.now, rest);
            rest = &rest[taken..];
            self.drain();
            if rest.is_empty() || (taken == 0 && !self.server.wants_input()) {
                break;
            }
        }
        assert!(rest.is_empty(), "{} octets left", rest.len());
    }

    /// Feeds octets and returns only the resulting output.
    pub(crate) fn exchange(&mut self, octets: &[u8]) -> (Vec<ServerEvent>, Vec<Vec<u8>>) {
        self.forget();
        self.feed(octets);
        (
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.sent),
        )
    }

    /// Lets time pass; calls the engine when it asked to be called.
    pub(crate) fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        let mut rounds = 0;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.server.handle_timeout(self.now);
            self.drain();
            rounds += 1;
            assert!(rounds < 100, "a timeout that does not go away");
        }
        self.now = end;
    }

    pub(crate) fn drain(&mut self) {
        loop {
            while let Some(event) = self.server.poll_event() {
                self.events.push(event);
                if let ServerEvent::Open(request) = event {
                    let answer = (self.answer)(&request, self.opened);
                    self.opened = self.opened.wrapping_add(u8::from(answer.is_ok()));
                    self.server.answer_open(self.now, answer);
                }
            }
            let Some(message) = self.server.poll_output().map(<[u8]>::to_vec) else {
                break;
            };
            self.server.handle_written(self.now, message.len());
            self.sent.push(message);
        }
    }
}

/// A Control-Client, and all that came out.
pub(crate) struct ClientRig {
    pub(crate) client: ControlClient,
    pub(crate) now: Mono,
    pub(crate) events: Vec<ClientEvent>,
    /// Messages, which are left out of the events.
    pub(crate) messages: Vec<Message>,
    pub(crate) sent: Vec<Vec<u8>>,
    /// Called with each event but messages.
    pub(crate) act: fn(&mut ControlClient, Mono, ClientEvent),
}

impl ClientRig {
    pub(crate) fn new(client: ControlClient) -> Self {
        Self {
            client,
            now: START,
            events: Vec::new(),
            messages: Vec::new(),
            sent: Vec::new(),
            act: |_, _, _| {},
        }
    }

    /// Starts when all is settled, stops when all runs, closes when all is stopped.
    pub(crate) fn that_measures(client: ControlClient) -> Self {
        let mut rig = Self::new(client);
        rig.act = |client, now, event| match event {
            ClientEvent::Settled { .. } => {
                client.start(now);
            }
            ClientEvent::Started { .. } => {
                client.stop(now, Accept::Ok);
            }
            ClientEvent::Stopped { .. } => client.close(now),
            _ => {}
        };
        rig
    }

    pub(crate) fn feed(&mut self, octets: &[u8]) {
        let mut rest = octets;
        self.drain();
        while !rest.is_empty() {
            let taken = self.client.handle_input(self.now, rest);
            assert!(taken > 0, "{} octets left", rest.len());
            rest = &rest[taken..];
            self.drain();
        }
    }

    /// Feeds octets and returns only the resulting output.
    pub(crate) fn exchange(&mut self, octets: &[u8]) -> (Vec<ClientEvent>, Vec<Vec<u8>>) {
        self.drain();
        self.events.clear();
        self.sent.clear();
        self.feed(octets);
        (
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.sent),
        )
    }

    pub(crate) fn drain(&mut self) {
        while let Some(event) = self.client.poll_event() {
            if let ClientEvent::Message(message) = event {
                self.messages.push(message);
            } else {
                self.events.push(event);
                (self.act)(&mut self.client, self.now, event);
            }
        }
        while let Some(message) = self.client.poll_output().map(<[u8]>::to_vec) {
            self.client.handle_written(self.now, message.len());
            self.sent.push(message);
        }
    }
}
