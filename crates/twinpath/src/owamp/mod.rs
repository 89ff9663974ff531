//! The configuration of perfSONAR's twampd (twamp-server.conf, .limits, .pfs), read and turned into ours. Text to
//! model to text: nothing here opens a file.
//!
//! What has no equivalent is a [`Remark`] with its place. Where ours would be more permissive, the remark is a
//! warning; where access would be wider, ours is narrower instead.

mod config;
mod keys;
mod networks;
mod policy;
mod server;
mod statements;

use std::fmt;

pub(crate) use config::Config;
pub(crate) use keys::{PassphraseStore, StoreFault, aes_keys};
pub(crate) use policy::Policy;
pub(crate) use server::{Imported, imported};

/// Octets of a file at most.
pub(crate) const MOST_OCTETS: usize = 1 << 18;
/// Statements of a file at most: each may become a remark.
const MOST_STATEMENTS: usize = 4_096;

/// A line of a file, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A line that cannot be read. Never with anything of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) what: String,
}

/// What does not go over as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// Where it is written; `None`: it is a default of twampd.
    pub(crate) place: Option<Place>,
    /// The new server serves more than the old one, or refuses a client that the old one served.
    pub(crate) is_warning: bool,
    pub(crate) text: String,
}

impl Remark {
    fn note(place: &Place, text: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            is_warning: false,
            text: text.into(),
        }
    }

    fn warning(place: &Place, text: impl Into<String>) -> Self {
        Self {
            is_warning: true,
            ..Self::note(place, text)
        }
    }

    fn of_default(text: impl Into<String>) -> Self {
        Self {
            place: None,
            is_warning: false,
            text: text.into(),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}
