//! The counters of one octave of a histogram: as narrow as their counts allow, never overflowing.

/// Counters that widen from 16 to 32 to 64 bits when one of them is full.
#[derive(Clone, Debug)]
pub(crate) enum Page {
    Narrow(Box<[u16]>),
    Middle(Box<[u32]>),
    Wide(Box<[u64]>),
}

impl Page {
    /// `bins` counters at zero.
    pub(crate) fn new(bins: usize) -> Self {
        Self::Narrow(vec![0; bins].into())
    }

    /// Adds `count` to one bin; true if the page had to widen, which allocates.
    pub(crate) fn add(&mut self, bin: usize, count: u64) -> bool {
        if self.try_add(bin, count) {
            return false;
        }
        while !self.try_add(bin, count) {
            self.widen();
        }
        true
    }

    /// The count of one bin.
    pub(crate) fn count(&self, bin: usize) -> u64 {
        match self {
            Self::Narrow(bins) => bins.get(bin).map_or(0, |count| u64::from(*count)),
            Self::Middle(bins) => bins.get(bin).map_or(0, |count| u64::from(*count)),
            Self::Wide(bins) => bins.get(bin).copied().unwrap_or(0),
        }
    }

    /// Number of bins.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(bins) => bins.len(),
            Self::Middle(bins) => bins.len(),
            Self::Wide(bins) => bins.len(),
        }
    }

    /// The same counts in bins of twice the width.
    pub(crate) fn halved(&self) -> Self {
        let mut half = Self::new(self.len() / 2);
        for bin in 0..self.len() {
            half.add(bin / 2, self.count(bin));
        }
        half
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Narrow(bins) => size_of_val(&**bins),
            Self::Middle(bins) => size_of_val(&**bins),
            Self::Wide(bins) => size_of_val(&**bins),
        }
    }

    /// False if the bin cannot hold that much. 64 bits saturate: no run lasts that long.
    #[inline]
    fn try_add(&mut self, bin: usize, count: u64) -> bool {
        match self {
            Self::Narrow(bins) => bins.get_mut(bin).is_none_or(|slot| fit(slot, count)),
            Self::Middle(bins) => bins.get_mut(bin).is_none_or(|slot| fit(slot, count)),
            Self::Wide(bins) => {
                if let Some(slot) = bins.get_mut(bin) {
                    *slot = slot.saturating_add(count);
                }
                true
            }
        }
    }

    fn widen(&mut self) {
        *self = match self {
            Self::Narrow(bins) => {
                Self::Middle(bins.iter().map(|count| u32::from(*count)).collect())
            }
            Self::Middle(bins) => Self::Wide(bins.iter().map(|count| u64::from(*count)).collect()),
            Self::Wide(_) => return,
        };
    }
}

/// Adds if the sum fits, and says so.
#[inline]
fn fit<T: Copy + Into<u64> + TryFrom<u64>>(slot: &mut T, count: u64) -> bool {
    let sum = (*slot)
        .into()
        .checked_add(count)
        .and_then(|sum| T::try_from(sum).ok());
    if let Some(sum) = sum {
        *slot = sum;
    }
    sum.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_counter_widens_its_page_and_loses_nothing() {
        let mut page = Page::new(4);
        assert!(!page.add(1, 65_535));
        assert!(!page.add(2, 7));
        assert_eq!(page.octets(), 8);
        assert!(page.add(1, 1));
        assert_eq!(
            (page.count(1), page.count(2), page.octets()),
            (65_536, 7, 16)
        );
        assert!(!page.add(1, u64::from(u32::MAX) - 65_536));
        assert!(page.add(1, 1));
        assert_eq!(
            (page.count(1), page.count(2), page.octets()),
            (1 << 32, 7, 32)
        );
        let half = page.halved();
        assert_eq!((half.count(0), half.count(1), half.len()), (1 << 32, 7, 2));
        assert!(!page.add(1, u64::MAX));
        assert_eq!(page.count(1), u64::MAX);
    }
}
