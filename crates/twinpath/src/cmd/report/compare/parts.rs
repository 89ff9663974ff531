//! Where a run was not the same throughout: a path that changed, an outage. Its parts are compared then.

/// Blocks that each of two paths has at least: fewer may be chance.
const LEAST: usize = 3;
/// A path that changes more often than this is one that varies.
const CHANGES: usize = 4;
/// A difference between two paths that is worth the name, in nanoseconds: more than stamps are off by.
const APART_NS: i64 = 20_000;
/// Two levels lie this many times as far from each other as blocks on one level do: of ten blocks with
/// jitter, a few in a hundred runs have a gap as wide as that scatter by chance.
const CLEARLY: i64 = 3;
/// A block with more than this share of its packets lost is one of a lossy path.
const LOSSY: f64 = 0.45;

/// Numbers of packets, in blocks of the same length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// First numbers and those after the last, ascending.
    ranges: Vec<(u64, u64)>,
}

impl Scope {
    /// All from the first to the last number.
    pub(super) fn whole(first: u64, last: u64) -> Self {
        Self {
            ranges: vec![(first, last.saturating_add(1))],
        }
    }

    /// How many numbers there are in it.
    pub(super) fn numbers(&self) -> u64 {
        self.ranges
            .iter()
            .fold(0, |sum: u64, (from, to)| sum.saturating_add(to - from))
    }

    /// The place of a number among them; `None` of one that is not.
    pub(super) fn place(&self, seq: u64) -> Option<u64> {
        let mut before: u64 = 0;
        for (from, to) in &self.ranges {
            if seq < *from {
                return None;
            }
            if seq < *to {
                return Some(before + (seq - from));
            }
            before = before.saturating_add(to - from);
        }
        None
    }

    /// The last number; 0 of none.
    pub(super) fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |(_, to)| to - 1)
    }

    pub(super) fn has(&self, seq: u64) -> bool {
        self.place(seq).is_some()
    }

    /// First and last number of each stretch.
    pub(super) fn stretches(&self) -> Vec<[u64; 2]> {
        let ranges = self.ranges.iter();
        ranges.map(|(from, to)| [*from, to - 1]).collect()
    }

    /// The numbers of those of `blocks` equal blocks that are chosen.
    fn chosen(&self, chosen: &[bool]) -> Self {
        let count = chosen.len() as u128;
        let border = |block: usize| {
            let place = (u128::from(self.numbers()) * block as u128).div_ceil(count);
            u64::try_from(place).unwrap_or(u64::MAX)
        };
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let first = self.ranges.first().map_or(0, |(first, _)| *first);
        for (block, _) in chosen.iter().enumerate().filter(|(_, chosen)| **chosen) {
            let (from, to) = (first + border(block), first + border(block + 1));
            match ranges.last_mut() {
                Some((_, end)) if *end == from => *end = to,
                _ => ranges.push((from, to)),
            }
        }
        Self { ranges }
    }
}

/// A run in two parts, and what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) names: [&'static str; 2],
    pub(super) parts: [Scope; 2],
    /// How often the one took the other's place.
    pub(super) changes: usize,
    /// First and last numbers of each stretch in which a path changed, or an outage lasted.
    pub(super) events: Vec<[u64; 2]>,
}

/// A run on two paths: the least round trips of its blocks lie on two levels, clearly further from each
/// other than any on one level. The blocks around a change, one of which has it within, are of neither part.
pub(super) fn paths(scope: &Scope, least: &[Option<i64>]) -> Option<Split> {
    let mut sorted: Vec<i64> = least.iter().copied().flatten().collect();
    sorted.sort_unstable();
    let known = sorted.len();
    if known < 2 * LEAST {
        return None;
    }
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    let gap = |place: usize| at(place).saturating_sub(at(place - 1));
    let border = (LEAST..=known - LEAST).max_by_key(|place| gap(*place))?;
    let within =
        (at(border - 1).saturating_sub(at(0))).max(at(known - 1).saturating_sub(at(border)));
    if gap(border) <= within.saturating_mul(CLEARLY).max(APART_NS) {
        return None;
    }
    // A block in which all was lost is of the path of the one before.
    let first = least.iter().flatten().next()?;
    let mut before = *first >= at(border);
    let slow: Vec<bool> = least
        .iter()
        .map(|least| {
            let slower = least.map_or(before, |least| least >= at(border));
            before = slower;
            slower
        })
        .collect();
    let changes = slow
        .windows(2)
        .filter(|pair| pair.first() != pair.last())
        .count();
    if changes > CHANGES {
        return None;
    }
    let begun = slow.first().copied().unwrap_or_default();
    let around = around_changes(&slow, least);
    let on = |slower: bool| -> Vec<bool> {
        let blocks = slow.iter().zip(&around);
        blocks
            .map(|(slow, around)| *slow == slower && !around)
            .collect()
    };
    let (first, second) = (on(begun), on(!begun));
    let names = match (changes, begun) {
        (1, _) => ["before its path changed", "after its path changed"],
        (_, false) => ["on the faster path", "on the slower path"],
        (_, true) => ["on the slower path", "on the faster path"],
    };
    Some(Split {
        names,
        parts: [scope.chosen(&first), scope.chosen(&second)],
        changes,
        events: scope.chosen(&around).stretches(),
    })
}

/// The blocks from the last known one before each change to the first known one after it.
fn around_changes(slow: &[bool], least: &[Option<i64>]) -> Vec<bool> {
    let mut around = vec![false; slow.len()];
    let known: Vec<usize> = (0..slow.len())
        .filter(|block| least.get(*block).copied().flatten().is_some())
        .collect();
    for pair in known.windows(2) {
        if let [before, after] = pair
            && slow.get(*before) != slow.get(*after)
            && let Some(blocks) = around.get_mut(*before..=*after)
        {
            blocks.fill(true);
        }
    }
    around
}

/// A run with blocks in which everything was lost, while in most others it was not: outside the
/// outages, and inside, with the blocks beside them that may have a part of one. `answered`: first and
/// last number in each block.
pub(super) fn outages(
    scope: &Scope,
    lost: &[Option<f64>],
    answered: &[Option<[u64; 2]>],
) -> Option<Split> {
    let dead: Vec<bool> = lost
        .iter()
        .zip(answered)
        .map(|(lost, answered)| lost.is_some() && answered.is_none())
        .collect();
    let is_dead = |block: Option<usize>| block.and_then(|block| dead.get(block)) == Some(&true);
    let inside: Vec<bool> = (0..dead.len())
        .map(|block| {
            is_dead(Some(block)) || is_dead(block.checked_sub(1)) || is_dead(Some(block + 1))
        })
        .collect();
    let outside: Vec<bool> = inside.iter().map(|inside| !inside).collect();
    let alive = outside.iter().filter(|outside| **outside).count();
    let changes = dead
        .windows(2)
        .filter(|pair| pair.first() != pair.last())
        .count();
    // Where half of the blocks come and go by turns, that is how the path is.
    let lossy = lost.iter().zip(&outside);
    let lossy = lossy.filter(|(lost, outside)| **outside && lost.is_some_and(|lost| lost > LOSSY));
    if !dead.contains(&true) || alive < LEAST || changes > 2 * CHANGES || lossy.count() > alive / 2
    {
        return None;
    }
    Some(Split {
        names: ["outside its outages", "inside its outages"],
        parts: [scope.chosen(&outside), scope.chosen(&inside)],
        changes,
        events: lost_in_a_row(scope, &dead, answered),
    })
}

/// From the packet after the last answered one before dead blocks to that before the next answered one.
fn lost_in_a_row(scope: &Scope, dead: &[bool], answered: &[Option<[u64; 2]>]) -> Vec<[u64; 2]> {
    let stretches = scope.stretches();
    let first = stretches.first().map_or(0, |[first, _]| *first);
    let last = stretches.last().map_or(0, |[_, last]| *last);
    let dead = dead.iter().enumerate().filter(|(_, dead)| **dead);
    let mut events: Vec<[u64; 2]> = dead
        .map(|(block, _)| {
            let before = answered.iter().take(block).rev().flatten().next();
            let after = answered.iter().skip(block).flatten().next();
            [
                before.map_or(first, |[_, last]| last + 1),
                after.map_or(last, |[first, _]| first.saturating_sub(1)),
            ]
        })
        .collect();
    events.dedup();
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_places_in_stretches() {
        let scope = Scope::whole(100, 499);
        assert_eq!(scope.numbers(), 400);
        let chosen = scope.chosen(&[true, false, false, true]);
        assert_eq!(chosen.stretches(), [[100, 199], [400, 499]]);
        assert_eq!(chosen.numbers(), 200);
        for (seq, place) in [
            (99, None),
            (100, Some(0)),
            (199, Some(99)),
            (200, None),
            (400, Some(100)),
            (499, Some(199)),
            (500, None),
        ] {
            assert_eq!(chosen.place(seq), place, "{seq}");
        }
    }

    #[test]
    fn two_levels_are_two_paths_and_a_spread_is_one() {
        let scope = Scope::whole(0, 399);
        let steps = |levels: &[(usize, i64)]| -> Vec<Option<i64>> {
            let blocks = levels
                .iter()
                .flat_map(|(count, level)| vec![*level; *count]);
            let wobble = [0, 90_000, 30_000, 60_000].into_iter().cycle();
            blocks
                .zip(wobble)
                .map(|(level, wobble)| Some(level + wobble))
                .collect()
        };
        let (fast, slow) = (10_700_000, 23_300_000);
        let once = paths(&scope, &steps(&[(25, fast), (15, slow)])).unwrap();
        assert_eq!(
            (once.changes, once.names[0]),
            (1, "before its path changed")
        );
        assert_eq!(once.parts[0].stretches(), [[0, 239]]);
        assert_eq!(once.events, [[240, 259]], "with the change within");
        assert_eq!(once.parts[1].stretches(), [[260, 399]]);
        let back = paths(&scope, &steps(&[(10, slow), (10, fast), (20, slow)])).unwrap();
        assert_eq!((back.changes, back.names[1]), (2, "on the faster path"));
        assert_eq!(back.parts[1].stretches(), [[110, 189]]);
        let mut gap = steps(&[(15, fast), (10, fast), (15, slow)]);
        gap[20..25].fill(None);
        let gap = paths(&scope, &gap).unwrap();
        assert_eq!(gap.events, [[190, 259]], "it may have changed in the gap");
        let spread: Vec<_> = (0..40).map(|block| Some(fast + block * 50_000)).collect();
        assert_eq!(paths(&scope, &spread), None, "a slope");
        assert_eq!(paths(&scope, &steps(&[(40, fast)])), None);
        assert_eq!(
            paths(&scope, &steps(&[(39, fast), (1, slow)])),
            None,
            "one block"
        );
        let flapping: Vec<_> = (0..40)
            .map(|block| Some(if block % 2 == 0 { fast } else { slow }))
            .collect();
        assert_eq!(paths(&scope, &flapping), None, "how the path is");
        assert_eq!(paths(&scope, &[None; 40]), None);
    }

    #[test]
    fn jitter_on_one_path_is_no_change_of_it() {
        let mut state: u64 = 0x1e77_e12d;
        let mut even = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            i64::try_from(state % 1_000_000).unwrap()
        };
        let scope = Scope::whole(0, 199);
        for run in 0..600 {
            // The least of 20 packets, each up to a millisecond slower than the fastest.
            let least: Vec<Option<i64>> = (0..10)
                .map(|_| (0..20).map(|_| 7_000_000 + even()).min())
                .collect();
            assert_eq!(paths(&scope, &least), None, "{run}");
        }
    }

    #[test]
    fn dead_blocks_are_an_outage_unless_that_is_how_the_path_is() {
        let scope = Scope::whole(0, 399);
        let half: Vec<_> = (0..40)
            .map(|block| Some(if block < 20 { 0.0 } else { 1.0 }))
            .collect();
        let answered = |lost: &[Option<f64>]| -> Vec<Option<[u64; 2]>> {
            let blocks = (0..).zip(lost);
            blocks
                .map(|(block, lost)| {
                    let all = *lost == Some(1.0);
                    // The last two before it are lost, too.
                    (!all).then_some([block * 10, block * 10 + 7])
                })
                .collect()
        };
        let outages = |scope: &Scope, lost: &[Option<f64>]| outages(scope, lost, &answered(lost));
        let split = outages(&scope, &half).unwrap();
        assert_eq!(split.events, [[198, 399]], "its packets themselves");
        assert_eq!(
            split.parts[0].stretches(),
            [[0, 189]],
            "and a block of margin"
        );
        assert_eq!(split.parts[1].stretches(), [[190, 399]]);
        for even in [0.0, 0.5, 1.0] {
            assert_eq!(outages(&scope, &[Some(even); 40]), None, "{even}");
        }
        let mut almost = [Some(0.0); 40];
        almost[20] = Some(0.96);
        assert_eq!(outages(&scope, &almost), None, "not all was lost");
        let by_turns: Vec<_> = (0..40).map(|block| Some(f64::from(block % 2))).collect();
        assert_eq!(outages(&scope, &by_turns), None);
    }
}
