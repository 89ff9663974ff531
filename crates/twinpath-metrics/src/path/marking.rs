//! The marking of packets on arrival: DSCP (RFC 2474) and ECN (RFC 3168; row M-71).

use twinpath_wire::{Dscp, Ecn, Tos};

use crate::{EcnCounts, RemarkCounts};

/// Received packets by their DSCP and ECN field at the end of one direction.
#[derive(Clone, Debug)]
pub(crate) struct Marking {
    expected: Option<Tos>,
    /// Code points that were seen, ascending, with their packets.
    by_dscp: Vec<(u8, u64)>,
    known: bool,
    ecn: EcnCounts,
    ecn_remarked: u64,
}

impl Marking {
    /// `expected`: the marking with which packets left the other end, if known.
    pub(crate) fn new(expected: Option<Tos>) -> Self {
        Self {
            expected,
            by_dscp: Vec::new(),
            known: false,
            ecn: EcnCounts::default(),
            ecn_remarked: 0,
        }
    }

    /// Records the ToS octet of a received packet at that end, if known.
    #[inline]
    pub(crate) fn record(&mut self, tos: Option<Tos>) {
        let Some(tos) = tos else { return };
        self.known = true;
        let value = tos.dscp().value();
        match self.by_dscp.binary_search_by_key(&value, |(dscp, _)| *dscp) {
            Ok(place) => {
                if let Some((_, count)) = self.by_dscp.get_mut(place) {
                    *count += 1;
                }
            }
            Err(place) => {
                // Mostly there is one.
                if self.by_dscp.is_empty() {
                    self.by_dscp.reserve_exact(1);
                }
                self.by_dscp.insert(place, (value, 1));
            }
        }
        match tos.ecn() {
            Ecn::NotEct => self.ecn.not_ect += 1,
            Ecn::Ect0 => self.ecn.ect_0 += 1,
            Ecn::Ect1 => self.ecn.ect_1 += 1,
            Ecn::Ce => self.ecn.ce += 1,
        }
        if let Some(expected) = self.expected {
            self.ecn_remarked += u64::from(was_changed(expected.ecn(), tos.ecn()));
        }
    }

    /// The code points that arrived, in ascending order, with their packets.
    pub(crate) fn dscp(&self) -> Vec<(Dscp, u64)> {
        let counted = self.by_dscp.iter();
        counted
            .filter_map(|(value, count)| Some((Dscp::new(*value).ok()?, *count)))
            .collect()
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.by_dscp.capacity() * size_of::<(u8, u64)>()
    }

    /// Packets by their ECN field; `None` if no marking is known.
    pub(crate) fn ecn(&self) -> Option<EcnCounts> {
        self.known.then_some(self.ecn)
    }

    /// Packets whose marking changed; `None` if either marking is unknown.
    pub(crate) fn remarked(&self) -> Option<RemarkCounts> {
        let expected = self.expected.filter(|_| self.known)?;
        let kept = expected.dscp().value();
        let others = self.by_dscp.iter().filter(|(dscp, _)| *dscp != kept);
        Some(RemarkCounts {
            dscp: others.map(|(_, count)| count).sum(),
            ecn: self.ecn_remarked,
        })
    }
}

/// Whether the ECN field was changed other than to Congestion Experienced, its intended use.
fn was_changed(left: Ecn, arrived: Ecn) -> bool {
    let congestion = arrived == Ecn::Ce && left != Ecn::NotEct;
    left != arrived && !congestion
}
