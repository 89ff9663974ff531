//! The commands: arguments to a plan, a run, its output, the exit status. A file each.

mod check;
mod companions;
#[cfg(feature = "daemon")]
mod config;
#[cfg(feature = "control")]
mod control;
#[cfg(feature = "daemon")]
mod daemon;
mod deadline;
mod doctor;
mod dscptable;
mod ended_sessions;
#[cfg(feature = "control")]
mod import_owamp;
mod key_file;
mod limits_file;
#[cfg(feature = "live")]
mod live;
mod measure;
mod metrics;
mod output_files;
#[cfg(feature = "pictures")]
mod pictures;
mod plain_run;
mod renewal;
#[cfg(feature = "report")]
mod report;
mod responder;
mod run_events;
mod run_observers;
mod run_output;
mod run_targets;
#[cfg(feature = "report")]
mod saving;
mod selftest;
mod sender;
mod session_states;
#[cfg(all(feature = "status", unix))]
mod status;
mod subject;

use std::io::{self, ErrorKind};

use tracing::info;

use crate::args::{Cli, Command, LogOptions};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::print_to_stderr;
use crate::plan;

/// Runs the command.
///
/// # Errors
/// [`Failure`]: one line and the exit status.
pub(crate) fn run(cli: Cli) -> Result<Exit, Failure> {
    // Before there is another thread. Whatever the command, its environment has it no more.
    #[cfg(not(feature = "control"))]
    plan::forget_passphrase();
    #[cfg(feature = "control")]
    let given = plan::EnvironmentPassphrase::take_for(&cli.command);
    match cli.command {
        Command::Sender(args) => sender::run(&args),
        Command::Responder(args) => responder::run(&args),
        #[cfg(feature = "control")]
        Command::Control(command) => control::run(&command, given),
        #[cfg(feature = "control")]
        Command::Check(args) => Ok(check::run(*args, given)),
        #[cfg(not(feature = "control"))]
        Command::Check(args) => Ok(check::run(*args)),
        #[cfg(feature = "report")]
        Command::Report(args) => report::run(&args),
        Command::Doctor(args) => doctor::run(
            &args,
            #[cfg(feature = "control")]
            given,
        ),
        #[cfg(feature = "daemon")]
        Command::Daemon(args) => daemon::run(&args),
        #[cfg(feature = "daemon")]
        Command::Config(args) => config::run(&args),
        #[cfg(all(feature = "status", unix))]
        Command::Status(args) => status::run(&args),
        #[cfg(feature = "control")]
        Command::ImportOwamp(args) => import_owamp::run(&args),
        Command::Dscptable(args) => dscptable::run(args),
        Command::Selftest(args) => selftest::run(&args),
    }
}

pub(crate) use check::unchecked;
#[cfg(feature = "daemon")]
pub(crate) use key_file::RereadKeys;

/// `twinpath report`, on another stream than stdout.
///
/// # Errors
/// [`Failure`], as for [`run`].
#[cfg(feature = "report")]
pub(crate) fn report_on(
    args: &crate::args::ReportArgs,
    out: Box<dyn io::Write>,
) -> Result<Exit, Failure> {
    report::on(args, out)
}

/// A remark on stderr, for a person; in the log file too. `-q`: none.
fn remark(log: &LogOptions, text: Option<String>) {
    if let Some(text) = text.filter(|_| !log.quiet) {
        print_to_stderr(&format!("note: {text}"));
        if logs::in_file() {
            info!("{text}");
        }
    }
}

/// A warning on stderr; in the log file too. `-q`: none.
fn warn(quiet: bool, text: Option<String>) {
    if let Some(text) = text.filter(|_| !quiet) {
        print_to_stderr(&format!("warning: {text}"));
        if logs::in_file() {
            tracing::warn!("{text}");
        }
    }
}

/// A result that could not be written. A closed pipe is a quiet end, and `Ok`.
pub(crate) fn unwritten(error: &io::Error) -> Result<Exit, Failure> {
    if error.kind() == ErrorKind::BrokenPipe {
        Ok(Exit::Done)
    } else {
        Err(Failure::could_not(format!(
            "cannot write the result: {error}"
        )))
    }
}
