//! Raw files: any octets, and a real file with other rows, columns, facts and octets. A changed octet
//! of a file of pages that are compressed and a footer that is counted would rarely get far.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "raw files have columns of three types"
)]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::files::{FORMS, report};
use crate::input::Input;

/// A file as twinpath saves it (data/README.md).
const MODEL: &[u8] = include_bytes!("../data/run.parquet");
const MOST_ROWS: usize = 1_000;
/// All that a column of words may say, and something else.
const WORDS: [&str; 14] = [
    "received",
    "lost",
    "late",
    "duplicate",
    "begun",
    "not_sent",
    "clock_step",
    "missed",
    "implausible",
    "hardware",
    "kernel",
    "queue",
    "user",
    "other",
];

/// Octet 0, bit 0 clear: the rest is the file. Set: the model with changes, as the other bits say.
/// Octet 1: the form of the report.
pub(crate) fn raw_file(input: &[u8]) {
    let _ = told(input);
}

fn told(input: &[u8]) -> std::result::Result<(), String> {
    let mut input = Input::new(input);
    let how = input.octet();
    let form = FORMS[usize::from(input.octet()) % FORMS.len()];
    if how & 1 == 0 {
        return report(input.rest(), form);
    }
    // What cannot be written is no file.
    changed(how, &mut input).map_or(Ok(()), |file| report(&file, form))
}

#[derive(Clone)]
enum Value {
    Long(i64),
    Short(i32),
    Word(ByteArray),
}

struct Model {
    schema: TypePtr,
    facts: Vec<KeyValue>,
    /// Column by column; `None` where a row has no value.
    columns: Vec<Vec<Option<Value>>>,
    rows: usize,
}

static READ: LazyLock<Model> = LazyLock::new(|| read().expect("a model that can be read"));

fn read() -> Result<Model> {
    let file = SerializedFileReader::new(Bytes::from_static(MODEL))?;
    let about = file.metadata().file_metadata();
    let schema = about.schema_descr();
    let mut columns = vec![Vec::new(); schema.num_columns()];
    let mut rows = 0;
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group)?;
        let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        rows += count;
        for (at, values) in columns.iter_mut().enumerate() {
            let optional = schema.column(at).max_def_level() > 0;
            match group.get_column_reader(at)? {
                ColumnReader::Int64ColumnReader(mut it) => {
                    values.extend(cells(&mut it, count, optional, Value::Long)?);
                }
                ColumnReader::Int32ColumnReader(mut it) => {
                    values.extend(cells(&mut it, count, optional, Value::Short)?);
                }
                ColumnReader::ByteArrayColumnReader(mut it) => {
                    values.extend(cells(&mut it, count, optional, Value::Word)?);
                }
                _ => panic!("a column of a type that raw files have not"),
            }
        }
    }
    Ok(Model {
        schema: about.schema_descr().root_schema_ptr(),
        facts: about.key_value_metadata().cloned().unwrap_or_default(),
        columns,
        rows,
    })
}

fn cells<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    optional: bool,
    value: fn(T::T) -> Value,
) -> Result<Vec<Option<Value>>> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let defined = optional.then_some(&mut levels);
    reader.read_records(rows, defined, None, &mut values)?;
    let mut values = values.into_iter().map(value);
    let is_there = |row: usize| !optional || levels.get(row).is_some_and(|level| *level > 0);
    let cell = |row| if is_there(row) { values.next() } else { None };
    Ok((0..rows).map(cell).collect())
}

/// The model with changes; an error where it cannot be written so.
fn changed(how: u8, input: &mut Input<'_>) -> Result<Vec<u8>> {
    let model = &*READ;
    let mut facts = model.facts.clone();
    if how & 16 != 0 && !facts.is_empty() {
        let which = usize::from(input.octet()) % facts.len();
        splice(&mut facts[which], input);
    }
    let dropped = (how & 32 != 0).then(|| usize::from(input.octet()) % model.columns.len());
    let patches: Vec<(u32, u8)> = if how & 64 != 0 {
        let count = input.octet() % 8;
        (0..count).map(|_| (input.u32(), input.octet())).collect()
    } else {
        Vec::new()
    };
    let mut rows = model.columns.clone();
    if !input.is_empty() {
        rows.iter_mut().for_each(Vec::clear);
        for _ in 0..MOST_ROWS {
            if input.is_empty() {
                break;
            }
            push_row(model, &mut rows, input);
        }
    }
    let mut fields = model.schema.get_fields().to_vec();
    if let Some(dropped) = dropped {
        fields.remove(dropped);
        rows.remove(dropped);
    }
    let schema = Arc::new(
        Type::group_type_builder("schema")
            .with_fields(fields)
            .build()?,
    );
    let mut file = write(how, &schema, facts, &rows)?;
    for (at, octet) in patches {
        let at = usize::try_from(at).unwrap_or(0) % file.len();
        file[at] ^= octet;
    }
    Ok(file)
}

/// Replaces a stretch of a fact's text.
fn splice(fact: &mut KeyValue, input: &mut Input<'_>) {
    let mut text = fact.value.take().unwrap_or_default().into_bytes();
    let from = usize::from(input.u16()).min(text.len());
    let to = (from + usize::from(input.octet())).min(text.len());
    let with = usize::from(input.octet());
    text.splice(from..to, input.take(with).iter().copied());
    fact.value = Some(String::from_utf8_lossy(&text).into_owned());
}

/// A row of the model with up to three other values.
fn push_row(model: &Model, rows: &mut [Vec<Option<Value>>], input: &mut Input<'_>) {
    let which = usize::from(input.octet()) % model.rows.max(1);
    for (column, model) in rows.iter_mut().zip(&model.columns) {
        column.push(model.get(which).cloned().flatten());
    }
    for _ in 0..input.octet() % 4 {
        let column = usize::from(input.octet()) % rows.len();
        let is_there = input.octet() & 7 != 0;
        let value = is_there.then(|| match physical(&model.schema, column) {
            Physical::INT64 => Value::Long(input.scaled()),
            Physical::INT32 => {
                let value = input.scaled() & 0xffff_ffff;
                Value::Short(u32::try_from(value).unwrap_or(0).cast_signed())
            }
            _ => {
                let word = WORDS[usize::from(input.octet()) % WORDS.len()];
                Value::Word(ByteArray::from(word))
            }
        });
        if let Some(cell) = rows[column].last_mut() {
            *cell = value;
        }
    }
}

fn physical(schema: &Type, column: usize) -> Physical {
    schema.get_fields()[column].get_physical_type()
}

fn write(
    how: u8,
    schema: &TypePtr,
    facts: Vec<KeyValue>,
    rows: &[Vec<Option<Value>>],
) -> Result<Vec<u8>> {
    let compression = if how & 2 == 0 {
        Compression::UNCOMPRESSED
    } else {
        Compression::SNAPPY
    };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(how & 4 != 0)
        .set_key_value_metadata(Some(facts))
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::clone(schema), Arc::new(properties))?;
    let count = rows.first().map_or(0, Vec::len);
    let at_once = if how & 8 == 0 { count } else { 3 };
    for from in (0..count).step_by(at_once.max(1)) {
        let to = (from + at_once).min(count);
        let mut group = file.next_row_group()?;
        for (column, field) in rows.iter().zip(schema.get_fields()) {
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            put(&mut writer, &column[from..to], field)?;
            writer.close()?;
        }
        group.close()?;
    }
    file.into_inner()
}

fn put(
    writer: &mut SerializedColumnWriter<'_>,
    cells: &[Option<Value>],
    field: &Type,
) -> Result<()> {
    let optional = field.get_basic_info().repetition() == Repetition::OPTIONAL;
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let levels = optional.then_some(&levels[..]);
    // A column that has a value in every row has one here too.
    let cells = cells.iter().filter(|cell| !optional || cell.is_some());
    match field.get_physical_type() {
        Physical::INT64 => put_as::<Int64Type>(
            writer,
            levels,
            cells.map(|cell| match cell {
                Some(Value::Long(value)) => *value,
                _ => 0,
            }),
        ),
        Physical::INT32 => put_as::<Int32Type>(
            writer,
            levels,
            cells.map(|cell| match cell {
                Some(Value::Short(value)) => *value,
                _ => 0,
            }),
        ),
        _ => put_as::<ByteArrayType>(
            writer,
            levels,
            cells.map(|cell| match cell {
                Some(Value::Word(value)) => value.clone(),
                _ => ByteArray::from(""),
            }),
        ),
    }
}

fn put_as<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    levels: Option<&[i16]>,
    values: impl Iterator<Item = T::T>,
) -> Result<()> {
    let values: Vec<T::T> = values.collect();
    writer.typed::<T>().write_batch(&values, levels, None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of an older version would be refused whatever is changed in it.
    #[test]
    fn the_model_is_reported_on_however_it_is_written_again() {
        assert_eq!(told(&[&[0, 0], MODEL].concat()), Ok(()));
        for how in [1, 3, 5, 7, 9, 15] {
            for form in 0..8 {
                assert_eq!(told(&[how, form]), Ok(()), "{how} {form}");
            }
        }
        // Row 0 of the model 20 times, with another T2.
        let place = READ
            .schema
            .get_fields()
            .iter()
            .position(|it| it.name() == "t2_ns");
        let place = u8::try_from(place.expect("a column of T2")).unwrap();
        let row = [0, 1, place, 1, 40, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(told(&[&[1, 0], &row.repeat(20)[..]].concat()), Ok(()));
        // Without a column it is none of ours.
        assert!(told(&[0x21, 0, place]).is_err());
    }
}
