//! Arguments of `twinpath doctor`.

#[cfg(feature = "control")]
use std::path::PathBuf;

use clap::{ArgGroup, Args};
#[cfg(feature = "control")]
use twinpath_proto::security::KeyId;

#[cfg(feature = "control")]
use super::control::{KeyFileOptions, KeyOptions, iterations, key_id};
#[cfg(feature = "control")]
use super::hmac_keys::KEY_FILES;
use super::value::quantity;
use super::{Advice, FarEnd, HmacKeyOptions, LogOptions};

/// What is asked for beyond the usual few packets.
const BEYOND_SOME_PACKETS: &str = "beyond-some-packets";

/// `twinpath doctor`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new(BEYOND_SOME_PACKETS).multiple(true))]
#[command(after_help = "\
Examples:
  twinpath doctor r1                what r1 speaks, and what is wrong with it
  twinpath doctor 192.0.2.1:50000   a reflector on a port of its own
  twinpath doctor r1 --keys FILE    its secured modes of TWAMP-Control too
  twinpath doctor r1 --dry-run      what would be sent, without sending it
  twinpath doctor r1 --stress 20000 and the rate that it answers, up to 20000 packets a second
  twinpath doctor ::1 --strict      how it treats malformed and hostile packets

Exit status: 0 TWAMP or STAMP is answered and no check failed, 1 neither is answered, 2 bad usage
(also keys that cannot be read), 3 a check or a trial of --strict failed")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub(crate) struct DoctorArgs {
    /// Far end: address or name [default ports: UDP 862 and 20001, TCP 862]. A given port is looked
    /// at on UDP, and on TCP for a server
    #[arg(value_name = "FAR[:PORT]")]
    pub(crate) far: FarEnd,

    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,

    /// Also find the rate from which the far end drops packets or answers late, up to this many packets a
    /// second: steps of two seconds, whose rate doubles until one has losses twice
    #[arg(long, value_name = "RATE", value_parser = stress_pps, group = BEYOND_SOME_PACKETS)]
    pub(crate) stress: Option<u32>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Say what would be sent at most, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Try malformed, odd and hostile packets too, and judge each answer by the RFC's section
    #[arg(long, group = BEYOND_SOME_PACKETS)]
    pub(crate) strict: bool,

    /// Let --strict and --stress go to a far end that is neither loopback nor a private address
    #[arg(long, requires = BEYOND_SOME_PACKETS)]
    pub(crate) yes: bool,

    /// List all trials of --strict, not only those that do not pass
    #[arg(short, long, requires = "strict")]
    pub(crate) verbose: bool,

    #[cfg(feature = "control")]
    #[command(flatten)]
    pub(crate) keys: DoctorKeys,

    #[command(flatten)]
    pub(crate) hmac_keys: HmacKeyOptions,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// More is no test of a reflector, but of the path.
fn stress_pps(text: &str) -> Result<u32, Advice> {
    quantity::number(text, 1..=1_000_000)
}

/// A key of the secured modes of TWAMP-Control.
#[cfg(feature = "control")]
#[derive(Debug, Args)]
pub(crate) struct DoctorKeys {
    /// File of keys for the secured modes, one "KEY-ID passphrase" per line; must not be accessible to
    /// others (chmod 600)
    #[arg(long, value_name = "FILE", group = KEY_FILES)]
    keys: Option<PathBuf>,

    /// Name of the key [default: the only one in FILE]. Without --keys, the passphrase is read from
    /// TWINPATH_PASSPHRASE or the terminal
    #[arg(long, value_name = "NAME", value_parser = key_id)]
    key_id: Option<KeyId>,

    /// Maximum PBKDF2 iterations to accept from the server [default: 32768]
    #[arg(long, value_name = "N", value_parser = iterations)]
    max_pbkdf2_count: Option<u32>,
}

#[cfg(feature = "control")]
impl DoctorArgs {
    /// The key's options, as those of a controller.
    pub(crate) fn key(&self) -> KeyOptions {
        KeyOptions {
            file: KeyFileOptions {
                keys: self.keys.keys.clone(),
                insecure_key_file: self.hmac_keys.insecure_key_file,
            },
            key_id: self.keys.key_id,
            max_pbkdf2_count: self.keys.max_pbkdf2_count,
        }
    }
}
