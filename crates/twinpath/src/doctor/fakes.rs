//! Far ends in memory: one that does all as the standards demand, and any that errs in a defined way.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::reflector::{ReflectorConfig, SessionReflector};
use twinpath_runtime::probe::{
    ConnectSeen, Connection, Departure, IcmpKind, PingSeen, Refusal, Reply, TrainSeen,
};
use twinpath_wire::{Arrival, Delta, ErrorEstimate, Mono, Rung, Stamp, TimeFormat, Tos, Wall};

use super::train::TrainKind;
use super::{Answer, Ask, World};

/// When the first packet of each train leaves.
const START: Wall = Wall::from_unix_ns(1_795_392_000_000_000_000);
/// Each way takes so long.
const WAY: Duration = Duration::from_millis(5);
/// And the reflector needs so much.
const RESIDENCE: Duration = Duration::from_micros(20);
/// Routers on each way.
const HOPS: u8 = 3;

/// What becomes of a request at a far end: the replies, ready but for the way back.
pub(super) type Answering = Box<dyn FnMut(&Request<'_>, Vec<Sent>) -> Vec<Sent>>;

/// A request on arrival.
pub(super) struct Request<'a> {
    pub(super) octets: &'a [u8],
}

/// A reply on departure.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) octets: Vec<u8>,
    pub(super) from: SocketAddr,
    pub(super) tos: Tos,
    /// Of the request.
    pub(super) asked: Tos,
    pub(super) ttl: u8,
    /// Later than the others.
    pub(super) late: Duration,
}

/// A far end.
pub(super) struct FakeFar {
    pub(super) ping: PingSeen,
    /// What TCP ports do; others refuse.
    pub(super) tcp: Vec<(u16, Connection)>,
    /// UDP ports that are reflected.
    pub(super) ports: Vec<u16>,
    /// What other ports do.
    pub(super) closed: Option<IcmpKind>,
    pub(super) reflector: SessionReflector,
    /// How it errs.
    pub(super) errs: Answering,
    /// Packets and connections so far.
    pub(super) asked: usize,
}

impl FakeFar {
    /// One that does all as the standards demand.
    pub(super) fn honest() -> Self {
        Self {
            ping: PingSeen::Answered(WAY * 2),
            tcp: Vec::new(),
            ports: vec![862],
            closed: Some(IcmpKind::PortUnreachable),
            reflector: SessionReflector::new(ReflectorConfig::default()),
            errs: Box::new(|_, replies| replies),
            asked: 0,
        }
    }

    /// One that makes of its replies what `errs` makes of them.
    pub(super) fn erring(errs: impl FnMut(&Request<'_>, Vec<Sent>) -> Vec<Sent> + 'static) -> Self {
        Self {
            errs: Box::new(errs),
            ..Self::honest()
        }
    }

    /// One that changes the octets of each reply.
    pub(super) fn changing(change: impl Fn(&[u8], &mut Vec<u8>) + 'static) -> Self {
        Self::erring(move |request, mut replies| {
            for reply in &mut replies {
                change(request.octets, &mut reply.octets);
            }
            replies
        })
    }

    fn train(&mut self, far: SocketAddr, kind: &'static TrainKind) -> Answer {
        let mut requests = Vec::new();
        let mut seen = TrainSeen::default();
        for number in 0..u32::try_from(kind.count).unwrap() {
            let at = START + Delta::from_duration(kind.interval * number);
            let (octets, tos) = (kind.packet)(far, number, at);
            seen.departures.push(Departure::Left(stamp(at)));
            if self.ports.contains(&far.port()) {
                let replies = self.replies(far, &octets, tos, at + Delta::from_duration(WAY));
                seen.replies.extend(replies.into_iter().map(|reply| Reply {
                    at: stamp(at + Delta::from_duration(WAY * 2 + RESIDENCE + reply.late)),
                    from: reply.from,
                    octets: reply.octets,
                    ttl: Some(reply.ttl - HOPS),
                    tos: Some(reply.tos),
                }));
            } else if let Some(kind) = self.closed {
                let from = Some(far.ip());
                seen.refusals.push(Refusal { kind, from });
            }
            requests.push(octets);
        }
        Answer::Train(requests, Ok(seen))
    }

    fn replies(&mut self, far: SocketAddr, request: &[u8], tos: Tos, at: Wall) -> Vec<Sent> {
        let near = match far {
            SocketAddr::V4(_) => "198.51.100.1:40000",
            SocketAddr::V6(_) => "[2001:db8::1]:40000",
        };
        let arrival = Arrival {
            at: stamp(at),
            from: near.parse().unwrap(),
            to: Some(far.ip()),
            to_port: far.port(),
            ttl: Some(255 - HOPS),
            tos: Some(tos),
            interface: 2,
            truncated: false,
        };
        let mut buffer = request.to_vec();
        buffer.resize(request.len().max(112) + 400, 0);
        let now = Mono::from_ns(1_000_000_000);
        let reflected = self
            .reflector
            .reflect(now, &mut buffer, request.len(), &arrival);
        let replies = match reflected {
            Ok(reflection) => {
                buffer.truncate(reflection.octets);
                let error = ErrorEstimate::new(true, TimeFormat::Ntp, Duration::from_micros(50));
                self.reflector.seal(
                    &reflection,
                    &mut buffer,
                    at + Delta::from_duration(RESIDENCE),
                    error,
                );
                vec![Sent {
                    octets: buffer,
                    from: far,
                    tos: reflection.tos,
                    asked: tos,
                    ttl: 255,
                    late: Duration::ZERO,
                }]
            }
            Err(_) => Vec::new(),
        };
        (self.errs)(&Request { octets: request }, replies)
    }
}

fn stamp(at: Wall) -> Stamp {
    let rung = Rung::Kernel;
    Stamp { at, rung }
}

impl World for FakeFar {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let answers = asks.iter().map(|ask| {
            self.asked += ask.packets();
            match ask {
                Ask::Ping(_) => Answer::Ping(self.ping),
                Ask::Connect(far) => {
                    let known = self.tcp.iter().find(|(port, _)| *port == far.port());
                    Answer::Connect(ConnectSeen {
                        took: WAY * 2,
                        connection: known.map_or(Connection::Refused, |(_, seen)| seen.clone()),
                    })
                }
                Ask::Train(far, kind) => self.train(*far, kind),
            }
        });
        answers.collect()
    }
}
