//! `twinpath check`, as it is written.

mod thresholds;

#[cfg(feature = "control")]
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
#[cfg(feature = "control")]
use twinpath_proto::security::KeyId;
#[cfg(feature = "control")]
use twinpath_wire::control::SecurityMode;

use super::value::quantity::above_zero;
use super::{
    Alert, FarEnd, FigureArgs, FigureTerms, GivenOptions, LogOptions, NearEnd, OUTPUT,
    ResultOptions, RunOptions, SenderArgs, SessionOptions, TargetOptions, Time, UsualSchedule,
};
#[cfg(feature = "control")]
use super::{
    CONTROL, ControlOptions, ControllerArgs, KeyOptions, WireFormat,
    control::{KeyFileOptions, key_id, mode},
    hmac_keys::KEY_FILES,
};
#[cfg(feature = "control")]
use crate::failure::Failure;

const ALERTS: &str = "Alerts";

/// `twinpath check`.
#[derive(Debug, Args)]
#[command(after_help = "\
FIGURE is a key of a session in docs/figures.md without packets. and _ns, or shorter: loss for
loss_ratio, rtt_p95 for round_trip.p95, voice.forward.mos for mos_cqe. RANGE is the plug-in
convention's: 50ms (alert above it), 4: (below it), ~:-1ms (above it, however low), 1ms:5ms
(outside), @1ms:5ms (inside).

Examples:
  twinpath check r1.example                           CRITICAL if every packet is lost
  twinpath check r1.example --warn loss=1%,rtt_p95=50ms --crit loss=5%,rtt_p95=100ms
  twinpath check r1.example --stamp --warn voice.forward.mos=4: -v     
  twinpath check --targets mesh.txt -i 1s -c 10 --crit loss=0
  twinpath check r1.example --control --keys /etc/twinpath/keys --crit loss=5%

Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (not measured, bad usage)")]
#[command(mut_arg("count", |arg| arg.default_value("20")))]
#[command(mut_arg("timeout", |arg| arg.default_value("1")))]
#[command(mut_arg("interval", |arg| arg.help(
    "Time between packets (the mean with poisson): milliseconds, or with a unit (ns us ms s m h d); \
     at least 1us [default: 50]"
)))]
#[command(mut_arg("voice", |arg| arg.help(
    "Estimate call quality with this codec [default: g711]"
)))]
pub(crate) struct CheckArgs {
    /// Reflector: address or name [default port: 20001, with --stamp 862]; with --control the TWAMP
    /// server [default port: TCP 862]
    #[arg(value_name = "FAR[:PORT]", required_unless_present_any = ["to", "targets"])]
    far: Option<FarEnd>,

    /// Local address and port; with port 0 any free one, several classes take consecutive ports
    /// [default port: 20000, or any if taken]
    #[arg(value_name = "NEAR[:PORT]", conflicts_with = "near-option")]
    near: Option<NearEnd>,

    #[command(flatten)]
    pub(crate) check: CheckOptions,
    #[cfg(feature = "control")]
    #[command(flatten)]
    control: ControlledCheck,
    #[command(flatten)]
    targets: TargetOptions,
    #[command(flatten)]
    session: SessionOptions,
    /// Those of `session` that were typed.
    #[arg(skip)]
    pub(super) given: GivenOptions,
    #[command(flatten)]
    figures: FigureTerms,
}

/// What is judged, how, and in which time.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = ALERTS)]
pub(crate) struct CheckOptions {
    /// WARNING if a figure is out of its range (repeatable)
    #[arg(
        long,
        visible_alias = "warning",
        value_name = "FIGURE=RANGE,..",
        value_delimiter = ','
    )]
    pub(crate) warn: Vec<Alert>,

    /// CRITICAL if a figure is out of its range (repeatable). All packets lost is CRITICAL whatever
    /// the ranges are
    #[arg(
        long,
        visible_alias = "critical",
        value_name = "FIGURE=RANGE,..",
        value_delimiter = ','
    )]
    pub(crate) crit: Vec<Alert>,

    /// End within this time, whatever happens, as UNKNOWN if need be: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "50", value_parser = above_zero)]
    pub(crate) deadline: Time,

    /// Print details on further lines; remarks on stderr
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    /// Log debugging details on stderr
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) debug: bool,
}

/// Measuring by TWAMP-Control.
#[cfg(feature = "control")]
#[derive(Debug, Args)]
#[command(next_help_heading = CONTROL)]
struct ControlledCheck {
    /// Negotiate the sessions with the TWAMP server FAR, as twinpath controller does
    #[arg(long, conflicts_with_all = [
        "to", "targets", "stamp", "ssid", "on_no_ssid", "timestamp_format", "authenticated", "tlv", "micro_session",
        "hmac_key", "hmac_key_file",
    ])]
    control: bool,

    /// Require this security mode: unauthenticated, authenticated, encrypted, mixed [default: the
    /// strongest offered if there is a key, else unauthenticated]
    #[arg(long, value_name = "MODE", value_parser = mode, requires = "control")]
    mode: Option<SecurityMode>,

    /// File of keys for the secured modes, one "KEY-ID passphrase" per line; must not be accessible to
    /// others (chmod 600)
    #[arg(long, value_name = "FILE", requires = "control", group = KEY_FILES)]
    keys: Option<PathBuf>,

    /// Name of the key [default: the only one in FILE]. Without --keys, the passphrase is read from
    /// TWINPATH_PASSPHRASE
    #[arg(long, value_name = "NAME", value_parser = key_id, requires = "control")]
    key_id: Option<KeyId>,

    /// Run behind NAT: let the server use the addresses of the control connection for the sessions
    #[arg(long, requires = "control")]
    nat: bool,
}

impl CheckArgs {
    /// What is sent unless it is told otherwise: one second of packets.
    pub(super) const USUAL: UsualSchedule = UsualSchedule {
        count: "20",
        timeout: "1",
        interval: Duration::from_millis(50),
    };

    /// Whether sessions are negotiated.
    #[cfg(feature = "control")]
    pub(crate) fn is_controlled(&self) -> bool {
        self.control.control
    }

    /// The same as a run of `twinpath sender`.
    pub(crate) fn into_sender(self) -> SenderArgs {
        let run = self.check.run(self.figures);
        SenderArgs {
            far: self.far,
            near: self.near,
            targets: self.targets,
            session: self.session.or_usual(Self::USUAL),
            given: self.given,
            run,
        }
    }

    /// The same as a run of `twinpath controller`.
    ///
    /// # Errors
    /// There is no server.
    #[cfg(feature = "control")]
    pub(crate) fn into_controller(self) -> Result<ControllerArgs, Failure> {
        let Some(server) = self.far else {
            return Err(Failure::usage("--control needs a server: give FAR"));
        };
        let run = self.check.run(self.figures);
        let session = self.session.or_usual(Self::USUAL);
        let keys = KeyFileOptions {
            keys: self.control.keys,
            insecure_key_file: session.stamp.keys.insecure_key_file,
        };
        Ok(ControllerArgs {
            server,
            near: self.near.or(session.near),
            control: ControlOptions {
                mode: self.control.mode,
                key: KeyOptions {
                    file: keys,
                    key_id: self.control.key_id,
                    max_pbkdf2_count: None,
                },
                receiver_port: None,
                strict: false,
                control_dscp: None,
            },
            nat: self.control.nat,
            reflect_octets: false,
            symmetrical_size: false,
            dscp_monitoring: false,
            timestamp_format: WireFormat::Ntp,
            schedule: session.schedule,
            packet: session.packet,
            dscp: session.marking.dscp,
            tos: session.marking.tos,
            ip: session.ip,
            ports: session.ports,
            paths: session.paths,
            threads: self.targets.threads,
            stamps: session.stamps,
            run,
        })
    }
}

impl CheckOptions {
    /// A run without outputs of its own.
    fn run(&self, terms: FigureTerms) -> RunOptions {
        let alerts = self.warn.iter().chain(&self.crit);
        let mut paths = alerts
            .filter_map(|alert| alert.figure.metric())
            .map(|it| &it.path);
        let figures = FigureArgs {
            percentiles_with_loss: paths.any(|path| path.starts_with("percentiles_with_loss.")),
            terms,
            ..FigureArgs::default()
        };
        let results = ResultOptions {
            figures,
            ..ResultOptions::default()
        };
        let log = LogOptions {
            quiet: !self.verbose && !self.debug,
            debug: self.debug,
            logfile: None,
        };
        RunOptions::without_files(results, log)
    }
}

#[cfg(test)]
mod tests;
