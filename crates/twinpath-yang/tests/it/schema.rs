//! Modules that are compiled, and what is wrong with others.

use twinpath_yang::schema::{Base, Status};
use twinpath_yang::{Kind, Schema, Scope, validate};

use crate::{data, load_error, module, path, read_all, schema, texts_of};

fn names(schema: &Schema, of: &str) -> Vec<String> {
    let of = (of != "/").then(|| path(schema, of).node().unwrap());
    schema
        .data_children(of)
        .iter()
        .map(|id| schema.json_name(*id))
        .collect()
}

/// RFC 7950 sections 7.13 and 7.16.
#[test]
fn groupings_are_used_refined_and_augmented() {
    let schema = schema(
        r#"grouping endpoint {
             description "A target.";
             typedef local { type uint16 { range "1..max"; } default 830; }
             leaf address { type string; mandatory true; }
             leaf port { type local; }
             container inner { leaf deep { type string; } }
           }
           container one { uses endpoint; }
           container two {
             config false;
             uses endpoint {
               refine address { mandatory false; default "here"; description "Refined."; }
               refine inner/deep { mandatory true; }
               refine inner { presence "it is there"; must "../port"; }
               augment inner { leaf more { type string; } }
             }
           }"#,
    );
    assert_eq!(names(&schema, "/m:one"), ["address", "port", "inner"]);
    assert_eq!(names(&schema, "/m:two/inner"), ["deep", "more"]);
    assert_eq!(names(&schema, "/m:one/inner"), ["deep"]);
    let root = data(&schema, "{}");
    let value = |text: &str| {
        root.value(&schema, &path(&schema, text))
            .map(|it| schema.text(it).into_owned())
    };
    assert_eq!(value("/m:one/port").as_deref(), Some("830"));
    assert_eq!(value("/m:two/address").as_deref(), Some("here"));
    let node = |text: &str| schema.node(path(&schema, text).node().unwrap());
    assert!(matches!(
        node("/m:one/address").kind,
        Kind::Leaf {
            mandatory: true,
            ..
        }
    ));
    assert!(matches!(
        node("/m:two/inner").kind,
        Kind::Container { presence: true }
    ));
    assert_eq!(
        node("/m:two/address").description.as_deref(),
        Some("Refined.")
    );
    assert_eq!(
        (
            node("/m:one").is_config,
            node("/m:two/inner/deep").is_config
        ),
        (true, false)
    );
    assert_eq!(
        texts_of(
            &schema,
            &validate(
                &schema,
                &data(&schema, r#"{"m:two":{"inner":{"more":"x"}}}"#),
                Scope::All
            )
        ),
        [
            "/m:one/address address is missing",
            "/m:two/inner/deep deep is missing"
        ]
    );
}

/// RFC 7950 section 7.17; the second augment comes before what it needs.
#[test]
fn augments_find_what_other_augments_add() {
    let one = module(
        "a",
        "container top { choice c { case one { leaf x { type empty; } } } }",
    );
    let two = module(
        "b",
        "import a { prefix aa; } augment /aa:top/b:sub { leaf y { type uint8; } }
         augment /aa:top { when \"aa:x\"; container sub; } augment /aa:top/aa:c { leaf z { type empty; } }",
    );
    let schema = Schema::load(&[&one, &two], &["b", "a"]).unwrap();
    assert_eq!(names(&schema, "/a:top"), ["x", "b:z", "b:sub"]);
    assert_eq!(names(&schema, "/a:top/b:sub"), ["y"]);
    let faults = |text: &str| {
        let root = data(&schema, text);
        texts_of(&schema, &validate(&schema, &root, Scope::Config))
    };
    assert_eq!(faults(r#"{"a:top":{"x":[null],"b:sub":{"y":1}}}"#), [""; 0]);
    assert_eq!(
        faults(r#"{"a:top":{"b:sub":{"y":1}}}"#),
        ["/a:top/b:sub sub: not allowed here: its condition does not hold"]
    );
    assert_eq!(
        faults(r#"{"a:top":{"b:z":[null],"x":[null]}}"#),
        ["/a:top/b:z use only one of x or z"]
    );
    let top_only = Schema::load(&[&one, &two], &["a"]).unwrap();
    assert_eq!(names(&top_only, "/a:top"), ["x"]);
}

#[test]
fn types_are_resolved_through_typedefs() {
    let types = module(
        "types",
        "typedef percent { type uint8 { range \"0..100\"; } units \"percent\"; }
         identity base; identity left { base base; }",
    );
    let main = module(
        "main",
        "import types { prefix t; }
         typedef half { type t:percent { range \"0..50\"; } default 7; }
         identity right { base t:base; } identity far-right { base right; }
         leaf a { type half; } leaf b { type identityref { base t:base; } }
         leaf c { type leafref { path \"../a\"; } }",
    );
    let schema = Schema::load(&[&types, &main], &["main"]).unwrap();
    let a = path(&schema, "/main:a").node().unwrap();
    let ty = schema.leaf_type(a).unwrap();
    let (own, other) = (
        schema.module_named("main").unwrap(),
        schema.module_named("types").unwrap(),
    );
    assert!(
        ty.is_typedef(own, "half")
            && ty.is_typedef(other, "percent")
            && !ty.is_typedef(own, "percent")
    );
    assert!(matches!(&ty.base, Base::Int(_, ranges) if ranges.parts == [(0, 50)]));
    assert!(
        matches!(&schema.node(a).kind, Kind::Leaf { units: Some(units), .. } if &**units == "percent")
    );
    let c = path(&schema, "/main:c").node().unwrap();
    assert!(
        matches!(&schema.leaf_type(c).unwrap().base, Base::LeafRef(leafref) if leafref.target == a)
    );
    assert!(
        schema
            .value_type(schema.leaf_type(c).unwrap())
            .is_typedef(own, "half")
    );
    for (name, fits) in [
        ("far-right", true),
        ("main:right", true),
        ("types:left", true),
        ("left", false),
        ("types:base", false),
    ] {
        let text = format!(r#"{{"main:b":"{name}"}}"#);
        assert_eq!(read_all(&schema, &text).is_ok(), fits, "{name}");
    }
}

#[test]
fn operations_and_notifications_are_apart_from_data() {
    let schema = schema(
        r"rpc reboot { input { leaf delay { type uint8; } } output { leaf at { type string; } } }
           rpc nop;
           notification down { leaf why { type string; } }
           container c { action clear { output { leaf n { type uint8; } } input { leaf all { type empty; } } }
             notification full; leaf x { type empty; status obsolete; } }",
    );
    assert_eq!(names(&schema, "/"), ["m:c"]);
    let rpc = schema.action(None, None, "reboot").unwrap();
    let children = |id| -> Vec<&str> {
        schema
            .data_children(Some(id))
            .iter()
            .map(|id| &*schema.node(*id).name)
            .collect()
    };
    assert_eq!(children(rpc), ["input", "output"]);
    assert_eq!(
        children(schema.action(None, None, "nop").unwrap()),
        ["input", "output"]
    );
    let c = path(&schema, "/m:c").node();
    assert_eq!(
        children(schema.action(c, None, "clear").unwrap()),
        ["input", "output"]
    );
    assert!(
        schema.notification(c, None, "full").is_some()
            && schema.notification(None, None, "down").is_some()
    );
    assert!(schema.action(c, None, "full").is_none() && schema.child(c, None, "clear").is_none());
    assert_eq!((schema.rpcs().len(), schema.notifications().len()), (2, 1));
    let x = path(&schema, "/m:c/x").node().unwrap();
    assert_eq!(schema.node(x).status, Status::Obsolete);
}

#[test]
fn input_of_an_operation_is_read_and_checked() {
    let schema = schema(
        "leaf known { type string; }
         rpc go { input { leaf to { mandatory true; type leafref { path '/m:known'; } } leaf fast { type empty; } } }",
    );
    let rpc = schema.action(None, None, "go").unwrap();
    let mut at = twinpath_yang::Path::root();
    at.push(rpc, twinpath_yang::Select::All);
    let options = twinpath_yang::json::ReadOptions {
        at: at.clone(),
        scope: Scope::All,
        ..Default::default()
    };
    let root = data(&schema, r#"{"m:known":"a"}"#);
    let faults = |text: &str| {
        let body = twinpath_yang::json::read(&schema, text.as_bytes(), &options).unwrap();
        let input = schema.child(Some(rpc), None, "input").unwrap();
        let content = body.get(input).unwrap().container().unwrap();
        let path = at.join(input, twinpath_yang::Select::All);
        texts_of(
            &schema,
            &twinpath_yang::tree::validate_below(&schema, &root, &path, content),
        )
    };
    assert_eq!(faults(r#"{"m:input":{"to":"a"}}"#), [""; 0]);
    assert_eq!(
        faults(r#"{"m:input":{"fast":[null]}}"#),
        ["/m:go/input/to to is missing"]
    );
    assert_eq!(
        faults(r#"{"m:input":{"to":"b"}}"#),
        ["/m:go/input/to to: no known is b"]
    );
}

/// Contents of modules, and what is wrong with them.
const WRONG: &[(&str, &str)] = &[
    (
        "leaf a { type strin; }",
        "m, line 1: strin: unknown typedef",
    ),
    ("\n leaf a { }", "m, line 2: type is missing"),
    (
        "leaf a { type string; tpye x; }",
        "m, line 1: tpye within leaf",
    ),
    (
        "leaf a { type string; must 'x'; must \"count(../b) > 3\"; }",
        "m, line 1: must count(../b) > 3: (../b) > 3: not supported in a condition",
    ),
    (
        "leaf a { type string; when \"../b = 3\"; } leaf b { type uint8; }",
        "m, line 1: when ../b = 3: 3: not supported: compare with a string in quotes",
    ),
    (
        "leaf a { type string; when \"../b\"; }",
        "m, line 1: a: when: the path has no node b",
    ),
    (
        "leaf a { type uint8 { range 1..300; } }",
        "m, line 1: 1..300: more than the type has that it restricts",
    ),
    (
        "leaf a { type uint8; default 300; }",
        "m, line 1: a: default 300 is not allowed: use an integer from 0 to 255",
    ),
    ("leaf a { type string { pattern '['; } }", ""),
    (
        "leaf a { type string { range 1; } }",
        "m, line 1: range on string",
    ),
    (
        "leaf a { type enumeration { enum x; enum x; } }",
        "m, line 1: the same name or value twice",
    ),
    (
        "leaf a { type leafref { path '../b'; } }",
        "m, line 1: a: the path has no node b",
    ),
    (
        "leaf a { type leafref { path '../b'; } } leaf b { type leafref { path '../a'; } }",
        "m, line 1: a: leafrefs that refer to each other",
    ),
    (
        "leaf a { type decimal64; }",
        "m, line 1: fraction-digits from 1 to 18 are needed",
    ),
    ("leaf a { type union; }", "m, line 1: a union without types"),
    (
        "leaf a { type empty; } leaf a { type empty; }",
        "m, line 1: a: the name twice among siblings",
    ),
    (
        "leaf a { if-feature x; type empty; }",
        "m, line 1: x: unknown feature",
    ),
    (
        "leaf a { type t; } typedef t { type t; }",
        "m, line 1: typedefs that refer to each other",
    ),
    (
        "grouping g { uses g; } uses g;",
        "m, line 1: groupings that use each other",
    ),
    ("uses g;", "m, line 1: g: unknown grouping"),
    (
        "list l { leaf a { type empty; } }",
        "m, line 1: l: a list of configuration without its key",
    ),
    (
        "list l { key b; leaf a { type empty; } }",
        "m, line 1: l: key b: no such leaf",
    ),
    (
        "container c { config false; leaf a { config true; type empty; } }",
        "m, line 1: a: config true below config false",
    ),
    (
        "augment /m:x { leaf a { type empty; } }",
        "m, line 1: augment /m:x: no such node",
    ),
    (
        "deviation /m:x { deviate not-supported; }",
        "m, line 1: deviation /m:x: no such node",
    ),
    (
        "leaf x { type empty; } deviation /m:x { deviate add { default 1; } }",
        "m, line 1: deviate add: only not-supported, and replace of a type, are supported",
    ),
    (
        "container x; deviation /m:x { deviate replace { type empty; } }",
        "m, line 1: deviate replace of a type: the node has none",
    ),
    (
        "list l { key a; leaf a { type empty; } } deviation /m:l/m:a { deviate not-supported; }",
        "m, line 1: l: key a: no such leaf",
    ),
    ("include s;", "m, line 1: include is not supported"),
    (
        "import n { prefix n; }",
        "m, line 1: import of n, whose text is missing",
    ),
    (
        "identity a { base b; } identity b { base a; }",
        "m, line 1: a: a base is unknown, or derived from it",
    ),
    (
        "leaf a { type empty; x:y; }",
        "m, line 1: x:y: unknown extension",
    ),
    (
        "choice c { default b; leaf a { type empty; } }",
        "m, line 1: c: default b: no such case",
    ),
];

#[test]
fn what_is_wrong_in_a_module_is_said_with_its_line() {
    for (content, error) in WRONG.iter().copied() {
        let found = load_error(content);
        assert!(
            found.starts_with(error) && found.starts_with("m, line "),
            "{content}: {found}"
        );
        assert!(error.is_empty() || found == error, "{content}: {found}");
    }
    let cycle = [
        module("a", "import b { prefix b; }"),
        module("b", "import a { prefix a; }"),
    ];
    let error = Schema::load(&[&cycle[0], &cycle[1]], &["a"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a, line 1: it imports itself through others"
    );
    let error = Schema::load(&[], &["a"]).unwrap_err();
    assert_eq!(error.to_string(), "a, line 0: its text is missing");
}

#[test]
fn deviations_of_implemented_modules_drop_nodes_and_replace_types() {
    let of = module(
        "a",
        "container c { leaf x { type uint8 { range 1..9; } } leaf y { type empty; }
         choice d { case e { leaf z { type empty; } leaf kept { type empty; } } } }",
    );
    let by = module(
        "b",
        "import a { prefix a; }
         deviation /a:c/a:y { deviate not-supported; }
         deviation /a:c/a:d/a:e/a:z { deviate not-supported; }
         deviation /a:c/a:x { deviate replace { type uint8; } }",
    );
    let names = |implemented: &[&str]| {
        let schema = Schema::load(&[&of, &by], implemented).unwrap();
        let top = schema.top()[0];
        let below = schema.data_children(Some(top)).iter();
        let names: Vec<String> = below.map(|id| schema.node(*id).name.to_string()).collect();
        let module = schema.module(schema.module_named("a").unwrap());
        (names.join(" "), module.deviated_by.len())
    };
    assert_eq!(names(&["a"]), ("x y z kept".to_owned(), 0));
    assert_eq!(names(&["a", "b"]), ("x kept".to_owned(), 1));
    let schema = Schema::load(&[&of, &by], &["a", "b"]).unwrap();
    for (value, is_right) in [("255", true), ("256", false)] {
        let json = format!("{{\"a:c\":{{\"x\":{value}}}}}");
        let options = twinpath_yang::json::ReadOptions::default();
        let read = twinpath_yang::json::read(&schema, json.as_bytes(), &options);
        assert_eq!(read.is_ok(), is_right, "{json}");
    }
}

/// 2^50 uses of groupings end at a bound.
#[test]
fn groupings_that_double_end() {
    let doubling = (1..50).map(|at| {
        let uses = format!("uses g{};", at - 1);
        format!("grouping g{at} {{ {uses} {uses} }}")
    });
    let doubling: Vec<String> = doubling.collect();
    let content = format!("grouping g0 {{ }} {} uses g49;", doubling.join(" "));
    assert!(load_error(&content).contains("groupings that use each other"));
}
