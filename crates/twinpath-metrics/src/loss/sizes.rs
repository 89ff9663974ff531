//! Losses by the size of packets, where a session has several.

use twinpath_wire::{Fate, Sample, add_counts};

/// The most sizes, and the longest sequence of sizes in turn.
const SIZES: usize = 16;
const TURN: usize = 64;

/// Packets of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeCounts {
    /// Octets of UDP payload.
    pub octets: u32,
    /// Packets with a first valid reply in time.
    pub received: u64,
    /// Packets without one, including late ones.
    pub lost: u64,
}

impl SizeCounts {
    /// Packets whose fate is known.
    pub fn sent(&self) -> u64 {
        self.received.saturating_add(self.lost)
    }
}

/// Counts of a session whose packets have several sizes in turn. Bounded memory.
#[derive(Clone, Debug)]
pub(crate) struct BySize {
    /// Indexes into `counts`.
    turn: Box<[u8]>,
    counts: Box<[SizeCounts]>,
}

impl BySize {
    /// `None` if packets have one size, or more sizes than are counted.
    pub(crate) fn new(octets_in_turn: &[u32]) -> Option<Self> {
        let mut sizes = octets_in_turn.to_vec();
        sizes.sort_unstable();
        sizes.dedup();
        if !(2..=SIZES).contains(&sizes.len()) || octets_in_turn.len() > TURN {
            return None;
        }
        let place = |octets: &u32| u8::try_from(sizes.binary_search(octets).ok()?).ok();
        Some(Self {
            turn: octets_in_turn.iter().filter_map(place).collect(),
            counts: sizes
                .iter()
                .map(|octets| SizeCounts {
                    octets: *octets,
                    ..SizeCounts::default()
                })
                .collect(),
        })
    }

    pub(crate) fn record(&mut self, sample: &Sample) {
        let turn = self.turn.len() as u64;
        let place = sample
            .seq
            .checked_rem(turn)
            .and_then(|place| usize::try_from(place).ok());
        let place = place.and_then(|place| self.turn.get(place));
        let Some(counts) = place.and_then(|place| self.counts.get_mut(usize::from(*place))) else {
            return;
        };
        match sample.fate {
            Fate::Received => counts.received += 1,
            Fate::Lost | Fate::Late => counts.lost += 1,
            Fate::Duplicate | Fate::Unawaited => {}
        }
    }

    pub(crate) fn value(&self) -> Vec<SizeCounts> {
        self.counts.to_vec()
    }

    pub(crate) fn octets(&self) -> usize {
        size_of_val(&*self.turn) + size_of_val(&*self.counts)
    }
}

/// The sums of both runs, if both know their sizes: counts of one run alone would be too small.
pub(crate) fn merged(ours: &[SizeCounts], theirs: &[SizeCounts]) -> Vec<SizeCounts> {
    if ours.is_empty() || theirs.is_empty() {
        return Vec::new();
    }
    let mut sums = ours.to_vec();
    for more in theirs {
        match sums.iter_mut().find(|known| known.octets == more.octets) {
            Some(known) => {
                add_counts!(known, more => received, lost);
            }
            None => sums.push(*more),
        }
    }
    sums.sort_unstable_by_key(|counts| counts.octets);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_added_up_size_by_size_and_only_where_both_know_theirs() {
        let of = |octets, received, lost| SizeCounts {
            octets,
            received,
            lost,
        };
        let (one, other) = (
            [of(22, 7, 0), of(1_472, 0, 1)],
            [of(22, 6, 1), of(548, 4, 0)],
        );
        let sum = [of(22, 13, 1), of(548, 4, 0), of(1_472, 0, 1)];
        assert_eq!(merged(&one, &other), sum);
        assert_eq!(merged(&one, &[]), []);
        assert_eq!(merged(&[], &other), []);
    }

    #[test]
    fn one_size_or_too_many_sizes_have_no_counts_by_size() {
        assert!(BySize::new(&[]).is_none());
        assert!(BySize::new(&[41; 12]).is_none());
        let many: Vec<u32> = (0..17).collect();
        assert!(BySize::new(&many).is_none());
        assert!(BySize::new(&[1, 2].repeat(33)).is_none());
        assert!(BySize::new(&[1, 2]).is_some());
    }
}
