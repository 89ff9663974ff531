//! What to do about a file of keys.

use std::borrow::Cow;
use std::error::Error;
use std::io;

#[cfg(feature = "control")]
use twinpath_runtime::keys::LineFault;
use twinpath_runtime::keys::{KeysError, StampLineFault};

use super::Remedy;
#[cfg(feature = "control")]
use crate::owamp::StoreFault;

/// How a line of a file of keys is written.
pub(crate) trait KeyLine: Error {
    const FORM: &'static str;
}

#[cfg(feature = "control")]
impl KeyLine for LineFault {
    const FORM: &'static str = "KEY-ID passphrase";
}

#[cfg(feature = "control")]
impl KeyLine for StoreFault {
    const FORM: &'static str = "IDENTITY and the passphrase in hexadecimal digits";
}

impl KeyLine for StampLineFault {
    const FORM: &'static str = "HEX, ssid N HEX or prefix CIDR HEX";
}

impl<F: KeyLine> Remedy for KeysError<F> {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        let form = F::FORM;
        let words = match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "give it to the user who runs this (chown), or run this as its owner"
            }
            Self::Unreadable { source, .. } if source.kind() != io::ErrorKind::NotFound => {
                return None;
            }
            Self::Unreadable { .. } | Self::NoFile { .. } => {
                return Some(format!("give a file with one line per key: {form}").into());
            }
            Self::Foreign { .. } => {
                "give it to the user who runs this (chown), or use --insecure-key-file"
            }
            Self::Exposed { path, .. } => {
                let path = path.display();
                let words = format!("restrict it (chmod 600 {path}), or use --insecure-key-file");
                return Some(words.into());
            }
            Self::TooLarge { .. } | Self::Empty { .. } => {
                return Some(format!("write one line per key: {form}").into());
            }
            Self::Line { .. } => return Some(format!("a line is {form}").into()),
        };
        Some(words.into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_keys_file_that_others_may_read_gets_the_command_to_restrict_it() {
        let path = || PathBuf::from("/etc/keys");
        let remedy = |error: KeysError<StampLineFault>| error.remedy().unwrap_or_default();
        let exposed = KeysError::Exposed {
            path: path(),
            mode: 0o644,
        };
        let words = "restrict it (chmod 600 /etc/keys), or use --insecure-key-file";
        assert_eq!(remedy(exposed), words);
        let foreign = KeysError::Foreign {
            path: path(),
            owner: 7,
        };
        assert!(remedy(foreign).contains("--insecure-key-file"));
    }

    #[test]
    fn a_line_that_cannot_be_meant_gets_the_form_of_its_file() {
        let line = KeysError::Line {
            path: PathBuf::from("/etc/keys"),
            line: 7,
            slip: StampLineFault::NoKey,
        };
        assert_eq!(line.to_string(), "/etc/keys:7: the key is missing");
        let words = "a line is HEX, ssid N HEX or prefix CIDR HEX";
        assert_eq!(line.remedy().unwrap_or_default(), words);
    }
}
