//! What `--json` prints is what its JSON Schema says.

use serde_json::Value;

use crate::far_end::FarEnd;
use crate::program::{Responder, free_port, run};

const SCHEMA: &str = include_str!("../../../../../docs/doctor.schema.json");

/// Why `value` is not as `schema` says, of the keywords that the schema uses; `None`: it is.
fn fault(root: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let nested = |schema: &Value, value: &Value, key: &str| {
            fault(root, schema, value, &format!("{at}/{key}"))
        };
        let found = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => None,
            "$ref" => {
                let place = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                fault(root, root.pointer(place).unwrap(), value, at)
            }
            "oneOf" => {
                let faults = wanted.as_array().unwrap().iter();
                let faults: Vec<_> = faults.map(|one| fault(root, one, value, at)).collect();
                let fits = faults.iter().filter(|fault| fault.is_none()).count();
                (fits != 1).then(|| format!("{at}: {fits} of oneOf: {faults:?}"))
            }
            "const" => (wanted != value).then(|| format!("{at}: {value} is not {wanted}")),
            "enum" => {
                let is_one = wanted.as_array().unwrap().contains(value);
                (!is_one).then(|| format!("{at}: {value} is none of {wanted}"))
            }
            "type" => {
                let one = [wanted.clone()];
                let types = wanted.as_array().map_or(&one[..], Vec::as_slice);
                let is_one = types
                    .iter()
                    .any(|name| is_of(value, name.as_str().unwrap()));
                (!is_one).then(|| format!("{at}: {value} is not of type {wanted}"))
            }
            "minimum" => (value.as_i64() < wanted.as_i64()).then(|| format!("{at}: {value}")),
            "required" if value.is_null() => None,
            "required" => {
                let mut keys = wanted.as_array().unwrap().iter();
                let missing = keys.find(|key| value.get(key.as_str().unwrap()).is_none());
                missing.map(|key| format!("{at}: {key} is missing"))
            }
            "properties" => wanted
                .as_object()
                .unwrap()
                .iter()
                .find_map(|(key, schema)| nested(schema, value.get(key)?, key)),
            // What is of another type is a fault of its type.
            "additionalProperties" => value.as_object().and_then(|all| {
                let mut all = all.iter();
                all.find_map(|(key, value)| nested(wanted, value, key))
            }),
            "items" => value
                .as_array()
                .and_then(|all| all.iter().find_map(|value| nested(wanted, value, "[]"))),
            other => panic!("{at}: a keyword that this test does not know: {other}"),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("a type that this test does not know: {other}"),
    }
}

#[test]
fn what_is_printed_is_what_the_schema_says() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let fault_of = |document: &Value| fault(&schema, &schema, document, "");
    let responder = Responder::on_loopback();
    let echo = FarEnd::answering(<[u8]>::to_vec);
    let mut all = Vec::new();
    for line in [
        format!("doctor {} --json", responder.at),
        format!("doctor {} --json", echo.at),
        format!("doctor 127.0.0.1:{} --json", free_port()),
        "doctor no-such-host.invalid --json".to_owned(),
        "doctor 127.0.0.1 --json --dry-run".to_owned(),
        "doctor 127.0.0.1 --json --dry-run --stress 500".to_owned(),
    ] {
        let document = run(&line).document();
        assert_eq!(fault_of(&document), None, "{line}: {document}");
        all.push(document);
    }
    for line in [
        format!("doctor {} --strict --json", responder.at),
        "doctor 127.0.0.1 --strict --dry-run --json".to_owned(),
    ] {
        let mut document = run(&line).document();
        assert_eq!(fault_of(&document), None, "{line}: {document}");
        let strict = &mut document["strict"];
        if strict.is_array() {
            strict[0]["status"] = "odd".into();
        } else {
            strict["parts"] = 1.into();
        }
        assert!(fault_of(&document).is_some(), "{line}");
    }
    // Each key that is required is missed.
    for mut document in all {
        let keys: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
        for key in keys {
            let value = document.as_object_mut().unwrap().remove(&key).unwrap();
            assert!(fault_of(&document).is_some(), "{key}");
            document[key] = value;
        }
    }
}

#[test]
fn a_name_without_an_address_and_a_key_that_cannot_be_read_are_told_apart_by_the_status() {
    let done = run("doctor no-such-host.invalid --json");
    assert_eq!(done.status, 1, "{}", done.stderr);
    let document = done.document();
    let verdict = document["verdict"].as_str().unwrap();
    assert!(verdict.contains("no-such-host.invalid"), "{verdict}");
    let checks = document["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["id"] == "limits.rate"));
    assert!(checks.iter().all(|check| check["status"] == "skipped"));
    let done = run("doctor 127.0.0.1 --hmac-key-file /no/such/file");
    assert_eq!(done.status, 2, "{}", done.stderr);
}

#[test]
fn all_of_a_dry_run_fits_the_width_of_a_terminal() {
    let done = run("doctor 127.0.0.1 --dry-run --stress 20000 --strict");
    assert!(
        done.stdout.contains("--stress sends up to 20000"),
        "{}",
        done.stdout
    );
    let wide = done.stdout.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
}
