//! What sockets have, to the sessions that it belongs to.

use twinpath_net::{EVENTS_AT_ONCE, IcmpError, QueueEvent};
use twinpath_proto::ClockPair;
use twinpath_wire::{Rung, Stamp};

use super::turn::{Member, SharedLoop};
use crate::measure::session::pair;

/// Batches taken from a socket in a row, so that a flood cannot keep the thread from the rest.
const ROUNDS: usize = 16;

impl SharedLoop {
    pub(super) fn read_sockets(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for place in ready.drain(..) {
            self.read_socket(place);
        }
        self.ready = ready;
    }

    /// Reads stamps and packets; stamps first, for a reply may be there with its packet's.
    fn read_socket(&mut self, place: usize) {
        for _ in 0..ROUNDS {
            let Some(socket) = self.set.get(place) else {
                return;
            };
            self.events.clear();
            let events = &mut self.events;
            let stamps = socket.take_events(&mut |event| events.push(event));
            let count = socket.receive(&mut self.batch).unwrap_or(0);
            let now = pair();
            let mut events = std::mem::take(&mut self.events);
            for event in events.drain(..) {
                match event {
                    QueueEvent::Sent { key, stamp } => self.take_stamp(place, key, stamp, now),
                    QueueEvent::Icmp(error) => self.take_icmp(place, &error, now),
                }
            }
            self.events = events;
            for index in 0..count {
                self.take_datagram(place, index, now);
            }
            // Packets must not keep the thread from its departures.
            self.transmit();
            if count < self.batch.slots() && stamps < EVENTS_AT_ONCE {
                return;
            }
        }
    }

    fn take_stamp(&mut self, place: usize, key: u32, stamp: Stamp, now: ClockPair) {
        let Some(Some(state)) = self.sockets.get_mut(place) else {
            return;
        };
        let (members, mut stamped) = (&mut self.members, None);
        let is_best = state.departures.stamped(key, stamp, |it| {
            if let Some(member) = members.get_mut(it.session) {
                member.session.handle_clock(now);
                member.session.handle_tx_stamp(it.token, it.stamp, it.wait);
                stamped = Some(it.session);
            }
        });
        if is_best && let Some(socket) = self.set.get(place) {
            socket.drop_lower_transmit_rung();
        }
        if let Some(id) = stamped {
            self.touch(id);
        }
    }

    fn take_icmp(&mut self, place: usize, error: &IcmpError, now: ClockPair) {
        let to = error
            .to
            .and_then(|to| self.demultiplexer.session(place, to));
        if let Some(id) = to
            && let Some(member) = self.members.get_mut(id)
        {
            member.session.handle_clock(now);
            member.session.handle_icmp(error);
        }
    }

    fn take_datagram(&mut self, place: usize, index: usize, now: ClockPair) {
        let Some((octets, received, arrival)) = self.batch.packet(index) else {
            return;
        };
        let octets = octets.get(..received).unwrap_or_default();
        let known = self.demultiplexer.session(place, arrival.from);
        let members = &self.members;
        let answers = |member: &Member| member.session.engine.is_answered_by(octets);
        let is_shared = matches!(self.sockets.get(place), Some(Some(it)) if it.sessions > 1);
        let its_own = known.filter(|id| !is_shared || members.get(*id).is_some_and(answers));
        let its_own = its_own.or_else(|| {
            // Perhaps another session's packet, which its far end answers from elsewhere.
            if !self.demultiplexer.may_search(members.len(), now.mono) {
                return None;
            }
            let mut all = members.iter();
            let found = all.find(|(_, it)| it.lease.place == place && answers(it));
            found.map(|(id, _)| id)
        });
        let id = its_own.or(known);
        let Some(id) = id else { return };
        if let Some(member) = self.members.get_mut(id) {
            member.session.handle_clock(now);
            member.session.handle_reply(octets, arrival, now);
            self.reads_at_once |= arrival.at.rung == Rung::User;
        }
        self.touch(id);
    }
}
