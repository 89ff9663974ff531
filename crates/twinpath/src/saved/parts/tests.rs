use std::fs;
use std::sync::mpsc::{Receiver, sync_channel};

use super::super::footer::FooterBegin;
use super::super::saver::Opened;
use super::super::tests::row;
use super::super::{FORMAT, FORMAT_KEY, Reader, Row, Unreadable};
use super::*;
use crate::args::Rotate;
use crate::output::Meta;
use crate::saved::FileSizes;

/// A second of UTC time: 2026-11-23T16:00:00Z is the first.
fn second(seconds: i64) -> Wall {
    Wall::from_unix_ns((1_795_449_600 + seconds) * 1_000_000_000)
}

fn parts(directory: &Path, rotate: Rotate) -> (Parts, Receiver<String>) {
    let path = directory.join("run.parquet");
    let (said, lines) = sync_channel(8);
    let facts = vec![(FORMAT_KEY, FORMAT.to_owned())];
    (
        Parts::new(Some(Series::new(&path, rotate)), facts, None, said),
        lines,
    )
}

/// Rows of these numbers, recorded then.
fn batch(at: Wall, seqs: std::ops::Range<u64>) -> Batch {
    Batch {
        at,
        rows: seqs.map(row).collect(),
        missing: 0,
    }
}

fn end(at: Wall) -> End {
    End {
        at,
        missing: 0,
        facts: Some("{}".to_owned()),
    }
}

/// Name, part and numbers of each file, in the order of the parts.
fn files(directory: &Path) -> Vec<(String, FooterPart, Vec<Row>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            let reader = Reader::open(File::open(file.path()).unwrap()).unwrap();
            let mut rows = Vec::new();
            let read: Result<(), Unreadable> = reader.each(|row| {
                rows.push(row);
                Ok(())
            });
            read.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, reader.part().unwrap().unwrap(), rows)
        })
        .collect();
    files.sort_by_key(|(_, part, _)| part.number);
    files
}

#[test]
fn files_begin_at_multiples_of_utc_time_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let (mut parts, lines) = parts(folder.path(), Rotate::Every(Duration::from_mins(1)));
    parts.take(batch(second(25), 0..3));
    parts.take(batch(second(59), 3..5));
    parts.take(batch(second(60), 5..9));
    // Nothing for two minutes: no file, and the one before is closed when it was due.
    parts.take(batch(second(121), 0..0));
    parts.take(batch(second(245), 9..10));
    let written = parts.end(Some(end(second(250))));
    assert_eq!((written.files, written.rows), (3, 10));
    assert!(written.error.is_none() && lines.try_recv().is_err());
    let expected = [
        ("run-20261123T160025Z.parquet", 25, 60, 0..3 + 2),
        ("run-20261123T160100Z.parquet", 60, 120, 5..9),
        ("run-20261123T160400Z.parquet", 240, 250, 9..10),
    ];
    let found = files(folder.path());
    assert_eq!(found.len(), expected.len());
    let run = found[0].1.run;
    for ((number, found), (name, from, until, seqs)) in (1..).zip(found).zip(expected) {
        let part = FooterPart {
            run,
            number,
            from: second(from),
            until: Some(second(until)),
            rows_missing: 0,
            is_last: false,
        };
        assert_eq!(found, (name.to_owned(), part, seqs.map(row).collect()));
    }
}

#[test]
fn a_clock_that_steps_back_and_a_name_that_is_there_make_a_numbered_file() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("run-20261123T160000Z.parquet");
    let (mut parts, _lines) = parts(folder.path(), Rotate::Every(Duration::from_mins(1)));
    parts.take(batch(second(0), 0..1));
    parts.take(batch(second(60), 1..2));
    let before = fs::read(&taken).unwrap();
    // The clock is set back by a minute; then it comes to that turn again.
    parts.take(batch(second(10), 2..3));
    parts.take(batch(second(61), 3..4));
    parts.end(Some(end(second(62))));
    assert_eq!(fs::read(&taken).unwrap(), before);
    let found = files(folder.path());
    let names: Vec<&str> = found.iter().map(|(name, ..)| &**name).collect();
    assert_eq!(
        names,
        [
            "run-20261123T160000Z.parquet",
            "run-20261123T160100Z.parquet",
            "run-20261123T160000Z-2.parquet",
            "run-20261123T160100Z-2.parquet",
        ]
    );
    for ((_, part, rows), seq) in found.into_iter().zip(0..) {
        assert_eq!(rows, [row(seq)]);
        assert!(part.until.is_some());
    }
}

#[test]
fn a_file_is_about_as_large_as_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let asked = 300_000;
    let (mut parts, _lines) = parts(folder.path(), Rotate::Octets(asked));
    let rows = 250_000;
    for first in (0..rows).step_by(1_000) {
        parts.take(batch(second(1), first..first + 1_000));
    }
    let written = parts.end(Some(end(second(2))));
    assert_eq!(written.rows, rows);
    let found = files(folder.path());
    assert!(found.len() > 2, "{}", found.len());
    let mut next = 0;
    let (last, others) = found.split_last().unwrap();
    for (name, _, rows) in others.iter().chain([last]) {
        for found in rows {
            assert_eq!(*found, row(next));
            next += 1;
        }
        let octets = fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(octets < asked * 5 / 4, "{name}: {octets}");
        assert!(name == &last.0 || octets > asked / 2, "{name}: {octets}");
    }
    assert_eq!(next, rows);
}

#[test]
fn what_describes_the_sessions_takes_at_most_half_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mut parts, _lines) = parts(folder.path(), Rotate::Octets(100_000));
    parts.facts.push(("twinpath.run", "x".repeat(300_000)));
    parts.take(batch(second(1), 0..100));
    assert_eq!(parts.end(Some(end(second(2)))).files, 1);
}

#[test]
fn a_file_that_cannot_be_made_is_said_once_and_the_next_turn_tries_again() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let (mut parts, lines) = parts(&below, Rotate::Every(Duration::from_mins(1)));
    parts.take(batch(second(0), 0..2));
    let aside = folder.path().join("aside");
    fs::rename(&below, &aside).unwrap();
    for minute in 1..4 {
        parts.take(batch(second(60 * minute), 2..5));
        // Not before the next turn.
        parts.take(batch(second(60 * minute + 1), 2..5));
    }
    fs::rename(&aside, &below).unwrap();
    parts.take(batch(second(240), 5..9));
    let mut current = parts.current.take().unwrap();
    current.write_due = Instant::now();
    parts.current = Some(current);
    parts.look();
    let written = parts.end(Some(end(second(250))));
    assert_eq!((written.files, written.rows), (2, 6));
    assert!(written.error.is_some());
    let said: Vec<String> = lines.try_iter().collect();
    let [failed, again] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert!(
        failed.contains("run-20261123T160100Z.parquet failed: No such file"),
        "{failed}"
    );
    assert!(
        again.contains("run-20261123T160400Z.parquet; 18 records are in no file"),
        "{again}"
    );
    let found = files(&below);
    let missing: Vec<u64> = found.iter().map(|(_, part, _)| part.rows_missing).collect();
    assert_eq!(missing, [0, 18]);
}

#[test]
fn a_file_is_closed_on_time_though_nothing_more_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let rotate = Some(Rotate::Every(Duration::from_mins(1)));
    let opened = Opened::open(&folder.path().join("run.parquet"), rotate).unwrap();
    assert_eq!(files(folder.path()).len(), 0, "nothing is left of the look");
    let facts = FooterBegin::new(&Meta::default(), second(10), Vec::new());
    let mut saver = opened.begin(&facts).unwrap();
    saver.record(1, &row(0).record, None);
    assert_eq!(saver.look(second(61)), None);
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let found = files(folder.path());
        if let Some((_, part, rows)) = found.first()
            && part.until == Some(second(60))
        {
            assert_eq!(rows, &[row(0)]);
            break;
        }
        assert!(Instant::now() < patience, "{found:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn records_in_a_file_that_is_deleted_under_way_are_not_counted_as_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (mut parts, lines) = parts(folder.path(), Rotate::Every(Duration::from_mins(1)));
    let remove = |name: &str| fs::remove_file(folder.path().join(name)).unwrap();
    parts.take(batch(second(0), 0..5));
    parts.take(batch(second(60), 5..9));
    // One that is closed was moved to where it is kept; one under way is lost.
    remove("run-20261123T160000Z.parquet");
    remove("run-20261123T160100Z.parquet");
    parts.take(batch(second(120), 9..10));
    let written = parts.end(Some(end(second(130))));
    assert_eq!(written.rows, 6);
    let error = written.error.unwrap();
    let said = "160100Z.parquet was deleted while it was written";
    assert!(error.line.ends_with(said), "{error:?}");
    assert!(lines.try_recv().unwrap().contains("160100Z.parquet failed"));
    let found = files(folder.path());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.rows_missing, 4);
}

#[test]
fn a_file_that_is_renamed_under_way_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (mut parts, _lines) = parts(folder.path(), Rotate::Every(Duration::from_mins(1)));
    parts.take(batch(second(0), 0..5));
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("run-20261123T160000Z.parquet"), at("other")).unwrap();
    let written = parts.end(Some(end(second(10))));
    assert!(written.error.is_none());
    assert_eq!((written.rows, files(folder.path())[0].2.len()), (5, 5));
}

#[test]
fn a_file_without_its_end_is_said_to_lack_that_and_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let (mut parts, _lines) = parts(folder.path(), Rotate::Every(Duration::from_mins(1)));
    for (rows, said) in [
        (0, "its end could not be written: "),
        (1, ""), // Not in the file yet.
    ] {
        parts.written.error = None;
        parts.take(batch(second(0), 0..3));
        parts.current.as_mut().unwrap().writer.finish().unwrap();
        parts.take(batch(second(0), 3..3 + rows));
        parts.give_up(io::ErrorKind::StorageFull.into());
        let error = parts.written.error.as_ref().unwrap();
        let why = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(error.line, format!("{said}{why}"));
        parts.again = Instant::now();
    }
}

#[test]
fn files_that_end_early_leave_the_count_of_missing_rows_right() {
    let folder = tempfile::tempdir().unwrap();
    let (mut parts, lines) = parts(folder.path(), Rotate::Every(Duration::from_mins(1)));
    for minute in 0..5 {
        let first = 10 * u64::try_from(minute).unwrap();
        parts.take(batch(second(60 * minute), first..first + 10));
        if minute % 2 == 1 {
            // As a full disk does.
            parts.give_up(io::ErrorKind::StorageFull.into());
        }
    }
    let written = parts.end(Some(end(second(290))));
    assert_eq!((written.files, written.rows), (5, 30));
    assert_eq!(
        lines.try_iter().count(),
        1,
        "nothing was written in between"
    );
    let missing = files(folder.path());
    let missing: Vec<u64> = missing
        .iter()
        .map(|(_, part, _)| part.rows_missing)
        .collect();
    assert_eq!(missing, [0, 0, 10, 0, 10]);
}

#[test]
fn records_in_a_file_of_a_store_that_is_moved_under_way_are_not_counted_as_saved() {
    let folder = tempfile::tempdir().unwrap();
    let series = Series {
        makes_directory: true,
        sizes: Some(FileSizes::default()),
        ..Series::new(
            &folder.path().join("raw/run.parquet"),
            Rotate::Every(Duration::from_hours(1)),
        )
    };
    let (said, lines) = sync_channel(8);
    let facts = vec![(FORMAT_KEY, FORMAT.to_owned())];
    let mut parts = Parts::new(Some(series), facts, None, said);
    parts.take(batch(second(60), 0..5));
    fs::rename(folder.path().join("raw"), folder.path().join("other")).unwrap();
    let written = parts.end(Some(end(second(70))));
    assert_eq!(written.rows, 0);
    let line = lines.try_recv().unwrap();
    assert!(line.contains("was deleted, moved or unmounted"), "{line}");
}

#[test]
fn a_run_without_reports_ends_with_its_last_file_in_a_directory_that_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("_more/raw");
    let sizes = FileSizes::default();
    let series = Series {
        most_octets: Some(100_000),
        makes_directory: true,
        sizes: Some(sizes.clone()),
        ..Series::new(
            &place.join("run.parquet"),
            Rotate::Every(Duration::from_hours(1)),
        )
    };
    let (said, _lines) = sync_channel(8);
    let facts = vec![(FORMAT_KEY, FORMAT.to_owned())];
    let mut parts = Parts::new(Some(series), facts, None, said);
    // Larger than a file may be, within an hour.
    for round in 0..20 {
        parts.take(batch(
            second(60 + round),
            (u64::try_from(round).unwrap() * 1_000)..(u64::try_from(round).unwrap() + 1) * 1_000,
        ));
    }
    assert_eq!(parts.counts()[1], 0);
    assert!(sizes.octets() > 100_000);
    let end = End {
        facts: None,
        ..end(second(90))
    };
    let written = parts.end(Some(end));
    assert_eq!(written.rows, 20_000);
    let found = files(&place);
    assert!(found.len() > 1, "{}", found.len());
    let octets = |name: &str| fs::metadata(place.join(name)).unwrap().len();
    let octets: u64 = found.iter().map(|(name, _, _)| octets(name)).sum();
    assert_eq!(sizes.octets(), octets);
    let last: Vec<bool> = found.iter().map(|(_, part, _)| part.is_last).collect();
    let (is_last, others) = last.split_last().unwrap();
    assert!(*is_last && others.iter().all(|is_last| !is_last));
    let reader = |name: &str| Reader::open(File::open(place.join(name)).unwrap()).unwrap();
    assert_eq!(reader(&found.last().unwrap().0).fact(END_KEY), None);
}
