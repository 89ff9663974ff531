//! Inter-packet delay variation (RFC 3393, RFC 5481 section 4.1; rows M-17, M-18): the difference
//! of the delays of two packets with consecutive sequence numbers, whatever their order of arrival.

use crate::ring::Ring;
use crate::round;

/// The mean of `|D(i) - D(i-1)|`, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ipdv {
    sum: u128,
    pairs: u64,
}

impl Ipdv {
    pub(crate) const fn new() -> Self {
        Self { sum: 0, pairs: 0 }
    }

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

/// The last sequence numbers, a window of `WINDOW` (a power of two), with N values each, so that the
/// second of two neighbours finds the first. A number older than the window has no neighbours.
///
/// As long as each number is one more than the last, only those at the ends have a neighbour to come.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours<const N: usize, const WINDOW: usize> {
    /// The first numbers since the last reset, up to the one before the first gap.
    row: Option<[Slot<N>; 2]>,
    /// From there on, the last number in each place; those of the row between its ends aside.
    slots: Ring<Slot<N>>,
    in_order: bool,
}

/// `number` is the sequence number plus one; 0 is an empty slot.
#[derive(Clone, Copy, Debug)]
struct Slot<const N: usize> {
    number: u64,
    values: [i64; N],
}

impl<const N: usize> Default for Slot<N> {
    fn default() -> Self {
        Self {
            number: 0,
            values: [0; N],
        }
    }
}

impl<const N: usize, const WINDOW: usize> Neighbours<N, WINDOW> {
    pub(crate) const fn new() -> Self {
        Self {
            row: None,
            slots: Ring::new(WINDOW),
            in_order: true,
        }
    }

    /// Remembers `values` and passes those of `seq - 1` and `seq + 1`, if known, to `pair`. Each
    /// number must be recorded only once: the caller filters duplicates.
    #[inline]
    pub(crate) fn record(&mut self, seq: u64, values: [i64; N], mut pair: impl FnMut(&[i64; N])) {
        let number = seq.saturating_add(1);
        let new = Slot { number, values };
        if self.in_order {
            match &mut self.row {
                None => {
                    self.row = Some([new; 2]);
                    return;
                }
                Some([_, last]) if last.number.checked_add(1) == Some(number) => {
                    pair(&last.values);
                    *last = new;
                    return;
                }
                Some(_) => self.leave_order(),
            }
        }
        for neighbour in [number - 1, number.saturating_add(1)] {
            let slot = self.slots.get(neighbour);
            if slot.number == neighbour && neighbour != 0 {
                pair(&slot.values);
            }
        }
        if !self.is_taken(number)
            && let Some(slot) = self.slots.slot(number)
            && slot.number < number
        {
            *slot = new;
        }
    }

    /// Forgets all numbers, so that no pair spans this moment (row M-22).
    pub(crate) fn reset(&mut self) {
        self.row = None;
        self.slots.clear();
        self.in_order = true;
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.slots.octets()
    }

    /// A number does not follow the last one: from now on neighbours are looked for in their slots.
    #[cold]
    fn leave_order(&mut self) {
        self.in_order = false;
        let Some([first, last]) = self.row else {
            return;
        };
        // The row may have taken the first one's place since.
        let ends = if last.number - first.number < round::count(WINDOW) {
            [first, last]
        } else {
            [last, last]
        };
        for end in ends {
            if let Some(slot) = self.slots.slot(end.number) {
                *slot = end;
            }
        }
    }

    /// A greater number of the row has this one's place.
    fn is_taken(&self, number: u64) -> bool {
        let Some([first, last]) = &self.row else {
            return false;
        };
        let above = last.number.checked_sub(number);
        above.is_some_and(|above| {
            let greatest = last.number - above % round::count(WINDOW);
            greatest > number && greatest >= first.number
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partners(window: &mut Neighbours<1, 1024>, seq: u64, value: i64) -> Vec<i64> {
        let mut found = Vec::new();
        window.record(seq, [value], |values| found.push(values[0]));
        found
    }

    #[test]
    fn a_reordered_packet_still_finds_both_neighbours() {
        let mut window = Neighbours::new();
        assert_eq!(partners(&mut window, 0, 10), []);
        assert_eq!(partners(&mut window, 2, 12), []);
        assert_eq!(partners(&mut window, 1, 11), [10, 12]);
        assert_eq!(partners(&mut window, 3, 13), [12]);
    }

    /// A window with all its slots from the beginning.
    fn in_slots(slots: &mut [(u64, i64)], seq: u64, value: i64) -> Vec<i64> {
        let place = |number: u64| usize::try_from(number % slots.len() as u64).unwrap();
        let (here, beside) = (place(seq + 1), [place(seq), place(seq + 2)]);
        let found = beside.into_iter().zip([seq, seq + 2]);
        let found = found.filter(|(place, number)| *number > 0 && slots[*place].0 == *number);
        let found = found.map(|(place, _)| slots[place].1).collect();
        if slots[here].0 < seq + 1 {
            slots[here] = (seq + 1, value);
        }
        found
    }

    #[test]
    fn pairs_are_those_of_a_window_with_all_its_slots_whatever_the_order() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..3_000 {
            let (gaps, far) = (random(3) * random(20), [0, 2, 20, 70][round % 4]);
            let mut order = Vec::new();
            for seq in random(3)..random(200) + 3 {
                if random(100) >= gaps {
                    let late = if random(9) == 0 { random(far + 1) } else { 0 };
                    order.push((seq + late, seq));
                }
            }
            order.sort_unstable();
            let mut window: Neighbours<1, 32> = Neighbours::new();
            let mut slots = [(0, 0); 32];
            for (_, seq) in order {
                let value = seq.cast_signed() * 3;
                let mut found = Vec::new();
                window.record(seq, [value], |values| found.push(values[0]));
                assert_eq!(
                    found,
                    in_slots(&mut slots, seq, value),
                    "round {round}, {seq}"
                );
                if random(150) == 0 {
                    window.reset();
                    slots = [(0, 0); 32];
                }
            }
        }
    }

    #[test]
    fn numbers_in_order_take_no_heap_memory() {
        let mut window: Neighbours<4, 256> = Neighbours::new();
        (0..5_000).for_each(|seq| window.record(seq, [0; 4], |_| {}));
        assert_eq!(window.octets(), 0);
        window.record(5_001, [0; 4], |_| {});
        assert!(window.octets() > 0);
    }

    #[test]
    fn a_packet_older_than_the_window_replaces_no_other() {
        let mut window = Neighbours::new();
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
