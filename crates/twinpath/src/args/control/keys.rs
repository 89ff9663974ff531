//! Options for keys of the secured modes: where keys are, never the keys themselves.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use twinpath_proto::security::KeyId;
use twinpath_wire::control::SecurityMode;

use crate::args::value::key_file;
use crate::args::value::quantity::{listed, number};
use crate::args::{Advice, CONTROL, CUSTOMARY_PBKDF2_COUNT, MOST_PBKDF2_COUNT};

/// A token is an oracle for guesses where PBKDF2 makes fewer iterations (RFC 4656 section 3.1).
const LEAST_COUNT: u32 = 1_024;

/// A file of keys.
#[derive(Debug, Args)]
#[command(next_help_heading = CONTROL)]
pub(crate) struct KeyFileOptions {
    /// File of keys for the secured modes, one "KEY-ID passphrase" per line, # for comments; must
    /// not be accessible to others (chmod 600); credential:NAME is that of a systemd service
    #[arg(long, value_name = "FILE", value_parser = key_file())]
    pub(crate) keys: Option<PathBuf>,

    /// Accept a key file that others can read or change
    #[arg(long, requires = "keys")]
    pub(crate) insecure_key_file: bool,
}

impl KeyFileOptions {
    /// What is read, by its option.
    pub(crate) fn read_files(&self) -> Vec<(&'static str, &Path)> {
        let keys = self.keys.as_deref().map(|path| ("--keys", path));
        keys.into_iter().collect()
    }
}

/// The key of one connection.
#[derive(Debug, Args)]
#[command(next_help_heading = CONTROL)]
pub(crate) struct KeyOptions {
    #[command(flatten)]
    pub(crate) file: KeyFileOptions,

    /// Name of the key [default: the only one in FILE]. Without --keys, the passphrase is read from
    /// TWINPATH_PASSPHRASE or the terminal
    #[arg(long, value_name = "NAME", value_parser = key_id)]
    pub(crate) key_id: Option<KeyId>,

    /// Maximum PBKDF2 iterations to accept from the server [default: 32768]
    #[arg(long, value_name = "N", value_parser = iterations)]
    pub(crate) max_pbkdf2_count: Option<u32>,
}

/// PBKDF2 iterations: a power of 2, within what protects and what can be borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Iterations(pub(crate) u32);

impl Iterations {
    /// Clients may refuse more than this (row TC-23).
    pub(crate) fn is_beyond_custom(self) -> bool {
        self.0 > CUSTOMARY_PBKDF2_COUNT
    }
}

impl FromStr for Iterations {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        iterations(text).map(|count| Self(count.next_power_of_two()))
    }
}

/// A bound for PBKDF2 iterations.
pub(in crate::args) fn iterations(text: &str) -> Result<u32, Advice> {
    number(text, LEAST_COUNT.into()..=MOST_PBKDF2_COUNT.into())
}

/// The name of a key.
pub(in crate::args) fn key_id(text: &str) -> Result<KeyId, Advice> {
    if text
        .chars()
        .any(|c| c.is_control() || matches!(c, ' ' | '\t'))
    {
        return Err(Advice::new(
            "not a Key-ID: give one word without white space",
        ));
    }
    KeyId::new(text).map_err(|error| Advice::new(error.to_string()))
}

/// A security mode in a list.
pub(super) fn listed_mode(text: &str) -> Result<SecurityMode, Advice> {
    listed(text)?;
    mode(text)
}

/// A security mode.
pub(in crate::args) fn mode(text: &str) -> Result<SecurityMode, Advice> {
    let modes = [
        SecurityMode::Unauthenticated,
        SecurityMode::Authenticated,
        SecurityMode::Encrypted,
        SecurityMode::Mixed,
    ];
    let found = modes.into_iter().find(|mode| mode.name() == text);
    found.ok_or_else(|| {
        Advice::new("not a mode: use unauthenticated, authenticated, encrypted or mixed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_are_rounded_up_to_a_power_of_2_within_bounds() {
        for (text, count) in [
            ("1024", 1_024),
            ("1025", 2_048),
            ("16384", 16_384),
            ("20000", 32_768),
            ("1048576", 1 << 20),
        ] {
            assert_eq!(text.parse(), Ok(Iterations(count)), "{text}");
        }
        for text in ["0", "1023", "1048577", "99999999999", "-1", "many", ""] {
            assert!(text.parse::<Iterations>().is_err(), "{text}");
        }
        assert!(!Iterations(32_768).is_beyond_custom());
        assert!(Iterations(65_536).is_beyond_custom());
    }

    #[test]
    fn a_key_id_is_a_word() {
        assert_eq!(key_id("Müller").unwrap().as_str(), "Müller");
        for text in ["", "a b", "a\tb", "a\u{1b}b", &"x".repeat(81)] {
            assert!(key_id(text).is_err(), "{text:?}");
        }
    }
}
