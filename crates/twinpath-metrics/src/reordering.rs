//! Reordered packets (RFC 4737 section 3.3; rows M-41, M-42).

/// Type-P-Reordered over the first copies of received packets, in their order of arrival: a
/// packet is reordered if its number is below the next one expected. Loss alone reorders nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reordering {
    next_expected: u64,
    reordered: u64,
}

impl Reordering {
    /// The next packet to arrive; first copies only, late ones are lost and not counted.
    pub(crate) fn record(&mut self, seq: u64) {
        if seq >= self.next_expected {
            self.next_expected = seq.saturating_add(1);
        } else {
            self.reordered += 1;
        }
    }

    /// Reordered packets; divided by those received, the ratio of RFC 4737 section 4.1.3.
    pub(crate) fn value(&self) -> u64 {
        self.reordered
    }
}
