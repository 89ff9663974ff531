//! JSON: examples of RFC 7951, and what is not JSON of a schema.

use twinpath_yang::json::{Layout, ReadOptions, read, write, write_node};
use twinpath_yang::{FaultKind, Schema, Scope};

use crate::{compact, data, module, path, read_all, schema, texts_of};

/// RFC 7951 section 4.
#[test]
fn names_have_modules_where_these_change() {
    let foo = module(
        "example-foomod",
        "container top { leaf foo { type uint8; } }",
    );
    let bar = module(
        "example-barmod",
        "import example-foomod { prefix foo; } augment /foo:top { leaf bar { type boolean; } }",
    );
    let schema = Schema::load(&[&foo, &bar], &["example-foomod", "example-barmod"]).unwrap();
    let text = r#"{"example-foomod:top":{"foo":54,"example-barmod:bar":true}}"#;
    assert_eq!(compact(&schema, &data(&schema, text)), text);
    let same = r#"{"example-foomod:top":{"example-foomod:foo":54,"example-barmod:bar":true}}"#;
    assert_eq!(data(&schema, same), data(&schema, text));
    for (text, fault) in [
        (
            r#"{"example-foomod:top":{"bar":true}}"#,
            "/example-foomod:top bar: write example-barmod:bar",
        ),
        (r#"{"top":{}}"#, "/ top: write example-foomod:top"),
        (
            r#"{"example-fomod:top":{}}"#,
            "/ example-fomod: unknown module: did you mean example-foomod?",
        ),
        (
            r#"{"example-foomod:tap":{}}"#,
            "/ example-foomod:tap: unknown member: did you mean example-foomod:top?",
        ),
    ] {
        assert_eq!(
            texts_of(&schema, &read_all(&schema, text).unwrap_err()),
            [fault]
        );
    }
}

/// RFC 7951 sections 5.1 to 5.4.
#[test]
fn each_kind_of_node_has_its_form() {
    let schema = schema(
        r#"leaf foo { type uint8; } leaf-list list { type uint8; } container box { presence "x"; }
           list bar { key foo; leaf foo { type uint16; } leaf baz { type string; } } anydata any;
           list log { config false; leaf foo { type uint8; } }"#,
    );
    let text = r#"{"m:foo":123,"m:list":[123,0],"m:box":{},"m:bar":[{"foo":123,"baz":"zig"},{"foo":0,"baz":"zag"}],"m:any":{"ietf-x:y":{"a":[1,null,"b",-1,1.5,true]}},"m:log":[{"foo":1},{"foo":1},{}]}"#;
    assert_eq!(compact(&schema, &data(&schema, text)), text);
    for (text, fault) in [
        (
            r#"{"m:foo":[1]}"#,
            "/m:foo foo: write a number, not an array",
        ),
        (
            r#"{"m:list":1}"#,
            "/m:list list: write an array, not a number",
        ),
        (r#"{"m:list":[1,1]}"#, "/m:list list: 1 twice"),
        (
            r#"{"m:box":[]}"#,
            "/m:box box: write an object, not an array",
        ),
        (
            r#"{"m:bar":{"foo":1}}"#,
            "/m:bar bar: write an array of objects, not an object",
        ),
        (
            r#"{"m:bar":[1]}"#,
            "/m:bar bar: write an array of objects, not a number",
        ),
        (
            r#"{"m:bar":[{"foo":1},{"foo":1}]}"#,
            "/m:bar[foo='1'] bar: the key twice",
        ),
        (
            r#"{"m:bar":[{"baz":"x"}]}"#,
            "/m:bar[1] bar: its key foo is missing",
        ),
        (
            r#"{"m:bar":[{"foo":"x"}]}"#,
            "/m:bar[1]/foo foo: write a number, not a string",
        ),
        (
            r#"{"m:any":3}"#,
            "/m:any any: write an object, not a number",
        ),
        (
            r#"{"m:foo":1,"m:foo":2}"#,
            "/m:foo m:foo: twice in one object",
        ),
        (r#"{"@m:foo":{}}"#, "/ @m:foo: no metadata is read"),
        ("[]", "/ write an object, not an array"),
    ] {
        assert_eq!(
            texts_of(&schema, &read_all(&schema, text).unwrap_err()),
            [fault],
            "{text}"
        );
    }
    assert!(
        read_all(&schema, r#"{"m:foo":"#).unwrap_err()[0]
            .what
            .starts_with("not JSON: ")
    );
}

#[test]
fn a_layout_for_people_has_a_member_a_line() {
    let schema = schema(
        "container c { leaf a { type string; } leaf-list l { type uint8; } } container d { presence x; }",
    );
    let root = data(&schema, r#"{"m:c":{"a":"x","l":[1,2]},"m:d":{}}"#);
    let text = "{\n  \"m:c\": {\n    \"a\": \"x\",\n    \"l\": [\n      1,\n      2\n    ]\n  },\n  \"m:d\": {}\n}";
    assert_eq!(write(&schema, None, &root, Layout::Indented), text);
    assert_eq!(data(&schema, text), root);
    let c = path(&schema, "/m:c").node().unwrap();
    let content = root.get(c).unwrap();
    assert_eq!(
        write_node(&schema, c, content, Layout::Compact),
        r#"{"m:c":{"a":"x","l":[1,2]}}"#
    );
    assert_eq!(
        write(
            &schema,
            Some(c),
            content.container().unwrap(),
            Layout::Compact
        ),
        r#"{"m:a":"x","m:l":[1,2]}"#
    );
}

#[test]
fn state_is_not_configuration() {
    let schema = schema("container c { leaf s { config false; type string; } }");
    let faults = read(&schema, br#"{"m:c":{"s":"x"}}"#, &ReadOptions::default()).unwrap_err();
    assert_eq!(
        texts_of(&schema, &faults),
        ["/m:c/s s: state, which cannot be set"]
    );
    assert_eq!(faults[0].kind, FaultKind::NotConfig);
}

#[test]
fn members_below_a_node_are_read() {
    let schema =
        schema("container c { list l { key k; leaf k { type string; } leaf n { type uint8; } } }");
    let options = ReadOptions {
        at: path(&schema, "/m:c"),
        scope: Scope::Config,
        ..ReadOptions::default()
    };
    let children = read(&schema, br#"{"m:l":[{"k":"a"}]}"#, &options).unwrap();
    let list = path(&schema, "/m:c/l").node().unwrap();
    assert_eq!(children.get(list).unwrap().entries().unwrap().len(), 1);
    let faults = read(&schema, br#"{"m:l":[{"k":"a","n":"1"}]}"#, &options).unwrap_err();
    assert_eq!(
        texts_of(&schema, &faults),
        ["/m:c/l[k='a']/n n: write a number, not a string"]
    );
}

#[test]
fn size_and_depth_are_bounded() {
    let schema = schema("leaf-list l { type uint32; } anydata any;");
    let numbers: Vec<String> = (0..5000).map(|at| at.to_string()).collect();
    let text = format!(r#"{{"m:l":[{}]}}"#, numbers.join(","));
    let small = ReadOptions {
        max_nodes: 1000,
        ..ReadOptions::default()
    };
    let faults = read(&schema, text.as_bytes(), &small).unwrap_err();
    assert_eq!(texts_of(&schema, &faults), ["/m:l more than 1000 nodes"]);
    let short = ReadOptions {
        max_octets: 100,
        ..ReadOptions::default()
    };
    assert_eq!(
        read(&schema, text.as_bytes(), &short).unwrap_err()[0].kind,
        FaultKind::TooLarge
    );
    let deep = format!(r#"{{"m:any":{}"#, r#"{"a":["#.repeat(1_000_000));
    assert!(
        read_all(&schema, &deep).unwrap_err()[0]
            .what
            .contains("recursion limit")
    );
    let wrong: Vec<&str> = std::iter::repeat_n("-1", 5000).collect();
    let text = format!(r#"{{"m:l":[{}]}}"#, wrong.join(","));
    assert_eq!(read_all(&schema, &text).unwrap_err().len(), 100);
}
