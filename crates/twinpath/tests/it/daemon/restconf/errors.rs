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
    assert_error(&answer, 409, "data-exists", &of("ttl"));
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
