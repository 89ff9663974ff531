//! Parsing of the command line. Nothing is resolved, bound or opened here.

mod check;
#[cfg(feature = "control")]
mod control;
#[cfg(feature = "daemon")]
mod daemon;
mod doctor;
mod extensions;
mod figures;
mod hmac_keys;
mod limits;
#[cfg(feature = "live")]
mod live;
mod log_format;
mod metrics;
mod negative_values;
#[cfg(feature = "daemon")]
mod otlp;
#[cfg(test)]
mod pages;
#[cfg(feature = "pictures")]
mod pictures;
mod sandbox;
#[cfg(feature = "report")]
mod saving;
mod shared_options;
mod status;
mod targets;
pub(crate) mod usage;
mod value;

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Error, FromArgMatches as _, Parser, Subcommand};
use twinpath_wire::Dscp;

pub(crate) use check::{CheckArgs, CheckOptions};
#[cfg(feature = "control")]
pub(crate) use control::{
    ControlClientArgs, ControlCommand, ControlOptions, ControllerArgs, ImportOwampArgs, KeyOptions,
    ServerArgs,
};
#[cfg(feature = "daemon")]
pub(crate) use daemon::{ConfigArgs, ConfigCommand, DaemonArgs};
pub(crate) use doctor::DoctorArgs;
pub(crate) use extensions::ExtensionOptions;
pub(crate) use figures::{FigureArgs, FigureTerms};
pub(crate) use hmac_keys::HmacKeyOptions;
pub(crate) use limits::{Limited, TypedLine};
#[cfg(feature = "live")]
pub(crate) use live::LiveOptions;
pub(crate) use log_format::{LogFormat, LogFormatOptions};
pub(crate) use metrics::MetricsOptions;
#[cfg(feature = "pictures")]
pub(crate) use pictures::{GraphFile, GraphForm, PictureOptions, PictureTheme};
pub(crate) use sandbox::{SandboxOptions, SandboxPart};
#[cfg(feature = "report")]
pub(crate) use saving::{ReportArgs, SavingOptions};
pub(crate) use shared_options::{
    Answers, Filling, IpOptions, LogOptions, OnNoSsid, OutputFormat, PacketOptions, ResultOptions,
    RunOptions, ScheduleOptions, SenderMarking, StampOptions, StampPackets, SummaryOptions,
    WireFormat,
};
pub(crate) use status::ControlSocketOptions;
#[cfg(all(feature = "status", unix))]
pub(crate) use status::{ControlSocketChoice, StatusArgs};
pub(crate) use targets::{
    GivenOptions, MOST_SESSIONS, SessionOptions, TargetOptions, UsualSchedule,
};
#[cfg(feature = "daemon")]
pub(crate) use value::Spelling;
#[cfg(feature = "daemon")]
pub(crate) use value::key_path;
pub(crate) use value::{Alert, AlertRange, Beyond, NamedFigure, TimeUnit};
pub(crate) use value::{
    Count, FarEnd, Group, Host, Interval, Label, Member, MicroSession, NearEnd, OrEndless,
    PaddingSize, Pattern, Ports, Prefix, ReplyPadding, Ssid, Ssids, Time, TosOctet, Ttl, doubt,
    dscp_for_host,
};
#[cfg(feature = "report")]
pub(crate) use value::{Moment, Rotate};

use shared_options::{
    CONTROL, EXTENSIONS, FIGURES, IP, OUTPUT, PACKETS, SCHEDULE, SESSIONS, STAMPS,
};
#[cfg(feature = "daemon")]
pub(crate) use value::quantity::above_zero;
use value::{dscp, listed_dscp, quantity};

/// PBKDF2 iterations that clients accept by default (RFC 5357 section 6).
pub(crate) const CUSTOMARY_PBKDF2_COUNT: u32 = 32_768;
/// The most that an option takes: a second or so on slow hosts, for each key and each connection.
pub(crate) const MOST_PBKDF2_COUNT: u32 = 1 << 20;

/// Why a value is refused, and what to write instead, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Advice(Cow<'static, str>);

impl Advice {
    fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// With more to write.
    fn and(self, more: &str) -> Self {
        Self::new(format!("{self}{more}"))
    }

    /// Of a part of what was typed.
    fn of(self, name: &str, part: &str) -> Self {
        Self::new(format!("{name} {part}: {self}"))
    }
}

/// Measure delay, delay variation, loss, duplication and reordering between two hosts
#[derive(Debug, Parser)]
#[command(name = "twinpath", version, long_version = crate::version::LONG, max_term_width = 100)]
#[command(
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads a command line, the program's own name first.
    ///
    /// # Errors
    /// Bad usage, for [`usage::failure`]; help and the version too.
    pub(crate) fn read(
        words: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, Error> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let mut command = Self::command();
        let words = negative_values::joined(&command, words);
        let mut matches = command.try_get_matches_from_mut(&words)?;
        let given = |command, usual| {
            let matches = matches.subcommand_matches(command)?;
            Some(SessionOptions::given(matches, usual))
        };
        let given_to_sender = given("sender", UsualSchedule::default());
        let given_to_check = given("check", CheckArgs::USUAL);
        let typed_to_responder = TypedLine::of_command::<ResponderArgs>(&words, &matches);
        #[cfg(feature = "control")]
        let typed_to_server = TypedLine::of_command::<ServerArgs>(&words, &matches);
        let cli = Self::from_arg_matches_mut(&mut matches);
        let mut cli = cli.map_err(|error| error.format(&mut command))?;
        if let (Command::Sender(args), Some(given)) = (&mut cli.command, given_to_sender) {
            args.given = given;
        }
        if let (Command::Check(args), Some(given)) = (&mut cli.command, given_to_check) {
            args.given = given;
        }
        if let Command::Responder(args) = &mut cli.command {
            args.typed = typed_to_responder;
        }
        #[cfg(feature = "control")]
        if let Command::Control(ControlCommand::Server(args)) = &mut cli.command {
            args.typed = typed_to_server;
        }
        Ok(cli)
    }

    /// A command line in words, without the program's own name.
    #[cfg(test)]
    pub(crate) fn of(line: &str) -> Self {
        let words = std::iter::once("twinpath").chain(line.split_whitespace());
        Self::read(words).unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

#[cfg(test)]
impl SenderArgs {
    /// Those of `twinpath sender` with these words.
    pub(crate) fn of(line: &str) -> Self {
        let Command::Sender(args) = Cli::of(&format!("sender {line}")).command else {
            unreachable!("another command")
        };
        *args
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send probes and report: TWAMP Light or STAMP Session-Sender
    Sender(Box<SenderArgs>),
    /// Reflect probes: TWAMP Light and STAMP Session-Reflector
    Responder(Box<ResponderArgs>),
    #[cfg(feature = "control")]
    #[command(flatten)]
    Control(ControlCommand),
    /// Measure as a monitoring plug-in: one line with performance data, exit status 0 to 3
    Check(Box<CheckArgs>),
    /// Re-render, merge or compare raw files and packet captures
    #[cfg(feature = "report")]
    Report(Box<ReportArgs>),
    /// Find out what a far end speaks and does, and what is wrong with it
    Doctor(Box<DoctorArgs>),
    /// Run sessions, responders and servers all the time, as a configuration says
    #[cfg(feature = "daemon")]
    Daemon(Box<DaemonArgs>),
    /// Check, show and compare configurations of a daemon
    #[cfg(feature = "daemon")]
    Config(ConfigArgs),
    /// Show what responders, servers and daemons on this host do now
    #[cfg(all(feature = "status", unix))]
    Status(StatusArgs),
    /// Turn the configuration of perfSONAR's twampd into that of a server
    #[cfg(feature = "control")]
    ImportOwamp(ImportOwampArgs),
    /// List DSCP names, values and ToS octets
    Dscptable(DscptableArgs),
    /// Check this host's capabilities and run a loopback measurement
    Selftest(SelftestArgs),
}

/// `twinpath sender`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath sender 192.0.2.1                           100 packets to port 20001, one every 100 ms
  twinpath sender 192.0.2.1:862 --stamp -c 1000 -i 10 STAMP, 1000 packets, one every 10 ms
  twinpath sender router1 -6 --dscp be,ef --json      two classes at once over IPv6, as JSON
  twinpath sender fe80::1%eth0 --duration 60 -v       for one minute, a line per packet
  twinpath sender --targets mesh.txt --paths 4 -i 1s  every far end of a file, on four paths each

Exit status: 0 measured, 1 not measured or a file is incomplete, 2 bad usage,
3 every packet was lost")]
pub(crate) struct SenderArgs {
    /// Reflector: address or name [default port: 20001, with --stamp 862]
    #[arg(value_name = "FAR[:PORT]", required_unless_present_any = ["to", "targets"])]
    pub(crate) far: Option<FarEnd>,

    /// Local address and port; with port 0 any free one, several classes take consecutive ports
    /// [default port: 20000, or any if taken]
    #[arg(value_name = "NEAR[:PORT]", conflicts_with = "near-option")]
    pub(crate) near: Option<NearEnd>,

    #[command(flatten)]
    pub(crate) targets: TargetOptions,
    #[command(flatten)]
    pub(crate) session: SessionOptions,
    /// Those of `session` that were typed.
    #[arg(skip)]
    pub(crate) given: GivenOptions,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// `twinpath responder`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath responder                                  port 20001 on all addresses
  twinpath responder 192.0.2.1:862 --allow 192.0.2.0/24
  twinpath responder [2001:db8::1]:862 --protocol stamp --threads 4
  twinpath responder :862 --hmac-key-file /etc/twinpath/stamp-keys --limits /etc/twinpath/limits

On SIGINT, SIGTERM or SIGHUP it prints a summary and exits with 0; with --hmac-key-file or
--limits SIGHUP makes it read these files again. SIGQUIT prints the summary so far on stderr")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct ResponderArgs {
    /// Local address and port; 0.0.0.0 is IPv4 only, :: IPv6 only, port 0 any free one [default:
    /// all addresses, port 20001]
    #[arg(value_name = "NEAR[:PORT]")]
    pub(crate) near: Option<NearEnd>,

    /// Answer only these addresses (repeatable) [default: all]
    #[arg(long, value_name = "PREFIX", help_heading = SESSIONS)]
    pub(crate) allow: Vec<Prefix>,

    /// Answer only STAMP sessions with these Session Identifiers, as in 7,100-199; 0: packets without
    /// one, as those of TWAMP Light [default: all]
    #[arg(long, value_name = "N|LO-HI,..", value_delimiter = ',', help_heading = SESSIONS)]
    pub(crate) allow_ssid: Vec<Ssids>,

    /// Answer at most this many packets per second per client: an IPv4 address or an IPv6 /64
    /// [default: no limit]
    #[arg(long, value_name = "PPS", value_parser = quantity::at_least_one::<u32>, help_heading = SESSIONS)]
    pub(crate) max_rate: Option<u32>,

    /// Maximum sessions tracked; the least recently used one is evicted
    #[arg(long, value_name = "N", default_value = "100000", value_parser = quantity::at_least_one::<usize>, help_heading = SESSIONS)]
    pub(crate) max_sessions: usize,

    /// Forget a session after this idle time: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "900", value_parser = quantity::above_zero, help_heading = SESSIONS)]
    pub(crate) timer: Time,

    /// Read these limits from a file, and again on SIGHUP: allow, allow-ssid, allow-dscp,
    /// allow-return-address, allow-control, srv6-return, max-rate, max-sessions and control-.. options, a
    /// line for each, as in "max-rate 100"; # for comments
    #[arg(long, value_name = "FILE", help_heading = SESSIONS)]
    pub(crate) limits: Option<PathBuf>,
    /// The command line, where it names such a file.
    #[arg(skip)]
    pub(crate) typed: Option<TypedLine>,

    /// Keep no sequence counters; replies carry the request's number
    #[arg(long, conflicts_with_all = ["max_sessions", "timer"], help_heading = SESSIONS)]
    pub(crate) stateless: bool,

    /// Drop (rather than just count) requests with a zero Error Estimate Multiplier (RFC 4656)
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) strict: bool,

    /// Protocol to answer
    #[arg(long, value_name = "NAME", default_value = "auto", help_heading = SESSIONS)]
    pub(crate) protocol: Answers,

    /// Format of the timestamps in replies: ptp is that of PTPv2, TAI, and needs --protocol stamp
    #[arg(long, value_name = "FORMAT", default_value = "ntp", help_heading = SESSIONS)]
    pub(crate) timestamp_format: WireFormat,

    #[command(flatten)]
    pub(crate) keys: HmacKeyOptions,

    /// Answer authenticated STAMP only
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) authenticated: bool,

    /// Process TLVs of open STAMP too only with a right HMAC TLV, as in authenticated STAMP
    #[arg(long, conflicts_with = "accept_unverified_tlvs", help_heading = SESSIONS)]
    pub(crate) require_hmac: bool,

    /// Process TLVs with an HMAC TLV for which there is no key
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) accept_unverified_tlvs: bool,

    /// Reflector threads, each with its own sockets
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads, help_heading = SESSIONS)]
    pub(crate) threads: usize,

    /// Size replies as for a request with this padding, but never longer than the request unless
    /// --allow-larger-replies [default: as the request]
    #[arg(long, value_name = "BYTES", help_heading = PACKETS)]
    pub(crate) padding: Option<ReplyPadding>,

    /// Let --padding make a reply longer than its request
    #[arg(long, help_heading = PACKETS)]
    pub(crate) allow_larger_replies: bool,

    /// DSCP of replies, also where a request asks for another that --allow-dscp does not have
    /// [default: the request's]
    #[arg(long, value_name = "NAME|0-63", value_parser = dscp, help_heading = IP)]
    pub(crate) dscp: Option<Dscp>,

    #[command(flatten)]
    pub(crate) extensions: ExtensionOptions,

    #[command(flatten)]
    pub(crate) ip: IpOptions,

    #[command(flatten)]
    pub(crate) stamps: StampOptions,

    /// Send T3 as read, without advancing it by the measured transmit latency
    #[arg(long, help_heading = STAMPS)]
    pub(crate) raw_t3: bool,

    #[command(flatten)]
    pub(crate) summary: SummaryOptions,

    #[command(flatten)]
    pub(crate) sandbox: SandboxOptions,

    #[command(flatten)]
    pub(crate) metrics: MetricsOptions,

    #[command(flatten)]
    pub(crate) control_socket: ControlSocketOptions,

    /// Log ignored packets, each kind at most once a second
    #[arg(short, long, conflicts_with = "quiet", help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) log_form: LogFormatOptions,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// `twinpath dscptable`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DscptableArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `twinpath selftest`.
#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {
    /// Packets per address family
    #[arg(short, long, value_name = "N", default_value = "200")]
    pub(crate) count: Count,

    /// Time between packets: milliseconds, or with a unit (ns us ms s m h d)
    #[arg(short, long, value_name = "MS", default_value = "10")]
    pub(crate) interval: Interval,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Use only portable sockets and user-space timestamps
    #[arg(long)]
    pub(crate) portable: bool,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

fn threads(text: &str) -> Result<usize, Advice> {
    quantity::number(text, 1..=256)
}
