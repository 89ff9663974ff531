//! The commands: arguments to a plan, a run, its output, the exit status. A file each.

mod dscptable;
mod responder;
mod selftest;
mod sender;

use std::io::{self, ErrorKind};

use crate::args::{Cli, Command};
use crate::failure::{Exit, Failure};

/// Does what the command line says.
///
/// # Errors
/// [`Failure`]: one line and the exit status.
pub(crate) fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Sender(args) => sender::run(&args),
        Command::Responder(args) => responder::run(&args),
        Command::Dscptable(args) => dscptable::run(args),
        Command::Selftest(args) => selftest::run(&args),
    }
}

/// A result that could not be written. Nobody reads any more: a quiet end, and `Ok`.
fn unwritten(error: &io::Error) -> Result<Exit, Failure> {
    if error.kind() == ErrorKind::BrokenPipe {
        Ok(Exit::Done)
    } else {
        Err(Failure::could_not(format!(
            "cannot write the result: {error}"
        )))
    }
}
