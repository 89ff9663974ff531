//! Chooses the socket of a `SO_REUSEPORT` group for a packet by its source only.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::sock_filter;

/// `SO_ATTACH_REUSEPORT_CBPF`, on architectures with the generic list of socket options.
const ATTACH: libc::c_int = 51;
/// Offsets from here count from the IP header.
const NETWORK: u32 = 0xfff0_0000;
/// Offset of the source address in the header.
const V4_SOURCE: u32 = 12;
const V6_SOURCE: u32 = 8;

const LOAD: u16 = 0x20;
const TO_X: u16 = 0x07;
const XOR_X: u16 = 0xac;
const MODULO: u16 = 0x94;
const RETURN: u16 = 0x16;

const fn step(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Directs all packets of one source, an IPv4 address or an IPv6 /64, to one of the `sockets` of
/// `fd`'s group, numbered in the order of binding.
pub(super) fn by_source(fd: BorrowedFd<'_>, v6: bool, sockets: u32) -> io::Result<()> {
    let mut program = Vec::with_capacity(6);
    if v6 {
        // The /64, because a host may use all of its addresses.
        program.push(step(LOAD, NETWORK + V6_SOURCE));
        program.push(step(TO_X, 0));
        program.push(step(LOAD, NETWORK + V6_SOURCE + 4));
        program.push(step(XOR_X, 0));
    } else {
        program.push(step(LOAD, NETWORK + V4_SOURCE));
    }
    program.push(step(MODULO, sockets.max(1)));
    program.push(step(RETURN, 0));
    let length = u16::try_from(program.len()).unwrap_or(0);
    let whole = libc::sock_fprog {
        len: length,
        filter: program.as_mut_ptr(),
    };
    let octets = libc::socklen_t::try_from(size_of::<libc::sock_fprog>()).unwrap_or(0);
    // SAFETY: the program and its steps live across the call; their number is that of the vector.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            ATTACH,
            (&raw const whole).cast(),
            octets,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
