//! Replies on their way out: T3 read right before the send, and advanced by the transmit latency of the
//! path.

use std::sync::Arc;
use std::time::Duration;

use twinpath_net::{Outbound, QueueEvent, TestSocket, clock};
use twinpath_proto::reflector::{Reflection, SessionReflector};
use twinpath_wire::{Arrival, Delta, ErrorEstimate, Mono, Rung, Wall};

use super::Snapshot;
use super::host_watch::HostView;
use super::outbound::outbound;
use super::packets::SocketState;
use super::paths::{Path, Paths, SentReply};

/// For so long after a batch the caches are warm.
pub(super) const WARM: Duration = Duration::from_micros(500);

/// What a thread knows of departures, and counts of them.
pub(super) struct Departures {
    pub(super) host: HostView,
    pub(super) paths: Paths,
    /// When packets were answered last.
    answered: Mono,
    pub(super) error: ErrorEstimate,
    /// By how much T3 was advanced last, in nanoseconds; `None`: it never was.
    pub(super) t3_advance_ns: Option<u64>,
    pub(super) send_errors: u64,
}

/// A reply, and how it leaves.
pub(super) struct Leaving {
    reflection: Reflection,
    pub(super) out: Outbound,
    /// By how much its T3 is advanced.
    advance: Delta,
    /// The path whose latency it measures.
    timed: Option<Path>,
}

impl Leaving {
    pub(super) fn reflection(&self) -> &Reflection {
        &self.reflection
    }

    /// Octets of the reply.
    pub(super) fn octets(&self) -> usize {
        self.reflection.octets
    }

    /// It must not leave together with others.
    pub(super) fn is_alone(&self) -> bool {
        let reflection = &self.reflection;
        let effects = reflection.effects();
        let is_followed = reflection.token.is_some() || effects.copies() > 0;
        self.timed.is_some() || is_followed || effects.has_way()
    }
}

impl Departures {
    /// `raw_t3`: T3 is not advanced.
    pub(super) fn new(raw_t3: bool) -> Self {
        Self {
            host: HostView::new(),
            paths: Paths::new(raw_t3),
            answered: Mono::from_ns(0),
            error: crate::error_estimate(),
            t3_advance_ns: None,
            send_errors: 0,
        }
    }

    /// Its counts so far, and no others.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            send_errors: self.send_errors,
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

    /// Packets are answered now: whether others were shortly before, so that the caches are warm.
    pub(super) fn follows(&mut self, now: Mono) -> bool {
        let before = std::mem::replace(&mut self.answered, now);
        now.since(before) < WARM
    }

    /// How a reply leaves, with caches that are warm or not, and as the last of its batch or not.
    pub(super) fn plan(
        &mut self,
        state: &SocketState,
        arrival: &Arrival,
        reflection: Reflection,
        (is_warm, is_last): (bool, bool),
        now: Mono,
    ) -> Leaving {
        let host = self.host.host();
        let (stamp, timed, advance) = match self.paths.of(host, arrival, state.near, is_warm, now) {
            Some((path, latency)) => {
                let stamp = is_last && latency.wants_stamp(now);
                let timed = is_last && latency.wants_time(stamp);
                (stamp, timed.then_some(path), latency.advance(stamp, now))
            }
            None => (false, None, Delta::ZERO),
        };
        if advance > Delta::ZERO {
            self.t3_advance_ns = Some(advance.abs_ns());
        }
        let wants_stamp = stamp || reflection.token.is_some();
        let effects = reflection.effects();
        Leaving {
            out: outbound(
                arrival,
                reflection.tos,
                effects,
                state.wildcard,
                wants_stamp,
            ),
            reflection,
            advance,
            timed,
        }
    }

    /// Writes T3 and what depends on it. T3 as it was read.
    pub(super) fn seal(
        &self,
        engine: &SessionReflector,
        leaving: &Leaving,
        reply: &mut [u8],
    ) -> Wall {
        let t3 = clock::wall();
        engine.seal(&leaving.reflection, reply, t3 + leaving.advance, self.error);
        t3
    }

    /// Sends a reply alone. Times it if it leaves by a path. Where the system refuses the way that it was
    /// asked to go, it goes the ordinary one. The reply as it was sent, and whether it left.
    pub(super) fn send(
        &mut self,
        (socket, state): (&TestSocket, &mut SocketState),
        engine: &mut SessionReflector,
        reply: &mut [u8],
        arrival: &Arrival,
        mut leaving: Leaving,
        now: Mono,
    ) -> (Reflection, bool) {
        let seal_and_send =
            |engine: &SessionReflector, leaving: &Leaving, reply: &mut [u8], out| {
                let t3 = self.seal(engine, leaving, reply);
                socket.send(reply, &out).ok().map(|key| (t3, key))
            };
        let effects = leaving.reflection.effects();
        let (over_segments, has_way) = (effects.over_segments, effects.has_way());
        let mut way = state.way(effects, leaving.out, now);
        if over_segments && socket.set_segments(engine.segments()).is_err() {
            way = None;
        }
        let mut sent = way.and_then(|out| seal_and_send(engine, &leaving, reply, out));
        if over_segments {
            // It cannot fail: nothing is asked for.
            let _cleared = socket.set_segments(&[]);
        }
        if sent.is_none() && has_way {
            engine.withdraw_way(&mut leaving.reflection, reply, arrival.from.ip());
            let tos = leaving.reflection.tos;
            let effects = leaving.reflection.effects();
            let ordinary = outbound(arrival, tos, effects, state.wildcard, leaving.out.stamp);
            sent = seal_and_send(engine, &leaving, reply, ordinary);
        }
        let Leaving {
            reflection, timed, ..
        } = leaving;
        let Some((t3, key)) = sent else {
            self.send_errors += 1;
            engine.handle_reply_not_sent(&reflection);
            return (reflection, false);
        };
        if let Some(path) = timed {
            let took = clock::wall() - t3;
            self.paths.returned(path, key.is_some(), took, now);
        }
        if let Some(key) = key {
            let (path, token) = (timed, reflection.token);
            state.awaited.add(key, SentReply { t3, path, token });
        }
        (reflection, true)
    }

    /// Takes the stamps of replies that left.
    pub(super) fn take_stamps(
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
}
