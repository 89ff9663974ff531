//! TTL or Hop Limit of received packets (RFC 5357 section 4.2.1; row M-70).

use crate::TtlFigures;
use crate::ring::Ring;

/// How many numbers late a packet may come and still be entered.
const WINDOW: u16 = 1024;

/// Least, greatest and changes of the TTL in one direction, changes by the sender's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Ttl {
    figures: Option<TtlFigures>,
    /// The greatest number, and its TTL.
    newest: u64,
    last: u8,
    /// The TTL of the greatest number older than the window.
    before: Option<u8>,
    /// One more than the TTL of the numbers up to the newest; 0: not received, or without one.
    window: Ring<u16>,
    /// All numbers from this one to the newest have the same TTL, and the window is empty.
    row: Option<u64>,
}

impl Ttl {
    pub(crate) const fn new() -> Self {
        Self {
            figures: None,
            newest: 0,
            last: 0,
            before: None,
            window: Ring::new(WINDOW as usize),
            row: None,
        }
    }

    /// Records the TTL of a received packet, if known.
    #[inline]
    pub(crate) fn record(&mut self, seq: u64, ttl: Option<u8>) {
        let Some(ttl) = ttl else { return };
        if let Some(first) = self.row {
            if ttl == self.last && self.newest.checked_add(1) == Some(seq) {
                self.newest = seq;
                return;
            }
            self.leave_row(first);
        }
        if let Some(figures) = &mut self.figures {
            figures.min = figures.min.min(ttl);
            figures.max = figures.max.max(ttl);
            if seq > self.newest {
                figures.changes += u64::from(ttl != self.last);
                self.advance(seq);
            } else {
                self.insert(seq, ttl);
            }
        } else {
            self.figures = Some(TtlFigures {
                min: ttl,
                max: ttl,
                changes: 0,
            });
            (self.newest, self.last, self.row) = (seq, ttl, Some(seq));
            return;
        }
        if seq == self.newest {
            self.last = ttl;
        }
        if self.newest - seq < u64::from(WINDOW) {
            self.set(seq, u16::from(ttl) + 1);
        }
    }

    /// `None` if the TTL of no packet is known.
    pub(crate) fn value(&self) -> Option<TtlFigures> {
        self.figures
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.window.octets()
    }

    /// A number does not follow the newest, or has another TTL: those before enter the window.
    #[cold]
    fn leave_row(&mut self, first: u64) {
        self.row = None;
        let oldest = self.newest.saturating_sub(u64::from(WINDOW) - 1);
        if first < oldest {
            self.before = Some(self.last);
        }
        for number in first.max(oldest)..=self.newest {
            self.set(number, u16::from(self.last) + 1);
        }
    }

    /// Makes `seq` the newest number and clears the entries in between.
    #[inline]
    fn advance(&mut self, seq: u64) {
        self.window.make_room(seq);
        if self.window.is_whole() {
            let steps = (seq - self.newest).min(u64::from(WINDOW));
            for number in (seq - steps + 1)..=seq {
                if let Some(left) = self.get(number) {
                    self.before = Some(left);
                    self.set(number, 0);
                }
            }
        }
        if seq - self.newest >= u64::from(WINDOW) {
            self.before = Some(self.last);
        }
        self.newest = seq;
    }

    /// A packet that arrives after ones with greater numbers changes the predecessor of the next
    /// number.
    #[cold]
    fn insert(&mut self, seq: u64, ttl: u8) {
        if self.newest - seq >= u64::from(WINDOW) {
            return;
        }
        let oldest = self.newest.saturating_sub(u64::from(WINDOW) - 1);
        let earlier = (oldest..seq).rev().find_map(|number| self.get(number));
        let earlier = earlier.or(self.before);
        let later = (seq + 1..=self.newest).find_map(|number| self.get(number));
        let differs = |one: Option<u8>, other: Option<u8>| {
            u64::from(one.zip(other).is_some_and(|(one, other)| one != other))
        };
        if let Some(figures) = &mut self.figures {
            figures.changes += differs(earlier, Some(ttl)) + differs(Some(ttl), later);
            figures.changes -= differs(earlier, later).min(figures.changes);
        }
    }

    fn get(&self, seq: u64) -> Option<u8> {
        u8::try_from(self.window.get(seq).checked_sub(1)?).ok()
    }

    #[inline]
    fn set(&mut self, seq: u64, value: u16) {
        if let Some(slot) = self.window.slot(seq) {
            *slot = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_have_the_changes_that_the_window_finds() {
        let mut state = 11_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..200 {
            let (mut ttl, mut window) = (Ttl::new(), Ttl::new());
            let (rare, mut seq, mut value) = (1 + random(900), random(9), 64);
            for n in 0..random(4_000) {
                seq += 1;
                if random(rare + 3) == 0 {
                    value = u8::try_from(random(3)).unwrap();
                }
                let late = if random(rare) == 0 { random(1_200) } else { 0 };
                ttl.record(seq.saturating_sub(late), Some(value));
                window.record(seq.saturating_sub(late), Some(value));
                if n == 0 {
                    window.leave_row(seq);
                }
                assert_eq!(ttl.value(), window.value(), "round {round}, {seq}");
            }
        }
    }

    #[test]
    fn one_ttl_in_a_row_takes_no_heap_memory() {
        let mut ttl = Ttl::new();
        (0..5_000).for_each(|seq| ttl.record(seq, Some(64)));
        assert_eq!(ttl.heap_octets(), 0);
        ttl.record(5_000, Some(63));
        assert_eq!((ttl.heap_octets(), ttl.value().unwrap().changes), (2048, 1));
    }
}
