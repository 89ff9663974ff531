//! Reordering on the way back: the reflector's numbers in the order of arrival.

use twinpath_wire::Wall;

use crate::ReorderingFigures;
use crate::order::reordering::Reordering;
use crate::order::window::ReorderingWindow;

/// The reflector's numbers. As long as each is the sender's plus the same, they are in the order of
/// the sender's, and nothing is kept of them.
#[derive(Clone, Debug)]
pub(crate) struct Backward {
    window: ReorderingWindow,
    /// The difference of the two numbers of a packet; `None` before the first one.
    difference: Option<i64>,
    /// `None` as long as it is that of all packets.
    own: Option<Box<Reordering>>,
}

impl Backward {
    pub(crate) const fn new(window: ReorderingWindow) -> Self {
        Self {
            window,
            difference: None,
            own: None,
        }
    }

    /// A packet arrived, with this number of the reflector if it has a usable one. `sent` is the order
    /// of the sender's numbers before it.
    #[inline]
    pub(crate) fn record(&mut self, seq: i64, number: Option<i64>, at: Wall, sent: &Reordering) {
        if self.own.is_none()
            && let Some(number) = number
            && seq < i64::MAX / 2
        {
            let is_first = sent.is_empty() && number >= 0;
            let difference = number - seq;
            if is_first || self.difference == Some(difference) {
                self.difference = Some(difference);
                return;
            }
        }
        let own = self.own(sent);
        if let Some(number) = number {
            own.record(number, at);
        }
    }

    /// The clock of the arrivals stepped.
    pub(crate) fn record_clock_step(&mut self) {
        if let Some(own) = &mut self.own {
            own.record_clock_step();
        }
    }

    /// The reflector's counter starts again.
    pub(crate) fn restart(&mut self, sent: &Reordering) {
        self.own(sent).restart(0);
    }

    pub(crate) fn value(&self, sent: &Reordering) -> ReorderingFigures {
        self.own.as_deref().unwrap_or(sent).value()
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        let own = self.own.as_deref();
        own.map_or(0, |own| size_of_val(own) + own.octets())
    }

    fn own(&mut self, sent: &Reordering) -> &mut Reordering {
        let (difference, window) = (self.difference, self.window);
        self.own.get_or_insert_with(|| {
            Box::new(difference.map_or_else(|| Reordering::new(window), |more| sent.shifted(more)))
        })
    }
}
