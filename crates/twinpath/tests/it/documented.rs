//! Every key of every document is in docs/output.md.

use serde_json::Value;

use crate::program::{Responder, run};

/// Keys, at any depth. Those of a map by code point are numbers.
fn keys(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key.parse::<u8>().is_err() {
                    found.push(key.clone());
                }
                if key != "labels" {
                    keys(value, found);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_key_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/output.md");
    let page = std::fs::read_to_string(page).unwrap();
    let responder = Responder::start("127.0.0.1:0 --json --max-rate 2");
    let line = format!(
        "sender {} -c 6 -i 1 --timeout 0.3 --label a=b --stamp --output jsonl \
         --bins lin:0:1ms:2 --percentiles-with-loss --voice g729a",
        responder.at
    );
    let mut found = Vec::new();
    for record in run(&line).stdout.lines() {
        keys(&document(record), &mut found);
    }
    keys(&document(&responder.stop("INT").stdout), &mut found);
    for line in ["selftest -c 2 -i 1 --json", "dscptable --json"] {
        keys(&document(&run(line).stdout), &mut found);
    }
    let server = Responder::server("--json");
    let line = format!(
        "controller {} 127.0.0.1:0 -c 4 -i 1 --dscp be,ef --padding 60 --output jsonl",
        server.at
    );
    for record in run(&line).stdout.lines() {
        keys(&document(record), &mut found);
    }
    let line = format!(
        "controlclient 127.0.0.1 {} --duration 0.1 --json",
        server.at
    );
    keys(&document(&run(&line).stdout), &mut found);
    keys(&document(&server.stop("INT").stdout), &mut found);
    assert!(found.len() > 100, "{found:?}");
    for key in found {
        assert!(page.contains(&format!("`{key}`")), "{key} is missing");
    }
}

#[test]
fn every_finding_is_documented_with_its_values() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let page = std::fs::read_to_string(format!("{root}docs/output.md")).unwrap();
    let samples = std::fs::read_to_string(format!("{root}testdata/findings.jsonl")).unwrap();
    for sample in samples.lines() {
        let finding = document(sample);
        let key = finding["key"].as_str().unwrap();
        let values = finding.as_object().unwrap().keys();
        let values: Vec<String> = values
            .filter(|value| *value != "key")
            .map(|value| format!("`{value}`"))
            .collect();
        let is_complete = |row: &str| {
            row.starts_with(&format!("| `{key}` | ")) && values.iter().all(|it| row.contains(it))
        };
        assert!(page.lines().any(is_complete), "{sample}");
    }
}

#[test]
fn every_column_of_csv_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/output.md");
    let page = std::fs::read_to_string(page).unwrap();
    let responder = Responder::on_loopback();
    let csv = run(&format!("sender {} -c 1 --output csv", responder.at)).stdout;
    for column in csv.lines().next().unwrap().split(',') {
        assert!(page.contains(&format!("`{column}`")), "{column} is missing");
    }
}

/// A section of the page on STAMP's extensions, in one line.
fn section(title: &str) -> String {
    let page = include_str!("../../../../docs/stamp-extensions.md");
    let (_, behind) = page
        .split_once(&format!("\n## {title}\n"))
        .unwrap_or_else(|| panic!("{title} is missing"));
    let section = behind.split("\n## ").next().unwrap();
    section.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What RFC 9503 (sections 5 and 6) and RFC 9534 (sections 3.2 and 6) want operators to be told.
#[test]
fn guidance_of_the_rfcs_to_operators_is_on_the_page() {
    let section = section("Where to use them");
    for told in [
        "networks under one administration (RFC 9503 section 6)",
        "addresses and paths by configuration",
        "`--allow PREFIX`",
        "`--allow-return-address`",
        "`--authenticated`",
        "`--require-hmac`",
        "Port 862 is well known",
        "(RFC 8545 section 6)",
        "copies all TLVs as padding",
        "ends of a LAG, with no router in between, which know each other (RFC 9534 section 6)",
    ] {
        assert!(section.contains(told), "{told}: {section}");
    }
}

/// What RFC 10052 (sections 3.1, 4.1.1 and 5) wants operators to be told.
#[test]
fn guidance_on_several_replies_is_on_the_page() {
    let section = section("Several replies to a request");
    for told in [
        "off by default",
        "`--control-unauthenticated` drops the HMAC",
        "RFC 7497 sections 3 and 7",
        "RFC 9097 (sections 8.1 and 10)",
        "RFC 8085 section 3.1.5",
        "(RFC 9946 section 11, item 6)",
        "Congestion Experienced",
        "needs a rate control of its own",
        "makes the HMAC wrong",
        "never raises number, size or rate by itself",
    ] {
        assert!(section.contains(told), "{told}: {section}");
    }
}
