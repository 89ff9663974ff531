//! No text makes a reader panic or recurse without bound.

use proptest::prelude::*;

use twinpath_yang::json::{ReadOptions, read};
use twinpath_yang::statement::parse;
use twinpath_yang::toml::{Reader, Roots, write};
use twinpath_yang::{Path, Schema};

use crate::{compact, data, path, schema};

pub(crate) const MODULE: &str = r"
    extension position;
    container c {
      leaf n { type int8; } leaf d { type decimal64 { fraction-digits 4; } } leaf s { type string; } leaf e { type empty; }
      leaf u { type union { type uint8; type string { length 2; } } } leaf-list ll { type string; ordered-by user; }
      list l { key k; ordered-by user; leaf k { type string; } leaf v { type int64; } container in { leaf x { type boolean; } } }
      list t { key k; leaf k { type string; } leaf value { type string; } }
      list p { key i; leaf i { type uint8; m:position; } leaf v { type string; } }
      anydata a;
    }";

fn roots(schema: &Schema) -> Roots {
    Roots {
        main: path(schema, "/m:c").node().unwrap(),
        tables: vec![("c".into(), path(schema, "/m:c").node().unwrap())],
    }
}

/// Pieces of texts, so that some inputs get beyond the first character.
pub(crate) fn pieces(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![4 => prop::sample::select(of).prop_map(str::to_owned), 1 => "\\PC{0,3}"];
    prop::collection::vec(piece, 0..40).prop_map(|all| all.concat())
}

fn text() -> impl Strategy<Value = String> {
    // Without the control characters that YANG does not allow.
    prop_oneof!["[a-z]{0,3}", "\\PC{0,6}", "[\\t\\n\\r\\x20-\\x7f]{0,4}"]
}

/// Data of the module above, in JSON.
pub(crate) fn tree() -> impl Strategy<Value = String> {
    let entry = (text(), any::<i64>(), any::<bool>());
    let entries = prop::collection::btree_map(text(), entry, 0..4);
    let words = prop::collection::btree_set(text(), 0..4);
    (any::<i8>(), any::<i64>(), text(), any::<u8>(), entries, words).prop_map(|(n, d, s, u, entries, words)| {
        let d = twinpath_yang::value::Decimal { scaled: d, digits: 4 };
        let mut members = serde_json::json!({ "n": n, "d": d.to_string(), "s": s, "u": u, "e": [null] });
        let l: Vec<_> = entries
            .iter()
            .map(|(k, (_, v, x))| serde_json::json!({ "k": k, "v": v.to_string(), "in": { "x": x } }))
            .collect();
        let t: Vec<_> = entries.iter().map(|(k, (value, ..))| serde_json::json!({ "k": k, "value": value })).collect();
        let p: Vec<_> = entries
            .values()
            .enumerate()
            .map(|(at, (v, ..))| serde_json::json!({ "i": at * 2 + 1, "v": v }))
            .collect();
        members["l"] = l.into();
        members["t"] = t.into();
        members["p"] = p.into();
        members["ll"] = words.into_iter().collect::<Vec<_>>().into();
        serde_json::json!({ "m:c": members }).to_string()
    })
}

proptest! {
    #[test]
    fn statements(text in pieces(&["module", " ", "m", "{", "}", ";", "\"", "'", "+", "\\", "//", "/*", "*/", "\n", "a:b", "leaf", "\\n", "\t"])) {
        let _ = parse(&text);
        let _ = parse(&format!("module m {{ {text} }}"));
    }

    #[test]
    fn modules(text in pieces(&[
        "leaf a { type string; } ", "leaf ", "b ", "{ ", "} ", "; ", "type ", "uint8 ", "leafref { path '../a'; } ", "default 1; ", "uses g; ",
        "grouping g { ", "list l { key a; ", "augment /m:c { ", "container c { ", "when \"../a\"; ", "must \"a = 'x'\"; ", "choice x { ",
        "range \"1..5\"; ", "pattern '[a-z'; ", "enum x; ", "type enumeration { ", "typedef t { ", "type t; ", "if-feature f; ", "feature f; ",
    ])) {
        let module = crate::module("m", &text);
        let _ = Schema::load(&[&module], &["m"]);
    }

    #[test]
    fn json(text in pieces(&["{", "}", "[", "]", ":", ",", "\"m:c\"", "\"l\"", "\"k\"", "\"a\"", "1", "null", "\"x\"", "{\"m:c\":{", "-", "e9", "true"])) {
        let schema = schema(MODULE);
        let _ = read(&schema, text.as_bytes(), &ReadOptions::default());
    }

    #[test]
    fn octets(octets in prop::collection::vec(any::<u8>(), 0..64)) {
        let schema = schema(MODULE);
        let _ = read(&schema, &octets, &ReadOptions::default());
    }

    #[test]
    fn toml(text in pieces(&["[c]\n", "[[l]]\n", "[[p]]\n", "[l.in]\n", "k", " = ", "\"x\"", "\n", "1", "[", "]", "{", "}", ",", "n = 1\n", "t = { a = 1 }\n", "a", ".", "i = 3\n", "c = [{}]\n"])) {
        let schema = schema(MODULE);
        let roots = roots(&schema);
        let mut reader = Reader::new(&schema, &roots);
        reader.add("a", &text);
        reader.add("b", &text);
        let (document, _) = reader.finish();
        let _ = twinpath_yang::validate(&schema, &document.root, twinpath_yang::Scope::Config);
    }

    #[test]
    fn paths(text in pieces(&["/", "m:c", "l", "[", "]", "k", "=", "'", "\"", "x", ".", "1", "ll", "%2", ",", ":"])) {
        let schema = schema(MODULE);
        if let Ok(path) = Path::parse(&schema, &text) {
            prop_assert_eq!(Path::parse(&schema, &path.text(&schema)), Ok(path));
        }
        if let Ok(path) = Path::parse_api(&schema, &text) {
            prop_assert_eq!(Path::parse_api(&schema, &path.api_text(&schema)), Ok(path));
        }
    }

    #[test]
    fn data_survives_json_and_toml(text in tree()) {
        let schema = schema(MODULE);
        let roots = roots(&schema);
        let root = data(&schema, &text);
        prop_assert_eq!(&data(&schema, &compact(&schema, &root)), &root);
        let written = write(&schema, &Roots { tables: Vec::new(), ..roots.clone() }, &root);
        let only_main = Roots { main: roots.main, tables: Vec::new() };
        let mut reader = Reader::new(&schema, &only_main);
        reader.add("f", &written);
        let (document, faults) = reader.finish();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        prop_assert_eq!(faults, Vec::<String>::new(), "{}", written);
        prop_assert_eq!(&document.root, &root, "{}", written);
    }
}
