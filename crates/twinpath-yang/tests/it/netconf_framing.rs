//! Messages of NETCONF in streams of octets (RFC 6242), and the first one of both sides (RFC 6241 section 8.1).

use proptest::prelude::*;

use twinpath_yang::netconf::framing::encode;
use twinpath_yang::netconf::{
    Decoder, Framing, FramingError, Hello, HelloError, ServerOptions, Version, capabilities,
};
use twinpath_yang::{Schema, modules::TEXTS};

/// All messages of a stream whose octets come in pieces of some length, and what ends it.
fn decoded(
    framing: Framing,
    stream: &[u8],
    piece: usize,
    max: usize,
) -> (Vec<String>, Option<FramingError>) {
    let mut decoder = Decoder::new(max);
    decoder.set_framing(framing);
    let mut messages = Vec::new();
    for mut octets in stream.chunks(piece) {
        loop {
            match decoder.next(&mut octets) {
                Ok(Some(message)) => messages.push(String::from_utf8_lossy(&message).into_owned()),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// The example of RFC 6242 section 4.2.
const CHUNKS: &str = "\n#4\n<rpc\n#18\n message-id=\"102\"\n\n#79\n     xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  <close-session/>\n</rpc>\n##\n";

#[test]
fn the_example_of_rfc_6242() {
    let message = "<rpc message-id=\"102\"\n     xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  <close-session/>\n</rpc>";
    for piece in 1..=CHUNKS.len() {
        let expected = (vec![message.to_owned()], None);
        assert_eq!(
            decoded(Framing::Chunked, CHUNKS.as_bytes(), piece, 1000),
            expected,
            "{piece}"
        );
    }
    let twice = CHUNKS.repeat(2);
    assert_eq!(
        decoded(Framing::Chunked, twice.as_bytes(), 7, 1000).0,
        [message, message]
    );
    assert_eq!(encode(Framing::Chunked, "<a/>"), b"\n#4\n<a/>\n##\n");
}

#[test]
fn what_is_not_a_chunk() {
    let not = |expected| FramingError::NotAChunk { expected };
    let cases = [
        ("<rpc/>]]>]]>", not("a line feed")),
        ("\n4\n", not("#")),
        ("\n##\n", not("a chunk before the end")),
        ("\n#0\n", FramingError::ChunkLength),
        ("\n#04\n", FramingError::ChunkLength),
        ("\n#4294967296\n", FramingError::ChunkLength),
        ("\n#99999999999999999999999999\n", FramingError::ChunkLength),
        ("\n#4294967295\n", FramingError::TooLarge { max: 100 }),
        ("\n#101\n", FramingError::TooLarge { max: 100 }),
        (
            "\n#60\n123456789012345678901234567890123456789012345678901234567890\n#41\n",
            FramingError::TooLarge { max: 100 },
        ),
        ("\n#4x", not("a digit or a line feed")),
        ("\n#x", not("a length or #")),
        ("\n#1\na\n##x", not("a line feed")),
        ("\n#1\na\n##\n\n#1\nb##\n", not("a line feed")),
    ];
    for (stream, error) in cases {
        for piece in [1, 3, 1000] {
            let (_, ended) = decoded(Framing::Chunked, stream.as_bytes(), piece, 100);
            assert_eq!(ended, Some(error), "{stream:?}");
        }
    }
    let mut decoder = Decoder::new(100);
    decoder.set_framing(Framing::Chunked);
    assert!(decoder.next(&mut &b"x"[..]).is_err());
    assert!(
        decoder.next(&mut &b"\n#1\na\n##\n"[..]).is_err(),
        "it stays an error"
    );
    assert!(decoder.next(&mut &b""[..]).is_err());
}

#[test]
fn messages_that_end_with_a_mark() {
    let stream = b"\n<a/>\n]]>]]>\n<b>]]></b>]]>]]>]]>]]><c";
    for piece in 1..=stream.len() {
        let (messages, error) = decoded(Framing::EndOfMessage, stream, piece, 100);
        assert_eq!(messages, ["<a/>\n", "<b>]]></b>", ""], "{piece}");
        assert_eq!(error, None);
    }
    assert_eq!(encode(Framing::EndOfMessage, "<a/>"), b"<a/>]]>]]>");
    let long = [b"<".repeat(100), b"]]>]]>".to_vec()].concat();
    assert_eq!(decoded(Framing::EndOfMessage, &long, 9, 100).0.len(), 1);
    assert_eq!(
        decoded(Framing::EndOfMessage, &long, 9, 99).1,
        Some(FramingError::TooLarge { max: 99 })
    );
}

#[test]
fn the_framing_changes_after_hello() {
    let stream = [b"<hello/>]]>]]>", CHUNKS.as_bytes()].concat();
    let mut octets = &*stream;
    let mut decoder = Decoder::default();
    assert_eq!(decoder.next(&mut octets).unwrap().unwrap(), b"<hello/>");
    assert!(!decoder.is_within_message());
    decoder.set_framing(Version::V1_1.framing());
    assert!(
        decoder
            .next(&mut octets)
            .unwrap()
            .unwrap()
            .starts_with(b"<rpc message-id=\"102\"")
    );
    assert!(octets.is_empty() && !decoder.is_within_message());
    assert_eq!(decoder.next(&mut &b"\n#5\nab"[..]), Ok(None));
    assert!(decoder.is_within_message());
}

proptest! {
    #[test]
    fn messages_survive(messages in prop::collection::vec("[a-z<>#\\n]{1,40}", 1..5), piece in 1..30_usize) {
        for framing in [Framing::Chunked, Framing::EndOfMessage] {
            let stream: Vec<u8> = messages.iter().flat_map(|it| encode(framing, it)).collect();
            let trimmed = |it: &String| match framing {
                Framing::Chunked => it.clone(),
                Framing::EndOfMessage => it.trim_start().to_owned(),
            };
            let expected: Vec<String> = messages.iter().map(trimmed).collect();
            prop_assert_eq!(decoded(framing, &stream, piece, 40), (expected, None));
        }
    }
}

const HELLO: &str = r#"<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">
     <capabilities>
       <capability>
         urn:ietf:params:netconf:base:1.1
       </capability>
       <capability>
         urn:ietf:params:netconf:capability:startup:1.0
       </capability>
       <capability>
         http://example.net/router/2.3/myfeature
       </capability>
     </capabilities>
     <session-id>4</session-id>
   </hello>"#;

#[test]
fn the_hello_of_rfc_6241_section_8_1() {
    let hello = Hello::of_server(HELLO.as_bytes()).unwrap();
    assert_eq!(hello.session_id, Some(4));
    assert_eq!(
        hello.capabilities,
        [
            "urn:ietf:params:netconf:base:1.1",
            "urn:ietf:params:netconf:capability:startup:1.0",
            "http://example.net/router/2.3/myfeature"
        ]
    );
    assert_eq!(Hello::parse(hello.text().as_bytes()), Ok(hello));
    assert_eq!(
        Hello::of_client(HELLO.as_bytes()),
        Err(HelloError::SessionId)
    );
    let client = HELLO.replace("<session-id>4</session-id>", "");
    assert!(Hello::of_client(client.as_bytes()).is_ok());
    assert_eq!(
        Hello::of_server(client.as_bytes()),
        Err(HelloError::SessionId)
    );
    let zero = HELLO.replace(">4<", ">0<");
    assert_eq!(Hello::parse(zero.as_bytes()), Err(HelloError::SessionId));
    assert_eq!(Hello::parse(b"<hello/>"), Err(HelloError::NotHello));
    assert!(matches!(
        Hello::parse(b"<hello>"),
        Err(HelloError::NotReadable(_))
    ));
}

#[test]
fn the_version_is_the_highest_of_both() {
    let hello = |all: &[&str]| Hello {
        capabilities: all
            .iter()
            .map(|it| format!("urn:ietf:params:netconf:base:{it}"))
            .collect(),
        session_id: None,
    };
    let both = hello(&["1.0", "1.1"]);
    assert_eq!(both.version(&hello(&["1.1", "1.0"])), Ok(Version::V1_1));
    assert_eq!(both.version(&hello(&["1.1?a=b"])), Ok(Version::V1_1));
    assert_eq!(both.version(&hello(&["1.0"])), Ok(Version::V1_0));
    assert_eq!(
        hello(&["1.1"]).version(&hello(&["1.0"])),
        Err(HelloError::NoVersion)
    );
    assert_eq!(both.version(&hello(&["1.2"])), Err(HelloError::NoVersion));
}

#[test]
fn capabilities_of_a_server() {
    let schema = Schema::load(&TEXTS, &["ietf-netconf-acm", "ietf-twamp"]).unwrap();
    let options = ServerOptions {
        content_id: Some("5a"),
        has_notifications: true,
    };
    let all = capabilities(&schema, options);
    assert_eq!(
        all,
        [
            "urn:ietf:params:netconf:base:1.0",
            "urn:ietf:params:netconf:base:1.1",
            "urn:ietf:params:netconf:capability:writable-running:1.0",
            "urn:ietf:params:netconf:capability:candidate:1.0",
            "urn:ietf:params:netconf:capability:confirmed-commit:1.1",
            "urn:ietf:params:netconf:capability:rollback-on-error:1.0",
            "urn:ietf:params:netconf:capability:validate:1.1",
            "urn:ietf:params:netconf:capability:with-defaults:1.0?basic-mode=explicit&also-supported=report-all,report-all-tagged,trim",
            "urn:ietf:params:netconf:capability:notification:1.0",
            "urn:ietf:params:netconf:capability:interleave:1.0",
            "urn:ietf:params:netconf:capability:yang-library:1.1?revision=2019-01-04&content-id=5a",
            "urn:ietf:params:xml:ns:yang:ietf-netconf-acm?module=ietf-netconf-acm&revision=2018-02-14",
        ]
    );
}
