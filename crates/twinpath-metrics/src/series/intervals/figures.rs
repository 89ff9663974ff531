//! The figures of an interval.

use twinpath_wire::Wall;

use crate::{Coverage, Figures};

/// One row: the packets sent in one interval (row M-7), or a stretch of intervals without packets.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalFigures {
    /// Index from 0; in a stretch, that of the first interval.
    pub index: u64,
    /// Number of intervals: 1, or more for a stretch in which nothing happened.
    pub intervals: u64,
    /// Beginning, by the sender's clock as it was then.
    pub start: Wall,
    /// End, excluded. The last row of a run ends where what was measured ended: with the last reply, or when
    /// a packet without one was counted lost.
    pub end: Wall,
    /// The run ended within the interval: counts are of less time than in other rows.
    pub is_cut: bool,
    /// Figures of these packets. Counts of all rows add up to those of the total, the delays'
    /// counts, least and greatest values too. A packet without a reply in time is lost, even if a
    /// late one arrives: `late` and `duplicates` count late replies and copies that *arrived* in
    /// the interval, whenever their packets were sent. `reordered` counts those that the run as a
    /// whole finds reordered (RFC 4737 section 3.3). Jitter and IPDV restart in every row. Losses
    /// by direction are `None`: see `loss`.
    pub figures: Figures,
    /// Change of the run's losses by direction since the previous row, as known once the fates of
    /// this interval's packets were. Rows add up.
    pub loss: LossChange,
    /// Packets that the network refused (row M-4).
    pub not_sent: u64,
    /// Scheduled packets not sent because the sender was late (row M-67).
    pub missed: u64,
    /// Events counted here that belong to another interval, whose row was already returned, or
    /// because too many intervals were open.
    pub strays: u64,
    /// Why these figures are doubtful (row M-73); usually empty.
    pub suspect: Vec<Suspect>,
}

impl IntervalFigures {
    /// How much of the traffic due in the interval was sent.
    pub fn coverage(&self) -> Coverage {
        Coverage::of(&self.figures, self.not_sent.saturating_add(self.missed), 0)
    }
}

/// Change of the whole run's losses by direction (RFC 5357 section 4.2.1) from one row to the next.
/// It may be negative: a loss gets its direction only when a later packet is answered, which may be
/// after its row (row M-28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossChange {
    /// Lost outbound; `None` while no loss has a known direction.
    pub forward: Option<i64>,
    /// Lost inbound; `None` as above.
    pub backward: Option<i64>,
    /// Lost in an unknown direction.
    pub unattributed: i64,
}

/// Why an interval's figures are doubtful (row M-73).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suspect {
    /// Fewer than 10 packets were sent.
    FewPackets,
    /// The sender's clock stepped.
    ClockStep,
    /// The reflector's clock stepped.
    FarStep,
    /// A timestamp came from a lower rung than that of the run's first packet.
    LowerRung,
    /// The sender missed scheduled packets, or the network refused packets.
    NotSent,
    /// It includes events of another interval.
    Strays,
}

impl Suspect {
    /// The name in reports.
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
