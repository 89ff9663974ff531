//! A program without pictures draws none.

use crate::args::{Label, PictureOptions};
use crate::failure::Failure;
use crate::output::{Outcome, Written};

/// Nothing.
pub(super) struct Pictures;

impl Pictures {
    /// Never fails: the same face as where there are pictures.
    #[expect(clippy::unnecessary_wraps, reason = "the face of cmd/pictures.rs")]
    pub(super) fn open(_: &PictureOptions, _: &[Label]) -> Result<Self, Failure> {
        Ok(Self)
    }

    /// None are wanted.
    #[expect(clippy::unused_self, reason = "the face of cmd/pictures.rs")]
    pub(super) fn columns(&self) -> Option<usize> {
        None
    }

    /// Nothing.
    #[expect(clippy::unused_self, reason = "the face of cmd/pictures.rs")]
    pub(super) fn draw(&self, _: Outcome<'_>) -> Vec<Written> {
        Vec::new()
    }
}
