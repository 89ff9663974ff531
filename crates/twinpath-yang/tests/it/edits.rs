//! Edits of NETCONF.

use serde_json::{Value as Json, json};

use twinpath_yang::{
    Children, EditContent, EditNode, Fault, FaultKind, Operation, Place, Schema, Select, edit,
};

use crate::{compact, data, path, schema};

pub(crate) const MODULE: &str = "
    container c {
      leaf n { type int8; default 5; } leaf s { type string; }
      container p { presence 'it exists'; leaf x { type int8; } }
      choice way { case one { leaf a { type int8; } leaf b { type int8; } } leaf other { type int8; }
                   case deep { choice more { leaf d1 { type int8; } leaf d2 { type int8; } } } }
      list l { key k; leaf k { type string; } leaf v { type int8; } leaf-list t { type string; }
               list i { key 'a b'; leaf a { type int8; } leaf b { type int8; } leaf v { type string; } } }
      list u { key k; ordered-by user; leaf k { type string; } leaf v { type int8; } }
      leaf-list w { type string; ordered-by user; }
      leaf-list q { type string; }
      leaf state { config false; type int8; }
    }
    anydata any;";

pub(crate) fn tree(schema: &Schema, json: &Json) -> Children {
    data(schema, &json.to_string())
}

/// Nodes of an edit made of data, with operations by path.
fn nodes(schema: &Schema, json: &Json, operations: &[(&str, Operation)]) -> Vec<EditNode> {
    let mut nodes = EditNode::of_data(schema, &tree(schema, json));
    for (text, operation) in operations {
        let path = path(schema, text);
        let mut level = &mut nodes;
        let (last, above) = path.steps().split_last().unwrap();
        for step in above {
            let node = level
                .iter_mut()
                .find(|it| it.node == step.node && it.select == step.select);
            let EditContent::Nodes(below) = &mut node.unwrap().content else {
                panic!("{text}");
            };
            level = below;
        }
        let node = level
            .iter_mut()
            .find(|it| it.node == last.node && it.select == last.select);
        node.unwrap().operation = Some(*operation);
    }
    nodes
}

pub(crate) struct Case {
    pub(crate) schema: Schema,
    pub(crate) root: Children,
}

impl Case {
    pub(crate) fn new(json: &Json) -> Self {
        let schema = schema(MODULE);
        let root = tree(&schema, &json!({ "m:c": json }));
        Self { schema, root }
    }

    fn edit(
        &self,
        json: &Json,
        operations: &[(&str, Operation)],
        default: Operation,
    ) -> Result<Json, Fault> {
        let nodes = nodes(&self.schema, &json!({ "m:c": json }), operations);
        edit(&self.schema, &self.root, &nodes, default).map(|root| self.json(&root))
    }

    pub(crate) fn json(&self, root: &Children) -> Json {
        let json: Json = serde_json::from_str(&compact(&self.schema, root)).unwrap();
        json.get("m:c").cloned().unwrap_or(json!({}))
    }

    fn refused(
        &self,
        json: &Json,
        operations: &[(&str, Operation)],
        default: Operation,
    ) -> (FaultKind, String) {
        let fault = self.edit(json, operations, default).unwrap_err();
        (
            fault.kind,
            format!("{} {}", fault.path.text(&self.schema), fault.what),
        )
    }
}

#[test]
fn merge_keeps_what_an_edit_does_not_have() {
    let case = Case::new(&json!({ "n": 1, "l": [{ "k": "a", "v": 1, "t": ["x"] }], "q": ["1"] }));
    let edited = case.edit(
        &json!({ "s": "new", "l": [{ "k": "a", "t": ["y", "x"] }, { "k": "b" }], "q": ["2"] }),
        &[],
        Operation::Merge,
    );
    assert_eq!(
        edited.unwrap(),
        json!({ "n": 1, "s": "new", "l": [{ "k": "a", "v": 1, "t": ["x", "y"] }, { "k": "b" }], "q": ["1", "2"] })
    );
}

#[test]
fn replace_deletes_what_an_edit_does_not_have() {
    let case = Case::new(
        &json!({ "n": 1, "l": [{ "k": "a", "v": 1, "t": ["x"] }, { "k": "b", "v": 2 }] }),
    );
    let entry = case.edit(
        &json!({ "l": [{ "k": "a", "t": ["y"] }] }),
        &[("/m:c/l[k='a']", Operation::Replace)],
        Operation::Merge,
    );
    assert_eq!(
        entry.unwrap(),
        json!({ "n": 1, "l": [{ "k": "a", "t": ["y"] }, { "k": "b", "v": 2 }] })
    );
    let container = case.edit(
        &json!({ "s": "only" }),
        &[("/m:c", Operation::Replace)],
        Operation::Merge,
    );
    assert_eq!(container.unwrap(), json!({ "s": "only" }));
    let all = case.edit(&json!({ "q": ["b", "a"] }), &[], Operation::Replace);
    assert_eq!(all.unwrap(), json!({ "q": ["b", "a"] }));
}

#[test]
fn create_needs_a_node_that_is_not_there() {
    let case = Case::new(&json!({ "n": 1, "l": [{ "k": "a" }], "q": ["x"] }));
    let create =
        |json: &Json, at: &str| case.refused(json, &[(at, Operation::Create)], Operation::Merge);
    assert_eq!(
        create(&json!({ "n": 2 }), "/m:c/n"),
        (FaultKind::Exists, "/m:c/n n: it exists already".into())
    );
    assert_eq!(
        create(&json!({ "l": [{ "k": "a" }] }), "/m:c/l[k='a']"),
        (
            FaultKind::Exists,
            "/m:c/l[k='a'] l a: it exists already".into()
        )
    );
    assert_eq!(
        create(&json!({ "q": ["x"] }), "/m:c/q[.='x']"),
        (
            FaultKind::Exists,
            "/m:c/q[.='x'] q x: it exists already".into()
        )
    );
    assert_eq!(create(&json!({ "s": "x" }), "/m:c").0, FaultKind::Exists);
    let created = case.edit(
        &json!({ "s": "x", "p": { "x": 1 } }),
        &[("/m:c/s", Operation::Create), ("/m:c/p", Operation::Create)],
        Operation::Merge,
    );
    assert_eq!(
        created.unwrap(),
        json!({ "n": 1, "s": "x", "p": { "x": 1 }, "l": [{ "k": "a" }], "q": ["x"] })
    );
    let empty = Case::new(&json!({}));
    let created = empty.edit(
        &json!({ "s": "x" }),
        &[("/m:c", Operation::Create)],
        Operation::Merge,
    );
    assert_eq!(created.unwrap(), json!({ "s": "x" }));
    assert_eq!(FaultKind::Exists.error_tag(), "data-exists");
}

#[test]
fn delete_needs_a_node_that_is_there_and_remove_does_not() {
    let case = Case::new(&json!({ "n": 1, "l": [{ "k": "a" }], "q": ["x", "y"] }));
    for (json, at) in [
        (json!({ "s": "" }), "/m:c/s"),
        (json!({ "l": [{ "k": "b" }] }), "/m:c/l[k='b']"),
        (json!({ "q": ["z"] }), "/m:c/q[.='z']"),
        (json!({ "p": {} }), "/m:c/p"),
    ] {
        let (kind, what) = case.refused(&json, &[(at, Operation::Delete)], Operation::Merge);
        assert_eq!(kind.error_tag(), "data-missing", "{what}");
        let same = case
            .edit(&json, &[(at, Operation::Remove)], Operation::None)
            .unwrap();
        assert_eq!(same, case.json(&case.root), "{at}");
    }
    let left = case.edit(
        &json!({ "n": 9, "l": [{ "k": "a", "v": 7 }], "q": ["x"] }),
        &[
            ("/m:c/n", Operation::Delete),
            ("/m:c/l[k='a']", Operation::Remove),
            ("/m:c/q[.='x']", Operation::Delete),
        ],
        Operation::None,
    );
    assert_eq!(left.unwrap(), json!({ "q": ["y"] }));
    let whole = edit(
        &case.schema,
        &case.root,
        &nodes(
            &case.schema,
            &json!({ "m:c": { "n": 1 } }),
            &[("/m:c", Operation::Delete)],
        ),
        Operation::Merge,
    );
    assert_eq!(whole, Ok(Children::new()));
}

#[test]
fn keys_are_deleted_with_their_entries_only() {
    let case = Case::new(&json!({ "l": [{ "k": "a" }] }));
    let (kind, what) = case.refused(
        &json!({ "l": [{ "k": "a" }] }),
        &[("/m:c/l[k='a']/k", Operation::Remove)],
        Operation::Merge,
    );
    assert_eq!(kind.error_tag(), "operation-not-supported", "{what}");
}

#[test]
fn the_operation_none_needs_what_is_around_a_change() {
    let case = Case::new(&json!({ "l": [{ "k": "a" }] }));
    let deep = |key: &str| json!({ "l": [{ "k": key, "i": [{ "a": 1, "b": 2 }] }] });
    let at = |key: &str| format!("/m:c/l[k='{key}']/i[a='1'][b='2']");
    assert_eq!(
        case.refused(
            &deep("z"),
            &[(&at("z"), Operation::Create)],
            Operation::None
        ),
        (
            FaultKind::Absent,
            "/m:c/l[k='z'] l z: it does not exist".into()
        )
    );
    let edited = case.edit(
        &deep("a"),
        &[(&at("a"), Operation::Create)],
        Operation::None,
    );
    assert_eq!(edited.unwrap(), deep("a"));
    // A container without presence is always there.
    let empty = Case::new(&json!({}));
    let edited = empty.edit(
        &json!({ "s": "x" }),
        &[("/m:c/s", Operation::Create)],
        Operation::None,
    );
    assert_eq!(edited.unwrap(), json!({ "s": "x" }));
    let kind = empty.refused(&json!({ "s": "x" }), &[], Operation::None).0;
    assert_eq!(kind, FaultKind::Absent);
}

#[test]
fn a_case_that_is_set_deletes_the_others() {
    let case = Case::new(&json!({ "a": 1, "b": 2 }));
    let set = |json: Json| case.edit(&json, &[], Operation::Merge);
    assert_eq!(set(json!({ "other": 1 })).unwrap(), json!({ "other": 1 }));
    assert_eq!(set(json!({ "d2": 1 })).unwrap(), json!({ "d2": 1 }));
    assert_eq!(set(json!({ "a": 3 })).unwrap(), json!({ "a": 3, "b": 2 }));
    let fault = set(json!({ "other": 1, "d1": 1 })).unwrap_err();
    assert_eq!(
        (fault.kind, fault.kind.error_tag()),
        (FaultKind::SeveralCases, "bad-element")
    );
    let swapped = case.edit(
        &json!({ "other": 1, "a": 1 }),
        &[("/m:c/a", Operation::Delete)],
        Operation::Merge,
    );
    assert_eq!(swapped.unwrap(), json!({ "other": 1 }));
}

#[test]
fn state_is_not_edited() {
    let case = Case::new(&json!({}));
    let kind = case
        .refused(&json!({ "state": 1 }), &[], Operation::Merge)
        .0;
    assert_eq!(kind, FaultKind::NotConfig);
}

#[test]
fn users_put_entries_and_values_at_places() {
    let case = Case::new(
        &json!({ "u": [{ "k": "a" }, { "k": "b" }, { "k": "c" }], "w": ["a", "b", "c"] }),
    );
    let text = |it: &str| twinpath_yang::Value::String(it.into());
    let put = |list: &str, name: &str, operation: Operation, place: Place| {
        let json = match list {
            "u" => json!({ "u": [{ "k": name }] }),
            _ => json!({ "w": [name] }),
        };
        let mut nodes = nodes(&case.schema, &json!({ "m:c": json }), &[]);
        let EditContent::Nodes(below) = &mut nodes[0].content else {
            panic!("a container");
        };
        below[0].operation = Some(operation);
        below[0].place = Some(place);
        let edited = edit(&case.schema, &case.root, &nodes, Operation::Merge)?;
        let json = case.json(&edited);
        let names = json[list].as_array().unwrap().iter();
        let names = names.map(|it| it.as_str().or(it["k"].as_str()).unwrap().to_owned());
        Ok::<String, Fault>(names.collect())
    };
    let beside = |list: &str, name: &str| match list {
        "u" => Select::Key([text(name)].into()),
        _ => Select::Value(text(name)),
    };
    for list in ["u", "w"] {
        let put = |name: &str, operation, place| put(list, name, operation, place).unwrap();
        let beside = |name| beside(list, name);
        assert_eq!(put("x", Operation::Create, Place::First), "xabc");
        assert_eq!(put("x", Operation::Create, Place::Last), "abcx");
        assert_eq!(
            put("x", Operation::Merge, Place::Before(beside("b"))),
            "axbc"
        );
        assert_eq!(
            put("x", Operation::Replace, Place::After(beside("b"))),
            "abxc"
        );
        assert_eq!(put("a", Operation::Merge, Place::After(beside("b"))), "bac");
        assert_eq!(
            put("a", Operation::Merge, Place::Before(beside("c"))),
            "bac"
        );
        assert_eq!(
            put("c", Operation::Replace, Place::Before(beside("a"))),
            "cab"
        );
        assert_eq!(put("c", Operation::Merge, Place::After(beside("a"))), "acb");
        assert_eq!(put("b", Operation::Merge, Place::After(beside("b"))), "abc");
    }
    let fault = put("u", "a", Operation::Merge, Place::After(beside("u", "z"))).unwrap_err();
    assert_eq!(
        (fault.kind.error_tag(), fault.app_tag.as_deref()),
        ("bad-attribute", Some("missing-instance"))
    );
}

#[test]
fn places_are_for_lists_that_users_order() {
    let case = Case::new(&json!({}));
    let mut nodes = nodes(
        &case.schema,
        &json!({ "m:c": { "l": [{ "k": "a" }] } }),
        &[],
    );
    let EditContent::Nodes(below) = &mut nodes[0].content else {
        panic!("a container");
    };
    below[0].place = Some(Place::First);
    let fault = edit(&case.schema, &case.root, &nodes, Operation::Merge).unwrap_err();
    assert_eq!(fault.kind.error_tag(), "unknown-attribute");
}

#[test]
fn entries_deleted_and_created_in_one_edit_are_last() {
    let case = Case::new(&json!({ "w": ["a", "b"] }));
    let json = json!({ "m:c": { "w": ["a"] } });
    let at = "/m:c/w[.='a']";
    let mut all = nodes(&case.schema, &json, &[(at, Operation::Delete)]);
    all.extend(nodes(&case.schema, &json, &[(at, Operation::Create)]));
    let edited = edit(&case.schema, &case.root, &all, Operation::Merge).unwrap();
    assert_eq!(case.json(&edited), json!({ "w": ["b", "a"] }));
}
