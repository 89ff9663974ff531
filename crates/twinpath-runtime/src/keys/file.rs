//! Files of keys: a line for each. Empty lines and lines that begin with `#` are for people. What is
//! wrong with a file is reported with its line number, and nothing of what is there is quoted: it may
//! be a secret.

use std::fmt;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_net::file;
use zeroize::Zeroizing;

/// Room for the octets of what does not tell how many it has, at first.
const LEAST_ROOM: usize = 1 << 12;
/// How long a pipe is waited for that says nothing, and how often it is asked.
const PIPE_WAIT: Duration = Duration::from_secs(5);
const PIPE_POLL_EVERY: Duration = Duration::from_millis(10);
/// Read and write, for group and others.
const OTHERS: u32 = 0o066;
/// Write, for group and others.
const OTHERS_WRITE: u32 = 0o022;
const GROUP_READ: u32 = 0o040;

/// Who may read or change a file of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone, who is the user of this process or root, or the file is refused.
    OwnerOnly,
    /// Its owner, who is the user of this process or root, and a group: a service manager has put it into a directory
    /// that only the service can enter, with an access control list whose mask is what a mode shows of it.
    Service,
    /// Any user may read it, and its owner alone change it, who is the user of this process or root: it has no secret.
    OwnerWrites,
    /// Any user may: the operator said so.
    Anybody,
}

/// Keys that a file can have.
pub trait KeyFile: Sized {
    /// What can be wrong with a line.
    type Fault: fmt::Display;
    /// Octets of a file at most.
    const MOST_OCTETS: usize;

    /// The keys of a file, or which line is wrong, and how.
    ///
    /// # Errors
    /// The line, from 1, and what is wrong with it.
    fn parse(text: &[u8]) -> Result<Self, (usize, Self::Fault)>;

    /// How many there are.
    fn count(&self) -> usize;
}

/// Why a file of keys is of no use. `F`: what can be wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum KeysError<F> {
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
    #[error("the key file {} has more than {most} octets", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// As many as it can have.
        most: usize,
    },
    /// A line cannot be meant.
    #[error("{}:{line}: {slip}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong there.
        slip: F,
    },
    /// Nothing but comments.
    #[error("the key file {} has no key", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

/// Reads a file of keys. Its octets are wiped when they are read.
///
/// # Errors
/// [`KeysError`]: where the file is open to others or theirs, where a line cannot be meant. Never with anything
/// that is in the file.
pub fn read<K: KeyFile>(path: &Path, access: Access) -> Result<K, KeysError<K::Fault>> {
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
    let user = twinpath_net::host::effective_user();
    match access {
        Access::OwnerOnly => closed(path, &metadata, user, OTHERS)?,
        Access::Service => closed(path, &metadata, user, OTHERS & !GROUP_READ)?,
        Access::OwnerWrites => closed(path, &metadata, user, OTHERS_WRITE)?,
        Access::Anybody => {}
    }
    let expected = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let octets = match whole(&mut file, expected, K::MOST_OCTETS) {
        Err(error) if error.kind() == ErrorKind::TimedOut => return Err(no_file(SILENT)),
        Ok(octets) if octets.is_empty() && kind.is_some() => return Err(no_file(SILENT)),
        octets => octets.map_err(unreadable)?,
    };
    if octets.len() > K::MOST_OCTETS {
        return Err(KeysError::TooLarge {
            path: path.to_owned(),
            most: K::MOST_OCTETS,
        });
    }
    let keys = K::parse(&octets).map_err(|(line, slip)| KeysError::Line {
        path: path.to_owned(),
        line,
        slip,
    })?;
    if keys.count() == 0 {
        return Err(KeysError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(keys)
}

/// What a pipe is that has no keys.
const SILENT: &str = "a pipe without a writer";

/// Why nothing could be opened: a socket is no file that can be.
fn not_open<F>(path: &Path, source: io::Error) -> KeysError<F> {
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

/// It is `user`'s own or root's, and has none of these permissions.
#[cfg(unix)]
fn closed<F>(
    path: &Path,
    metadata: &Metadata,
    user: Option<u32>,
    refused: u32,
) -> Result<(), KeysError<F>> {
    use std::os::unix::fs::MetadataExt as _;
    let path = || path.to_owned();
    let owner = metadata.uid();
    if owner != 0 && user.is_some_and(|user| user != owner) {
        let path = path();
        return Err(KeysError::Foreign { path, owner });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & refused != 0 {
        let path = path();
        return Err(KeysError::Exposed { path, mode });
    }
    Ok(())
}

/// Permissions that cannot be told are the operator's own affair.
#[cfg(not(unix))]
fn closed<F>(_: &Path, _: &Metadata, _: Option<u32>, _: u32) -> Result<(), KeysError<F>> {
    Ok(())
}

/// All octets, or more than `most` if there are so many.
fn whole(source: &mut impl Read, expected: usize, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = expected.clamp(LEAST_ROOM, most) + 1;
    let mut octets = Zeroizing::new(vec![0; room]);
    let mut count = 0;
    loop {
        count += fill(
            source,
            octets.get_mut(count..).unwrap_or_default(),
            PIPE_WAIT,
        )?;
        if count < octets.len() || count > most {
            octets.truncate(count);
            return Ok(octets);
        }
        // Not by growing, which leaves copies behind.
        let mut larger = Zeroizing::new(vec![0; (2 * count).min(most + 1)]);
        larger
            .iter_mut()
            .zip(&*octets)
            .for_each(|(to, from)| *to = *from);
        octets = larger;
    }
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

/// The lines that are not for people, without white space around them, each with its number.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    // What some editors write first.
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let lines = (1..).zip(text.split(|octet| *octet == b'\n'));
    lines
        .map(|(number, line)| (number, trim(line.strip_suffix(b"\r").unwrap_or(line))))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

pub(super) const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Without spaces and tabs around it.
pub(super) fn trim(mut octets: &[u8]) -> &[u8] {
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
#[cfg(feature = "control")]
mod tests;
