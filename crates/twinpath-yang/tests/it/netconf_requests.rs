//! Requests of NETCONF, by the examples of RFC 6241, RFC 5277, RFC 6243 and RFC 7950, and what is wrong with others.

use std::time::Duration;

use twinpath_yang::netconf::{
    BadMessage, CommitOptions, Datastore, EditConfig, ErrorInfo, ErrorOption, ErrorPath, Layer,
    Operation as Rpc, Request, RpcError, Source, TestOption, Version, WithDefaults,
};
use twinpath_yang::tree::DefaultsMode;
use twinpath_yang::{Children, Operation, Schema, edit};

use crate::{compact, data};

/// Data models like those of the examples.
pub(crate) const MODULES: [&str; 3] = [
    "module config { yang-version 1.1; namespace 'http://example.com/schema/1.2/config'; prefix t; container top {
       list interface { key name; leaf name { type string; } leaf mtu { type uint16 { range 256..9192; } default 1500;
         } container address { leaf name { type string; } leaf prefix-length { type uint8; } } }
       container protocols { container ospf { list area { key name; leaf name { type string; } container interfaces {
         list interface { key name; leaf name { type string; } } } } } } } }",
    "module example-server-farm { yang-version 1.1; namespace 'urn:example:server-farm'; prefix sfarm;
       list server { key name; leaf name { type string; }
         action reset { input { leaf reset-at { type string; mandatory true; } } output { leaf reset-finished-at { type string; } } }
         notification down { leaf reason { type string; } } }
       container plain { action go; leaf x { type string; } } }",
    "module rock { yang-version 1.1; namespace 'http://example.net/rock/1.0'; prefix rock;
       rpc rock-the-house { input { leaf zip-code { type string; mandatory true; } leaf loud { type boolean; } } output { leaf decibels { type uint8; } } }
       rpc stop; notification event { leaf severity { type uint8; } leaf class { type string; } } }",
];

pub(crate) fn schema() -> Schema {
    Schema::load(&MODULES, &["config", "example-server-farm", "rock"]).unwrap()
}

pub(crate) fn rpc(content: &str) -> String {
    format!(
        "<rpc message-id=\"101\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{content}</rpc>"
    )
}

pub(crate) fn parse(schema: &Schema, content: &str) -> Rpc {
    let request = Request::parse(schema, rpc(content).as_bytes(), Version::V1_1);
    request
        .unwrap_or_else(|bad| panic!("{content}: {bad:?}"))
        .operation
}

fn place(schema: &Schema, path: &ErrorPath) -> String {
    match path {
        ErrorPath::None => "-".to_owned(),
        ErrorPath::Data(path) => path.text(schema),
        ErrorPath::Operation(namespace, name) => {
            let end = namespace.rsplit(['/', ':']).nth(1).unwrap();
            format!("{end}>{name}")
        }
    }
}

/// Tag, layer, place and information of an error.
pub(crate) fn summary(schema: &Schema, error: &RpcError) -> String {
    assert!(!error.message.is_empty());
    let mut words = vec![error.tag.to_owned()];
    words.push(match error.layer {
        Layer::Rpc => "rpc".to_owned(),
        Layer::Protocol => "protocol".to_owned(),
        Layer::Application => "application".to_owned(),
    });
    words.push(place(schema, &error.path));
    words.extend(error.info.iter().map(|info| match info {
        ErrorInfo::BadAttribute(name) => format!("@{name}"),
        ErrorInfo::BadElement(name) => format!("<{name}>"),
        ErrorInfo::BadNamespace(name) => format!("xmlns={name}"),
        ErrorInfo::SessionId(number) => format!("session {number}"),
    }));
    words.join(" ")
}

fn errors(schema: &Schema, message: &str) -> Vec<String> {
    match Request::parse(schema, message.as_bytes(), Version::V1_1) {
        Ok(request) => panic!("{message}: {:?}", request.operation),
        Err(BadMessage::Ended { what }) => panic!("{message}: {what}"),
        Err(BadMessage::Answered { errors, .. }) => {
            errors.iter().map(|it| summary(schema, it)).collect()
        }
    }
}

#[test]
fn what_is_wrong_with_messages() {
    let schema = schema();
    let cases = [
        (
            "<rpc xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'><get/></rpc>",
            "missing-attribute rpc - @message-id <rpc>",
        ),
        (
            "<rpc message-id='1'><get/></rpc>",
            "malformed-message rpc -",
        ),
        (
            "<hello xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'/>",
            "malformed-message rpc -",
        ),
        ("<rpc", "malformed-message rpc -"),
    ];
    for (message, expected) in cases {
        assert_eq!(errors(&schema, message), [expected], "{message}");
    }
    for message in [
        "<rpc",
        "<hello xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'/>",
    ] {
        let old = Request::parse(&schema, message.as_bytes(), Version::V1_0);
        assert!(matches!(old, Err(BadMessage::Ended { .. })), "{message}");
    }
}

const TOP: &str = "xmlns='http://example.com/schema/1.2/config'";
const DONE: &str = "<target><running/></target>";

#[test]
fn what_is_wrong_with_operations() {
    let schema = schema();
    let edit = |content: &str| format!("<edit-config>{DONE}{content}</edit-config>");
    let top = |content: &str| edit(&format!("<config><top {TOP}>{content}</top></config>"));
    let subscription = |content: &str| {
        format!(
            "<create-subscription xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'>{content}</create-subscription>"
        )
    };
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "operation-failed protocol -"),
        ("<get/><get/>".into(), "bad-element protocol - <get>"),
        ("<nonsense/>".into(), "operation-not-supported protocol -"),
        ("<nonsense xmlns='http://example.net/rock/1.0'/>".into(), "operation-not-supported protocol -"),
        ("<get xmlns='urn:x'/>".into(), "unknown-namespace protocol - <get> xmlns=urn:x"),
        ("<get xmlns=''/>".into(), "unknown-namespace protocol - <get> xmlns="),
        ("<get><nonsense/></get>".into(), "unknown-element protocol base>get <nonsense>"),
        ("<get><filter/><filter/></get>".into(), "bad-element protocol base>get <filter>"),
        ("<get><filter type='xpath' select='/'/></get>".into(), "bad-attribute protocol base>get @type <filter>"),
        ("<get><filter select='/'/></get>".into(), "unknown-attribute protocol base>get @select <filter>"),
        ("<get><with-defaults xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults'>all</with-defaults></get>".into(), "invalid-value protocol base>get"),
        ("<get-config/>".into(), "missing-element protocol base>get-config <source>"),
        ("<get-config><source/></get-config>".into(), "missing-element protocol base>get-config <running>"),
        ("<get-config><source><startup/></source></get-config>".into(), "unknown-element protocol base>get-config <startup>"),
        ("<get-config><source><running/><candidate/></source></get-config>".into(), "bad-element protocol base>get-config <candidate>"),
        ("<edit-config/>".into(), "missing-element protocol base>edit-config <target>"),
        (edit(""), "missing-element protocol base>edit-config <config>"),
        (edit("<url>file:///a</url>"), "missing-element protocol base>edit-config <config>"),
        (edit("<default-operation>delete</default-operation><config/>"), "invalid-value protocol base>edit-config"),
        (edit("<test-option>x</test-option><config/>"), "invalid-value protocol base>edit-config"),
        (edit("<config><other xmlns='urn:o'/></config>"), "unknown-namespace application - <other> xmlns=urn:o"),
        (top("<interface/>"), "missing-element application /config:top/interface <name>"),
        (top("<interface><name>e</name><mtu>1</mtu></interface>"), "invalid-value application /config:top/interface[name='e']/mtu"),
        (top("<nonsense/>"), "unknown-element application /config:top <nonsense>"),
        (top("<interface operation='delete'><name>e</name></interface>"), "unknown-attribute application /config:top/interface[name='e'] @operation <interface>"),
        ("<copy-config><target><running/></target><source><running/></source></copy-config>".into(), "invalid-value protocol base>copy-config"),
        ("<copy-config><target><running/></target><source><url>a</url></source></copy-config>".into(), "unknown-element protocol base>copy-config <url>"),
        ("<lock/>".into(), "missing-element protocol base>lock <target>"),
        ("<kill-session/>".into(), "missing-element protocol base>kill-session <session-id>"),
        ("<kill-session><session-id>0</session-id></kill-session>".into(), "invalid-value protocol base>kill-session"),
        ("<commit><confirm-timeout>1</confirm-timeout></commit>".into(), "missing-element protocol base>commit <confirmed>"),
        ("<commit><confirmed>yes</confirmed></commit>".into(), "invalid-value protocol base>commit"),
        ("<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>".into(), "invalid-value protocol base>commit"),
        (subscription("<stopTime>2026-01-01T00:00:00Z</stopTime>"), "missing-element protocol notification>create-subscription <startTime>"),
        (subscription("<startTime>2026-01-02T00:00:00Z</startTime><stopTime>2026-01-01T00:00:00Z</stopTime>"), "bad-element protocol notification>create-subscription <stopTime>"),
        (subscription("<startTime>today</startTime>"), "bad-element protocol notification>create-subscription <startTime>"),
        ("<get-schema xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring'/>".into(), "missing-element protocol yang>get-schema <identifier>"),
    ];
    for (content, expected) in cases {
        assert_eq!(errors(&schema, &rpc(&content)), [expected], "{content}");
    }
}

#[test]
fn what_is_wrong_with_actions() {
    let schema = schema();
    let action =
        |content: &str| format!("<action xmlns='urn:ietf:params:xml:ns:yang:1'>{content}</action>");
    let server = |content: &str| {
        action(&format!(
            "<server xmlns='urn:example:server-farm'>{content}</server>"
        ))
    };
    let plain = |content: &str| {
        action(&format!(
            "<plain xmlns='urn:example:server-farm'>{content}</plain>"
        ))
    };
    let cases = [
        (action(""), "missing-element protocol - <action>"),
        (
            action("<x xmlns='urn:x'/>"),
            "unknown-namespace protocol - <x> xmlns=urn:x",
        ),
        (
            server("<reset/>"),
            "missing-element application /example-server-farm:server <name>",
        ),
        (
            server("<name>a</name>"),
            "missing-element protocol - <server>",
        ),
        (
            server("<name>a</name><reset/>"),
            "missing-element protocol /example-server-farm:server[name='a']/reset/input/reset-at <reset-at>",
        ),
        (
            server("<name>a</name><reset/><reset/>"),
            "bad-element protocol - <reset>",
        ),
        (
            server("<name>a</name><start/>"),
            "unknown-element protocol - <start>",
        ),
        (plain("<x/>"), "bad-element protocol - <x>"),
        (
            plain("<go><a/></go>"),
            "unknown-namespace application /example-server-farm:plain/go/input <a> xmlns=",
        ),
        (
            "<rock-the-house xmlns='http://example.net/rock/1.0'/>".into(),
            "missing-element protocol /rock:rock-the-house/input/zip-code <zip-code>",
        ),
        (
            "<stop xmlns='http://example.net/rock/1.0'><a/></stop>".into(),
            "unknown-element application /rock:stop/input <a>",
        ),
    ];
    for (content, expected) in cases {
        let content = content.replace("<a/></go>", "<a xmlns=''/></go>");
        assert_eq!(errors(&schema, &rpc(&content)), [expected], "{content}");
    }
}

#[test]
fn edits_of_rfc_6241_section_7_2() {
    let schema = schema();
    let edited = |root: &Children, content: &str| {
        let Rpc::EditConfig(it) = parse(&schema, content) else {
            panic!("{content}")
        };
        edit(&schema, root, &it.nodes, it.default_operation).unwrap()
    };
    let set = format!(
        "<edit-config>{DONE}<config><top {TOP}><interface><name>Ethernet0/0</name><mtu>1500</mtu></interface></top></config></edit-config>"
    );
    let root = edited(&Children::new(), &set);
    assert_eq!(
        compact(&schema, &root),
        r#"{"config:top":{"interface":[{"name":"Ethernet0/0","mtu":1500}]}}"#
    );
    let xc = "xmlns:xc='urn:ietf:params:xml:ns:netconf:base:1.0'";
    let replace = format!(
        "<edit-config>{DONE}<config {xc}><top {TOP}><interface xc:operation='replace'><name>Ethernet0/0</name><address><name>192.0.2.4</name><prefix-length>24</prefix-length></address></interface></top></config></edit-config>"
    );
    let root = edited(&root, &replace);
    assert_eq!(
        compact(&schema, &root),
        r#"{"config:top":{"interface":[{"name":"Ethernet0/0","address":{"name":"192.0.2.4","prefix-length":24}}]}}"#
    );
    let delete = format!(
        "<edit-config>{DONE}<default-operation>none</default-operation><config {xc}><top {TOP}><interface xc:operation='delete'><name>Ethernet0/0</name></interface></top></config></edit-config>"
    );
    let root = edited(&root, &delete);
    assert_eq!(compact(&schema, &root), "{}");
    let options = format!(
        "<edit-config><target><candidate/></target><default-operation>replace</default-operation><test-option>test-only</test-option><error-option>rollback-on-error</error-option><config><top {TOP}/></config></edit-config>"
    );
    let Rpc::EditConfig(EditConfig {
        target,
        default_operation,
        test_option,
        error_option,
        ..
    }) = parse(&schema, &options)
    else {
        panic!()
    };
    assert_eq!(
        (target, default_operation),
        (Datastore::Candidate, Operation::Replace)
    );
    assert_eq!(
        (test_option, error_option),
        (Some(TestOption::TestOnly), ErrorOption::RollbackOnError)
    );
}

#[test]
fn other_operations() {
    let schema = schema();
    let parse = |content: &str| parse(&schema, content);
    let Rpc::Get(selection) = parse("<get/>") else {
        panic!()
    };
    assert_eq!((selection.filter, selection.defaults), (None, None));
    let Rpc::GetConfig { source, selection } = parse(
        "<get-config><source><candidate/></source><filter type='subtree'/><with-defaults xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults'> report-all </with-defaults></get-config>",
    ) else {
        panic!()
    };
    assert_eq!(
        (source, selection.filter),
        (Datastore::Candidate, Some(Vec::new()))
    );
    assert_eq!(
        selection.defaults,
        Some(WithDefaults::Mode(DefaultsMode::ReportAll))
    );
    let copy = parse(&format!(
        "<copy-config><target><running/></target><source><config><top {TOP}><interface><name>a</name></interface></top></config></source></copy-config>"
    ));
    let Rpc::CopyConfig {
        target: Datastore::Running,
        source: Source::Config(root),
    } = copy
    else {
        panic!()
    };
    assert_eq!(
        root,
        data(&schema, r#"{"config:top":{"interface":[{"name":"a"}]}}"#)
    );
    assert!(matches!(
        parse("<delete-config><target><candidate/></target></delete-config>"),
        Rpc::DeleteConfig
    ));
    assert!(matches!(
        parse("<lock><target><running/></target></lock>"),
        Rpc::Lock(Datastore::Running)
    ));
    assert!(matches!(
        parse("<unlock><target><candidate/></target></unlock>"),
        Rpc::Unlock(Datastore::Candidate)
    ));
    assert!(matches!(parse("<close-session/>"), Rpc::CloseSession));
    assert!(matches!(
        parse("<kill-session><session-id>4</session-id></kill-session>"),
        Rpc::KillSession(4)
    ));
    assert!(matches!(parse("<discard-changes/>"), Rpc::DiscardChanges));
    assert!(matches!(
        parse("<validate><source><candidate/></source></validate>"),
        Rpc::Validate(Source::Datastore(Datastore::Candidate))
    ));
    let Rpc::GetSchema {
        identifier,
        version,
        format,
    } = parse(
        "<get-schema xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring' xmlns:ncm='urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring'><identifier>foo</identifier><version>1.0</version><format>ncm:yang</format></get-schema>",
    )
    else {
        panic!()
    };
    assert_eq!(
        (&*identifier, version.as_deref(), format.as_deref()),
        ("foo", Some("1.0"), Some("yang"))
    );
}

#[test]
fn commits() {
    let schema = schema();
    let commit = |content: &str| {
        let Rpc::Commit(options) = parse(&schema, content) else {
            panic!("{content}")
        };
        options
    };
    assert_eq!(commit("<commit/>"), CommitOptions::default());
    let seconds = |number| Some(Duration::from_secs(number));
    assert_eq!(
        commit("<commit><confirmed/></commit>").confirmed,
        seconds(600)
    );
    assert_eq!(
        commit("<commit><confirmed/><confirm-timeout>120</confirm-timeout></commit>").confirmed,
        seconds(120)
    );
    assert_eq!(
        commit("<commit><confirmed/><persist>IQ,d4668</persist></commit>")
            .persist
            .as_deref(),
        Some("IQ,d4668")
    );
    assert_eq!(
        commit("<commit><persist-id>IQ,d4668</persist-id></commit>")
            .persist_id
            .as_deref(),
        Some("IQ,d4668")
    );
    assert!(matches!(
        parse(&schema, "<cancel-commit/>"),
        Rpc::CancelCommit { persist_id: None }
    ));
}

#[test]
fn operations_of_the_schema() {
    let schema = schema();
    let Rpc::Rpc { node, input } = parse(
        &schema,
        "<rock-the-house xmlns='http://example.net/rock/1.0'><zip-code>27606-0100</zip-code></rock-the-house>",
    ) else {
        panic!()
    };
    assert_eq!(schema.qualified_name(node), "rock:rock-the-house");
    let zip = schema
        .child(schema.child(Some(node), None, "input"), None, "zip-code")
        .unwrap();
    assert_eq!(
        input
            .get(zip)
            .and_then(|it| it.leaf())
            .and_then(|it| it.as_str()),
        Some("27606-0100")
    );
    // RFC 7950 section 7.15.3.
    let reset = "<action xmlns='urn:ietf:params:xml:ns:yang:1'><server xmlns='urn:example:server-farm'><name>apache-1</name><reset><reset-at>2014-07-29T13:42:00Z</reset-at></reset></server></action>";
    let Rpc::Action { path, input } = parse(&schema, reset) else {
        panic!()
    };
    assert_eq!(
        path.text(&schema),
        "/example-server-farm:server[name='apache-1']/reset"
    );
    assert_eq!(input.iter().count(), 1);
    let go = "<action xmlns='urn:ietf:params:xml:ns:yang:1'><plain xmlns='urn:example:server-farm'><go/></plain></action>";
    assert!(matches!(parse(&schema, go), Rpc::Action { .. }));
}
