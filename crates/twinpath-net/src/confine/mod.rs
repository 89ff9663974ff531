//! What this process may do from now on, once its sockets are open.
//!
//! Each part restricts the calling thread and those that it starts afterwards, for good. So it comes before there are
//! other threads.

#[cfg(seccomp)]
mod calls;
#[cfg(target_os = "linux")]
mod capabilities;
#[cfg(target_os = "linux")]
mod files;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::path::PathBuf;

use crate::host::Capability;

/// What is left to a process. A part that is `None` or `false` restricts nothing.
#[derive(Clone, Debug, Default)]
pub struct Confinement {
    /// Capabilities that stay, if the process has them.
    pub capabilities: Option<Vec<Capability>>,
    /// Files that can be opened (Landlock); no TCP connections, no signals to other processes.
    pub files: Option<FileAccess>,
    /// No new programs and processes, no system calls that only administrators and debuggers need, no exotic sockets
    /// (seccomp). They fail with EPERM.
    pub calls: bool,
}

/// Directories, with all that is in them. One that does not exist is left out.
#[derive(Clone, Debug, Default)]
pub struct FileAccess {
    /// What is there can be read.
    pub read: Vec<PathBuf>,
    /// Files, sockets and directories can be made, written, renamed and removed there, too.
    pub write: Vec<PathBuf>,
    /// Devices can be opened and controlled there, too.
    pub devices: Vec<PathBuf>,
}

/// A part of a [`Confinement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfinedBy {
    /// [`Confinement::capabilities`].
    Capabilities,
    /// [`Confinement::files`].
    Landlock,
    /// [`Confinement::calls`].
    Seccomp,
}

impl ConfinedBy {
    /// The system's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

/// Why a part is not in force.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The system has no such thing.
    #[error("this system does not support it")]
    Unsupported,
    /// The system refuses it.
    #[error("{0}")]
    Refused(String),
}

/// Confines the calling thread and those that it starts. What could not be done; the rest is in force.
pub fn confine(confinement: &Confinement) -> Vec<(ConfinedBy, ConfineError)> {
    let mut failed = Vec::new();
    let mut note = |part, result: Result<(), ConfineError>| {
        if let Err(error) = result {
            failed.push((part, error));
        }
    };
    if let Some(access) = &confinement.files {
        note(ConfinedBy::Landlock, files::restrict(access));
    }
    if let Some(keep) = &confinement.capabilities {
        note(ConfinedBy::Capabilities, capabilities::keep(keep));
    }
    // The last: it refuses what the others do.
    if confinement.calls {
        note(ConfinedBy::Seccomp, calls::refuse());
    }
    failed
}

#[cfg(not(target_os = "linux"))]
mod files {
    pub(super) fn restrict(_: &super::FileAccess) -> Result<(), super::ConfineError> {
        Err(super::ConfineError::Unsupported)
    }
}
#[cfg(not(target_os = "linux"))]
mod capabilities {
    pub(super) fn keep(_: &[super::Capability]) -> Result<(), super::ConfineError> {
        Err(super::ConfineError::Unsupported)
    }
}
#[cfg(not(seccomp))]
mod calls {
    pub(super) fn refuse() -> Result<(), super::ConfineError> {
        Err(super::ConfineError::Unsupported)
    }
}
