//! Inter-packet delay variation (RFC 3393, RFC 5481 section 4.1; rows M-17, M-18): the difference
//! of the delays of two packets with consecutive sequence numbers, whatever their order of arrival.

use crate::round;

/// The mean of `|D(i) - D(i-1)|`, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ipdv {
    sum: u128,
    pairs: u64,
}

impl Ipdv {
    /// Records the delays of two packets with consecutive numbers, in either order.
    pub(crate) fn record(&mut self, one_ns: i64, other_ns: i64) {
        self.sum += u128::from(one_ns.abs_diff(other_ns));
        self.pairs += 1;
    }

    /// Mean absolute variation, rounded; `None` while there is no pair.
    pub(crate) fn value(&self) -> Option<u64> {
        round::mean_unsigned(self.sum, self.pairs)
    }

    /// Sum of the absolute differences, and the number of pairs.
    pub(crate) fn parts(&self) -> (u128, u64) {
        (self.sum, self.pairs)
    }

    pub(crate) fn from_parts(sum: u128, pairs: u64) -> Self {
        Self { sum, pairs }
    }

    /// Adds the pairs of another run.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.pairs = self.pairs.saturating_add(other.pairs);
    }
}

/// The last sequence numbers, a window of them, with N values each, so that the second of two
/// neighbours finds the first. A number older than the window has no neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours<const N: usize> {
    slots: Box<[Slot<N>]>,
    empty: bool,
}

/// `number` is the sequence number plus one; 0 is an empty slot.
#[derive(Clone, Copy, Debug)]
struct Slot<const N: usize> {
    number: u64,
    values: [i64; N],
}

impl<const N: usize> Neighbours<N> {
    const EMPTY: Slot<N> = Slot {
        number: 0,
        values: [0; N],
    };

    /// `window`: how many sequence numbers late a packet may come and still find its neighbours; a
    /// power of two.
    pub(crate) fn new(window: u16) -> Self {
        Self {
            slots: vec![Self::EMPTY; usize::from(window).next_power_of_two()].into(),
            empty: true,
        }
    }

    /// Remembers `values` and passes those of `seq - 1` and `seq + 1`, if known, to `pair`. Each
    /// number must be recorded only once: the caller filters duplicates.
    pub(crate) fn record(&mut self, seq: u64, values: [i64; N], mut pair: impl FnMut(&[i64; N])) {
        let number = seq.saturating_add(1);
        for neighbour in [number - 1, number.saturating_add(1)] {
            if let Some(slot) = self.slots.get(self.place(neighbour))
                && slot.number == neighbour
                && neighbour != 0
            {
                pair(&slot.values);
            }
        }
        let place = self.place(number);
        if let Some(slot) = self.slots.get_mut(place)
            && slot.number < number
        {
            *slot = Slot { number, values };
            self.empty = false;
        }
    }

    /// Forgets all numbers, so that no pair spans this moment (row M-22).
    pub(crate) fn reset(&mut self) {
        if !self.empty {
            self.slots.fill(Self::EMPTY);
            self.empty = true;
        }
    }

    /// Heap memory in octets; it never changes.
    pub(crate) fn octets(&self) -> usize {
        size_of_val(&*self.slots)
    }

    fn place(&self, number: u64) -> usize {
        let mask = round::count(self.slots.len()).saturating_sub(1);
        usize::try_from(number & mask).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partners(window: &mut Neighbours<1>, seq: u64, value: i64) -> Vec<i64> {
        let mut found = Vec::new();
        window.record(seq, [value], |values| found.push(values[0]));
        found
    }

    #[test]
    fn a_reordered_packet_still_finds_both_neighbours() {
        let mut window = Neighbours::new(1024);
        assert_eq!(partners(&mut window, 0, 10), []);
        assert_eq!(partners(&mut window, 2, 12), []);
        assert_eq!(partners(&mut window, 1, 11), [10, 12]);
        assert_eq!(partners(&mut window, 3, 13), [12]);
    }

    #[test]
    fn a_packet_older_than_the_window_replaces_no_other() {
        let mut window = Neighbours::new(1024);
        assert_eq!(partners(&mut window, 1024, 1), []);
        assert_eq!(partners(&mut window, 0, 2), []);
        assert_eq!(partners(&mut window, 1025, 3), [1]);
        assert_eq!(partners(&mut window, 1, 4), []);
        window.reset();
        assert_eq!(partners(&mut window, 1026, 5), []);
    }

    #[test]
    fn the_mean_is_null_without_a_pair_and_rounds_half_up() {
        let mut ipdv = Ipdv::default();
        assert_eq!(ipdv.value(), None);
        ipdv.record(0, 1);
        ipdv.record(5, 3);
        assert_eq!(ipdv.value(), Some(2));
        ipdv.record(i64::MIN, i64::MAX);
        assert!(ipdv.value().is_some());
    }
}
