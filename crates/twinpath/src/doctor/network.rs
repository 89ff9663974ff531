//! Questions asked over the network.

#[cfg(feature = "control")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tracing::debug;
use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::probe::{self, Train, TrainPacket};
use twinpath_runtime::{PathOptions, wall};

#[cfg(feature = "control")]
use super::dialogue::{Dialogue, DialogueAsk};
use super::{Answer, Ask, Keys, World, ladder};

/// How long a far end has to answer.
const PATIENCE: Duration = Duration::from_secs(1);

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
        }
    }

    fn is_over(&self, asks: &[Ask]) -> bool {
        let is_load = |ask: &Ask| matches!(ask, Ask::Load(..));
        (self.stopped)() || (Instant::now() >= self.until && !asks.iter().all(is_load))
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
        let pings = list(asks, |ask| {
            if let Ask::Ping(far) = ask {
                Some(*far)
            } else {
                None
            }
        });
        let connects = list(asks, |ask| {
            if let Ask::Connect(far) = ask {
                Some(*far)
            } else {
                None
            }
        });
        #[cfg(feature = "control")]
        let dialogues = list(asks, |ask| {
            if let Ask::Dialogue(ask) = ask {
                Some(*ask)
            } else {
                None
            }
        });
        #[cfg(feature = "control")]
        let (keys, left) = (self.keys, &mut self.dialogues_left);
        #[cfg(feature = "control")]
        {
            let end = self.until + ROUND;
            *left = (*left).min(end.saturating_duration_since(Instant::now()));
        }
        let stopped = self.stopped;
        #[cfg(feature = "control")]
        let over = AtomicBool::new(false);
        let trains = asks.iter().filter_map(|ask| train(ask, &self.keys.stamp));
        let trains: Vec<Train> = trains.collect();
        // Side by side: what is silent costs the wait once.
        #[cfg(feature = "control")]
        let mut had = Vec::new();
        let (pings, connects, seen) = thread::scope(|scope| {
            let pings = scope.spawn(|| probe::ping_all(&pings, PATIENCE));
            let connects = scope.spawn(|| probe::connect_all(&connects, PATIENCE));
            #[cfg(feature = "control")]
            let talking = scope.spawn(|| {
                let over = || over.load(Ordering::Relaxed);
                had = converse(&dialogues, keys, left, &over);
            });
            let seen = probe::run_trains(&trains, stopped);
            #[cfg(feature = "control")]
            while !talking.is_finished() {
                over.store(stopped(), Ordering::Relaxed);
                thread::sleep(LOOK_EVERY);
            }
            (
                pings.join().unwrap_or_default(),
                connects.join().unwrap_or_default(),
                seen,
            )
        });
        #[cfg(feature = "control")]
        let mut had = had.into_iter();
        let (mut pings, mut connects) = (pings.into_iter(), connects.into_iter());
        let mut trains = trains.into_iter();
        let mut seen = match seen {
            Ok(seen) => seen.into_iter(),
            Err(_) => return Vec::new(),
        };
        let answers = asks.iter().map_while(|ask| {
            Some(match ask {
                Ask::Ping(_) => Answer::Ping(pings.next()?),
                Ask::Connect(_) => Answer::Connect(connects.next()?),
                Ask::Host(far) => Answer::Host(probe::host(*far)),
                Ask::Load(far, load) => {
                    let seen = probe::load(*far, load, self.stopped);
                    Answer::Load(seen.map_err(|error| error.to_string()))
                }
                #[cfg(feature = "control")]
                Ask::Dialogue(_) => Answer::Dialogue(Box::new(had.next()?)),
                Ask::Train(..) | Ask::Ladder(..) | Ask::Keyed(..) => {
                    let requests = trains.next()?.packets.into_iter();
                    let requests = requests.map(|packet| packet.octets).collect();
                    Answer::Train(requests, seen.next()?.map_err(|error| error.to_string()))
                }
            })
        });
        answers.collect()
    }
}

/// Has them one after the other: some servers take one connection of a client at a time.
#[cfg(feature = "control")]
fn converse(
    asks: &[DialogueAsk],
    keys: &Keys,
    left: &mut Duration,
    stopped: &dyn Fn() -> bool,
) -> Vec<Dialogue> {
    let each = asks.iter().map(|ask| {
        let seen = probe::run_dialogue(&ask.plan(keys, *left), stopped);
        *left = left.saturating_sub(seen.took);
        debug!(
            took_ms = seen.took.as_millis(),
            "{}: {:?}", ask.kind.name, seen.end
        );
        Dialogue::new(seen)
    });
    each.collect()
}

fn list<T>(asks: &[Ask], of: impl Fn(&Ask) -> Option<T>) -> Vec<T> {
    asks.iter().filter_map(of).collect()
}

fn train(ask: &Ask, keys: &StampKeys) -> Option<Train> {
    let (far, path, interval, patience) = match ask {
        Ask::Ladder(far, ladder) => (far, ladder.path(), ladder::INTERVAL, ladder.patience()),
        Ask::Train(far, kind) => (far, (kind.path)(), kind.interval, PATIENCE),
        Ask::Keyed(far, kind) => (far, PathOptions::default(), kind.interval, PATIENCE),
        Ask::Ping(_) | Ask::Connect(_) | Ask::Load(..) | Ask::Host(_) => return None,
        #[cfg(feature = "control")]
        Ask::Dialogue(_) => return None,
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
