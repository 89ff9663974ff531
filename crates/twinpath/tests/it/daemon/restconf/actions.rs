//! Actions of sessions (RFC 8040 section 4.4.2).

use super::super::{entry, received, sent};
use super::{MEASUREMENT, Served, of_session};

#[test]
fn clear_resets_figures_and_run_now_sends_a_packet() {
    let served = Served::with(
        "
[[session]]
name = \"rare\"
address = \"127.0.0.1:9\"
interval = \"1h\"
",
    );
    let daemon = &served.daemon;
    let before = daemon.status_when(|document| received(document, "a") > 100);
    let act = |name: &str, action: &str| {
        served.ask("POST", &format!("{}/{action}", of_session(name)), &[], "")
    };
    assert_eq!(act("a", "clear").status, 204);
    let after = daemon.status_when(|document| received(document, "a") > 0);
    assert!(received(&after, "a") < received(&before, "a"), "{after:#}");
    let before = daemon.status_when(|document| entry(document, "rare")["state"] == "running");
    let before = sent(&before, "rare");
    assert_eq!(act("rare", "run-now").status, 204);
    daemon.status_when(|document| sent(document, "rare") > before);
}

#[test]
fn what_cannot_be_run_is_said() {
    let served =
        Served::with("\n[[session]]\nname = \"off\"\naddress = \"127.0.0.1:9\"\nenabled = false\n");
    let post = |path: &str, body: &str| served.ask("POST", path, &[], body);
    assert_eq!(
        post(&format!("{}/clear", of_session("none")), "").status,
        404
    );
    assert_eq!(
        post(&format!("{MEASUREMENT}/session/clear"), "").status,
        400
    );
    let off = post(&format!("{}/run-now", of_session("off")), "");
    assert_eq!(
        (off.status, off.error().1.as_str()),
        (412, "operation-failed")
    );
    let input = post(&format!("{}/clear", of_session("a")), "{}");
    assert_eq!(
        (input.status, input.error().1.as_str()),
        (400, "malformed-message")
    );
    let got = served.get(&format!("{}/clear", of_session("a")));
    assert_eq!((got.status, got.field("allow")), (405, "OPTIONS, POST"));
}
