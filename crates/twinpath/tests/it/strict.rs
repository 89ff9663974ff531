//! `twinpath doctor --strict` against real far ends.

use serde_json::Value;

use crate::far_end::FarEnd;
use crate::hosts::Hosts;
use crate::program::{Done, Responder, run};
use crate::responders::last_words;
#[cfg(feature = "control")]
use crate::secured::keys as key_file;

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// Trials that ended like this, with their evidence.
fn with(done: &Done, status: &str) -> Vec<(String, String)> {
    let document = done.document();
    let trials = document["strict"].as_array().unwrap();
    let of = trials.iter().filter(|trial| trial["status"] == status);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of.map(|trial| (text(&trial["id"]), text(&trial["evidence"])))
        .collect()
}

fn ids(trials: &[(String, String)]) -> Vec<&str> {
    trials.iter().map(|(id, _)| &id[..]).collect()
}

#[test]
fn this_programs_responder_passes_every_trial_however_it_is_configured() {
    for (options, least) in [
        (format!("--hmac-key {KEY}"), 70),
        (format!("--hmac-key {KEY} --protocol stamp --stateless"), 70),
        (format!("--hmac-key {KEY} --authenticated"), 14),
        ("--strict".to_owned(), 50),
        ("--protocol twamp-light".to_owned(), 13),
        ("--no-tlv".to_owned(), 26),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 --json {options}"));
        let done = run(&format!(
            "doctor {} --strict --hmac-key {KEY} --json",
            responder.at
        ));
        assert_eq!(with(&done, "fail"), [], "{options}");
        assert_eq!(with(&done, "unclear"), [], "{options}");
        let passed = with(&done, "pass").len();
        assert!(passed >= least, "{options}: {passed} passed");
        // Each packet that it answered is one of those that were announced.
        let answered = last_words(responder)["reflected"].as_u64().unwrap();
        let dry = run("doctor 127.0.0.1 --strict --dry-run --json").document();
        let most = |part: &Value| part["most_packets"].as_u64().unwrap();
        let most = most(&dry) + most(&dry["strict"]);
        assert!(answered <= most, "{options}: {answered} of {most}");
    }
}

#[test]
fn a_far_end_of_authenticated_stamp_alone_gets_authenticated_trials_wherever_it_listens() {
    let Some(hosts) = Hosts::new() else { return };
    // The first port that is asked is silent.
    let options = format!("--hmac-key {KEY} --authenticated");
    let responder = hosts.responder(&format!("10.98.0.2:20001 --json {options}"));
    let done = hosts.run(&format!(
        "doctor 10.98.0.2 --strict --hmac-key {KEY} --json"
    ));
    assert_eq!(with(&done, "fail"), []);
    assert_eq!(with(&done, "unclear"), []);
    let passed = with(&done, "pass");
    let mut each = passed.iter();
    assert!(passed.len() >= 14, "{passed:?}");
    assert!(each.all(|(id, _)| id.starts_with("strict.authenticated.")));
    drop(responder);
}

#[test]
#[cfg(feature = "control")]
fn this_programs_server_passes_every_trial() {
    let Some(hosts) = Hosts::new() else { return };
    for options in ["--strict", ""] {
        let server = hosts.listener(&format!("server 10.98.0.2:862 --json {options}"));
        let done = hosts.run("doctor 10.98.0.2 --strict --json");
        assert_eq!(with(&done, "fail"), [], "{options}");
        assert_eq!(with(&done, "unclear"), [], "{options}");
        let passed = with(&done, "pass");
        let control = |trials: &[(String, String)]| {
            let of = trials.iter().filter(|(id, _)| {
                id.starts_with("strict.control") || id.starts_with("strict.individual")
            });
            of.count()
        };
        assert!(control(&passed) >= 50, "{options}: {passed:?}");
        drop(server);
    }
}

/// With `--keys`, in each secured mode; and a key that the server has not is no fault of the server.
#[test]
#[cfg(feature = "control")]
fn this_programs_server_passes_every_trial_of_the_secured_modes() {
    let Some(hosts) = Hosts::new() else { return };
    let [right, other] = ["alice secret\n", "alice another\n"].map(key_file);
    let (right, other) = (right.path().display(), other.path().display());
    let _server = hosts.listener(&format!(
        "server 10.98.0.2:862 --mode unauthenticated,authenticated,encrypted,mixed --keys {right} --pbkdf2-count 1024"
    ));
    let done = hosts.run(&format!("doctor 10.98.0.2 --strict --keys {right} --json"));
    assert_eq!(with(&done, "fail"), []);
    assert_eq!(with(&done, "unclear"), []);
    let passed = with(&done, "pass");
    for (part, least) in [
        ("control-authenticated", 17),
        ("control-encrypted", 17),
        ("control-mixed", 17),
        ("session", 9),
        ("session-authenticated", 16),
        ("session-encrypted", 16),
    ] {
        let prefix = format!("strict.{part}.");
        let trials = passed.iter().filter(|(id, _)| id.starts_with(&prefix));
        assert!(trials.count() >= least, "{part}: {passed:?}");
    }
    let done = hosts.run(&format!("doctor 10.98.0.2 --strict --keys {other} --json"));
    assert_eq!(with(&done, "fail"), []);
    let skipped = with(&done, "skipped");
    let mut secured = skipped
        .iter()
        .filter(|(id, _)| id == "strict.control-mixed.request-hmac");
    let (_, why) = secured.next().unwrap();
    assert!(why.contains("does not let this key in"), "{why}");
}

#[test]
fn a_far_end_that_errs_fails_by_section_and_the_exit_status_says_so() {
    // It answers everything, and in the layout of STAMP.
    let far = FarEnd::answering(|request| {
        let mut request = request.to_vec();
        request.resize(request.len().max(14), 0);
        let mut reply = vec![0; 44];
        reply[..16].copy_from_slice(&[0; 16]);
        reply[13] = 1;
        reply[24..38].copy_from_slice(&request[..14]);
        reply[14..16].copy_from_slice(request.get(14..16).unwrap_or(&[0; 2]));
        reply
    });
    let done = run(&format!("doctor {} --strict --json", far.at));
    assert_eq!(done.status, 3, "{}", done.stdout);
    let failed = with(&done, "fail");
    assert!(ids(&failed).contains(&"strict.light.short"), "{failed:?}");
    let document = done.document();
    let verdict = document["verdict"].as_str().unwrap();
    let said = format!("{} failed", failed.len());
    assert!(verdict.contains("; conformance trials: "), "{verdict}");
    assert!(verdict.contains(&said), "{verdict}");
    let trial = document["strict"]
        .as_array()
        .unwrap()
        .iter()
        .find(|trial| trial["id"] == "strict.light.short")
        .unwrap();
    assert_eq!(trial["rfc"], 5357);
    assert_eq!(trial["section"], "4.1.2");
    let text = run(&format!("doctor {} --strict", far.at));
    assert_eq!(text.status, 3);
    let lines: Vec<&str> = text.stdout.lines().collect();
    let failed = "FAILED   strict.light.short (RFC 5357 section 4.1.2)";
    assert!(lines.contains(&failed), "{}", text.stdout);
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{}",
        text.stdout
    );
}

#[test]
fn a_far_end_elsewhere_needs_a_yes() {
    for far in ["192.0.2.1", "[2001:db8::1]:862"] {
        let done = run(&format!("doctor {far} --strict"));
        assert_eq!((done.status, &done.stdout[..]), (2, ""), "{far}");
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    }
    // What sends nothing needs none.
    assert_eq!(run("doctor 192.0.2.1 --strict --dry-run").status, 0);
}

#[test]
fn where_nothing_answers_all_trials_are_skipped() {
    let port = crate::program::free_port();
    let done = run(&format!("doctor 127.0.0.1:{port} --strict --json"));
    assert_eq!(done.status, 1, "{}", done.stdout);
    for status in ["pass", "fail", "unclear"] {
        assert_eq!(with(&done, status), [], "{status}");
    }
    // In text a row for each reason, not for each part.
    let text = run(&format!("doctor 127.0.0.1:{port} --strict")).stdout;
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("skipped"))
        .collect();
    assert!((1..=4).contains(&rows.len()), "{text}");
    assert!(text.contains("TWAMP Light"), "{text}");
    assert!(!text.contains("pass 0, fail 0"), "{text}");
}
