//! One control connection from greeting to close, wherever the Session-Sender runs.

mod findings;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use twinpath_net::clock;
use twinpath_proto::TestFeatures;
use twinpath_proto::control::{ClientError, ClientEvent, ClientPlan, ControlClient, SessionPlan};
use twinpath_proto::security::{Credentials, SessionKeys};
use twinpath_proto::{Refusal, Step, TestGuard};
use twinpath_report::{Advice, Attempt, RefusedSession};
use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes, SecurityMode, Sid};

use super::connect::{connect, resume};
use super::event::EventSender;
use super::greeting::{First, first};
use super::request::{DefaultFeatures, SessionRequest};
use super::{ControlError, ControlEvent, ControlPlan, NegotiatedSession};
use crate::error::StartError;
use crate::keys::Key;
use crate::link::Link;
use crate::random;
use crate::stop::Stop;

/// Padding beyond this may be what a Server's limit is about.
const USUAL_PADDING: u32 = 1_458;
/// How long answers are waited for once the run was told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NegotiationState {
    Asked,
    Accepted,
    Running,
    Stopped,
    Refused(Refusal),
}

/// A session, as this side knows it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    plan: SessionPlan,
    /// The sender's own address, for the report; `plan` may leave it out.
    sender: SocketAddr,
    pub(crate) standing: NegotiationState,
    sid: Sid,
    port: u16,
    server_octets: u16,
    octets_reflected: bool,
    is_elsewhere: bool,
}

/// A connection that is set up.
#[derive(Debug)]
pub(crate) struct Dialogue {
    link: Link<ControlClient>,
    plan: ControlPlan,
    /// There was a key to secure it with.
    keyed: bool,
    /// The Server's Count, where it departs from the standard.
    odd_count: Option<u32>,
    news: EventSender,
    /// Addresses of the Server that were tried before.
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) near: SocketAddr,
    pub(crate) offered: Modes,
    pub(crate) modes: Modes,
    pub(crate) sessions: Vec<Session>,
    /// How many of them are accepted and not started, and how many run.
    accepted: usize,
    running: usize,
    /// How the connection failed.
    lost: Option<ClientError>,
    closed: bool,
}

impl Dialogue {
    /// Connects, reads the greeting, chooses. `usual`: features that are chosen if offered.
    pub(crate) async fn open(
        mut plan: ControlPlan,
        defaults: DefaultFeatures,
        news: EventSender,
    ) -> Result<Self, ControlError> {
        let server = plan.server;
        let defaults = defaults.without(plan.avoided);
        // The engine's alone.
        let credentials = plan.key.take().map(credentials).transpose()?;
        let keyed = credentials.is_some();
        news.emit(ControlEvent::Connecting { server });
        let (stream, attempts) = match plan.made.take() {
            Some(made) => {
                resume(made).map_err(|source| ControlError::Connect { server, source })?
            }
            None => (connect(&plan).await?, Vec::new()),
        };
        let near = stream
            .local_addr()
            .map_err(|source| ControlError::Connect { server, source })?;
        news.emit(ControlEvent::Connected { near, server });
        let client = ControlClient::new(
            ClientPlan {
                security: plan.security.clone(),
                credentials,
                most_count: plan.most_pbkdf2_count,
                required: plan.required,
                preferred: defaults.all,
                preferred_secured: defaults.secured,
                sessions: Vec::new(),
                answer_timeout: plan.answer_timeout,
                strict: plan.strict,
            },
            clock::mono(),
            server,
        );
        let mut link = Link::new(stream, client).on(plan.interface.as_deref());
        match first(&mut link, plan.answer_timeout).await {
            First::Greeting => {}
            First::Nothing => {
                let after = plan.answer_timeout;
                return Err(ControlError::Mute { server, after });
            }
            First::Other(said) => return Err(ControlError::NotTwamp { server, said }),
        }
        let mut dialogue = Self {
            link,
            plan,
            keyed,
            odd_count: None,
            news,
            attempts,
            near,
            offered: Modes::default(),
            modes: Modes::default(),
            sessions: Vec::new(),
            accepted: 0,
            running: 0,
            lost: None,
            closed: false,
        };
        loop {
            let event = dialogue.event().await?;
            if let ClientEvent::Refused { refusal, .. } = event {
                return Err(dialogue.refused(None, "the connection".to_owned(), refusal));
            }
            if matches!(event, ClientEvent::Ready { .. }) {
                return Ok(dialogue);
            }
        }
    }

    /// Asks for sessions, and waits for all answers.
    ///
    /// # Errors
    /// Also where every one is refused.
    pub(crate) async fn agree(&mut self, requests: &[SessionRequest]) -> Result<(), ControlError> {
        for request in requests {
            let session_plan = request.session_plan(&self.plan, self.modes);
            self.sessions.push(Session {
                plan: session_plan,
                sender: request.sender,
                standing: NegotiationState::Asked,
                sid: Sid::default(),
                port: 0,
                server_octets: 0,
                octets_reflected: true,
                is_elsewhere: request.is_elsewhere,
            });
            self.link.engine.request(clock::mono(), session_plan);
        }
        while !matches!(self.event().await?, ClientEvent::Settled { .. }) {}
        self.some(self.accepted)
    }

    /// Starts what was accepted, and waits until it is known of each whether it runs.
    ///
    /// # Errors
    /// Also where none runs.
    pub(crate) async fn start(&mut self, stop: &mut Stop) -> Result<(), ControlError> {
        self.link.engine.start(clock::mono());
        let mut told = false;
        let mut given_up = Instant::now();
        while self.accepted > 0 {
            tokio::select! {
                // What was told before an answer came comes first.
                biased;
                () = stop.requested(), if !told => {
                    told = true;
                    given_up = Instant::now() + LAST_ANSWERS;
                    // They are stopped as soon as they run.
                    self.link.engine.stop(clock::mono(), Accept::Ok);
                }
                event = self.event() => {
                    if let ClientEvent::Refused { index: None, refusal } = event? {
                        let what = "to start the sessions".to_owned();
                        return Err(self.refused(None, what, refusal));
                    }
                }
                () = sleep_until(given_up), if told => return Err(self.not_started()),
            }
        }
        if told {
            return Err(self.not_started());
        }
        self.some(self.running)
    }

    fn not_started(&self) -> ControlError {
        ControlError::Interrupted {
            server: self.plan.server,
            awaited: "started a session",
        }
    }

    /// Waits for what happens next while sessions run. A connection that fails is said, once; from
    /// then on nothing happens.
    pub(crate) async fn listen(&mut self) {
        if !self.is_alive() {
            std::future::pending::<()>().await;
        }
        if let Err(ControlError::Lost { error, .. }) = self.event().await {
            self.news.emit(ControlEvent::ServerGone(error));
        }
    }

    /// These are over: tells the Server, where it can be told of them by themselves.
    pub(crate) fn stop_some(&mut self, indices: &[usize]) {
        self.link.engine.stop_sessions(clock::mono(), indices);
    }

    /// All are over: tells the Server and closes the connection. `accept` says whether they went
    /// well on this side.
    pub(crate) async fn end(&mut self, accept: Accept) {
        self.link.engine.stop(clock::mono(), accept);
        while self.is_alive() && self.running > 0 {
            self.listen().await;
        }
    }

    /// Closes, so that the Server reads all that was said. What runs still is stopped as failed.
    pub(crate) async fn close_politely(mut self) {
        if self.is_alive() {
            let now = clock::mono();
            self.link.engine.stop(now, Accept::Failure);
            self.link.engine.close(now);
            while let Some(event) = self.link.engine.poll_event() {
                if let ClientEvent::Message(message) = event {
                    self.news.emit(ControlEvent::Message(message));
                }
            }
            self.link.close_politely().await;
            self.news.emit(ControlEvent::Closed);
        }
    }

    /// The Server's end.
    pub(crate) fn server(&self) -> SocketAddr {
        self.plan.server
    }

    /// How the connection failed.
    pub(crate) fn lost(&self) -> Option<ClientError> {
        self.lost
    }

    /// The connection has neither failed nor ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.lost.is_none() && !self.closed
    }

    /// What was agreed on of one session.
    pub(crate) fn negotiated(&self, index: usize) -> Option<NegotiatedSession> {
        let session = self.sessions.get(index)?;
        let mut reflector = self.plan.server;
        reflector.set_port(session.port);
        Some(NegotiatedSession {
            sid: session.sid,
            sender: session.sender,
            reflector,
            dscp: session.plan.dscp,
        })
    }

    /// What the packets of one session look like.
    pub(crate) fn features(&self, index: usize) -> TestFeatures {
        let session = self.sessions.get(index);
        TestFeatures {
            modes: self.modes,
            padding_to_reflect: self.plan.padding_to_reflect,
            server_octets: session.map_or(0, |session| session.server_octets),
        }
    }

    /// What protects the packets of one session.
    pub(crate) fn guard(&self, index: usize) -> TestGuard {
        self.link.engine.test_guard(index)
    }

    /// Test packets are encrypted, in part or whole.
    pub(crate) fn secures_packets(&self) -> bool {
        self.modes
            .security()
            .is_some_and(SecurityMode::secures_packets)
    }

    /// So much padding is to come back unchanged.
    pub(crate) fn reflect(&mut self, padding: u16) {
        self.plan.padding_to_reflect = padding;
    }

    pub(crate) fn emit(&self, event: ControlEvent) {
        self.news.emit(event);
    }

    /// The sessions that were refused.
    pub(crate) fn refusals(&self) -> Vec<RefusedSession> {
        let numbered = self.sessions.iter().enumerate();
        let refused = numbered.filter_map(|(index, session)| match session.standing {
            NegotiationState::Refused(refusal) => Some(RefusedSession {
                number: index + 1,
                path: None,
                dscp: session.plan.dscp,
                refusal,
                remedy: Some(self.advice(Some(session), refusal)),
                advice: String::new(),
            }),
            NegotiationState::Asked
            | NegotiationState::Accepted
            | NegotiationState::Running
            | NegotiationState::Stopped => None,
        });
        refused.collect()
    }

    /// Sessions that run, by their place.
    pub(crate) fn running(&self) -> Vec<usize> {
        let numbered = self.sessions.iter().enumerate();
        numbered
            .filter(|(_, session)| session.standing == NegotiationState::Running)
            .map(|(index, _)| index)
            .collect()
    }

    pub(crate) fn is_individual(&self) -> bool {
        self.modes.contains(Modes::INDIVIDUAL_CONTROL)
    }

    /// The next event, narrated, and what it says of the sessions kept.
    async fn event(&mut self) -> Result<ClientEvent, ControlError> {
        let server = self.plan.server;
        let Some(event) = self.link.event().await else {
            self.closed = true;
            return Err(ControlError::Closed { server });
        };
        match event {
            ClientEvent::Message(message) => self.news.emit(ControlEvent::Message(message)),
            ClientEvent::UnexpectedAck { sid } => {
                self.news.emit(ControlEvent::UnexpectedAck { sid });
            }
            ClientEvent::Greeting { offered } => self.offered = offered,
            ClientEvent::IrregularCount { count } => {
                self.odd_count = Some(count);
                self.news.emit(ControlEvent::IrregularCount { count });
            }
            ClientEvent::Ready { modes, .. } => self.modes = modes,
            ClientEvent::Accepted {
                index,
                sid,
                port,
                server_octets,
                octets_reflected,
            } => {
                self.set(index, NegotiationState::Accepted);
                self.news.count_accepted();
                if let Some(session) = self.sessions.get_mut(index) {
                    (session.sid, session.port) = (sid, port);
                    session.server_octets = server_octets;
                    session.octets_reflected = octets_reflected;
                }
            }
            ClientEvent::Refused {
                index: Some(index),
                refusal,
            } => {
                // What cannot be stopped counts as stopped.
                let stopping = refusal.step == Step::Stop;
                let standing = if stopping {
                    NegotiationState::Stopped
                } else {
                    NegotiationState::Refused(refusal)
                };
                self.set(index, standing);
            }
            ClientEvent::Started { index } => self.set(index, NegotiationState::Running),
            ClientEvent::Stopped { index } => self.set(index, NegotiationState::Stopped),
            ClientEvent::Refused { index: None, .. } | ClientEvent::Settled { .. } => {}
            ClientEvent::Failed(error) => {
                self.lost = Some(error);
                return Err(ControlError::Lost {
                    server,
                    error,
                    accepted: self.accepted,
                    sessions: self.sessions.len(),
                });
            }
            ClientEvent::Closed => {
                self.closed = true;
                return Err(ControlError::Closed { server });
            }
        }
        Ok(event)
    }

    fn set(&mut self, index: usize, standing: NegotiationState) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let before = std::mem::replace(&mut session.standing, standing);
        for (standing, count) in [
            (NegotiationState::Accepted, &mut self.accepted),
            (NegotiationState::Running, &mut self.running),
        ] {
            *count += usize::from(session.standing == standing);
            *count -= usize::from(before == standing);
        }
    }

    /// There are some; or why there are none.
    fn some(&self, sessions: usize) -> Result<(), ControlError> {
        if sessions > 0 {
            return Ok(());
        }
        for session in &self.sessions {
            if let NegotiationState::Refused(refusal) = session.standing {
                let what = of_class(session.plan.dscp);
                return Err(self.refused(Some(session), what, refusal));
            }
        }
        let server = self.plan.server;
        Err(ControlError::Closed { server })
    }

    fn refused(&self, session: Option<&Session>, what: String, refusal: Refusal) -> ControlError {
        ControlError::Refused {
            server: self.plan.server,
            what,
            refusal,
            advice: self.advice(session, refusal),
        }
    }

    /// What to do about a refusal.
    fn advice(&self, session: Option<&Session>, refusal: Refusal) -> Advice {
        let padding = session.map_or(0, |session| session.plan.padding_length);
        let elsewhere = session.filter(|session| session.is_elsewhere);
        match (refusal.step, refusal.accept(), elsewhere) {
            (Step::Request, Accept::PermanentLimit, _) if padding > USUAL_PADDING => {
                Advice::LessPadding
            }
            (Step::Request, Accept::NotSupported, Some(session)) => Advice::AllowSender {
                sender: session.sender.ip(),
            },
            (Step::Request, Accept::NotSupported, None) => Advice::AskForLess {
                without_addresses: self.plan.nat,
            },
            _ => Advice::AsRefused,
        }
    }
}

/// A key, and what is fresh for each connection.
///
/// # Errors
/// The system has no random octets.
pub fn credentials(key: Key) -> Result<Credentials, StartError> {
    let failed = StartError::system("random octets");
    let session = SessionKeys::fresh(getrandom::fill).map_err(failed)?;
    Ok(Credentials {
        key_id: key.id,
        passphrase: key.passphrase,
        session,
        client_iv: random::octets().map_err(failed)?,
    })
}

fn of_class(dscp: Dscp) -> String {
    format!("the session with DSCP {dscp}")
}
