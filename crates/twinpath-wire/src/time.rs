//! The two time scales, and the signed difference between two readings of the wall clock.
//!
//! Measurements use [`Wall`], which may step; schedules and timeouts use [`Mono`]. No operator
//! mixes them. All arithmetic saturates, because values come from peers.

use core::ops::{Add, AddAssign, Neg, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::nanoseconds;

/// Unix time (UTC) in nanoseconds by one clock: the scale of T1 to T4.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Wall(i64);

/// A monotonic clock's time in nanoseconds since an arbitrary start: schedules and timeouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

/// `Wall - Wall` in nanoseconds. Signed, because clocks disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delta(i64);

/// How a timestamp was taken, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// Taken by the network interface, converted to the system clock.
    Hardware,
    /// Taken by the kernel at the driver.
    Kernel,
    /// Taken by the kernel as the packet entered the queueing discipline.
    Queue,
    /// Read by the process around its system call.
    User,
}

/// A reading and how it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When, on the system clock.
    pub at: Wall,
    /// How it was taken.
    pub rung: Rung,
}

impl Wall {
    /// From Unix time in nanoseconds.
    pub const fn from_unix_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Unix time in nanoseconds.
    pub const fn unix_ns(self) -> i64 {
        self.0
    }
}

impl Mono {
    /// From nanoseconds since the clock's own start.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the clock's own start.
    pub const fn ns(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero if `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self - other`, signed, in nanoseconds.
    pub const fn signed_since(self, other: Self) -> Delta {
        Delta(self.0.wrapping_sub(other.0).cast_signed())
    }
}

impl Delta {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds.
    pub const fn ns(self) -> i64 {
        self.0
    }

    /// The size of the difference in nanoseconds.
    pub const fn abs_ns(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// From a duration, saturating at 292 years.
    pub fn from_duration(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Rung {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Kernel => "kernel",
            Self::Queue => "queue",
            Self::User => "user",
        }
    }
}

impl core::fmt::Display for Rung {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// Saturating operators: `Left operator Right = Result, by |left, right| ...`.
macro_rules! operators {
    ($($left:ident $operator:ident $method:ident $right:ident = $result:ident, by $reckon:expr;)*) => {$(
        impl $operator<$right> for $left {
            type Output = $result;
            fn $method(self, right: $right) -> $result {
                let reckon: fn($left, $right) -> $result = $reckon;
                reckon(self, right)
            }
        }
    )*};
}

operators! {
    Wall Sub sub Wall = Delta, by |at, earlier| Delta(at.0.saturating_sub(earlier.0));
    Wall Add add Delta = Wall, by |at, delta| Wall(at.0.saturating_add(delta.0));
    Wall Sub sub Delta = Wall, by |at, delta| Wall(at.0.saturating_sub(delta.0));
    Mono Add add Duration = Mono, by |at, span| Mono(at.0.saturating_add(nanoseconds::of(span)));
    Mono Sub sub Duration = Mono, by |at, span| Mono(at.0.saturating_sub(nanoseconds::of(span)));
    Delta Add add Delta = Delta, by |one, other| Delta(one.0.saturating_add(other.0));
    Delta Sub sub Delta = Delta, by |one, other| Delta(one.0.saturating_sub(other.0));
}

impl AddAssign<Duration> for Mono {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Neg for Delta {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Wall::from_unix_ns(i64::MAX);
        let early = Wall::from_unix_ns(i64::MIN);
        assert_eq!((late - early).ns(), i64::MAX);
        assert_eq!((early - late).ns(), i64::MIN);
        assert_eq!(late + Delta::from_ns(1), late);
        assert_eq!(-Delta::from_ns(i64::MIN), Delta::from_ns(i64::MAX));
        assert_eq!(Mono::from_ns(5) - Duration::from_secs(1), Mono::from_ns(0));
        assert_eq!(Mono::from_ns(5).since(Mono::from_ns(9)), Duration::ZERO);
        assert_eq!(Mono::from_ns(5).signed_since(Mono::from_ns(9)).ns(), -4);
    }
}
