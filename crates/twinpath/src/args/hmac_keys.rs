//! Options for keys of STAMP.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{ArgGroup, Args};

use super::SESSIONS;
use super::value::key_file;

/// The options that name files of keys. A command may have several, and take several of them together.
pub(super) const KEY_FILES: &str = "key-files";

/// The key of one end, or a file of them.
#[derive(Debug, Args)]
#[command(next_help_heading = SESSIONS, group = ArgGroup::new(KEY_FILES).multiple(true))]
pub(crate) struct HmacKeyOptions {
    /// Key of authenticated STAMP: 32 hexadecimal digits or more. Other users of this host can see
    /// it among the processes: --hmac-key-file keeps it from them
    #[arg(long, value_name = "HEX", conflicts_with = "hmac_key_file")]
    pub(crate) hmac_key: Option<HexDigits>,

    /// File of keys of authenticated STAMP, one per line: "HEX", "ssid N HEX" or "prefix CIDR HEX",
    /// # for comments; must not be accessible to others (chmod 600); credential:NAME is that of a systemd
    /// service
    #[arg(long, value_name = "FILE", value_parser = key_file(), group = KEY_FILES)]
    pub(crate) hmac_key_file: Option<PathBuf>,

    /// Accept a key file that others can read or change
    #[arg(long, requires = KEY_FILES)]
    pub(crate) insecure_key_file: bool,
}

impl HmacKeyOptions {
    /// The option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let key = self.hmac_key.as_ref().map(|_| "--hmac-key");
        key.or(self.hmac_key_file.as_ref().map(|_| "--hmac-key-file"))
    }

    /// What is read, by its option.
    pub(crate) fn read_files(&self) -> Vec<(&'static str, &Path)> {
        let file = self.hmac_key_file.as_deref();
        file.map(|path| ("--hmac-key-file", path))
            .into_iter()
            .collect()
    }
}

/// A key as it was typed, which no message quotes.
#[derive(Clone)]
pub(crate) struct HexDigits(String);

impl HexDigits {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for HexDigits {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for HexDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
