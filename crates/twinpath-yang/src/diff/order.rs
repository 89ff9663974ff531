//! Which entries of a list must be moved to get another order.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// The entries of both orders that must be moved, as few as possible: all but a longest run of entries whose order is the
/// same in both. Without an order of users no entry is.
pub(super) fn moved<'k, K: Eq + Hash>(
    user_ordered: bool,
    from: impl Iterator<Item = &'k K>,
    to: impl Iterator<Item = &'k K>,
) -> HashSet<&'k K> {
    if !user_ordered {
        return HashSet::new();
    }
    let places: HashMap<&K, usize> = from.enumerate().map(|(at, key)| (key, at)).collect();
    let kept: Vec<(&K, usize)> = to
        .filter_map(|key| Some((key, *places.get(key)?)))
        .collect();
    let stays = longest_ascent(kept.iter().map(|(_, place)| *place));
    let moved = kept.into_iter().filter(|(_, place)| !stays.contains(place));
    moved.map(|(key, _)| key).collect()
}

/// A longest ascending subsequence of numbers that differ.
fn longest_ascent(numbers: impl Iterator<Item = usize>) -> HashSet<usize> {
    // The smallest number that ends an ascent of each length, and the number before each.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: HashMap<usize, usize> = HashMap::new();
    for number in numbers {
        let length = ends.partition_point(|end| *end < number);
        let previous = length.checked_sub(1).and_then(|at| ends.get(at));
        if let Some(previous) = previous {
            before.insert(number, *previous);
        }
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut ascent = HashSet::new();
    let mut at = ends.last().copied();
    while let Some(number) = at {
        ascent.insert(number);
        at = before.get(&number).copied();
    }
    ascent
}
