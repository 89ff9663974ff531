//! One kind of delay: its distribution and its jitter (rows M-8 to M-22), composed.

use crate::DelayFigures;
use crate::delay::distribution::{Binning, Distribution};
use crate::delay::jitter::Jitter;

/// Everything that is said of one kind of delay. Nanoseconds.
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

    /// The delay of the next packet to arrive; true if the histogram had to allocate.
    #[inline]
    pub(crate) fn record(&mut self, delay_ns: i64) -> bool {
        self.jitter.record(delay_ns);
        self.distribution.record(delay_ns)
    }

    /// The delays of two packets with consecutive numbers.
    #[inline]
    pub(crate) fn record_pair(&mut self, one_ns: i64, other_ns: i64) {
        self.distribution.record_pair(one_ns, other_ns);
    }

    /// What comes is not comparable with what was (row M-22). The partner of the IPDV is kept, and
    /// forgotten, where the numbers are.
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

    /// Halves the histogram's resolution; false if it is as coarse as can be.
    pub(crate) fn coarsen(&mut self) -> bool {
        self.distribution.coarsen()
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.distribution.heap_octets()
    }
}
