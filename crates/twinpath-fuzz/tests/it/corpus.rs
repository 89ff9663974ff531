//! The inputs that are committed in `fuzz/corpus`, and the binaries that a fuzzer runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use twinpath_fuzz::{TARGETS, corpus, run};

/// Octets of one target's inputs at most: the repository is no store of them.
const MOST_OCTETS: u64 = 64 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn every_input_of_the_corpus_breaks_no_rule() {
    for (target, _) in TARGETS {
        let inputs = corpus::of(target);
        assert!(inputs.len() >= 5, "{target}: {} inputs", inputs.len());
        let mut octets = 0;
        for input in inputs {
            octets += input.len() as u64;
            run(target, &input);
        }
        assert!(octets <= MOST_OCTETS, "{target}: {octets} octets");
    }
}

#[test]
fn every_target_has_its_binary_and_its_corpus_and_no_other_has() {
    let targets: BTreeSet<String> = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(targets.len(), TARGETS.len(), "a name is used twice");
    assert_eq!(names(&corpus::directory()), targets);
    let binaries = names(&root().join("fuzz_targets"));
    let files: BTreeSet<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(binaries, files);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for target in targets {
        let source = fs::read_to_string(root().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(source.contains(&format!("run(\"{target}\", ")), "{source}");
        assert!(
            manifest.contains(&format!("name = \"{target}\"\n")),
            "{target}"
        );
    }
}
