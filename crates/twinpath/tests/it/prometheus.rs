//! The report as metrics, checked by Prometheus' own tool.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::program::{Responder, run};

#[test]
fn prometheus_takes_the_report_and_its_values_are_those_of_the_document() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run").display().to_string();
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} -c 40 -i 1 --dscp be,ef --label site=a\"b --save {file} -q",
        responder.at
    );
    let measured = run(&format!("{line} --output prometheus"));
    assert_eq!(measured.status, 0, "{}", measured.stderr);
    let text = run(&format!("report {file} --output prometheus")).stdout;
    assert_eq!(
        text.matches("\ntwinpath_packets_sent{").count(),
        2,
        "{text}"
    );
    let document: serde_json::Value =
        serde_json::from_str(&run(&format!("report {file} --json")).stdout).unwrap();
    for session in document["sessions"].as_array().unwrap() {
        let ns = session["round_trip"]["p99_ns"].as_f64().unwrap();
        let begin = format!(
            "twinpath_round_trip_p99_seconds{{session=\"{}\",",
            session["session"]
        );
        let sample = text.lines().find(|line| line.starts_with(&begin)).unwrap();
        let (labels, value) = sample.rsplit_once(' ').unwrap();
        assert!(labels.ends_with(",label_site=\"a\\\"b\"}"), "{labels}");
        let seconds: f64 = value.parse().unwrap();
        assert!((seconds * 1e9 - ns).abs() < 0.5, "{sample}: {ns}");
    }
    for text in [&measured.stdout, &text] {
        match complaints(text) {
            Some(complaints) => assert_eq!(complaints, "", "{text}"),
            None => println!("skipped: promtool (Debian: prometheus) is not installed"),
        }
    }
}

/// What Prometheus' own tool says of metrics; `None` where it is not installed.
pub(crate) fn complaints(metrics: &str) -> Option<String> {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = tool.ok()?;
    let mut input = tool.stdin.take().unwrap();
    input.write_all(metrics.as_bytes()).unwrap();
    drop(input);
    let said = tool.wait_with_output().unwrap();
    Some(String::from_utf8(said.stderr).unwrap())
}

#[test]
fn rows_of_intervals_are_refused_with_a_remedy() {
    let done = run("sender 127.0.0.1 --output prometheus --report-interval 1");
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert!(done.stderr.contains("use one of them"), "{}", done.stderr);
}

/// What Prometheus' own tool makes of files of `packaging/`; `None` where it is not installed.
fn promtool(arguments: &[&str]) -> Option<(bool, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/prometheus");
    let done = Command::new("promtool")
        .args(arguments)
        .current_dir(directory)
        .output();
    let Ok(done) = done else {
        println!("skipped: promtool (Debian: prometheus) is not installed");
        return None;
    };
    let said = [done.stdout, done.stderr].concat();
    Some((done.status.success(), String::from_utf8(said).unwrap()))
}

#[test]
fn the_alerts_are_rules_of_prometheus_and_fire_when_they_should() {
    let rules = "twinpath.rules.yml";
    let Some((is_valid, said)) = promtool(&["check", "rules", rules]) else {
        return;
    };
    assert!(is_valid && said.contains("12 rules found"), "{said}");
    let (passed, said) = promtool(&["test", "rules", "twinpath.rules.test.yml"]).unwrap();
    assert!(passed && said.contains("SUCCESS"), "{said}");
    // Each alert has a test in which it fires.
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/prometheus/");
    let read = |name: &str| std::fs::read_to_string(format!("{directory}{name}")).unwrap();
    let (rules, tests) = (read(rules), read("twinpath.rules.test.yml"));
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for name in names {
        let fires = tests.split("- eval_time: ").any(|test| {
            test.contains(&format!("alertname: {name}\n")) && test.contains("exp_labels")
        });
        assert!(fires, "{name} is not tested");
    }
}

#[test]
fn the_queries_of_the_dashboard_are_promql() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../packaging/grafana/twinpath.json"
    );
    let text = std::fs::read_to_string(file).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut rules = Vec::new();
    for target in targets {
        // As Grafana fills them in.
        let query = target["expr"].as_str().unwrap();
        let query = query
            .replace("$__rate_interval", "5m")
            .replace("$__range", "1h");
        assert!(!query.contains("$__"), "{query}");
        let record = format!("dashboard:{}", rules.len());
        rules.push(serde_json::json!({ "record": record, "expr": query }));
    }
    let count = rules.len();
    let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.yml");
    // JSON is YAML.
    std::fs::write(&path, groups.to_string()).unwrap();
    let path = path.display().to_string();
    if let Some((is_valid, said)) = promtool(&["check", "rules", &path]) {
        assert!(
            is_valid && said.contains(&format!("{count} rules found")),
            "{said}"
        );
    }
}
