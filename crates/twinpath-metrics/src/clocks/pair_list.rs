//! Packets held as they are: in few octets where their times are near each other.

use super::points::Pair;

/// Pairs in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct PairList {
    /// Those before the first that does not fit.
    near: Vec<Near>,
    far: Vec<Pair>,
}

/// A pair whose differences and way are within two seconds. Words of 32 bits, so that none is padding.
#[derive(Clone, Copy, Debug)]
struct Near {
    x: [u32; 2],
    way: i32,
    y: [i32; 2],
}

impl PairList {
    pub(crate) fn push(&mut self, pair: &Pair) {
        match Near::of(pair).filter(|_| self.far.is_empty()) {
            Some(near) => self.near.push(near),
            None => self.far.push(*pair),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.near.len() + self.far.len()
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        let near = self.near.iter().map(|near| near.pair());
        near.chain(self.far.iter().copied())
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.near.capacity() * size_of::<Near>() + self.far.capacity() * size_of::<Pair>()
    }
}

impl Near {
    fn of(pair: &Pair) -> Option<Self> {
        let [begin, end] = pair.x;
        let [forward, backward] = pair.y;
        let bits = begin.cast_unsigned();
        Some(Self {
            x: [
                u32::try_from(bits >> 32).ok()?,
                u32::try_from(bits & u64::from(u32::MAX)).ok()?,
            ],
            way: i32::try_from(end.checked_sub(begin)?).ok()?,
            y: [i32::try_from(forward).ok()?, i32::try_from(backward).ok()?],
        })
    }

    fn pair(self) -> Pair {
        let [high, low] = self.x.map(u64::from);
        let begin = (high << 32 | low).cast_signed();
        Pair {
            x: [begin, begin.saturating_add(i64::from(self.way))],
            y: self.y.map(i64::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_back_as_they_were_and_in_their_order() {
        let ends = [
            0,
            1,
            -1,
            1 << 31,
            -(1 << 31),
            (1 << 31) - 1,
            i64::MAX,
            i64::MIN,
        ];
        let mut held = PairList::default();
        let mut all = Vec::new();
        for (n, begin) in ends.into_iter().enumerate() {
            for more in ends.iter().skip(n % 3) {
                let pair = Pair {
                    x: [begin, begin.saturating_add(*more)],
                    y: [*more, begin],
                };
                held.push(&pair);
                all.push((pair.x, pair.y));
                let back: Vec<_> = held.pairs().map(|pair| (pair.x, pair.y)).collect();
                assert_eq!(back, all);
                assert_eq!(held.len(), all.len());
            }
        }
        assert!(held.octets() >= all.len() * 20);
    }
}
