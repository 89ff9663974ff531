//! How packets were marked where they arrived: DSCP (RFC 2474) and ECN (RFC 3168; row M-71).

use twinpath_wire::{Dscp, Ecn, Tos};

/// Received packets by their DSCP at the end of one direction, and those that met congestion.
#[derive(Clone, Debug)]
pub(crate) struct Marking {
    by_dscp: [u64; 64],
    known: bool,
    congestion: u64,
}

impl Default for Marking {
    fn default() -> Self {
        Self {
            by_dscp: [0; 64],
            known: false,
            congestion: 0,
        }
    }
}

impl Marking {
    /// The ToS octet of a received packet at that end, where it is known.
    pub(crate) fn record(&mut self, tos: Option<Tos>) {
        let Some(tos) = tos else { return };
        self.known = true;
        if let Some(count) = self.by_dscp.get_mut(usize::from(tos.dscp().value())) {
            *count += 1;
        }
        self.congestion += u64::from(tos.ecn() == Ecn::Ce);
    }

    /// The code points that were seen, in their order, with the packets that had them.
    pub(crate) fn dscp(&self) -> Vec<(Dscp, u64)> {
        let counted = (0..).zip(self.by_dscp).filter(|(_, count)| *count > 0);
        counted
            .filter_map(|(value, count)| Some((Dscp::new(value).ok()?, count)))
            .collect()
    }

    /// Packets that arrived with Congestion Experienced; `None` where no marking is known.
    pub(crate) fn congestion(&self) -> Option<u64> {
        self.known.then_some(self.congestion)
    }
}
