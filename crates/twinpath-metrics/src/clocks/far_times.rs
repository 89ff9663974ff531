//! Whether the far end's times can be what they claim to be, by the packets alone: some peers write
//! microseconds where a fraction of a second belongs, count from 1970 where 1900 is meant, or write no
//! time at all.
//!
//! Between the two readings of one packet lies all that both clocks agree on: the far clock's offset is
//! at least T3 - T4 and at most T2 - T1. From packet to packet that interval moves no faster than clocks
//! drift. A fraction that is too small by a factor makes the far clock slow within a second and leap at
//! its end, and so contradicts itself again and again. The same packets are read in each of the ways
//! that are known of peers: one that fits throughout is the guess.

use twinpath_wire::{Delta, Sample, Wall};

use crate::clocks::resolution::Resolution;
use crate::clocks::rounding::STAMP_ERROR_NS;
use crate::clocks::stamp_step::StampStep;
use crate::clocks::step::Step;
use crate::round;

const SECOND: i64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * 1_000_000_000;
/// How fast two clocks may drift apart: well above what NTP lets one do (500 ppm, RFC 5905 section
/// 7.1), for clocks that are being corrected and for those that run at a rate of their own.
const DRIFT: f64 = 8_000e-6;
/// Packets that agree, and no fewer, bear a clock out.
const ENOUGH: u64 = 10;
/// Contradictions that a known format must explain to be named.
const NAMED: u64 = 5;
/// Contradictions at least, one in this many packets, where no known format explains them.
const UNKNOWN: u64 = 10;
const UNKNOWN_SHARE: u64 = 4;
/// How many times fewer contradictions the named format leaves.
const BETTER: u64 = 10;
/// A step this many times as long as T4 - T1 shows in times that repeat: a tick within is rare.
const STEP_OF_WAY: i64 = 4;
/// A step that is no longer than this is lost in what stamps are off by.
const COARSE_NS: i64 = 100_000;
/// Contradictions after which a way to read the times is no longer tried, if there are twice as many as
/// without it.
const GIVEN_UP: u64 = 64;
/// What seconds since 1970, read as those since 1900, are ahead of the truth.
const UNIX_AS_NTP_NS: i64 = ((1 << 32) - 2_208_988_800) * SECOND;

/// What the packets tell of T2 and T3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FarTimes {
    /// They run as the sender's clock does.
    Agree,
    /// Too few packets to tell.
    #[default]
    Undecided,
    /// T2, T3 or both are zero in every reply: the reflector gives no time there.
    Missing,
    /// They contradict the sender's clock, and do not once they are read in another way.
    Looks(FarFormat),
    /// They contradict the sender's clock, in whatever way they are read.
    Contradict,
    /// The far clock's step is longer than the round trip, and some replies show one: T3 - T2 is
    /// nothing or a whole step, and no measure of the reflector's own time.
    Coarse,
}

/// Another way to read the far end's times than the one that the packets name.
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
    /// T2 and T3 may be used: nothing speaks against them so far.
    pub const fn are_usable(self) -> bool {
        matches!(self, Self::Agree | Self::Undecided)
    }

    /// A fixed word for machines.
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

    /// What is known of two runs together.
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
    /// What `far` means if it is written in this way; `None` where it cannot be. `near` is within a day
    /// of it.
    fn read(self, far: Wall, near: Wall) -> Option<Wall> {
        let ns = far.unix_ns().rem_euclid(SECOND);
        let second = far - Delta::from_ns(ns);
        let of = |ns: i64| (ns < SECOND).then(|| second + Delta::from_ns(ns));
        let fraction = (i128::from(ns) << 32) / i128::from(SECOND);
        // A nanosecond is 4.3 units of the fraction: what stood there may be 2 less.
        let fraction = i64::try_from(fraction).unwrap_or(i64::MAX);
        let fraction = fraction.saturating_sub(2).max(0);
        match self {
            Self::Nanoseconds => of(fraction),
            Self::Microseconds => of(fraction.saturating_mul(1_000)),
            Self::Milliseconds => of(fraction.saturating_mul(1_000_000)),
            Self::Thousandth => of(ns.saturating_mul(1_000)),
            Self::Millionth => of(ns.saturating_mul(1_000_000)),
            Self::UnixSeconds => {
                // Fractions that can be nanoseconds were read as PTP's, the others as NTP's.
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

    /// What times that are written so are rounded to, read as nanoseconds on the way.
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
    /// Received with both times.
    stamped: u64,
    /// Received without T2 or T3.
    unstamped: u64,
    /// Of those with both, how many cannot be by themselves: T3 before T2, or kept for longer than away.
    impossible: u64,
    /// Seconds look as though they counted from 1970.
    unix: u64,
    as_read: Reading,
    others: [Reading; FORMATS.len()],
    resolution: Resolution,
    step: Step,
    /// Of T2, as long as every T3 is the same: what is near a multiple of something tells nothing then.
    apart: StampStep,
    /// Of those with both, how many have T3 = T2, and how many a later T3.
    at_once: u64,
    later: u64,
    /// Replies that stayed longer than they were away, by less than the step that explains it.
    explained: u64,
    /// The least T4 - T1, in nanoseconds.
    least_way: Option<i64>,
}

/// One way to read the times, and how often it contradicted itself.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    running: Option<Interval>,
    contradictions: u64,
    /// A stamp could not be read so.
    impossible: bool,
}

/// In which the far clock's offset must be. Nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Interval {
    at: Wall,
    low: Delta,
    high: Delta,
}

impl FarClockTest {
    /// A reply in time that no step of the local clock touched.
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
        // A reflector that gives one time for both has repeated nothing.
        if t3 != t2 {
            self.step.record(t3, t4);
        } else if self.later == 0 {
            self.apart.record(t2);
        }
        self.at_once += u64::from(t3 == t2);
        self.later += u64::from(t3 > t2);
        let way = (t4 - t1).ns();
        self.least_way = Some(self.least_way.map_or(way, |least| least.min(way)));
        let grid = self.grid_ns();
        let coarse = grid.max(self.step.so_far());
        let interval = Interval::of([t1, t2, t3, t4]);
        // Times that never repeat are not those of a step much longer than the way, however the few
        // that are known fit to one.
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
        // Most formats are ruled out by the first stamps.
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

    /// The sender's clock stepped: no offset reaches over this moment.
    pub(crate) fn record_clock_step(&mut self) {
        for reading in self.others.iter_mut().chain([&mut self.as_read]) {
            reading.running = None;
        }
    }

    /// Received without T2 or T3.
    pub(crate) fn unstamped(&self) -> u64 {
        self.unstamped
    }

    /// Every stamp can be one that counts from 1970, and some can be nothing else.
    fn is_unix(&self) -> bool {
        let [.., unix] = &self.others;
        self.unix == self.stamped || self.unix > 0 && !unix.impossible && unix.contradictions == 0
    }

    /// Some packet contradicts the others.
    pub(crate) fn is_contradicted(&self) -> bool {
        self.as_read.contradictions > 0
    }

    /// Something is wrong with the times, perhaps: what needs none of them is to be kept.
    #[inline]
    pub(crate) fn is_suspicious(&self) -> bool {
        self.as_read.contradictions > 0 || self.unstamped > 0 || self.unix > 0 || self.is_coarse()
    }

    /// T3 - T2 is nothing or a step that is longer than the way, or a step too many.
    fn is_coarse(&self) -> bool {
        let step = self.step_ns();
        let longer = self.least_way.is_some_and(|way| step > way);
        let mixed = self.at_once > 0 && self.later > 0 && longer;
        step > COARSE_NS && (mixed || self.explained > 0)
    }

    /// It told one time for several packets, or for some stays and not for others.
    fn leaps(&self) -> bool {
        self.step.repeats() || self.at_once > 0 && self.later > 0
    }

    /// The far clock's step as far as it is borne out, 0 for a fine clock. Nanoseconds.
    pub(crate) fn step_ns(&self) -> i64 {
        if self.leaps() || self.explained > 0 {
            return self.grid_ns().max(self.step.so_far());
        }
        let apart = self.apart.value().filter(|_| self.later == 0);
        let apart = i64::try_from(apart.unwrap_or(0)).unwrap_or(i64::MAX);
        self.grid_ns().max(apart)
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
            // Few contradict, but no clock is wrong by just this by chance.
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
    /// A packet's interval, of times that are rounded to `grid_ns`.
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
    /// Of times as they are: what they are off by is allowed for where intervals are judged, for it is
    /// known better later. `None` where the packet left before it arrived.
    fn of([t1, t2, t3, t4]: [Wall; 4]) -> Option<Self> {
        (t3 >= t2).then(|| Self {
            at: t1,
            low: t3 - t4,
            high: t2 - t1,
        })
    }

    /// Both of its ends may be off, by what stamps are or by the step of `grid_ns` that the far clock
    /// has.
    fn is_possible(self, grid_ns: i64) -> bool {
        let error = Delta::from_ns(STAMP_ERROR_NS.max(grid_ns));
        self.low + -error <= self.high + error
    }

    /// What both allow, at the later one's time.
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
