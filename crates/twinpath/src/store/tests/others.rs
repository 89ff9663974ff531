//! Files as other programs read them: pyarrow and DuckDB, with the Python of TWINPATH_TEST_PYTHON or the usual one.

use std::process::Command;

use super::*;

/// What the program prints; `None`: the Python here lacks the module.
fn python(module: &str, program: &str, path: &Path) -> Option<String> {
    let python = std::env::var("TWINPATH_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_it = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} has no module {module}");
        return None;
    }
    let output = Command::new(&python)
        .args(["-c", program])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(text)
}

/// A store with closed files and one that grows, and a session that is not answered for longer than a page.
fn store(path: &Path) -> Vec<StoredRow> {
    let store = Store::open_at(
        &settings(path),
        Pace {
            segment_rows: 6_000,
            ..QUICK
        },
    );
    let store = store.unwrap();
    let mut rows = fill(&store, 3, DAY, 600);
    for place in 0..6_000_i64 {
        let origin = Wall::from_unix_ns(DAY + place * SECOND);
        let waits = Waits::default();
        let mut lost = Intervals::new(
            origin,
            Duration::from_secs(1),
            waits,
            MetricsConfig::default(),
        );
        let stamp = Stamp {
            at: origin,
            rung: Rung::Kernel,
        };
        lost.record(&Sample::lost(0, stamp));
        let row = lost.close_last().unwrap();
        rows.push(StoredRow::of(&interval(9, row.clone())));
        add(&store, 9, vec![row]);
    }
    let expected = rows.len() as u64;
    wait("rows", || store.counters().rows == expected);
    let layout = Layout::new(path);
    wait("hours", || {
        !layout
            .files(Day::of(Wall::from_unix_ns(DAY)))
            .unwrap()
            .hours
            .is_empty()
    });
    store.close();
    rows
}

/// Session, rows, packets lost, sum of round trips by their histogram's column, values in their bins.
fn expected(rows: &[StoredRow]) -> String {
    let mut text = String::new();
    for session in [0, 1, 2, 9] {
        let of: Vec<&StoredRow> = rows
            .iter()
            .filter(|row| row.session == name(session))
            .collect();
        let sum = |column: &str| {
            let place = cells::place(column).unwrap();
            let values = of.iter().filter_map(|row| row.cells.get(place));
            values.sum::<i64>()
        };
        let delays = || {
            of.iter()
                .filter_map(|row| row.distribution(Delay::RoundTrip))
        };
        let trips: i128 = delays().map(|it| it.sum_ns()).sum();
        let lowest: i128 = delays()
            .flat_map(|it| it.histogram().parts(None).bins)
            .map(|bin| i128::from(bin.lower_ns) * i128::from(bin.count))
            .sum();
        let trips = if trips == 0 {
            "None".to_owned()
        } else {
            trips.to_string()
        };
        let lowest = if lowest == 0 {
            "None".to_owned()
        } else {
            lowest.to_string()
        };
        let line = format!(
            "{} {} {} {trips} {lowest}\n",
            name(session),
            of.len(),
            sum("lost")
        );
        text.push_str(&line);
    }
    text
}

#[test]
fn duckdb_reads_all_rows_once_also_while_a_file_grows() {
    let directory = tempfile::tempdir().unwrap();
    let rows = store(directory.path());
    let program = "
import sys, duckdb
query = '''
with rows as (select * from read_parquet(?)),
bins as (select session, unnest(histograms_round_trip_lower_ns) l, unnest(histograms_round_trip_counts) c from rows),
lowest as (select session, sum(l::hugeint * c) s from bins group by session)
select rows.session, count(*), sum(lost), sum(histograms_round_trip_sum_ns), any_value(lowest.s)
from rows left join lowest using (session) group by rows.session order by rows.session
'''
for row in duckdb.execute(query, [sys.argv[1] + '/20*/*.parquet']).fetchall():
    print(*row)
";
    if let Some(found) = python("duckdb", program, directory.path()) {
        assert_eq!(found, expected(&rows));
    }
}

#[test]
fn pyarrow_reads_the_same_and_times_as_times() {
    let directory = tempfile::tempdir().unwrap();
    let rows = store(directory.path());
    let program = "
import sys, pyarrow.dataset as ds, pyarrow.types as types
table = ds.dataset(sys.argv[1], exclude_invalid_files=True).to_table()
assert types.is_timestamp(table.schema.field('start').type) and table.schema.field('start').type.tz == 'UTC'
table = table.to_pylist() if False else table
rows = {}
for batch in table.to_batches():
    columns = [batch.column(name).to_pylist() for name in
        ['session', 'lost', 'histograms_round_trip_sum_ns', 'histograms_round_trip_lower_ns', 'histograms_round_trip_counts']]
    for session, lost, trips, lower, counts in zip(*columns):
        row = rows.setdefault(session, [0, 0, None, None])
        row[0] += 1
        row[1] += lost
        if trips is not None:
            row[2] = (row[2] or 0) + trips
            row[3] = (row[3] or 0) + sum(l * c for l, c in zip(lower, counts))
for session in sorted(rows):
    print(session, *rows[session])
";
    if let Some(found) = python("pyarrow", program, directory.path()) {
        assert_eq!(found, expected(&rows));
    }
}
