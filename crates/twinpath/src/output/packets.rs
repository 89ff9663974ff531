//! A record for each packet, for machines: `jsonl` and `csv` share their columns.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use serde::Serialize;
use twinpath_proto::extension::{FactValue, HmacResult, ReplyTlvs};
use twinpath_wire::{Delta, Exclusion, Sample, Wall};

use super::json::Document;
use super::labels::Labels;
use super::names::TargetOfRecord;
use super::rows::{self, Row};
use super::{Meta, Outcome, SessionName, Sink};
use crate::args::{Label, OutputFormat, ResultOptions};
use crate::failure::Failure;

/// The columns, in the contract's order.
#[derive(Serialize)]
struct Record {
    seq: u64,
    t1_ns: i64,
    t2_ns: Option<i64>,
    t3_ns: Option<i64>,
    t4_ns: Option<i64>,
    round_trip_ns: Option<i64>,
    forward_ns: Option<i64>,
    backward_ns: Option<i64>,
    reflector_seq: Option<u32>,
    ttl_forward: Option<u8>,
    ttl_backward: Option<u8>,
    fate: &'static str,
}

/// Their names, also for the first line of a table without rows.
pub(crate) const COLUMNS: [&str; 12] = [
    "seq",
    "t1_ns",
    "t2_ns",
    "t3_ns",
    "t4_ns",
    "round_trip_ns",
    "forward_ns",
    "backward_ns",
    "reflector_seq",
    "ttl_forward",
    "ttl_backward",
    "fate",
];

/// Whether a label of this name would duplicate a column.
fn is_column(name: &str, has_targets: bool) -> bool {
    name == SESSION
        || name == TLVS
        || TLV_FACTS.contains(&name)
        || COLUMNS.contains(&name)
        || (has_targets && TARGET.contains(&name))
}

/// Checks that the output has room for labels: CSV has a column for each, besides its own.
/// `has_targets`: several, or several paths.
///
/// # Errors
/// [`Failure`]: bad usage.
pub(crate) fn labels_fit(options: &ResultOptions, has_targets: bool) -> Result<(), Failure> {
    let is_csv = options.form() == OutputFormat::Csv;
    let taken = |label: &&Label| is_csv && is_column(&label.key, has_targets);
    options.labels.iter().find(taken).map_or(Ok(()), |label| {
        let line = format!(
            "--label {}: csv already has a column of that name",
            label.key
        );
        Err(Failure::usage(line).with_remedy(Some("use another key")))
    })
}

/// The same for labels of targets, with these keys.
///
/// # Errors
/// [`Failure`]: bad usage.
pub(crate) fn keys_fit(options: &ResultOptions, keys: &[String]) -> Result<(), Failure> {
    let is_csv = options.form() == OutputFormat::Csv;
    let taken = |key: &&String| is_csv && is_column(key, true);
    keys.iter().find(taken).map_or(Ok(()), |key| {
        let line = format!("label {key} of a target: csv already has a column of that name");
        Err(Failure::usage(line).with_remedy(Some("use another key")))
    })
}

/// The additional column of runs with several sessions.
const SESSION: &str = "session";
/// Those of runs with several targets or paths.
const TARGET: [&str; 4] = ["target_name", "target_address", "class", "path"];
/// That of runs with TLVs, and what comes behind all others of these.
const TLVS: &str = "tlvs";
const TLV_FACTS: [&str; 6] = [
    "tos_forward",
    "tos_backward",
    "excluded",
    "t3_correction_ns",
    "tlvs_refused",
    "tlv_hmac",
];

impl From<&Sample> for Record {
    fn from(sample: &Sample) -> Self {
        Self {
            seq: sample.seq,
            t1_ns: sample.t1.at.unix_ns(),
            t2_ns: sample.t2.map(Wall::unix_ns),
            t3_ns: sample.t3.map(Wall::unix_ns),
            t4_ns: sample.t4.map(|t4| t4.at.unix_ns()),
            round_trip_ns: sample.round_trip().map(Delta::ns),
            forward_ns: sample.forward().map(Delta::ns),
            backward_ns: sample.backward().map(Delta::ns),
            reflector_seq: sample.reflector_seq,
            ttl_forward: sample.ttl_forward,
            ttl_backward: sample.ttl_backward,
            fate: sample.fate.name(),
        }
    }
}

/// A JSON line: the columns; the session if there are several; the ToS octet that reached the
/// reflector, if reported; why its times are left out of the delays, if so; the user's labels, if
/// any; and the target, class and path, if there are several targets or paths.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    record: Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_forward: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded: Option<&'static str>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: Labels<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<TargetOfRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tlvs: Option<TlvsOfRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_backward: Option<u8>,
}

/// What [`TLV_FACTS`] names.
#[derive(Serialize)]
struct TlvFacts {
    tos_forward: Option<u8>,
    tos_backward: Option<u8>,
    excluded: Option<&'static str>,
    t3_correction_ns: Option<i64>,
    /// Their names, with spaces between.
    tlvs_refused: Option<String>,
    tlv_hmac: Option<&'static str>,
}

impl TlvFacts {
    fn new(sample: &Sample, tlvs: Option<&ReplyTlvs>) -> Self {
        let refused = |tlvs: &ReplyTlvs| {
            let names: Vec<String> = tlvs.refused().map(key).collect();
            (!names.is_empty()).then(|| names.join(" "))
        };
        Self {
            tos_forward: sample.tos_forward.map(|tos| tos.0),
            tos_backward: sample.tos_backward.map(|tos| tos.0),
            excluded: excluded(sample),
            t3_correction_ns: tlvs.and_then(|tlvs| tlvs.correction).map(Delta::ns),
            tlvs_refused: tlvs.and_then(refused),
            tlv_hmac: tlvs.and_then(|tlvs| tlvs.hmac).map(HmacResult::name),
        }
    }
}

fn excluded(sample: &Sample) -> Option<&'static str> {
    sample.excluded.map(|why| match why {
        Exclusion::ClockStep => "clock_step",
        Exclusion::Implausible => "implausible",
    })
}

/// What the TLVs of a reply say: an object for each, whose name has underscores.
type TlvsOfRecord = BTreeMap<String, BTreeMap<&'static str, FactValue>>;

fn told(tlvs: &ReplyTlvs) -> TlvsOfRecord {
    let named = tlvs.facts().into_iter();
    let named = named.map(|(name, facts)| (key(name), facts.into_iter().collect()));
    named.collect()
}

/// The name of a TLV as a key.
fn key(name: &str) -> String {
    name.replace('-', "_")
}

/// `--output jsonl`: a line for each packet, the document as the last line.
pub(crate) struct JsonLines<W> {
    out: W,
    meta: Meta,
}

impl<W: Write> JsonLines<W> {
    pub(crate) fn new(out: W, meta: Meta) -> Self {
        Self { out, meta }
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn sample(
        &mut self,
        session: Option<&SessionName>,
        sample: &Sample,
        tlvs: Option<&ReplyTlvs>,
    ) -> io::Result<()> {
        let target = session.and_then(|session| session.target.as_ref());
        serde_json::to_writer(
            &mut self.out,
            &Line {
                record: sample.into(),
                session: session.map(|session| session.number),
                tos_forward: sample.tos_forward.map(|tos| tos.0),
                excluded: excluded(sample),
                labels: Labels::of_session(session, &self.meta.labels),
                target: target.map(TargetOfRecord::from),
                class: session.filter(|_| target.is_some()).map(|it| &*it.class),
                path: target.and_then(|target| target.path),
                tlvs: tlvs.map(told),
                tos_backward: sample
                    .tos_backward
                    .filter(|_| self.meta.has_tlvs)
                    .map(|tos| tos.0),
            },
        )?;
        self.out.write_all(b"\n")
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        rows::write_document(row, &self.meta, &mut self.out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Document::new(&self.meta, outcome))?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

/// `--output csv`: a heading, then a row for each packet. Labels are additional columns, before those of TLVs.
pub(crate) struct Csv<W: Write> {
    out: csv::Writer<W>,
    labels: Vec<Label>,
    /// Those of the labels' columns.
    keys: Vec<String>,
    has_tlvs: bool,
}

impl<W: Write> Csv<W> {
    /// Writes the heading. `names`: of several sessions, distinguished by columns before the labels.
    ///
    /// # Errors
    /// Errors of writing to `out`.
    pub(crate) fn new(out: W, meta: Meta, names: &[SessionName]) -> io::Result<Self> {
        let mut out = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(out);
        let of_run = meta.labels.iter().map(|label| &label.key);
        let of_targets = names.iter().flat_map(|name| name.labels.keys());
        let mut known = HashSet::new();
        let keys: Vec<String> = of_run
            .chain(&meta.label_keys)
            .chain(of_targets)
            .filter(|key| known.insert(*key))
            .cloned()
            .collect();
        let session = (!names.is_empty()).then_some(SESSION);
        let has_targets = names.iter().any(|name| name.target.is_some());
        let target = TARGET.into_iter().filter(|_| has_targets);
        let tlvs = meta.has_tlvs.then_some(TLVS);
        let own = COLUMNS.into_iter().chain(session).chain(target).chain(tlvs);
        let facts = TLV_FACTS.into_iter().filter(|_| meta.has_tlvs);
        out.write_record(own.chain(keys.iter().map(String::as_str)).chain(facts))
            .map_err(io_error)?;
        out.flush()?;
        let (labels, has_tlvs) = (meta.labels, meta.has_tlvs);
        Ok(Self {
            out,
            labels,
            keys,
            has_tlvs,
        })
    }
}

impl<W: Write> Sink for Csv<W> {
    fn sample(
        &mut self,
        session: Option<&SessionName>,
        sample: &Sample,
        tlvs: Option<&ReplyTlvs>,
    ) -> io::Result<()> {
        let record = Record::from(sample);
        let labels = Labels::of_session(session, &self.labels);
        let keys = self.keys.iter();
        let labels = keys.map(|key| labels.get(key));
        let facts = self.has_tlvs.then(|| TlvFacts::new(sample, tlvs));
        let tlvs = tlvs.map(|tlvs| serde_json::to_string(&told(tlvs)));
        let tlvs = tlvs.transpose()?;
        let tlvs = self.has_tlvs.then_some(tlvs.as_deref());
        let labels: Vec<Option<&str>> = tlvs.into_iter().chain(labels).collect();
        // A row has no cells of what is an empty list.
        let facts = facts.as_slice();
        let written = match session.map(|session| (session, &session.target)) {
            None => self.out.serialize((record, labels, facts)),
            Some((session, None)) => self.out.serialize((record, session.number, labels, facts)),
            Some((session, Some(target))) => {
                let names = (&target.name, &target.address, &session.class, target.path);
                let row = (record, session.number, names, labels, facts);
                self.out.serialize(row)
            }
        };
        written.map_err(io_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn report(&mut self, _: Outcome<'_>) -> io::Result<()> {
        self.out.flush()
    }
}

/// The underlying error with its kind, so that a closed pipe is recognized.
fn io_error(error: csv::Error) -> io::Error {
    let text = error.to_string();
    if let csv::ErrorKind::Io(error) = error.into_kind() {
        error
    } else {
        io::Error::other(text)
    }
}

#[cfg(test)]
mod tests;
