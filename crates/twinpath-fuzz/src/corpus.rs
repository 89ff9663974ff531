//! The committed inputs of `fuzz/corpus`, for the drivers that are tests.

use std::path::{Path, PathBuf};

/// Where the inputs of all targets are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// The inputs of the target of that name.
///
/// # Panics
/// If there is no such target, or its inputs cannot be read.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let directory = directory().join(target);
    let entries = std::fs::read_dir(&directory).expect(target);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect(target).path()).collect();
    paths.sort();
    let read = |path: &PathBuf| std::fs::read(path).expect(target);
    paths.iter().map(read).collect()
}
