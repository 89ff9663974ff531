//! ietf-twamp and ietf-netconf-acm with the examples of their RFCs.

use twinpath_yang::{Kind, Scope, Value, validate};

use crate::{compact, daemon, data, path, read_all, texts_of};

/// RFC 8913 appendix A.1, in JSON.
const CLIENT: &str = r#"{"ietf-twamp:twamp":{"client":{"admin-state":true,
"mode-preference-chain":[{"priority":0,"mode":"authenticated"},{"priority":1,"mode":"unauthenticated"}],
"key-chain":[{"key-id":"KeyClient1ToRouterA","secret-key":"c2VjcmV0MQ=="},{"key-id":"KeyForRouterB","secret-key":"c2VjcmV0Mg0K"}],
"ctrl-connection":[{"name":"RouterA","client-ip":"203.0.113.1","server-ip":"203.0.113.2","control-packet-dscp":32,
"key-id":"KeyClient1ToRouterA","test-session-request":[
{"name":"Test1","sender-ip":"203.0.113.3","sender-udp-port":54000,"reflector-ip":"203.0.113.4","reflector-udp-port":55000,
"padding-length":64,"start-time":"0"},
{"name":"Test2","sender-ip":"203.0.113.1","sender-udp-port":54001,"reflector-ip":"203.0.113.2","reflector-udp-port":55001,
"padding-length":128,"start-time":"0"}]}]}}}"#;

/// RFC 8913 appendix A.2 and A.3, in JSON.
const STATE: &str = r#"{"ietf-twamp:twamp":{"server":{"admin-state":true,"servwait":1800,"control-packet-dscp":32,"count":15,
"modes":"unauthenticated authenticated","key-chain":[{"key-id":"KeyClient1ToRouterA","secret-key":"c2VjcmV0MQ=="}],
"ctrl-connection":[{"client-ip":"2001:db8:203:0:113::1","client-tcp-port":16341,"server-ip":"2001:db8:203:0:113::2",
"server-tcp-port":862,"control-packet-dscp":32,"selected-mode":"unauthenticated","key-id":"KeyClient1ToRouterA","count":15}]},
"session-sender":{"admin-state":true,"test-session":[{"name":"Test1","ctrl-connection-name":"RouterA","fill-mode":"zero",
"number-of-packets":900,"periodic-interval":"1.0","sent-packets":2,"rcv-packets":2,"last-sent-seq":1,"last-rcv-seq":1},
{"name":"Test2","ctrl-connection-name":"RouterA","fill-mode":"random","number-of-packets":900,"lambda":"1.0","max-interval":"2.0",
"sent-packets":21,"rcv-packets":21,"last-sent-seq":20,"last-rcv-seq":20}]}}}"#;

/// RFC 8341 appendix A.1 and A.3, in JSON.
const ACCESS: &str = r#"{"ietf-netconf-acm:nacm":{"enable-nacm":true,"groups":{"group":[{"name":"admin","user-name":["admin","andy"]},
{"name":"limited","user-name":["wilma","bam-bam"]},{"name":"guest","user-name":["guest","guest@example.com"]}]},
"rule-list":[{"name":"guest-acl","group":["guest"],"rule":[{"name":"deny-ncm","module-name":"ietf-netconf-monitoring",
"access-operations":"*","action":"deny","comment":"Do not allow guests any access to the NETCONF\nmonitoring information."}]},
{"name":"admin-acl","group":["admin"],"rule":[{"name":"permit-all","module-name":"*","access-operations":"*","action":"permit"}]}]}}"#;

fn joined(text: &str) -> String {
    text.replace('\n', "")
}

#[test]
fn examples_of_the_rfcs_are_valid_and_survive() {
    let schema = daemon();
    for text in [CLIENT, STATE, ACCESS] {
        let root = data(&schema, text);
        let faults = validate(&schema, &root, Scope::Config);
        assert_eq!(texts_of(&schema, &faults), [""; 0]);
        // Members come in schema order, so the texts above that have it come back.
        let written = compact(&schema, &root);
        assert_eq!(data(&schema, &written), root);
        if text != STATE {
            assert_eq!(reordered(&written), reordered(&joined(text)));
        }
    }
}

/// The characters of a text in order: equal for texts that differ in the order of members only.
fn reordered(text: &str) -> Vec<char> {
    let mut all: Vec<char> = text.chars().filter(|c| *c != '\n').collect();
    all.sort_unstable();
    all
}

#[test]
fn the_order_of_members_is_that_of_the_schema() {
    let schema = daemon();
    let root = data(
        &schema,
        r#"{"ietf-twamp:twamp":{"server":{"modes":"encrypted unauthenticated","count":15,"servwait":60},"client":{"admin-state":false}}}"#,
    );
    assert_eq!(
        compact(&schema, &root),
        r#"{"ietf-twamp:twamp":{"client":{"admin-state":false},"server":{"servwait":60,"count":15,"modes":"unauthenticated encrypted"}}}"#
    );
}

#[test]
fn defaults_apply_where_nothing_is_set() {
    let schema = daemon();
    let root = data(&schema, CLIENT);
    let request = "/ietf-twamp:twamp/client/ctrl-connection[name='RouterA']/test-session-request[name='Test1']";
    let text = |leaf: &str| {
        let path = path(&schema, &format!("{request}/{leaf}"));
        root.value(&schema, &path)
            .map(|value| schema.text(value).into_owned())
    };
    assert_eq!(text("timeout").as_deref(), Some("2"));
    assert_eq!(text("sender-udp-port").as_deref(), Some("54000"));
    assert_eq!(text("reflector-udp-port").as_deref(), Some("55000"));
    assert_eq!(text("sid"), None);
    // `repeat` is 0, so the condition of `repeat-interval` does not hold.
    assert_eq!(text("repeat").as_deref(), Some("0"));
    assert_eq!(text("repeat-interval"), None);
    let servwait = path(&schema, "/ietf-twamp:twamp/server/servwait");
    assert_eq!(
        root.value(&schema, &servwait).and_then(Value::as_u64),
        Some(900)
    );
    let rule = path(
        &schema,
        "/ietf-twamp:twamp/client/ctrl-connection[name='X']/server-tcp-port",
    );
    assert_eq!(root.value(&schema, &rule), None);
}

#[test]
fn the_condition_of_repeat_interval_is_checked() {
    let schema = daemon();
    let of = |repeat: &str| {
        let text = format!(
            r#"{{"ietf-twamp:twamp":{{"client":{{"ctrl-connection":[{{"name":"a","server-ip":"192.0.2.1","test-session-request":[{{
            "name":"t","reflector-ip":"192.0.2.2"{repeat},"repeat-interval":5}}]}}]}}}}}}"#
        );
        let root = data(&schema, &text);
        texts_of(&schema, &validate(&schema, &root, Scope::Config))
    };
    assert_eq!(of(r#","repeat":3"#), [""; 0]);
    let wrong = "/ietf-twamp:twamp/client/ctrl-connection[name='a']/test-session-request[name='t']/repeat-interval \
                 repeat-interval: not allowed here: its condition does not hold";
    assert_eq!(of(r#","repeat":0"#), [wrong]);
    assert_eq!(of(""), [wrong]);
}

#[test]
fn what_ietf_twamp_does_not_allow_is_said() {
    let schema = daemon();
    let text = r#"{"ietf-twamp:twamp":{"server":{"servwait":0,"count":"15","modes":"open","admin-state":"true","serwait":9,
        "key-chain":[{"secret-key":"c2VjcmV0MQ=="}]},
        "session-sender":{"test-session":[{"name":"a","number-of-packets":1,"periodic-interval":"0.000001"}]}}}"#;
    assert_eq!(
        texts_of(&schema, &read_all(&schema, text).unwrap_err()),
        [
            "/ietf-twamp:twamp/server/servwait servwait: 0 is not allowed: use an integer from 1 to 604800",
            "/ietf-twamp:twamp/server/count count: write a number, not a string",
            "/ietf-twamp:twamp/server/modes modes: open is not allowed: use any of unauthenticated, authenticated, encrypted, \
             unauth-test-encrypt-control, individual-session-control, reflect-octets, symmetrical-size or IKEv2Derived, \
             with blanks between them",
            "/ietf-twamp:twamp/server/admin-state admin-state: write true or false, not a string",
            "/ietf-twamp:twamp/server serwait: unknown member: did you mean servwait?",
            "/ietf-twamp:twamp/server/key-chain[1] key-chain: its key key-id is missing",
            "/ietf-twamp:twamp/session-sender/test-session[name='a']/periodic-interval periodic-interval: 0.000001 is not allowed: \
             use a number with up to 5 digits after the point",
        ]
    );
}

#[test]
fn extensions_and_features_are_kept() {
    let schema = daemon();
    let nacm = path(&schema, "/ietf-netconf-acm:nacm").node().unwrap();
    let node = schema.node(nacm);
    assert_eq!(
        node.extension("ietf-netconf-acm", "default-deny-all"),
        Some(None)
    );
    assert_eq!(
        node.extension("ietf-netconf-acm", "default-deny-write"),
        None
    );
    let twamp = schema.module(schema.module_named("ietf-twamp").unwrap());
    let features: Vec<&str> = twamp.features.iter().map(|it| &*it.name).collect();
    assert_eq!(
        features,
        [
            "control-client",
            "server",
            "session-sender",
            "session-reflector"
        ]
    );
    assert_eq!(twamp.revision.as_deref(), Some("2021-11-17"));
    let acm = schema.module(schema.module_named("ietf-netconf-acm").unwrap());
    assert_eq!(acm.revision.as_deref(), Some("2018-02-14"));
    let rules = path(&schema, "/ietf-netconf-acm:nacm/rule-list")
        .node()
        .unwrap();
    assert!(schema.node(rules).list().unwrap().user_ordered);
}

#[test]
fn nodes_of_features_that_are_not_supported_do_not_exist() {
    let texts = twinpath_yang::modules::TEXTS;
    let schema =
        twinpath_yang::Schema::load_with_features(&texts, &["ietf-twamp"], |_, feature| {
            feature == "server"
        })
        .unwrap();
    let twamp = path(&schema, "/ietf-twamp:twamp").node();
    let names: Vec<&str> = schema
        .data_children(twamp)
        .iter()
        .map(|id| &*schema.node(*id).name)
        .collect();
    assert_eq!(names, ["server"]);
    assert!(matches!(
        schema.node(twamp.unwrap()).kind,
        Kind::Container { presence: false }
    ));
    assert_eq!(schema.top().len(), 1, "ietf-netconf-acm is imported only");
}
