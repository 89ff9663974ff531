//! The packet loop of every reflector thread: batch in, replies out, T3 read per packet right before
//! the send.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use twinpath_metrics::RungCounts;
use twinpath_net::{Outbound, QueueEvent, RecvBatch, TestSocket, clock};
use twinpath_proto::extension::Effects;
use twinpath_proto::reflector::{Reflection, SessionReflector};
use twinpath_wire::{Arrival, Delta, ErrorEstimate, Mono, Rung};

use crate::interfaces::FollowedInterface;

use super::Snapshot;
use super::host_watch::HostView;
use super::outbound::{SameLink, outbound};
use super::paths::{Path, Paths, PendingStamps, SentReply};

/// Datagrams taken at once.
const BATCH: usize = 64;
/// Room for the largest datagram there is. Only pages that packets touch cost memory.
const SLOT_OCTETS: usize = 1 << 16;
/// This many datagrams at once are a flood: then replies leave a few by one system call, and the last
/// of them some microseconds after its T3. Fewer leave one by one, each right after its T3.
const FLOOD: usize = 16;
const TOGETHER: usize = 4;
/// For so long after a batch the caches are warm.
const WARM: Duration = Duration::from_micros(500);

/// State of one socket of a reflector thread.
#[derive(Debug)]
pub(super) struct SocketState {
    /// Replies name their source address themselves.
    wildcard: bool,
    near: IpAddr,
    awaited: PendingStamps,
    /// The interface that it was bound to at first, by which all replies leave: not one of a VRF.
    link: Option<u32>,
    same_link: SameLink,
    /// The interface that the socket is bound to.
    following: Option<FollowedInterface>,
    /// The number that it had first, and has now: link-local senders are known by the first.
    zone: Option<(u32, u32)>,
}

impl SocketState {
    /// `follows`: it stays with its interface, should that be made again.
    pub(super) fn of(socket: &TestSocket, follows: bool) -> Self {
        let device = socket.device().filter(|_| follows);
        Self {
            wildcard: socket.local().ip().is_unspecified(),
            near: socket.local().ip(),
            awaited: PendingStamps::new(),
            link: socket.device().map(|device| device.index),
            same_link: SameLink::default(),
            following: device.map(FollowedInterface::of),
            zone: None,
        }
    }

    /// Whether it is bound to an interface, which may be made again.
    pub(super) fn follows(&self) -> bool {
        self.following.is_some()
    }

    /// Binds the socket to its interface again if that was made again, by `bind`: whether it was.
    pub(super) fn follow<E: std::fmt::Display>(
        &mut self,
        now: Mono,
        bind: impl FnOnce(u32) -> Result<(), E>,
    ) -> bool {
        let Some(following) = &mut self.following else {
            return false;
        };
        let (before, Some(index)) = (following.bound(), following.moved(now)) else {
            return false;
        };
        let is_bound = following.record_binding(index, now, bind(index));
        if is_bound {
            let (first, _) = self.zone.unwrap_or((before, before));
            self.zone = Some((first, index));
        }
        is_bound
    }

    /// How a reply with these effects is sent; `None`: the system would not send it so.
    fn way(&mut self, effects: &Effects, out: Outbound, now: Mono) -> Option<Outbound> {
        if !effects.same_link || self.link == Some(out.interface) {
            return Some(out);
        }
        let near = (!self.wildcard).then_some(self.near);
        self.same_link.outbound(out, near, now)
    }

    /// The same packet as it came before the interface was made again: from a link-local address of
    /// the zone's first number.
    fn as_before(&self, arrival: &Arrival) -> Option<Arrival> {
        let (first, now) = self.zone?;
        let SocketAddr::V6(mut from) = arrival.from else {
            return None;
        };
        if from.scope_id() != now {
            return None;
        }
        from.set_scope_id(first);
        Some(Arrival {
            from: from.into(),
            ..*arrival
        })
    }
}

/// Room for packets, and counts: one for each thread.
pub(super) struct Packets {
    batch: RecvBatch,
    host: HostView,
    paths: Paths,
    /// When the last batch was taken.
    taken: Mono,
    pub(super) error: ErrorEstimate,
    rungs: RungCounts,
    /// By how much T3 was advanced last, in nanoseconds; `None`: it never was.
    t3_advance_ns: Option<u64>,
    send_errors: u64,
    /// Replies that wait to be sent together: slot, octets and destination of each, what seals it, and by how
    /// much its T3 is advanced.
    ready: Vec<(usize, usize, Outbound)>,
    unsealed: Vec<(Reflection, Delta)>,
}

impl Packets {
    /// `raw_t3`: T3 is not advanced by the transmit latency.
    pub(super) fn new(raw_t3: bool) -> Self {
        Self {
            batch: RecvBatch::new(BATCH, SLOT_OCTETS),
            host: HostView::new(),
            paths: Paths::new(raw_t3),
            taken: Mono::from_ns(0),
            error: crate::error_estimate(),
            rungs: RungCounts::default(),
            t3_advance_ns: None,
            send_errors: 0,
            ready: Vec::with_capacity(TOGETHER),
            unsealed: Vec::with_capacity(TOGETHER),
        }
    }

    /// Its counts so far, and no others.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            send_errors: self.send_errors,
            rungs: self.rungs,
            t3_advance_ns: self.t3_advance_ns,
            ..Snapshot::default()
        }
    }

    /// Takes over what has changed of this host.
    pub(super) fn housekeeping(&mut self, engine: &mut SessionReflector) {
        if self.host.refresh() {
            engine.set_host(Arc::clone(self.host.host()));
        }
    }

    /// Takes a batch from one socket and answers it. How many datagrams there were.
    pub(super) fn reflect_batch(
        &mut self,
        socket: &TestSocket,
        state: &mut SocketState,
        engine: &mut SessionReflector,
        now: Mono,
    ) -> io::Result<usize> {
        let count = socket.receive(&mut self.batch)?;
        // What a request may ask for comes before it is answered.
        if count > 0 && state.awaited.has_tokens() {
            self.take_stamps(socket, state, engine, now);
        }
        let together = if count >= FLOOD { TOGETHER } else { 1 };
        let followed = now.since(self.taken) < WARM;
        if count > 0 {
            self.taken = now;
        }
        for slot in 0..count {
            let Some((octets, received, arrival)) = self.batch.packet(slot) else {
                break;
            };
            self.rungs.record(arrival.at.rung);
            let before = state.as_before(arrival);
            let known = before.as_ref().unwrap_or(arrival);
            let Ok(mut reflection) = engine.reflect(now, octets, received, known) else {
                continue;
            };
            let host = self.host.host();
            let is_warm = followed || slot > 0;
            // The last one of a batch leaves soonest: the least latency is measured on it.
            let is_last = slot + 1 == count;
            // A stamp for each would halve the rate of a flood.
            reflection.token = reflection.token.filter(|_| is_last || count < FLOOD);
            let (stamp, timed, advance) =
                match self.paths.of(host, arrival, state.near, is_warm, now) {
                    Some((path, latency)) => {
                        let stamp = is_last && latency.wants_stamp(now);
                        let timed = is_last && latency.wants_time(stamp);
                        (stamp, timed.then_some(path), latency.advance(stamp, now))
                    }
                    None => (false, None, Delta::ZERO),
                };
            let effects = &reflection.effects;
            let is_alone = timed.is_some() || reflection.token.is_some() || effects.has_way();
            let out = Outbound {
                stamp: stamp || reflection.token.is_some(),
                ..outbound(arrival, reflection.tos, effects, state.wildcard)
            };
            if advance > Delta::ZERO {
                self.t3_advance_ns = Some(advance.abs_ns());
            }
            self.ready.push((slot, reflection.octets, out));
            self.unsealed.push((reflection, advance));
            if is_alone {
                self.send_alone(socket, state, engine, timed, now);
            } else if self.ready.len() >= together {
                self.send_ready(socket, engine);
            }
        }
        self.send_ready(socket, engine);
        self.take_stamps(socket, state, engine, now);
        Ok(count)
    }

    /// Takes the stamps of replies that left.
    fn take_stamps(
        &mut self,
        socket: &TestSocket,
        state: &mut SocketState,
        engine: &mut SessionReflector,
        now: Mono,
    ) {
        if state.awaited.is_empty() {
            return;
        }
        socket.drain_errors(&mut |told| match told {
            QueueEvent::Sent { key, stamp } if stamp.rung == Rung::Kernel => {
                let Some(sent) = state.awaited.take(key) else {
                    return;
                };
                if let Some(path) = sent.path {
                    self.paths.left(path, stamp.at - sent.t3, now);
                }
                if let Some(token) = sent.token {
                    engine.handle_reply_sent(token, stamp);
                }
            }
            // A client that went away; a rung that is not the one waited for.
            QueueEvent::Sent { .. } | QueueEvent::Icmp(_) => {}
        });
    }

    /// Sends the reply that was made ready last alone, behind those before it. Times it if it leaves by a
    /// path. Where the system refuses the way that it was asked to go, it goes the ordinary one.
    fn send_alone(
        &mut self,
        socket: &TestSocket,
        state: &mut SocketState,
        engine: &mut SessionReflector,
        timed: Option<Path>,
        now: Mono,
    ) {
        let (last, unsealed) = (self.ready.pop(), self.unsealed.pop());
        self.send_ready(socket, engine);
        let (Some((slot, octets, out)), Some((mut reflection, advance))) = (last, unsealed) else {
            return;
        };
        let error = self.error;
        let Some((packet, _, arrival)) = self.batch.packet(slot) else {
            return;
        };
        let Some(reply) = packet.get_mut(..octets) else {
            return;
        };
        let seal_and_send = |engine: &SessionReflector, how: &Reflection, reply: &mut [u8], out| {
            let t3 = clock::wall();
            engine.seal(how, reply, t3 + advance, error);
            socket.send(reply, &out).ok().map(|key| (t3, key))
        };
        let way = state.way(&reflection.effects, out, now);
        let mut sent = way.and_then(|out| seal_and_send(engine, &reflection, reply, out));
        if sent.is_none() && reflection.effects.has_way() {
            engine.withdraw_way(&mut reflection, reply, arrival.from.ip());
            let ordinary = Outbound {
                stamp: out.stamp,
                ..outbound(arrival, reflection.tos, &reflection.effects, state.wildcard)
            };
            sent = seal_and_send(engine, &reflection, reply, ordinary);
        }
        let Some((t3, key)) = sent else {
            self.send_errors += 1;
            return;
        };
        if let Some(path) = timed {
            let took = clock::wall() - t3;
            self.paths.returned(path, key.is_some(), took, now);
        }
        if let Some(key) = key {
            let (path, token) = (timed, reflection.token);
            state.awaited.add(key, SentReply { t3, path, token });
        }
    }

    /// Reads T3 for each reply that is ready, and lets them go together.
    fn send_ready(&mut self, socket: &TestSocket, engine: &SessionReflector) {
        for ((slot, octets, _), (reflection, advance)) in self.ready.iter().zip(&self.unsealed) {
            if let Some((packet, ..)) = self.batch.packet(*slot)
                && let Some(reply) = packet.get_mut(..*octets)
            {
                engine.seal(reflection, reply, clock::wall() + *advance, self.error);
            }
        }
        let failed = socket.send_from(&mut self.batch, &self.ready);
        self.ready.clear();
        self.unsealed.clear();
        self.send_errors += u64::try_from(failed).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests;
