//! A Server over loopback.

mod client;
mod endings;
mod keys;
mod limits;
mod sessions;
mod soak;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use twinpath_runtime::server::{self, ServerPlan, ServerRun, ServerTally};
use twinpath_wire::control::Modes;

use client::{Client, PATIENCE, exchange, in_vain, port, send, sender};

const OPEN: Modes = Modes::UNAUTHENTICATED;
static NEXT_PORTS: AtomicU16 = AtomicU16::new(20_000);

fn plan(near: &[&str]) -> ServerPlan {
    let mut plan = ServerPlan::on(near.iter().map(|near| near.parse().unwrap()).collect());
    // Each Server's own, below what the system gives to others.
    let low = NEXT_PORTS.fetch_add(100, Ordering::Relaxed);
    plan.test_ports = (low, low + 99);
    plan
}

fn serve(plan: ServerPlan) -> (ServerRun, SocketAddr) {
    let run = server::start(plan).unwrap();
    let near = run.listening()[0];
    (run, near)
}

/// Waits until the counts are as they must become.
fn until(run: &ServerRun, holds: impl Fn(&ServerTally) -> bool) -> ServerTally {
    let patience = Instant::now() + PATIENCE;
    loop {
        let tally = run.tally();
        if holds(&tally) {
            return tally;
        }
        assert!(Instant::now() < patience, "{tally:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Nothing is left of any client.
fn until_empty(run: &ServerRun) -> ServerTally {
    until(run, |tally| {
        (tally.connections, tally.sessions, tally.ports) == (0, 0, 0) && tally.packets.sessions == 0
    })
}
