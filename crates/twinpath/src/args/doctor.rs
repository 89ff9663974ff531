//! Arguments of `twinpath doctor`.

use clap::Args;

use super::{FarEnd, LogOptions};

/// `twinpath doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath doctor r1                what r1 speaks, and what is wrong with it
  twinpath doctor 192.0.2.1:50000   a reflector on a port of its own
  twinpath doctor r1 --dry-run      what would be sent, without sending it

Exit status: 0 something answers and no check failed, 1 nothing answers, 2 bad usage,
3 a check failed")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct DoctorArgs {
    /// Far end: address or name [default UDP ports: 862 and 20001]
    #[arg(value_name = "FAR[:PORT]")]
    pub(crate) far: FarEnd,

    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Say what would be sent at most, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}
