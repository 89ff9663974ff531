//! Waiting for the next departure or for packets, whichever the sender can do without being late.

use std::time::Duration;

use twinpath_net::clock;
use twinpath_wire::Mono;

use super::ExactLoop;
use crate::interfaces::LOOK_EVERY;

/// Nearer to a departure than this the thread sleeps on the clock alone.
const SLEEP_MARGIN: Duration = Duration::from_millis(1);
/// With `--spin`, how long before a departure the thread stops sleeping: a processor that idled
/// just now is slow for longer than a millisecond.
const SPIN: Duration = Duration::from_millis(20);
/// Spinning, how long before a departure the thread does nothing else.
const SPIN_ONLY_BEFORE_SEND: Duration = Duration::from_micros(20);
/// Packets that follow each other faster than this leave no time for sleep.
const DENSE_INTERVAL: Duration = Duration::from_micros(100);
/// With user-space stamps, how long before a departure the thread stops looking for packets.
const NO_READ_BEFORE_SEND: Duration = Duration::from_micros(100);

impl ExactLoop {
    /// Until `next`, when the engine has something to do, or until packets come.
    pub(super) fn wait(&mut self, next: Mono, now: Mono) {
        let follows = self.socket_follows.is_some() || self.session.follows_far_end();
        let next = if follows {
            next.min(now + LOOK_EVERY)
        } else {
            next
        };
        let Some(due) = self.session.next_due() else {
            self.sockets.wait(next, &mut self.ready);
            return;
        };
        let margin = if self.session.reads_at_once() {
            NO_READ_BEFORE_SEND
        } else {
            SLEEP_MARGIN
        };
        let spin = self.session.plan.spin;
        let awake = if spin { margin.max(SPIN) } else { margin };
        let is_dense = self.session.plan.schedule.mean_interval() < DENSE_INTERVAL;
        if now + awake < due {
            let until = next.min(due - awake);
            self.sockets.wait(until, &mut self.ready);
        } else if spin && now + SPIN_ONLY_BEFORE_SEND < due {
            // The loop itself is the spin: it reads what comes, and keeps all that a departure needs
            // in the caches.
        } else if !spin
            && is_dense
            && now + SPIN_ONLY_BEFORE_SEND < due
            && due < now + DENSE_INTERVAL
        {
            // A sleep would last longer than what is left.
        } else if now < due {
            // The packet is made while there is time: then only T1 is left to do.
            self.prepare(due);
            if spin {
                while clock::mono() < due {
                    std::hint::spin_loop();
                }
            } else {
                clock::sleep_until(due);
            }
            self.depart();
        }
    }
}
