//! Properties of this host: interfaces, routes, privileges.

use std::ffi::{CStr, OsString};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::system;
use crate::os::addresses;

/// `IP_MTU` and `IPV6_MTU`.
const IP_MTU: libc::c_int = 14;
const IPV6_MTU: libc::c_int = 24;

/// The MTU of the outgoing interface of packets to `far`.
pub(crate) fn interface_mtu(far: SocketAddr, interface: Option<&str>) -> Option<u32> {
    let socket = crate::os::portable::towards(far, interface).ok()?;
    let (level, name) = if far.is_ipv4() {
        (libc::SOL_IP, IP_MTU)
    } else {
        (libc::SOL_IPV6, IPV6_MTU)
    };
    // The path MTU, which is smaller than the interface's after an ICMP error, possibly a forged
    // one.
    let path = system::int_option(socket.as_fd(), level, name)
        .ok()
        .and_then(|mtu| u32::try_from(mtu).ok());
    let local = socket.local_addr().ok()?.as_socket()?.ip();
    let own = addresses::interface_of(local).and_then(|name| mtu_of(&socket, &name));
    // The larger one, because the source address may belong to another interface than the route's.
    path.max(own)
}

/// The MTU of an interface.
pub(super) fn mtu_of(socket: &socket2::Socket, name: &str) -> Option<u32> {
    let mut call = system::interface_request(name).ok()?;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: `call` lives across the call; the request reads the name and writes the MTU.
    let result = unsafe { libc::ioctl(fd, libc::SIOCGIFMTU as _, &raw mut call) };
    // SAFETY: the request has just written this member.
    let mtu = unsafe { call.ifr_ifru.ifru_mtu };
    (result == 0).then(|| u32::try_from(mtu).ok()).flatten()
}

/// Effective capabilities, one bit each.
pub(crate) fn capabilities() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Whether this process ignores the hangup of its terminal (`nohup`).
pub fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    ignored.is_some_and(|set| set >> (libc::SIGHUP - 1) & 1 == 1)
}

/// Whether stdout was closed when this process began.
pub fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}

static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Runs before `main`. The standard library then opens the null device in place of what is closed, in the
/// same way as a parent does that wants to discard the output: afterwards the two cannot be told apart.
extern "C" fn look_at_stdout() {
    // SAFETY: it reads the flags of a descriptor, which need not be open.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    STDOUT_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}

// SAFETY: the loader calls each function in this section once, without arguments that matter here, and this
// one needs nothing of the standard library to be set up.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK_AT_STDOUT: extern "C" fn() = look_at_stdout;

/// Raises the limit of open descriptors to the hard limit and returns it: each connection and each
/// port takes one, and the usual soft limit is 1024. `None` if the system does not report it.
pub fn raise_descriptor_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` lives across the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return None;
    }
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` lives across the call, which only reads it.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0;
    // 32-bit systems have narrower limits.
    #[allow(clippy::useless_conversion, reason = "another type on another system")]
    Some(u64::from(if raised { limit.rlim_cur } else { before }))
}

/// Excludes this process's memory from core dumps and from reading by other processes of the same
/// user, to protect keys. Returns whether the system did so.
pub fn forbid_core_dumps() -> bool {
    // SAFETY: this request takes one number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) == 0 }
}

/// Whether this process's memory may be dumped; `None` if the system does not report it.
pub fn may_dump_core() -> Option<bool> {
    // SAFETY: this request takes nothing and touches no memory.
    let answer = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
    (answer >= 0).then_some(answer == 1)
}

/// The effective user of this process; `None` if the system has no such numbers.
pub fn effective_user() -> Option<u32> {
    // SAFETY: it takes nothing, touches no memory and cannot fail.
    Some(unsafe { libc::geteuid() })
}

/// Removes a variable from this process's environment and overwrites its octets there, so that no
/// child inherits it. If another thread is running, which may be reading the environment, the
/// variable is only read. `None` if it is not set.
pub fn take_variable(name: &CStr) -> Option<Vec<u8>> {
    let text = name.to_str().ok()?;
    if !is_alone() {
        return std::env::var_os(text).map(OsString::into_vec);
    }
    // SAFETY: `name` ends with a zero octet; no other thread exists that could change the
    // environment.
    let start = unsafe { libc::getenv(name.as_ptr()) };
    if start.is_null() {
        return None;
    }
    // SAFETY: a value ends with a zero octet, and nothing changes it while this reference lives.
    let value = unsafe { CStr::from_ptr(start) }.to_bytes().to_vec();
    for at in 0..value.len() {
        // SAFETY: within the value, before its zero octet.
        let octet = unsafe { start.add(at) };
        // SAFETY: as above; a process may write its own environment.
        unsafe { octet.write_volatile(0) };
    }
    // SAFETY: no other thread exists that could read the environment.
    unsafe { std::env::remove_var(text) };
    Some(value)
}

/// Whether no other thread is running in this process.
fn is_alone() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// The kernel and its version; `None` if the system does not report them.
pub fn kernel() -> Option<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(format!("Linux {}", release.trim()))
}
