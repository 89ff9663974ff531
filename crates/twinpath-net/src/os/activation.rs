//! Descriptors of sockets from systemd, or from who does as it does.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::Socket;

/// Each descriptor is owned once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The number and the name of each, and the socket.
pub(crate) fn take() -> io::Result<Vec<(i32, String, Socket)>> {
    if TAKEN.swap(true, Ordering::AcqRel) {
        return Ok(Vec::new());
    }
    // It marks them close-on-exec, which fails for one that is not open.
    let passed = sd_notify::listen_fds_with_names()?;
    let mut sockets = Vec::new();
    for (number, name) in passed {
        // SAFETY: it is open, as it was marked a moment ago; it was open before `main`, by `LISTEN_PID` for this
        // process, so that nothing here opened it; and it is taken once, by `TAKEN`.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        let socket = Socket::from(descriptor);
        // What is no socket has no type.
        socket.r#type().map_err(|error| {
            io::Error::new(error.kind(), format!("descriptor {number}: {error}"))
        })?;
        sockets.push((number, name, socket));
    }
    Ok(sockets)
}
