//! Whether the far end's times are plausible, judged by the packets alone: some peers write
//! microseconds in the place of a fraction of a second, count from 1970 instead of 1900, or write
//! no time at all.
//!
//! For each packet, the far clock's offset is at least T3 - T4 and at most T2 - T1. From packet to
//! packet that interval moves no faster than clocks drift. A fraction that is too small by a factor
//! makes the far clock slow within each second and jump at its end, so it contradicts itself
//! repeatedly. The same packets are read in each format known to be in use; a format that fits all
//! of them is the guess.

use twinpath_wire::{Delta, Sample, Wall};

use crate::clocks::resolution::Resolution;
use crate::clocks::rounding::STAMP_ERROR_NS;
use crate::clocks::stamp_step::StampStep;
use crate::clocks::step::Step;
use crate::round;

const SECOND: i64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * 1_000_000_000;
/// How fast two clocks may drift apart: well above NTP's limit (500 ppm, RFC 5905 section 7.1), to
/// allow for clocks that are being corrected and for undisciplined ones.
const DRIFT: f64 = 8_000e-6;
/// The fewest agreeing packets that confirm a clock.
const ENOUGH: u64 = 10;
/// The fewest contradictions that a known format must explain to be named.
const NAMED: u64 = 5;
/// If no known format explains them, contradictions count from one in this many packets on.
const UNKNOWN: u64 = 10;
const UNKNOWN_SHARE: u64 = 4;
/// How many times fewer contradictions the named format leaves.
const BETTER: u64 = 10;
/// A step this many times as long as T4 - T1 shows in repeated times, because a tick within is
/// rare.
const STEP_OF_WAY: i64 = 4;
/// A step no longer than this is within the error of timestamps.
const COARSE_NS: i64 = 100_000;
/// Contradictions after which a format is no longer tried, if they are twice as many as without it.
const GIVEN_UP: u64 = 64;
/// Error of seconds since 1970 that are read as seconds since 1900.
const UNIX_AS_NTP_NS: i64 = ((1 << 32) - 2_208_988_800) * SECOND;

/// What the packets show about T2 and T3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FarTimes {
    /// They agree with the sender's clock.
    Agree,
    /// Too few packets to tell.
    #[default]
    Undecided,
    /// T2, T3 or both are zero in every reply: the reflector writes no time there.
    Missing,
    /// They contradict the sender's clock, but not if read in another format.
    Looks(FarFormat),
    /// They contradict the sender's clock in every known format.
    Contradict,
    /// The far clock's step is longer than the round trip, and some replies show one: T3 - T2 is
    /// zero or a whole step, so it does not measure the reflector's own time.
    Coarse,
}

/// A format of the far end's times other than the one that the packets name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarFormat {
    /// The fraction is a number of nanoseconds.
    Nanoseconds,
    /// The fraction is a number of microseconds.
    Microseconds,
    /// The fraction is a number of milliseconds.
    Milliseconds,
    /// The fraction is a thousandth of what it should be: milliseconds times 2^32 / 10^6, or a number of
    /// microseconds where nanoseconds belong.
    Thousandth,
    /// The fraction is a millionth of what it should be: milliseconds where nanoseconds belong.
    Millionth,
    /// Seconds since 1970 where those since 1900 belong, with a fraction in units of 2^-32 s.
    UnixSeconds,
}

impl FarTimes {
    /// Whether T2 and T3 may be used: nothing contradicts them so far.
    pub const fn are_usable(self) -> bool {
        matches!(self, Self::Agree | Self::Undecided)
    }

    /// The key in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Undecided => "undecided",
            Self::Missing => "missing",
            Self::Looks(FarFormat::Nanoseconds) => "nanoseconds",
            Self::Looks(FarFormat::Microseconds) => "microseconds",
            Self::Looks(FarFormat::Milliseconds) => "milliseconds",
            Self::Looks(FarFormat::Thousandth) => "thousandth",
            Self::Looks(FarFormat::Millionth) => "millionth",
            Self::Looks(FarFormat::UnixSeconds) => "unix_seconds",
            Self::Contradict => "contradict",
            Self::Coarse => "coarse",
        }
    }

    /// The result for two runs together.
    #[must_use]
    pub(crate) fn with(self, other: Self) -> Self {
        match (self.are_usable(), other.are_usable()) {
            _ if self == other => self,
            (true, true) => Self::Undecided,
            (true, false) => other,
            (false, true) => self,
            (false, false) => Self::Contradict,
        }
    }
}

const FORMATS: [FarFormat; 6] = [
    FarFormat::Nanoseconds,
    FarFormat::Microseconds,
    FarFormat::Milliseconds,
    FarFormat::Thousandth,
    FarFormat::Millionth,
    FarFormat::UnixSeconds,
];

impl FarFormat {
    /// The time that `far` means in this format; `None` if impossible. `near` is within a day of
    /// it.
    fn read(self, far: Wall, near: Wall) -> Option<Wall> {
        let ns = far.unix_ns().rem_euclid(SECOND);
        let second = far - Delta::from_ns(ns);
        let of = |ns: i64| (ns < SECOND).then(|| second + Delta::from_ns(ns));
        let fraction = (i128::from(ns) << 32) / i128::from(SECOND);
        // A nanosecond is 4.3 units of the fraction: the original may be 2 less.
        let fraction = i64::try_from(fraction).unwrap_or(i64::MAX);
        let fraction = fraction.saturating_sub(2).max(0);
        match self {
            Self::Nanoseconds => of(fraction),
            Self::Microseconds => of(fraction.saturating_mul(1_000)),
            Self::Milliseconds => of(fraction.saturating_mul(1_000_000)),
            Self::Thousandth => of(ns.saturating_mul(1_000)),
            Self::Millionth => of(ns.saturating_mul(1_000_000)),
            Self::UnixSeconds => {
                // Fractions that can be nanoseconds were read as PTP, the others as NTP.
                let as_ntp = far - Delta::from_ns(UNIX_AS_NTP_NS);
                if (as_ntp - near).abs_ns() <= DAY_NS {
                    Some(as_ntp)
                } else if (far - near).abs_ns() <= DAY_NS {
                    let ns = (i128::from(ns) * i128::from(SECOND)) >> 32;
                    of(i64::try_from(ns).unwrap_or(0))
                } else {
                    None
                }
            }
        }
    }

    /// Resolution of times in this format, when read as nanoseconds.
    const fn grid_ns(self) -> i64 {
        match self {
            Self::Nanoseconds | Self::UnixSeconds => 5,
            Self::Microseconds => 5_000,
            Self::Milliseconds => 5_000_000,
            Self::Thousandth | Self::Millionth => 1_000_000,
        }
    }
}

/// Watches T2 and T3 of a session, in constant memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct FarClockTest {
    /// Packets received with both times.
    stamped: u64,
    /// Packets received without T2 or T3.
    unstamped: u64,
    /// Of those with both, how many are impossible by themselves: T3 before T2, or T3 - T2 longer
    /// than T4 - T1.
    impossible: u64,
    /// Whether seconds appear to count from 1970.
    unix: u64,
    as_read: Reading,
    others: [Reading; FORMATS.len()],
    resolution: Resolution,
    step: Step,
    /// Of T2, while every T3 is the same, because then T3 gives no information about the step.
    stamp_step: StampStep,
    /// Of those with both, how many have T3 = T2, and how many a later T3.
    at_once: u64,
    later: u64,
    /// Replies with T3 - T2 longer than T4 - T1 by less than the step that explains it.
    explained: u64,
    /// The least T4 - T1, in nanoseconds.
    least_way: Option<i64>,
}

/// One format, and how often it contradicted itself.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    running: Option<Interval>,
    contradictions: u64,
    /// A timestamp could not be read in this format.
    impossible: bool,
}

/// Interval that contains the far clock's offset, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Interval {
    at: Wall,
    low: Delta,
    high: Delta,
}

impl FarClockTest {
    /// Records a reply in time that no step of the local clock affected.
    #[inline]
    pub(crate) fn record(&mut self, sample: &Sample) {
        let Some(t4) = sample.t4 else { return };
        let (Some(t2), Some(t3)) = (sample.t2, sample.t3) else {
            self.unstamped += 1;
            return;
        };
        self.stamped += 1;
        self.resolution.record(Some(t2));
        self.resolution.record(Some(t3));
        let (t1, t4) = (sample.t1.at, t4.at);
        self.step.record(t2, t1);
        // A reflector that writes one time as both does not count as repeating it.
        if t3 != t2 {
            self.step.record(t3, t4);
        } else if self.later == 0 {
            self.stamp_step.record(t2);
        }
        self.at_once += u64::from(t3 == t2);
        self.later += u64::from(t3 > t2);
        let way = (t4 - t1).ns();
        self.least_way = Some(self.least_way.map_or(way, |least| least.min(way)));
        let grid = self.grid_ns();
        let coarse = grid.max(self.step.so_far());
        let interval = Interval::of([t1, t2, t3, t4]);
        // Times that never repeat do not come from a step much longer than the round trip, even if
        // the few known ones fit one.
        let of_way = way.saturating_mul(STEP_OF_WAY);
        let borne_out = self.leaps() || self.step.so_far() <= of_way;
        let alone = if borne_out { coarse } else { grid };
        let possible = interval.is_some_and(|own| own.is_possible(alone));
        self.impossible += u64::from(!possible);
        let longer = (t3 - t2).ns() > way.saturating_add(COARSE_NS);
        self.explained += u64::from(possible && longer);
        let ahead = (t3 - Delta::from_ns(UNIX_AS_NTP_NS) - t4).abs_ns();
        self.unix += u64::from(ahead <= DAY_NS);
        self.as_read.test(interval, coarse);
        // Most formats are ruled out by the first timestamps.
        for (format, reading) in FORMATS.into_iter().zip(&mut self.others) {
            if reading.impossible {
                continue;
            }
            let read = format.read(t2, t4).zip(format.read(t3, t4));
            match read {
                Some((t2, t3)) => {
                    let own = Interval::of([t1, t2, t3, t4]);
                    reading.test(own, format.grid_ns().max(coarse));
                }
                None => reading.impossible = true,
            }
            let against = self.as_read.contradictions.saturating_mul(2);
            reading.impossible |= reading.contradictions > GIVEN_UP.max(against);
        }
    }

    /// The round grid that all times lie on so far.
    fn grid_ns(&self) -> i64 {
        let grid = self.resolution.so_far().unwrap_or(0);
        i64::try_from(grid).unwrap_or(i64::MAX)
    }

    /// The sender's clock stepped: offsets before and after are not comparable.
    pub(crate) fn record_clock_step(&mut self) {
        for reading in self.others.iter_mut().chain([&mut self.as_read]) {
            reading.running = None;
        }
    }

    /// Packets received without T2 or T3.
    pub(crate) fn unstamped(&self) -> u64 {
        self.unstamped
    }

    /// Whether every timestamp can count from 1970, and some must.
    fn is_unix(&self) -> bool {
        let [.., unix] = &self.others;
        self.unix == self.stamped || self.unix > 0 && !unix.impossible && unix.contradictions == 0
    }

    /// Whether some packet contradicts the others.
    pub(crate) fn is_contradicted(&self) -> bool {
        self.as_read.contradictions > 0
    }

    /// Whether the times may be wrong, so that delays independent of them must be kept.
    #[inline]
    pub(crate) fn is_suspicious(&self) -> bool {
        self.as_read.contradictions > 0 || self.unstamped > 0 || self.unix > 0 || self.is_coarse()
    }

    /// Whether T3 - T2 is zero, a step longer than the round trip, or a step too many.
    fn is_coarse(&self) -> bool {
        let step = self.step_ns();
        let longer = self.least_way.is_some_and(|way| step > way);
        let mixed = self.at_once > 0 && self.later > 0 && longer;
        step > COARSE_NS && (mixed || self.explained > 0)
    }

    /// Whether one time appears in several packets, or T3 = T2 in some packets but not in others.
    fn leaps(&self) -> bool {
        self.step.repeats() || self.at_once > 0 && self.later > 0
    }

    /// The far clock's step as far as it is confirmed, in nanoseconds; 0 for a fine clock.
    pub(crate) fn step_ns(&self) -> i64 {
        if self.leaps() || self.explained > 0 {
            return self.grid_ns().max(self.step.so_far());
        }
        let step = self.stamp_step.value().filter(|_| self.later == 0);
        let step = i64::try_from(step.unwrap_or(0)).unwrap_or(i64::MAX);
        self.grid_ns().max(step)
    }

    pub(crate) fn value(&self) -> FarTimes {
        let value = self.by_contradictions();
        if value.are_usable() && self.is_coarse() {
            FarTimes::Coarse
        } else {
            value
        }
    }

    fn by_contradictions(&self) -> FarTimes {
        if self.stamped == 0 {
            return if self.unstamped > 0 {
                FarTimes::Missing
            } else {
                FarTimes::Undecided
            };
        }
        let against = self.as_read.contradictions;
        let known = FORMATS.into_iter().zip(&self.others).filter(|(_, other)| {
            !other.impossible && other.contradictions.saturating_mul(BETTER) <= against
        });
        let best = known.min_by_key(|(_, other)| other.contradictions);
        match best {
            Some((format, _)) if against >= NAMED => FarTimes::Looks(format),
            // Few contradict, but no clock is off by exactly this amount by chance.
            _ if self.is_unix() => FarTimes::Looks(FarFormat::UnixSeconds),
            _ if self.impossible == self.stamped => FarTimes::Contradict,
            _ if against >= UNKNOWN && against.saturating_mul(UNKNOWN_SHARE) >= self.stamped => {
                FarTimes::Contradict
            }
            _ if self.stamped < ENOUGH || against.saturating_mul(UNKNOWN_SHARE) >= self.stamped => {
                FarTimes::Undecided
            }
            _ => FarTimes::Agree,
        }
    }
}

impl Reading {
    /// A packet's interval, for times rounded to `grid_ns`.
    #[inline]
    fn test(&mut self, own: Option<Interval>, grid_ns: i64) {
        let Some(own) = own.filter(|own| own.is_possible(grid_ns)) else {
            self.contradictions += 1;
            return;
        };
        let cut = self.running.map_or(own, |running| running.cut(own));
        let agrees = cut.is_possible(grid_ns);
        self.contradictions += u64::from(!agrees);
        self.running = Some(if agrees { cut } else { own });
    }
}

impl Interval {
    /// From the times as they are: their error is allowed for when intervals are compared, because
    /// it is better known by then. `None` if the packet would have left before it arrived.
    fn of([t1, t2, t3, t4]: [Wall; 4]) -> Option<Self> {
        (t3 >= t2).then(|| Self {
            at: t1,
            low: t3 - t4,
            high: t2 - t1,
        })
    }

    /// Both of its ends may be off by the error of timestamps or by `grid_ns`, the far clock's
    /// step.
    fn is_possible(self, grid_ns: i64) -> bool {
        let error = Delta::from_ns(STAMP_ERROR_NS.max(grid_ns));
        self.low + -error <= self.high + error
    }

    /// The intersection of both, at the time of the later one.
    fn cut(self, own: Self) -> Self {
        let apart = round::whole(round::float_unsigned((own.at - self.at).abs_ns()) * DRIFT);
        let drift = Delta::from_ns(i64::try_from(apart).unwrap_or(i64::MAX));
        Self {
            low: own.low.max(self.low + -drift),
            high: own.high.min(self.high + drift),
            ..own
        }
    }
}
