//! Losses in a row, and outages: stretches in which the path was unavailable.

use super::blocks::Blocks;
use super::chance::real;
use crate::output::units;

/// A run without the path for this share of its packets differs from a run with it, whatever the cause.
/// A shorter outage may come in one of two runs on the same path. If a tenth of the packets is lost in
/// outages that last for a third of a run, chance makes a difference by these rules in 3 of 100 pairs.
const MOST: f64 = 0.9;
/// So does one without it for this share, in this many outages.
const MUCH: f64 = 1.0 / 3.0;
const SEVERAL: u64 = 3;
/// So does a second run that ends with this share in its only outage: the path is lost, and is not back.
const MUCH_AT_END: f64 = 1.0 / 3.0;
/// A run had the path if it was without it for less than this share of the other run's outages.
const LITTLE: f64 = 0.1;
/// Outages of which it is known how often they come: their losses are compared.
const MANY: u64 = 6;

/// Losses in a row, by their numbers.
#[derive(Clone, Debug)]
pub(super) struct LossRuns {
    /// Packets of an outage at least.
    outage: u64,
    count: u64,
    outages: u64,
    unavailable: u64,
    /// The last loss, and how many there are in a row up to it.
    last: Option<(u64, u64)>,
}

impl LossRuns {
    /// With outages from this many packets on.
    pub(super) fn new(outage: u64) -> Self {
        Self {
            outage,
            count: 0,
            outages: 0,
            unavailable: 0,
            last: None,
        }
    }

    /// A packet was lost; those with lower numbers were before it.
    pub(super) fn record_lost(&mut self, seq: u64) {
        let before = self.last.filter(|(last, _)| last.saturating_add(1) == seq);
        let length = before.map_or(0, |(_, length)| length) + 1;
        self.count += u64::from(length == 1);
        if length == self.outage {
            self.outages += 1;
            self.unavailable += length;
        } else if length > self.outage {
            self.unavailable += 1;
        }
        self.last = Some((seq, length));
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many are outages.
    pub(super) fn outages(&self) -> u64 {
        self.outages
    }

    /// Packets of the outage that lasts up to this number.
    fn until(&self, end: u64) -> u64 {
        let last = self
            .last
            .filter(|(seq, length)| *seq == end && *length >= self.outage);
        last.map_or(0, |(_, length)| length)
    }
}

/// The share of a run in which the path was unavailable.
pub(super) fn unavailable(blocks: &Blocks) -> f64 {
    real(blocks.loss_runs().unavailable) / real(blocks.packets().max(1))
}

/// One run had the path, and the other was without it for most of its packets, for much of them in
/// several outages, or is without it now.
pub(super) fn differ([before, after]: &[Blocks; 2]) -> bool {
    let covers = |run: &Blocks| {
        let share = unavailable(run);
        share >= MOST || (share >= MUCH && run.loss_runs().outages >= SEVERAL)
    };
    let ends = |run: &Blocks| at_end(run) >= MUCH_AT_END && run.loss_runs().outages == 1;
    (has_path(before, after) && (covers(after) || ends(after)))
        || (has_path(after, before) && covers(before))
}

/// The run had the path, compared with the other. A run shorter than an outage does not show any.
fn has_path(run: &Blocks, other: &Blocks) -> bool {
    run.packets() >= run.loss_runs().outage && unavailable(run) <= unavailable(other) * LITTLE
}

/// The share of a run that an outage takes which lasts to its end.
fn at_end(run: &Blocks) -> f64 {
    real(run.loss_runs().until(run.end())) / real(run.packets().max(1))
}

/// How long each run was unavailable, and whether that decides anything.
pub(super) fn line(blocks: &[Blocks; 2], is_change: bool) -> String {
    let [before, after] = blocks.each_ref().map(count_text);
    let [_, last] = blocks;
    let has_ended = at_end(last) > 0.0 && at_end(last) < 1.0;
    let ended = has_ended.then(|| format!(", and its last {} were all lost", ended(last)));
    let doubt = (!is_change).then(|| format!(": {}", doubt(blocks)));
    format!(
        "the first run was {before}; the second run was {after}{}{}",
        ended.unwrap_or_default(),
        doubt.unwrap_or_default()
    )
}

fn count_text(run: &Blocks) -> String {
    match run.loss_runs().outages {
        0 => "never unavailable".to_owned(),
        outages => format!(
            "unavailable for {:.1}% of its packets ({})",
            unavailable(run) * 100.0,
            units::count(outages, "outage", "outages")
        ),
    }
}

fn ended(run: &Blocks) -> String {
    units::count(run.loss_runs().until(run.end()), "packet", "packets")
}

/// Why outages that are no change by themselves decide nothing.
pub(super) fn doubt(blocks: &[Blocks; 2]) -> String {
    match blocks.iter().map(|it| it.loss_runs().outages).sum() {
        0 | 1 => "one outage is too few to call it a change".to_owned(),
        count @ ..MANY => format!("{count} outages are too few to call it a change"),
        _ => "how often outages come is compared as loss".to_owned(),
    }
}
