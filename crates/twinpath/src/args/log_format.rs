//! How a service logs.

use clap::{Args, ValueEnum};

use super::OUTPUT;

/// The form of log lines.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = OUTPUT)]
pub(crate) struct LogFormatOptions {
    /// Form of the lines on stderr and in the log file: json is an object per line. Under systemd, text goes
    /// to the journal with fields
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// A form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}
