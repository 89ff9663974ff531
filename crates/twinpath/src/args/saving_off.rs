//! In place of `--save` in a build that cannot.

use std::path::Path;

use clap::Args;

/// Nothing can be saved.
#[derive(Debug, Args)]
pub(crate) struct SavingOptions {}

impl SavingOptions {
    /// None.
    #[expect(clippy::unused_self, reason = "as where runs can be saved")]
    pub(crate) fn places(&self) -> Vec<(&'static str, &Path)> {
        Vec::new()
    }
}
