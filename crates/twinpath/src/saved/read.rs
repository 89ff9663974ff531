//! A raw file read back, a batch of rows at a time.

use std::fs::File;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::reader::{FileReader as _, Length as _, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use twinpath_metrics::Record;
use twinpath_proto::extension::{HmacResult, ReplyTlvs};
use twinpath_wire::{Delta, Exclusion, Fate, Sample, Stamp, Tos, Wall};

use super::guard::catch_panics;
use super::schema::{
    self, BEGUN, CLOCK_STEP, COLUMNS, Column, IMPLAUSIBLE, MISSED, NOT_SENT, Row, SOURCE_CHANGE,
    SUSPENDED, TLVS, WIDTH, place,
};
use super::whole::{self, Opened, VerifiedFile};
use super::{Unreadable, checksum, pages};

/// Numbers and counts of packets at most: a million packets a second for two thousand years. Their
/// sums do not overflow.
const MOST: u64 = 1 << 56;
/// Rows for each octet of a file at most, beyond the first ones: the times of a packet, as a host
/// stamps it, take more than one octet. A file of a few kilobytes may claim millions of rows of one
/// value, each of which takes time.
const DENSEST: u64 = 2;
const FREE_ROWS: u64 = 1 << 16;
/// Rows decoded at once.
const BATCH: usize = 4_096;

/// A raw file that is being read.
pub(crate) struct Reader {
    file: SerializedFileReader<VerifiedFile>,
    /// The same, for a look at its pages.
    whole: VerifiedFile,
    /// Octets after the valid ones.
    behind: u64,
    /// Of the row groups, where the file has them.
    checksums: Option<Vec<u32>>,
    /// Where each of our columns is in this file.
    places: [usize; WIDTH],
    /// The same of those of TLVs, if it has them.
    tlv_places: Option<TlvPlaces>,
}

impl Reader {
    /// Reads what is around the rows.
    ///
    /// # Errors
    /// [`Unreadable`]: it is not a raw file, or incomplete.
    pub(crate) fn open(file: File) -> Result<Self, Unreadable> {
        let Opened {
            reader: file,
            whole,
            behind,
            checksums,
        } = whole::open(file, |file| Ok(file.metadata()?.len()))?;
        let octets = whole.len();
        let mut places = [0; WIDTH];
        let schema = file.metadata().file_metadata().schema_descr();
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            *place = find(schema, &column)?.ok_or(Unreadable::NoColumn(column.name))?;
        }
        let [tlvs, correction, hmac] = TLVS;
        let hmac = find(schema, &hmac)?;
        let tlv_places = find(schema, &tlvs)?.zip(find(schema, &correction)?);
        let tlv_places = tlv_places.map(|(octets, correction)| TlvPlaces {
            octets,
            correction,
            hmac,
        });
        let groups = file.metadata().row_groups().iter();
        let rows: u64 = groups.map(|group| group.num_rows().unsigned_abs()).sum();
        if rows > FREE_ROWS.saturating_add(octets.saturating_mul(DENSEST)) {
            return Err(Unreadable::TooDense);
        }
        Ok(Self {
            file,
            whole,
            behind,
            checksums,
            places,
            tlv_places,
        })
    }

    /// Octets after the readable part: of an unfinished write, or foreign ones.
    pub(crate) fn octets_behind(&self) -> u64 {
        self.behind
    }

    /// A fact about the run by its key; `None`: not in the file.
    pub(crate) fn fact(&self, key: &str) -> Option<&str> {
        let facts = self.file.metadata().file_metadata().key_value_metadata()?;
        facts
            .iter()
            .find(|fact| fact.key == key)
            .and_then(|fact| fact.value.as_deref())
    }

    /// Passes every row on, in order.
    ///
    /// # Errors
    /// [`Unreadable`] where the file is damaged, and what `take` gives.
    pub(crate) fn each<E: From<Unreadable>>(
        &self,
        mut take: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        for group in 0..self.file.num_row_groups() {
            let (mut left, mut columns, mut tlvs) = catch_panics(|| self.columns(group))?;
            while left > 0 {
                let rows = left.min(BATCH);
                left -= rows;
                catch_panics(|| columns.iter_mut().try_for_each(|cells| cells.read(rows)))?;
                let tlvs = tlvs.as_mut().map(|cells| catch_panics(|| cells.read(rows)));
                let mut tlvs = tlvs.transpose()?.unwrap_or_default().into_iter();
                for row in 0..rows {
                    let tlvs = tlvs.next().flatten();
                    take(Cursor(&columns, row).row(tlvs)?)?;
                }
            }
        }
        Ok(())
    }

    /// How many rows a row group has, and its columns at their beginnings.
    fn columns(&self, group: usize) -> Result<(usize, Vec<Cells>, Option<TlvCells>), Unreadable> {
        if let Some(checksums) = &self.checksums {
            let sum = checksums.get(group).ok_or(Unreadable::Checksum)?;
            checksum::check(&self.whole, self.file.metadata().row_group(group), *sum)?;
        }
        let group = self.file.get_row_group(group)?;
        let rows = usize::try_from(group.metadata().num_rows()).map_err(|_| Unreadable::Rows)?;
        let reader = |place: usize| {
            let about = group.metadata().columns().get(place);
            let about = about.ok_or(Unreadable::Rows)?;
            pages::check_pages(&self.whole, about)?;
            let optional = about.column_descr().max_def_level() > 0;
            Ok::<_, Unreadable>((group.get_column_reader(place)?, optional))
        };
        let mut columns = Vec::with_capacity(WIDTH);
        for place in self.places {
            let (reader, optional) = reader(place)?;
            columns.push(Cells::new(reader, optional));
        }
        let cells = |place: usize| {
            let (reader, is_optional) = reader(place)?;
            Ok::<_, Unreadable>(Cells::new(reader, is_optional))
        };
        let tlvs = self.tlv_places.map(|places| {
            Ok::<_, Unreadable>(TlvCells {
                octets: reader(places.octets)?,
                corrections: cells(places.correction)?,
                hmacs: places.hmac.map(cells).transpose()?,
            })
        });
        let tlvs = tlvs.transpose()?;
        Ok((rows, columns, tlvs))
    }
}

/// Where a column is; `None`: the file lacks it.
fn find(schema: &SchemaDescriptor, column: &Column) -> Result<Option<usize>, Unreadable> {
    let found = (0..).zip(schema.columns());
    let mut found = found.filter(|(_, found)| found.name() == column.name);
    let Some((at, found)) = found.next() else {
        return Ok(None);
    };
    let flat = found.max_rep_level() == 0 && found.max_def_level() <= 1;
    if found.physical_type() != column.values.physical() || !flat {
        return Err(Unreadable::OtherColumn(column.name));
    }
    if !in_nanoseconds(found) {
        return Err(Unreadable::Unit(column.name));
    }
    Ok(Some(at))
}

/// Where the columns of TLVs are.
#[derive(Clone, Copy)]
struct TlvPlaces {
    octets: usize,
    correction: usize,
    /// Not in older files.
    hmac: Option<usize>,
}

/// The columns of TLVs.
struct TlvCells {
    octets: (ColumnReader, bool),
    corrections: Cells,
    hmacs: Option<Cells>,
}

impl TlvCells {
    /// What the next rows have, without the numbers of their packets.
    fn read(&mut self, rows: usize) -> Result<Vec<Option<ReplyTlvs>>, Unreadable> {
        self.corrections.read(rows)?;
        if let Some(hmacs) = &mut self.hmacs {
            hmacs.read(rows)?;
        }
        let hmacs = self.hmacs.as_ref().map_or(&[][..], |hmacs| &hmacs.values);
        let hmacs = hmacs.iter().map(|word| HmacResult::named(word_at(*word)?));
        let hmacs = hmacs.chain(std::iter::repeat(None));
        let (ColumnReader::ByteArrayColumnReader(reader), optional) = &mut self.octets else {
            return Err(Unreadable::Rows);
        };
        let mut octets = Vec::with_capacity(rows);
        read_values(reader, rows, *optional, &mut octets, |value| {
            Ok(value.data().to_vec())
        })?;
        let pairs = octets.into_iter().zip(&self.corrections.values);
        let all = pairs.zip(hmacs).map(|((octets, correction), hmac)| {
            let octets = octets.unwrap_or_default();
            if octets.len() > ReplyTlvs::MOST_OCTETS {
                return Err(Unreadable::Rows);
            }
            let correction = correction.map(Delta::from_ns);
            Ok(ReplyTlvs::from_record(0, octets, correction, hmac))
        });
        all.collect()
    }
}

/// A column of times is in nanoseconds; one of other values, format 1's times among them, is as it is.
fn in_nanoseconds(column: &ColumnDescriptor) -> bool {
    let coarse = matches!(
        column.converted_type(),
        ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS
    );
    match column.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) => timestamp.unit == TimeUnit::NANOS,
        _ => !coarse,
    }
}

/// The values of one column in the batch under way; words by their place in [`WORDS`].
struct Cells {
    reader: ColumnReader,
    optional: bool,
    values: Vec<Option<i64>>,
}

/// All that a column of words may say.
const WORDS: [&str; 23] = [
    "received",
    "lost",
    "late",
    "duplicate",
    "unawaited",
    BEGUN,
    NOT_SENT,
    CLOCK_STEP,
    MISSED,
    SOURCE_CHANGE,
    SUSPENDED,
    IMPLAUSIBLE,
    "hardware",
    "kernel",
    "queue",
    "user",
    "verified",
    "unchecked",
    "refused",
    "wanted",
    "no_key",
    "unsigned",
    "wrong",
];

impl Cells {
    fn new(reader: ColumnReader, optional: bool) -> Self {
        Self {
            reader,
            optional,
            values: Vec::with_capacity(BATCH),
        }
    }

    fn read(&mut self, rows: usize) -> Result<(), Unreadable> {
        self.values.clear();
        let (values, optional) = (&mut self.values, self.optional);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "other types were refused when the file was opened"
        )]
        match &mut self.reader {
            ColumnReader::Int64ColumnReader(reader) => {
                read_values(reader, rows, optional, values, |value| Ok(*value))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                read_values(reader, rows, optional, values, |value| {
                    Ok(value.cast_unsigned().into())
                })
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                read_values(reader, rows, optional, values, word_place)
            }
            _ => Err(Unreadable::Rows),
        }
    }
}

fn word_at(place: Option<i64>) -> Option<&'static str> {
    WORDS.get(usize::try_from(place?).ok()?).copied()
}

fn word_place(word: &ByteArray) -> Result<i64, Unreadable> {
    let mut known = (0..).zip(WORDS);
    if let Some((place, _)) = known.find(|(_, known)| known.as_bytes() == word.data()) {
        return Ok(place);
    }
    let mut word = String::from_utf8_lossy(word.data()).into_owned();
    word.truncate(word.floor_char_boundary(40));
    Err(Unreadable::Word(word))
}

/// Exactly `rows` values, `None` where a row has none.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn read_values<T: DataType, V>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    optional: bool,
    into: &mut Vec<Option<V>>,
    value: impl Fn(&T::T) -> Result<V, Unreadable>,
) -> Result<(), Unreadable> {
    let mut found = Vec::with_capacity(rows);
    let mut levels: Vec<i16> = Vec::with_capacity(if optional { rows } else { 0 });
    let defined = optional.then_some(&mut levels);
    let (records, ..) = reader.read_records(rows, defined, None, &mut found)?;
    if records != rows {
        return Err(Unreadable::Rows);
    }
    let mut found = found.iter();
    for row in 0..rows {
        let present = !optional || levels.get(row).is_some_and(|level| *level > 0);
        into.push(if present {
            Some(value(found.next().ok_or(Unreadable::Rows)?)?)
        } else {
            None
        });
    }
    Ok(())
}

/// A row of the batch.
struct Cursor<'a>(&'a [Cells], usize);

impl Cursor<'_> {
    fn get(&self, place: usize) -> Option<i64> {
        let cells = self.0.get(place)?;
        *cells.values.get(self.1)?
    }

    fn need(&self, place: usize) -> Result<i64, Unreadable> {
        let name = COLUMNS.get(place).map_or("", |column| column.name);
        self.get(place).ok_or(Unreadable::Missing(name))
    }

    fn word(&self, place: usize) -> Option<&'static str> {
        word_at(self.get(place))
    }

    fn count(&self, place: usize) -> Result<u64, Unreadable> {
        let count = u64::try_from(self.need(place)?).ok();
        count.filter(|count| *count <= MOST).ok_or(Unreadable::Rows)
    }

    fn wall(&self, place: usize) -> Option<Wall> {
        self.get(place).map(Wall::from_unix_ns)
    }

    fn octet(&self, place: usize) -> Result<Option<u8>, Unreadable> {
        let octet = self.get(place).map(u8::try_from).transpose();
        octet.map_err(|_| Unreadable::Rows)
    }

    fn stamp(&self, time: usize, rung: usize) -> Result<Option<Stamp>, Unreadable> {
        let Some(at) = self.wall(time) else {
            return Ok(None);
        };
        let rung = self
            .word(rung)
            .and_then(schema::rung)
            .ok_or(Unreadable::Rows)?;
        Ok(Some(Stamp { at, rung }))
    }

    fn row(&self, tlvs: Option<ReplyTlvs>) -> Result<Row, Unreadable> {
        let at = || self.need(place::AT).map(Wall::from_unix_ns);
        let record = match self.word(place::KIND).ok_or(Unreadable::Missing("kind"))? {
            BEGUN => Record::Begun { at: at()? },
            NOT_SENT => Record::NotSent {
                seq: self.count(place::SEQ)?,
                at: at()?,
            },
            kind @ (CLOCK_STEP | SUSPENDED) => Record::ClockStep {
                suspended: kind == SUSPENDED,
                now: at()?,
                by: Delta::from_ns(self.need(place::BY)?),
                first_seq: self.count(place::SEQ)?,
            },
            SOURCE_CHANGE => Record::SourceChange { at: at()? },
            MISSED => Record::Missed {
                count: self.count(place::COUNT)?,
                // Older files do not contain when the first was due.
                since: at()? - Delta::from_ns(self.get(place::BY).unwrap_or(0)),
                now: at()?,
            },
            word => Record::Sample(self.sample(word)?),
        };
        let session = u32::try_from(self.need(place::SESSION)?).map_err(|_| Unreadable::Rows)?;
        let tlvs = match record {
            Record::Sample(Sample { seq, .. }) => tlvs.map(|tlvs| Box::new(tlvs.numbered(seq))),
            Record::Begun { .. }
            | Record::NotSent { .. }
            | Record::ClockStep { .. }
            | Record::SourceChange { .. }
            | Record::Missed { .. } => None,
        };
        Ok(Row {
            session,
            record,
            tlvs,
        })
    }

    fn sample(&self, fate: &str) -> Result<Sample, Unreadable> {
        let fate = Fate::ALL
            .into_iter()
            .find(|known| known.name() == fate)
            .ok_or(Unreadable::Rows)?;
        let excluded = match self.word(place::EXCLUDED) {
            None => None,
            Some(CLOCK_STEP) => Some(Exclusion::ClockStep),
            Some(IMPLAUSIBLE) => Some(Exclusion::Implausible),
            Some(_) => return Err(Unreadable::Rows),
        };
        let reflector_seq = self.get(place::REFLECTOR_SEQ).map(u32::try_from);
        Ok(Sample {
            seq: self.count(place::SEQ)?,
            fate,
            t1: self
                .stamp(place::T1, place::T1_RUNG)?
                .ok_or(Unreadable::Missing("t1_ns"))?,
            t2: self.wall(place::T2),
            t3: self.wall(place::T3),
            t4: self.stamp(place::T4, place::T4_RUNG)?,
            reflector_seq: reflector_seq.transpose().map_err(|_| Unreadable::Rows)?,
            ttl_forward: self.octet(place::TTL_FORWARD)?,
            ttl_backward: self.octet(place::TTL_BACKWARD)?,
            tos_forward: self.octet(place::TOS_FORWARD)?.map(Tos),
            tos_backward: self.octet(place::TOS_BACKWARD)?.map(Tos),
            departure: Delta::from_ns(self.need(place::DEPARTURE)?),
            excluded,
        })
    }
}
