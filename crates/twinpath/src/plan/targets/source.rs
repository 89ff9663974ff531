//! A file, a pipe or stdin, read with bounds.

use std::fs::{File, Metadata};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use crate::failure::Failure;

/// The most octets of a file with tables: 10,000 targets with 400 octets each.
const MOST_TABLES: u64 = 4 << 20;
/// The most octets of a file with lines, comments included.
const MOST_LINES: u64 = 16 << 20;
/// The longest line: an address and a name take a few hundred octets.
const LONGEST_LINE: u64 = 4_096;

/// What targets are read from.
pub(super) struct Source {
    name: Arc<str>,
    tables: bool,
    reader: BufReader<Box<dyn Read>>,
    /// A regular file, and what it was like at first.
    file: Option<(File, Metadata)>,
    octets: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Self::of("stdin", Box::new(io::stdin().lock())));
        }
        let name = path.display().to_string();
        let failed = |why: &dyn std::fmt::Display| {
            Failure::could_not(format!("cannot read {name}: {why}"))
                .with_remedy(Some("--targets takes a file with a far end on each line"))
        };
        let file = File::open(path).map_err(|error| failed(&words(&error)))?;
        let before = file.metadata().map_err(|error| failed(&words(&error)))?;
        if before.is_dir() {
            return Err(failed(&"it is a directory"));
        }
        let reader = file.try_clone().map_err(|error| failed(&words(&error)))?;
        let mut source = Self::of(&name, Box::new(reader));
        source.tables = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("toml"));
        // A pipe has neither a size nor a time.
        source.file = before.is_file().then_some((file, before));
        Ok(source)
    }

    /// Lines from anywhere.
    pub(super) fn of(name: &str, reader: Box<dyn Read>) -> Self {
        Self {
            name: name.into(),
            tables: false,
            reader: BufReader::new(reader),
            file: None,
            octets: 0,
        }
    }

    /// How it is called.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// It has tables rather than lines.
    pub(super) fn is_tables(&self) -> bool {
        self.tables
    }

    /// All of it.
    pub(super) fn text(mut self) -> Result<String, Failure> {
        let mut octets = Vec::new();
        let mut limited = (&mut self.reader).take(MOST_TABLES + 1);
        let read = limited.read_to_end(&mut octets);
        self.octets = read.map_err(|error| self.unreadable(&error))? as u64;
        if self.octets > MOST_TABLES {
            return Err(self.too_large(MOST_TABLES));
        }
        self.is_unchanged()?;
        String::from_utf8(octets).map_err(|error| {
            let valid = error.as_bytes().get(..error.utf8_error().valid_up_to());
            let lines = valid.unwrap_or_default().split(|octet| *octet == b'\n');
            let line = lines.count();
            Failure::usage(format!("{}:{line}: {NOT_UTF8}", self.name))
        })
    }

    /// The next line without its end; `None` behind the last one.
    pub(super) fn line(&mut self, number: usize) -> Result<Option<String>, Failure> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LONGEST_LINE + 1);
        let read = limited.read_until(b'\n', &mut line);
        let read = read.map_err(|error| self.unreadable(&error))? as u64;
        self.octets += read;
        let name = &self.name;
        if read == 0 {
            return Ok(None);
        } else if read > LONGEST_LINE {
            return Err(Failure::usage(format!(
                "{name}:{number}: longer than {LONGEST_LINE} octets: this is not a list of targets"
            )));
        } else if self.octets > MOST_LINES {
            return Err(self.too_large(MOST_LINES));
        }
        match String::from_utf8(line) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(Failure::usage(format!("{name}:{number}: {NOT_UTF8}"))),
        }
    }

    /// Whether the file is still what it was when it was opened.
    pub(super) fn is_unchanged(&self) -> Result<(), Failure> {
        let Some((file, before)) = &self.file else {
            return Ok(());
        };
        let now = file.metadata().map_err(|error| self.unreadable(&error))?;
        let changed = now.len() != before.len() || now.modified().ok() != before.modified().ok();
        // Files of /proc have no size.
        if changed || before.len() > 0 && self.octets != before.len() {
            let line = format!("{} changed while it was read", self.name);
            return Err(Failure::could_not(line).with_remedy(Some(
                "start again; to replace it safely, write another file and rename it",
            )));
        }
        Ok(())
    }

    fn too_large(&self, most: u64) -> Failure {
        Failure::usage(format!(
            "{} is larger than {} MiB: this is not a list of targets",
            self.name,
            most >> 20
        ))
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::could_not(format!("cannot read {}: {}", self.name, words(error)))
    }
}

const NOT_UTF8: &str = "not UTF-8 text";

fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
