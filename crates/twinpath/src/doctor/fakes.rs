//! Far ends in memory: one that does all as the standards demand, and any that errs in a defined way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::extension::{Host, SyncSource};
use twinpath_proto::reflector::{ReflectorConfig, SessionReflector};
use twinpath_proto::stamp::StampKeys;
use twinpath_report::ClockState;
use twinpath_runtime::SendError;
use twinpath_runtime::probe::{
    ConnectSeen, Connection, Departure, HostSeen, IcmpKind, Load, LoadSeen, PingSeen, Refusal,
    Reply, TrainSeen,
};
use twinpath_wire::{Arrival, Delta, ErrorEstimate, Mono, Rung, Stamp, TimeFormat, Tos, Wall};

#[cfg(feature = "control")]
use super::dialogue::{Dialogue, DialogueAsk};
use super::{Answer, Ask, World};

/// When the first train begins.
const START: Wall = Wall::from_unix_ns(1_795_392_000_000_000_000);
/// Each way takes so long.
const WAY: Duration = Duration::from_millis(5);
/// And the reflector needs so much.
const RESIDENCE: Duration = Duration::from_micros(20);
/// From the beginning of a train to that of the next.
const BETWEEN: Duration = Duration::from_secs(1);
/// Routers on each way.
const HOPS: u8 = 3;

/// What becomes of a request at a far end: the replies, ready but for the way back.
pub(super) type Answering = Box<dyn FnMut(&Request<'_>, Vec<Sent>) -> Vec<Sent>>;

/// What comes of a load.
pub(super) type Loaded = Box<dyn FnMut(&Load) -> LoadSeen>;

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
    /// Its server's part of a dialogue.
    #[cfg(feature = "control")]
    pub(super) server: Box<dyn FnMut(&DialogueAsk) -> Dialogue>,
    /// The keys of doctor.
    pub(super) keys: Arc<StampKeys>,
    /// How it errs.
    pub(super) errs: Answering,
    /// Packets and connections so far.
    pub(super) asked: usize,
    /// What comes of a load.
    pub(super) loaded: Loaded,
    /// Loads in sessions so far.
    #[cfg(feature = "control")]
    pub(super) session_loads: usize,
    /// Sizes that pass.
    pub(super) link: Link,
    /// What the way out makes of a packet's ToS octet; `None`: the packet is lost.
    pub(super) way_out: fn(&[u8], u8) -> Option<u8>,
    /// When the next train begins.
    pub(super) now: Wall,
}

/// Sizes of IP packets that pass, in octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// This host's interface.
    pub(super) interface: usize,
    /// The narrowest link of the way out, and that of the way back.
    pub(super) out: usize,
    pub(super) back: usize,
    /// A router of the way out reports what is too big.
    pub(super) is_reported: bool,
    /// Too large replies come in fragments; else they are lost.
    pub(super) fragments_back: bool,
    /// Fragments of requests pass.
    pub(super) fragments_out: bool,
}

impl Link {
    pub(super) const USUAL: Self = Self {
        interface: 1_500,
        out: 1_500,
        back: 1_500,
        is_reported: true,
        fragments_back: true,
        fragments_out: true,
    };

    /// Whether a request of this size arrives.
    fn lets_out(self, size: usize, is_whole: bool, seen: &mut TrainSeen) -> bool {
        if size <= self.interface.min(self.out) {
            return true;
        }
        if !is_whole {
            return self.fragments_out;
        }
        if size <= self.interface && self.is_reported {
            let kind = IcmpKind::TooBig {
                mtu: u32::try_from(self.out).unwrap(),
            };
            let from = Some("198.51.100.254".parse().unwrap());
            seen.refusals.push(Refusal { kind, from });
        }
        false
    }

    /// A reply as it arrives, if it does.
    fn back(self, far: SocketAddr, reply: Sent, at: Wall) -> Option<Reply> {
        let size = reply.octets.len() + super::ladder::headers(far);
        let is_larger = size > self.back;
        (self.fragments_back || !is_larger).then(|| Reply {
            at: stamp(at),
            from: reply.from,
            octets: reply.octets,
            ttl: Some(reply.ttl - HOPS),
            tos: Some(reply.tos),
            fragment_octets: is_larger.then(|| u32::try_from(self.back).unwrap()),
        })
    }
}

impl FakeFar {
    /// When its first train begins, as an NTP timestamp.
    pub(super) const BEGINNING: u64 = (1_795_392_000 + 2_208_988_800) << 32;

    /// One that does all as the standards demand.
    pub(super) fn honest() -> Self {
        let mut reflector = SessionReflector::new(ReflectorConfig::default());
        let host = Host::new([], Vec::new(), [], SyncSource::Ntp);
        reflector.set_host(Arc::new(host));
        Self {
            ping: PingSeen::Answered(WAY * 2),
            tcp: Vec::new(),
            ports: vec![862],
            closed: Some(IcmpKind::PortUnreachable),
            reflector,
            #[cfg(feature = "control")]
            server: Box::new(super::tests::servers::honest),
            keys: Arc::default(),
            errs: Box::new(|_, replies| replies),
            asked: 0,
            loaded: Box::new(|_| LoadSeen::default()),
            #[cfg(feature = "control")]
            session_loads: 0,
            link: Link::USUAL,
            way_out: |_, tos| Some(tos),
            now: START,
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

    fn train(&mut self, far: SocketAddr, ask: &Ask) -> Answer {
        let interval = match ask {
            Ask::Train(_, kind, _) => kind.interval,
            Ask::Ping(_) | Ask::Connect(_) | Ask::Ladder(..) | Ask::Load(..) | Ask::Host(_) => {
                super::ladder::INTERVAL
            }
            #[cfg(feature = "control")]
            Ask::Dialogue(_) | Ask::SessionLoad(..) => super::ladder::INTERVAL,
        };
        let mut requests = Vec::new();
        let mut seen = TrainSeen::default();
        for number in 0..u32::try_from(ask.packets()).unwrap() {
            let at = self.now + Delta::from_duration(interval * number);
            let (octets, tos) = ask.packet(far, number, at, &self.keys).unwrap();
            let size = octets.len() + super::ladder::headers(far);
            let is_whole = matches!(ask, Ask::Ladder(_, ladder, _) if ladder.is_whole);
            seen.departures
                .push(if size > self.link.interface && is_whole {
                    Departure::Failed(SendError::TooLarge)
                } else {
                    Departure::Left(stamp(at))
                });
            if self.link.lets_out(size, is_whole, &mut seen) {
                if self.ports.contains(&far.port()) {
                    let arrival = at + Delta::from_duration(WAY);
                    let replies = match (self.way_out)(&octets, tos.0) {
                        Some(tos) => self.replies(far, &octets, Tos(tos), arrival),
                        None => Vec::new(),
                    };
                    for reply in replies {
                        let arrival = at + Delta::from_duration(WAY * 2 + RESIDENCE + reply.late);
                        seen.replies.extend(self.link.back(far, reply, arrival));
                    }
                } else if let Some(kind) = self.closed {
                    let from = Some(far.ip());
                    seen.refusals.push(Refusal { kind, from });
                }
            }
            requests.push(octets);
        }
        self.now = self.now + Delta::from_duration(BETWEEN);
        Answer::Train(requests, Ok(seen))
    }

    fn replies(&mut self, far: SocketAddr, request: &[u8], tos: Tos, at: Wall) -> Vec<Sent> {
        let near = match far {
            SocketAddr::V4(_) => "198.51.100.1:40000",
            SocketAddr::V6(_) => "[2001:db8::1]:40000",
        };
        let arrival = Arrival {
            to: Some(far.ip()),
            to_port: far.port(),
            ttl: Some(255 - HOPS),
            tos: Some(tos),
            interface: 2,
            ..Arrival::new(stamp(at), near.parse().unwrap())
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
                Ask::Host(_) => Answer::Host(HostSeen {
                    interface_mtu: u32::try_from(self.link.interface).ok(),
                    clock: ClockState {
                        synchronized: true,
                        error_ns: Some(1_000_000),
                    },
                }),
                Ask::Load(_, _, load) => Answer::Load(Ok((self.loaded)(load))),
                #[cfg(feature = "control")]
                Ask::SessionLoad(_, load) => {
                    self.session_loads += 1;
                    Answer::Load(Ok((self.loaded)(load)))
                }
                Ask::Train(far, ..) | Ask::Ladder(far, ..) => self.train(*far, ask),
                #[cfg(feature = "control")]
                Ask::Dialogue(ask) => Answer::Dialogue(Box::new((self.server)(ask))),
            }
        });
        answers.collect()
    }
}
