//! A dialogue that goes on: what is asked, what is sent, and what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use twinpath_net::clock;
use twinpath_proto::control::{ClientEvent, ControlClient};
use twinpath_proto::sender::{PayloadSize, Wire};
use twinpath_proto::{Step, TestFeatures, TestGuard};
use twinpath_wire::control::Accept;
use twinpath_wire::{ReflectorOpen, ReflectorSecured, SenderSecured, Wall};

use super::{
    Accepted, DialogueEnd, DialoguePlan, DialogueSeen, DialogueTrain, PacketForm, SessionSeen,
    SessionTrain, Span, WantedSession,
};
use crate::link::Link;
use crate::plan::{PortChoice, SenderPlan};
use crate::probe::load;
use crate::probe::train::{Train, TrainPacket, TrainSeen, TrainSocket};

/// How long after Start-Ack packets are sent until one is answered.
pub(super) const OPENING: [Duration; 13] = {
    let ms = Duration::from_millis;
    [
        ms(0),
        ms(50),
        ms(100),
        ms(200),
        ms(400),
        ms(600),
        ms(800),
        ms(1_000),
        ms(1_250),
        ms(1_500),
        ms(2_000),
        ms(2_500),
        ms(3_000),
    ]
};
/// How long a connection is listened to for what came while packets were sent.
const GLANCE: Duration = Duration::from_millis(5);

/// A dialogue that goes on.
pub(super) struct RunningDialogue<'a> {
    pub(super) plan: &'a DialoguePlan,
    pub(super) seen: &'a mut DialogueSeen,
    pub(super) link: Link<ControlClient>,
    /// Of each session, until a load takes its port.
    pub(super) sockets: Vec<Option<TrainSocket>>,
}

impl RunningDialogue<'_> {
    /// From the greeting to the last command.
    pub(super) async fn whole(&mut self, is_over: &dyn Fn() -> bool) -> Result<(), DialogueEnd> {
        while !matches!(self.event().await?, ClientEvent::Ready { .. }) {}
        for wanted in &self.plan.sessions {
            self.request(wanted)?;
        }
        if !self.plan.sessions.is_empty() {
            while !matches!(self.event().await?, ClientEvent::Settled { .. }) {}
        }
        if let Some(train) = &self.plan.train
            && self.link.engine.start(clock::mono()) > 0
        {
            let waits =
                |session: &SessionSeen| matches!(session.answer, Some(Ok(_))) && !session.started;
            while self.seen.sessions.iter().any(waits) {
                self.event().await?;
            }
            let started = clock::wall();
            for index in 0..self.seen.sessions.len() {
                self.send(index, train, started, is_over).await;
                self.hold();
                self.glance().await?;
                // With RFC 5938 each by itself: the others go on.
                let stopped = self.link.engine.stop_sessions(clock::mono(), &[index]);
                self.stopped(stopped).await?;
            }
            let stopped = self.link.engine.stop(clock::mono(), Accept::Ok);
            self.stopped(stopped).await?;
        }
        let now = clock::mono();
        self.link.engine.close(now);
        Ok(())
    }

    fn request(&mut self, wanted: &WantedSession) -> Result<(), DialogueEnd> {
        let server = self.plan.server;
        let near = self.seen.near.unwrap_or(server).ip();
        let socket = TrainSocket::open(near, server).map_err(DialogueEnd::Here)?;
        let mut plan = wanted.plan;
        plan.sender_port = socket.local.port();
        if wanted.wishes_own_port {
            plan.receiver_port = plan.sender_port;
        }
        if !wanted.has_zero_addresses {
            plan.sender = Some(near);
            plan.receiver = Some(server.ip());
        }
        self.sockets.push(Some(socket));
        self.seen.sessions.push(SessionSeen {
            plan,
            answer: None,
            started: false,
            stop_refused: None,
            train: None,
            load: None,
        });
        self.link.engine.request(clock::mono(), plan);
        Ok(())
    }

    /// Sends the packets of a session that runs.
    async fn send(
        &mut self,
        index: usize,
        train: &DialogueTrain,
        started: Wall,
        is_over: &dyn Fn() -> bool,
    ) {
        let guard = self.link.engine.test_guard(index);
        let (Some(session), Some(open)) = (
            self.seen.sessions.get_mut(index),
            self.sockets.get_mut(index),
        ) else {
            return;
        };
        let Some(socket) = open else {
            return;
        };
        let Some(Ok(accepted)) = session.answer else {
            return;
        };
        let mut far = self.plan.server;
        far.set_port(accepted.port);
        let form = PacketForm {
            features: TestFeatures {
                modes: self.seen.modes,
                padding_to_reflect: session.plan.padding_to_reflect,
                server_octets: accepted.server_octets,
            },
            plan: session.plan,
        };
        if let Some(load) = &train.load {
            sleep(train.start_delay.unwrap_or_default()).await;
            let sender = sender(far, &form, guard, socket.local);
            // Its port is the session's.
            *open = None;
            let seen = load::run(load, sender, is_over);
            session.load = Some(seen.map_err(|error| error.to_string()));
            return;
        }
        let mut forged = 0;
        let mut sent = 0;
        let opening = if let Some(delay) = train.start_delay {
            sleep(delay).await;
            (Vec::new(), TrainSeen::default())
        } else {
            let numbers = 0..u32::try_from(OPENING.len()).unwrap_or(u32::MAX);
            let mut sending = Sending::new(far, train, &form, &guard, numbers);
            let seen = socket.run(&sending.train, Some(&OPENING), is_over);
            let left = seen.departures.len();
            sending.plain.truncate(left);
            sent = u32::try_from(left).unwrap_or(u32::MAX);
            (sending.plain, opened(seen, &guard, &mut forged))
        };
        // A gap in the numbers, as a loss leaves it: a reflector that counts by itself shows.
        let from = sent + GAP;
        let sending = Sending::new(far, train, &form, &guard, from..from + train.count);
        let is_silent = train.start_delay.is_none() && opening.1.replies.is_empty();
        let paced = if is_silent {
            (Vec::new(), TrainSeen::default())
        } else {
            let seen = socket.run(&sending.train, None, is_over);
            (sending.plain, opened(seen, &guard, &mut forged))
        };
        session.train = Some(SessionTrain {
            far,
            form,
            started,
            opening,
            paced,
            forged,
        });
    }

    /// Notes that the server has a session now.
    fn hold(&mut self) {
        let now = clock::mono();
        let held = self.seen.held.get_or_insert(Span { from: now, to: now });
        held.to = now;
    }

    /// Takes what came while packets were sent.
    async fn glance(&mut self) -> Result<(), DialogueEnd> {
        while let Ok(event) = timeout(GLANCE, self.event()).await {
            event?;
        }
        Ok(())
    }

    /// Waits until so many sessions are stopped.
    async fn stopped(&mut self, mut left: usize) -> Result<(), DialogueEnd> {
        while left > 0 {
            let event = self.event().await?;
            let is_stop = matches!(event, ClientEvent::Stopped { .. })
                || matches!(event, ClientEvent::Refused { refusal, .. } if refusal.step == Step::Stop);
            left -= usize::from(is_stop);
        }
        Ok(())
    }

    /// The next event, and what it says kept.
    async fn event(&mut self) -> Result<ClientEvent, DialogueEnd> {
        let Some(event) = self.link.event().await else {
            return Err(DialogueEnd::Ended);
        };
        match event {
            ClientEvent::Greeting { offered } => self.seen.offered = offered,
            ClientEvent::Ready { modes, .. } => self.seen.modes = modes,
            ClientEvent::Accepted {
                index,
                port,
                server_octets,
                octets_reflected,
                ..
            } => {
                let accepted = Accepted {
                    port,
                    server_octets,
                    octets_reflected,
                };
                self.session(index, |session| session.answer = Some(Ok(accepted)));
                self.hold();
            }
            ClientEvent::Refused {
                index: Some(index),
                refusal,
            } => self.session(index, |session| {
                if refusal.step == Step::Stop {
                    session.stop_refused = Some(refusal);
                } else {
                    session.answer = Some(Err(refusal));
                }
            }),
            ClientEvent::Refused {
                index: None,
                refusal,
            } => return Err(DialogueEnd::Refused(refusal)),
            ClientEvent::Started { index } => self.session(index, |session| session.started = true),
            ClientEvent::Failed(error) => return Err(DialogueEnd::Failed(error)),
            ClientEvent::Closed => return Err(DialogueEnd::Ended),
            ClientEvent::Message(_)
            | ClientEvent::IrregularCount { .. }
            | ClientEvent::Settled { .. }
            | ClientEvent::Stopped { .. }
            | ClientEvent::UnexpectedAck { .. } => {}
        }
        Ok(event)
    }

    fn session(&mut self, index: usize, change: impl FnOnce(&mut SessionSeen)) {
        if let Some(session) = self.seen.sessions.get_mut(index) {
            change(session);
        }
    }
}

/// Sends the packets of a session from its own port.
fn sender(far: SocketAddr, form: &PacketForm, guard: TestGuard, local: SocketAddr) -> SenderPlan {
    let wire = Wire::twamp(form.features);
    let padding = usize::try_from(form.plan.padding_length).unwrap_or(0);
    let octets = wire.payload_octets(form.features.padding_from() + padding);
    SenderPlan {
        wire,
        guard,
        near: Some(local.ip()),
        port: PortChoice::Exact(local.port()),
        payload: PayloadSize::Fixed(octets),
        tos: form.plan.dscp.tos(),
        ..SenderPlan::to(far)
    }
}

/// Numbers that are left out before the packets that are judged.
const GAP: u32 = 3;

/// Packets ready to be sent, and what they are before they are secured.
struct Sending {
    train: Train,
    plain: Vec<Vec<u8>>,
}

impl Sending {
    fn new(
        far: SocketAddr,
        train: &DialogueTrain,
        form: &PacketForm,
        guard: &TestGuard,
        numbers: std::ops::Range<u32>,
    ) -> Self {
        let mut plain = Vec::new();
        let mut packets = Vec::new();
        for number in numbers {
            let (octets, tos) = (train.packet)(form, number, clock::wall());
            plain.push(octets.clone());
            let mut octets = octets;
            if guard.is_secured()
                && let Some(header) = octets.get_mut(..SenderSecured::OCTETS)
            {
                guard.seal_header(header);
            }
            packets.push(TrainPacket { octets, tos });
        }
        let train = Train {
            far,
            path: twinpath_net::PathOptions::default(),
            packets,
            interval: train.interval,
            patience: train.patience,
            number_at: (!form.features.is_secured()).then_some(ReflectorOpen::SENDER_SEQ_AT),
            stops_where_closed: false,
            is_first: false,
        };
        Self { train, plain }
    }
}

/// The same with replies as they are before they are secured; what is none in this mode is counted.
fn opened(mut seen: TrainSeen, guard: &TestGuard, forged: &mut usize) -> TrainSeen {
    if guard.is_secured() {
        let before = seen.replies.len();
        seen.replies.retain_mut(|reply| {
            let header = guard.open_header::<{ ReflectorSecured::OCTETS }>(&reply.octets);
            let room = reply.octets.get_mut(..ReflectorSecured::OCTETS);
            if let (Some(header), Some(room)) = (header, room) {
                room.copy_from_slice(&header);
                true
            } else {
                false
            }
        });
        *forged += before - seen.replies.len();
    }
    seen
}
