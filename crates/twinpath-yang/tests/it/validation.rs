//! What must hold of data as a whole (RFC 7950 section 8).

use twinpath_yang::{FaultKind, Scope, validate};

use crate::{data, schema, texts_of};

fn faults(module: &str, text: &str) -> Vec<String> {
    let schema = schema(module);
    let root = data(&schema, text);
    texts_of(&schema, &validate(&schema, &root, Scope::Config))
}

const NONE: [&str; 0] = [];

/// RFC 7950 section 7.8.3.1.
#[test]
fn unique_leaves() {
    let module = r#"list server { key "name"; unique "ip port";
        leaf name { type string; } leaf ip { type string; } leaf port { type uint16; } }"#;
    let http = r#"{"name":"http","ip":"192.0.2.1","port":25}"#;
    let smtp = r#"{"name":"smtp","ip":"192.0.2.1","port":25}"#;
    assert_eq!(
        faults(module, &format!(r#"{{"m:server":[{smtp},{http}]}}"#)),
        ["/m:server[name='http'] server: another entry has the same ip and port"]
    );
    let ftp = r#"{"name":"ftp","ip":"192.0.2.1"}"#;
    let other = r#"{"name":"other","ip":"192.0.2.1"}"#;
    assert_eq!(
        faults(module, &format!(r#"{{"m:server":[{smtp},{ftp},{other}]}}"#)),
        NONE
    );
}

/// Defaults take part (RFC 7950 section 7.8.3).
#[test]
fn unique_leaves_with_defaults_and_containers() {
    let module = r#"list l { key n; unique "c/p"; leaf n { type string; } container c { leaf p { type uint8; default 1; } } }"#;
    assert_eq!(
        faults(
            module,
            r#"{"m:l":[{"n":"a"},{"n":"b","c":{"p":1}},{"n":"c","c":{"p":2}}]}"#
        ),
        ["/m:l[n='b'] l: another entry has the same c/p"]
    );
}

#[test]
fn mandatory_nodes() {
    let module = r#"container plain { container inner { leaf a { type string; mandatory true; } } }
        container on { presence "x"; leaf b { type string; mandatory true; } choice c { mandatory true; leaf d { type empty; } case e { leaf f { type empty; } leaf g { type empty; mandatory true; } } } }
        list l { key k; min-elements 1; max-elements 2; leaf k { type uint8; } }
        leaf-list ll { type uint8; min-elements 2; }"#;
    assert_eq!(
        faults(module, "{}"),
        [
            "/m:plain/inner/a a is missing",
            "/m:l l: 0 of them, at least 1 are needed",
            "/m:ll ll: 0 of them, at least 2 are needed"
        ]
    );
    assert_eq!(
        faults(
            module,
            r#"{"m:plain":{"inner":{"a":"x"}},"m:on":{},"m:l":[{"k":1},{"k":2},{"k":3}],"m:ll":[1,2]}"#
        ),
        [
            "/m:on/b b is missing",
            "/m:on c is missing: write d or f and g",
            "/m:l l: 3 of them, at most 2 are allowed"
        ]
    );
    let chosen = r#"{"m:plain":{"inner":{"a":"x"}},"m:on":{"b":"x","f":[null]},"m:l":[{"k":1}],"m:ll":[1,2]}"#;
    assert_eq!(faults(module, chosen), ["/m:on/g g is missing"]);
}

#[test]
fn leafrefs_have_targets() {
    let module = r#"list group { key name; leaf name { type string; } leaf-list member { type leafref { path "/m:user/m:name"; } } }
        list user { key name; leaf name { type string; }
          leaf group { type leafref { path "../../group/name"; } }
          leaf any { type leafref { path "../../group/name"; require-instance false; } }
          leaf either { type union { type leafref { path "../../group/name"; } type uint8; } } }"#;
    let text = |group: &str, either: &str| {
        format!(
            r#"{{"m:group":[{{"name":"g","member":["u"]}}],"m:user":[{{"name":"u","group":"{group}","any":"no","either":{either}}}]}}"#
        )
    };
    assert_eq!(faults(module, &text("g", "3")), NONE);
    assert_eq!(faults(module, &text("g", "\"g\"")), NONE);
    assert_eq!(
        faults(module, &text("h", "\"x\"")),
        [
            "/m:user[name='u']/group group: no group has the name h",
            "/m:user[name='u']/either either: x does not exist"
        ]
    );
}

#[test]
fn instances_exist() {
    let module = "leaf a { type instance-identifier; } leaf b { type string; }";
    assert_eq!(faults(module, r#"{"m:a":"/m:b","m:b":"x"}"#), NONE);
    assert_eq!(
        faults(module, r#"{"m:a":"/m:b"}"#),
        ["/m:a a: /m:b does not exist"]
    );
}

#[test]
fn conditions() {
    let module = r#"container c {
        must "a or not(b = 'x')" { error-message "b is x only with a"; error-app-tag "tag"; }
        leaf a { type uint8; } leaf b { type string; default "y"; }
        leaf d { type empty; when "../b = 'y' and (../a != '1' or ../e)"; }
        leaf e { type empty; }
        list l { key k; leaf k { type string; } leaf v { type string; must ". = ../k"; } }
      }"#;
    // Only literals are compared.
    assert!(crate::load_error(module).contains("compare with a string in quotes"));
    let module = module.replace(". = ../k", ". != 'bad'");
    assert_eq!(
        faults(&module, r#"{"m:c":{"b":"x"}}"#),
        ["/m:c c: b is x only with a"]
    );
    assert_eq!(faults(&module, r#"{"m:c":{"b":"x","a":1}}"#), NONE);
    let wrong = "/m:c/d d: not allowed here: its condition does not hold";
    assert_eq!(faults(&module, r#"{"m:c":{"d":[null]}}"#), [wrong]);
    assert_eq!(faults(&module, r#"{"m:c":{"d":[null],"a":1}}"#), [wrong]);
    assert_eq!(faults(&module, r#"{"m:c":{"d":[null],"a":2}}"#), NONE);
    assert_eq!(
        faults(&module, r#"{"m:c":{"d":[null],"a":1,"e":[null]}}"#),
        NONE
    );
    assert_eq!(
        faults(
            &module,
            r#"{"m:c":{"l":[{"k":"a","v":"bad"},{"k":"b","v":"good"}]}}"#
        ),
        ["/m:c/l[k='a']/v v: it must hold that . != 'bad'"]
    );
    let schema = schema(&module);
    let faults = validate(
        &schema,
        &data(&schema, r#"{"m:c":{"b":"x"}}"#),
        Scope::Config,
    );
    assert_eq!(
        (faults[0].kind, faults[0].app_tag.as_deref()),
        (FaultKind::MustFalse, Some("tag"))
    );
}

#[test]
fn state_is_checked_on_demand_only() {
    let schema = schema("leaf s { config false; mandatory true; type string; }");
    let root = data(&schema, "{}");
    assert!(validate(&schema, &root, Scope::Config).is_empty());
    assert_eq!(validate(&schema, &root, Scope::All).len(), 1);
}

#[test]
fn faults_are_bounded() {
    let schema =
        schema("list l { key k; leaf k { type uint16; } leaf a { type string; mandatory true; } }");
    let entries: Vec<String> = (0..1000).map(|at| format!(r#"{{"k":{at}}}"#)).collect();
    let root = data(&schema, &format!(r#"{{"m:l":[{}]}}"#, entries.join(",")));
    assert_eq!(validate(&schema, &root, Scope::Config).len(), 100);
}
