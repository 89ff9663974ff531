//! Packets that are due, out of the sessions and into the sockets.

use twinpath_net::{Outbound, clock};
use twinpath_wire::Mono;

use super::turn::{DEPARTURES, SharedLoop};
use crate::measure::SessionId;

impl SharedLoop {
    /// Sends what is due, as much as leaves at once. Returns when it looked.
    pub(super) fn transmit(&mut self) -> Mono {
        let now = clock::mono();
        let mut due = std::mem::take(&mut self.due);
        self.take_due(&mut due, now);
        for together in due.chunk_by(|one, next| one.0 == next.0) {
            self.send_together(together, now);
        }
        for (_, id) in due.drain(..) {
            if !self.arm(id) {
                self.touch(id);
            }
        }
        self.due = due;
        now
    }

    /// The sessions whose packets are due, as many as leave at once: those of one socket after each other.
    fn take_due(&mut self, due: &mut Vec<(usize, SessionId)>, now: Mono) {
        while due.len() < DEPARTURES {
            let prompt = self.prompt.next().filter(|due| *due <= now);
            let earlier = match (prompt, self.slow.next()) {
                (Some(prompt), Some(slow)) if slow < prompt => &mut self.slow,
                (Some(_), _) => &mut self.prompt,
                (None, _) => &mut self.slow,
            };
            let Some((at, id)) = earlier.pop(now) else {
                break;
            };
            if let Some(member) = self.members.get_mut(id)
                && member.departure == Some(at)
            {
                member.departure = None;
                due.push((member.lease.place, id));
            }
        }
        due.sort_by_key(|(place, _)| *place);
    }

    /// Sends one packet of each session, all of them by one socket.
    fn send_together(&mut self, together: &[(usize, SessionId)], now: Mono) {
        let place = together.first().map_or(0, |(place, _)| *place);
        let (Some(socket), Some(Some(state))) = (self.set.get(place), self.sockets.get_mut(place))
        else {
            return;
        };
        for (_, id) in together {
            let slot = self.packets.len();
            if let (Some(member), Some(octets)) = (self.members.get_mut(*id), self.send.slot(slot))
                && let Some(transmit) = member.session.prepare(now, octets)
            {
                self.packets.push((*id, transmit));
            }
        }
        let count = self.packets.len();
        for (slot, (id, transmit)) in self.packets.drain(..).enumerate() {
            let octets = transmit.octets;
            if let (Some(member), Some(packet)) = (self.members.get_mut(id), self.send.slot(slot))
                && let Some(packet) = packet.get_mut(..octets)
            {
                let (token, now) = member.session.finish(packet, transmit);
                self.send
                    .set(slot, octets, Outbound::stamped(member.session.plan.far));
                self.leaving.push(Some((id, token, now)));
            } else {
                self.leaving.push(None);
            }
        }
        let (members, leaving) = (&mut self.members, &mut self.leaving);
        socket.send_batch(&mut self.send, 0..count, &mut |slot, result| {
            let Some((id, token, now)) = leaving.get_mut(slot).and_then(Option::take) else {
                return;
            };
            let Some(member) = members.get_mut(id) else {
                return;
            };
            match result {
                Ok(key) => {
                    if let Some(key) = key {
                        state.departures.left(key, id, token, now.wall);
                    }
                    member.session.sent(now);
                }
                Err(error) => member.session.refused(token, now, error),
            }
        });
        self.leaving.clear();
    }
}
