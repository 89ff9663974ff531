//! Files that grow and are not in their place any more: deleted, moved with their directory, or on a disk that was
//! unmounted. Their rows are written again where they belong, as far as they are in memory or the open file is readable.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tracing::{info, warn};

use crate::files::Unfit;
use crate::saved::Sync;
use crate::store::cursor::Wanted;
use crate::store::filter::Filter;
use crate::store::segment::Segment;

use super::{CopyError, Keeper, OpenSegment, SegmentWriter, put};

impl Keeper {
    /// Sets files apart that are not in their place any more.
    pub(super) fn find_lost(&mut self) {
        let is_lost = |segment: &mut OpenSegment| !segment.writer.is_named(&segment.path);
        let lost: Vec<OpenSegment> = self.open.extract_if(.., is_lost).collect();
        for segment in lost {
            self.lose(segment);
        }
    }

    /// Sets a file apart, whose rows are written again next.
    pub(super) fn lose(&mut self, segment: OpenSegment) {
        warn!(
            "the store's file {} was deleted, moved or unmounted while it was written; its rows are written again",
            segment.path.display()
        );
        self.lost.push(segment);
        self.due.get_or_insert_with(Instant::now);
    }

    /// Writes the rows of files that were set apart again.
    ///
    /// # Errors
    /// The disk does not take them: the rest stays set apart.
    pub(super) fn write_lost(&mut self) -> Result<(), Unfit> {
        while let Some(segment) = self.lost.pop() {
            if segment.writer.is_named(&segment.path) {
                info!("the store's file {} is back", segment.path.display());
                self.open.push(segment);
                continue;
            }
            if let Err(error) = self.write_again(&segment) {
                self.lost.push(segment);
                return Err(error);
            }
        }
        Ok(())
    }

    fn write_again(&mut self, lost: &OpenSegment) -> Result<(), Unfit> {
        let mut unread = 0;
        let new = self.begin(lost.day, |writer| {
            unread = copy(lost, writer)?;
            Ok(())
        })?;
        let (from, to) = (lost.path.display(), new.path.display());
        let rows = new.writer.written();
        info!("{rows} rows of the file that was {from} are in {to}");
        if unread > 0 {
            warn!("{unread} rows of the file that was {from} are lost: they cannot be read");
            self.shared.dropped.fetch_add(unread, Ordering::Relaxed);
        }
        self.recounted += lost.counted.saturating_sub(unread);
        self.open.push(new);
        // What is there is another size.
        let _ = self.wake.send(lost.day);
        Ok(())
    }
}

/// Copies the rows of a file; how many of them cannot be read.
fn copy(lost: &OpenSegment, to: &mut SegmentWriter) -> io::Result<u64> {
    // Those of the last row group are in memory.
    let finished = lost.writer.finished();
    let mut copied = 0;
    let read = lost.writer.reader().map(Segment::of)?;
    let read = read.map_err(CopyError::from).and_then(|segment| {
        segment.each(&Filter::ALL, &Wanted::All, |row| {
            if copied < finished {
                copied += 1;
                put(to, row).map_err(CopyError::Io)?;
            }
            Ok(())
        })
    });
    match read {
        Err(CopyError::Io(error)) => return Err(error),
        Err(CopyError::Unreadable(error)) if copied < finished => {
            warn!("{}: {error}", lost.path.display());
        }
        Ok(()) | Err(CopyError::Unreadable(_)) => {}
    }
    for row in lost.writer.rows() {
        put(to, row.clone())?;
    }
    to.write(Sync::Disk)?;
    Ok(finished - copied)
}
