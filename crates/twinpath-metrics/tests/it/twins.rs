//! Random sessions against the slow twins.

use proptest::prelude::*;
use twinpath_metrics::{DelayFigures, Distribution, SessionMetrics};
use twinpath_wire::{Delta, Exclusion, Fate, Sample};

use crate::oracle::{delays, direction};
use crate::order;
use crate::trace::{Event, Fortune, session, wild};

/// One kind of delay in the form of the twins: all values, those in order of arrival with `None` at
/// restarts, and those by number in parts.
#[derive(Default)]
struct Seen {
    values: Vec<i64>,
    arrivals: Vec<Option<i64>>,
    parts: Vec<Vec<(u64, i64)>>,
}

impl Seen {
    fn of(
        events: &[Event],
        counts: impl Fn(&Sample) -> bool,
        value: impl Fn(&Sample) -> Option<Delta>,
    ) -> Self {
        let mut seen = Self {
            parts: vec![Vec::new()],
            ..Self::default()
        };
        for Event { sample, .. } in events {
            if sample.excluded == Some(Exclusion::ClockStep) && sample.fate != Fate::Lost {
                seen.arrivals.push(None);
                seen.parts.push(Vec::new());
            } else if counts(sample) {
                let value = value(sample).unwrap().ns();
                seen.values.push(value);
                seen.arrivals.push(Some(value));
                seen.parts.last_mut().unwrap().push((sample.seq, value));
            }
        }
        seen
    }

    /// Holds the figures of a delay against the values, within the resolution of its histogram: a
    /// session that scatters over many octaves meets the memory limit, and has half the bins.
    fn check(
        &self,
        figures: Option<DelayFigures>,
        distribution: &Distribution,
    ) -> Result<(), TestCaseError> {
        let bins = u64::from(distribution.histogram().bins_per_octave());
        prop_assert!(bins >= 256, "{bins} bins for a session this short");
        let Some(figures) = figures else {
            prop_assert!(self.values.is_empty());
            return Ok(());
        };
        let values = &self.values;
        prop_assert_eq!(figures.count, u64::try_from(values.len()).unwrap());
        prop_assert_eq!(figures.min_ns, *values.iter().min().unwrap());
        prop_assert_eq!(figures.max_ns, *values.iter().max().unwrap());
        prop_assert_eq!(figures.mean_ns, delays::mean(values));
        prop_assert!((figures.stddev_ns as f64 - delays::stddev(values)).abs() <= 0.5 + 1e-3);

        prop_assert_eq!(figures.reference_ns, distribution.reference_ns());
        let reference = figures.reference_ns.unwrap_or(0);
        prop_assert!(figures.reference_ns.is_none_or(|first| first == values[0]));
        let near = |binned: i64, exact: i64| {
            let distance = exact.abs_diff(reference);
            binned.abs_diff(exact)
                <= if distance < 512 {
                    0
                } else {
                    distance / (2 * bins)
                }
        };
        for (permille, value) in [
            (900, figures.p90_ns),
            (950, figures.p95_ns),
            (990, figures.p99_ns),
            (999, figures.p999_ns),
        ] {
            let exact = delays::percentile(values, permille);
            prop_assert!(near(value, exact), "p{permille}: {value}, exactly {exact}");
        }
        let (lower, upper) = delays::middle(values);
        let exact = delays::mean(&[lower, upper]);
        let error = (lower.abs_diff(reference) / (2 * bins)
            + upper.abs_diff(reference) / (2 * bins))
            .div_ceil(2);
        prop_assert!(figures.median_ns.abs_diff(exact) <= error + u64::from(error > 0));
        prop_assert_eq!(
            figures.pdv_p99_ns,
            Some(figures.p99_ns.abs_diff(figures.min_ns))
        );

        let farthest = values.iter().map(|value| value.abs_diff(reference)).max();
        let error = farthest.map_or(0, |farthest| farthest / bins + 2);
        prop_assert!(figures.mad_ns.abs_diff(delays::mad(values)) <= error);

        let close = |ours: Option<u64>, theirs: Option<f64>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours as f64 - theirs).abs() <= 0.5 + 1e-6,
            (ours, theirs) => ours.is_none() && theirs.is_none(),
        };
        prop_assert!(close(figures.jitter_ns, delays::jitter(&self.arrivals)));
        prop_assert!(close(
            figures.ipdv_mean_abs_ns,
            delays::ipdv_mean_abs(&self.parts)
        ));
        Ok(())
    }
}

fn agree(fortunes: &[Fortune], starts: (u64, u32), offset: i64) -> Result<(), TestCaseError> {
    let events = session(fortunes, starts, offset, None);
    let mut metrics = SessionMetrics::new();
    for event in &events {
        metrics.record(&event.sample);
    }
    let figures = metrics.figures();
    let count = |fate| {
        u64::try_from(
            events
                .iter()
                .filter(|event| event.sample.fate == fate)
                .count(),
        )
        .unwrap()
    };
    prop_assert_eq!(figures.received, count(Fate::Received));
    prop_assert_eq!(figures.late, count(Fate::Late));
    prop_assert_eq!(figures.lost, count(Fate::Lost) + count(Fate::Late));
    prop_assert_eq!(figures.duplicates, count(Fate::Duplicate));
    prop_assert_eq!(
        figures.received + figures.lost,
        u64::try_from(fortunes.len()).unwrap()
    );
    prop_assert_eq!(
        figures.stamps_transmit.kernel,
        figures.received + figures.lost
    );
    prop_assert_eq!(figures.stamps_receive.kernel, figures.received);

    order::agree(&events, &figures)?;

    let travelled = |sample: &Sample| sample.fate == Fate::Received && sample.excluded.is_none();
    let departed = |sample: &Sample| {
        sample.fate != Fate::Duplicate && sample.excluded != Some(Exclusion::ClockStep)
    };
    let of = metrics.histograms();
    prop_assert!(of.forward.reference_ns().is_some() == figures.forward.is_some());
    prop_assert!(of.round_trip.reference_ns().is_none());
    Seen::of(&events, travelled, Sample::round_trip).check(figures.round_trip, of.round_trip)?;
    Seen::of(&events, travelled, Sample::forward).check(figures.forward, of.forward)?;
    Seen::of(&events, travelled, Sample::backward).check(figures.backward, of.backward)?;
    Seen::of(&events, travelled, Sample::residence).check(figures.residence, of.residence)?;
    Seen::of(&events, departed, |sample| Some(sample.departure))
        .check(figures.departure, of.departure)?;
    same_direction(&events, starts.0, &metrics)
}

fn same_direction(
    events: &[Event],
    first: u64,
    metrics: &SessionMetrics,
) -> Result<(), TestCaseError> {
    let mut trace = direction::Trace {
        first,
        ..direction::Trace::default()
    };
    let mut equal = true;
    let mut turns = None;
    for Event { sample, number } in events {
        match sample.fate {
            Fate::Lost => {
                trace.lost.insert(sample.seq);
            }
            Fate::Late => trace.late += 1,
            Fate::Received | Fate::Duplicate | Fate::Unawaited => {}
        }
        if let Some(number) = number {
            // A sender sees the lower 32 bits of the first number, and the distances of the others.
            let turns = *turns.get_or_insert(number & !0xffff_ffff);
            trace.replies.push((sample.seq, number - turns));
            equal &= number.rem_euclid(1 << 32)
                == i64::try_from(sample.seq).unwrap().rem_euclid(1 << 32);
        }
    }
    let figures = metrics.figures();
    let answered = !trace.replies.is_empty();
    let known = answered && (!equal || figures.lost == 0);
    let (forward, backward, unattributed, exact) = direction::attribute(&trace);
    prop_assert_eq!(figures.numbers_equal, answered && equal);
    prop_assert_eq!(figures.lost_forward, known.then_some(forward));
    prop_assert_eq!(figures.lost_backward, known.then_some(backward));
    prop_assert_eq!(
        figures.lost_unattributed,
        Some(if known { unattributed } else { figures.lost })
    );
    prop_assert_eq!(figures.direction_uncertain, known && !exact);
    prop_assert_eq!(figures.reflector_restarts, 0);
    Ok(())
}

proptest! {
    #[test]
    fn a_wild_session_has_the_figures_of_the_slow_twins(
        fortunes in prop::collection::vec(wild(), 0..300),
        offset in prop_oneof![Just(0_i64), -40_000_000_000_000..40_000_000_000_000_i64],
    ) {
        agree(&fortunes, (0, 0), offset)?;
    }

    #[test]
    fn numbers_that_wrap_at_2_to_the_32_go_on(
        fortunes in prop::collection::vec(wild(), 0..200),
        s_0 in (1_u64 << 32) - 200..(1 << 32),
        r_0 in u32::MAX - 200..,
    ) {
        agree(&fortunes, (s_0, r_0), 0)?;
        agree(&fortunes, (0, r_0), 0)?;
    }
}
