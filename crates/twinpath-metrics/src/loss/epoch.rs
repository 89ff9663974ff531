//! One life of a reflector's counter: how many packets it reflected, and which did not come back
//! (RFC 5357 section 4.2.1, RFC 8762 section 4; rows M-26 to M-29).

use twinpath_wire::Wall;

/// The largest first number at which a counter is assumed to have started at 0, its first replies
/// being lost.
pub(crate) const SMALL: u64 = 16;

/// How an epoch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The session's first: number 0 belongs to the session's first packet, unless later replies
    /// contradict that (a counter left over from an earlier session).
    Original,
    /// A restarted counter: its 0 belongs to this packet, as far as is known.
    AtZero(u64),
    /// Nothing is known about packets before the first reply.
    Unknown,
}

/// Numbers of packets without a reply, by position among those with one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UnansweredCounts {
    before: u64,
    within: u64,
    after: u64,
    greatest: u64,
}

/// Counts from the replies of one epoch. Sender's numbers are `s`, the reflector's `r`.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    start: Start,
    s_min: u64,
    s_max: u64,
    r_first: i64,
    s_first: u64,
    r_min: i64,
    r_max: i64,
    /// The packet that has `r_max`.
    s_at_r_max: u64,
    t3_at_r_max: Wall,
    t3_first: Wall,
    /// Distinct `s` with a reply.
    answered: u64,
    /// Distinct `r`.
    distinct: u64,
    /// Distinct `r` beyond the first of their `s`: copies made outbound (row M-27).
    copies: u64,
    contradicted: bool,
    lost: UnansweredCounts,
    not_sent: UnansweredCounts,
}

/// Losses of one epoch that have a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EpochLosses {
    pub(crate) forward: u64,
    pub(crate) backward: u64,
    pub(crate) uncertain: bool,
}

impl Epoch {
    /// Begins an epoch at a reply, which is not yet counted.
    pub(crate) fn new(start: Start, s: u64, r: i64, t3: Wall) -> Self {
        Self {
            start,
            s_min: s,
            s_max: s,
            r_first: r,
            s_first: s,
            r_min: r,
            r_max: r,
            s_at_r_max: s,
            t3_at_r_max: t3,
            t3_first: t3,
            answered: 0,
            distinct: 0,
            copies: 0,
            contradicted: false,
            lost: UnansweredCounts::default(),
            not_sent: UnansweredCounts::default(),
        }
    }

    /// The reflector's 32-bit number nearest to the greatest one (row M-31).
    pub(crate) fn extend(&self, r: u32) -> i64 {
        let low = self.r_max.rem_euclid(1 << 32);
        let low = u32::try_from(low).unwrap_or(0);
        self.r_max
            .saturating_add(i64::from(r.wrapping_sub(low).cast_signed()))
    }

    /// Whether this reply cannot come from the same counter (row M-29): its number is below the
    /// greatest one by more than the packets in flight, although it is later by both clocks; or
    /// above it by more than any sending explains, which is a drop of over half the 32 bits.
    pub(crate) fn restarted(
        &self,
        s: u64,
        r: i64,
        t3: Wall,
        in_flight: impl FnOnce() -> u64,
    ) -> bool {
        if s <= self.s_at_r_max || t3 <= self.t3_at_r_max {
            return false;
        }
        let distance = r.abs_diff(self.r_max);
        if r < self.r_max {
            distance > in_flight()
        } else {
            distance > (1 << 20) + 16 * (s - self.s_at_r_max).min(1 << 32)
        }
    }

    /// Whether a reply with this T3 and number is from before this epoch; `earlier` is the greatest
    /// number of the previous epoch.
    pub(crate) fn is_after(&self, t3: Wall, r: u32, earlier: &Self) -> bool {
        let here = self.extend(r).abs_diff(self.r_max);
        let there = earlier.extend(r).abs_diff(earlier.r_max);
        t3 < self.t3_first && there < here
    }

    /// Records the first reply to `s`, in time or late. `again`: its number was seen with another
    /// `s`.
    pub(crate) fn answer(&mut self, s: u64, r: i64, t3: Wall, again: bool) {
        self.answered += 1;
        if again {
            self.contradicted = true;
        } else {
            self.distinct += 1;
        }
        self.s_min = self.s_min.min(s);
        if s > self.s_max {
            self.s_max = s;
            self.lost.reached(s);
            self.not_sent.reached(s);
        }
        self.reflected(s, r, t3);
    }

    /// Records a further reply to `s` with a new number: copied outbound.
    pub(crate) fn copy(&mut self, s: u64, r: i64, t3: Wall) {
        self.distinct += 1;
        self.copies += 1;
        self.reflected(s, r, t3);
    }

    /// Whether a packet without a reply belongs to this epoch.
    pub(crate) fn covers(&self, s: u64) -> bool {
        match self.start {
            Start::Original => true,
            Start::AtZero(s_0) => s >= s_0.min(self.s_min),
            Start::Unknown => s >= self.s_min,
        }
    }

    /// The greatest sender's number with a reply.
    pub(crate) fn s_max(&self) -> u64 {
        self.s_max
    }

    /// Records a packet that never had a reply.
    pub(crate) fn record_lost(&mut self, s: u64) {
        self.lost.record(s, self.s_min, self.s_max);
    }

    /// Records a number that was never sent.
    pub(crate) fn skip(&mut self, s: u64) {
        self.not_sent.record(s, self.s_min, self.s_max);
    }

    /// Takes over the numbers whose fate was known before the first reply.
    pub(crate) fn take_over_unanswered(
        &mut self,
        lost: UnansweredCounts,
        not_sent: UnansweredCounts,
    ) {
        self.lost = lost.seen_from(self.s_min);
        self.not_sent = not_sent.seen_from(self.s_min);
    }

    /// The direction of the losses between the epoch's first packet and its last answered one.
    /// `first` is the session's first number.
    ///
    /// While packets in that range have no fate yet, a missing number of the reflector may be one
    /// of them: then only losses that have the same direction either way count.
    pub(crate) fn losses(&self, first: u64) -> EpochLosses {
        let (s_0, r_0, whole) = self.origin(first);
        let sent = self.s_max.saturating_sub(s_0).saturating_add(1);
        let reflected = self.r_max.abs_diff(r_0).saturating_add(1);
        let lost = self.lost.within + if whole { self.lost.before } else { 0 };
        let not_sent = self.not_sent.within + if whole { self.not_sent.before } else { 0 };
        let open = sent.saturating_sub(self.answered + lost + not_sent);
        let missing = reflected.saturating_sub(self.distinct);
        let most = missing.min(lost);
        let backward = missing.saturating_sub(open).min(lost);
        let overfull = self.distinct > reflected || missing > lost + open;
        EpochLosses {
            forward: lost - most,
            backward,
            uncertain: self.contradicted || overfull || (self.copies > 0 && missing > 0),
        }
    }

    /// The first packet and the first number of the epoch, and whether losses before the first
    /// reply count.
    fn origin(&self, first: u64) -> (u64, i64, bool) {
        let s_0 = match self.start {
            Start::AtZero(s_0) => Some(s_0),
            Start::Original => self.met_zero(first).then_some(first),
            Start::Unknown => None,
        };
        match s_0 {
            // A number below 0 is from before 2^32: the counter is older than the epoch.
            Some(s_0) if self.r_min >= 0 => (s_0.min(self.s_min), 0, true),
            Some(_) | None => (self.s_min, self.r_min, false),
        }
    }

    /// Whether the session's first packet may have been number 0 of the counter: not if the first
    /// reply's number is ahead of its packet's, or more was reflected than was sent.
    fn met_zero(&self, first: u64) -> bool {
        let lead = i128::from(self.r_first) - i128::from(self.s_first);
        let sent = self.s_max.saturating_sub(first).saturating_add(1);
        let reflected = self.r_max.abs_diff(0).saturating_add(1);
        first <= SMALL && lead <= i128::from(SMALL) && reflected.saturating_sub(self.copies) <= sent
    }

    fn reflected(&mut self, s: u64, r: i64, t3: Wall) {
        self.r_min = self.r_min.min(r);
        if r > self.r_max {
            (self.r_max, self.s_at_r_max, self.t3_at_r_max) = (r, s, t3);
        }
    }
}

impl UnansweredCounts {
    /// Records a number without a reply before the first reply.
    pub(crate) fn record_early(&mut self, s: u64) {
        self.after += 1;
        self.greatest = self.greatest.max(s);
    }

    /// The early numbers once the first reply has arrived.
    fn seen_from(self, s: u64) -> Self {
        if self.greatest < s {
            Self {
                before: self.after,
                after: 0,
                ..self
            }
        } else {
            self
        }
    }

    fn record(&mut self, s: u64, s_min: u64, s_max: u64) {
        if s < s_min {
            self.before += 1;
        } else if s <= s_max {
            self.within += 1;
        } else {
            self.after += 1;
            self.greatest = self.greatest.max(s);
        }
    }

    /// A reply to `s` arrived: numbers after the last reply now precede one. If `s` is among them,
    /// they wait for a reply beyond them all.
    fn reached(&mut self, s: u64) {
        if self.after > 0 && s > self.greatest {
            self.within += self.after;
            self.after = 0;
        }
    }
}
