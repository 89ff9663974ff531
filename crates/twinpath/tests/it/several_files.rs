//! Reports of several files: compared, merged, side by side.

use serde_json::Value;
use twinpath_metrics::Merge;
use twinpath_report::document::METRICS;

use crate::program::{Responder, run};
use crate::saved::{captures, document, saved};

#[test]
fn two_runs_over_one_path_are_compared_and_a_slower_one_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let name = |name: &str| directory.path().join(name).display().to_string();
    let responder = Responder::on_loopback();
    let files = [name("one"), name("other")];
    for file in &files {
        let done = run(&format!(
            "sender {} -c 400 -i 1 -q --save {file}",
            responder.at
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let line = format!("report --compare {} {}", files[0], files[1]);
    let done = document(&run(&format!("{line} --json")));
    assert_eq!(done["schema"], "twinpath-comparison-1");
    let changes = done["sessions"][0]["changes"].as_array().unwrap();
    let loss = changes
        .iter()
        .find(|change| change["direction"] == "round_trip" && change["figure"] == "loss_ratio")
        .unwrap();
    assert_eq!(loss["before"], 0.0);
    assert_eq!(loss["changed"], false);
    assert_eq!(loss["verdict"]["is"], "unchanged");
    let within = loss["verdict"]["within"].as_f64().unwrap();
    assert!(
        within > 0.0 && within < 0.01,
        "as far as 400 packets tell: {within}"
    );
    let text = run(&line);
    assert_eq!(text.status, 0, "{}", text.stderr);
    // Text and document say the same of every figure.
    let (table, _) = text.stdout.split_once("\nEach interval").unwrap();
    let rows = table.lines().filter(|line| {
        ["median", "p95", "p99", "avg", "IPDV mean", "loss"]
            .iter()
            .any(|figure| line.starts_with(&format!("  {figure} ")))
    });
    let marks: Vec<_> = rows
        .map(|row| row.trim_end().chars().next_back().unwrap())
        .collect();
    assert_eq!(marks.len(), changes.len(), "{}", text.stdout);
    for (mark, change) in marks.into_iter().zip(changes) {
        let is = match change["verdict"]["is"].as_str().unwrap() {
            "changed" => '*',
            "unchanged" => '=',
            "undecided" => '?',
            other => panic!("{other}"),
        };
        assert_eq!(mark, is, "{change}");
        assert_eq!(
            change["changed"].as_bool(),
            match is {
                '*' => Some(true),
                '=' => Some(false),
                _ => None,
            }
        );
    }
    // A busy host has warnings of its own, and the system chooses ports.
    for note in done["sessions"][0]["notes"].as_array().unwrap() {
        let key = note["key"].as_str().unwrap();
        let of_the_path = ["path-change", "outage", "different-class", "under-way"];
        assert!(!of_the_path.contains(&key), "{note}");
    }
    assert_eq!(done["sessions"][0]["parts"], serde_json::json!([]));
    for word in [
        "Roundtrip median",
        "Outbound p99",
        "Inbound IPDV mean",
        "Roundtrip loss",
    ] {
        let words = text.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(word), "{word}: {}", text.stdout);
    }
    let done = run(&format!("report --compare {}", files[0]));
    assert_eq!(done.status, 2, "{}", done.stderr);
    let done = run(&format!("{line} --output csv"));
    assert_eq!(done.status, 2, "{}", done.stderr);
}

#[test]
fn of_several_files_each_session_says_which_it_is_from() {
    let directory = tempfile::tempdir().unwrap();
    let name = |name: &str| directory.path().join(name).display().to_string();
    let monday = saved(directory.path(), "mon.parquet", "");
    let tuesday = saved(directory.path(), "tue.parquet", "--dscp be,ef");
    let line = format!("report {monday} {tuesday}");
    let text = run(&line).stdout;
    for said in [
        "mon.parquet:\n",
        "tue.parquet:\n",
        "1 be mon.parquet ",
        "3 ef tue.parquet ",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let again = document(&run(&format!("{line} --json")));
    let files: Vec<&Value> = again["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| &session["file"])
        .collect();
    assert_eq!(files, ["mon.parquet", "tue.parquet", "tue.parquet"]);
    let alone = document(&run(&format!("report {tuesday} --json")));
    assert!(alone["sessions"][0].get("file").is_none());
    let (svg, html) = (name("both.svg"), name("both.html"));
    let done = run(&format!("{line} -q --graph {svg} --html {html}"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    for picture in [svg, html] {
        let drawn = std::fs::read_to_string(picture).unwrap();
        for said in ["1 be mon.parquet", "2 be tue.parquet", "3 ef tue.parquet"] {
            assert!(drawn.contains(said), "{said}");
        }
    }
    // Files of one name are told apart by their directories.
    std::fs::create_dir(name("other")).unwrap();
    std::fs::copy(&monday, name("other/mon.parquet")).unwrap();
    let other = name("other/mon.parquet");
    let again = document(&run(&format!("report {monday} {other} --json")));
    assert_eq!(again["sessions"][0]["file"], monday.as_str());
    assert_eq!(again["sessions"][1]["file"], other.as_str());
}

#[test]
fn sessions_of_several_targets_in_several_files_keep_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let (far, other) = (Responder::on_loopback(), Responder::on_loopback());
    // Both are at one address: the second name has to tell them apart.
    let list = format!("{} near\n{} far\n", far.at, other.at);
    std::fs::write(directory.path().join("targets.txt"), list).unwrap();
    let files = ["mon.parquet", "tue.parquet"];
    for file in files {
        let done = run(&format!(
            "sender --targets {at}/targets.txt --paths 2 -c 30 -i 1 -q --save {at}/{file}"
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let both = files.map(|file| format!("{at}/{file}")).join(" ");
    let done = run(&format!("report {both} --html {at}/both.html"));
    let text = done.stdout;
    for said in [
        "mon.parquet: No loss: 2 targets answered every packet\n",
        "tue.parquet: No loss: 2 targets answered every packet\n",
        "by target, worst first",
        "near path 2 mon.parquet",
        "far path 1 tue.parquet",
    ] {
        assert!(text.contains(said), "{said}: {text}{}", done.stderr);
    }
    assert_eq!(text.matches("=\n").count(), 2, "one table: {text}");
    let page = std::fs::read_to_string(directory.path().join("both.html")).unwrap();
    assert!(page.contains("far path 1 tue.parquet"));

    // A file of one session beside them has the same columns.
    let one = saved(directory.path(), "one.parquet", "");
    let csv = run(&format!("report {both} {one} --output csv"));
    assert_eq!(csv.status, 0, "{}", csv.stderr);
    let head = csv.stdout.lines().next().unwrap();
    let columns = |line: &str| line.split(',').count();
    assert!(head.contains(",session,target_name,"), "{head}");
    assert!(
        csv.stdout
            .lines()
            .all(|line| columns(line) == columns(head))
    );
    assert!(csv.stdout.contains(",5,near,"), "{}", csv.stdout);

    let text = run(&format!("report --compare {both}")).stdout;
    assert!(text.contains(" of 4 sessions changed (*)"), "{text}");
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("mon.parquet: session ")?.1.split_once(')'))
        .map(|(name, _)| name)
        .collect();
    let sessions = ["near path 1", "near path 2", "far path 1", "far path 2"];
    let sessions = (1..).zip(sessions);
    let sessions: Vec<String> = sessions.map(|(it, name)| format!("{it} ({name}")).collect();
    assert_eq!(names, sessions, "{text}");
    let compared = document(&run(&format!("report --compare {both} --json")));
    let after = &compared["sessions"][3]["after"];
    assert_eq!(after["target"]["name"], "far", "{after}");
    assert_eq!(after["path"], 2, "{after}");
}

#[test]
fn merged_runs_and_captures_are_drawn_too() {
    let directory = tempfile::tempdir().unwrap();
    let name = |name: &str| directory.path().join(name).display().to_string();
    let files = [
        saved(directory.path(), "mon.parquet", ""),
        saved(directory.path(), "tue.parquet", ""),
    ];
    let html = name("both.html");
    let done = run(&format!(
        "report {} {} --merge -q --html {html}",
        files[0], files[1]
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("2 sessions added up"), "the note");
    assert!(page.contains(">120<"), "packets of both");
    let svg = name("capture.svg");
    let capture = captures().join("stamp-open.pcap");
    let done = run(&format!("report {} -q --graph {svg}", capture.display()));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(drawn.contains("STAMP from 127.0.0.1"), "{drawn}");
}

#[test]
fn figures_of_merged_runs_add_up_as_the_table_of_figures_says() {
    let directory = tempfile::tempdir().unwrap();
    let name = |name: &str| directory.path().join(name).display().to_string();
    let responder = Responder::on_loopback();
    let files = [name("one"), name("other")];
    for (file, count) in files.iter().zip([30, 50]) {
        let done = run(&format!(
            "sender {} -c {count} -i 1 -q --save {file}",
            responder.at
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let [one, other] =
        [&files[0], &files[1]].map(|file| run(&format!("report {file} --json")).session());
    let merged = run(&format!("report --merge {} {} --json", files[0], files[1])).session();
    let (mut checked, mut wrong) = (0, Vec::new());
    for metric in METRICS.iter() {
        let pointer = format!("/{}", metric.path.replace('.', "/"));
        let value = |session: &Value| session.pointer(&pointer).cloned().unwrap_or_default();
        let (one, other, merged) = (value(&one), value(&other), value(&merged));
        let whole = one.as_i64().zip(other.as_i64());
        let expected = match metric.about.merge {
            Merge::Sum => whole.map(|(one, other)| one + other),
            Merge::Least => whole.map(|(one, other)| one.min(other)),
            Merge::Greatest => one.as_i64().max(other.as_i64()),
            Merge::Same => one.as_i64().filter(|_| one == other),
            Merge::First => one.as_i64(),
            Merge::Never => None,
            // Only whether it is known.
            Merge::Derived | Merge::Distribution => {
                let known = one.is_number() && other.is_number();
                if known && !merged.is_number() {
                    wrong.push(format!("{}: {merged}", metric.path));
                }
                continue;
            }
        };
        if merged.as_i64() != expected {
            wrong.push(format!("{}: {one}, {other}: {merged}", metric.path));
        }
        checked += u32::from(expected.is_some());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked > 50, "{checked}");
}

#[test]
fn merged_sessions_of_several_reflectors_are_not_said_to_be_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let name = |name: &str| directory.path().join(name).display().to_string();
    let responders = [(); 2].map(|()| Responder::on_loopback());
    let mut files = Vec::new();
    for (responder, options) in responders.iter().zip(["--dscp be -i 2", "--dscp ef -i 4"]) {
        files.push(name(&format!("{}.parquet", files.len())));
        let done = run(&format!(
            "sender {} 127.0.0.1:0 -c 10 {options} -q --save {}",
            responder.at,
            files[files.len() - 1]
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let line = format!("report --merge {}", files.join(" "));
    let text = run(&line).stdout;
    let heading: Vec<&str> = text.lines().take(4).collect();
    let heading = heading.join(" ");
    assert!(heading.contains("to 2 reflectors"), "{text}");
    assert!(heading.contains("2 intervals"), "{text}");
    assert!(heading.contains("DSCP be, ef"), "{text}");
    let one = run(&format!("report --merge {0} {0}", files[0])).stdout;
    assert!(one.contains(&format!("to {}", responders[0].at)), "{one}");
}

#[test]
fn what_could_not_be_measured_is_said_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let responder = Responder::on_loopback();
    for day in ["mon", "tue"] {
        let done = run(&format!(
            "sender {} --to {day}.invalid -c 2 -i 10 -q --save {path}/{day}.parquet",
            responder.at
        ));
        assert_eq!(done.status, 1, "{}", done.stderr);
    }
    let line = format!("report {path}/mon.parquet {path}/tue.parquet");
    let text = run(&line).stdout;
    for day in ["mon", "tue"] {
        let warning = format!("\nwarning: {day}.parquet: {day}.invalid not measured: ");
        assert!(text.contains(&warning), "{text}");
    }
    let both = document(&run(&format!("{line} --json")));
    let failed = |place: usize| {
        (
            &both["failed"][place]["file"],
            &both["failed"][place]["target"],
        )
    };
    assert_eq!(failed(0), (&"mon.parquet".into(), &"mon.invalid".into()));
    assert_eq!(failed(1), (&"tue.parquet".into(), &"tue.invalid".into()));
    let one = document(&run(&format!("report {path}/mon.parquet --json")));
    assert!(one["failed"][0].get("file").is_none(), "{one}");
    let metrics = run(&format!("{line} --output prometheus")).stdout;
    let sample = "twinpath_target_failed{target=\"tue.invalid\",file=\"tue.parquet\"} 1";
    assert!(metrics.contains(sample), "{metrics}");
}
