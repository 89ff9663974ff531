//! The last good document, in a file for the next start: a node measures though the server of documents is gone, and
//! takes no older document than it had.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tracing::warn;

use super::fetch::{Received, Validators};

const NAME: &str = "mesh.json";
const SCHEMA: &str = "twinpath-mesh-cache-1";
/// The most octets that are read: a document as base64, and as much again.
const MOST_OCTETS: u64 = 16 << 20;

/// The file; `None`: nothing is kept.
pub(super) struct Cache(Option<PathBuf>);

#[derive(Serialize, Deserialize)]
struct Kept {
    schema: String,
    /// The key that signed it; without one where it came from.
    origin: String,
    serial: u64,
    document: String,
    signature: Option<String>,
    etag: Option<String>,
    modified: Option<String>,
}

impl Cache {
    /// In this directory, which is made when something is kept.
    pub(super) fn within(directory: Option<&Path>) -> Self {
        Self(directory.map(|directory| directory.join(NAME)))
    }

    /// What was kept of documents of this origin, with its serial number.
    pub(super) fn read(&self, origin: &str) -> Option<(u64, Received)> {
        let path = self.0.as_deref()?;
        let file = File::open(path).ok()?;
        let mut octets = Vec::new();
        file.take(MOST_OCTETS).read_to_end(&mut octets).ok()?;
        let kept: Kept = match serde_json::from_slice(&octets) {
            Ok(kept) => kept,
            Err(error) => {
                warn!("{}: {error}: it is not used", path.display());
                return None;
            }
        };
        if kept.schema != SCHEMA || kept.origin != origin {
            return None;
        }
        let decoded = |text: &str| STANDARD.decode(text).ok();
        let received = Received {
            text: decoded(&kept.document)?,
            signature: kept.signature.as_deref().and_then(decoded),
            validators: Validators {
                etag: kept.etag,
                modified: kept.modified,
            },
        };
        Some((kept.serial, received))
    }

    /// Keeps a document.
    pub(super) fn write(&self, origin: &str, serial: u64, received: &Received) {
        let Some(path) = self.0.as_deref() else {
            return;
        };
        let kept = Kept {
            schema: SCHEMA.to_owned(),
            origin: origin.to_owned(),
            serial,
            document: STANDARD.encode(&received.text),
            signature: received.signature.as_ref().map(|it| STANDARD.encode(it)),
            etag: received.validators.etag.clone(),
            modified: received.validators.modified.clone(),
        };
        if let Err(error) = put(path, &kept) {
            warn!(
                "cannot keep the mesh document in {}: {error}",
                path.display()
            );
        }
    }
}

/// Replaces the file in one step.
fn put(path: &Path, kept: &Kept) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut new = NamedTempFile::new_in(directory)?;
    new.write_all(&serde_json::to_vec(kept)?)?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_for_the_same_origin() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/b");
        let cache = Cache::within(Some(&below));
        assert!(cache.read("key").is_none());
        let received = Received {
            text: b"name\xff".to_vec(),
            signature: Some(b"signature".to_vec()),
            validators: Validators {
                etag: Some("\"1\"".to_owned()),
                modified: None,
            },
        };
        cache.write("key", 7, &received);
        assert_eq!(cache.read("key"), Some((7, received.clone())));
        assert_eq!(cache.read("other"), None);
        fs::write(below.join(NAME), b"{").unwrap();
        assert_eq!(cache.read("key"), None);
        let nowhere = Cache::within(None);
        nowhere.write("key", 7, &received);
        assert_eq!(nowhere.read("key"), None);
    }
}
