//! Bins with user-defined edges, counted exactly, and bins computed from a histogram.

use std::sync::Arc;

use serde::Serialize;

use crate::Distribution;
use crate::delay::page::Page;
use crate::round;

/// The most edges.
pub const MAX_EDGES: usize = 1000;

/// Why edges cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEdges {
    /// No edges, or more than [`MAX_EDGES`].
    #[error("1 to {MAX_EDGES} edges are possible")]
    Number,
    /// Each edge must be greater than the one before.
    #[error("each edge has to be greater than the one before")]
    Order,
    /// A width of 0, a ratio that is not above 1, or edges beyond 292 years.
    #[error("the edges do not ascend, or leave the range of delays")]
    Range,
}

/// Edges of bins, ascending, in nanoseconds. A bin holds values from its lower edge up to, but not
/// including, its upper edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Vec<i64>")]
pub struct BinEdges(Arc<[i64]>);

impl From<BinEdges> for Vec<i64> {
    fn from(edges: BinEdges) -> Self {
        edges.0.to_vec()
    }
}

impl BinEdges {
    /// These edges.
    ///
    /// # Errors
    /// [`BadEdges`] if there are none or too many, or they do not ascend.
    pub fn new(edges_ns: &[i64]) -> Result<Self, BadEdges> {
        if edges_ns.is_empty() || edges_ns.len() > MAX_EDGES {
            return Err(BadEdges::Number);
        }
        if !edges_ns.is_sorted_by(|one, next| one < next) {
            return Err(BadEdges::Order);
        }
        Ok(Self(edges_ns.into()))
    }

    /// `bins` bins of the same width from `first_ns` on.
    ///
    /// # Errors
    /// [`BadEdges`] if they are too many or leave the range.
    pub fn linear(first_ns: i64, width_ns: u64, bins: u16) -> Result<Self, BadEdges> {
        if usize::from(bins) >= MAX_EDGES {
            return Err(BadEdges::Number);
        }
        let edge = |bin: u16| {
            let distance = u64::from(bin).checked_mul(width_ns)?;
            first_ns.checked_add_unsigned(distance)
        };
        let edges: Option<Vec<i64>> = (0..=bins).map(edge).collect();
        Self::new(&edges.ok_or(BadEdges::Range)?).map_err(|_| BadEdges::Range)
    }

    /// `bins` bins from `first_ns` on, each `ratio` times as wide as the one before; edges are
    /// rounded to nanoseconds.
    ///
    /// # Errors
    /// [`BadEdges`] if they are too many, do not ascend or leave the range.
    pub fn logarithmic(first_ns: u64, ratio: f64, bins: u16) -> Result<Self, BadEdges> {
        if usize::from(bins) >= MAX_EDGES {
            return Err(BadEdges::Number);
        }
        if first_ns == 0 || !ratio.is_finite() || ratio <= 1.0 {
            return Err(BadEdges::Range);
        }
        let first = round::float_unsigned(first_ns);
        let edge = |bin: u16| i64::try_from(round::whole(first * ratio.powi(i32::from(bin)))).ok();
        let edges: Option<Vec<i64>> = (0..=bins).map(edge).collect();
        Self::new(&edges.ok_or(BadEdges::Range)?).map_err(|_| BadEdges::Range)
    }

    /// The edges in nanoseconds, ascending.
    pub fn edges_ns(&self) -> &[i64] {
        &self.0
    }
}

/// Values by bin, in nanoseconds; every value is counted in some bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinCounts {
    /// The edges, ascending.
    pub edges_ns: Vec<i64>,
    /// Values below the first edge.
    pub below: u64,
    /// Values from each edge on, up to the next one: one fewer than there are edges.
    pub counts: Vec<u64>,
    /// Values from the last edge on.
    pub above: u64,
}

impl BinCounts {
    /// The same bins without values.
    pub(crate) fn none(mut same: Self) -> Self {
        (same.below, same.above) = (0, 0);
        same.counts.fill(0);
        same
    }

    /// All bins, including the open ones at both ends: lower edge (inclusive), upper edge
    /// (exclusive), count.
    pub fn bins(&self) -> impl Iterator<Item = (Option<i64>, Option<i64>, u64)> + '_ {
        let edges = || self.edges_ns.iter().copied().map(Some);
        let froms = std::iter::once(None).chain(edges());
        let tos = edges().chain([None]);
        let counts = std::iter::once(self.below);
        let counts = counts
            .chain(self.counts.iter().copied())
            .chain([self.above]);
        froms
            .zip(tos)
            .zip(counts)
            .map(|((from, to), count)| (from, to, count))
    }

    /// Adds the counts of another run; if its edges differ, adds nothing and returns false.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.edges_ns != other.edges_ns || self.counts.len() != other.counts.len() {
            return false;
        }
        self.below = self.below.saturating_add(other.below);
        self.above = self.above.saturating_add(other.above);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        true
    }

    /// At most `most` bins of round width from the least value to the greatest.
    pub(crate) fn automatic(values: &Distribution, most: u16) -> Option<Self> {
        let (min, max) = (values.min_ns()?, values.max_ns()?);
        let most = u64::from(most.clamp(2, 999));
        // Rounding may cost one bin at either end.
        let width = round_width(max.abs_diff(min) / (most - 1) + 1);
        let width = i64::try_from(width).ok()?;
        let first = min.checked_sub(min.rem_euclid(width))?;
        let mut edges_ns = vec![first];
        let mut edge = first;
        while edge <= max && edges_ns.len() < MAX_EDGES {
            edge = edge.checked_add(width)?;
            edges_ns.push(edge);
        }
        let mut counts = vec![0_u64; edges_ns.len() - 1];
        let reference = values.reference_ns().unwrap_or(0);
        for (value, count) in values.histogram().bins() {
            // The middle of a bin may be slightly outside the range of its values.
            let value = value.saturating_add(reference).clamp(min, max);
            let bin = edges_ns.partition_point(|edge| *edge <= value);
            if let Some(slot) = bin.checked_sub(1).and_then(|bin| counts.get_mut(bin)) {
                *slot = slot.saturating_add(count);
            }
        }
        Some(Self {
            edges_ns,
            below: 0,
            counts,
            above: 0,
        })
    }
}

/// The least of 1, 2 and 5 times the powers of ten that is not below `width`.
fn round_width(width: u64) -> u64 {
    (0..=18)
        .flat_map(|power| [1, 2, 5].map(|digit| 10_u64.pow(power) * digit))
        .find(|round| *round >= width)
        .unwrap_or(u64::MAX)
}

/// Counters between user-defined edges.
#[derive(Clone, Debug)]
pub(crate) struct Binned {
    edges: BinEdges,
    counts: Page,
}

impl Binned {
    pub(crate) fn new(edges: &BinEdges) -> Self {
        Self {
            counts: Page::new(edges.0.len() + 1),
            edges: edges.clone(),
        }
    }

    /// The same bins without values.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(&self.edges)
    }

    /// Counts a value; true if a counter was full and memory was allocated.
    #[inline]
    pub(crate) fn record(&mut self, value_ns: i64) -> bool {
        let bin = self.edges.0.partition_point(|edge| *edge <= value_ns);
        self.counts.add(bin, 1)
    }

    pub(crate) fn value(&self) -> BinCounts {
        let last = self.edges.0.len();
        BinCounts {
            edges_ns: self.edges.0.to_vec(),
            below: self.counts.count(0),
            counts: (1..last).map(|bin| self.counts.count(bin)).collect(),
            above: self.counts.count(last),
        }
    }

    /// Heap memory in octets: of the counters, and a share of the edges.
    pub(crate) fn heap_octets(&self) -> usize {
        self.counts.octets() + size_of_val(&*self.edges.0) / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_edges_are_refused() {
        assert_eq!(BinEdges::new(&[]), Err(BadEdges::Number));
        let many: Vec<i64> = (0..1001).collect();
        assert_eq!(BinEdges::new(&many), Err(BadEdges::Number));
        assert!(BinEdges::new(many.get(..1000).unwrap()).is_ok());
        assert_eq!(BinEdges::new(&[1, 1]), Err(BadEdges::Order));
        assert_eq!(BinEdges::linear(0, 0, 3), Err(BadEdges::Range));
        assert_eq!(BinEdges::linear(i64::MAX - 5, 3, 2), Err(BadEdges::Range));
        assert_eq!(BinEdges::linear(0, 1, 1000), Err(BadEdges::Number));
        assert_eq!(BinEdges::logarithmic(0, 2.0, 3), Err(BadEdges::Range));
        assert_eq!(BinEdges::logarithmic(1, 1.0, 3), Err(BadEdges::Range));
        assert_eq!(BinEdges::logarithmic(1, 10.0, 19), Err(BadEdges::Range));
        // A ratio too small for whole nanoseconds.
        assert_eq!(BinEdges::logarithmic(1, 1.01, 3), Err(BadEdges::Range));
    }

    #[test]
    fn linear_and_logarithmic_edges_are_as_specified() {
        let linear = BinEdges::linear(-20, 10, 4).unwrap();
        assert_eq!(linear.edges_ns(), [-20, -10, 0, 10, 20]);
        let decades = BinEdges::logarithmic(1_000, 10.0, 3).unwrap();
        assert_eq!(decades.edges_ns(), [1_000, 10_000, 100_000, 1_000_000]);
    }

    #[test]
    fn round_widths_are_one_two_and_five() {
        let widths = [1, 2, 3, 5, 6, 10, 11, 101, 501, u64::MAX].map(round_width);
        assert_eq!(widths, [1, 2, 5, 5, 10, 10, 20, 200, 1000, u64::MAX]);
    }
}
