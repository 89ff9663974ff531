//! Questions asked over the network.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_runtime::probe::{self, Train, TrainPacket};
use twinpath_runtime::wall;

use super::{Answer, Ask, World};

/// How long a far end has to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The network.
pub(crate) struct Network<'a> {
    /// No more is asked.
    pub(crate) stopped: &'a dyn Fn() -> bool,
}

impl World for Network<'_> {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        if (self.stopped)() {
            return Vec::new();
        }
        let pings = list(asks, |ask| match ask {
            Ask::Ping(far) => Some(*far),
            Ask::Connect(_) | Ask::Train(..) => None,
        });
        let connects = list(asks, |ask| match ask {
            Ask::Connect(far) => Some(*far),
            Ask::Ping(_) | Ask::Train(..) => None,
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
                Ask::Train(..) => {
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
    let Ask::Train(far, kind) = ask else {
        return None;
    };
    let count = u32::try_from(kind.count).unwrap_or(u32::MAX);
    let packets = (0..count).map(|number| {
        let (octets, tos) = (kind.packet)(*far, number, wall());
        TrainPacket { octets, tos }
    });
    Some(Train {
        far: *far,
        path: (kind.path)(),
        packets: packets.collect(),
        interval: kind.interval,
        patience: PATIENCE,
    })
}
