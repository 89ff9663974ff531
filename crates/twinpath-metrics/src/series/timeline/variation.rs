//! One-way delay variation of columns, which is known even without synchronized clocks: how much
//! longer than the least delay a packet took (PDV, RFC 5481 section 4.2), without the clocks' skew
//! (row M-52).

use std::time::Duration;

use twinpath_wire::Delta;

use super::{Column, Smoke};
use crate::clocks::ClockEstimate;
use crate::round::{float, nearest, saturated};

/// The variation of each column: outbound, inbound. The least delay is that since the last step of
/// a clock; a column with a step in it mixes two offsets, and has none. The drift of the two clocks
/// within one column is not removed.
pub fn variation(
    columns: &[Column],
    width: Duration,
    clocks: Option<&ClockEstimate>,
) -> [Vec<Option<Smoke>>; 2] {
    let skew = clocks.and_then(ClockEstimate::known_skew_ppm);
    let skew = skew.unwrap_or(0.0) * 1e-6;
    let steps = clocks.map_or(&[][..], |clocks| &clocks.far_steps);
    let width = Delta::from_duration(width);
    let is_broken = |column: &Column| {
        let inside = |step| step >= column.start && step < column.start + width;
        column.marks.part_offsets() || steps.iter().any(|step| inside(step.at))
    };
    let direction = |pick: fn(&Column) -> Option<Smoke>, skew: f64| {
        let mut values = Vec::with_capacity(columns.len());
        for stretch in columns.split_inclusive(is_broken) {
            let first = stretch.first().map(|column| column.start);
            let straight = stretch.iter().map(|column| {
                let smoke = pick(column).filter(|_| !is_broken(column))?;
                let since = first.map_or(0, |first| (column.start - first).ns());
                Some(smoke.less(nearest(float(since) * skew)))
            });
            let straight: Vec<Option<Smoke>> = straight.collect();
            let least = straight.iter().flatten().map(|smoke| smoke.min_ns).min();
            let above = |smoke: Smoke| smoke.less(least.unwrap_or(0));
            values.extend(straight.into_iter().map(|smoke| smoke.map(above)));
        }
        values
    };
    [
        direction(|column| column.forward, skew),
        direction(|column| column.backward, -skew),
    ]
}

impl Smoke {
    fn less(self, ns: i64) -> Self {
        let less = |value: i64| saturated(i128::from(value) - i128::from(ns));
        Self {
            count: self.count,
            min_ns: less(self.min_ns),
            p5_ns: less(self.p5_ns),
            p25_ns: less(self.p25_ns),
            median_ns: less(self.median_ns),
            p75_ns: less(self.p75_ns),
            p95_ns: less(self.p95_ns),
            max_ns: less(self.max_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use twinpath_wire::Wall;

    use super::*;
    use crate::clocks::FarStep;

    const SECOND: i64 = 1_000_000_000;

    fn smoke(min_ns: i64) -> Smoke {
        Smoke {
            count: 5,
            min_ns,
            p5_ns: min_ns,
            p25_ns: min_ns + 1,
            median_ns: min_ns + 2,
            p75_ns: min_ns + 3,
            p95_ns: min_ns + 4,
            max_ns: min_ns + 10,
        }
    }

    /// A column for each of these least delays, a second each.
    fn columns(forward: &[Option<i64>]) -> Vec<Column> {
        let starts = (0..).map(|second| Wall::from_unix_ns(i64::MAX / 2 + second * SECOND));
        let columns = starts.zip(forward).map(|(start, least)| Column {
            forward: least.map(smoke),
            backward: least.map(|least| smoke(-least)),
            ..Column::silent(start)
        });
        columns.collect()
    }

    fn least(values: &[Option<Smoke>]) -> Vec<Option<i64>> {
        values
            .iter()
            .map(|it| it.map(|smoke| smoke.min_ns))
            .collect()
    }

    fn skewed(ppm: f64) -> ClockEstimate {
        ClockEstimate {
            skew_ppm: Some(ppm),
            skew_bound_ppm: ppm.abs() / 10.0,
            reference: Wall::from_unix_ns(0),
            offset_ns: 0,
            error_bound_ns: 0,
            contradicted: false,
            path_change: false,
            local_steps: 0,
            far_steps: Vec::new(),
            far_steps_total: 0,
            rate_changes: 0,
            disregarded: 0,
            forward: None,
            backward: None,
        }
    }

    #[test]
    fn variation_counts_from_the_least_delay_with_the_drift_taken_out() {
        let far_away = -4_000_000_000_000_000_000;
        // A far clock that gains 500 ppb: 500 ns more outbound each second, 500 ns less inbound.
        let columns = columns(&[Some(far_away), None, Some(far_away + 1_007)]);
        let second = Duration::from_secs(1);
        let clocks = skewed(0.5);
        let [forward, backward] = variation(&columns, second, Some(&clocks));
        assert_eq!(forward, [Some(smoke(0)), None, Some(smoke(7))]);
        assert_eq!(least(&backward), [Some(7), None, Some(0)]);
        let [forward, _] = variation(&columns, second, None);
        assert_eq!(forward, [Some(smoke(0)), None, Some(smoke(1_007))]);
        assert_eq!(variation(&[], second, Some(&clocks)), [vec![], vec![]]);
    }

    #[test]
    fn a_step_of_either_clock_begins_from_its_own_least() {
        let mut columns = columns(&[
            Some(50),
            Some(40),
            Some(9_000),
            Some(900),
            Some(907),
            Some(3),
            Some(5),
        ]);
        columns[2].marks.clock_step = true;
        let far_step = FarStep {
            at: columns[5].start + Delta::from_ns(SECOND - 1),
            size_ns: -900,
            bound_ns: 1,
        };
        let clocks = ClockEstimate {
            far_steps: vec![far_step],
            ..skewed(0.0)
        };
        let [forward, _] = variation(&columns, Duration::from_secs(1), Some(&clocks));
        let expected = [Some(10), Some(0), None, Some(0), Some(7), None, Some(0)];
        assert_eq!(least(&forward), expected);
    }
}
