//! A reflector and a sender over loopback, from a program of your own:
//! `cargo run --release -p twinpath-runtime --example measure`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule};
use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::{ResponderPlan, SenderPlan, measure, responder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loopback: SocketAddr = "127.0.0.1:0".parse()?;
    let reflector = responder::start(&ResponderPlan::on(vec![loopback]), StampKeys::default())?;
    let far = *reflector.listening().first().ok_or("no address")?;
    let mut run = measure::start(SenderPlan {
        limit: Limit::Count(200),
        schedule: Schedule::every(Duration::from_millis(5)),
        ..SenderPlan::to(far)
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
