//! Paths in both of their syntaxes.

use twinpath_yang::{Path, Select};

use crate::{data, module, path, schema};

const LISTS: &str = r#"
    container top {
      list user { key "name type"; leaf type { type string; } leaf name { type string; } leaf uid { type uint8; }
        action reset { input { leaf hard { type boolean; } } } }
      leaf-list dns { type string; }
      list log { config false; leaf text { type string; } }
    }"#;

/// RFC 7951 section 6.11, RFC 7950 section 9.13 and RFC 8040 section 3.5.3.
#[test]
fn paths_are_written_as_they_are_read() {
    let schema = schema(LISTS);
    for (text, api) in [
        ("/", ""),
        ("/m:top", "m:top"),
        ("/m:top/user", "m:top/user"),
        (
            "/m:top/user[name='fred'][type='a']/uid",
            "m:top/user=fred,a/uid",
        ),
        (
            "/m:top/user[name='a,b/c'][type='']",
            "m:top/user=a%2Cb%2Fc,",
        ),
        (
            "/m:top/user[name=\"it's\"][type='ä %']",
            "m:top/user=it%27s,%C3%A4%20%25",
        ),
        ("/m:top/dns[.='192.0.2.1']", "m:top/dns=192.0.2.1"),
        (
            "/m:top/user[name='a'][type='b']/reset",
            "m:top/user=a,b/reset",
        ),
    ] {
        let path = path(&schema, text);
        assert_eq!(
            (path.text(&schema), path.api_text(&schema)),
            (text.to_owned(), api.to_owned())
        );
        assert_eq!(Path::parse_api(&schema, api).as_ref(), Ok(&path), "{api}");
    }
    let third = path(&schema, "/m:top/log[3]/text");
    assert_eq!(third.steps()[1].select, Select::Position(3));
    // In another order, with blanks and module names.
    let one = path(&schema, "/m:top/m:user[ type = \"a\" ][m:name='fred']");
    assert_eq!(one.text(&schema), "/m:top/user[name='fred'][type='a']");
}

#[test]
fn what_is_not_a_path_is_said() {
    let schema = schema(LISTS);
    for (text, what) in [
        ("top", "top: write / here"),
        ("/top", "top: write its module: MODULE:top"),
        ("/x:top", "x: unknown module"),
        ("/m:top/usr", "usr: unknown node: did you mean user?"),
        (
            "/m:top/user[name='a']",
            "user: write its key: user[type='...']",
        ),
        (
            "/m:top/user[name='a'][type='b'][uid='3']",
            "user: a predicate that is not a key",
        ),
        ("/m:top/user[1]", "user: write its key: user[name='...']"),
        ("/m:top/dns[name='a']", "dns: not a list"),
        ("/m:top/log[0]", "[0]: write [key='value']"),
        ("/m:top/user[name='a", "[name='a: write [key='value']"),
        ("/m:top/user[name='a'][type='b']x", "x: write / here"),
    ] {
        let error = Path::parse(&schema, text).unwrap_err();
        assert_eq!(error.what, what, "{text}");
    }
    for (text, what) in [
        ("m:top/user/uid", "user: write its key: user=KEY"),
        (
            "m:top/user=a",
            "user: write its 2 keys: user=NAME,TYPE; a comma within a key is %2C",
        ),
        ("m:top=a", "top: it has no key"),
        ("m:top/user=%f,a", "%f: not percent-encoded UTF-8"),
        ("m:top/user=%ff,a", "%ff: not percent-encoded UTF-8"),
    ] {
        let error = Path::parse_api(&schema, text).unwrap_err();
        assert_eq!(error.what, what, "{text}");
    }
}

/// RFC 7951 section 4: the name of a module where it changes.
#[test]
fn names_of_other_modules_are_qualified() {
    let one = module("m", LISTS);
    let two = module(
        "n",
        "import m { prefix m; } augment /m:top/m:user { leaf uid { type string; } leaf home { type string; } }",
    );
    let schema = twinpath_yang::Schema::load(&[&two, &one], &["m", "n"]).unwrap();
    let text = "/m:top/user[name='a'][type='b']/n:uid";
    let other = path(&schema, text);
    assert_eq!(other.text(&schema), text);
    assert_eq!(other.api_text(&schema), "m:top/user=a,b/n:uid");
    let root = data(
        &schema,
        r#"{"m:top":{"user":[{"n:home":"h","name":"a","type":"b","uid":1,"n:uid":"x"}]}}"#,
    );
    assert_eq!(root.value(&schema, &other).unwrap().as_str(), Some("x"));
    assert_eq!(
        crate::compact(&schema, &root),
        r#"{"m:top":{"user":[{"type":"b","name":"a","uid":1,"n:uid":"x","n:home":"h"}]}}"#
    );
    let user = path(&schema, "/m:top/user").node();
    assert!(schema.child(user, None, "home").is_some());
    let own = schema.child(user, None, "uid").unwrap();
    assert_eq!(schema.qualified_name(own), "m:uid");
    assert!(root.has(&path(&schema, "/m:top/user[name='a'][type='b']")));
    assert!(!root.has(&path(&schema, "/m:top/user[name='a'][type='c']")));
}
