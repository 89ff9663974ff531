//! One kind of delay: its distribution and its jitter (rows M-8 to M-22).

use crate::DelayFigures;
use crate::delay::distribution::{Binning, Distribution};
use crate::delay::jitter::Jitter;

/// All figures of one kind of delay, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Delay {
    distribution: Distribution,
    jitter: Jitter,
}

impl Delay {
    pub(crate) fn new(binning: Binning) -> Self {
        Self {
            distribution: Distribution::new(binning),
            jitter: Jitter::default(),
        }
    }

    /// Records the delay of the next packet to arrive; true if the histogram claims more memory.
    #[inline]
    pub(crate) fn record(&mut self, delay_ns: i64) -> bool {
        self.jitter.record(delay_ns);
        self.distribution.record(delay_ns)
    }

    /// Records the delays of two packets with consecutive numbers.
    #[inline]
    pub(crate) fn record_pair(&mut self, one_ns: i64, other_ns: i64) {
        self.distribution.record_pair(one_ns, other_ns);
    }

    /// Later packets are not comparable with earlier ones (row M-22). The pairs of IPDV are kept
    /// and reset together with the numbers.
    pub(crate) fn reset(&mut self) {
        self.jitter.reset();
    }

    /// `None` without a packet.
    pub(crate) fn figures(&self) -> Option<DelayFigures> {
        self.distribution.figures_with_jitter(self.jitter.value())
    }

    pub(crate) fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// Halves the histogram's resolution; false if it is already the coarsest.
    pub(crate) fn coarsen(&mut self) -> bool {
        self.distribution.coarsen()
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.distribution.heap_octets()
    }

    /// As [`Histogram::claimed_octets`](crate::Histogram::claimed_octets).
    pub(crate) fn claimed_octets(&self) -> usize {
        self.distribution.claimed_octets()
    }
}
