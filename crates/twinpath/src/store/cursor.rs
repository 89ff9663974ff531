//! Reads the columns of a row group, some rows at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::saved::{Unreadable, catch_panics, read_values};

use super::columns::{Column, Kind, Place, Values};
use super::filter::extend;
use super::row::{Doubts, StoredRow};

/// Rows decoded at once.
pub(super) const BATCH: usize = 1_024;
/// The same of lists, of which a row may have many values.
const LISTS: usize = 16;
/// Values of a list's column that are decoded at once, about: lists of a day are some thousand times as long as those
/// of ten packets.
const VALUES: usize = 1 << 16;
/// Bins of a histogram at most.
const MOST_BINS: usize = 112 << 9;
/// Octets of a text at most.
const MOST_TEXT: usize = 4_096;

/// Which columns are wanted.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    All,
    Only(HashSet<usize>),
}

impl Wanted {
    pub(super) fn has(&self, column: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.contains(&column),
        }
    }
}

/// Rows of a row group that are read, some at a time.
pub(super) struct Batches {
    cursors: Vec<Cursor>,
    ranges: VecDeque<Range<usize>>,
    /// Rows that are read at once.
    most: usize,
    /// The row that is next in all columns.
    at: usize,
}

impl Batches {
    pub(super) fn new(cursors: Vec<Cursor>, ranges: Vec<Range<usize>>) -> Self {
        let most = cursors.iter().map(Cursor::rows_at_once).min();
        Self {
            cursors,
            ranges: ranges.into(),
            most: most.unwrap_or(BATCH).min(BATCH),
            at: 0,
        }
    }

    /// The next rows; `None`: there are no more.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn next(&mut self) -> Result<Option<Vec<StoredRow>>, Unreadable> {
        let Some(range) = self.ranges.front_mut() else {
            return Ok(None);
        };
        let skipped = range.start.checked_sub(self.at).ok_or(Unreadable::Rows)?;
        self.cursors
            .iter_mut()
            .try_for_each(|cursor| cursor.skip(skipped))?;
        let now = self.most.min(range.len());
        range.start += now;
        self.at = range.start;
        if range.start >= range.end {
            self.ranges.pop_front();
        }
        rows(&mut self.cursors, now).map(Some)
    }
}

/// The next rows of these columns.
fn rows(cursors: &mut [Cursor], rows: usize) -> Result<Vec<StoredRow>, Unreadable> {
    let none: Arc<str> = Arc::from("");
    let empty = || StoredRow::empty(Arc::clone(&none), Arc::clone(&none));
    let mut read: Vec<StoredRow> = std::iter::repeat_with(empty).take(rows).collect();
    for cursor in cursors {
        let place = cursor.column.place;
        match cursor.read(rows)? {
            Values::Texts(texts) => {
                for (row, text) in read.iter_mut().zip(texts) {
                    if place == Place::Session {
                        row.session = text;
                    } else if place == Place::Class {
                        row.class = text;
                    } else {
                        row.suspect = Doubts::named(&text);
                    }
                }
            }
            Values::Numbers(numbers) => {
                for (row, number) in read.iter_mut().zip(numbers) {
                    if !row.take_number(place, number) {
                        return Err(Unreadable::Rows);
                    }
                }
            }
            Values::Lists(lists) => {
                for (row, list) in read.iter_mut().zip(lists) {
                    row.take_list(place, list);
                }
            }
        }
    }
    Ok(read)
}

/// A column that is being read.
pub(super) struct Cursor {
    reader: ColumnReader,
    column: &'static Column,
    is_optional: bool,
    texts: Texts,
    rows_at_once: usize,
}

/// Texts that were read, each once.
#[derive(Default)]
struct Texts(HashMap<Box<[u8]>, Arc<str>>);

impl Texts {
    fn shared(&mut self, text: &ByteArray) -> Result<Arc<str>, Unreadable> {
        let octets = text.data();
        if let Some(known) = self.0.get(octets) {
            return Ok(Arc::clone(known));
        }
        let text = str::from_utf8(octets)
            .ok()
            .filter(|it| it.len() <= MOST_TEXT);
        let text: Arc<str> = text.ok_or(Unreadable::Rows)?.into();
        self.0.insert(octets.into(), Arc::clone(&text));
        Ok(text)
    }
}

impl Cursor {
    /// `about`: the column in its row group of so many rows, at whose beginning `reader` is.
    pub(super) fn new(
        reader: ColumnReader,
        column: &'static Column,
        about: &ColumnChunkMetaData,
        rows: usize,
    ) -> Self {
        let values = usize::try_from(about.num_values()).unwrap_or(0);
        let rows_at_once = match column.kind {
            Kind::List => VALUES / values.div_ceil(rows.max(1)).max(1),
            Kind::Text | Kind::Short | Kind::Time | Kind::Whole | Kind::Real => usize::MAX,
        };
        Self {
            reader,
            column,
            is_optional: about.column_descr().max_def_level() > 0,
            texts: Texts::default(),
            rows_at_once: rows_at_once.max(LISTS),
        }
    }

    /// How many rows take little memory.
    pub(super) fn rows_at_once(&self) -> usize {
        self.rows_at_once
    }

    /// Passes over rows.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn skip(&mut self, rows: usize) -> Result<(), Unreadable> {
        if rows == 0 {
            return Ok(());
        }
        let reader = &mut self.reader;
        let skipped = catch_panics(|| {
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "other types were refused when the file was opened"
            )]
            Ok(match reader {
                ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows)?,
                ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows)?,
                ColumnReader::DoubleColumnReader(reader) => reader.skip_records(rows)?,
                ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(rows)?,
                _ => 0,
            })
        })?;
        if skipped == rows {
            Ok(())
        } else {
            Err(Unreadable::Rows)
        }
    }

    /// The values of the next rows.
    ///
    /// # Errors
    /// [`Unreadable`]: there are fewer.
    pub(super) fn read(&mut self, rows: usize) -> Result<Values, Unreadable> {
        if self.column.kind == Kind::List {
            return self.read_lists(rows).map(Values::Lists);
        }
        let (is_optional, reader, texts) = (self.is_optional, &mut self.reader, &mut self.texts);
        catch_panics(|| {
            let mut numbers = Vec::with_capacity(rows);
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "other types were refused when the file was opened"
            )]
            match reader {
                ColumnReader::Int32ColumnReader(reader) => {
                    let value = |value: &i32| Ok(i64::from(*value));
                    read_values(reader, rows, is_optional, &mut numbers, value)?;
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    read_values(reader, rows, is_optional, &mut numbers, |value| Ok(*value))?;
                }
                ColumnReader::DoubleColumnReader(reader) => {
                    let value = |value: &f64| Ok(value.to_bits().cast_signed());
                    read_values(reader, rows, is_optional, &mut numbers, value)?;
                }
                ColumnReader::ByteArrayColumnReader(reader) => {
                    let mut read = Vec::with_capacity(rows);
                    let value = |value: &ByteArray| Ok(value.clone());
                    read_values(reader, rows, is_optional, &mut read, value)?;
                    let texts = read
                        .iter()
                        .map(|text| texts.shared(text.as_ref().ok_or(Unreadable::Rows)?));
                    return texts.collect::<Result<_, _>>().map(Values::Texts);
                }
                _ => return Err(Unreadable::Rows),
            }
            Ok(Values::Numbers(numbers))
        })
    }

    /// Where texts are as wanted.
    pub(super) fn texts_that(
        &mut self,
        rows: usize,
        wants: impl Fn(&[u8]) -> bool,
        ranges: &mut Vec<Range<usize>>,
    ) -> Result<(), Unreadable> {
        let ColumnReader::ByteArrayColumnReader(reader) = &mut self.reader else {
            return Err(Unreadable::Rows);
        };
        let mut row = 0;
        // Neighbours share the octets of a dictionary's entry.
        let mut last: Option<(*const u8, usize, bool)> = None;
        while row < rows {
            let now = BATCH.min(rows - row);
            let mut texts = Vec::with_capacity(now);
            let mut levels = Vec::new();
            let defined = self.is_optional.then_some(&mut levels);
            catch_panics(|| {
                let (read, ..) = reader.read_records(now, defined, None, &mut texts)?;
                if read == now && texts.len() == now {
                    Ok(())
                } else {
                    Err(Unreadable::Rows)
                }
            })?;
            for (row, text) in (row..).zip(&texts) {
                let octets = text.data();
                let known = last.filter(|last| (last.0, last.1) == (octets.as_ptr(), octets.len()));
                let is_wanted = known.map_or_else(|| wants(octets), |known| known.2);
                last = Some((octets.as_ptr(), octets.len(), is_wanted));
                if is_wanted {
                    extend(ranges, row);
                }
            }
            // Octets of another page may be in the same place.
            last = None;
            row += now;
        }
        Ok(())
    }

    /// A few rows at a time: a page of few octets may have lists of many values.
    fn read_lists(&mut self, rows: usize) -> Result<Vec<Option<Box<[i64]>>>, Unreadable> {
        let ColumnReader::Int64ColumnReader(reader) = &mut self.reader else {
            return Err(Unreadable::Rows);
        };
        let mut lists = Vec::with_capacity(rows);
        while lists.len() < rows {
            let now = LISTS.min(rows - lists.len());
            let (mut levels, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
            catch_panics(|| {
                let levels = Some(&mut levels);
                let (read, ..) =
                    reader.read_records(now, levels, Some(&mut repetitions), &mut values)?;
                if read == now {
                    Ok(())
                } else {
                    Err(Unreadable::Rows)
                }
            })?;
            let before = lists.len();
            separate(&levels, &repetitions, &values, &mut lists)?;
            if lists.len() != before + now {
                return Err(Unreadable::Rows);
            }
        }
        Ok(lists)
    }
}

/// The lists that these levels make of these values.
fn separate(
    levels: &[i16],
    repetitions: &[i16],
    values: &[i64],
    lists: &mut Vec<Option<Box<[i64]>>>,
) -> Result<(), Unreadable> {
    let mut values = values.iter();
    let mut places = (0..levels.len()).peekable();
    while let Some(first) = places.next() {
        let mut length = usize::from(levels.get(first) == Some(&2));
        while places
            .next_if(|place| repetitions.get(*place) == Some(&1))
            .is_some()
        {
            length += 1;
        }
        if length > MOST_BINS {
            return Err(Unreadable::TooLarge);
        }
        let list: Box<[i64]> = values.by_ref().take(length).copied().collect();
        if list.len() != length {
            return Err(Unreadable::Rows);
        }
        lists.push((levels.get(first) != Some(&0)).then_some(list));
    }
    Ok(())
}
