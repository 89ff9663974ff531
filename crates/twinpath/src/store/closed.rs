//! Writes closed files: one row group, sorted by session, class, path and time, a column at a time so that little
//! memory is taken, under another name until it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaDataPtr;
use parquet::file::writer::SerializedFileWriter;

use crate::files::{self, Unfit};
use crate::saved::{Groups, Unreadable, seal};

use super::blocks::Hashing;
use super::columns::{COLUMNS, Intervals, Kind, Place, Values, properties, schema};
use super::cursor::Cursor;
use super::layout::sync_directory;
#[cfg(test)]
use super::row::StoredRow;
use super::segment::Segment;
use super::{BLOCKS_KEY, FORMAT, FORMAT_KEY};

/// Rows of a column that are decoded at once.
const BATCH: usize = 4_096;
/// The same of lists in memory, whose values are copied.
#[cfg(test)]
const LISTS: usize = 64;

/// Why a file was not closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseError {
    /// What it is made of cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It cannot be written.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The same.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// The store is closed meanwhile.
    #[error("the store is being closed")]
    Stopped,
}

impl From<io::Error> for CloseError {
    fn from(error: io::Error) -> Self {
        Self::Unfit(error.into())
    }
}

/// What takes values of a column, some rows at a time.
type Take<'a> = &'a mut dyn FnMut(Values) -> Result<(), CloseError>;

/// Where the values of a closed file come from.
pub(super) trait Source {
    /// Whether the column has a value.
    fn has_values(&self, column: usize) -> bool;

    /// Passes on all values of a column, sorted.
    ///
    /// # Errors
    /// [`CloseError`], or what `take` gives.
    fn each(&self, column: usize, take: Take<'_>) -> Result<(), CloseError>;
}

/// Rows in memory, which are sorted.
#[cfg(test)]
pub(super) struct Sorted<'a>(pub(super) &'a [StoredRow]);

#[cfg(test)]
impl Source for Sorted<'_> {
    fn has_values(&self, column: usize) -> bool {
        let Some(column) = COLUMNS.get(column) else {
            return false;
        };
        self.0
            .chunks(at_once(column))
            .any(|rows| match Values::of(column, rows) {
                Values::Texts(texts) => !texts.is_empty(),
                Values::Numbers(values) => values.iter().any(Option::is_some),
                Values::Lists(lists) => lists.iter().flatten().any(|list| !list.is_empty()),
            })
    }

    fn each(&self, column: usize, take: Take<'_>) -> Result<(), CloseError> {
        let column = COLUMNS.get(column).ok_or(Unreadable::Rows)?;
        self.0
            .chunks(at_once(column))
            .try_for_each(|rows| take(Values::of(column, rows)))
    }
}

#[cfg(test)]
fn at_once(column: &super::columns::Column) -> usize {
    if column.kind == Kind::List {
        LISTS
    } else {
        BATCH
    }
}

/// By what rows are sorted.
#[cfg(test)]
pub(super) fn key(row: &StoredRow) -> (&str, &str, Option<u16>, i64) {
    let start = row.start.unix_ns();
    (&*row.session, &*row.class, row.path, start)
}

/// Rows of a file that grew.
pub(super) struct FileRows<'a> {
    segment: &'a Segment,
    /// Where each row of the file is when it is sorted; `None`: it is.
    order: Option<Vec<u32>>,
    /// Row groups, and how many rows they have.
    groups: Vec<(usize, usize)>,
    stop: &'a AtomicBool,
}

impl<'a> FileRows<'a> {
    /// Rows in any order: reads what they are sorted by.
    ///
    /// # Errors
    /// [`CloseError`].
    pub(super) fn to_sort(segment: &'a Segment, stop: &'a AtomicBool) -> Result<Self, CloseError> {
        let mut rows = Self::in_order(segment, stop)?;
        rows.order = Some(rows.sorted()?);
        Ok(rows)
    }

    /// The same of the row groups that are whole.
    ///
    /// # Errors
    /// [`CloseError`].
    pub(super) fn whole_to_sort(
        segment: &'a Segment,
        stop: &'a AtomicBool,
    ) -> Result<Self, CloseError> {
        let mut rows = Self::of_groups(segment, segment.whole_groups(), stop)?;
        rows.order = Some(rows.sorted()?);
        Ok(rows)
    }

    /// Rows that are sorted.
    ///
    /// # Errors
    /// [`CloseError`].
    pub(super) fn in_order(segment: &'a Segment, stop: &'a AtomicBool) -> Result<Self, CloseError> {
        Self::of_groups(segment, 0..segment.groups(), stop)
    }

    fn of_groups(
        segment: &'a Segment,
        groups: impl Iterator<Item = usize>,
        stop: &'a AtomicBool,
    ) -> Result<Self, CloseError> {
        let groups = groups.map(|group| Ok((group, segment.group_rows(group)?)));
        let groups = groups.collect::<Result<Vec<_>, Unreadable>>()?;
        Ok(Self {
            segment,
            order: None,
            groups,
            stop,
        })
    }

    /// How many rows it has.
    pub(super) fn count(&self) -> usize {
        self.groups.iter().map(|(_, rows)| rows).sum()
    }

    fn sorted(&self) -> Result<Vec<u32>, CloseError> {
        let sessions = self.texts(Place::Session)?;
        let classes = self.texts(Place::Class)?;
        let paths = self.numbers(Place::Path)?;
        let starts = self.numbers(Place::Start)?;
        let keys = sessions.iter().zip(&classes).zip(paths.iter().zip(&starts));
        let mut keys: Vec<_> = keys.zip(0_u32..).collect();
        keys.sort_unstable();
        let mut order = vec![0; keys.len()];
        for ((_, row), place) in keys.into_iter().zip(0..) {
            let row = usize::try_from(row).unwrap_or(usize::MAX);
            *order.get_mut(row).ok_or(Unreadable::Rows)? = place;
        }
        Ok(order)
    }

    fn texts(&self, place: Place) -> Result<Vec<Arc<str>>, CloseError> {
        let mut all: Vec<Arc<str>> = Vec::new();
        let mut known: std::collections::HashSet<Arc<str>> = std::collections::HashSet::new();
        self.each_as_stored(place, |values| {
            if let Values::Texts(texts) = values {
                for text in texts {
                    // Each once, whatever the number of row groups.
                    let shared = known.get(&text).cloned().unwrap_or_else(|| {
                        known.insert(Arc::clone(&text));
                        text
                    });
                    all.push(shared);
                }
            }
        })?;
        Ok(all)
    }

    fn numbers(&self, place: Place) -> Result<Vec<Option<i64>>, CloseError> {
        let mut all = Vec::new();
        self.each_as_stored(place, |values| {
            if let Values::Numbers(numbers) = values {
                all.extend(numbers);
            }
        })?;
        Ok(all)
    }

    /// Passes on the values of a column as they are in the file.
    fn each_as_stored(&self, place: Place, mut take: impl FnMut(Values)) -> Result<(), CloseError> {
        let column = COLUMNS.iter().position(|column| column.place == place);
        let column = column.ok_or(Unreadable::Rows)?;
        self.each_batch(column, |_, values| {
            take(values);
            Ok(())
        })
    }

    /// The same, with the rows that they are of.
    fn each_batch(
        &self,
        column: usize,
        mut take: impl FnMut(Range<usize>, Values) -> Result<(), CloseError>,
    ) -> Result<(), CloseError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(CloseError::Stopped);
        }
        let mut at = 0;
        for (group, rows) in &self.groups {
            let mut cursor = self.segment.column(*group, column)?;
            let most = cursor.as_ref().map_or(BATCH, Cursor::rows_at_once);
            let most = most.min(BATCH);
            let end = at + rows;
            while at < end {
                let now = most.min(end - at);
                take(at..at + now, next(cursor.as_mut(), column, now)?)?;
                at += now;
            }
        }
        Ok(())
    }
}

/// The next values of a column; what a file lacks is missing.
fn next(cursor: Option<&mut Cursor>, column: usize, rows: usize) -> Result<Values, Unreadable> {
    if let Some(cursor) = cursor {
        return cursor.read(rows);
    }
    let column = COLUMNS.get(column).ok_or(Unreadable::Rows)?;
    Ok(match column.kind {
        Kind::List => Values::Lists(vec![None; rows]),
        Kind::Text | Kind::Short | Kind::Time | Kind::Whole | Kind::Real => {
            Values::Numbers(vec![None; rows])
        }
    })
}

impl Source for FileRows<'_> {
    fn has_values(&self, column: usize) -> bool {
        self.segment.has_values(column)
    }

    fn each(&self, column: usize, take: Take<'_>) -> Result<(), CloseError> {
        let Some(order) = &self.order else {
            return self.each_batch(column, |_, values| take(values));
        };
        let rows = order.len();
        let about = COLUMNS.get(column).ok_or(Unreadable::Rows)?;
        let mut all = match about.kind {
            Kind::Text => Values::Texts(vec![Arc::from(""); rows]),
            Kind::List => Values::Lists(vec![None; rows]),
            Kind::Short | Kind::Time | Kind::Whole | Kind::Real => {
                Values::Numbers(vec![None; rows])
            }
        };
        self.each_batch(column, |range, values| {
            let places = order.get(range).ok_or(Unreadable::Rows)?;
            match (&mut all, values) {
                (Values::Texts(all), Values::Texts(values)) => put(all, places, values),
                (Values::Numbers(all), Values::Numbers(values)) => put(all, places, values),
                (Values::Lists(all), Values::Lists(values)) => put(all, places, values),
                (Values::Texts(_) | Values::Numbers(_) | Values::Lists(_), _) => {
                    return Err(Unreadable::Rows.into());
                }
            }
            Ok(())
        })?;
        take(all)
    }
}

fn put<T>(all: &mut [T], places: &[u32], values: Vec<T>) {
    for (place, value) in places.iter().zip(values) {
        let place = usize::try_from(*place).unwrap_or(usize::MAX);
        if let Some(cell) = all.get_mut(place) {
            *cell = value;
        }
    }
}

/// Writes a closed file in the place of what has that name; its octets.
///
/// # Errors
/// [`CloseError`]; what has the name is left as it is.
pub(super) fn write(
    path: &Path,
    source: &impl Source,
    facts: &[(&str, String)],
) -> Result<u64, CloseError> {
    let new = files::create(path)?;
    let file = new.as_file();
    write_to(file, source, facts)?;
    file.sync_all()?;
    let octets = file.metadata()?.len();
    new.persist(path).map_err(|error| error.error)?;
    path.parent().into_iter().for_each(sync_directory);
    Ok(octets)
}

fn write_to(file: &File, source: &impl Source, facts: &[(&str, String)]) -> Result<(), CloseError> {
    let properties = Arc::new(properties(|column| source.has_values(column)));
    let target = Hashing::new(BufWriter::new(file));
    let mut writer = SerializedFileWriter::new(target, schema()?, properties)?;
    let mut group = writer.next_row_group()?;
    for (place, column) in COLUMNS.iter().enumerate() {
        let mut writer = group.next_column()?.ok_or(Unreadable::Rows)?;
        source.each(place, &mut |values| Ok(values.put(column, &mut writer)?))?;
        writer.close()?;
    }
    let about = group.close()?;
    writer.flush()?;
    finish(writer.inner_mut(), about, facts)
}

/// The footer.
fn finish(
    target: &mut Hashing<BufWriter<&File>>,
    about: RowGroupMetaDataPtr,
    facts: &[(&str, String)],
) -> Result<(), CloseError> {
    let (blocks, all) = target.checksums();
    let mut facts = facts.to_vec();
    facts.push((FORMAT_KEY, FORMAT.to_owned()));
    facts.push((BLOCKS_KEY, blocks.fact()));
    let group = Arc::unwrap_or_clone(about).into_builder();
    let magic = i64::try_from(crate::saved::MAGIC.len()).unwrap_or(0);
    let group = group.set_file_offset(magic).build()?;
    let groups = Groups::new(Intervals)?;
    let footer = groups.footer(vec![(group, all)], &facts)?;
    let end = footer.len().saturating_sub(8);
    let target = target.inner_mut();
    target.write_all(&seal(footer.get(..end).unwrap_or_default()))?;
    target.write_all(&footer)?;
    target.flush()?;
    Ok(())
}
