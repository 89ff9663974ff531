//! Where a document comes from.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use twinpath_yang::toml;

use super::signature;
use crate::files;

/// Octets of a document, at most.
const MOST_OCTETS: usize = toml::MAX_TEXT;
/// What is behind the path of a signature.
const SIGNATURE: &str = ".minisig";

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Location {
    File(PathBuf),
}

/// By what a server knows whether it has another document (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) modified: Option<String>,
}

/// A document as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) text: Vec<u8>,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) validators: Validators,
}

impl Location {
    /// As it is configured.
    ///
    /// # Errors
    /// What to write instead.
    pub(in crate::daemon) fn parse(url: &str) -> Result<Self, String> {
        let path = url.strip_prefix("file://").unwrap_or(url);
        if path.starts_with('/') {
            let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
            let decoded = decoded.map_err(|_| "use a path in UTF-8".to_owned())?;
            let path = if url.starts_with("file:") {
                decoded.as_ref()
            } else {
                path
            };
            return Ok(Self::File(path.into()));
        }
        Err("use file:///PATH or an absolute path".to_owned())
    }

    /// Whether documents need a signature.
    pub(in crate::daemon) fn needs_key(&self) -> bool {
        match self {
            Self::File(_) => false,
        }
    }

    /// What messages call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The document and, if it `is_signed`, its signature; `None`: it is the one with these validators.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(super) fn fetch(
        &self,
        _known: &Validators,
        is_signed: bool,
    ) -> Result<Option<Received>, String> {
        match self {
            Self::File(path) => {
                let text = read(path, MOST_OCTETS)?;
                let mut beside = path.clone().into_os_string();
                beside.push(SIGNATURE);
                let signature = is_signed.then(|| read(Path::new(&beside), signature::MOST_OCTETS));
                Ok(Some(Received {
                    text,
                    signature: signature.transpose()?,
                    validators: Validators::default(),
                }))
            }
        }
    }
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let file = files::open(path).map_err(|error| failed(&error))?;
    let mut octets = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut octets)
        .map_err(|error| failed(&error))?;
    if octets.len() > most {
        return Err(format!("{} has more than {most} octets", path.display()));
    }
    Ok(octets)
}
