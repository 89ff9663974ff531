//! Nearest ranks (RFC 2330 section 11.3; row M-14): the smallest x with EDF(x) >= p.

use crate::round;

/// Resolution of a share.
const PARTS: u64 = 1_000_000_000;

/// The rank of a percentile given in tenths of a percent.
pub(crate) fn rank(count: u64, permille: u16) -> u64 {
    exact(count, u64::from(permille), 1000)
}

/// The rank of the share `p` from 0 to 1, rounded to nine decimals, so that the binary fraction of
/// 0.07 does not turn 7 into 8. `None` if `p` is out of range or the count is 0.
pub(crate) fn rank_of(count: u64, p: f64) -> Option<u64> {
    let share = (0.0..=1.0)
        .contains(&p)
        .then(|| p * round::float_unsigned(PARTS))?;
    (count > 0).then(|| exact(count, round::whole(share), PARTS))
}

fn exact(count: u64, share: u64, whole: u64) -> u64 {
    let rank = (u128::from(count) * u128::from(share)).div_ceil(u128::from(whole));
    u64::try_from(rank).unwrap_or(count).max(1)
}

/// The values at `ranks` (1 to count, ascending) of `bins`, which hold ascending values, each with
/// its count. A rank beyond the count gives the last value; all are 0 without a bin.
pub(crate) fn at_ranks<const N: usize>(
    mut bins: impl Iterator<Item = (i64, u64)>,
    ranks: [u64; N],
) -> [i64; N] {
    let (mut below, mut last) = (0_u64, 0);
    ranks.map(|rank| {
        while below < rank
            && let Some((value, count)) = bins.next()
        {
            below = below.saturating_add(count);
            last = value;
        }
        last
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_seven_percent_of_a_hundred_is_the_seventh() {
        for percent in 1_u32..=100 {
            let rank = rank_of(100, f64::from(percent) / 100.0);
            assert_eq!(rank, Some(u64::from(percent)), "{percent} %");
        }
        assert_eq!(rank_of(u64::MAX, 1.0), Some(u64::MAX));
        assert_eq!(rank_of(5, 0.0), Some(1));
    }

    #[test]
    fn a_share_out_of_range_has_no_rank() {
        for p in [-0.001, 1.001, f64::NAN, f64::INFINITY] {
            assert_eq!(rank_of(10, p), None, "{p}");
        }
        assert_eq!(rank_of(0, 0.5), None);
    }
}
