//! Questions asked over the network.

#[cfg(feature = "control")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use tracing::debug;
use twinpath_proto::TestGuard;
use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::probe::{self, ConnectSeen, PingSeen, Train, TrainPacket, TrainSeen};
#[cfg(feature = "control")]
use twinpath_runtime::probe::{DialogueEnd, Load, LoadSeen};
use twinpath_runtime::{BindError, wall};

#[cfg(feature = "control")]
use super::dialogue::{Dialogue, DialogueAsk, Security};
#[cfg(feature = "control")]
use super::stress::target::CONNECTIONS_LONGEST;
use super::train::{PATIENCE, SSID};
use super::{Answer, Ask, Keys, World, ladder};

/// How long all dialogues may take together.
#[cfg(feature = "control")]
const DIALOGUES_LONGEST: Duration = Duration::from_secs(15);
#[cfg(feature = "control")]
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The network.
pub(crate) struct Network<'a> {
    /// No more is asked.
    stopped: &'a dyn Fn() -> bool,
    keys: &'a Keys,
    /// From then on only loads are asked for.
    until: Instant,
    /// How long dialogues may still take.
    #[cfg(feature = "control")]
    dialogues_left: Duration,
    /// How long the control connections of loads may still take.
    #[cfg(feature = "control")]
    loads_left: Duration,
}

/// The longest examination, but for `--stress`.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// The longest round of questions.
const ROUND: Duration = Duration::from_secs(3);

impl<'a> Network<'a> {
    /// Until `stopped`, with these keys.
    pub(crate) fn new(stopped: &'a dyn Fn() -> bool, keys: &'a Keys) -> Self {
        Self {
            stopped,
            keys,
            until: Instant::now() + LONGEST.saturating_sub(ROUND),
            #[cfg(feature = "control")]
            dialogues_left: DIALOGUES_LONGEST,
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
        let answers = asks.iter().map_while(|ask| {
            let answer = self.answer(ask, &mut seen)?;
            // Loads come after the rest.
            Some(if (self.stopped)() {
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
        Answer::Train(_, Err(_)) => answer,
        Answer::Train(ref requests, Ok(ref seen)) => {
            let sent = seen.departures.len();
            let is_answered = seen.replies.len() >= requests.len();
            let is_refused = matches!(ask, Ask::Train(..))
                && seen.replies.is_empty()
                && !seen.refusals.is_empty();
            if sent == requests.len() && (is_answered || is_refused) {
                answer
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
    pings: IntoIter<PingSeen>,
    connects: IntoIter<ConnectSeen>,
    trains: IntoIter<(Train, Result<TrainSeen, BindError>)>,
    #[cfg(feature = "control")]
    dialogues: IntoIter<Dialogue>,
}

impl Network<'_> {
    /// All but loads and what this host knows: what is silent costs the wait once. `None`: the system has
    /// no descriptor left.
    fn side_by_side(&mut self, asks: &[Ask]) -> Option<Seen> {
        let pings = list(asks, Ask::ping);
        let connects = list(asks, Ask::connect);
        let trains = list(asks, |ask| train(ask, &self.keys.stamp));
        let stopped = self.stopped;
        #[cfg(feature = "control")]
        let (over, mut dialogues) = (AtomicBool::new(false), Vec::new());
        #[cfg(feature = "control")]
        let (keys, left) = (self.keys, &mut self.dialogues_left);
        #[cfg(feature = "control")]
        {
            let end = self.until + ROUND;
            *left = (*left).min(end.saturating_duration_since(Instant::now()));
        }
        let (pings, connects, seen) = thread::scope(|scope| {
            let pings = scope.spawn(|| probe::ping_all(&pings, PATIENCE));
            let connects = scope.spawn(|| probe::connect_all(&connects, PATIENCE));
            #[cfg(feature = "control")]
            let talking = scope.spawn(|| {
                dialogues = converse(asks, keys, left, &|| over.load(Ordering::Relaxed));
            });
            let seen = probe::run_trains(&trains, stopped);
            #[cfg(feature = "control")]
            while !talking.is_finished() {
                over.store(stopped(), Ordering::Relaxed);
                thread::sleep(LOOK_EVERY);
            }
            let join = (pings.join(), connects.join());
            (join.0.unwrap_or_default(), join.1.unwrap_or_default(), seen)
        });
        let trains: Vec<_> = trains.into_iter().zip(seen.ok()?).collect();
        Some(Seen {
            pings: pings.into_iter(),
            connects: connects.into_iter(),
            trains: trains.into_iter(),
            #[cfg(feature = "control")]
            dialogues: dialogues.into_iter(),
        })
    }

    fn answer(&mut self, ask: &Ask, seen: &mut Seen) -> Option<Answer> {
        Some(match ask {
            Ask::Ping(_) => Answer::Ping(seen.pings.next()?),
            Ask::Connect(_) => Answer::Connect(seen.connects.next()?),
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
            Ask::Dialogue(_) => Answer::Dialogue(Box::new(seen.dialogues.next()?)),
            Ask::Train(..) | Ask::Ladder(..) => {
                let (train, seen) = seen.trains.next()?;
                let requests = train.packets.into_iter().map(|packet| packet.octets);
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
        let seen = probe::run_dialogue(&plan, self.stopped);
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

/// Has all dialogues, one after the other: some servers take one connection of a client at a time. `left`: how
/// long they may take.
#[cfg(feature = "control")]
fn converse(
    asks: &[Ask],
    keys: &Keys,
    left: &mut Duration,
    stopped: &dyn Fn() -> bool,
) -> Vec<Dialogue> {
    let mut each: Vec<(usize, DialogueAsk)> =
        asks.iter().filter_map(Ask::dialogue).enumerate().collect();
    // A login has no session to wait for, and other dialogues depend on it.
    each.sort_by_key(|(_, ask)| ask.kind.security == Security::Any);
    let each = each.into_iter().map(|(place, ask)| {
        let seen = probe::run_dialogue(&ask.plan(keys, *left), stopped);
        *left = left.saturating_sub(seen.took);
        debug!(
            took_ms = seen.took.as_millis(),
            "{}: {:?}", ask.kind.name, seen.end
        );
        (place, Dialogue::new(seen))
    });
    let mut each: Vec<(usize, Dialogue)> = each.collect();
    each.sort_by_key(|(place, _)| *place);
    each.into_iter().map(|(_, dialogue)| dialogue).collect()
}

fn list<T>(asks: &[Ask], of: impl Fn(&Ask) -> Option<T>) -> Vec<T> {
    asks.iter().filter_map(of).collect()
}

fn train(ask: &Ask, keys: &StampKeys) -> Option<Train> {
    let (far, path, interval, patience) = match ask {
        Ask::Ladder(far, ladder, _) => (far, ladder.path(), ladder::INTERVAL, ladder.patience()),
        Ask::Train(far, kind, _) => (far, (kind.path)(), kind.interval, kind.patience()),
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
