//! What is said of the far end's clock is what its packets bear out.

use std::time::Duration;

use serde_json::Value;

use crate::far_end::{FarEnd, NTP_TO_UNIX_S, ntp, seconds_and};
use crate::program::{OF_BUSY_HOST, run};

const NO_TIME: Duration = Duration::ZERO;

/// The keys of its notes, but for those that a busy host adds.
fn keys(session: &Value) -> Vec<&str> {
    let notes = session["notes"].as_array().unwrap().iter();
    let keys = notes.map(|note| note["key"].as_str().unwrap());
    keys.filter(|key| !OF_BUSY_HOST.contains(key)).collect()
}

#[test]
fn an_address_of_this_host_with_another_clock_behind_it_is_not_one_clock() {
    // What a program on this host sends on to another host is answered by that host's clock.
    let far = FarEnd::start(NO_TIME, |_, times| times.map(|at| ntp(at + 3_000_000_000)));
    let session = run(&format!("sender {} -c 20 -i 5 --json", far.at)).session();
    assert!(keys(&session).contains(&"another-clock"), "{session}");
    let one_way = &session["one_way"];
    assert_ne!(one_way["claimed_error_ns"], 20_000, "{one_way}");
    let raw = &one_way["forward"]["raw"];
    assert_ne!(raw["error_bound_ns"], 20_000, "{one_way}");
    let text = run(&format!("sender {} -c 20 -i 5", far.at)).stdout;
    assert!(!text.contains("one clock"), "{text}");

    // The same without another clock.
    let far = FarEnd::start(NO_TIME, |_, times| times.map(ntp));
    let session = run(&format!("sender {} -c 20 -i 5 --json", far.at)).session();
    assert!(!keys(&session).contains(&"another-clock"), "{session}");
    assert_eq!(session["one_way"]["claimed_error_ns"], 20_000, "{session}");
    let text = run(&format!("sender {} -c 20 -i 5", far.at)).stdout;
    assert!(text.contains("one clock"), "{text}");
}

const RESIDENCE: Duration = Duration::from_millis(2);

type Write = fn(i64) -> u64;

/// Times in another form than the protocol's, and the word for each.
const WRONG: [(&str, Write); 6] = [
    ("nanoseconds", |at| seconds_and(at, NTP_TO_UNIX_S, |ns| ns)),
    ("microseconds", |at| {
        seconds_and(at, NTP_TO_UNIX_S, |ns| ns / 1_000)
    }),
    ("milliseconds", |at| {
        seconds_and(at, NTP_TO_UNIX_S, |ns| ns / 1_000_000)
    }),
    ("thousandth", |at| seconds_and(at, 0, |ns| ns / 1_000)),
    ("unix_seconds", |at| {
        seconds_and(at, 0, |ns| (ns << 32) / 1_000_000_000)
    }),
    ("missing", |_| 0),
];

#[test]
fn times_that_the_packets_disprove_are_named_and_not_used() {
    for (name, write) in WRONG {
        let far = FarEnd::start(RESIDENCE, move |_, times| times.map(write));
        let line = format!("sender {} -c 60 -i 20", far.at);
        let session = run(&format!("{line} --json")).session();
        assert_eq!(session["far_times"], name, "{session}");
        assert_eq!(session["round_trip_includes_residence"], true, "{session}");
        assert_eq!(session["round_trip"]["count"], 60, "{session}");
        let least = session["round_trip"]["min_ns"].as_i64().unwrap();
        assert!(least >= 2_000_000, "{least}");
        for key in [
            "forward",
            "backward",
            "residence",
            "one_way",
            "far_resolution_ns",
        ] {
            assert!(session[key].is_null(), "{name} {key}: {session}");
        }
        assert!(session["registry"].as_object().unwrap().is_empty());
        assert_eq!(keys(&session), ["far-times"], "{session}");

        let text = run(&line).stdout;
        assert!(text.contains("T4 - T1"), "{text}");
        for claim in [
            "sound",
            "read rightly",
            "one clock",
            "skew",
            "Reflector clock",
            "De-skewed",
        ] {
            assert!(!text.contains(claim), "{name}: {claim}: {text}");
        }
    }
}

#[test]
fn replies_without_a_time_among_others_are_counted() {
    let far = FarEnd::start(NO_TIME, |seq, [t2, t3]| {
        [if seq % 10 == 5 { 0 } else { ntp(t2) }, ntp(t3)]
    });
    let session = run(&format!("sender {} -c 40 -i 5 --json", far.at)).session();
    assert_eq!(session["excluded"]["unstamped"], 4, "{session}");
    assert_eq!(session["round_trip"]["count"], 36, "{session}");
    assert_eq!(session["round_trip_includes_residence"], false, "{session}");
    assert!(keys(&session).contains(&"far-times-missing"), "{session}");
}

#[test]
fn three_packets_decide_nothing_and_nothing_is_claimed_of_them() {
    let (_, microseconds) = WRONG[1];
    let far = FarEnd::start(NO_TIME, move |_, times| times.map(microseconds));
    let session = run(&format!("sender {} -c 3 -i 50 --json", far.at)).session();
    assert_eq!(session["far_times"], "undecided", "{session}");
    assert!(keys(&session).contains(&"far-times-undecided"), "{session}");
    let said = session["notes"].to_string();
    assert!(!said.contains("sound"), "{said}");
}

#[cfg(feature = "report")]
#[test]
fn a_saved_run_and_a_comparison_say_of_the_times_what_the_run_did() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (wrong, right) = (path("wrong.parquet"), path("right.parquet"));
    let (_, microseconds) = WRONG[1];
    let far = FarEnd::start(RESIDENCE, move |_, times| times.map(microseconds));
    let lived = run(&format!(
        "sender {} -c 60 -i 20 --json --save {wrong}",
        far.at
    ))
    .session();
    let again = run(&format!("report {wrong} --json")).session();
    for key in [
        "far_times",
        "round_trip",
        "round_trip_includes_residence",
        "one_way",
    ] {
        assert_eq!(lived[key], again[key], "{key}");
    }
    let notes = |session: &Value| {
        let mut notes = session["notes"].as_array().unwrap().clone();
        notes.sort_by_key(|note| note["key"].to_string());
        notes
    };
    assert_eq!(notes(&lived), notes(&again));
    let far = FarEnd::start(RESIDENCE, |_, times| times.map(ntp));
    run(&format!(
        "sender {} -c 60 -i 20 --json --save {right}",
        far.at
    ));
    let merged = run(&format!("report --merge {wrong} {right} --json")).session();
    assert_eq!(merged["round_trip_includes_residence"], true, "{merged}");
    let compared = run(&format!("report --compare {wrong} {right}")).stdout;
    assert!(compared.contains("reflector's own time"), "{compared}");
    let compared = run(&format!("report --compare {wrong} {right} --json")).stdout;
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let session = &compared["sessions"][0];
    assert_eq!(
        session["round_trip_includes_residence"],
        serde_json::json!([true, false])
    );
}
