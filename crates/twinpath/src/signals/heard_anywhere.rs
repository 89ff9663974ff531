//! Signals one after the other, where a handler can do no more than set a flag.

use std::io;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::flag;

/// How often the flags are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Signals as they come, from now on.
pub(super) struct Heard(Vec<(i32, Arc<AtomicBool>)>);

impl Heard {
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(super) fn new(signals: &[i32]) -> io::Result<Self> {
        let flags = signals.iter().map(|signal| {
            let came = Arc::new(AtomicBool::new(false));
            flag::register(*signal, Arc::clone(&came)).map(|_| (*signal, came))
        });
        flags.collect::<io::Result<_>>().map(Self)
    }

    /// Waits for each.
    pub(super) fn forever(&mut self) -> impl Iterator<Item = i32> {
        iter::from_fn(|| {
            loop {
                let mut flags = self.0.iter();
                let came = flags.find(|(_, came)| came.swap(false, Ordering::AcqRel));
                if let Some((signal, _)) = came {
                    return Some(*signal);
                }
                thread::sleep(LOOK_EVERY);
            }
        })
    }
}
