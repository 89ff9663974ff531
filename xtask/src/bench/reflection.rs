//! How many packets a second a reflector answers.
//!
//! An open-loop generator on one core, the reflector on another. The figure is the highest rate
//! that *holds*: in one of two trials of a second, no fewer than 99.9 % of the requests were
//! answered by 10 ms after the last one. What still waits in a receive buffer then counts as lost,
//! so a large buffer does not pass for speed.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use twinpath_bench::{FloodCount, FloodPlan};
use twinpath_proto::stamp::StampKey;
use twinpath_wire::{StampSender, StampSenderAuthenticated, TlvHeader, TlvType, TlvWriter};

use super::{Bench, Found};
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::role::Role;
use crate::statistics::float;
use crate::tool::Tool;

pub(super) const TRIAL_MS: u64 = 1000;
const TRIES: u32 = 2;
const OCTETS: usize = 41;
/// As many halvings of the range bring it under half a percent.
const STEPS: u32 = 8;
const UNLIMITED_PPS: u64 = 5_000_000;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    if bench.cores < 2 {
        bail!("the generator and the reflector need a core each");
    }
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for (family, far) in [
        ("IPv4", bench.reflector_v4()),
        ("IPv6", bench.reflector_v6()),
    ] {
        let name = format!("{family}, {OCTETS} octets: highest rate");
        let mut row = Row::new(name, Unit::PacketsPerSecond, Bar::AtLeastTimes(0.7));
        let name = format!("{family}, {OCTETS} octets: processor time for a reply");
        let mut cost = Row::new(name, Unit::Nanoseconds, Bar::Open);
        let ceiling = generator_alone(bench, far)?;
        for run in 1..=bench.runs {
            let place = Place::at(&bench.link.reflector).on_core(1);
            if let Some(tool) = &bench.tool {
                let responder =
                    tool.responder(&bench.scratch, place, far, &bench.responder_options)?;
                let (rate, reply_ns) = highest_rate(bench, &responder, &flood_of(far))?;
                row.twinpath.push(rate);
                cost.twinpath.push(reply_ns);
            }
            let echo = bench.listener(place, &Role::Echo(far))?;
            let (rate, reply_ns) = highest_rate(bench, &echo, &flood_of(far))?;
            row.limit.push(rate);
            cost.limit.push(reply_ns);
            eprintln!("reflection, {family}: run {run} of {}", bench.runs);
        }
        notes.push(format!(
            "{family}: the generator alone sends {ceiling:.0} packets/s"
        ));
        rows.push(row);
        rows.push(cost);
    }
    if let Some(tool) = &bench.tool {
        rows.extend(beside_open(bench, tool)?);
    }
    notes.push(format!(
        "highest rate with under 0.1 % lost in a trial of {TRIAL_MS} ms, generator on core 0, \
         reflector on core 1"
    ));
    Ok((rows, notes))
}

/// Requests that cost a reflector more than open STAMP, beside that of the same one, in the same run.
fn beside_open(bench: &Bench, tool: &Tool) -> Result<Vec<Row>> {
    let far = bench.reflector_v4();
    let key = format!("{} --hmac-key {}", bench.responder_options, "5a".repeat(16));
    let place = Place::at(&bench.link.reflector).on_core(1);
    let open = chain_of(&[]);
    let mut rows = Vec::new();
    for (what, packet) in [
        ("authenticated STAMP", authenticated()?),
        ("STAMP with four TLVs", chain_of(&FOUR_TLVS)),
        ("STAMP with Follow-Up Telemetry", chain_of(&WITH_FOLLOW_UP)),
    ] {
        let name = format!("{what} beside open: highest rate");
        let mut rate = Row::new(name, Unit::PacketsPerSecond, Bar::AtLeastTimes(0.6));
        let name = format!("{what} beside open: processor time for a reply");
        let mut cost = Row::new(name, Unit::Nanoseconds, Bar::Open);
        for run in 1..=bench.runs {
            let responder = tool.responder(&bench.scratch, place, far, &key)?;
            let measured = [&packet, &open].map(|packet| {
                highest_rate(bench, &responder, &|pps| {
                    Role::PacketFlood(far, packet.clone(), trial_at(pps, packet.len()))
                })
            });
            let [dear, plain] = measured;
            let (dear, plain) = (dear?, plain?);
            rate.twinpath.push(dear.0);
            cost.twinpath.push(dear.1);
            rate.limit.push(plain.0);
            cost.limit.push(plain.1);
            eprintln!("reflection, {what}: run {run} of {}", bench.runs);
        }
        rows.extend([rate, cost]);
    }
    Ok(rows)
}

/// Types, and octets of their values.
const FOUR_TLVS: [(TlvType, usize); 4] = [
    (TlvType::TIMESTAMP_INFORMATION, 4),
    (TlvType::CLASS_OF_SERVICE, 4),
    (TlvType::DIRECT_MEASUREMENT, 12),
    (TlvType::EXTRA_PADDING, 64),
];
const WITH_FOLLOW_UP: [(TlvType, usize); 4] = [
    (TlvType::TIMESTAMP_INFORMATION, 4),
    (TlvType::CLASS_OF_SERVICE, 4),
    (TlvType::DIRECT_MEASUREMENT, 12),
    (TlvType::FOLLOW_UP_TELEMETRY, 16),
];

/// An open request with TLVs whose values are zeros.
fn chain_of(tlvs: &[(TlvType, usize)]) -> Vec<u8> {
    let octets = tlvs.iter().map(|(_, octets)| TlvHeader::OCTETS + octets);
    let mut packet = vec![0; StampSender::OCTETS + octets.sum::<usize>()];
    let (base, chain) = packet.split_at_mut(StampSender::OCTETS);
    if let Some(multiplier) = base.get_mut(13) {
        *multiplier = 1;
    }
    let mut writer = TlvWriter::new(chain);
    for (kind, octets) in tlvs {
        writer.push(*kind, *octets);
    }
    packet
}

fn authenticated() -> Result<Vec<u8>> {
    let mut packet = vec![0; StampSenderAuthenticated::OCTETS];
    if let Some(multiplier) = packet.get_mut(25) {
        *multiplier = 1;
    }
    StampKey::new(&[0x5a; 16])?.seal(&mut packet);
    Ok(packet)
}

/// What the generator sends without replies.
fn generator_alone(bench: &Bench, far: SocketAddr) -> Result<f64> {
    let place = Place::at(&bench.link.reflector).on_core(1);
    let _sink = bench.listener(place, &Role::Sink(far))?;
    let flood = trial(bench, &flood_of(far)(UNLIMITED_PPS))?;
    Ok(per_second(flood.sent, &flood))
}

/// Searches the highest rate that holds, between a tenth of and somewhat more than what comes back
/// when flooded without a limit; and how long the reflector ran for each reply of that flood.
pub(super) fn highest_rate(
    bench: &Bench,
    reflector: &Process,
    generator: &dyn Fn(u64) -> Role,
) -> Result<(f64, f64)> {
    let before = reflector.ran_ns();
    let flooded = trial(bench, &generator(UNLIMITED_PPS))?;
    let reply_ns = float(reflector.ran_ns() - before) / float(flooded.received.max(1));
    let elapsed_ns = u64::try_from(flooded.elapsed.as_nanos())?.max(1);
    let saturated = flooded.received * 1_000_000_000 / elapsed_ns;
    if saturated == 0 {
        bail!("the reflector answered nothing");
    }
    let (mut low, mut high) = (saturated / 10, saturated * 14 / 10);
    let mut best = 0.0;
    for _ in 0..STEPS {
        let rate = u64::midpoint(low, high);
        match holds(bench, generator, rate)? {
            Some(achieved) => {
                low = rate;
                best = f64::max(best, achieved);
            }
            None => high = rate,
        }
    }
    if best == 0.0 {
        bail!("not even {low} packets/s without loss");
    }
    Ok((best, reply_ns))
}

/// The rate achieved where `pps` holds.
fn holds(bench: &Bench, generator: &dyn Fn(u64) -> Role, pps: u64) -> Result<Option<f64>> {
    for _ in 0..TRIES {
        let flood = trial(bench, &generator(pps))?;
        let asked = pps * TRIAL_MS / 1000;
        let answered = flood.received * 1000 >= flood.sent * 999;
        if answered && flood.sent * 100 >= asked * 99 {
            return Ok(Some(per_second(flood.sent, &flood)));
        }
    }
    Ok(None)
}

/// A trial of packets of this many octets at this rate.
pub(super) fn trial_at(pps: u64, octets: usize) -> FloodPlan {
    FloodPlan {
        pps,
        duration: Duration::from_millis(TRIAL_MS),
        grace: Duration::from_millis(10),
        octets,
    }
}

/// A generator of open packets at any rate.
fn flood_of(far: SocketAddr) -> impl Fn(u64) -> Role {
    move |pps| Role::Flood(far, trial_at(pps, OCTETS))
}

fn trial(bench: &Bench, role: &Role) -> Result<FloodCount> {
    // What the last trial left in the reflector's buffer is over by then.
    std::thread::sleep(Duration::from_millis(100));
    let place = Place::at(&bench.link.sender).on_core(0);
    let generator = Process::role(&bench.scratch, place, role)?;
    let printed = generator.succeed(Duration::from_secs(30))?.stdout;
    Ok(serde_json::from_str(&printed)?)
}

fn per_second(packets: u64, flood: &FloodCount) -> f64 {
    float(packets) / flood.elapsed.as_secs_f64()
}
