//! Peak memory of one long session, and of a responder with many sessions.
//!
//! The peak is the kernel's own (`VmHWM`), read while the programs run.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Bench, Found};
use crate::interrupt;
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::role::Role;
use crate::statistics::float;
use crate::tool::{Session, Tool};

const COUNT: u64 = 10_000_000;
const INTERVAL_US: u64 = 10;
const PORTS: u16 = 50_000;
const NEAR: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 199, 1, 1), Ipv4Addr::new(10, 199, 1, 2)];
const SESSIONS: u64 = 100_000;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let Some(tool) = &bench.tool else {
        bail!("memory has no limit to compare with")
    };
    for address in NEAR {
        bench.link.sender.add_address(address)?;
    }
    let mut long = Row::new(
        format!("sender, {COUNT} packets: peak memory"),
        Unit::Octets,
        Bar::AtMost(20e6),
    );
    let mut answering = Row::new(
        "responder, the same session: peak memory",
        Unit::Octets,
        Bar::Open,
    );
    let mut many = Row::new(
        format!("responder, {SESSIONS} sessions: peak memory"),
        Unit::Octets,
        Bar::AtMost(50e6),
    );
    for run in 1..=bench.runs {
        many.twinpath.push(many_sessions(bench, tool)?);
        let (sender, responder) = long_session(bench, tool)?;
        long.twinpath.push(sender);
        answering.twinpath.push(responder);
        eprintln!("memory: run {run} of {}", bench.runs);
    }
    Ok((vec![long, answering, many], Vec::new()))
}

fn long_session(bench: &Bench, tool: &Tool) -> Result<(f64, f64)> {
    let far = bench.reflector_v4();
    let place = Place::at(&bench.link.reflector);
    let responder = tool.responder(&bench.scratch, place, far, &bench.responder_options)?;
    let options = format!(
        "--output json -c {COUNT} -i {INTERVAL_US}us --padding 27 {}",
        bench.sender_options
    );
    let mut sender = tool.sender(&bench.scratch, Place::at(&bench.link.sender), far, &options)?;
    let limit = Duration::from_micros(COUNT * INTERVAL_US) * 3;
    let begin = Instant::now();
    let mut peak = 0;
    while !sender.is_over()? {
        interrupt::check()?;
        if begin.elapsed() > limit {
            bail!("{COUNT} packets were not sent within {limit:?}");
        }
        peak = peak.max(sender.peak_memory_octets().unwrap_or(0));
        std::thread::sleep(Duration::from_millis(50));
    }
    let far_peak = responder
        .peak_memory_octets()
        .context("the responder ended")?;
    let session = Session::parse(&sender.succeed(Duration::from_secs(1))?.stdout)?;
    if session.packets.sent != COUNT {
        bail!("{} packets were sent of {COUNT}", session.packets.sent);
    }
    Ok((float(peak), float(far_peak)))
}

fn many_sessions(bench: &Bench, tool: &Tool) -> Result<f64> {
    let far = bench.reflector_v4();
    let place = Place::at(&bench.link.reflector);
    let options = format!("--max-sessions {SESSIONS} {}", bench.responder_options);
    let responder = tool.responder(&bench.scratch, place, far, &options)?;
    let role = Role::Sessions {
        far,
        ports: PORTS,
        near: NEAR.to_vec(),
    };
    let sessions = Process::role(&bench.scratch, Place::at(&bench.link.sender), &role)?;
    let answered: u64 = serde_json::from_str(&sessions.succeed(Duration::from_mins(2))?.stdout)?;
    if answered * 1000 < SESSIONS * 999 {
        bail!("{answered} of {SESSIONS} sessions were answered");
    }
    let peak = responder
        .peak_memory_octets()
        .context("the responder ended")?;
    let report = responder.stop()?;
    // The responder's own word that the sessions were alive, for the reader to compare.
    eprintln!("{}{}", report.stderr, report.stdout);
    Ok(float(peak))
}
