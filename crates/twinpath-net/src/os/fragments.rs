//! Fragmentation on Linux, for both kinds of sockets.
//!
//! ICMP messages about the MTU of a path ("fragmentation needed", "packet too big") can be forged,
//! and the kernel applies them for ten minutes. Packets of a measurement ignore them: the only
//! limit is the MTU of the outgoing interface.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_int;

/// Octets of an `int`, for socket options.
const INT_OCTETS: libc::socklen_t = 4;
const _: () = assert!(size_of::<c_int>() == 4);

/// The result of a system call that returns 0 or -1.
pub(crate) fn check(result: c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `setsockopt` with an `int`.
pub(crate) fn set_int(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    // SAFETY: `value` lives across the call and its exact size is given.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast::<libc::c_void>(),
            INT_OCTETS,
        )
    })
}

/// Handling of packets that are larger than a link's MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragments {
    /// DF is set, and packets over the interface's MTU are refused.
    Never,
    /// Packets over the interface's MTU leave in fragments; DF is not set.
    ByInterface,
    /// As [`Self::ByInterface`] for packets that fit the interface, but ICMP errors about them are
    /// reported; larger ones are refused. IPv6 only: there the kernel does not report these errors
    /// to a socket that fragments.
    Reported,
}

impl Fragments {
    /// The setting of a socket, with or without DF, and with or without ICMP errors.
    pub(crate) fn of(v6: bool, dont_fragment: bool, reports: bool) -> Self {
        match (dont_fragment, v6 && reports) {
            (true, _) => Self::Never,
            (false, true) => Self::Reported,
            (false, false) => Self::ByInterface,
        }
    }

    /// Sets it.
    pub(crate) fn set(self, fd: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
        if v6 {
            let set = |name, value| set_int(fd, libc::SOL_IPV6, name, value);
            let discover = match self {
                Self::Never | Self::Reported => libc::IPV6_PMTUDISC_PROBE,
                Self::ByInterface => libc::IPV6_PMTUDISC_OMIT,
            };
            or_else(set(libc::IPV6_MTU_DISCOVER, discover), self, || {
                set(libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DONT)
            })?;
            set(libc::IPV6_DONTFRAG, c_int::from(self == Self::Never))
        } else {
            let set = |value| set_int(fd, libc::SOL_IP, libc::IP_MTU_DISCOVER, value);
            let discover = match self {
                Self::Never => libc::IP_PMTUDISC_PROBE,
                Self::ByInterface | Self::Reported => libc::IP_PMTUDISC_OMIT,
            };
            or_else(set(discover), self, || set(libc::IP_PMTUDISC_DONT))
        }
    }
}

/// Kernels before 3.15 cannot send in fragments regardless of the path MTU: there the next best is
/// set.
fn or_else(
    result: io::Result<()>,
    fragments: Fragments,
    next_best: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match result {
        Err(error)
            if error.raw_os_error() == Some(libc::EINVAL) && fragments != Fragments::Never =>
        {
            next_best()
        }
        result => result,
    }
}
