//! What Linux says in control messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use crate::os::control::{Control, Message, Writer, messages};

/// The kernel's word size.
const WORD: usize = size_of::<usize>();

impl Message<'_> {
    /// Destination and interface of `IP_PKTINFO` and `IPV6_PKTINFO`. A subnet's broadcast address
    /// is returned as the limited one, because the address alone does not show it.
    pub(crate) fn packet_info(&self) -> Option<(IpAddr, u32)> {
        if self.level == libc::SOL_IP {
            // Index, then the local address, then the header's destination.
            let interface = u32::from_ne_bytes(*self.data.first_chunk()?);
            let local = Ipv4Addr::from(*self.data.get(4..)?.first_chunk::<4>()?);
            let to = Ipv4Addr::from(*self.data.get(8..)?.first_chunk::<4>()?);
            // For a packet to one host, both are the same.
            let is_group_address = to != local && !local.is_unspecified() && !to.is_multicast();
            let to = if is_group_address {
                Ipv4Addr::BROADCAST
            } else {
                to
            };
            return Some((IpAddr::V4(to), interface));
        }
        let to = Ipv6Addr::from(*self.data.first_chunk::<16>()?);
        let interface = u32::from_ne_bytes(*self.data.get(16..)?.first_chunk()?);
        Some((IpAddr::V6(to), interface))
    }

    /// Software and hardware time of `SCM_TIMESTAMPING` in nanoseconds; 0: none.
    pub(crate) fn stamps_ns(&self) -> (i64, i64) {
        (self.timespec_ns(0), self.timespec_ns(2))
    }

    fn timespec_ns(&self, index: usize) -> i64 {
        let word = |at: usize| -> Option<i64> {
            let octets = self.data.get(at..at + WORD)?;
            match WORD {
                8 => Some(i64::from_ne_bytes(*octets.first_chunk()?)),
                _ => Some(i64::from(i32::from_ne_bytes(*octets.first_chunk()?))),
            }
        };
        let at = index * 2 * WORD;
        match (word(at), word(at + WORD)) {
            (Some(seconds), Some(ns)) => seconds.saturating_mul(1_000_000_000).saturating_add(ns),
            _ => 0,
        }
    }
}

impl Writer<'_> {
    /// `IP_PKTINFO` or `IPV6_PKTINFO`: the address to send from, the interface to send by; for each,
    /// zero leaves it to the system.
    pub(crate) fn packet_info(&mut self, from: IpAddr, interface: u32) {
        match from {
            IpAddr::V4(from) => {
                let mut data = [0; 12];
                data[0..4].copy_from_slice(&interface.to_ne_bytes());
                data[4..8].copy_from_slice(&from.octets());
                self.push(libc::SOL_IP, libc::IP_PKTINFO, &data);
            }
            IpAddr::V6(from) => {
                let mut data = [0; 20];
                data[0..16].copy_from_slice(&from.octets());
                data[16..20].copy_from_slice(&interface.to_ne_bytes());
                self.push(libc::SOL_IPV6, libc::IPV6_PKTINFO, &data);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_packet_goes_is_read_as_it_was_written() {
        for from in ["192.0.2.7", "2001:db8::7"] {
            let from: IpAddr = from.parse().unwrap();
            let mut control = Control::EMPTY;
            let mut writer = Writer::new(&mut control);
            writer.packet_info(from, 3);
            let used = writer.used();
            let mut read = messages(&control.0[..used]);
            let (to, interface) = read.next().unwrap().packet_info().unwrap();
            assert_eq!((interface, to.is_ipv4()), (3, from.is_ipv4()));
        }
    }
}
