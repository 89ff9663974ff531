//! The libraries hold no advice to a user and know no option: words are the binary's.

use std::fs;
use std::path::{Path, PathBuf};

const LIBRARIES: [&str; 6] = ["wire", "proto", "metrics", "net", "report", "runtime"];

/// Source files below `directory`, but those of tests.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// The contents of string literals before the tests of a source. Comments are left out.
fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut literals = Vec::new();
    for line in source.replace("\\\n", "").replace("'\"'", "").lines() {
        let code = line.trim_start();
        if !code.starts_with("//") {
            let parts = code.split('"').skip(1).step_by(2);
            literals.extend(parts.map(str::to_owned));
        }
    }
    literals
}

fn names_an_option(literal: &str) -> bool {
    let mut words = literal.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.any(|word| {
        let name = word.strip_prefix("--");
        name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
    })
}

#[test]
fn no_library_names_an_option_or_has_a_remedy() {
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut found = Vec::new();
    for library in LIBRARIES {
        let directory = format!("{crates}/twinpath-{library}/src");
        sources(Path::new(&directory), &mut found);
    }
    assert!(found.len() > 150, "{} files", found.len());
    let mut seen = 0;
    for path in found {
        let source = fs::read_to_string(&path).unwrap();
        assert!(!source.contains("fn remedy"), "{}", path.display());
        for literal in literals(&source) {
            seen += 1;
            assert!(!names_an_option(&literal), "{}: {literal}", path.display());
        }
    }
    assert!(seen > 1_000, "{seen} literals");
}

#[test]
fn an_option_in_a_literal_is_found_and_one_in_a_comment_is_not() {
    let source = "// \"--a\"\nlet a = (\"no --dash\", \"-- no\", \"use \\\n    --padding 3\");\n\
                  #[cfg(test)]\nlet b = \"--c\";";
    let literals = literals(source);
    let options: Vec<bool> = literals.iter().map(|it| names_an_option(it)).collect();
    assert_eq!(options, [true, false, true], "{literals:?}");
}
