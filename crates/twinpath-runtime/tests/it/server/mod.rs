//! A Server over loopback.

mod client;
mod endings;
mod keys;
mod limits;
mod sessions;
mod soak;

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use twinpath_runtime::server::{self, ServerCounters, ServerPlan, ServerRun};
use twinpath_wire::control::Modes;

use client::{Client, PATIENCE, exchange, in_vain, port, send, sender};

const OPEN: Modes = Modes::UNAUTHENTICATED;
/// Ports of each Server's own range, and where the ranges are: below what the system gives to others.
const RANGE: u16 = 100;
const RANGES: std::ops::Range<u16> = 20_000..32_000;
/// Ranges that this process holds as long as it lives: other runs of these tests take other ones.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

fn plan(near: &[&str]) -> ServerPlan {
    let mut plan = ServerPlan::on(near.iter().map(|near| near.parse().unwrap()).collect());
    plan.test_ports = own_ports();
    plan
}

/// A range of ports that no other test has, in this run or another, nor another program; nor have
/// they the ports on either side of it.
pub(crate) fn own_ports() -> (u16, u16) {
    let ranges = RANGES
        .step_by(usize::from(RANGE))
        .map(|low| (low, low + RANGE - 1));
    for (low, high) in ranges {
        let name = std::env::temp_dir().join(format!("twinpath-test-ports-{low}"));
        let Ok(file) = File::create(name) else {
            continue;
        };
        let free = |port| UdpSocket::bind(("127.0.0.1", port)).is_ok();
        if file.try_lock().is_ok() && (low..=high).all(free) {
            HELD.lock().unwrap().push(file);
            return (low + 1, high - 1);
        }
    }
    panic!("no free range of ports");
}

fn serve(plan: ServerPlan) -> (ServerRun, SocketAddr) {
    let run = server::start(plan).unwrap();
    let near = run.listening()[0];
    (run, near)
}

/// Waits until the counts are as they must become.
fn until(run: &ServerRun, holds: impl Fn(&ServerCounters) -> bool) -> ServerCounters {
    let patience = Instant::now() + PATIENCE;
    loop {
        let counters = run.counters();
        if holds(&counters) {
            return counters;
        }
        assert!(Instant::now() < patience, "{counters:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Nothing is left of any client.
fn until_empty(run: &ServerRun) -> ServerCounters {
    until(run, |counters| {
        (counters.connections, counters.sessions, counters.ports) == (0, 0, 0)
            && counters.packets.sessions == 0
    })
}
