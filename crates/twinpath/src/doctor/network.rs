//! Questions asked over the network.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use twinpath_runtime::probe::{self, Train, TrainPacket};
use twinpath_runtime::wall;

use super::{Answer, Ask, World, ladder};

/// How long a far end has to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The network.
pub(crate) struct Network<'a> {
    /// No more is asked.
    pub(crate) stopped: &'a dyn Fn() -> bool,
    /// From then on only loads are asked for.
    pub(crate) until: Instant,
}

/// The longest examination, but for `--stress`.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// The longest round of questions.
const ROUND: Duration = Duration::from_secs(3);

impl<'a> Network<'a> {
    /// The network, from now on.
    pub(crate) fn new(stopped: &'a dyn Fn() -> bool) -> Self {
        let until = Instant::now() + LONGEST.saturating_sub(ROUND);
        Self { stopped, until }
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
        let pings = list(asks, |ask| match ask {
            Ask::Ping(far) => Some(*far),
            Ask::Connect(_) | Ask::Train(..) | Ask::Ladder(..) | Ask::Load(..) | Ask::Host(_) => {
                None
            }
        });
        let connects = list(asks, |ask| match ask {
            Ask::Connect(far) => Some(*far),
            Ask::Ping(_) | Ask::Train(..) | Ask::Ladder(..) | Ask::Load(..) | Ask::Host(_) => None,
        });
        let trains: Vec<Train> = asks.iter().filter_map(train).collect();
        // Side by side: what is silent costs the wait once.
        let (pings, connects, seen) = std::thread::scope(|scope| {
            let pings = scope.spawn(|| probe::ping_all(&pings, PATIENCE));
            let connects = scope.spawn(|| probe::connect_all(&connects, PATIENCE));
            let seen = probe::run_trains(&trains, self.stopped);
            (
                pings.join().unwrap_or_default(),
                connects.join().unwrap_or_default(),
                seen,
            )
        });
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
                Ask::Train(..) | Ask::Ladder(..) => {
                    let requests = trains.next()?.packets.into_iter();
                    let requests = requests.map(|packet| packet.octets).collect();
                    Answer::Train(requests, seen.next()?.map_err(|error| error.to_string()))
                }
            })
        });
        answers.collect()
    }
}

fn list(asks: &[Ask], of: impl Fn(&Ask) -> Option<SocketAddr>) -> Vec<SocketAddr> {
    asks.iter().filter_map(of).collect()
}

fn train(ask: &Ask) -> Option<Train> {
    let (far, count) = match ask {
        Ask::Train(far, _) | Ask::Ladder(far, _) => (*far, ask.packets()),
        Ask::Ping(_) | Ask::Connect(_) | Ask::Load(..) | Ask::Host(_) => return None,
    };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let packet = |number| {
        let (octets, tos) = ask.packet(far, number, wall())?;
        Some(TrainPacket { octets, tos })
    };
    let packets = (0..count).filter_map(packet).collect();
    let (path, interval, patience) = match ask {
        Ask::Ladder(_, ladder) => (ladder.path(), ladder::INTERVAL, ladder.patience()),
        Ask::Train(_, kind) => ((kind.path)(), kind.interval, PATIENCE),
        Ask::Ping(_) | Ask::Connect(_) | Ask::Load(..) | Ask::Host(_) => return None,
    };
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
        let mut network = Network::new(&stopped);
        assert_eq!(network.ask(&[Ask::Host(far)]).len(), 1);
        network.until = Instant::now();
        assert_eq!(network.ask(&[Ask::Host(far)]).len(), 0);
    }
}
