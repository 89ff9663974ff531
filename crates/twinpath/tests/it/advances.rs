//! By how much a reflector says that it advanced T3, on the wire and without a wire.

use serde_json::Value;

use crate::hosts::Hosts;
use crate::program::{Responder, finish, run, twinpath};
use crate::responders::last_words;

/// A reflector on the far host, and the program that measures it.
const PAIRS: [(&str, &str); 2] = [("responder", "sender"), ("server", "controller")];

fn advance(reflector: Responder) -> Value {
    last_words(reflector)["timestamps"]["t3_advance_ns"].clone()
}

#[test]
fn over_a_link_t3_is_advanced_and_between_addresses_of_one_host_it_is_sent_as_it_was_read() {
    let Some(hosts) = Hosts::new() else { return };
    for (reflector, measures) in PAIRS {
        for far in ["10.98.0.2", "[fd98::2]"] {
            let line = format!("{measures} {far}:862 -c 400 -i 2 --json");
            let listens = hosts.listener(&format!("{reflector} :862 --json"));
            assert_eq!(hosts.run(&line).status, 0, "{line}");
            let told = advance(listens);
            assert!(told.as_u64().is_some_and(|ns| ns > 0), "{line}: {told}");

            let listens = hosts.listener(&format!("{reflector} :862 --json"));
            let own = if far.starts_with('[') {
                ""
            } else {
                " 10.98.0.3"
            };
            for near in ["", own] {
                let line = format!("{measures} {far}:862{near} -c 200 -i 2 --json");
                let done = finish(Hosts::on(&hosts.far, &twinpath(&line)));
                assert_eq!(done.status, 0, "{line}: {}", done.stderr);
                let least = &done.session()["round_trip"]["min_ns"];
                assert!(least.as_i64().is_some_and(|ns| ns >= 0), "{line}: {least}");
            }
            assert_eq!(advance(listens), Value::Null, "{reflector} {far}, own");
        }
    }
}

#[test]
fn over_loopback_t3_is_sent_as_it_was_read() {
    for (reflector, near) in [
        (Responder::start("127.0.0.1:0 --json"), "sender"),
        (Responder::start("[::1]:0 --json"), "sender"),
        (Responder::server("--json"), "controller"),
    ] {
        let line = format!("{near} {} -c 100 -i 1", reflector.at);
        assert_eq!(run(&line).status, 0, "{line}");
        assert_eq!(advance(reflector), Value::Null, "{line}");
    }
}

#[test]
fn raw_t3_is_said_to_be_sent_as_it_was_read() {
    let Some(hosts) = Hosts::new() else { return };
    for (reflector, measures) in PAIRS {
        for (options, advanced) in [("--raw-t3", false), ("", true)] {
            let listens = hosts.listener(&format!("{reflector} :862 --json {options}"));
            let line = format!("{measures} 10.98.0.2:862 -c 400 -i 2");
            let done = hosts.run(&line);
            assert_eq!(done.status, 0, "{line}: {}", done.stderr);
            let told = advance(listens);
            assert_eq!(told.is_u64(), advanced, "{reflector} {options}: {told}");
        }
    }
}
