//! Availability by blocks of send time (row M-63; the shape of ITU-T Y.1540 and Y.1731).
//!
//! A block in which packets were due that were never sent, and none was sent, says nothing about the
//! path: it counts as not measured, so that a fault of the sender is not reported as an available
//! path. Packets that left later than they were due (they waited for the neighbour's address, or in
//! the interface's queue) are sent: the block in which they were due is not missing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_wire::{Exclusion, Fate, Sample, Wall, nanoseconds};

use crate::ring::Ring;
use crate::round;
use crate::{AvailabilityFigures, SettledBlocks};

/// Blocks whose packets may still be in flight: a fate may come 255 blocks after its packet.
const OPEN: u16 = 256;
const SECOND: u64 = 1_000_000_000;

/// What a bad block is, and when the path is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AvailabilityRule {
    /// Length of a block in nanoseconds; 0 is taken as 1.
    pub block_ns: u64,
    /// A block is bad if more than this share of its packets is lost.
    pub bad_above: f64,
    /// How many bad blocks in a row make the path unavailable, from the first of them on; as many
    /// blocks in a row that are not bad make it available again, from the first of them on.
    pub in_a_row: u32,
}

impl AvailabilityRule {
    /// 10 blocks in a row with over half of their packets lost. A block is a second, or ten
    /// intervals if these are longer than a second.
    pub fn for_interval(interval: Duration) -> Self {
        let interval = nanoseconds::of(interval);
        let block_ns = if interval > SECOND {
            interval.saturating_mul(10)
        } else {
            SECOND
        };
        Self {
            block_ns,
            bad_above: 0.5,
            in_a_row: 10,
        }
    }
}

/// Counts packets per block, and judges a block once all fates of its packets are known. Constant
/// memory.
///
/// Packets belong to blocks by T1. After a step of the sender's clock, the first packet is placed
/// by its number.
#[derive(Clone, Debug)]
pub(crate) struct Availability {
    rule: AvailabilityRule,
    block_ns: i64,
    /// T1 at the run's time 0, by the current clock and by the clock before its last step.
    zero: i64,
    zero_before: Option<i64>,
    /// The clock stepped, and no later packet has been recorded yet.
    stepped: bool,
    first: Option<u64>,
    /// The number of the newest packet and its time in the run.
    newest: (u64, i64),
    block: u64,
    /// Time in the run at which the newest block ends.
    block_ends: i64,
    /// The oldest block that is open.
    oldest: u64,
    open: Ring<Block>,
    judge: Judge,
    unplaced: u64,
}

/// Two counts of up to 31 bits, each with a flag in its top bit, so that a block takes eight octets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Block {
    received: Count,
    lost: Count,
}

impl Block {
    /// A packet was due in it and was never sent.
    fn mark_unsent(&mut self) {
        self.lost.flag();
    }

    /// A packet was due in it and was sent, in this block or later, and its fate says nothing about the path.
    fn mark_sent(&mut self) {
        self.received.flag();
    }

    /// Whether packets were due in it, and all of them were never sent.
    fn is_unmeasured(self) -> bool {
        self.lost.is_flagged() && !self.received.is_flagged()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count(u32);

impl Count {
    const FLAG: u32 = 1 << 31;

    fn increment(&mut self) {
        if self.0 | Self::FLAG != u32::MAX {
            self.0 += 1;
        }
    }

    fn value(self) -> u64 {
        u64::from(self.0 & !Self::FLAG)
    }

    fn flag(&mut self) {
        self.0 |= Self::FLAG;
    }

    fn is_flagged(self) -> bool {
        self.0 & Self::FLAG != 0
    }
}

/// The data that place an event in the run: a packet's number, its T1 or time of refusal, its fate.
#[derive(Clone, Copy, Debug)]
struct Event {
    seq: u64,
    at: Wall,
    fate: Fate,
    excluded: Option<Exclusion>,
}

/// Judges blocks in order.
#[derive(Clone, Copy, Debug, Default)]
struct Judge {
    unavailable: bool,
    /// Blocks at the end that differ from the path's state.
    against: u64,
    /// Unavailable blocks since the path became unavailable.
    outage: u64,
    figures: AvailabilityFigures,
}

impl Availability {
    pub(crate) fn new(rule: AvailabilityRule) -> Self {
        // At least 1 ns per block, so that 255 blocks have a duration.
        let most = i64::MAX / (i64::from(OPEN) * 4);
        let block_ns = i64::try_from(rule.block_ns).unwrap_or(most).clamp(1, most);
        Self {
            rule,
            block_ns,
            zero: 0,
            zero_before: None,
            stepped: false,
            first: None,
            newest: (0, 0),
            block: 0,
            block_ends: 0,
            oldest: 0,
            open: Ring::new(OPEN as usize),
            judge: Judge::default(),
            unplaced: 0,
        }
    }

    /// Records one packet's fate.
    #[inline]
    pub(crate) fn record(&mut self, sample: &Sample) {
        let lost = match sample.fate {
            Fate::Received => Some(false),
            Fate::Lost | Fate::Late => Some(true),
            // It was sent, and no reply was to tell more.
            Fate::Unawaited => None,
            Fate::Duplicate => return,
        };
        let run = self.run(Event {
            seq: sample.seq,
            at: sample.t1.at,
            fate: sample.fate,
            excluded: sample.excluded,
        });
        let Some(block) = self.block_of(sample.seq, run) else {
            self.unplaced += 1;
            return;
        };
        match lost {
            Some(true) => block.lost.increment(),
            Some(false) => block.received.increment(),
            None => block.mark_sent(),
        }
        let newest = self.block_ends.saturating_sub(self.block_ns);
        let into_block = if run >= newest {
            run - newest
        } else {
            run.rem_euclid(self.block_ns)
        };
        let late = sample.departure.ns();
        if late > into_block && sample.excluded != Some(Exclusion::ClockStep) {
            self.mark_late(run.saturating_sub(late));
        }
    }

    /// The network refused packet `seq` at `at`: it was never sent.
    #[cold]
    pub(crate) fn record_not_sent(&mut self, seq: u64, at: Wall) {
        let run = self.run(Event {
            seq,
            at,
            fate: Fate::Received,
            excluded: None,
        });
        if let Some(block) = self.block_of(seq, run) {
            block.mark_unsent();
        }
    }

    /// `count` packets were due from `since` until `until` and were not sent then.
    #[cold]
    pub(crate) fn record_missed(&mut self, count: u64, since: Wall, until: Wall) {
        let span = (until - since).ns().max(0);
        if self.first.is_none() {
            self.begin(0, since);
        }
        // After a step, the clock's zero is unknown until a packet is sent.
        let from = if self.stepped {
            self.newest.1
        } else {
            since.unix_ns().saturating_sub(self.zero)
        };
        let to = from.saturating_add(span);
        let begun = self.block;
        if to >= self.block_ends {
            self.advance(to);
        }
        let number = |run: i64| u64::try_from(run.div_euclid(self.block_ns)).unwrap_or(0);
        let (first, last) = (number(from), number(to));
        // Spread over all blocks if there are enough packets, otherwise over every n-th block.
        let stride = (last - first + 1).div_ceil(count.max(1));
        // Blocks that were never open contain no packet.
        let unopened = self
            .oldest
            .saturating_sub(first.max(begun + 1))
            .min(last - first);
        self.judge.figures.unmeasured_blocks += unopened / stride;
        for number in first.max(self.oldest)..=last {
            if (number - first).is_multiple_of(stride)
                && let Some(block) = self.open.slot(number)
            {
                block.mark_unsent();
            }
        }
    }

    /// The block of this time in the run, unless it was judged.
    #[inline]
    fn block_of(&mut self, seq: u64, run: i64) -> Option<&mut Block> {
        if run >= self.block_ends {
            self.advance(run);
        }
        let block = if run >= self.block_ends.saturating_sub(self.block_ns) {
            self.block
        } else {
            u64::try_from(run.div_euclid(self.block_ns)).unwrap_or(0)
        };
        if block < self.oldest {
            return None;
        }
        if run > self.newest.1 {
            self.newest = (seq, run);
        }
        self.open.slot(block)
    }

    /// A packet was due at this time, in an earlier block than that of its T1.
    #[cold]
    fn mark_late(&mut self, due: i64) {
        let block = u64::try_from(due.div_euclid(self.block_ns)).unwrap_or(0);
        if block >= self.oldest
            && let Some(block) = self.open.slot(block)
        {
            block.mark_sent();
        }
    }

    /// Later T1s are by the stepped clock.
    pub(crate) fn record_clock_step(&mut self) {
        self.stepped = self.first.is_some();
    }

    /// `None` if no packet was due.
    pub(crate) fn value(&self) -> Option<AvailabilityFigures> {
        self.first?;
        let mut judge = self.judge;
        for number in self.oldest..=self.block {
            judge.next(self.open.get(number), &self.rule);
        }
        judge.end_outage();
        let mut figures = judge.figures;
        figures.block_ns = self.block_ns.unsigned_abs();
        figures.unplaced = self.unplaced;
        Some(figures)
    }

    /// The blocks that no later packet changes, if each packet's fate is known `within` this time; `None`: the run
    /// is over.
    pub(crate) fn settled(&self, within: Option<Duration>) -> SettledBlocks {
        let Some(within) = within else {
            return self
                .value()
                .map_or_else(SettledBlocks::default, |all| SettledBlocks {
                    blocks: all.blocks,
                    unavailable: all.unavailable_blocks,
                });
        };
        let mut judge = self.judge;
        let within = i64::try_from(nanoseconds::of(within)).unwrap_or(i64::MAX);
        let end = self.newest.1.saturating_sub(within).max(0);
        let end = u64::try_from(end / self.block_ns).unwrap_or(0);
        for number in self.oldest..end.min(self.block) {
            judge.next(self.open.get(number), &self.rule);
        }
        judge.settled()
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.open.octets()
    }

    /// Converts an event to time in the run.
    #[inline]
    fn run(&mut self, event: Event) -> i64 {
        if self.first.is_none() {
            return self.begin(event.seq, event.at);
        }
        let at = event.at.unix_ns();
        if self.stepped || self.zero_before.is_some() {
            return self.run_across_step(event, at);
        }
        at.saturating_sub(self.zero)
    }

    /// The first event. Packets before it may still be lost: blocks before its own stay open.
    #[cold]
    fn begin(&mut self, seq: u64, at: Wall) -> i64 {
        let run = self.block_ns * i64::from(OPEN - 1);
        self.zero = at.unix_ns().saturating_sub(run);
        self.first = Some(seq);
        self.newest = (seq, run);
        self.block = u64::from(OPEN) - 1;
        self.block_ends = run + self.block_ns;
        run
    }

    /// By the clock before the step or the clock after it.
    #[cold]
    fn run_across_step(&mut self, event: Event, t1: i64) -> i64 {
        let now = t1.saturating_sub(self.zero);
        let expected = self.expected(event.seq);
        let in_flight = event.excluded == Some(Exclusion::ClockStep);
        if self.stepped {
            // Only answered packets show whether they were in flight at the step.
            let older = match event.fate {
                Fate::Received | Fate::Late => in_flight,
                Fate::Lost | Fate::Duplicate | Fate::Unawaited => {
                    now.abs_diff(expected) <= self.block_ns.unsigned_abs()
                }
            };
            if older {
                return now;
            }
            self.stepped = false;
            self.zero_before = Some(self.zero);
            self.zero = t1.saturating_sub(expected);
            return expected;
        }
        let Some(zero_before) = self.zero_before else {
            return now;
        };
        let before = t1.saturating_sub(zero_before);
        let nearer = before.abs_diff(expected) < now.abs_diff(expected);
        if !in_flight && (event.fate != Fate::Lost || !nearer) {
            now
        } else if before.abs_diff(expected) <= 10 * self.block_ns.unsigned_abs() {
            before
        } else {
            // From before an earlier step.
            expected
        }
    }

    /// The time in the run at which this number should have been sent, by the mean interval.
    fn expected(&self, seq: u64) -> i64 {
        let (newest, run) = self.newest;
        let first = self.first.unwrap_or(newest);
        let began = i128::from(self.block_ns) * i128::from(OPEN - 1);
        let elapsed = i128::from(run) - began;
        let numbers = i128::from(newest) - i128::from(first);
        let beyond = i128::from(seq) - i128::from(newest);
        let further = (elapsed * beyond).checked_div(numbers).unwrap_or(0);
        round::saturated(i128::from(run) + further)
    }

    /// Opens the block of this time, and judges those that it displaces.
    #[cold]
    fn advance(&mut self, run: i64) {
        let block = u64::try_from(run / self.block_ns).unwrap_or(0);
        let oldest = block.saturating_sub(u64::from(OPEN) - 1).max(self.oldest);
        for number in self.oldest..oldest.min(self.block.saturating_add(1)) {
            let block = self.open.get(number);
            self.judge.next(block, &self.rule);
            if block != Block::default()
                && let Some(slot) = self.open.slot(number)
            {
                *slot = Block::default();
            }
        }
        self.oldest = oldest;
        self.block = block;
        self.block_ends = (run - run % self.block_ns).saturating_add(self.block_ns);
    }
}

impl Judge {
    /// Judges the next block; a block without a packet says nothing about the path.
    fn next(&mut self, block: Block, rule: &AvailabilityRule) {
        let lost = block.lost.value();
        let Some(ratio) = round::ratio(lost, lost + block.received.value()) else {
            self.figures.unmeasured_blocks += u64::from(block.is_unmeasured());
            return;
        };
        let bad = ratio > rule.bad_above;
        let figures = &mut self.figures;
        figures.blocks += 1;
        figures.bad_blocks += u64::from(bad);
        if self.unavailable {
            figures.unavailable_blocks += 1;
            self.outage += 1;
        }
        if bad == self.unavailable {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.against < u64::from(rule.in_a_row.max(1)) {
            return;
        }
        if self.unavailable {
            figures.unavailable_blocks -= self.against;
            self.outage -= self.against;
            self.end_outage();
        } else {
            figures.unavailable_blocks += self.against;
            figures.outages += 1;
            self.outage = self.against;
        }
        self.unavailable = !self.unavailable;
        self.against = 0;
    }

    fn settled(&self) -> SettledBlocks {
        let undecided = if self.unavailable { self.against } else { 0 };
        SettledBlocks {
            blocks: self.figures.blocks,
            unavailable: self.figures.unavailable_blocks - undecided,
        }
    }

    fn end_outage(&mut self) {
        let longest = &mut self.figures.longest_outage_blocks;
        *longest = (*longest).max(self.outage);
        self.outage = 0;
    }
}
