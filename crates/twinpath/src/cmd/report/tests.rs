use serde_json::{Value, json};
use twinpath_metrics::Record;
use twinpath_report::Finding;
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Tos, Wall};

use super::*;
use crate::args::{Cli, Command};
use crate::output::Sink as _;
use crate::output::json::Json;
use crate::output::pictures::picture;
use crate::output::prometheus::Prometheus;
use crate::output::style::Style;
use crate::output::text::Text;
use crate::picture::{self, Theme};
use crate::saved::{FooterBegin, FooterEnd, Opened};

/// What a file must not write to a terminal.
const ESCAPE: &str = "\u{1b}]0;owned\u{7}\nwarning: forged\r\u{9b}2J\u{202e}";

/// Numbers that look like chance, the same ones each time.
struct Chance(u64);

impl Chance {
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        all[usize::try_from(self.0 % all.len() as u64).unwrap()]
    }

    fn time(&mut self) -> Wall {
        let all = [
            i64::MIN,
            i64::MIN + 1,
            -1,
            0,
            1,
            1_795_449_600_000_000_000,
            1_795_449_600_000_000_001,
            i64::MAX - 1,
            i64::MAX,
        ];
        Wall::from_unix_ns(self.of(&all))
    }

    fn delta(&mut self) -> Delta {
        Delta::from_ns(self.of(&[i64::MIN, -1, 0, 1, i64::MAX]))
    }

    fn seq(&mut self) -> u64 {
        let most = 1 << 56;
        self.of(&[0, 1, 2, 3, u64::from(u32::MAX), 1 << 40, most - 1, most])
    }

    fn some<T>(&mut self, value: T) -> Option<T> {
        self.of(&[true, true, false]).then_some(value)
    }

    fn record(&mut self) -> Record {
        let rungs = [Rung::Hardware, Rung::Kernel, Rung::Queue, Rung::User];
        let stamp = |chance: &mut Self| Stamp {
            at: chance.time(),
            rung: chance.of(&rungs),
        };
        let (at, seq) = (self.time(), self.seq());
        match self.of(&[0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4]) {
            0 => Record::Begun { at },
            1 => Record::NotSent { seq, at },
            2 => Record::ClockStep {
                now: at,
                by: self.delta(),
                first_seq: seq,
                suspended: self.of(&[true, false]),
            },
            3 => Record::Missed {
                count: self.seq(),
                since: self.time(),
                now: at,
            },
            _ => {
                let fates = [
                    Fate::Received,
                    Fate::Received,
                    Fate::Lost,
                    Fate::Late,
                    Fate::Duplicate,
                ];
                let octets = [0, 1, 64, 255];
                let (t1, t2, t3, t4) = (stamp(self), self.time(), self.time(), stamp(self));
                let (far, octet) = (self.of(&[0, 7, u32::MAX]), self.of(&octets));
                Record::Sample(Sample {
                    seq,
                    fate: self.of(&fates),
                    t1,
                    t2: self.some(t2),
                    t3: self.some(t3),
                    t4: self.some(t4),
                    reflector_seq: self.some(far),
                    ttl_forward: self.some(octet),
                    ttl_backward: self.some(octet),
                    tos_forward: self.some(Tos(octet)),
                    tos_backward: self.some(Tos(octet)),
                    departure: self.delta(),
                    excluded: self.of(&[None, None, None, Some(Exclusion::ClockStep)]),
                })
            }
        }
    }
}

fn identity(number: u32, chance: &mut Chance) -> Value {
    let ns = |chance: &mut Chance| chance.of(&[0, 1, 1_000_000, u64::MAX]);
    let schedules = [
        json!({"name": "periodic", "interval_ns": ns(chance)}),
        json!({"name": "poisson", "mean_ns": ns(chance)}),
        json!({"name": "uniform", "least_ns": u64::MAX, "most_ns": 0}),
        json!({"name": "bursts", "packets": chance.of(&[0, u32::MAX]), "gap_ns": ns(chance)}),
    ];
    let protocols = [
        json!({"name": "twamp-light"}),
        json!({"name": "stamp", "ssid": 65_535}),
        json!({"name": "twamp", "modes": u32::MAX, "padding_to_reflect": 65_535, "server_octets": 65_535}),
    ];
    json!({
        "number": number,
        "protocol": protocols[chance.of(&[0, 1, 2])],
        "mode": chance.of(&["encrypted", ESCAPE]),
        "sid": ESCAPE,
        "sender": "127.0.0.1:0",
        "reflector": "[::1]:65535",
        "schedule": schedules[chance.of(&[0, 1, 2, 3])],
        "seed": u64::MAX,
        "timeout_ns": ns(chance),
        "start_within_ns": u64::MAX,
        "tos": 255,
        "ttl": 0,
        "padding": chance.of(&[i64::MIN, -1, 0, i64::MAX]),
    })
}

fn with(mut value: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!() };
    value.as_object_mut().unwrap().extend(more);
    value
}

/// A file in which nothing is as it should be, but for its form.
fn wild(path: &std::path::Path, chance: &mut Chance, ended: bool) {
    let most = u64::MAX;
    let facts = json!({
        "version": ESCAPE,
        "host": ESCAPE,
        "labels": [{"key": ESCAPE, "value": ESCAPE}],
        "started_ns": i64::MIN,
        "sessions": [with(identity(1, chance), json!({
            "asked": most,
            "duration_ns": most,
            "metrics": {
                "reflector": ESCAPE,
                "tos_forward": 255,
                "tos_backward": null,
                "block_ns": chance.of(&[0, 1, most]),
                "bad_above": chance.of(&[-1e308, 0.0, 1e308]),
                "in_a_row": chance.of(&[0, u32::MAX]),
                "noticeable_distance": chance.of(&[0, most]),
                "bins_ns": chance.of(&[&[][..], &[i64::MIN, i64::MAX], &[5, 4], &[1, 2]]),
            },
        }))],
    });
    let facts: FooterBegin = serde_json::from_value(facts).unwrap();
    let mut saver = Opened::open(path, None).unwrap().begin(&facts).unwrap();
    for _ in 0..400 {
        let session = chance.of(&[1, 1, 1, 1, 0, 2, u32::MAX]);
        saver.record(session, &chance.record(), None);
    }
    if !ended {
        return;
    }
    let clock = json!({"synchronized": true, "error_ns": most});
    let note = json!({"key": ESCAPE, "line": ESCAPE, "warning": chance.of(&[true, false])});
    // Of another version, of this one with values that cannot be, and of none.
    let findings = [
        json!({"key": ESCAPE, "of": ESCAPE}),
        json!({"key": "icmp", "what": ESCAPE, "from": null, "count": most}),
        json!({"key": "capture-unmatched", "count": most, "packets": most}),
        json!({"key": "far-clock-not-set", "away_ns": i64::MIN}),
        json!({"key": "clock-rate", "skew_ppm": -1e308}),
        json!({"key": "interrupted", "newest_ns": i64::MIN}),
        json!({"key": "captured-again", "count": most, "interface": ESCAPE, "interfaces": most}),
        json!({"key": "late", "count": -1}),
        json!(7),
    ];
    let keys = findings.iter().map(|finding| finding["key"].clone());
    let keys = keys.map(|key| if key.is_null() { "late".into() } else { key });
    let notes: Vec<Value> = keys
        .map(|key| with(note.clone(), json!({"key": key})))
        .collect();
    let end = json!({
        "sessions": [with(identity(1, chance), json!({
            "started_ns": chance.of(&[i64::MIN, i64::MAX]),
            "duration_ns": most,
            "achieved_pps": chance.of(&[-1e308, 1e308]),
            "tally": {"sent": chance.of(&[0, most]), "received": most, "lost": most, "late": most, "largest_burst": u32::MAX},
            "clock": clock,
            "far_clock": clock,
            "receive_drops": most,
            "records_dropped": most,
            "icmp": [{"what": ESCAPE, "from": "::", "count": most}],
            "findings": findings,
            "notes": notes,
        }))],
        "control": {
            "server": "127.0.0.1:1",
            "client": "127.0.0.1:2",
            "modes_offered": u32::MAX,
            "modes": u32::MAX,
            "refused": [{"number": u32::MAX, "tos": 255, "step": "start", "accept": 255, "advice": ESCAPE}],
            "findings": findings,
            "notes": notes,
        },
        "rows_missing": most,
    });
    let end: FooterEnd<'_> = serde_json::from_value(end).unwrap();
    assert_eq!(saver.finish(Wall::default(), |_| end).error, None);
}

#[test]
fn a_file_that_says_the_wildest_things_gives_a_report_in_plain_characters() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wild.parquet");
    let mut chance = Chance(0x5eed);
    for turn in 0..60 {
        wild(&path, &mut chance, turn % 3 > 0);
        let words = ["twinpath", "report", "-q", path.to_str().unwrap()];
        let Command::Report(args) = Cli::read(words).unwrap().command else {
            panic!()
        };
        let sources = [Source::open(&path, &args).unwrap()];
        let observers = follow(&sources, Vec::new(), &args, Some(60));
        let Ok(mut observers) = observers else {
            panic!("no rows are asked for");
        };
        let mut replays = vec![Replay::default(); 1];
        let mut output = RunOutput::of(Meta::default(), &args.results, &args.log, &[]).unwrap();
        assert!(read(&sources[0], 0, &mut observers, &mut replays, &mut output).is_ok());
        let mut reports = sources[0].reports(0, &observers, &replays);
        assert_eq!(reports.len(), 1);
        let series = observers.series(0).into_iter();
        let merged = merge::merge(
            &[reports.clone(), reports.clone()].concat(),
            &sources,
            series,
        );
        observers.finish(&mut output).unwrap();
        take_series(&mut reports[0], observers.series(0).unwrap());
        let mut control = sources[0].control();
        words::finding::put(&mut reports, control.as_mut());
        let refused = control.as_ref().map(|control| control.refused.len());
        assert_eq!(refused, (turn % 3 > 0).then_some(1));
        let is_known = |finding: &&Finding| !matches!(finding, Finding::Written(_));
        let known = reports[0].findings.iter().filter(is_known).count();
        assert!(turn % 3 == 0 || known >= 6, "{known}");
        let meta = together(&sources, &args);
        for reports in [reports, merged.into_iter().collect()] {
            let mut outcome = Outcome::from(reports.as_slice());
            outcome.control = control.as_ref();
            let mut text = Vec::new();
            Text::new(&mut text, meta.clone(), Style::PLAIN, false)
                .report(outcome)
                .unwrap();
            let mut document = Vec::new();
            Json::new(&mut document, meta.clone())
                .report(outcome)
                .unwrap();
            let mut metrics = Vec::new();
            Prometheus::new(&mut metrics, meta.clone())
                .report(outcome)
                .unwrap();
            let picture = picture(outcome, &meta.labels);
            for (what, octets) in [
                ("text", text),
                ("document", document),
                ("metrics", metrics),
                ("picture", picture::svg(&picture, Theme::Auto).into_bytes()),
                (
                    "page",
                    picture::page(&picture, Theme::Auto, "").into_bytes(),
                ),
            ] {
                let said = String::from_utf8(octets).unwrap();
                let plain = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
                assert!(said.chars().all(plain), "{what}, {turn}: {said:?}");
                assert!(!said.contains("\nwarning: forged"), "{what}: {said}");
            }
        }
    }
}
