//! Good documents pass; each kind of fault is found in its line.

use std::collections::HashMap;

use super::{DOCUMENT, Fault, check, paths};

const GOOD: &str = "\
# Conformance

`proto::sender::fates::NAME` stands in a file; `wire::a` is a module.

| status | meaning |
|---|---|
| held | done |

| part | held | partly | not yet | not planned |
|---|---|---|---|---|
| Packets (TT) | 2 | 1 | 0 | 0 |
| Metrics (M) | 0 | 0 | 1 | 1 |
| all | 2 | 1 | 1 | 1 |

## Packets (TT)

| ID | requirement | status | held by, or why not |
|---|---|---|---|
| TT-1 | numbers (4656 4.1.2) | held | `wire::a::first`<br>`wire::b::tests::inner` |
| TT-2 | times | held | of the default<br>`wire::a::second` |
| TT-3 | both | partly | `--x` comes later<br>`wire::b::tests::deep::waits` |

## Metrics (M)

| ID | requirement | status | held by, or why not |
|---|---|---|---|
| M-1 | delay | not yet | comes later |
| M-2 | loss | not planned | nothing is lost |
";

fn sources() -> HashMap<&'static str, &'static str> {
    HashMap::from([
        (
            "crates/twinpath-wire/src/lib.rs",
            "pub mod b;\n// mod hidden;\n",
        ),
        (
            "crates/twinpath-wire/src/b.rs",
            "fn inner() {}\n#[cfg(test)]\nmod tests {\n    mod deep;\n    #[test]\n    fn inner() {}\n}\n",
        ),
        (
            "crates/twinpath-wire/src/b/deep.rs",
            "#[tokio::test(flavor = \"current_thread\")]\n/// Why.\nasync fn waits() {}\n",
        ),
        ("crates/twinpath-wire/tests/it/main.rs", "mod a;\n"),
        (
            "crates/twinpath-wire/tests/it/a.rs",
            "#[test]\nfn first() {}\n\nproptest! {\n    #[test]\n    fn second(x: u8) {}\n}\n\
             #[test]\n#[ignore = \"slow\"]\nfn slow() {}\n\n// #[test]\nfn plain() {}\n",
        ),
        (
            "crates/twinpath-wire/tests/it/loose.rs",
            "#[test]\nfn never_built() {}\n",
        ),
    ])
}

fn faults(text: &str) -> Vec<Fault> {
    let sources = sources();
    check(text, &|path| sources.get(path).map(|it| (*it).to_owned())).1
}

/// The one fault of the good document with `from` replaced by `to`.
fn fault_of(from: &str, to: &str) -> String {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD);
    let faults = faults(&text);
    let [fault] = faults.as_slice() else {
        panic!("{from} -> {to}: {faults:?}");
    };
    let line = text.lines().nth(fault.line - 1).unwrap();
    let changed = to.is_empty() || line.contains(to.lines().next().unwrap());
    assert!(changed, "line {}: {line}", fault.line);
    fault.what.clone()
}

#[test]
fn a_good_document_has_no_fault() {
    assert_eq!(faults(GOOD), []);
}

#[test]
fn a_test_that_does_not_exist_is_named_with_where_it_should_be() {
    let one = |to: &str| fault_of("wire::a::first", to);
    let file = "crates/twinpath-wire/tests/it/a.rs";
    assert_eq!(
        one("wire::a::firs"),
        format!("wire::a::firs: there is no such function in {file}")
    );
    assert_eq!(
        one("wire::a::plain"),
        format!("wire::a::plain: the function is not a test in {file}")
    );
    assert_eq!(
        one("wire::a::slow"),
        format!("wire::a::slow: the test is ignored in {file}")
    );
    assert_eq!(
        one("wire::loose::never_built"),
        "wire::loose: no module loose in crates/twinpath-wire/tests/it/main.rs"
    );
    assert_eq!(
        one("wire::hidden::tests::x"),
        "wire::hidden::tests: no module hidden in crates/twinpath-wire/src/lib.rs"
    );
    assert_eq!(
        one("net::a::first"),
        "net::a: crate twinpath-net has no tests/it/main.rs"
    );
    assert_eq!(
        one("wire::first"),
        "wire::first: no module between crate and function"
    );
}

#[test]
fn a_unit_test_is_looked_for_in_its_module_and_not_beside_it() {
    let text = GOOD.replace("wire::b::tests::inner", "wire::b::tests::deep::inner");
    assert_eq!(faults(&text).len(), 1);
}

#[test]
fn a_module_that_the_heading_names_exists() {
    assert_eq!(
        fault_of("`wire::a` is", "`wire::c` is"),
        "wire::c: no module between crate and function"
    );
}

#[test]
fn an_id_is_used_once_and_in_its_own_part() {
    let twice = GOOD.replace("| TT-2 |", "| TT-1 |");
    assert_eq!(
        faults(&twice),
        [Fault {
            line: 20,
            what: "TT-1: the ID is used twice".into()
        }]
    );
    let elsewhere = GOOD.replace("| M-2 |", "| TT-4 |");
    let lines: Vec<usize> = faults(&elsewhere).iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [11, 12, 28], "both sums and the row");
}

#[test]
fn a_status_is_one_of_the_four() {
    let faults = faults(&GOOD.replace("| delay | not yet |", "| delay | soon |"));
    let row = Fault {
        line: 27,
        what: "M-1: \"soon\" is not a status".into(),
    };
    assert!(faults.contains(&row), "{faults:?}");
    assert_eq!(faults.len(), 3, "and two sums: {faults:?}");
}

#[test]
fn every_row_has_a_test_or_says_why_not() {
    let held = "`wire::a::first`<br>`wire::b::tests::inner`";
    assert_eq!(fault_of(held, "by trust"), "TT-1: held, but names no test");
    assert_eq!(
        fault_of("of the default", "the rest: no test"),
        "TT-2: held, but says \"no test\""
    );
    assert_eq!(
        fault_of("`--x` comes later<br>", ""),
        "TT-3: partly, but does not say what is missing"
    );
    assert_eq!(
        fault_of(" comes later |\n| M-2", " |\n| M-2"),
        "M-1: does not say why"
    );
    assert_eq!(
        fault_of("of the default", "`wire::a::second`"),
        "TT-2: names a test twice"
    );
}

#[test]
fn the_summary_adds_up() {
    assert_eq!(
        fault_of("| 2 | 1 | 0 | 0 |", "| 2 | 2 | 0 | 0 |"),
        "Packets (TT): 2, 2, 0, 0 in the summary, 2, 1, 0, 0 in the rows"
    );
    assert_eq!(
        fault_of("| all | 2 |", "| all | 3 |"),
        "all: 3, 1, 1, 1 in the summary, 2, 1, 1, 1 in the rows"
    );
    assert_eq!(
        fault_of("| Metrics (M) | 0 | 0 | 1 | 1 |\n", ""),
        "the summary has no line for M"
    );
    assert_eq!(
        fault_of("| all | 2 | 1 | 1 | 1 |\n", ""),
        "the summary has no line for all"
    );
    let word = faults(&GOOD.replace("| all | 2 |", "| all | two |"));
    assert_eq!(word.len(), 2, "{word:?}");
}

#[test]
fn a_row_with_a_column_too_many_is_not_skipped() {
    let faults = faults(&GOOD.replace("| of the default<br>", "| of the default | "));
    let row = Fault {
        line: 20,
        what: "a row of 5 columns, which no table here has".into(),
    };
    assert!(faults.contains(&row), "{faults:?}");
}

#[test]
fn the_document_of_this_tree_is_true() {
    let root = crate::root();
    let text = std::fs::read_to_string(root.join(DOCUMENT)).unwrap();
    let (table, faults) = check(&text, &|path| std::fs::read_to_string(root.join(path)).ok());
    assert_eq!(faults, []);
    assert!(table.rows.len() > 200, "{} rows", table.rows.len());
}

#[test]
fn the_paths_that_the_documents_of_this_tree_name_exist() {
    let root = crate::root();
    let tree = paths::tree(&root);
    let text = std::fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    assert_eq!(paths::faults(&text, &tree), []);
    let text = text.replace("args/shared_options.rs", "args/options.rs");
    assert_eq!(paths::faults(&text, &tree).len(), 1);
}
