//! Datagrams from one port, and all that came back to it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_net::{
    IcmpKind, Outbound, PathOptions, QueueEvent, RecvBatch, SendError, SocketOptions, SocketSet,
    TestSocket, clock,
};
use twinpath_wire::{Mono, Rung, Stamp, Tos};

use super::waiting::Waiting;
use crate::error::StartError;

/// Datagrams taken at once.
const BATCH: usize = 32;
const SLOT_OCTETS: usize = 1 << 16;
/// Of a train, so many replies for each packet are kept.
const REPLIES_EACH: usize = 4;
/// Once each packet is answered, how long copies of replies are still waited for.
const LINGER: Duration = Duration::from_millis(30);
/// How long after an ICMP error that a port is closed the rest is waited for.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Datagrams from one port of this host.
#[derive(Clone, Debug)]
pub struct Train {
    /// Where they go.
    pub far: SocketAddr,
    /// How they are sent.
    pub path: PathOptions,
    /// In this order.
    pub packets: Vec<TrainPacket>,
    /// Between departures.
    pub interval: Duration,
    /// How long replies are waited for after the last departure.
    pub patience: Duration,
    /// Where a reply has the first four octets of its request, the number; `None`: that does not show.
    pub number_at: Option<usize>,
    /// No more is sent once an ICMP error says that nothing listens there: hosts send few of them.
    pub stops_where_closed: bool,
    /// Nothing is known of the far end: while nothing comes back it is waited for longer, as a [`Waiting`] says.
    pub is_first: bool,
}

/// A datagram of a train.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainPacket {
    /// UDP payload.
    pub octets: Vec<u8>,
    /// ToS or Traffic Class octet.
    pub tos: Tos,
}

/// What came of a train.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrainSeen {
    /// Of each packet, in order.
    pub departures: Vec<Departure>,
    /// In the order of arrival.
    pub replies: Vec<Reply>,
    /// Further replies, which were not kept.
    pub more_replies: u64,
    /// ICMP errors, at most one for each packet.
    pub refusals: Vec<Refusal>,
    /// How long replies were waited for after the last departure.
    pub waited: Duration,
}

/// How a packet left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Then.
    Left(Stamp),
    /// The system did not send it.
    Failed(SendError),
}

/// A datagram that came to a train's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// When.
    pub at: Stamp,
    /// Where from.
    pub from: SocketAddr,
    /// UDP payload.
    pub octets: Vec<u8>,
    /// TTL or Hop Limit on arrival.
    pub ttl: Option<u8>,
    /// ToS or Traffic Class octet on arrival.
    pub tos: Option<Tos>,
    /// Octets of the largest fragment that it came in, with its IP header; `None`: it came whole, or the
    /// system does not say.
    pub fragment_octets: Option<u32>,
}

/// An ICMP error about a packet of a train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind.
    pub kind: IcmpKind,
    /// Who sent it.
    pub from: Option<IpAddr>,
}

/// Sends trains side by side and waits for what comes back, until `stopped`. `waiting`: for that of first trains.
/// What came of each; `Err`: it has no socket.
///
/// # Errors
/// [`StartError`]: the system has no more descriptors.
pub fn run_trains(
    trains: &[Train],
    waiting: Option<&Waiting>,
    stopped: &dyn Fn() -> bool,
) -> Result<Vec<Result<TrainSeen, twinpath_net::BindError>>, StartError> {
    let (mut set, _waker) =
        SocketSet::new().map_err(StartError::system("a descriptor to wait by"))?;
    let start = clock::mono();
    let mut running: Vec<_> = trains
        .iter()
        .map(|train| Running::new(train, start))
        .collect();
    for (place, (train, running)) in trains.iter().zip(&mut running).enumerate() {
        let any = match train.far {
            SocketAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        let mut options = SocketOptions::sender(SocketAddr::new(any, 0), train.far);
        options.path = train.path.clone();
        match TestSocket::open(&options) {
            Ok(socket) => {
                // Where it is not supported, replies seem to come whole.
                let _unsupported = socket.report_fragments();
                set.insert(place, socket)
                    .map_err(StartError::system("a descriptor to wait by"))?;
            }
            Err(error) => running.failed = Some(error),
        }
    }
    drive(trains, &mut running, &mut set, waiting, stopped);
    Ok(running.into_iter().map(Running::end).collect())
}

/// A socket for several trains, one after the other.
#[cfg(feature = "control")]
pub(super) struct TrainSocket {
    set: SocketSet,
    pub(super) local: SocketAddr,
    /// Packets so far whose replies may still come.
    owed: usize,
}

#[cfg(feature = "control")]
impl TrainSocket {
    /// One on `near`, to send to `far` from.
    pub(super) fn open(near: IpAddr, far: SocketAddr) -> Result<Self, String> {
        let mut near = SocketAddr::new(near, 0);
        if let (SocketAddr::V6(near), SocketAddr::V6(far)) = (&mut near, far) {
            near.set_scope_id(far.scope_id());
        }
        let socket = TestSocket::open(&SocketOptions::sender(near, far))
            .map_err(|error| error.to_string())?;
        let local = socket.local();
        let (mut set, _waker) = SocketSet::new().map_err(|error| error.to_string())?;
        set.insert(0, socket).map_err(|error| error.to_string())?;
        Ok(Self {
            set,
            local,
            owed: 0,
        })
    }

    /// Sends a train. `offsets`: its departures, in place of its interval, until a reply comes.
    pub(super) fn run(
        &mut self,
        train: &Train,
        offsets: Option<&'static [Duration]>,
        stopped: &dyn Fn() -> bool,
    ) -> TrainSeen {
        let mut running = Running::new(train, clock::mono());
        running.owed = self.owed;
        if let Some(offsets) = offsets {
            running.offsets = Some(offsets);
            let last = offsets.get(..train.packets.len()).and_then(<[_]>::last);
            running.end = running.start + last.copied().unwrap_or_default() + train.patience;
        }
        let mut running = [running];
        drive(
            std::slice::from_ref(train),
            &mut running,
            &mut self.set,
            None,
            stopped,
        );
        let [running] = running;
        let seen = running.seen;
        self.owed = (self.owed + seen.departures.len()).saturating_sub(seen.replies.len());
        seen
    }
}

/// Until all trains are over, or it is stopped.
fn drive(
    trains: &[Train],
    running: &mut [Running],
    set: &mut SocketSet,
    waiting: Option<&Waiting>,
    stopped: &dyn Fn() -> bool,
) {
    let mut batch = RecvBatch::new(BATCH, SLOT_OCTETS);
    let mut ready = Vec::new();
    while !stopped() {
        let now = clock::mono();
        for (place, (train, running)) in trains.iter().zip(&mut *running).enumerate() {
            if let Some(socket) = set.get(place) {
                running.depart(train, socket, now);
                running.receive(train, socket, &mut batch);
                if let Some(waiting) = waiting
                    && running.is_answered_by(train.far.ip())
                {
                    waiting.answered();
                }
            }
        }
        let now = clock::mono();
        let open = trains.iter().zip(&*running);
        let open = open.filter(|(train, running)| {
            !running.is_over(now) || waiting.is_some_and(|waiting| running.goes_on(train, waiting))
        });
        let due = open.map(|(train, running)| {
            // Of one that only goes on the time is over.
            if running.is_over(now) {
                now + LONGEST_WAIT
            } else {
                running.due(train)
            }
        });
        let Some(due) = due.min() else {
            break;
        };
        set.wait(due.min(now + LONGEST_WAIT), &mut ready);
    }
    let now = clock::mono();
    for running in running {
        running.seen.waited = running.last.map_or(Duration::ZERO, |last| now.since(last));
    }
}

/// A train on its way.
struct Running {
    seen: TrainSeen,
    failed: Option<twinpath_net::BindError>,
    /// Keys of the packets that left.
    keys: Vec<Option<u32>>,
    start: Mono,
    next: Mono,
    /// The last departure.
    last: Option<Mono>,
    /// When packets are due after the start, in place of the train's interval; they end with the first
    /// reply.
    offsets: Option<&'static [Duration]>,
    /// When nothing more is waited for.
    end: Mono,
    /// Whether each packet has a reply, where its number shows.
    answered: Vec<bool>,
    /// Replies that may come to packets before this train, where no number shows.
    owed: usize,
    /// All of it is known to be answered.
    is_answered: bool,
}

impl Running {
    fn new(train: &Train, start: Mono) -> Self {
        let count = u32::try_from(train.packets.len()).unwrap_or(u32::MAX);
        Self {
            seen: TrainSeen::default(),
            failed: None,
            keys: Vec::new(),
            start,
            next: start,
            last: None,
            offsets: None,
            end: start + train.interval * count.saturating_sub(1) + train.patience,
            answered: vec![false; train.packets.len()],
            owed: 0,
            is_answered: false,
        }
    }

    /// Sends what is due.
    fn depart(&mut self, train: &Train, socket: &TestSocket, now: Mono) {
        while !self.is_sent(train)
            && let Some(packet) = train.packets.get(self.keys.len())
            && now >= self.next
        {
            let out = Outbound {
                tos: Some(packet.tos),
                ..Outbound::stamped(train.far)
            };
            let read = Stamp {
                at: clock::wall(),
                rung: Rung::User,
            };
            let sent = socket.send(&packet.octets, &out);
            self.keys.push(sent.ok().flatten());
            self.seen.departures.push(match sent {
                Ok(_) => Departure::Left(read),
                Err(error) => Departure::Failed(error),
            });
            self.next = match self.offsets {
                None => self.next + train.interval,
                Some(offsets) => {
                    let next = offsets.get(self.keys.len());
                    next.map_or(self.next, |offset| self.start + *offset)
                }
            };
            self.end = self.end.max(now + train.patience);
            self.last = Some(now);
        }
    }

    fn receive(&mut self, train: &Train, socket: &TestSocket, batch: &mut RecvBatch) {
        // An error that is pending there comes by the error queue too.
        while let Ok(count @ 1..) = socket.receive(batch) {
            for slot in 0..count {
                let fragment_octets = batch.fragment_octets(slot);
                if let Some((octets, received, arrival)) = batch.packet(slot)
                    && let Some(octets) = octets.get(..received)
                {
                    self.mark(train, octets);
                    if self.seen.replies.len() >= REPLIES_EACH * train.packets.len() {
                        self.seen.more_replies += 1;
                        continue;
                    }
                    self.seen.replies.push(Reply {
                        at: arrival.at,
                        from: arrival.from,
                        octets: octets.to_vec(),
                        ttl: arrival.ttl,
                        tos: arrival.tos,
                        fragment_octets,
                    });
                }
            }
        }
        let Self { seen, keys, .. } = self;
        socket.drain_errors(&mut |event| match event {
            QueueEvent::Sent { key, stamp } => {
                let place = keys.iter().rposition(|sent| *sent == Some(key));
                if let Some(departure) = place.and_then(|at| seen.departures.get_mut(at))
                    && let Departure::Left(known) = departure
                    && stamp.rung > known.rung
                {
                    *known = stamp;
                }
            }
            QueueEvent::Icmp(error) if seen.refusals.len() < train.packets.len() => {
                seen.refusals.push(Refusal {
                    kind: error.kind,
                    from: error.from,
                });
            }
            QueueEvent::Icmp(_) => {}
        });
        if !self.is_answered && self.is_sent(train) && self.came(train) >= train.packets.len() {
            self.is_answered = true;
            self.end = self.end.min(clock::mono() + LINGER);
        }
        if !self.is_answered && train.stops_where_closed && self.is_closed() {
            self.is_answered = true;
            self.end = self.end.min(clock::mono() + AFTER_REFUSAL);
        }
    }

    /// Nothing listens there: one ICMP error is about all packets.
    fn is_closed(&self) -> bool {
        let mut refusals = self.seen.refusals.iter();
        refusals.any(|refusal| refusal.kind == IcmpKind::PortUnreachable)
    }

    /// No packet is left to send.
    fn is_sent(&self, train: &Train) -> bool {
        let is_stopped = train.stops_where_closed && self.is_closed();
        is_stopped || self.keys.len() >= train.packets.len()
    }

    /// Notes which packet a reply answers.
    fn mark(&mut self, train: &Train, reply: &[u8]) {
        let number = train.number_at.and_then(|at| reply.get(at..at + 4));
        let Some(number) = number else { return };
        let each = train.packets.iter().zip(&mut self.answered);
        let mut open = each.filter(|(_, answered)| !**answered);
        // Of packets that are alike, one for each reply.
        if let Some((_, answered)) = open.find(|(packet, _)| packet.octets.starts_with(number)) {
            *answered = true;
        }
    }

    /// Packets that are answered, by a reply or an ICMP error. Where no number shows, copies of replies count too.
    fn came(&self, train: &Train) -> usize {
        let answered = if train.number_at.is_some() {
            self.answered.iter().filter(|answered| **answered).count()
        } else {
            self.seen.replies.len().saturating_sub(self.owed)
        };
        answered + self.seen.refusals.len()
    }

    /// When it is looked at next.
    fn due(&self, train: &Train) -> Mono {
        if self.is_sent(train) {
            self.end
        } else {
            self.next
        }
    }

    fn is_over(&self, now: Mono) -> bool {
        let is_answered = self.offsets.is_some() && !self.seen.replies.is_empty();
        self.failed.is_some() || now >= self.end || is_answered
    }

    /// Its time is over, and it is waited for all the same: nothing came back to it, and maybe not of any other.
    fn goes_on(&self, train: &Train, waiting: &Waiting) -> bool {
        let is_silent = self.seen.replies.is_empty() && self.seen.refusals.is_empty();
        train.is_first && self.failed.is_none() && is_silent && !waiting.is_over()
    }

    /// This host has answered: by a reply, or because nothing listens there.
    fn is_answered_by(&self, far: IpAddr) -> bool {
        let is_far = |address: IpAddr| address.to_canonical() == far.to_canonical();
        let mut replies = self.seen.replies.iter();
        let mut refusals = self.seen.refusals.iter();
        replies.any(|reply| is_far(reply.from.ip()))
            || refusals.any(|refusal| {
                refusal.kind == IcmpKind::PortUnreachable && refusal.from.is_some_and(is_far)
            })
    }

    fn end(self) -> Result<TrainSeen, twinpath_net::BindError> {
        self.failed.map_or(Ok(self.seen), Err)
    }
}

#[cfg(test)]
mod tests;
