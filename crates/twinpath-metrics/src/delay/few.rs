//! Bins of octaves with few values: a sorted list, which takes what its values take.

/// Bins and values in the list at most: beyond them the octave with most values gets a table.
const MOST_BINS: usize = 128;
const MOST_VALUES: u16 = 256;
/// Bins of the finest octave.
const BINS: u16 = 512;

/// One list for all octaves without a table. Octaves are numbered by ascending values, and so are
/// the bins in one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FewBins {
    /// Octave and bin in one number, and how many values.
    bins: Vec<(u16, u16)>,
    values: u16,
}

impl FewBins {
    pub(crate) const fn new() -> Self {
        Self {
            bins: Vec::new(),
            values: 0,
        }
    }

    /// Adds to a bin, and says whether it is the first of its octave; `None`, and nothing is added,
    /// if the count is not one for a list.
    pub(crate) fn add(&mut self, octave: u8, bin: u16, count: u64) -> Option<bool> {
        let count = u16::try_from(count).ok()?;
        if count > MOST_VALUES {
            return None;
        }
        self.values += count;
        let key = u16::from(octave) * BINS + bin;
        match self.bins.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => {
                if let Some((_, sum)) = self.bins.get_mut(place) {
                    *sum += count;
                }
                Some(false)
            }
            Err(place) => {
                let is_near = |place: Option<usize>| {
                    let bin = place.and_then(|place| self.bins.get(place));
                    bin.is_some_and(|(key, _)| self::octave(*key) == octave)
                };
                let known = is_near(place.checked_sub(1)) || is_near(Some(place));
                self.bins.insert(place, (key, count));
                Some(!known)
            }
        }
    }

    /// The octave that is to have a table, where there is no room for a further value.
    pub(crate) fn outgrown(&self) -> Option<u8> {
        if self.bins.len() < MOST_BINS && self.values < MOST_VALUES {
            return None;
        }
        let octaves = self
            .bins
            .chunk_by(|(one, _), (next, _)| one / BINS == next / BINS);
        let largest =
            octaves.max_by_key(|bins| bins.iter().map(|(_, count)| count).sum::<u16>())?;
        largest.first().map(|(key, _)| octave(*key))
    }

    /// Whether a value of this octave is in the list.
    pub(crate) fn has(&self, octave: u8) -> bool {
        !self.of(octave).is_empty()
    }

    /// The bins of one octave that are not empty, with their counts.
    pub(crate) fn bins(&self, octave: u8) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.of(octave)
            .iter()
            .map(|(key, count)| (key % BINS, *count))
    }

    /// Octaves in the list.
    pub(crate) fn octaves(&self) -> impl Iterator<Item = u8> + '_ {
        let octaves = self
            .bins
            .chunk_by(|(one, _), (next, _)| one / BINS == next / BINS);
        octaves.filter_map(|bins| bins.first().map(|(key, _)| octave(*key)))
    }

    /// Leaves an octave to a table.
    pub(crate) fn remove(&mut self, octave: u8) {
        let values: u16 = self.bins(octave).map(|(_, count)| count).sum();
        self.values -= values;
        self.bins.retain(|(key, _)| self::octave(*key) != octave);
    }

    /// Puts bins into others, which ascend as they do.
    pub(crate) fn rebin(&mut self, other: impl Fn(u8, u16) -> u16) {
        for (key, _) in &mut self.bins {
            *key = *key / BINS * BINS + other(octave(*key), *key % BINS);
        }
        self.bins.dedup_by(|(next, count), (one, sum)| {
            let same = next == one;
            if same {
                *sum += *count;
            }
            same
        });
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.bins.capacity() * size_of::<(u16, u16)>()
    }

    fn of(&self, octave: u8) -> &[(u16, u16)] {
        let from = u16::from(octave) * BINS;
        let begin = self.bins.partition_point(|(key, _)| *key < from);
        let bins = self.bins.get(begin..).unwrap_or_default();
        let end = bins.partition_point(|(key, _)| *key <= from + (BINS - 1));
        bins.get(..end).unwrap_or_default()
    }
}

fn octave(key: u16) -> u8 {
    u8::try_from(key / BINS).unwrap_or(u8::MAX)
}
