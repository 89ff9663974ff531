//! A whole dialogue with a TWAMP server: one connection, sessions, a few packets in each, the end.

mod running;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout, timeout_at};
use twinpath_net::clock;
use twinpath_proto::control::{ClientError, ClientPlan, ControlClient, SessionPlan};
use twinpath_proto::{Refusal, TestFeatures};
use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{Mono, Tos, Wall};

use super::load::{Load, LoadSeen};
use super::reach::Connection;
use super::train::TrainSeen;
use crate::controller::credentials;
use crate::controller::greeting::{First, first};
use crate::keys::Key;
use crate::link::{Link, Parting};
use running::{OPENING, RunningDialogue};

/// How often it is looked at whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a server that had no session has to close.
const PARTING: Duration = Duration::from_secs(1);

/// What is said to a server.
#[derive(Clone, Debug)]
pub struct DialoguePlan {
    /// Its TCP address and port.
    pub server: SocketAddr,
    /// The mode to choose.
    pub security: SecurityMode,
    /// For a secured mode.
    pub key: Option<Key>,
    /// PBKDF2 iterations that the server may ask for at most.
    pub most_pbkdf2_count: u32,
    /// Features to choose; the server must offer them.
    pub features: Modes,
    /// Sessions to request, one after the other.
    pub sessions: Vec<WantedSession>,
    /// What is sent in each; `None`: they are not started.
    pub train: Option<DialogueTrain>,
    /// How long the connection may take to be made.
    pub connect_patience: Duration,
    /// How long each answer may take.
    pub patience: Duration,
    /// The whole may take so long.
    pub longest: Duration,
}

/// A session to request.
#[derive(Clone, Copy, Debug)]
pub struct WantedSession {
    /// As in the request, but for the sender's port, and the addresses.
    pub plan: SessionPlan,
    /// The wished port is that of the sender.
    pub wishes_own_port: bool,
    /// Addresses are zero: the ends of the connection.
    pub has_zero_addresses: bool,
}

/// Packets of a session.
#[derive(Clone, Copy, Debug)]
pub struct DialogueTrain {
    /// After Start-Ack, at most 13 packets in 3 s are sent until one is answered; `None`: this is
    /// waited for instead.
    pub start_delay: Option<Duration>,
    /// Packets then.
    pub count: u32,
    /// Between them.
    pub interval: Duration,
    /// How long replies are waited for after the last departure.
    pub patience: Duration,
    /// The packet with this number and this time, before it is secured.
    pub packet: fn(&PacketForm, u32, Wall) -> (Vec<u8>, Tos),
    /// These in place of all others, after the start delay.
    pub load: Option<Load>,
}

/// What a packet depends on.
#[derive(Clone, Copy, Debug)]
pub struct PacketForm {
    /// What was agreed on.
    pub features: TestFeatures,
    /// As in the request.
    pub plan: SessionPlan,
}

/// The most packets before the first is answered.
pub const MOST_OPENING_PACKETS: usize = OPENING.len();

/// What came of a dialogue.
#[derive(Clone, Debug)]
pub struct DialogueSeen {
    /// The server's address and port.
    pub server: SocketAddr,
    /// How it ended.
    pub end: DialogueEnd,
    /// This host's end of the connection.
    pub near: Option<SocketAddr>,
    /// What the server offered.
    pub offered: Modes,
    /// What was chosen; empty: it was not set up.
    pub modes: Modes,
    /// Requests, in order.
    pub sessions: Vec<SessionSeen>,
    /// While the server had a session of it: from the first Accept-Session to the end of the last packets.
    pub held: Option<Span>,
    /// When it began.
    pub begun: Mono,
    /// How long it took.
    pub took: Duration,
}

/// A time, by this host's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Mono,
    /// Its last moment.
    pub to: Mono,
}

impl Span {
    /// How many of them go on at the same moment, at most.
    pub fn most_at_once(all: &[Self]) -> usize {
        let at = |moment| {
            let going_on = |span: &&Self| (span.from..=span.to).contains(&moment);
            all.iter().filter(going_on).count()
        };
        all.iter().map(|span| at(span.from)).max().unwrap_or(0)
    }
}

/// A session of a dialogue.
#[derive(Clone, Debug)]
pub struct SessionSeen {
    /// The request.
    pub plan: SessionPlan,
    /// The server's answer: its port, and what Reflect Octets needs; `None`: there was none.
    pub answer: Option<Result<Accepted, Refusal>>,
    /// It was started.
    pub started: bool,
    /// The server refused to stop it (RFC 5938).
    pub stop_refused: Option<Refusal>,
    /// What was sent in it, and what came back.
    pub train: Option<SessionTrain>,
    /// What came of a load; `Err`: nothing was sent, and why.
    pub load: Option<Result<LoadSeen, String>>,
}

/// What the server says of a session that it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// UDP port to send to: the server's, or the wished one where it says 0.
    pub port: u16,
    /// Server octets (RFC 6038 section 4.3).
    pub server_octets: u16,
    /// The octets to reflect came back.
    pub octets_reflected: bool,
}

/// Packets of a session and what came of them, all as they are when they are not secured.
#[derive(Clone, Debug)]
pub struct SessionTrain {
    /// Where they went.
    pub far: SocketAddr,
    /// What the packets look like.
    pub form: PacketForm,
    /// When the server said that it started.
    pub started: Wall,
    /// Until the first was answered.
    pub opening: (Vec<Vec<u8>>, TrainSeen),
    /// Then.
    pub paced: (Vec<Vec<u8>>, TrainSeen),
    /// Replies that are no replies in this mode: too short, or their HMAC is wrong.
    pub forged: usize,
}

/// How a dialogue ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialogueEnd {
    /// No connection: what the port did.
    NotConnected(Connection),
    /// No greeting.
    Mute,
    /// Another service, and what it says.
    NotTwamp(String),
    /// This host could not go on, and why.
    Here(String),
    /// The connection failed.
    Failed(ClientError),
    /// The server refused the connection, or to start.
    Refused(Refusal),
    /// The server ended it before its time.
    Ended,
    /// It went as planned, and the server took leave like this; `None`: that was not waited for.
    Done(Option<Parting>),
    /// It was stopped, or took too long.
    CutShort,
}

/// Has it, until it is `stopped`. `awaits_close`: whether it is waited for at the end that the server closes too, a
/// round trip later.
pub fn run_dialogue(
    plan: &DialoguePlan,
    awaits_close: &dyn Fn() -> bool,
    stopped: &dyn Fn() -> bool,
) -> DialogueSeen {
    let begun = Instant::now();
    let mut seen = DialogueSeen {
        server: plan.server,
        end: DialogueEnd::CutShort,
        near: None,
        offered: Modes::default(),
        modes: Modes::default(),
        sessions: Vec::new(),
        held: None,
        begun: clock::mono(),
        took: Duration::ZERO,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    seen.end = match runtime {
        Err(error) => DialogueEnd::Here(error.to_string()),
        Ok(runtime) => {
            let until = tokio::time::Instant::from_std(begun + plan.longest);
            let is_over = || stopped() || Instant::now() >= begun + plan.longest;
            runtime.block_on(async {
                let whole = timeout_at(until, dialogue(plan, &mut seen, awaits_close, &is_over));
                tokio::select! {
                    end = whole => end.unwrap_or(DialogueEnd::CutShort),
                    () = until_stopped(stopped) => DialogueEnd::CutShort,
                }
            })
        }
    };
    seen.took = begun.elapsed();
    seen
}

async fn until_stopped(stopped: &dyn Fn() -> bool) {
    while !stopped() {
        sleep(LOOK_EVERY).await;
    }
}

async fn dialogue(
    plan: &DialoguePlan,
    seen: &mut DialogueSeen,
    awaits_close: &dyn Fn() -> bool,
    is_over: &dyn Fn() -> bool,
) -> DialogueEnd {
    let stream = match timeout(plan.connect_patience, TcpStream::connect(plan.server)).await {
        Err(_) => return DialogueEnd::NotConnected(Connection::Silent),
        Ok(Err(error)) => return DialogueEnd::NotConnected(Connection::of(&error)),
        Ok(Ok(stream)) => stream,
    };
    let client = match (client(plan), stream.local_addr()) {
        (Ok(client), Ok(near)) => {
            seen.near = Some(near);
            client
        }
        (Err(error), _) => return DialogueEnd::Here(error),
        (_, Err(error)) => return DialogueEnd::Here(error.to_string()),
    };
    let mut link = Link::new(stream, client);
    match first(&mut link, plan.patience).await {
        First::Greeting => {}
        First::Nothing => return DialogueEnd::Mute,
        First::Other(said) => return DialogueEnd::NotTwamp(said),
    }
    let mut running = RunningDialogue {
        plan,
        seen,
        link,
        sockets: Vec::new(),
    };
    match running.whole(is_over).await {
        Ok(()) if awaits_close() => {
            // No shorter than a round trip.
            let patience = plan.train.map_or(PARTING, |train| train.patience);
            DialogueEnd::Done(Some(running.link.close_within(patience).await))
        }
        Ok(()) => {
            running.link.close().await;
            DialogueEnd::Done(None)
        }
        Err(end) => end,
    }
}

fn client(plan: &DialoguePlan) -> Result<ControlClient, String> {
    let credentials = plan.key.clone().map(credentials).transpose();
    let client_plan = ClientPlan {
        security: vec![plan.security],
        credentials: credentials.map_err(|error| error.to_string())?,
        most_count: plan.most_pbkdf2_count,
        required: plan.features,
        preferred: Modes::default(),
        preferred_secured: Modes::default(),
        sessions: Vec::new(),
        answer_timeout: plan.patience,
        strict: false,
    };
    Ok(ControlClient::new(client_plan, clock::mono(), plan.server))
}
