//! Extension of numbers that wrap to 64 bits (row M-31).

/// The number nearest to `near` whose lower 32 bits are `low`; `None` below zero.
pub(super) fn extend(near: u64, low: u32) -> Option<u64> {
    let way = low.wrapping_sub(low32(near)).cast_signed();
    near.checked_add_signed(i64::from(way))
}

/// The number as it is on the wire (row TT-1: it wraps).
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
}
