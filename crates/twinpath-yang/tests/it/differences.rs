//! Differences of two trees.

use twinpath_yang::toml::{Reader, Roots};
use twinpath_yang::{ChangeKind, Children, Place, Schema, diff, line};

use crate::{daemon, data, path};

const MODULE: &str = r#"
module example {
  yang-version 1.1; namespace "urn:example"; prefix ex;
  container top {
    container plain { leaf a { type uint8; } leaf b { type string; } }
    container real { presence "it exists"; leaf a { type uint8; } }
    list entry { key "name kind"; leaf name { type string; } leaf kind { type uint8; } leaf size { type uint8; } }
    list rule { key name; ordered-by user; leaf name { type string; } leaf to { type string; } }
    leaf-list tag { type string; }
    leaf-list step { type string; ordered-by user; }
    leaf flag { type empty; }
    anydata extra;
    leaf-list seen { type uint8; config false; }
    list sample { config false; leaf at { type uint8; } }
  }
}"#;

fn lines(from: &str, to: &str) -> Vec<String> {
    let schema = Schema::load(&[MODULE], &["example"]).unwrap();
    let full = |text: &str| format!("{{\"example:top\": {text}}}");
    let (from, to) = (data(&schema, &full(from)), data(&schema, &full(to)));
    let root = path(&schema, "/example:top");
    let changes = diff(&schema, &from, &to);
    changes.iter().map(|it| line(&schema, &root, it)).collect()
}

#[test]
fn equal_trees_differ_in_nothing() {
    let text = r#"{"plain": {"a": 1}, "tag": ["x", "y"], "rule": [{"name": "a"}]}"#;
    let other = r#"{"rule": [{"name": "a"}], "tag": ["y", "x"], "plain": {"a": 1}}"#;
    assert_eq!(lines(text, other), Vec::<String>::new());
}

#[test]
fn leaves_have_their_values_in_a_line() {
    let from = r#"{"plain": {"a": 1, "b": "two words"}}"#;
    let to = r#"{"plain": {"a": 2}, "flag": [null]}"#;
    assert_eq!(
        lines(from, to),
        [
            "plain a: 1 -> 2",
            "plain b: \"two words\" -> (none)",
            "+ flag"
        ]
    );
    assert_eq!(
        lines(to, r#"{"plain": {"b": ""}}"#),
        ["plain a: 2 -> (none)", "plain b: (none) -> \"\"", "- flag",]
    );
}

#[test]
fn an_entry_that_is_new_or_gone_is_one_change() {
    let from = r#"{"entry": [{"name": "a", "kind": 1, "size": 1}, {"name": "b", "kind": 1}], "real": {"a": 1}}"#;
    let to =
        r#"{"entry": [{"name": "c", "kind": 2, "size": 9}, {"name": "b", "kind": 1, "size": 3}]}"#;
    assert_eq!(
        lines(from, to),
        [
            "- real",
            "- entry a 1",
            "+ entry c 2",
            "entry b 1 size: (none) -> 3"
        ]
    );
}

#[test]
fn as_few_entries_as_possible_are_moved() {
    let rules = |names: &[&str]| {
        let all: Vec<String> = names
            .iter()
            .map(|it| format!("{{\"name\": \"{it}\"}}"))
            .collect();
        format!("{{\"rule\": [{}]}}", all.join(","))
    };
    let from = rules(&["a", "b", "c", "d", "e"]);
    assert_eq!(
        lines(&from, &rules(&["b", "c", "d", "e", "a"])),
        ["rule a: moved after e"]
    );
    assert_eq!(
        lines(&from, &rules(&["e", "x", "a", "b", "d"])),
        ["- rule c", "rule e: moved to the first place", "+ rule x"]
    );
}

#[test]
fn values_of_leaf_lists_are_one_change_each() {
    let from = r#"{"tag": ["x", "y"], "step": ["a", "b"]}"#;
    let to = r#"{"tag": ["z", "y"], "step": ["b", "c", "a"]}"#;
    assert_eq!(
        lines(from, to),
        [
            "- tag x",
            "+ tag z",
            "step b: moved to the first place",
            "+ step c"
        ]
    );
}

#[test]
fn what_nothing_identifies_is_compared_as_a_whole() {
    let from = r#"{"extra": {"a": 1}, "seen": [1, 1], "sample": [{"at": 1}]}"#;
    let to = r#"{"extra": {"a": 2}, "seen": [1], "sample": [{"at": 2}]}"#;
    assert_eq!(
        lines(from, to),
        ["extra: changed", "seen: 1, 1 -> 1", "sample: changed"]
    );
}

#[test]
fn created_entries_of_user_ordered_lists_have_their_place() {
    let schema = Schema::load(&[MODULE], &["example"]).unwrap();
    let to = data(&schema, r#"{"example:top": {"step": ["a"], "tag": ["b"]}}"#);
    let changes = diff(&schema, &Children::new(), &to);
    let places = changes.iter().map(|it| {
        let ChangeKind::Created { place, .. } = &it.kind else {
            panic!("{it:?}");
        };
        place.clone()
    });
    assert_eq!(places.collect::<Vec<_>>(), [None, Some(Place::First)]);
}

#[test]
fn configurations_of_the_daemon_differ_in_words_of_their_files() {
    let schema = daemon();
    let top = |name| path(&schema, name).node().unwrap();
    let roots = Roots {
        main: top("/twinpath-measurement:measurement"),
        tables: vec![("twamp".into(), top("/ietf-twamp:twamp"))],
    };
    let read = |text: &str| {
        let mut reader = Reader::new(&schema, &roots);
        reader.add("a.toml", text);
        let (document, faults) = reader.finish();
        assert!(faults.is_empty(), "{faults:?}");
        document.root
    };
    let session = |name: &str, rest: &str| {
        format!(
            "[[session]]\nname = \"{name}\"\naddress = \"192.0.2.1\"\nprotocol = \"stamp\"\n{rest}\n"
        )
    };
    let from = session("a", "interval = \"1s\"\nlabels = { room = \"1\" }") + &session("old", "");
    let to = session(
        "a",
        "interval = \"2s\"\nlabels = { site = \"fra\", room = \"2\" }\ntlv = [\"hmac\"]",
    ) + &session("fra-core1", "")
        + "[twamp.server]\nservwait = 60";
    let root = path(&schema, "/twinpath-measurement:measurement");
    let changes = diff(&schema, &read(&from), &read(&to));
    let mut lines: Vec<String> = changes.iter().map(|it| line(&schema, &root, it)).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "+ session a tlv hmac",
            "+ session fra-core1",
            "- session old",
            "session a interval: 1s -> 2s",
            "session a labels room: 1 -> 2",
            "session a labels site: (none) -> fra",
            "twamp server servwait: (none) -> 60",
        ]
    );
}
