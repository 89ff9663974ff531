//! How much of what was to be measured was measured: a loss ratio of the rest must not pass for one of
//! the whole.

use crate::Figures;

/// With this share of the packets due unsent, or more, the loss of a run is not known: one in this many.
const UNSENT_SHARE: u64 = 100;

/// Packets that were due and were not sent, and blocks of time in which none was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Packets that were due and were never sent: the network refused them, or their time passed.
    pub unsent: u64,
    /// Packets that were due, the unsent ones among them.
    pub due: u64,
    /// Blocks of the availability in which packets were due and none was sent.
    pub unmeasured_blocks: u64,
    /// Blocks in which packets were sent; of runs whose blocks differ in length, not known: 0.
    pub measured_blocks: u64,
    /// Length of a block in nanoseconds; 0 likewise.
    pub block_ns: u64,
}

impl Coverage {
    /// Of packets with these figures, `unsent` more that were due, and `open` ones that were sent and
    /// whose fate is not known.
    pub fn of(figures: &Figures, unsent: u64, open: u64) -> Self {
        let sent = figures.received.saturating_add(figures.lost);
        let blocks = figures.availability;
        Self {
            unsent,
            due: sent.saturating_add(open).saturating_add(unsent),
            unmeasured_blocks: figures.unmeasured_blocks,
            measured_blocks: blocks.map_or(0, |blocks| blocks.blocks),
            block_ns: blocks.map_or(0, |blocks| blocks.block_ns),
        }
    }

    /// Loss and availability are known: there is no block in which nothing could be sent, and fewer
    /// than one in a hundred packets due were not sent.
    pub fn is_complete(&self) -> bool {
        let unsent = u128::from(self.unsent);
        let few = unsent == 0 || unsent * u128::from(UNSENT_SHARE) < u128::from(self.due);
        self.unmeasured_blocks == 0 && few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_packet_in_a_hundred_or_one_block_makes_a_run_incomplete() {
        let coverage = |unsent, due, unmeasured_blocks| Coverage {
            unsent,
            due,
            unmeasured_blocks,
            ..Coverage::default()
        };
        for (coverage, complete) in [
            (coverage(0, 0, 0), true),
            (coverage(0, 100, 0), true),
            (coverage(1, 101, 0), true),
            (coverage(1, 100, 0), false),
            (coverage(1, 1, 0), false),
            (coverage(u64::MAX, u64::MAX, 0), false),
            (coverage(0, 1_000, 1), false),
        ] {
            assert_eq!(coverage.is_complete(), complete, "{coverage:?}");
        }
    }
}
