//! Which far ends `sender` measures, and how each of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

use super::value::quantity::number;
use super::{
    Advice, FarEnd, IP, IpOptions, NearEnd, PacketOptions, Ports, SESSIONS, ScheduleOptions,
    SenderMarking, StampOptions, StampPackets, threads,
};

/// The most sessions of a process.
pub(crate) const MOST_SESSIONS: usize = 10_000;

/// Far ends beside the one that is named first, and what is shared among their sessions.
#[derive(Debug, Args)]
#[command(next_help_heading = SESSIONS)]
pub(crate) struct TargetOptions {
    /// Measure this far end, beside or instead of FAR (repeatable)
    #[arg(long, value_name = "FAR[:PORT]")]
    pub(crate) to: Vec<FarEnd>,

    /// Measure the far ends of this file, or of stdin (-): a line for each, ADDRESS[:PORT] [NAME],
    /// with comments behind #; a file named .toml has [defaults] and [[target]] tables with these
    /// options as keys. At most 10000 sessions
    #[arg(long, value_name = "FILE|-")]
    pub(crate) targets: Option<PathBuf>,

    /// Threads that more than 16 sessions share; up to 16 each have their own; default: one for each 50000
    /// packets a second, as far as there are processors
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

impl TargetOptions {
    /// What is read, by its option. Stdin may be a file too.
    pub(crate) fn read_files(&self) -> Vec<(&'static str, &Path)> {
        let path = self.targets.as_deref().map(|path| match path.to_str() {
            Some("-") => Path::new("/dev/stdin"),
            Some(_) | None => path,
        });
        Vec::from_iter(path.map(|path| ("--targets", path)))
    }
}

/// How a target is measured.
#[derive(Debug, Args)]
pub(crate) struct SessionOptions {
    #[command(flatten)]
    pub(crate) schedule: ScheduleOptions,
    #[command(flatten)]
    pub(crate) packet: PacketOptions,
    #[command(flatten)]
    pub(crate) stamp: StampPackets,
    #[command(flatten)]
    pub(crate) marking: SenderMarking,
    #[command(flatten)]
    pub(crate) ip: IpOptions,

    /// NEAR where there is no FAR: the local address and port, or one of them
    #[arg(id = "near-option", long = "near", value_name = "NEAR[:PORT]", help_heading = IP)]
    pub(crate) near: Option<NearEnd>,

    /// Use the first free source ports of this range, or this one port
    #[arg(long, value_name = "LO-HI", help_heading = IP)]
    pub(crate) ports: Option<Ports>,

    /// Measure each far end from N source ports at once, so that parallel paths (ECMP, LAG) are seen
    #[arg(long, value_name = "N", value_parser = paths, conflicts_with = "micro_session", help_heading = SESSIONS)]
    pub(crate) paths: Option<u16>,

    #[command(flatten)]
    pub(crate) stamps: StampOptions,
}

/// Options that a command line itself has, without those that it leaves at their defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenOptions {
    /// The long name and the values, which a switch has not.
    pub(crate) typed: Vec<(String, Option<Vec<String>>)>,
    /// The defaults of its command.
    pub(crate) usual: UsualSchedule,
}

/// What a command sends unless it is told otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsualSchedule {
    /// `--count`.
    pub(crate) count: &'static str,
    /// `--timeout`, in seconds.
    pub(crate) timeout: &'static str,
    /// Where the departure pattern has its times from `--interval`.
    pub(crate) interval: Duration,
}

impl Default for UsualSchedule {
    fn default() -> Self {
        Self {
            count: "100",
            timeout: "2",
            interval: Duration::from_millis(100),
        }
    }
}

impl SessionOptions {
    /// These options alone, without the name of a program before them.
    pub(crate) fn command(usual: UsualSchedule) -> Command {
        let command = Command::new("target")
            .no_binary_name(true)
            .disable_help_flag(true);
        Self::augment_args(command)
            .mut_arg("count", |arg| arg.default_value(usual.count))
            .mut_arg("timeout", |arg| arg.default_value(usual.timeout))
    }

    /// With what is usual in place of what was not given.
    pub(crate) fn or_usual(mut self, usual: UsualSchedule) -> Self {
        self.schedule.fill_interval(usual);
        self
    }

    /// Which of them are on a command line.
    pub(super) fn given(matches: &ArgMatches, usual: UsualSchedule) -> GivenOptions {
        let command = Self::command(usual);
        let given = command.get_arguments().filter_map(|arg| {
            let id = arg.get_id().as_str();
            let typed = matches.value_source(id) == Some(ValueSource::CommandLine);
            let long = arg.get_long().filter(|_| typed)?.to_owned();
            let raw = matches.get_raw(id).into_iter().flatten();
            let values = || raw.map(|value| value.to_string_lossy().into_owned());
            let takes_values = arg.get_action().takes_values();
            Some((long, takes_values.then(|| values().collect())))
        });
        GivenOptions {
            typed: given.collect(),
            usual,
        }
    }
}

pub(super) fn paths(text: &str) -> Result<u16, Advice> {
    number(text, 1..=MOST_SESSIONS as u64)
}
