//! The columns of a store's files, one table for writing and reading.

use std::sync::{Arc, LazyLock};

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion,
};
use parquet::file::writer::SerializedColumnWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use twinpath_wire::Wall;

use crate::saved::Format;

use super::cells::CELLS;
use super::row::{Delay, Doubts, Moments, StoredRow};

/// Rows of a page at most: a query of one session reads a page of each column.
const PAGE_ROWS: usize = 4_096;
/// Octets of a page about.
const PAGE_OCTETS: usize = 256 << 10;

/// What a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word of few.
    Text,
    /// 16 bits, unsigned.
    Short,
    /// A time: Unix time in nanoseconds.
    Time,
    /// 64 bits, signed.
    Whole,
    /// A float.
    Real,
    /// A list of 64-bit numbers.
    List,
}

/// Where a column's values are in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Session,
    Class,
    Path,
    Start,
    End,
    Suspect,
    /// In [`CELLS`].
    Cell(usize),
    Sum(Delay),
    Squares(Delay),
    IpdvSum(Delay),
    IpdvPairs(Delay),
    LowerBounds(Delay),
    Counts(Delay),
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// There is a value in every row.
    pub(super) is_required: bool,
    /// Neighbours differ little: stored as differences where there is any value.
    is_steady: bool,
    pub(super) place: Place,
}

/// All columns, in their order. New ones come last; readers find them by name.
pub(super) static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(all);

/// The place of a column.
pub(super) fn column(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.name == name)
}

fn all() -> Vec<Column> {
    let required = |name: &str, kind: Kind, place: Place| Column {
        name: name.to_owned(),
        kind,
        is_required: true,
        is_steady: kind == Kind::Time,
        place,
    };
    let mut columns = vec![
        required("session", Kind::Text, Place::Session),
        required("class", Kind::Text, Place::Class),
        Column {
            is_required: false,
            ..required("path", Kind::Short, Place::Path)
        },
        required("start", Kind::Time, Place::Start),
        required("end", Kind::Time, Place::End),
    ];
    columns.extend((0..).zip(CELLS.iter()).map(|(place, cell)| Column {
        name: cell.name.clone(),
        kind: if cell.is_float {
            Kind::Real
        } else {
            Kind::Whole
        },
        is_required: false,
        is_steady: cell.is_time,
        place: Place::Cell(place),
    }));
    columns.push(required("suspect", Kind::Text, Place::Suspect));
    for delay in Delay::ALL {
        let of = |key: &str, kind: Kind, place: fn(Delay) -> Place| Column {
            name: format!("histograms_{}_{key}", delay.key()),
            kind,
            is_required: false,
            is_steady: kind != Kind::Real && key != "counts" && key != "ipdv_pairs",
            place: place(delay),
        };
        columns.extend([
            of("sum_ns", Kind::Whole, Place::Sum),
            of("squares_ns2", Kind::Real, Place::Squares),
            of("ipdv_sum_ns", Kind::Whole, Place::IpdvSum),
            of("ipdv_pairs", Kind::Whole, Place::IpdvPairs),
            of("lower_ns", Kind::List, Place::LowerBounds),
            of("counts", Kind::List, Place::Counts),
        ]);
    }
    columns
}

impl Kind {
    pub(super) fn physical(self) -> Physical {
        match self {
            Self::Text => Physical::BYTE_ARRAY,
            Self::Short => Physical::INT32,
            Self::Time | Self::Whole | Self::List => Physical::INT64,
            Self::Real => Physical::DOUBLE,
        }
    }
}

impl Column {
    /// The names from the root to its values.
    pub(super) fn path(&self) -> Vec<&str> {
        match self.kind {
            Kind::List => vec![&self.name, "list", "element"],
            Kind::Text | Kind::Short | Kind::Time | Kind::Whole | Kind::Real => vec![&self.name],
        }
    }

    /// Whether it is stored as differences: it may be, and has any value.
    fn is_as_differences(&self, has_values: bool) -> bool {
        self.is_steady && (self.is_required || has_values)
    }

    fn schema(&self) -> Result<Type> {
        let repetition = if self.is_required {
            Repetition::REQUIRED
        } else {
            Repetition::OPTIONAL
        };
        let logical = match self.kind {
            Kind::Text => Some(LogicalType::String),
            Kind::Short => Some(LogicalType::integer(16, false)),
            Kind::Time => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
            Kind::Whole | Kind::Real => None,
            Kind::List => return self.list_schema(),
        };
        Type::primitive_type_builder(&self.name, self.kind.physical())
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()
    }

    fn list_schema(&self) -> Result<Type> {
        let element = Type::primitive_type_builder("element", self.kind.physical())
            .with_repetition(Repetition::REQUIRED)
            .build()?;
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![Arc::new(element)])
            .build()?;
        Type::group_type_builder(&self.name)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(list)])
            .build()
    }
}

/// How columns are stored, of which these have any value.
pub(super) fn properties(has_values: impl Fn(usize) -> bool) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(crate::saved::CREATED_BY.to_owned())
        // Pages say how many rows they have, so that lists are passed over too.
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_OCTETS)
        .set_offset_index_disabled(true);
    for (place, column) in COLUMNS.iter().enumerate() {
        let path: Vec<String> = column.path().into_iter().map(str::to_owned).collect();
        let path = ColumnPath::new(path);
        if column.is_as_differences(has_values(place)) {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        } else {
            // Where there are too many values for a dictionary.
            properties = properties.set_column_encoding(path.clone(), Encoding::PLAIN);
        }
        if matches!(column.place, Place::Session | Place::Start) {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::Chunk);
        }
    }
    properties.build()
}

pub(super) fn schema() -> Result<TypePtr> {
    let fields = COLUMNS.iter().map(|column| column.schema().map(Arc::new));
    let group = Type::group_type_builder("twinpath")
        .with_fields(fields.collect::<Result<Vec<_>>>()?)
        .build()?;
    Ok(Arc::new(group))
}

/// The values of a column in rows one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Texts(Vec<Arc<str>>),
    /// Floats as their bits.
    Numbers(Vec<Option<i64>>),
    Lists(Vec<Option<Box<[i64]>>>),
}

impl Values {
    /// Of these rows.
    pub(super) fn of(column: &Column, rows: &[StoredRow]) -> Self {
        let numbers =
            |of: &dyn Fn(&StoredRow) -> Option<i64>| Self::Numbers(rows.iter().map(of).collect());
        let moments =
            |delay: Delay, of: fn(&Moments) -> i64| numbers(&|row| row.moments(delay).map(of));
        let lists = |delay: Delay, of: fn(&Moments) -> &[i64]| {
            let lists = rows
                .iter()
                .map(|row| row.moments(delay).map(|it| of(it).into()));
            Self::Lists(lists.collect())
        };
        match column.place {
            Place::Session => {
                Self::Texts(rows.iter().map(|row| Arc::clone(&row.session)).collect())
            }
            Place::Class => Self::Texts(rows.iter().map(|row| Arc::clone(&row.class)).collect()),
            Place::Suspect => {
                let names = rows.iter().map(|row| row.suspect.names().into());
                Self::Texts(names.collect())
            }
            Place::Path => numbers(&|row| row.path.map(i64::from)),
            Place::Start => numbers(&|row| Some(row.start.unix_ns())),
            Place::End => numbers(&|row| Some(row.end.unix_ns())),
            Place::Cell(place) => numbers(&|row| row.cells.get(place)),
            Place::Sum(delay) => moments(delay, |it| it.sum_ns),
            Place::Squares(delay) => moments(delay, |it| it.squares_ns2.to_bits().cast_signed()),
            Place::IpdvSum(delay) => moments(delay, |it| it.ipdv_sum_ns),
            Place::IpdvPairs(delay) => moments(delay, |it| it.ipdv_pairs),
            Place::LowerBounds(delay) => lists(delay, |it| &it.lower_ns),
            Place::Counts(delay) => lists(delay, |it| &it.counts),
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// Those of the Parquet library.
    pub(super) fn put(
        &self,
        column: &Column,
        writer: &mut SerializedColumnWriter<'_>,
    ) -> Result<()> {
        match (self, column.kind) {
            (Self::Texts(texts), _) => {
                // Neighbours are equal, or one of few.
                let values: Vec<ByteArray> = texts
                    .iter()
                    .map(|text| ByteArray::from(text.as_bytes().to_vec()))
                    .collect();
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&values, None, None)?;
                Ok(())
            }
            (Self::Numbers(values), Kind::Short) => {
                put_numbers::<Int32Type>(column, values, writer, |value| {
                    i32::try_from(value).unwrap_or_default()
                })
            }
            (Self::Numbers(values), Kind::Real) => {
                put_numbers::<DoubleType>(column, values, writer, |value| {
                    f64::from_bits(value.cast_unsigned())
                })
            }
            (Self::Numbers(values), _) => {
                put_numbers::<Int64Type>(column, values, writer, |value| value)
            }
            (Self::Lists(lists), _) => put_lists(lists, writer),
        }
    }
}

fn put_numbers<T: DataType>(
    column: &Column,
    values: &[Option<i64>],
    writer: &mut SerializedColumnWriter<'_>,
    of: impl Fn(i64) -> T::T,
) -> Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| value.is_some().into()).collect();
    let levels = (!column.is_required).then_some(&*levels);
    let values: Vec<T::T> = values.iter().flatten().map(|value| of(*value)).collect();
    writer.typed::<T>().write_batch(&values, levels, None)?;
    Ok(())
}

/// A list that is missing has level 0, one without a value 1, each value 2; all but the first of a list are
/// repetitions.
fn put_lists(lists: &[Option<Box<[i64]>>], writer: &mut SerializedColumnWriter<'_>) -> Result<()> {
    let (mut values, mut levels, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    for list in lists {
        match list.as_deref() {
            None | Some([]) => {
                levels.push(list.is_some().into());
                repetitions.push(0);
            }
            Some(list) => {
                values.extend_from_slice(list);
                for place in 0..list.len() {
                    levels.push(2);
                    repetitions.push((place > 0).into());
                }
            }
        }
    }
    let writer = writer.typed::<Int64Type>();
    writer.write_batch(&values, Some(&levels), Some(&repetitions))?;
    Ok(())
}

impl StoredRow {
    fn moments(&self, delay: Delay) -> Option<&Moments> {
        self.delays.get(delay.place())?.as_deref()
    }

    fn moments_mut(&mut self, delay: Delay) -> Option<&mut Moments> {
        let moments = self.delays.get_mut(delay.place())?;
        Some(moments.get_or_insert_default())
    }

    /// One without values.
    pub(super) fn empty(session: Arc<str>, class: Arc<str>) -> Self {
        Self {
            session,
            class,
            path: None,
            start: Wall::default(),
            end: Wall::default(),
            suspect: Doubts::default(),
            cells: super::cells::Cells::default(),
            delays: [None, None, None],
        }
    }

    /// Takes a number of a column. False: it cannot have this value.
    pub(super) fn take_number(&mut self, place: Place, value: Option<i64>) -> bool {
        let Some(number) = value else {
            if let Place::Cell(place) = place {
                self.cells.put(place, None);
            }
            return !matches!(place, Place::Start | Place::End);
        };
        let moments = |row: &mut Self, delay, set: &dyn Fn(&mut Moments)| {
            row.moments_mut(delay).map(set).is_some()
        };
        match place {
            Place::Path => match u16::try_from(number) {
                Ok(path) => self.path = Some(path),
                Err(_) => return false,
            },
            Place::Start => self.start = Wall::from_unix_ns(number),
            Place::End => self.end = Wall::from_unix_ns(number),
            Place::Cell(place) => self.cells.put(place, value),
            Place::Sum(delay) => return moments(self, delay, &|it| it.sum_ns = number),
            Place::Squares(delay) => {
                let squares = f64::from_bits(number.cast_unsigned());
                return moments(self, delay, &|it| it.squares_ns2 = squares);
            }
            Place::IpdvSum(delay) => return moments(self, delay, &|it| it.ipdv_sum_ns = number),
            Place::IpdvPairs(delay) => return moments(self, delay, &|it| it.ipdv_pairs = number),
            Place::Session
            | Place::Class
            | Place::Suspect
            | Place::LowerBounds(_)
            | Place::Counts(_) => return false,
        }
        true
    }

    /// Takes a list of a column.
    pub(super) fn take_list(&mut self, place: Place, list: Option<Box<[i64]>>) {
        let Some(list) = list else {
            return;
        };
        match place {
            Place::LowerBounds(delay) => {
                if let Some(moments) = self.moments_mut(delay) {
                    moments.lower_ns = list;
                }
            }
            Place::Counts(delay) => {
                if let Some(moments) = self.moments_mut(delay) {
                    moments.counts = list;
                }
            }
            Place::Session
            | Place::Class
            | Place::Path
            | Place::Start
            | Place::End
            | Place::Suspect
            | Place::Cell(_)
            | Place::Sum(_)
            | Place::Squares(_)
            | Place::IpdvSum(_)
            | Place::IpdvPairs(_) => {}
        }
    }
}

/// Rows of a store as a file's format.
#[derive(Debug)]
pub(super) struct Intervals;

impl Format for Intervals {
    type Row = StoredRow;
    const GROUP_ROWS: usize = 1 << 13;

    fn schema(&self) -> Result<TypePtr> {
        schema()
    }

    fn properties(&self, rows: &[StoredRow]) -> WriterPropertiesPtr {
        let mut known = [0; 3];
        for row in rows {
            row.cells.mark(&mut known);
        }
        let has_delay = |delay: Delay| rows.iter().any(|row| row.moments(delay).is_some());
        let delays = Delay::ALL.map(has_delay);
        let has = |delay: Delay| delays.get(delay.place()).is_some_and(|has| *has);
        Arc::new(properties(|place| {
            COLUMNS.get(place).is_some_and(|column| match column.place {
                Place::Cell(place) => super::cells::has(&known, place),
                Place::Sum(delay)
                | Place::Squares(delay)
                | Place::IpdvSum(delay)
                | Place::IpdvPairs(delay)
                | Place::LowerBounds(delay)
                | Place::Counts(delay) => has(delay),
                Place::Session
                | Place::Class
                | Place::Path
                | Place::Start
                | Place::End
                | Place::Suspect => !rows.is_empty(),
            })
        }))
    }

    fn write(
        &self,
        column: usize,
        rows: &[StoredRow],
        writer: &mut SerializedColumnWriter<'_>,
    ) -> Result<()> {
        match COLUMNS.get(column) {
            Some(column) => Values::of(column, rows).put(column, writer),
            None => Ok(()),
        }
    }
}
