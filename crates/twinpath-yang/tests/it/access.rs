//! Access control (RFC 8341): what users may read, run and receive.

use twinpath_yang::access::{Access, Counters, User};
use twinpath_yang::{Children, Path, Schema, Scope, Select, modules::TEXTS, validate};

use crate::{compact, data, path};

/// The RPC or notification at the top with a name.
pub(crate) fn operation(schema: &Schema, name: &str) -> Path {
    let (module, name) = name.split_once(':').unwrap();
    let module = schema.module_named(module);
    let found = schema.action(None, module, name);
    let found = found.or_else(|| schema.notification(None, module, name));
    Path::root().join(found.unwrap(), Select::All)
}

const MODULE: &str = "
    import ietf-netconf-acm { prefix nacm; }
    rpc open; rpc shut { nacm:default-deny-all; } notification seen; notification secret { nacm:default-deny-all; }
    container c {
      leaf a { type string; }
      leaf w { nacm:default-deny-write; type string; }
      container s { nacm:default-deny-all; leaf x { type string; } action go; }
      leaf-list v { type string; }
      list l { key 'k m'; leaf k { type string; } leaf m { type string; } leaf y { type string; }
        list in { key i; leaf i { type string; } leaf z { type string; } } action go; notification up; }
      choice ch { leaf one { type string; } container two { leaf b { type string; } } }
      container p { presence 'it is'; }
      list n { config false; leaf q { type string; } }
    }";

pub(crate) fn schema() -> Schema {
    let text = crate::module("m", MODULE);
    let texts: Vec<&str> = TEXTS.iter().copied().chain([&*text]).collect();
    Schema::load(&texts, &["ietf-netconf-acm", "m"]).unwrap()
}

/// The group `g` has user `u`; `rules` are of its one rule-list; `more` are leaves of `nacm`.
pub(crate) fn nacm(more: &str, rules: &str) -> String {
    format!(
        r#"{{"ietf-netconf-acm:nacm":{{{more}"groups":{{"group":[{{"name":"g","user-name":["u"]}}]}},"rule-list":[{{"name":"r","group":["g"],"rule":[{rules}]}}]}}}}"#
    )
}

pub(crate) fn access(schema: &Schema, more: &str, rules: &str) -> Access {
    Access::of(schema, &data(schema, &nacm(more, rules)))
}

/// A rule with its leaves.
pub(crate) fn rule(name: u8, action: &str, more: &str) -> String {
    format!(r#"{{"name":"{name}","action":"{action}"{more}}}"#)
}

pub(crate) const U: User<'static> = User {
    name: Some("u"),
    groups: &[],
};

pub(crate) const DATA: &str = r#"{"m:c":{"a":"1","w":"1","s":{"x":"1"},"v":["p","q"],
    "l":[{"k":"1","m":"u","y":"1","in":[{"i":"1","z":"1"}]},{"k":"2","m":"b","y":"2"}],"one":"1","p":{},"n":[{"q":"1"},{"q":"2"}]}}"#;

#[test]
fn what_is_shown() {
    let schema = schema();
    let root = data(&schema, DATA);
    let all = r#"{"m:c":{"a":"1","w":"1","v":["p","q"],"l":[{"k":"1","m":"u","y":"1","in":[{"i":"1","z":"1"}]},{"k":"2","m":"b","y":"2"}],"one":"1","p":{},"n":[{"q":"1"},{"q":"2"}]}}"#;
    let path = |path: &str| format!(r#","path":"{path}""#);
    let deny = |text: &str| rule(1, "deny", &path(text));
    let permit = |text: &str| rule(1, "permit", &path(text));
    let cases = [
        ("", String::new(), all.to_owned()),
        ("", permit("/m:c/s"), all.replace(r#""v":"#, r#""s":{"x":"1"},"v":"#)),
        // What is below a node that is not permitted is left out too.
        (r#""read-default":"deny","#, permit("/m:c/a"), "{}".to_owned()),
        (r#""read-default":"deny","#, permit("/"), all.replace(r#""v":"#, r#""s":{"x":"1"},"v":"#)),
        ("", deny("/m:c/v[.='p']"), all.replace(r#""p","#, "")),
        ("", deny("/m:c/v"), all.replace(r#""v":["p","q"],"#, "")),
        ("", deny("/m:c/l[k='1']"), all.replace(r#"{"k":"1","m":"u","y":"1","in":[{"i":"1","z":"1"}]},"#, "")),
        ("", deny("/m:c/l[m=$USER]"), all.replace(r#"{"k":"1","m":"u","y":"1","in":[{"i":"1","z":"1"}]},"#, "")),
        ("", deny("/m:c/l[m='$USER']"), all.to_owned()),
        ("", deny("/m:c/l/y"), all.replace(r#","y":"1""#, "").replace(r#","y":"2""#, "")),
        ("", deny("/m:c/l/in/z"), all.replace(r#","z":"1""#, "")),
        // An entry without its key is none.
        ("", deny("/m:c/l/m"), all.replace(r#""l":[{"k":"1","m":"u","y":"1","in":[{"i":"1","z":"1"}]},{"k":"2","m":"b","y":"2"}],"#, "")),
        ("", deny("/m:c/l[k='2']/m"), all.replace(r#",{"k":"2","m":"b","y":"2"}"#, "")),
        ("", deny("/m:c/n[1]"), all.replace(r#"{"q":"1"},"#, "")),
        ("", deny("/m:c/p"), all.replace(r#""p":{},"#, "")),
        ("", rule(1, "deny", r#","module-name":"m""#), "{}".to_owned()),
        ("", rule(1, "deny", r#","module-name":"n""#), all.to_owned()),
        ("", rule(1, "deny", r#","rpc-name":"*""#), all.to_owned()),
        ("", rule(1, "deny", r#","access-operations":"update exec""#), all.to_owned()),
        ("", rule(1, "deny", r#","access-operations":"read exec""#), "{}".to_owned()),
        (r#""enable-nacm":false,"#, deny("/"), all.replace(r#""v":"#, r#""s":{"x":"1"},"v":"#)),
        ("", deny("/m:c/nothing"), all.to_owned()),
    ];
    for (more, rules, shown) in cases {
        let access = access(&schema, more, &rules);
        let visible = access.visible(&schema, U, &root);
        assert_eq!(compact(&schema, &visible), shown, "{more} {rules}");
    }
    let open = Access::of(&schema, &root);
    assert!(!open.is_enforced());
    assert_eq!(open.visible(&schema, User::default(), &root), root);
}

#[test]
fn a_rule_whose_path_is_unknown_is_reported() {
    let schema = schema();
    let cases = [
        (
            "/m:c/l[x='1']",
            "path /m:c/l[x='1']: l: a predicate that is not a key",
        ),
        (
            "/m:c/a[.='1']",
            "path /m:c/a[.='1']: a: a predicate that it cannot have",
        ),
        ("/c", "path /c: c: write its module: MODULE:c"),
        ("/m:d", "path /m:d: d: unknown node: did you mean c?"),
        ("m:c", "path m:c: m:c: write / here"),
        (" ", "path \"\": write a path; / is that of all data"),
    ];
    for (path, what) in cases {
        let rules = rule(7, "deny", &format!(r#","path":"{path}""#));
        let access = access(&schema, "", &rules);
        let ignored = access.ignored().first().unwrap_or_else(|| panic!("{path}"));
        assert_eq!((&*ignored.rule_list, &*ignored.rule), ("r", "7"));
        assert!(ignored.what.starts_with(what), "{}", ignored.what);
        assert!(access.may_read(&schema, U, &crate::path(&schema, "/m:c/a")));
    }
}

#[test]
fn groups_of_the_transport() {
    let schema = schema();
    let path = path(&schema, "/m:c/s/x");
    let rules = rule(1, "permit", "");
    let ask =
        |more: &str, user: User<'_>| access(&schema, more, &rules).may_read(&schema, user, &path);
    let external = User {
        name: None,
        groups: &["h", "g"],
    };
    assert!(ask("", U));
    assert!(ask("", external));
    assert!(!ask(r#""enable-external-groups":false,"#, external));
    assert!(!ask("", User::named("other")));
    assert!(!ask("", User::default()));
    // A rule-list of all groups is not for users without a group.
    let text = nacm("", &rules).replace(r#""group":["g"]"#, r#""group":["*"]"#);
    let access = Access::of(&schema, &data(&schema, &text));
    assert!(access.may_read(&schema, U, &path));
    assert!(!access.may_read(&schema, User::named("other"), &path));
}

#[test]
fn what_may_be_run() {
    let schema = schema();
    let cases = [
        ("", "", "/m:open /m:c/l[k='1'][m='2']/go"),
        (r#""exec-default":"deny","#, "", ""),
        (
            "",
            r#","path":"/m:c/s","access-operations":"read""#,
            "/m:open /m:c/l[k='1'][m='2']/go",
        ),
        (
            "",
            r#","path":"/m:c/s""#,
            "/m:open /m:c/s/go /m:c/l[k='1'][m='2']/go",
        ),
        // The nodes above must be readable.
        (
            r#""read-default":"deny","#,
            r#","path":"/m:c/l""#,
            "/m:open",
        ),
        (
            "",
            r#","rpc-name":"*""#,
            "/m:open /m:shut /m:c/l[k='1'][m='2']/go",
        ),
        (
            "",
            r#","rpc-name":"shut","module-name":"m""#,
            "/m:open /m:shut /m:c/l[k='1'][m='2']/go",
        ),
        (
            "",
            r#","rpc-name":"shut","access-operations":"read""#,
            "/m:open /m:c/l[k='1'][m='2']/go",
        ),
    ];
    for (more, leaves, may) in cases {
        let rules = if leaves.is_empty() {
            String::new()
        } else {
            rule(1, "permit", leaves)
        };
        let access = access(&schema, more, &rules);
        let rpcs = |text: &str| match text.strip_prefix('/') {
            Some(name) if !name.contains('/') => operation(&schema, name),
            _ => path(&schema, text),
        };
        let all = ["/m:open", "/m:shut", "/m:c/s/go", "/m:c/l[k='1'][m='2']/go"];
        let permitted = all
            .into_iter()
            .filter(|it| access.may_run(&schema, U, &rpcs(it)).is_ok());
        assert_eq!(
            permitted.collect::<Vec<_>>().join(" "),
            may,
            "{more} {leaves}"
        );
    }
    let closed = access(&schema, r#""exec-default":"deny","#, "");
    assert!(
        closed
            .may_run_named(&schema, U, "ietf-netconf", "close-session")
            .is_ok()
    );
    assert!(
        closed
            .may_run_named(&schema, U, "ietf-netconf", "get")
            .is_err()
    );
}

#[test]
fn what_may_be_notified() {
    let schema = schema();
    let ask = |more: &str, leaves: &str| {
        let rules = if leaves.is_empty() {
            String::new()
        } else {
            rule(1, "permit", leaves)
        };
        let access = access(&schema, more, &rules);
        let top = |name: &str| operation(&schema, &format!("m:{name}"));
        let up = path(&schema, "/m:c/l[k='1'][m='2']/up");
        [top("seen"), top("secret"), up].map(|it| access.may_notify(&schema, U, &it))
    };
    assert_eq!(ask("", ""), [true, false, true]);
    assert_eq!(
        ask("", r#","notification-name":"secret""#),
        [true, true, true]
    );
    assert_eq!(ask(r#""read-default":"deny","#, ""), [false, false, false]);
    assert_eq!(
        ask(r#""read-default":"deny","#, r#","notification-name":"*""#),
        [true, true, false]
    );
    assert_eq!(
        ask(r#""read-default":"deny","#, r#","path":"/m:c""#),
        [false, false, true]
    );
}

#[test]
fn counters_are_state() {
    let schema = schema();
    let counters = Counters::default();
    counters.add_operation();
    counters.add_operation();
    counters.add_notification();
    let mut root = data(&schema, &nacm("", ""));
    counters.fill(&schema, &mut root);
    assert_eq!(texts(&schema, &root), Vec::<String>::new());
    let shown = compact(&schema, &root);
    let expected = r#""denied-operations":2,"denied-data-writes":0,"denied-notifications":1"#;
    assert!(shown.contains(expected), "{shown}");
}

fn texts(schema: &Schema, root: &Children) -> Vec<String> {
    crate::texts_of(schema, &validate(schema, root, Scope::All))
}
