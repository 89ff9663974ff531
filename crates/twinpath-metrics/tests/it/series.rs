//! Series of a session: rows, columns and clocks from its records alone.

use std::time::Duration;

use twinpath_metrics::{
    Column, Coverage, MetricsConfig, Record, Series, SeriesConfig, Suspect, Waits,
};
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Wall};

const SECOND: Duration = Duration::from_secs(1);
const START_NS: i64 = 1_795_392_000_000_000_000;

fn wall(ns: i64) -> Wall {
    Wall::from_unix_ns(START_NS + ns)
}

fn stamp(ns: i64) -> Stamp {
    Stamp {
        at: wall(ns),
        rung: Rung::Kernel,
    }
}

/// Packet `seq` of a run at 100 packets/s, 1 ms out, 2 ms back, the far clock `ahead_ns` ahead.
fn answered(seq: u64, ahead_ns: i64) -> Sample {
    let sent = i64::try_from(seq).unwrap() * 10_000_000;
    Sample {
        seq,
        fate: Fate::Received,
        t1: stamp(sent),
        t2: Some(wall(sent + 1_000_000 + ahead_ns)),
        t3: Some(wall(sent + 1_010_000 + ahead_ns)),
        t4: Some(stamp(sent + 3_010_000)),
        reflector_seq: u32::try_from(seq).ok(),
        ttl_forward: Some(64),
        ttl_backward: Some(61),
        tos_forward: None,
        tos_backward: None,
        departure: Delta::ZERO,
        excluded: None,
    }
}

fn config(interval: Option<Duration>, columns: Option<usize>) -> SeriesConfig {
    SeriesConfig {
        metrics: MetricsConfig::default(),
        waits: Waits {
            fates: SECOND,
            records: 2 * SECOND,
            ..Waits::default()
        },
        interval,
        columns: columns.map(|columns| (columns, Duration::from_millis(100))),
    }
}

fn series(interval: Option<Duration>, columns: Option<usize>) -> Series {
    Series::new(config(interval, columns))
}

/// Records of a run in which everything happens.
fn eventful() -> Vec<Record> {
    let mut records = vec![Record::Begun { at: wall(-5) }];
    for seq in 0..400 {
        let sample = answered(seq, i64::try_from(seq * seq).unwrap());
        let noise = Delta::from_ns(i64::try_from(seq * 7_919 % 90_001).unwrap());
        records.push(match seq % 23 {
            4 => Record::Sample(Sample::lost(seq, sample.t1)),
            9 if seq > 200 => Record::NotSent {
                seq,
                at: sample.t1.at,
            },
            11 => Record::Sample(Sample {
                fate: Fate::Late,
                ..sample
            }),
            17 if seq == 247 => Record::ClockStep {
                now: sample.t1.at,
                by: Delta::from_ns(-3_000),
                first_seq: seq,
                suspended: false,
            },
            17 if seq == 270 => Record::SourceChange { at: sample.t1.at },
            17 if seq == 293 => Record::Missed {
                count: 3,
                since: sample.t1.at,
                now: sample.t1.at + noise,
            },
            20 => Record::Sample(Sample {
                excluded: Some(Exclusion::Implausible),
                ..sample
            }),
            _ => Record::Sample(Sample {
                t2: sample.t2.map(|t2| t2 + noise),
                t3: sample.t3.map(|t3| t3 + noise),
                t4: sample.t4.map(|t4| Stamp {
                    at: t4.at + noise + noise,
                    ..t4
                }),
                departure: noise,
                ..sample
            }),
        });
        if seq % 31 == 0 {
            records.push(Record::Sample(Sample {
                fate: Fate::Duplicate,
                ..sample
            }));
        }
    }
    records
}

#[test]
fn records_that_are_kept_have_the_figures_of_those_that_are_counted_at_once() {
    for octets in [0, 700, 3_000, usize::MAX] {
        let mut counted = series(None, None);
        let mut kept = Series::keeping_records(config(None, None), octets);
        for (n, record) in eventful().iter().enumerate() {
            counted.record(record);
            kept.record(record);
            assert_eq!(kept.begun(), counted.begun());
            assert_eq!(kept.reply_status(), counted.reply_status(), "{n}");
            if n % 29 == 0 {
                let copy = kept.without_rows();
                assert_eq!(copy.metrics().figures(), counted.metrics().figures(), "{n}");
                assert_eq!(copy.clocks(), counted.clocks(), "{n}");
            }
        }
        assert_eq!(kept.metrics().figures(), counted.metrics().figures());
        assert_eq!(kept.clocks(), counted.clocks());
        let is_kept = octets == usize::MAX;
        assert_eq!(kept.memory_octets() < counted.memory_octets(), is_kept);
    }
}

#[test]
fn a_series_with_rows_or_columns_keeps_no_records() {
    for (interval, columns) in [(Some(SECOND), None), (None, Some(60))] {
        let mut kept = Series::keeping_records(config(interval, columns), usize::MAX);
        for seq in 0..400 {
            kept.record(&Record::Sample(answered(seq, 0)));
        }
        let rows = std::iter::from_fn(|| kept.finish_row()).count();
        assert_eq!(rows, if interval.is_some() { 4 } else { 0 });
        assert_eq!(kept.timeline().is_some(), columns.is_some());
    }
}

#[test]
fn rows_come_when_they_are_final_and_with_the_end_and_add_up() {
    let mut series = series(Some(SECOND), None);
    series.record(&Record::Begun { at: wall(0) });
    let mut rows = Vec::new();
    for seq in 0..550 {
        series.record(&Record::Sample(answered(seq, 0)));
        let now = wall(i64::try_from(seq).unwrap() * 10_000_000);
        rows.extend(std::iter::from_fn(|| series.poll_row(now)));
    }
    // Up to 5.49 s: the intervals that end 2 s before that.
    assert_eq!(rows.len(), 3);
    rows.extend(std::iter::from_fn(|| series.finish_row()));
    let received: Vec<_> = rows.iter().map(|row| row.figures.received).collect();
    assert_eq!(received, [100, 100, 100, 100, 100, 50]);
    assert_eq!(series.metrics().figures().received, 550);
    assert_eq!(rows[1].start, wall(1_000_000_000));
}

#[test]
fn without_an_interval_there_are_no_rows_and_without_columns_no_timeline() {
    let mut series = series(None, None);
    series.record(&Record::Sample(answered(0, 0)));
    assert!(series.poll_row(wall(1_000_000_000_000)).is_none());
    assert!(series.finish_row().is_none());
    assert!(series.timeline().is_none());
    assert_eq!(series.begun(), Some(wall(0)));
}

#[test]
fn what_is_no_packet_marks_its_interval() {
    let mut series = series(Some(SECOND), Some(60));
    series.record(&Record::Begun { at: wall(0) });
    for seq in 0..400 {
        if seq == 120 {
            let at = wall(1_200_000_000);
            series.record(&Record::NotSent { seq, at });
            continue;
        }
        if seq == 230 {
            let now = wall(2_300_000_000);
            series.record(&Record::Missed {
                count: 3,
                since: now,
                now,
            });
        }
        series.record(&Record::Sample(answered(seq, 0)));
    }
    let rows: Vec<_> = std::iter::from_fn(|| series.finish_row()).collect();
    let suspect: Vec<_> = rows.iter().map(|row| row.suspect.clone()).collect();
    let not_sent = vec![Suspect::NotSent];
    assert_eq!(suspect, [vec![], not_sent.clone(), not_sent, vec![]]);
    assert_eq!((rows[1].not_sent, rows[2].missed), (1, 3));
}

#[test]
fn a_step_of_the_far_clock_marks_its_interval_and_its_column() {
    let mut series = series(Some(SECOND), Some(60));
    for seq in 0..400 {
        let ahead_ns = if seq < 250 { 0 } else { 5_000_000_000 };
        series.record(&Record::Sample(answered(seq, ahead_ns)));
    }
    let clocks = series.clocks().unwrap();
    assert_eq!(clocks.far_steps_total, 1);
    let rows: Vec<_> = std::iter::from_fn(|| series.finish_row()).collect();
    assert_eq!(rows[2].suspect, [Suspect::FarStep]);
    let marked = series.timeline().unwrap().columns();
    let marked: Vec<_> = marked.filter(|column| column.marks.far_step).collect();
    assert_eq!(marked.len(), 1);
    assert_eq!(marked[0].start, wall(2_500_000_000));
}

#[test]
fn a_restart_of_the_reflector_marks_its_column() {
    for interval in [None, Some(SECOND)] {
        let mut series = series(interval, Some(20));
        for seq in 0..150_u32 {
            series.record(&Record::Sample(Sample {
                reflector_seq: Some(if seq < 75 { seq } else { seq - 75 }),
                ..answered(u64::from(seq), 0)
            }));
        }
        let marks = series.timeline().unwrap().columns();
        let marked: Vec<bool> = marks.map(|column| column.marks.restart).collect();
        let only: Vec<bool> = (0..15).map(|place| place == 7).collect();
        assert_eq!(marked, only);
    }
}

#[test]
fn a_step_of_the_own_clock_leaves_intervals_their_length() {
    let mut series = series(Some(SECOND), Some(60));
    series.record(&Record::Begun { at: wall(0) });
    let by = Delta::from_ns(3_600_000_000_000);
    for seq in 0..400 {
        if seq == 200 {
            let now = wall(2_000_000_000) + by;
            let first_seq = seq;
            series.record(&Record::ClockStep {
                now,
                by,
                first_seq,
                suspended: false,
            });
        }
        let mut sample = answered(seq, 0);
        if seq >= 200 {
            sample.t1.at = sample.t1.at + by;
            sample.t4 = sample.t4.map(|t4| Stamp {
                at: t4.at + by,
                ..t4
            });
        }
        series.record(&Record::Sample(sample));
    }
    let rows: Vec<_> = std::iter::from_fn(|| series.finish_row()).collect();
    let received: Vec<_> = rows.iter().map(|row| row.figures.received).collect();
    assert_eq!(received, [100; 4]);
    assert_eq!(rows[2].suspect, [Suspect::ClockStep]);
    assert_eq!(series.clocks().unwrap().local_steps, 1);
}

#[test]
fn a_suspension_of_the_host_and_another_source_address_are_marks_of_their_own() {
    let mut series = series(Some(SECOND), Some(60));
    series.record(&Record::Begun { at: wall(0) });
    let by = Delta::from_ns(7_200_000_000_000);
    for seq in 0..400 {
        let now = answered(seq, 0).t1.at + by;
        if seq == 149 {
            // Reported before the packet that was in flight.
            series.record(&Record::ClockStep {
                now: answered(150, 0).t1.at + by,
                by,
                first_seq: 150,
                suspended: true,
            });
        }
        if seq == 320 {
            series.record(&Record::SourceChange { at: now });
        }
        let mut sample = answered(seq, 0);
        if seq >= 149 {
            sample.t4 = sample.t4.map(|t4| Stamp {
                at: t4.at + by,
                ..t4
            });
        }
        if seq >= 150 {
            sample.t1.at = now;
            (sample.t2, sample.t3) = (sample.t2.map(|t2| t2 + by), sample.t3.map(|t3| t3 + by));
        }
        sample.excluded = (seq == 149).then_some(Exclusion::ClockStep);
        series.record(&Record::Sample(sample));
    }
    let timeline = series.timeline().unwrap();
    let columns: Vec<_> = timeline.columns().collect();
    assert!(columns.iter().all(|column| !column.marks.clock_step));
    let places = |is: fn(&Column) -> bool| -> Vec<usize> {
        let places = columns.iter().enumerate().filter(|(_, column)| is(column));
        places.map(|(place, _)| place).collect()
    };
    assert_eq!(places(|column| column.marks.suspended), [14, 15]);
    assert_eq!(places(|column| column.marks.source_change), [32]);
    let clocks = series.clocks().unwrap();
    assert_eq!((clocks.local_steps, clocks.far_steps_total), (0, 0));
    // Neither side of it is a delay.
    assert!(clocks.forward.unwrap().delay.max_ns < 10_000_000);
}

#[test]
fn packets_that_want_no_reply_are_sent_and_make_losses_unknown() {
    let records: Vec<Record> = (0..40)
        .map(|seq| {
            let answered = answered(seq, 0);
            Record::Sample(match seq % 4 {
                0 => answered,
                _ => Sample {
                    fate: Fate::Unawaited,
                    ..Sample::lost(seq, answered.t1)
                },
            })
        })
        .collect();
    let kept = Series::keeping_records(config(None, None), 1 << 20);
    for mut series in [kept, series(Some(SECOND / 10), Some(8))] {
        for record in &records {
            series.record(record);
        }
        let figures = series.metrics().figures();
        let counts = (figures.received, figures.lost, figures.unawaited);
        assert_eq!((counts, figures.sent()), ((10, 0, 30), 40));
        assert_eq!((figures.lost_forward, figures.lost_backward), (None, None));
        assert_eq!(figures.departure.unwrap().count, 40);
        let coverage = Coverage::of(&figures, 0, 0);
        assert!(coverage.is_sent() && !coverage.is_complete());
        assert_eq!(coverage.due, 40);
        let mut twice = figures.clone();
        twice.merge(&figures);
        assert_eq!(twice.unawaited, 60);
        let columns = series
            .timeline()
            .into_iter()
            .flat_map(twinpath_metrics::Timeline::columns);
        let columns: Vec<Column> = columns.collect();
        assert!(columns.iter().all(|column| column.lost == 0));
        if !columns.is_empty() {
            assert_eq!(columns.iter().map(|column| column.sent).sum::<u64>(), 40);
            let rows: Vec<_> = std::iter::from_fn(|| series.finish_row()).collect();
            assert_eq!(
                rows.iter().map(|row| row.figures.unawaited).sum::<u64>(),
                30
            );
            assert!(rows.iter().all(|row| !row.coverage().is_complete()));
        }
    }
}
