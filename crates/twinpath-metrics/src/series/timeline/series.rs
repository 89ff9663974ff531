//! Groups packets into columns, which double in width as the run grows.

use std::time::Duration;

use twinpath_wire::{Delta, Exclusion, Fate, Sample, Wall, nanoseconds};

use super::column::{Column, Marks};
use super::summary::{Random, SERIES, Summary};
use crate::clocks::far_times::FarClockTest;
use crate::clocks::rungs::FirstRungs;
use crate::series::run_time::RunTime;

/// A departure earlier than the latest one by this much has a timestamp of a clock that stepped.
const BACK_NS: i64 = 600_000_000_000;
/// A departure later by this much, or by this many times the run's length, likewise.
const AHEAD_NS: i64 = 3_600_000_000_000;
const AHEAD_TIMES: i64 = 8;

/// A session over time, in a bounded number of columns of equal width, for pictures and the live
/// view. When the run outgrows them, neighbours merge and the width doubles.
///
/// A packet belongs to the column in which it was sent, lost ones too. About 540 octets per column:
/// under 150 KB with 240. Nothing is allocated per packet, but only columns in use are touched, and
/// copied.
#[derive(Clone, Debug)]
pub struct Timeline {
    time: RunTime,
    width: Duration,
    /// As many as were in use so far.
    cells: Vec<Cell>,
    /// The most that there may be.
    most: usize,
    /// The width stays, and the earliest columns make room.
    recent: bool,
    /// Columns before the first of `cells` that made room.
    gone: u64,
    /// Columns in use: up to the last one that anything was recorded in.
    used: usize,
    /// The latest departure, since the origin.
    latest: Option<Delta>,
    next_expected: u64,
    rungs: FirstRungs,
    far_clock: Box<FarClockTest>,
    /// Whether it was merged from runs of which one has no one-way delays.
    without_one_way: bool,
    /// The last step of the sender's clock was a suspension of its host.
    suspended: bool,
    random: Random,
    /// Columns of a run whose packets are not known one by one.
    fixed: Box<[Column]>,
}

#[derive(Clone, Debug)]
struct Cell {
    received: u64,
    lost: u64,
    late: u64,
    duplicates: u64,
    unawaited: u64,
    reordered: u64,
    marks: Marks,
    delays: Summary,
}

impl Timeline {
    /// The number of columns that is enough for a picture.
    pub const COLUMNS: usize = 240;

    /// `columns` columns (at least 2, and even), initially of `width` each, from `origin` on.
    pub fn new(origin: Wall, width: Duration, columns: usize) -> Self {
        let most = columns.max(2).next_multiple_of(2);
        Self {
            time: RunTime::new(origin),
            width: width.max(Duration::from_nanos(1)),
            cells: Vec::with_capacity(most),
            most,
            recent: false,
            gone: 0,
            used: 0,
            latest: None,
            next_expected: 0,
            rungs: FirstRungs::default(),
            far_clock: Box::default(),
            without_one_way: false,
            suspended: false,
            random: Random::new(),
            fixed: Box::default(),
        }
    }

    /// These columns, of `width` each, of a run whose packets are not known one by one. Nothing is to be recorded.
    pub fn of_columns(width: Duration, columns: Vec<Column>) -> Self {
        let origin = columns.first().map_or(Wall::default(), |first| first.start);
        Self {
            fixed: columns.into(),
            ..Self::new(origin, width, 2)
        }
    }

    /// Only the last columns of a run: their width is fixed, and when the run outgrows them, the
    /// earliest ones are dropped. Events in dropped columns are ignored.
    pub fn recent(origin: Wall, width: Duration, columns: usize) -> Self {
        Self {
            recent: true,
            ..Self::new(origin, width, columns)
        }
    }

    /// From the origin to the end of the last column that anything was recorded in.
    pub fn reach(&self) -> Duration {
        let ns = u64::try_from(self.start_of(self.used).ns());
        Duration::from_nanos(ns.unwrap_or(0))
    }

    /// Where the first column begins, by the sender's clock as it was then.
    pub fn origin(&self) -> Wall {
        self.time.wall(Delta::ZERO)
    }

    /// The current width of a column.
    pub fn width(&self) -> Duration {
        self.width
    }

    /// Records one packet's fate, or one further copy of a reply, in the order of arrival as in
    /// [`SessionMetrics::record`](crate::SessionMetrics::record).
    #[inline]
    pub fn record(&mut self, sample: &Sample) {
        let reordered = sample.fate == Fate::Received && sample.seq < self.next_expected;
        if sample.fate == Fate::Received && !reordered {
            self.next_expected = sample.seq.saturating_add(1);
        }
        let lower_rung = self.rungs.record(sample);
        let stepped = sample.excluded == Some(Exclusion::ClockStep);
        if sample.fate == Fate::Received && !stepped {
            self.far_clock.record(sample);
        }
        let usable = self.far_clock.value().are_usable();
        let (at, leapt) = self.departure(sample.seq, sample.t1.at);
        let place = self.place(at);
        let Some(cell) = self.cells.get_mut(place) else {
            return;
        };
        cell.marks.lower_rung |= lower_rung;
        cell.marks.clock_step |= leapt;
        if stepped {
            cell.marks = cell.marks.with(Self::of_step(self.suspended));
        }
        cell.reordered += u64::from(reordered);
        match sample.fate {
            Fate::Received => {
                cell.received += 1;
                if !usable {
                    // The round trip includes the reflector's time; one-way delays are unknown.
                    if let Some(t4) = sample.t4.filter(|_| !stepped) {
                        let whole = (t4.at - sample.t1.at).ns();
                        cell.delays.record([whole, 0, 0], &mut self.random);
                    }
                } else if sample.excluded.is_none()
                    && let (Some(round_trip), Some(forward), Some(backward)) =
                        (sample.round_trip(), sample.forward(), sample.backward())
                {
                    let values: [i64; SERIES] = [round_trip.ns(), forward.ns(), backward.ns()];
                    cell.delays.record(values, &mut self.random);
                }
            }
            Fate::Lost => cell.lost += 1,
            Fate::Late => {
                cell.lost += 1;
                cell.late += 1;
            }
            Fate::Duplicate => cell.duplicates += 1,
            Fate::Unawaited => cell.unawaited += 1,
        }
    }

    /// The sender's clock jumped by `by` and reads `now`, because its host was suspended or for
    /// another reason; packets from `first_seq` on have its timestamps. The time axis continues,
    /// with a mark.
    pub fn record_clock_step(&mut self, now: Wall, by: Delta, first_seq: u64, suspended: bool) {
        self.time.step(now, by, first_seq);
        self.far_clock.record_clock_step();
        self.suspended = suspended;
        self.mark(Self::of_step(suspended), first_seq, now);
    }

    /// Packets leave with another source address since `at`.
    pub fn record_source_change(&mut self, at: Wall) {
        let mark = Marks {
            source_change: true,
            ..Marks::default()
        };
        // By the current clock, after all steps.
        self.mark(mark, u64::MAX, at);
    }

    fn of_step(suspended: bool) -> Marks {
        Marks {
            clock_step: !suspended,
            suspended,
            ..Marks::default()
        }
    }

    /// The network refused a packet at `at`.
    pub fn record_not_sent(&mut self, at: Wall) {
        self.record_missed(at, at);
    }

    /// Records that packets due from `since` until `until` were not sent then.
    #[cold]
    pub fn record_missed(&mut self, since: Wall, until: Wall) {
        let from = self.time.of_now(since);
        if self.latest.is_some_and(|latest| is_leap(latest, from)) {
            return;
        }
        let to = from.max(from + (until - since));
        self.latest = Some(self.latest.map_or(to, |latest| latest.max(to)));
        let last = self.place(to);
        let first = self.place(from);
        let first = if first == usize::MAX { 0 } else { first };
        for cell in self
            .cells
            .iter_mut()
            .take(last.saturating_add(1))
            .skip(first)
        {
            cell.marks.not_sent = true;
        }
    }

    /// Marks the column of packet `seq`, sent at `at`.
    pub fn mark(&mut self, marks: Marks, seq: u64, at: Wall) {
        let at = self.time.of_packet(seq, at);
        let place = self.place(at);
        if let Some(cell) = self.cells.get_mut(place) {
            cell.marks = cell.marks.with(marks);
        }
    }

    /// The columns so far, including empty ones between others.
    pub fn columns(&self) -> impl Iterator<Item = Column> + '_ {
        let cells = self.cells.iter().take(self.used).enumerate();
        let usable = self.has_one_way();
        let cells = cells.map(move |(place, cell)| Column {
            start: self.time.wall(self.start_of(place)),
            sent: cell.received + cell.lost + cell.unawaited,
            received: cell.received,
            lost: cell.lost,
            late: cell.late,
            duplicates: cell.duplicates,
            reordered: cell.reordered,
            round_trip: cell.delays.smoke(0),
            forward: cell.delays.smoke(1).filter(|_| usable),
            backward: cell.delays.smoke(2).filter(|_| usable),
            marks: cell.marks,
        });
        self.fixed.iter().cloned().chain(cells)
    }

    /// Adds another timeline, of any origin and width: the result begins with the earlier one and
    /// has columns wide enough for both. If borders do not match, a column of the finer one goes
    /// where its middle lies. Intended for reports: record all packets before.
    pub fn merge(&mut self, other: &Self) {
        let (own, new) = (self.time.wall(Delta::ZERO), other.time.wall(Delta::ZERO));
        let origin = match (self.used, other.used) {
            (_, 0) => return,
            (0, _) => new,
            _ => own.min(new),
        };
        let width = self.width.max(other.width);
        let mut all = Self::new(origin, width, self.most);
        for part in [&*self, other] {
            let half = Delta::from_duration(part.width / 2);
            for (place, cell) in part.cells.iter().take(part.used).enumerate() {
                if !cell.is_empty() {
                    let middle = part.time.wall(part.start_of(place)) + half;
                    let place = all.place(middle - origin);
                    if let Some(into) = all.cells.get_mut(place) {
                        into.merge(cell, &mut all.random);
                    }
                }
            }
        }
        *self = Self {
            next_expected: self.next_expected,
            rungs: self.rungs,
            latest: None,
            without_one_way: !(self.has_one_way() && other.has_one_way()),
            ..all
        };
    }

    fn has_one_way(&self) -> bool {
        !self.without_one_way && self.far_clock.value().are_usable()
    }

    /// Memory in octets, including what is reserved for columns not in use; it never changes.
    pub fn memory_octets(&self) -> usize {
        size_of::<Self>() + size_of::<FarClockTest>() + self.cells.capacity() * size_of::<Cell>()
    }

    /// When a packet was sent, since the origin, and whether that is an unreported jump of the
    /// clock: the time axis then continues one column further.
    #[inline]
    fn departure(&mut self, seq: u64, t1: Wall) -> (Delta, bool) {
        let at = self.time.of_packet(seq, t1);
        let Some(latest) = self.latest else {
            self.latest = Some(at);
            return (at, false);
        };
        if !is_leap(latest, at) {
            self.latest = Some(at.max(latest));
            return (at, false);
        }
        let there = latest + Delta::from_duration(self.width);
        self.time.step(t1, at - there, seq);
        self.latest = Some(there);
        (there, true)
    }

    /// The column of a time since the origin, doubling the width until there is one. `None` for
    /// columns already dropped.
    #[inline]
    fn place(&mut self, at: Delta) -> usize {
        let at = u64::try_from(at.ns()).unwrap_or(0);
        loop {
            // Wider than 500 years: all of time is the first column.
            let width = nanoseconds::of(self.width);
            let Some(place) = (at / width).checked_sub(self.gone) else {
                return usize::MAX;
            };
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            if place < self.most {
                self.used = self.used.max(place + 1);
                if self.cells.len() < self.used {
                    self.cells.resize(self.used, Cell::EMPTY);
                }
                return place;
            }
            if self.recent {
                self.make_room(place);
            } else {
                self.widen();
            }
        }
    }

    /// Drops the earliest columns, so that `place` becomes the last one.
    #[cold]
    fn make_room(&mut self, place: usize) {
        let going = place.saturating_sub(self.most - 1);
        for cell in self.cells.iter_mut().take(going) {
            *cell = Cell::EMPTY;
        }
        let rotated = going.min(self.cells.len());
        self.cells.rotate_left(rotated);
        self.used = self.used.saturating_sub(going);
        self.gone = self.gone.saturating_add(crate::round::count(going));
    }

    #[cold]
    fn widen(&mut self) {
        for place in 0..self.cells.len().div_ceil(2) {
            let mut take = |place: usize| {
                let cell = self.cells.get_mut(place);
                cell.map_or(Cell::EMPTY, |cell| std::mem::replace(cell, Cell::EMPTY))
            };
            let (mut both, later) = (take(place * 2), take(place * 2 + 1));
            both.merge(&later, &mut self.random);
            if let Some(slot) = self.cells.get_mut(place) {
                *slot = both;
            }
        }
        self.used = self.used.div_ceil(2);
        self.width = self.width.saturating_mul(2);
    }

    fn start_of(&self, place: usize) -> Delta {
        let place = self.gone.saturating_add(crate::round::count(place));
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        Delta::from_duration(self.width.saturating_mul(place))
    }
}

/// Whether a departure is so far from the latest one that the clock must have stepped.
fn is_leap(latest: Delta, at: Delta) -> bool {
    let ahead = (at - latest).ns();
    ahead <= -BACK_NS || ahead > AHEAD_NS.max(latest.ns().saturating_mul(AHEAD_TIMES))
}

impl Cell {
    const EMPTY: Self = Self {
        received: 0,
        lost: 0,
        late: 0,
        duplicates: 0,
        unawaited: 0,
        reordered: 0,
        marks: Marks {
            clock_step: false,
            suspended: false,
            source_change: false,
            far_step: false,
            restart: false,
            lower_rung: false,
            not_sent: false,
            ttl_change: false,
            remarked: false,
            unknown: false,
        },
        delays: Summary::EMPTY,
    };

    fn is_empty(&self) -> bool {
        let events = self.received + self.lost + self.duplicates + self.unawaited;
        events == 0 && self.marks == Marks::default()
    }

    fn merge(&mut self, later: &Self, random: &mut Random) {
        self.received += later.received;
        self.lost += later.lost;
        self.late += later.late;
        self.duplicates += later.duplicates;
        self.unawaited += later.unawaited;
        self.reordered += later.reordered;
        self.marks = self.marks.with(later.marks);
        self.delays.merge(&later.delays, random);
    }
}
