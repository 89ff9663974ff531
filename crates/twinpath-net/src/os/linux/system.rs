//! Safe wrappers of system calls: one function each, errors as [`io::Error`].

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_uint, c_void};

pub(crate) use crate::os::fragments::{check, set_int};

/// Octets of an `int`, for socket options. `SCM_TS_OPT_ID` (Linux 6.13): a packet names its own
/// key, so that a refused one cannot shift the others'. The number is that of the architectures
/// with the generic list.
pub(crate) const NAME_KEY: Option<c_int> = if cfg!(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "arm",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "powerpc64",
    target_arch = "s390x",
)) {
    Some(81)
} else {
    None
};

/// `getsockopt` of an `int`.
pub(crate) fn int_option(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    words_of(fd, level, name).map(|[word]| word)
}

/// Datagrams that a socket dropped for lack of buffer (`SO_MEMINFO`, the last of its words); 0 if
/// the kernel does not report it.
pub(crate) fn drops(fd: BorrowedFd<'_>) -> u32 {
    const SO_MEMINFO: c_int = 55;
    const DROPS: usize = 8;
    let words = words_of::<{ DROPS + 1 }>(fd, libc::SOL_SOCKET, SO_MEMINFO);
    words.map_or(0, |words| words[DROPS].cast_unsigned())
}

/// The first words of a socket option.
fn words_of<const N: usize>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
) -> io::Result<[c_int; N]> {
    let mut words = [0; N];
    let mut length = libc::socklen_t::try_from(size_of_val(&words)).unwrap_or(0);
    // SAFETY: `words` and `length` live across the call; `length` is the room in `words`.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            words.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    })?;
    Ok(words)
}

/// A request about the interface of this name, as `ioctl` takes it.
pub(crate) fn interface_request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: the structure is octets and pointers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::NotFound.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(request)
}

/// `sendto` without waiting and without control messages: the fastest way to send.
pub(crate) fn send_to(fd: BorrowedFd<'_>, octets: &[u8], name: &[u8]) -> io::Result<()> {
    let name_octets = libc::socklen_t::try_from(name.len()).unwrap_or(0);
    // SAFETY: octets and name live across the call, with these lengths.
    let result = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            octets.as_ptr().cast(),
            octets.len(),
            libc::MSG_DONTWAIT,
            name.as_ptr().cast(),
            name_octets,
        )
    };
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `recvmmsg` without waiting. Returns how many messages were received.
///
/// # Safety
/// Every header in `messages` must point to live memory of the given lengths, which nothing else
/// uses during the call.
pub(crate) unsafe fn receive_messages(
    fd: BorrowedFd<'_>,
    messages: &mut [libc::mmsghdr],
    flags: c_int,
) -> io::Result<usize> {
    let count = c_uint::try_from(messages.len()).unwrap_or(c_uint::MAX);
    // The C libraries disagree on the type of the flags.
    #[allow(
        clippy::useless_conversion,
        reason = "another type with another C library"
    )]
    let flags = (flags | libc::MSG_DONTWAIT)
        .try_into()
        .unwrap_or(libc::MSG_DONTWAIT as _);
    // SAFETY: the caller guarantees the headers; their number is that of the slice.
    let result = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            messages.as_mut_ptr(),
            count,
            flags,
            std::ptr::null_mut(),
        )
    };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `sendmsg` without waiting.
///
/// # Safety
/// `message` must point to live memory of the given lengths.
pub(crate) unsafe fn send_message(fd: BorrowedFd<'_>, message: &libc::msghdr) -> io::Result<()> {
    // SAFETY: the caller guarantees that `message` points to live memory; the kernel only reads it.
    let result = unsafe { libc::sendmsg(fd.as_raw_fd(), message, libc::MSG_DONTWAIT) };
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `sendmmsg` without waiting. Returns how many messages were taken.
///
/// # Safety
/// Every header in `messages` must point to live memory of the given lengths.
pub(crate) unsafe fn send_messages(
    fd: BorrowedFd<'_>,
    messages: &mut [libc::mmsghdr],
) -> io::Result<usize> {
    let count = c_uint::try_from(messages.len()).unwrap_or(c_uint::MAX);
    // The C libraries disagree on the type of the flags.
    #[allow(
        clippy::useless_conversion,
        reason = "another type with another C library"
    )]
    let flags = libc::MSG_DONTWAIT.try_into().unwrap_or_default();
    // SAFETY: the caller guarantees the headers; their number is that of the slice.
    let result = unsafe { libc::sendmmsg(fd.as_raw_fd(), messages.as_mut_ptr(), count, flags) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `clock_gettime`, as seconds and nanoseconds.
pub(crate) fn clock_ns(clock: libc::clockid_t) -> Option<i64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` lives across the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    // 32-bit systems have narrower fields.
    #[allow(clippy::useless_conversion, reason = "another type on another system")]
    let (seconds, ns) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
    (result == 0).then(|| seconds * 1_000_000_000 + ns)
}
