//! A file of keys that is read again on SIGHUP.

use std::path::Path;

use tracing::warn;
use twinpath_runtime::keys::KeyFile;

use crate::failure::Failure;
use crate::output::words::error::KeyLine;
use crate::plan;
use crate::signals::ReloadSignal;

/// The most keys that are named.
const NAMES: usize = 4;

/// The file of keys of a reflector that runs.
pub(super) struct RereadKeys<'a> {
    path: Option<&'a Path>,
    insecure: bool,
    reload: ReloadSignal,
}

impl<'a> RereadKeys<'a> {
    /// From now on SIGHUP no longer ends the program. `insecure`: others may read or change the file.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(super) fn new(path: Option<&'a Path>, insecure: bool) -> Result<Self, Failure> {
        Ok(Self {
            path,
            insecure,
            reload: ReloadSignal::listen()?,
        })
    }

    /// Its present keys, after a signal that it changed. What cannot be used changes
    /// nothing, and is logged.
    pub(super) fn reread<K: KeyFile<Fault: KeyLine>>(&self) -> Option<(&'a Path, K)> {
        if !self.reload.requested() {
            return None;
        }
        let Some(path) = self.path else {
            warn!("SIGHUP: no key file to reread");
            return None;
        };
        // A pipe has been read: to wait for its next writer would stop all else.
        if std::fs::metadata(path).is_ok_and(|file| !file.is_file()) {
            warn!("the key file cannot be reread: keeping the old keys");
            return None;
        }
        match plan::key_file(path, self.insecure) {
            Ok(keys) => Some((path, keys)),
            Err(failure) => {
                warn!("{failure}; keeping the old keys");
                None
            }
        }
    }
}

/// What keys changed, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamedChanges {
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) kept: usize,
}

/// What a file of keys that was read again brought: `count` keys.
pub(super) fn read_again(path: &Path, count: usize, changes: &NamedChanges) -> String {
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
    let keys = if count == 1 { "key" } else { "keys" };
    format!(
        "{}: {count} {keys} read; {}",
        path.display(),
        parts.join("; ")
    )
}
