//! A program without the view has no option for it.

use clap::Args;

/// None.
#[derive(Debug, Args)]
pub(crate) struct LiveOptions {}
