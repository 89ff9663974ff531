//! Files of sums while they are written.

use std::fs;
use std::path::Path;

use crate::files;
use crate::saved::{Sync, Writer};

use crate::store::closed::CloseError;
use crate::store::columns::Intervals;
use crate::store::merge::Grouping;
use crate::store::{FORMAT, FORMAT_KEY, HOUR_NS};

/// Rows of hours that are written at once: their histograms are long.
const GROUP_ROWS: usize = 256;
/// The same of days, whose histograms are several times as long.
const GROUP_ROWS_OF_DAYS: usize = 128;

/// Sums that are written some at a time, as they take much memory, to a file without a name of its own yet.
pub(super) struct Growing {
    file: tempfile::NamedTempFile,
    writer: Writer<fs::File, Intervals>,
}

impl Growing {
    /// In the directory of the file that is to have its rows.
    pub(super) fn beside(target: &Path, step_ns: i64) -> Result<Self, CloseError> {
        let file = files::create(target)?;
        let facts = vec![(FORMAT_KEY, FORMAT.to_owned())];
        let writer = Writer::of(Intervals, file.as_file().try_clone()?, facts)?;
        let rows = if step_ns > HOUR_NS {
            GROUP_ROWS_OF_DAYS
        } else {
            GROUP_ROWS
        };
        let writer = writer.of_groups(rows);
        Ok(Self { file, writer })
    }

    /// Adds rows that follow those before.
    pub(super) fn add(&mut self, rows: Grouping) -> Result<(), CloseError> {
        for row in rows.into_rows() {
            if self.writer.push(row) {
                self.writer.write(Sync::Memory)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<tempfile::NamedTempFile, CloseError> {
        self.writer.finish()?;
        Ok(self.file)
    }
}
