//! Loss periods and distances (RFC 3357; rows M-33 to M-37), by number over final fates.
//!
//! Lost packets are recorded in the order of their numbers, but late ones before some lost packets
//! sent earlier: late ones wait until a lost packet beyond them is recorded. Numbers that were
//! never sent are skipped: they neither end a period nor lengthen one.

use std::collections::VecDeque;

use crate::LossPeriods;

/// The most late packets that wait.
const LATE: usize = 1024;
/// The most gaps of numbers never sent remembered beyond the last loss.
const GAPS: usize = 256;

/// Groups losses into periods. Constant memory.
#[derive(Clone, Debug)]
pub(crate) struct Periods {
    last: Option<u64>,
    /// Packets in the period that `last` belongs to.
    current: u64,
    /// Late packets beyond `last`, ascending.
    late: VecDeque<u64>,
    /// First and last of numbers beyond `last` that were never sent, ascending.
    gaps: VecDeque<(u64, u64)>,
    /// Numbers beyond `last` never sent and no longer in `gaps`.
    skipped: u64,
    figures: LossPeriods,
}

impl Periods {
    /// Losses at most `delta` packets after the one before are noticeable (RFC 3357 section 6.1).
    pub(crate) fn new(delta: u64) -> Self {
        Self {
            last: None,
            current: 0,
            late: VecDeque::new(),
            gaps: VecDeque::new(),
            skipped: 0,
            figures: LossPeriods {
                delta,
                ..LossPeriods::default()
            },
        }
    }

    /// Records a packet without any reply: all losses before it are known.
    pub(crate) fn record_lost(&mut self, seq: u64) {
        while let Some(earlier) = self.late.pop_front_if(|late| *late < seq) {
            self.next(earlier);
        }
        self.next(seq);
    }

    /// Records a packet whose reply came too late.
    pub(crate) fn record_late(&mut self, seq: u64) {
        if self.late.len() >= LATE
            && let Some(earliest) = self.late.pop_front()
        {
            self.next(earliest);
        }
        let place = self.late.partition_point(|late| *late < seq);
        self.late.insert(place, seq);
    }

    /// Records a number that the network refused.
    pub(crate) fn record_not_sent(&mut self, seq: u64) {
        if let Some((_, last)) = self.gaps.back_mut()
            && seq <= last.saturating_add(1)
        {
            *last = seq.max(*last);
            return;
        }
        if self.gaps.len() >= GAPS
            && let Some((first, last)) = self.gaps.pop_front()
        {
            self.skipped = self.skipped.saturating_add(last - first + 1);
        }
        self.gaps.push_back((seq, seq));
    }

    pub(crate) fn value(&self) -> LossPeriods {
        let mut all = self.clone();
        while let Some(late) = all.late.pop_front() {
            all.next(late);
        }
        all.close();
        all.figures
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.late.capacity() * size_of::<u64>() + self.gaps.capacity() * size_of::<(u64, u64)>()
    }

    /// Records the next loss by number.
    fn next(&mut self, seq: u64) {
        self.figures.losses += 1;
        let Some(last) = self.last else {
            self.pass(seq);
            self.skipped = 0;
            self.last = Some(seq);
            (self.current, self.figures.periods) = (1, 1);
            return;
        };
        if seq <= last {
            // Out of order: counted, but in no period.
            self.figures.unplaced += 1;
            return;
        }
        self.pass(seq);
        let distance = (seq - last).saturating_sub(self.skipped).max(1);
        self.skipped = 0;
        self.last = Some(seq);
        self.figures.noticeable += u64::from(distance <= self.figures.delta);
        if distance == 1 {
            self.current += 1;
        } else {
            self.close();
            self.figures.periods += 1;
            self.figures.inter_sum = self.figures.inter_sum.saturating_add(distance);
            self.current = 1;
        }
    }

    /// Counts the numbers below `seq` that were never sent.
    fn pass(&mut self, seq: u64) {
        while let Some((first, last)) = self.gaps.pop_front_if(|(first, _)| *first < seq) {
            self.skipped = self.skipped.saturating_add(last - first + 1);
        }
    }

    /// Ends the current period.
    fn close(&mut self) {
        let length = self.current;
        if length == 0 {
            return;
        }
        self.figures.longest = self.figures.longest.max(length);
        let bin = u64::BITS - (length - 1).leading_zeros();
        let last = self.figures.lengths.len() - 1;
        let bin = usize::try_from(bin).unwrap_or(last).min(last);
        if let Some(count) = self.figures.lengths.get_mut(bin) {
            *count += 1;
        }
        self.current = 0;
    }
}
