//! The segments that packets of a socket visit (RFC 8754 section 2).

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::system;

/// Routing type of a Segment Routing Header.
const SEGMENT_ROUTING: u8 = 4;
/// A header's length is counted in units of 8 octets, without the first.
const UNITS_OF_A_SID: usize = size_of::<Ipv6Addr>() / 8;

/// Sets the routing header of all that is sent from now on; none: no more.
pub(super) fn set(fd: BorrowedFd<'_>, segments: &[Ipv6Addr]) -> io::Result<()> {
    let header = if segments.is_empty() {
        Vec::new()
    } else {
        header(segments).ok_or(io::ErrorKind::InvalidInput)?
    };
    let octets = libc::socklen_t::try_from(header.len()).map_err(io::Error::other)?;
    // SAFETY: `header` lives across the call, which reads `octets` of it.
    system::check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_IPV6,
            libc::IPV6_RTHDR,
            header.as_ptr().cast(),
            octets,
        )
    })?;
    Ok(())
}

/// The header, whose list is backwards and begins with the destination: the kernel writes that.
fn header(segments: &[Ipv6Addr]) -> Option<Vec<u8>> {
    let left = u8::try_from(segments.len()).ok()?;
    let units = u8::try_from((segments.len() + 1) * UNITS_OF_A_SID).ok()?;
    let mut header = vec![0, units, SEGMENT_ROUTING, left, left, 0, 0, 0];
    let list = segments.iter().rev();
    for sid in [Ipv6Addr::UNSPECIFIED].iter().chain(list) {
        header.extend(sid.octets());
    }
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9503's list of two, as RFC 8754 section 2 lays it out.
    #[test]
    fn the_list_is_backwards_behind_the_destination() {
        let sids = ["2001:db8:1::a", "2001:db8:2::b"].map(|sid| sid.parse::<Ipv6Addr>().unwrap());
        let mut expected = vec![0, 6, 4, 2, 2, 0, 0, 0];
        expected.extend([0; 16]);
        expected.extend(sids[1].octets());
        expected.extend(sids[0].octets());
        assert_eq!(header(&sids), Some(expected));
    }
}
