//! Whole sessions of NETCONF, octet by octet.

use twinpath_yang::netconf::framing::{MAX_MESSAGE, encode};
use twinpath_yang::netconf::{
    BASE_1_0, BASE_1_1, Counts, Framing, Hello, Received, Session, Version,
};

use crate::netconf_requests::{rpc, schema, summary};

fn session() -> Session {
    Session::new(4, vec![BASE_1_0.into(), BASE_1_1.into()], MAX_MESSAGE)
}

fn hello(capability: &str) -> Vec<u8> {
    let hello = Hello {
        capabilities: vec![capability.into()],
        session_id: None,
    };
    encode(Framing::EndOfMessage, &hello.text())
}

/// What is received of octets that come in pieces, in words.
fn received(session: &mut Session, stream: &[u8], piece: usize) -> Vec<String> {
    let schema = schema();
    let mut all = Vec::new();
    for mut octets in stream.chunks(piece) {
        while let Some(received) = session.receive(&schema, &mut octets) {
            all.push(match received {
                Received::Hello { version, .. } => format!("{version:?}"),
                Received::Request(request) => {
                    let name = request.operation.own_name();
                    name.map_or_else(|| "other".into(), |(_, _, name)| name.to_owned())
                }
                Received::Refused { reply, errors } => {
                    let said = session.errors(&schema, &reply, &errors);
                    let framing = session.version().unwrap().framing();
                    assert_eq!(said, encode(framing, &reply.errors(&schema, &errors)));
                    summary(&schema, &errors[0])
                }
                Received::End(end) => format!("end: {end}"),
            });
        }
        assert!(octets.is_empty());
    }
    all
}

fn chunked(content: &str) -> Vec<u8> {
    encode(Framing::Chunked, &rpc(content))
}

#[test]
fn sessions_of_both_versions() {
    for (capability, framing) in [
        (BASE_1_0, Framing::EndOfMessage),
        (BASE_1_1, Framing::Chunked),
    ] {
        let mut stream = hello(capability);
        for content in ["<get/>", "<get><x/></get>", "<close-session/>"] {
            stream.extend(encode(framing, &rpc(content)));
        }
        let no_id = "<rpc xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'><get/></rpc>";
        stream.extend(encode(framing, no_id));
        for piece in [1, 2, 7, 100, 10_000] {
            let mut session = session();
            assert_eq!(session.version(), None);
            let said = received(&mut session, &stream, piece);
            let version = if framing == Framing::Chunked {
                "V1_1"
            } else {
                "V1_0"
            };
            let refused = "unknown-element protocol base>get <x>";
            let missing = "missing-attribute rpc - @message-id <rpc>";
            assert_eq!(
                said,
                [version, "get", refused, "close-session", missing],
                "{piece}"
            );
            let notification = session.notification("<a/>");
            assert_eq!(notification, encode(framing, "<a/>"));
            let counts = Counts {
                in_rpcs: 3,
                in_bad_rpcs: 1,
                out_rpc_errors: 2,
                out_notifications: 1,
            };
            assert_eq!(session.counts(), counts);
        }
    }
}

#[test]
fn what_ends_a_session() {
    let old = [hello(BASE_1_0), b"<rpc]]>]]><rpc/>]]>]]>".to_vec()].concat();
    let unframed = [hello(BASE_1_1), b"<rpc/>]]>]]>".to_vec(), chunked("<get/>")].concat();
    let with_id = Hello {
        capabilities: vec![BASE_1_1.into()],
        session_id: Some(1),
    };
    let with_id = [
        encode(Framing::EndOfMessage, &with_id.text()),
        chunked("<get/>"),
    ]
    .concat();
    let cases: [(Vec<u8>, &[&str]); 6] = [
        (
            encode(Framing::EndOfMessage, &rpc("<get/>")),
            &["end: the first message is not a hello"],
        ),
        (
            hello("urn:ietf:params:netconf:base:1.2"),
            &[
                "end: hello: neither urn:ietf:params:netconf:base:1.1 nor urn:ietf:params:netconf:base:1.0 on both sides",
            ],
        ),
        (
            with_id,
            &["end: hello: session-id: from servers only, a number from 1"],
        ),
        (
            unframed,
            &["V1_1", "end: not a chunk: expected a line feed"],
        ),
        (chunked("<get/>"), &[]),
        (old, &["V1_0", "end: not XML: line 1: "]),
    ];
    for (stream, expected) in cases {
        for piece in [1, 10_000] {
            let said = received(&mut session(), &stream, piece);
            assert_eq!(said.len(), expected.len(), "{said:?}");
            for (said, expected) in said.iter().zip(expected) {
                assert!(said.starts_with(expected), "{said}");
            }
        }
    }
    // In the later version such a message is answered.
    let new = [
        hello(BASE_1_1),
        encode(Framing::Chunked, "<rpc"),
        chunked("<get/>"),
    ]
    .concat();
    let said = received(&mut session(), &new, 3);
    assert_eq!(said, ["V1_1", "malformed-message rpc -", "get"]);
    assert_eq!(Version::V1_1.framing(), Framing::Chunked);
    let long = " x".repeat(600_000);
    let said = received(&mut session(), long.as_bytes(), 10_000);
    assert_eq!(said, ["end: a message of more than 1048576 octets"]);
    let mut ended = session();
    ended.end();
    assert_eq!(received(&mut ended, &new, 3), Vec::<String>::new());
}
