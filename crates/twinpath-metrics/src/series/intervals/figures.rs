//! What an interval comes to.

use twinpath_wire::Wall;

use crate::{Coverage, Figures};

/// One row: the packets that were sent in one interval (row M-7), or a stretch of intervals without
/// any.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalFigures {
    /// From 0; of a stretch, the first.
    pub index: u64,
    /// How many intervals this is: 1, or more of a stretch in which nothing happened.
    pub intervals: u64,
    /// Beginning, by the sender's clock as it was then.
    pub start: Wall,
    /// End, excluded.
    pub end: Wall,
    /// Figures of these packets. Counts of all rows add up to those of the total, the delays'
    /// counts, least and greatest values too. A packet without a reply in time is lost, whether a
    /// late one came or not: `late` and `duplicates` count late replies and copies that *arrived* in
    /// the interval, whenever their packets were sent. `reordered` counts those that the run as a
    /// whole finds reordered (RFC 4737 section 3.3). Jitter and IPDV begin again in every row. Losses
    /// by direction are `None`: see `loss`.
    pub figures: Figures,
    /// How the run's losses by direction changed since the row before, as they were known when the
    /// fates of this interval's packets were. Rows add up.
    pub loss: LossChange,
    /// Packets that the network refused (row M-4).
    pub not_sent: u64,
    /// Times at which nothing was sent, the sender being late (row M-67).
    pub missed: u64,
    /// Events counted here that belong to another interval: its row had been given already, or too
    /// many were open.
    pub strays: u64,
    /// Why these figures deserve doubt (row M-73); empty as a rule.
    pub suspect: Vec<Suspect>,
}

impl IntervalFigures {
    /// How much of what was due in the interval was sent.
    pub fn coverage(&self) -> Coverage {
        Coverage::of(&self.figures, self.not_sent.saturating_add(self.missed), 0)
    }
}

/// Losses by direction of the whole run (RFC 5357 section 4.2.1) as they changed from one row to
/// the next. A change may be negative: a loss gets its direction only when a later packet is
/// answered, which may be after its row (row M-28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossChange {
    /// Lost on the way to the reflector; `None` as long as that is not known of any packet.
    pub forward: Option<i64>,
    /// Lost on the way back; `None` as above.
    pub backward: Option<i64>,
    /// Lost, and the direction is not known.
    pub unattributed: i64,
}

/// Why an interval's figures deserve doubt (row M-73).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suspect {
    /// Fewer than 10 packets were sent.
    FewPackets,
    /// The sender's clock stepped.
    ClockStep,
    /// The reflector's clock stepped.
    FarStep,
    /// A stamp came from a lower rung of the ladder than that of the run's first packet.
    LowerRung,
    /// The sender missed times at which a packet was due, or the network refused packets.
    NotSent,
    /// Events of another interval are counted in it.
    Strays,
}

impl Suspect {
    /// The word that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FewPackets => "few_packets",
            Self::ClockStep => "clock_step",
            Self::FarStep => "far_step",
            Self::LowerRung => "lower_rung",
            Self::NotSent => "not_sent",
            Self::Strays => "strays",
        }
    }
}
