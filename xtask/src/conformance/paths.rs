//! Paths of the tree that a document names, in backquotes: `crates/twinpath/src/args/`, or the end of a
//! path, `args/mod.rs`. A part in capitals, such as NAME, is any name.

use std::path::Path;

use super::Fault;

/// Files and directories by their paths from the root; what is built and what is hidden is left out.
pub(super) fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = directories.pop() {
        let entries = std::fs::read_dir(&directory).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            let path = format!("{prefix}{name}");
            if entry.path().is_dir() {
                directories.push((entry.path(), format!("{path}/")));
            }
            found.push(path);
        }
    }
    found
}

/// What `text` names and `tree` does not have.
pub(super) fn faults(text: &str, tree: &[String]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        for name in quoted.filter(|name| is_path(name, tree)) {
            if !tree.iter().any(|path| ends_with(path, name)) {
                faults.push(Fault {
                    line: index + 1,
                    what: format!("there is no {name}"),
                });
            }
        }
    }
    faults
}

/// A source file, a directory, or what begins with a directory of the root or a crate.
fn is_path(name: &str, tree: &[String]) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let Some((first, _)) = name.split_once('/') else {
        return has_ending(name, "rs") && name.chars().all(fits);
    };
    let begins = |path: &String| path == first || path.strip_prefix("crates/") == Some(first);
    name.chars().all(fits)
        && !first.is_empty()
        // What is built.
        && first != "target"
        && (name.ends_with('/') || has_ending(name, "rs") || tree.iter().any(begins))
}

pub(super) fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|it| it == ending)
}

fn ends_with(path: &str, name: &str) -> bool {
    let mut parts = path.rsplit('/');
    name.trim_end_matches('/').rsplit('/').all(|named| {
        let (stem, ending) = named.split_once('.').unwrap_or((named, ""));
        let any = stem.len() > 1 && stem.chars().all(|c| c.is_ascii_uppercase());
        parts.next().is_some_and(|part| {
            part == named || any && part.split_once('.').map_or("", |(_, ending)| ending) == ending
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_document_names_and_the_tree_does_not_have_is_a_fault() {
        let tree = [
            "crates",
            "crates/one",
            "crates/one/src",
            "crates/one/src/args",
            "crates/one/src/args/mod.rs",
            "docs",
            "docs/a.md",
        ]
        .map(str::to_owned);
        for good in [
            "crates/one/src/args/mod.rs",
            "one/src/args/",
            "args/mod.rs",
            "mod.rs",
            "one/src/args/NAME.rs",
            "one/src/SUBJECT/mod.rs",
            "docs/a.md",
            "--rotate 1h/2h",
            "bursts:10/1s",
            "50%/10",
            "application/json",
            "target/dist/",
            "/",
        ] {
            assert_eq!(faults(&format!("so `{good}`."), &tree), [], "{good}");
        }
        for bad in [
            "crates/one/src/args/old.rs",
            "one/src/old/",
            "args/old.rs",
            "old.rs",
            "one/src/NAME.rs",
            "gs/mod.rs",
            "docs/b.md",
        ] {
            let what = format!("there is no {bad}");
            let found = faults(&format!("\nso `--x` and `{bad}`."), &tree);
            assert_eq!(found, [Fault { line: 2, what }], "{bad}");
        }
    }
}
