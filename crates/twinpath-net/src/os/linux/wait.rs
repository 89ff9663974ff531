//! Waiting with `ppoll`, an event descriptor and absolute sleeps.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use twinpath_wire::Mono;

use super::clock;
use crate::os::Source;

/// The event descriptor that both sides share.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<OwnedFd>);

#[derive(Debug)]
pub(crate) struct Waiter {
    event: Arc<OwnedFd>,
    polled: Vec<libc::pollfd>,
}

pub(crate) fn new() -> io::Result<(Waiter, Waker)> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just created this descriptor, and nothing else owns it.
    let event = Arc::new(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok((
        Waiter {
            event: Arc::clone(&event),
            polled: Vec::with_capacity(8),
        },
        Waker(event),
    ))
}

impl Waker {
    pub(crate) fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the eight octets live across the call. A full counter wakes as well.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

impl Waiter {
    pub(crate) fn wait<'a>(
        &mut self,
        sockets: impl Iterator<Item = Source<'a>>,
        until: Option<Mono>,
    ) {
        let entry = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        self.polled.clear();
        self.polled.push(entry(self.event.as_raw_fd()));
        self.polled
            .extend(sockets.map(|socket| entry(socket.as_raw_fd())));
        let timeout = until.map(|until| {
            let left = until.since(clock::mono());
            libc::timespec {
                tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let timeout = timeout
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref);
        let count = self.polled.len() as libc::nfds_t;
        // SAFETY: entries and timeout live across the call; their number is that of the vector.
        unsafe { libc::ppoll(self.polled.as_mut_ptr(), count, timeout, std::ptr::null()) };
        if self.polled.first().is_some_and(|event| event.revents != 0) {
            let mut count = [0_u8; 8];
            // SAFETY: the buffer has room for the eight octets that the event descriptor returns.
            unsafe {
                libc::read(
                    self.event.as_raw_fd(),
                    count.as_mut_ptr().cast(),
                    count.len(),
                )
            };
        }
    }
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
