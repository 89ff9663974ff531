//! Reordering (RFC 4737; rows M-41 to M-49) of one stream of numbers in their order of arrival.

use twinpath_wire::Wall;

use crate::ReorderingFigures;
use crate::order::compact::{CompactWall, low32};
use crate::order::window::ReorderingWindow;

/// The greatest n of n-reordering that is counted separately.
const MOST_N: u16 = 100;
/// Mask of the part of a number that an arrival keeps; the lowest bit marks arrivals in order.
const LOW: u64 = (1 << 31) - 1;

/// Reordering of one stream. In-order packets are only entered in the window; the work is done for
/// reordered ones.
#[derive(Clone, Debug)]
pub(crate) struct Reordering {
    next_expected: i64,
    /// Arrivals since the window was emptied.
    arrivals: u64,
    /// Of those, the ones before the last step of the arrivals' clock.
    before_step: u64,
    most: ReorderingWindow,
    /// Of the last arrivals, at most so many; as long as these are few, as many.
    window: Vec<Arrival>,
    /// In-order packets since the last reordered one.
    run: u64,
    figures: ReorderingFigures,
}

/// A number's lower 31 bits and whether it came in order, and when.
#[derive(Clone, Copy, Debug, Default)]
struct Arrival {
    number: u32,
    at: CompactWall,
}

impl Reordering {
    /// A stream of numbers that starts at 0 or above.
    pub(crate) fn new(most: ReorderingWindow) -> Self {
        Self {
            most,
            next_expected: 0,
            arrivals: 0,
            before_step: 0,
            window: Vec::new(),
            run: 0,
            figures: ReorderingFigures::default(),
        }
    }

    /// Records the next packet to arrive: only first copies; late ones are lost and not recorded.
    #[inline]
    pub(crate) fn record(&mut self, number: i64, at: Wall) {
        let in_order = number >= self.next_expected;
        if in_order {
            self.next_expected = number.saturating_add(1);
            self.run += 1;
        } else {
            self.reordered(number, at);
        }
        self.figures.packets += 1;
        let slot = self.slot(self.arrivals);
        let arrival = Arrival::new(number, in_order, at);
        match self.window.get_mut(slot) {
            Some(slot) => *slot = arrival,
            None => self.window.push(arrival),
        }
        self.arrivals += 1;
    }

    /// The clock of the arrivals stepped: no late time spans this moment.
    pub(crate) fn record_clock_step(&mut self) {
        self.before_step = self.arrivals;
    }

    /// The numbers start again, at `first` or above: later arrivals are not compared with earlier
    /// ones.
    pub(crate) fn restart(&mut self, first: i64) {
        self.next_expected = first;
        self.arrivals = 0;
        self.before_step = 0;
    }

    /// True before the first arrival.
    pub(crate) fn is_empty(&self) -> bool {
        self.figures.packets == 0
    }

    /// The next number expected.
    pub(crate) fn next_expected(&self) -> i64 {
        self.next_expected
    }

    /// The same order of numbers that are all greater by `more`.
    pub(crate) fn shifted(&self, more: i64) -> Self {
        let mut all = self.clone();
        all.next_expected = all.next_expected.saturating_add(more);
        for arrival in &mut all.window {
            arrival.number = arrival
                .number
                .wrapping_add(low32(more.cast_unsigned()) << 1);
        }
        all
    }

    pub(crate) fn value(&self) -> ReorderingFigures {
        let mut figures = self.figures;
        figures.in_order += self.run;
        figures
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.window.capacity() * size_of::<Arrival>()
    }

    #[cold]
    fn reordered(&mut self, number: i64, at: Wall) {
        let distance = self.next_expected.abs_diff(number);
        // Searches back for the earliest arrival with a greater number: there is none before an
        // in-order packet with a smaller one.
        let (mut extent, mut overtaken_by, mut unbroken) = (0, None, true);
        let mut n = 0;
        let mut begins = false;
        let most = u64::from(self.most.packets());
        let known = self.arrivals.min(most);
        for back in 1..=known {
            let position = self.arrivals - back;
            let Some(arrival) = self.window.get(self.slot(position)) else {
                break;
            };
            let greater = arrival.distance(self.next_expected) < distance;
            if greater {
                (extent, overtaken_by) = (back, Some((position, Wall::from(arrival.at))));
                n += u64::from(unbroken);
            } else {
                unbroken = false;
                if arrival.is_in_order() {
                    begins = true;
                    break;
                }
            }
        }
        let figures = &mut self.figures;
        let found = begins || self.arrivals <= most;
        if !found {
            extent = most;
            figures.extent_beyond_window += 1;
        }
        figures.reordered += 1;
        figures.extent_sum += u128::from(extent);
        figures.extent_max = figures.extent_max.max(Some(extent));
        if let Some((position, since)) = overtaken_by
            && position >= self.before_step
            && let Ok(late) = u64::try_from((at - since).ns())
        {
            figures.late_times += 1;
            figures.late_time_sum_ns += u128::from(late);
            figures.late_time_max_ns = figures.late_time_max_ns.max(Some(late));
        }
        let n = n.min(u64::from(MOST_N));
        for (degree, count) in (1..).zip(&mut figures.n_reordered) {
            *count += u64::from(n >= degree);
        }
        figures.n_largest = figures.n_largest.max((n > 0).then_some(n));
        figures.free_runs += 1;
        figures.in_order += self.run;
        figures.run_squares += u128::from(self.run) * u128::from(self.run);
        self.run = 0;
    }

    fn slot(&self, position: u64) -> usize {
        usize::try_from(position & u64::from(self.most.packets() - 1)).unwrap_or(0)
    }
}

impl Arrival {
    fn new(number: i64, in_order: bool, at: Wall) -> Self {
        let low = number.cast_unsigned() & LOW;
        Self {
            number: low32(low << 1 | u64::from(in_order)),
            at: at.into(),
        }
    }

    fn is_in_order(self) -> bool {
        self.number & 1 == 1
    }

    /// How far the number is below the next one expected: within a window, less than 2^31.
    fn distance(self, next_expected: i64) -> u64 {
        next_expected
            .cast_unsigned()
            .wrapping_sub(u64::from(self.number >> 1))
            & LOW
    }
}
