//! Quantiles of three series of values in a few octets.

use super::column::Smoke;
use crate::delay::distribution::middle;
use crate::round;

/// Values kept per series.
const KEPT: usize = 32;
/// Round trip, forward, backward.
pub(crate) const SERIES: usize = 3;

/// A sample of the values, each of which stands for 2^`level` of them.
///
/// Up to 32 values, all are kept. Then every second of the sorted values is dropped, and of later
/// values one in 2^`level` is taken, at random within each such block, so the cost per value falls
/// with their number. Least and greatest are exact.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    count: u64,
    /// The count at which the next value is taken.
    next: u64,
    level: u8,
    kept: u8,
    base: [i64; SERIES],
    least: [i64; SERIES],
    greatest: [i64; SERIES],
    /// Distances from `base`: near values are exact to the nanosecond, far ones to 1e-7.
    values: [[f32; KEPT]; SERIES],
}

impl Summary {
    pub(crate) const EMPTY: Self = Self {
        count: 0,
        next: 0,
        level: 0,
        kept: 0,
        base: [0; SERIES],
        least: [i64::MAX; SERIES],
        greatest: [i64::MIN; SERIES],
        values: [[0.0; KEPT]; SERIES],
    };

    #[inline]
    pub(crate) fn record(&mut self, values: [i64; SERIES], random: &mut Random) {
        for ((least, greatest), value) in self.least.iter_mut().zip(&mut self.greatest).zip(values)
        {
            *least = (*least).min(value);
            *greatest = (*greatest).max(value);
        }
        if self.count == self.next {
            self.take(values, random);
        }
        self.count += 1;
    }

    /// Adds another summary.
    pub(crate) fn merge(&mut self, other: &Self, random: &mut Random) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other.clone();
            return;
        }
        let mut other = other.clone();
        while self.level < other.level {
            self.halve(random);
        }
        while other.level < self.level {
            other.halve(random);
        }
        if usize::from(self.kept) + usize::from(other.kept) > KEPT {
            self.halve(random);
            other.halve(random);
        }
        let kept = usize::from(self.kept);
        let more = usize::from(other.kept);
        for series in 0..SERIES {
            if let (Some(own), Some(new), Some(base), Some(from)) = (
                self.values.get_mut(series),
                other.values.get(series),
                self.base.get(series),
                other.base.get(series),
            ) {
                let apart = round::float(from.saturating_sub(*base));
                for (slot, value) in own.iter_mut().skip(kept).zip(new).take(more) {
                    *slot = narrow(apart + f64::from(*value));
                }
            }
        }
        for series in 0..SERIES {
            if let (Some(least), Some(greatest), Some(low), Some(high)) = (
                self.least.get_mut(series),
                self.greatest.get_mut(series),
                other.least.get(series),
                other.greatest.get(series),
            ) {
                *least = (*least).min(*low);
                *greatest = (*greatest).max(*high);
            }
        }
        self.kept = self.kept.saturating_add(other.kept);
        self.count += other.count;
        self.next = self.count + random.below(self.level);
        if usize::from(self.kept) == KEPT {
            self.halve(random);
        }
    }

    /// `None` without a value.
    pub(crate) fn smoke(&self, series: usize) -> Option<Smoke> {
        if self.count == 0 {
            return None;
        }
        let kept = usize::from(self.kept);
        let mut values = *self.values.get(series)?;
        let values = values.get_mut(..kept)?;
        values.sort_unstable_by(f32::total_cmp);
        let (min_ns, max_ns) = (*self.least.get(series)?, *self.greatest.get(series)?);
        let base = *self.base.get(series)?;
        // The least and greatest value are exact.
        let all = self.level == 0;
        let at_rank = |rank: usize| {
            if all && (rank == 1 || rank == kept) {
                return if rank == 1 { min_ns } else { max_ns };
            }
            let value = values.get(rank - 1).map_or(0.0, |value| f64::from(*value));
            base.saturating_add(round::nearest(value))
                .clamp(min_ns, max_ns)
        };
        let quantile = |percent: usize| at_rank((kept * percent).div_ceil(100).max(1));
        Some(Smoke {
            count: self.count,
            min_ns,
            p5_ns: quantile(5),
            p25_ns: quantile(25),
            median_ns: middle(at_rank(kept.div_ceil(2).max(1)), at_rank(kept / 2 + 1)),
            p75_ns: quantile(75),
            p95_ns: quantile(95),
            max_ns,
        })
    }

    fn take(&mut self, values: [i64; SERIES], random: &mut Random) {
        if self.count == 0 {
            self.base = values;
        }
        for ((kept, value), base) in self.values.iter_mut().zip(values).zip(self.base) {
            if let Some(slot) = kept.get_mut(usize::from(self.kept)) {
                *slot = narrow(round::float(value.saturating_sub(base)));
            }
        }
        self.kept += 1;
        if usize::from(self.kept) == KEPT {
            self.halve(random);
        }
        let block = (self.count >> self.level) + 1;
        self.next = (block << self.level) + random.below(self.level);
    }

    /// Drops every second of the sorted values; each remaining one represents twice as many.
    #[cold]
    fn halve(&mut self, random: &mut Random) {
        let kept = usize::from(self.kept);
        let first = usize::from(random.below(1) == 1);
        for values in &mut self.values {
            if let Some(values) = values.get_mut(..kept) {
                values.sort_unstable_by(f32::total_cmp);
                for place in 0..kept / 2 {
                    if let Some(value) = values.get(place * 2 + first).copied()
                        && let Some(slot) = values.get_mut(place)
                    {
                        *slot = value;
                    }
                }
                // With an odd number, the last one represents half as many as the others, so it is
                // kept half of the time.
                if kept % 2 == 1
                    && first == 0
                    && let Some(value) = values.get(kept - 1).copied()
                    && let Some(slot) = values.get_mut(kept / 2)
                {
                    *slot = value;
                }
            }
        }
        let odd = u8::from(kept % 2 == 1 && first == 0);
        self.kept = self.kept / 2 + odd;
        self.level = self.level.saturating_add(1).min(62);
    }
}

/// Pseudo-random numbers that are the same in every run: xorshift.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Below 2^`bits`.
    fn below(&mut self, bits: u8) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 1) & ((1 << bits.min(62)) - 1)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest float of 32 bits is what is wanted"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of the values that are below a quantile, in percent.
    fn rank(values: &[i64], quantile: i64) -> f64 {
        let below = values.iter().filter(|value| **value < quantile).count();
        let upto = values.iter().filter(|value| **value <= quantile).count();
        let percent = |n: usize| {
            100.0 * round::float_unsigned(round::count(n))
                / round::float_unsigned(round::count(values.len()))
        };
        f64::midpoint(percent(below), percent(upto))
    }

    fn check(smoke: &Smoke, values: &[i64], tolerance: f64) {
        assert_eq!(smoke.count, round::count(values.len()));
        assert_eq!(Some(&smoke.min_ns), values.iter().min());
        assert_eq!(Some(&smoke.max_ns), values.iter().max());
        for (quantile, percent) in [
            (smoke.p5_ns, 5.0),
            (smoke.p25_ns, 25.0),
            (smoke.median_ns, 50.0),
            (smoke.p75_ns, 75.0),
            (smoke.p95_ns, 95.0),
        ] {
            let off = (rank(values, quantile) - percent).abs();
            assert!(off <= tolerance, "p{percent} off by {off}: {smoke:?}");
        }
    }

    #[test]
    fn few_values_are_exact_and_many_within_a_few_ranks() {
        let mut random = Random::new();
        let mut noise = Random(77);
        for count in [1_usize, 2, 20, 31] {
            let mut summary = Summary::EMPTY;
            let values: Vec<i64> = (0..count).map(|_| noise.below(20).cast_signed()).collect();
            for value in &values {
                summary.record([*value, -value, 5_000_000_000_000 + value], &mut random);
            }
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let smoke = summary.smoke(0).unwrap();
            let middle = middle(sorted[count.div_ceil(2) - 1], sorted[count / 2]);
            assert_eq!(smoke.median_ns, middle);
            assert_eq!(smoke.p95_ns, sorted[(count * 95).div_ceil(100) - 1]);
            let far = summary.smoke(2).unwrap();
            let apart = far.median_ns - 5_000_000_000_000;
            assert!((apart - smoke.median_ns).abs() <= 1, "halves are rounded");
            assert_eq!(summary.smoke(1).unwrap().min_ns, -smoke.max_ns);
            if count < 20 {
                // Far from the first value, beyond the precision of 24 bits.
                summary.record([-40_000_000_001; 3], &mut random);
                let wide = summary.smoke(0).unwrap();
                assert_eq!((wide.p5_ns, wide.p95_ns), (wide.min_ns, wide.max_ns));
            }
        }
        for count in [100_usize, 1000, 100_000] {
            let mut summary = Summary::EMPTY;
            let values: Vec<i64> = (0..count).map(|_| noise.below(30).cast_signed()).collect();
            for value in &values {
                summary.record([*value; 3], &mut random);
            }
            check(&summary.smoke(0).unwrap(), &values, 15.0);
        }
    }

    #[test]
    fn merged_summaries_weigh_as_much_as_their_values() {
        let mut random = Random::new();
        let mut noise = Random(5);
        let mut all = Vec::new();
        let mut merged = Summary::EMPTY;
        for part in 0..64 {
            let mut summary = Summary::EMPTY;
            // Unlike sizes, and later parts have greater values.
            for _ in 0..(part % 7 + 1) * 40 {
                let value = noise.below(20).cast_signed() + part * 20_000;
                all.push(value);
                summary.record([value, value, value], &mut random);
            }
            merged.merge(&summary, &mut random);
        }
        for series in 0..SERIES {
            check(&merged.smoke(series).unwrap(), &all, 12.0);
        }
        let before = merged.smoke(0);
        merged.merge(&Summary::EMPTY, &mut random);
        assert_eq!(merged.smoke(0), before);
        assert_eq!(Summary::EMPTY.smoke(0), None);
    }
}
