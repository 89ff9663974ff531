//! What a user may read, against the steps of RFC 8341 section 3.4.5 done slowly for each node.

use proptest::prelude::*;

use twinpath_yang::{Children, Data, Path, Schema, Select};

use crate::access::{DATA, U, access, rule, schema};
use crate::data;

/// All nodes of a tree with their paths: each leaf, value and entry is one.
fn nodes(schema: &Schema, here: &Children, at: &Path, all: &mut Vec<Path>) {
    for (id, data) in here.ordered(schema, at.node()) {
        let mut add = |select: Select, content: Option<&Children>| {
            let path = at.join(id, select);
            all.push(path.clone());
            if let Some(content) = content {
                nodes(schema, content, &path, all);
            }
        };
        match data {
            Data::Leaf(_) | Data::Any(_) => add(Select::All, None),
            Data::Container(content) => add(Select::All, Some(content)),
            Data::LeafList(values) => values
                .iter()
                .for_each(|it| add(Select::Value(it.clone()), None)),
            Data::List(entries) => entries
                .iter()
                .for_each(|(key, it)| add(Select::Key(key.clone()), Some(it))),
            Data::Keyless(entries) => entries
                .iter()
                .enumerate()
                .for_each(|(i, it)| add(Select::Position(i + 1), Some(it))),
        }
    }
}

/// RFC 8341 section 3.4.5 for one node alone, with its path as text: what is between quotes has no slash here.
fn is_readable(text: &str, rules: &[(bool, &str, &str)], read_default: bool) -> bool {
    let steps =
        |path: &str| -> Vec<String> { path.split('/').skip(1).map(str::to_owned).collect() };
    let is_step = |rule: &String, step: &String| {
        let (name, tests) = rule
            .split_once('[')
            .map_or((&**rule, ""), |(name, tests)| (name, tests));
        let plain = step.split('[').next().unwrap();
        name == plain
            && tests
                .split('[')
                .filter(|it| !it.is_empty())
                .all(|it| step.contains(&format!("[{it}")))
    };
    for (is_permit, rights, path) in rules {
        let (wanted, step) = (steps(path), steps(text));
        let is_below = *path == "/"
            || wanted.len() <= step.len() && wanted.iter().zip(&step).all(|(a, b)| is_step(a, b));
        if (rights.contains("read") || *rights == "*") && is_below {
            return *is_permit;
        }
    }
    read_default && !(text.starts_with("/m:c/s/") || text == "/m:c/s")
}

const PATHS: &[&str] = &[
    "/",
    "/m:c",
    "/m:c/a",
    "/m:c/s",
    "/m:c/s/x",
    "/m:c/v",
    "/m:c/v[.='p']",
    "/m:c/l",
    "/m:c/l[k='1']",
    "/m:c/l[m='b']",
    "/m:c/l[k='2'][m='b']",
    "/m:c/l/k",
    "/m:c/l[k='1']/m",
    "/m:c/l/y",
    "/m:c/l[k='1']/in",
    "/m:c/l/in[i='1']/z",
    "/m:c/l/in/i",
    "/m:c/one",
    "/m:c/p",
    "/m:c/n",
    "/m:c/n[2]",
    "/m:c/n/q",
];

proptest! {
    #[test]
    fn what_is_shown_is_what_each_node_alone_permits(
        rules in prop::collection::vec((any::<bool>(), prop::sample::select(&["*", "read", "update delete", "create read"][..]), prop::sample::select(PATHS)), 0..6),
        read_default in any::<bool>(),
    ) {
        let schema = schema();
        let texts: Vec<String> = rules.iter().enumerate().map(|(at, (is_permit, rights, path))| {
            let action = if *is_permit { "permit" } else { "deny" };
            rule(u8::try_from(at).unwrap(), action, &format!(r#","access-operations":"{rights}","path":"{path}""#))
        }).collect();
        let default = if read_default { "" } else { r#""read-default":"deny","# };
        let access = access(&schema, default, &texts.join(","));
        prop_assert_eq!(access.ignored(), &[]);
        let root = data(&schema, DATA);
        let shown = access.visible(&schema, U, &root);
        let (mut all, mut left) = (Vec::new(), Vec::new());
        nodes(&schema, &root, &Path::root(), &mut all);
        nodes(&schema, &shown, &Path::root(), &mut left);
        for path in all {
            let mut above = path.clone();
            let mut is_permitted = true;
            while !above.steps().is_empty() {
                let keys = above.steps().last().filter(|it| matches!(it.select, Select::Key(_)));
                let keys = keys.and_then(|it| schema.node(it.node).list()).map(|it| it.keys.clone());
                let keys = keys.unwrap_or_default().into_iter().map(|key| above.join(key, Select::All));
                for node in keys.chain([above.clone()]) {
                    is_permitted &= is_readable(&node.text(&schema), &rules, read_default);
                }
                above = above.parent().unwrap();
            }
            // A container without presence whose content is hidden is left out.
            let is_plain = schema.node(path.node().unwrap()).is_plain_container();
            let is_shown = left.contains(&path);
            if is_shown || !is_plain {
                prop_assert_eq!(is_shown, is_permitted, "{} {:?}", path.text(&schema), rules);
            }
            prop_assert_eq!(access.may_read(&schema, U, &path), is_permitted, "{}", path.text(&schema));
        }
    }
}
