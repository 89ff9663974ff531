//! The benchmarks: each in a file of its own.

mod accuracy;
mod bursts;
mod many;
mod memory;
mod reflection;
mod secured;
mod sending;
mod session_memory;
mod watched;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::interrupt;
use crate::machine::Machine;
use crate::namespaces::Link;
use crate::outcome::{Outcome, Row};
use crate::process::{Place, Process, Scratch};
use crate::role::Role;
use crate::tool::Tool;

/// Where reflectors of any kind listen, in a namespace of their own.
const PORT: u16 = 20001;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure
    benchmark: Benchmark,
    /// How often; figures are medians over the runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// A twinpath program to measure, instead of this workspace's release build
    #[arg(long, conflicts_with = "limits_only")]
    binary: Option<PathBuf>,
    /// Measure only the limits of this machine, without twinpath
    #[arg(long)]
    limits_only: bool,
    /// Sessions of `sessions-memory`
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
    /// Options added to the responder's command line
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    responder_options: String,
    /// Options added to the sender's command line
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    sender_options: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Benchmark {
    /// Reported round trips against captures at both ends, beside an ideal pair
    Accuracy,
    /// Packets a second that a responder answers, beside a bare echo
    Reflection,
    /// Packets a second that a server answers in the secured modes, beside its open sessions
    Secured,
    /// Departures against the schedule, beside a bare loop; and the highest rate
    Sending,
    /// Departures and round trips of a run that is saved and watched, beside one that is not
    Watched,
    /// 10,000 sessions at 1 packet/s each beside `fping`, and 1,000 at 100 packets/s, by one process
    Many,
    /// Peak memory of a long session and of many sessions
    Memory,
    /// Resident memory of many measured sessions in one process, without a network
    SessionsMemory,
}

/// What every benchmark works with.
struct Bench {
    link: Link,
    scratch: Scratch,
    /// `None` with `--limits-only`.
    tool: Option<Tool>,
    runs: u32,
    sessions: u32,
    cores: usize,
    responder_options: String,
    sender_options: String,
}

/// Rows, and remarks on them.
type Found = (Vec<Row>, Vec<String>);

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let alone = matches!(arguments.benchmark, Benchmark::SessionsMemory);
    let tool = if arguments.limits_only || alone {
        None
    } else {
        Some(Tool::find(arguments.binary.as_deref())?)
    };
    interrupt::watch()?;
    let machine = Machine::survey();
    let bench = Bench {
        link: Link::create()?,
        scratch: Scratch::create()?,
        tool,
        runs: arguments.runs,
        sessions: arguments.sessions,
        cores: machine.cores,
        responder_options: arguments.responder_options.clone(),
        sender_options: arguments.sender_options.clone(),
    };
    let (benchmark, limit, found) = match arguments.benchmark {
        Benchmark::Accuracy => ("accuracy", "ideal pair", accuracy::measure(&bench)),
        Benchmark::Reflection => ("reflection", "bare echo", reflection::measure(&bench)),
        Benchmark::Secured => ("secured", "open session", secured::measure(&bench)),
        Benchmark::Sending => ("sending", "bare loop", sending::measure(&bench)),
        Benchmark::Watched => ("watched", "unwatched", watched::measure(&bench)),
        Benchmark::Many => ("many", "fping", many::measure(&bench)),
        Benchmark::Memory => ("memory", "", memory::measure(&bench)),
        Benchmark::SessionsMemory => ("sessions-memory", "", session_memory::measure(&bench)),
    };
    let (rows, mut notes) = found?;
    notes.extend(machine.disturbance());
    let version = bench
        .tool
        .as_ref()
        .map_or("limits only", |tool| &tool.version)
        .to_owned();
    let outcome = Outcome {
        benchmark,
        limit,
        machine,
        version,
        runs: bench.runs,
        rows,
        notes,
    };
    if arguments.json {
        outcome.print_json()?;
    } else {
        outcome.print();
    }
    Ok(())
}

impl Bench {
    fn reflector_v4(&self) -> SocketAddr {
        at(self.link.reflector.v4())
    }

    fn reflector_v6(&self) -> SocketAddr {
        at(self.link.reflector.v6())
    }

    /// Starts a bare program that listens, and waits until it does.
    fn listener(&self, place: Place<'_>, role: &Role) -> Result<Process> {
        let mut process = Process::role(&self.scratch, place, role)?;
        process.wait_for("listening on")?;
        Ok(process)
    }
}

fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, PORT)
}
