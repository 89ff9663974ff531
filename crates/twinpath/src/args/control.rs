//! The commands that speak TWAMP-Control (RFC 5357 section 3), as they are written.

use clap::{Args, ValueEnum};
use twinpath_wire::Dscp;
use twinpath_wire::control::SecurityMode;

use super::keys::mode;
use super::quantity::{at_least_one, too_large, whole};
use super::{
    Advice, CONTROL, FarEnd, IP, IpOptions, Iterations, KeyFileOptions, KeyOptions, LiveOptions,
    LogOptions, NearEnd, OUTPUT, PACKETS, PacketOptions, PaddingSize, PictureOptions, Ports,
    Prefix, ResultOptions, SCHEDULE, SESSIONS, STAMPS, SavingOptions, ScheduleOptions,
    StampOptions, Summary, Time, TosOctet, threads,
};

/// `twinpath controller`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath controller 192.0.2.1                       100 packets, one each 100 ms, by TCP port 862
  twinpath controller router1 --dscp be,af41,ef -v    three sessions, the negotiation line by line
  twinpath controller 192.0.2.1 --nat --ports 18760-18780 --start-delay 1
  twinpath controller [2001:db8::1]:8620 --padding -1 --json
  twinpath controller router1 --keys ~/.twinpath-keys --mode encrypted

Exit status: 0 measured, 1 could not measure, or a class was refused (the others are reported),
or a file is not complete, 2 bad usage, 3 every packet was lost")]
#[command(mut_arg("verbose", |verbose| verbose.help(
    "Print a line for each control message, and for each packet as ping does"
)))]
#[command(mut_arg("padding", |padding| padding.help(
    "Octets after the 14-octet header; -1 is IMIX: Ethernet frames of 64, 590 and 1514 octets without \
     frame check sequence, 7:4:1 (IPv6: 76 for 64) [default: 27; of authenticated and encrypted \
     packets 98, as long as their replies. They have 34 at least]"
)))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct ControllerArgs {
    /// Server: address or name; TCP port 862 unless given
    #[arg(value_name = "SERVER[:PORT]")]
    pub(crate) server: FarEnd,

    /// Local address; UDP port 20000 if free unless given (0: any free one), the next ones for
    /// further sessions
    #[arg(value_name = "NEAR[:PORT]")]
    pub(crate) near: Option<NearEnd>,

    #[command(flatten)]
    pub(crate) control: ControlOptions,

    /// Let the server take both ends of the control connection for those of the sessions: for hosts
    /// behind NAT (zero addresses)
    #[arg(long, help_heading = CONTROL)]
    pub(crate) nat: bool,

    /// Want padding reflected (RFC 6038 Reflect Octets): replies carry what the packet carried
    #[arg(long, help_heading = CONTROL)]
    pub(crate) reflect_octets: bool,

    /// Want packets as long as their replies (RFC 6038 Symmetrical Size): --padding counts from
    /// octet 41, with --dscp-monitoring 42
    #[arg(long, help_heading = CONTROL)]
    pub(crate) symmetrical_size: bool,

    /// Want to know the DSCP and ECN that reach the reflector (RFC 7750); without this it is used
    /// where the server offers it and packets have room (--padding 30), except with
    /// --symmetrical-size
    #[arg(long, help_heading = CONTROL)]
    pub(crate) dscp_monitoring: bool,

    /// Format of the reflector's time stamps (RFC 8186)
    #[arg(long, value_name = "FORMAT", default_value = "ntp", help_heading = CONTROL)]
    pub(crate) timestamp_format: WireFormat,

    #[command(flatten)]
    pub(crate) schedule: ScheduleOptions,
    #[command(flatten)]
    pub(crate) packet: PacketOptions,

    /// DSCP of packets and replies (see twinpath dscptable); a session each, all at once [default:
    /// be]
    #[arg(long, value_name = "NAME|0-63,..", value_delimiter = ',', help_heading = IP)]
    pub(crate) dscp: Vec<Dscp>,

    /// Whole ToS or Traffic Class octet of packets instead, ECN too; decimal, or hexadecimal as 0xb8
    #[arg(long, value_name = "0-255", conflicts_with = "dscp", help_heading = IP)]
    pub(crate) tos: Option<TosOctet>,

    #[command(flatten)]
    pub(crate) ip: IpOptions,

    /// Source ports to choose from; the first free ones are taken
    #[arg(long, value_name = "LO-HI", help_heading = IP)]
    pub(crate) ports: Option<Ports>,

    #[command(flatten)]
    pub(crate) stamps: StampOptions,

    #[command(flatten)]
    pub(crate) results: ResultOptions,

    #[command(flatten)]
    pub(crate) live: LiveOptions,

    #[command(flatten)]
    pub(crate) pictures: PictureOptions,

    #[command(flatten)]
    pub(crate) saving: SavingOptions,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// `twinpath controlclient`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath controlclient 192.0.2.7 192.0.2.1          until it is told to stop (SIGINT, SIGTERM)
  twinpath controlclient 192.0.2.7:20000 router1 --duration 1h --dscp ef

It prints where the sender is to send to. On 192.0.2.7, with the port that it prints:
  twinpath sender 192.0.2.1:PORT :20000 --dscp ef
A twinpath server serves a sender on another host than this one with --allow-sender only

Exit status: 0 the session ran, 1 it did not, or the server ended it, 2 bad usage")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct ControlClientArgs {
    /// Session-Sender: address or name; UDP port 20000 unless given
    #[arg(value_name = "SENDER[:PORT]")]
    pub(crate) sender: FarEnd,

    /// Server: address or name; TCP port 862 unless given
    #[arg(value_name = "SERVER[:PORT]")]
    pub(crate) server: FarEnd,

    #[command(flatten)]
    pub(crate) control: ControlOptions,

    /// Stop after this time: seconds, or with a unit (ns us ms s m h d) [default: when told to]
    #[arg(long, value_name = "T", help_heading = SCHEDULE)]
    pub(crate) duration: Option<Time>,

    /// The sender's own timeout: replies are wanted this long after the stop
    #[arg(long, value_name = "T", default_value = "2", help_heading = SCHEDULE)]
    pub(crate) timeout: Time,

    /// The sender's own padding; -1 is IMIX
    #[arg(long, value_name = "BYTES", default_value = "27", help_heading = PACKETS)]
    pub(crate) padding: PaddingSize,

    /// DSCP of packets and replies
    #[arg(long, value_name = "NAME|0-63", default_value = "be", help_heading = IP)]
    pub(crate) dscp: Dscp,

    /// Bind to this device or VRF
    #[arg(long, value_name = "NAME", help_heading = IP)]
    pub(crate) interface: Option<String>,

    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = IP)]
    pub(crate) ipv4: bool,

    /// IPv6 only
    #[arg(short = '6', long, help_heading = IP)]
    pub(crate) ipv6: bool,

    /// Form of what it prints at its end
    #[arg(long, value_name = "FORM", default_value = "text", help_heading = OUTPUT)]
    pub(crate) output: Summary,

    /// Short for --output json
    #[arg(long, conflicts_with = "output", help_heading = OUTPUT)]
    pub(crate) json: bool,

    /// Print a line for each control message
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
  twinpath server --keys /etc/twinpath/keys           secured modes only; SIGHUP reads the file again

A server that is told to stop (SIGINT, SIGTERM) prints what it did and exits 0")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct ServerArgs {
    /// Local address and TCP port; all addresses of IPv4 and IPv6, port 862 unless given (0: any
    /// free one); 0.0.0.0 is IPv4 only, :: IPv6 only
    #[arg(value_name = "NEAR[:PORT]")]
    pub(crate) near: Option<NearEnd>,

    /// Security modes to offer, a list: unauthenticated, authenticated, encrypted, mixed [default:
    /// unauthenticated; with --keys authenticated,encrypted,mixed and not unauthenticated]
    #[arg(long, value_name = "MODE,..", value_delimiter = ',', value_parser = mode, help_heading = CONTROL)]
    pub(crate) mode: Vec<SecurityMode>,

    #[command(flatten)]
    pub(crate) keys: KeyFileOptions,

    /// PBKDF2 iterations that a key costs whoever guesses it, and clients once for each connection;
    /// a power of 2 (rounded up), 1024 to 1048576 [default: 16384]
    #[arg(long, value_name = "N", requires = "keys", help_heading = CONTROL)]
    pub(crate) pbkdf2_count: Option<Iterations>,

    /// Close a connection without running sessions after this silence: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "900", help_heading = CONTROL)]
    pub(crate) servwait: Time,

    /// End a running session after this time without a packet: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "900", help_heading = CONTROL)]
    pub(crate) refwait: Time,

    /// Control connections at once
    #[arg(long, value_name = "N", default_value = "1000", value_parser = at_least_one::<usize>, help_heading = CONTROL)]
    pub(crate) max_connections: usize,

    /// Control connections of one client at once: an IPv4 address, or the /64 of an IPv6 address
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one::<usize>, help_heading = CONTROL)]
    pub(crate) max_connections_per_client: usize,

    /// Serve these clients only (repeatable) [default: everyone]
    #[arg(long, value_name = "PREFIX", help_heading = CONTROL)]
    pub(crate) allow: Vec<Prefix>,

    /// DSCP of control segments [default: the client's]
    #[arg(long, value_name = "NAME|0-63", help_heading = CONTROL)]
    pub(crate) control_dscp: Option<Dscp>,

    /// Close connections that count their sessions wrong; ignore packets whose Error Estimate has a
    /// Multiplier of 0 (RFC 4656)
    #[arg(long, help_heading = CONTROL)]
    pub(crate) strict: bool,

    /// UDP ports for test packets: the one of them that the client wishes for, or a free one
    #[arg(long, value_name = "LO-HI", default_value = "18760-19960", help_heading = SESSIONS)]
    pub(crate) test_ports: Ports,

    /// Let clients without a key wish for any free port from 1024 up, and for 862, as those with a
    /// key may: not for one of --test-ports only
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) allow_any_port: bool,

    /// Sessions at once (0: none)
    #[arg(long, value_name = "N", default_value = "5000", value_parser = count, help_heading = SESSIONS)]
    pub(crate) max_sessions: usize,

    /// Sessions at once of clients without a key, where there are clients with one too
    /// [default: half of --max-sessions]
    #[arg(long, value_name = "N", requires = "keys", value_parser = count, help_heading = SESSIONS)]
    pub(crate) max_open_sessions: Option<usize>,

    /// Sessions of one client at once: an IPv4 address, or the /64 of an IPv6 address
    #[arg(long, value_name = "N", default_value = "100", value_parser = count, help_heading = SESSIONS)]
    pub(crate) max_sessions_per_client: usize,

    /// Packets per second answered for each sender (an IPv4 address, the /64 of an IPv6 address), all
    /// its sessions together [default: no limit]
    #[arg(long, value_name = "PPS", value_parser = at_least_one::<u32>, help_heading = SESSIONS)]
    pub(crate) max_rate: Option<u32>,

    /// Serve sessions from these senders too, not from the client's own address only; with --nat
    /// their first packet may come from there (repeatable)
    #[arg(long, value_name = "PREFIX", help_heading = SESSIONS)]
    pub(crate) allow_sender: Vec<Prefix>,

    /// Serve senders behind NAT or PAT: a session's first packet from the client's own address, or
    /// from --allow-sender, says its port
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) nat: bool,

    /// Tell sessions apart by Server Octets (RFC 6038) where padding is reflected
    #[arg(long, help_heading = SESSIONS)]
    pub(crate) server_octets: bool,

    /// Reflector threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads, help_heading = SESSIONS)]
    pub(crate) threads: usize,

    #[command(flatten)]
    pub(crate) ip: IpOptions,

    #[command(flatten)]
    pub(crate) stamps: StampOptions,

    /// Send T3 as it was read, not advanced by the measured way to the wire
    #[arg(long, help_heading = STAMPS)]
    pub(crate) raw_t3: bool,

    /// Form of what it prints at its end
    #[arg(long, value_name = "FORM", default_value = "text", help_heading = OUTPUT)]
    pub(crate) output: Summary,

    /// Short for --output json
    #[arg(long, conflicts_with = "output", help_heading = OUTPUT)]
    pub(crate) json: bool,

    /// Log what happens and what was ignored
    #[arg(short, long, conflicts_with = "quiet", help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// What both kinds of Control-Client want of the Server.
#[derive(Debug, Args)]
#[command(next_help_heading = CONTROL)]
pub(crate) struct ControlOptions {
    /// Security mode, this one or none: unauthenticated, authenticated, encrypted, mixed (control
    /// encrypted, packets open) [default: with a key the strongest that is offered, else
    /// unauthenticated]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub(crate) mode: Option<SecurityMode>,

    #[command(flatten)]
    pub(crate) key: KeyOptions,

    /// UDP port wished for at the reflector [default: the sender's own number]
    #[arg(long, value_name = "PORT", value_parser = at_least_one::<u16>)]
    pub(crate) receiver_port: Option<u16>,

    /// Give up where the server offers another port than the one wished for
    #[arg(long)]
    pub(crate) strict: bool,

    /// DSCP of control segments [default: the system's]
    #[arg(long, value_name = "NAME|0-63")]
    pub(crate) control_dscp: Option<Dscp>,
}

/// Formats of time stamps in test packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WireFormat {
    // RFC 5905.
    Ntp,
    // IEEE 1588, where the server offers it.
    Ptp,
}

fn count(text: &str) -> Result<usize, Advice> {
    whole(text)
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| {
            too_large(text, u64::MAX)
                .unwrap_or_else(|| Advice::new("not a number: write a whole number from 0"))
        })
}
