//! Streams of notifications (RFC 8040 section 6).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::super::{PATIENCE, is_running};
use super::{Served, of_session};

/// A stream that is read line by line.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(served: &Served, path: &str) -> Self {
        assert_eq!(served.get("").status, 200);
        let mut stream = TcpStream::connect(("127.0.0.1", served.api)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET /restconf/streams/{path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = Self(BufReader::new(stream));
        assert!(stream.line().contains("200"));
        stream.until("content-type: text/event-stream");
        stream.until(": a stream of notifications");
        stream
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let many = self.0.read_line(&mut line).unwrap();
        assert!(many > 0, "the stream has ended");
        line.trim_end().to_owned()
    }

    fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.line();
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// The next notification with these texts in it.
    fn notification(&mut self, parts: [&str; 2]) -> String {
        loop {
            let data = self.until("data: ");
            if parts.iter().all(|part| data.contains(part)) {
                return data;
            }
        }
    }
}

#[test]
fn a_stream_says_what_happens() {
    let served = Served::start();
    let mut json = Stream::open(&served, "measurement/json");
    let mut xml = Stream::open(&served, "NETCONF/xml");
    let created = served.json("PUT", &of_session("b"), &served.session("b"));
    assert_eq!(created.status, 201);
    let data = json.notification(["\"running\"", "\"b\""]);
    let notification: Value = serde_json::from_str(&data).unwrap();
    let notification = &notification["ietf-restconf:notification"];
    assert!(notification["eventTime"].as_str().unwrap().ends_with('Z'));
    let event = &notification["twinpath-measurement:session-state-changed"];
    assert_eq!(
        (&event["session"], &event["to"]),
        (&"b".into(), &"running".into())
    );
    let data = xml.notification([">running<", ">b<"]);
    let document = roxmltree::Document::parse(&data).unwrap();
    let namespace = "urn:ietf:params:xml:ns:netconf:notification:1.0";
    let root = document.root_element();
    assert!(root.has_tag_name((namespace, "notification")));
    let event = root.last_element_child().unwrap();
    assert!(event.has_tag_name(("urn:twinpath:measurement", "session-state-changed")));
}

#[test]
fn what_happened_before_is_sent_to_those_that_ask() {
    let served = Served::start();
    let daemon = &served.daemon;
    daemon.status_when(|document| is_running(document, "a"));
    let mut stream = Stream::open(&served, "measurement/json?start-time=2026-01-01T00:00:00Z");
    let data = stream.notification(["\"running\"", "\"a\""]);
    let event: Value = serde_json::from_str(&data).unwrap();
    let event = &event["ietf-restconf:notification"];
    assert_eq!(
        event["twinpath-measurement:session-state-changed"]["session"],
        "a"
    );
    let get = |path: &str| {
        let answer = served.get(&format!("/streams/{path}"));
        (answer.status, answer.error().1)
    };
    let invalid = (400, "invalid-value".to_owned());
    assert_eq!(
        get("measurement/json?start-time=2090-01-01T00:00:00Z"),
        invalid
    );
    assert_eq!(get("measurement/json?start-time=yesterday"), invalid);
    assert_eq!(
        get("measurement/json?stop-time=2090-01-01T00:00:00Z"),
        invalid
    );
    assert_eq!(get("measurement/json?filter=/x"), invalid);
    assert_eq!(get("measurement/cbor").0, 404);
    let head = served.ask("HEAD", "/streams/measurement/json", &[], "");
    assert_eq!(
        (head.status, head.field("content-type")),
        (200, "text/event-stream")
    );
    // It ends where it was to stop.
    let ended = served.get(
        "/streams/measurement/json?start-time=2026-01-01T00:00:00Z&stop-time=2026-01-02T00:00:00Z",
    );
    assert_eq!(ended.status, 200);
    assert!(!ended.body.contains("data:"), "{ended:?}");
    let state = served
        .get("/data/ietf-restconf-monitoring:restconf-state/streams")
        .document();
    let streams = &state["ietf-restconf-monitoring:streams"]["stream"];
    assert_eq!(
        streams[0]["access"][0]["location"],
        "/restconf/streams/measurement/json"
    );
}

#[test]
fn streams_are_bounded_and_end_with_their_clients() {
    let served = Served::start();
    let open: Vec<Stream> = (0..64)
        .map(|_| Stream::open(&served, "measurement/json"))
        .collect();
    let more = served.get("/streams/measurement/json");
    assert_eq!(
        (more.status, more.error().1.as_str()),
        (503, "resource-denied")
    );
    assert_eq!(served.get(&of_session("a")).status, 200);
    drop(open);
    // A client that has gone leaves its place.
    let until = std::time::Instant::now() + PATIENCE;
    while served.ask("GET", "/streams/measurement/json?start-time=2026-01-01T00:00:00Z&stop-time=2026-01-02T00:00:00Z", &[], "").status != 200 {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}
