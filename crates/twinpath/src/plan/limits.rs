//! A file of limits: a line for each, the name of an option without `--` and its value. The command line
//! with these options is read by its own parser, so a limit has one meaning wherever it is written.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::args::{Cli, Limited, TypedLine, usage};
use crate::failure::Failure;
use crate::files;

/// The most octets of a file: 20,000 prefixes and their comments.
const MOST_OCTETS: u64 = 1 << 20;

/// Limits of a file, and the command line with them.
pub(crate) struct LimitsFile<A> {
    pub(crate) path: PathBuf,
    /// The options of the command, those of the file among them.
    pub(crate) args: Box<A>,
    pub(crate) lines: Vec<LimitLine>,
    typed: TypedLine,
}

/// A limit as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LimitLine {
    /// From 1.
    number: usize,
    /// The long name of its option.
    pub(crate) name: String,
    /// What a switch does not have.
    pub(crate) value: Option<String>,
}

impl<A: Limited> LimitsFile<A> {
    /// The file that a command line names; `None`: it names none.
    ///
    /// # Errors
    /// It cannot be read, or a line of it is not understood.
    pub(crate) fn of(args: &A) -> Result<Option<Self>, Failure> {
        let file = args.limits_file();
        file.map(|(path, typed)| Self::read(path, typed))
            .transpose()
    }

    /// As the file is now.
    ///
    /// # Errors
    /// As [`LimitsFile::of`].
    pub(crate) fn read_again(&self) -> Result<Self, Failure> {
        Self::read(&self.path, &self.typed)
    }

    fn read(path: &Path, typed: &TypedLine) -> Result<Self, Failure> {
        let text = text(path)?;
        let lines = lines(&text).map(|(number, line)| {
            let line = limit::<A>(number, line, typed);
            line.map_err(|why| fault(path, Some(number), &why))
        });
        let lines: Vec<LimitLine> = lines.collect::<Result<_, _>>()?;
        if lines.is_empty() {
            // As of a file that is being written.
            let line = format!("{}: no limit in it", path.display());
            let remedy = "write one on each line, as in max-rate 100";
            return Err(Failure::usage(line).with_remedy(Some(remedy)));
        }
        let options = lines.iter().map(|line| match &line.value {
            Some(value) => format!("--{}={value}", line.name),
            None => format!("--{}", line.name),
        });
        let failed = |error| {
            let failure = usage::failure(&error, Some(A::COMMAND));
            placed::<A>(failure, path, &lines)
        };
        let cli = typed.read_with(options).map_err(failed)?;
        let args = A::of(cli.command).ok_or_else(|| fault(path, None, "another command"))?;
        Ok(Self {
            path: path.to_owned(),
            args,
            typed: typed.clone(),
            lines,
        })
    }

    /// What is wrong with limits that were understood, with the line of the option that it is about.
    pub(crate) fn placed(&self, failure: Failure) -> Failure {
        placed::<A>(failure, &self.path, &self.lines)
    }
}

/// All of a file.
fn text(path: &Path) -> Result<String, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::could_not(format!("cannot read {}: {why}", path.display())).with_remedy(Some(
            "--limits takes a file with a limit on each line, as in max-rate 100",
        ))
    };
    let mut file = files::open(path).map_err(|why| failed(&why))?;
    let octets = whole(&mut file).map_err(|why| failed(&why))?;
    if octets.len() as u64 > MOST_OCTETS {
        let line = format!("{} has more than {MOST_OCTETS} octets", path.display());
        return Err(Failure::usage(line).with_remedy(Some("give a file of limits")));
    }
    String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let valid = error.as_bytes().get(..valid).unwrap_or_default();
        let line = valid.split(|octet| *octet == b'\n').count();
        fault(path, Some(line), "not UTF-8 text: write it again as such")
    })
}

/// One octet more than there may be at most.
fn whole(file: &mut File) -> io::Result<Vec<u8>> {
    let before = file.metadata()?;
    let mut octets = Vec::new();
    file.take(MOST_OCTETS + 1).read_to_end(&mut octets)?;
    let now = file.metadata()?;
    // Half of a file may lack the line that keeps others out.
    if now.len() != before.len() || now.modified().ok() != before.modified().ok() {
        return Err(io::Error::other("it changed while it was read"));
    }
    Ok(octets)
}

/// The lines with something in them, without comments and blanks around, each with its number.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // What some editors write first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.lines());
    lines
        .map(|(number, line)| (number, line.split('#').next().unwrap_or_default().trim()))
        .filter(|(_, line)| !line.is_empty())
}

/// A line of the file, or what is wrong with it and what to write instead.
fn limit<A: Limited>(number: usize, line: &str, typed: &TypedLine) -> Result<LimitLine, String> {
    let (name, value) = match line.split_once(char::is_whitespace) {
        Some((name, value)) => (name, Some(value.trim_start().to_owned())),
        None => (line, None),
    };
    if !A::LIMITS.contains(&name) {
        return Err(unknown::<A>(name));
    }
    if typed.has(name) {
        return Err(format!(
            "{name} is on the command line too (--{name}): use one of them"
        ));
    }
    let name = name.to_owned();
    Ok(LimitLine {
        number,
        name,
        value,
    })
}

/// What to write where a name is not that of a limit.
fn unknown<A: Limited>(name: &str) -> String {
    let is_limit = |name: &str| A::LIMITS.contains(&name);
    if let Some(bare) = name.strip_prefix("--").filter(|bare| is_limit(bare)) {
        return format!("{name}: write {bare}, without --");
    }
    if let Some((bare, _)) = name.split_once('=').filter(|(bare, _)| is_limit(bare)) {
        return format!("{name}: write {bare} and its value with a blank between them, without =");
    }
    let command = Cli::command();
    let command = command.find_subcommand(A::COMMAND);
    let mut options = command.into_iter().flat_map(clap::Command::get_arguments);
    if options.any(|option| option.get_long() == Some(name)) {
        return format!("{name} cannot change while it runs: give --{name} on the command line");
    }
    match usage::nearest(name, A::LIMITS) {
        Some(near) => format!("{name}: did you mean {near}?"),
        None => format!("{name}: no such limit: use {}", A::LIMITS.join(", ")),
    }
}

/// A failure with the file and the line of the first limit that it names. There limits have no `--`.
fn placed<A: Limited>(failure: Failure, path: &Path, lines: &[LimitLine]) -> Failure {
    let pieces = || failure.line.split_inclusive([' ', ',', ':']);
    let bare = |piece: &str| piece.trim_end_matches([' ', ',', ':']).to_owned();
    let named = pieces().find_map(|piece| {
        let word = bare(piece);
        let name = word.strip_prefix("--")?;
        lines.iter().find(|line| line.name == name)
    });
    let quoted = pieces().nth(1).map(bare).unwrap_or_default();
    let has_quoted = |line: &&LimitLine| {
        let value = line.value.as_deref().unwrap_or_default();
        value.split(',').any(|part| part == quoted)
            || (value.contains(' ') && failure.line.contains(value))
    };
    let of_name = || {
        let name = named.map(|line| &line.name);
        lines.iter().filter(move |line| Some(&line.name) == name)
    };
    // Where one limit is given twice, the later line is the one too many.
    let line = of_name().find(has_quoted).or(of_name().next_back());
    let as_in_file = |piece| match bare(piece).strip_prefix("--") {
        Some(name) if A::LIMITS.contains(&name) => piece.trim_start_matches("--"),
        Some(_) | None => piece,
    };
    let why: String = pieces().map(as_in_file).collect();
    Failure {
        line: located(path, line.map(|line| line.number), &why),
        ..failure
    }
}

fn fault(path: &Path, line: Option<usize>, why: &str) -> Failure {
    Failure::usage(located(path, line, why))
}

fn located(path: &Path, line: Option<usize>, why: &str) -> String {
    let path = path.display();
    line.map_or(format!("{path}: {why}"), |line| {
        format!("{path}:{line}: {why}")
    })
}

#[cfg(test)]
mod tests;
