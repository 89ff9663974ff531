//! Sessions with figures, without a network: what one of them takes of memory.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use twinpath_metrics::{MetricsConfig, Record, ReflectorKind, Series, SeriesConfig, Waits};
use twinpath_proto::ClockPair;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, Wire,
};
use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Mono, ReflectorOpen, Rung, Sample, SenderOpen, Stamp, Tos, Wall,
    WireTime,
};

/// 2026-11-23T00:00:00Z.
const EPOCH_NS: i64 = 1_795_392_000_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;
const OCTETS: usize = 41;

/// Octets of records that are kept of a session: of any few.
const RECORD_OCTETS: usize = 4_096;

/// What is kept of each session.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) series: Option<KeptSeries>,
    pub(crate) sender: bool,
}

/// What a session knows of its packets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum KeptSeries {
    Records,
    /// Of packets and clocks.
    Figures,
}

#[derive(Default)]
struct Measured {
    series: Option<Series>,
    sender: Option<Box<SessionSender>>,
}

/// Keeps `sessions` sessions, each of which sends `packets` packets, one a second, in turn with the
/// others; says how many octets of resident memory one of them takes.
pub(crate) fn hold(sessions: u32, packets: u64, kept: Kept) -> Result<f64> {
    let before = resident_octets()?;
    // One sender makes the samples of all sessions whose sender is not kept.
    let mut common = sender(packets)?;
    let mut all: Vec<Measured> = Vec::new();
    for _ in 0..sessions {
        all.push(Measured {
            series: kept.series.map(series),
            sender: if kept.sender {
                Some(Box::new(sender(packets)?))
            } else {
                None
            },
        });
    }
    for seq in 0..packets {
        let shared = exchange(&mut common, seq, 0)?;
        for (number, session) in (0..).zip(&mut all) {
            let sample = match &mut session.sender {
                Some(own) => exchange(own, seq, number)?,
                None => with_delays(shared, seq, number),
            };
            if let Some(series) = &mut session.series {
                series.record(&Record::Sample(sample));
            }
        }
    }
    let octets = resident_octets()?.saturating_sub(before);
    drop(all);
    Ok(crate::statistics::float(octets) / f64::from(sessions))
}

fn series(kept: KeptSeries) -> Series {
    let config = SeriesConfig {
        metrics: MetricsConfig {
            reflector: ReflectorKind::Stateful,
            tos_forward: Some(Tos(0xb8)),
            tos_backward: Some(Tos(0xb8)),
            ..MetricsConfig::default()
        },
        waits: Waits::default(),
        interval: None,
        columns: None,
    };
    match kept {
        KeptSeries::Records => Series::keeping_records(config, RECORD_OCTETS),
        KeptSeries::Figures => Series::new(config),
    }
}

fn sender(packets: u64) -> Result<SessionSender> {
    Ok(SessionSender::new(SenderConfig {
        wire: Wire::TWAMP_LIGHT,
        far: "192.0.2.2:862".parse()?,
        start: Mono::from_ns(0),
        schedule: Schedule::every(Duration::from_nanos(SECOND_NS)),
        limit: Limit::Count(packets),
        timeout: Duration::from_secs(2),
        payload: PayloadSize::Fixed(OCTETS),
        fill: Fill::Random,
        seed: 1,
        max_burst: 10,
        error: ErrorEstimate::from_bits(0x8001),
        tai_offset_s: 37,
        await_tx_stamps: true,
    }))
}

/// 0.1 to 1 ms out, and back; some microseconds late, some in the reflector.
fn delays(seq: u64, session: u32) -> [i64; 4] {
    let mut state = (u64::from(session) << 32 | seq) ^ 0x9e37_79b9_7f4a_7c15;
    [
        (100_000, 900_000),
        (100_000, 900_000),
        (2_000, 30_000),
        (5_000, 100_000),
    ]
    .map(|(least, spread)| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // Most are near the least.
        let share = i64::try_from(state >> 44).unwrap_or(0);
        least + ((((spread * share) >> 20) * share) >> 20)
    })
}

fn pair(mono: Mono) -> ClockPair {
    ClockPair {
        mono,
        wall: Wall::from_unix_ns(EPOCH_NS.wrapping_add_unsigned(mono.ns())),
    }
}

/// One packet of a session, its stamp, its reply and its sample.
fn exchange(sender: &mut SessionSender, seq: u64, session: u32) -> Result<Sample> {
    let [forward, backward, residence, late] =
        delays(seq, session).map(|ns| Duration::from_nanos(ns.unsigned_abs()));
    let mut packet = [0; OCTETS];
    let now = sender.next_due().context("nothing is due")? + late;
    let transmit = sender
        .poll_transmit(now, &mut packet)
        .context("nothing is due")?;
    let token = sender.finish(&mut packet, transmit, pair(now));
    let sent = now + Duration::from_micros(3);
    sender.handle_tx_stamp(&token, kernel(sent));
    let mut reply = [0; OCTETS];
    let unreadable = |_| anyhow::anyhow!("a packet is too short");
    let (request, _) = SenderOpen::view(&packet).map_err(unreadable)?;
    let (header, _) = ReflectorOpen::view_mut(&mut reply).map_err(unreadable)?;
    header.head.seq = request.seq;
    header.head.sender_seq = request.seq;
    header.head.sender_t1 = request.t1;
    // The far clock is 7 ms ahead.
    let ahead = Duration::from_millis(7);
    header.head.t2 = WireTime::ntp(pair(sent + forward + ahead).wall);
    header.head.t3 = WireTime::ntp(pair(sent + forward + residence + ahead).wall);
    header.head.error = request.error;
    header.sender_error = request.error;
    header.sender_ttl = 250;
    let arrived = sent + forward + residence + backward;
    let arrival = Arrival {
        to_port: 20_000,
        ttl: Some(61),
        tos: Some(Tos(0xb8)),
        interface: 2,
        ..Arrival::new(kernel(arrived), "192.0.2.2:862".parse()?)
    };
    sender.handle_reply(arrived + Duration::from_micros(9), &reply, &arrival);
    // The first reply waits for a better stamp than the first.
    sender.handle_timeout(arrived + Duration::from_millis(20));
    let sample = sender.poll_sample().context("a reply without a sample")?;
    ensure!(sender.poll_sample().is_none(), "two samples of one packet");
    Ok(sample)
}

/// The sample with the delays of another session.
fn with_delays(sample: Sample, seq: u64, session: u32) -> Sample {
    let [forward, backward, residence, late] = delays(seq, session).map(Delta::from_ns);
    let t2 = sample.t1.at + Delta::from_ns(7_000_000) + forward;
    let t3 = t2 + residence;
    let t4 = sample.t1.at + forward + residence + backward;
    Sample {
        t2: Some(t2),
        t3: Some(t3),
        t4: sample.t4.map(|stamp| Stamp { at: t4, ..stamp }),
        departure: late,
        ..sample
    }
}

fn kernel(at: Mono) -> Stamp {
    Stamp {
        at: pair(at).wall,
        rung: Rung::Kernel,
    }
}

fn resident_octets() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let octets = crate::machine::value(&status, "VmRSS").map(|kib| crate::machine::kib(kib) * 1024);
    octets.context("no VmRSS in /proc/self/status")
}
