//! Access control (RFC 8341): what users may change.

use twinpath_yang::{FaultKind, diff};

use crate::access::{DATA, U, access, rule, schema};
use crate::data;

const PERMIT: &str = r#""write-default":"permit","#;
const ENTRY: &str = r#"{"k":"1","m":"u","y":"1","in":[{"i":"1","z":"1"}]},"#;

/// Leaves of `nacm`, the rule (action, path, rights), the text of the data that changes, what it becomes, and what is said.
type Case = (
    &'static str,
    Option<(&'static str, &'static str, &'static str)>,
    [&'static str; 2],
    &'static str,
);

const CASES: &[Case] = &[
    (PERMIT, None, [r#""a":"1""#, r#""a":"2""#], "ok"),
    (
        "",
        None,
        [r#""a":"1""#, r#""a":"2""#],
        "/m:c/a a: u may not change it or a node in it",
    ),
    (
        "",
        None,
        [r#""a":"1","#, ""],
        "/m:c/a a: u may not delete it or a node in it",
    ),
    (
        PERMIT,
        None,
        [r#""w":"1""#, r#""w":"2""#],
        "/m:c/w w: u may not change it or a node in it",
    ),
    (
        "",
        Some(("permit", "/m:c/w", "*")),
        [r#""w":"1""#, r#""w":"2""#],
        "ok",
    ),
    // What the user may not read is not shown.
    (
        PERMIT,
        None,
        [r#""x":"1""#, r#""x":"2""#],
        "/m:c c: u may not change a node in it",
    ),
    (
        PERMIT,
        Some(("deny", "/m:c/l", "read")),
        [r#""y":"2""#, r#""y":"3""#],
        "ok",
    ),
    (
        "",
        Some(("deny", "/m:c/l", "read")),
        [r#""y":"2""#, r#""y":"3""#],
        "/m:c c: u may not change a node in it",
    ),
    (
        "",
        Some(("deny", "/", "*")),
        [r#""y":"2""#, r#""y":"3""#],
        "/ u may not change a node",
    ),
    // Each node of an entry, of which one is not permitted.
    (
        PERMIT,
        Some(("deny", "/m:c/l/in/z", "delete")),
        [ENTRY, ""],
        "/m:c/l[k='1'][m='u'] l: u may not delete it or a node in it",
    ),
    (
        PERMIT,
        Some(("deny", "/m:c/l/y", "create")),
        [r#""l":["#, r#""l":[{"k":"3","m":"3","y":"3"},"#],
        "/m:c/l[k='3'][m='3'] l: u may not create it or a node in it",
    ),
    (
        PERMIT,
        Some(("deny", "/m:c/l/y", "create")),
        [r#""l":["#, r#""l":[{"k":"3","m":"3"},"#],
        "ok",
    ),
    (
        "",
        Some(("permit", "/m:c/v", "create")),
        [r#"["p","q"]"#, r#"["p","q","r"]"#],
        "ok",
    ),
    (
        "",
        Some(("permit", "/m:c/v", "create")),
        [r#"["p","q"]"#, r#"["q"]"#],
        "/m:c/v[.='p'] v: u may not delete it or a node in it",
    ),
    // The other case is deleted by the one that is created.
    (
        "",
        Some(("permit", "/m:c/two", "create")),
        [r#""one":"1""#, r#""two":{"b":"1"}"#],
        "ok",
    ),
    (
        "",
        Some(("permit", "/m:c/two", "create")),
        [r#""one":"1","#, ""],
        "/m:c/one one: u may not delete it or a node in it",
    ),
];

#[test]
fn what_may_be_changed() {
    let schema = schema();
    let from = data(&schema, DATA);
    for (more, of_rule, [old, new], expected) in CASES {
        let rules = of_rule.map(|(action, path, rights)| {
            let leaves = format!(r#","path":"{path}","access-operations":"{rights}""#);
            rule(1, action, &leaves)
        });
        assert!(DATA.contains(old), "{old}");
        let to = data(&schema, &DATA.replacen(old, new, 1));
        let changes = diff(&schema, &from, &to);
        assert!(!changes.is_empty());
        let access = access(&schema, more, &rules.unwrap_or_default());
        let said = access.may_change(&schema, U, &changes).map_or_else(
            |fault| {
                assert_eq!(fault.kind, FaultKind::AccessDenied);
                format!("{} {}", fault.path.text(&schema), fault.what)
            },
            |()| "ok".to_owned(),
        );
        assert_eq!(said, *expected, "{more} {of_rule:?} {old} -> {new}");
    }
}
