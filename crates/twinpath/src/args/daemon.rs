//! `twinpath daemon` and `twinpath config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ControlSocketOptions, LogFormatOptions, LogOptions};

/// `twinpath daemon`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath daemon                                       a responder and a session to it on loopback
  twinpath daemon --config /etc/twinpath/twinpath.toml  what this file says
  twinpath daemon --config /etc/twinpath/conf.d         all .toml files of a directory together

SIGHUP reads the configuration and key files again: only what changed is begun again. SIGINT and
SIGTERM end it")]
pub(crate) struct DaemonArgs {
    /// Configuration: a TOML file, or a directory whose .toml files are one configuration [default: a
    /// demonstration on loopback]
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) control_socket: ControlSocketOptions,

    #[command(flatten)]
    pub(crate) log_form: LogFormatOptions,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// `twinpath config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath config check /etc/twinpath/twinpath.toml   every fault, with its line
  twinpath config diff twinpath.toml new.toml         what a daemon would change
  twinpath config apply new.toml                      change a daemon that runs
  twinpath config mesh mesh.toml --node fra1          what a node of a mesh would run
  twinpath config schema                              the YANG module of the configuration

Exit status: 0 no fault, or no difference; 1 different, not read, or taken by no daemon; 2 a fault")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What to do with a configuration. FILE may be a directory whose .toml files are one configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration as a daemon would, without measuring: every fault with its line
    Check {
        /// Configuration: a TOML file or a directory of them
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Have a daemon that runs take over a configuration, and keep it in its files. What it does not change goes on
    #[cfg(unix)]
    Apply {
        /// Configuration: a TOML file or a directory of them
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Unix socket of the daemon [default: socket of [api] in FILE]
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
    },
    /// Print a configuration as one TOML file
    Show {
        /// Configuration: a TOML file or a directory of them
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print what differs between two configurations
    Diff {
        /// Configuration to begin with
        #[arg(value_name = "FILE")]
        from: PathBuf,
        /// Configuration to compare it with
        #[arg(value_name = "FILE")]
        to: PathBuf,
    },
    /// Check a mesh document, and print what it comes to or what one of its nodes runs
    Mesh {
        /// Mesh document: a TOML file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print what this node runs, as a configuration
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// Directory of the key files that the document names, on the node
        #[arg(long, value_name = "DIR", default_value = "/etc/twinpath/keys")]
        keys: PathBuf,
    },
    /// Print a YANG module
    Schema {
        /// Module [default: twinpath-measurement]
        #[arg(value_name = "MODULE")]
        module: Option<String>,
    },
}
