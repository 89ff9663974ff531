//! A path of segments over IPv6 (SRv6; RFC 9503 section 4.1.3.2).

use std::net::Ipv6Addr;

/// The most segments of a path.
const MOST: usize = 10;
const SID_OCTETS: usize = size_of::<Ipv6Addr>();

/// SIDs in the order in which a packet visits them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    sids: [Ipv6Addr; MOST],
    count: usize,
}

impl Default for Segments {
    fn default() -> Self {
        Self {
            sids: [Ipv6Addr::UNSPECIFIED; MOST],
            count: 0,
        }
    }
}

impl Segments {
    /// From a segment list in network order; `None`: it is empty, too long or not one.
    pub(super) fn of(list: &[u8]) -> Option<Self> {
        let (sids, rest) = list.as_chunks::<SID_OCTETS>();
        if sids.is_empty() || !rest.is_empty() || sids.len() > MOST {
            return None;
        }
        let mut segments = Self::default();
        for (to, sid) in segments.sids.iter_mut().zip(sids) {
            *to = Ipv6Addr::from(*sid);
            segments.count += 1;
        }
        Some(segments)
    }

    /// They.
    pub fn sids(&self) -> &[Ipv6Addr] {
        self.sids.get(..self.count).unwrap_or_default()
    }
}
