//! Sets damaged files aside: what can be read of them takes their place, and all of their octets stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use parquet::errors::ParquetError;
use tracing::warn;

use crate::saved::Unreadable;
use crate::store::closed::{self, CloseError, FileRows};
use crate::store::query::is_missing;
use crate::store::segment::Segment;

use super::Upkeep;

/// Damaged files of one name that are kept.
const MOST_NAMES: u32 = 1_000;

impl Upkeep {
    /// Sets a damaged file aside, with a sorted copy of its whole row groups in its place. False: it has none.
    pub(super) fn salvage(
        &self,
        path: &Path,
        segment: &Segment,
        error: Unreadable,
    ) -> Result<bool, CloseError> {
        if is_of_disk(&error) {
            return Err(error.into());
        }
        let rows = FileRows::whole_to_sort(segment, &self.shared.stop)?;
        let count = rows.count();
        if count == 0 {
            return self.set_aside(path, error);
        }
        // A crash in between leaves another name of the same file.
        let aside = free_name(path);
        if fs::hard_link(path, &aside).is_err() {
            fs::copy(path, &aside)?;
        }
        closed::write(path, &rows, &[])?;
        warn!(
            "{} has {count} rows that were whole, {} what it was: {error}",
            path.display(),
            aside.display()
        );
        self.shared.damaged.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// Gives a damaged file another name, so that it is in no way and not lost.
    pub(super) fn set_aside(&self, path: &Path, error: Unreadable) -> Result<bool, CloseError> {
        if is_missing(&error) {
            return Ok(false);
        }
        if is_of_disk(&error) {
            return Err(error.into());
        }
        let aside = free_name(path);
        warn!(
            "{} is called {} now: {error}",
            path.display(),
            aside.display()
        );
        fs::rename(path, &aside)?;
        self.shared.damaged.fetch_add(1, Ordering::Relaxed);
        Ok(false)
    }
}

/// Whether the disk could not be read, as it may later; what is missing at a file's end is not there later either.
fn is_of_disk(error: &Unreadable) -> bool {
    let Unreadable::Parquet(ParquetError::External(source)) = error else {
        return false;
    };
    let source = source.downcast_ref::<io::Error>();
    source.is_some_and(|source| source.kind() != io::ErrorKind::UnexpectedEof)
}

/// The name of a damaged file, which takes the place of no other.
fn free_name(path: &Path) -> PathBuf {
    let mut name = path.with_extension("damaged");
    let mut number = 1;
    while name.symlink_metadata().is_ok() && number < MOST_NAMES {
        number += 1;
        name = path.with_extension(format!("{number}.damaged"));
    }
    name
}
