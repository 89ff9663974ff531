//! The server's key, and those of users.

use std::path::Path;
use std::sync::Arc;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::Config;
use twinpath_runtime::keys::{self, Access, KeyFile};

use crate::daemon::settings::NetconfSettings;
use crate::failure::Failure;
use crate::service;

use super::transport;

/// Octets of the name of a user, at most.
const MOST_NAME: usize = 64;

/// What the files have.
pub(super) struct Keys {
    pub(super) config: Arc<Config>,
    host: HostKey,
    users: AuthorizedKeys,
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.host.0.public_key() == other.host.0.public_key() && self.users == other.users
    }
}

impl Keys {
    /// Reads both files.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be used.
    pub(super) fn read(settings: &NetconfSettings) -> Result<Self, Failure> {
        let host = host_key(&settings.host_key)?;
        let users = authorized_keys(&settings.authorized_keys)?;
        Ok(Self {
            config: Arc::new(transport::config(host.0.clone())),
            host,
            users,
        })
    }

    /// Whether a user has a key.
    pub(super) fn has(&self, user: &str, key: &KeyData) -> bool {
        let mut keys = self.users.0.iter();
        keys.any(|(known, own)| &**known == user && own == key)
    }
}

/// What is wrong with the files, by the leaves that name them.
pub(in crate::daemon) fn lacking(settings: &NetconfSettings) -> Vec<(&'static str, Failure)> {
    let host = host_key(&settings.host_key).err();
    let users = authorized_keys(&settings.authorized_keys).err();
    let host = host.map(|failure| ("host-key", failure));
    let users = users.map(|failure| ("authorized-keys", failure));
    host.into_iter().chain(users).collect()
}

fn host_key(path: &Path) -> Result<HostKey, Failure> {
    let access = if service::is_credential(path) {
        Access::Service
    } else {
        Access::OwnerOnly
    };
    let remedy = "use a file of ssh-keygen -t ed25519 -N '' -f FILE, with mode 0600";
    keys::read(path, access)
        .map_err(|error| Failure::could_not(error.to_string()).with_remedy(Some(remedy)))
}

fn authorized_keys(path: &Path) -> Result<AuthorizedKeys, Failure> {
    let remedy = "write lines of ssh-keygen's .pub files with the user's name behind each key, in a file that others cannot write";
    keys::read(path, Access::OwnerWrites)
        .map_err(|error| Failure::could_not(error.to_string()).with_remedy(Some(remedy)))
}

/// The private key of the server.
struct HostKey(PrivateKey);

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum HostKeyFault {
    #[error("not a private key in the form of OpenSSH")]
    Form,
    #[error("a key with a passphrase")]
    Passphrase,
    #[error("a key that is neither Ed25519 nor ECDSA")]
    Algorithm,
}

impl KeyFile for HostKey {
    type Fault = HostKeyFault;
    const MOST_OCTETS: usize = 16_384;

    fn parse(text: &[u8]) -> Result<Self, (usize, HostKeyFault)> {
        let key = PrivateKey::from_openssh(text).map_err(|_| (1, HostKeyFault::Form))?;
        if key.is_encrypted() {
            return Err((1, HostKeyFault::Passphrase));
        }
        if !is_supported(&key.algorithm()) {
            return Err((1, HostKeyFault::Algorithm));
        }
        Ok(Self(key))
    }

    fn count(&self) -> usize {
        1
    }
}

/// Algorithms that the program has.
fn is_supported(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ecdsa { .. })
}

/// Public keys, and the users that have them.
#[derive(Debug, PartialEq, Eq)]
struct AuthorizedKeys(Vec<(Arc<str>, KeyData)>);

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum LineFault {
    #[error("not a public key in the form of OpenSSH: write ALGORITHM KEY USER, without options")]
    Form,
    #[error("a key that is neither Ed25519 nor ECDSA: make one with ssh-keygen -t ed25519")]
    Algorithm,
    #[error("a key without a comment: write the name of its user behind it")]
    NoUser,
    #[error("a user's name has 1 to 64 octets of UTF-8 without blanks or control characters")]
    User,
}

impl KeyFile for AuthorizedKeys {
    type Fault = LineFault;
    const MOST_OCTETS: usize = 1 << 20;

    fn parse(text: &[u8]) -> Result<Self, (usize, LineFault)> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.split(|octet| *octet == b'\n')) {
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with(b"#") {
                keys.push(user_key(line).map_err(|fault| (number, fault))?);
            }
        }
        Ok(Self(keys))
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

fn user_key(line: &[u8]) -> Result<(Arc<str>, KeyData), LineFault> {
    let line = str::from_utf8(line).map_err(|_| LineFault::User)?;
    let key = PublicKey::from_openssh(line).map_err(|_| LineFault::Form)?;
    if !is_supported(&key.algorithm()) {
        return Err(LineFault::Algorithm);
    }
    let user = key.comment().as_str().map_err(|_| LineFault::User)?.trim();
    if user.is_empty() {
        return Err(LineFault::NoUser);
    }
    if user.len() > MOST_NAME || user.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(LineFault::User);
    }
    Ok((user.into(), key.key_data().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn the_user_of_a_key_is_its_comment() {
        let text = format!("# people\n\n{KEY} ann\n  {KEY} bob@example.net \n");
        let keys = AuthorizedKeys::parse(text.as_bytes()).unwrap();
        let users: Vec<&str> = keys.0.iter().map(|(user, _)| &**user).collect();
        assert_eq!(users, ["ann", "bob@example.net"]);
    }

    #[test]
    fn lines_that_cannot_be_meant_are_refused_by_their_number() {
        let of = |line: &str| {
            let text = format!("{KEY} ann\n{line}\n");
            AuthorizedKeys::parse(text.as_bytes())
                .map(|_| ())
                .unwrap_err()
        };
        assert_eq!(of(KEY), (2, LineFault::NoUser));
        assert_eq!(of("ssh-ed25519 AAAA ann"), (2, LineFault::Form));
        assert_eq!(
            of(&format!("command=\"/bin/sh\" {KEY} ann")),
            (2, LineFault::Form)
        );
        assert_eq!(of(&format!("{KEY} ann smith")), (2, LineFault::User));
        assert_eq!(
            of(&format!("{KEY} {}", "a".repeat(65))),
            (2, LineFault::User)
        );
    }
}
