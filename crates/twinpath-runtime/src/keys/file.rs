//! Files of keys: a line for each, `KEY-ID passphrase`.
//!
//! A Key-ID ends at the first space or tab; the passphrase is the rest of the line, without the white
//! space around it, with that inside it. Empty lines and lines that begin with `#` are for people. What
//! is wrong with a file is reported with its line number, and nothing of what is there is quoted: it may be a
//! passphrase.

use std::collections::HashMap;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_net::file;
use twinpath_proto::security::{KeyId, KeyIdError, Passphrase};
use zeroize::Zeroizing;

use super::{Key, KeyRing, PassphraseError, check};

/// Octets of a file at most.
const MOST_OCTETS: usize = 1 << 20;
/// Keys in a file at most: a Server derives them all before it listens, some milliseconds each.
const MOST_KEYS: usize = 4_096;
/// How long a pipe is waited for that says nothing, and how often it is asked.
const PIPE_WAIT: Duration = Duration::from_secs(5);
const PIPE_POLL_EVERY: Duration = Duration::from_millis(10);
/// Read and write, for group and others.
#[cfg(unix)]
const OTHERS: u32 = 0o066;

/// Who may read or change a file of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone, who is the user of this process or root, or the file is refused.
    OwnerOnly,
    /// Any user may: the operator said so.
    Anybody,
}

/// Why a file of keys is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It cannot be opened or read.
    #[error("cannot read key file {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// It is a directory, a device, a socket, or a pipe without a writer.
    #[error("{} is {kind}, not a key file", path.display())]
    NoFile {
        /// Which.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// Another user may change it at will, whatever its permission bits.
    #[error("{} belongs to another user (uid {owner})", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others than its owner may read or change it.
    #[error("{} is accessible to other users (mode {mode:04o})", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no file of keys.
    #[error("the key file {} has more than {MOST_OCTETS} octets", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// A line cannot be meant.
    #[error("{}:{line}: {slip}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong there.
        slip: LineFault,
    },
    /// Nothing but comments.
    #[error("the key file {} has no key", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// The Key-ID is not text.
    #[error("the Key-ID is not UTF-8")]
    NotUtf8,
    /// The Key-ID has what no terminal shows.
    #[error("the Key-ID has a control character")]
    Control,
    /// The Key-ID does not fit.
    #[error(transparent)]
    KeyId(#[from] KeyIdError),
    /// There is a Key-ID and nothing else.
    #[error("the Key-ID has no passphrase")]
    NoPassphrase,
    /// The passphrase cannot be one.
    #[error(transparent)]
    Passphrase(PassphraseError),
    /// The Key-ID has a line already.
    #[error("the Key-ID is already on line {0}")]
    Twice(usize),
    /// More lines than keys can be.
    #[error("more than {MOST_KEYS} keys")]
    TooMany,
}

/// Reads a file of keys. Its octets are wiped when they are read.
///
/// # Errors
/// [`KeysError`]: where the file is open to others or theirs, where a line cannot be meant. Never with anything
/// that is in the file.
pub fn read(path: &Path, access: Access) -> Result<KeyRing, KeysError> {
    // Before the first octet of a secret is in this process.
    twinpath_net::host::forbid_core_dumps();
    let unreadable = |source| KeysError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let no_file = |kind| KeysError::NoFile {
        path: path.to_owned(),
        kind,
    };
    let mut file =
        file::open(path, OpenOptions::new().read(true)).map_err(|error| not_open(path, error))?;
    // Of the file that is open, whatever has its name by now.
    let metadata = file.metadata().map_err(unreadable)?;
    let kind = file::other_kind(metadata.file_type());
    if let Some(kind) = kind.filter(|kind| *kind != file::PIPE) {
        return Err(no_file(kind));
    }
    if access == Access::OwnerOnly {
        closed(path, &metadata, twinpath_net::host::effective_user())?;
    }
    // All at once: a buffer that grows leaves copies behind.
    let mut octets = Zeroizing::new(vec![0; MOST_OCTETS + 1]);
    let count = match fill(&mut file, &mut octets, PIPE_WAIT) {
        Err(error) if error.kind() == ErrorKind::TimedOut => return Err(no_file(SILENT)),
        Ok(0) if kind.is_some() => return Err(no_file(SILENT)),
        count => count.map_err(unreadable)?,
    };
    if count > MOST_OCTETS {
        return Err(KeysError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = octets.get(..count).unwrap_or_default();
    let ring = parse(text).map_err(|(line, slip)| KeysError::Line {
        path: path.to_owned(),
        line,
        slip,
    })?;
    if ring.is_empty() {
        return Err(KeysError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(ring)
}

/// What a pipe is that has no keys.
const SILENT: &str = "a pipe without a writer";

/// Why nothing could be opened: a socket is no file that can be.
fn not_open(path: &Path, source: io::Error) -> KeysError {
    let path = path.to_owned();
    let kind = std::fs::metadata(&path)
        .ok()
        .and_then(|about| file::other_kind(about.file_type()));
    match kind {
        Some(kind) if source.kind() != ErrorKind::PermissionDenied => {
            KeysError::NoFile { path, kind }
        }
        _ => KeysError::Unreadable { path, source },
    }
}

/// It is `user`'s own or root's, and closed to all others.
#[cfg(unix)]
fn closed(path: &Path, metadata: &Metadata, user: Option<u32>) -> Result<(), KeysError> {
    use std::os::unix::fs::MetadataExt as _;
    let path = || path.to_owned();
    let owner = metadata.uid();
    if owner != 0 && user.is_some_and(|user| user != owner) {
        let path = path();
        return Err(KeysError::Foreign { path, owner });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        let path = path();
        return Err(KeysError::Exposed { path, mode });
    }
    Ok(())
}

/// Permissions that cannot be told are the operator's own affair.
#[cfg(not(unix))]
fn closed(_: &Path, _: &Metadata, _: Option<u32>) -> Result<(), KeysError> {
    Ok(())
}

/// As much as there is or fits. A pipe that says nothing for so long has timed out.
fn fill(source: &mut impl Read, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
    let mut count = 0;
    let mut until = Instant::now() + patience;
    loop {
        let free = buffer.get_mut(count..).unwrap_or_default();
        if free.is_empty() {
            return Ok(count);
        }
        match source.read(free) {
            Ok(0) => return Ok(count),
            Ok(more) => {
                count += more;
                until = Instant::now() + patience;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if Instant::now() >= until {
                    return Err(ErrorKind::TimedOut.into());
                }
                thread::sleep(PIPE_POLL_EVERY);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The keys of a file, or which line is wrong, and how.
///
/// # Errors
/// The line, from 1, and what is wrong with it.
pub fn parse(text: &[u8]) -> Result<KeyRing, (usize, LineFault)> {
    // What some editors write first.
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut keys: Vec<Key> = Vec::new();
    let mut seen = HashMap::new();
    for (line, octets) in (1..).zip(text.split(|octet| *octet == b'\n')) {
        let Some((id, secret)) = line_of(octets).map_err(|slip| (line, slip))? else {
            continue;
        };
        if let Some(first) = seen.insert(id, line) {
            return Err((line, LineFault::Twice(first)));
        }
        if keys.len() == MOST_KEYS {
            return Err((line, LineFault::TooMany));
        }
        let passphrase = Passphrase::new(secret.to_vec());
        keys.push(Key { id, passphrase });
    }
    Ok(KeyRing(keys))
}

/// Key-ID and passphrase; `None` where the line is for people.
fn line_of(line: &[u8]) -> Result<Option<(KeyId, &[u8])>, LineFault> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = trim(line);
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let end = line.iter().position(|octet| is_blank(*octet));
    let (id, secret) = line.split_at(end.unwrap_or(line.len()));
    let id = std::str::from_utf8(id).map_err(|_| LineFault::NotUtf8)?;
    if id.chars().any(char::is_control) {
        return Err(LineFault::Control);
    }
    let id = KeyId::new(id)?;
    let secret = trim(secret);
    match check(secret) {
        Ok(()) => Ok(Some((id, secret))),
        Err(PassphraseError::Empty) => Err(LineFault::NoPassphrase),
        Err(error) => Err(LineFault::Passphrase(error)),
    }
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Without spaces and tabs around it.
fn trim(mut octets: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = octets
        && is_blank(*first)
    {
        octets = rest;
    }
    while let [rest @ .., last] = octets
        && is_blank(*last)
    {
        octets = rest;
    }
    octets
}

#[cfg(test)]
mod tests;
