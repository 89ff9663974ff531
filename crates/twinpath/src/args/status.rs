//! `twinpath status`, and the option of what it asks.

#[cfg(all(feature = "status", unix))]
use std::path::PathBuf;

use clap::Args;

#[cfg(all(feature = "status", unix))]
use super::{Advice, OUTPUT, Time, quantity};

/// The socket of a responder or server.
#[derive(Debug, Default, Args)]
pub(crate) struct ControlSocketOptions {
    /// Unix socket for twinpath status; none: no socket [default: /run/twinpath/NAME.sock as root, else
    /// $XDG_RUNTIME_DIR/twinpath/NAME.sock; NAME is command and port]
    #[cfg(all(feature = "status", unix))]
    #[arg(long, value_name = "PATH|none", value_parser = socket, help_heading = OUTPUT)]
    pub(crate) control_socket: Option<ControlSocketChoice>,
}

/// Where the socket is to be.
#[cfg(all(feature = "status", unix))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ControlSocketChoice {
    /// No socket.
    None,
    Path(PathBuf),
}

#[cfg(all(feature = "status", unix))]
fn socket(text: &str) -> Result<ControlSocketChoice, Advice> {
    match text {
        "" => Err(Advice::new("use a path, or none")),
        "none" => Ok(ControlSocketChoice::None),
        path => Ok(ControlSocketChoice::Path(path.into())),
    }
}

/// `twinpath status`.
#[cfg(all(feature = "status", unix))]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath status                       what runs here; if it is one program, all of it
  twinpath status responder-20001       counters, timestamps, sessions with their senders
  twinpath status server-862 --watch    the same every 2 s, with rates
  twinpath status --json                all programs as JSON

Exit status: 0 a program answered, 1 none did, 2 bad usage")]
pub(crate) struct StatusArgs {
    /// Program: its name, as in responder-20001, or the path of its socket [default: all]
    #[arg(value_name = "NAME|PATH")]
    pub(crate) program: Option<String>,

    /// Repeat until interrupted; a line each time where stdout is not a terminal
    #[arg(long)]
    pub(crate) watch: bool,

    /// Time between repetitions: seconds, or with a unit
    #[arg(long, value_name = "T", default_value = "2", requires = "watch", value_parser = quantity::above_zero)]
    pub(crate) interval: Time,

    /// Print JSON, with --watch a line each time
    #[arg(long)]
    pub(crate) json: bool,
}
