//! The lock of a store: one process writes it.

use std::fs::{self, File, TryLockError};
use std::sync::{Mutex, MutexGuard, PoisonError};

use twinpath_runtime::wall;

use crate::failure::Failure;
use crate::files;

use super::cannot;
use super::layout::{Day, Layout};

/// The lock, ours as long as this is.
#[derive(Debug, Default)]
pub(super) struct StoreLock(Mutex<Option<File>>);

impl StoreLock {
    fn held(&self) -> MutexGuard<'_, Option<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock of a directory, which is made if it is missing.
    ///
    /// # Errors
    /// The directory cannot be written, or another process does.
    pub(super) fn take(&self, layout: &Layout) -> Result<(), Failure> {
        let root = layout.root();
        let today = layout.day(Day::of(wall()));
        // What cannot be written is known before it is needed.
        fs::create_dir_all(&today).map_err(|error| cannot(root, &error))?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(layout.lock());
        let lock = lock.map_err(|error| cannot(root, &error))?;
        match files::lock(&lock) {
            Err(TryLockError::WouldBlock) => {
                let place = root.display();
                let line =
                    format!("cannot use the store {place}: another process is writing to it");
                Err(Failure::could_not(line).with_remedy(Some("use another path")))
            }
            // A file system without locks stores all the same.
            Ok(()) | Err(TryLockError::Error(_)) => {
                *self.held() = Some(lock);
                Ok(())
            }
        }
    }

    /// Whether the file that was locked is not the one with its name any more.
    pub(super) fn is_lost(&self, layout: &Layout) -> bool {
        let held = self.held();
        held.as_ref()
            .is_some_and(|file| !files::is_named(file, &layout.lock()))
    }
}
