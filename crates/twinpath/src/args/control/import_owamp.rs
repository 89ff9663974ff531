//! The import of another server's configuration, as it is written.

use std::path::PathBuf;

use clap::Args;

/// `twinpath import-owamp`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath import-owamp                               show what becomes of /etc/twamp-server
  twinpath import-owamp /etc/twamp-server --to /etc/twinpath --force

Exit status: 0 imported or shown, perhaps with warnings, 1 a file could not be read or written,
2 bad usage, or a line that twampd would refuse too")]
pub(crate) struct ImportOwampArgs {
    /// Directory of twamp-server.conf, twamp-server.limits and twamp-server.pfs, or of twampd.conf,
    /// twampd.limits and so on
    #[arg(value_name = "DIR", default_value = "/etc/twamp-server")]
    pub(crate) from: PathBuf,

    /// Write server.limits, server.conf and server.keys (mode 0600) into this directory [default:
    /// show them, without the passphrases]
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,

    /// Replace files that are there
    #[arg(long, requires = "to")]
    pub(crate) force: bool,
}
