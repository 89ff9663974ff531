//! Sums by the day: of each day that is over, and of the days of a month in one file.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::{GATHERED, Upkeep, remove};
use crate::store::RESOLUTION_KEY;
use crate::store::closed::{self, CloseError, FileRows};
use crate::store::days::{self, DAYS_KEY, DaySum, DaySums};
use crate::store::layout::{DAY_NS, Day, month};
use crate::store::query::covered;
use crate::store::row::StoredRow;
use crate::store::segment::Segment;

impl Upkeep {
    fn summed(&mut self) -> io::Result<&mut DaySums> {
        if self.summed.is_none() {
            self.summed = Some(DaySums::read(&self.shared.layout)?);
        }
        Ok(self.summed.get_or_insert_default())
    }

    /// Sums up a day that is over, unless that is done.
    pub(super) fn sum_day(&mut self, day: Day) -> Result<(), CloseError> {
        let files = self.shared.layout.files(day)?;
        let Some(whole) = files.whole_day.filter(|_| files.hours.is_empty()) else {
            return Ok(());
        };
        let numbers = covered(&whole);
        let known = self.summed()?.get(day);
        if known.is_some_and(|known| known.numbers == numbers) {
            return Ok(());
        }
        let path = self.shared.layout.day_sum(day);
        let fact = days::fact([(day, &numbers)].into_iter());
        self.sum_up(&whole, &path, DAY_NS, vec![(DAYS_KEY, fact)])?;
        self.summed()?.insert(day, DaySum { path, numbers });
        Ok(())
    }

    /// Makes one file of the days of a month: of one that is over, or when there are many.
    pub(in crate::store) fn gather_months(&mut self, today: Day) -> Result<(), CloseError> {
        let layout = self.shared.layout.clone();
        let this_month = month(today);
        let mut months: BTreeMap<String, Vec<Day>> = BTreeMap::new();
        for (day, sum) in self.summed()?.iter() {
            if sum.path == layout.day_sum(day) {
                months.entry(month(day)).or_default().push(day);
            }
        }
        for (month, days) in months {
            let is_due = month < this_month && days.len() > 1 || days.len() >= GATHERED;
            if is_due {
                self.gather_month(&days)?;
            }
        }
        Ok(())
    }

    fn gather_month(&mut self, days: &[Day]) -> Result<(), CloseError> {
        let Some(first) = days.first() else {
            return Ok(());
        };
        let layout = self.shared.layout.clone();
        let target = layout.month_sum(*first);
        let of_month = |day: Day, sum: &DaySum| sum.path == target || days.contains(&day);
        let sums = self
            .summed()?
            .iter()
            .filter(|(day, sum)| of_month(*day, sum));
        let sums: Vec<(Day, DaySum)> = sums.map(|(day, sum)| (day, sum.clone())).collect();
        let mut sources: Vec<PathBuf> = days.iter().map(|day| layout.day_sum(*day)).collect();
        if sums.iter().any(|(_, sum)| sum.path == target) {
            sources.push(target.clone());
        }
        // Of days that have a file of their own, the month's rows are older.
        let wants = |place: usize, row: &StoredRow| {
            place < days.len() || !days.contains(&Day::of(row.start))
        };
        let paths: Vec<&PathBuf> = sources.iter().collect();
        let gathered = self.gathered(&paths, &target, DAY_NS, &wants)?;
        let segment = Segment::open(gathered.path())?;
        let rows = FileRows::in_order(&segment, &self.shared.stop)?;
        let fact = days::fact(sums.iter().map(|(day, sum)| (*day, &sum.numbers)));
        let facts = [(RESOLUTION_KEY, DAY_NS.to_string()), (DAYS_KEY, fact)];
        closed::write(&target, &rows, &facts)?;
        for (day, sum) in sums {
            let numbers = sum.numbers;
            let path = target.clone();
            self.summed()?.insert(day, DaySum { path, numbers });
        }
        days.iter()
            .try_for_each(|day| remove(&layout.day_sum(*day)))?;
        Ok(())
    }

    /// A day is deleted: its file goes, and that of its month when no day of it is left.
    pub(super) fn forget_sum(&mut self, day: Day) {
        let layout = self.shared.layout.clone();
        let Ok(summed) = self.summed() else {
            return;
        };
        summed.remove(day);
        let month = layout.month_sum(day);
        let is_left = summed.iter().any(|(_, sum)| sum.path == month);
        // What is left is looked at again by the next process.
        let _ = remove(&layout.day_sum(day));
        if !is_left {
            let _ = remove(&month);
        }
    }
}
