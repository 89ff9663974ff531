//! Rows of several intervals of a session as one: counts are added, least and greatest values kept, and all that
//! follows from a distribution is computed again from the sum of the distributions. What cannot be is not known. A
//! figure that only some of the rows have is that of these rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use twinpath_metrics::{DelayFigures, Distribution, Merge, Suspect, Value};

use super::cells::{self, CELLS};
use super::row::{Delay, Moments, StoredRow};

/// Fewer packets make a row doubtful (row M-73).
const FEW: i64 = 10;

/// Whose rows, and from when on.
type Key = (Arc<str>, Arc<str>, Option<u16>, i64);

/// Rows of sessions, each over stretches of time of one length.
#[derive(Debug)]
pub(super) struct Grouping {
    step_ns: i64,
    groups: BTreeMap<Key, Group>,
}

/// Rows that become one.
#[derive(Debug)]
enum Group {
    /// As it was stored.
    One(StoredRow),
    Many(Box<Sum>),
}

impl Grouping {
    pub(super) fn new(step_ns: i64) -> Self {
        Self {
            step_ns: step_ns.max(1),
            groups: BTreeMap::new(),
        }
    }

    /// All rows of a session become one.
    pub(super) fn whole() -> Self {
        Self::new(i64::MAX)
    }

    /// Adds a row to those of its stretch of time, which are earlier ones.
    pub(super) fn add(&mut self, row: StoredRow) {
        let start = row.start.unix_ns();
        let begin = start.saturating_sub(start.rem_euclid(self.step_ns));
        let session = Arc::clone(&row.session);
        let key = (session, Arc::clone(&row.class), row.path, begin);
        match self.groups.remove(&key) {
            None => self.groups.insert(key, Group::One(row)),
            Some(Group::One(first)) => {
                let mut sum = Sum::of(first);
                sum.add(&row);
                self.groups.insert(key, Group::Many(Box::new(sum)))
            }
            Some(Group::Many(mut sum)) => {
                sum.add(&row);
                self.groups.insert(key, Group::Many(sum))
            }
        };
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The rows, sorted.
    pub(super) fn into_rows(self) -> impl Iterator<Item = StoredRow> {
        self.groups.into_values().map(|group| match group {
            Group::One(row) => row,
            Group::Many(sum) => sum.into_row(),
        })
    }
}

/// The sum of rows.
#[derive(Debug)]
struct Sum {
    row: StoredRow,
    delays: [Known; 3],
    /// Places of figures that are known only if all rows agree, and do not.
    differing: Vec<usize>,
}

/// The delays of rows so far.
#[derive(Debug)]
enum Known {
    /// No row had any.
    Nothing,
    All(Distribution),
    /// A row had delays without their distribution.
    Lacking,
}

impl Known {
    fn of(row: &StoredRow, delay: Delay) -> Self {
        let [count, ..] = cells::of_distribution(delay);
        match row.distribution(delay) {
            Some(distribution) => Self::All(distribution),
            None if row.cells.get(count).is_some() => Self::Lacking,
            None => Self::Nothing,
        }
    }

    fn add(&mut self, row: &StoredRow, delay: Delay) {
        match (&mut *self, Self::of(row, delay)) {
            (_, Self::Nothing) | (Self::Lacking, _) => {}
            (Self::All(sum), Self::All(more)) => sum.merge(&more),
            (Self::Nothing, more) | (Self::All(_), more @ Self::Lacking) => *self = more,
        }
    }
}

impl Sum {
    fn of(row: StoredRow) -> Self {
        Self {
            delays: Delay::ALL.map(|delay| Known::of(&row, delay)),
            row,
            differing: Vec::new(),
        }
    }

    fn add(&mut self, more: &StoredRow) {
        for (delay, known) in Delay::ALL.into_iter().zip(&mut self.delays) {
            known.add(more, delay);
        }
        for (place, cell) in CELLS.iter().enumerate() {
            let (ours, theirs) = (self.row.cells.get(place), more.cells.get(place));
            let sum = match (ours, theirs) {
                (Some(ours), Some(theirs)) => merged(cell.merge, ours, theirs),
                (ours, theirs) => ours.or(theirs).filter(|_| outlasts(cell.merge)),
            };
            if cell.merge == Merge::Same && ours.is_some() && theirs.is_some() && sum.is_none() {
                self.differing.push(place);
            }
            self.row.cells.put(place, sum);
        }
        self.row.start = self.row.start.min(more.start);
        self.row.end = self.row.end.max(more.end);
        self.row.suspect.add(more.suspect);
    }

    fn into_row(self) -> StoredRow {
        let Self {
            mut row,
            delays,
            differing,
        } = self;
        for place in differing {
            row.cells.put(place, None);
        }
        for (delay, known) in Delay::ALL.into_iter().zip(delays) {
            put_delay(&mut row, delay, &known);
        }
        let cell = |name: &str| cells::place(name).and_then(|place| row.cells.get(place));
        let count = |name: &str| cell(name).and_then(|count| u64::try_from(count).ok());
        let sent = cell("sent");
        let ratio = (|| {
            let unawaited = count("packets_unawaited")?;
            let unsent = count("packets_unsent")?;
            cells::loss_ratio_of(count("lost")?, count("sent")?, unsent, unawaited)
        })();
        if let Some(place) = cells::place("packets_loss_ratio") {
            row.cells.set(place, ratio.map(Value::Float));
        }
        if let Some(sent) = sent {
            row.suspect.set(Suspect::FewPackets, sent < FEW);
        }
        row
    }
}

/// What two values come to.
fn merged(merge: Merge, ours: i64, theirs: i64) -> Option<i64> {
    match merge {
        Merge::Sum => Some(ours.saturating_add(theirs)),
        Merge::Least => Some(ours.min(theirs)),
        Merge::Greatest => Some(ours.max(theirs)),
        Merge::Same => Some(ours).filter(|ours| *ours == theirs),
        Merge::First => Some(ours),
        Merge::Distribution | Merge::Derived | Merge::Never => None,
    }
}

/// Whether a value of one of two rows is that of both.
fn outlasts(merge: Merge) -> bool {
    match merge {
        Merge::Sum | Merge::Least | Merge::Greatest | Merge::Same | Merge::First => true,
        Merge::Distribution | Merge::Derived | Merge::Never => false,
    }
}

/// The figures of the sum of delays.
fn put_delay(row: &mut StoredRow, delay: Delay, known: &Known) {
    let Some(moments) = row.delays.get_mut(delay.place()) else {
        return;
    };
    let Known::All(sum) = known else {
        *moments = None;
        return;
    };
    *moments = Moments::of(&sum.parts()).map(Box::new);
    let Some(figures) = sum.figures() else {
        return;
    };
    for figure in DelayFigures::FIGURES {
        let name = format!("{}_{}", delay.key(), figure.about.key);
        if let Some(place) = cells::place(&name) {
            row.cells.set(place, (figure.get)(&figures));
        }
    }
}
