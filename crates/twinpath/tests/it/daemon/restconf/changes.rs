//! Changes by clients (RFC 8040 sections 4.4 to 4.7), and what becomes of them.

use serde_json::json;

use super::super::{entry, is_running, received};
use super::{MEASUREMENT, Served, of_session, raw};
use crate::program::{Running, free_port, shell, twinpath};

#[test]
fn a_session_comes_changes_and_goes_and_others_go_on() {
    let served = Served::start();
    let daemon = &served.daemon;
    let before = daemon.status_when(|document| received(document, "a") > 10);
    // It is created, runs, and is in the file, whose comments stay.
    let created = served.json("PUT", &of_session("b"), &served.session("b"));
    assert_eq!(created.status, 201);
    let location = format!("/restconf{}", of_session("b"));
    assert_eq!(created.field("location"), location);
    daemon.status_when(|document| received(document, "b") > 5);
    let text = served.text();
    assert!(text.starts_with("# Changed by tests.\n[api]\n"), "{text}");
    assert!(text.contains("# loopback") && text.contains("# The first."));
    assert!(text.ends_with(&format!(
        "[[session]]\nname = \"b\"\naddress = \"127.0.0.1:{}\"\n",
        served.responder
    )));
    // Replaced, merged, and a value alone.
    let mut session = served.session("b");
    session["twinpath-measurement:session"][0]["ttl"] = json!(64);
    assert_eq!(served.json("PUT", &of_session("b"), &session).status, 204);
    let merge = json!({ "twinpath-measurement:session": [{ "name": "b", "paths": 2 }] });
    assert_eq!(served.json("PATCH", &of_session("b"), &merge).status, 204);
    let ttl = format!("{}/ttl", of_session("b"));
    let value = json!({ "twinpath-measurement:ttl": 63 });
    assert_eq!(served.json("PUT", &ttl, &value).status, 204);
    let shown = served.get(&format!("{}?content=config", of_session("b")));
    let shown = &shown.document()["twinpath-measurement:session"][0];
    assert_eq!((&shown["paths"], &shown["ttl"]), (&json!(2), &json!(63)));
    daemon
        .status_when(|document| entry(document, "b")["measures"][1]["received"].as_u64() > Some(5));
    // What it was not about went on.
    let after = daemon.status_when(|document| is_running(document, "a"));
    assert!(received(&after, "a") > received(&before, "a"));
    assert_eq!(entry(&after, "a")["measures"][0]["lost"], 0);
    // It goes, and the file is as it was.
    assert_eq!(served.ask("DELETE", &ttl, &[], "").status, 204);
    assert_eq!(served.ask("DELETE", &of_session("b"), &[], "").status, 204);
    assert_eq!(served.get(&of_session("b")).status, 404);
    let first = super::configuration(served.api, served.responder);
    assert_eq!(served.text(), first);
    daemon.status_when(|document| entry(document, "b").is_null());
}

#[test]
fn post_creates_below_a_resource_and_xml_will_do() {
    let served = Served::start();
    let created = served.json("POST", MEASUREMENT, &served.session("b"));
    assert_eq!(created.status, 201, "{created:?}");
    let location = format!("/restconf{}", of_session("b"));
    assert_eq!(created.field("location"), location);
    let again = served.json("POST", MEASUREMENT, &served.session("b"));
    assert_eq!(
        (again.status, again.error().1.as_str()),
        (409, "data-exists")
    );
    let body = format!(
        "<session xmlns=\"urn:twinpath:measurement\"><name>x y</name><address>127.0.0.1:{}</address></session>",
        served.responder
    );
    let created = served.xml("POST", MEASUREMENT, &body);
    assert_eq!(created.status, 201);
    let path = created.field("location").to_owned();
    assert!(path.ends_with("session=x%20y"), "{path}");
    let path = path.strip_prefix("/restconf").unwrap();
    assert_eq!(served.get(path).status, 200);
    let merged = body.replace("</name>", "</name><ttl>9</ttl>");
    assert_eq!(served.xml("PATCH", path, &merged).status, 204);
    let daemon = &served.daemon;
    daemon.status_when(|document| received(document, "x y") > 0);
}

#[test]
fn the_whole_configuration_is_replaced_or_merged() {
    let served = Served::start();
    let mut whole = served.get("/data?content=config").document();
    let sessions = &mut whole["ietf-restconf:data"]["twinpath-measurement:measurement"]["session"];
    sessions[0]["name"] = json!("other");
    assert_eq!(served.json("PUT", "/data", &whole).status, 204);
    let daemon = &served.daemon;
    daemon.status_when(|document| received(document, "other") > 0);
    assert_eq!(served.get(&of_session("a")).status, 404);
    assert!(served.text().contains("name = \"other\""));
    let merge = json!({ "ietf-restconf:data": { "twinpath-measurement:measurement": {
        "defaults": { "ttl": 77 },
    } } });
    assert_eq!(served.json("PATCH", "/data", &merge).status, 204);
    assert!(served.text().contains("ttl = 77"));
    daemon.status_when(|document| is_running(document, "other"));
}

#[test]
fn a_file_that_was_changed_meanwhile_is_not_overwritten() {
    let mut served = Served::start();
    assert_eq!(served.get("").status, 200);
    let text = served.text().replace("20ms", "30ms");
    std::fs::write(served.daemon.file(), &text).unwrap();
    let refused = served.json("PUT", &of_session("b"), &served.session("b"));
    assert_eq!(
        (refused.status, refused.error().1.as_str()),
        (409, "resource-denied")
    );
    assert!(refused.body.contains("SIGHUP"));
    assert_eq!(served.text(), text);
    served.daemon.reload(&text);
    let process = served.daemon.process();
    process.wait_for_error("configuration read again: 1 change");
    let created = served.json("PUT", &of_session("b"), &served.session("b"));
    assert_eq!(created.status, 201);
    assert!(served.text().starts_with(&text));
}

#[test]
fn a_change_is_made_to_its_end_when_the_client_is_gone() {
    let served = Served::start();
    assert_eq!(served.get("").status, 200);
    for number in 0..20 {
        let body = served.session(&format!("gone{number}")).to_string();
        let request = format!(
            "PUT /restconf{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yang-data+json\r\nContent-Length: {}\r\n\r\n{body}",
            of_session(&format!("gone{number}")),
            body.len()
        );
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", served.api)).unwrap();
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(number % 7));
    }
    // Whatever of it was begun, the file has what is in force.
    let last = served.json("PUT", &of_session("last"), &served.session("last"));
    assert_eq!(last.status, 201, "{last:?}");
}

/// A label is a name of what is measured: its figures go on.
#[test]
fn other_labels_begin_no_session_again() {
    let served = Served::start();
    let daemon = &served.daemon;
    let before = daemon.status_when(|document| received(document, "a") > 20);
    let metrics = || {
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        raw(served.api, request.as_bytes()).body
    };
    assert!(metrics().contains("site=\"fra\""));
    let label = json!({ "twinpath-measurement:session": [{ "name": "a", "labels": [
        { "name": "site", "value": "ber" },
    ] }] });
    let patched = served.json("PATCH", &of_session("a"), &label);
    assert_eq!(patched.status, 204, "{patched:?}");
    let after = daemon.status_when(|document| {
        is_running(document, "a") && received(document, "a") > received(&before, "a")
    });
    assert_eq!(entry(&after, "a")["measures"][0]["lost"], 0, "{after:#}");
    super::super::wait_for("label", || metrics().contains("site=\"ber\""));
    assert!(!metrics().contains("site=\"fra\""));
    let done = served.daemon.stop();
    let begun = done.stderr.matches("session a: measuring").count();
    assert_eq!(begun, 1, "{}", done.stderr);
}

/// A file that cannot be replaced keeps another from being replaced.
#[test]
fn a_change_of_several_files_is_made_in_all_or_none() {
    let place = tempfile::tempdir().unwrap();
    let (api, responder) = (free_port(), free_port());
    let directory = place.path().join("conf.d");
    std::fs::create_dir(&directory).unwrap();
    let whole = super::configuration(api, responder);
    let second = format!("[[session]]\nname = \"b\"\naddress = \"127.0.0.1:{responder}\"\n");
    let files = [("1.toml", whole.as_str()), ("2.toml", second.as_str())];
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    let mut command = twinpath("daemon --control-socket none --config");
    command.arg(&directory);
    let mut daemon = Running::spawn(command);
    daemon.wait_for_error("session b: measuring");
    let merge = json!({ "ietf-restconf:data": { "twinpath-measurement:measurement": { "session": [
        { "name": "a", "ttl": 7 }, { "name": "b", "ttl": 7 },
    ] } } });
    let patch = || {
        let body = merge.to_string();
        let request = format!(
            "PATCH /restconf/data HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/yang-data+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        raw(api, request.as_bytes())
    };
    let texts = || files.map(|(name, _)| std::fs::read_to_string(directory.join(name)).unwrap());
    if shell(&format!("chattr +i {}", directory.join("2.toml").display())).status == 0 {
        let refused = patch();
        shell(&format!("chattr -i {}", directory.join("2.toml").display()));
        assert_eq!(
            (refused.status, refused.error().1.as_str()),
            (409, "resource-denied")
        );
        assert_eq!(texts(), files.map(|(_, text)| text.to_owned()));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
    } else {
        eprintln!("skipped: no file can be made immutable here");
    }
    assert_eq!(patch().status, 204);
    assert!(texts().iter().all(|text| text.contains("ttl = 7")));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
    daemon.signal(&["TERM"]);
    assert_eq!(daemon.finish().status, 0);
}

#[test]
fn several_clients_at_once_lose_no_change() {
    let served = Served::start();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let served = &served;
            scope.spawn(move || {
                for number in 0..5 {
                    let name = format!("s{client}{number}");
                    let created = served.json("POST", MEASUREMENT, &served.session(&name));
                    assert_eq!(created.status, 201, "{created:?}");
                }
            });
        }
    });
    let shown = served
        .get(&format!("{MEASUREMENT}?content=config"))
        .document();
    let sessions = &shown["twinpath-measurement:measurement"]["session"];
    assert_eq!(sessions.as_array().unwrap().len(), 21);
    assert_eq!(served.text().matches("[[session]]").count(), 21);
}
