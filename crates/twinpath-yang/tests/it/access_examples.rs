//! Access control by the examples of RFC 8341 appendix A.

use std::fs;
use std::path::Path as File;

use twinpath_yang::access::{Access, User};
use twinpath_yang::{
    Children, EditNode, Operation, Path, Schema, Scope, diff, edit, modules::TEXTS, validate,
};

use crate::access::operation;
use crate::{data, path, xml};

/// Modules like those that the examples name.
const ACME: [&str; 5] = [
    "module ietf-netconf-monitoring { yang-version 1.1; namespace 'urn:ncm'; prefix ncm;
       container netconf-state { config false; leaf x { type string; } } rpc get-schema; }",
    "module ietf-netconf { yang-version 1.1; namespace 'urn:nc'; prefix nc;
       rpc kill-session; rpc delete-config; rpc edit-config; rpc close-session; rpc lock; }",
    "module acme-netconf { yang-version 1.1; namespace 'http://example.com/ns/netconf'; prefix an;
       container acme-netconf { container config-parameters { leaf a { type string; } } leaf other { type string; } } }",
    "module acme-itf { yang-version 1.1; namespace 'http://example.com/ns/itf'; prefix ai;
       container interfaces { list interface { key name; leaf name { type string; } leaf mtu { type uint16; }
         action reset; notification down; } } }",
    "module acme-system { yang-version 1.1; namespace 'urn:sys'; prefix sys;
       notification sys-config-change; notification sys-restart; }",
];

fn acme() -> Schema {
    let texts: Vec<&str> = TEXTS.iter().chain(&ACME).copied().collect();
    let names = [
        "ietf-netconf-acm",
        "ietf-netconf-monitoring",
        "ietf-netconf",
        "acme-netconf",
        "acme-itf",
        "acme-system",
    ];
    Schema::load(&texts, &names).unwrap()
}

/// The groups of appendix A.1, with the rules of another example.
fn example(schema: &Schema, number: u8) -> Access {
    let mut root = Children::new();
    for number in [1, number] {
        let file = format!("tests/data/xml/rfc8341-{number:02}.xml");
        let file = File::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(file).unwrap();
        let more = EditNode::of_data(schema, &xml::read(schema, &text).unwrap());
        root = edit(schema, &root, &more, Operation::Merge).unwrap();
    }
    assert!(validate(schema, &root, Scope::Config).is_empty());
    Access::of(schema, &root)
}

/// The users of appendix A.1 that may do something, of one for each group and one without.
fn who(may: impl Fn(User<'_>) -> bool) -> String {
    let users = ["andy", "wilma", "guest", "fred"];
    let permitted = users.into_iter().filter(|name| may(User::named(name)));
    permitted.collect::<Vec<_>>().join(" ")
}

fn runs(schema: &Schema, access: &Access, rpc: &str) -> String {
    let (module, name) = rpc.split_once(':').unwrap();
    who(|user| access.may_run_named(schema, user, module, name).is_ok())
}

#[test]
fn appendix_a2_rules_of_modules() {
    let schema = acme();
    let access = example(&schema, 2);
    assert_eq!(access.ignored(), []);
    let state = path(&schema, "/ietf-netconf-monitoring:netconf-state/x");
    assert_eq!(
        who(|user| access.may_read(&schema, user, &state)),
        "andy wilma fred"
    );
    let nacm = path(&schema, "/ietf-netconf-acm:nacm/enable-nacm");
    assert_eq!(who(|user| access.may_read(&schema, user, &nacm)), "andy");
    assert_eq!(
        runs(&schema, &access, "ietf-netconf-monitoring:get-schema"),
        "andy wilma fred"
    );
    assert_eq!(
        runs(&schema, &access, "ietf-netconf:kill-session"),
        "andy wilma"
    );
    assert_eq!(
        runs(&schema, &access, "ietf-netconf:close-session"),
        "andy wilma guest fred"
    );
    let from = data(&schema, r#"{"acme-netconf:acme-netconf":{"other":"a"}}"#);
    let changes = diff(&schema, &from, &Children::new());
    assert_eq!(
        who(|user| access.may_change(&schema, user, &changes).is_ok()),
        "andy"
    );
}

#[test]
fn appendix_a3_rules_of_operations() {
    let schema = acme();
    let access = example(&schema, 3);
    // An rpc that the schema does not have is decided by its name.
    let without = Schema::load(&TEXTS, &["ietf-netconf-acm"]).unwrap();
    let same = example(&without, 3);
    for (rpc, users) in [
        ("ietf-netconf:kill-session", ""),
        ("ietf-netconf:delete-config", ""),
        ("ietf-netconf:edit-config", "andy wilma guest fred"),
        ("ietf-netconf:lock", "andy wilma guest fred"),
    ] {
        assert_eq!(runs(&schema, &access, rpc), users, "{rpc}");
        assert_eq!(runs(&without, &same, rpc), users, "{rpc}");
    }
}

#[test]
fn appendix_a4_rules_of_data() {
    let schema = acme();
    let access = example(&schema, 4);
    assert_eq!(access.ignored(), []);
    let root = data(
        &schema,
        r#"{"acme-netconf:acme-netconf":{"config-parameters":{"a":"1"},"other":"2"},
            "acme-itf:interfaces":{"interface":[{"name":"dummy","mtu":1},{"name":"eth0","mtu":1}]}}"#,
    );

    let may = |text: &str| {
        let changes = diff(&schema, &root, &data(&schema, text));
        who(|user| access.may_change(&schema, user, &changes).is_ok())
    };
    let rest =
        r#""acme-itf:interfaces":{"interface":[{"name":"dummy","mtu":1},{"name":"eth0","mtu":1}]}"#;
    let all = r#""acme-netconf:acme-netconf":{"config-parameters":{"a":"1"},"other":"2"}"#;
    let acme = r#""acme-netconf:acme-netconf":"#;
    assert_eq!(
        may(&format!("{{{acme}{{\"other\":\"2\"}},{rest}}}")),
        "wilma"
    );
    assert_eq!(
        may(&format!(
            "{{{acme}{{\"config-parameters\":{{\"a\":\"9\"}},\"other\":\"2\"}},{rest}}}"
        )),
        "wilma"
    );
    assert_eq!(
        may(&format!(
            "{{{acme}{{\"config-parameters\":{{\"a\":\"1\"}}}},{rest}}}"
        )),
        ""
    );
    let interfaces =
        |list: &str| format!(r#"{{{all},"acme-itf:interfaces":{{"interface":[{list}]}}}}"#);
    let eth0 = r#"{"name":"eth0","mtu":1}"#;
    assert_eq!(
        may(&interfaces(&format!(
            r#"{{"name":"dummy","mtu":9}},{eth0}"#
        ))),
        "andy wilma guest"
    );
    assert_eq!(
        may(&interfaces(&format!(r#"{{"name":"dummy"}},{eth0}"#))),
        "andy"
    );
    assert_eq!(may(&interfaces(eth0)), "andy");
    assert_eq!(
        may(&interfaces(
            r#"{"name":"dummy","mtu":1},{"name":"eth0","mtu":2}"#
        )),
        "andy"
    );
    // The action and the notification of the interface.
    let action = path(
        &schema,
        "/acme-itf:interfaces/interface[name='dummy']/reset",
    );
    assert_eq!(
        who(|user| access.may_run(&schema, user, &action).is_ok()),
        "andy wilma guest fred"
    );
    let get_schema = operation(&schema, "ietf-netconf-monitoring:get-schema");
    let fault = example(&schema, 2).may_run(&schema, User::named("guest"), &get_schema);
    assert_eq!(fault.unwrap_err().what, "get-schema: guest may not run it");
}

#[test]
fn appendix_a5_rules_of_notifications() {
    let schema = acme();
    let access = example(&schema, 5);
    let may = |path: Path| who(|user| access.may_notify(&schema, user, &path));
    let top = |name: &str| operation(&schema, name);
    assert_eq!(may(top("acme-system:sys-config-change")), "andy fred");
    assert_eq!(may(top("acme-system:sys-restart")), "andy wilma guest fred");
    assert_eq!(
        may(path(
            &schema,
            "/acme-itf:interfaces/interface[name='a']/down"
        )),
        "andy wilma guest fred"
    );
}
