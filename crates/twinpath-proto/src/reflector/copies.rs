//! The replies of a Session-Reflector that follow the first one to a request, where Reflected Test
//! Packet Control asks for several (RFC 10052 section 3; rows SL-53, SL-57): each has its own number,
//! times and HMACs.

use std::time::Duration;

use twinpath_wire::{Arrival, Mono, nanoseconds};

use super::bursts::Burst;
use super::engine::SessionReflector;
use super::reply::Reflection;

/// A further reply to a request.
#[derive(Clone, Debug)]
pub struct ReplyCopy {
    /// To be sealed and sent as the first.
    pub reflection: Reflection,
    /// How the request arrived.
    pub arrival: Arrival,
}

impl SessionReflector {
    /// The first reply to a request left at `now`: those that are to follow leave by the same `socket`,
    /// which is any number of the caller's.
    pub fn add_copies(
        &mut self,
        now: Mono,
        reflection: &Reflection,
        reply: &[u8],
        arrival: &Arrival,
        socket: u64,
    ) {
        let effects = reflection.effects();
        let (left, Some(replies)) = (effects.copies(), effects.replies) else {
            return;
        };
        let Some(sessions) = self.unnegotiated.as_mut().filter(|_| left > 0) else {
            return;
        };
        let interval = Duration::from_nanos(replies.interval_ns.into());
        let burst = Burst {
            reply: reply.into(),
            reflection: reflection.clone(),
            arrival: *arrival,
            socket,
            interval,
            left,
        };
        self.counters.control.copies_not_sent += sessions.bursts.add(now + interval, burst);
    }

    /// The socket of a further reply that is due.
    pub fn next_copy(&self, now: Mono) -> Option<u64> {
        let (due, socket) = self.unnegotiated.as_ref()?.bursts.next()?;
        (due <= now).then_some(socket)
    }

    /// Writes the further reply that is due into `buffer`, but for T3 and what depends on it. Whether it left is
    /// for [`Self::handle_copy_sent`] to say. `None`: it is not sent, which is counted.
    pub fn write_copy(&mut self, now: Mono, buffer: &mut [u8]) -> Option<ReplyCopy> {
        let sessions = self.unnegotiated.as_mut()?;
        let (due, mut burst) = sessions.bursts.take()?;
        let counters = &mut self.counters.control;
        let rates = self.rates.as_ref();
        let is_admitted = rates.is_none_or(|rates| rates.admits(burst.arrival.from.ip(), now));
        let room = buffer.get_mut(..burst.reply.len());
        let Some(reply) = room.filter(|_| !is_admitted || sessions.renew(&mut burst)) else {
            counters.copies_not_sent += u64::from(burst.left);
            return None;
        };
        if is_admitted {
            reply.copy_from_slice(&burst.reply);
        } else {
            counters.copies_not_sent += 1;
        }
        let late = now.since(due);
        counters.latest_copy_ns = counters.latest_copy_ns.max(nanoseconds::of(late));
        let copy = ReplyCopy {
            reflection: burst.reflection.clone(),
            arrival: burst.arrival,
        };
        burst.left -= 1;
        if burst.left > 0 {
            let mut next = due + burst.interval;
            if next <= now {
                // What is late is not caught up with.
                counters.copies_late += 1;
                next = now + burst.interval;
            }
            counters.copies_not_sent += sessions.bursts.add(next, burst);
        }
        is_admitted.then_some(copy)
    }

    /// The further reply that was written last left, or the system refused to send it.
    pub fn handle_copy_sent(&mut self, has_left: bool) {
        let counters = &mut self.counters.control;
        counters.copies += u64::from(has_left);
        counters.copies_not_sent += u64::from(!has_left);
    }

    /// Ends the further replies by a socket, or all. Those that are not sent are counted.
    pub fn end_copies(&mut self, socket: Option<u64>) {
        if let Some(sessions) = &mut self.unnegotiated {
            self.counters.control.copies_not_sent += sessions.bursts.end(socket);
        }
    }
}
