//! Views against captures of real sessions and known answers.
#![cfg(test)]
mod captures;
mod known_answers;
mod properties;
mod tlvs;

use std::path::PathBuf;

/// A file of the workspace's test data.
fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}
