//! Waiting with `epoll`, an event descriptor and absolute sleeps.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use twinpath_wire::Mono;

use super::clock;
use crate::os::Source;

/// Ready sockets that one call reports.
const EVENTS: u16 = 256;
/// The key of the waker's descriptor.
const WAKER: u64 = u64::MAX;
/// The kernel ends a wait late by a thousandth of it, or by five where the thread is nice. Of a wait that
/// is longer than this the last part is a wait of its own.
const PRECISE: Duration = Duration::from_millis(10);
const LATE_BY: u32 = 200;

/// The event descriptor that both sides share.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<OwnedFd>);

#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    /// It lives as long as it is watched.
    _event: Arc<OwnedFd>,
    events: Vec<libc::epoll_event>,
    /// Linux 5.11 and later can wait for a time more precise than a millisecond by one call.
    has_pwait2: bool,
}

/// The time of `epoll_pwait2`, on every architecture.
#[repr(C)]
struct KernelTimespec {
    s: i64,
    ns: i64,
}

impl Waker {
    pub(crate) fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the eight octets live across the call. A full counter wakes as well.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<(Self, Waker)> {
        // SAFETY: takes no pointers.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: takes no pointers.
        let event = owned(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        let event = Arc::new(event);
        let poller = Self {
            epoll,
            _event: Arc::clone(&event),
            events: Vec::with_capacity(EVENTS.into()),
            has_pwait2: true,
        };
        // Each wake is an edge: the counter need not be read.
        let once = libc::EPOLLIN | libc::EPOLLET;
        poller.watch(event.as_raw_fd(), once, WAKER)?;
        Ok((poller, Waker(event)))
    }

    /// Reports `key` whenever the socket has packets or errors, until it is closed.
    pub(crate) fn add(&self, socket: Source<'_>, key: usize) -> io::Result<()> {
        self.watch(socket.as_raw_fd(), libc::EPOLLIN, key as u64)
    }

    fn watch(&self, fd: RawFd, events: i32, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: key,
        };
        let (epoll, add) = (self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD);
        // SAFETY: `event` lives across the call, which only reads it.
        let added = unsafe { libc::epoll_ctl(epoll, add, fd, &raw mut event) };
        check(added).map(drop)
    }

    /// Stops watching a socket.
    pub(crate) fn remove(&self, socket: Source<'_>) {
        let (epoll, delete) = (self.epoll.as_raw_fd(), libc::EPOLL_CTL_DEL);
        // SAFETY: takes no pointers but null. It fails only for a socket that is not watched.
        unsafe { libc::epoll_ctl(epoll, delete, socket.as_raw_fd(), std::ptr::null_mut()) };
    }

    /// Waits until a socket is ready, `until` has come, or the waker was called; `ready` gets keys.
    pub(crate) fn wait(&mut self, until: Mono, ready: &mut Vec<usize>) -> io::Result<()> {
        loop {
            let left = until.since(clock::mono());
            let is_long = left > PRECISE;
            let late_by = if is_long {
                left / LATE_BY
            } else {
                Duration::ZERO
            };
            let count = match self.wait_once(left.saturating_sub(late_by)) {
                // A signal: the caller checks the clock.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                result => result?,
            };
            if count == 0 && is_long {
                continue;
            }
            // SAFETY: the kernel has written that many events.
            unsafe { self.events.set_len(count) };
            let keys = self.events.drain(..).map(|event| event.u64);
            ready.extend(keys.filter_map(|key| usize::try_from(key).ok().filter(|_| key != WAKER)));
            return Ok(());
        }
    }

    /// How many events were written to the beginning of `events`, which is empty.
    fn wait_once(&mut self, timeout: Duration) -> io::Result<usize> {
        let (epoll, events) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        if self.has_pwait2 {
            let time = KernelTimespec {
                s: timeout.as_secs().try_into().unwrap_or(i64::MAX),
                ns: timeout.subsec_nanos().into(),
            };
            let mask = std::ptr::null::<libc::sigset_t>();
            // SAFETY: `events` has room for EVENTS and `time` lives across the call.
            let count = unsafe {
                let call = libc::SYS_epoll_pwait2;
                libc::syscall(
                    call,
                    epoll,
                    events,
                    libc::c_int::from(EVENTS),
                    &raw const time,
                    mask,
                    0_usize,
                )
            };
            match check(count.try_into().unwrap_or(-1)) {
                // Unknown, or not permitted in a container that does not know it.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    self.has_pwait2 = false;
                }
                result => return result,
            }
        }
        let time = libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut polled = libc::pollfd {
            fd: epoll,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry, and the time, live across the call.
        let polled = unsafe { libc::ppoll(&raw mut polled, 1, &raw const time, std::ptr::null()) };
        check(polled)?;
        // SAFETY: `events` has room for EVENTS. It does not wait.
        check(unsafe { libc::epoll_wait(epoll, events, EVENTS.into(), 0) })
    }
}

/// The result of a call that returns -1 where it failed.
fn check(result: libc::c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn owned(fd: libc::c_int) -> io::Result<OwnedFd> {
    check(fd)?;
    // SAFETY: a call has just created this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn sleep_until(until: Mono) {
    const NS_PER_S: u64 = 1_000_000_000;
    let at = libc::timespec {
        tv_sec: libc::time_t::try_from(until.ns() / NS_PER_S).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::try_from(until.ns() % NS_PER_S).unwrap_or(0),
    };
    // SAFETY: `at` lives across the call. A signal may end it early: the caller checks the clock.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const at,
            std::ptr::null_mut(),
        );
    }
}

pub(crate) fn minimize_timer_slack() {
    // SAFETY: takes numbers only; 1 ns is the least slack.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
    shorten_slice();
}

/// `struct sched_attr` in its first version (sched_setattr(2)).
#[repr(C)]
#[derive(Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// The shortest time slice that Linux grants.
const SLICE_NS: u64 = 100_000;

/// Requests short time slices: since Linux 6.12, a thread with short slices that wakes up preempts
/// one with longer slices at once, instead of waiting some milliseconds for the end of its slice.
/// Threads with another policy than the default keep it.
fn shorten_slice() {
    let octets = u32::try_from(size_of::<SchedAttr>()).unwrap_or(0);
    let mut attr = SchedAttr::default();
    // SAFETY: `attr` lives across the call, which writes `octets` of it at most; 0 is this thread.
    let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, octets, 0_u32) };
    if known != 0 || attr.policy != libc::SCHED_OTHER.unsigned_abs() {
        return;
    }
    attr.size = octets;
    attr.runtime_ns = SLICE_NS;
    // SAFETY: `attr` lives across the call, which only reads it. If it fails, nothing changes.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0_u32) };
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn waiting_is_the_same_with_an_older_kernel() {
        for has_pwait2 in [true, false] {
            let (mut poller, waker) = Poller::new().unwrap();
            poller.has_pwait2 &= has_pwait2;
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            poller.add(socket.as_fd(), 7).unwrap();
            let mut ready = Vec::new();
            let until = clock::mono() + PRECISE * 3;
            poller.wait(until, &mut ready).unwrap();
            assert!(ready.is_empty() && clock::mono() >= until);
            let later = until + Duration::from_secs(20);
            waker.wake();
            poller.wait(later, &mut ready).unwrap();
            assert!(ready.is_empty());
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            poller.wait(later, &mut ready).unwrap();
            assert_eq!(ready, [7]);
            assert!(clock::mono() < later);
        }
    }
}
