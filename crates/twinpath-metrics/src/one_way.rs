//! One direction as its receiving end sees it: no reply tells more (RFC 7679, RFC 7680).

use twinpath_wire::Delta;

use crate::DelayFigures;
use crate::delay::distribution::Binning;
use crate::delay::kind::Delay;
use crate::loss::seen::{Seen, SeenWindow};
use crate::order::compact::nearest;

/// The most memory that the delays may claim, in octets: beyond it they get coarser.
const DELAY_OCTETS: usize = 8 * 1024;

/// Delay, loss, copies and order of the packets of a session that arrive, in constant memory: at most
/// 18 KB, whatever their numbers and delays.
#[derive(Clone, Debug)]
pub struct OneWayMetrics {
    received: u64,
    duplicates: u64,
    reordered: u64,
    stale: u64,
    refused: u64,
    /// The sender does not count its packets.
    is_unnumbered: bool,
    /// The least and the greatest number; `None` before the first packet.
    numbers: Option<(i64, i64)>,
    seen: SeenWindow,
    delay: Delay,
    unstamped: u64,
}

/// What they came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneWayFigures {
    /// Packets that arrived, without further copies.
    pub received: u64,
    /// Packets that arrived and were refused: neither received nor lost.
    pub refused: u64,
    /// Numbers without a packet, between the least and the greatest that arrived (RFC 7680): losses
    /// before and behind these do not show. `None`: the sender does not count its packets.
    pub lost: Option<u64>,
    /// Further copies (RFC 5560); `None` as for `lost`.
    pub duplicates: Option<u64>,
    /// Packets that arrived after one with a greater number (RFC 4737 section 3.3); `None` as for `lost`.
    pub reordered: Option<u64>,
    /// Packets that came so late that they may have been copies: not among those received.
    pub stale: u64,
    /// Delays, which include the offset of the two clocks (RFC 7679 section 3.4).
    pub delay: Option<DelayFigures>,
    /// Packets without a time of departure: not in the delays.
    pub unstamped: u64,
}

impl Default for OneWayMetrics {
    fn default() -> Self {
        Self {
            received: 0,
            duplicates: 0,
            reordered: 0,
            stale: 0,
            refused: 0,
            is_unnumbered: false,
            numbers: None,
            seen: SeenWindow::new(),
            delay: Delay::new(Binning::FromTheFirst),
            unstamped: 0,
        }
    }
}

impl OneWayMetrics {
    /// Records the next packet to arrive, with its number as sent and its delay; `None`: it does not
    /// say when it left.
    pub fn record(&mut self, number: u32, delay: Option<Delta>) {
        if self.is_unnumbered || self.arrives(number) {
            self.received += 1;
            self.record_delay(delay);
        }
    }

    /// Records that the next packet to arrive was refused.
    pub fn record_refused(&mut self, number: u32) {
        self.refused += u64::from(self.is_unnumbered || self.arrives(number));
    }

    /// The sender does not count its packets: their numbers say nothing of losses, copies and order.
    pub fn ignore_numbers(&mut self) {
        self.is_unnumbered = true;
    }

    /// Whether a number arrives for the first time.
    fn arrives(&mut self, number: u32) -> bool {
        let (least, greatest) = self.numbers.unwrap_or((number.into(), number.into()));
        let number = nearest(number, greatest);
        match self.seen.insert(number) {
            Seen::First => {}
            Seen::Again => {
                self.duplicates += 1;
                return false;
            }
            Seen::Unknown => {
                self.stale += 1;
                return false;
            }
        }
        self.numbers = Some((least.min(number), greatest.max(number)));
        self.reordered += u64::from(number < greatest);
        true
    }

    fn record_delay(&mut self, delay: Option<Delta>) {
        let Some(delay) = delay else {
            self.unstamped += 1;
            return;
        };
        if self.delay.record(delay.ns()) {
            while self.delay.claimed_octets() > DELAY_OCTETS && self.delay.coarsen() {}
        }
    }

    /// The clock of arrivals stepped: jitter starts again (row M-22).
    pub fn record_clock_step(&mut self) {
        self.delay.reset();
    }

    /// The figures so far. Walks the histogram: for reports, not for every packet.
    pub fn figures(&self) -> OneWayFigures {
        let numbers = self.numbers.map_or(0, |(least, greatest)| {
            greatest.abs_diff(least).saturating_add(1)
        });
        let arrived = self.received + self.refused;
        let of_numbers = |count: u64| (!self.is_unnumbered).then_some(count);
        OneWayFigures {
            received: self.received,
            refused: self.refused,
            lost: of_numbers(numbers.saturating_sub(arrived)),
            duplicates: of_numbers(self.duplicates),
            reordered: of_numbers(self.reordered),
            stale: self.stale,
            delay: self.delay.figures(),
            unstamped: self.unstamped,
        }
    }

    /// Memory in octets, including the heap.
    pub fn memory_octets(&self) -> usize {
        size_of::<Self>() + self.seen.octets() + self.delay.heap_octets()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn losses_copies_and_order_are_those_of_the_numbers_that_arrived() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        // The numbers wrap on the way.
        for first in [0_u64, 5_000, (1 << 32) - 300] {
            let mut metrics = OneWayMetrics::default();
            let mut arrived: BTreeSet<u64> = BTreeSet::new();
            let (mut copies, mut reordered) = (0, 0);
            let mut delays = Vec::new();
            for seq in first..first + 2_000 {
                let seq = if random(10) == 0 {
                    seq + random(5)
                } else {
                    seq
                };
                if random(7) == 0 {
                    continue;
                }
                let is_late = arrived.last().is_some_and(|greatest| seq < *greatest);
                let delay = i64::try_from(random(3_000_000)).unwrap() - 1_000_000;
                let low = u32::try_from(seq & u64::from(u32::MAX)).unwrap();
                metrics.record(low, Some(Delta::from_ns(delay)));
                if arrived.insert(seq) {
                    reordered += u64::from(is_late);
                    delays.push(delay);
                } else {
                    copies += 1;
                }
            }
            let figures = metrics.figures();
            let (least, greatest) = (arrived.first().unwrap(), arrived.last().unwrap());
            let received = arrived.len() as u64;
            assert_eq!(figures.received, received);
            assert_eq!(figures.lost, Some(greatest - least + 1 - received));
            assert_eq!(figures.duplicates, Some(copies));
            assert_eq!(figures.reordered, Some(reordered));
            assert!(copies > 0 && reordered > 0 && figures.lost > Some(0));
            let delay = figures.delay.unwrap();
            assert_eq!(delay.count, received);
            assert_eq!(delay.min_ns, *delays.iter().min().unwrap());
            assert_eq!(delay.max_ns, *delays.iter().max().unwrap());
        }
    }

    #[test]
    fn memory_is_bounded_whatever_arrives() {
        let mut metrics = OneWayMetrics::default();
        let mut state = 1_u64;
        for _ in 0..50_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let number = u32::try_from(state >> 32).unwrap();
            let delay = (state.rotate_left(20).cast_signed()) >> (state % 63);
            metrics.record(number, Some(Delta::from_ns(delay)));
            assert!(
                metrics.memory_octets() <= 18 * 1024,
                "{}",
                metrics.memory_octets()
            );
        }
    }

    #[test]
    fn a_packet_without_a_time_of_departure_counts_and_has_no_delay() {
        let mut metrics = OneWayMetrics::default();
        metrics.record(9, None);
        metrics.record(11, None);
        let figures = metrics.figures();
        assert_eq!(
            (figures.received, figures.lost, figures.unstamped),
            (2, Some(1), 2)
        );
        assert_eq!(figures.delay, None);
        assert_eq!(OneWayMetrics::default().figures().lost, Some(0));
    }

    #[test]
    fn what_arrived_and_was_refused_is_not_lost() {
        let mut metrics = OneWayMetrics::default();
        for number in 0..100 {
            match number % 10 {
                0..5 => metrics.record(number, Some(Delta::from_ns(1_000))),
                5..8 => metrics.record_refused(number),
                _ => {}
            }
        }
        metrics.record_refused(95);
        let figures = metrics.figures();
        assert_eq!((figures.received, figures.refused), (50, 30));
        // 98 and 99 do not show.
        assert_eq!((figures.lost, figures.duplicates), (Some(18), Some(1)));
        assert_eq!(figures.delay.unwrap().count, 50);
    }

    #[test]
    fn of_packets_that_are_not_counted_delays_alone_are_known() {
        let mut metrics = OneWayMetrics::default();
        metrics.record(7, Some(Delta::from_ns(1_000)));
        metrics.ignore_numbers();
        for _ in 0..9 {
            metrics.record(7, Some(Delta::from_ns(2_000)));
        }
        metrics.record_refused(7);
        let figures = metrics.figures();
        assert_eq!((figures.received, figures.refused), (10, 1));
        assert_eq!(
            [figures.lost, figures.duplicates, figures.reordered],
            [None; 3]
        );
        assert_eq!(figures.delay.unwrap().count, 10);
    }
}
