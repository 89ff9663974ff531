//! One reflector thread: batch in, replies out, T3 read per packet right before the send.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twinpath_metrics::RungCounts;
use twinpath_net::{Outbound, RecvBatch, TestSocket, Told, Waiter, Waker, clock};
use twinpath_proto::reflector::{ReflectorConfig, SessionReflector};
use twinpath_wire::{Arrival, Delta, ErrorEstimate, Mono, Rung, TimeFormat};

use super::lag::Lag;
use super::{Shared, Snapshot};
use crate::ResponderPlan;
use crate::error::RunError;

/// Datagrams taken at once.
const BATCH: usize = 64;
/// Room for the largest datagram there is. Only pages that packets touch cost memory.
const SLOT_OCTETS: usize = 1 << 16;
/// How long a stopped thread goes on answering what has arrived.
const DRAIN: Duration = Duration::from_millis(100);
/// So many datagrams at once are a flood: then replies leave a few by one system call, and the last
/// of them some microseconds after its T3. Fewer leave one by one, each right after its T3.
const FLOOD: usize = 16;
const TOGETHER: usize = 4;
/// How often the thread says what it did.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);
/// How often it asks the clock's discipline for the Error Estimate.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
/// The longest wait: nothing but a packet needs the thread earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A socket and what the thread knows of it.
struct Port {
    socket: TestSocket,
    /// Replies name their source address themselves.
    wildcard: bool,
    lag: Lag,
}

/// What a reflector thread owns: nothing of it is shared but the snapshot.
pub(super) struct Body {
    ports: Vec<Port>,
    engine: SessionReflector,
    batch: RecvBatch,
    waiter: Waiter,
    shared: Arc<Shared>,
    raw_t3: bool,
    error: ErrorEstimate,
    clock_due: Mono,
    snapshot_due: Mono,
    rungs: RungCounts,
    send_errors: u64,
    /// Replies that wait to be sent together: slot, octets and way of each.
    ready: Vec<(usize, usize, Outbound)>,
}

impl Body {
    pub(super) fn new(
        plan: &ResponderPlan,
        threads: usize,
        sockets: Vec<TestSocket>,
        shared: Arc<Shared>,
    ) -> io::Result<(Self, Waker)> {
        let (waiter, waker) = Waiter::new()?;
        let config = ReflectorConfig {
            speaks: plan.speaks,
            stateful: plan.stateful,
            max_sessions: plan.max_sessions.div_ceil(threads),
            idle: plan.idle,
            padding: plan.padding,
            allow_larger_replies: plan.allow_larger_replies,
            allow: plan.allow.clone(),
            max_rate_pps: plan.max_rate_pps,
            dscp: plan.dscp,
            strict: plan.strict,
            format: TimeFormat::Ntp,
            tai_offset_s: clock::discipline().tai_offset_s,
        };
        let ports = sockets
            .into_iter()
            .map(|socket| Port {
                wildcard: socket.local().ip().is_unspecified(),
                socket,
                lag: Lag::new(),
            })
            .collect();
        let body = Self {
            ports,
            engine: SessionReflector::new(config),
            batch: RecvBatch::new(BATCH, SLOT_OCTETS),
            waiter,
            shared,
            raw_t3: plan.raw_t3,
            error: crate::error_estimate(),
            clock_due: clock::mono() + CLOCK_EVERY,
            snapshot_due: Mono::from_ns(0),
            rungs: RungCounts::default(),
            send_errors: 0,
            ready: Vec::with_capacity(TOGETHER),
        };
        Ok((body, waker))
    }

    /// Until told to stop; what has arrived by then is still answered.
    pub(super) fn run(mut self) -> Result<(), RunError> {
        let result = self.reflect_until_stopped();
        self.publish(clock::mono());
        result
    }

    fn reflect_until_stopped(&mut self) -> Result<(), RunError> {
        let mut stop_by = None;
        loop {
            let now = clock::mono();
            let stopping = self.shared.stop.load(Ordering::Acquire);
            if stopping && now >= *stop_by.get_or_insert(now + DRAIN) {
                return Ok(());
            }
            let mut taken = 0;
            for index in 0..self.ports.len() {
                taken += self.reflect_batch(index, now).map_err(RunError::Receive)?;
            }
            self.keep_house(now);
            if taken > 0 {
                continue;
            }
            if stopping {
                return Ok(());
            }
            let mut until = now + LONGEST_WAIT;
            if let Some(due) = self.engine.poll_timeout() {
                until = until.min(due.max(now + SNAPSHOT_EVERY));
            }
            let sockets: Vec<&TestSocket> = self.ports.iter().map(|port| &port.socket).collect();
            self.waiter.wait(&sockets, Some(until));
        }
    }

    /// Takes a batch from one socket and answers it. How many datagrams there were.
    fn reflect_batch(&mut self, index: usize, now: Mono) -> io::Result<usize> {
        let Self {
            ports,
            engine,
            batch,
            raw_t3,
            error,
            rungs,
            send_errors,
            ready,
            ..
        } = self;
        let Some(port) = ports.get_mut(index) else {
            return Ok(0);
        };
        let count = port.socket.receive(batch)?;
        let together = if count >= FLOOD { TOGETHER } else { 1 };
        let advance = if *raw_t3 {
            Delta::ZERO
        } else {
            port.lag.advance(now)
        };
        for slot in 0..count {
            let Some((octets, received, arrival)) = batch.packet(slot) else {
                break;
            };
            rungs.record(arrival.at.rung);
            let Ok(reflection) = engine.reflect(now, octets, received, arrival) else {
                continue;
            };
            let Some(reply) = octets.get_mut(..reflection.octets) else {
                continue;
            };
            let out = Outbound {
                to: arrival.from,
                from: if port.wildcard { arrival.to } else { None },
                tos: Some(reflection.tos),
                interface: link(arrival),
                stamp: !*raw_t3 && port.lag.wants_stamp(now),
            };
            if !out.stamp && together > 1 {
                ready.push((slot, reflection.octets, out));
                if ready.len() == together {
                    *send_errors += send_ready(port, engine, batch, ready, advance, *error);
                }
                continue;
            }
            let t3 = clock::wall();
            engine.seal(reply, t3 + advance, *error);
            match port.socket.send(reply, &out) {
                Ok(Some(key)) => port.lag.sent(key, t3, now),
                Ok(None) => {}
                Err(_) => *send_errors += 1,
            }
        }
        *send_errors += send_ready(port, engine, batch, ready, advance, *error);
        if port.lag.awaits() {
            let Port { socket, lag, .. } = port;
            socket.drain_errors(&mut |told| match told {
                Told::Sent { key, stamp } if stamp.rung == Rung::Kernel => {
                    lag.left(key, stamp.at, now);
                }
                // A client that went away; a rung that is not the one waited for.
                Told::Sent { .. } | Told::Icmp(_) => {}
            });
        }
        Ok(count)
    }

    fn keep_house(&mut self, now: Mono) {
        self.engine.handle_timeout(now);
        if now >= self.clock_due {
            self.clock_due = now + CLOCK_EVERY;
            self.error = crate::error_estimate();
        }
        if now >= self.snapshot_due {
            self.snapshot_due = now + SNAPSHOT_EVERY;
            self.publish(now);
        }
    }

    /// Never waits: when somebody is reading, the next round will do.
    fn publish(&mut self, now: Mono) {
        let Self {
            ports,
            engine,
            rungs,
            send_errors,
            shared,
            ..
        } = self;
        let advances = ports.iter_mut().filter_map(|port| {
            port.lag.advance(now);
            port.lag.median_ns()
        });
        let t3_advance_ns = advances.max();
        if let Ok(mut snapshot) = shared.snapshot.try_lock() {
            *snapshot = Snapshot {
                tally: *engine.tally(),
                send_errors: *send_errors,
                receive_drops: ports
                    .iter()
                    .map(|port| u64::from(port.socket.receive_drops()))
                    .sum(),
                rungs: *rungs,
                t3_advance_ns,
            };
        }
    }
}

/// Reads T3 for each reply that stands ready, and lets them go together. How many did not leave.
fn send_ready(
    port: &Port,
    engine: &SessionReflector,
    batch: &mut RecvBatch,
    ready: &mut Vec<(usize, usize, Outbound)>,
    advance: Delta,
    error: ErrorEstimate,
) -> u64 {
    for (slot, octets, _) in ready.iter() {
        if let Some((packet, ..)) = batch.packet(*slot)
            && let Some(reply) = packet.get_mut(..*octets)
        {
            engine.seal(reply, clock::wall() + advance, error);
        }
    }
    let failed = port.socket.send_from(batch, ready);
    ready.clear();
    u64::try_from(failed).unwrap_or(u64::MAX)
}

/// The interface that a reply must leave by: only link-local addresses have one of their own.
fn link(arrival: &Arrival) -> u32 {
    match arrival.to {
        Some(IpAddr::V6(to)) if to.is_unicast_link_local() => arrival.interface,
        _ => 0,
    }
}
