//! Reflector threads and sender loop over loopback.
#![cfg(test)]
mod controller;
mod faults;
mod loops;
mod measuring;
mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use twinpath_proto::reflector::Speaks;
use twinpath_proto::sender::{Fill, Limit, PayloadSize, Protocol, Schedule};
use twinpath_runtime::responder::ResponderRun;
use twinpath_runtime::{
    FigureOptions, PortChoice, ResponderPlan, SenderPlan, SessionReport, StampChoice, responder,
    sender,
};
use twinpath_wire::{Sample, Tos};

/// Built as for a system without Linux's sockets.
fn portable_build() -> bool {
    !cfg!(target_os = "linux") || option_env!("TWINPATH_PORTABLE").is_some()
}

/// Whether this host has an IPv6 loopback; says so where it has not.
fn has_v6() -> bool {
    let has = std::net::UdpSocket::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("skipped: this host has no IPv6 loopback");
    }
    has
}

fn responder_plan(near: &[&str]) -> ResponderPlan {
    ResponderPlan {
        near: near.iter().map(|near| near.parse().unwrap()).collect(),
        tolerate_missing_family: false,
        speaks: Speaks::Auto,
        stateful: true,
        max_sessions: 1000,
        idle: Duration::from_mins(15),
        padding: None,
        allow_larger_replies: false,
        allow: Vec::new(),
        max_rate_pps: None,
        dscp: None,
        ttl: 255,
        dont_fragment: false,
        interface: None,
        threads: 1,
        stamps: StampChoice::Auto,
        strict: false,
        raw_t3: false,
        portable: false,
    }
}

fn sender_plan(far: SocketAddr) -> SenderPlan {
    SenderPlan {
        far,
        near: None,
        port: PortChoice::Exact(0),
        protocol: Protocol::TwampLight,
        limit: Limit::Count(20),
        schedule: Schedule::every(Duration::from_millis(2)),
        timeout: Duration::from_secs(2),
        payload: PayloadSize::Fixed(41),
        padding: 27,
        fill: Fill::Random,
        tos: Tos(0),
        ttl: 255,
        dont_fragment: false,
        interface: None,
        start_delay: Duration::ZERO,
        stamps: StampChoice::Auto,
        spin: false,
        max_burst: 10,
        portable: false,
        records: true,
        seed: 7,
        figures: FigureOptions::default(),
    }
}

fn reflect(plan: &ResponderPlan) -> (ResponderRun, SocketAddr) {
    let run = responder::start(plan).unwrap();
    let near = run.listening()[0];
    (run, near)
}

fn measure(plan: SenderPlan) -> (SessionReport, Vec<Sample>) {
    let mut run = sender::start(plan).unwrap();
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

/// The keys of a report's remarks.
fn keys(report: &SessionReport) -> Vec<&'static str> {
    report.notes.iter().map(|note| note.key).collect()
}
