//! Lines about alarms: what a crash leaves of them, what is deleted, what a reader makes of them.

use super::*;
use crate::store::alarms::AlarmFileUpkeep;

/// As a store of these octets at most, in November 2026 or whenever the test runs.
fn log(path: &Path, max_octets: Option<u64>) -> AlarmLog {
    AlarmLog::of(Some(&StoreSettings {
        max_octets,
        ..settings(path)
    }))
}

fn raised(session: &str, at: i64) -> AlarmRecord {
    AlarmRecord {
        event: AlarmEvent::Raised,
        alert: "slow".to_owned(),
        when: "round-trip.p95 > 50ms for 1 of 1".to_owned(),
        session: session.to_owned(),
        class: "ef".to_owned(),
        path: Some(2),
        raised_ns: at,
        ended_ns: None,
        evidence: vec![AlarmInterval {
            start_ns: at - INTERVAL,
            end_ns: at,
            value: Some(61_200_000.into()),
        }],
    }
}

fn write(log: &mut AlarmLog, records: &[AlarmRecord]) {
    for record in records {
        log.push(record);
    }
    log.flush();
}

/// The files with their text, by name.
fn files_of(path: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(path.join("_alarms")).unwrap();
    let files = entries.map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap_or_default())
    });
    files.collect()
}

/// The only file.
fn file(path: &Path) -> PathBuf {
    let files = files_of(path);
    assert_eq!(files.len(), 1, "{files:?}");
    path.join("_alarms").join(files.into_keys().next().unwrap())
}

/// Those of session `a` from one time to another.
fn alarms(path: &Path, time: [i64; 2], active: Vec<PastAlarm>) -> PastAlarms {
    let reader = StoreReader::new(path);
    reader
        .alarms("a", time.map(Wall::from_unix_ns), active)
        .unwrap()
}

fn now() -> i64 {
    wall().unix_ns()
}

/// When each was raised and ended, in seconds from a time on.
fn spans(found: &PastAlarms, origin: i64) -> Vec<(i64, Option<i64>)> {
    let seconds = |at: Wall| (at.unix_ns() - origin) / SECOND;
    let alarms = found.alarms.iter();
    alarms
        .map(|alarm| (seconds(alarm.raised), alarm.end.at().map(seconds)))
        .collect()
}

#[test]
fn an_alarm_is_in_each_time_that_it_was_active_in() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    let begin = now() - 3_600 * SECOND;
    let at = |s: i64| begin + s * SECOND;
    let mut log = log(path, None);
    let first = raised("a", at(100));
    let second = raised("a", at(1_000));
    let third = raised("a", at(2_000));
    write(
        &mut log,
        &[
            first.clone(),
            raised("a\"}", at(150)),
            first.clone().ended(AlarmEvent::Cleared, at(200)),
            second.clone(),
            second.clone().ended(AlarmEvent::Ended, at(1_500)),
            third.clone(),
            // Twice, as after a disk that took half of it.
            third.clone(),
        ],
    );
    let all = alarms(path, [at(0), at(3_000)], Vec::new());
    let whole = [(2_000, None), (1_000, Some(1_500)), (100, Some(200))];
    assert_eq!(spans(&all, begin), whole);
    assert_eq!(
        (all.left_out(), all.damaged, all.unread),
        (0, 0, Vec::new())
    );
    let one = &all.alarms[1];
    assert_eq!(
        (&*one.alert, &*one.when, &*one.class, one.path),
        ("slow", "round-trip.p95 > 50ms for 1 of 1", "ef", Some(2))
    );
    assert_eq!(one.end, AlarmEnd::Ended(Wall::from_unix_ns(at(1_500))));
    assert_eq!(all.alarms[0].end, AlarmEnd::Active);
    for (from, to, expected) in [
        (0, 100, vec![]),
        (0, 101, vec![(100, Some(200))]),
        (150, 160, vec![(100, Some(200))]),
        (201, 1_000, vec![]),
        (1_400, 2_001, vec![(2_000, None), (1_000, Some(1_500))]),
        (2_500, 2_600, vec![(2_000, None)]),
    ] {
        let found = alarms(path, [at(from), at(to)], Vec::new());
        assert_eq!(spans(&found, begin), expected, "{from} to {to}");
    }
    // The daemon knows of one that no file has, and of one that a file has.
    let active = |at: i64| PastAlarm {
        raised: Wall::from_unix_ns(at),
        ..all.alarms[0].clone()
    };
    let found = alarms(
        path,
        [at(1_600), at(3_000)],
        vec![active(at(2_000)), active(at(50))],
    );
    assert_eq!(spans(&found, begin), [(2_000, None), (50, None)]);
    // Of two beginnings the first had an end, which is lost.
    write(&mut log, &[raised("a", at(2_800))]);
    let found = alarms(path, [at(1_600), at(3_000)], Vec::new());
    assert_eq!(spans(&found, begin), [(2_800, None)]);
    // One that was cleared since it was asked is cleared.
    let found = alarms(path, [at(0), at(300)], vec![active(at(100))]);
    assert_eq!(spans(&found, begin), [(100, Some(200))]);
}

#[test]
fn a_torn_line_is_passed_over_and_ended_and_damaged_ones_are_counted() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    let begin = now();
    let mut first = log(path, None);
    write(&mut first, &[raised("a", begin)]);
    let file = file(path);
    let whole = fs::read_to_string(&file).unwrap();
    assert!(whole.ends_with("}\n"), "{whole}");
    for torn in [1, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, format!("{whole}{}", &whole[..torn])).unwrap();
        let found = alarms(path, [begin - 1, begin + 1], Vec::new());
        assert_eq!((found.alarms.len(), found.damaged), (1, 0), "{torn}");
        let mut next = log(path, None);
        assert_eq!(next.take_open().unwrap().len(), 1);
        assert_eq!(next.take_open(), None);
        write(
            &mut next,
            &[raised("a", begin).ended(AlarmEvent::Cleared, begin + 5)],
        );
        let found = alarms(path, [begin - 1, begin + 1], Vec::new());
        let end = AlarmEnd::Cleared(Wall::from_unix_ns(begin + 5));
        assert_eq!(
            (found.alarms.len(), found.alarms[0].end),
            (1, end),
            "{torn}"
        );
        let is_damaged = torn < whole.len() - 1;
        assert_eq!(found.damaged, u64::from(is_damaged), "{torn}");
    }
    // Whatever is there, nothing else is lost.
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 17));
    let line = whole.trim_end();
    let no_end = line.replace("\"raised\"", "\"cleared\"");
    let end = line.replace("\"raised_ns\"", "\"ended_ns\":5,\"raised_ns\"");
    let other = line.replace("\"a\"", "\"b\"");
    let damage = [
        "\u{0}\u{0}",
        "[]",
        "{\"session\":\"a\"}",
        &long,
        &no_end,
        &end,
        "",
        &other,
    ];
    fs::write(&file, format!("{}\n{whole}", damage.join("\n"))).unwrap();
    let mut octets = fs::read(&file).unwrap();
    octets.extend_from_slice(b"\xff\xfe\n");
    fs::write(&file, octets).unwrap();
    let found = alarms(path, [begin - 1, begin + 1], Vec::new());
    assert_eq!((found.alarms.len(), found.damaged), (1, 7), "{found:?}");
}

#[test]
fn a_line_has_what_an_alarm_has_with_few_intervals() {
    let place = tempfile::tempdir().unwrap();
    let mut log = log(place.path(), None);
    let mut record = raised("fra-\u{e9}\n", DAY);
    record.evidence = vec![record.evidence[0].clone(); 100];
    let end = record.clone().ended(AlarmEvent::Cleared, DAY + SECOND);
    write(&mut log, &[record.clone(), end.clone()]);
    let text = fs::read_to_string(file(place.path())).unwrap();
    let lines: Vec<AlarmRecord> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    record.evidence.truncate(10);
    assert_eq!(lines, [record, end]);
    let keys: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        keys,
        serde_json::json!({
            "event": "cleared", "alert": "slow", "when": "round-trip.p95 > 50ms for 1 of 1",
            "session": "fra-\u{e9}\n", "class": "ef", "path": 2,
            "raised_ns": DAY, "ended_ns": DAY + SECOND,
        })
    );
}

#[test]
fn the_oldest_files_go_when_all_have_too_many_octets() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    // An eighth of a megabyte.
    let mut log = log(path, Some(1_000_000));
    let begin = now();
    let at = |number: i64| begin + number * 1_000;
    for number in 0..2_000 {
        let record = raised("a", at(number));
        write(
            &mut log,
            &[
                record.clone(),
                record.ended(AlarmEvent::Cleared, at(number) + 1),
            ],
        );
    }
    let files = files_of(path);
    let octets: usize = files.values().map(String::len).sum();
    assert!((60_000..=125_000).contains(&octets), "{octets}");
    assert!((8..=16).contains(&files.len()), "{}", files.len());
    // A gap at the beginning only.
    let found = alarms(path, [begin - 1, at(2_000)], Vec::new());
    let kept = i64::try_from(found.alarms.len()).unwrap();
    assert!(kept > 100, "{kept}");
    let expected = (2_000 - kept..2_000).rev().map(at);
    let raised = found.alarms.iter().map(|alarm| alarm.raised.unix_ns());
    assert!(raised.eq(expected));
}

#[test]
fn an_answer_has_the_latest_alarms_and_the_number_of_the_others() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    let mut log = log(path, None);
    let begin = now();
    let ended = |number: i64| {
        let at = begin + number * 1_000;
        let record = raised("a", at);
        [record.clone(), record.ended(AlarmEvent::Cleared, at + 1)]
    };
    for numbers in (0..5_100).collect::<Vec<i64>>().chunks(1_000) {
        let records: Vec<AlarmRecord> = numbers.iter().flat_map(|it| ended(*it)).collect();
        write(&mut log, &records);
    }
    let found = alarms(path, [begin - 1, begin + SECOND], Vec::new());
    assert_eq!((found.alarms.len(), found.left_out()), (5_000, 100));
    // Nothing is counted of alerts that are not shown.
    let mut shown = found.clone();
    let alert = found.alarms[0].alert.clone();
    shown.retain_alerts(|other| other != alert);
    assert_eq!((shown.alarms.len(), shown.left_out()), (0, 0));
    let last = found.alarms.last().unwrap().raised.unix_ns();
    assert_eq!((last - begin) / 1_000, 100);
}

#[test]
fn alarms_become_as_old_as_rows_and_the_clock_has_to_say_so_for_a_while() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    let directory = path.join("_alarms");
    fs::create_dir_all(&directory).unwrap();
    let names = [
        "2026-09.0001.jsonl",
        "2026-10.0001.jsonl",
        "2026-10.0002.jsonl",
        "2026-11.0001.jsonl",
    ];
    for name in names {
        fs::write(directory.join(name), name).unwrap();
    }
    fs::write(directory.join("2026-01.0001.txt"), "of others").unwrap();
    let left = || -> Vec<String> { files_of(path).into_keys().collect() };
    let octets = u64::try_from(names[0].len()).unwrap();
    let mut upkeep = AlarmFileUpkeep::within(path);
    let ever = Duration::ZERO;
    assert_eq!(upkeep.look(None, ever).unwrap(), 4 * octets);
    // 2026-10-31T23:59:59Z, and a second later.
    let end = 1_793_491_200 * SECOND;
    let before = Some(Wall::from_unix_ns(end - SECOND));
    assert_eq!(
        upkeep.look(before, Duration::from_hours(1)).unwrap(),
        4 * octets
    );
    assert_eq!(upkeep.look(before, ever).unwrap(), 3 * octets);
    assert_eq!(left().len(), 4);
    assert_eq!(
        upkeep.look(Some(Wall::from_unix_ns(end)), ever).unwrap(),
        octets
    );
    assert_eq!(left(), ["2026-01.0001.txt", "2026-11.0001.jsonl"]);
}

#[test]
fn a_store_looks_after_its_files_of_alarms() {
    let place = tempfile::tempdir().unwrap();
    let old = place.path().join("_alarms/2020-01.0001.jsonl");
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::write(&old, "{}\n").unwrap();
    let retention = Some(Duration::from_hours(24));
    let with = StoreSettings {
        retention,
        ..settings(place.path())
    };
    let store = Store::open_at(&with, QUICK).unwrap();
    wait("it is deleted", || !old.exists());
    write(&mut log(place.path(), None), &[raised("a", now())]);
    let octets = fs::metadata(file(place.path())).unwrap().len();
    wait("it is counted", || store.counters().octets == octets);
}

#[test]
fn lines_that_the_disk_does_not_take_wait_and_the_latest_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    // No directory can be made there.
    fs::write(path.join("_alarms"), "").unwrap();
    let begin = now();
    let mut log = log(path, None);
    let ended = |ns| raised("a", begin + ns).ended(AlarmEvent::Cleared, begin + ns);
    let records: Vec<AlarmRecord> = (0..5_000).map(ended).collect();
    write(&mut log, &records);
    fs::remove_file(path.join("_alarms")).unwrap();
    // It is tried again after a while, and at the end.
    log.flush();
    assert!(!path.join("_alarms").exists());
    log.close();
    let found = alarms(path, [begin - 1, begin + SECOND], Vec::new());
    assert_eq!(found.alarms.len(), 4_096);
    assert_eq!(found.alarms[0].raised.unix_ns(), begin + 4_999);
    assert_eq!(found.damaged, 0);
}

#[test]
fn without_a_store_nothing_is_written() {
    let mut log = AlarmLog::of(None);
    assert_eq!(log.take_open(), None);
    write(&mut log, &[raised("a", DAY)]);
    log.close();
}
