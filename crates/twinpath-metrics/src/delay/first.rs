//! The first packets' ways by number, in few octets where both are near each other.

/// Numbers and T4 - T1 in nanoseconds, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstWays {
    /// The first number.
    base: u64,
    /// Those before the first that does not fit: what a number is above `base`, and a way of four
    /// seconds or less.
    near: Vec<[u32; 2]>,
    far: Vec<(u64, i64)>,
}

impl FirstWays {
    pub(crate) fn push(&mut self, seq: u64, way: i64) {
        if self.len() == 0 {
            self.base = seq;
        }
        let above = seq.checked_sub(self.base);
        let above = above.and_then(|above| u32::try_from(above).ok());
        match above.zip(u32::try_from(way).ok()) {
            Some((above, way)) if self.far.is_empty() => self.near.push([above, way]),
            _ => self.far.push((seq, way)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.near.len() + self.far.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, i64)> + '_ {
        let near = self.near.iter();
        let near = near.map(|[above, way]| (self.base + u64::from(*above), i64::from(*way)));
        near.chain(self.far.iter().copied())
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.near.capacity() * size_of::<[u32; 2]>() + self.far.capacity() * size_of::<(u64, i64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_come_back_as_they_were_and_in_their_order() {
        let numbers = [7, 8, 7 + (1 << 32), 6, u64::MAX, 0];
        for begin in 0..numbers.len() {
            let mut first = FirstWays::default();
            let mut all = Vec::new();
            for (n, way) in [0, 5, (1 << 32) - 1, 1 << 32, -1, i64::MIN]
                .iter()
                .enumerate()
            {
                let seq = numbers[(begin + n) % numbers.len()];
                first.push(seq, *way);
                all.push((seq, *way));
                assert_eq!(first.iter().collect::<Vec<_>>(), all);
            }
            assert_eq!(first.len(), all.len());
        }
    }
}
