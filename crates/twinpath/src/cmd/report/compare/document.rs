//! A comparison for machines.

use std::io::{self, Write};

use serde::Serialize;

use super::findings::Finding;
use super::parts::Scope;
use super::show::{plain, relative, whole_round_trips};
use super::{Change, Comparison, Part, Source, UNAVAILABLE, Unit, verdict};
use crate::output::{ends, json, rfc3339};
use twinpath_report::document;

/// What the tests take for granted: in the document, and in docs/saved.md.
const ASSUMPTIONS: [&str; 8] = [
    "the two runs are independent of each other, and the path did not change during either; otherwise parts are compared and the rest is undecided",
    "successive packets fare alike: errors come from up to 40 blocks of consecutive \
     packets, widened where neighbouring blocks are alike, and where that leaves a quantile without a \
     bound, it is undecided",
    "effects longer than a block (time of day, for example) count as a change between the runs",
    "probabilities are corrected for the number of comparisons (Holm); a change is one under 0.05",
    "unchanged: a change of a tenth (or 20 us), of one point for losses, would have been noticed",
    "intervals are not corrected: one may exclude 0 although its corrected probability shows no change",
    "one-way delays of clocks that are not synchronized are compared by their distance from each \
     run's fifth percentile",
    "bursts of losses are independent of each other; a run that was unavailable for a third of its \
     packets, or at its end, differs from one that was not, without a probability",
];

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    files: [&'a str; 2],
    sessions: Vec<Session<'a>>,
    unpaired: Unpaired<'a>,
    assumptions: [&'static str; 8],
}

/// Sessions of one file that have none beside them in the other, by their numbers.
#[derive(Serialize)]
struct Unpaired<'a> {
    before: &'a [usize],
    after: &'a [usize],
}

#[derive(Serialize)]
struct Session<'a> {
    before: Run<'a>,
    after: Run<'a>,
    one_way_above_p5: bool,
    too_few_packets: bool,
    same_packets: bool,
    after_slower_share: Option<f64>,
    changes: Vec<Figure<'a>>,
    notes: Vec<Note<'a>>,
    parts: Vec<PartPair<'a>>,
    round_trip_includes_residence: [bool; 2],
}

/// Facts that come first; of one run, or of both.
#[derive(Serialize)]
struct Note<'a> {
    key: &'a str,
    run: Option<&'static str>,
    line: &'a str,
}

/// Parts of two runs beside each other.
#[derive(Serialize)]
struct PartPair<'a> {
    before: RunPart<'a>,
    after: RunPart<'a>,
    changes: Vec<Figure<'a>>,
}

#[derive(Serialize)]
struct RunPart<'a> {
    name: &'a str,
    packets: u64,
    /// First and last number of each stretch.
    numbers: Vec<[u64; 2]>,
}

/// What a difference comes to.
#[derive(Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
enum Verdict {
    Changed,
    Unchanged { within: f64 },
    Undecided { why: String },
    Absent,
}

impl Verdict {
    fn of(change: &Change) -> Self {
        match change.verdict() {
            verdict::Verdict::Changed => Self::Changed,
            verdict::Verdict::Unchanged { within } => Self::Unchanged { within },
            verdict::Verdict::Undecided { why } => Self::Undecided { why },
            verdict::Verdict::Unnoticed { within } => Self::Undecided {
                why: format!(
                    "a change of up to {} would not have been noticed",
                    plain(within, change.unit)
                ),
            },
            verdict::Verdict::Absent => Self::Absent,
        }
    }
}

#[derive(Serialize)]
struct Run<'a> {
    session: usize,
    sender: String,
    reflector: String,
    protocol: &'static str,
    ssid: Option<u16>,
    dscp: u8,
    started: String,
    packets: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<document::TargetDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<u16>,
}

#[derive(Serialize)]
struct Figure<'a> {
    direction: &'a str,
    #[serde(rename = "figure")]
    of: &'a str,
    unit: &'static str,
    before: Option<f64>,
    after: Option<f64>,
    difference: Option<f64>,
    relative: Option<f64>,
    interval_95: Option<[f64; 2]>,
    test: &'a str,
    p: Option<f64>,
    p_corrected: Option<f64>,
    changed: Option<bool>,
    verdict: Verdict,
}

/// The comparison for machines.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn write(
    sources: &[Source; 2],
    comparisons: &[Comparison],
    alone: &[Vec<usize>; 2],
    out: &mut impl Write,
) -> io::Result<()> {
    let [before, after] = sources;
    let document = Document {
        schema: "twinpath-comparison-1",
        version: env!("CARGO_PKG_VERSION"),
        files: [&before.path, &after.path],
        sessions: comparisons.iter().map(session).collect(),
        unpaired: Unpaired {
            before: &alone[0],
            after: &alone[1],
        },
        assumptions: ASSUMPTIONS,
    };
    json::write(&document, out)
}

fn session(comparison: &Comparison) -> Session<'_> {
    let [before, after] = comparison.reports.each_ref().map(|report| Run {
        session: report.identity.number,
        sender: ends::named(report.identity.sender),
        reflector: ends::named(report.identity.reflector),
        protocol: report.identity.wire.format.name(),
        ssid: report.identity.wire.format.ssid(),
        dscp: report.identity.tos.dscp().value(),
        started: rfc3339(report.started),
        packets: report.figures.sent(),
        target: document::TargetDocument::new(&report.identity, ends::named),
        path: report.identity.path,
    });
    Session {
        before,
        after,
        one_way_above_p5: comparison.above_base,
        too_few_packets: comparison.few,
        same_packets: comparison.same_packets,
        after_slower_share: comparison.slower,
        changes: figures(comparison),
        notes: comparison.findings.iter().map(note).collect(),
        parts: comparison.parts.iter().map(pair).collect(),
        round_trip_includes_residence: whole_round_trips(comparison),
    }
}

fn note(finding: &Finding) -> Note<'_> {
    Note {
        key: &finding.key,
        run: finding
            .run
            .map(|run| if run == 0 { "before" } else { "after" }),
        line: &finding.line,
    }
}

fn pair(part: &Part) -> PartPair<'_> {
    let run = |run: usize| RunPart {
        name: part.names.get(run).map_or("", String::as_str),
        packets: part
            .comparison
            .reports
            .get(run)
            .map_or(0, |report| report.figures.sent()),
        numbers: part
            .scopes
            .get(run)
            .map(Scope::stretches)
            .unwrap_or_default(),
    };
    PartPair {
        before: run(0),
        after: run(1),
        changes: figures(&part.comparison),
    }
}

fn figures(comparison: &Comparison) -> Vec<Figure<'_>> {
    // What not every comparison has comes last, so that the others keep their places.
    let (last, first): (Vec<_>, Vec<_>) = comparison
        .changes
        .iter()
        .partition(|change| change.figure == UNAVAILABLE);
    let changes = first.into_iter().chain(last).map(|change| {
        let [before, after] = change.values;
        let verdict = Verdict::of(change);
        Figure {
            direction: change.direction,
            of: change.figure,
            unit: match change.unit {
                Unit::Nanoseconds => "ns",
                Unit::Ratio => "1",
            },
            before,
            after,
            difference: change.difference,
            relative: relative(change),
            interval_95: change.interval,
            test: change.test,
            p: change.p,
            p_corrected: change.p_holm,
            changed: match verdict {
                Verdict::Changed => Some(true),
                Verdict::Unchanged { .. } => Some(false),
                Verdict::Undecided { .. } | Verdict::Absent => None,
            },
            verdict,
        }
    });
    changes.collect()
}
