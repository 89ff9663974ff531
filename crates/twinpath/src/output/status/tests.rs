use super::*;

fn document() -> Value {
    serde_json::json!({
        "schema": "twinpath-status-1",
        "name": "server-862",
        "command": "server",
        "version": "0.2.0",
        "process": 4_711,
        "started": "2026-11-29T12:00:00Z",
        "uptime_ns": 90_061_000_000_000_u64,
        "clock": { "synchronized": true, "error_ns": 1_500_000 },
        "receive_timestamps": { "hardware": 0, "kernel": 999, "queue": 0, "user": 1 },
        "connections": {
            "open": 3,
            "by_state": [
                { "state": "setting_up", "mode": null, "count": 1 },
                { "state": "running", "mode": "authenticated", "count": 2 },
            ],
        },
        "ports": 2,
        "sessions": {
            "open": 3,
            "left_out": 1,
            "listed": [
                {
                    "sender": "192.0.2.1:20000", "port": 18_760, "idle_ns": 100_000_000, "replies": 990, "sid": "00",
                    "state": "running", "mode": "authenticated", "dscp": 46, "received": 995, "not_answered": 5,
                },
                { "sender": "[2001:db8::1]:862", "port": 862, "idle_ns": 61_000_000_000_u64, "replies": 10, "ssid": 7, "micro_session": null },
            ],
        },
        "summary": {
            "schema": "twinpath-server-1",
            "listening": ["0.0.0.0:862", "[::]:862"],
            "reflected": 1_000,
            "timestamps": { "t3_advance_ns": 4_200 },
            "receive_drops": 4,
            "connections": { "served": 5, "refused": 0, "keys_refused": 1 },
            "sessions": { "made": 9, "expired": 1 },
            "ignored": { "too_short": 5, "not_allowed": 0, "forged": 2 },
        },
        "to_come": { "more": 1 },
    })
}

fn program(document: &Value) -> Program {
    Program::read(&document.to_string()).unwrap()
}

fn shown(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_program_is_shown_with_its_counts_and_sessions() {
    let program = program(&document());
    insta::assert_snapshot!(shown(|out| text(&program, None, out)));
}

#[test]
fn a_rate_is_that_since_the_last_time_of_the_same_process() {
    let before = program(&document());
    let mut later = document();
    later["uptime_ns"] = (90_061_000_000_000_u64 + 2_000_000_000).into();
    later["summary"]["reflected"] = 1_025.into();
    let now = program(&later);
    assert!(line(&now, Some(&before), "T").contains(" rate 12.5 "));
    assert!(shown(|out| text(&now, Some(&before), out)).contains("1025 packets, 12.5/s now"));
    for (key, value) in [("process", 4_712), ("uptime_ns", 5)] {
        let mut other = later.clone();
        other[key] = value.into();
        let line = line(&program(&other), Some(&before), "T");
        assert!(line.contains(" rate - "), "{line}");
    }
}

#[test]
fn several_programs_are_a_list() {
    let (one, mut other) = (program(&document()), program(&document()));
    other.name = "responder-20001".to_owned();
    insta::assert_snapshot!(shown(|out| list(&[&one, &other], out)));
}

#[test]
fn what_a_terminal_must_not_get_is_not_a_status() {
    let mut hostile = document();
    hostile["name"] = "a\u{1b}[2Jb".into();
    assert!(Program::read(&hostile.to_string()).is_none());
    let mut hostile = document();
    hostile["sessions"]["listed"][0]["sender"] = "\u{202e}".into();
    assert!(Program::read(&hostile.to_string()).is_none());
    let mut listening = document();
    listening["summary"]["listening"] = serde_json::json!(["\u{1b}c"]);
    listening["summary"]["ignored"] = serde_json::json!({ "a\nb": 1 });
    let text = shown(|out| text(&program(&listening), None, out));
    assert!(
        !text.contains('\u{1b}') && !text.contains("a\nb"),
        "{text:?}"
    );
    assert!(Program::read("{}").is_none() && Program::read("HTTP/1.1 400").is_none());
}

#[test]
fn a_document_that_lacks_most_is_shown_without_it() {
    let bare = program(&serde_json::json!({ "schema": SCHEMA, "name": "x" }));
    let text = shown(|out| text(&bare, None, out));
    assert!(text.contains("0 packets"), "{text}");
}

#[test]
fn documents_of_several_programs_are_one() {
    let pretty = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    let failed = [("/run/a \"b\".sock".to_owned(), "why".to_owned())];
    for documents in [vec![], vec![&*pretty], vec![&*pretty, &*pretty]] {
        let all: Value = serde_json::from_str(&json(&documents, &failed)).unwrap();
        assert_eq!(all["programs"].as_array().unwrap().len(), documents.len());
        assert!(
            all["programs"]
                .as_array()
                .unwrap()
                .iter()
                .all(|it| *it == document())
        );
        assert_eq!(all["failed"][0]["socket"], "/run/a \"b\".sock");
    }
    let line = in_one_line(&pretty);
    assert!(!line.contains('\n'));
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), document());
}

#[test]
fn times_have_two_units() {
    for (seconds, text) in [
        (0, "0 ms"),
        (59, "59.0 s"),
        (60, "1 min 0 s"),
        (3_661, "1 h 1 min"),
        (90_061, "1 d 1 h"),
    ] {
        assert_eq!(lasting(seconds * 1_000_000_000), text);
    }
}
