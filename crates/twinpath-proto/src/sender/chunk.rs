//! How many numbers share a piece of memory: few where packets are few.

use std::time::Duration;

/// The size of the chunks of a ring: a power of two from 8 to 256 numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkSize {
    bits: u8,
}

impl ChunkSize {
    const SMALLEST: Self = Self { bits: 3 };
    pub(super) const LARGEST: Self = Self { bits: 8 };

    /// For packets of which each is remembered for `keep`, one every `interval`: a quarter of them.
    pub(super) fn of(keep: Duration, interval: Duration) -> Self {
        let quarter = keep.as_nanos() / interval.as_nanos().max(1) / 4;
        let bits = (u128::BITS - quarter.leading_zeros()).min(Self::LARGEST.bits.into());
        Self {
            bits: u8::try_from(bits)
                .map_or(Self::LARGEST.bits, |bits| bits.max(Self::SMALLEST.bits)),
        }
    }

    /// Numbers of a chunk.
    pub(super) fn numbers(self) -> u64 {
        1 << self.bits
    }

    /// Slots of a chunk.
    pub(super) fn slots(self) -> usize {
        1 << self.bits
    }

    /// The chunk of the number so far ahead of the first one, and its place there.
    pub(super) fn split(self, ahead: u64) -> (usize, usize) {
        let place = usize::try_from(ahead & (self.numbers() - 1)).unwrap_or(0);
        let chunk = usize::try_from(ahead >> self.bits).unwrap_or(usize::MAX);
        (chunk, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_small_where_few_packets_are_remembered() {
        let keep = Duration::from_secs(4);
        for (interval, numbers) in [
            (Duration::ZERO, 256),
            (Duration::from_micros(10), 256),
            (Duration::from_millis(10), 128),
            (Duration::from_millis(20), 64),
            (Duration::from_secs(1), 8),
            (Duration::MAX, 8),
        ] {
            let chunk = ChunkSize::of(keep, interval);
            assert_eq!(chunk.numbers(), numbers, "{interval:?}");
            assert_eq!(chunk.split(2 * numbers + 3), (2, 3));
        }
    }
}
