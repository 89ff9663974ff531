//! What all replies by Reflected Test Packet Control may cost together: a token bucket of octets (row
//! SL-54), stored as the time at which it is full again.

use std::sync::atomic::{AtomicU64, Ordering};

use twinpath_wire::Mono;

use super::ControlPolicy;

/// The bucket, shared by all reflectors of a process.
#[derive(Debug, Default)]
pub struct ControlBudget {
    full_at_ns: AtomicU64,
}

impl ControlBudget {
    /// Takes so many octets, all of them or none. Whether they were there.
    pub(super) fn take(&self, octets: u64, limits: &ControlPolicy, now: Mono) -> bool {
        let pay = |full_at| full_after(full_at, octets, limits, now);
        let paid = self
            .full_at_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
        paid.is_ok()
    }

    /// Whether so many octets are there.
    pub(super) fn has(&self, octets: u64, limits: &ControlPolicy, now: Mono) -> bool {
        let full_at = self.full_at_ns.load(Ordering::Relaxed);
        full_after(full_at, octets, limits, now).is_some()
    }
}

/// When a bucket that is full at `full_at`, in nanoseconds, is full again once so many octets are taken;
/// `None`: it does not have them.
fn full_after(full_at: u64, octets: u64, limits: &ControlPolicy, now: Mono) -> Option<u64> {
    let rate = u128::from(limits.octets_per_s.max(1));
    let time_ns = |octets: u64| {
        let ns = u128::from(octets) * 1_000_000_000 / rate;
        u64::try_from(ns).unwrap_or(u64::MAX)
    };
    let (cost, depth) = (time_ns(octets), time_ns(limits.octets));
    let full_at = full_at.max(now.ns()).saturating_add(cost);
    (full_at - now.ns() <= depth).then_some(full_at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::reflector::Access;

    fn at_ms(ms: u64) -> Mono {
        Mono::from_ns(1_000_000_000_000 + ms * 1_000_000)
    }

    #[test]
    fn all_that_share_a_budget_have_its_depth_at_once_and_then_its_rate() {
        let one = ControlPolicy {
            octets_per_s: 10_000,
            octets: 1_000,
            ..ControlPolicy::within(Access::default())
        };
        let other = one.clone();
        assert!(Arc::ptr_eq(&one.budget, &other.budget));
        let take = |who: &ControlPolicy, octets, ms| who.budget.take(octets, who, at_ms(ms));
        assert!(!take(&one, 1_001, 0), "more than it holds");
        assert!(take(&one, 600, 0));
        assert!(!take(&other, 401, 0), "nothing is taken of what is refused");
        let has = |octets| one.budget.has(octets, &one, at_ms(0));
        assert!(!has(401) && has(400) && has(400), "nor by a look");
        assert!(take(&other, 400, 0));
        assert!(!take(&one, 1, 0));
        assert!(!take(&one, 101, 10) && take(&one, 100, 10));
        // It fills up, and no further.
        assert!(take(&one, 1_000, 10_000) && !take(&other, 1, 10_000));
    }

    #[test]
    fn no_number_of_octets_is_too_large() {
        let none = ControlPolicy {
            octets_per_s: 0,
            octets: u64::MAX,
            ..ControlPolicy::within(Access::default())
        };
        assert!(none.budget.take(u64::MAX, &none, at_ms(0)));
        let all = ControlPolicy {
            octets_per_s: u64::MAX,
            ..none
        };
        assert!(all.budget.take(u64::MAX, &all, Mono::from_ns(u64::MAX)));
    }
}
