//! A program without pictures has no options for them.

use std::path::Path;

use clap::Args;

/// Nothing.
#[derive(Debug, Args)]
pub(crate) struct PictureOptions {}

impl PictureOptions {
    /// None.
    #[expect(clippy::unused_self, reason = "as where there are pictures")]
    pub(crate) fn places(&self) -> Vec<(&'static str, &Path)> {
        Vec::new()
    }
}
