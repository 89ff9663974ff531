//! What is said of the far end's clock is what its packets bear out.

use std::time::Duration;

use serde_json::Value;

use crate::far_end::{FarEnd, ntp};
use crate::program::run;

const NO_TIME: Duration = Duration::ZERO;

fn keys(session: &Value) -> Vec<&str> {
    let notes = session["notes"].as_array().unwrap().iter();
    notes.map(|note| note["key"].as_str().unwrap()).collect()
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
