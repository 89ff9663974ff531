//! Who may do what (RFC 8341), and what needs credentials.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tempfile::TempDir;

use super::{Answer, JSON, MEASUREMENT, Served, of_session, raw};

const ADMIN: &str = "admin-0123456789abcdef";
const GUEST: &str = "guest-0123456789abcdef";

/// A daemon with two users, and where their tokens are.
fn with_tokens(more: &str) -> (Served, TempDir) {
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens");
    fs::write(&tokens, format!("admin {ADMIN}\nguest {GUEST}\n")).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let tokens = format!("  # loopback\ntokens = \"{}\"", tokens.display());
    let served = Served::changed(|text| text.replace("  # loopback", &tokens) + more);
    (served, place)
}

fn ask(served: &Served, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    let fields = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", JSON),
    ];
    served.ask(method, path, &fields, body)
}

#[test]
fn without_credentials_no_route_reads_or_writes_anything() {
    let (served, _place) = with_tokens("");
    let before = served.text();
    let session = served.session("b").to_string();
    let paths = [
        "",
        "/data",
        MEASUREMENT,
        &of_session("a"),
        &of_session("b"),
        &format!("{}/clear", of_session("a")),
        "/operations",
        "/yang-library-version",
        "/streams/measurement/json",
        "/modules/twinpath-measurement@2026-11-30.yang",
        "/nothing",
    ];
    for path in paths {
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] {
            let fields = [("Content-Type", JSON)];
            let answer = served.ask(method, path, &fields, &session);
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
            let answer = ask(&served, "wrong-0123456789abcdef", method, path, &session);
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        }
    }
    assert_eq!(served.text(), before);
    let created = ask(&served, ADMIN, "PUT", &of_session("b"), &session);
    assert_eq!(created.status, 201);
}

#[test]
fn users_may_do_what_their_rules_say() {
    let (served, _place) = with_tokens(
        "
[[nacm.groups.group]]
name = \"admins\"
user-name = [\"admin\"]

[[nacm.groups.group]]
name = \"guests\"
user-name = [\"guest\"]

[[nacm.rule-list]]
name = \"admins\"
group = [\"admins\"]

[[nacm.rule-list.rule]]
name = \"all\"
action = \"permit\"

[[nacm.rule-list]]
name = \"guests\"
group = [\"guests\"]

[[nacm.rule-list.rule]]
name = \"no addresses\"
path = \"/twinpath-measurement:measurement/api\"
action = \"deny\"

[[nacm.rule-list.rule]]
name = \"no figures reset\"
path = \"/twinpath-measurement:measurement/session/clear\"
action = \"deny\"
",
    );
    let session = served.session("b").to_string();
    let asked = |token: &str, method: &str, path: &str| ask(&served, token, method, path, &session);
    assert_eq!(asked(ADMIN, "PUT", &of_session("b")).status, 201);
    // Reading is allowed by default, writing is not.
    let refused = asked(GUEST, "PUT", &of_session("c"));
    assert_eq!(refused.status, 400);
    let named = served.session("c").to_string();
    let refused = ask(&served, GUEST, "PUT", &of_session("c"), &named);
    assert_eq!(
        (refused.status, refused.error().1.as_str()),
        (403, "access-denied")
    );
    assert_eq!(
        ask(&served, GUEST, "DELETE", &of_session("b"), "").status,
        403
    );
    assert_eq!(ask(&served, GUEST, "GET", &of_session("b"), "").status, 200);
    // What a rule hides does not exist.
    let api = format!("{MEASUREMENT}/api/listen");
    assert_eq!(ask(&served, GUEST, "GET", &api, "").status, 404);
    assert_eq!(ask(&served, ADMIN, "GET", &api, "").status, 200);
    let whole = ask(&served, GUEST, "GET", "/data?content=config", "").document();
    let shown = &whole["ietf-restconf:data"];
    assert!(shown["twinpath-measurement:measurement"]["api"].is_null());
    assert!(shown["ietf-netconf-acm:nacm"].is_null());
    // Actions.
    let act = |token: &str, action: &str| {
        let path = format!("{}/{action}", of_session("a"));
        ask(&served, token, "POST", &path, "").status
    };
    assert_eq!(act(GUEST, "clear"), 403);
    assert_eq!(act(ADMIN, "clear"), 204);
    assert_eq!(act(GUEST, "run-now"), 204);
    let denied = ask(
        &served,
        ADMIN,
        "GET",
        "/data/ietf-netconf-acm:nacm/denied-data-writes",
        "",
    );
    let denied = &denied.document()["ietf-netconf-acm:denied-data-writes"];
    assert_eq!(denied.as_u64(), Some(2));
}

/// Other users of this host cannot have the daemon run programs or serve others.
#[test]
fn without_tokens_what_the_schema_denies_by_default_is_left_alone() {
    let served = Served::start();
    let alert = json!({ "twinpath-measurement:alert": [{
        "name": "x", "session": "*", "when": "silent",
        "actions": [{ "id": 1, "exec": ["/bin/true"] }],
    }] });
    let path = format!("{MEASUREMENT}/alert=x");
    let refused = served.json("PUT", &path, &alert);
    assert_eq!(
        (refused.status, refused.error().1.as_str()),
        (403, "access-denied")
    );
    let api = json!({ "twinpath-measurement:api": { "listen": "127.0.0.1:1" } });
    let refused = served.json("PUT", &format!("{MEASUREMENT}/api"), &api);
    assert_eq!(refused.status, 403);
    let rules = json!({ "ietf-netconf-acm:nacm": { "enable-nacm": false } });
    let refused = served.json("PUT", "/data/ietf-netconf-acm:nacm", &rules);
    assert_eq!(refused.status, 403);
    let responder = json!({ "twinpath-measurement:responder": [{
        "name": "x", "address": ["127.0.0.1:0"],
    }] });
    let refused = served.json("PUT", &format!("{MEASUREMENT}/responder=x"), &responder);
    assert_eq!(refused.status, 403);
    let listener = json!({ "ietf-twamp:server": { "admin-state": true, "server-tcp-port": 1 } });
    let twamp = "/data/ietf-twamp:twamp";
    let refused = served.json("PUT", &format!("{twamp}/server"), &listener);
    assert_eq!(refused.status, 403, "{refused:?}");
    let reflector = json!({ "ietf-twamp:session-reflector": { "refwait": 7 } });
    let refused = served.json("PUT", &format!("{twamp}/session-reflector"), &reflector);
    assert_eq!(refused.status, 403, "{refused:?}");
    let quiet = json!({ "twinpath-measurement:maintenance": [{ "id": 1 }] });
    let refused = served.json("PUT", &format!("{MEASUREMENT}/maintenance=1"), &quiet);
    assert_eq!(refused.status, 403, "{refused:?}");
    let named = json!({ "twinpath-measurement:daemon": { "name": "x" } });
    let refused = served.json("PUT", &format!("{MEASUREMENT}/daemon"), &named);
    assert_eq!(refused.status, 403, "{refused:?}");
    let mut session = served.session("b");
    session["twinpath-measurement:session"][0]["hmac-key-file"] = json!("/etc/shadow");
    session["twinpath-measurement:session"][0]["insecure-key-file"] = json!(true);
    let refused = served.json("PUT", &of_session("b"), &session);
    assert_eq!(
        (refused.status, refused.error().1.as_str()),
        (403, "access-denied")
    );
    let created = served.json("PUT", &of_session("b"), &served.session("b"));
    assert_eq!(created.status, 201);
}

/// Puts alarms of session `a` into a store, which were cleared a moment ago.
fn past_alarms(store: &std::path::Path, alerts: [&str; 2]) {
    let now = jiff::Timestamp::now();
    let ns = i64::try_from(now.as_nanosecond()).unwrap();
    let lines = alerts.map(|alert| {
        let line = json!({
            "event": "cleared", "alert": alert, "when": "silent for 1 of 1", "session": "a", "class": "be",
            "path": null, "raised_ns": ns - 9_000_000_000, "ended_ns": ns - 5_000_000_000,
        });
        format!("{line}\n")
    });
    let directory = store.join("_alarms");
    fs::create_dir(&directory).unwrap();
    let month = now.strftime("%Y-%m");
    fs::write(
        directory.join(format!("{month}.0001.jsonl")),
        lines.concat(),
    )
    .unwrap();
}

#[test]
fn the_page_and_metrics_have_what_a_user_may_read() {
    let place = tempfile::tempdir().unwrap();
    past_alarms(place.path(), ["open", "quiet"]);
    let (served, _place) = with_tokens(&format!(
        "
[store]
path = \"{}\"

[[session]]
name = \"secret\"
address = \"127.0.0.1:9\"


[[nacm.groups.group]]
name = \"guests\"
user-name = [\"guest\"]

[[nacm.rule-list]]
name = \"guests\"
group = [\"guests\"]

[[nacm.rule-list.rule]]
name = \"hidden\"
path = \"/twinpath-measurement:measurement/session[name='secret']\"
action = \"deny\"

[[nacm.rule-list.rule]]
name = \"quiet\"
path = \"/twinpath-measurement:measurement/alert[name='quiet']\"
action = \"deny\"
",
        place.path().display()
    ));
    let get = |path: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {GUEST}\r\nConnection: close\r\n\r\n"
        );
        raw(served.api, request.as_bytes())
    };
    let page = get("/");
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains(">a<") && !page.body.contains("secret"),
        "{page:?}"
    );
    assert_eq!(get("/session/secret.json").status, 404);
    let document = get("/session/a.json");
    assert_eq!(document.status, 200);
    assert!(document.body.contains("\"alert\":\"open\""), "{document:?}");
    for path in ["/session/a", "/session/a.json"] {
        assert!(!get(path).body.contains("quiet"), "{path}");
    }
    assert_eq!(get("/metrics").status, 403);
    assert_eq!(get("/healthz").status, 200);
}

/// Sessions and the server of the model of TWAMP are judged by its nodes, wherever they are shown.
#[test]
fn sessions_of_the_model_of_twamp_are_hidden_with_its_module() {
    let place = tempfile::tempdir().unwrap();
    let (served, _place) = with_tokens(&format!(
        "
[store]
path = \"{}\"

[[twamp.client.ctrl-connection]]
name = \"c\"
server-ip = \"127.0.0.1\"
server-tcp-port = 9

[[twamp.client.ctrl-connection.test-session-request]]
name = \"covert\"
reflector-ip = \"127.0.0.1\"

[[twamp.session-sender.test-session]]
name = \"covert\"
number-of-packets = 5
periodic-interval = 0.02

[[nacm.groups.group]]
name = \"guests\"
user-name = [\"guest\"]

[[nacm.rule-list]]
name = \"guests\"
group = [\"guests\"]

[[nacm.rule-list.rule]]
name = \"no TWAMP\"
module-name = \"ietf-twamp\"
access-operations = \"read\"
action = \"deny\"
",
        place.path().display()
    ));
    let get = |token: &str, path: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        raw(served.api, request.as_bytes())
    };
    assert!(get(ADMIN, "/").body.contains("covert"));
    let page = get(GUEST, "/");
    assert!(
        page.body.contains(">a<") && !page.body.contains("covert"),
        "{page:?}"
    );
    for path in ["/session/covert", "/session/covert.json"] {
        assert_eq!(get(ADMIN, path).status, 200, "{path}");
        assert_eq!(get(GUEST, path).status, 404, "{path}");
    }
    assert_eq!(get(ADMIN, "/metrics").status, 200);
    assert_eq!(get(GUEST, "/metrics").status, 403);
    assert_eq!(get(GUEST, "/session/a.json").status, 200);
}

/// The alarms of an alert name their sessions.
#[test]
fn the_state_of_an_alert_names_no_hidden_session() {
    let (served, _place) = with_tokens(
        "
[[session]]
name = \"secret\"
address = \"127.0.0.1:9\"

[[alert]]
name = \"gone\"
session = \"*\"
when = \"silent\"

[[nacm.groups.group]]
name = \"guests\"
user-name = [\"guest\"]

[[nacm.rule-list]]
name = \"guests\"
group = [\"guests\"]

[[nacm.rule-list.rule]]
name = \"hidden\"
path = \"/twinpath-measurement:measurement/session[name='secret']\"
action = \"deny\"
",
    );
    let alert = format!("{MEASUREMENT}/alert=gone");
    let until = std::time::Instant::now() + super::PATIENCE;
    loop {
        let state = ask(&served, ADMIN, "GET", &alert, "");
        if state.body.contains("secret") {
            break;
        }
        assert!(std::time::Instant::now() < until, "{state:?}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let state = ask(&served, GUEST, "GET", &alert, "");
    assert_eq!(state.status, 200);
    assert!(!state.body.contains("secret"), "{state:?}");
    let state = &state.document()["twinpath-measurement:alert"][0]["state"];
    assert_eq!(state["alarms"], 0, "{state}");
}

/// A hidden entry is answered as one that does not exist, whatever is said of it.
#[test]
fn what_is_hidden_cannot_be_guessed() {
    let (served, _place) = with_tokens(
        "
[[session]]
name = \"secret\"
address = \"127.0.0.1:9\"

[[nacm.groups.group]]
name = \"guests\"
user-name = [\"guest\"]

[[nacm.rule-list]]
name = \"guests\"
group = [\"guests\"]

[[nacm.rule-list.rule]]
name = \"hidden\"
path = \"/twinpath-measurement:measurement/session[name='secret']\"
action = \"deny\"

[[nacm.rule-list.rule]]
name = \"hidden too\"
path = \"/twinpath-measurement:measurement/session[name='absent']\"
action = \"deny\"

[[nacm.rule-list.rule]]
name = \"sessions\"
path = \"/twinpath-measurement:measurement/session\"
access-operations = \"*\"
action = \"permit\"
",
    );
    let before = served.text();
    let of = |name: &str, address: &str| json!([{ "name": name, "address": address }]);
    let asked = |method: &str, name: &str, address: &str| {
        let session = json!({ "twinpath-measurement:session": of(name, address) });
        let body = if method == "DELETE" {
            String::new()
        } else {
            session.to_string()
        };
        let path = if method == "POST" {
            MEASUREMENT.to_owned()
        } else {
            of_session(name)
        };
        let answer = ask(&served, GUEST, method, &path, &body);
        (answer.status, answer.body.replace(name, "NAME"))
    };
    for (method, status) in [("PATCH", 404), ("DELETE", 404), ("PUT", 403), ("POST", 403)] {
        let absent = asked(method, "absent", "127.0.0.1:9");
        assert_eq!(absent.0, status, "{method}: {absent:?}");
        for address in ["127.0.0.1:9", "127.0.0.1:10"] {
            assert_eq!(
                asked(method, "secret", address),
                absent,
                "{method} {address}"
            );
        }
    }
    // Within another change.
    let within = |name: &str, address: &str| {
        let body = json!({ "twinpath-measurement:measurement": { "session": of(name, address) } });
        let answer = ask(&served, GUEST, "PATCH", MEASUREMENT, &body.to_string());
        (answer.status, answer.body)
    };
    let absent = within("absent", "127.0.0.1:9");
    assert_eq!(absent.0, 403, "{absent:?}");
    assert_eq!(within("secret", "127.0.0.1:9"), absent);
    assert_eq!(within("secret", "127.0.0.1:10"), absent);
    let act = |name: &str| {
        let path = format!("{}/clear", of_session(name));
        ask(&served, GUEST, "POST", &path, "").status
    };
    assert_eq!((act("secret"), act("absent")), (404, 404));
    assert_eq!(served.text(), before);
    let created = ask(
        &served,
        GUEST,
        "PUT",
        &of_session("b"),
        &served.session("b").to_string(),
    );
    assert_eq!(created.status, 201, "{created:?}");
}
