//! A file of keys that is read again on SIGHUP.

use std::path::Path;

use tracing::warn;
use twinpath_runtime::keys::KeyFile;

use crate::output::units;
use crate::output::words::error::KeyLine;
use crate::plan;

/// The most keys that are named.
const NAMES: usize = 4;

/// The file of keys of a reflector that runs.
pub(crate) struct RereadKeys<'a> {
    path: &'a Path,
    insecure: bool,
}

impl<'a> RereadKeys<'a> {
    /// `insecure`: others may read or change the file.
    pub(crate) const fn new(path: &'a Path, insecure: bool) -> Self {
        Self { path, insecure }
    }

    /// Its present keys. What cannot be used changes nothing, and is logged.
    pub(crate) fn reread<K: KeyFile<Fault: KeyLine>>(&self) -> Option<(&'a Path, K)> {
        // A pipe has been read: to wait for its next writer would stop all else.
        if std::fs::metadata(self.path).is_ok_and(|file| !file.is_file()) {
            warn!("the key file cannot be reread: keeping the old keys");
            return None;
        }
        match plan::key_file(self.path, self.insecure) {
            Ok(keys) => Some((self.path, keys)),
            Err(failure) => {
                warn!("{failure}; keeping the old keys");
                None
            }
        }
    }
}

/// What changed in a file, by the names of what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamedChanges {
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) kept: usize,
}

/// What a file of keys that was read again brought: `count` keys.
pub(super) fn read_again(path: &Path, count: usize, changes: &NamedChanges) -> String {
    let keys = units::count(count as u64, "key", "keys");
    changed(path, &keys, changes)
}

/// What a file brought that was read again: so many keys, or what else it has.
pub(super) fn changed(path: &Path, read: &str, changes: &NamedChanges) -> String {
    let named = |names: &[String]| {
        let shown: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
        match names.len().saturating_sub(NAMES) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    };
    let kinds = [
        ("added", &changes.added),
        ("changed", &changes.changed),
        ("removed", &changes.removed),
    ];
    let mut parts: Vec<String> = kinds
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", named(names)))
        .collect();
    parts.push(match (parts.is_empty(), changes.kept) {
        (true, _) => "nothing changed".to_owned(),
        (false, kept) => format!("{kept} as before"),
    });
    format!("{}: {read} read; {}", path.display(), parts.join("; "))
}
