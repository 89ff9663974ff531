//! A TWAMP Server on the addresses given: `cargo run --example serve -- 127.0.0.1:8862`.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "an example shows its counts and does not recover"
)]

use std::time::Duration;

use twinpath_runtime::server::{self, ServerPlan};

fn main() {
    let near = std::env::args().skip(1).map(|near| near.parse().unwrap());
    let mut plan = ServerPlan::on(near.collect());
    plan.limits.max_connections = 5_000;
    plan.limits.max_connections_per_client = 5_000;
    plan.limits.max_sessions_per_client = 5_000;
    let run = server::start(plan).unwrap();
    eprintln!("listening on {:?}", run.listening());
    while !run.is_finished() {
        std::thread::sleep(Duration::from_secs(1));
        let counters = run.counters();
        eprintln!(
            "{} connections, {} sessions, {} ports, {} packets reflected, {} failed to accept",
            counters.connections,
            counters.sessions,
            counters.ports,
            counters.packets.reflected,
            counters.accept_errors
        );
    }
}
