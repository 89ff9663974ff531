//! What `twinpath --version` says of this build: commit, features, target. No time and no path, so that two
//! builds of one commit are the same.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=TWINPATH_COMMIT");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=TWINPATH_TARGET={target}");
    println!("cargo::rustc-env=TWINPATH_FEATURES={}", features());
    println!("cargo::rustc-env=TWINPATH_COMMIT={}", commit());
}

/// Those of this build, in the order of the alphabet.
fn features() -> String {
    let features = std::env::vars_os().filter_map(|(name, _)| {
        let name = name.into_string().ok()?;
        let name = name.strip_prefix("CARGO_FEATURE_")?.to_lowercase();
        (name != "default").then(|| name.replace('_', "-"))
    });
    let mut features: Vec<String> = features.collect();
    features.sort();
    if features.is_empty() {
        features.push("none".to_owned());
    }
    features.join(" ")
}

/// Of `TWINPATH_COMMIT`, of a published package, or of git, whichever is there.
fn commit() -> String {
    let given = std::env::var("TWINPATH_COMMIT").ok();
    let given =
        given.filter(|commit| !commit.is_empty() && commit.chars().all(|c| c.is_ascii_graphic()));
    given
        .or_else(published)
        .or_else(in_git)
        .unwrap_or_else(|| "unknown".to_owned())
}

/// `cargo publish` notes the commit beside the sources.
fn published() -> Option<String> {
    let note = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let hash = note.split_once("\"sha1\": \"")?.1.split('"').next()?;
    Some(shortened(hash))
}

/// Only release builds ask git: a debug build would be compiled again after each commit.
fn in_git() -> Option<String> {
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        return Some("not recorded in a debug build".to_owned());
    }
    // Of another repository that this one is unpacked in, nothing is said.
    if !Path::new("../../.git").exists() {
        return None;
    }
    let hash = git(&["rev-parse", "HEAD"])?;
    // Where HEAD moves, and where the tree changes.
    for file in ["HEAD", "index", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-changed=src");
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let state = if changed.is_empty() { "" } else { "-modified" };
    Some(shortened(&hash) + state)
}

/// As many digits as stay unique.
fn shortened(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// What git prints, without its line end.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
