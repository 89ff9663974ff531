//! The commands that speak TWAMP-Control (RFC 5357 section 3), as they are written.

mod import_owamp;
mod keys;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use twinpath_wire::Dscp;
use twinpath_wire::control::SecurityMode;

use super::targets::paths;
use super::value::quantity::{above_zero, at_least_one, number};
use super::{
    Advice, CONTROL, ControlSocketOptions, FarEnd, IP, IpOptions, LogFormatOptions, LogOptions,
    MetricsOptions, NearEnd, OUTPUT, PACKETS, PacketOptions, PaddingSize, Ports, Prefix,
    RunOptions, SCHEDULE, SESSIONS, STAMPS, SandboxOptions, ScheduleOptions, StampOptions,
    SummaryOptions, Time, TosOctet, TypedLine, WireFormat, dscp, listed_dscp, threads,
};

use keys::{Iterations, listed_mode};

pub(crate) use import_owamp::ImportOwampArgs;
pub(crate) use keys::{KeyFileOptions, KeyOptions};
pub(super) use keys::{iterations, key_id, mode};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ControlCommand {
    /// Negotiate sessions with a TWAMP server and measure: Control-Client and Session-Sender
    Controller(Box<ControllerArgs>),
    /// Accept sessions from controllers and reflect probes: TWAMP Server and Session-Reflector
    Server(Box<ServerArgs>),
    /// Negotiate a session on behalf of a sender on another host: Control-Client only
    Controlclient(Box<ControlClientArgs>),
}

/// `twinpath controller`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath controller 192.0.2.1                       100 packets, one every 100 ms, via TCP port 862
  twinpath controller router1 --dscp be,af41,ef -v    three sessions, with the negotiation
  twinpath controller 192.0.2.1 --nat --ports 18760-18780 --start-delay 1
  twinpath controller [2001:db8::1]:8620 --padding -1 --json
  twinpath controller router1 --keys ~/.twinpath-keys --mode encrypted

Exit status: 0 measured, 1 not measured, a class was refused (the others are reported) or a file
is incomplete, 2 bad usage, 3 every packet was lost")]
#[command(mut_arg("verbose", |verbose| verbose.help(
    "Print each control message, and a line per packet as ping does"
)))]
#[command(mut_arg("padding", |padding| padding.help(
    "Octets after the 14-octet header; -1 is IMIX: Ethernet frames of 64, 590 and 1514 octets without \
     frame check sequence, 7:4:1 (IPv6: 76 for 64) [default: 27; authenticated and encrypted: 98, \
     as long as their replies, and at least 34]"
)))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct ControllerArgs {
    /// TWAMP server: address or name [default port: TCP 862]
    #[arg(value_name = "SERVER[:PORT]")]
    pub(crate) server: FarEnd,

    /// Local address and UDP port; with port 0 any free one, several sessions take consecutive
    /// ports [default port: 20000, or any if taken]
    #[arg(value_name = "NEAR[:PORT]")]
    pub(crate) near: Option<NearEnd>,

    #[command(flatten)]
    pub(crate) control: ControlOptions,

    /// Run behind NAT: let the server use the addresses of the control connection for the sessions
    #[arg(long, help_heading = CONTROL)]
    pub(crate) nat: bool,

    /// Require reflected padding (RFC 6038 Reflect Octets)
    #[arg(long, help_heading = CONTROL)]
    pub(crate) reflect_octets: bool,

    /// Require packets as long as their replies (RFC 6038 Symmetrical Size); --padding counts from
    /// octet 41, with --dscp-monitoring 42
    #[arg(long, help_heading = CONTROL)]
    pub(crate) symmetrical_size: bool,

    /// Require the DSCP and ECN seen by the reflector (RFC 7750) [default: used if the server
    /// offers it and packets have room (--padding 30), except with --symmetrical-size]
    #[arg(long, help_heading = CONTROL)]
    pub(crate) dscp_monitoring: bool,

    /// Format of the reflector's timestamps (RFC 8186)
    #[arg(long, value_name = "FORMAT", default_value = "ntp", help_heading = CONTROL)]
    pub(crate) timestamp_format: WireFormat,

    #[command(flatten)]
    pub(crate) schedule: ScheduleOptions,
    #[command(flatten)]
    pub(crate) packet: PacketOptions,

    /// DSCP of packets and replies (see twinpath dscptable); a list runs one session per class, all
    /// at once [default: be]
    #[arg(long, value_name = "NAME|0-63,..", value_delimiter = ',', value_parser = listed_dscp, help_heading = IP)]
    pub(crate) dscp: Vec<Dscp>,

    /// Whole ToS or Traffic Class octet instead, with ECN; decimal, or hexadecimal as 0xb8
    #[arg(long, value_name = "0-255", conflicts_with = "dscp", help_heading = IP)]
    pub(crate) tos: Option<TosOctet>,

    #[command(flatten)]
    pub(crate) ip: IpOptions,

    /// Use the first free source ports of this range, or this one port
    #[arg(long, value_name = "LO-HI", help_heading = IP)]
    pub(crate) ports: Option<Ports>,

    /// Measure from N source ports at once, so that parallel paths (ECMP, LAG) are seen: a session for
    /// each path and class
    #[arg(long, value_name = "N", value_parser = paths, help_heading = SESSIONS)]
    pub(crate) paths: Option<u16>,

    /// Threads that more than 16 sessions share; up to 16 each have their own; default: one for each 50000
    /// packets a second, as far as there are processors
    #[arg(long, value_name = "N", value_parser = threads, help_heading = SESSIONS)]
    pub(crate) threads: Option<usize>,

    #[command(flatten)]
    pub(crate) stamps: StampOptions,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// `twinpath controlclient`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath controlclient 192.0.2.7 192.0.2.1          until SIGINT or SIGTERM
  twinpath controlclient 192.0.2.7:20000 router1 --duration 1h --dscp ef

It prints the address and port to send to. On 192.0.2.7, with that port:
  twinpath sender 192.0.2.1:PORT :20000 --dscp ef
A twinpath server accepts a sender on another host only with --allow-sender

Exit status: 0 the session ran, 1 it did not or the server ended it, 2 bad usage")]
pub(crate) struct ControlClientArgs {
    /// Session-Sender: address or name [default port: UDP 20000]
    #[arg(value_name = "SENDER[:PORT]")]
    pub(crate) sender: FarEnd,

    /// TWAMP server: address or name [default port: TCP 862]
    #[arg(value_name = "SERVER[:PORT]")]
    pub(crate) server: FarEnd,

    #[command(flatten)]
    pub(crate) control: ControlOptions,

    /// Stop after this time: seconds, or with a unit (ns us ms s m h d) [default: on SIGINT or
    /// SIGTERM]
    #[arg(long, value_name = "T", value_parser = above_zero, help_heading = SCHEDULE)]
    pub(crate) duration: Option<Time>,

    /// The sender's timeout: keep reflecting this long after the stop
    #[arg(long, value_name = "T", default_value = "2", help_heading = SCHEDULE)]
    pub(crate) timeout: Time,

    /// The sender's padding; -1 is IMIX
    #[arg(long, value_name = "BYTES", default_value = "27", help_heading = PACKETS)]
    pub(crate) padding: PaddingSize,

    /// DSCP of packets and replies
    #[arg(long, value_name = "NAME|0-63", value_parser = dscp, default_value = "be", help_heading = IP)]
    pub(crate) dscp: Dscp,

    /// Bind to this interface or VRF
    #[arg(long, value_name = "NAME", help_heading = IP)]
    pub(crate) interface: Option<String>,

    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = IP)]
    pub(crate) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long, help_heading = IP)]
    pub(crate) ipv6: bool,

    #[command(flatten)]
    pub(crate) summary: SummaryOptions,

    /// Print each control message
    #[arg(short, long, conflicts_with = "quiet", help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// `twinpath server`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath server                                     serve controllers on TCP port 862
  twinpath server 192.0.2.1 --allow 192.0.2.0/24 --test-ports 18760-18800
  twinpath server :8620 --refwait 60 --max-sessions-per-client 10 --json
  twinpath server --keys /etc/twinpath/keys           secured modes only; SIGHUP rereads the file
  twinpath server --limits /etc/twinpath/limits       limits from a file; SIGHUP rereads it

On SIGINT or SIGTERM it prints a summary and exits with 0; SIGQUIT prints the summary so far
on stderr")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct ServerArgs {
    /// Local address and TCP port; 0.0.0.0 is IPv4 only, :: IPv6 only, port 0 any free one
    /// [default: all addresses, port 862]
    #[arg(value_name = "NEAR[:PORT]")]
    pub(crate) near: Option<NearEnd>,

    /// Security modes to offer: unauthenticated, authenticated, encrypted, mixed [default:
    /// unauthenticated; with --keys all but unauthenticated]
    #[arg(long, value_name = "MODE,..", value_delimiter = ',', value_parser = listed_mode, help_heading = CONTROL)]
    pub(crate) mode: Vec<SecurityMode>,

    #[command(flatten)]
    pub(crate) keys: KeyFileOptions,

    /// PBKDF2 iterations per key derivation; more of them slow guessing, and every client once per
    /// connection; a power of 2 (rounded up), 1024 to 1048576 [default: 16384]
    #[arg(long, value_name = "N", requires = "keys", help_heading = CONTROL)]
    pub(crate) pbkdf2_count: Option<Iterations>,

    /// Close an idle connection without running sessions after this time: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "900", value_parser = above_zero, help_heading = CONTROL)]
    pub(crate) servwait: Time,

    /// End a running session after this time without a packet: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "900", value_parser = above_zero, help_heading = CONTROL)]
    pub(crate) refwait: Time,

    /// Maximum control connections
    #[arg(long, value_name = "N", default_value = "1000", value_parser = at_least_one::<usize>, help_heading = CONTROL)]
    pub(crate) max_connections: usize,

    /// Maximum control connections per client: an IPv4 address or an IPv6 /64
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<usize>, help_heading = CONTROL)]
    pub(crate) max_connections_per_client: usize,

    /// Accept only these clients (repeatable) [default: all]
    #[arg(long, value_name = "PREFIX", help_heading = CONTROL)]
    pub(crate) allow: Vec<Prefix>,

    /// DSCP of control segments [default: the client's]
    #[arg(long, value_name = "NAME|0-63", value_parser = dscp, help_heading = CONTROL)]
    pub(crate) control_dscp: Option<Dscp>,

    /// Close connections with a session count of 0 too; drop packets with a zero Error Estimate
    /// Multiplier (RFC 4656)
    #[arg(long, help_heading = CONTROL)]
    pub(crate) strict: bool,

    /// UDP ports for test packets, or one port: the one the client asks for, or a free one
    #[arg(long, value_name = "LO-HI", default_value = "18760-19960", help_heading = SESSIONS)]
    pub(crate) test_ports: Ports,

    /// Let clients without a key request any free port from 1024 up, and 862, not only --test-ports;
    /// clients with a key always may
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) allow_any_port: bool,

    /// Maximum sessions (0: none)
    #[arg(long, value_name = "N", default_value = "5000", value_parser = count, help_heading = SESSIONS)]
    pub(crate) max_sessions: usize,

    /// Maximum sessions of clients without a key, if clients with one are served too [default: half
    /// of --max-sessions]
    #[arg(long, value_name = "N", requires = "keys", value_parser = count, help_heading = SESSIONS)]
    pub(crate) max_open_sessions: Option<usize>,

    /// Maximum sessions per client: an IPv4 address or an IPv6 /64
    #[arg(long, value_name = "N", default_value = "100", value_parser = count, help_heading = SESSIONS)]
    pub(crate) max_sessions_per_client: usize,

    /// Answer at most this many packets per second per sender (an IPv4 address or an IPv6 /64),
    /// summed over its sessions [default: no limit]
    #[arg(long, value_name = "PPS", value_parser = at_least_one::<u32>, help_heading = SESSIONS)]
    pub(crate) max_rate: Option<u32>,

    /// Also serve sessions from these senders, not just from the client's own address; with --nat
    /// their first packet may come from there (repeatable)
    #[arg(long, value_name = "PREFIX", help_heading = SESSIONS)]
    pub(crate) allow_sender: Vec<Prefix>,

    /// Serve senders behind NAT or PAT: learn a session's port from its first packet, which must come
    /// from the client's address or from --allow-sender
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) nat: bool,

    /// Read these limits from a file, and again on SIGHUP: allow, allow-sender, allow-any-port and max-..
    /// options, a line for each, as in "max-rate 100"; # for comments
    #[arg(long, value_name = "FILE", help_heading = SESSIONS)]
    pub(crate) limits: Option<PathBuf>,
    /// The command line, where it names such a file.
    #[arg(skip)]
    pub(crate) typed: Option<TypedLine>,

    /// Identify sessions by Server Octets (RFC 6038) if padding is reflected
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) server_octets: bool,

    /// Reflector threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads, help_heading = SESSIONS)]
    pub(crate) threads: usize,

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

    /// Log events and ignored packets
    #[arg(short, long, conflicts_with = "quiet", help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) log_form: LogFormatOptions,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// Options of both kinds of Control-Client about the Server.
#[derive(Debug, Args)]
#[command(next_help_heading = CONTROL)]
pub(crate) struct ControlOptions {
    /// Require this security mode: unauthenticated, authenticated, encrypted, mixed (control
    /// encrypted, packets open) [default: the strongest offered if there is a key, else
    /// unauthenticated]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub(crate) mode: Option<SecurityMode>,

    #[command(flatten)]
    pub(crate) key: KeyOptions,

    /// UDP port to ask for at the reflector [default: the sender's own]
    #[arg(long, value_name = "PORT", value_parser = at_least_one::<u16>)]
    pub(crate) receiver_port: Option<u16>,

    /// Give up if the server offers another port than the one asked for
    #[arg(long)]
    pub(crate) strict: bool,

    /// DSCP of control segments [default: the system's]
    #[arg(long, value_name = "NAME|0-63", value_parser = dscp)]
    pub(crate) control_dscp: Option<Dscp>,
}

fn count(text: &str) -> Result<usize, Advice> {
    number(text, 0..=u64::MAX)
}
