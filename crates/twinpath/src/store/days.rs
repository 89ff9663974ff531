//! Rows by the day: `_more/days/2026-11-30.parquet` has those of a day that is over, `_more/days/2026-11.parquet` those of many
//! days of a month. The footer names the files of each day that its rows are sums of: a day that has others since is
//! summed up again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use twinpath_wire::Wall;

use super::layout::{DAY_NS, Day, Layout};
use super::segment::Segment;

/// The key of the days whose rows a file has, with the numbers of their files.
pub(super) const DAYS_KEY: &str = "twinpath.days";
/// Days that a footer may name.
const MOST_DAYS: usize = 366;

/// Which days are summed up, and in which files.
#[derive(Clone, Debug, Default)]
pub(super) struct DaySums(BTreeMap<Day, DaySum>);

/// Where the row of a day is, and the files that it is the sum of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DaySum {
    pub(super) path: PathBuf,
    pub(super) numbers: BTreeSet<u32>,
}

impl DaySums {
    /// Those of a store. A file that cannot be read has none.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn read(layout: &Layout) -> io::Result<Self> {
        let mut sums = Self::default();
        let (months, days) = layout.day_sums()?;
        // What a day has of its own is newer.
        for path in months.into_iter().chain(days) {
            let Ok(segment) = Segment::open(&path) else {
                continue;
            };
            let fact = segment.fact(DAYS_KEY).unwrap_or_default();
            for (day, numbers) in of_fact(fact) {
                let path = path.clone();
                sums.0.insert(day, DaySum { path, numbers });
            }
        }
        Ok(sums)
    }

    pub(super) fn get(&self, day: Day) -> Option<&DaySum> {
        self.0.get(&day)
    }

    pub(super) fn insert(&mut self, day: Day, sum: DaySum) {
        self.0.insert(day, sum);
    }

    pub(super) fn remove(&mut self, day: Day) -> Option<DaySum> {
        self.0.remove(&day)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Day, &DaySum)> {
        self.0.iter().map(|(day, sum)| (*day, sum))
    }
}

/// The days of these that the time has whole and whose sums have all of their files, by the file that has them. They
/// are taken out of `days`.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn take_summed(
    layout: &Layout,
    days: &mut Vec<Day>,
    from: Wall,
    to: Wall,
) -> io::Result<BTreeMap<PathBuf, BTreeSet<Day>>> {
    let sums = DaySums::read(layout)?;
    let mut taken: BTreeMap<PathBuf, BTreeSet<Day>> = BTreeMap::new();
    let mut left = Vec::new();
    for day in days.drain(..) {
        let end = day.end();
        let begin = end.unix_ns().saturating_sub(DAY_NS);
        let is_whole = from.unix_ns() <= begin && end <= to;
        match sums.get(day).filter(|_| is_whole) {
            Some(sum) if has_all(layout, day, sum)? => {
                taken.entry(sum.path.clone()).or_default().insert(day);
            }
            Some(_) | None => left.push(day),
        }
    }
    *days = left;
    Ok(taken)
}

fn has_all(layout: &Layout, day: Day, sum: &DaySum) -> io::Result<bool> {
    let files = layout.files(day)?;
    let mut numbers = files.segments.keys().chain(files.hours.keys());
    Ok(numbers.all(|number| sum.numbers.contains(number)))
}

/// The days as a fact of a footer.
pub(super) fn fact<'a>(days: impl Iterator<Item = (Day, &'a BTreeSet<u32>)>) -> String {
    let days: BTreeMap<String, &BTreeSet<u32>> = days
        .map(|(day, numbers)| (day.to_string(), numbers))
        .collect();
    // All keys are strings.
    serde_json::to_string(&days).unwrap_or_default()
}

fn of_fact(fact: &str) -> impl Iterator<Item = (Day, BTreeSet<u32>)> {
    let days: BTreeMap<String, BTreeSet<u32>> = serde_json::from_str(fact).unwrap_or_default();
    let days = days.into_iter().take(MOST_DAYS);
    days.filter_map(|(day, numbers)| Some((Day::named(day.as_ref())?, numbers)))
}
