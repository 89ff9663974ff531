//! `twinpath report --compare`: what changed from one run to another, and whether it could be chance.

mod blocks;
mod chance;
mod document;
mod findings;
mod outages;
mod pairs;
mod parts;
mod passes;
mod show;
#[cfg(test)]
mod tests;
mod verdict;

use std::io::{self, Write as _};

use twinpath_metrics::{Basis, Distribution, Series};
use twinpath_report::SessionReport;

use self::blocks::{BASE, Blocks, Estimate};
use self::chance::{holm, real};
use self::findings::{Finding, Reservations};
use self::pairs::{Pairs, paired};
use self::parts::Scope;
use self::passes::{Rows, by_parts, in_blocks, numbers};
use self::verdict::{test_losses, welch_test};
use super::alike::same_packets;
use super::replay::Replay;
use super::source::Source;
use super::{Trouble, follow, open, read};
use crate::args::{OutputFormat, ReportArgs};
use crate::cmd::run_output::RunOutput;
use crate::failure::{Exit, Failure};
use crate::output::{Meta, print_to_stderr, stdout, words};

/// In the order in which they are shown.
const DIRECTIONS: [&str; 3] = ["round_trip", "forward", "backward"];
/// The figure that only runs with outages have.
const UNAVAILABLE: &str = "unavailable_ratio";
/// Of what needs no probability.
const OBSERVED: &str = "none: one run had the path, the other was without it for most of its packets, for a third of them in three outages or more, or the second run ended without it";
/// Of a quantile that may be beyond all delays of a run.
const UNBOUNDED: &str = "too few delays, as successive ones are alike";

/// What is compared of two runs.
#[derive(Clone, Debug)]
struct Change {
    direction: &'static str,
    figure: &'static str,
    unit: Unit,
    /// Of the first run and of the second; `None`: no value.
    values: [Option<f64>; 2],
    /// Second less first, and the interval around it that has the real one in 95 of 100 cases.
    difference: Option<f64>,
    interval: Option<[f64; 2]>,
    test: &'static str,
    /// How often chance alone makes such a difference; `None`: unknown.
    p: Option<f64>,
    /// The same, all comparisons together.
    p_holm: Option<f64>,
    /// Why it is undecided, whatever the numbers are.
    doubt: Option<String>,
    /// It is what happened in the runs, not what chance might make of them.
    observed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Nanoseconds,
    Ratio,
}

/// Two sessions beside each other.
struct Comparison {
    reports: [SessionReport; 2],
    changes: Vec<Change>,
    /// The share of pairs of packets, one of each run, in which the second run's was slower.
    slower: Option<f64>,
    /// One-way delays are compared by their distance from each run's fifth percentile.
    above_base: bool,
    few: bool,
    /// Both are of the same packets.
    same_packets: bool,
    /// What comes before the figures.
    findings: Vec<Finding>,
    /// Why delays, their variation, and losses cannot be compared.
    doubts: Reservations,
    /// Those of them that the files themselves give rise to, for the parts of the runs too.
    inputs: Reservations,
    /// Runs that were not the same throughout, part by part.
    parts: Vec<Part>,
}

/// Parts of two runs beside each other.
struct Part {
    names: [String; 2],
    scopes: [Scope; 2],
    of: Of,
    comparison: Comparison,
}

/// Which figures the parts are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    All,
    Losses,
}

impl Of {
    fn has(self, unit: Unit) -> bool {
        self == Self::All || unit == Unit::Ratio
    }
}

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Trouble> {
    let two = || -> Trouble {
        Failure::usage(format!(
            "--compare takes two files, not {}: give the earlier one first",
            args.files.len()
        ))
        .into()
    };
    if args.files.len() != 2 {
        return Err(two());
    }
    let form = args.results.form();
    if !matches!(form, OutputFormat::Text | OutputFormat::Json) {
        return Err(Failure::usage(
            "--compare has no output in this form: use --output text or --output json",
        )
        .into());
    }
    let Ok(sources) = <[Source; 2]>::try_from(open(args)?) else {
        return Err(two());
    };
    let reports = [reports(&sources[0], args)?, reports(&sources[1], args)?];
    if reports.iter().any(Vec::is_empty) {
        return Err(
            Failure::could_not("a file has no finished packets: nothing to compare").into(),
        );
    }
    let Pairs { pairs, alone } = paired(reports);
    let mut comparisons: Vec<Comparison> = pairs.into_iter().map(Comparison::new).collect();
    compare(&sources, &mut comparisons)?;
    let same = comparisons.iter().any(|comparison| comparison.same_packets);
    if same && form == OutputFormat::Json && !args.log.quiet {
        print_to_stderr(&format!("warning: {}", show::SAME_PACKETS));
    }
    let mut out = io::BufWriter::new(stdout());
    if form == OutputFormat::Json {
        document::write(&sources, &comparisons, &alone, &mut out)?;
    } else {
        show::text(&sources, &comparisons, &alone, &mut out)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// The sessions of one file.
fn reports(source: &Source, args: &ReportArgs) -> Result<Vec<SessionReport>, Trouble> {
    let mut observers = follow(std::slice::from_ref(source), Vec::new(), args, None)?.silent();
    let mut replays = vec![Replay::default(); source.sessions.len()];
    let mut output = RunOutput::of(Meta::default(), &args.results, &args.log, &[])?;
    read(source, 0, &mut observers, &mut replays, &mut output)?;
    let mut reports = source.reports(0, &observers, &replays);
    for report in &mut reports {
        let series = observers.series(report.identity.number.saturating_sub(1));
        report.clocks = series.and_then(Series::clocks);
    }
    words::finding::put(&mut reports, None);
    let known = |report: &SessionReport| report.figures.sent() > 0;
    Ok(reports.into_iter().filter(known).collect())
}

/// Goes through both runs as often as it takes: for the numbers of their packets, in blocks, and for
/// the parts of those that were not the same throughout.
fn compare(rows: &impl Rows, comparisons: &mut [Comparison]) -> Result<(), Trouble> {
    let scopes = numbers(rows, comparisons)?;
    let wanted: Vec<_> = comparisons.iter().zip(scopes.iter().cloned()).collect();
    let blocks = in_blocks(rows, &wanted)?;
    for ((comparison, scopes), blocks) in comparisons.iter_mut().zip(&scopes).zip(&blocks) {
        comparison.find(scopes, blocks);
        let observed = comparison.unavailability(blocks);
        comparison.fill(blocks, observed);
    }
    by_parts(rows, comparisons)?;
    correct(comparisons);
    Ok(())
}

/// All probabilities of a document together (Holm).
fn correct(comparisons: &mut [Comparison]) {
    let changes = comparisons.iter_mut().flat_map(|comparison| {
        let of_parts = comparison.parts.iter_mut();
        let of_parts = of_parts.flat_map(|part| &mut part.comparison.changes);
        comparison.changes.iter_mut().chain(of_parts)
    });
    let mut ps: Vec<&mut f64> = changes
        .filter_map(|change| {
            change.p_holm = change.p;
            change.p_holm.as_mut()
        })
        .collect();
    holm(&mut ps);
}

impl Comparison {
    fn new(reports: [SessionReport; 2]) -> Self {
        let synchronized =
            |report: &SessionReport| matches!(report.basis(), Basis::Synchronized { .. });
        let above_base = !reports.iter().all(synchronized);
        let [before, after] = &reports;
        let same_packets = same_packets(before, after);
        let slower = slower(&before.delays.round_trip, &after.delays.round_trip);
        Self {
            reports,
            changes: Vec::new(),
            slower,
            above_base,
            few: false,
            same_packets,
            findings: Vec::new(),
            doubts: Reservations::default(),
            inputs: Reservations::default(),
            parts: Vec::new(),
        }
    }

    /// Which session it is of, in each run.
    fn sessions(&self) -> [(usize, usize); 2] {
        let [before, after] = &self.reports;
        [(0, before.identity.number), (1, after.identity.number)]
    }

    fn blocks(&self, scopes: &[Scope; 2]) -> [Blocks; 2] {
        let [before, after] = scopes;
        let mut scopes = [before, after].into_iter();
        self.reports.each_ref().map(|report| {
            let scope = scopes.next().cloned().unwrap_or_else(|| Scope::whole(0, 0));
            let base = |delays: &Distribution| delays.quantile(BASE).filter(|_| self.above_base);
            let bases = [
                None,
                base(&report.delays.forward),
                base(&report.delays.backward),
            ];
            Blocks::new(report, scope, bases)
        })
    }

    /// All figures but unavailability, which makes losses `observed` ones.
    fn fill(&mut self, blocks: &[Blocks; 2], observed: bool) {
        for (direction, name) in DIRECTIONS.into_iter().enumerate() {
            let names = ["median", "p95", "p99"];
            for (place, figure) in names.into_iter().enumerate() {
                let [before, after] = &self.reports;
                let estimates = [
                    blocks[0].quantile(before, direction, place),
                    blocks[1].quantile(after, direction, place),
                ];
                self.delay(
                    name,
                    figure,
                    "Student's t on the quantile's error by blocks",
                    estimates,
                );
            }
            let [before, after] = &self.reports;
            let means = [
                blocks[0].mean(before, direction),
                blocks[1].mean(after, direction),
            ];
            self.delay(name, "mean", "Student's t on means of blocks", means);
            let variations = blocks.each_ref().map(|blocks| blocks.variation(direction));
            self.delay(
                name,
                "ipdv_mean_abs",
                "Student's t on means of blocks",
                variations,
            );
        }
        self.losses(blocks, observed);
        let place = |change: &Change| DIRECTIONS.iter().position(|it| *it == change.direction);
        self.changes.sort_by_key(place);
    }

    fn delay(
        &mut self,
        direction: &'static str,
        figure: &'static str,
        test: &'static str,
        estimates: [Option<Estimate>; 2],
    ) {
        let bounded = estimates.iter().flatten().all(|it| it.error.is_finite());
        let doubt = self.doubts.of_delay(figure);
        let doubt = doubt.or_else(|| (!bounded).then(|| UNBOUNDED.to_owned()));
        let judged = match estimates {
            [Some(before), Some(after)] if doubt.is_none() => Some(welch_test(before, after)),
            _ => None,
        };
        let values = estimates.map(|estimate| estimate.map(|estimate| estimate.value));
        self.changes.push(Change {
            direction,
            figure,
            unit: Unit::Nanoseconds,
            values,
            difference: difference(values),
            interval: judged.map(|(interval, _)| interval),
            test,
            p: judged.map(|(_, p)| p),
            p_holm: None,
            doubt,
            observed: false,
        });
    }

    /// The share of each run in which the path was unavailable, if there is any; whether that changed.
    fn unavailability(&mut self, blocks: &[Blocks; 2]) -> bool {
        let count: u64 = blocks.iter().map(|it| it.loss_runs().outages()).sum();
        if count == 0 {
            return false;
        }
        let observed = self.doubts.loss.is_none() && outages::differ(blocks);
        let doubt = self.doubts.loss.clone();
        let doubt = doubt.unwrap_or_else(|| outages::doubt(blocks));
        let values = blocks.each_ref().map(|it| Some(outages::unavailable(it)));
        self.findings.insert(
            0,
            Finding {
                key: "unavailable".into(),
                run: None,
                line: outages::line(blocks, observed),
            },
        );
        self.changes.push(Change {
            direction: DIRECTIONS[0],
            figure: UNAVAILABLE,
            unit: Unit::Ratio,
            values,
            difference: difference(values),
            interval: None,
            test: OBSERVED,
            p: None,
            p_holm: None,
            doubt: Some(doubt),
            observed,
        });
        observed
    }

    /// Losses of both ways, `observed` to have changed or not, then of each where they are known. Losses come in bursts: what blocks
    /// tell of that holds for each way.
    fn losses(&mut self, blocks: &[Blocks; 2], observed: bool) {
        let totals = self.reports.each_ref().map(|report| {
            let figures = &report.figures;
            let sent = figures.received + figures.lost;
            let all = figures.lost_unattributed == Some(0);
            let way = |lost: Option<u64>| lost.filter(|_| all);
            let lost = [
                Some(figures.lost),
                way(figures.lost_forward),
                way(figures.lost_backward),
            ];
            (sent, lost)
        });
        let clustering = blocks.each_ref().map(Blocks::clustering);
        let under_way = self.reports.each_ref().map(|it| it.counters.in_flight);
        for (place, direction) in DIRECTIONS.into_iter().enumerate() {
            let counts = totals.map(|(sent, lost)| Some((lost.get(place).copied()??, sent)));
            let values =
                counts.map(|count| count.map(|(lost, sent)| real(lost) / real(sent.max(1))));
            let observed = observed && place == 0;
            let doubt = self.doubts.of_loss().filter(|_| !observed);
            let judged = match counts {
                [Some(before), Some(after)] if doubt.is_none() && !observed => {
                    Some(test_losses([before, after], under_way, clustering))
                }
                _ => None,
            };
            self.changes.push(Change {
                direction,
                figure: "loss_ratio",
                unit: Unit::Ratio,
                values,
                difference: difference(values),
                interval: judged.map(|(interval, _)| interval),
                test: if observed {
                    OBSERVED
                } else {
                    "Fisher's exact test on bursts of losses, or Student's t on the odds of a loss; not surer than Fisher's on packets"
                },
                p: judged.map(|(_, p)| p),
                p_holm: None,
                doubt,
                observed,
            });
        }
    }
}

fn difference(values: [Option<f64>; 2]) -> Option<f64> {
    let [before, after] = values;
    Some(after? - before?)
}

/// The share of pairs in which the second one's value is the greater; equal ones count half.
fn slower(before: &Distribution, after: &Distribution) -> Option<f64> {
    let pairs = real(before.count()) * real(after.count());
    if pairs <= 0.0 {
        return None;
    }
    let mut bins = before.histogram().bins().peekable();
    let (mut below, mut sum) = (0.0, 0.0);
    for (value, count) in after.histogram().bins() {
        while let Some((_, fewer)) = bins.next_if(|(other, _)| *other < value) {
            below += real(fewer);
        }
        let equal = bins.peek().filter(|(other, _)| *other == value);
        let equal = equal.map_or(0.0, |(_, count)| real(*count));
        sum += real(count) * (below + equal / 2.0);
    }
    Some(sum / pairs)
}
