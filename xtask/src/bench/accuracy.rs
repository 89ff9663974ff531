//! How far reported round trips are from the truth.
//!
//! The truth is what captures at both ends say of each packet: (T4 - T1) at the sender's end less
//! (T3 - T2) at the reflector's. The ideal pair reads T3 right before the call that sends and has
//! kernel stamps for the rest: its error is the way from that reading to the wire. The limit of
//! Follow-Up Telemetry is the same pair with the kernel's stamp for T3 too: its error is the time from
//! the captures' stamps of departing packets to the kernel's.
//!
//! That time is the captures' own work, a copy of each departing packet. Hence a second figure without
//! captures: a packet crosses the pair by a function call, after the kernel's stamp of its departure, so
//! the truth is between 0 and the round trip that Follow-Up Telemetry gives. That round trip is at
//! least the error.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use twinpath_bench::{Capture, Captured, Direction, IdealPlan, IdealSample};

use super::{Bench, Found, PORT};
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::role::Role;
use crate::statistics::{float, percentile};
use crate::tool::{Session, Tool, records};

const COUNT: u32 = 1000;
const INTERVAL_US: u64 = 5000;
/// How long the ideal sender waits for its last replies.
const IDEAL_GRACE: Duration = Duration::from_secs(2);
const BUSY_PER_CORE: usize = 2;
/// How many of the packets must have come back and have been captured at both ends.
const LEAST_MATCHED: usize = 990;
const PERCENTILES: [(&str, usize, Bar); 3] = [
    ("p50", 50, Bar::AtMostTimes(1.3)),
    ("p99", 99, Bar::AtMostTimes(1.3)),
    ("max", 100, Bar::Open),
];

const FOLLOW_UP: &str = "--stamp --tlv follow-up-telemetry";
const FOLLOW_UP_P99_NS: f64 = 3_000.0;

/// A reported round trip by sequence number, in nanoseconds.
type RoundTrips = Vec<(u32, i64)>;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let mut rows = Vec::new();
    for (condition, busy) in [("idle", 0), ("contended", BUSY_PER_CORE * bench.cores)] {
        let mut of_condition: Vec<Row> = PERCENTILES
            .iter()
            .map(|&(name, _, bar)| {
                Row::new(
                    format!("{condition}: |error| {name}"),
                    Unit::Nanoseconds,
                    bar,
                )
            })
            .collect();
        let name = format!("{condition}: |error| p99 with Follow-Up Telemetry");
        let bar = Bar::AtMost(FOLLOW_UP_P99_NS);
        let mut followed = Row::new(name, Unit::Nanoseconds, bar);
        let name = format!("{condition}: the same at most, without captures");
        let mut at_most = Row::new(name, Unit::Nanoseconds, bar);
        for run in 1..=bench.runs {
            let burning: Vec<Process> = (0..busy)
                .map(|number| {
                    let place = Place::default().on_core(number % bench.cores);
                    Process::role(&bench.scratch, place, &Role::Busy)
                })
                .collect::<Result<_>>()?;
            let twinpath = |options: &str| {
                let tool = bench.tool.as_ref();
                tool.map(|tool| errors(bench, || Ok([twinpath_pair(bench, tool, options)?])))
                    .transpose()
                    .map(|errors| errors.map(|[errors]| errors))
                    .context("twinpath")
            };
            let tool = twinpath(&bench.sender_options)?;
            let tool_followed = twinpath(FOLLOW_UP)?;
            let [ideal, ideal_followed] =
                errors(bench, || ideal_pair(bench)).context("ideal pair")?;
            let [_, ideal_at_most] = ideal_pair(bench).context("ideal pair")?;
            let tool_at_most = bench
                .tool
                .as_ref()
                .map(|tool| twinpath_pair(bench, tool, FOLLOW_UP))
                .transpose()
                .context("twinpath")?;
            drop(burning);
            let p99 = |errors: &Vec<u64>| percentile(errors, 99).map(float);
            followed
                .twinpath
                .extend(tool_followed.iter().filter_map(p99));
            followed.limit.extend(p99(&ideal_followed));
            let magnitudes = |round_trips: RoundTrips| {
                sorted(round_trips.into_iter().map(|(_, it)| it.unsigned_abs()))
            };
            at_most
                .twinpath
                .extend(tool_at_most.map(magnitudes).as_ref().and_then(p99));
            at_most.limit.extend(p99(&magnitudes(ideal_at_most)));
            for (row, (_, percent, _)) in of_condition.iter_mut().zip(PERCENTILES) {
                row.twinpath.extend(
                    tool.iter()
                        .filter_map(|e| percentile(e, percent))
                        .map(float),
                );
                row.limit.extend(percentile(&ideal, percent).map(float));
            }
            eprintln!("accuracy, {condition}: run {run} of {}", bench.runs);
        }
        rows.append(&mut of_condition);
        rows.extend([followed, at_most]);
    }
    let note = format!(
        "{COUNT} packets every {INTERVAL_US} µs over veth; contended: {BUSY_PER_CORE} busy \
         processes on each core"
    );
    Ok((rows, vec![note]))
}

/// Runs a pair between two captures: sorted |reported - truth| in nanoseconds, for each way in which
/// it reports its round trips.
fn errors<const WAYS: usize>(
    bench: &Bench,
    pair: impl FnOnce() -> Result<[RoundTrips; WAYS]>,
) -> Result<[Vec<u64>; WAYS]> {
    let near = Capture::start(&bench.link.sender.path(), PORT)?;
    let far = Capture::start(&bench.link.reflector.path(), PORT)?;
    let reported = pair()?;
    let near = Ways::of(&near.finish()?, Direction::Out);
    let far = Ways::of(&far.finish()?, Direction::In);
    let errors = reported.map(|round_trips| {
        sorted(round_trips.iter().filter_map(|(seq, round_trip)| {
            let truth = near.between(*seq)? - far.between(*seq)?;
            Some(round_trip.abs_diff(truth))
        }))
    });
    if let Some(few) = errors.iter().find(|errors| errors.len() < LEAST_MATCHED) {
        bail!(
            "{} of {COUNT} round trips were reported and captured at both ends",
            few.len()
        );
    }
    Ok(errors)
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

/// When each request and each reply passed one end of the link.
struct Ways {
    requests: HashMap<u32, i64>,
    replies: HashMap<u32, i64>,
}

impl Ways {
    fn of(captured: &[Captured], requests_go: Direction) -> Self {
        let mut ways = Self {
            requests: HashMap::new(),
            replies: HashMap::new(),
        };
        for packet in captured {
            // A request begins with its number; a reply has a copy of it at octet 24.
            let (way, at) = if packet.direction == requests_go {
                (&mut ways.requests, 0)
            } else {
                (&mut ways.replies, 24)
            };
            if let Some(seq) = packet.payload.get(at..).and_then(<[u8]>::first_chunk) {
                way.entry(u32::from_be_bytes(*seq)).or_insert(packet.at_ns);
            }
        }
        ways
    }

    /// From the request to the reply, as this end saw it.
    fn between(&self, seq: u32) -> Option<i64> {
        Some(self.replies.get(&seq)? - self.requests.get(&seq)?)
    }
}

/// With T3 as read before the call that sends, and with the kernel's.
fn ideal_pair(bench: &Bench) -> Result<[RoundTrips; 2]> {
    let far = bench.reflector_v4();
    let place = Place::at(&bench.link.reflector);
    let reflector = bench.listener(place, &Role::IdealReflector(far))?;
    let plan = IdealPlan {
        count: COUNT,
        interval: Duration::from_micros(INTERVAL_US),
        grace: IDEAL_GRACE,
    };
    let role = Role::IdealSender(far, plan);
    let sender = Process::role(&bench.scratch, Place::at(&bench.link.sender), &role)?;
    let printed = sender.succeed(limit())?.stdout;
    drop(reflector);
    let samples: Vec<IdealSample> = serde_json::from_str(&printed).context("ideal sender")?;
    let round_trips = |t3: fn(&IdealSample) -> Option<i64>| {
        (0..)
            .zip(&samples)
            .filter_map(|(seq, it)| Some((seq, (it.t4? - it.t1?) - (t3(it)? - it.t2))))
            .collect()
    };
    Ok([round_trips(|it| Some(it.t3)), round_trips(|it| it.left)])
}

fn twinpath_pair(bench: &Bench, tool: &Tool, sender_options: &str) -> Result<RoundTrips> {
    let far = bench.reflector_v4();
    let place = Place::at(&bench.link.reflector);
    let responder = tool.responder(&bench.scratch, place, far, &bench.responder_options)?;
    let options =
        format!("--output jsonl -c {COUNT} -i {INTERVAL_US}us --padding 27 {sender_options}");
    let sender = tool.sender(&bench.scratch, Place::at(&bench.link.sender), far, &options)?;
    let printed = sender.succeed(limit())?.stdout;
    drop(responder);
    Session::parse(&printed)?.require_kernel_stamps()?;
    let round_trips = records(&printed)?
        .into_iter()
        .filter(|record| record.fate == "received")
        .filter_map(|record| Some((record.seq, record.round_trip_ns?)))
        .collect();
    Ok(round_trips)
}

/// Far longer than a run lasts.
fn limit() -> Duration {
    Duration::from_micros(u64::from(COUNT) * INTERVAL_US) * 4 + Duration::from_secs(20)
}
