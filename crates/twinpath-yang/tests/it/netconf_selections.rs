//! What NETCONF shows of a datastore: defaults as in RFC 6243 appendix A, and rules of access.

use std::time::Duration;

use twinpath_yang::access::{Access, User};
use twinpath_yang::netconf::{Context, Operation as Rpc, Request, Version};
use twinpath_yang::{Children, Schema, modules::TEXTS};

use crate::netconf_requests::rpc;
use crate::{data, module};

/// The content of `data` in a reply to `get`.
fn get(schema: &Schema, access: &Access, root: &Children, parameters: &str) -> String {
    let message = rpc(&format!("<get>{parameters}</get>"));
    let request = Request::parse(schema, message.as_bytes(), Version::V1_1).unwrap();
    let Rpc::Get(selection) = request.operation else {
        panic!("{message}")
    };
    let context = Context {
        schema,
        running: root,
        access,
        user: User::named("u"),
        session: 1,
        now: Duration::ZERO,
        at: "",
    };
    let text = selection.reply(&context, &request.reply, root);
    let begin = "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"101\">";
    let inner = text.strip_prefix(begin);
    let inner = inner.and_then(|it| it.strip_suffix("</rpc-reply>"));
    let inner = inner.unwrap_or_else(|| panic!("{text}"));
    let inner = inner.trim_start_matches("<data>");
    inner.trim_end_matches("</data>").replace("<data/>", "")
}

const INTERFACES: &str = "module example { yang-version 1.1; namespace 'http://example.com/ns/interfaces'; prefix exam;
    container interfaces { list interface { key name; leaf name { type string; } leaf mtu { type uint32; default 1500; }
      leaf status { type string; default up; config false; } } } }";

#[test]
fn defaults_as_in_rfc_6243_appendix_a3() {
    let schema = Schema::load(&[INTERFACES], &["example"]).unwrap();
    let root = data(
        &schema,
        r#"{"example:interfaces":{"interface":[{"name":"eth0","mtu":8192,"status":"up"},{"name":"eth1","status":"up"},
            {"name":"eth2","mtu":9000,"status":"not feeling so good"},{"name":"eth3","mtu":1500,"status":"waking up"}]}}"#,
    );
    let shown = |mode: &str| {
        let filter = "<filter type='subtree'><interfaces xmlns='http://example.com/ns/interfaces'/></filter>";
        let mode = format!(
            "<with-defaults xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults'>\n {mode}\n </with-defaults>"
        );
        let text = get(
            &schema,
            &Access::default(),
            &root,
            &format!("{filter}{mode}"),
        );
        let text = text.replace(
            " xmlns:wd=\"urn:ietf:params:xml:ns:netconf:default:1.0\"",
            "",
        );
        let text = text.replace(
            "<interfaces xmlns=\"http://example.com/ns/interfaces\">",
            "",
        );
        text.replace("</interfaces>", "")
    };
    let entry =
        |name: &str, leaves: &str| format!("<interface><name>{name}</name>{leaves}</interface>");
    let eth2 = entry(
        "eth2",
        "<mtu>9000</mtu><status>not feeling so good</status>",
    );
    let eth0 = entry("eth0", "<mtu>8192</mtu><status>up</status>");
    let eth3 = entry("eth3", "<mtu>1500</mtu><status>waking up</status>");
    let eth1 = entry("eth1", "<mtu>1500</mtu><status>up</status>");
    assert_eq!(shown("report-all"), format!("{eth0}{eth1}{eth2}{eth3}"));
    // What the client has set is no default, as the basic mode is `explicit`.
    let tagged = entry(
        "eth1",
        "<mtu wd:default=\"true\">1500</mtu><status>up</status>",
    );
    assert_eq!(
        shown("report-all-tagged"),
        format!("{eth0}{tagged}{eth2}{eth3}")
    );
    let trimmed = [
        entry("eth0", "<mtu>8192</mtu>"),
        entry("eth1", ""),
        eth2.clone(),
        entry("eth3", "<status>waking up</status>"),
    ];
    assert_eq!(shown("trim"), trimmed.concat());
    let bare = entry("eth1", "<status>up</status>");
    assert_eq!(shown("explicit"), format!("{eth0}{bare}{eth2}{eth3}"));
}

#[test]
fn a_filter_selects_among_what_the_user_may_read() {
    let text = module(
        "m",
        "container c { list l { key k; leaf k { type string; } leaf s { type string; default d; } leaf t { type string; } } }",
    );
    let texts: Vec<&str> = TEXTS.iter().copied().chain([&*text]).collect();
    let schema = Schema::load(&texts, &["ietf-netconf-acm", "m"]).unwrap();
    let rules = r#"{"ietf-netconf-acm:nacm":{"groups":{"group":[{"name":"g","user-name":["u"]}]},"rule-list":[{"name":"r","group":["g"],"rule":[
        {"name":"1","action":"deny","path":"/m:c/l/s"},{"name":"2","action":"deny","path":"/m:c/l[k='b']"}]}]}}"#;
    let access = Access::of(&schema, &data(&schema, rules));
    let root = data(
        &schema,
        r#"{"m:c":{"l":[{"k":"a","s":"x","t":"1"},{"k":"b","t":"2"},{"k":"c","t":"3"}]}}"#,
    );
    let shown =
        |parameters: &str| get(&schema, &access, &root, parameters).replace(" xmlns=\"urn:m\"", "");
    let filter = |content: &str| format!("<filter><c xmlns='urn:m'><l>{content}</l></c></filter>");
    let both = "<c><l><k>a</k><t>1</t></l><l><k>c</k><t>3</t></l></c>";
    assert_eq!(shown(""), both);
    assert_eq!(shown(&filter("<s>x</s>")), "");
    assert_eq!(shown(&filter("<k>b</k>")), "");
    assert_eq!(shown(&filter("<t>3</t>")), "<c><l><k>c</k><t>3</t></l></c>");
    let all = "<with-defaults xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults'>report-all</with-defaults>";
    assert_eq!(shown(all), both);
}
