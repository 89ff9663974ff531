//! Outbound reordering: the sender's numbers in the order in which the reflector counted them (row
//! M-48). Replies may be reordered inbound, so they are sorted first.

use twinpath_wire::Wall;

use crate::ReorderingFigures;
use crate::order::compact::{CompactWall, low32, nearest};
use crate::order::reordering::Reordering;
use crate::order::window::ReorderingWindow;
use crate::ring::{Ring, unsigned};

const WORDS: usize = ReorderingWindow::MOST as usize / 64;

/// Holds replies while ones with lower numbers may still arrive. Constant memory.
#[derive(Clone, Debug)]
pub(crate) struct Resequenced {
    /// `None` before the first reply was handed on.
    ordered: Option<Box<Reordering>>,
    /// The sender's numbers are above this.
    least: i64,
    /// All numbers below have been passed on or are too late; `None` before the first reply.
    next: Option<i64>,
    /// How many of the reflector's numbers a reply may be behind the greatest one and still be sorted.
    window: ReorderingWindow,
    waiting: u16,
    present: [u64; WORDS],
    slots: Ring<Waiting>,
}

/// A reply that waits: the lower 32 bits of the sender's number, and T2.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    seq: u32,
    t2: CompactWall,
}

impl Resequenced {
    pub(crate) fn new(window: ReorderingWindow) -> Self {
        Self {
            window,
            ordered: None,
            least: 0,
            next: None,
            waiting: 0,
            present: [0; WORDS],
            slots: Ring::new(usize::from(window.packets())),
        }
    }

    /// Records the first reply to `seq`, which the reflector counted as `r`.
    #[inline]
    pub(crate) fn record(&mut self, seq: i64, r: i64, t2: Wall) {
        let next = match self.next {
            Some(next) => next,
            None => self.begin(seq, r),
        };
        if r == next && self.waiting == 0 {
            self.ordered().record(seq, t2);
            self.next = Some(r.saturating_add(1));
        } else if r >= next {
            self.wait(seq, r, t2);
        }
    }

    /// The first reply since the counter started: others may precede it, even from before a wrap,
    /// but the sender's numbers are all near this one.
    #[cold]
    fn begin(&mut self, seq: i64, r: i64) -> i64 {
        if self.ordered.is_none() {
            self.least = seq.saturating_sub(1 << 30);
        }
        let next = r.saturating_sub(self.packets() - 1);
        self.next = Some(next);
        next
    }

    /// The reflector's counter starts again.
    pub(crate) fn restart(&mut self) {
        if let Some(next) = self.next.take() {
            self.release(next.saturating_add(self.packets()), next);
        }
    }

    pub(crate) fn value(&self) -> ReorderingFigures {
        if self.waiting == 0 {
            return self.figures();
        }
        let mut all = self.clone();
        if let Some(next) = all.next {
            all.release(next.saturating_add(all.packets()), next);
        }
        all.figures()
    }

    fn packets(&self) -> i64 {
        self.window.packets().into()
    }

    fn figures(&self) -> ReorderingFigures {
        let ordered = self.ordered.as_deref();
        ordered.map_or_else(ReorderingFigures::default, Reordering::value)
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        let ordered = self.ordered.as_deref();
        let ordered = ordered.map_or(0, |ordered| size_of_val(ordered) + ordered.octets());
        self.slots.octets() + ordered
    }

    #[inline]
    fn ordered(&mut self) -> &mut Reordering {
        let (least, window) = (self.least, self.window);
        self.ordered.get_or_insert_with(|| {
            let mut ordered = Reordering::new(window);
            ordered.restart(least);
            Box::new(ordered)
        })
    }

    fn wait(&mut self, seq: i64, r: i64, t2: Wall) {
        let Some(next) = self.next else { return };
        let open = r.saturating_sub(self.packets() - 1);
        let next = if open > next {
            self.release(open, next);
            open
        } else {
            next
        };
        let place = place(r);
        if self.waiting == 0 {
            self.slots.clear();
        }
        if let Some(slot) = self.slots.slot(unsigned(r))
            && let Some(word) = self.present.get_mut(place / 64)
        {
            *slot = Waiting {
                seq: low32(seq.cast_unsigned()),
                t2: t2.into(),
            };
            let bit = 1 << (place % 64);
            self.waiting += u16::from(*word & bit == 0);
            *word |= bit;
        }
        let mut next = next;
        while self.waiting > 0 && self.take(next) {
            next = next.saturating_add(1);
        }
        self.next = Some(next);
    }

    /// Passes on all waiting replies with numbers from `next` to below `open`; later ones with
    /// these numbers are too late.
    fn release(&mut self, open: i64, next: i64) {
        let mut number = next;
        while self.waiting > 0 && number < open {
            self.take(number);
            number = number.saturating_add(1);
        }
    }

    /// Passes on the reply with this number; false if there is none.
    fn take(&mut self, number: i64) -> bool {
        let place = place(number);
        let bit = 1 << (place % 64);
        let present = self.present.get_mut(place / 64);
        let Some(word) = present.filter(|word| **word & bit != 0) else {
            return false;
        };
        *word &= !bit;
        self.waiting -= 1;
        let waiting = self.slots.get(unsigned(number));
        let ordered = self.ordered();
        let seq = nearest(waiting.seq, ordered.next_expected());
        ordered.record(seq, waiting.t2.into());
        true
    }
}

fn place(number: i64) -> usize {
    usize::try_from(number.rem_euclid(i64::from(ReorderingWindow::MOST))).unwrap_or(0)
}
