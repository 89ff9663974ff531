//! How the packets of a session were sent: their sizes, and the times between them.

use std::collections::BTreeSet;

use twinpath_report::{Sizes, Spacing, Traffic};
use twinpath_wire::Wall;

use super::sizes::SIZES;

/// Spacings that are kept of a session, by which all are judged.
const KEPT: usize = 1_024;
/// Fewer spacings than this show no schedule.
const FEWEST: usize = 3;

/// Requests so far.
#[derive(Debug, Default)]
pub(super) struct Sent {
    sizes: BTreeSet<usize>,
    /// There are more sizes than are counted.
    is_beyond: bool,
    least: usize,
    most: usize,
    /// The highest number, and when that request was captured.
    last: Option<(u64, Wall)>,
    /// A uniform sample, in nanoseconds, of this many.
    spacings: Vec<u64>,
    spaced: u64,
}

impl Sent {
    /// A request that was not captured before.
    pub(super) fn departed(&mut self, seq: u64, at: Wall, octets: usize) {
        self.least = self.last.map_or(octets, |_| self.least.min(octets));
        self.most = self.most.max(octets);
        self.is_beyond |= self.sizes.len() >= SIZES && !self.sizes.contains(&octets);
        if !self.is_beyond {
            self.sizes.insert(octets);
        }
        match self.last {
            Some((last, _)) if seq < last => {}
            Some((last, before)) => {
                // Between them others may be missing.
                if seq == last + 1
                    && let Ok(spacing) = u64::try_from((at - before).ns())
                {
                    self.keep(spacing);
                }
                self.last = Some((seq, at));
            }
            None => self.last = Some((seq, at)),
        }
    }

    fn keep(&mut self, spacing_ns: u64) {
        self.spaced += 1;
        if self.spacings.len() < KEPT {
            self.spacings.push(spacing_ns);
            return;
        }
        let place = usize::try_from(mixed(self.spaced) % self.spaced).ok();
        if let Some(kept) = place.and_then(|place| self.spacings.get_mut(place)) {
            *kept = spacing_ns;
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        let each = if self.is_beyond {
            Vec::new()
        } else {
            self.sizes.iter().copied().collect()
        };
        Traffic {
            sizes: Sizes {
                least: self.least,
                most: self.most,
                each,
            },
            spacing: self.spacing(),
        }
    }

    /// Even: four in five are within a quarter of the median.
    fn spacing(&self) -> Option<Spacing> {
        let mut spacings = self.spacings.clone();
        spacings.sort_unstable();
        let at = |tenths: usize| spacings.get(spacings.len() * tenths / 10).copied();
        let (median_ns, low, high) = (at(5)?, at(1)?, at(9)?);
        let near = median_ns / 4;
        let is_near = |spacing: u64| spacing.abs_diff(median_ns) <= near;
        Some(Spacing {
            median_ns,
            is_even: spacings.len() >= FEWEST && is_near(low) && is_near(high),
        })
    }
}

/// A number that looks random (splitmix64): the sample favours no part of a session and no place of a burst.
fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Requests with these milliseconds before each but the first.
    fn spacing(gaps: impl IntoIterator<Item = i64>) -> Option<(u64, bool)> {
        let (mut sent, mut at) = (Sent::default(), 0);
        sent.departed(0, Wall::from_unix_ns(0), 41);
        for (seq, gap) in (1..).zip(gaps) {
            at += gap * MS;
            sent.departed(seq, Wall::from_unix_ns(at), 41);
        }
        let spacing = sent.traffic().spacing?;
        Some((spacing.median_ns / MS.unsigned_abs(), spacing.is_even))
    }

    #[test]
    fn even_spacings_are_told_from_random_ones_and_bursts() {
        assert_eq!(spacing([]), None);
        assert_eq!(spacing([100]), Some((100, false)));
        assert_eq!(spacing([98, 101, 100, 99, 103]), Some((100, true)));
        // One packet that was late, and the next that was not.
        let late = (0..40)
            .map(|place| [100, 150, 50][usize::from(place == 7) + usize::from(place == 8) * 2]);
        assert_eq!(spacing(late), Some((100, true)));
        let random = (0..400).map(|number| (mixed(number) % 200).cast_signed());
        assert!(spacing(random).is_some_and(|(_, is_even)| !is_even));
        let bursts = (0..100).map(|place| if place % 2 == 0 { 0 } else { 200 });
        assert!(spacing(bursts).is_some_and(|(_, is_even)| !is_even));
    }

    #[test]
    fn the_sample_is_of_the_whole_session_and_bounded() {
        let long = 100 * KEPT;
        let half = |place: usize| if place < long / 2 { 10 } else { 20 };
        let (mut sent, mut at) = (Sent::default(), 0);
        for (seq, place) in (0..).zip(0..long) {
            at += half(place) * MS;
            sent.departed(seq, Wall::from_unix_ns(at), 41);
        }
        assert_eq!(sent.spacings.len(), KEPT);
        let of_first = sent.spacings.iter().filter(|ns| **ns == 10_000_000);
        let of_first = of_first.count();
        assert!((KEPT / 3..KEPT * 2 / 3).contains(&of_first), "{of_first}");
    }

    #[test]
    fn missing_and_overtaken_packets_make_no_spacing_and_sizes_are_of_all() {
        let mut sent = Sent::default();
        for (seq, ms, octets) in [
            (0, 0, 60),
            (1, 10, 41),
            (5, 50, 1_400),
            (4, 51, 300),
            (6, 60, 41),
        ] {
            sent.departed(seq, Wall::from_unix_ns(ms * MS), octets);
        }
        assert_eq!(sent.spacings, [10_000_000, 10_000_000]);
        let sizes = sent.traffic().sizes;
        assert_eq!((sizes.least, sizes.most), (41, 1_400));
        assert_eq!(sizes.each, [41, 60, 300, 1_400]);
        for octets in 0..100 {
            sent.departed(7, Wall::from_unix_ns(0), octets);
        }
        let sizes = sent.traffic().sizes;
        assert_eq!(
            (sizes.least, sizes.most, sizes.each),
            (0, 1_400, Vec::new())
        );
    }
}
