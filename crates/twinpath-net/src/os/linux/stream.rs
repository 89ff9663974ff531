//! The marking of control connections.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libc::{c_int, c_void};
use socket2::Socket;
use twinpath_wire::Tos;

use super::{error_queue, system};
use crate::packet::{IcmpError, QueueEvent};

/// `TCP_SAVE_SYN` and `TCP_SAVED_SYN` (Linux 4.2).
const SAVE_SYN: c_int = 27;
const SAVED_SYN: c_int = 28;
/// Room for the headers of a SYN, with options and extensions.
const SYN_OCTETS: usize = 512;

pub(crate) fn mark(socket: &Socket, v6: bool, tos: Tos) -> io::Result<()> {
    let (level, name) = if v6 {
        (libc::SOL_IPV6, libc::IPV6_TCLASS)
    } else {
        (libc::SOL_IP, libc::IP_TOS)
    };
    system::set_int(socket.as_fd(), level, name, tos.0.into())
}

/// Keeps the headers of each SYN. Failure is ignored: the socket still listens.
pub(crate) fn keep_syn(socket: &Socket) {
    let _kept = system::set_int(socket.as_fd(), libc::SOL_TCP, SAVE_SYN, 1);
}

pub(crate) fn syn_tos(socket: &Socket) -> Option<Tos> {
    let mut headers = [0_u8; SYN_OCTETS];
    let mut length = libc::socklen_t::try_from(headers.len()).ok()?;
    // SAFETY: `headers` and `length` live across the call; `length` is the room in `headers`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_TCP,
            SAVED_SYN,
            headers.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    if result != 0 {
        return None;
    }
    tos_of(headers.get(..usize::try_from(length).ok()?)?)
}

/// Whether ICMP errors come by the error queue. Failure is ignored: then none does.
pub(crate) fn report_icmp(socket: &Socket, v6: bool, reports: bool) {
    let (level, name) = if v6 {
        (libc::SOL_IPV6, libc::IPV6_RECVERR)
    } else {
        (libc::SOL_IP, libc::IP_RECVERR)
    };
    let _set = system::set_int(socket.as_fd(), level, name, reports.into());
}

/// The first ICMP error that came (in answer to a SYN: Linux 5.8).
pub(crate) fn icmp_error(socket: &Socket) -> Option<IcmpError> {
    let mut first = None;
    error_queue::take(socket.as_fd(), None, &mut |event| match event {
        QueueEvent::Icmp(error) => {
            first.get_or_insert(error);
        }
        QueueEvent::Sent { .. } => {}
    });
    first
}

/// The ToS octet of an IP header.
fn tos_of(header: &[u8]) -> Option<Tos> {
    let [first, second, ..] = *header else {
        return None;
    };
    match first >> 4 {
        4 => Some(Tos(second)),
        6 => Some(Tos(first << 4 | second >> 4)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marking_of_a_syn_is_read() {
        assert_eq!(tos_of(&[0x45, 0xb8, 0, 60]), Some(Tos(0xb8)));
        assert_eq!(tos_of(&[0x6b, 0x80, 0, 0]), Some(Tos(0xb8)));
        assert_eq!(tos_of(&[]), None);
        assert_eq!(tos_of(&[0, 0xb8]), None);
    }
}
