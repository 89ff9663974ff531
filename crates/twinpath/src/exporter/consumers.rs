//! Metrics that the dashboard and the alerts of `packaging/` name are exported, with the labels that they use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value as Json;

use super::family::{Family, Kind, Value};
use super::fixtures;

/// Labels with the values that they may have; none where those depend on the host and the run.
type LabelValues = BTreeMap<String, BTreeSet<&'static str>>;

/// Labels of each metric by its name in queries.
type Exported = BTreeMap<String, LabelValues>;

fn exported() -> Exported {
    let mut all = Exported::new();
    for family in fixtures::all() {
        let name = family.full_name();
        let labels = labels(&family);
        match family.kind {
            Kind::Counter | Kind::Gauge | Kind::Seconds => drop(all.insert(name, labels)),
            Kind::Times => {
                for part in ["", "_sum", "_count", "_bucket"] {
                    let mut labels = labels.clone();
                    if part == "_bucket" {
                        labels.insert("le".to_owned(), BTreeSet::new());
                    }
                    all.insert(format!("{name}{part}"), labels);
                }
            }
        }
    }
    all
}

/// Those of its samples, and those that Prometheus adds.
fn labels(family: &Family) -> LabelValues {
    let mut labels = LabelValues::new();
    for sample in &family.samples {
        for (name, _) in sample.labels.iter() {
            labels.entry(name.to_string()).or_default();
        }
        if let Some((name, value)) = sample.own {
            labels.entry(name.to_owned()).or_default().insert(value);
        }
    }
    labels.extend(["job", "instance"].map(|name| (name.to_owned(), BTreeSet::new())));
    labels
}

/// A word of PromQL, or one other character.
fn words(expression: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_:$".contains(c);
        let length = if first == '"' {
            // Values of labels have no quotes.
            rest[1..].find('"').map_or(rest.len(), |end| end + 2)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        if !word.trim().is_empty() {
            words.push(word);
        }
        rest = after;
    }
    words
}

/// What a query uses that is not exported.
fn faults(expression: &str, exported: &Exported) -> Vec<String> {
    let words = words(expression);
    let mut faults = Vec::new();
    let metrics: BTreeSet<&str> = words
        .iter()
        .copied()
        .filter(|word| word.starts_with("twinpath_"))
        .collect();
    if metrics.is_empty() {
        faults.push("no metric".to_owned());
    }
    let has = |metric: &str, label: &str| {
        exported
            .get(metric)
            .is_some_and(|it| it.contains_key(label))
    };
    for metric in &metrics {
        if !exported.contains_key(*metric) {
            faults.push((*metric).to_owned());
        }
    }
    for (at, word) in words.iter().enumerate() {
        let next = |skip: usize| words.get(at + skip).copied().unwrap_or_default();
        // A matcher's label comes before its operator.
        if word.starts_with("twinpath_") && next(1) == "{" {
            let inside = words[at + 2..].iter().take_while(|word| **word != "}");
            let inside: Vec<&str> = inside.copied().collect();
            for (place, label) in inside.iter().enumerate() {
                let follows = inside.get(place + 1).copied().unwrap_or_default();
                let is_label = ["=", "!"].contains(&follows) && !["=", "!", "~"].contains(label);
                if is_label && !has(word, label) {
                    faults.push(format!("{word}{{{label}}}"));
                }
                let known = exported.get(*word).and_then(|labels| labels.get(*label));
                let asked = inside[place + 1..].iter().find(|it| it.starts_with('"'));
                if let (true, Some(known), Some(asked)) = (is_label, known, asked) {
                    let asked = asked.trim_matches('"').split('|');
                    let missing = asked.filter(|it| !known.is_empty() && !known.contains(it));
                    faults.extend(missing.map(|value| format!("{word}{{{label}=\"{value}\"}}")));
                }
            }
        }
        if ["by", "on"].contains(word) && next(1) == "(" {
            let inside = words[at + 2..].iter().take_while(|word| **word != ")");
            let inside: Vec<&str> = inside.copied().collect();
            // What comes next in parentheses is grouped, otherwise all is.
            let grouped = in_parentheses(&words[at + 2 + inside.len() + 1..]);
            let is_grouped = |metric: &&&str| grouped.is_empty() || grouped.contains(*metric);
            for label in inside.iter().filter(|word| **word != ",") {
                for metric in metrics.iter().filter(is_grouped) {
                    if !has(metric, label) {
                        faults.push(format!("{metric} by {label}"));
                    }
                }
            }
        }
    }
    faults
}

/// What is in the parentheses that begin here; nothing, if none do.
fn in_parentheses<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate() {
        match *word {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return &words[..at];
        }
    }
    words
}

fn read(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/");
    fs::read_to_string(format!("{root}{path}")).unwrap()
}

/// All strings under this key.
fn strings<'a>(json: &'a Json, key: &str, found: &mut Vec<&'a str>) {
    match json {
        Json::Object(object) => {
            for (name, value) in object {
                match value.as_str() {
                    Some(text) if name == key => found.push(text),
                    _ => strings(value, key, found),
                }
            }
        }
        Json::Array(list) => list.iter().for_each(|value| strings(value, key, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[test]
fn the_dashboard_shows_what_is_exported() {
    let exported = exported();
    let dashboard: Json = serde_json::from_str(&read("grafana/twinpath.json")).unwrap();
    let mut expressions = Vec::new();
    strings(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 30, "{}", expressions.len());
    for expression in &expressions {
        assert_eq!(faults(expression, &exported), [""; 0], "{expression}");
    }
    // Variables ask for the values of a label.
    let mut definitions = Vec::new();
    strings(&dashboard, "definition", &mut definitions);
    assert_eq!(definitions.len(), 3);
    for definition in definitions {
        let inside = definition.strip_prefix("label_values(").unwrap();
        let (metric, label) = inside.trim_end_matches(')').rsplit_once(", ").unwrap();
        let grouped = format!("count by ({label}) ({metric})");
        assert_eq!(faults(&grouped, &exported), [""; 0], "{definition}");
    }
    // Each panel has a number of its own and a place within 24 columns.
    let panels = dashboard["panels"].as_array().unwrap();
    let numbers: BTreeSet<u64> = panels.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), panels.len());
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{panel}");
    }
}

#[test]
fn the_alerts_are_on_what_is_exported() {
    let exported = exported();
    let rules = read("prometheus/twinpath.rules.yml");
    let mut lines = rules.lines().peekable();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let Some(expression) = line.trim_start().strip_prefix("expr:") else {
            continue;
        };
        let mut expression = expression.trim().trim_start_matches('|').to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("      ")) {
            expression = format!("{expression} {}", more.trim());
        }
        assert_eq!(faults(&expression, &exported), [""; 0], "{expression}");
        count += 1;
    }
    assert_eq!(count, rules.matches("- alert: ").count());
    assert!(count >= 10);
}

#[test]
fn what_is_not_exported_is_noticed() {
    let exported = exported();
    for (expression, fault) in [
        ("rate(twinpath_packets_sent[5m])", "twinpath_packets_sent"),
        ("up", "no metric"),
        (
            "twinpath_sessions{job=~\"a\",reason=\"b\"}",
            "twinpath_sessions{reason}",
        ),
        (
            "twinpath_session_state{state=~\"failed|asleep\"}",
            "twinpath_session_state{state=\"asleep\"}",
        ),
        (
            "sum by (le) (twinpath_round_trip_delay_seconds_sum)",
            "twinpath_round_trip_delay_seconds_sum by le",
        ),
        (
            "sum by (le) (rate(twinpath_round_trip_delay_seconds_bucket[5m])) or sum by (le) (twinpath_sessions)",
            "twinpath_sessions by le",
        ),
    ] {
        assert_eq!(faults(expression, &exported), [fault], "{expression}");
    }
    let histograms = fixtures::all();
    let is_histogram = |family: &Family| {
        let mut samples = family.samples.iter();
        samples.any(|sample| matches!(sample.value, Value::Times(_)))
    };
    assert!(histograms.iter().any(is_histogram));
}
