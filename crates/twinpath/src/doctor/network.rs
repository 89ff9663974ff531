//! Questions asked over the network.

use std::thread;
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use tracing::debug;
use twinpath_proto::TestGuard;
use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::probe::{
    self, ConnectSeen, Departure, IcmpKind, PingSeen, Refusal, Train, TrainPacket, TrainSeen,
    Waiting,
};
#[cfg(feature = "control")]
use twinpath_runtime::probe::{DialogueEnd, Load, LoadSeen};
use twinpath_runtime::{BindError, wall};

#[cfg(feature = "control")]
use super::concurrent::{Repeats, have_all};
#[cfg(feature = "control")]
use super::dialogue::{Dialogue, DialogueAsk};
#[cfg(feature = "control")]
use super::stress::target::CONNECTIONS_LONGEST;
use super::train::SSID;
use super::{Answer, Ask, Keys, World, ladder, patience};

/// How long all dialogues may take together.
#[cfg(feature = "control")]
const DIALOGUES_LONGEST: Duration = Duration::from_secs(22);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long first answers are waited for, once something answers: hosts that limit their ICMP errors to one a second
/// send one when silent ports are tried again.
const FIRST: Duration = Duration::from_millis(1_200);
/// The same while nothing does: a router reports a host that it does not find after more than three seconds.
const FIRST_LONGEST: Duration = Duration::from_millis(4_200);
/// How long other replies are waited for where no round trip is known.
const BLIND_PATIENCE: Duration = Duration::from_millis(2_400);

/// An Echo, a connection or a dialogue that was not waited for to its end.
const CUT: Answer = Answer::Cut { sent: 1 };

/// The network.
pub(crate) struct Network<'a> {
    /// No more is asked.
    stopped: &'a dyn Fn() -> bool,
    keys: &'a Keys,
    /// From then on only loads are asked for.
    until: Instant,
    /// Then all but loads is over.
    end: Instant,
    /// The longest round trip so far; `None`: nothing was answered.
    round_trip: Option<Duration>,
    /// How long dialogues may still take.
    #[cfg(feature = "control")]
    dialogues_left: Duration,
    #[cfg(feature = "control")]
    repeats: Repeats,
    /// How long the control connections of loads may still take.
    #[cfg(feature = "control")]
    loads_left: Duration,
}

/// The longest examination, but for `--stress`.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// A round of questions begins so long before that at the latest; few take longer.
const ROUND: Duration = Duration::from_secs(3);

impl<'a> Network<'a> {
    /// Until `stopped`, with these keys.
    pub(crate) fn new(stopped: &'a dyn Fn() -> bool, keys: &'a Keys) -> Self {
        let now = Instant::now();
        Self {
            stopped,
            keys,
            until: now + LONGEST.saturating_sub(ROUND),
            end: now + LONGEST,
            round_trip: None,
            #[cfg(feature = "control")]
            dialogues_left: DIALOGUES_LONGEST,
            #[cfg(feature = "control")]
            repeats: Repeats::new(),
            #[cfg(feature = "control")]
            loads_left: CONNECTIONS_LONGEST,
        }
    }

    fn is_over(&self, asks: &[Ask]) -> bool {
        (self.stopped)() || (Instant::now() >= self.until && !asks.iter().all(is_load))
    }
}

fn is_load(ask: &Ask) -> bool {
    match ask {
        Ask::Load(..) => true,
        #[cfg(feature = "control")]
        Ask::SessionLoad(..) => true,
        #[cfg(feature = "control")]
        Ask::Dialogue(_) => false,
        Ask::Ping(_) | Ask::Connect(_) | Ask::Train(..) | Ask::Ladder(..) | Ask::Host(_) => false,
    }
}

impl World for Network<'_> {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        if self.is_over(asks) {
            return Vec::new();
        }
        for ask in asks {
            debug!(packets = ask.packets(), "{}", ask.kind());
        }
        let Some(mut seen) = self.side_by_side(asks) else {
            return Vec::new();
        };
        let is_cut = seen.is_cut;
        let answers = asks.iter().map_while(|ask| {
            let answer = self.answer(ask, &mut seen)?;
            // Loads come after the rest.
            Some(if is_cut || (self.stopped)() {
                as_far_as_known(ask, answer)
            } else {
                answer
            })
        });
        answers.collect()
    }
}

/// An answer, unless the end of the examination may have cut it short: then it would look like a silent far end.
fn as_far_as_known(ask: &Ask, answer: Answer) -> Answer {
    match answer {
        // These are waited for.
        Answer::Ping(_) | Answer::Connect(_) | Answer::Host(_) | Answer::Cut { .. } => answer,
        Answer::Part(..) | Answer::Train(_, Err(_)) => answer,
        Answer::Train(mut requests, Ok(seen)) => {
            let sent = seen.departures.len();
            let is_train = matches!(ask, Ask::Train(..));
            let is_answered = seen.replies.len() >= requests.len();
            let is_refused = is_train && seen.replies.is_empty() && !seen.refusals.is_empty();
            if sent == requests.len() && (is_answered || is_refused) {
                Answer::Train(requests, Ok(seen))
            } else if is_train && !seen.replies.is_empty() {
                requests.truncate(sent);
                Answer::Part(requests, seen)
            } else {
                Answer::Cut { sent }
            }
        }
        Answer::Load(seen) => Answer::Cut {
            sent: seen.map_or(0, |seen| usize::try_from(seen.sent).unwrap_or(usize::MAX)),
        },
        #[cfg(feature = "control")]
        Answer::Dialogue(dialogue) if dialogue.is_whole() => Answer::Dialogue(dialogue),
        #[cfg(feature = "control")]
        Answer::Dialogue(mut dialogue) if dialogue.has_answer() => {
            dialogue.is_interrupted = true;
            Answer::Dialogue(dialogue)
        }
        #[cfg(feature = "control")]
        Answer::Dialogue(dialogue) => Answer::Cut {
            sent: dialogue.sent(),
        },
    }
}

/// What came of the questions of each kind, in their order.
struct Seen {
    /// The end of the examination came before all was waited for.
    is_cut: bool,
    pings: IntoIter<Option<PingSeen>>,
    connects: IntoIter<Option<ConnectSeen>>,
    trains: IntoIter<(Train, Result<TrainSeen, BindError>)>,
    #[cfg(feature = "control")]
    dialogues: IntoIter<Option<Dialogue>>,
}

impl Network<'_> {
    /// All but loads and what this host knows: what is silent costs the wait once. `None`: the system has
    /// no descriptor left.
    fn side_by_side(&mut self, asks: &[Ask]) -> Option<Seen> {
        let pings = list(asks, Ask::ping);
        let connects = list(asks, Ask::connect);
        let patience = self.round_trip.map_or(BLIND_PATIENCE, patience::usual);
        let trains = list(asks, |ask| train(ask, &self.keys.stamp, patience));
        let waiting = Waiting::new(FIRST, FIRST_LONGEST);
        #[cfg(feature = "control")]
        let mut dialogues = Vec::new();
        #[cfg(feature = "control")]
        let (keys, left, repeats) = (self.keys, &mut self.dialogues_left, &mut self.repeats);
        #[cfg(feature = "control")]
        {
            *left = (*left).min(self.end.saturating_duration_since(Instant::now()));
        }
        let end = (!asks.iter().all(is_load)).then_some(self.end);
        let stopped = || {
            let is_stopped = (self.stopped)() || end.is_some_and(|end| Instant::now() >= end);
            if is_stopped {
                waiting.stop();
            }
            is_stopped
        };
        let (pings, connects, seen) = thread::scope(|scope| {
            let pings = scope.spawn(|| probe::ping_all(&pings, &waiting));
            let connects = scope.spawn(|| probe::connect_all(&connects, &waiting));
            #[cfg(feature = "control")]
            let talking =
                scope.spawn(|| converse(asks, keys, (left, repeats), &|| waiting.is_stopped()));
            let seen = probe::run_trains(&trains, Some(&waiting), &stopped);
            let is_going_on = || {
                #[cfg(feature = "control")]
                if !talking.is_finished() {
                    return true;
                }
                !pings.is_finished() || !connects.is_finished()
            };
            while is_going_on() {
                let _told = stopped();
                thread::sleep(LOOK_EVERY);
            }
            #[cfg(feature = "control")]
            {
                dialogues = talking.join().unwrap_or_default();
            }
            let join = (pings.join(), connects.join());
            (join.0.unwrap_or_default(), join.1.unwrap_or_default(), seen)
        });
        let trains: Vec<_> = trains.into_iter().zip(seen.ok()?).collect();
        let trips = trains
            .iter()
            .filter_map(|(_, seen)| round_trip(seen.as_ref().ok()?));
        self.round_trip = trips
            .chain(self.round_trip)
            .chain(waiting.first_answer())
            .max();
        Some(Seen {
            is_cut: waiting.is_stopped(),
            pings: pings.into_iter(),
            connects: connects.into_iter(),
            trains: trains.into_iter(),
            #[cfg(feature = "control")]
            dialogues: dialogues.into_iter(),
        })
    }

    fn answer(&mut self, ask: &Ask, seen: &mut Seen) -> Option<Answer> {
        Some(match ask {
            Ask::Ping(_) => seen.pings.next().flatten().map_or(CUT, Answer::Ping),
            Ask::Connect(_) => seen.connects.next().flatten().map_or(CUT, Answer::Connect),
            Ask::Host(far) => Answer::Host(probe::host(*far)),
            Ask::Load(far, wire, load) => {
                let key = self.keys.stamp.for_packet(far.ip(), SSID);
                let key = key.filter(|_| wire.is_secured()).cloned();
                let guard = key.map_or_else(TestGuard::default, TestGuard::stamp);
                let seen = probe::load(*far, (*wire, guard), load, self.stopped);
                Answer::Load(seen.map_err(|error| error.to_string()))
            }
            #[cfg(feature = "control")]
            Ask::SessionLoad(ask, load) => Answer::Load(self.load_session(ask, *load)),
            #[cfg(feature = "control")]
            Ask::Dialogue(_) => {
                let dialogue = seen.dialogues.next().flatten();
                dialogue.map_or(CUT, |dialogue| Answer::Dialogue(Box::new(dialogue)))
            }
            Ask::Train(..) | Ask::Ladder(..) => {
                let (train, seen) = seen.trains.next()?;
                let sent = sent(&train, seen.as_ref().ok());
                let requests = train.packets.into_iter().map(|packet| packet.octets);
                let requests = requests.take(sent);
                Answer::Train(requests.collect(), seen.map_err(|error| error.to_string()))
            }
        })
    }
}

#[cfg(feature = "control")]
impl Network<'_> {
    /// Loads a session on a connection of its own.
    fn load_session(&mut self, ask: &DialogueAsk, load: Load) -> Result<LoadSeen, String> {
        let of_load = load.duration() + load.timeout;
        let mut plan = ask.plan(self.keys, of_load + self.loads_left);
        if let Some(train) = &mut plan.train {
            train.load = Some(load);
        }
        let seen = probe::run_dialogue(&plan, &|| true, self.stopped);
        let over = seen.took.saturating_sub(of_load);
        self.loads_left = self.loads_left.saturating_sub(over);
        let session = seen.sessions.first();
        let loaded = session.and_then(|session| session.load.clone());
        loaded.unwrap_or_else(|| {
            let accept = session.and_then(|session| session.answer?.err());
            Err(match accept {
                Some(refusal) => format!("the server refuses a session: {refusal}"),
                None if seen.end == DialogueEnd::CutShort => {
                    "control connections take too long".to_owned()
                }
                None => "the server does not start a session".to_owned(),
            })
        })
    }
}

/// Has all dialogues. `left`: how long they may take together; `repeats`: what may be had again.
#[cfg(feature = "control")]
fn converse(
    asks: &[Ask],
    keys: &Keys,
    (left, repeats): (&mut Duration, &mut Repeats),
    stopped: &(dyn Fn() -> bool + Sync),
) -> Vec<Option<Dialogue>> {
    let until = Instant::now() + *left;
    let have = |ask: &DialogueAsk, awaits_close: &dyn Fn() -> bool| {
        let longest = until.saturating_duration_since(Instant::now());
        let seen = probe::run_dialogue(&ask.plan(keys, longest), awaits_close, stopped);
        debug!(
            took_ms = seen.took.as_millis(),
            "{}: {:?}", ask.kind.name, seen.end
        );
        seen
    };
    let had = have_all(&list(asks, Ask::dialogue), repeats, &have);
    *left = until.saturating_duration_since(Instant::now());
    had
}

fn list<T>(asks: &[Ask], of: impl Fn(&Ask) -> Option<T>) -> Vec<T> {
    asks.iter().filter_map(of).collect()
}

fn train(ask: &Ask, keys: &StampKeys, patience: Duration) -> Option<Train> {
    let (far, path, interval, patience, security) = match ask {
        Ask::Ladder(far, ladder, security) => {
            let patience = ladder.patience();
            (far, ladder.path(), ladder::INTERVAL, patience, security)
        }
        Ask::Train(far, kind, security) => {
            let patience = if kind.is_first() { FIRST } else { patience };
            (far, (kind.path)(), kind.interval, patience, security)
        }
        Ask::Ping(_) | Ask::Connect(_) | Ask::Load(..) | Ask::Host(_) => return None,
        #[cfg(feature = "control")]
        Ask::Dialogue(_) | Ask::SessionLoad(..) => return None,
    };
    let (far, count) = (*far, ask.packets());
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let packet = |number| {
        let (octets, tos) = ask.packet(far, number, wall(), keys)?;
        Some(TrainPacket { octets, tos })
    };
    let packets = (0..count).filter_map(packet).collect();
    Some(Train {
        far,
        path,
        packets,
        interval,
        patience,
        number_at: Some(security.number_at()),
        stops_where_closed: matches!(ask, Ask::Train(_, kind, _) if kind.is_of_reach()),
        is_first: matches!(ask, Ask::Train(_, kind, _) if kind.is_first()),
    })
}

/// Packets of a train that were to be sent: where nothing listens, the rest is not.
fn sent(train: &Train, seen: Option<&TrainSeen>) -> usize {
    let is_closed = |refusal: &Refusal| refusal.kind == IcmpKind::PortUnreachable;
    let closed =
        seen.filter(|seen| train.stops_where_closed && seen.refusals.iter().any(is_closed));
    closed.map_or(train.packets.len(), |seen| seen.departures.len())
}

/// From the first departure to the first arrival.
fn round_trip(seen: &TrainSeen) -> Option<Duration> {
    let Departure::Left(left) = seen.departures.first()? else {
        return None;
    };
    let came = seen.replies.first()?.at.at;
    let took_ns = u64::try_from((came - left.at).ns()).ok()?;
    Some(Duration::from_nanos(took_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_packets_before_the_end_is_a_part_and_silence_is_none() {
        use crate::doctor::packets::PacketSecurity;
        use crate::doctor::train::PACED;
        use twinpath_runtime::probe::Reply;
        use twinpath_wire::{Rung, Stamp};

        let far = "127.0.0.1:9".parse().unwrap();
        let ask = Ask::Train(far, &PACED, PacketSecurity::Open);
        let at = Stamp {
            at: wall(),
            rung: Rung::User,
        };
        let reply = Reply {
            at,
            from: far,
            octets: vec![0; 44],
            ttl: None,
            tos: None,
            fragment_octets: None,
        };
        let known = |sent: usize, answered: usize| {
            let seen = TrainSeen {
                departures: vec![Departure::Left(at); sent],
                replies: vec![reply.clone(); answered],
                ..TrainSeen::default()
            };
            as_far_as_known(&ask, Answer::Train(vec![vec![0; 44]; 20], Ok(seen)))
        };
        assert!(matches!(known(20, 20), Answer::Train(..)));
        assert!(matches!(known(20, 0), Answer::Cut { sent: 20 }));
        let Answer::Part(requests, seen) = known(7, 5) else {
            panic!("no part")
        };
        assert_eq!((requests.len(), seen.replies.len()), (7, 5));
    }

    #[test]
    fn an_examination_that_takes_too_long_asks_no_more() {
        let far = "127.0.0.1:9".parse().unwrap();
        let stopped = || false;
        let keys = Keys::default();
        let mut network = Network::new(&stopped, &keys);
        assert_eq!(network.ask(&[Ask::Host(far)]).len(), 1);
        network.until = Instant::now();
        assert_eq!(network.ask(&[Ask::Host(far)]).len(), 0);
    }

    #[test]
    fn what_the_longest_time_cuts_short_is_no_silence() {
        use crate::doctor::packets::PacketSecurity;
        use crate::doctor::train::PACED;

        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = silent.local_addr().unwrap();
        let stopped = || false;
        let keys = Keys::default();
        let mut network = Network::new(&stopped, &keys);
        network.end = Instant::now() + Duration::from_secs(1);
        let ask = Ask::Train(far, &PACED, PacketSecurity::Open);
        let answers = network.ask(&[Ask::Host(far), ask]);
        assert!(
            matches!(answers[..], [Answer::Host(_), Answer::Cut { sent: 20 }]),
            "{answers:?}"
        );
    }
}
