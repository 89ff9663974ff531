//! A year of a thousand sessions: what it takes to write and to read it. Run by name, optimized:
//! `cargo test --release -p twinpath --lib store_of_a_year -- --ignored --nocapture`. With a directory in
//! `TWINPATH_STORE_OF_A_YEAR` it stays there.

use std::sync::mpsc::channel;

use super::super::cursor::Wanted;
use super::super::filter::Filter;
use super::super::keeper::Keeper;
use super::super::segment::Segment;
use super::super::upkeep::Upkeep;
use super::*;

const HOUR: i64 = 3_600 * SECOND;

/// Time that this thread has run.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

fn since(begun: Duration) -> Duration {
    cpu().saturating_sub(begun)
}

/// The memory now, and the most since this was asked last.
fn memory() -> String {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    // Where the system cannot forget it, it is the most ever.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let of = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        let words = line.unwrap_or("unknown").split_whitespace().skip(1);
        words.collect::<Vec<_>>().join(" ")
    };
    format!("{}, at most {}", of("VmRSS"), of("VmHWM"))
}

fn octets_of(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// An hour as a daemon measures it; what it takes of one core.
fn write_hour(path: &Path) {
    let shared = Arc::new(Shared::new(path));
    let (wake, _wakes) = channel();
    let mut keeper = Keeper::new(Arc::clone(&shared), Pace::USUAL, wake);
    let mut upkeep = Upkeep::new(shared, Pace::USUAL, &settings(path));
    let waits = Waits {
        records: Duration::from_secs(1),
        ..Waits::default()
    };
    let origin = Wall::from_unix_ns(DAY);
    let new = || {
        Intervals::new(
            origin,
            Duration::from_secs(10),
            waits,
            MetricsConfig::default(),
        )
    };
    let mut sessions: Vec<Intervals> = std::iter::repeat_with(new).take(1_000).collect();
    let (mut rows, mut taken, mut written, mut kept) =
        (0_u64, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut longest = Duration::ZERO;
    let before = memory();
    for second in 0..3_600_u64 {
        let at = DAY + i64::try_from(second).unwrap() * SECOND + SECOND / 2;
        for (session, intervals) in (0..).zip(&mut sessions) {
            intervals.record(&packet(session, second, at));
        }
        if second % 10 != 5 {
            continue;
        }
        for (session, intervals) in (0..).zip(&mut sessions) {
            while let Some(row) = intervals.close(Wall::from_unix_ns(at)) {
                rows += 1;
                let interval = interval(session, row);
                let begun = cpu();
                keeper.take(&interval);
                taken += since(begun);
            }
        }
        let begun = cpu();
        keeper.flush();
        let flushed = since(begun);
        written += flushed;
        longest = longest.max(flushed);
        let begun = cpu();
        keeper.close_those_due();
        if second % 60 == 5 {
            upkeep.look(Wall::from_unix_ns(at)).unwrap();
        }
        kept += since(begun);
    }
    println!(
        "rows {rows}: figures {taken:?}, writing {written:?} (longest {longest:?}), closing and hours {kept:?}"
    );
    println!(
        "of one core: {:.2} %",
        (taken + written + kept).as_secs_f64() / 36.0
    );
    println!(
        "memory: {before} before, with a thousand sessions {}",
        memory()
    );
}

fn shifted(path: &Path, by: i64) -> Vec<StoredRow> {
    let mut rows = Vec::new();
    let segment = Segment::open(path).unwrap();
    let read = segment.each(&Filter::ALL, &Wanted::All, |mut row| {
        row.start = Wall::from_unix_ns(row.start.unix_ns() + by);
        row.end = Wall::from_unix_ns(row.end.unix_ns() + by);
        rows.push(row);
        Ok::<(), crate::saved::Unreadable>(())
    });
    read.unwrap();
    rows
}

/// The rest of the day, with the delays of its first hour.
fn write_day(path: &Path) {
    let layout = Layout::new(path);
    let day = Day::of(Wall::from_unix_ns(DAY));
    let files = layout.files(day).unwrap();
    let closed: Vec<u32> = files.hours.keys().copied().collect();
    let rows: u64 = closed
        .iter()
        .map(|it| Segment::open(&files.segments[it]).unwrap().rows())
        .sum();
    let octets: u64 = closed.iter().map(|it| octets_of(&files.segments[it])).sum();
    let hours: u64 = closed.iter().map(|it| octets_of(&files.hours[it])).sum();
    println!(
        "{rows} rows closed: {} octets a row, by the hour {} more",
        octets / rows,
        hours / rows
    );
    let mut number = files.next_number();
    // They go when the hours of many files become one.
    let copy = |number: u32| path.join(format!("copy-{number}"));
    for number in &closed {
        fs::copy(&files.hours[number], copy(*number)).unwrap();
    }
    for hour in 1..24 {
        if hour == 23 {
            let begun = cpu();
            println!("before: memory {}", memory());
            let shared = Arc::new(Shared::new(path));
            let mut upkeep = Upkeep::new(shared, Pace::USUAL, &settings(path));
            upkeep.look(Wall::from_unix_ns(DAY + 23 * HOUR)).unwrap();
            println!(
                "22 hours in one file: cpu {:?}, memory {}",
                since(begun),
                memory()
            );
        }
        for from in &closed {
            for (from, to) in [
                (&files.segments[from], layout.segment(day, number)),
                (&copy(*from), layout.hours(day, number)),
            ] {
                let rows = shifted(from, hour * HOUR);
                closed::write(&to, &closed::Sorted(&rows), &[]).unwrap();
            }
            number += 1;
        }
    }
}

fn ask(what: &str, reader: &StoreReader, query: &Query) {
    for turn in ["first", "again"] {
        let (begun, cpu_begun) = (Instant::now(), cpu());
        let rows = reader.rows(query).unwrap().map(Result::unwrap).count();
        println!(
            "{what}, {turn}: {rows} rows in {:?}, cpu {:?}",
            begun.elapsed(),
            since(cpu_begun)
        );
    }
}

#[test]
#[ignore = "takes minutes and gigabytes, and says how fast it was"]
fn store_of_a_year() {
    let directory = tempfile::tempdir().unwrap();
    // Where it is to stay, for a daemon that shows it.
    let kept = std::env::var_os("TWINPATH_STORE_OF_A_YEAR").map(PathBuf::from);
    let path = kept.as_deref().unwrap_or(directory.path());
    let before = cpu();
    write_hour(path);
    println!("the hour with its packets: cpu {:?}", since(before));
    write_day(path);
    let columns = [
        "sent",
        "lost",
        "round_trip_median_ns",
        "round_trip_p99_ns",
        "round_trip_min_ns",
    ];
    let day = Query {
        from: Wall::from_unix_ns(DAY),
        to: Wall::from_unix_ns(DAY + 24 * HOUR),
        columns: Some(columns.map(str::to_owned).to_vec()),
        ..all()
    };
    ask_day(path, &day);
    let shared = Arc::new(Shared::new(path));
    println!("before: memory {}", memory());
    let begun = cpu();
    let mut upkeep = Upkeep::new(shared, Pace::USUAL, &settings(path));
    upkeep.look(Wall::from_unix_ns(DAY + 30 * HOUR)).unwrap();
    let took = since(begun);
    println!(
        "the last hours of the day: cpu {took:?}, memory {}",
        memory()
    );
    ask_year(path, &day);
}

/// `None`: as measured. Seconds.
fn with(query: &Query, session: Option<u64>, resolution: Option<u64>) -> Query {
    Query {
        session: session.map(name),
        resolution: resolution.map(Duration::from_secs),
        ..query.clone()
    }
}

fn ask_day(path: &Path, day: &Query) {
    let reader = StoreReader::new(path);
    let ask = |what: &str, query: Query| ask(what, &reader, &query);
    ask("one session's day as measured", with(day, Some(500), None));
    ask("the same by ten minutes", with(day, Some(500), Some(600)));
    ask(
        "all sessions' day by the hour",
        with(day, None, Some(3_600)),
    );
    println!("memory of queries {}", memory());
    // And one that grows, with rows of the last hour.
    let shared = Arc::new(Shared::new(path));
    let (wake, _wakes) = channel();
    let mut keeper = Keeper::new(shared, Pace::USUAL, wake);
    let files = Layout::new(path).files(Day::of(Wall::from_unix_ns(DAY)));
    let files = files.unwrap();
    let last = files.segments.values().next_back().unwrap();
    for (place, row) in shifted(last, 0).into_iter().take(60_000).enumerate() {
        keeper.add(row);
        if place % 10_000 == 9_999 {
            keeper.flush();
        }
    }
    let _ = memory();
    ask(
        "the same with 60,000 rows in a growing file",
        with(day, None, Some(3_600)),
    );
    println!("memory of queries {}", memory());
}

/// The sums of each day of the year, as they are after a year.
fn sum_year(path: &Path) {
    let layout = Layout::new(path);
    let day = Day::of(Wall::from_unix_ns(DAY));
    let own = layout.day_sum(day);
    let numbers = query::covered(&layout.whole_day(day));
    let shared = Arc::new(Shared::new(path));
    let mut upkeep = Upkeep::new(shared, Pace::USUAL, &settings(path));
    let (mut taken, mut most) = (Duration::ZERO, String::new());
    for ago in 1..365 {
        let other = Day(day.0 - ago);
        let rows = shifted(&own, -ago * 24 * HOUR);
        let fact = days::fact([(other, &numbers)].into_iter());
        let facts = [(days::DAYS_KEY, fact)];
        closed::write(&layout.day_sum(other), &closed::Sorted(&rows), &facts).unwrap();
    }
    println!("before: memory {}", memory());
    let begun = cpu();
    upkeep.gather_months(day).unwrap();
    taken += since(begun);
    most.push_str(&memory());
    let (months, days) = layout.day_sums().unwrap();
    let octets: u64 = months.iter().map(|path| octets_of(path)).sum();
    println!(
        "{} files of months and {} of days, {octets} octets: cpu {taken:?}, memory {most}",
        months.len(),
        days.len()
    );
}

fn ask_year(path: &Path, day: &Query) {
    let reader = StoreReader::new(path);
    let ask = |what: &str, query: Query| ask(what, &reader, &query);
    let layout = Layout::new(path);
    let whole = layout.whole_day(Day::of(Wall::from_unix_ns(DAY)));
    println!("octets of the day by the hour: {}", octets_of(&whole));
    ask(
        "all sessions' day that is over, by the hour",
        with(day, None, Some(3_600)),
    );
    // The same file for each day: what a disk takes is not in these figures.
    for ago in 1..365 {
        let to = layout.whole_day(Day(Day::of(Wall::from_unix_ns(DAY)).0 - ago));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::hard_link(&whole, &to).unwrap();
    }
    let year = Query {
        from: Wall::from_unix_ns(DAY - 364 * 24 * HOUR),
        ..day.clone()
    };
    ask(
        "one session's year by the hour",
        with(&year, Some(500), Some(3_600)),
    );
    ask(
        "one session's year by the day",
        with(&year, Some(500), Some(86_400)),
    );
    sum_year(path);
    ask(
        "one session's year from sums by the day",
        with(&year, Some(500), Some(86_400)),
    );
    ask(
        "all sessions' year from sums by the day",
        with(&year, None, Some(86_400)),
    );
    let all_columns = Query {
        columns: None,
        ..year
    };
    ask(
        "one session's year from sums by the day, all columns",
        with(&all_columns, Some(500), Some(86_400)),
    );
    ask(
        "the same by the hour, all columns",
        with(&all_columns, Some(500), Some(3_600)),
    );
}
