//! What is known of a far end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::probe::{ConnectSeen, HostSeen, PingSeen, TrainSeen};
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT, Wall};

use super::ask::{Answer, Ask};
#[cfg(feature = "control")]
use super::dialogue::{Dialogue, DialogueAsk, DialogueKind};
use super::exchange::{Exchange, RoundTrip};
use super::ladder::Ladder;
use super::packets::PacketSecurity;
use super::patience;
use super::train::{self, TrainKind};

/// Addresses of a name that are examined, and UDP ports of all of them.
pub(crate) const MOST_ADDRESSES: usize = 4;
pub(crate) const MOST_PLACES: usize = 2 * MOST_ADDRESSES;

/// Keys that were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Of the secured modes of TWAMP-Control.
    #[cfg(feature = "control")]
    pub(crate) control: Option<twinpath_runtime::keys::Key>,
    /// PBKDF2 iterations that a server may ask for at most.
    #[cfg(feature = "control")]
    pub(crate) most_pbkdf2_count: u32,
    /// The same as options of a command line, without a secret.
    #[cfg(feature = "control")]
    pub(crate) control_options: String,
    /// Of authenticated STAMP.
    pub(crate) stamp: Arc<StampKeys>,
    /// The same as an option.
    pub(crate) stamp_option: String,
}

impl Keys {
    /// With these of authenticated STAMP, which `option` gives on a command line.
    pub(crate) fn with_stamp(mut self, stamp: Arc<StampKeys>, option: String) -> Self {
        (self.stamp, self.stamp_option) = (stamp, option);
        self
    }
}

/// What is to be examined.
#[derive(Clone, Debug)]
pub(crate) struct FarEndPlan {
    /// As the user gave it.
    pub(crate) name: String,
    /// The same without a port, as it stands in a command line before one.
    pub(crate) host: String,
    /// Of the name, at most some.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The port that was given: of UDP, and of a TWAMP server.
    pub(crate) port: Option<u16>,
    pub(crate) keys: Keys,
}

/// All that was found out, and what was to be examined.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) plan: FarEndPlan,
    answers: Vec<(Ask, Answer)>,
}

impl Seen {
    pub(crate) fn new(plan: FarEndPlan) -> Self {
        Self {
            plan,
            answers: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, ask: Ask, answer: Answer) {
        self.answers.push((ask, answer));
    }

    pub(crate) fn has(&self, ask: &Ask) -> bool {
        let mut all = self.answers.iter();
        all.any(|(asked, answer)| asked == ask && answer.is_whole())
    }

    /// A part of its answer came before the examination ended.
    pub(crate) fn is_interrupted(&self, ask: &Ask) -> bool {
        let is_part = |answer: &Answer| !answer.is_whole() && !matches!(answer, Answer::Cut { .. });
        let mut all = self.answers.iter();
        all.any(|(asked, answer)| asked == ask && is_part(answer))
    }

    /// What was to show whether anything is there has whole answers: what is not there is known.
    pub(crate) fn is_reach_known(&self) -> bool {
        let is_of_reach = |ask: &Ask| match ask {
            Ask::Ping(_) | Ask::Connect(_) => true,
            Ask::Train(_, kind, _) => kind.is_of_reach(),
            Ask::Ladder(..) | Ask::Load(..) | Ask::Host(_) => false,
            #[cfg(feature = "control")]
            Ask::Dialogue(_) | Ask::SessionLoad(..) => false,
        };
        let mut of_reach = self
            .answers
            .iter()
            .filter(|(ask, _)| is_of_reach(ask))
            .peekable();
        of_reach.peek().is_some() && of_reach.all(|(_, answer)| answer.is_whole())
    }

    /// Packets and connections that were asked for, of what was cut short those that were sent; without loads.
    pub(crate) fn packets(&self) -> usize {
        let of = |(ask, answer): &(Ask, Answer)| match answer {
            Answer::Cut { sent } => *sent,
            Answer::Part(_, seen) => seen.departures.len(),
            Answer::Ping(_)
            | Answer::Connect(_)
            | Answer::Host(_)
            | Answer::Load(_)
            | Answer::Train(..) => ask.packets(),
            #[cfg(feature = "control")]
            Answer::Dialogue(dialogue) if dialogue.is_interrupted => dialogue.sent(),
            #[cfg(feature = "control")]
            Answer::Dialogue(dialogue) => ask.packets() + dialogue.repeats(),
        };
        self.answers.iter().map(of).sum()
    }

    /// Addresses, with port 0.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.plan.addresses.iter().map(|far| at_port(*far, 0))
    }

    /// UDP ports to look at: the given one, or those that reflectors use.
    pub(crate) fn ports(&self) -> Vec<u16> {
        match self.plan.port {
            Some(port) => vec![port],
            None => vec![TWAMP_TEST_PORT, LIGHT_PORT],
        }
    }

    /// Each of these ports of each address.
    pub(crate) fn places(&self) -> Vec<SocketAddr> {
        let ports = self.ports();
        let of = |far: SocketAddr| ports.iter().map(move |port| at_port(far, *port));
        self.plan
            .addresses
            .iter()
            .flat_map(|far| of(*far))
            .collect()
    }

    pub(crate) fn ping(&self, far: SocketAddr) -> Option<PingSeen> {
        self.answers
            .iter()
            .find_map(|(ask, answer)| match (ask, answer) {
                (Ask::Ping(asked), Answer::Ping(seen)) if *asked == far => Some(*seen),
                _ => None,
            })
    }

    pub(crate) fn connection(&self, far: SocketAddr) -> Option<&ConnectSeen> {
        self.answers
            .iter()
            .find_map(|(ask, answer)| match (ask, answer) {
                (Ask::Connect(asked), Answer::Connect(seen)) if *asked == far => Some(seen),
                _ => None,
            })
    }

    /// All dialogues.
    #[cfg(feature = "control")]
    pub(crate) fn dialogues(&self) -> impl Iterator<Item = &Dialogue> {
        self.dialogue_asks().map(|(_, dialogue)| dialogue)
    }

    /// All dialogues, and what they ask.
    #[cfg(feature = "control")]
    pub(crate) fn dialogue_asks(&self) -> impl Iterator<Item = (&DialogueAsk, &Dialogue)> {
        self.answers
            .iter()
            .filter_map(|(ask, answer)| match (ask, answer) {
                (Ask::Dialogue(ask), Answer::Dialogue(dialogue)) => Some((ask, &**dialogue)),
                _ => None,
            })
    }

    /// What came of such a dialogue; `None`: there was none.
    #[cfg(feature = "control")]
    pub(crate) fn dialogue(&self, kind: &'static DialogueKind) -> Option<&Dialogue> {
        let mut all = self.dialogue_asks();
        all.find_map(|(ask, dialogue)| (ask.kind.name == kind.name).then_some(dialogue))
    }

    /// What came of such a train to `far`; `None`: it was not sent.
    pub(crate) fn train(&self, far: SocketAddr, kind: &'static TrainKind) -> Option<Exchange<'_>> {
        self.trains(kind).find(|exchange| exchange.far == far)
    }

    /// What came of such trains, wherever they went.
    pub(crate) fn trains(&self, kind: &'static TrainKind) -> impl Iterator<Item = Exchange<'_>> {
        self.answers.iter().filter_map(move |(ask, answer)| {
            let Ask::Train(far, asked, security) = ask else {
                return None;
            };
            let exchanged = answer.exchanged().filter(|_| *asked == kind)?;
            Some(self.exchange(*far, *security, exchanged))
        })
    }

    fn exchange<'a>(
        &'a self,
        far: SocketAddr,
        security: PacketSecurity,
        (requests, seen): (&'a [Vec<u8>], &'a TrainSeen),
    ) -> Exchange<'a> {
        let is_open = security == PacketSecurity::Open;
        Exchange {
            far,
            requests,
            seen,
            key: self.stamp_key(far).filter(|_| !is_open),
        }
    }

    /// What this host has towards `far`; `None`: it was not asked.
    pub(crate) fn host(&self, far: SocketAddr) -> Option<HostSeen> {
        self.answers
            .iter()
            .find_map(|(ask, answer)| match (ask, answer) {
                (Ask::Host(asked), Answer::Host(seen)) if *asked == far => Some(*seen),
                _ => None,
            })
    }

    /// What came of ladders to `far`, in their order.
    pub(crate) fn ladders(
        &self,
        far: SocketAddr,
    ) -> impl Iterator<Item = (&Ladder, Exchange<'_>)> + '_ {
        self.answers.iter().filter_map(move |(ask, answer)| {
            let Ask::Ladder(to, ladder, security) = ask else {
                return None;
            };
            let exchanged = answer.exchanged().filter(|_| *to == far)?;
            Some((ladder, self.exchange(far, *security, exchanged)))
        })
    }

    /// The host of this address answers test packets.
    pub(crate) fn is_reflected_at(&self, address: IpAddr) -> bool {
        let subject = self.subject();
        subject.is_some_and(|far| far.ip().to_canonical() == address.to_canonical())
    }

    /// All round trips with the subject, by their departures.
    pub(crate) fn round_trips(&self) -> Vec<RoundTrip> {
        let Some(subject) = self.subject() else {
            return Vec::new();
        };
        let all = self.answers.iter().filter_map(|(ask, answer)| {
            let (Ask::Train(far, _, security) | Ask::Ladder(far, _, security)) = ask else {
                return None;
            };
            let exchanged = answer.exchanged().filter(|_| *far == subject)?;
            Some(self.exchange(*far, *security, exchanged))
        });
        let mut trips: Vec<_> = all.flat_map(|exchange| exchange.round_trips()).collect();
        trips.sort_by_key(|trip| trip.t1);
        trips
    }

    /// When ordinary packets left to the subject: those in a row, and the small ones around large ones.
    pub(crate) fn ordinary_departures(&self) -> impl Iterator<Item = Wall> + '_ {
        let subject = self.subject();
        let paced = subject.and_then(|far| self.train(far, &train::PACED));
        let paced = paced.into_iter().flat_map(|exchange| {
            (0..exchange.requests.len()).filter_map(move |place| exchange.left(place))
        });
        let ladders = subject.into_iter().flat_map(|far| self.ladders(far));
        let ends = ladders.flat_map(|(_, exchange)| {
            let last = exchange.requests.len().saturating_sub(1);
            [0, last]
                .into_iter()
                .filter_map(move |place| exchange.left(place))
        });
        paced.chain(ends)
    }

    /// How long replies of the subject are worth waiting for where silence is expected, in milliseconds.
    pub(crate) fn patience_ms(&self) -> u16 {
        let trips = self.round_trips();
        let longest = trips.iter().map(|trip| (trip.t4 - trip.t1).ns()).max();
        let longest = longest.and_then(|longest| u64::try_from(longest).ok());
        let patience = longest.map(|longest| patience::short(Duration::from_nanos(longest)));
        let ms = patience.map(|patience| u16::try_from(patience.as_millis()));
        ms.and_then(Result::ok).unwrap_or(1_000)
    }

    /// Where something reflects test packets, of all places the best: what is examined further.
    pub(crate) fn subject(&self) -> Option<SocketAddr> {
        self.best().map(|exchange| exchange.far)
    }

    /// What was answered there first. Authenticated packets serve where open ones are not answered.
    fn best(&self) -> Option<Exchange<'_>> {
        let answered = self.stamp().filter(Exchange::has_ssid);
        let answered = answered.or_else(|| self.light()).or_else(|| self.stamp());
        answered.or_else(|| self.authenticated())
    }

    /// How packets to the subject are secured.
    pub(crate) fn subject_security(&self) -> PacketSecurity {
        let best = self.best();
        best.map_or(PacketSecurity::Open, |exchange| exchange.security())
    }

    /// The subject knows the extensions of RFC 8972, as it returns the Session Identifier.
    pub(crate) fn has_extensions(&self) -> bool {
        self.best().is_some_and(|exchange| exchange.has_ssid())
    }

    /// The subject answers open STAMP as such.
    pub(crate) fn speaks_stamp(&self) -> bool {
        self.stamp().is_some_and(|exchange| exchange.has_ssid())
    }

    /// Not every packet to the subject was answered: silence says nothing of what it supports.
    pub(crate) fn is_lossy(&self) -> bool {
        let paced = self
            .subject()
            .and_then(|far| self.train(far, &train::PACED));
        paced.is_none_or(|exchange| exchange.round_trips().count() < exchange.requests.len())
    }

    /// What came of such a train to the subject, as far as it was answered.
    pub(crate) fn of_subject(&self, kind: &'static TrainKind) -> Option<Exchange<'_>> {
        self.train(self.subject()?, kind)
            .filter(Exchange::is_answered)
    }

    /// To send such a train to the subject, once there is one.
    pub(crate) fn ask_subject(&self, kind: &'static TrainKind) -> Vec<Ask> {
        let ask = |far| Ask::Train(far, kind, self.subject_security());
        self.subject().map(ask).into_iter().collect()
    }

    /// Where TWAMP Light is answered: the first place.
    pub(crate) fn light(&self) -> Option<Exchange<'_>> {
        let mut all = [&train::LIGHT, &train::AGAIN]
            .into_iter()
            .flat_map(|kind| self.trains(kind));
        all.find(Exchange::is_answered)
    }

    /// Where STAMP is answered as such, or at least as TWAMP Light.
    pub(crate) fn stamp(&self) -> Option<Exchange<'_>> {
        let mut all = [&train::STAMP, &train::STAMP_AGAIN]
            .into_iter()
            .flat_map(|kind| self.trains(kind));
        all.find(Exchange::is_answered)
    }
}

/// The address with another port.
pub(crate) fn at_port(mut far: SocketAddr, port: u16) -> SocketAddr {
    far.set_port(port);
    far
}
