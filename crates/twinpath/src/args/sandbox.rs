//! What a reflector gives up once its sockets are open.

use clap::{Args, ValueEnum};

use crate::failure::Failure;

/// The heading of this option.
const PROCESS: &str = "Process";

/// Parts of the sandbox.
#[derive(Debug, Args)]
#[command(next_help_heading = PROCESS)]
pub(crate) struct SandboxOptions {
    /// Confine the process once its sockets are open: drop capabilities that it does not need, open only
    /// files that it needs (landlock), refuse system calls that it never makes (seccomp); all, none, or
    /// a list of these
    #[arg(
        long,
        value_name = "PART,..",
        value_delimiter = ',',
        default_value = "all"
    )]
    sandbox: Vec<SandboxPart>,
}

/// One part, or all or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxPart {
    All,
    None,
    Capabilities,
    Landlock,
    Seccomp,
}

impl SandboxOptions {
    /// Whether a part is asked for.
    pub(crate) fn has(&self, part: SandboxPart) -> bool {
        self.sandbox.contains(&part) || self.sandbox.contains(&SandboxPart::All)
    }

    /// # Errors
    /// None and something.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.sandbox.contains(&SandboxPart::None) && self.sandbox.len() > 1 {
            let line = "--sandbox none and other parts exclude each other: use one of them";
            return Err(Failure::usage(line));
        }
        Ok(())
    }
}
