//! What is refused, and how (RFC 8040 section 7).

use serde_json::json;

use super::super::{entry, received};
use super::{JSON, MEASUREMENT, Served, XML, of_session, raw};

/// Asserts the status, tag and end of the path of an error.
fn assert_error(answer: &super::Answer, status: u16, tag: &str, path: &str) {
    let error = answer.error();
    assert_eq!((error.0, error.1.as_str()), (status, tag), "{answer:?}");
    assert!(error.2.ends_with(path), "{answer:?}");
}

/// RFC 7950 section 15.
#[test]
fn what_is_wrong_with_data_is_said_with_its_status_tag_and_path() {
    let served = Served::start();
    let before = served.text();
    let with = |leaf: serde_json::Value, status: u16, tag: &str, path: &str| {
        let mut body = served.session("b");
        let entry = body["twinpath-measurement:session"][0].as_object_mut();
        entry.unwrap().extend(leaf.as_object().unwrap().clone());
        let answer = served.json("PUT", &of_session("b"), &body);
        assert_error(&answer, status, tag, path);
    };
    let of = |leaf: &str| format!("session[name='b']/{leaf}");
    with(json!({ "ttl": 256 }), 400, "invalid-value", &of("ttl"));
    with(
        json!({ "tll": 6 }),
        400,
        "unknown-element",
        "session[name='b']",
    );
    with(json!({ "group": "x" }), 409, "data-missing", &of("group"));
    with(
        json!({ "interval": "2x" }),
        400,
        "invalid-value",
        &of("interval"),
    );
    with(json!({ "name": "c" }), 400, "invalid-value", "");
    let twice = "{\"twinpath-measurement:session\":[{\"name\":\"b\",\"ttl\":1,\"ttl\":2}]}";
    let answer = served.ask("PUT", &of_session("b"), &[("Content-Type", JSON)], twice);
    // RFC 7951 is of I-JSON, whose objects have each member once (RFC 7493 section 2.3).
    assert_error(&answer, 400, "malformed-message", &of("ttl"));
    assert_eq!(served.text(), before);
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let served = Served::start();
    let get = |path: &str, status: u16, tag: &str| {
        assert_error(&served.get(path), status, tag, "");
    };
    get("/data/none:such", 404, "invalid-value");
    get(&of_session("none"), 404, "invalid-value");
    get(
        &format!("{MEASUREMENT}/session/name"),
        400,
        "missing-element",
    );
    get("/nothing", 404, "invalid-value");
    for parameters in [
        "depth=0",
        "content=none",
        "depht=1",
        "depth=1&depth=2",
        "fields=none",
        "insert=first",
    ] {
        get(&format!("{MEASUREMENT}?{parameters}"), 400, "invalid-value");
    }
    let key = json!({ "twinpath-measurement:name": "other" });
    let renamed = served.json("PUT", &format!("{}/name", of_session("a")), &key);
    assert_error(&renamed, 400, "invalid-value", "");
    let gone = served.ask("DELETE", &of_session("none"), &[], "");
    assert_error(&gone, 404, "invalid-value", "");
    let merge = json!({ "twinpath-measurement:session": [{ "name": "none", "ttl": 3 }] });
    let gone = served.json("PATCH", &of_session("none"), &merge);
    assert_error(&gone, 404, "invalid-value", "");
    let put = |fields: &[(&str, &str)], body: &str, status: u16, tag: &str| {
        let answer = served.ask("PUT", &of_session("b"), fields, body);
        assert_error(&answer, status, tag, "");
    };
    put(&[("Content-Type", JSON)], "{", 400, "malformed-message");
    put(&[], "{}", 415, "invalid-value");
    put(
        &[("Content-Type", "text/plain")],
        "{}",
        415,
        "invalid-value",
    );
}

#[test]
fn messages_say_what_to_write() {
    let served = Served::start();
    let message = |answer: &super::Answer| {
        let document: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let error = &document["ietf-restconf:errors"]["error"][0];
        error["error-message"].as_str().unwrap().to_owned()
    };
    let session = served.session("b");
    let leaf = json!({ "twinpath-measurement:interval": "5s" });
    let alert = json!({ "twinpath-measurement:alert": [{ "name": "x", "session": "a\u{200b}", "when": "silent" }] });
    for (method, path, body, status, said) in [
        (
            "PUT",
            format!("{MEASUREMENT}/alert=x"),
            &alert,
            400,
            "write a text without control characters and invisible ones",
        ),
        (
            "GET",
            format!("{MEASUREMENT}/session=a,b"),
            &leaf,
            400,
            "session: write its key: session=NAME; a comma within a key is %2C",
        ),
        (
            "POST",
            format!("{MEASUREMENT}/session"),
            &session,
            400,
            "session: POST one entry of it to /restconf/data/twinpath-measurement:measurement",
        ),
        (
            "POST",
            of_session("a"),
            &session,
            400,
            "session: POST has what is created below it: POST session to /restconf/data/twinpath-measurement:measurement, \
             or use PUT or PATCH",
        ),
        (
            "POST",
            format!("{}/name", of_session("a")),
            &leaf,
            400,
            "name: nothing is below it: use PUT for its value",
        ),
    ] {
        let answer = served.json(method, &path, body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(message(&answer).contains(said), "{answer:?}");
    }
}

#[test]
fn requests_that_are_not_admitted_have_errors_of_restconf_where_they_are_taken() {
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens");
    std::fs::write(&tokens, "alice 0123456789abcdef\n").unwrap();
    crate::program::shell(&format!("chmod 600 {}", tokens.display()));
    let line = format!("  # loopback\ntokens = \"{}\"", tokens.display());
    let guarded = Served::changed(|text| text.replace("  # loopback", &line));
    let open = Served::start();
    for (served, method, fields, status) in [
        (&guarded, "GET", &[("Accept", "*/*")][..], 401),
        (&guarded, "GET", &[], 401),
        (&open, "PATCH", &[("Origin", "http://a.example")], 403),
        (&open, "GET", &[("Host", "a.example")], 421),
    ] {
        let ask = |more: &[(&str, &str)]| {
            let fields: Vec<_> = fields.iter().chain(more).copied().collect();
            super::ask_as(served.api, method, "/restconf/data", &fields)
        };
        let answer = ask(&[]);
        assert_error(&answer, status, "access-denied", "");
        assert_eq!(answer.field("content-type"), JSON);
        let challenge = answer.field("www-authenticate");
        assert_eq!(challenge.starts_with("Bearer"), status == 401, "{answer:?}");
    }
    let answer = guarded.ask("GET", "/data", &[("Accept", XML)], "");
    assert_eq!((answer.status, answer.field("content-type")), (401, XML));
    roxmltree::Document::parse(&answer.body).unwrap();
    // A browser has a line of text, and so have other paths.
    let answer = guarded.ask("GET", "/data", &[("Accept", "text/html")], "");
    assert_eq!(answer.status, 401);
    assert!(answer.body.starts_with("send a token: "), "{answer:?}");
    let answer = super::ask_as(guarded.api, "GET", "/", &[]);
    assert!(answer.body.starts_with("send a token: "), "{answer:?}");
}

#[test]
fn methods_that_a_resource_does_not_have_are_named() {
    let served = Served::start();
    for (method, path, allowed) in [
        ("DELETE", "/data", "GET, HEAD, OPTIONS, PATCH, POST, PUT"),
        ("POST", "", "GET, HEAD, OPTIONS"),
        (
            "PUT",
            "/data/ietf-yang-library:yang-library",
            "GET, HEAD, OPTIONS",
        ),
        ("PUT", "/operations", "GET, HEAD, OPTIONS"),
        (
            "BREW",
            MEASUREMENT,
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
        ),
    ] {
        let answer = served.ask(method, path, &[], "");
        assert_eq!(answer.status, 405, "{answer:?}");
        assert_eq!(answer.field("allow"), allowed);
        assert_eq!(answer.error().1, "operation-not-supported");
        let options = served.ask("OPTIONS", path, &[], "");
        assert_eq!((options.status, options.field("allow")), (200, allowed));
    }
    let options = served.ask("OPTIONS", "/data", &[], "");
    assert!(options.field("accept-patch").contains(JSON));
}

#[test]
fn errors_are_xml_where_that_is_asked_for() {
    let served = Served::start();
    let answer = served.ask("GET", &of_session("none"), &[("Accept", XML)], "");
    assert_eq!(answer.field("content-type"), XML);
    let document = roxmltree::Document::parse(&answer.body).unwrap();
    let namespace = "urn:ietf:params:xml:ns:yang:ietf-restconf";
    assert!(document.root_element().has_tag_name((namespace, "errors")));
    let mut nodes = document.descendants();
    let tag = nodes.find(|node| node.has_tag_name((namespace, "error-tag")));
    assert_eq!(tag.and_then(|tag| tag.text()), Some("invalid-value"));
}

#[test]
fn bodies_are_bounded_and_a_thousand_bad_ones_disturb_nothing() {
    let served = Served::start();
    let head = format!(
        "PUT /restconf{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {JSON}\r\nContent-Length: 99999999\r\n\r\n",
        of_session("b")
    );
    assert_eq!(raw(served.api, head.as_bytes()).status, 413);
    let deep = "[".repeat(100_000);
    for number in 0..1_000_u32 {
        let body = match number % 4 {
            0 => deep.as_str(),
            1 => "{\"twinpath-measurement:session\":[{\"ttl\":[]}]}",
            2 => "\u{0}\u{1}",
            _ => "{\"a\":1e999}",
        };
        let fields = [("Content-Type", JSON)];
        let answer = served.ask("PUT", &of_session("b"), &fields, body);
        assert_eq!(answer.status, 400);
    }
    let daemon = &served.daemon;
    let status = daemon.status_when(|document| received(document, "a") > 10);
    assert_eq!(entry(&status, "a")["measures"][0]["lost"], 0);
}
