//! Octets of files in a directory, also of those that grow, without a look at the disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Octets of the files of a directory: as they were counted at the last look at it, and what its writers have added.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileSizes(Arc<Mutex<Sizes>>);

#[derive(Debug, Default)]
struct Sizes {
    /// Of all files, at the last look.
    octets: u64,
    growing: HashMap<PathBuf, Growth>,
    /// Files that have begun to grow.
    begun: u64,
}

/// A file that grows.
#[derive(Debug, Default)]
struct Growth {
    /// Another file may have its name later.
    number: u64,
    octets: u64,
    /// How many of these the last look counted.
    counted: u64,
    /// The same of the look under way.
    seen: Option<u64>,
}

impl Growth {
    fn uncounted(&self) -> u64 {
        self.octets.saturating_sub(self.counted)
    }
}

impl FileSizes {
    fn sizes(&self) -> MutexGuard<'_, Sizes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that grows from now on, as long as the result is kept.
    pub(crate) fn grow(&self, path: &Path) -> GrowingFile {
        let mut sizes = self.sizes();
        sizes.begun += 1;
        let number = sizes.begun;
        let growth = Growth {
            number,
            ..Growth::default()
        };
        sizes.growing.insert(path.to_owned(), growth);
        GrowingFile {
            sizes: self.clone(),
            path: path.to_owned(),
            number,
        }
    }

    /// Whether the file of this path grows.
    pub(crate) fn is_growing(&self, path: &Path) -> bool {
        self.sizes().growing.contains_key(path)
    }

    /// Whether a file in this directory grows.
    pub(crate) fn has_growing(&self, directory: &Path) -> bool {
        let sizes = self.sizes();
        let mut paths = sizes.growing.keys();
        paths.any(|path| path.parent() == Some(directory))
    }

    /// A look at all files begins: those that grow and are not seen are not there.
    pub(crate) fn begin_look(&self) {
        for growth in self.sizes().growing.values_mut() {
            growth.seen = Some(growth.octets);
        }
    }

    /// The look has found so many octets of this file, which are returned.
    pub(crate) fn see(&self, path: &Path, octets: u64) -> u64 {
        if let Some(growth) = self.sizes().growing.get_mut(path) {
            growth.seen = Some(octets);
        }
        octets
    }

    /// The look is over and has found so many octets of all files.
    pub(crate) fn end_look(&self, octets: u64) {
        let mut sizes = self.sizes();
        sizes.octets = octets;
        for growth in sizes.growing.values_mut() {
            growth.counted = growth.seen.take().unwrap_or(growth.counted);
        }
    }

    /// Octets of all files.
    pub(crate) fn octets(&self) -> u64 {
        let sizes = self.sizes();
        let growing: u64 = sizes.growing.values().map(Growth::uncounted).sum();
        sizes.octets.saturating_add(growing)
    }
}

/// The size of a file that grows.
#[derive(Debug)]
pub(crate) struct GrowingFile {
    sizes: FileSizes,
    path: PathBuf,
    number: u64,
}

impl GrowingFile {
    /// It has so many octets now.
    pub(crate) fn set(&self, octets: u64) {
        if let Some(growth) = self.sizes.sizes().growing.get_mut(&self.path)
            && growth.number == self.number
        {
            growth.octets = octets;
        }
    }
}

impl Drop for GrowingFile {
    fn drop(&mut self) {
        let mut sizes = self.sizes.sizes();
        let growth = sizes.growing.get(&self.path);
        if let Some(growth) = growth.filter(|growth| growth.number == self.number) {
            sizes.octets = sizes.octets.saturating_add(growth.uncounted());
            sizes.growing.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_those_of_the_last_look_and_what_grew_since() {
        let sizes = FileSizes::default();
        let path = Path::new("/s/2026-11-30/0001.parquet");
        let file = sizes.grow(path);
        file.set(100);
        assert_eq!(sizes.octets(), 100);
        sizes.begin_look();
        sizes.see(path, 100);
        // A look under way changes nothing yet.
        assert_eq!(sizes.octets(), 100);
        file.set(130);
        sizes.end_look(1_100);
        assert_eq!(sizes.octets(), 1_130);
        assert!(sizes.is_growing(path) && sizes.has_growing(Path::new("/s/2026-11-30")));
        // Another one has its name when this one ends.
        let other = sizes.grow(path);
        other.set(7);
        drop(file);
        assert_eq!(sizes.octets(), 1_107);
        drop(other);
        assert_eq!(sizes.octets(), 1_107);
        assert!(!sizes.is_growing(path));
        // One that a look does not find is not there.
        let file = sizes.grow(path);
        file.set(50);
        sizes.begin_look();
        sizes.end_look(1_000);
        assert_eq!(sizes.octets(), 1_000);
    }
}
