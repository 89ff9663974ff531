//! Values to places: axes with round numbers on them.

use super::{num, values};

/// A round number on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Nanoseconds.
    pub(super) at: f64,
    /// With its unit.
    pub(super) label: String,
}

/// An axis of delays.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Ascending.
    pub(super) ticks: Vec<Tick>,
}

/// From where to where an axis goes, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Extremes may take this many times the range of everything else; beyond that they are cut off.
const TALLEST: f64 = 3.0;
/// And so much room they get.
const HEADROOM: f64 = 1.6;
/// Extremes are of fewer columns than this share.
const EXTREME: f64 = 0.02;
/// The minimum range of an axis, as a share of its greatest value, so that a quiet path looks
/// quiet.
const LEAST_SHARE: f64 = 0.1;
/// The minimum range in nanoseconds.
const LEAST_SPAN: f64 = 2_000.0;
/// Room beyond what is drawn, as a share of all.
const AIR: f64 = 0.04;

impl Range {
    /// For columns with these ordinary and these extreme values: wide enough for nearly all of
    /// them. `None` without any.
    pub(super) fn of(ordinary: &[(f64, f64)], extreme: &[(f64, f64)]) -> Option<Self> {
        let mut lows: Vec<f64> = ordinary.iter().map(|pair| pair.0).collect();
        let mut highs: Vec<f64> = ordinary.iter().map(|pair| pair.1).collect();
        lows.sort_by(f64::total_cmp);
        highs.sort_by(f64::total_cmp);
        let aside = num::places(num::place(lows.len()) * EXTREME);
        let low = *lows.get(aside)?;
        let high = highs.iter().rev().nth(aside)?.max(low);
        let least = extreme.iter().map(|pair| pair.0).fold(low, f64::min);
        let greatest = extreme.iter().map(|pair| pair.1).fold(high, f64::max);
        let usual = (high - low).max(LEAST_SPAN);
        let reach = |distance: f64| {
            if distance <= usual * TALLEST {
                distance
            } else {
                usual * (HEADROOM - 1.0)
            }
        };
        Some(Self {
            low: low - reach(low - least),
            high: high + reach(greatest - high),
        })
    }

    /// As wide as both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// With zero, unless that is far away; with room around what hardly varies.
    pub(super) fn settled(self) -> Self {
        let Self { mut low, mut high } = self;
        let span = (high.abs().max(low.abs()) * LEAST_SHARE).max(LEAST_SPAN);
        if high - low < span {
            let middle = f64::midpoint(low, high);
            let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
            low = (middle - span / 2.0).max(floor);
            high = low + span;
        }
        if low > 0.0 && low <= high / 2.0 {
            low = 0.0;
        }
        let air = (high - low) * AIR;
        let below = if low == 0.0 { 0.0 } else { air };
        Self {
            low: low - below,
            high: high + air,
        }
    }
}

impl Axis {
    /// About `ticks` equal and round steps.
    pub(super) fn linear(range: Range, ticks: f64) -> Self {
        let range = range.settled();
        let step = round_step((range.high - range.low) / ticks.max(1.0));
        let first = (range.low / step).ceil();
        let last = (range.high / step).floor();
        let (low, high) = (range.low, range.high);
        let (unit, name) = values::unit_for(low.abs().max(high.abs()));
        let decimals = decimals_for(step / unit);
        let ticks = (0..=num::places(last - first).min(50)).map(|place| {
            let at = (first + num::place(place)) * step;
            let value = at / unit;
            Tick {
                at,
                label: if at == 0.0 {
                    "0".to_owned()
                } else {
                    format!("{value:.decimals$} {name}")
                },
            }
        });
        Self {
            low,
            high,
            logarithmic: false,
            ticks: ticks.collect(),
        }
    }

    /// An axis without values, and without numbers.
    pub(super) fn blank() -> Self {
        Self {
            low: 0.0,
            high: 1.0,
            logarithmic: false,
            ticks: Vec::new(),
        }
    }

    /// In powers of ten, of positive values.
    pub(super) fn logarithmic(range: Range) -> Self {
        let low = range.low.max(1.0);
        let high = range.high.max(low * 1.1);
        let mut ticks = Vec::new();
        let (first, last) = (low.log10().floor(), high.log10().ceil());
        for power in 0..=num::places(last - first).min(20) {
            for factor in [1.0, 2.0, 5.0] {
                let at = factor * 10_f64.powf(first + num::place(power));
                if at >= low * 0.999 && at <= high * 1.001 {
                    let (unit, name) = values::unit_for(at * 1.000_001);
                    let (value, decimals) = (at / unit, decimals_for(at / unit));
                    ticks.push(Tick {
                        at,
                        label: format!("{value:.decimals$} {name}"),
                    });
                }
            }
        }
        Self {
            low,
            high,
            logarithmic: true,
            ticks,
        }
    }

    /// Its greatest value.
    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// Its least value.
    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// The value at a place from 0 to 1.
    pub(super) fn value(&self, share: f64) -> f64 {
        if self.logarithmic {
            self.low * (self.high / self.low).powf(share)
        } else {
            self.low + (self.high - self.low) * share
        }
    }

    /// Where a value is: 0 to 1, its nearest end if it is not there at all.
    pub(super) fn share(&self, value: f64) -> f64 {
        let (low, high, value) = if self.logarithmic {
            (self.low.ln(), self.high.ln(), value.max(1.0).ln())
        } else {
            (self.low, self.high, value)
        };
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }
}

/// 1, 2 or 5 times a power of ten, and not less than this.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-3).log10().floor());
    let step = [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * 0.999_999);
    step.unwrap_or(10.0 * power)
}

/// As many as a step wants.
fn decimals_for(step: f64) -> usize {
    (0..9)
        .find(|decimals| {
            let steps = step * 10_f64.powi(*decimals);
            (steps - steps.round()).abs() < 1e-6 * steps.max(1.0) && steps >= 0.999
        })
        .and_then(|decimals| usize::try_from(decimals).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, ticks: f64) -> Vec<String> {
        let axis = Axis::linear(Range { low, high }, ticks);
        axis.ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_and_have_their_unit() {
        assert_eq!(labels(1e6, 3.7e6, 4.0), ["0", "1 ms", "2 ms", "3 ms"]);
        assert_eq!(
            labels(10.0e6, 10.001e6, 4.0),
            ["9.5 ms", "10.0 ms", "10.5 ms"]
        );
        assert_eq!(labels(-3e3, 9e3, 2.0), ["0"]);
        assert_eq!(labels(-3e3, 9e3, 3.0), ["0", "5 us"]);
        assert_eq!(labels(0.0, 0.0, 2.0), ["0", "2 us"]);
        assert_eq!(labels(0.0, 1.4e9, 3.0), ["0", "500 ms", "1000 ms"]);
    }

    #[test]
    fn a_logarithmic_axis_has_one_two_and_five() {
        let axis = Axis::logarithmic(Range {
            low: 90e3,
            high: 2e6,
        });
        let labels: Vec<String> = axis.ticks.into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["100 us", "200 us", "500 us", "1 ms", "2 ms"]);
    }

    #[test]
    fn a_lonely_spike_does_not_flatten_the_rest_and_a_new_level_counts() {
        let quiet: Vec<(f64, f64)> = (0..100).map(|_| (1e6, 1.2e6)).collect();
        let mut spiked = quiet.clone();
        spiked.push((1e6, 2e9));
        let range = Range::of(&spiked, &spiked).unwrap();
        assert!(range.high < 1.5e6, "{range:?}");
        let moved: Vec<(f64, f64)> = quiet.iter().map(|(l, h)| (l + 5e7, h + 5e7)).collect();
        let both = [quiet.clone(), moved].concat();
        assert!(Range::of(&both, &both).unwrap().high >= 5.12e7);
        assert_eq!(
            Range::of(&quiet, &quiet),
            Some(Range {
                low: 1e6,
                high: 1.2e6
            })
        );
        assert_eq!(Range::of(&[], &[]), None);
    }

    #[test]
    fn no_range_leads_off_the_axis() {
        for (low, high) in [
            (0.0, 0.0),
            (-9.3e18, 9.3e18),
            (9.2e18, 9.2e18),
            (-9.2e18, -9.2e18),
            (1e9, 1e9 + 1.0),
        ] {
            for axis in [
                Axis::linear(Range { low, high }, 5.0),
                Axis::logarithmic(Range { low, high }),
            ] {
                for value in [low, high, 0.0, f64::midpoint(low, high)] {
                    let share = axis.share(value);
                    assert!((0.0..=1.0).contains(&share), "{low} {high} {value} {share}");
                }
                assert!(axis.ticks.len() < 60, "{low} {high}");
            }
        }
    }
}
