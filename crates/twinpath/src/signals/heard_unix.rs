//! Signals one after the other, as the system's handler hands them on.

use std::io;

use signal_hook::iterator::Signals;

/// Signals as they come, from now on.
pub(super) struct Heard(Signals);

impl Heard {
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(super) fn new(signals: &[i32]) -> io::Result<Self> {
        Signals::new(signals).map(Self)
    }

    /// Waits for each.
    pub(super) fn forever(&mut self) -> impl Iterator<Item = i32> {
        self.0.forever()
    }
}
