//! One session on a thread of its own: deadline-exact without burning a core.
//!
//! Kernel stamps tell when replies came, so they need not be read at once: towards a departure the
//! thread sleeps on the clock alone, and what arrived meanwhile is read after it. Where stamps are
//! taken in user space it waits for packets instead, and reads them as they come.

mod wait;

use std::sync::Arc;

use twinpath_net::{Outbound, QueueEvent, RecvBatch, SendBatch, SocketSet, TestSocket, clock};
use twinpath_proto::ClockPair;
use twinpath_proto::sender::{Transmit, TxToken};
use twinpath_wire::Mono;

use super::SessionId;
use super::departures::Departures;
use super::report::{Ended, SocketEnd};
use super::session::{Session, pair};
use crate::error::RunError;
use crate::interfaces::FollowedInterface;

/// Datagrams taken or sent at once.
const BATCH: usize = 64;
/// Room for the largest datagram there is. Only pages that packets touch cost memory.
const SLOT_OCTETS: usize = 1 << 16;
/// Batches taken in a row, so that a flood cannot keep the thread from the rest of its work.
const ROUNDS: usize = 16;
/// Batches sent in a row, likewise: those of a burst, where all that came before is read.
const BURST: usize = 8;

/// The place of a session's socket in its set.
pub(super) const ONLY: usize = 0;

/// A session and its socket.
pub(super) struct ExactLoop {
    session: Session,
    sockets: SocketSet,
    /// What a wait reports: there is one socket only.
    ready: Vec<usize>,
    departures: Departures,
    /// Stamps of departures are waited for.
    awaiting_stamps: bool,
    batch: RecvBatch,
    events: Vec<QueueEvent>,
    is_all_read: bool,
    send: SendBatch,
    /// Packets in the batch's slots: made, and with their T1.
    packets: Vec<Transmit>,
    leaving: Vec<Option<(TxToken, ClockPair)>>,
    /// The interface of the socket.
    socket_follows: Option<FollowedInterface>,
}

impl ExactLoop {
    pub(super) fn new(session: Session, sockets: SocketSet) -> Self {
        let socket = sockets.get(ONLY);
        let device = socket.and_then(TestSocket::device);
        Self {
            send: SendBatch::new(BATCH, SLOT_OCTETS),
            packets: Vec::with_capacity(BATCH),
            leaving: Vec::with_capacity(BATCH),
            socket_follows: device.map(FollowedInterface::of),
            awaiting_stamps: socket.is_some_and(TestSocket::has_transmit_stamps),
            session,
            sockets,
            ready: Vec::new(),
            departures: Departures::default(),
            batch: RecvBatch::new(BATCH, SLOT_OCTETS),
            events: Vec::with_capacity(BATCH),
            is_all_read: true,
        }
    }

    /// Until all is sent and every figure is observed to its end, or the session is abandoned.
    pub(super) fn run(mut self) -> Result<Arc<Ended>, RunError> {
        clock::minimize_timer_slack();
        loop {
            self.follow(clock::mono());
            let most = if self.is_all_read { BURST } else { 1 };
            self.transmit(most);
            self.is_all_read = self.take_arrivals()?;
            let now = clock::mono();
            self.session.handle_timeout(now);
            self.give_up_missing_stamps();
            let Some(next) = self.session.poll_timeout() else {
                break;
            };
            self.wait(next, now);
        }
        self.session.take_samples();
        let socket = self.sockets.get(ONLY).ok_or(RunError::Fault)?;
        let socket = SocketEnd::of(socket, &self.departures);
        Ok(Arc::new(Ended::new(self.session, socket)))
    }

    /// Binds the socket again if its interface was made again, and sends to the far end by the
    /// interface of its zone.
    fn follow(&mut self, now: Mono) {
        let is_bound = self.socket_follows.is_some();
        self.session.follow_far_end(now, is_bound);
        if let Some(following) = &mut self.socket_follows
            && let Some(index) = following.moved(now)
        {
            let before = following.bound();
            if following.record_binding(index, now, self.sockets.bind_again(ONLY, index)) {
                self.session.rebound(before, index);
            }
        }
    }

    /// Sends what is due, `most` batches at once. Where more is due than the thread can do, departures are
    /// late and skipped, but no reply and no timestamp is left unread.
    fn transmit(&mut self, most: usize) {
        for _ in 0..most {
            self.prepare(clock::mono());
            let is_all = self.packets.len() < BATCH;
            self.depart();
            if is_all {
                return;
            }
        }
    }

    /// Makes the packets that are due at `now`, a batch at most.
    fn prepare(&mut self, now: Mono) {
        while self.packets.len() < BATCH
            && let Some(octets) = self.send.slot(self.packets.len())
            && let Some(transmit) = self.session.prepare(now, octets)
        {
            self.packets.push(transmit);
        }
    }

    /// Writes T1 into the packets that are ready, and lets them go.
    fn depart(&mut self) {
        let out = Outbound::stamped(self.session.plan.far);
        for (slot, transmit) in self.packets.drain(..).enumerate() {
            let octets = transmit.octets;
            if let Some(packet) = self.send.slot(slot).and_then(|slot| slot.get_mut(..octets)) {
                let (token, now) = self.session.finish(packet, transmit);
                self.send.set(slot, octets, out);
                self.leaving.push(Some((token, now)));
            }
        }
        let (session, departures) = (&mut self.session, &mut self.departures);
        let leaving = &mut self.leaving;
        let count = leaving.len();
        let mut sent = |slot: usize, result| {
            let Some((token, now)) = leaving.get_mut(slot).and_then(Option::take) else {
                return;
            };
            match result {
                Ok(key) => {
                    if let Some(key) = key {
                        departures.left(key, SessionId::default(), token, now.wall);
                    }
                    session.sent(now);
                }
                Err(error) => session.refused(token, now, error),
            }
        };
        if let Some(socket) = self.sockets.get(ONLY) {
            socket.send_batch(&mut self.send, 0..count, &mut sent);
        }
        self.leaving.clear();
    }

    /// Reads stamps and packets; stamps first, for a reply may be there with its packet's. Whether these are
    /// all.
    fn take_arrivals(&mut self) -> Result<bool, RunError> {
        for _ in 0..ROUNDS {
            let socket = self.sockets.get(ONLY).ok_or(RunError::Fault)?;
            self.events.clear();
            let events = &mut self.events;
            let stamps = socket.drain_errors(&mut |event| events.push(event));
            let count = socket.receive(&mut self.batch).map_err(RunError::Receive)?;
            let now = pair();
            self.session.handle_clock(now);
            for event in self.events.drain(..) {
                match event {
                    QueueEvent::Sent { key, stamp } => {
                        let session = &mut self.session;
                        let is_best = self.departures.stamped(key, stamp, |it| {
                            session.handle_tx_stamp(it.token, it.stamp, it.wait);
                        });
                        if is_best {
                            socket.drop_lower_transmit_rung();
                        }
                    }
                    QueueEvent::Icmp(error) => self.session.handle_icmp(&error),
                }
            }
            for index in 0..count {
                let Some((octets, received, arrival)) = self.batch.packet(index) else {
                    break;
                };
                let octets = octets.get(..received).unwrap_or_default();
                self.session.handle_reply(octets, arrival, now);
            }
            if count < self.batch.slots() && stamps < BATCH {
                return Ok(true);
            }
            // A flood of packets must not keep the thread from its departures.
            self.session.take_samples();
            self.transmit(1);
        }
        Ok(false)
    }

    fn give_up_missing_stamps(&mut self) {
        if self.awaiting_stamps && self.departures.lack_stamps() {
            self.awaiting_stamps = false;
            self.session.stop_expecting_stamps();
        }
    }
}
