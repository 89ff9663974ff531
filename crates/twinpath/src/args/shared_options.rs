//! Groups of options that several commands share, and their headings.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use twinpath_proto::extension::AskedTlv;
use twinpath_runtime::{PathOptions, StampChoice};
use twinpath_wire::{Dscp, TimeFormat};

use super::value::{listed_dscp, quantity};
use super::{
    Count, FigureArgs, HmacKeyOptions, Interval, Label, MicroSession, OrEndless, PaddingSize,
    Pattern, Ssid, Time, TosOctet, Ttl, UsualSchedule,
};
use crate::failure::Failure;

pub(super) const CONTROL: &str = "Control connection";
pub(super) const SCHEDULE: &str = "Schedule";
pub(super) const PACKETS: &str = "Packets";
pub(super) const IP: &str = "Addresses and IP";
pub(super) const SESSIONS: &str = "Sessions";
pub(super) const STAMPS: &str = "Timestamps";
pub(super) const FIGURES: &str = "Figures";
pub(super) const EXTENSIONS: &str = "STAMP extensions";
pub(super) const OUTPUT: &str = "Output";

/// When packets leave, and when one is lost.
#[derive(Debug, Args)]
#[command(next_help_heading = SCHEDULE)]
pub(crate) struct ScheduleOptions {
    /// Number of packets to send; inf: until stopped
    #[arg(short, long, value_name = "N", default_value = "100", value_parser = quantity::count_or_endless)]
    pub(crate) count: OrEndless<Count>,

    /// Time between packets (the mean with poisson): milliseconds, or with a unit (ns us ms s m h
    /// d); at least 1us [default: 100]
    #[arg(short, long, value_name = "MS")]
    pub(crate) interval: Option<Interval>,

    /// Departure pattern (RFC 3432, RFC 2330): periodic, poisson, uniform:LO-HI (gaps from LO to
    /// HI) or bursts:N/GAP (N packets back to back every GAP); times as for --interval
    #[arg(long, value_name = "PATTERN", default_value = "periodic")]
    pub(crate) schedule: Pattern,

    /// Seed for the schedule, start offset and padding; reuse it to repeat a run [default: random]
    #[arg(long, value_name = "N", value_parser = quantity::seed)]
    pub(crate) seed: Option<u32>,

    /// Send for this time instead of a count: seconds, or with a unit (ns us ms s m h d); inf: until
    /// stopped
    #[arg(long, value_name = "T", conflicts_with = "count", value_parser = quantity::time_or_endless)]
    pub(crate) duration: Option<OrEndless<Time>>,

    /// How long to wait for a reply; later ones count as lost, and are reported as late: seconds,
    /// or with a unit (ns us ms s m h d)
    #[arg(long, value_name = "T", default_value = "2", value_parser = quantity::above_zero)]
    pub(crate) timeout: Time,

    /// Wait before the first packet: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "0")]
    pub(crate) start_delay: Time,

    /// After a stall, send at most N missed packets back to back, at least one burst of --schedule;
    /// the rest are postponed (--count) or skipped (--duration) and reported [default: 10, or the
    /// packets of 5 ms]
    #[arg(long, value_name = "N", value_parser = quantity::at_least_one::<u32>)]
    pub(crate) max_burst: Option<u32>,

    /// Busy-wait before each departure: more precise, uses a core
    #[arg(long)]
    pub(crate) spin: bool,
}

impl ScheduleOptions {
    /// The usual interval, where none is given and the pattern needs one.
    pub(crate) fn fill_interval(&mut self, usual: UsualSchedule) {
        if matches!(self.schedule, Pattern::Periodic | Pattern::Poisson) {
            self.interval.get_or_insert(Interval(usual.interval));
        }
    }
}

/// What a Session-Sender's packets are.
#[derive(Debug, Args)]
#[command(next_help_heading = PACKETS)]
pub(crate) struct PacketOptions {
    /// Octets after the 14-octet header; -1 is IMIX: Ethernet frames of 64, 590 and 1514 octets
    /// without frame check sequence, 7:4:1 (IPv6: 76 for 64) [default: 27]
    #[arg(long, value_name = "BYTES")]
    pub(crate) padding: Option<PaddingSize>,

    /// Contents of the padding [default: random]
    #[arg(long, value_name = "KIND")]
    pub(crate) fill: Option<Filling>,
}

impl PacketOptions {
    /// The requested padding, or that of open packets (RFC 5357 section 4.1.2; row TT-7).
    pub(crate) fn padding(&self) -> PaddingSize {
        self.padding.unwrap_or(PaddingSize::Octets(27))
    }
}

/// STAMP instead of TWAMP Light.
#[derive(Debug, Args)]
#[command(next_help_heading = PACKETS)]
pub(crate) struct StampPackets {
    /// Send STAMP packets (RFC 8762): 44 octets up to --padding 30, 48 for 31 to 33; beyond that an
    /// Extra Padding TLV. IMIX: 86 for 64, over IPv6 106
    #[arg(long)]
    pub(crate) stamp: bool,

    /// STAMP Session Identifier (RFC 8972), 1 to 65535; of several sessions the first, and the others
    /// have those that follow
    #[arg(long, value_name = "N")]
    pub(crate) ssid: Option<Ssid>,

    /// What to do if a reply lacks the SSID, so the far end does not tell sessions apart by it
    #[arg(long, value_name = "NAME", default_value = "continue")]
    pub(crate) on_no_ssid: OnNoSsid,

    /// Format of the timestamps in STAMP packets: ptp is that of PTPv2, TAI; the far end has its own
    #[arg(long, value_name = "FORMAT", default_value = "ntp")]
    pub(crate) timestamp_format: WireFormat,

    /// Authenticated STAMP (RFC 8762 section 4.4): 112 octets up to --padding 98, with an HMAC in both
    /// directions; needs a key that the far end has too
    #[arg(long)]
    pub(crate) authenticated: bool,

    #[command(flatten)]
    pub(crate) keys: HmacKeyOptions,

    /// Measure member links of a LAG (RFC 9534), a session each, by Micro-session ID and interface, as
    /// in 1@eth1,2@eth2; 1:7@eth1 where the far end's ID is known. Packets leave and replies must come
    /// by that interface: needs root or CAP_NET_RAW. Without @NAME only numbers are checked
    #[arg(long, value_name = "ID,..", value_delimiter = ',')]
    pub(crate) micro_session: Vec<MicroSession>,

    /// Ask the far end by a TLV of STAMP (repeatable): cos[=DSCP] (DSCP on arrival, and of replies),
    /// location (addresses as the far end sees them: NAT), timestamp-information (what its clock
    /// follows), direct-measurement (its own counts: loss each way), follow-up-telemetry (when replies
    /// really left), access-report=ID:CODE[:TIMER:COUNT] (tells it of an access that is up or down),
    /// destination-node=ADDR (replies come from that address of it),
    /// return-path=no-reply|same-link|ADDR|srv6:SID,.. (the way of replies), micro-session=N[:M] (member
    /// link of a LAG), reflected-control=LENGTH:COUNT:INTERVAL (several replies to a packet),
    /// extra-padding[=N], hmac (protects the others). docs/stamp-extensions.md has what each needs at
    /// the far end, and how results look
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) tlv: Vec<AskedTlv>,
}

/// Formats of timestamps in test packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WireFormat {
    // RFC 5905.
    Ntp,
    // IEEE 1588.
    Ptp,
}

impl From<WireFormat> for TimeFormat {
    fn from(format: WireFormat) -> Self {
        match format {
            WireFormat::Ntp => Self::Ntp,
            WireFormat::Ptp => Self::Ptp,
        }
    }
}

/// DSCP or the whole octet.
#[derive(Debug, Args)]
#[command(next_help_heading = IP)]
pub(crate) struct SenderMarking {
    /// DSCP of packets (see twinpath dscptable); a list runs one session per class, all at once
    /// [default: be]
    #[arg(long, value_name = "NAME|0-63,..", value_delimiter = ',', value_parser = listed_dscp)]
    pub(crate) dscp: Vec<Dscp>,

    /// Whole ToS or Traffic Class octet instead, with ECN; decimal, or hexadecimal as 0xb8
    #[arg(long, value_name = "0-255", conflicts_with = "dscp")]
    pub(crate) tos: Option<TosOctet>,
}

/// What both ends share below UDP.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = IP)]
pub(crate) struct IpOptions {
    /// TTL or Hop Limit of packets
    #[arg(long, value_name = "1-255", default_value = "255")]
    pub(crate) ttl: Ttl,

    /// Set DF and never fragment locally
    #[arg(long)]
    pub(crate) do_not_fragment: bool,

    /// Bind to this interface or VRF
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,

    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
}

impl IpOptions {
    /// The settings of sockets, with the sources of their timestamps.
    ///
    /// # Errors
    /// Timestamps that portable sockets do not have.
    pub(crate) fn path(&self, stamps: &StampOptions) -> Result<PathOptions, Failure> {
        let rung = match stamps.timestamps {
            Rungs::Hardware => "hardware",
            Rungs::Kernel => "kernel",
            Rungs::Auto | Rungs::User => "",
        };
        if stamps.portable && !rung.is_empty() {
            return Err(Failure::usage(format!(
                "--portable and --timestamps {rung} exclude each other: use one of them"
            )));
        }
        Ok(PathOptions {
            ttl: self.ttl.0,
            dont_fragment: self.do_not_fragment,
            interface: self.interface.clone(),
            stamps: stamps.timestamps.into(),
            portable: stamps.portable,
        })
    }
}

/// Where timestamps may come from.
#[derive(Debug, Args)]
#[command(next_help_heading = STAMPS)]
pub(crate) struct StampOptions {
    /// Best timestamp source to use; the report says which one delivered
    #[arg(long, value_name = "RUNG", default_value = "auto")]
    pub(crate) timestamps: Rungs,

    /// Use only portable sockets and user-space timestamps
    #[arg(long)]
    pub(crate) portable: bool,
}

/// What comes of a measurement.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = OUTPUT)]
pub(crate) struct ResultOptions {
    /// Format of the result
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) output: OutputFormat,

    /// Short for --output json
    #[arg(long, conflicts_with = "output")]
    pub(crate) json: bool,

    /// Report each interval of this length as it ends: a row, or with json a document per line
    #[arg(long, value_name = "TIME", value_parser = quantity::above_zero)]
    pub(crate) report_interval: Option<Time>,

    /// Add KEY=VALUE to the result (repeatable)
    #[arg(long = "label", value_name = "K=V")]
    pub(crate) labels: Vec<Label>,

    /// Print a line per packet, as ping does
    #[arg(short, long, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) figures: FigureArgs,
}

impl ResultOptions {
    /// The requested form.
    pub(crate) fn form(&self) -> OutputFormat {
        if self.json {
            OutputFormat::Json
        } else {
            self.output
        }
    }

    /// A note that the form lacks requested figures.
    pub(crate) fn unshown_figures(&self) -> Option<String> {
        let form = self.form();
        let unshown = self.figures.unshown(form);
        let name = form.to_possible_value()?;
        (!unshown.is_empty()).then(|| {
            format!(
                "--output {} leaves out the figures of {}: use --output text, json or jsonl",
                name.get_name(),
                unshown.join(", ")
            )
        })
    }

    /// Packets are wanted one by one.
    pub(crate) fn records(&self) -> bool {
        self.verbose || matches!(self.output, OutputFormat::Jsonl | OutputFormat::Csv)
    }
}

/// What is logged during a run, and where.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = OUTPUT)]
pub(crate) struct LogOptions {
    /// Print only the result; on stderr, only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Log debugging details
    #[arg(short, long, conflicts_with = "quiet")]
    pub(crate) debug: bool,

    /// Log to this file instead of stderr; errors go to both. At 16 MiB it is renamed to FILE.1,
    /// replacing the previous one. The exit status is 1 if lines could not be written
    #[arg(short, long, value_name = "FILE")]
    pub(crate) logfile: Option<PathBuf>,
}

impl LogOptions {
    /// What is written, by its option.
    pub(crate) fn written_files(&self) -> Vec<(&'static str, &Path)> {
        let file = self.logfile.as_deref();
        Vec::from_iter(file.map(|path| ("--logfile", path)))
    }
}

/// What a measurement makes of its packets, and where that goes.
#[derive(Debug, Default, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) results: ResultOptions,
    #[cfg(feature = "live")]
    #[command(flatten)]
    pub(crate) live: super::LiveOptions,
    #[cfg(feature = "pictures")]
    #[command(flatten)]
    pub(crate) pictures: super::PictureOptions,
    #[cfg(feature = "report")]
    #[command(flatten)]
    pub(crate) saving: super::SavingOptions,
    #[command(flatten)]
    pub(crate) metrics: super::MetricsOptions,
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

impl RunOptions {
    /// With nothing that is watched, drawn or saved.
    pub(crate) fn without_files(results: ResultOptions, log: LogOptions) -> Self {
        Self {
            results,
            #[cfg(feature = "live")]
            live: super::LiveOptions::default(),
            #[cfg(feature = "pictures")]
            pictures: super::PictureOptions::default(),
            #[cfg(feature = "report")]
            saving: super::SavingOptions::default(),
            metrics: super::MetricsOptions::default(),
            log,
        }
    }

    /// A note that no output of the run has the requested figures.
    pub(crate) fn unshown_figures(&self) -> Option<String> {
        let elsewhere = [
            #[cfg(feature = "live")]
            self.live.live,
            #[cfg(feature = "report")]
            !self.saving.written_files().is_empty(),
            #[cfg(feature = "pictures")]
            !self.pictures.written_files().is_empty(),
        ];
        if elsewhere.contains(&true) {
            return None;
        }
        self.results.unshown_figures()
    }

    /// What is written, by its option.
    pub(crate) fn written_files(&self) -> Vec<(&'static str, &Path)> {
        [
            #[cfg(feature = "report")]
            self.saving.written_files(),
            #[cfg(feature = "pictures")]
            self.pictures.written_files(),
            self.log.written_files(),
        ]
        .concat()
    }
}

/// Forms of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    // A table for people.
    #[default]
    Text,
    // One JSON document.
    Json,
    // A line for each packet, then the document.
    Jsonl,
    // A line for each packet.
    Csv,
    // Metrics as Prometheus reads them.
    Prometheus,
}

impl OutputFormat {
    /// Rows of intervals have a place in it.
    pub(crate) fn has_rows(self) -> bool {
        matches!(self, Self::Text | Self::Json | Self::Jsonl)
    }
}

/// How what a command did is printed at its end.
#[derive(Debug, Args)]
#[command(next_help_heading = OUTPUT)]
pub(crate) struct SummaryOptions {
    /// Format of the final summary
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: SummaryFormat,

    /// Short for --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl SummaryOptions {
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.output == SummaryFormat::Json
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SummaryFormat {
    // For people.
    Text,
    // One JSON document.
    Json,
}

/// What a responder answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answers {
    // Classified by packet.
    Auto,
    // STAMP only.
    Stamp,
    // TWAMP Light only.
    TwampLight,
}

/// What a sender does about replies without its SSID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnNoSsid {
    // Measure on.
    Continue,
    // Send no more.
    Stop,
}

/// What padding is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Filling {
    // Zeros.
    Zero,
    // Pseudo-random octets.
    Random,
}

/// Which rungs of the ladder of timestamps may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rungs {
    // The best that delivers.
    Auto,
    // The network interface's.
    Hardware,
    // The kernel's.
    Kernel,
    // The process's own.
    User,
}

impl From<Rungs> for StampChoice {
    fn from(rungs: Rungs) -> Self {
        match rungs {
            Rungs::Auto => Self::Auto,
            Rungs::Hardware => Self::Hardware,
            Rungs::Kernel => Self::Kernel,
            Rungs::User => Self::User,
        }
    }
}
