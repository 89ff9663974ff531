//! `--save`, and the command that reads what it writes.

use std::path::{Path, PathBuf};

use clap::Args;

use super::shared_options::OUTPUT;
use super::value::quantity::{above_zero, at_least_one};
use super::{HmacKeyOptions, LogOptions, Moment, ResultOptions, Rotate, Time};

/// Where a run is saved.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = OUTPUT)]
pub(crate) struct SavingOptions {
    /// Save every packet as Parquet, for twinpath report and other tools; an existing file is
    /// replaced when the first packet's fate is known
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,

    /// Save in one file after the other, each named by the time at which it begins
    /// (run-20261128T040000Z.parquet): the next begins every T (1h, 1d) or at a SIZE (100MB)
    #[arg(long, value_name = "T|SIZE", requires = "save")]
    pub(crate) rotate: Option<Rotate>,
}

impl SavingOptions {
    /// What is written, by its option.
    pub(crate) fn written_files(&self) -> Vec<(&'static str, &Path)> {
        Vec::from_iter(self.save.as_deref().map(|path| ("--save", path)))
    }
}

/// `twinpath report`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinpath report run.parquet                         its final report
  twinpath report run.parquet --output csv            its packets as CSV
  twinpath report mon.parquet tue.parquet --merge     two runs merged
  twinpath report run.parquet --html run.html         a page with pictures
  twinpath report --compare before.parquet after.parquet
  twinpath report test.pcap --port 862                a packet capture
  twinpath report test.pcap --hmac-key-file keys      its HMACs verified
  twinpath report /var/lib/twinpath --from -24h       a daemon's store, worst first
  twinpath report /var/lib/twinpath --session fra-core1 --report-interval 1h

Exit status: 0 success, 1 a file could not be read or written, 2 bad usage,
3 every packet was lost")]
pub(crate) struct ReportArgs {
    /// Raw file (--save), a capture (pcap, pcapng) of TWAMP or STAMP packets, or a daemon's store: its
    /// directory, or some of its files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Merge the runs into one session
    #[arg(long, conflicts_with_all = ["compare", "report_interval"])]
    pub(crate) merge: bool,

    /// Compare two files: what changed, and whether chance explains it
    #[arg(long, conflicts_with_all = [
        "report_interval", "verbose", "debug", "labels", "bins", "voice", "jitter_buffer",
        "percentiles_with_loss", "loss_noticeable", "failed_after",
    ])]
    #[cfg_attr(feature = "pictures", arg(conflicts_with_all = ["graph", "html", "theme"]))]
    pub(crate) compare: bool,

    /// Captures: UDP port of the reflector [default: detected]
    #[arg(long, value_name = "PORT", value_parser = at_least_one::<u16>)]
    pub(crate) port: Option<u16>,

    /// Captures: how long to wait for a reply; later ones count as lost: seconds, or with a unit
    /// [default: 2]
    #[arg(long, value_name = "T", value_parser = above_zero)]
    pub(crate) timeout: Option<Time>,

    /// Store: rows that begin at this time or later: 2026-11-30T14:00:00+01:00, 2026-11-30T14:00 and
    /// 2026-11-30 in UTC, -24h [default: all]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) from: Option<Moment>,

    /// Store: rows that begin before this time [default: all]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) to: Option<Moment>,

    /// Store: only the sessions of this name, with * for any text, or with this label (repeatable)
    #[arg(long = "session", value_name = "NAME")]
    pub(crate) sessions: Vec<String>,

    #[command(flatten)]
    pub(crate) keys: HmacKeyOptions,

    #[command(flatten)]
    pub(crate) results: ResultOptions,

    #[cfg(feature = "pictures")]
    #[command(flatten)]
    pub(crate) pictures: super::PictureOptions,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

impl ReportArgs {
    /// A note that the output lacks requested figures, and there are no pictures.
    pub(crate) fn unshown_figures(&self) -> Option<String> {
        #[cfg(feature = "pictures")]
        if !self.pictures.written_files().is_empty() {
            return None;
        }
        self.results.unshown_figures()
    }

    /// What is written, by its option.
    pub(crate) fn written_files(&self) -> Vec<(&'static str, &Path)> {
        [
            #[cfg(feature = "pictures")]
            self.pictures.written_files(),
            self.log.written_files(),
        ]
        .concat()
    }
}
