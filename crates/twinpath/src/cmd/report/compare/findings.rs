//! What matters before two runs are compared: where they were not the same throughout, and what
//! differs between them beside the path.

use std::borrow::Cow;

use twinpath_metrics::AvailabilityFigures;
use twinpath_report::SessionReport;

use super::blocks::Blocks;
use super::chance::real;
use super::pairs::different_ends;
use super::parts::{self, Scope, Split};
use super::{Comparison, Of, Part};
use crate::output::{unawaited, units, words};

const INCOMPLETE: &str = "incompletely-measured";
/// Warnings of files that lack a part of their run: what was lost is not known.
const LACKING: [&str; 20] = [
    "file-torn",
    "interrupted",
    "parts-incomplete",
    "parts-missing",
    "records-missing",
    "still-running",
    "capture-broken-off",
    "capture-cut",
    "capture-damaged",
    "capture-encapsulated",
    "capture-fragments",
    "capture-links",
    "capture-malformed",
    "capture-only-replies",
    "capture-only-requests",
    "capture-unmatched",
    "capture-unordered",
    "capture-without-time",
    "missing-requests",
    CUT_REPLIES,
];
/// Warnings that have other words here.
const SAID: [&str; 2] = [INCOMPLETE, "clocks-not-synchronized"];
const CUT_REPLIES: &str = "cut-replies";
/// Of those, the ones by which packets with delays of their own are left out.
const LACKING_DELAYS: [&str; 5] = [
    "capture-cut",
    "parts-incomplete",
    "parts-missing",
    "records-missing",
    CUT_REPLIES,
];
const RUNS: [&str; 2] = ["the first run", "the second run"];
/// Losses in a row that may be one event; the blocks cover bursts this short.
const BURST: u64 = 3;
/// The fewest bursts of losses that show how often one comes, in a run too short for blocks.
const BURSTS: u64 = 3;
/// This many bursts show how often one comes, although there are outages among them.
const FEW_BURSTS: f64 = 6.0;

/// A fact about one run (0 or 1), or about both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) key: Cow<'static, str>,
    pub(super) run: Option<usize>,
    pub(super) line: String,
}

/// Why figures cannot be compared, whatever they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reservations {
    pub(super) delay: Option<String>,
    pub(super) variation: Option<String>,
    pub(super) loss: Option<String>,
    /// For losses: bursts and outages, which do not show how often one comes.
    pub(super) bursts: Option<String>,
}

impl Reservations {
    /// Of a loss ratio.
    pub(super) fn of_loss(&self) -> Option<String> {
        self.loss.as_ref().or(self.bursts.as_ref()).cloned()
    }

    /// Of a delay's figure.
    pub(super) fn of_delay(&self, figure: &str) -> Option<String> {
        let variation = self
            .variation
            .as_ref()
            .filter(|_| figure == "ipdv_mean_abs");
        self.delay.as_ref().or(variation).cloned()
    }
}

impl Comparison {
    /// Finds what breaks the comparison of the whole runs, and the parts that can be compared.
    pub(super) fn find(&mut self, scopes: &[Scope; 2], blocks: &[Blocks; 2]) {
        self.inputs();
        self.find_reservations(blocks);
        self.incomplete_runs(blocks);
        self.differences();
        let [paths, outages] = self.splits(scopes, blocks);
        let [path_before, path_after] = &paths;
        if path_before.is_some() || path_after.is_some() {
            self.doubts.delay = Some(whose("the path changed during", &paths));
            self.part(scopes, [path_before.as_ref(), path_after.as_ref()], Of::All);
        }
        let [out_before, out_after] = &outages;
        let is_few = |blocks: &Blocks| blocks.clustering().bursts() < FEW_BURSTS;
        let mut runs = blocks.iter().zip(&outages);
        // Bursts that are many are compared as such: without its longest ones a run would seem better.
        if runs.any(|(blocks, outage)| outage.is_some() && is_few(blocks)) {
            self.doubts.bursts = Some(whose("there was an outage in", &outages));
            self.part(
                scopes,
                [out_before.as_ref(), out_after.as_ref()],
                Of::Losses,
            );
        }
    }

    /// What the runs' own reports warn of, and what their files lack.
    fn inputs(&mut self) {
        for (run, (report, name)) in self.reports.iter().zip(RUNS).enumerate() {
            let warnings = report.notes.iter();
            let warnings = warnings.filter(|note| note.warning && !SAID.contains(&&*note.key));
            for note in warnings {
                let line = format!("{name}: {}", note.line);
                if LACKING.contains(&&*note.key) {
                    let doubt = || format!("the file of {name} lacks packets");
                    self.inputs.loss.get_or_insert_with(doubt);
                    if LACKING_DELAYS.contains(&&*note.key) {
                        self.inputs.delay.get_or_insert_with(doubt);
                    }
                }
                self.findings.push(Finding {
                    key: note.key.clone(),
                    run: Some(run),
                    line,
                });
            }
            let under_way = report.counters.in_flight;
            if under_way > 0 {
                self.findings.push(Finding {
                    key: "under-way".into(),
                    run: Some(run),
                    line: format!(
                        "{} under way when {name} ended: losses are compared with and without them",
                        units::count(under_way, "packet was", "packets were")
                    ),
                });
            }
        }
        self.doubts = self.inputs.clone();
    }

    /// What too few packets, bursts and gaps make undecided.
    pub(super) fn find_reservations(&mut self, blocks: &[Blocks; 2]) {
        self.few = blocks.iter().any(Blocks::are_few);
        if self.few {
            self.doubts.delay = Some("there are fewer than 200 packets in a run".to_owned());
        }
        let ratio = |report: &SessionReport| {
            let figures = &report.figures;
            real(figures.lost) / real((figures.received + figures.lost).max(1))
        };
        let highest = self.reports.iter().map(ratio).fold(0.0, f64::max);
        // A burst in the run that lost less leaves what the other lost beyond it.
        let runs = self.reports.iter().zip(blocks).zip(RUNS);
        let losses: Vec<String> = runs
            .filter(|((report, _), _)| ratio(report) >= highest)
            .filter_map(|((report, blocks), run)| bursts(report, blocks, run))
            .collect();
        if !losses.is_empty() {
            self.doubts.bursts = Some(losses.join(", and "));
        }
    }

    /// What the report of each run shows: that it is incomplete, or had outages.
    fn incomplete_runs(&mut self, blocks: &[Blocks; 2]) {
        let runs = self.reports.iter().zip(blocks).zip(RUNS).enumerate();
        for (run, ((report, blocks), name)) in runs {
            let mut find = |key: &'static str, line| {
                self.findings.push(Finding {
                    key: key.into(),
                    run: Some(run),
                    line,
                });
            };
            let coverage = report.coverage();
            if !coverage.is_complete() {
                let sent = words::sent(report);
                let missing = match coverage.unsent {
                    _ if coverage.is_sent() => {
                        let packets = units::count(coverage.unawaited, "packet", "packets");
                        format!("{packets} {}", unawaited(report))
                    }
                    0 => format!(
                        "nothing {sent} in {}",
                        units::count(
                            coverage.unmeasured_blocks,
                            "block of time",
                            "blocks of time"
                        )
                    ),
                    unsent => format!(
                        "{unsent} of {} not {sent}",
                        units::count(coverage.due, "packet", "packets")
                    ),
                };
                let line = format!("{name} was measured incompletely ({missing})");
                self.doubts.loss = Some(line.clone());
                find(INCOMPLETE, line);
            }
            // Throughout, nothing came and went.
            let for_a_time =
                |it: &AvailabilityFigures| it.outages > 0 && it.unavailable_blocks < it.blocks;
            if let Some(figures) = report.figures.availability.filter(for_a_time) {
                let outages = units::count(figures.outages, "outage", "outages");
                let line = format!("the path was unavailable for a time in {name}: {outages}");
                self.doubts.bursts.get_or_insert_with(|| line.clone());
                if blocks.loss_runs().outages() == 0 {
                    find("outage", line);
                }
            }
        }
    }

    /// What differs between the runs beside what was measured.
    fn differences(&mut self) {
        let [before, after] = &self.reports;
        let mut differ = |key: &'static str, differ: bool, line: &str| {
            if differ {
                self.findings.push(Finding {
                    key: key.into(),
                    run: None,
                    line: line.to_owned(),
                });
            }
        };
        let interval = |report: &SessionReport| report.identity.schedule.mean_interval();
        let other_interval = interval(before).max(interval(after))
            > interval(before).min(interval(after)).mul_f64(1.05);
        let other_sizes = match (&before.traffic, &after.traffic) {
            (None, None) => before.identity.padding != after.identity.padding,
            _ => before.sizes() != after.sizes(),
        };
        let ends = different_ends(before, after);
        differ(
            "different-ends",
            ends.is_some(),
            ends.as_deref().unwrap_or_default(),
        );
        differ(
            "different-class",
            before.identity.tos != after.identity.tos,
            "the runs had different classes of service (DSCP, ECN)",
        );
        differ(
            "different-size",
            other_sizes,
            "the runs had packets of different sizes",
        );
        differ(
            "different-interval",
            other_interval,
            "the runs had different intervals between packets",
        );
        if other_interval {
            let why = "variation depends on the interval, and those differ";
            self.doubts.variation = Some(why.to_owned());
        }
    }

    /// Paths and outages of each run.
    fn splits(&mut self, scopes: &[Scope; 2], blocks: &[Blocks; 2]) -> [[Option<Split>; 2]; 2] {
        let [mut paths, mut outages] = [[None, None], [None, None]];
        let runs = scopes.iter().zip(blocks).zip(RUNS).enumerate();
        for (run, ((scope, blocks), name)) in runs {
            if blocks.are_few() {
                continue;
            }
            let clocks = self
                .reports
                .get(run)
                .and_then(|report| report.clocks.as_ref());
            let split = parts::paths(scope, &blocks.least_round_trips());
            let line = match &split {
                Some(split) if split.changes == 1 => {
                    let [from, to] = split.events.first().copied().unwrap_or_default();
                    Some(format!(
                        "the path changed during {name}, between packets {from} and {to}: the minimum round trip is different after that"
                    ))
                }
                Some(split) => Some(format!(
                    "the path changed {} times during {name}, back and forth between two minimum round trips",
                    split.changes
                )),
                None if clocks.is_some_and(|clocks| clocks.path_change) => {
                    let line = format!("the path seems to have changed during {name}");
                    self.doubts.delay = Some(line.clone());
                    Some(line)
                }
                None => None,
            };
            self.findings.extend(line.map(|line| Finding {
                key: "path-change".into(),
                run: Some(run),
                line,
            }));
            let outage = parts::outages(scope, &blocks.loss_ratios(), &blocks.answered());
            if let Some(split) = &outage
                && !self
                    .findings
                    .iter()
                    .any(|it| it.key == "outage" && it.run == Some(run))
            {
                let [first, last] = split.events.first().copied().unwrap_or_default();
                let more = match split.events.len() {
                    0 | 1 => String::new(),
                    2 => ", and so were those of another outage".to_owned(),
                    count => format!(", and so were those of {} other outages", count - 1),
                };
                self.findings.push(Finding {
                    key: "outage".into(),
                    run: Some(run),
                    line: format!(
                        "there was an outage in {name}: packets {first} to {last} were lost{more}"
                    ),
                });
            }
            if let (Some(path), Some(known)) = (split, paths.get_mut(run)) {
                *known = Some(path);
            }
            if let (Some(outage), Some(known)) = (outage, outages.get_mut(run)) {
                *known = Some(outage);
            }
        }
        [paths, outages]
    }

    /// The parts of one run beside those of the other, or beside the whole of it. Of outages what lies
    /// outside.
    fn part(&mut self, scopes: &[Scope; 2], splits: [Option<&Split>; 2], of: Of) {
        let parts = if of == Of::All { 0..2 } else { 0..1 };
        for place in parts {
            let mut names = RUNS.map(|run| format!("the whole of {run}"));
            let mut chosen = scopes.clone();
            let own = names.iter_mut().zip(&mut chosen).zip(splits).zip(RUNS);
            for (((name, scope), split), run) in own {
                if let Some(split) = split
                    && let (Some(part), Some(of)) = (split.parts.get(place), split.names.get(place))
                {
                    *name = format!("{run} {of}");
                    *scope = part.clone();
                }
            }
            // Paths that took turns may leave nothing between their changes.
            if chosen.iter().any(|scope| scope.numbers() == 0) {
                continue;
            }
            let mut comparison = Self::new(self.reports.clone());
            comparison.doubts = self.inputs.clone();
            comparison
                .doubts
                .variation
                .clone_from(&self.doubts.variation);
            if self.findings.iter().any(|it| it.key == INCOMPLETE) {
                comparison.doubts.loss.clone_from(&self.doubts.loss);
            }
            self.parts.push(Part {
                names,
                scopes: chosen,
                of,
                comparison,
            });
        }
    }
}

/// What happened in one run or in both.
fn whose(what: &str, splits: &[Option<Split>; 2]) -> String {
    match splits {
        [Some(_), Some(_)] => format!("{what} both runs"),
        [Some(_), None] => format!("{what} {}", RUNS[0]),
        _ => format!("{what} {}", RUNS[1]),
    }
}

/// Why the losses of a run do not show how often packets are lost: too few bursts make up too much
/// of them.
fn bursts(report: &SessionReport, blocks: &Blocks, run: &str) -> Option<String> {
    let figures = &report.figures;
    let (lost, sent) = (figures.lost, figures.received + figures.lost);
    let periods = &figures.loss_periods;
    if blocks.are_few() {
        let few = lost > 1 && periods.periods < BURSTS;
        return few.then(|| {
            let bursts = units::count(periods.periods, "burst", "bursts");
            format!("the losses of {run} came in {bursts}, too few to show how often bursts come")
        });
    }
    // Where all was lost throughout, nothing came and went.
    let one = lost < sent && periods.longest >= BURST && periods.longest.saturating_mul(2) >= lost;
    one.then(|| {
        format!(
            "{} of {lost} losses of {run} came in one burst",
            periods.longest
        )
    })
}
