//! Catches panics of the Parquet library, which it raises for some damaged files.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::Unreadable;

thread_local! {
    /// A panic on this thread is caused by the file, so no message is printed.
    static FENCED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` gives; a panic in it is a damaged file. What `read` was working on is not used again.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn catch_panics<T>(
    read: impl FnOnce() -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
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
    result.unwrap_or(Err(Unreadable::Rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_over_a_file_is_a_damaged_file() {
        assert!(matches!(catch_panics(|| Ok(7)), Ok(7)));
        let failed: Result<(), Unreadable> = catch_panics(|| panic!("of the library"));
        assert!(matches!(failed, Err(Unreadable::Rows)));
        assert!(!FENCED.get());
    }
}
