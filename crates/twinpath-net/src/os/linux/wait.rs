//! Waiting with `ppoll`, an `epoll` within it for many sockets, an event descriptor and absolute sleeps.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use twinpath_wire::Mono;

use super::clock;
use crate::os::Source;

/// So many sockets are waited for by `ppoll`, which costs something for each of them in each wait; all
/// beyond by `epoll`, which is called for each packet that comes to a socket or leaves it, even while
/// nothing waits: 100 ns of the 3.5 us that a reply takes.
const FEW: usize = 8;
/// Ready sockets beyond the few that one call reports.
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
    /// It watches the waker and the sockets beyond the few.
    epoll: OwnedFd,
    /// It lives as long as it is watched.
    _event: Arc<OwnedFd>,
    events: Vec<libc::epoll_event>,
    /// `epoll` itself, then the few sockets.
    polled: Vec<libc::pollfd>,
    /// Of these sockets.
    keys: Vec<usize>,
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
            polled: vec![readable(epoll.as_raw_fd())],
            keys: Vec::new(),
            epoll,
            _event: Arc::clone(&event),
            events: Vec::with_capacity(EVENTS.into()),
        };
        // Each wake is an edge: the counter need not be read.
        let once = libc::EPOLLIN | libc::EPOLLET;
        poller.watch(event.as_raw_fd(), once, WAKER)?;
        Ok((poller, Waker(event)))
    }

    /// Reports `key` whenever the socket has packets or errors, until it is removed.
    pub(crate) fn add(&mut self, socket: Source<'_>, key: usize) -> io::Result<()> {
        if self.keys.len() >= FEW {
            return self.watch(socket.as_raw_fd(), libc::EPOLLIN, key as u64);
        }
        self.polled.push(readable(socket.as_raw_fd()));
        self.keys.push(key);
        Ok(())
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
    pub(crate) fn remove(&mut self, socket: Source<'_>) {
        let fd = socket.as_raw_fd();
        let mut few = self.polled.iter().skip(1);
        if let Some(place) = few.position(|polled| polled.fd == fd) {
            self.polled.swap_remove(place + 1);
            self.keys.swap_remove(place);
            return;
        }
        let (epoll, delete) = (self.epoll.as_raw_fd(), libc::EPOLL_CTL_DEL);
        // SAFETY: takes no pointers but null. It fails only for a socket that is not watched.
        unsafe { libc::epoll_ctl(epoll, delete, fd, std::ptr::null_mut()) };
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
            match self.poll(left.saturating_sub(late_by)) {
                Ok(0) if is_long => {}
                Ok(0) => return Ok(()),
                Ok(_) => break,
                // A signal: the caller checks the clock.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let Some((epoll, few)) = self.polled.split_first() else {
            return Ok(());
        };
        let is_ready = |polled: &libc::pollfd| polled.revents != 0;
        let few = few.iter().zip(&self.keys);
        ready.extend(few.filter_map(|(polled, key)| is_ready(polled).then_some(*key)));
        if is_ready(epoll) {
            self.take_events(ready)?;
        }
        Ok(())
    }

    /// How many are ready after this time at the latest.
    fn poll(&mut self, timeout: Duration) -> io::Result<usize> {
        let time = libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i32::MAX.into()),
            tv_nsec: timeout.subsec_nanos().cast_signed().into(),
        };
        let (polled, count) = (self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t);
        // SAFETY: entries and time live across the call; their number is that of the vector.
        check(unsafe { libc::ppoll(polled, count, &raw const time, std::ptr::null()) })
    }

    /// The sockets beyond the few that are ready now.
    fn take_events(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        let (epoll, events) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        // SAFETY: `events`, which is empty, has room for EVENTS. It does not wait.
        let count = check(unsafe { libc::epoll_wait(epoll, events, EVENTS.into(), 0) })?;
        // SAFETY: the kernel has written that many events.
        unsafe { self.events.set_len(count) };
        let keys = self.events.drain(..).map(|event| event.u64);
        ready.extend(keys.filter_map(|key| usize::try_from(key).ok().filter(|_| key != WAKER)));
        Ok(())
    }
}

fn readable(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
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
        tv_sec: (until.ns() / NS_PER_S)
            .try_into()
            .unwrap_or(i32::MAX.into()),
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
    fn sockets_wake_by_their_key_whether_they_are_few_or_many() {
        let (mut poller, waker) = Poller::new().unwrap();
        let sockets: Vec<UdpSocket> = (0..FEW + 2)
            .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        for (key, socket) in sockets.iter().enumerate() {
            poller.add(socket.as_fd(), key).unwrap();
        }
        let mut ready = Vec::new();
        let until = clock::mono() + PRECISE * 3;
        poller.wait(until, &mut ready).unwrap();
        assert!(ready.is_empty() && clock::mono() >= until);
        let later = until + Duration::from_secs(20);
        waker.wake();
        poller.wait(later, &mut ready).unwrap();
        assert!(ready.is_empty());
        // The first and the last of the few, which took its place, and one beyond.
        poller.remove(sockets[0].as_fd());
        for (key, socket) in sockets.iter().enumerate() {
            let is_watched = key > 0;
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            let until = if is_watched { later } else { clock::mono() };
            poller.wait(until, &mut ready).unwrap();
            assert_eq!(ready, Vec::from_iter(is_watched.then_some(key)));
            ready.clear();
            socket.recv(&mut [0]).unwrap();
        }
        poller.remove(sockets[FEW].as_fd());
        sockets[FEW]
            .send_to(b"x", sockets[FEW].local_addr().unwrap())
            .unwrap();
        poller.wait(clock::mono(), &mut ready).unwrap();
        assert!(ready.is_empty() && clock::mono() < later);
    }
}
