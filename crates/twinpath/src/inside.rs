//! Doors to the inside for fuzzing, and for man pages and completions. No other program is to go through
//! them: they are no interface, and change as the inside does.

use std::any::TypeId;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::CommandFactory as _;

#[cfg(feature = "control")]
use crate::args::ControlCommand;
use crate::args::{Cli, Command, usage};
use crate::{cmd, plan};

/// The command line, for man pages and completions.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// The options of a command that take a value, but for those that name files and keys: those are
/// opened where a plan is made.
pub fn options(command: &str) -> Vec<String> {
    let program = Cli::command();
    let Some(command) = program.find_subcommand(command) else {
        return Vec::new();
    };
    let harmless = |arg: &&clap::Arg| {
        let path = TypeId::of::<PathBuf>();
        arg.get_action().takes_values()
            && arg.get_value_parser().type_id() != path
            && arg.get_id() != "key_id"
    };
    let options = command.get_arguments().filter(harmless);
    options
        .filter_map(|arg| arg.get_long().map(|long| format!("--{long}")))
        .collect()
}

/// Reads a command line (the program's own name first) and makes its plan. Names have two addresses.
///
/// # Errors
/// What the user is told.
pub fn plan(line: &[String]) -> Result<(), String> {
    let cli = Cli::read(line).map_err(|error| {
        let command = line.get(1).map(String::as_str);
        usage::failure(&error, command).to_string()
    })?;
    let lookup = |_: &str, port: u16| {
        Ok(vec![
            SocketAddr::from(([192, 0, 2, 1], port)),
            SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], port)),
        ])
    };
    let planned = match cli.command {
        Command::Sender(mut args) => {
            // No file is read.
            args.targets.targets = None;
            plan::sessions(&args, &lookup, |_, _| {}).map(drop)
        }
        Command::Responder(args) => plan::responder(&args, &lookup).map(drop),
        #[cfg(feature = "control")]
        Command::Check(args) if args.is_controlled() => args.into_controller().and_then(|args| {
            plan::controllers(&args, plan::EnvironmentPassphrase::default(), &lookup).map(drop)
        }),
        Command::Check(args) => {
            let mut args = args.into_sender();
            args.targets.targets = None;
            plan::sessions(&args, &lookup, |_, _| {}).map(drop)
        }
        #[cfg(feature = "control")]
        Command::Control(command) => match command {
            ControlCommand::Controller(args) => {
                plan::controllers(&args, plan::EnvironmentPassphrase::default(), &lookup).map(drop)
            }
            ControlCommand::Controlclient(args) => {
                plan::controlclients(&args, plan::EnvironmentPassphrase::default(), &lookup)
                    .map(drop)
            }
            ControlCommand::Server(args) => plan::server(&args, &lookup).map(drop),
        },
        Command::Doctor(args) => plan::doctor(
            &args,
            #[cfg(feature = "control")]
            plan::EnvironmentPassphrase::default(),
            &lookup,
        )
        .map(drop),
        #[cfg(all(feature = "status", unix))]
        Command::Status(_) => Ok(()),
        #[cfg(feature = "control")]
        Command::ImportOwamp(_) => Ok(()),
        #[cfg(feature = "daemon")]
        Command::Daemon(_) | Command::Config(_) => Ok(()),
        Command::Report(_) | Command::Dscptable(_) | Command::Selftest(_) => Ok(()),
    };
    planned.map_err(|failure| failure.to_string())
}

/// `twinpath report` with these arguments (the program's own name first), and no comparison, on `out`.
///
/// # Errors
/// What the user is told.
pub fn report(line: &[String], out: Box<dyn Write>) -> Result<(), String> {
    let cli = Cli::read(line).map_err(|error| error.to_string())?;
    let Command::Report(args) = cli.command else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).to_string());
    };
    cmd::report_on(&args, out)
        .map(drop)
        .map_err(|failure| failure.to_string())
}
