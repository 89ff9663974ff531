//! The columns of a raw file, one table for writing, reading and docs/saved.md.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use twinpath_metrics::Record;
use twinpath_proto::extension::ReplyTlvs;
use twinpath_wire::{Delta, Exclusion, Rung, Sample, Tos, Wall};

/// One line of a raw file: something that happened, and in which session of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The session's number in its run, from 1.
    pub(crate) session: u32,
    /// What happened.
    pub(crate) record: Record,
    /// The TLVs of the reply of which the record is.
    pub(crate) tlvs: Option<Box<ReplyTlvs>>,
}

/// The type of a column, and its source.
#[derive(Clone, Copy)]
pub(super) enum Values {
    /// A time: Unix time in nanoseconds. Other programs read it as a time too, so that missing
    /// values do not turn the rest into inexact floats.
    Time(fn(&Row) -> Option<i64>),
    /// 64 bits, signed.
    Long(fn(&Row) -> Option<i64>),
    /// 32 bits, unsigned, of which so many are used.
    Short(i8, fn(&Row) -> Option<u32>),
    /// One of a few words.
    Word(fn(&Row) -> Option<&'static str>),
    /// Octets.
    Octets(fn(&Row) -> Option<&[u8]>),
}

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// There is a value in every row.
    pub(super) always: bool,
    pub(super) values: Values,
}

/// How many columns there are.
pub(super) const WIDTH: usize = 19;

/// Their places, as the reader asks for them.
pub(super) mod place {
    pub(in super::super) const SESSION: usize = 0;
    pub(in super::super) const KIND: usize = 1;
    pub(in super::super) const SEQ: usize = 2;
    pub(in super::super) const T1: usize = 3;
    pub(in super::super) const T2: usize = 4;
    pub(in super::super) const T3: usize = 5;
    pub(in super::super) const T4: usize = 6;
    pub(in super::super) const T1_RUNG: usize = 7;
    pub(in super::super) const T4_RUNG: usize = 8;
    pub(in super::super) const REFLECTOR_SEQ: usize = 9;
    pub(in super::super) const TTL_FORWARD: usize = 10;
    pub(in super::super) const TTL_BACKWARD: usize = 11;
    pub(in super::super) const TOS_FORWARD: usize = 12;
    pub(in super::super) const TOS_BACKWARD: usize = 13;
    pub(in super::super) const DEPARTURE: usize = 14;
    pub(in super::super) const EXCLUDED: usize = 15;
    pub(in super::super) const AT: usize = 16;
    pub(in super::super) const BY: usize = 17;
    pub(in super::super) const COUNT: usize = 18;
}

/// The columns in their order. New ones come last; readers find them by name.
pub(super) const COLUMNS: [Column; WIDTH] = [
    Column {
        name: "session",
        always: true,
        values: Values::Short(32, |row| Some(row.session)),
    },
    Column {
        name: "kind",
        always: true,
        values: Values::Word(|row| Some(kind(&row.record))),
    },
    optional("seq", Values::Long(seq)),
    optional(
        "t1_ns",
        Values::Time(|row| row.sample().map(|sample| sample.t1.at.unix_ns())),
    ),
    optional(
        "t2_ns",
        Values::Time(|row| row.sample()?.t2.map(Wall::unix_ns)),
    ),
    optional(
        "t3_ns",
        Values::Time(|row| row.sample()?.t3.map(Wall::unix_ns)),
    ),
    optional(
        "t4_ns",
        Values::Time(|row| row.sample()?.t4.map(|t4| t4.at.unix_ns())),
    ),
    optional(
        "t1_rung",
        Values::Word(|row| row.sample().map(|sample| sample.t1.rung.name())),
    ),
    optional(
        "t4_rung",
        Values::Word(|row| row.sample()?.t4.map(|t4| t4.rung.name())),
    ),
    optional(
        "reflector_seq",
        Values::Short(32, |row| row.sample()?.reflector_seq),
    ),
    optional(
        "ttl_forward",
        Values::Short(8, |row| row.sample()?.ttl_forward.map(u32::from)),
    ),
    optional(
        "ttl_backward",
        Values::Short(8, |row| row.sample()?.ttl_backward.map(u32::from)),
    ),
    optional(
        "tos_forward",
        Values::Short(8, |row| row.sample()?.tos_forward.map(octet)),
    ),
    optional(
        "tos_backward",
        Values::Short(8, |row| row.sample()?.tos_backward.map(octet)),
    ),
    optional(
        "departure_ns",
        Values::Long(|row| row.sample().map(|sample| sample.departure.ns())),
    ),
    optional(
        "excluded",
        Values::Word(|row| row.sample()?.excluded.map(why)),
    ),
    optional("at_ns", Values::Time(at)),
    always("by_ns", Values::Long(|row| Some(by(row)))),
    always("count", Values::Long(|row| Some(count(row)))),
];

/// Values derived from the columns before, for other programs. Not read back.
const DELAYS: [Column; 3] = [
    optional(
        "round_trip_ns",
        Values::Long(|row| delay(row, Sample::round_trip)),
    ),
    optional(
        "forward_ns",
        Values::Long(|row| delay(row, Sample::forward)),
    ),
    optional(
        "backward_ns",
        Values::Long(|row| delay(row, Sample::backward)),
    ),
];

/// What TLVs of replies say: older files lack these columns, or the last of them.
pub(super) const TLVS: [Column; 3] = [
    optional(
        "tlvs",
        Values::Octets(|row| {
            let tlvs = row.tlvs.as_deref().map(ReplyTlvs::octets);
            tlvs.filter(|octets| !octets.is_empty())
        }),
    ),
    optional(
        "t3_correction_ns",
        Values::Long(|row| row.tlvs.as_deref()?.correction.map(Delta::ns)),
    ),
    optional(
        "tlv_hmac",
        Values::Word(|row| Some(row.tlvs.as_deref()?.hmac?.name())),
    ),
];

/// All columns of a new file.
pub(super) fn written() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().chain(&DELAYS).chain(&TLVS)
}

impl Values {
    /// The type in the file.
    pub(super) fn physical(self) -> Physical {
        match self {
            Self::Time(_) | Self::Long(_) => Physical::INT64,
            Self::Short(..) => Physical::INT32,
            Self::Word(_) | Self::Octets(_) => Physical::BYTE_ARRAY,
        }
    }
}

fn delay(row: &Row, of: fn(&Sample) -> Option<Delta>) -> Option<i64> {
    row.sample().and_then(of).map(Delta::ns)
}

const fn always(name: &'static str, values: Values) -> Column {
    Column {
        name,
        always: true,
        values,
    }
}

const fn optional(name: &'static str, values: Values) -> Column {
    Column {
        name,
        always: false,
        values,
    }
}

impl Row {
    /// A packet's end with all its times, and so with all its delays.
    pub(super) fn is_answered(&self) -> bool {
        self.sample()
            .is_some_and(|sample| sample.t2.is_some() && sample.t3.is_some() && sample.t4.is_some())
    }

    fn sample(&self) -> Option<&Sample> {
        match &self.record {
            Record::Sample(sample) => Some(sample),
            Record::Begun { .. }
            | Record::NotSent { .. }
            | Record::ClockStep { .. }
            | Record::SourceChange { .. }
            | Record::Missed { .. } => None,
        }
    }
}

/// The words of `kind` that are no packet's fate.
pub(super) const BEGUN: &str = "begun";
pub(super) const NOT_SENT: &str = "not_sent";
pub(super) const CLOCK_STEP: &str = "clock_step";
pub(super) const SUSPENDED: &str = "suspended";
pub(super) const SOURCE_CHANGE: &str = "source_change";
pub(super) const MISSED: &str = "missed";
/// The words of `excluded`.
pub(super) const IMPLAUSIBLE: &str = "implausible";

fn kind(record: &Record) -> &'static str {
    match record {
        Record::Begun { .. } => BEGUN,
        Record::Sample(sample) => sample.fate.name(),
        Record::NotSent { .. } => NOT_SENT,
        Record::ClockStep {
            suspended: true, ..
        } => SUSPENDED,
        Record::ClockStep { .. } => CLOCK_STEP,
        Record::SourceChange { .. } => SOURCE_CHANGE,
        Record::Missed { .. } => MISSED,
    }
}

fn why(excluded: Exclusion) -> &'static str {
    match excluded {
        Exclusion::ClockStep => CLOCK_STEP,
        Exclusion::Implausible => IMPLAUSIBLE,
    }
}

fn octet(tos: Tos) -> u32 {
    tos.0.into()
}

/// Counts beyond 63 bits do not occur; saturated, they stay counts.
fn long(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn seq(row: &Row) -> Option<i64> {
    match &row.record {
        Record::Sample(sample) => Some(long(sample.seq)),
        Record::NotSent { seq, .. } => Some(long(*seq)),
        Record::ClockStep { first_seq, .. } => Some(long(*first_seq)),
        Record::Begun { .. } | Record::SourceChange { .. } | Record::Missed { .. } => None,
    }
}

fn at(row: &Row) -> Option<i64> {
    match &row.record {
        Record::Sample(_) => None,
        Record::Begun { at } | Record::NotSent { at, .. } | Record::SourceChange { at } => {
            Some(at.unix_ns())
        }
        Record::ClockStep { now, .. } | Record::Missed { now, .. } => Some(now.unix_ns()),
    }
}

/// 0 where nothing lasted or jumped.
fn by(row: &Row) -> i64 {
    match &row.record {
        Record::ClockStep { by, .. } => by.ns(),
        Record::Missed { since, now, .. } => (*now - *since).ns(),
        Record::Begun { .. }
        | Record::Sample(_)
        | Record::NotSent { .. }
        | Record::SourceChange { .. } => 0,
    }
}

/// 0 where no departures were missed.
fn count(row: &Row) -> i64 {
    match &row.record {
        Record::Missed { count, .. } => long(*count),
        Record::Begun { .. }
        | Record::Sample(_)
        | Record::NotSent { .. }
        | Record::ClockStep { .. }
        | Record::SourceChange { .. } => 0,
    }
}

/// The rung of that name.
pub(super) fn rung(name: &str) -> Option<Rung> {
    [Rung::Hardware, Rung::Kernel, Rung::Queue, Rung::User]
        .into_iter()
        .find(|rung| rung.name() == name)
}

/// The schema of the file.
pub(super) fn schema() -> parquet::errors::Result<TypePtr> {
    let fields = written()
        .map(|column| {
            let physical = column.values.physical();
            let logical = match column.values {
                Values::Time(_) => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
                Values::Long(_) | Values::Octets(_) => None,
                Values::Short(bits, _) => Some(LogicalType::integer(bits, false)),
                Values::Word(_) => Some(LogicalType::String),
            };
            let repetition = if column.always {
                Repetition::REQUIRED
            } else {
                Repetition::OPTIONAL
            };
            Type::primitive_type_builder(column.name, physical)
                .with_logical_type(logical)
                .with_repetition(repetition)
                .build()
                .map(Arc::new)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let group = Type::group_type_builder("twinpath")
        .with_fields(fields)
        .build()?;
    Ok(Arc::new(group))
}

/// Columns of which neighbouring rows differ little: stored as differences, which not every reader
/// takes where a column has no value at all.
const STEADY: [&str; 9] = [
    "seq",
    "t1_ns",
    "t2_ns",
    "t3_ns",
    "t4_ns",
    "departure_ns",
    "round_trip_ns",
    "forward_ns",
    "backward_ns",
];

/// How columns are stored: those as differences, the rest by dictionary, all of it compressed.
///
/// `answered`: there is a value in each of [`STEADY`].
pub(super) fn properties(answered: bool) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(super::CREATED_BY.to_owned())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for column in written() {
        let path = ColumnPath::from(column.name);
        if answered && STEADY.contains(&column.name) {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_may_be_missing_is_not_a_number_to_other_programs() {
        let schema = schema().unwrap();
        for column in schema.get_fields() {
            let name = column.name();
            let is_time = ["t1_ns", "t2_ns", "t3_ns", "t4_ns", "at_ns"].contains(&name);
            let logical = column.get_basic_info().logical_type_ref().cloned();
            let timestamp = LogicalType::timestamp(true, TimeUnit::NANOS);
            assert_eq!(logical == Some(timestamp), is_time, "{name}");
        }
    }
}
