//! Values of octaves that have few: a sorted list of their bins, which takes what they take.

/// The most values in the list: beyond them the octave with most values gets a table.
const MOST_VALUES: usize = 256;
/// Bins of the finest octave.
const BINS: u16 = 512;

/// One list for all octaves without a table. Octaves are numbered by ascending values, and so are
/// the bins in one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FewValues {
    /// Octave and bin in one number, once for each value.
    keys: Vec<u16>,
}

impl FewValues {
    pub(crate) const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    /// Adds values to a bin, and says whether they are the first of its octave; `None`, and nothing
    /// is added, if they are too many for a list.
    pub(crate) fn add(&mut self, octave: u8, bin: u16, count: u64) -> Option<bool> {
        let count = usize::try_from(count).ok()?;
        if count > MOST_VALUES.saturating_sub(self.keys.len()) {
            return None;
        }
        let key = u16::from(octave) * BINS + bin;
        let place = self.keys.partition_point(|other| *other < key);
        let is_near = |place: Option<usize>| {
            let other = place.and_then(|place| self.keys.get(place));
            other.is_some_and(|other| self::octave(*other) == octave)
        };
        let known = is_near(place.checked_sub(1)) || is_near(Some(place));
        if count == 1 {
            self.keys.insert(place, key);
        } else {
            self.keys
                .splice(place..place, std::iter::repeat_n(key, count));
        }
        Some(!known)
    }

    /// The octave that is to have a table, where there is no room for a further value.
    pub(crate) fn outgrown(&self) -> Option<u8> {
        if self.keys.len() < MOST_VALUES {
            return None;
        }
        let largest = self.by_octave().max_by_key(|keys| keys.len());
        largest?.first().map(|key| octave(*key))
    }

    /// Whether a value of this octave is in the list.
    pub(crate) fn has(&self, octave: u8) -> bool {
        !self.of(octave).is_empty()
    }

    /// The bins of one octave that are not empty, with their counts.
    pub(crate) fn bins(&self, octave: u8) -> impl Iterator<Item = (u16, u64)> + '_ {
        let bins = self.of(octave).chunk_by(|one, next| one == next);
        bins.filter_map(|keys| Some((keys.first()? % BINS, keys.len() as u64)))
    }

    /// Octaves in the list.
    pub(crate) fn octaves(&self) -> impl Iterator<Item = u8> + '_ {
        self.by_octave()
            .filter_map(|keys| keys.first().map(|key| octave(*key)))
    }

    /// Leaves an octave to a table.
    pub(crate) fn remove(&mut self, octave: u8) {
        self.keys.retain(|key| self::octave(*key) != octave);
    }

    /// Puts values into other bins, which ascend as theirs do.
    pub(crate) fn rebin(&mut self, other: impl Fn(u8, u16) -> u16) {
        for key in &mut self.keys {
            *key = *key / BINS * BINS + other(octave(*key), *key % BINS);
        }
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.keys.capacity() * size_of::<u16>()
    }

    fn by_octave(&self) -> impl Iterator<Item = &[u16]> {
        self.keys.chunk_by(|one, next| one / BINS == next / BINS)
    }

    fn of(&self, octave: u8) -> &[u16] {
        let from = u16::from(octave) * BINS;
        let begin = self.keys.partition_point(|key| *key < from);
        let keys = self.keys.get(begin..).unwrap_or_default();
        let end = keys.partition_point(|key| *key <= from + (BINS - 1));
        keys.get(..end).unwrap_or_default()
    }
}

fn octave(key: u16) -> u8 {
    u8::try_from(key / BINS).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_all_memory_are_too_many_for_a_list() {
        let mut few = FewValues::new();
        assert_eq!(few.add(70, 3, 1), Some(true));
        for count in [256, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            assert_eq!(few.add(70, 3, count), None, "{count}");
        }
        assert_eq!(few.add(70, 3, 255), Some(false));
        assert_eq!(few.bins(70).collect::<Vec<_>>(), [(3, 256)]);
    }
}
