//! twinpath: two-way network measurement. TWAMP, TWAMP Light and STAMP, in every role.
//!
//! A program and no library for others: it is one so that fuzzing reaches what it reads, and man pages
//! its arguments.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(
        feature = "control",
        feature = "daemon",
        feature = "live",
        feature = "metrics",
        feature = "pictures",
        feature = "report",
        feature = "status",
        feature = "tls"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "what commands share is more than a part of them uses; the whole program has no such code"
    )
)]

mod args;
#[cfg(feature = "report")]
mod captured;
#[cfg(all(unix, any(feature = "daemon", feature = "status")))]
mod claim;
#[cfg(any(feature = "metrics", feature = "status"))]
mod clients;
mod cmd;
#[cfg(feature = "daemon")]
mod daemon;
mod doctor;
mod exporter;
mod failure;
mod files;
#[cfg(feature = "metrics")]
mod http;
#[cfg(feature = "report")]
#[doc(hidden)]
pub mod inside;
#[cfg(feature = "live")]
mod live;
mod logs;
mod output;
#[cfg(feature = "control")]
mod owamp;
#[cfg(feature = "pictures")]
mod picture;
mod plan;
mod sandbox;
#[cfg(feature = "report")]
mod saved;
#[cfg(feature = "report")]
mod selector;
mod service;
mod signals;
#[cfg_attr(not(all(feature = "status", unix)), path = "status/absent.rs")]
mod status;
#[cfg(feature = "report")]
mod store;
mod version;

use std::io::Write as _;
use std::process::ExitCode;

use crate::args::{Cli, usage};
use crate::failure::Exit;

/// The program, with the arguments of the process.
pub fn run() -> ExitCode {
    let done = match Cli::read(std::env::args_os()) {
        Ok(cli) => cmd::run(cli),
        // Help and version: results, not errors.
        Err(asked) if !asked.use_stderr() => {
            // It is printed by the standard library.
            let printed = output::stdout().flush().and_then(|()| asked.print());
            let printed = printed.and_then(|()| output::stdout().flush());
            printed.map_or_else(|error| cmd::unwritten(&error), |()| Ok(Exit::Done))
        }
        Err(error) => {
            let command = command();
            let failure = usage::failure(&error, command.as_deref());
            if command.as_deref() == Some("check") {
                Ok(cmd::unchecked(&failure))
            } else {
                Err(failure)
            }
        }
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(failure) => {
            for failure in failure.earlier.iter().chain([&failure]) {
                output::print_to_stderr(&format!("twinpath: {failure}"));
                if logs::in_file() {
                    tracing::error!("{failure}");
                }
            }
            failure.exit
        }
    };
    logs::end(exit).into()
}

/// The command as it was typed, for a hint at its help.
fn command() -> Option<String> {
    let typed = std::env::args().nth(1)?;
    usage::is_command(&typed).then_some(typed)
}
