//! Data with the lines that it comes from.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::fault::Fault;
use crate::tree::{Children, Path};

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the caller names it.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFault {
    /// The line; `None` if the data does not come from a file.
    pub place: Option<Place>,
    /// What is wrong.
    pub fault: Fault,
}

/// `FILE:LINE: what`.
impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.fault.what),
            None => f.write_str(&self.fault.what),
        }
    }
}

/// What files say.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// The data, from the root of the datastore on.
    pub root: Children,
    pub(super) places: HashMap<Path, Place>,
}

impl Document {
    /// The line of a node, or of the nearest one above that has one.
    pub fn place(&self, path: &Path) -> Option<&Place> {
        let mut at = Some(path.clone());
        while let Some(path) = at {
            if let Some(place) = self.places.get(&path) {
                return Some(place);
            }
            at = path.parent();
        }
        None
    }

    /// A fault that was found later, with its line.
    pub fn locate(&self, fault: Fault) -> FileFault {
        FileFault {
            place: self.place(&fault.path).cloned(),
            fault,
        }
    }
}

/// The lines of a text, by where they end.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate();
        let ends = ends.filter(|(_, octet)| *octet == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// The line of an octet, from 1.
    pub(super) fn at(&self, octet: usize) -> usize {
        self.0.partition_point(|end| *end < octet) + 1
    }
}
