//! A reflector and a sender over loopback, from a program of your own:
//! `cargo run --release -p twinpath-runtime --example measure`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::reflector::Speaks;
use twinpath_proto::sender::{Fill, Limit, PayloadSize, Protocol, Schedule};
use twinpath_runtime::{
    FigureOptions, PortChoice, ResponderPlan, SenderPlan, StampChoice, responder, sender,
};
use twinpath_wire::Tos;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loopback: SocketAddr = "127.0.0.1:0".parse()?;
    let reflector = responder::start(&ResponderPlan {
        near: vec![loopback],
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
    })?;
    let far = *reflector.listening().first().ok_or("no address")?;
    let mut run = sender::start(SenderPlan {
        far,
        near: None,
        port: PortChoice::Exact(0),
        protocol: Protocol::TwampLight,
        limit: Limit::Count(200),
        schedule: Schedule::every(Duration::from_millis(5)),
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
        seed: 1,
        figures: FigureOptions::default(),
    })?;
    while !run.is_finished() {
        while let Some(sample) = run.next_sample() {
            if sample.seq < 5 {
                println!("{}: {:?}", sample.seq, sample.round_trip());
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let report = run.join()?;
    println!("{:#?}", report.figures);
    println!("{:#?}", report.stamps);
    for note in &report.notes {
        println!("{}", note.line);
    }
    println!("{:#?}", reflector.join()?);
    Ok(())
}
