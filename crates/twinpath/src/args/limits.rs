//! Limits of a reflector that a file can have in place of the command line (`--limits`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Error};

use super::{Cli, Command, ResponderArgs};
#[cfg(feature = "control")]
use super::{ControlCommand, ServerArgs};

/// A command whose limits can be in a file.
pub(crate) trait Limited: Sized {
    /// Its name.
    const COMMAND: &'static str;
    /// The options that are limits and can change while it runs, by their long names.
    const LIMITS: &'static [&'static str];

    /// The options of the command, if it is this one.
    fn of(command: Command) -> Option<Box<Self>>;

    /// The file, and the command line that names it.
    fn limits_file(&self) -> Option<(&Path, &TypedLine)>;
}

/// A command line as it was typed, to which a file adds options.
#[derive(Clone, Debug)]
pub(crate) struct TypedLine {
    words: Vec<OsString>,
    /// The limits in it, by their long names.
    typed: Vec<&'static str>,
}

impl TypedLine {
    /// That of a command that names such a file.
    pub(super) fn of_command<A: Limited>(words: &[OsString], matches: &ArgMatches) -> Option<Self> {
        let matches = matches.subcommand_matches(A::COMMAND)?;
        let is_typed = |name: &str| {
            matches.value_source(&name.replace('-', "_")) == Some(ValueSource::CommandLine)
        };
        let limits = A::LIMITS.iter().copied();
        is_typed("limits").then(|| Self {
            words: words.to_vec(),
            typed: limits.filter(|name| is_typed(name)).collect(),
        })
    }

    /// Whether a limit is in it, by its long name.
    pub(crate) fn has(&self, limit: &str) -> bool {
        self.typed.contains(&limit)
    }

    /// The command line with more options.
    ///
    /// # Errors
    /// As [`Cli::read`].
    pub(crate) fn read_with(&self, options: impl Iterator<Item = String>) -> Result<Cli, Error> {
        // Behind the names of the program and the command, as operands may come after `--`.
        let (names, rest) = self.words.split_at(self.words.len().min(2));
        let options = options.map(OsString::from);
        let rest = options.chain(rest.iter().cloned());
        Cli::read(names.iter().cloned().chain(rest))
    }
}

/// A file of limits.
fn file<'a>(
    path: Option<&'a PathBuf>,
    typed: Option<&'a TypedLine>,
) -> Option<(&'a Path, &'a TypedLine)> {
    Some((path?, typed?))
}

impl Limited for ResponderArgs {
    const COMMAND: &'static str = "responder";
    const LIMITS: &'static [&'static str] = &[
        "allow",
        "allow-ssid",
        "max-rate",
        "max-sessions",
        "allow-dscp",
        "allow-return-address",
        "srv6-return",
        "allow-control",
        "control-rate",
        "control-volume",
        "control-count",
        "control-unauthenticated",
    ];

    fn of(command: Command) -> Option<Box<Self>> {
        if let Command::Responder(args) = command {
            Some(args)
        } else {
            None
        }
    }

    fn limits_file(&self) -> Option<(&Path, &TypedLine)> {
        file(self.limits.as_ref(), self.typed.as_ref())
    }
}

#[cfg(feature = "control")]
impl Limited for ServerArgs {
    const COMMAND: &'static str = "server";
    const LIMITS: &'static [&'static str] = &[
        "allow",
        "allow-sender",
        "allow-any-port",
        "max-rate",
        "max-sessions",
        "max-open-sessions",
        "max-sessions-per-client",
        "max-connections",
        "max-connections-per-client",
    ];

    fn of(command: Command) -> Option<Box<Self>> {
        if let Command::Control(ControlCommand::Server(args)) = command {
            Some(args)
        } else {
            None
        }
    }

    fn limits_file(&self) -> Option<(&Path, &TypedLine)> {
        file(self.limits.as_ref(), self.typed.as_ref())
    }
}
