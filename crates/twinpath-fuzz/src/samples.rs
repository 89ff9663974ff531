//! Everything that keeps a session's series, fed with records of any kind, in any order, at any time.

use std::time::Duration;

use twinpath_metrics::{
    BinEdges, Distribution, MetricsConfig, Record, ReflectorKind, Series, SeriesConfig,
    VoiceFigures, VoiceParameters, Waits,
};
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Tos, Wall};

use crate::input::Input;

const EPOCH_NS: i64 = 1_795_392_000_000_000_000;
/// Octets that the figures of one session may take, and those of its rows and columns besides.
const MOST_OCTETS: usize = 256 * 1024;
/// Records of one input at most: a series is for billions of them, a fuzzer is not.
const MOST_RECORDS: usize = 20_000;
/// Rows of all records at most, whatever times are in them: of two intervals that a record may open, and
/// of those without anything before them.
const MOST_ROWS: u64 = 2 * (MOST_RECORDS as u64) * 12;
/// Rows that are looked at after each record.
const ROWS_AT_ONCE: usize = 1;

/// Octet 0: what the reflector is taken for, bins, rows, columns. Octets 1 to 9: the interval. Then
/// records: an octet for the kind, and what the kind has.
pub(crate) fn samples(input: &[u8]) {
    let mut input = Input::new(input);
    let flags = input.octet();
    let interval = Duration::from_nanos(input.scaled().unsigned_abs());
    let config = SeriesConfig {
        metrics: MetricsConfig {
            reflector: match flags & 3 {
                0 => ReflectorKind::Stateful,
                1 => ReflectorKind::Stateless,
                _ => ReflectorKind::Undeclared,
            },
            tos_forward: Some(Tos(0xb8)),
            tos_backward: Some(Tos(0xb8)),
            bins: (flags & 4 != 0).then(|| BinEdges::new(&[-1, 0, 1_000]).expect("rising edges")),
            ..MetricsConfig::default()
        },
        waits: Waits {
            fates: Duration::from_secs(u64::from(flags >> 6)),
            records: Duration::from_secs(u64::from(flags >> 5)),
            slack: Duration::from_millis(400),
            losses_at_once: flags & 32 != 0,
        },
        interval: (flags & 8 != 0).then_some(interval),
        columns: (flags & 16 != 0).then_some((64, interval)),
    };
    let mut series = Series::new(config.clone());
    let mut kept = Series::keeping_records(config.clone(), 64 * usize::from(flags));
    let mut history = History::default();
    let mut rows = 0_u64;
    for _ in 0..MOST_RECORDS {
        if input.is_empty() {
            break;
        }
        let record = history.record(&mut input);
        series.record(&record);
        kept.record(&record);
        for _ in 0..ROWS_AT_ONCE {
            rows += u64::from(series.poll_row(history.at).is_some());
        }
        let octets = series.metrics().memory_octets();
        assert!(octets <= MOST_OCTETS, "{octets} octets");
    }
    if config.interval.is_none() {
        assert_eq!(rows, 0);
    }
    assert_eq!(kept.begun(), series.begun());
    assert_eq!(kept.metrics().figures(), series.metrics().figures());
    assert_eq!(kept.clocks(), series.clocks());
    finish(&mut series, rows);
}

/// Everything that a report asks of series.
fn finish(series: &mut Series, mut rows: u64) {
    while series.finish_row().is_some() {
        rows += 1;
        assert!(rows <= MOST_ROWS, "{rows} rows");
    }
    let metrics = series.metrics();
    let (figures, histograms) = (metrics.figures(), metrics.histograms());
    for synchronized in [true, false] {
        let parameters = VoiceParameters::default();
        let voice = VoiceFigures::new(&figures, &histograms, synchronized, parameters);
        let ways = [voice.forward, voice.backward, voice.round_trip];
        for way in ways.into_iter().flatten() {
            assert!((1.0..=4.5).contains(&way.mos), "{way:?}");
            assert!(
                way.r_factor.is_finite() && way.delay_ms.is_finite(),
                "{way:?}"
            );
        }
    }
    for delays in [
        histograms.round_trip,
        histograms.forward,
        histograms.backward,
    ] {
        check(delays);
    }
    let directions = [
        figures.lost_forward,
        figures.lost_backward,
        figures.lost_unattributed,
    ];
    if let [Some(forward), Some(backward), Some(unattributed)] = directions {
        let sum = u128::from(forward) + u128::from(backward) + u128::from(unattributed);
        assert_eq!(sum, u128::from(figures.lost), "{figures:?}");
    }
    if let Some(timeline) = series.timeline() {
        let columns = timeline.columns().count();
        assert!(columns <= 64, "{columns} columns");
        assert!(timeline.memory_octets() <= 2 * MOST_OCTETS);
    }
    if let Some(clocks) = series.clocks() {
        assert!(clocks.skew_ppm.is_none_or(f64::is_finite), "{clocks:?}");
    }
}

/// Figures that are figures, and plain data from which the same distribution comes again.
fn check(delays: &Distribution) {
    if let Some(figures) = delays.figures() {
        let ranks = [
            Some(figures.min_ns),
            Some(figures.median_ns),
            Some(figures.p90_ns),
            Some(figures.p99_ns),
            Some(figures.max_ns),
        ];
        assert!(ranks.is_sorted(), "{figures:?}");
    }
    let parts = delays.parts();
    let again = Distribution::from_parts(&parts).expect("its own parts");
    assert_eq!(again.parts(), parts);
    let mut twice = again;
    twice.merge(delays);
    assert_eq!(twice.count(), 2 * delays.count());
}

/// Where a session stands: records are told relative to it.
#[derive(Default)]
struct History {
    at: Wall,
    seq: u64,
    begun: bool,
}

impl History {
    fn record(&mut self, input: &mut Input<'_>) -> Record {
        if !self.begun {
            self.begun = true;
            self.at = Wall::from_unix_ns(EPOCH_NS);
        }
        let kind = input.octet();
        let step = match kind >> 6 {
            0 => 0,
            1 => 1_000_000,
            2 => 1_000_000_000,
            _ => input.scaled(),
        };
        let before = self.at;
        self.at = Wall::from_unix_ns(before.unix_ns().saturating_add(step));
        match kind & 0x0f {
            0 => Record::Begun { at: self.at },
            1 => Record::NotSent {
                seq: self.number(kind, input),
                at: self.at,
            },
            2 => Record::ClockStep {
                now: self.at,
                by: Delta::from_ns(input.scaled()),
                first_seq: self.seq,
                suspended: kind & 0x10 != 0,
            },
            3 => Record::Missed {
                count: input.scaled().unsigned_abs() >> 8,
                since: before,
                now: self.at,
            },
            4 => Record::SourceChange { at: self.at },
            _ => Record::Sample(self.sample(kind, input)),
        }
    }

    /// The next number, or with bit 5 of the kind any.
    fn number(&mut self, kind: u8, input: &mut Input<'_>) -> u64 {
        if kind & 0x20 == 0 {
            self.seq += 1;
        } else {
            // What a raw file may hold: numbers below 2^56.
            self.seq = input.scaled().unsigned_abs() >> 8;
        }
        self.seq
    }

    fn sample(&mut self, kind: u8, input: &mut Input<'_>) -> Sample {
        let seq = self.number(kind, input);
        let fate = match kind & 0x0f {
            4..=9 => Fate::Received,
            10..=12 => Fate::Lost,
            13 => Fate::Late,
            _ => Fate::Duplicate,
        };
        let stamp = |at| Stamp {
            at,
            rung: Rung::Kernel,
        };
        let mut sample = Sample {
            seq,
            fate,
            t1: stamp(self.at),
            t2: None,
            t3: None,
            t4: None,
            reflector_seq: None,
            ttl_forward: None,
            ttl_backward: None,
            tos_forward: None,
            tos_backward: None,
            departure: Delta::from_ns(i64::from(kind)),
            excluded: None,
        };
        if fate == Fate::Lost {
            return sample;
        }
        let mut at = self.at;
        let mut after = |input: &mut Input<'_>, plain: bool| {
            let by = if plain { 40_000 } else { input.scaled() };
            at = Wall::from_unix_ns(at.unix_ns().saturating_add(by));
            at
        };
        let plain = kind & 0x10 == 0;
        sample.t2 = Some(after(input, plain));
        sample.t3 = Some(after(input, plain));
        sample.t4 = Some(stamp(after(input, plain)));
        let facts = input.octet();
        sample.reflector_seq = match facts & 3 {
            0 => u32::try_from(seq & 0xffff_ffff).ok(),
            1 => Some(input.u32()),
            _ => None,
        };
        sample.ttl_forward = (facts & 4 != 0).then(|| 64 - (facts >> 5));
        sample.ttl_backward = (facts & 8 != 0).then_some(facts);
        sample.tos_backward = (facts & 16 != 0).then_some(Tos(facts));
        sample.excluded = match facts {
            0xfe => Some(Exclusion::ClockStep),
            0xff => Some(Exclusion::Implausible),
            _ => None,
        };
        sample
    }
}
