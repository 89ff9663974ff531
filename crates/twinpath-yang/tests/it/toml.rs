//! TOML: what people write, and what is said of it.

use twinpath_yang::toml::{Document, Reader, Roots, write};
use twinpath_yang::{Schema, Scope, validate};

use crate::{compact, daemon, data, module, path, schema};

fn roots(schema: &Schema, main: &str, tables: &[(&str, &str)]) -> Roots {
    let node = |text: &str| path(schema, text).node().unwrap();
    let tables = tables.iter();
    Roots {
        main: node(main),
        tables: tables
            .map(|(name, text)| ((*name).into(), node(text)))
            .collect(),
    }
}

fn read(schema: &Schema, roots: &Roots, files: &[(&str, &str)]) -> (Document, Vec<String>) {
    let mut reader = Reader::new(schema, roots);
    for (file, text) in files {
        reader.add(file, text);
    }
    let (document, mut faults) = reader.finish();
    if faults.is_empty() {
        let later = validate(schema, &document.root, Scope::Config);
        faults.extend(later.into_iter().map(|fault| document.locate(fault)));
    }
    (document, faults.iter().map(ToString::to_string).collect())
}

const NONE: [&str; 0] = [];

const FILE: &str = r#"[daemon]
name = "probe1"

[[session]]
name = "fra-core1"
address = "192.0.2.1:862"
labels = { site = "fra", "a.b" = "c" }
protocol = "stamp"
interval = "1s"
classes = [46, "ef"]

[[responder]]
name = "light"
address = ["127.0.0.1:20001"]

[nacm]
enable-nacm = false

[[nacm.rule-list]]
name = "all"
group = ["*"]

[[nacm.rule-list.rule]]
name = "read"
access-operations = "read"
action = "permit"

[twamp.server]
servwait = 60
"#;

fn of_daemon(schema: &Schema) -> Roots {
    let tables = [
        ("nacm", "/ietf-netconf-acm:nacm"),
        ("twamp", "/ietf-twamp:twamp"),
    ];
    roots(schema, "/twinpath-measurement:measurement", &tables)
}

#[test]
fn a_file_of_all_modules_is_read_and_written() {
    let schema = daemon();
    let roots = of_daemon(&schema);
    let (document, faults) = read(&schema, &roots, &[("a.toml", FILE)]);
    assert_eq!(faults, NONE);
    assert_eq!(
        compact(&schema, &document.root),
        r#"{"twinpath-measurement:measurement":{"daemon":{"name":"probe1"},"session":[{"name":"fra-core1","address":"192.0.2.1:862","labels":[{"name":"a.b","value":"c"},{"name":"site","value":"fra"}],"protocol":"stamp","interval":"1s","classes":[46,"ef"]}],"responder":[{"name":"light","address":["127.0.0.1:20001"]}]},"ietf-netconf-acm:nacm":{"enable-nacm":false,"rule-list":[{"name":"all","group":["*"],"rule":[{"name":"read","access-operations":"read","action":"permit"}]}]},"ietf-twamp:twamp":{"server":{"servwait":60}}}"#
    );
    let expected = FILE.replace(
        r#"site = "fra", "a.b" = "c""#,
        r#""a.b" = "c", site = "fra""#,
    );
    assert_eq!(write(&schema, &roots, &document.root), expected);
}

#[test]
fn each_node_has_its_line() {
    let schema = daemon();
    let (document, _) = read(&schema, &of_daemon(&schema), &[("a.toml", FILE)]);
    let session = "/twinpath-measurement:measurement/session[name='fra-core1']";
    for (text, line) in [
        ("/twinpath-measurement:measurement/daemon/name", 2),
        (session, 4),
        (&format!("{session}/name"), 5),
        (&format!("{session}/labels[name='site']"), 7),
        (&format!("{session}/labels[name='site']/value"), 7),
        (&format!("{session}/interval"), 9),
        // Not set: the line of its entry.
        (&format!("{session}/timeout"), 4),
        (
            "/ietf-netconf-acm:nacm/rule-list[name='all']/rule[name='read']/action",
            26,
        ),
        ("/ietf-twamp:twamp/server/servwait", 29),
        ("/ietf-twamp:twamp/server/count", 28),
    ] {
        let place = document.place(&path(&schema, text)).unwrap();
        assert_eq!(place.to_string(), format!("a.toml:{line}"), "{text}");
    }
    assert_eq!(
        document
            .place(&path(&schema, "/ietf-twamp:twamp/client"))
            .map(|it| it.line),
        Some(28)
    );
}

#[test]
fn all_faults_are_said_with_their_lines() {
    let schema = daemon();
    let text = r#"intervall = 3
[[session]]
name = "a"
address = "192.0.2.1"
intervall = "1s"
interval = "1"
protocol = "stmp"
ttl = "5"
enabled = "true"
labels = [1]
[[session]]
address = "192.0.2.1"
padding = 1.5
[session.labels]
x = 3
y = true
[daemon]
threads = 0
[[nacm]]
[twamp.server.ctrl-connection]
[dameon]
"#;
    let (_, faults) = read(&schema, &of_daemon(&schema), &[("a.toml", text)]);
    let expected = [
        "a.toml:1: intervall: unknown key: use daemon, store, api, netconf, mesh, defaults, group, session, responder, server, alert, maintenance, export, nacm or twamp",
        "a.toml:5: intervall: unknown key: did you mean interval?",
        "a.toml:6: interval: 1: write a number and its unit (ns us ms s m h d), as in 500ms",
        "a.toml:7: protocol: stmp is not allowed: use twamp-light, stamp or twamp",
        "a.toml:8: ttl: 5 in quotes: write an integer from 1 to 255, without quotes",
        "a.toml:9: enabled: true in quotes: write true or false, without quotes",
        "a.toml:10: labels: write a table: labels = { ... }, not a number in an array",
        "a.toml:11: session: its name is missing: write name = ...",
        "a.toml:13: padding: 1.5 is not allowed: use an integer from -1 to 65507",
        "a.toml:16: y: true without quotes: write text of 0 to 1024 characters, in quotes",
        "a.toml:18: threads: 0 is not allowed: use an integer from 1 to 1024",
        "a.toml:19: nacm: write [nacm] above its keys, not an array",
        "a.toml:20: ctrl-connection: state, which cannot be set",
        "a.toml:21: dameon: unknown key: did you mean daemon?",
    ];
    for (found, expected) in faults.iter().zip(expected) {
        // Bounds are for the module to say.
        let head = |text: &str| {
            text.split(" from ")
                .next()
                .unwrap()
                .split(" of ")
                .next()
                .unwrap()
                .to_owned()
        };
        assert_eq!(head(found), head(expected));
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn what_is_missing_has_the_line_of_its_entry() {
    let schema = daemon();
    let text = "[daemon]\n[[session]]\nname = \"a\"\n[[session]]\nname = \"b\"\naddress = \"h\"\ngroup = \"g\"\n";
    let (_, faults) = read(&schema, &of_daemon(&schema), &[("a.toml", text)]);
    assert_eq!(
        faults,
        [
            "a.toml:2: address is missing",
            "a.toml:7: group: no group has the name g"
        ]
    );
}

#[test]
fn a_key_that_is_left_out_may_be_the_value_of_another_leaf() {
    let text = module(
        "m",
        r"
    extension named-by { argument leaf; }
    container c { list export { key name; leaf name { type string; m:named-by kind; } leaf kind { type string; } } }",
    );
    let schema = Schema::load(&[&text], &["m"]).unwrap();
    let roots = roots(&schema, "/m:c", &[]);
    let read_all = |text: &str| read(&schema, &roots, &[("f", text)]);
    let (document, faults) =
        read_all("[[export]]\nkind = \"web\"\n[[export]]\nname = \"other\"\nkind = \"web\"\n");
    assert_eq!(faults, NONE);
    assert_eq!(
        compact(&schema, &document.root),
        r#"{"m:c":{"export":[{"name":"web","kind":"web"},{"name":"other","kind":"web"}]}}"#
    );
    let (_, faults) = read_all("[[export]]\nkind = \"web\"\n[[export]]\nkind = \"web\"\n");
    assert_eq!(faults.len(), 1, "{faults:?}");
    let (_, faults) = read_all("[[export]]\n");
    assert!(faults[0].contains("its name is missing"), "{faults:?}");
}

#[test]
fn files_are_merged_and_nothing_is_set_twice() {
    let schema = daemon();
    let roots = of_daemon(&schema);
    let one = "[daemon]\nname = \"a\"\n[[session]]\nname = \"x\"\naddress = \"h\"\n";
    let two = "[daemon]\nthreads = 2\n[[session]]\nname = \"y\"\naddress = \"h\"\n";
    let (document, faults) = read(&schema, &roots, &[("one.toml", one), ("two.toml", two)]);
    assert_eq!(faults, NONE);
    let sessions = path(&schema, "/twinpath-measurement:measurement/session");
    assert_eq!(
        document
            .root
            .data(&sessions)
            .unwrap()
            .entries()
            .unwrap()
            .len(),
        2
    );
    let three = "[[session]]\nname = \"x\"\naddress = \"other\"\n[daemon]\nname = \"b\"\n";
    let (_, faults) = read(&schema, &roots, &[("one.toml", one), ("three.toml", three)]);
    assert_eq!(
        faults,
        [
            "three.toml:1: session: x is in one.toml:3 too",
            "three.toml:5: name: set in one.toml:2 too"
        ]
    );
}

/// A list by place, values of all types, a list as a table, and other data.
const TYPES: &str = r#"
    extension position;
    identity animal; identity dog { base animal; }
  typedef word { type string { length "1..5"; pattern '[a-z]+'; } }
  typedef told { type string { pattern '[a-z]+' { error-message "write small letters"; } } }
    container c {
    leaf word { type word; }
    leaf told { type told; }
      list action { key n; ordered-by user; leaf n { type uint8 { range "1..10"; } m:position; }
        leaf-list exec { type string; ordered-by user; } }
      leaf dec { type decimal64 { fraction-digits 3; } }
      leaf big { type uint64; } leaf flag { type empty; } leaf on { type boolean; }
      leaf kind { type identityref { base animal; } }
      leaf set { type bits { bit a; bit b; } } leaf octets { type binary; }
      leaf text { type string; } leaf when { type string { pattern '\d{4}-.*'; } }
      leaf mixed { type union { type string { length 1; } type uint8; type boolean; } }
      list env { key k; leaf k { type string; } leaf value { type uint8; } }
      container in { presence "x"; container deep { leaf x { type uint8; } } }
      anydata any;
    }"#;

#[test]
fn values_of_all_types() {
    let schema = schema(TYPES);
    let roots = roots(&schema, "/m:c", &[]);
    for (text, json) in [
        ("dec = 0.5", r#""dec":"0.5""#),
        ("dec = 1_0.25e-1", r#""dec":"1.025""#),
        ("dec = -3", r#""dec":"-3.0""#),
        ("big = 0xff", r#""big":"255""#),
        ("flag = true", r#""flag":[null]"#),
        ("on = false", r#""on":false"#),
        ("kind = \"dog\"", r#""kind":"m:dog""#),
        ("set = [\"b\", \"a\"]", r#""set":"a b""#),
        ("set = \"b\"", r#""set":"b""#),
        ("octets = \"AQID\"", r#""octets":"AQID""#),
        ("text = 46", r#""text":"46""#),
        ("text = 1.50", r#""text":"1.50""#),
        ("text = \"\\u007f\\\"\\\\\"", "\"text\":\"\u{7f}\\\"\\\\\""),
        ("when = 2026-01-31", r#""when":"2026-01-31""#),
        ("mixed = 7", r#""mixed":7"#),
        ("mixed = \"7\"", r#""mixed":"7""#),
        ("mixed = true", r#""mixed":true"#),
        (
            "env = { a = 1, \"b c\" = 2 }",
            r#""env":[{"k":"a","value":1},{"k":"b c","value":2}]"#,
        ),
        (
            "[[env]]\nk = \"a\"\nvalue = 1",
            r#""env":[{"k":"a","value":1}]"#,
        ),
        ("[in]", r#""in":{}"#),
        ("in.deep.x = 1", r#""in":{"deep":{"x":1}}"#),
        (
            "any = { a = [1, \"x\", { b = true }] }",
            r#""any":{"a":[1,"x",{"b":true}]}"#,
        ),
        (
            "[[action]]\nexec = \"one\"\n[[action]]\nexec = [\"two\", \"three\"]",
            r#""action":[{"n":1,"exec":["one"]},{"n":2,"exec":["two","three"]}]"#,
        ),
        (
            "[[action]]\nn = 7\n[[action]]",
            r#""action":[{"n":7},{"n":2}]"#,
        ),
        ("", ""),
    ] {
        let (document, faults) = read(&schema, &roots, &[("f", text)]);
        assert_eq!(faults, NONE, "{text}");
        let json = if json.is_empty() {
            "{}".to_owned()
        } else {
            format!(r#"{{"m:c":{{{json}}}}}"#)
        };
        assert_eq!(compact(&schema, &document.root), json, "{text}");
        assert_eq!(data(&schema, &json), document.root, "{text}");
        let written = write(&schema, &roots, &document.root);
        let (again, faults) = read(&schema, &roots, &[("f", &written)]);
        assert_eq!(
            (again.root, faults),
            (document.root, Vec::new()),
            "{text} {written}"
        );
    }
}

#[test]
fn values_that_do_not_fit() {
    let schema = schema(TYPES);
    let roots = roots(&schema, "/m:c", &[]);
    for (text, fault) in [
        (
            "dec = 0.0005",
            "dec: 0.0005 is not allowed: use a number with up to 3 digits after the point",
        ),
        (
            "dec = inf",
            "dec: inf is not allowed: use a number with up to 3 digits after the point",
        ),
        (
            "big = -1",
            "big: -1 is not allowed: use an integer of 0 or more",
        ),
        (
            "big = {}",
            "big: write an integer of 0 or more, not a table",
        ),
        ("flag = false", "flag: write true, or leave it out"),
        ("kind = \"cat\"", "kind: cat is not allowed: use dog"),
        ("octets = \"!\"", "octets: ! is not allowed: use base64"),
        (
            "when = \"x\"",
            "when: x is not allowed: use text that matches \\d{4}-.*",
        ),
        (
            "word = \"A\"",
            "word: A is not allowed: use text of 1 to 5 characters that matches [a-z]+",
        ),
        ("told = \"A\"", "told: A: write small letters"),
        ("told = {}", "told: write small letters, not a table"),
        ("any = 3", "any: write a table, not a number"),
        (
            "action = 3",
            "action: write [[action]] above each, not a number",
        ),
        (
            "in = true",
            "in: write [in] above its keys, not true or false",
        ),
        ("text = 1\ntext = 2", "not TOML: duplicate key"),
        ("[[action]]\nexec = [\"a\", \"a\"]", "exec: a twice"),
        (
            "[[env]]\nk = \"a\"\n[[env]]\nk = \"a\"",
            "env: a is in f:1 too",
        ),
    ] {
        let (_, faults) = read(&schema, &roots, &[("f", text)]);
        let what = faults[0].splitn(3, ':').nth(2).unwrap().trim();
        assert_eq!((what, faults.len()), (fault, 1), "{text}: {faults:?}");
    }
}

#[test]
fn nodes_of_other_modules_have_bare_names_where_these_are_unique() {
    let one = module("m", "container c { leaf a { type string; } }");
    let augment = |name: &str| {
        module(
            name,
            "import m { prefix mm; } augment /mm:c { leaf a { type string; } leaf b { type string; } }",
        )
    };
    let (two, three) = (augment("n"), augment("o"));
    let schema = Schema::load(&[&one, &two], &["m", "n"]).unwrap();
    let roots_two = roots(&schema, "/m:c", &[]);
    let text = "a = \"1\"\n\"n:a\" = \"2\"\nb = \"3\"\n";
    let (document, faults) = read(&schema, &roots_two, &[("f", text)]);
    assert_eq!(faults, NONE);
    assert_eq!(
        compact(&schema, &document.root),
        r#"{"m:c":{"a":"1","n:a":"2","n:b":"3"}}"#
    );
    assert_eq!(write(&schema, &roots_two, &document.root), text);
    let schema = Schema::load(&[&one, &two, &three], &["m", "n", "o"]).unwrap();
    let (_, faults) = read(&schema, &roots(&schema, "/m:c", &[]), &[("f", "b = \"3\"")]);
    assert_eq!(faults, ["f:1: b: not unique: write \"n:b\""]);
}

#[test]
fn faults_are_bounded() {
    let schema = schema(TYPES);
    let lines: Vec<String> = (0..1000).map(|at| format!("x{at} = 1")).collect();
    let text = lines.join("\n");
    let (_, faults) = read(
        &schema,
        &roots(&schema, "/m:c", &[]),
        &[("f", &text), ("g", "[")],
    );
    assert_eq!(faults.len(), 100);
    let deep = format!("any = {}", "{ a = [".repeat(100_000));
    let (_, faults) = read(&schema, &roots(&schema, "/m:c", &[]), &[("f", &deep)]);
    assert!(faults[0].starts_with("f:1: not TOML"), "{faults:?}");
}
