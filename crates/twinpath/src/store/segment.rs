//! A file of a store that is read: which rows it has, and the columns that are wanted of those.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use twinpath_wire::Wall;

use crate::files;
use crate::saved::{
    OpenedFile, Unreadable, VerifiedFile, catch_panics, check_group, check_pages, group_checksums,
    open_growing,
};

use super::blocks::{BlockFile, Checksums};
use super::columns::{COLUMNS, Column, Kind, Place, Values};
use super::cursor::{BATCH, Batches, Cursor, Wanted};
use super::filter::{Filter, Sessions, extend};
use super::row::StoredRow;
use super::{BLOCKS_KEY, FORMAT, FORMAT_KEY};

/// Rows of a file at most: this program closes files long before.
const MOST_ROWS: u64 = 1 << 22;
/// A file.
pub(super) struct Segment {
    reader: Box<dyn FileReader>,
    source: Source,
    /// Of the row groups, where they are to be checked.
    checksums: Option<Vec<u32>>,
    /// Octets behind its last whole end. A process that is killed leaves none: the end is damaged.
    behind: u64,
    /// Where each of our columns is in this file.
    places: Vec<Option<usize>>,
}

/// What the pages are in.
enum Source {
    Growing(VerifiedFile),
    Closed(BlockFile),
}

impl Segment {
    /// Opens a file, growing or closed.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn open(path: &Path) -> Result<Self, Unreadable> {
        let file = files::open(path).map_err(|unfit| match unfit {
            files::Unfit::Io(error) => Unreadable::Parquet(error.into()),
            files::Unfit::Kind(_) | files::Unfit::Link(_) => {
                Unreadable::Parquet(std::io::Error::other(unfit).into())
            }
        })?;
        Self::of(file)
    }

    /// The same of a file that is open.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn of(file: File) -> Result<Self, Unreadable> {
        let again = file
            .try_clone()
            .map_err(|error| Unreadable::Parquet(error.into()))?;
        match catch_panics(|| Self::closed(again)) {
            Ok(Some(segment)) => Ok(segment),
            Ok(None) | Err(_) => Self::growing(file),
        }
    }

    /// Whether this is a file of a store, whatever its format.
    pub(super) fn is_of_store(path: &Path) -> bool {
        let Ok(file) = files::open(path) else {
            return false;
        };
        let reader = catch_panics(|| Ok(SerializedFileReader::new(file)?));
        match reader {
            Ok(reader) => fact(reader.metadata(), FORMAT_KEY).is_some(),
            // Its end may be damaged.
            Err(_) => Self::open(path).is_ok(),
        }
    }

    /// `None`: it is growing, or of another program.
    fn closed(file: File) -> Result<Option<Self>, Unreadable> {
        let file = BlockFile::new(file).map_err(|error| Unreadable::Parquet(error.into()))?;
        let reader = SerializedFileReader::new(file.clone())?;
        let Some(blocks) = fact(reader.metadata(), BLOCKS_KEY) else {
            return Ok(None);
        };
        let blocks = Checksums::of_fact(blocks).ok_or(Unreadable::Checksum)?;
        // That of the footer is checked.
        group_checksums(&file, reader.metadata())?;
        file.check(blocks);
        Self::new(Box::new(reader), Source::Closed(file), None).map(Some)
    }

    fn growing(file: File) -> Result<Self, Unreadable> {
        let OpenedFile {
            reader,
            whole,
            checksums,
            behind,
        } = open_growing(file, |file| Ok(file.metadata()?.len()))?;
        let segment = Self::new(Box::new(reader), Source::Growing(whole), checksums)?;
        Ok(Self { behind, ..segment })
    }

    fn new(
        reader: Box<dyn FileReader>,
        source: Source,
        checksums: Option<Vec<u32>>,
    ) -> Result<Self, Unreadable> {
        let about = reader.metadata();
        let format = fact(about, FORMAT_KEY).ok_or(Unreadable::NoStore)?;
        if format != FORMAT {
            return Err(Unreadable::Format(format.chars().take(20).collect()));
        }
        let groups = about.row_groups().iter();
        let rows = groups.fold(0, |sum: u64, group| {
            sum.saturating_add(group.num_rows().unsigned_abs())
        });
        if rows > MOST_ROWS {
            return Err(Unreadable::TooDense);
        }
        let schema = about.file_metadata().schema_descr();
        let columns = COLUMNS.iter().enumerate();
        let places = columns.map(|(place, column)| find(schema, column, place));
        let places = places.collect::<Result<_, _>>()?;
        Ok(Self {
            reader,
            source,
            checksums,
            behind: 0,
            places,
        })
    }

    /// What its end lacks; the rows up to an end of before are read.
    pub(super) fn damage(&self) -> Option<Unreadable> {
        (self.behind > 0).then_some(Unreadable::Torn(self.behind))
    }

    /// The row groups whose checksums are right.
    pub(super) fn whole_groups(&self) -> impl Iterator<Item = usize> {
        (0..self.groups()).filter(|group| self.group_rows(*group).is_ok())
    }

    /// Whether it is sorted, and does not change any more.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.source, Source::Closed(_))
    }

    /// A fact of its footer.
    pub(super) fn fact(&self, key: &str) -> Option<&str> {
        fact(self.reader.metadata(), key)
    }

    pub(super) fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// Its rows.
    pub(super) fn rows(&self) -> u64 {
        let groups = self.reader.metadata().row_groups().iter();
        groups.map(|group| group.num_rows().unsigned_abs()).sum()
    }

    /// When its first row begins and its last one, as far as its footer shows it.
    pub(super) fn starts(&self) -> Option<(Wall, Wall)> {
        let column = COLUMNS
            .iter()
            .position(|column| column.place == Place::Start)?;
        let place = self.places.get(column).copied().flatten()?;
        let groups = self.reader.metadata().row_groups().iter();
        let mut span: Option<(i64, i64)> = None;
        for group in groups {
            let Some(Statistics::Int64(range)) = group.columns().get(place)?.statistics() else {
                return None;
            };
            let (min, max) = (*range.min_opt()?, *range.max_opt()?);
            let (first, until) = span.unwrap_or((min, max));
            span = Some((first.min(min), until.max(max)));
        }
        span.map(|(first, last)| (Wall::from_unix_ns(first), Wall::from_unix_ns(last)))
    }

    /// Rows of a row group; their checksum is checked where it has one of its own.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn group_rows(&self, group: usize) -> Result<usize, Unreadable> {
        let about = self.about(group)?;
        if let (Some(checksums), Source::Growing(file)) = (&self.checksums, &self.source) {
            let sum = checksums.get(group).ok_or(Unreadable::Checksum)?;
            check_group(file, about, *sum)?;
        }
        usize::try_from(about.num_rows()).map_err(|_| Unreadable::Rows)
    }

    fn about(&self, group: usize) -> Result<&RowGroupMetaData, Unreadable> {
        let groups = self.reader.metadata().row_groups();
        groups.get(group).ok_or(Unreadable::Rows)
    }

    /// Whether the column has values as differences, which it has where it has any.
    pub(super) fn has_values(&self, column: usize) -> bool {
        use parquet::basic::Encoding;
        let place = self.places.get(column).copied().flatten();
        let mut groups = self.reader.metadata().row_groups().iter();
        groups.any(|group| {
            let about = place.and_then(|place| group.columns().get(place));
            about.is_some_and(|it| it.encodings().any(|it| it == Encoding::DELTA_BINARY_PACKED))
        })
    }

    /// A column of a row group at its beginning; `None`: the file lacks it.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn column(&self, group: usize, column: usize) -> Result<Option<Cursor>, Unreadable> {
        let place = self.places.get(column).copied().flatten();
        let (Some(place), Some(column)) = (place, COLUMNS.get(column)) else {
            return Ok(None);
        };
        let about = self
            .about(group)?
            .columns()
            .get(place)
            .ok_or(Unreadable::Rows)?;
        let rows = self.group_rows(group)?;
        catch_panics(|| {
            match &self.source {
                Source::Growing(file) => check_pages(file, about)?,
                Source::Closed(file) => check_pages(file, about)?,
            }
            let reader = self.reader.get_row_group(group)?.get_column_reader(place)?;
            Ok(Some(Cursor::new(reader, column, about, rows)))
        })
    }

    /// Where the rows are that are wanted, in their order.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn ranges(
        &self,
        group: usize,
        filter: &Filter,
    ) -> Result<Vec<Range<usize>>, Unreadable> {
        let about = self.about(group)?;
        let statistics = |place: Place| {
            let column = COLUMNS.iter().position(|column| column.place == place)?;
            let place = self.places.get(column).copied().flatten()?;
            about.columns().get(place)?.statistics()
        };
        if !filter.may_be_in(statistics(Place::Session), statistics(Place::Start)) {
            return Ok(Vec::new());
        }
        let rows = self.group_rows(group)?;
        let mut ranges = Vec::new();
        match &filter.sessions {
            Sessions::All => ranges.push(0..rows),
            Sessions::One(_) | Sessions::Between(..) | Sessions::Like(_) => {
                let mut cursor = self.needed(group, Place::Session)?;
                cursor.texts_that(rows, |text| filter.wants(text), &mut ranges)?;
            }
        }
        if filter.has_all_times() {
            return Ok(ranges);
        }
        let mut starts = self.needed(group, Place::Start)?;
        let mut left = Vec::new();
        let mut at = 0;
        for range in ranges {
            starts.skip(range.start - at)?;
            at = range.end;
            let mut row = range.start;
            while row < range.end {
                let now = BATCH.min(range.end - row);
                let Values::Numbers(values) = starts.read(now)? else {
                    return Err(Unreadable::Rows);
                };
                for (row, start) in (row..).zip(values) {
                    let start = start.map(Wall::from_unix_ns);
                    if start.is_some_and(|start| filter.from <= start && start < filter.to) {
                        extend(&mut left, row);
                    }
                }
                row += now;
            }
        }
        Ok(left)
    }

    /// A column that every row has.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn needed(&self, group: usize, place: Place) -> Result<Cursor, Unreadable> {
        let column = COLUMNS.iter().position(|column| column.place == place);
        let cursor = column
            .map(|column| self.column(group, column))
            .transpose()?;
        cursor.flatten().ok_or(Unreadable::Rows)
    }

    /// Reads rows of a group: `wanted` columns, beside those that say whose row it is.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn read(
        &self,
        group: usize,
        ranges: Vec<Range<usize>>,
        wanted: &Wanted,
    ) -> Result<Batches, Unreadable> {
        let mut cursors = Vec::new();
        if !ranges.is_empty() {
            for (place, column) in COLUMNS.iter().enumerate() {
                if (column.is_required || column.place == Place::Path || wanted.has(place))
                    && let Some(cursor) = self.column(group, place)?
                {
                    cursors.push(cursor);
                }
            }
        }
        Ok(Batches::new(cursors, ranges))
    }

    /// Passes on all rows that are wanted.
    ///
    /// # Errors
    /// [`Unreadable`], or what `take` gives.
    pub(super) fn each<E: From<Unreadable>>(
        &self,
        filter: &Filter,
        wanted: &Wanted,
        mut take: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        for group in 0..self.groups() {
            let ranges = self.ranges(group, filter)?;
            let mut batches = self.read(group, ranges, wanted)?;
            while let Some(rows) = batches.next()? {
                rows.into_iter().try_for_each(&mut take)?;
            }
        }
        Ok(())
    }
}

fn fact<'a>(about: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let facts = about.file_metadata().key_value_metadata()?;
    let fact = facts.iter().find(|fact| fact.key == key)?;
    fact.value.as_deref()
}

/// Where a column is, and at first this is looked at; `None`: the file lacks it.
fn find(
    schema: &SchemaDescriptor,
    column: &Column,
    first: usize,
) -> Result<Option<usize>, Unreadable> {
    let path = column.path();
    let has_path = |found: &ColumnDescriptor| found.path().parts().iter().eq(&path);
    let columns = schema.columns();
    let is_first = columns.get(first).is_some_and(|found| has_path(found));
    let place = is_first.then_some(first);
    let Some(place) = place.or_else(|| columns.iter().position(|found| has_path(found))) else {
        return if column.is_required {
            Err(Unreadable::NoStoreColumn(column.name.clone()))
        } else {
            Ok(None)
        };
    };
    let found = schema.column(place);
    let (repeated, defined) = (found.max_rep_level(), found.max_def_level());
    let is_fit = match column.kind {
        Kind::List => (repeated, defined) == (1, 2),
        Kind::Text | Kind::Short | Kind::Time | Kind::Whole | Kind::Real => {
            repeated == 0 && defined <= 1
        }
    };
    if is_fit && found.physical_type() == column.kind.physical() {
        Ok(Some(place))
    } else {
        Err(Unreadable::OtherStoreColumn(column.name.clone()))
    }
}
