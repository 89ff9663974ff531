//! The option of the view.

use clap::Args;

use super::OUTPUT;

/// A view of the run as it goes on.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = OUTPUT)]
pub(crate) struct LiveOptions {
    /// Show the running measurement on the whole terminal; q ends it and prints the report
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) live: bool,
}
