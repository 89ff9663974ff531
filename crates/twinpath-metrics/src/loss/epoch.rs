//! One life of a reflector's counter: how many packets it reflected, and which did not come back
//! (RFC 5357 section 4.2.1, RFC 8762 section 4; rows M-26 to M-29).

use twinpath_wire::Wall;

/// A number up to which a counter is taken to have started at 0: its first replies were lost.
pub(crate) const SMALL: u64 = 16;

/// How an epoch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The session's first: number 0 met the session's first packet, unless that contradicts
    /// what is seen (a counter that an earlier session left behind).
    Original,
    /// A restarted counter: its 0 met this packet, as far as one can know.
    AtZero(u64),
    /// Nothing is known of what came before the first reply.
    Unknown,
}

/// Numbers of packets without a reply, by where they stand among those with one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placed {
    before: u64,
    within: u64,
    after: u64,
    greatest: u64,
}

/// What replies told of one epoch. Sender's numbers are `s`, the reflector's `r`.
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
    /// Distinct `r` beyond the first of their `s`: copies made on the way out (row M-27).
    copies: u64,
    contradicted: bool,
    lost: Placed,
    not_sent: Placed,
}

/// Losses of one epoch that have a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) forward: u64,
    pub(crate) backward: u64,
    pub(crate) uncertain: bool,
}

impl Epoch {
    /// Begins with a reply, which is not yet counted.
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
            lost: Placed::default(),
            not_sent: Placed::default(),
        }
    }

    /// The reflector's 32-bit number nearest to the greatest one (row M-31).
    pub(crate) fn extend(&self, r: u32) -> i64 {
        let low = self.r_max.rem_euclid(1 << 32);
        let low = u32::try_from(low).unwrap_or(0);
        self.r_max
            .saturating_add(i64::from(r.wrapping_sub(low).cast_signed()))
    }

    /// True if this reply cannot come from the same counter (row M-29): later than that with the
    /// greatest number by both clocks, and yet more than the packets in flight below it; or above
    /// it by more than any sending explains, which is a fall over half the 32 bits.
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

    /// True if a reply with this T3 and number stems from before this epoch, `earlier` being the
    /// greatest number of the one before.
    pub(crate) fn is_after(&self, t3: Wall, r: u32, earlier: &Self) -> bool {
        let here = self.extend(r).abs_diff(self.r_max);
        let there = earlier.extend(r).abs_diff(earlier.r_max);
        t3 < self.t3_first && there < here
    }

    /// The first reply to `s`, in time or late. `again`: its number was seen with another `s`.
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

    /// A further reply to `s` with a number that was not seen: copied on the way out.
    pub(crate) fn copy(&mut self, s: u64, r: i64, t3: Wall) {
        self.distinct += 1;
        self.copies += 1;
        self.reflected(s, r, t3);
    }

    /// True if a packet without a reply belongs here.
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

    /// A packet that never had a reply.
    pub(crate) fn lose(&mut self, s: u64) {
        self.lost.record(s, self.s_min, self.s_max);
    }

    /// A number that was never sent.
    pub(crate) fn skip(&mut self, s: u64) {
        self.not_sent.record(s, self.s_min, self.s_max);
    }

    /// Takes over the numbers that had their fate before the first reply.
    pub(crate) fn inherit(&mut self, lost: Placed, not_sent: Placed) {
        self.lost = lost.seen_from(self.s_min);
        self.not_sent = not_sent.seen_from(self.s_min);
    }

    /// The direction of the losses between the epoch's first packet and its last answered one.
    /// `first` is the session's first number.
    ///
    /// As long as packets in that range have no fate yet, a missing number of the reflector may be
    /// one of them: then only what holds either way has a direction.
    pub(crate) fn verdict(&self, first: u64) -> Verdict {
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
        Verdict {
            forward: lost - most,
            backward,
            uncertain: self.contradicted || overfull || (self.copies > 0 && missing > 0),
        }
    }

    /// The first packet and the first number of the epoch, and whether what was lost before the
    /// first reply counts.
    fn origin(&self, first: u64) -> (u64, i64, bool) {
        let s_0 = match self.start {
            Start::AtZero(s_0) => Some(s_0),
            Start::Original => self.met_zero(first).then_some(first),
            Start::Unknown => None,
        };
        match s_0 {
            // A number below 0 was one before 2^32: the counter is older than the epoch.
            Some(s_0) if self.r_min >= 0 => (s_0.min(self.s_min), 0, true),
            Some(_) | None => (self.s_min, self.r_min, false),
        }
    }

    /// Whether the session's first packet may have met the counter at 0: not if the first reply
    /// is ahead of its packet, or more was reflected than was sent.
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

impl Placed {
    /// A number without a reply while there is no reply at all.
    pub(crate) fn record_early(&mut self, s: u64) {
        self.after += 1;
        self.greatest = self.greatest.max(s);
    }

    /// The early numbers once the first reply is there.
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

    /// A reply to `s` came: what was behind the last one is so no more. Where `s` lies among
    /// them, they wait for a reply beyond them all.
    fn reached(&mut self, s: u64) {
        if self.after > 0 && s > self.greatest {
            self.within += self.after;
            self.after = 0;
        }
    }
}
