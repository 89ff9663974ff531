//! A run in blocks of consecutive packets: how sure its figures are, though packets that follow each
//! other fare alike.

use twinpath_metrics::Record;
use twinpath_report::SessionReport;
use twinpath_wire::{Delta, Exclusion, Fate, Sample};

use super::chance::{real, student_quantile};
use super::outages::LossRuns;
use super::parts::Scope;
use super::verdict::Clustering;

/// Blocks of a run that has packets for as many.
const MOST: u64 = 40;
/// Packets of a block at least.
pub(super) const PACKETS: u64 = 20;
/// Fewer blocks are no evidence.
const LEAST: u64 = 10;
/// Independent blocks that a run is worth at least: its error has two degrees of freedom.
const LEAST_WORTH: f64 = 3.0;
/// The quantiles of delays that are compared beside their mean; last, the base where clocks
/// cannot be compared: what fast packets take. The least delay of all would tell of one packet.
pub(super) const QUANTILES: [f64; 4] = [0.5, 0.95, 0.99, BASE];
pub(super) const BASE: f64 = 0.05;
const MEDIAN_PLACE: usize = 0;
const BASE_PLACE: usize = QUANTILES.len() - 1;

/// A figure, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    /// Standard error; infinite where the run does not bound it.
    pub(super) error: f64,
    /// Degrees of freedom of the error.
    pub(super) freedom: f64,
}

/// Delays of one direction in one block.
#[derive(Clone, Copy, Debug, Default)]
struct Delays {
    count: u64,
    sum: f64,
    at_most: [u64; QUANTILES.len()],
    pairs: u64,
    variation: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    sent: u64,
    lost: u64,
    /// The least round trip.
    least: Option<i64>,
    /// First and last number of those that were answered.
    answered: Option<[u64; 2]>,
    /// Round trip, forward, backward.
    delays: [Delays; 3],
}

/// All blocks of a session.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    parts: Vec<Block>,
    packets: u64,
    scope: Scope,
    numbers: u64,
    /// What is taken from delays: [`BASE`] where clocks cannot be compared.
    bases: [Option<i64>; 3],
    quantiles: [[Option<i64>; QUANTILES.len()]; 3],
    last: Option<(u64, [i64; 3])>,
    loss_runs: LossRuns,
    /// T2 and T3 are not usable: T4 - T1 alone is compared.
    whole: bool,
}

impl Blocks {
    /// For the packets of a run that its report covers, which have these numbers. `bases`: of round
    /// trip, forward, backward.
    pub(super) fn new(report: &SessionReport, scope: Scope, bases: [Option<i64>; 3]) -> Self {
        let packets = report.figures.received + report.figures.lost;
        let count = (packets / PACKETS).clamp(1, MOST);
        let delays = &report.delays;
        let quantiles = [&delays.round_trip, &delays.forward, &delays.backward]
            .map(|delays| QUANTILES.map(|p| delays.quantile(p)));
        Self {
            parts: vec![Block::default(); usize::try_from(count).unwrap_or(1)],
            packets,
            numbers: scope.numbers(),
            scope,
            bases,
            quantiles,
            last: None,
            loss_runs: LossRuns::new((packets / MOST).max(PACKETS)),
            whole: !report.figures.far_times.are_usable(),
        }
    }

    /// Too few packets for any significance.
    pub(super) fn are_few(&self) -> bool {
        (self.parts.len() as u64) < LEAST
    }

    pub(super) fn record(&mut self, record: &Record) {
        match record {
            Record::Sample(sample) if !matches!(sample.fate, Fate::Duplicate | Fate::Unawaited) => {
                self.sample(sample);
            }
            Record::ClockStep { .. } => self.last = None,
            Record::Begun { .. }
            | Record::Sample(_)
            | Record::NotSent { .. }
            | Record::SourceChange { .. }
            | Record::Missed { .. } => {}
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let Some(place) = self.scope.place(sample.seq) else {
            return;
        };
        let count = self.parts.len() as u128;
        let place = u128::from(place) * count / u128::from(self.numbers.max(1));
        let place = usize::try_from(place.min(count - 1)).unwrap_or(0);
        let Some(block) = self.parts.get_mut(place) else {
            return;
        };
        block.sent += 1;
        if sample.fate != Fate::Received {
            block.lost += 1;
            self.loss_runs.record_lost(sample.seq);
            return;
        }
        let [from, to] = block.answered.unwrap_or([sample.seq; 2]);
        block.answered = Some([from.min(sample.seq), to.max(sample.seq)]);
        let values = if self.whole {
            let whole = sample.t4.map(|t4| t4.at - sample.t1.at);
            [whole, Some(Delta::ZERO), Some(Delta::ZERO)]
        } else {
            [sample.round_trip(), sample.forward(), sample.backward()]
        };
        let excluded = sample
            .excluded
            .filter(|why| !self.whole || *why == Exclusion::ClockStep);
        let (None, [Some(round_trip), Some(forward), Some(backward)]) = (excluded, values) else {
            return;
        };
        let values = [round_trip, forward, backward].map(Delta::ns);
        let least = values[0];
        block.least = Some(block.least.map_or(least, |known| known.min(least)));
        let before = self.last.replace((sample.seq, values));
        let before = before.filter(|(seq, _)| seq + 1 == sample.seq);
        let known = if self.whole { 1 } else { values.len() };
        for (direction, delays) in block.delays.iter_mut().enumerate().take(known) {
            let Some(value) = values.get(direction) else {
                continue;
            };
            delays.count += 1;
            let base = self.bases.get(direction).copied().flatten().unwrap_or(0);
            delays.sum += signed(value.saturating_sub(base));
            let quantiles = self.quantiles.get(direction).into_iter().flatten();
            for (at_most, quantile) in delays.at_most.iter_mut().zip(quantiles) {
                *at_most += u64::from(quantile.is_some_and(|quantile| *value <= quantile));
            }
            if let Some(before) = before.and_then(|(_, values)| values.get(direction).copied()) {
                delays.pairs += 1;
                delays.variation += real(value.abs_diff(before));
            }
        }
    }

    /// Mean delay of a direction, nanoseconds.
    pub(super) fn mean(&self, report: &SessionReport, direction: usize) -> Option<Estimate> {
        let mean = self.ratio(direction, |delays| (delays.sum, real(delays.count)))?;
        self.with_base(report, direction, mean)
    }

    /// Mean difference of successive delays (RFC 3393), nanoseconds.
    pub(super) fn variation(&self, direction: usize) -> Option<Estimate> {
        self.ratio(direction, |delays| (delays.variation, real(delays.pairs)))
    }

    /// A quantile by its place in [`QUANTILES`]: the error of the share of packets at most it, put on
    /// the scale of delays by the delays where that share is a little less or more.
    pub(super) fn quantile(
        &self,
        report: &SessionReport,
        direction: usize,
        place: usize,
    ) -> Option<Estimate> {
        let p = *QUANTILES.get(place)?;
        let delays = &report.delays;
        let delays = *[&delays.round_trip, &delays.forward, &delays.backward].get(direction)?;
        let value = if place == MEDIAN_PLACE {
            delays.median()?
        } else {
            delays.quantile(p)?
        };
        let share = self.ratio(direction, |delays| {
            (
                real(delays.at_most.get(place).copied().unwrap_or(0)),
                real(delays.count),
            )
        })?;
        let independent = (p * (1.0 - p) / real(delays.count())).sqrt();
        let error = share.error.max(independent);
        let reach = student_quantile(0.05, share.freedom) * error;
        // Where the share may be all packets or none, no delay bounds the quantile on that side.
        let spread = if reach < p.min(1.0 - p) {
            let low = delays.quantile(p - reach)?;
            let high = delays.quantile(p + reach)?;
            real(high.abs_diff(low)) / (2.0 * reach) * error
        } else {
            f64::INFINITY
        };
        // A value is known to its bin, 1/512 of it.
        let bin = real(
            value
                .saturating_sub(delays.reference_ns().unwrap_or(0))
                .unsigned_abs(),
        ) / 512.0
            / 12_f64.sqrt();
        let base = self.bases.get(direction).copied().flatten();
        let base = base.filter(|_| place != BASE_PLACE);
        let estimate = Estimate {
            value: signed(value.saturating_sub(base.unwrap_or(0))),
            error: spread.hypot(bin),
            freedom: share.freedom,
        };
        if place == BASE_PLACE {
            return Some(estimate);
        }
        self.with_base(report, direction, estimate)
    }

    /// As unsure as what it is measured from, too. Both err the same way rather than not, so this is
    /// more than enough.
    fn with_base(
        &self,
        report: &SessionReport,
        direction: usize,
        estimate: Estimate,
    ) -> Option<Estimate> {
        if self.bases.get(direction)?.is_none() {
            return Some(estimate);
        }
        let base = self.quantile(report, direction, BASE_PLACE)?;
        Some(Estimate {
            error: estimate.error.hypot(base.error),
            freedom: estimate.freedom.min(base.freedom),
            ..estimate
        })
    }

    /// Lost packets of all.
    pub(super) fn loss(&self) -> Option<Estimate> {
        self.of_blocks(|block| (real(block.lost), real(block.sent)))
    }

    /// The least round trip of each block.
    pub(super) fn least_round_trips(&self) -> Vec<Option<i64>> {
        self.parts.iter().map(|block| block.least).collect()
    }

    /// The share of each block that was lost.
    pub(super) fn loss_ratios(&self) -> Vec<Option<f64>> {
        let ratio = |block: &Block| (block.sent > 0).then(|| real(block.lost) / real(block.sent));
        self.parts.iter().map(ratio).collect()
    }

    /// First and last number of the packets of each block that were answered.
    pub(super) fn answered(&self) -> Vec<Option<[u64; 2]>> {
        self.parts.iter().map(|block| block.answered).collect()
    }

    /// The stretches in which every packet was lost.
    pub(super) fn loss_runs(&self) -> &LossRuns {
        &self.loss_runs
    }

    /// The last number.
    pub(super) fn end(&self) -> u64 {
        self.scope.end()
    }

    /// Packets of all blocks.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// How many times as uncertain the loss is as if each packet were lost or not by itself. Losses in
    /// a row tell: a path on which one packet's fate depends on the one before (Gilbert) has as many as
    /// it does. Blocks that differ clearly more than that have bursts with packets between that arrived.
    pub(super) fn clustering(&self) -> Clustering {
        let runs = real(self.loss_runs.count());
        let lost: u64 = self.parts.iter().map(|block| block.lost).sum();
        let lost = real(lost);
        let received = real(self.packets) - lost;
        if runs <= 0.0 || received <= 0.0 {
            return Clustering::ALONE;
        }
        // The correlation of neighbouring packets.
        let alike = (1.0 - runs / lost - runs / received).max(0.0);
        let of_runs = (1.0 + alike) / (1.0 - alike);
        let ratio = self.loss().filter(|_| !self.are_few());
        let of_blocks = ratio.map_or(0.0, |ratio| {
            let by_itself = ratio.value * (1.0 - ratio.value) / real(self.packets.max(1));
            let times = ratio.error * ratio.error / by_itself;
            // By so much the estimate may be too great by chance.
            let by_chance = 1.0 + (2.0 / ratio.freedom).sqrt();
            if times > of_runs * by_chance {
                times
            } else {
                0.0
            }
        });
        let times = of_runs.max(of_blocks);
        let runs_of_burst = times / of_runs;
        Clustering {
            times,
            runs,
            runs_of_burst,
            // As that of a variance that is known as well as a count of bursts is.
            freedom: (times > 1.0).then_some(2.0 * (runs / runs_of_burst).max(1.0)),
        }
    }

    fn ratio(&self, direction: usize, of: impl Fn(&Delays) -> (f64, f64)) -> Option<Estimate> {
        self.of_blocks(|block| block.delays.get(direction).map_or((0.0, 0.0), &of))
    }

    /// A ratio of sums, with its error from how the blocks differ, and from how much neighbouring ones
    /// are alike.
    fn of_blocks(&self, of: impl Fn(&Block) -> (f64, f64)) -> Option<Estimate> {
        let pairs: Vec<(f64, f64)> = self
            .parts
            .iter()
            .map(of)
            .filter(|(_, x)| *x > 0.0)
            .collect();
        let count = real(pairs.len() as u64);
        let (sum, all) = pairs
            .iter()
            .fold((0.0, 0.0), |(sum, all), (y, x)| (sum + y, all + x));
        if all <= 0.0 {
            return None;
        }
        let value = sum / all;
        // This few blocks with packets do not show how much blocks differ.
        if count <= 4.0 {
            return Some(Estimate {
                value,
                error: f64::INFINITY,
                freedom: 1.0,
            });
        }
        let mean = all / count;
        let apart: Vec<f64> = pairs.iter().map(|(y, x)| (y - value * x) / mean).collect();
        let squares: f64 = apart.iter().map(|apart| apart * apart).sum();
        let neighbours: f64 = apart
            .windows(2)
            .map(|pair| pair.iter().product::<f64>())
            .sum();
        // The correlation of so few blocks, taken about their own mean, comes out too small (Kendall).
        let alike = if squares > 0.0 {
            ((count * neighbours / squares + 1.0) / (count - 4.0)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        // As much evidence as this many independent blocks. They lie closer to their own mean than to the
        // real one, by one of them.
        let worth = (count * (1.0 - alike) / (1.0 + alike)).max(LEAST_WORTH);
        let freedom = worth - 1.0;
        let error = (squares / count / freedom).sqrt();
        Some(Estimate {
            value,
            error,
            freedom,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "statistics of nanoseconds")]
fn signed(ns: i64) -> f64 {
    ns as f64
}
