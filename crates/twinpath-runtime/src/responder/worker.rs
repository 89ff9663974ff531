//! One reflector thread that answers strangers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twinpath_net::{TestSocket, Waiter, Waker, clock};
use twinpath_proto::reflector::{ReflectorConfig, SessionReflector};
use twinpath_wire::Mono;

use super::{Shared, listen};
use crate::ResponderPlan;
use crate::error::RunError;
use crate::interfaces::LOOK_EVERY;
use crate::reflect::{Packets, SocketState};

/// How long a stopped thread goes on answering what has arrived.
const DRAIN: Duration = Duration::from_millis(100);
/// How often the thread publishes its counts.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);
/// How often it asks the clock's discipline for the Error Estimate.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
/// The longest wait: nothing but a packet needs the thread earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A socket and what the thread knows of it.
struct Port {
    socket: TestSocket,
    state: SocketState,
}

/// What a reflector thread owns: nothing of it is shared but the snapshot.
pub(super) struct ReflectorLoop {
    ports: Vec<Port>,
    engine: SessionReflector,
    packets: Packets,
    waiter: Waiter,
    shared: Arc<Shared>,
    clock_due: Mono,
    snapshot_due: Mono,
    /// Where each of this host's addresses has a socket of its own: what these are opened by.
    each_address: Option<ResponderPlan>,
}

impl Port {
    fn new(socket: TestSocket, each_address: Option<&ResponderPlan>) -> Self {
        let mut state = SocketState::of(&socket);
        if each_address.is_some_and(|plan| plan.path.interface.is_none()) {
            // Its address is gone with its interface, and looked for all the same.
            state.stop_following();
        }
        Self { socket, state }
    }
}

impl ReflectorLoop {
    pub(super) fn new(
        plan: &ResponderPlan,
        threads: usize,
        sockets: Vec<TestSocket>,
        shared: Arc<Shared>,
    ) -> io::Result<(Self, Waker)> {
        let (waiter, waker) = Waiter::new()?;
        let config = ReflectorConfig {
            max_sessions: plan.reflector.max_sessions.div_ceil(threads),
            tai_offset_s: clock::discipline().tai_offset_s,
            ..plan.reflector.clone()
        };
        let port = sockets.first().map_or(0, |socket| socket.local().port());
        let each_address = listen::is_each_address(plan).then(|| {
            let mut plan = plan.clone();
            plan.near.iter_mut().for_each(|near| near.set_port(port));
            plan
        });
        let ports = sockets
            .into_iter()
            .map(|socket| Port::new(socket, each_address.as_ref()))
            .collect();
        let reflector_loop = Self {
            ports,
            engine: SessionReflector::new(config),
            packets: Packets::new(plan.raw_t3),
            waiter,
            shared,
            clock_due: clock::mono() + CLOCK_EVERY,
            snapshot_due: Mono::from_ns(0),
            each_address,
        };
        Ok((reflector_loop, waker))
    }

    /// Until the stop; what has arrived by then is still answered.
    pub(super) fn run(mut self) -> Result<(), RunError> {
        let result = self.reflect_until_stopped();
        self.publish();
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
            for Port { socket, state } in &mut self.ports {
                taken += self
                    .packets
                    .reflect_batch(socket, state, &mut self.engine, now)
                    .map_err(RunError::Receive)?;
            }
            self.housekeeping(now);
            if taken > 0 {
                continue;
            }
            if stopping {
                return Ok(());
            }
            let follows = self.ports.iter().any(|port| port.state.follows());
            let mut until = now + if follows { LOOK_EVERY } else { LONGEST_WAIT };
            if let Some(due) = self.engine.poll_timeout() {
                until = until.min(due.max(now + SNAPSHOT_EVERY));
            }
            let sockets: Vec<&TestSocket> = self.ports.iter().map(|port| &port.socket).collect();
            self.waiter.wait(&sockets, Some(until));
        }
    }

    fn housekeeping(&mut self, now: Mono) {
        for Port { socket, state } in &mut self.ports {
            if state.follow(now, |index| socket.bind_again(index)) {
                self.packets.rebinds += 1;
            }
        }
        self.engine.handle_timeout(now);
        self.packets.housekeeping(now);
        if now >= self.clock_due {
            self.clock_due = now + CLOCK_EVERY;
            self.packets.error = crate::error_estimate();
            self.follow_addresses();
        }
        if now >= self.snapshot_due {
            self.snapshot_due = now + SNAPSHOT_EVERY;
            self.publish();
        }
    }

    /// Opens sockets for addresses that are new, and closes those whose address is gone.
    fn follow_addresses(&mut self) {
        let Some(plan) = &self.each_address else {
            return;
        };
        let now = listen::own_addresses(plan);
        self.ports.retain(|port| now.contains(&port.socket.local()));
        for near in now {
            if self.ports.iter().all(|port| port.socket.local() != near) {
                // What cannot be had now may be had the next time.
                if let Ok(socket) = listen::open_one(plan, near) {
                    self.ports.push(Port::new(socket, Some(plan)));
                }
            }
        }
    }

    fn publish(&self) {
        let drops = self.ports.iter().map(|port| port.socket.receive_drops());
        let drops = drops.map(u64::from).sum();
        self.packets
            .publish(&self.shared.snapshot, self.engine.counters(), drops);
    }
}
