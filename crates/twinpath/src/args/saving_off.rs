//! In place of `--save` in a build that cannot.

use clap::Args;

/// Nothing can be saved.
#[derive(Debug, Args)]
pub(crate) struct SavingOptions {}
