//! The resolution of the far end's timestamps: some routers write T2 and T3 in milliseconds.

use twinpath_wire::Wall;

/// Grids of a coarse clock's times, finest first: powers of ten of nanoseconds.
const DECIMAL: [i64; 7] = [
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
];
/// Binary grids: powers of two of the 32-bit fraction of a second, from 2^13 (1.9 us) to 2^31 (0.5
/// s).
const BINARY: std::ops::Range<u32> = 13..32;
/// One bit per grid: decimal grids from bit 0, binary ones from bit 8.
const ALL: u32 = 0x07ff_ff7f;
/// The fewest distinct timestamps that must agree: by chance, one in ten fits a grid ten times as
/// coarse.
const ENOUGH: u32 = 16;
const SECOND: i64 = 1_000_000_000;

/// The coarsest grid that contains every T2 and T3. For a clock without a grid, the work ends after
/// a few timestamps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolution {
    /// Grids that no timestamp contradicts yet.
    possible: u32,
    different: u32,
    last: Option<Wall>,
}

impl Default for Resolution {
    fn default() -> Self {
        Self {
            possible: ALL,
            different: 0,
            last: None,
        }
    }
}

impl Resolution {
    /// Records a timestamp of the far end.
    #[inline]
    pub(crate) fn record(&mut self, stamp: Option<Wall>) {
        if self.possible != 0
            && let Some(stamp) = stamp
        {
            self.test(stamp);
        }
    }

    /// The grid in nanoseconds, at least 1 us; `None` for a finer clock, or with too few
    /// timestamps.
    pub(crate) fn value(self) -> Option<u64> {
        self.so_far().filter(|_| self.different >= ENOUGH)
    }

    /// The grid even with few timestamps: possibly too coarse, never too fine.
    pub(crate) fn so_far(self) -> Option<u64> {
        if self.possible == 0 {
            return None;
        }
        let decimal = (0..).zip(DECIMAL).filter(|(bit, _)| self.is_possible(*bit));
        let decimal = decimal.map(|(_, grid)| grid.unsigned_abs()).last();
        let binary = BINARY.rev().find(|power| self.is_possible(power - 5));
        let binary = binary.map(|power| (SECOND.unsigned_abs() << power) >> 32);
        decimal.max(binary)
    }

    #[cold]
    fn test(&mut self, stamp: Wall) {
        if self.last != Some(stamp) {
            self.different = self.different.saturating_add(1);
            self.last = Some(stamp);
        }
        // Whole microseconds converted through an NTP fraction may be off by 1 ns.
        let ns = stamp.unix_ns();
        for (bit, grid) in (0..).zip(DECIMAL) {
            let beyond = ns.rem_euclid(grid);
            self.keep(bit, beyond <= 1 || beyond >= grid - 1);
        }
        // 1 ns is 4.3 units of the fraction.
        let fraction = (i128::from(ns.rem_euclid(SECOND)) << 32) / i128::from(SECOND);
        for power in BINARY {
            let beyond = fraction & ((1 << power) - 1);
            self.keep(power - 5, beyond <= 5 || beyond >= (1 << power) - 5);
        }
    }

    fn is_possible(self, bit: u32) -> bool {
        self.possible >> bit & 1 == 1
    }

    fn keep(&mut self, bit: u32, possible: bool) {
        if !possible {
            self.possible &= !(1 << bit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The resolution of stamps that `told` makes of true times some 7 ms apart.
    fn of(told: impl Fn(i64) -> i64) -> Option<u64> {
        let mut resolution = Resolution::default();
        for n in 0..200_i64 {
            let at = 1_763_900_000_123_456_789 + n * 7_123_457;
            resolution.record(Some(Wall::from_unix_ns(told(at))));
        }
        resolution.value()
    }

    #[test]
    fn coarse_clocks_are_found_and_fine_ones_are_not() {
        for grid in DECIMAL.into_iter().take(5) {
            assert_eq!(of(|at| at - at % grid), Some(grid.unsigned_abs()));
            // As carried by an NTP fraction, truncated in both conversions.
            let ntp = |at: i64| {
                let at = at - at % grid;
                let fraction = (i128::from(at % SECOND) << 32) / i128::from(SECOND);
                let ns = i64::try_from((fraction * i128::from(SECOND)) >> 32).unwrap();
                at - at % SECOND + ns
            };
            assert_eq!(of(ntp), Some(grid.unsigned_abs()), "{grid} ns");
        }
        assert_eq!(of(|at| at), None);
        assert_eq!(of(|at| at - at % 100), None);
    }

    #[test]
    fn a_fraction_with_constant_low_bits_is_a_grid_of_a_power_of_two() {
        for power in [13_u32, 20, 26] {
            let told = |at: i64| {
                let fraction = (i128::from(at % SECOND) << 32) / i128::from(SECOND);
                let fraction = fraction >> power << power;
                at - at % SECOND + i64::try_from((fraction * i128::from(SECOND)) >> 32).unwrap()
            };
            assert_eq!(of(told), Some((1_000_000_000 << power) >> 32), "2^{power}");
        }
    }

    #[test]
    fn few_or_repeated_timestamps_give_no_resolution() {
        let mut resolution = Resolution::default();
        for _ in 0..1000 {
            resolution.record(Some(Wall::from_unix_ns(1_763_900_000_000_000_000)));
            resolution.record(None);
        }
        assert_eq!(resolution.value(), None);
        for second in 1..16 {
            let stamp = Wall::from_unix_ns((1_763_900_000 + second) * SECOND);
            resolution.record(Some(stamp));
        }
        assert_eq!(resolution.value(), Some(1_000_000_000));
    }
}
