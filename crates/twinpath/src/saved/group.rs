//! Encodes rows as the octets of a row group, and writes the footer of a file of row groups.

use std::fmt::Debug;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, TypePtr};

use super::checksum;
use super::schema::{self, Column, Row, Values};

/// What the rows of a file are, and how they are stored.
pub(crate) trait Format: Debug {
    /// A row.
    type Row: Debug;
    /// Rows of a finished row group in a file of a few groups.
    const GROUP_ROWS: usize;
    /// The columns of a file.
    ///
    /// # Errors
    /// Those of the Parquet library.
    fn schema(&self) -> Result<TypePtr>;
    /// How these rows are stored.
    fn properties(&self, rows: &[Self::Row]) -> WriterPropertiesPtr;
    /// Writes the values of the column at this place.
    ///
    /// # Errors
    /// Those of the Parquet library.
    fn write(
        &self,
        column: usize,
        rows: &[Self::Row],
        writer: &mut SerializedColumnWriter<'_>,
    ) -> Result<()>;
}

/// The magic number at both ends of a Parquet file.
pub(crate) const MAGIC: &[u8; 4] = b"PAR1";

/// The packets of a run.
#[derive(Debug)]
pub(crate) struct Packets {
    properties: WriterPropertiesPtr,
    /// For rows without a reply.
    unanswered: WriterPropertiesPtr,
}

impl Packets {
    pub(super) fn new() -> Self {
        Self {
            properties: Arc::new(schema::properties(true)),
            unanswered: Arc::new(schema::properties(false)),
        }
    }
}

impl Format for Packets {
    type Row = Row;
    const GROUP_ROWS: usize = 1 << 16;

    fn schema(&self) -> Result<TypePtr> {
        schema::schema()
    }

    fn properties(&self, rows: &[Row]) -> WriterPropertiesPtr {
        let properties = if rows.iter().any(Row::is_answered) {
            &self.properties
        } else {
            &self.unanswered
        };
        Arc::clone(properties)
    }

    fn write(
        &self,
        column: usize,
        rows: &[Row],
        writer: &mut SerializedColumnWriter<'_>,
    ) -> Result<()> {
        let column = schema::written().nth(column);
        write(column.ok_or_else(lacking)?, rows, writer)
    }
}

/// Makes row groups and footers of one schema.
#[derive(Debug)]
pub(crate) struct Groups<F> {
    format: F,
    schema: TypePtr,
    descriptor: SchemaDescPtr,
}

/// A row group in its place: its entry in the footer, and the checksum of its octets.
pub(crate) type Placed = (RowGroupMetaData, u32);

/// A row group without a place yet.
#[derive(Debug)]
pub(super) struct Group {
    /// Its octets.
    pub(super) octets: Vec<u8>,
    /// Of its octets.
    checksum: u32,
    /// What the footer says of it, as though it stood right behind the magic number.
    about: RowGroupMetaData,
}

impl<F: Format> Groups<F> {
    pub(crate) fn new(format: F) -> Result<Self> {
        let schema = format.schema()?;
        Ok(Self {
            descriptor: Arc::new(SchemaDescriptor::new(Arc::clone(&schema))),
            schema,
            format,
        })
    }

    /// The row group of `rows`.
    pub(super) fn encode(&self, rows: &[F::Row]) -> Result<Group> {
        let properties = self.format.properties(rows);
        let schema = Arc::clone(&self.schema);
        let mut file = SerializedFileWriter::new(Vec::new(), schema, properties)?;
        let mut group = file.next_row_group()?;
        for column in 0..self.descriptor.num_columns() {
            let mut writer = group.next_column()?.ok_or_else(lacking)?;
            self.format.write(column, rows, &mut writer)?;
            writer.close()?;
        }
        let about = group.close()?;
        file.flush()?;
        let octets = file.inner().get(MAGIC.len()..).unwrap_or_default().to_vec();
        Ok(Group {
            checksum: checksum::of(&octets),
            octets,
            about: Arc::unwrap_or_clone(about),
        })
    }

    /// The footer of a file with these row groups, its length and the magic number included.
    pub(crate) fn footer(&self, groups: Vec<Placed>, facts: &[(&str, String)]) -> Result<Vec<u8>> {
        let (groups, checksums): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        let rows = groups.iter().map(RowGroupMetaData::num_rows).sum();
        let pairs = facts
            .iter()
            .map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()))
            .chain([checksum::fact(&checksums)])
            .collect();
        let file = FileMetaData::new(
            self.format.properties(&[]).writer_version().as_num(),
            rows,
            Some(super::CREATED_BY.to_owned()),
            Some(pairs),
            Arc::clone(&self.descriptor),
            None,
        );
        let metadata = ParquetMetaDataBuilder::new(file)
            .set_row_groups(groups)
            .build();
        let mut footer = Vec::new();
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
        Ok(footer)
    }
}

impl Group {
    /// What the footer says of it if its octets begin at `offset` and `ordinal` groups are before.
    pub(super) fn at(&self, offset: u64, ordinal: usize) -> Result<Placed> {
        let too_far = |_| ParquetError::General("the file is too long".to_owned());
        let by = i64::try_from(offset).map_err(too_far)? - 4;
        let columns = self
            .about
            .columns()
            .iter()
            .map(|column| {
                let moved = column.clone().into_builder();
                moved
                    .set_data_page_offset(column.data_page_offset() + by)
                    .set_dictionary_page_offset(
                        column.dictionary_page_offset().map(|offset| offset + by),
                    )
                    .build()
            })
            .collect::<Result<Vec<_>>>()?;
        let group = self.about.clone().into_builder();
        let group = group
            .set_column_metadata(columns)
            .set_file_offset(i64::try_from(offset).map_err(too_far)?);
        // Optional in the format, and narrower than the number of groups may be.
        let group = match i16::try_from(ordinal) {
            Ok(ordinal) => group.set_ordinal(ordinal.into()).build()?,
            Err(_) => group.build()?,
        };
        Ok((group, self.checksum))
    }
}

fn lacking() -> ParquetError {
    ParquetError::General("the schema lacks a column".to_owned())
}

/// Writes the values of a column and, where not each row has one, which rows do.
fn put<T: DataType>(
    column: &Column,
    values: impl Iterator<Item = Option<T::T>>,
    writer: &mut SerializedColumnWriter<'_>,
) -> Result<()> {
    let mut levels = Vec::new();
    let values = values.inspect(|value| levels.push(value.is_some().into()));
    let values: Vec<T::T> = values.flatten().collect();
    let levels = (!column.always).then_some(levels.as_slice());
    writer.typed::<T>().write_batch(&values, levels, None)?;
    Ok(())
}

fn write(column: &Column, rows: &[Row], writer: &mut SerializedColumnWriter<'_>) -> Result<()> {
    let rows = rows.iter();
    match column.values {
        Values::Time(of) | Values::Long(of) => put::<Int64Type>(column, rows.map(of), writer),
        Values::Short(_, of) => {
            let values = rows.map(|row| of(row).map(u32::cast_signed));
            put::<Int32Type>(column, values, writer)
        }
        Values::Octets(of) => {
            let values = rows.map(|row| of(row).map(|octets| ByteArray::from(octets.to_vec())));
            put::<ByteArrayType>(column, values, writer)
        }
        Values::Word(of) => {
            let mut words: Vec<(&str, ByteArray)> = Vec::new();
            let mut shared = |word| {
                if let Some((_, octets)) = words.iter().find(|(known, _)| *known == word) {
                    return octets.clone();
                }
                let octets = ByteArray::from(word);
                words.push((word, octets.clone()));
                octets
            };
            let values = rows.map(|row| of(row).map(&mut shared));
            put::<ByteArrayType>(column, values, writer)
        }
    }
}
