//! The labels of sessions, as the daemon's configuration has them: `_sessions.json`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::{self, Unfit};

/// The file in the directory of a store.
const NAME: &str = "_sessions.json";
/// Octets of it at most.
const MOST_OCTETS: u64 = 64 << 20;
/// Sessions of it at most: those that are no longer in the configuration stay.
const MOST_SESSIONS: usize = 100_000;

/// What is known of a session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Session {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// The labels of each session.
pub(super) type Labels = BTreeMap<String, BTreeMap<String, String>>;

/// Those of a store; none where the file is missing or damaged.
pub(super) fn read(root: &Path) -> Labels {
    let Ok(file) = files::open(&root.join(NAME)) else {
        return Labels::new();
    };
    let mut text = String::new();
    if file.take(MOST_OCTETS).read_to_string(&mut text).is_err() {
        return Labels::new();
    }
    let sessions: BTreeMap<String, Session> = serde_json::from_str(&text).unwrap_or_default();
    let sessions = sessions.into_iter();
    sessions.map(|(name, it)| (name, it.labels)).collect()
}

/// Adds these, or puts them in the place of others of the same sessions.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(root: &Path, labels: &Labels) -> Result<(), Unfit> {
    let known = read(root);
    let mut all = known.clone();
    for (name, labels) in labels {
        if all.len() < MOST_SESSIONS || all.contains_key(name) {
            all.insert(name.clone(), labels.clone());
        }
    }
    if all == known {
        return Ok(());
    }
    let sessions = all
        .into_iter()
        .map(|(name, labels)| (name, Session { labels }));
    let sessions: BTreeMap<String, Session> = sessions.collect();
    // Memory takes it, and all keys are strings.
    let octets = serde_json::to_vec(&sessions).unwrap_or_default();
    files::write(&root.join(NAME), &octets)
}
