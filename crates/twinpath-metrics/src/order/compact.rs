//! Times and numbers in 32-bit words: a window of 1024 of both takes 12 KB, not 16.

use twinpath_wire::Wall;

/// A [`Wall`] with an alignment of only four octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CompactWall([u32; 2]);

impl From<Wall> for CompactWall {
    fn from(wall: Wall) -> Self {
        let ns = wall.unix_ns().cast_unsigned();
        Self([low32(ns), low32(ns >> 32)])
    }
}

impl From<CompactWall> for Wall {
    fn from(compact: CompactWall) -> Self {
        let [low, high] = compact.0.map(u64::from);
        Self::from_unix_ns((high << 32 | low).cast_signed())
    }
}

/// The lower 32 bits.
pub(crate) fn low32(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0)
}

/// The number with these lower bits that is nearest to `other`.
pub(crate) fn nearest(low: u32, other: i64) -> i64 {
    let distance = low.wrapping_sub(low32(other.cast_unsigned()));
    other.saturating_add(i64::from(distance.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_time_is_the_same_time() {
        for ns in [0, -1, i64::MIN, i64::MAX, 1_763_900_000_123_456_789] {
            let wall = Wall::from_unix_ns(ns);
            assert_eq!(Wall::from(CompactWall::from(wall)), wall);
        }
    }

    #[test]
    fn the_nearest_number_lies_on_either_side() {
        assert_eq!(nearest(5, (1 << 32) - 3), (1 << 32) + 5);
        assert_eq!(nearest(u32::MAX, 1 << 32), (1 << 32) - 1);
        assert_eq!(nearest(7, 7), 7);
        assert_eq!(nearest(u32::MAX, 0), -1);
    }
}
