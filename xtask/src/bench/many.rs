//! Many sessions in one process, beside as many targets of `fping`.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Bench, Found, PORT};
use crate::interrupt;
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::statistics::float;
use crate::tool::Tool;

/// Where the far ends are: all of it are addresses of the reflector's host.
const NET: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 0);
/// The limits of `fping`: 65,535 pings in ten seconds for one of it.
const FPING_TARGETS: usize = 5_000;

/// What is measured: sessions, interval and duration.
struct Load {
    name: &'static str,
    sessions: u32,
    interval: Duration,
    duration: Duration,
    beside: Beside,
}

/// What the sessions are compared with.
enum Beside {
    /// As many targets of `fping`, with the same period.
    Fping,
    /// One session that sends as many packets as all of them.
    OneSession,
}

const LOADS: [Load; 3] = [
    Load {
        name: "10,000 sessions, 1/s each",
        sessions: 10_000,
        interval: Duration::from_secs(1),
        duration: Duration::from_mins(1),
        beside: Beside::Fping,
    },
    // What one thread carries with both cores of a small machine to itself and the reflector.
    Load {
        name: "500 sessions, 100/s each",
        sessions: 500,
        interval: Duration::from_millis(10),
        duration: Duration::from_secs(10),
        beside: Beside::OneSession,
    },
    Load {
        name: "1,000 sessions, 100/s each",
        sessions: 1_000,
        interval: Duration::from_millis(10),
        duration: Duration::from_secs(10),
        beside: Beside::OneSession,
    },
];

/// What `sender --json` says of one session; what is read of it.
#[derive(Deserialize)]
struct Report {
    sessions: Vec<Session>,
}

#[derive(Deserialize)]
struct Session {
    packets: Packets,
    fallback_stamps: FallbackStamps,
    departure: Option<Departure>,
}

#[derive(Deserialize)]
struct Packets {
    sent: u64,
    received: u64,
    lost: u64,
    send_errors: u64,
    slots_skipped: u64,
}

#[derive(Deserialize)]
struct FallbackStamps {
    transmit: u64,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the report")]
struct Departure {
    median_ns: i64,
    p90_ns: i64,
    p95_ns: i64,
    p99_ns: i64,
    max_ns: i64,
}

impl Departure {
    /// Which share of the packets was at most this late.
    fn shares(&self) -> [(i64, f64); 5] {
        [
            (self.median_ns, 0.5),
            (self.p90_ns, 0.4),
            (self.p95_ns, 0.05),
            (self.p99_ns, 0.04),
            (self.max_ns, 0.01),
        ]
    }
}

/// The p99 of all packets of sessions with equally many, or a little more: each packet counts as late as
/// the next percentile of its session.
fn p99_of_all<'a>(sessions: impl Iterator<Item = &'a Departure>) -> i64 {
    let mut shares: Vec<(i64, f64)> = sessions.flat_map(Departure::shares).collect();
    shares.sort_by_key(|(ns, _)| *ns);
    let all: f64 = shares.iter().map(|(_, share)| share).sum();
    // Where a hundredth is one packet of each session, sums are not exact enough to tell it from the rest.
    let mut left = all * 0.99 - 1e-9 * all;
    let at = shares.iter().find(|(_, share)| {
        left -= share;
        left <= 0.0
    });
    at.map_or(i64::MAX, |(ns, _)| *ns)
}

/// The rows of one load.
struct Rows {
    core: Row,
    whole: Row,
    memory: Row,
    lateness: Row,
    late_sessions: Row,
    accounted: Row,
    received: Row,
    stamped: Row,
}

impl Rows {
    fn new(load: &Load) -> Self {
        let row = |figure: &str, unit, bar| Row::new(format!("{}: {figure}", load.name), unit, bar);
        let (core, late) = match load.beside {
            Beside::Fping => (Bar::AtMostTimes(1.5), Bar::AtMost(1e6)),
            Beside::OneSession => (Bar::Open, Bar::AtMostTimes(1.0)),
        };
        Self {
            core: row("processor time in each second", Unit::CpuSeconds, core),
            whole: row(
                "processor time with the report",
                Unit::CpuSeconds,
                Bar::Open,
            ),
            memory: row("peak memory", Unit::Octets, Bar::AtMost(150e6)),
            lateness: row("departure - schedule p99", Unit::Nanoseconds, late),
            late_sessions: row(
                "99 % of sessions: departure - schedule p99",
                Unit::Nanoseconds,
                Bar::Open,
            ),
            accounted: row(
                "packets due without a fate",
                Unit::Packets,
                Bar::AtMost(0.0),
            ),
            received: row("share received", Unit::Share, Bar::AtLeast(1.0)),
            stamped: row(
                "share stamped by the kernel",
                Unit::Share,
                Bar::AtLeast(0.999),
            ),
        }
    }

    fn into_rows(self) -> [Row; 8] {
        [
            self.core,
            self.whole,
            self.memory,
            self.lateness,
            self.late_sessions,
            self.accounted,
            self.received,
            self.stamped,
        ]
    }
}

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let Some(tool) = &bench.tool else {
        bail!("without twinpath there is nothing to measure")
    };
    bench.link.route_to_reflector(NET)?;
    let mut rows = Vec::new();
    for load in &LOADS {
        let targets = targets(bench, load)?;
        let mut of_load = Rows::new(load);
        for run in 1..=bench.runs {
            sessions(bench, tool, load, &targets, &mut of_load)?;
            match load.beside {
                Beside::Fping => of_load.core.limit.push(fping(bench, load, &targets)?),
                Beside::OneSession => {
                    let late = one_session(bench, tool, load)?;
                    of_load.lateness.limit.push(float(late.unsigned_abs()));
                }
            }
            eprintln!("{}: run {run} of {}", load.name, bench.runs);
        }
        rows.extend(of_load.into_rows());
    }
    Ok((rows, Vec::new()))
}

fn targets(bench: &Bench, load: &Load) -> Result<Vec<PathBuf>> {
    let all: Vec<String> = (1..=load.sessions)
        .map(|index| Ipv4Addr::from(u32::from(NET) + index).to_string())
        .collect();
    let files = all.chunks(FPING_TARGETS).enumerate().map(|(part, lines)| {
        let path = bench.scratch.name(&format!("targets-{part}"));
        fs::write(&path, lines.join("\n") + "\n")?;
        Ok(path)
    });
    files.collect()
}

fn sessions(
    bench: &Bench,
    tool: &Tool,
    load: &Load,
    targets: &[PathBuf],
    rows: &mut Rows,
) -> Result<()> {
    let far = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), PORT);
    let place = Place::at(&bench.link.reflector);
    let options = format!("--max-sessions 100000 {}", bench.responder_options);
    let responder = tool.responder(&bench.scratch, place, far, &options)?;
    let mut lines = String::new();
    for file in targets {
        for line in fs::read_to_string(file)?.lines() {
            writeln!(lines, "{line}:{PORT}")?;
        }
    }
    let file = bench.scratch.name("targets");
    fs::write(&file, lines)?;
    let line = format!(
        "sender --targets {} -i {}us --duration {}s --padding 27 --json {}",
        file.display(),
        load.interval.as_micros(),
        load.duration.as_secs(),
        bench.sender_options
    );
    let mut sender = tool.start(&bench.scratch, Place::at(&bench.link.sender), &line)?;
    // Neither the beginning nor the report counts.
    let edge = load.duration / 10;
    pause(edge)?;
    let (begin, before) = (Instant::now(), sender.ran_ns());
    pause(edge * 8)?;
    let ran_ns = sender.ran_ns().saturating_sub(before);
    let core = float(ran_ns) / 1e9 / begin.elapsed().as_secs_f64();
    let mut peak = 0;
    let patience = Instant::now() + load.duration + Duration::from_mins(2);
    while !sender.is_over()? {
        interrupt::check()?;
        if Instant::now() > patience {
            bail!("the sessions do not end");
        }
        peak = peak.max(sender.peak_memory_octets().unwrap_or(0));
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = sender.succeed(Duration::from_secs(10))?;
    drop(responder);
    let report: Report = serde_json::from_str(&ended.stdout).context("not the report expected")?;
    if report.sessions.len() != load.sessions as usize {
        bail!("{} sessions of {}", report.sessions.len(), load.sessions);
    }
    let sum = |of: fn(&Session) -> u64| report.sessions.iter().map(of).sum::<u64>();
    let sent = sum(|it| it.packets.sent);
    let known = sum(|it| it.packets.received + it.packets.lost);
    let due = u64::from(load.sessions)
        * u64::try_from(load.duration.as_nanos() / load.interval.as_nanos())?;
    let unsent = sum(|it| it.packets.send_errors + it.packets.slots_skipped);
    let departures = || {
        report
            .sessions
            .iter()
            .filter_map(|it| it.departure.as_ref())
    };
    let all = p99_of_all(departures());
    let mut late: Vec<i64> = departures().map(|it| it.p99_ns).collect();
    late.sort_unstable();
    let worst = late.get(late.len() * 99 / 100).copied().unwrap_or(i64::MAX);
    rows.core.twinpath.push(core);
    rows.whole.twinpath.push(ended.cpu.as_secs_f64());
    rows.memory.twinpath.push(float(peak));
    rows.lateness.twinpath.push(float(all.unsigned_abs()));
    rows.late_sessions
        .twinpath
        .push(float(worst.unsigned_abs()));
    let without = sent.abs_diff(known) + due.abs_diff(sent + unsent);
    rows.accounted.twinpath.push(float(without));
    rows.received
        .twinpath
        .push(float(sum(|it| it.packets.received)) / float(due));
    let unstamped = sum(|it| it.fallback_stamps.transmit);
    rows.stamped
        .twinpath
        .push(1.0 - float(unstamped) / float(sent.max(1)));
    Ok(())
}

/// The p99 of how late the packets of one session are that sends as many.
fn one_session(bench: &Bench, tool: &Tool, load: &Load) -> Result<i64> {
    let far = bench.reflector_v4();
    let place = Place::at(&bench.link.reflector);
    let responder = tool.responder(&bench.scratch, place, far, &bench.responder_options)?;
    let options = format!(
        "-i {}ns --duration {}s --padding 27 --json {}",
        load.interval.as_nanos() / u128::from(load.sessions),
        load.duration.as_secs(),
        bench.sender_options
    );
    let place = Place::at(&bench.link.sender);
    let ended = tool.sender(&bench.scratch, place, far, &options)?;
    let ended = ended.succeed(load.duration + Duration::from_mins(1))?;
    drop(responder);
    let report: Report = serde_json::from_str(&ended.stdout).context("not the report expected")?;
    let one = report.sessions.first().and_then(|it| it.departure.as_ref());
    Ok(one.context("no packet left")?.p99_ns)
}

/// The processor time that `fping` takes in each second for the same targets and period.
fn fping(bench: &Bench, load: &Load, targets: &[PathBuf]) -> Result<f64> {
    let program = Path::new("/usr/bin/fping");
    let pings = load.duration.as_nanos() / load.interval.as_nanos();
    let start = |file: &PathBuf| {
        let line = format!(
            "-q -C {pings} -p {} -i 0.1 -f {}",
            load.interval.as_millis(),
            file.display()
        );
        let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Process::start(
            &bench.scratch,
            Place::at(&bench.link.sender),
            program,
            &line,
        )
    };
    let running: Vec<Process> = targets.iter().map(start).collect::<Result<_>>()?;
    let edge = load.duration / 10;
    pause(edge)?;
    let ran = |all: &[Process]| all.iter().map(Process::ran_ns).sum::<u64>();
    let (begin, before) = (Instant::now(), ran(&running));
    pause(edge * 8)?;
    let ran_ns = ran(&running).saturating_sub(before);
    let core = float(ran_ns) / 1e9 / begin.elapsed().as_secs_f64();
    for process in running {
        process.finish(load.duration + Duration::from_mins(1))?;
    }
    Ok(core)
}

fn pause(time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        interrupt::check()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
