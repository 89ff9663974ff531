//! The packet loop of every reflector thread: batch in, replies out, T3 read per packet right before
//! the send.

use std::io;
use std::net::{IpAddr, SocketAddr};

use twinpath_metrics::RungCounts;
use twinpath_net::{Outbound, RecvBatch, TestSocket, clock};
use twinpath_proto::extension::{Effects, Host};
use twinpath_proto::reflector::{Ignored, ReplyCopy, SessionReflector, Verified};
use twinpath_wire::{Arrival, Mono};

use crate::interfaces::FollowedInterface;

use super::MemberLinks;
use super::Snapshot;
use super::departures::{Departures, Leaving};
use super::one_way::{OneWayReport, OneWaySessions};
use super::outbound::SameLink;
use super::paths::PendingStamps;

/// Datagrams taken at once, at most.
const BATCH: usize = 64;
/// Room for the largest datagram there is. Only pages that packets touch cost memory.
const SLOT_OCTETS: usize = 1 << 16;
/// This many datagrams at once are a flood: then replies leave a few by one system call, and the last
/// of them some microseconds after its T3. Fewer leave one by one, each right after its T3.
const FLOOD: usize = 16;
/// While few come, room is made for few: enough for the first batch of a flood to be one.
const SMALL_BATCH: usize = FLOOD;
const TOGETHER: usize = 4;

/// State of one socket of a reflector thread.
#[derive(Debug)]
pub(super) struct SocketState {
    /// No other socket of the thread has or had it.
    pub(super) id: u64,
    /// Replies name their source address themselves.
    pub(super) wildcard: bool,
    /// It gets what comes by one member of a link, which a UDP socket gets as well.
    is_over_member: bool,
    /// The links whose members have sockets like that.
    member_links: MemberLinks,
    pub(super) near: IpAddr,
    pub(super) awaited: PendingStamps,
    /// The interface that it was bound to at first, by which all replies leave: not one of a VRF.
    link: Option<u32>,
    same_link: SameLink,
    /// Packets were asked to tell by which interface they came.
    reports_interface: bool,
    /// The interface that the socket is bound to.
    following: Option<FollowedInterface>,
    /// The number that it had first, and has now: link-local senders are known by the first.
    zone: Option<(u32, u32)>,
}

impl SocketState {
    /// `follows`: it stays with its interface, should that be made again.
    pub(super) fn of(
        socket: &TestSocket,
        id: u64,
        follows: bool,
        member_links: &MemberLinks,
    ) -> Self {
        let device = socket.device().filter(|_| follows);
        Self {
            id,
            wildcard: socket.local().ip().is_unspecified() || socket.is_over_member(),
            is_over_member: socket.is_over_member(),
            member_links: member_links.clone(),
            near: socket.local().ip(),
            awaited: PendingStamps::new(),
            link: socket.device().map(|device| device.index),
            same_link: SameLink::default(),
            reports_interface: false,
            following: device.map(FollowedInterface::of),
            zone: None,
        }
    }

    /// TLVs may ask for what depends on the interface that a request came by: from now on each packet tells
    /// it. The first of them is taken to have come by the interface that has its destination address.
    fn report_interface(&mut self, socket: &TestSocket) {
        if !std::mem::replace(&mut self.reports_interface, true) {
            // Where the system refuses, that assumption stays.
            let _refused = socket.report_interface();
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

    /// What was verified of a request to tell that it is answered by this socket, and not by the other one
    /// that gets it as well; `None`: it is for the other.
    fn takes(
        &mut self,
        engine: &SessionReflector,
        host: &Host,
        request: &[u8],
        arrival: &Arrival,
        now: Mono,
    ) -> Option<Verified> {
        if self.is_over_member {
            // What is to be forwarded comes by a member too.
            let mut own = arrival.from;
            own.set_ip(arrival.to?);
            if !host.has(own) {
                return None;
            }
        } else if !self.member_links.have(arrival.interface, now) {
            return Some(Verified::default());
        }
        engine.takes(now, request, arrival, self.is_over_member)
    }

    /// How a reply with these effects is sent; `None`: the system would not send it so.
    pub(super) fn way(&mut self, effects: &Effects, out: Outbound, now: Mono) -> Option<Outbound> {
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
    /// Datagrams that are taken next, at most.
    room: usize,
    /// Room for a further reply to a request.
    copy: Box<[u8]>,
    pub(super) departures: Departures,
    rungs: RungCounts,
    one_way: Box<OneWaySessions>,
    /// Replies that wait to be sent together: slot of each, and how it leaves.
    ready: Vec<(usize, Leaving)>,
}

impl Packets {
    /// `raw_t3`: T3 is not advanced by the transmit latency.
    pub(super) fn new(raw_t3: bool) -> Self {
        Self {
            batch: RecvBatch::new(BATCH, SLOT_OCTETS),
            room: BATCH,
            copy: vec![0; SLOT_OCTETS].into(),
            departures: Departures::new(raw_t3),
            rungs: RungCounts::default(),
            one_way: Box::default(),
            ready: Vec::with_capacity(TOGETHER),
        }
    }

    /// Its counts so far, and no others.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            rungs: self.rungs,
            ..self.departures.snapshot()
        }
    }

    /// Sessions whose packets want no reply.
    pub(super) fn one_way(&self) -> OneWayReport {
        self.one_way.report(crate::clock_state())
    }

    /// Takes a batch from one socket and answers it. How many datagrams there were.
    pub(super) fn reflect_batch(
        &mut self,
        socket: &TestSocket,
        state: &mut SocketState,
        engine: &mut SessionReflector,
        now: Mono,
    ) -> io::Result<usize> {
        let count = socket.receive_up_to(self.room, &mut self.batch)?;
        self.room = (2 * count).clamp(SMALL_BATCH, BATCH);
        // What a request may ask for comes before it is answered.
        if count > 0 && state.awaited.has_tokens() {
            self.departures.take_stamps(socket, state, engine, now);
        }
        let together = if count >= FLOOD { TOGETHER } else { 1 };
        let followed = count > 0 && self.departures.follows(now);
        for slot in 0..count {
            let Some((octets, received, arrival)) = self.batch.packet(slot) else {
                break;
            };
            let request = octets.get(..received).unwrap_or_default();
            let host = self.departures.host.host();
            let Some(verified) = state.takes(engine, host, request, arrival, now) else {
                continue;
            };
            self.rungs.record(arrival.at.rung);
            let before = state.as_before(arrival);
            let known = before.as_ref().unwrap_or(arrival);
            let answer = engine.reflect_verified(now, octets, received, known, verified);
            let mut reflection = match answer {
                Ok(reflection) => reflection,
                Err(Ignored::NoReplyWanted) => {
                    self.one_way.record(engine.take_one_way(), now);
                    continue;
                }
                Err(Ignored::RateLimited) => {
                    if let Some(refused) = engine.take_one_way() {
                        self.one_way.record(Some(refused), now);
                    }
                    continue;
                }
                Err(_) => continue,
            };
            if reflection.has_tlvs {
                state.report_interface(socket);
            }
            let is_warm = followed || slot > 0;
            // The last one of a batch leaves soonest: the least latency is measured on it.
            let is_last = slot + 1 == count;
            // A stamp for each would halve the rate of a flood.
            reflection.token = reflection.token.filter(|_| is_last || count < FLOOD);
            let leaving = self
                .departures
                .plan(state, arrival, reflection, (is_warm, is_last), now);
            let is_alone = leaving.is_alone();
            self.ready.push((slot, leaving));
            if is_alone {
                self.send_alone(socket, state, engine, now);
            } else if self.ready.len() >= together {
                self.send_ready(socket, engine);
            }
        }
        self.send_ready(socket, engine);
        self.departures.take_stamps(socket, state, engine, now);
        Ok(count)
    }

    /// Sends the reply that was made ready last alone, behind those before it. Others to the same request
    /// may follow.
    fn send_alone(
        &mut self,
        socket: &TestSocket,
        state: &mut SocketState,
        engine: &mut SessionReflector,
        now: Mono,
    ) {
        let last = self.ready.pop();
        self.send_ready(socket, engine);
        if let Some((slot, leaving)) = last
            && let Some((packet, _, arrival)) = self.batch.packet(slot)
            && let Some(reply) = packet.get_mut(..leaving.octets())
        {
            let by = (socket, &mut *state);
            let (sent, _) = self
                .departures
                .send(by, engine, reply, arrival, leaving, now);
            if sent.effects().copies() > 0 {
                engine.add_copies(clock::mono(), &sent, reply, arrival, state.id);
            }
        }
    }

    /// Sends a further reply to a request, which is due.
    pub(super) fn send_copy(
        &mut self,
        socket: &TestSocket,
        state: &mut SocketState,
        engine: &mut SessionReflector,
        now: Mono,
    ) {
        if state.awaited.has_tokens() {
            self.departures.take_stamps(socket, state, engine, now);
        }
        let Some(copy) = engine.write_copy(now, &mut self.copy) else {
            return;
        };
        let ReplyCopy {
            reflection,
            arrival,
        } = copy;
        let is_warm = self.departures.follows(now);
        let leaving = self
            .departures
            .plan(state, &arrival, reflection, (is_warm, true), now);
        let has_left = self.copy.get_mut(..leaving.octets()).is_some_and(|reply| {
            let by = (socket, state);
            let (_, has_left) = (self.departures).send(by, engine, reply, &arrival, leaving, now);
            has_left
        });
        engine.handle_copy_sent(has_left);
    }

    /// Reads T3 for each reply that is ready, and lets them go together.
    fn send_ready(&mut self, socket: &TestSocket, engine: &mut SessionReflector) {
        for (slot, leaving) in &self.ready {
            if let Some((packet, ..)) = self.batch.packet(*slot)
                && let Some(reply) = packet.get_mut(..leaving.octets())
            {
                self.departures.seal(engine, leaving, reply);
            }
        }
        let ready = self.ready.iter();
        let replies = ready.map(|(slot, leaving)| (*slot, leaving.octets(), &leaving.out));
        socket.send_from(&mut self.batch, replies, &mut |failed| {
            self.departures.send_errors += 1;
            if let Some((_, leaving)) = self.ready.iter().find(|(slot, _)| *slot == failed) {
                engine.handle_reply_not_sent(leaving.reflection());
            }
        });
        self.ready.clear();
    }
}

#[cfg(test)]
mod tests;
