//! A file of far ends, read before anything is sent: with every fault a line that says where it is.

mod lines;
mod source;
mod tables;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use twinpath_report::words;

use crate::args::{FarEnd, GivenOptions, Label, MOST_SESSIONS, SessionOptions};
use crate::failure::Failure;

use source::Source;

/// Of more faults only the number is said.
const MOST_FAULTS: usize = 20;
/// A target's name is no longer than this, in octets.
const LONGEST_NAME: usize = 255;

/// A far end in a file.
#[derive(Debug)]
pub(super) struct FileTarget {
    pub(super) far: FarEnd,
    pub(super) name: String,
    pub(super) labels: Vec<Label>,
    /// `None`: those of the command line.
    pub(super) options: Option<Arc<SessionOptions>>,
    pub(super) place: Place,
}

/// Where something is: the file and the line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What is wrong with a file, each with its place.
#[derive(Debug)]
pub(super) struct Faults {
    file: Arc<str>,
    found: Vec<(usize, String)>,
    more: usize,
}

impl Faults {
    pub(super) fn of(file: &Arc<str>) -> Self {
        Self {
            file: Arc::clone(file),
            found: Vec::new(),
            more: 0,
        }
    }

    /// What is wrong at this line.
    pub(super) fn add(&mut self, line: usize, what: impl Into<String>) {
        if self.found.len() < MOST_FAULTS {
            self.found.push((line, what.into()));
        } else {
            self.more += 1;
        }
    }

    /// All of them, in the order of lines.
    ///
    /// # Errors
    /// There are some.
    pub(super) fn none(mut self) -> Result<(), Failure> {
        self.found.sort_by_key(|(line, _)| *line);
        let file = &self.file;
        let faults = self.found.iter();
        let mut failures: Vec<Failure> = faults
            .map(|(line, what)| Failure::usage(format!("{file}:{line}: {what}")))
            .collect();
        if self.more > 0 {
            let more = format!("{file}: {} more faults", self.more);
            failures.push(Failure::usage(more));
        }
        all_of(failures)
    }
}

/// One failure that says all of these, as far as there are some.
///
/// # Errors
/// There are some.
pub(super) fn all_of(mut failures: Vec<Failure>) -> Result<(), Failure> {
    let more = failures.len().saturating_sub(MOST_FAULTS + 1);
    if more > 0 {
        failures.truncate(MOST_FAULTS);
        failures.push(Failure::usage(format!("{more} more faults of this kind")));
    }
    match failures.pop() {
        None => Ok(()),
        Some(last) => Err(last.after(failures)),
    }
}

/// The far ends of a file, or of stdin (`-`): at least one.
///
/// # Errors
/// The file cannot be read, or not all of it is understood.
pub(super) fn read(path: &Path, given: &GivenOptions) -> Result<Vec<FileTarget>, Failure> {
    let source = Source::open(path)?;
    let targets = if source.is_tables() {
        let file = Arc::clone(source.name());
        tables::parse(&source.text()?, &file, given)?
    } else {
        lines::parse(source)?
    };
    Ok(targets)
}

/// What is wrong with the first target beyond the most that there may be.
fn too_many_targets() -> String {
    format!("more than {MOST_SESSIONS} targets: use fewer, in several processes")
}

/// A name that outputs can print and tables can hold.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        Err("the name is empty: leave it out, or give one".to_owned())
    } else if name.len() > LONGEST_NAME {
        Err(format!("a name has at most {LONGEST_NAME} octets"))
    } else if !name.chars().all(words::is_plain) {
        Err("a name has no control characters, and none that cannot be seen".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
