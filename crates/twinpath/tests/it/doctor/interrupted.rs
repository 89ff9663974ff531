//! `twinpath doctor` that is interrupted (^C).

use super::checks;
use crate::program::{Running, taken_port};

#[cfg(feature = "control")]
#[test]
fn what_was_found_before_an_interrupt_is_kept() {
    use crate::secured::{keys, secured_server};

    let file = keys("noc a secret\n");
    // Each connection costs some processor time: many are left when the first of a round are over.
    let server = secured_server(&file, "--mode encrypted --pbkdf2-count 32768");
    let line = format!(
        "doctor {} --json -d --keys {}",
        server.at,
        file.path().display()
    );
    let mut running = Running::start(&line);
    running.wait_for_error("control-any-port: ");
    running.signal(&["INT"]);
    let done = running.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let document = done.document();
    let verdict = document["verdict"].as_str().unwrap();
    let begins = format!(
        "{} speaks TWAMP-Control, and nothing wrong was found",
        server.at
    );
    assert!(verdict.starts_with(&begins), "{verdict}");
    assert!(
        verdict.contains("; the examination ended early, and "),
        "{verdict}"
    );
    let command = document["command"].as_str().unwrap();
    assert!(command.starts_with("twinpath controller "), "{command}");
    let checks = checks(&done);
    // Of the round before, and of the one that was interrupted.
    for id in [
        "control.session",
        "session.numbers",
        "control.any-port",
        "control.mode.encrypted",
    ] {
        assert_eq!(checks[id].0, "ok", "{id}: {}", checks[id].1);
    }
    let (status, finding) = &checks["control.feature.ptp-timestamps"];
    assert_eq!(status, "skipped");
    // Its dialogue may have begun by then.
    let early = [
        "not made: the examination ended early",
        "interrupted before it was known",
    ];
    assert!(early.contains(&finding.as_str()), "{finding}");
    let bad = checks
        .values()
        .find(|(status, _)| status == "fail" || status == "warn");
    assert_eq!(bad, None);
}

#[test]
fn an_interrupt_before_any_answer_says_that_nothing_is_known() {
    // It takes packets and answers none.
    let (_silent, port) = taken_port();
    let mut running = Running::start(&format!("doctor 127.0.0.1:{port} --json -d"));
    running.wait_for_error("stamp");
    running.signal(&["INT"]);
    let done = running.finish();
    assert_eq!(done.status, 1, "{}", done.stderr);
    let said = format!(
        "it is not known whether 127.0.0.1:{port} answers TWAMP or STAMP: the examination ended early"
    );
    assert_eq!(done.document()["verdict"], said);
    let checks = checks(&done);
    assert_eq!(checks["reach.udp"].0, "skipped");
    let bad = checks.values().find(|(status, _)| status == "fail");
    assert_eq!(bad, None);
}

#[test]
fn an_interrupt_during_a_load_keeps_all_checks() {
    let responder = crate::program::Responder::on_loopback();
    let line = format!("doctor {} --json -d --stress 300", responder.at);
    let mut running = Running::start(&line);
    running.wait_for_error("DEBUG load");
    running.signal(&["INT"]);
    let done = running.finish();
    let document = done.document();
    let verdict = document["verdict"].as_str().unwrap();
    let ends = "; the examination ended early, during the load of --stress";
    assert!(verdict.ends_with(ends), "{verdict}");
    let checks = checks(&done);
    assert_eq!(checks["path.mtu"].0, "ok");
    assert_eq!(checks["limits.rate"].0, "unknown");
}
