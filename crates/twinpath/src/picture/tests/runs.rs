//! Runs to draw: a simulated path, packet by packet, through the series that real runs keep.

use std::time::Duration;

use twinpath_metrics::{MetricsConfig, Record, Series, SeriesConfig, Waits};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

use crate::picture::num;
use crate::picture::{KeyFigure, Picture, PictureNote, PictureSession};

/// 2026-11-23T16:00:00Z
pub(super) const START: i64 = 1_795_449_600_000_000_000;

/// Pseudo-random numbers that are the same in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        num::count(self.0 >> 11) / num::count(1 << 53)
    }

    /// Mostly small, seldom great: an exponential distribution.
    pub(super) fn queue(&mut self, mean_ns: f64) -> i64 {
        num::whole(-(1.0 - self.share()).ln() * mean_ns)
    }
}

/// The fate of one packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fortune {
    Lost,
    /// Not sent at all.
    Unsent,
    /// Out, back.
    Took(i64, i64),
}

/// A run of `count` packets, one every `interval_ns`; the reflector's clock is `offset_ns` ahead
/// and gains `ppm`.
pub(super) struct Run {
    pub(super) count: u64,
    pub(super) interval_ns: i64,
    pub(super) offset_ns: i64,
    pub(super) ppm: f64,
}

impl Run {
    pub(super) fn session(
        &self,
        name: &str,
        mut fate: impl FnMut(u64) -> Fortune,
    ) -> PictureSession {
        let mut series = self.series();
        series.record(&Record::Begun {
            at: Wall::from_unix_ns(START),
        });
        for seq in 0..self.count {
            let at = i64::try_from(seq).unwrap() * self.interval_ns;
            if let Some(sample) = self.sample(seq, at, fate(seq)) {
                series.record(&Record::Sample(sample));
            }
        }
        of_books(name, &series)
    }

    pub(super) fn series(&self) -> Series {
        let width = Duration::from_nanos(u64::try_from(self.interval_ns * 4).unwrap());
        Series::new(SeriesConfig {
            metrics: MetricsConfig::default(),
            waits: Waits::default(),
            interval: None,
            columns: Some((240, width.max(Duration::from_millis(10)))),
        })
    }

    pub(super) fn sample(&self, seq: u64, at: i64, fortune: Fortune) -> Option<Sample> {
        let t1 = START + at;
        let lost = Sample {
            seq,
            fate: Fate::Lost,
            t1: stamp(t1),
            t2: None,
            t3: None,
            t4: None,
            reflector_seq: None,
            ttl_forward: None,
            ttl_backward: None,
            tos_forward: None,
            tos_backward: None,
            departure: Delta::ZERO,
            excluded: None,
        };
        match fortune {
            Fortune::Unsent => None,
            Fortune::Lost => Some(lost),
            Fortune::Took(out, back) => {
                let far = |ns: i64| {
                    let drift = num::whole(num::float(ns - START) * self.ppm * 1e-6);
                    Wall::from_unix_ns(ns + self.offset_ns + drift)
                };
                Some(Sample {
                    fate: Fate::Received,
                    t2: Some(far(t1 + out)),
                    t3: Some(far(t1 + out + 8_000)),
                    t4: Some(stamp(t1 + out + 8_000 + back)),
                    reflector_seq: Some(u32::try_from(seq).unwrap()),
                    ..lost
                })
            }
        }
    }
}

pub(super) fn of_books(name: &str, series: &Series) -> PictureSession {
    let metrics = series.metrics();
    let (figures, histograms) = (metrics.figures(), metrics.histograms());
    let timeline = series.timeline().unwrap();
    let figure = |name, value: String| KeyFigure { name, value };
    let delay = figures.round_trip.map(|it| it.median_ns.to_string());
    PictureSession {
        name: name.to_owned(),
        columns: timeline.columns().collect(),
        width: timeline.width(),
        sent: figures.received + figures.lost,
        lost: figures.lost,
        summary: "No loss".to_owned(),
        incomplete: false,
        round_trip: Some(histograms.round_trip.clone()),
        clocks: series.clocks(),
        figures: vec![
            figure("Packets", (figures.received + figures.lost).to_string()),
            figure("Lost", figures.lost.to_string()),
            figure("Round trip median", delay.unwrap_or("-".to_owned())),
        ],
        alarms: Vec::new(),
    }
}

fn stamp(ns: i64) -> Stamp {
    Stamp {
        at: Wall::from_unix_ns(ns),
        rung: Rung::Kernel,
    }
}

fn picture(title: &str, sessions: Vec<PictureSession>) -> Picture {
    Picture {
        title: title.to_owned(),
        subtitle: "TWAMP Light from 192.0.2.1:20000 to 192.0.2.2:20001, every 100 ms, padding 27, \
                   DSCP be; started 2026-11-23T16:00:00Z"
            .to_owned(),
        sessions,
        failed: Vec::new(),
        notes: vec![
            PictureNote {
                line: "clocks not synchronized: one-way figures mean little".to_owned(),
                warning: true,
            },
            PictureNote {
                line: "T3 is advanced by the reflector".to_owned(),
                warning: false,
            },
        ],
    }
}

const MINUTES: Run = Run {
    count: 6_000,
    interval_ns: 100_000_000,
    offset_ns: -3_600_000_000_000,
    ppm: 12.0,
};

/// A quiet path for ten minutes.
pub(super) fn quiet() -> Picture {
    let mut random = Random(1);
    let session = MINUTES.session("", |_| {
        Fortune::Took(
            4_100_000 + random.queue(30_000.0),
            4_050_000 + random.queue(22_000.0),
        )
    });
    picture("192.0.2.1 to 192.0.2.2", vec![session])
}

/// About 2 % of loss, in bursts.
pub(super) fn bursts() -> Picture {
    let mut random = Random(2);
    let mut burst = 0;
    let session = MINUTES.session("", |_| {
        if burst > 0 {
            burst -= 1;
            return Fortune::Lost;
        }
        if random.share() < 0.002 {
            burst = 4 + num::places(random.share() * 12.0);
        }
        Fortune::Took(
            9_000_000 + random.queue(600_000.0),
            9_500_000 + random.queue(300_000.0),
        )
    });
    picture("Bursts of loss", vec![session])
}

/// The route out changes after five minutes, with twenty seconds without any reply; a spike.
pub(super) fn route_change() -> Picture {
    let mut random = Random(3);
    let session = MINUTES.session("", |seq| match seq {
        3_000..3_200 => Fortune::Lost,
        4_444 => Fortune::Took(900_000_000, 10_000_000),
        _ => {
            let out = if seq < 3_000 { 6_000_000 } else { 11_000_000 };
            Fortune::Took(
                out + random.queue(150_000.0),
                6_200_000 + random.queue(200_000.0),
            )
        }
    });
    picture("A route change", vec![session])
}

/// Nothing is sent for a minute; later the path dies.
pub(super) fn dies() -> Picture {
    let mut random = Random(4);
    let session = MINUTES.session("", |seq| match seq {
        1_200..1_800 => Fortune::Unsent,
        4_100.. => Fortune::Lost,
        _ if random.share() < 0.01 => Fortune::Lost,
        _ => Fortune::Took(
            700_000 + random.queue(90_000.0),
            650_000 + random.queue(40_000.0),
        ),
    });
    picture("A path that dies", vec![session])
}

/// Three classes, the first of which suffers.
pub(super) fn classes() -> Picture {
    let mut random = Random(5);
    let sessions = [
        ("BE", 2_400_000.0, 0.03),
        ("AF41", 500_000.0, 0.004),
        ("EF", 60_000.0, 0.0),
    ];
    let sessions = sessions.map(|(name, queue, loss)| {
        MINUTES.session(name, |seq| {
            let busy = if (2_000..4_000).contains(&seq) {
                4.0
            } else {
                1.0
            };
            if random.share() < loss * busy / 2.0 {
                return Fortune::Lost;
            }
            Fortune::Took(
                5_000_000 + random.queue(queue * busy),
                5_000_000 + random.queue(queue / 3.0),
            )
        })
    });
    picture("Three classes side by side", sessions.to_vec())
}

/// Both clocks step, and the reflector restarts.
pub(super) fn steps() -> Picture {
    let mut random = Random(6);
    let run = Run {
        count: 3_000,
        ..MINUTES
    };
    let mut series = run.series();
    series.record(&Record::Begun {
        at: Wall::from_unix_ns(START),
    });
    for seq in 0..run.count {
        let at = i64::try_from(seq).unwrap() * run.interval_ns;
        let by = if seq < 900 { 0 } else { 2_500_000_000 };
        if seq == 900 {
            series.record(&Record::ClockStep {
                now: Wall::from_unix_ns(START + at + by),
                by: Delta::from_ns(by),
                first_seq: seq,
                suspended: false,
            });
        }
        let far = Run {
            offset_ns: if seq < 2_000 { 0 } else { 40_000_000 },
            ppm: 3.0,
            ..run
        };
        let fortune = Fortune::Took(
            3_000_000 + random.queue(200_000.0),
            3_100_000 + random.queue(100_000.0),
        );
        let mut sample = far.sample(seq, at, fortune).unwrap();
        if seq >= 2_500 {
            sample.reflector_seq = sample.reflector_seq.map(|number| number - 2_500);
        }
        sample.t1.at = sample.t1.at + Delta::from_ns(by);
        if let Some(t4) = &mut sample.t4 {
            t4.at = t4.at + Delta::from_ns(by);
        }
        series.record(&Record::Sample(sample));
    }
    picture("Clock steps", vec![of_books("", &series)])
}

/// A run of this many packets, all the same.
pub(super) fn tiny(count: u64, fortune: Fortune) -> Picture {
    let run = Run { count, ..MINUTES };
    picture("Tiny", vec![run.session("be", |_| fortune)])
}

/// All that are to be looked at, with their names.
pub(super) fn all() -> Vec<(&'static str, Picture)> {
    vec![
        ("quiet", quiet()),
        ("bursts", bursts()),
        ("route-change", route_change()),
        ("dies", dies()),
        ("classes", classes()),
        ("steps", steps()),
    ]
}
