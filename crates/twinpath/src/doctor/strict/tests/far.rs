//! A reflector in memory, whose replies a test can change.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::reflector::{ReflectorConfig, SessionReflector};
#[cfg(feature = "control")]
use twinpath_proto::security::Credentials;
use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};
#[cfg(feature = "control")]
use twinpath_runtime::keys::Key;
use twinpath_runtime::probe::{Departure, Reply, Train, TrainSeen};
use twinpath_wire::{Arrival, Delta, ErrorEstimate, Mono, Rung, Stamp, TimeFormat, Wall};

use crate::doctor::strict::steps::Line;
use crate::doctor::strict::{Keys, Link};

pub(super) const ADDRESS: &str = "203.0.113.7:862";
pub(super) const KEY: [u8; 16] = [7; 16];

const START: Wall = Wall::from_unix_ns(1_795_392_000_000_000_000);
const WAY: Duration = Duration::from_millis(5);
const RESIDENCE: Duration = Duration::from_micros(20);

/// What becomes of the replies to a request.
pub(super) type Errs = Box<dyn FnMut(&[u8], Vec<Vec<u8>>) -> Vec<Vec<u8>>>;

pub(super) struct Far {
    reflector: SessionReflector,
    errs: Errs,
    now: Wall,
    next_port: u16,
    /// Datagrams so far.
    pub(super) packets: usize,
}

impl Far {
    pub(super) fn honest() -> Self {
        Self::with_key(Some(KEY))
    }

    pub(super) fn erring(errs: Errs) -> Self {
        Self {
            errs,
            ..Self::with_key(Some(KEY))
        }
    }

    /// One that does all as it must, with this key.
    pub(super) fn with_key(key: Option<[u8; 16]>) -> Self {
        let mut reflector = SessionReflector::new(ReflectorConfig::default());
        reflector.set_keys(keys(key).stamp);
        let errs: Errs = Box::new(|_, replies| replies);
        Self {
            reflector,
            errs,
            now: START,
            next_port: 40_000,
            packets: 0,
        }
    }

    fn reflect(&mut self, far: SocketAddr, port: u16, request: &[u8], at: Wall) -> Vec<Vec<u8>> {
        let arrival = Arrival {
            to: Some(far.ip()),
            to_port: far.port(),
            ttl: Some(250),
            tos: Some(twinpath_wire::Tos(0)),
            interface: 2,
            ..Arrival::new(
                stamp(at),
                SocketAddr::new("198.51.100.1".parse().unwrap(), port),
            )
        };
        let mut buffer = request.to_vec();
        buffer.resize(request.len().max(112) + 64, 0);
        let elapsed = u64::try_from((at - START).ns()).unwrap();
        let now = Mono::from_ns(1_000_000_000 + elapsed);
        let reflected = self
            .reflector
            .reflect(now, &mut buffer, request.len(), &arrival);
        let Ok(reflection) = reflected else {
            return Vec::new();
        };
        buffer.truncate(reflection.octets);
        let error = ErrorEstimate::new(true, TimeFormat::Ntp, Duration::from_micros(50));
        let t3 = at + Delta::from_duration(RESIDENCE);
        self.reflector.seal(&reflection, &mut buffer, t3, error);
        vec![buffer]
    }
}

/// With this one for all far ends.
pub(super) fn keys(key: Option<[u8; 16]>) -> Keys {
    let keys = key.map(|key| (KeyScope::Default, StampKey::new(&key).unwrap()));
    Keys {
        stamp: Arc::new(StampKeys::new(keys)),
        #[cfg(feature = "control")]
        control: None,
        #[cfg(feature = "control")]
        most_pbkdf2_count: 0,
    }
}

fn stamp(at: Wall) -> Stamp {
    let rung = Rung::Kernel;
    Stamp { at, rung }
}

impl Link for Far {
    fn now(&self) -> Wall {
        self.now
    }

    fn is_stopped(&self) -> bool {
        false
    }

    fn trains(&mut self, trains: &[Train]) -> Option<Vec<Result<TrainSeen, String>>> {
        let mut all = Vec::new();
        let begun = self.now;
        for train in trains {
            self.next_port += 1;
            let port = self.next_port;
            let mut seen = TrainSeen::default();
            for (number, packet) in (0_u32..).zip(&train.packets) {
                self.packets += 1;
                let at = begun + Delta::from_duration(train.interval * number);
                seen.departures.push(Departure::Left(stamp(at)));
                let there = at + Delta::from_duration(WAY);
                let replies = self.reflect(train.far, port, &packet.octets, there);
                let replies = (self.errs)(&packet.octets, replies);
                seen.replies.extend(replies.into_iter().map(|octets| Reply {
                    at: stamp(there + Delta::from_duration(WAY + RESIDENCE)),
                    from: train.far,
                    octets,
                    ttl: Some(250),
                    tos: Some(packet.tos),
                    fragment_octets: None,
                }));
            }
            all.push(Ok(seen));
        }
        self.now = self.now + Delta::from_duration(Duration::from_secs(1));
        Some(all)
    }

    #[cfg(feature = "control")]
    fn credentials(&mut self, _: &Key) -> Option<Credentials> {
        None
    }

    /// It has no server: see [`super::server`].
    fn connect(&mut self, _: SocketAddr, _: Duration) -> Option<Result<Box<dyn Line>, String>> {
        Some(Err("nothing listens".to_owned()))
    }
}

/// The request's layout is that of authenticated STAMP.
pub(super) fn is_authenticated(request: &[u8]) -> bool {
    request.len() >= 112 && request[4..16] == [0; 12]
}

/// The request has the padding that trials of TWAMP Light use.
pub(super) fn is_light(request: &[u8]) -> bool {
    request
        .get(14..)
        .is_none_or(|rest| rest.first().is_none_or(|first| *first == 0x5a))
}

/// TLVs can be behind its base packet.
pub(super) fn has_tlvs(request: &[u8]) -> bool {
    !is_light(request) && request.len() >= 48 && !is_authenticated(request)
}
