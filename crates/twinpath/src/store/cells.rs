//! The figures of a row: those of the table of figures that an interval can have. What is missing needs the whole
//! run (clocks, availability, copies by direction), or follows from what is here (ratios, voice, percentiles with
//! loss, hops).

use std::collections::HashMap;
use std::sync::LazyLock;

use twinpath_metrics::{
    Coverage, DelayFigures, EcnCounts, Figure, Figures, IntervalFigures, LossPeriods, Merge,
    TtlFigures, Value, ratio,
};

use super::row::Delay;

/// Octets of a set of cells, in 64s.
const WORDS: usize = 3;

/// A column of figures.
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) is_float: bool,
    /// Its values are nanoseconds: neighbours differ little, but hardly any are equal.
    pub(super) is_time: bool,
    /// What values of several rows come to.
    pub(super) merge: Merge,
    get: Getter,
}

type Getter = Box<dyn Fn(&IntervalFigures) -> Option<Value> + Send + Sync>;

impl Cell {
    pub(super) fn value(&self, interval: &IntervalFigures) -> Option<Value> {
        (self.get)(interval)
    }

    fn new(
        name: &str,
        merge: Merge,
        get: impl Fn(&IntervalFigures) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            is_float: false,
            is_time: name.ends_with("_ns"),
            merge,
            get: Box::new(get),
        }
    }

    fn count(name: &str, get: fn(&IntervalFigures) -> u64) -> Self {
        Self::new(name, Merge::Sum, move |it| Some(Value::Unsigned(get(it))))
    }

    fn change(name: &str, get: fn(&IntervalFigures) -> Option<i64>) -> Self {
        Self::new(name, Merge::Sum, move |it| get(it).map(Value::Signed))
    }

    fn known(name: &str, merge: Merge, get: fn(&Figures) -> Option<u64>) -> Self {
        Self::new(name, merge, move |it| get(&it.figures).map(Value::Unsigned))
    }
}

/// All figures, in the order of their columns.
pub(super) static CELLS: LazyLock<Vec<Cell>> = LazyLock::new(all);

static PLACES: LazyLock<HashMap<&'static str, usize>> = LazyLock::new(|| {
    let names = CELLS.iter().map(|cell| &*cell.name);
    names.zip(0..).collect()
});

/// The place of the figures in this column; `None`: it has no figures.
pub(super) fn place(column: &str) -> Option<usize> {
    PLACES.get(column).copied()
}

/// The places of what a distribution needs: count, least, greatest, reference, bins per octave.
pub(super) fn of_distribution(delay: Delay) -> [usize; 5] {
    static PLACES: LazyLock<[[usize; 5]; 3]> = LazyLock::new(|| {
        Delay::ALL.map(|delay| {
            [
                "count",
                "min_ns",
                "max_ns",
                "reference_ns",
                "bins_per_octave",
            ]
            .map(|key| place(&format!("{}_{key}", delay.key())).unwrap_or(usize::MAX))
        })
    });
    PLACES
        .get(delay.place())
        .copied()
        .unwrap_or([usize::MAX; 5])
}

/// Losses of an interval, known if nearly all was sent that was due.
fn loss_ratio(interval: &IntervalFigures) -> Option<f64> {
    let figures = &interval.figures;
    let is_known = interval.coverage().is_complete();
    ratio(figures.lost, figures.sent()).filter(|_| is_known)
}

/// The same of these counts. Whether blocks of time were not measured is not stored.
pub(super) fn loss_ratio_of(lost: u64, sent: u64, unsent: u64, unawaited: u64) -> Option<f64> {
    let coverage = Coverage {
        unsent,
        due: sent.saturating_add(unsent),
        unawaited,
        ..Coverage::default()
    };
    ratio(lost, sent).filter(|_| coverage.is_complete())
}

fn all() -> Vec<Cell> {
    let mut cells = vec![
        Cell::count("sent", |it| it.figures.sent()),
        Cell::count("received", |it| it.figures.received),
        Cell::count("lost", |it| it.figures.lost),
        Cell::change("lost_forward", |it| it.loss.forward),
        Cell::change("lost_backward", |it| it.loss.backward),
        Cell::count("late", |it| it.figures.late),
        Cell::count("duplicates", |it| it.figures.duplicates),
        Cell::count("reordered", |it| it.figures.reordered),
        Cell::change("packets_lost_unattributed", |it| Some(it.loss.unattributed)),
        Cell {
            is_float: true,
            ..Cell::new("packets_loss_ratio", Merge::Derived, |it| {
                loss_ratio(it).map(Value::Float)
            })
        },
        Cell::count("packets_send_errors", |it| it.not_sent),
        Cell::count("packets_slots_skipped", |it| it.missed),
        Cell::count("packets_unsent", |it| it.not_sent.saturating_add(it.missed)),
        Cell::count("packets_unawaited", |it| it.figures.unawaited),
        Cell::count("excluded_clock_step", |it| it.figures.excluded_clock_step),
        Cell::count("excluded_implausible", |it| it.figures.excluded_implausible),
        Cell::count("excluded_unstamped", |it| it.figures.excluded_unstamped),
        Cell::count("implausible", |it| it.figures.implausible),
        Cell::known("congestion_forward", Merge::Sum, |it| it.congestion_forward),
        Cell::count("congestion_backward", |it| it.figures.congestion_backward),
        Cell::count("reflector_restarts", |it| it.figures.reflector_restarts),
        Cell::known("far_resolution_ns", Merge::Same, |it| it.far_resolution_ns),
    ];
    delays(&mut cells);
    counts(&mut cells);
    cells.push(Cell::count("intervals", |it| it.intervals));
    cells.push(Cell::count("strays", |it| it.strays));
    cells
}

fn delays(cells: &mut Vec<Cell>) {
    let delays = DelayFigures::FIGURES;
    add(cells, "round_trip", delays, |it| it.round_trip);
    add(cells, "forward", delays, |it| it.forward);
    add(cells, "backward", delays, |it| it.backward);
    add(cells, "residence", delays, |it| it.residence);
    add(cells, "departure", delays, |it| it.departure);
}

fn counts(cells: &mut Vec<Cell>) {
    let ttl = TtlFigures::FIGURES;
    add(cells, "ttl_forward", ttl, |it| it.ttl_forward);
    add(cells, "ttl_backward", ttl, |it| it.ttl_backward);
    let periods = LossPeriods::FIGURES;
    add(cells, "loss_periods", periods, |it| Some(it.loss_periods));
    let ecn = EcnCounts::FIGURES;
    add(cells, "marking_forward", ecn, |it| it.ecn_forward);
    cells.push(Cell::known(
        "marking_forward_remarked_dscp",
        Merge::Sum,
        |it| Some(it.remarked_forward?.dscp),
    ));
    cells.push(Cell::known(
        "marking_forward_remarked_ecn",
        Merge::Sum,
        |it| Some(it.remarked_forward?.ecn),
    ));
    add(cells, "marking_backward", ecn, |it| it.ecn_backward);
    cells.push(Cell::known(
        "marking_backward_remarked_dscp",
        Merge::Sum,
        |it| Some(it.remarked_backward?.dscp),
    ));
    cells.push(Cell::known(
        "marking_backward_remarked_ecn",
        Merge::Sum,
        |it| Some(it.remarked_backward?.ecn),
    ));
}

/// The figures of an object of the document, but for those that follow from others.
fn add<T: 'static>(
    cells: &mut Vec<Cell>,
    path: &str,
    figures: &'static [Figure<T>],
    find: fn(&Figures) -> Option<T>,
) {
    for figure in figures {
        if figure.about.merge == Merge::Derived {
            continue;
        }
        let name = format!("{path}_{}", figure.about.key);
        cells.push(Cell::new(&name, figure.about.merge, move |it| {
            (figure.get)(&find(&it.figures)?)
        }));
    }
}

/// The figures of a row, by their places in [`CELLS`]. Ratios are kept as their bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    known: [u64; WORDS],
    /// Up to the last place that ever had a value: a query may want few columns of many rows.
    values: Vec<i64>,
}

impl PartialEq for Cells {
    fn eq(&self, other: &Self) -> bool {
        let mut places = 0..WORDS * 64;
        places.all(|place| self.get(place) == other.get(place))
    }
}

impl Cells {
    pub(super) fn reserve(&mut self, places: usize) {
        self.values.reserve_exact(places);
    }

    pub(super) fn get(&self, place: usize) -> Option<i64> {
        self.values
            .get(place)
            .copied()
            .filter(|_| has(&self.known, place))
    }

    pub(super) fn put(&mut self, place: usize, value: Option<i64>) {
        let Some(word) = self.known.get_mut(place / 64) else {
            return;
        };
        let bit = 1 << (place % 64);
        match value {
            Some(value) => {
                *word |= bit;
                if self.values.len() <= place {
                    self.values.resize(place + 1, 0);
                }
                if let Some(cell) = self.values.get_mut(place) {
                    *cell = value;
                }
            }
            None => *word &= !bit,
        }
    }

    /// Counts beyond 63 bits do not occur; saturated, they stay counts.
    pub(super) fn set(&mut self, place: usize, value: Option<Value>) {
        let value = value.map(|value| match value {
            Value::Unsigned(count) => i64::try_from(count).unwrap_or(i64::MAX),
            Value::Signed(value) => value,
            Value::Float(ratio) => ratio.to_bits().cast_signed(),
        });
        self.put(place, value);
    }

    pub(super) fn value(&self, place: usize) -> Option<Value> {
        let value = self.get(place)?;
        let cell = CELLS.get(place)?;
        Some(if cell.is_float {
            Value::Float(f64::from_bits(value.cast_unsigned()))
        } else {
            u64::try_from(value).map_or(Value::Signed(value), Value::Unsigned)
        })
    }

    /// Adds the places that another row has values in.
    pub(super) fn mark(&self, known: &mut [u64; WORDS]) {
        for (word, more) in known.iter_mut().zip(self.known) {
            *word |= more;
        }
    }
}

/// Whether a set of places has this one.
pub(super) fn has(known: &[u64; WORDS], place: usize) -> bool {
    let word = known.get(place / 64).copied().unwrap_or(0);
    word & 1 << (place % 64) != 0
}

#[cfg(test)]
mod tests {
    use twinpath_report::document::METRICS;

    use super::*;

    /// Of columns that are not called as in a session's document.
    const OWN: [&str; 2] = ["intervals", "strays"];

    #[test]
    fn columns_are_figures_of_the_document() {
        assert!(CELLS.len() <= WORDS * 64, "{}", CELLS.len());
        for cell in CELLS.iter().filter(|cell| !OWN.contains(&&*cell.name)) {
            let is_it = |path: &str| {
                let path = path.replace('.', "_");
                path == cell.name || path.strip_prefix("packets_") == Some(&*cell.name)
            };
            let mut figures = METRICS.iter().filter(|metric| is_it(&metric.path));
            let figure = figures.next();
            let figure = figure.unwrap_or_else(|| panic!("{} is no figure", cell.name));
            assert!(figures.next().is_none(), "{}", cell.name);
            // Rows add what documents derive.
            let of_rows = ["packets_lost_unattributed", "packets_unsent"];
            if !of_rows.contains(&&*cell.name) {
                assert_eq!(figure.about.merge, cell.merge, "{}", cell.name);
            }
        }
        let mut names: Vec<&str> = CELLS.iter().map(|cell| &*cell.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CELLS.len());
        for delay in Delay::ALL {
            assert!(
                of_distribution(delay)
                    .iter()
                    .all(|place| *place < CELLS.len())
            );
        }
    }

    #[test]
    fn a_cell_keeps_what_it_was_given() {
        let mut cells = Cells::default();
        let last = CELLS.len() - 1;
        assert_eq!(cells.get(last), None);
        cells.put(last, Some(-7));
        assert_eq!(cells.get(last), Some(-7));
        cells.put(last, None);
        assert_eq!(cells, Cells::default());
        let ratio = place("packets_loss_ratio").unwrap();
        cells.set(ratio, Some(Value::Float(0.25)));
        assert_eq!(cells.value(ratio), Some(Value::Float(0.25)));
        cells.put(usize::MAX, Some(1));
    }
}
