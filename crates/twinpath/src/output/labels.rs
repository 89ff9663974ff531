//! The user's remarks in a document.

use serde::{Serialize, Serializer};

use crate::args::Label;

/// The user's remarks.
pub(super) struct Labels<'a>(pub(super) &'a [Label]);

impl Labels<'_> {
    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|label| (&label.key, &label.value)))
    }
}
