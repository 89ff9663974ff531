//! Alerts: what raises them, what is done, and what a restart keeps.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::{Daemon, PATIENCE, Place, entry, wait_for};
use crate::far_end::{FarEnd, now, ntp, reply};
use crate::program::{finish, free_port};

/// A far end that answers as long as it is asked to.
pub(super) fn far_end(answers: &Arc<AtomicBool>) -> FarEnd {
    let answers = Arc::clone(answers);
    FarEnd::answering(move |request| {
        if answers.load(Ordering::Relaxed) {
            reply(request, |_| [now(), now()].map(ntp))
        } else {
            // No reply of the protocol.
            Vec::new()
        }
    })
}

/// One session of intervals of half a second, with a store, and an alert that writes lines to a file.
pub(super) fn configuration(far: &FarEnd, place: &Path, more: &str) -> String {
    format!(
        "[store]
path = '{store}'

[[session]]
name = \"a\"
address = \"{at}\"
interval = \"20ms\"
timeout = \"100ms\"
report-interval = \"500ms\"
labels = {{ site = \"fra\" }}

[[alert]]
name = \"lossy\"
session = \"site=f*\"
when = \"loss > 50% for 2 of 3\"
actions = [{{ exec = [\"/bin/sh\", \"-c\", 'echo \"$0 $1 $2\" >> {file}', \"{{state}}\", \"{{session}}\", \"{{when}}\"] }}]
{more}",
        store = place.join("store").display(),
        at = far.at,
        file = place.join("lines").display(),
    )
}

fn lines(place: &Path) -> Vec<String> {
    let text = fs::read_to_string(place.join("lines")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn alarms_are_raised_and_cleared_once_also_over_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let answers = Arc::new(AtomicBool::new(true));
    let far = far_end(&answers);
    let text = configuration(&far, place.path(), "");
    let daemon = Daemon::start(&text);
    daemon.status_when(|document| super::received(document, "a") > 10);
    answers.store(false, Ordering::Relaxed);
    let raised = "raised a loss > 50% for 2 of 3";
    wait_for("it is raised", || !lines(place.path()).is_empty());
    assert_eq!(lines(place.path()), [raised]);
    let document = daemon.status_when(|document| !document["alarms"][0].is_null());
    let alarm = &document["alarms"][0];
    assert_eq!(
        (&alarm["alert"], &alarm["session"]),
        (&"lossy".into(), &"a".into())
    );
    let rows = alarm["evidence"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{document:#}");
    assert!(
        rows.iter().all(|row| row["value"].as_f64() > Some(0.5)),
        "{document:#}"
    );
    // The process has no time for anything.
    drop(daemon);
    let daemon = Daemon::start(&text);
    let document = daemon.status_when(|document| super::sent(document, "a") > 100);
    assert_eq!(
        document["alarms"][0]["since"], alarm["since"],
        "{document:#}"
    );
    assert_eq!(lines(place.path()), [raised]);
    answers.store(true, Ordering::Relaxed);
    wait_for("it is cleared", || lines(place.path()).len() > 1);
    assert_eq!(
        lines(place.path())[1..],
        ["cleared a loss > 50% for 2 of 3"]
    );
    daemon.status_when(|document| document["alarms"].as_array().is_some_and(Vec::is_empty));
    let done = daemon.stop();
    assert!(
        done.stderr.contains("alert lossy: cleared for session a"),
        "{}",
        done.stderr
    );
    assert!(
        !done.stderr.contains("alert lossy: raised"),
        "{}",
        done.stderr
    );
}

#[test]
fn nothing_is_raised_within_maintenance() {
    let place = tempfile::tempdir().unwrap();
    let far = far_end(&Arc::default());
    let window = |from: &str| {
        format!(
            "\n[[maintenance]]\nsession = \"a\"\nfrom = \"{from}\"\nto = \"2199-01-02T00:00:00Z\"\n"
        )
    };
    let during = configuration(&far, place.path(), &window("2020-01-01T00:00:00Z"));
    let mut daemon = Daemon::start(&during);
    let document = daemon.status_when(|document| super::sent(document, "a") > 150);
    assert_eq!(
        document["alarms"].as_array().map(Vec::len),
        Some(0),
        "{document:#}"
    );
    daemon.reload(&configuration(
        &far,
        place.path(),
        &window("2199-01-01T00:00:00Z"),
    ));
    daemon.status_when(|document| !document["alarms"][0].is_null());
    wait_for("it is raised", || !lines(place.path()).is_empty());
    // An alert that is not configured any more ends quietly.
    daemon.reload(&during.replace("name = \"lossy\"", "name = \"other\""));
    daemon.status_when(|document| document["alarms"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(lines(place.path()).len(), 1);
    daemon.stop();
}

#[test]
fn a_check_looks_for_programs() {
    for (program, status, said) in [
        ("/bin/echo", 0, ""),
        ("/nowhere/at/all", 2, "exec /nowhere/at/all: "),
        ("/etc/passwd", 2, "exec /etc/passwd: it is not a program"),
    ] {
        let text = format!(
            "[[alert]]\nname = \"slow\"\nwhen = \"silent\"\nactions = [{{ exec = [\"{program}\"] }}]\n"
        );
        let done = Place::of(&text).config("check");
        assert_eq!(done.status, status, "{program}: {}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
}

#[test]
fn the_cause_of_silence_is_said_where_the_network_gives_one() {
    let port = free_port();
    let text = format!(
        "[[session]]
name = \"a\"
address = \"127.0.0.1:{port}\"
interval = \"20ms\"
timeout = \"100ms\"
report-interval = \"1s\"
"
    );
    let mut daemon = Daemon::start(&text);
    let cause = |status: &Value| entry(status, "a")["measures"][0]["cause"].clone();
    let status = daemon.status_when(|status| cause(status).is_string());
    let listens = format!("nothing listens on UDP port {port} of 127.0.0.1");
    let said = cause(&status);
    assert!(said.as_str().unwrap().contains(&listens), "{said}");
    let shown = finish(daemon.command("status daemon"));
    let line = format!("No replies       session a: {listens}");
    assert!(shown.stdout.contains(&line), "{}", shown.stdout);
    let line = format!("session a: the far end does not answer: {listens}");
    daemon.process().wait_for_error(&line);
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn faults_of_alerts_are_answered_with_what_to_write() {
    let alert = |rest: &str| format!("[[alert]]\nname = \"slow\"\n{rest}\n");
    for (text, line, said) in [
        (alert(""), 1, "when is missing"),
        (
            alert("when = \"round-trip.p95 > 50\""),
            3,
            "50 has no unit: write when = \"round-trip.p95 > 50ms\"",
        ),
        (
            alert("when = \"loss > 100%\""),
            3,
            "loss is 100% at most, so the alert would never be raised",
        ),
        (alert("when = \"silent\"\nactions = [{}]"), 4, "exec"),
        (
            alert("when = \"silent\"\nactions = [{ exec = [\"page\"] }]"),
            4,
            "write the whole path of the program",
        ),
        (
            alert("when = \"silent\"\nactions = [{ exec = [\"/bin/echo\", \"{nme}\"] }]"),
            4,
            "{nme} is not known: use {alert}",
        ),
        (
            "[[maintenance]]\nfrom = \"2026-12-01T00:00:00Z\"\nto = \"2026-11-01T00:00:00Z\"\n"
                .to_owned(),
            3,
            "write a time after",
        ),
    ] {
        let place = Place::of(&text);
        let done = place.config("check");
        assert_eq!(done.status, 2, "{text}: {}", done.stderr);
        let at = format!("twinpath.toml:{line}: ");
        assert!(
            done.stderr.contains(&at) && done.stderr.contains(said),
            "{text}: {}",
            done.stderr
        );
    }
}

/// A receiver of webhooks: it answers its first two requests with 503, all others with 204.
struct Receiver {
    at: std::net::SocketAddr,
    taken: std::sync::mpsc::Receiver<(u16, String, Value)>,
}

impl Receiver {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (sender, taken) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming()) {
                let Ok(stream) = stream else { return };
                let status = if number < 2 { 503 } else { 204 };
                let (head, document) = Self::answer(stream, status);
                if sender.send((status, head, document)).is_err() {
                    return;
                }
            }
        });
        Self { at, taken }
    }

    fn answer(stream: std::net::TcpStream, status: u16) -> (String, Value) {
        use std::io::{BufRead as _, BufReader, Read as _, Write as _};

        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse().unwrap())
        });
        let mut body = vec![0; length.unwrap()];
        reader.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
        (head, serde_json::from_slice(&body).unwrap())
    }

    fn next(&self) -> (u16, String, Value) {
        self.taken.recv_timeout(PATIENCE).unwrap()
    }
}

#[test]
fn a_webhook_that_fails_is_posted_again_in_its_order() {
    let (place, api) = (tempfile::tempdir().unwrap(), free_port());
    let answers = Arc::new(AtomicBool::new(false));
    let far = far_end(&answers);
    let hook = Receiver::start();
    let alert = format!(
        "
[[alert]]
name = \"dead\"
when = \"silent for 2 of 2\"
actions = [{{ webhook = \"http://{}/hook?key=1\" }}]

[api]
listen = \"127.0.0.1:{api}\"
",
        hook.at
    );
    let daemon = Daemon::start(&configuration(&far, place.path(), &alert));
    let posts = [hook.next(), hook.next(), hook.next()];
    answers.store(true, Ordering::Relaxed);
    for (status, head, document) in &posts {
        assert!(
            head.starts_with("POST /hook?key=1 HTTP/1.1\r\n"),
            "{status}: {head}"
        );
        assert_eq!(document, &posts[0].2);
    }
    assert_eq!(
        posts.each_ref().map(|(status, ..)| *status),
        [503, 503, 204]
    );
    let document = &posts[0].2;
    for (key, value) in [
        ("schema", "twinpath-alarm-1"),
        ("alert", "dead"),
        ("state", "raised"),
        ("session", "a"),
    ] {
        assert_eq!(document[key], value, "{document:#}");
    }
    assert_eq!(
        document["evidence"].as_array().map(Vec::len),
        Some(2),
        "{document:#}"
    );
    // The link leads to a page of the session.
    let url = document["url"].as_str().unwrap();
    let path = url
        .strip_prefix(&format!("http://127.0.0.1:{api}"))
        .unwrap();
    assert!(path.starts_with("/session/a?from="), "{url}");
    let (_, _, cleared) = hook.next();
    assert_eq!(
        (&cleared["state"], &cleared["since"]),
        (&"cleared".into(), &document["since"])
    );
    let done = daemon.stop();
    assert!(done.stderr.contains("answered 503"), "{}", done.stderr);
    assert!(done.stderr.contains(": delivered"), "{}", done.stderr);
}

#[test]
fn active_alarms_are_shown_by_status_page_and_metrics() {
    let (place, api) = (tempfile::tempdir().unwrap(), free_port());
    let far = far_end(&Arc::default());
    let listen = format!("\n[api]\nlisten = \"127.0.0.1:{api}\"\n");
    let daemon = Daemon::start(&configuration(&far, place.path(), &listen));
    daemon.status_when(|document| !document["alarms"][0].is_null());
    let text = finish(daemon.command("status daemon")).stdout;
    assert!(
        text.contains("lossy: a: loss > 50% for 2 of 3, since"),
        "{text}"
    );
    let at = format!("127.0.0.1:{api}").parse().unwrap();
    let metrics = crate::metrics::scrape(at);
    let sample = "twinpath_alarms{alert=\"lossy\",target=\"a\",dscp=\"0\"} 1";
    assert!(metrics.lines().any(|line| line == sample), "{metrics}");
    crate::metrics::is_flawless(&metrics);
    for path in ["/", "/session/a"] {
        let page = crate::metrics::page(at, path);
        assert!(page.contains("loss &gt; 50% for 2 of 3"), "{page}");
    }
    daemon.stop();
}

#[test]
fn a_session_that_cannot_begin_is_silent_and_all_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let port = free_port();
    let keys = place.path().join("keys");
    let text = |address: &str, more: &str| {
        format!(
            "[[responder]]
name = \"light\"
address = \"127.0.0.1:{port}\"

[[session]]
name = \"a\"
address = \"{address}\"
interval = \"20ms\"
timeout = \"100ms\"
report-interval = \"500ms\"
classes = [0, 46]
{more}

[[alert]]
name = \"dead\"
when = \"silent for 2 of 2\"

[[alert]]
name = \"lossy\"
when = \"loss > 50%\"

[[alert]]
name = \"slow\"
when = \"round-trip.p95 > 1h\"
"
        )
    };
    let raised = |document: &Value| {
        let all = document["alarms"].as_array().cloned().unwrap_or_default();
        let all = all.iter().map(|alarm| {
            let text = |key: &str| alarm[key].to_string();
            format!("{} {}", text("alert"), text("dscp"))
        });
        let mut all: Vec<String> = all.collect();
        all.sort();
        all
    };
    let expected = ["\"dead\" 0", "\"dead\" 46", "\"lossy\" 0", "\"lossy\" 46"];
    let at = format!("127.0.0.1:{port}");
    // A name that cannot be looked up (RFC 6761 section 6.4).
    let mut daemon = Daemon::start(&text("nowhere.invalid", ""));
    daemon.status_when(|document| raised(document) == expected);
    daemon.reload(&text(&at, ""));
    daemon.status_when(|document| raised(document).is_empty());
    // A file of keys that is missing.
    let missing = format!("authenticated = true\nhmac-key-file = '{}'", keys.display());
    daemon.reload(&text(&at, &format!("protocol = \"stamp\"\n{missing}")));
    daemon.status_when(|document| raised(document) == expected);
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn a_session_that_a_server_does_not_take_is_silent() {
    let port = free_port();
    // Nothing listens there.
    let daemon = Daemon::start(&format!(
        "[[session]]
name = \"a\"
address = \"127.0.0.1:{port}\"
protocol = \"twamp\"
report-interval = \"500ms\"
paths = 2

[[alert]]
name = \"dead\"
when = \"silent\"
"
    ));
    let document = daemon.status_when(|document| !document["alarms"][1].is_null());
    let paths: Vec<_> = (0..2)
        .map(|place| document["alarms"][place]["path"].clone())
        .collect();
    assert!(
        paths.contains(&1.into()) && paths.contains(&2.into()),
        "{document:#}"
    );
    assert_eq!(daemon.stop().status, 0);
}
