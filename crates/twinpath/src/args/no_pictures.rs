//! A program without pictures has no options for them.

use clap::Args;

/// Nothing.
#[derive(Debug, Args)]
pub(crate) struct PictureOptions {}
