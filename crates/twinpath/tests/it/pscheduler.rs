//! The tool of `packaging/pscheduler/`: its programs with the JSON that pScheduler gives them, against servers and
//! reflectors on loopback.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{Done, Responder, Running, free_port, shell};

const TOOL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../packaging/pscheduler/twinpath"
);
const PROGRAM: &str = env!("CARGO_BIN_EXE_twinpath");

fn has_python() -> bool {
    let is_there = shell("command -v python3").status == 0;
    if !is_there {
        println!("skipped: python3 is not installed");
    }
    is_there
}

/// One of the programs with this on stdin.
fn program(name: &str, input: &Value) -> Done {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("twinpath.conf");
    let installed = std::fs::read_to_string(Path::new(TOOL).join("../twinpath.conf")).unwrap();
    assert!(installed.contains("/usr/bin/twinpath"));
    std::fs::write(&config, installed.replace("/usr/bin/twinpath", PROGRAM)).unwrap();
    let mut command = Command::new(Path::new(TOOL).join(name));
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TWINPATH_PSCHEDULER_CONF", config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that takes no input may have ended.
    let _ = stdin.write_all(input.to_string().as_bytes());
    drop(stdin);
    Running::of(child).finish()
}

/// What it says.
fn answer(name: &str, input: &Value) -> Value {
    let done = program(name, input);
    assert_eq!(done.status, 0, "{name}: {}", done.stderr);
    done.document()
}

/// The result of a run of a participant, as pScheduler merges it.
fn measured(participant: u32, test: &Value) -> Value {
    let start = "2026-01-01T00:00:00+00:00";
    let run = json!({
        "participant": participant,
        "participant-data": [{}, {}],
        "schedule": {"start": start, "duration": "PT30S"},
        "test": test,
    });
    let run = answer("run", &run);
    assert_eq!(run["succeeded"], true, "{run}");
    answer("merged-results", &json!({"test": test, "results": [run]}))
}

/// Seconds of an ISO 8601 duration.
fn seconds(value: &Value) -> f64 {
    let text = value.as_str().unwrap();
    let number = text.strip_prefix("PT").and_then(|it| it.strip_suffix('S'));
    number.unwrap().parse().unwrap()
}

#[test]
fn the_tool_says_what_it_is_and_what_it_can_run() {
    if !has_python() {
        return;
    }
    let tool = answer("enumerate", &Value::Null);
    assert_eq!(
        (&tool["name"], &tool["schema"]),
        (&json!("twinpath"), &json!(1))
    );
    assert_eq!(tool["tests"], json!(["latency", "rtt"]));
    for (test, reason) in [
        (json!({}), Some("Missing test type")),
        (
            json!({"type": "throughput", "spec": {}}),
            Some("Unsupported test type"),
        ),
        (json!({"type": "rtt"}), Some("Missing test specification")),
        (
            json!({"type": "rtt", "spec": {"dest": "::1"}}),
            Some("protocol is one of: twamp"),
        ),
        (
            json!({"type": "rtt", "spec": {"dest": "::1", "protocol": "twamp"}}),
            None,
        ),
        (
            json!({"type": "rtt", "spec": {"dest": "::1", "protocol": "twamp", "deadline": "PT1S"}}),
            Some("deadline"),
        ),
        (
            json!({"type": "rtt", "spec": {"dest": "::1", "protocol": "twamp", "interval": "1s"}}),
            Some("not a duration"),
        ),
        (
            json!({"type": "latency", "spec": {"schema": 1, "dest": "::1"}}),
            None,
        ),
        (
            json!({"type": "latency", "spec": {"schema": 4, "dest": "::1", "protocol": "stamp"}}),
            None,
        ),
        (
            json!({"type": "latency", "spec": {"schema": 5, "dest": "::1"}}),
            Some("schema 5"),
        ),
        (
            json!({"type": "latency", "spec": {"dest": "::1", "flip": true}}),
            Some("flip needs a source"),
        ),
        (
            json!({"type": "latency", "spec": {"dest": "::1", "packet-count": 0}}),
            Some("count"),
        ),
        (
            json!({"type": "latency", "spec": {"dest": "::1", "packet-padding": "x"}}),
            Some("packet-padding is a whole number"),
        ),
        (
            json!({"type": "latency", "spec": {"dest": "::1", "data-ports": {"lower": 1}}}),
            Some("data-ports is a range"),
        ),
    ] {
        let can = answer("can-run", &test);
        assert_eq!(can["can-run"], reason.is_none(), "{test}: {can}");
        let said = can["reasons"][0].as_str().unwrap_or_default();
        assert!(said.contains(reason.unwrap_or_default()), "{test}: {said}");
    }
}

#[test]
fn a_test_has_a_duration_and_needs_no_data_of_participants() {
    if !has_python() {
        return;
    }
    assert_eq!(
        answer("participant-data", &json!({"participant": 1})),
        json!({})
    );
    let test = json!({"type": "rtt", "spec": {"dest": "::1", "protocol": "twamp", "count": 20, "interval": "PT0.5S"}});
    // 20 packets, 2 s for the last, 10 s for all else.
    assert_eq!(answer("duration", &test), json!({"duration": "PT22S"}));
    for name in [
        "can-run",
        "duration",
        "participant-data",
        "run",
        "merged-results",
    ] {
        let done = program(name, &json!([]));
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{name}");
        assert_eq!(
            done.stderr, "twinpath: invalid JSON on stdin: not an object\n",
            "{name}"
        );
    }
}

#[test]
fn a_test_of_the_round_trip_measures_with_a_server() {
    if !has_python() || cfg!(not(feature = "control")) {
        return;
    }
    let server = Responder::server("");
    let spec = json!({
        "schema": 2, "protocol": "twamp", "source": "127.0.0.1", "dest": "127.0.0.1", "ip-version": 4, "count": 4,
        "interval": "PT0.01S", "timeout": "PT2S", "length": 200, "ip-tos": 184, "ttl": 64, "fragment": false,
        "ctrl-port": server.at.port(),
    });
    let result = measured(0, &json!({"type": "rtt", "spec": spec}));
    assert_eq!(result["succeeded"], true);
    assert_eq!(
        (&result["sent"], &result["received"]),
        (&json!(4), &json!(4))
    );
    assert_eq!((&result["lost"], &result["loss"]), (&json!(0), &json!(0.0)));
    let trips = result["roundtrips"].as_array().unwrap();
    let of_trips: Vec<f64> = trips.iter().map(|trip| seconds(&trip["rtt"])).collect();
    assert!(
        of_trips.iter().all(|s| (1e-7..2.0).contains(s)),
        "{of_trips:?}"
    );
    for (trip, seq) in trips.iter().zip(1..) {
        assert_eq!(
            (&trip["seq"], &trip["ip"]),
            (&json!(seq), &json!("127.0.0.1"))
        );
        // As echo requests with 200 octets of data are long.
        assert_eq!(trip["length"], 208);
    }
    let (least, most) = (seconds(&result["min"]), seconds(&result["max"]));
    assert!(
        (least..=most).contains(&seconds(&result["mean"])),
        "{result}"
    );
    let mut sorted = of_trips;
    sorted.sort_by(f64::total_cmp);
    let ends = (sorted.first(), sorted.last());
    assert_eq!(ends, (Some(&least), Some(&most)), "{result}");
    server.stop("TERM");
}

#[test]
fn a_test_of_latency_has_histograms_of_its_direction() {
    if !has_python() {
        return;
    }
    let responder = Responder::on_loopback();
    for (protocol, reverse) in [("stamp", false), ("twamp-light", true)] {
        let spec = json!({
            "schema": 4, "protocol": protocol, "dest": "127.0.0.1", "packet-count": 5, "packet-interval": 0.01,
            "packet-timeout": 2, "output-raw": true, "bucket-width": 0.000_001, "reverse": reverse,
            "ctrl-port": responder.at.port(),
        });
        let result = measured(0, &json!({"type": "latency", "spec": spec}));
        assert_eq!(result["packets-sent"], 5, "{result}");
        assert_eq!(
            (&result["packets-received"], &result["packets-lost"]),
            (&json!(5), &json!(0))
        );
        let histogram = result["histogram-latency"].as_object().unwrap();
        let counted: u64 = histogram.values().map(|it| it.as_u64().unwrap()).sum();
        assert_eq!(counted, 5);
        let ttls: Vec<&str> = result["histogram-ttl"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(ttls, ["255"]);
        let raw = result["raw-packets"].as_array().unwrap();
        assert_eq!(raw.len(), 5);
        for packet in raw {
            let stamp = |name: &str| i128::from(packet[name].as_u64().unwrap());
            // Fractions of 2^-32 s, on one clock.
            let microseconds = ((stamp("dst-ts") - stamp("src-ts")) * 1_000_000) >> 32;
            let exact: f64 = microseconds.to_string().parse().unwrap();
            let near = |bucket: &String| {
                let middle: f64 = bucket.parse().unwrap();
                (middle - exact).abs() < 2.0
            };
            assert!(histogram.keys().any(near), "{microseconds} µs: {result}");
        }
    }
    responder.stop("TERM");
}

#[test]
fn the_other_participant_has_nothing_to_do_and_flip_changes_the_ends() {
    if !has_python() {
        return;
    }
    let responder = Responder::on_loopback();
    let spec = json!({
        "schema": 4, "protocol": "stamp", "source": "127.0.0.1", "dest": "127.0.0.2", "packet-count": 2,
        "packet-interval": 0.01, "flip": true, "ctrl-port": responder.at.port(),
    });
    let test = json!({"type": "latency", "spec": spec});
    let run = |participant: u32| answer("run", &json!({"participant": participant, "test": test}));
    let idle = run(0);
    assert_eq!(idle["result"], json!({"schema": 1, "succeeded": true}));
    // From the destination's address to the source's.
    let own = run(1);
    let command = own["diags"].as_str().unwrap();
    let ends = format!("sender 127.0.0.1:{} 127.0.0.2:0 ", responder.at.port());
    assert!(command.contains(&ends), "{command}");
    let merged = answer(
        "merged-results",
        &json!({"test": test, "results": [idle, own]}),
    );
    assert_eq!(merged["packets-received"], 2);
    responder.stop("TERM");
}

#[test]
fn a_far_end_that_is_not_there_is_a_run_without_a_result() {
    if !has_python() || cfg!(not(feature = "control")) {
        return;
    }
    let spec =
        json!({"schema": 3, "dest": "127.0.0.1", "packet-count": 2, "ctrl-port": free_port()});
    let test = json!({"type": "latency", "spec": spec});
    let run = answer("run", &json!({"participant": 0, "test": test}));
    assert_eq!(
        (&run["succeeded"], &run["result"]),
        (&json!(false), &Value::Null)
    );
    assert!(
        run["error"]
            .as_str()
            .unwrap()
            .contains("connection refused"),
        "{run}"
    );
    let merged = answer("merged-results", &json!({"test": test, "results": [run]}));
    assert_eq!(merged["succeeded"], false);
    assert!(
        merged["error"]
            .as_str()
            .unwrap()
            .contains("connection refused")
    );
    // A host is no option of a program.
    let option = json!({"type": "latency", "spec": {"schema": 3, "dest": "--help"}});
    let done = program("run", &json!({"participant": 0, "test": option}));
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (1, "twinpath: --help is not a host\n")
    );
}
