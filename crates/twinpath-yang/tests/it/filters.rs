//! Subtree filters.

use serde_json::{Value as Json, json};

use twinpath_yang::filter::Test;
use twinpath_yang::{Children, Filter, Schema, Value};

use crate::{compact, data, schema};

const MODULE: &str = "
    container top {
      container users {
        list user { key name; leaf name { type string; } leaf type { type string; } leaf full-name { type string; }
          container company-info { leaf dept { type uint8; } leaf id { type uint8; } } leaf-list tag { type string; } } }
      leaf other { type int8; }
    }";

fn example() -> (Schema, Children) {
    let schema = schema(MODULE);
    let user = |name: &str, ty: &str, full: &str, dept: u8, id: u8| json!({ "name": name, "type": ty, "full-name": full, "company-info": { "dept": dept, "id": id }, "tag": [name, "all"] });
    let users = json!([
        user("root", "superuser", "Charlie Root", 1, 1),
        user("fred", "admin", "Fred Flintstone", 2, 2),
        user("barney", "admin", "Barney Rubble", 2, 3)
    ]);
    let root = data(
        &schema,
        &json!({ "m:top": { "users": { "user": users }, "other": 1 } }).to_string(),
    );
    (schema, root)
}

/// A filter as in JSON: `null` selects, a text must be equal, an object contains; arrays have several.
fn filters(schema: &Schema, of: Option<twinpath_yang::NodeId>, json: &Json) -> Vec<Filter> {
    let mut all = Vec::new();
    for (name, member) in json.as_object().unwrap() {
        let node = schema.child(of, None, name);
        let one = [member.clone()];
        for member in member.as_array().map_or(one.as_slice(), Vec::as_slice) {
            let test = match member {
                Json::Null => Test::All,
                Json::String(text) => Test::Equals(Some(Value::String(text.as_str().into()))),
                Json::Number(number) => Test::Equals(number.as_u64().map(Value::Uint)),
                Json::Bool(_) | Json::Array(_) | Json::Object(_) => {
                    Test::Below(filters(schema, node, member))
                }
            };
            all.push(Filter { node, test });
        }
    }
    all
}

fn users(json: &Json) -> Json {
    let (schema, root) = example();
    let filters = filters(
        &schema,
        None,
        &json!({ "top": { "users": { "user": json } } }),
    );
    let shown = Filter::apply(&schema, &root, &filters);
    let json: Json = serde_json::from_str(&compact(&schema, &shown)).unwrap();
    json["m:top"]["users"]["user"].clone()
}

#[test]
fn a_content_match_node_selects_its_siblings() {
    let all = users(&Json::Null);
    assert_eq!(users(&json!({ "name": "fred" })), json!([all[1]]));
    assert_eq!(users(&json!({ "type": "admin" })), json!([all[1], all[2]]));
    assert_eq!(
        users(&json!({ "type": "admin", "full-name": "Barney Rubble" })),
        json!([all[2]])
    );
    assert_eq!(users(&json!({ "tag": "fred" })), json!([all[1]]));
    assert_eq!(
        users(&json!({ "tag": "all", "name": null })),
        json!([
        { "name": "root", "tag": ["all"] }, { "name": "fred", "tag": ["all"] }, { "name": "barney", "tag": ["all"] }])
    );
    assert_eq!(users(&json!({ "name": "unknown" })), Json::Null);
}

#[test]
fn entries_have_their_keys_and_the_order_of_the_data() {
    assert_eq!(
        users(
            &json!([{ "name": "barney", "type": null }, { "name": "fred", "company-info": { "id": null } }, { "company-info": { "dept": 1 } }])
        ),
        json!([
            { "name": "root", "company-info": { "dept": 1, "id": 1 } },
            { "name": "fred", "company-info": { "id": 2 } },
            { "name": "barney", "type": "admin" }])
    );
}

#[test]
fn a_node_that_is_unknown_selects_nothing() {
    assert_eq!(users(&json!({ "bogus": null })), Json::Null);
    assert_eq!(
        users(&json!({ "name": "fred", "bogus": null })),
        json!([{ "name": "fred" }])
    );
    assert_eq!(users(&json!({ "name": "fred", "bogus": "x" })), Json::Null);
    assert_eq!(users(&json!({ "name": { "x": null } })), Json::Null);
    assert_eq!(users(&json!({ "company-info": "x" })), Json::Null);
}

#[test]
fn no_filter_selects_nothing() {
    let (schema, root) = example();
    assert_eq!(Filter::apply(&schema, &root, &[]), Children::new());
    let empty = filters(&schema, None, &json!({ "top": { "users": {} } }));
    assert_eq!(Filter::apply(&schema, &root, &empty), Children::new());
}
