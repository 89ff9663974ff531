//! What the sessions of a sender or controller report while they are measured.

use std::iter;
use std::time::Duration;

use twinpath_metrics::{
    Distribution, Figures, RungCounts, SessionMetrics, SessionState, SettledBlocks,
};
use twinpath_report::ClockState;
use twinpath_runtime::measure::Progress;

use super::family::{Families, Family, Kind, Labels, Native, Sample, Times, Value, rungs, seconds};

/// Sessions that have series: each has 38, with one-way delays 80.
pub(crate) const MOST_SESSIONS: usize = 1_000;

/// Upper bounds of the buckets of delays, in nanoseconds.
const BUCKETS_NS: [i64; 18] = [
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
];

/// What is counted of a session: all that its series are made of.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    figures: Figures,
    blocks: Option<SettledBlocks>,
    round_trip: Times,
    forward: Times,
    backward: Times,
}

impl Counted {
    /// `known_within`: a packet's fate is recorded so long after its departure; `None`: the session is over.
    pub(crate) fn of(metrics: &SessionMetrics, known_within: Option<Duration>) -> Self {
        let delays = metrics.histograms();
        Self {
            figures: metrics.figures(),
            blocks: metrics.settled_blocks(known_within),
            round_trip: times(delays.round_trip),
            forward: times(delays.forward),
            backward: times(delays.backward),
        }
    }
}

/// A session as it is now.
#[derive(Clone, Debug)]
pub(crate) struct SessionNow {
    pub(crate) labels: Labels,
    pub(crate) progress: Progress,
    /// `None`: it did not tell in time.
    pub(crate) counted: Option<Counted>,
}

/// Of the sessions of a run, of which there are `all`.
pub(crate) fn sessions(sessions: &[SessionNow], all: usize, clock: ClockState) -> Families {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let left_out = all.saturating_sub(sessions.len());
    let mut families = vec![
        Family::gauge(
            "sessions",
            "sessions of the run, those that are over among them",
            number(all),
        ),
        Family::gauge(
            "sessions_left_out",
            "sessions without series of their own: only the first 1000 have some",
            number(left_out),
        ),
    ];
    let counters = COUNTERS.iter().map(|counter| {
        let samples = sessions.iter().filter_map(|session| {
            let count = (counter.count)(session)?;
            Some(sample(session, None, Value::Count(count)))
        });
        Family::of(Kind::Counter, counter.name, counter.help, samples)
    });
    families.extend(counters);
    families.push(lost_by_direction(sessions));
    families.extend(gauges(sessions));
    families.extend(delays(sessions, clock));
    families.extend(timestamps(sessions));
    families
}

/// A count of each session.
struct Counter {
    name: &'static str,
    help: &'static str,
    /// `None`: not known.
    count: fn(&SessionNow) -> Option<u64>,
}

const COUNTERS: [Counter; 9] = [
    Counter {
        name: "packets_sent",
        help: "test packets that were sent",
        count: |session| Some(session.sent()),
    },
    Counter {
        name: "packets_unsent",
        help: "test packets that were due and never sent: refused by the system, or their time passed",
        count: |session| Some(session.progress.unsent),
    },
    Counter {
        name: "packets_received",
        help: "packets with a reply in time (RFC 2681 section 2.5)",
        count: |session| Some(session.figures()?.received),
    },
    Counter {
        name: "packets_lost",
        help: "packets without a reply in time, late ones among them (RFC 6673 section 6.1)",
        count: |session| Some(session.figures()?.lost),
    },
    Counter {
        name: "packets_late",
        help: "packets whose reply came after the timeout",
        count: |session| Some(session.figures()?.late),
    },
    Counter {
        name: "packets_duplicated",
        help: "further copies of replies (RFC 5560)",
        count: |session| Some(session.figures()?.duplicates),
    },
    Counter {
        name: "packets_reordered",
        help: "packets whose reply came after one with a greater number (RFC 4737 section 3.3)",
        count: |session| Some(session.figures()?.reordered),
    },
    Counter {
        name: "availability_blocks",
        help: "blocks of time in which packets were sent, once the fates of all are known",
        count: |session| Some(session.counted.as_ref()?.blocks?.blocks),
    },
    Counter {
        name: "availability_blocks_unavailable",
        help: "blocks of times in which the path was unavailable",
        count: |session| Some(session.counted.as_ref()?.blocks?.unavailable),
    },
];

impl SessionNow {
    fn figures(&self) -> Option<&Figures> {
        Some(&self.counted.as_ref()?.figures)
    }

    /// The figures may be newer than the glance: no fewer than those of which a fate is known.
    fn sent(&self) -> u64 {
        let fates = self.figures();
        let fates = fates.map_or(0, |it| it.received + it.lost + it.unawaited);
        self.progress.sent.max(fates)
    }
}

fn sample(session: &SessionNow, own: Option<(&'static str, &'static str)>, value: Value) -> Sample {
    Sample {
        labels: Labels::clone(&session.labels),
        own,
        value,
    }
}

fn lost_by_direction(sessions: &[SessionNow]) -> Family {
    let samples = sessions.iter().flat_map(|session| {
        let figures = session.figures();
        let of = |direction, count: Option<u64>| {
            let own = Some(("direction", direction));
            count.map(|count| sample(session, own, Value::Count(count)))
        };
        let forward = of("forward", figures.and_then(|figures| figures.lost_forward));
        let backward = of(
            "backward",
            figures.and_then(|figures| figures.lost_backward),
        );
        forward.into_iter().chain(backward)
    });
    Family::of(
        Kind::Counter,
        "packets_lost_one_way",
        "losses whose direction is known by the reflector's numbers (RFC 5357 section 4.2.1)",
        samples,
    )
}

fn gauges(sessions: &[SessionNow]) -> [Family; 4] {
    let since_reply = |session: &SessionNow| {
        let lost = Value::Count(session.progress.reply_status.lost_since);
        sample(session, None, lost)
    };
    let synchronized = |session: &SessionNow| {
        let far = session.progress.far_clock?;
        Some(sample(session, None, Value::Count(far.synchronized.into())))
    };
    let error = |session: &SessionNow| {
        let error = session.progress.far_clock?.error_ns?;
        Some(sample(session, None, Value::Number(seconds(error))))
    };
    let states = sessions.iter().flat_map(|session| {
        SessionState::ALL.map(|state| {
            let is_so = u64::from(session.progress.reply_status.state == state);
            let own = Some(("state", state.name()));
            sample(session, own, Value::Count(is_so))
        })
    });
    [
        Family::of(
            Kind::Gauge,
            "session_state",
            "1 for the state that the session is in: idle, active or failed",
            states,
        ),
        Family::of(
            Kind::Gauge,
            "losses_since_reply",
            "losses in a row since the last packet that was answered; 0: the far end answers",
            sessions.iter().map(since_reply),
        ),
        Family::of(
            Kind::Gauge,
            "far_clock_synchronized",
            "1 if the far end says that its clock is synchronized, else 0",
            sessions.iter().filter_map(synchronized),
        ),
        Family::of(
            Kind::Seconds,
            "far_clock_error",
            "the greatest error that the far end claims of its clock",
            sessions.iter().filter_map(error),
        ),
    ]
}

fn delays(sessions: &[SessionNow], clock: ClockState) -> [Family; 2] {
    let round_trip = sessions.iter().filter_map(|session| {
        let times = Box::new(session.counted.as_ref()?.round_trip.clone());
        Some(sample(session, None, Value::Times(times)))
    });
    let are_synchronized = |session: &&SessionNow| {
        let far = session.progress.far_clock;
        clock.synchronized && far.is_some_and(|far| far.synchronized)
    };
    let one_way = sessions
        .iter()
        .filter(are_synchronized)
        .flat_map(|session| {
            let counted = session.counted.iter();
            counted.flat_map(move |counted| {
                [
                    ("forward", &counted.forward),
                    ("backward", &counted.backward),
                ]
                .map(|(direction, times)| {
                    let times = Value::Times(Box::new(times.clone()));
                    sample(session, Some(("direction", direction)), times)
                })
            })
        });
    [
        Family::of(
            Kind::Times,
            "round_trip_delay",
            "round trips without the reflector's own time (RFC 2681 section 2.4)",
            round_trip,
        ),
        Family::of(
            Kind::Times,
            "one_way_delay",
            "one-way delays (RFC 7679 section 3.4), where both clocks are said to be synchronized",
            one_way,
        ),
    ]
}

/// Sources of the timestamps of all sessions together.
fn timestamps(sessions: &[SessionNow]) -> [Family; 2] {
    let (mut transmit, mut receive) = (RungCounts::default(), RungCounts::default());
    for figures in sessions.iter().filter_map(SessionNow::figures) {
        transmit.merge(&figures.stamps_transmit);
        receive.merge(&figures.stamps_receive);
    }
    [
        Family::counters(
            "transmit_timestamps",
            "packets by the source of their transmit timestamp T1",
            "rung",
            rungs(&transmit),
        ),
        Family::counters(
            "receive_timestamps",
            "replies by the source of their receive timestamp T4",
            "rung",
            rungs(&receive),
        ),
    ]
}

/// In buckets that do not depend on the session, none of which ever falls: Prometheus takes that for a restart.
fn times(delays: &Distribution) -> Times {
    let mut bins = delays.fixed_bins().peekable();
    let buckets = BUCKETS_NS.map(|bound_ns| {
        let within = iter::from_fn(|| bins.next_if(|(ns, _)| *ns <= bound_ns));
        let within = within.fold(0, |sum: u64, (_, count)| sum.saturating_add(count));
        (seconds(bound_ns.unsigned_abs()), within)
    });
    Times {
        count: delays.count(),
        sum_s: sum_s(delays.sum_ns()),
        buckets: buckets.to_vec(),
        native: Native::of(delays.fixed_bins()),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sum over many packets is a double wherever it is read"
)]
fn sum_s(sum_ns: i128) -> f64 {
    sum_ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::fixtures;

    fn of<'a>(families: &'a Families, name: &str) -> &'a [Sample] {
        let family = families.iter().find(|family| family.name == name);
        &family.unwrap().samples
    }

    #[test]
    fn each_delay_is_in_one_bucket_and_in_the_sum() {
        let delays = fixtures::delays([5_000, 15_000, 15_000, 900_000, 9_000_000_000]);
        let times = times(delays.histograms().round_trip);
        assert_eq!(times.count, 5);
        assert!((times.sum_s - 9.000_935).abs() < 1e-6, "{}", times.sum_s);
        let filled: Vec<(f64, u64)> = times.buckets.into_iter().filter(|it| it.1 > 0).collect();
        // The last one is beyond all.
        assert_eq!(filled, [(0.00001, 1), (0.00002, 2), (0.001, 1)]);
    }

    #[test]
    fn no_bucket_and_no_sum_falls_as_packets_come() {
        let mut metrics = SessionMetrics::new();
        let mut before: Option<Times> = None;
        let of = |buckets: &[(i32, u64)], number| {
            let found = buckets.iter().find(|it| it.0 == number);
            found.map_or(0, |it| it.1)
        };
        // Each is the greatest so far, and 4 % or less above the one before.
        let mut round_trip_ns = 9_000;
        for seq in 0..400 {
            metrics.record(&fixtures::answered(seq, round_trip_ns));
            round_trip_ns += round_trip_ns / 27;
            let now = times(metrics.histograms().round_trip);
            if let Some(before) = &before {
                assert!(now.sum_s >= before.sum_s, "{seq}");
                for (number, count) in &before.native.positive {
                    assert!(
                        of(&now.native.positive, *number) >= *count,
                        "{seq} {number}"
                    );
                }
                for (now, before) in now.buckets.iter().zip(&before.buckets) {
                    assert!(now.1 >= before.1, "{seq} {now:?}");
                }
            }
            before = Some(now);
            if round_trip_ns > 5_000_000_000 {
                break;
            }
        }
    }

    #[test]
    fn a_session_has_as_many_series_as_the_page_says() {
        let series = |clock: ClockState| {
            let all = sessions(&[fixtures::session()], 1, clock);
            let of_session = |sample: &Sample| !sample.labels.is_empty();
            let size = |sample: &Sample| match &sample.value {
                // And `+Inf`, the sum and the count.
                Value::Times(times) => times.buckets.len() + 3,
                Value::Count(_) | Value::Number(_) => 1,
            };
            let samples = all.iter().flat_map(|family| &family.samples);
            samples.filter(|it| of_session(it)).map(size).sum::<usize>()
        };
        let free = ClockState {
            synchronized: false,
            error_ns: None,
        };
        let synchronized = ClockState {
            synchronized: true,
            error_ns: Some(1_000),
        };
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let page = std::fs::read_to_string(page).unwrap();
        let said = format!(
            "has {} for each of its first 1,000 sessions ({} with one-way delays)",
            series(free),
            series(synchronized)
        );
        assert!(page.replace('\n', " ").contains(&said), "{said}");
    }

    #[test]
    fn one_way_delays_are_those_of_two_synchronized_clocks() {
        let is_known = |here: bool, there: Option<bool>| {
            let mut session = fixtures::session();
            session.progress.far_clock = there.map(|synchronized| ClockState {
                synchronized,
                error_ns: None,
            });
            let clock = ClockState {
                synchronized: here,
                error_ns: None,
            };
            let families = sessions(&[session], 1, clock);
            !of(&families, "one_way_delay").is_empty()
        };
        assert!(is_known(true, Some(true)));
        for (here, there) in [
            (true, None),
            (true, Some(false)),
            (false, Some(true)),
            (false, None),
        ] {
            assert!(!is_known(here, there), "{here} {there:?}");
        }
    }

    #[test]
    fn a_session_that_did_not_tell_has_what_is_known_without_it() {
        let mut session = fixtures::session();
        session.counted = None;
        session.progress.sent = 7;
        let clock = ClockState {
            synchronized: false,
            error_ns: None,
        };
        let families = sessions(&[session], 3, clock);
        assert_eq!(of(&families, "packets_sent")[0].value, Value::Count(7));
        assert!(of(&families, "packets_received").is_empty());
        assert!(of(&families, "round_trip_delay").is_empty());
        assert_eq!(of(&families, "sessions_left_out")[0].value, Value::Count(2));
    }
}
