//! Catches panics of the Parquet library, which it raises for some damaged files.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::Broken;

thread_local! {
    /// A panic on this thread is caused by the file, so no message is printed.
    static FENCED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` gives; a panic in it is a damaged file. What `read` was working on is not used again.
///
/// # Errors
/// [`Broken`].
pub(super) fn fenced<T>(read: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            if !FENCED.get() {
                before(about);
            }
        }));
    });
    let outside = FENCED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    FENCED.set(outside);
    result.unwrap_or(Err(Broken::Rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_over_a_file_is_a_damaged_file() {
        assert!(matches!(fenced(|| Ok(7)), Ok(7)));
        let failed: Result<(), Broken> = fenced(|| panic!("of the library"));
        assert!(matches!(failed, Err(Broken::Rows)));
        assert!(!FENCED.get());
    }
}
