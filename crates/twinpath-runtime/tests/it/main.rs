//! Reflector threads and sender loop over loopback.
#![cfg(test)]
mod commands;
mod controller;
mod faults;
mod loops;
mod many;
mod measuring;
mod process;
mod server;

use std::borrow::Cow;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use twinpath_proto::sender::{Limit, Schedule};
use twinpath_proto::stamp::StampKeys;
use twinpath_report::Finding;
use twinpath_report::SessionReport;
use twinpath_runtime::responder::ResponderRun;
use twinpath_runtime::{ResponderPlan, SenderPlan, measure, responder};
use twinpath_wire::Sample;

/// Built as for a system without Linux's sockets.
fn portable_build() -> bool {
    !cfg!(target_os = "linux") || option_env!("TWINPATH_PORTABLE").is_some()
}

/// How long a test waits for what must come, however busy the host is.
const PATIENCE: Duration = Duration::from_secs(20);

/// A far end of the test's own: what is sent to it waits while its thread has no turn.
fn far_end(near: &str) -> UdpSocket {
    let socket = UdpSocket::bind(near).unwrap();
    // At least twice the system's default, and so room for 500 small packets.
    SockRef::from(&socket)
        .set_recv_buffer_size(4 << 20)
        .unwrap();
    socket
}

/// A UDP port at which nothing listens as long as the socket lives: of a host that sends nothing.
fn closed_port() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect("127.0.0.1:9").unwrap();
    let near = socket.local_addr().unwrap();
    (socket, near)
}

/// A TCP port at which nothing listens as long as the socket lives.
fn closed_tcp_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let near = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, near)
}

/// Whether this host has an IPv6 loopback; says so where it has not.
fn has_v6() -> bool {
    let has = UdpSocket::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("skipped: this host has no IPv6 loopback");
    }
    has
}

fn responder_plan(near: &[&str]) -> ResponderPlan {
    let mut plan = ResponderPlan::on(near.iter().map(|near| near.parse().unwrap()).collect());
    plan.reflector.max_sessions = 1000;
    plan
}

fn sender_plan(far: SocketAddr) -> SenderPlan {
    SenderPlan {
        limit: Limit::Count(20),
        schedule: Schedule::every(Duration::from_millis(2)),
        timeout: PATIENCE,
        seed: 7,
        ..SenderPlan::to(far)
    }
}

fn reflect(plan: &ResponderPlan) -> (ResponderRun, SocketAddr) {
    let run = responder::start(plan, StampKeys::default()).unwrap();
    let near = run.listening()[0];
    (run, near)
}

fn measured(plan: SenderPlan) -> (SessionReport, Vec<Sample>) {
    let mut run = measure::start(plan).unwrap();
    let mut samples = Vec::new();
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        let over = run.is_finished();
        samples.extend(std::iter::from_fn(|| run.next_sample()));
        if over {
            return (run.join().unwrap(), samples);
        }
        assert!(Instant::now() < patience, "the run does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The keys of a report's findings.
fn keys(report: &SessionReport) -> Vec<Cow<'static, str>> {
    report.findings.iter().map(Finding::key).collect()
}
