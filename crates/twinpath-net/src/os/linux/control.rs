//! Control messages: read and written as octets, so that neither needs unsafe code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::c_int;

/// The kernel's word size: `size_t` of a control message's length, and the alignment of messages.
const WORD: usize = size_of::<usize>();
const HEADER: usize = WORD + 2 * size_of::<c_int>();

/// Buffer for control messages, aligned as the kernel requires.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Control(pub(crate) [u8; Control::OCTETS]);

impl Control {
    pub(crate) const OCTETS: usize = 320;
    pub(crate) const EMPTY: Self = Self([0; Self::OCTETS]);
}

/// One control message.
pub(crate) struct Message<'a> {
    pub(crate) level: c_int,
    pub(crate) kind: c_int,
    pub(crate) data: &'a [u8],
}

impl Message<'_> {
    /// The value as an `int`; a single octet (`IP_TOS`) too.
    pub(crate) fn int(&self) -> Option<c_int> {
        match self.data.first_chunk() {
            Some(word) => Some(c_int::from_ne_bytes(*word)),
            None => self.data.first().map(|octet| c_int::from(*octet)),
        }
    }

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

/// The complete control messages in `octets`.
pub(crate) fn messages(octets: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let length = usize::from_ne_bytes(*rest.first_chunk()?);
        let level = c_int::from_ne_bytes(*rest.get(WORD..)?.first_chunk()?);
        let kind = c_int::from_ne_bytes(*rest.get(WORD + size_of::<c_int>()..)?.first_chunk()?);
        let data = rest.get(HEADER..length)?;
        rest = rest
            .get(length.next_multiple_of(WORD)..)
            .unwrap_or_default();
        Some(Message { level, kind, data })
    })
}

/// Writes control messages one after the other.
pub(crate) struct Writer<'a> {
    octets: &'a mut [u8; Control::OCTETS],
    used: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(control: &'a mut Control) -> Self {
        Self {
            octets: &mut control.0,
            used: 0,
        }
    }

    /// Octets written so far.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Appends a message. One that does not fit is left out, but the buffer is large enough for
    /// all.
    pub(crate) fn push(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        let length = HEADER + data.len();
        let end = self.used + length.next_multiple_of(WORD);
        let Some(room) = self.octets.get_mut(self.used..end) else {
            return;
        };
        let (word, rest) = room.split_at_mut(WORD);
        word.copy_from_slice(&length.to_ne_bytes());
        let (word, rest) = rest.split_at_mut(size_of::<c_int>());
        word.copy_from_slice(&level.to_ne_bytes());
        let (word, rest) = rest.split_at_mut(size_of::<c_int>());
        word.copy_from_slice(&kind.to_ne_bytes());
        for (to, from) in rest.iter_mut().zip(data) {
            *to = *from;
        }
        self.used = end;
    }

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
    fn what_is_written_is_read() {
        let mut control = Control::EMPTY;
        let mut writer = Writer::new(&mut control);
        writer.packet_info("192.0.2.7".parse().unwrap(), 3);
        writer.push(libc::SOL_IP, libc::IP_TOS, &184_i32.to_ne_bytes());
        let used = writer.used();
        let read: Vec<_> = messages(&control.0[..used])
            .map(|m| (m.kind, m.data.len()))
            .collect();
        assert_eq!(read, [(libc::IP_PKTINFO, 12), (libc::IP_TOS, 4)]);
        let tos = messages(&control.0[..used]).nth(1).unwrap();
        assert_eq!(tos.int(), Some(184));
    }

    #[test]
    fn torn_messages_end_the_walk() {
        let mut control = Control::EMPTY;
        let mut writer = Writer::new(&mut control);
        writer.push(libc::SOL_IP, libc::IP_TTL, &64_i32.to_ne_bytes());
        let used = writer.used();
        for cut in 0..used - 4 {
            assert_eq!(messages(&control.0[..cut]).count(), 0, "{cut}");
        }
        control.0[0] = 1; // a length shorter than the header
        assert_eq!(messages(&control.0[..used]).count(), 0);
    }
}
