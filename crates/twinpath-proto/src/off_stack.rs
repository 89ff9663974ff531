//! Keys and key schedules leave no copy on the stack.

use zeroize::Zeroize as _;

/// Builds a value with secrets, then overwrites the stack used for it: libraries build their key
/// schedules there and move them, and moving does not wipe the source.
pub(crate) fn off_stack<T>(work: impl FnOnce() -> T) -> T {
    /// In a stack frame below that of the caller, which overwrites it.
    #[inline(never)]
    fn in_lower_frame<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    let made = in_lower_frame(work);
    overwrite_stack();
    made
}

#[inline(never)]
fn overwrite_stack() {
    let mut words = [0_u64; 1536];
    words.zeroize();
}
