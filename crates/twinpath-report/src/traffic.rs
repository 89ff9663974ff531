//! How packets of other programs were sent, as far as a capture of them shows.

use serde::Serialize;

use crate::SessionReport;

/// What a capture shows in place of the parameters of a run. Those of the session's [`Identity`](crate::Identity)
/// are of its first packet, and its interval is a mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Sizes of the packets.
    pub sizes: Sizes,
    /// From one packet to the next; `None` of a single packet.
    pub spacing: Option<Spacing>,
}

/// Octets of UDP payload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Of the smallest packet.
    pub least: usize,
    /// Of the largest one.
    pub most: usize,
    /// Every size, ascending; empty where there are too many to be listed.
    pub each: Vec<usize>,
}

/// Times from one packet to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spacing {
    /// The median, in nanoseconds.
    pub median_ns: u64,
    /// Nearly all are close to the median, as those of a periodic schedule are.
    pub is_even: bool,
}

impl Traffic {
    /// Of several sessions as one: they have a spacing if all have the same, to the twentieth.
    pub fn together<'a>(reports: impl IntoIterator<Item = &'a SessionReport>) -> Option<Self> {
        let mut sum: Option<Self> = None;
        let mut is_captured = false;
        for report in reports {
            is_captured |= report.traffic.is_some();
            let spacing = report.traffic.as_ref().and_then(|traffic| traffic.spacing);
            let sizes = report.sizes();
            sum = Some(match sum {
                None => Self { sizes, spacing },
                Some(sum) => Self {
                    sizes: sum.sizes.with(&sizes),
                    spacing: sum
                        .spacing
                        .filter(|known| spacing.is_some_and(|it| known.is_like(it))),
                },
            });
        }
        sum.filter(|_| is_captured)
    }
}

impl Spacing {
    fn is_like(self, other: Self) -> bool {
        let apart = self.median_ns.abs_diff(other.median_ns);
        self.is_even == other.is_even && apart <= self.median_ns / 20
    }
}

impl Sizes {
    /// These and those of others.
    fn with(self, other: &Self) -> Self {
        let are_listed = !self.each.is_empty() && !other.each.is_empty();
        let each = self.each.iter().chain(&other.each).copied();
        Self {
            each: if are_listed {
                Self::of(each).each
            } else {
                Vec::new()
            },
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    /// Of packets that have these sizes.
    pub fn of(sizes: impl IntoIterator<Item = usize>) -> Self {
        let mut each: Vec<usize> = sizes.into_iter().collect();
        each.sort_unstable();
        each.dedup();
        Self {
            least: each.first().copied().unwrap_or(0),
            most: each.last().copied().unwrap_or(0),
            each,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::quiet;

    fn captured(median_ns: u64, sizes: &[usize]) -> SessionReport {
        let spacing = Some(Spacing {
            median_ns,
            is_even: true,
        });
        let sizes = Sizes::of(sizes.iter().copied());
        SessionReport {
            traffic: Some(Traffic { sizes, spacing }),
            ..quiet()
        }
    }

    #[test]
    fn several_sessions_have_the_sizes_of_all_and_a_spacing_that_all_have() {
        assert_eq!(Traffic::together(&[quiet(), quiet()]), None);
        let [one, other] = [captured(1_000, &[22, 60]), captured(1_050, &[60, 41])];
        let both = Traffic::together(&[one.clone(), other]).unwrap();
        assert_eq!(both.sizes.each, [22, 41, 60]);
        assert_eq!((both.sizes.least, both.sizes.most), (22, 60));
        assert_eq!(both.spacing.map(|it| it.median_ns), Some(1_000));
        let apart = [one.clone(), captured(1_051, &[22])];
        assert_eq!(Traffic::together(&apart).unwrap().spacing, None);
        // What a run was told is no spacing that was seen, but its size is known.
        let mixed = Traffic::together(&[quiet(), one]).unwrap();
        assert_eq!((mixed.sizes.each, mixed.spacing), (vec![22, 41, 60], None));
    }
}
