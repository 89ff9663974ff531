//! Replies and notifications of NETCONF, as RFC 6241 section 4 has them, and as xmllint reads them by its XML schema.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use twinpath_yang::netconf::{
    BadMessage, Counts, Datastores, ErrorInfo, Hello, Layer, Reply, Request, RpcError, ServerState,
    SessionState, Stream, Version, netconf_state, notification, replay_complete, schema_text,
    streams,
};
use twinpath_yang::xml::{Element, Limits, WriteOptions};
use twinpath_yang::{Children, Data, Path, Schema, Scope, Select, Value, modules, validate};

use crate::judges::is_here;
use crate::netconf_requests::{rpc, schema};
use crate::{compact, data, path};

fn reply(schema: &Schema, message: &str) -> Reply {
    match Request::parse(schema, message.as_bytes(), Version::V1_1) {
        Ok(request) => request.reply,
        Err(BadMessage::Answered { reply, .. }) => reply,
        Err(BadMessage::Ended { what }) => panic!("{what}"),
    }
}

const NC: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

#[test]
fn attributes_of_the_request_are_in_the_reply() {
    let schema = schema();
    let cases = [
        (
            format!(
                "<rpc message-id=\"101\" xmlns=\"{NC}\" xmlns:ex=\"http://example.net/content/1.0\" ex:user-id=\"fred\"><get/></rpc>"
            ),
            format!(
                "<rpc-reply xmlns=\"{NC}\" xmlns:ex=\"http://example.net/content/1.0\" message-id=\"101\" ex:user-id=\"fred\"><ok/></rpc-reply>"
            ),
        ),
        (
            format!(
                "<nc:rpc message-id=\"a&lt;&#10;&quot;\" xmlns:nc=\"{NC}\" xml:lang=\"en\"><nc:get/></nc:rpc>"
            ),
            format!(
                "<nc:rpc-reply xmlns:nc=\"{NC}\" message-id=\"a&lt;&#10;&quot;\" xml:lang=\"en\"><ok xmlns=\"{NC}\"/></nc:rpc-reply>"
            ),
        ),
        (
            format!(
                "<nc:rpc message-id=\"1\" xmlns=\"urn:other\" xmlns:nc=\"{NC}\"><nc:get/></nc:rpc>"
            ),
            format!(
                "<nc:rpc-reply xmlns=\"urn:other\" xmlns:nc=\"{NC}\" message-id=\"1\"><ok xmlns=\"{NC}\"/></nc:rpc-reply>"
            ),
        ),
        (
            format!("<rpc xmlns=\"{NC}\" a=\"b\"><get/></rpc>"),
            format!("<rpc-reply xmlns=\"{NC}\" a=\"b\"><ok/></rpc-reply>"),
        ),
        (
            "<rpc".into(),
            format!("<rpc-reply xmlns=\"{NC}\"><ok/></rpc-reply>"),
        ),
    ];
    for (message, expected) in cases {
        let text = reply(&schema, &message).ok();
        assert_eq!(text, expected);
        let root = Element::parse(text.as_bytes(), &Limits::default()).unwrap();
        assert!(root.is(NC, "rpc-reply") && root.children[0].is(NC, "ok"));
    }
}

fn error() -> RpcError {
    RpcError::new(
        Layer::Protocol,
        "lock-denied",
        "Lock failed, lock is already held",
    )
}

/// Replies and other messages of all kinds.
fn messages(schema: &Schema) -> Vec<String> {
    let reply = reply(schema, &rpc("<get/>"));
    let root = data(
        schema,
        r#"{"config:top":{"interface":[{"name":"a<b","mtu":1500}]}}"#,
    );
    let node = schema
        .action(None, schema.module_named("rock"), "rock-the-house")
        .unwrap();
    let output = schema.child(Some(node), None, "output").unwrap();
    let mut decibels = Children::new();
    decibels.insert(
        schema.child(Some(output), None, "decibels").unwrap(),
        Data::Leaf(Value::Uint(90)),
    );
    let bad = [
        "<edit-config/>",
        "<x xmlns='urn:x'/>",
        "<get><filter select='/'/></get>",
        "<edit-config><target><running/></target><config><top xmlns='http://example.com/schema/1.2/config'><interface><name>Ethernet0/0</name><mtu>25000</mtu></interface></top></config></edit-config>",
        "<action xmlns='urn:ietf:params:xml:ns:yang:1'><server xmlns='urn:example:server-farm'><name>a</name><reset/></server></action>",
        "<rock-the-house xmlns='http://example.net/rock/1.0'/>",
    ];
    let mut all = vec![
        reply.ok(),
        reply.data(schema, &root, &WriteOptions::default()),
        reply.data(schema, &Children::new(), &WriteOptions::default()),
        reply.output(schema, node, &decibels),
        reply.output(schema, node, &Children::new()),
        reply.errors(schema, &[error().with(ErrorInfo::SessionId(454)), error()]),
        reply.errors(
            schema,
            &[
                RpcError::denied(NC, "edit-config", "no"),
                RpcError::denied("urn:x", "x", "no"),
            ],
        ),
    ];
    for content in bad {
        match Request::parse(schema, rpc(content).as_bytes(), Version::V1_1) {
            Err(BadMessage::Answered { reply, errors }) => all.push(reply.errors(schema, &errors)),
            other => panic!("{content}: {other:?}"),
        }
    }
    all
}

#[test]
fn errors_as_in_rfc_6241_section_4_3() {
    let all = messages(&schema());
    let expected = [
        "<ok/>".to_owned(),
        "<data><top xmlns=\"http://example.com/schema/1.2/config\"><interface><name>a&lt;b</name><mtu>1500</mtu></interface></top></data>".into(),
        "<data/>".into(),
        "<decibels xmlns=\"http://example.net/rock/1.0\">90</decibels>".into(),
        "<ok/>".into(),
    ];
    for (message, content) in all.iter().zip(expected) {
        assert_eq!(
            *message,
            format!("<rpc-reply xmlns=\"{NC}\" message-id=\"101\">{content}</rpc-reply>")
        );
    }
    assert!(all[5].contains("<error-type>protocol</error-type><error-tag>lock-denied</error-tag><error-severity>error</error-severity><error-message xml:lang=\"en\">Lock failed, lock is already held</error-message><error-info><session-id>454</session-id></error-info></rpc-error><rpc-error>"), "{}", all[5]);
    assert!(
        all[6].contains(&format!(
            "<error-path xmlns:nc=\"{NC}\">/nc:rpc/nc:edit-config</error-path>"
        )),
        "{}",
        all[6]
    );
    let mtu = all.iter().find(|it| it.contains("25000")).unwrap();
    assert!(mtu.contains("<error-type>application</error-type><error-tag>invalid-value</error-tag><error-severity>error</error-severity><error-path xmlns:t=\"http://example.com/schema/1.2/config\">/t:top/t:interface[t:name=&apos;Ethernet0/0&apos;]/t:mtu</error-path>"), "{mtu}");
    let rock = all.last().unwrap();
    assert!(rock.contains(&format!("<error-path xmlns:rock=\"http://example.net/rock/1.0\" xmlns:nc=\"{NC}\">/nc:rpc/rock:rock-the-house/rock:zip-code</error-path>")), "{rock}");
}

/// The XML schema of RFC 6241 appendix B, with what it imports.
fn xml_schema(directory: &std::path::Path) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/xml/netconf.xsd");
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.replace("http://www.w3.org/2001/xml.xsd", "xml.xsd");
    let xml = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace"><xs:attribute name="lang" type="xs:language"/></xs:schema>"#;
    std::fs::write(directory.join("xml.xsd"), xml).unwrap();
    let file = directory.join("netconf.xsd");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn xmllint_finds_that_messages_follow_the_schema_of_rfc_6241() {
    if !is_here("xmllint") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let xsd = xml_schema(directory.path());
    let is_valid = |message: &str| {
        let file = directory.path().join("message.xml");
        std::fs::write(&file, message).unwrap();
        let output = Command::new("xmllint")
            .args(["--nonet", "--noout", "--schema"])
            .args([&xsd, &file])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let hello = Hello {
        capabilities: vec![
            "urn:ietf:params:netconf:base:1.1".into(),
            "urn:a?b=c&d=e".into(),
        ],
        session_id: Some(4),
    };
    // Elements of operations are in other schemas.
    let all = messages(&schema())
        .into_iter()
        .filter(|it| !it.contains("decibels") && !it.contains("<data"));
    for message in all.chain([hello.text()]) {
        let (is_valid, said) = is_valid(&message);
        assert!(is_valid, "{message}: {said}");
    }
    let wrong = messages(&schema())[5].replace("lock-denied", "locked");
    assert!(!is_valid(&wrong).0, "{wrong}");
}

#[test]
fn notifications_of_rfc_5277() {
    let schema = schema();
    let event = schema
        .notification(None, schema.module_named("rock"), "event")
        .unwrap();
    let mut content = Children::new();
    content.insert(
        schema.child(Some(event), None, "class").unwrap(),
        Data::Leaf(Value::String("fault".into())),
    );
    let at = "2007-07-08T00:01:00Z";
    let text = notification(
        &schema,
        at,
        &Path::root().join(event, Select::All),
        &content,
    );
    let around = |inner: &str| {
        format!(
            "<notification xmlns=\"urn:ietf:params:xml:ns:netconf:notification:1.0\"><eventTime>{at}</eventTime>{inner}</notification>"
        )
    };
    assert_eq!(
        text,
        around(
            "<event xmlns=\"http://example.net/rock/1.0\"><class xmlns=\"http://example.net/rock/1.0\">fault</class></event>"
        )
    );
    let down = path(&schema, "/example-server-farm:server[name='a']/down");
    let text = notification(&schema, at, &down, &Children::new());
    let farm = "xmlns=\"urn:example:server-farm\"";
    assert_eq!(
        text,
        around(&format!(
            "<server {farm}><name {farm}>a</name><down {farm}></down></server>"
        ))
    );
    assert_eq!(
        replay_complete(at),
        around("<replayComplete xmlns=\"urn:ietf:params:xml:ns:netmod:notification\"/>")
    );
}

pub(crate) fn server() -> Schema {
    let texts: Vec<&str> = modules::TEXTS
        .iter()
        .chain(&modules::NETCONF_TEXTS)
        .copied()
        .collect();
    let names: Vec<&str> = modules::IMPLEMENTED
        .iter()
        .chain(&modules::NETCONF_IMPLEMENTED)
        .copied()
        .collect();
    Schema::load(&texts, &names).unwrap()
}

#[test]
fn state_of_the_server() {
    let schema = server();
    let session = SessionState {
        id: 4,
        transport: "netconf-ssh",
        user: "fred",
        source_host: Some("192.0.2.1"),
        login_time: "2026-11-30T14:00:00Z",
        counts: Counts {
            in_rpcs: 1,
            ..Counts::default()
        },
    };
    let statistics = ServerState {
        start_time: "2026-11-30T13:00:00Z",
        in_sessions: 4,
        ..ServerState::default()
    };
    let capabilities = ["urn:ietf:params:netconf:base:1.1".to_owned()];
    let state = netconf_state(
        &schema,
        &capabilities,
        &Datastores::new(),
        &[session],
        &statistics,
    );
    let faults = validate(&schema, &state, Scope::All);
    let faults = crate::texts_of(&schema, &faults);
    // State of other modules is not there.
    let is_own = |it: &&String| it.starts_with("/ietf-netconf-monitoring:");
    let faults: Vec<&String> = faults.iter().filter(is_own).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let text = compact(&schema, &state);
    for part in [
        r#""capability":["urn:ietf:params:netconf:base:1.1"]"#,
        r#""datastore":[{"name":"running"},{"name":"candidate"}]"#,
        r#"{"identifier":"ietf-twamp","version":"2021-11-17","format":"ietf-netconf-monitoring:yang","namespace":"urn:ietf:params:xml:ns:yang:ietf-twamp","location":["NETCONF"]}"#,
        r#""session":[{"session-id":4,"transport":"ietf-netconf-monitoring:netconf-ssh","username":"fred","source-host":"192.0.2.1","login-time":"2026-11-30T14:00:00Z","in-rpcs":1,"#,
        r#""in-sessions":4"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let stream = Stream {
        name: "NETCONF",
        description: "all",
        replay_since: Some("2007-07-08T00:00:00Z"),
    };
    let streams = streams(&schema, &[stream]);
    assert_eq!(
        compact(&schema, &streams),
        r#"{"nc-notifications:netconf":{"streams":{"stream":[{"name":"NETCONF","description":"all","replaySupport":true,"replayLogCreationTime":"2007-07-08T00:00:00Z"}]}}}"#
    );
    let text = |name: &str, version, format| schema_text(&schema, name, version, format).is_ok();
    assert!(text("ietf-twamp", None, None));
    assert!(text("ietf-twamp", Some("2021-11-17"), Some("yang")));
    assert!(!text("ietf-twamp", Some("2021-11-18"), None));
    assert!(!text("ietf-twamp", None, Some("yin")));
    assert!(!text("other", None, None));
}
