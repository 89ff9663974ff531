//! Which numbers were answered already, and the 64-bit reading of numbers that wrap (rows M-6,
//! M-31).

/// The smallest window, in numbers.
const MIN_WINDOW: u64 = 65_536;

/// A bitmap over the last max(65536, 2 x in flight) numbers.
#[derive(Debug)]
pub(super) struct Seen {
    /// Twice the window, so that blocks can be cleared whole; a power of two of blocks.
    blocks: Box<[u64]>,
    /// The largest number entered, plus one.
    next: u64,
}

impl Seen {
    pub(super) fn new(first: u64) -> Self {
        Self {
            blocks: zeros(MIN_WINDOW / 32),
            next: first,
        }
    }

    /// How far back numbers are remembered.
    pub(super) fn window(&self) -> u64 {
        self.blocks.len() as u64 * 32
    }

    /// `seq` comes into the window, unanswered, while `in_flight` numbers wait.
    pub(super) fn enter(&mut self, seq: u64, in_flight: u64) {
        if in_flight.saturating_mul(2) > self.window() {
            self.grow();
        }
        if seq.is_multiple_of(64)
            && let Some(block) = self.block_mut(seq)
        {
            *block = 0;
        }
        self.next = seq.saturating_add(1);
    }

    /// `seq` was answered.
    pub(super) fn mark(&mut self, seq: u64) {
        if self.remembers(seq)
            && let Some(block) = self.block_mut(seq)
        {
            *block |= 1 << (seq % 64);
        }
    }

    /// Whether `seq` was answered, as far as it is remembered.
    pub(super) fn contains(&self, seq: u64) -> bool {
        let block = self
            .place(seq)
            .and_then(|place| self.blocks.get(place))
            .copied()
            .unwrap_or(0);
        self.remembers(seq) && block & (1 << (seq % 64)) != 0
    }

    /// Whether `seq` is in the window.
    pub(super) fn remembers(&self, seq: u64) -> bool {
        seq < self.next && self.next - seq <= self.window()
    }

    /// Octets on the heap.
    pub(super) fn memory_octets(&self) -> usize {
        size_of_val(&*self.blocks)
    }

    fn grow(&mut self) {
        let old = self.blocks.len() as u64;
        let mut blocks = zeros(old * 2);
        let newest = self.next / 64;
        for block in newest.saturating_sub(old - 1)..=newest {
            let from = usize::try_from(block % old)
                .ok()
                .and_then(|at| self.blocks.get(at));
            let to = usize::try_from(block % (old * 2))
                .ok()
                .and_then(|at| blocks.get_mut(at));
            if let (Some(from), Some(to)) = (from, to) {
                *to = *from;
            }
        }
        self.blocks = blocks;
    }

    fn place(&self, seq: u64) -> Option<usize> {
        let mask = (self.blocks.len() as u64).wrapping_sub(1);
        usize::try_from((seq / 64) & mask).ok()
    }

    fn block_mut(&mut self, seq: u64) -> Option<&mut u64> {
        let place = self.place(seq)?;
        self.blocks.get_mut(place)
    }
}

fn zeros(blocks: u64) -> Box<[u64]> {
    vec![0; usize::try_from(blocks).unwrap_or(0)].into_boxed_slice()
}

/// The number nearest to `near` whose lower 32 bits are `low`; `None` below zero.
pub(super) fn extend(near: u64, low: u32) -> Option<u64> {
    let way = low.wrapping_sub(low32(near)).cast_signed();
    near.checked_add_signed(i64::from(way))
}

/// The number as it stands on the wire (row TT-1: it wraps).
pub(super) fn low32(seq: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 is the point")]
    let low = seq as u32;
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_numbers_extend_to_the_nearest() {
        let turn = 1_u64 << 32;
        assert_eq!(extend(turn + 2, 0xffff_ffff), Some(turn - 1));
        assert_eq!(extend(turn - 1, 0), Some(turn));
        assert_eq!(extend(3 * turn + 7, 7), Some(3 * turn + 7));
        assert_eq!(extend(5, 0xffff_ffff), None);
        assert_eq!(extend(5, 9), Some(9));
    }

    #[test]
    fn what_is_in_the_window_is_remembered_and_the_rest_is_not() {
        let first = (1 << 32) - 40;
        let mut seen = Seen::new(first);
        let end = first + 300_000;
        for seq in first..end {
            seen.enter(seq, 10);
            assert!(!seen.contains(seq));
            if seq % 3 == 0 {
                seen.mark(seq);
            }
        }
        assert_eq!(seen.window(), 65_536);
        for seq in end - 65_536..end {
            assert!(seen.remembers(seq));
            assert_eq!(seen.contains(seq), seq % 3 == 0, "{seq}");
        }
        assert!(!seen.remembers(end - 65_537) && !seen.contains(end - 65_537));
        assert!(!seen.remembers(end) && !seen.contains(end));
    }

    #[test]
    fn it_grows_with_what_is_in_flight_and_forgets_nothing_by_it() {
        let mut seen = Seen::new(0);
        for seq in 0..200_000_u64 {
            seen.enter(seq, seq + 1);
            if seq % 7 == 0 {
                seen.mark(seq);
            }
        }
        assert_eq!(seen.window(), 524_288);
        for seq in 0..200_000 {
            assert_eq!(seen.contains(seq), seq % 7 == 0, "{seq}");
        }
    }
}
