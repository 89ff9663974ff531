//! One message at a time, with its control messages.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use super::sys::{checked, set_option};

/// What `recvmsg` said of one message.
#[derive(Clone, Copy)]
pub(super) struct Received {
    pub(super) octets: usize,
    /// Software stamp, Unix time in nanoseconds.
    pub(super) stamp_ns: Option<i64>,
    /// Which sent packet the error queue speaks of (`OPT_ID`).
    pub(super) sent_id: Option<u32>,
    pub(super) from: Peer,
}

/// A socket address as the system wrote it.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) storage: libc::sockaddr_storage,
    pub(super) octets: libc::socklen_t,
}

impl Peer {
    pub(super) fn empty() -> Self {
        Self {
            // SAFETY: a sockaddr_storage is made of integers, for which zeros are a value.
            storage: unsafe { std::mem::zeroed() },
            octets: Self::room(),
        }
    }

    /// An address to send to.
    pub(super) fn of(address: SocketAddr) -> Self {
        let mut octets = [0; size_of::<libc::sockaddr_storage>()];
        let mut used = 0;
        let mut push = |part: &[u8]| {
            for (to, from) in octets.iter_mut().skip(used).zip(part) {
                *to = *from;
            }
            used += part.len();
        };
        let family = match address {
            SocketAddr::V4(_) => libc::AF_INET,
            SocketAddr::V6(_) => libc::AF_INET6,
        };
        push(&u16::try_from(family).unwrap_or(0).to_ne_bytes());
        push(&address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => push(&v4.ip().octets()),
            SocketAddr::V6(v6) => {
                push(&[0; 4]);
                push(&v6.ip().octets());
                push(&v6.scope_id().to_ne_bytes());
            }
        }
        let octets_used = if address.is_ipv4() { 16 } else { 28 };
        Self {
            // SAFETY: a sockaddr_storage is made of integers, for which all octets are a value.
            storage: unsafe { std::mem::transmute::<[u8; _], libc::sockaddr_storage>(octets) },
            octets: octets_used,
        }
    }

    /// Octets that an address may take.
    pub(super) fn room() -> libc::socklen_t {
        libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>()).unwrap_or(0)
    }
}

const ARRIVALS: libc::c_uint = libc::SOF_TIMESTAMPING_RX_SOFTWARE;
const DEPARTURES: libc::c_uint = libc::SOF_TIMESTAMPING_TX_SOFTWARE
    | libc::SOF_TIMESTAMPING_OPT_ID
    | libc::SOF_TIMESTAMPING_OPT_TSONLY;

/// Turns kernel stamps on: of arrivals, and of departures with a number in place of the packet.
pub(super) fn stamp_both_ways(socket: &impl AsFd) -> io::Result<()> {
    set_stamps(socket, DEPARTURES | ARRIVALS)
}

/// Turns kernel timestamps of departures on, with a number in place of the packet.
pub(super) fn stamp_departures(socket: &impl AsFd) -> io::Result<()> {
    set_stamps(socket, DEPARTURES)
}

fn set_stamps(socket: &impl AsFd, flags: libc::c_uint) -> io::Result<()> {
    let flags = flags | libc::SOF_TIMESTAMPING_SOFTWARE;
    set_option(
        socket,
        libc::SOL_SOCKET,
        libc::SO_TIMESTAMPING,
        flags.cast_signed(),
    )
}

/// Receives one message into `buffer`.
pub(super) fn receive(
    socket: &impl AsFd,
    buffer: &mut [u8],
    flags: libc::c_int,
) -> io::Result<Received> {
    let mut from = Peer::empty();
    // Aligned as control messages want it; five of the longest kind fit.
    let mut control = [0_u64; 64];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: a msghdr is made of integers and pointers, for which zeros are a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = (&raw mut from.storage).cast();
    header.msg_namelen = from.octets;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed, so open; every pointer in the header leads to a place on
    // this stack or in `buffer` of the length that is beside it, all alive until the return.
    let octets = unsafe { libc::recvmsg(fd, &raw mut header, flags) };
    let octets = usize::try_from(octets).map_err(|_| io::Error::last_os_error())?;
    from.octets = header.msg_namelen;
    let mut received = Received {
        octets,
        stamp_ns: None,
        sent_id: None,
        from,
    };
    let used = header.msg_controllen / size_of::<u64>();
    let mut words = control.get(..used).unwrap_or_default();
    while let Some((level, kind, data, rest)) = next_control(words) {
        words = rest;
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING | libc::SCM_TIMESTAMPNS) => {
                if let [seconds, ns, ..] = *data {
                    let at = seconds.cast_signed() * 1_000_000_000 + ns.cast_signed();
                    received.stamp_ns = (at != 0).then_some(at);
                }
            }
            (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR) => {
                received.sent_id = sent_id(data);
            }
            _ => {}
        }
    }
    Ok(received)
}

/// Receives all messages that are there, or all of the error queue, and hands each over with its octets.
pub(super) fn receive_all(
    socket: &impl AsFd,
    flags: libc::c_int,
    mut take: impl FnMut(&Received, &[u8]),
) -> io::Result<()> {
    let mut buffer = [0; 2048];
    loop {
        match receive(socket, &mut buffer, flags) {
            Ok(one) => take(&one, buffer.get(..one.octets).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Splits the first control message off: level, type, data and what follows, in words of 8 octets
/// because that is how they are aligned.
fn next_control(words: &[u64]) -> Option<(i32, i32, &[u64], &[u64])> {
    let (length, after_length) = words.split_first()?;
    let (kinds, _) = after_length.split_first()?;
    let kinds = kinds.to_ne_bytes();
    let ([level, kind], _) = kinds.as_chunks::<4>() else {
        return None;
    };
    let (level, kind) = (i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind));
    let length = usize::try_from(*length).ok()?.div_ceil(size_of::<u64>());
    let data = words.get(2..length)?;
    Some((level, kind, data, words.get(length..).unwrap_or_default()))
}

/// The number of the packet that an extended error about a transmit stamp names.
fn sent_id(error: &[u64]) -> Option<u32> {
    // struct sock_extended_err: errno (4), origin, type, code, pad (4), info (4), data (4).
    let [first, second, ..] = *error else {
        return None;
    };
    let [.., origin, _, _, _] = first.to_ne_bytes();
    let [_, _, _, _, a, b, c, d] = second.to_ne_bytes();
    (origin == libc::SO_EE_ORIGIN_TIMESTAMPING).then(|| u32::from_ne_bytes([a, b, c, d]))
}

/// Sends `octets` to `peer`, or to the connected one.
pub(super) fn send(socket: &impl AsFd, octets: &[u8], peer: Option<&Peer>) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let (name, name_octets) = match peer {
        Some(peer) => ((&raw const peer.storage).cast(), peer.octets),
        None => (std::ptr::null(), 0),
    };
    // SAFETY: the descriptor is borrowed, so open; both pointers lead to as many octets as the
    // length beside them says (none, where there is no peer), alive until the return.
    let sent = unsafe {
        libc::sendto(
            fd,
            octets.as_ptr().cast(),
            octets.len(),
            0,
            name,
            name_octets,
        )
    };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Waits until the socket has something to read or an error to tell, at most `milliseconds`.
pub(super) fn wait_readable(socket: &impl AsFd, milliseconds: i32) -> io::Result<bool> {
    let fd = socket.as_fd().as_raw_fd();
    let mut asked = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `asked` is one valid pollfd, and one is what the call is told.
    checked(unsafe { libc::poll(&raw mut asked, 1, milliseconds) }).map(|ready| ready > 0)
}
