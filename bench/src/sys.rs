//! System calls that are not about messages, a safe face each.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use libc::{c_int, clockid_t};

const NS_PER_S: u64 = 1_000_000_000;

/// The error of the last call where it returned less than zero.
pub(super) fn checked(returned: c_int) -> io::Result<c_int> {
    if returned < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(returned)
    }
}

fn read_clock(clock: clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid place for one timespec; all clocks asked for exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec.unsigned_abs() * NS_PER_S + now.tv_nsec.unsigned_abs()
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn monotonic_ns() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC)
}

/// `CLOCK_REALTIME` as Unix time in nanoseconds.
pub(super) fn unix_ns() -> i64 {
    read_clock(libc::CLOCK_REALTIME).cast_signed()
}

/// Processor time of this thread in nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Sleeps until `deadline_ns` on `CLOCK_MONOTONIC`.
pub(super) fn sleep_until(deadline_ns: u64) {
    let deadline = libc::timespec {
        tv_sec: (deadline_ns / NS_PER_S).cast_signed(),
        tv_nsec: (deadline_ns % NS_PER_S).cast_signed(),
    };
    let absolute = libc::TIMER_ABSTIME;
    loop {
        // SAFETY: `deadline` is a valid timespec, and no remainder is asked for.
        let error = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                absolute,
                &raw const deadline,
                std::ptr::null_mut(),
            )
        };
        if error != libc::EINTR {
            return;
        }
    }
}

/// Lets timers of this thread fire as exactly as the system can: the usual slack is 50 µs.
pub(super) fn least_timer_slack() -> io::Result<()> {
    let slack_ns: libc::c_ulong = 1;
    // SAFETY: PR_SET_TIMERSLACK takes one number and touches no memory of ours.
    checked(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack_ns) }).map(drop)
}

/// Runs `action` on a thread of its own within the network namespace that `path` names.
///
/// # Errors
/// Where the namespace cannot be entered, or of `action`.
pub(super) fn in_namespace<T: Send>(
    path: &Path,
    action: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let namespace = File::open(path)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            // SAFETY: the descriptor is open; setns changes this thread alone, which then ends.
            checked(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
            action()
        });
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}

/// Ties the command's process to this one, which it does not outlive, and to `core` where one is
/// named. The thread that starts it must live as long as it is needed.
///
/// # Errors
/// Where there is no such core.
pub fn bind_child(command: &mut Command, core: Option<usize>) -> io::Result<()> {
    let cores = core.map(core_set).transpose()?;
    let request = move || {
        // SAFETY: PR_SET_PDEATHSIG takes one number and is safe between fork and exec.
        checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
        if let Some(cores) = &cores {
            // SAFETY: the set is as large as it is said to be; 0 is the calling thread.
            checked(unsafe { libc::sched_setaffinity(0, size_of_val(cores), cores) })?;
        }
        Ok(())
    };
    // SAFETY: the closure makes two system calls and neither allocates nor takes a lock.
    unsafe { command.pre_exec(request) };
    Ok(())
}

fn core_set(core: usize) -> io::Result<libc::cpu_set_t> {
    // SAFETY: a cpu_set_t is an array of integers, for which zeros are a value: the empty set.
    let mut cores: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if core >= usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: `core` lies within the set, which was checked just above.
    unsafe { libc::CPU_SET(core, &mut cores) };
    Ok(cores)
}

/// Asks a child of this process, not yet waited for, to end (SIGINT).
///
/// # Errors
/// Where there is no such process.
pub fn interrupt(child: &Child) -> io::Result<()> {
    let id = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: kill takes two numbers; the id is a child's that was not waited for, so still its.
    checked(unsafe { libc::kill(id, libc::SIGINT) }).map(drop)
}

/// Processor time of all children that ended and were waited for.
///
/// # Errors
/// Of getrusage, which has none here.
pub fn children_cpu() -> io::Result<Duration> {
    // SAFETY: a rusage is made of integers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place for one rusage.
    checked(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) })?;
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec.unsigned_abs())
            + Duration::from_micros(t.tv_usec.unsigned_abs())
    };
    Ok(time(usage.ru_utime) + time(usage.ru_stime))
}

/// Sets an integer option of a socket.
pub(super) fn set_option(
    socket: &impl AsFd,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    let octets = libc::socklen_t::try_from(size_of::<c_int>()).unwrap_or(4);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed, so open; `value` outlives the call and has `octets`.
    checked(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), octets) })
        .map(drop)
}

/// Asks for a receive buffer of `octets`, beyond the system's limit where this process may.
///
/// # Errors
/// Where not even a smaller buffer is given.
pub fn raise_receive_buffer(socket: &impl AsFd, octets: i32) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, octets)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, octets))
}
