//! Edits and differences of random trees.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use twinpath_yang::{EditNode, Operation, apply, diff, edit};

use crate::edits::{MODULE, tree};
use crate::{compact, schema};

fn some<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(of)
}

/// Names in random order.
fn names() -> impl Strategy<Value = Vec<String>> {
    Just(["a", "b", "c", "d", "e"].map(str::to_owned).to_vec())
        .prop_shuffle()
        .prop_flat_map(|all| (0..=all.len()).prop_map(move |count| all[..count].to_vec()))
}

fn entries() -> impl Strategy<Value = Json> {
    (names(), prop::collection::vec((some(0..3_i8), names()), 5)).prop_map(|(keys, contents)| {
        let all = keys.iter().zip(contents).map(|(key, (v, t))| {
            let inner: Vec<Json> = t
                .iter()
                .map(|it| json!({ "a": it.len(), "b": it.as_bytes()[0], "v": it }))
                .collect();
            let mut entry = json!({ "k": key, "t": t, "i": inner });
            if let Some(v) = v {
                entry["v"] = v.into();
            }
            entry
        });
        all.collect()
    })
}

fn ordered_entries() -> impl Strategy<Value = Json> {
    (names(), prop::collection::vec(some(0..3_i8), 5)).prop_map(|(keys, values)| {
        let all = keys.iter().zip(values).map(|(key, v)| match v {
            Some(v) => json!({ "k": key, "v": v }),
            None => json!({ "k": key }),
        });
        all.collect()
    })
}

/// Data of the module above, and of its state.
pub(crate) fn trees() -> impl Strategy<Value = Json> {
    let leaves = (
        some(0..3_i8),
        some("[a-c]"),
        some(some(0..3_i8)),
        some(0..3_i8),
    );
    let ways = prop::sample::select(vec![
        json!({}),
        json!({ "a": 1 }),
        json!({ "a": 2, "b": 1 }),
        json!({ "other": 1 }),
        json!({ "d1": 1 }),
        json!({ "d2": 1 }),
    ]);
    let lists = (entries(), ordered_entries(), names(), names());
    (leaves, ways, lists, any::<bool>()).prop_map(|((n, s, p, state), mut c, (l, u, w, q), any)| {
        for (name, it) in [("n", n), ("state", state)] {
            if let Some(it) = it {
                c[name] = it.into();
            }
        }
        if let Some(s) = s {
            c["s"] = s.into();
        }
        if let Some(x) = p {
            c["p"] = x.map_or(json!({}), |x| json!({ "x": x }));
        }
        (c["l"], c["u"], c["w"], c["q"]) = (l, u, w.into(), q.into());
        if any {
            json!({ "m:c": c, "m:any": { "x": [1] } })
        } else {
            json!({ "m:c": c })
        }
    })
}

/// Data in one order where its order means nothing.
fn sorted(json: &mut Json) {
    let Json::Object(members) = json else {
        return;
    };
    for (name, member) in members {
        if let Json::Array(all) = member {
            all.iter_mut().for_each(sorted);
            if name != "u" && name != "w" {
                all.sort_by_key(ToString::to_string);
            }
        } else {
            sorted(member);
        }
    }
}

proptest! {
    #[test]
    fn differences_lead_from_one_tree_to_the_other(one in trees(), mut other in trees()) {
        let schema = schema(MODULE);
        let (from, to) = (tree(&schema, &one), tree(&schema, &other));
        let changes = diff(&schema, &from, &to);
        let made = apply(&schema, &from, &changes).unwrap();
        let mut made_json: Json = serde_json::from_str(&compact(&schema, &made)).unwrap();
        let to_json: Json = serde_json::from_str(&compact(&schema, &to)).unwrap();
        other = to_json;
        sorted(&mut made_json);
        sorted(&mut other);
        prop_assert_eq!(made_json, other);
        prop_assert_eq!(diff(&schema, &made, &to), Vec::new());
        prop_assert_eq!(diff(&schema, &from, &to).is_empty(), diff(&schema, &to, &from).is_empty());
    }

    #[test]
    fn replacing_all_makes_the_tree_of_the_edit(one in trees(), mut other in trees()) {
        other["m:c"].as_object_mut().unwrap().remove("state");
        let schema = schema(MODULE);
        let to = tree(&schema, &other);
        let nodes = EditNode::of_data(&schema, &to);
        let made = edit(&schema, &tree(&schema, &one), &nodes, Operation::Replace).unwrap();
        prop_assert_eq!(made, to);
    }
}
