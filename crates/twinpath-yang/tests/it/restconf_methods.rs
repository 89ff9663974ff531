//! The methods of RESTCONF that change data.

use serde_json::{Value as Json, json};

use twinpath_yang::edit::{delete, patch, place, post, put};
use twinpath_yang::json::{ReadOptions, read};
use twinpath_yang::xml::{Element, Limits};
use twinpath_yang::{Children, FaultKind, Place, Select, Value, xml};

use crate::edits::Case;
use crate::path;

/// A resource as RESTCONF's bodies have it, below what is above it.
fn body(case: &Case, above: &str, json: &Json) -> Children {
    let options = ReadOptions {
        at: path(&case.schema, above),
        ..Default::default()
    };
    read(&case.schema, json.to_string().as_bytes(), &options).unwrap()
}

#[test]
fn post_creates_a_resource_below_another() {
    let case = Case::new(&json!({ "l": [{ "k": "a" }] }));
    let parent = path(&case.schema, "/m:c");
    let entry = body(&case, "/m:c", &json!({ "m:l": [{ "k": "b/1", "v": 2 }] }));
    let (root, created) = post(&case.schema, &case.root, &parent, &entry, None).unwrap();
    assert_eq!(
        case.json(&root),
        json!({ "l": [{ "k": "a" }, { "k": "b/1", "v": 2 }] })
    );
    assert_eq!(created.api_text(&case.schema), "m:c/l=b%2F1");
    let fault = post(&case.schema, &root, &parent, &entry, None).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Exists);
    let two = body(&case, "/m:c", &json!({ "m:s": "x", "m:n": 1 }));
    let fault = post(&case.schema, &case.root, &parent, &two, None).unwrap_err();
    assert_eq!(
        (fault.kind, &*fault.what),
        (FaultKind::WrongValue, "write one resource, not several")
    );
    let deep = path(&case.schema, "/m:c/l[k='z']");
    let leaf = body(&case, "/m:c/l[k='z']", &json!({ "m:v": 1 }));
    let fault = post(&case.schema, &case.root, &deep, &leaf, None).unwrap_err();
    assert_eq!(fault.path, deep);
    assert_eq!(fault.kind, FaultKind::Absent);
}

#[test]
fn put_replaces_a_resource_or_creates_it() {
    let case = Case::new(&json!({ "n": 1, "l": [{ "k": "a", "v": 1, "t": ["x"] }] }));
    let target = path(&case.schema, "/m:c/l[k='a']");
    let entry = body(&case, "/m:c", &json!({ "m:l": [{ "k": "a", "t": ["y"] }] }));
    let (root, is_new) = put(&case.schema, &case.root, &target, &entry, None).unwrap();
    assert_eq!(
        case.json(&root),
        json!({ "n": 1, "l": [{ "k": "a", "t": ["y"] }] })
    );
    assert!(!is_new);
    let other = path(&case.schema, "/m:c/l[k='b']");
    let fault = put(&case.schema, &case.root, &other, &entry, None).unwrap_err();
    assert_eq!(
        (fault.kind, &*fault.what),
        (
            FaultKind::WrongValue,
            "l: write the same key as the path has"
        )
    );
    let leaf = path(&case.schema, "/m:c/s");
    let (_, is_new) = put(
        &case.schema,
        &case.root,
        &leaf,
        &body(&case, "/m:c", &json!({ "m:s": "" })),
        None,
    )
    .unwrap();
    assert!(is_new);
    let nothing = body(&case, "/", &json!({ "m:c": {} }));
    let (root, _) = put(
        &case.schema,
        &case.root,
        &path(&case.schema, "/m:c"),
        &nothing,
        None,
    )
    .unwrap();
    assert_eq!(root, Children::new());
    let all = body(&case, "/", &json!({ "m:c": { "n": 2 } }));
    let (root, _) = put(
        &case.schema,
        &case.root,
        &path(&case.schema, "/"),
        &all,
        None,
    )
    .unwrap();
    assert_eq!(case.json(&root), json!({ "n": 2 }));
}

#[test]
fn put_moves_entries_to_the_insertion_point() {
    let case = Case::new(&json!({ "w": ["a", "b"] }));
    let target = path(&case.schema, "/m:c/w[.='b']");
    let value = body(&case, "/m:c", &json!({ "m:w": ["b"] }));
    let (root, _) = put(
        &case.schema,
        &case.root,
        &target,
        &value,
        Some(Place::First),
    )
    .unwrap();
    assert_eq!(case.json(&root), json!({ "w": ["b", "a"] }));
}

#[test]
fn patch_merges_with_a_resource_that_exists() {
    let case = Case::new(&json!({ "l": [{ "k": "a", "v": 1, "t": ["x"] }] }));
    let change = |at: &str, above: &str, json: Json| {
        patch(
            &case.schema,
            &case.root,
            &path(&case.schema, at),
            &body(&case, above, &json),
        )
    };
    let root = change(
        "/m:c/l[k='a']",
        "/m:c",
        json!({ "m:l": [{ "k": "a", "v": 2 }] }),
    )
    .unwrap();
    assert_eq!(
        case.json(&root),
        json!({ "l": [{ "k": "a", "v": 2, "t": ["x"] }] })
    );
    let fault = change("/m:c/l[k='b']", "/m:c", json!({ "m:l": [{ "k": "b" }] })).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Absent);
    let root = change("/", "/", json!({ "m:c": { "s": "x" } })).unwrap();
    assert_eq!(case.json(&root)["s"], json!("x"));
    let fault = change("/m:c/s", "/m:c", json!({ "m:n": 1 })).unwrap_err();
    assert_eq!(&*fault.what, "n: write s, as the path has it");
}

#[test]
fn delete_is_of_one_resource_that_exists() {
    let case = Case::new(&json!({ "l": [{ "k": "a" }], "q": ["x"] }));
    let gone = |at: &str| delete(&case.schema, &case.root, &path(&case.schema, at));
    assert_eq!(
        case.json(&gone("/m:c/l[k='a']").unwrap()),
        json!({ "q": ["x"] })
    );
    assert_eq!(
        case.json(&gone("/m:c/q[.='x']").unwrap()),
        json!({ "l": [{ "k": "a" }] })
    );
    assert_eq!(gone("/m:c").unwrap(), Children::new());
    assert_eq!(gone("/m:c/s").unwrap_err().kind, FaultKind::Absent);
    assert_eq!(gone("/m:c/l").unwrap_err().kind, FaultKind::MissingKey);
    assert_eq!(gone("/").unwrap_err().kind, FaultKind::NotSupported);
}

#[test]
fn insert_and_point_are_a_place() {
    let case = Case::new(&json!({}));
    let parent = path(&case.schema, "/m:c");
    let node = |name: &str| path(&case.schema, name).node().unwrap();
    let (u, w, q) = (node("/m:c/u"), node("/m:c/w"), node("/m:c/q"));
    let get = |list, insert, point| {
        let place = place(&case.schema, &parent, list, insert, point);
        place.map_err(|fault| (fault.kind.error_tag(), fault.what))
    };
    let text = |it: &str| Value::String(it.into());
    assert_eq!(get(q, None, None), Ok(None));
    assert_eq!(get(u, Some("first"), None), Ok(Some(Place::First)));
    assert_eq!(get(w, Some("last"), None), Ok(Some(Place::Last)));
    let key = Select::Key([text("a b")].into());
    assert_eq!(
        get(u, Some("before"), Some("/m:c/u=a%20b")),
        Ok(Some(Place::Before(key)))
    );
    let value = Select::Value(text("x"));
    assert_eq!(
        get(w, Some("after"), Some("m:c/w=x")),
        Ok(Some(Place::After(value)))
    );
    for (list, insert, point, what) in [
        (
            u,
            None,
            Some("/m:c/u=a"),
            "write the parameter insert too, as point needs it",
        ),
        (
            u,
            Some("after"),
            None,
            "write the parameter point too, as insert needs it",
        ),
        (
            u,
            Some("first"),
            Some("/m:c/u=a"),
            "point: for insert=before or insert=after only",
        ),
        (
            u,
            Some("up"),
            None,
            "insert: use first, last, before or after",
        ),
        (
            u,
            Some("after"),
            Some("/m:c/w=a"),
            "point: write an entry of the same list",
        ),
        (
            q,
            Some("first"),
            None,
            "insert: not allowed here, as users do not order it",
        ),
    ] {
        assert_eq!(
            get(list, insert, point),
            Err(("invalid-value", what.to_owned()))
        );
    }
}

#[test]
fn a_patch_may_leave_out_the_key_that_its_path_has() {
    // RFC 8040 section 4.6.1.
    let case = Case::new(&json!({ "l": [{ "k": "a", "v": 1, "t": ["x"] }] }));
    let target = path(&case.schema, "/m:c/l[k='a']");
    let options = ReadOptions {
        at: target.parent().unwrap(),
        key: Some([Value::String("a".into())].into()),
        ..ReadOptions::default()
    };
    let json = read(&case.schema, br#"{ "m:l": [{ "v": 2 }] }"#, &options).unwrap();
    let element = Element::parse(b"<l xmlns='urn:m'><v>2</v></l>", &Limits::default()).unwrap();
    let xml = xml::read(&case.schema, &[element], &options).unwrap();
    assert_eq!(json, xml);
    let root = patch(&case.schema, &case.root, &target, &json).unwrap();
    assert_eq!(
        case.json(&root),
        json!({ "l": [{ "k": "a", "v": 2, "t": ["x"] }] })
    );
    let other = read(
        &case.schema,
        br#"{ "m:l": [{ "k": "b", "v": 2 }] }"#,
        &options,
    )
    .unwrap();
    let fault = patch(&case.schema, &case.root, &target, &other).unwrap_err();
    assert_eq!(fault.kind, FaultKind::WrongValue);
    // Lists within it have their own keys.
    let faults = read(
        &case.schema,
        br#"{ "m:l": [{ "i": [{ "a": 1 }] }] }"#,
        &options,
    )
    .unwrap_err();
    assert_eq!(faults[0].kind, FaultKind::MissingKey);
}
