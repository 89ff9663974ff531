//! `twinpath report --compare`: what changed from one run to another, and whether it could be chance.

mod blocks;
mod chance;
mod show;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};

use twinpath_metrics::{Basis, Distribution};
use twinpath_runtime::SessionReport;

use self::blocks::{BASE, Blocks, Estimate};
use self::chance::{fisher, holm, real, student, student_quantile};
use super::alike::same_packets;
use super::replay::Replay;
use super::source::Source;
use super::{Trouble, follow, open, read};
use crate::args::{Output, ReportArgs};
use crate::cmd::measuring::Outlet;
use crate::cmd::pictures::Pictures;
use crate::failure::{Exit, Failure};
use crate::output::{Meta, complain};
use crate::saved::Row;

/// A difference that chance makes less often than this is a change.
const CHANCE: f64 = 0.05;
/// Degrees of freedom with which Student's distribution is the normal one.
const NORMAL: f64 = 1e6;
/// More losses than this are counted as though they were normal.
const EXACT: u64 = 10_000;

/// What is compared of two runs.
#[derive(Clone, Debug)]
struct Change {
    direction: &'static str,
    figure: &'static str,
    unit: Unit,
    /// Of the first run and of the second; `None`: there is none.
    values: [Option<f64>; 2],
    /// Second less first, and the interval around it that has the real one in 95 of 100 cases.
    difference: Option<f64>,
    interval: Option<[f64; 2]>,
    test: &'static str,
    /// How often chance alone makes such a difference; `None`: nobody can tell.
    p: Option<f64>,
    /// The same, all comparisons together.
    p_holm: Option<f64>,
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
}

impl Change {
    /// Chance alone hardly makes it.
    fn is_change(&self) -> Option<bool> {
        Some(self.p_holm? < CHANCE)
    }
}

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Trouble> {
    let two = || -> Trouble {
        Failure::usage(format!(
            "--compare takes two files, not {}: write the earlier one first",
            args.files.len()
        ))
        .into()
    };
    if args.files.len() != 2 {
        return Err(two());
    }
    let form = args.results.form();
    if !matches!(form, Output::Text | Output::Json) {
        return Err(Failure::usage(
            "--compare has no packets to list: write --output text or json",
        )
        .into());
    }
    if Pictures::open(&args.pictures, &[])?.columns().is_some() {
        return Err(Failure::usage("--compare draws nothing")
            .with_remedy(Some("leave it out to draw both runs"))
            .into());
    }
    let Ok(sources) = <[Source; 2]>::try_from(open(args)?) else {
        return Err(two());
    };
    let reports = [reports(&sources[0], args)?, reports(&sources[1], args)?];
    let counts = reports.each_ref().map(Vec::len);
    let [before, after] = reports;
    if counts.contains(&0) {
        return Err(Failure::could_not(
            "a file has no packets whose fate is known: nothing to compare",
        )
        .into());
    }
    let mut comparisons: Vec<Comparison> = before
        .into_iter()
        .zip(after)
        .map(|(before, after)| Comparison::new([before, after]))
        .collect();
    compare(&sources, &mut comparisons)?;
    let same = comparisons.iter().any(|comparison| comparison.same_packets);
    if same && form == Output::Json && !args.log.quiet {
        complain(&format!("warning: {}", show::SAME_PACKETS));
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    if form == Output::Json {
        show::json(&sources, &comparisons, &mut out)?;
    } else {
        show::text(&sources, counts, &comparisons, &mut out)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// The sessions of one file.
fn reports(source: &Source, args: &ReportArgs) -> Result<Vec<SessionReport>, Trouble> {
    let mut following = follow(
        std::slice::from_ref(source),
        &[String::new()],
        false,
        args,
        None,
    )
    .silent();
    let mut replays = vec![Replay::default(); source.sessions.len()];
    let mut outlet = Outlet::of(Meta::default(), &args.results, &args.log, false)?;
    read(source, 0, None, &mut following, &mut replays, &mut outlet)?;
    let reports = source.reports(0, &following, &replays);
    let known = |report: &SessionReport| report.figures.received + report.figures.lost > 0;
    Ok(reports.into_iter().filter(known).collect())
}

/// Goes through both files again, in blocks, and fills in what changed.
fn compare(sources: &[Source; 2], comparisons: &mut [Comparison]) -> Result<(), Trouble> {
    let mut blocks: Vec<[Blocks; 2]> = comparisons.iter().map(Comparison::blocks).collect();
    for (run, source) in sources.iter().enumerate() {
        source.each(&mut |row: Row| {
            let session = comparisons.iter().position(|comparison| {
                let report = comparison.reports.get(run);
                report.is_some_and(|report| report.number as u64 == u64::from(row.session))
            });
            let session = session.and_then(|session| blocks.get_mut(session)?.get_mut(run));
            if let Some(blocks) = session {
                blocks.record(&row.record);
            }
            Ok(())
        })?;
    }
    for (comparison, blocks) in comparisons.iter_mut().zip(&blocks) {
        comparison.fill(blocks);
    }
    correct(comparisons);
    Ok(())
}

/// All probabilities of a document together (Holm).
fn correct(comparisons: &mut [Comparison]) {
    let changes = comparisons
        .iter_mut()
        .flat_map(|comparison| &mut comparison.changes);
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
        let synchronised =
            |report: &SessionReport| matches!(report.basis(), Basis::Synchronized { .. });
        let above_base = !reports.iter().all(synchronised);
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
        }
    }

    fn blocks(&self) -> [Blocks; 2] {
        self.reports.each_ref().map(|report| {
            let base = |delays: &Distribution| delays.quantile(BASE).filter(|_| self.above_base);
            let bases = [
                None,
                base(&report.delays.forward),
                base(&report.delays.backward),
            ];
            Blocks::new(report, bases)
        })
    }

    fn fill(&mut self, blocks: &[Blocks; 2]) {
        self.few = blocks.iter().any(Blocks::are_few);
        for (direction, name) in ["round_trip", "forward", "backward"]
            .into_iter()
            .enumerate()
        {
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
        self.losses(blocks);
    }

    fn delay(
        &mut self,
        direction: &'static str,
        figure: &'static str,
        test: &'static str,
        estimates: [Option<Estimate>; 2],
    ) {
        let judged = match estimates {
            [Some(before), Some(after)] if !self.few => Some(judge(before, after)),
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
        });
    }

    /// Losses of both ways, then of each where they are known. Losses come in bursts: what blocks
    /// tell of that holds for each way.
    fn losses(&mut self, blocks: &[Blocks; 2]) {
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
        for (place, direction) in ["round_trip", "forward", "backward"]
            .into_iter()
            .enumerate()
        {
            let counts = totals.map(|(sent, lost)| Some((lost.get(place).copied()??, sent)));
            let values =
                counts.map(|count| count.map(|(lost, sent)| real(lost) / real(sent.max(1))));
            let judged = match counts {
                [Some(before), Some(after)] => Some(judge_loss([before, after], clustering)),
                _ => None,
            };
            self.changes.push(Change {
                direction,
                figure: "loss_ratio",
                unit: Unit::Ratio,
                values,
                difference: difference(values),
                interval: judged.map(|(interval, _)| interval),
                test: "Fisher's exact test, or two proportions with the error by blocks: the less sure",
                p: judged.map(|(_, p)| p),
                p_holm: None,
            });
        }
    }
}

fn difference(values: [Option<f64>; 2]) -> Option<f64> {
    let [before, after] = values;
    Some(after? - before?)
}

/// Welch's test: the interval of the difference, and how often chance makes it.
fn judge(before: Estimate, after: Estimate) -> ([f64; 2], f64) {
    let difference = after.value - before.value;
    let [one, other] = [before, after].map(|estimate| estimate.error * estimate.error);
    let error = (one + other).sqrt();
    if error <= 0.0 {
        let p = if difference == 0.0 { 1.0 } else { 0.0 };
        return ([difference; 2], p);
    }
    let freedom =
        (one + other).powi(2) / (one * one / before.freedom + other * other / after.freedom);
    let reach = student_quantile(CHANCE, freedom) * error;
    let p = student(difference / error, freedom);
    ([difference - reach, difference + reach], p)
}

/// Lost and sent packets of two runs, and how many times as unsure their losses are as if each packet
/// were lost or not by itself.
fn judge_loss(counts: [(u64, u64); 2], clustering: [f64; 2]) -> ([f64; 2], f64) {
    let [(lost, sent), (other_lost, other_sent)] = counts;
    let [ratio, other_ratio] = counts.map(|(lost, sent)| real(lost) / real(sent.max(1)));
    let [cluster, other_cluster] = clustering;
    let error = |ratio: f64, other_ratio: f64| {
        let variance = |ratio: f64, sent: u64, cluster: f64| {
            ratio * (1.0 - ratio) / real(sent.max(1)) * cluster
        };
        (variance(ratio, sent, cluster) + variance(other_ratio, other_sent, other_cluster)).sqrt()
    };
    let difference = other_ratio - ratio;
    let reach = student_quantile(CHANCE, NORMAL) * error(ratio, other_ratio);
    let pooled = real(lost + other_lost) / real((sent + other_sent).max(1));
    let by_chance = error(pooled, pooled);
    let p = if by_chance > 0.0 {
        student(difference / by_chance, NORMAL)
    } else {
        1.0
    };
    let p = if lost + other_lost <= EXACT {
        p.max(fisher(lost, sent, other_lost, other_sent))
    } else {
        p
    };
    ([difference - reach, difference + reach], p)
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
