//! How replies were marked as they came back: DSCP (RFC 2474) and ECN (RFC 3168; row M-71).

use twinpath_wire::{Dscp, Ecn, Tos};

/// Received packets by the DSCP of their reply, and those that met congestion.
#[derive(Clone, Debug)]
pub(crate) struct Marking {
    by_dscp: [u64; 64],
    congestion: u64,
}

impl Default for Marking {
    fn default() -> Self {
        Self {
            by_dscp: [0; 64],
            congestion: 0,
        }
    }
}

impl Marking {
    /// The ToS octet of a received reply, where it is known.
    pub(crate) fn record(&mut self, tos: Option<Tos>) {
        let Some(tos) = tos else { return };
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

    /// Replies that came back with Congestion Experienced.
    pub(crate) fn congestion(&self) -> u64 {
        self.congestion
    }
}
