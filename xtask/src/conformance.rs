//! `cargo xtask conformance`: docs/conformance.md against the tree.
//!
//! Every test that a row or the heading names has to exist, by the rule in the heading: crate, path,
//! function, with `#[test]` on it, in a file that its parent declares. The rest is bookkeeping: each ID
//! once, a known status, something that holds a row or says why nothing does, a summary that adds up.
//!
//! And whether the paths that the other documents name exist.

mod paths;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

use anyhow::{Context as _, bail};

use self::table::Table;
use self::tree::Tree;

const DOCUMENT: &str = "docs/conformance.md";

/// What is wrong, and in which line of the document.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    line: usize,
    what: String,
}

/// Checks the document of the repository at `root` and prints a line for each fault.
///
/// # Errors
/// When there is a fault, or the document cannot be read.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(root.join(DOCUMENT))
        .with_context(|| format!("cannot read {DOCUMENT}"))?;
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let (table, faults) = check(&text, &read);
    let mut found = faults.len();
    for fault in &faults {
        println!("{DOCUMENT}:{}: {}", fault.line, fault.what);
    }
    let paths = paths::tree(root);
    for document in paths.iter().filter(|path| paths::has_ending(path, "md")) {
        let text = std::fs::read_to_string(root.join(document))
            .with_context(|| format!("cannot read {document}"))?;
        for fault in paths::faults(&text, &paths) {
            println!("{document}:{}: {}", fault.line, fault.what);
            found += 1;
        }
    }
    if found > 0 {
        bail!("{found} faults");
    }
    println!(
        "{} rows name {} tests, all of which exist",
        table.rows.len(),
        table.tests()
    );
    Ok(())
}

/// The faults of the document `text` in the order of its lines; `read` gives the tree's files.
fn check(text: &str, read: &dyn Fn(&str) -> Option<String>) -> (Table, Vec<Fault>) {
    let (table, mut faults) = Table::parse(text);
    faults.extend(table.faults());
    let tree = Tree::new(read);
    for (line, name) in table.names() {
        if let Err(what) = tree.find_test(name) {
            faults.push(Fault { line, what });
        }
    }
    for (line, name) in &table.mentioned {
        if let (Err(what), Err(_)) = (tree.find_test(name), tree.find_module(name)) {
            faults.push(Fault { line: *line, what });
        }
    }
    faults.sort();
    (table, faults)
}
