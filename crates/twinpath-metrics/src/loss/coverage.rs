//! How much of the planned measurement took place, so that a loss ratio of a part is not reported
//! as that of the whole.

use crate::Figures;

/// If one in this many packets due is not sent, or more, the loss of a run is unknown.
const UNSENT_SHARE: u64 = 100;

/// Packets that were due and not sent, and blocks of time without a sent packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Packets that were due and were never sent: the network refused them, or their time passed.
    pub unsent: u64,
    /// Packets that were due, including the unsent ones.
    pub due: u64,
    /// Packets to which no reply was to come here.
    pub unawaited: u64,
    /// Blocks of the availability in which packets were due and none was sent.
    pub unmeasured_blocks: u64,
    /// Blocks in which packets were sent; 0 (unknown) for runs with blocks of different lengths.
    pub measured_blocks: u64,
    /// Length of a block in nanoseconds; 0 (unknown) likewise.
    pub block_ns: u64,
}

impl Coverage {
    /// From packets with these figures, plus `unsent` ones that were due and `open` ones that were
    /// sent and whose fate is unknown.
    pub fn of(figures: &Figures, unsent: u64, open: u64) -> Self {
        let sent = figures.sent();
        let blocks = figures.availability;
        Self {
            unsent,
            due: sent.saturating_add(open).saturating_add(unsent),
            unawaited: figures.unawaited,
            unmeasured_blocks: figures.unmeasured_blocks,
            measured_blocks: blocks.map_or(0, |blocks| blocks.blocks),
            block_ns: blocks.map_or(0, |blocks| blocks.block_ns),
        }
    }

    /// Whether loss and availability are known: replies were awaited, and all was sent.
    pub fn is_complete(&self) -> bool {
        self.unawaited == 0 && self.is_sent()
    }

    /// Whether all was sent that was due, but for a few: every block has a sent packet if any was due,
    /// and fewer than one in a hundred packets due were not sent.
    pub fn is_sent(&self) -> bool {
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
