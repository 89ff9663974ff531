//! SIGHUP: only what changed is begun again.

use super::{Daemon, entry, is_running, received, sent};
use crate::program::free_port;

/// A responder and three sessions, of which one has this interval.
fn configuration(port: u16, interval_ms: u32) -> String {
    let session = |name: &str, interval_ms: u32| {
        format!(
            "[[session]]
name = \"{name}\"
address = \"127.0.0.1:{port}\"
interval = \"{interval_ms}ms\"
timeout = \"200ms\"
report-interval = \"1s\"

"
        )
    };
    let responder = format!("[[responder]]\nname = \"r\"\naddress = \"127.0.0.1:{port}\"\n\n");
    [
        responder,
        session("a", 20),
        session("b", 20),
        session("changed", interval_ms),
    ]
    .concat()
}

#[test]
fn sessions_that_a_new_configuration_does_not_change_go_on() {
    let port = free_port();
    let text = configuration(port, 20);
    let mut daemon = Daemon::start(&text);
    let before = daemon.status_when(|document| {
        ["a", "b", "changed"]
            .iter()
            .all(|name| received(document, name) > 50)
    });
    let others = text.replace("\"b\"", "\"new\"");
    daemon.reload(&others.replace("name = \"changed\"\n", "name = \"changed\"\nttl = 60\n"));
    let after = daemon.status_when(|document| {
        is_running(document, "changed")
            && received(document, "new") > 0
            && entry(document, "b").is_null()
            && sent(document, "a") > sent(&before, "a")
    });
    // It counts on from where it was, and has lost nothing.
    assert_eq!(entry(&after, "a")["measures"][0]["lost"], 0, "{after:#}");
    let replies = |document| entry(document, "r")["replies"].as_u64().unwrap();
    assert!(replies(&after) > replies(&before));
    let done = daemon.stop();
    for (name, times) in [
        ("responder r", 1),
        ("session a", 1),
        ("session changed", 2),
        ("session new", 1),
    ] {
        let said = |what: &str| done.stderr.matches(&format!("{name}: {what}")).count();
        let begun = said("measuring") + said("listening");
        assert_eq!(begun, times, "{name}: {}", done.stderr);
    }
}

#[test]
fn a_configuration_with_a_fault_changes_nothing() {
    let port = free_port();
    let text = configuration(port, 20);
    let mut daemon = Daemon::start(&text);
    let before = daemon.status_when(|document| received(document, "a") > 10);
    daemon.reload(&text.replace("interval = \"20ms\"", "interval = \"fast\""));
    let said = daemon
        .process()
        .wait_for_error("the configuration stays as it was");
    assert!(said.contains("twinpath.toml:"), "{said}");
    let after = daemon.status_when(|document| received(document, "a") > received(&before, "a"));
    assert!(is_running(&after, "changed"));
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn limits_of_a_responder_change_as_it_runs() {
    let port = free_port();
    let text = configuration(port, 20);
    let mut daemon = Daemon::start(&text);
    let before = daemon.status_when(|document| received(document, "a") > 10);
    daemon.reload(&text.replace(
        "name = \"r\"\n",
        "name = \"r\"\nallow = [\"192.0.2.0/24\"]\n",
    ));
    daemon.process().wait_for_error("responder r: changed");
    // Its counters go on, and nothing is answered from now on.
    let lost = |document: &serde_json::Value| {
        entry(document, "a")["measures"][0]["lost"]
            .as_u64()
            .unwrap_or(0)
    };
    let after = daemon.status_when(|document| lost(document) > 10);
    let replies = |document| entry(document, "r")["replies"].as_u64().unwrap();
    assert!(replies(&after) >= replies(&before));
    daemon.reload(&text);
    daemon.process().wait_for_error("responder r: changed");
    daemon.status_when(|document| received(document, "a") > received(&after, "a") + 10);
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn another_key_in_a_file_begins_the_sessions_that_have_it_again() {
    let port = free_port();
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("keys");
    let write = |key: &str| {
        std::fs::write(&keys, key).unwrap();
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&keys, owner_only).unwrap();
    };
    write(&"11".repeat(32));
    let secured = format!(
        "authenticated = true\nhmac-key-file = \"{}\"\n",
        keys.display()
    );
    let text = format!(
        "[[responder]]
name = \"r\"
address = \"127.0.0.1:{port}\"
{secured}
[[session]]
name = \"a\"
address = \"127.0.0.1:{port}\"
protocol = \"stamp\"
interval = \"20ms\"
timeout = \"200ms\"
{secured}"
    );
    let mut daemon = Daemon::start(&text);
    daemon.status_when(|document| received(document, "a") > 10);
    write(&"22".repeat(32));
    daemon.process().signal(&["HUP"]);
    daemon.process().wait_for_error("session a: measuring");
    let again = daemon.process().wait_for_error("session a: measuring");
    assert!(again.contains("1 key read"), "{again}");
    // With the old key nothing is answered.
    daemon.status_when(|document| received(document, "a") > 50);
    assert_eq!(daemon.stop().status, 0);
}
