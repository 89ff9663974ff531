//! One column of a picture.

use twinpath_wire::Wall;

/// The fates of the packets sent in one stretch of time. If `sent` is 0, nothing was sent: that is
/// not loss, and pictures leave it empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Beginning, by the sender's clock as it was then.
    pub start: Wall,
    /// Packets sent whose fate is known: received and lost, and those without a reply to come.
    pub sent: u64,
    /// Packets with a first valid reply in time (RFC 2681 section 2.5).
    pub received: u64,
    /// Packets without one (RFC 6673 section 6.1), including late ones.
    pub lost: u64,
    /// Packets whose first reply came after the timeout.
    pub late: u64,
    /// Further copies of replies (RFC 5560).
    pub duplicates: u64,
    /// Packets that the run as a whole finds reordered (RFC 4737 section 3.3).
    pub reordered: u64,
    /// (T4 - T1) - (T3 - T2) (RFC 2681 section 2.4); `None` without a delay.
    pub round_trip: Option<Smoke>,
    /// T2 - T1 across two clocks, signed (RFC 7679 section 3.4).
    pub forward: Option<Smoke>,
    /// T4 - T3 across two clocks, signed (RFC 7679 section 3.4).
    pub backward: Option<Smoke>,
    /// The marks of the column.
    pub marks: Marks,
}

impl Column {
    /// A column in which nothing was sent.
    pub fn silent(start: Wall) -> Self {
        Self {
            start,
            sent: 0,
            received: 0,
            lost: 0,
            late: 0,
            duplicates: 0,
            reordered: 0,
            round_trip: None,
            forward: None,
            backward: None,
            marks: Marks::default(),
        }
    }

    /// A column of a time of which nothing is known.
    pub fn unknown(start: Wall) -> Self {
        Self {
            marks: Marks {
                unknown: true,
                ..Marks::default()
            },
            ..Self::silent(start)
        }
    }
}

/// The spread of delays in a column, for a smoke graph, in nanoseconds. Least and greatest are
/// exact, the others up to 31 packets; beyond that they are from a sample and off by a few ranks of
/// 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smoke {
    /// Number of packets.
    pub count: u64,
    /// Least delay.
    pub min_ns: i64,
    /// 5th percentile: nearest rank (RFC 2330 section 11.3).
    pub p5_ns: i64,
    /// Lower quartile.
    pub p25_ns: i64,
    /// Middle value, or the mean of the two in the middle.
    pub median_ns: i64,
    /// Upper quartile.
    pub p75_ns: i64,
    /// 95th percentile.
    pub p95_ns: i64,
    /// Greatest delay.
    pub max_ns: i64,
}

/// Events of the clocks, timestamps and the reflector in a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that have nothing to do with each other"
)]
pub struct Marks {
    /// The sender's clock stepped, or times of departure jumped as if it had.
    pub clock_step: bool,
    /// The sender's host was suspended.
    pub suspended: bool,
    /// The sender's address changed.
    pub source_change: bool,
    /// The reflector's clock stepped (row M-56).
    pub far_step: bool,
    /// The reflector's counter started again (row M-29).
    pub restart: bool,
    /// A timestamp came from a lower rung than that of the run's first packet.
    pub lower_rung: bool,
    /// Packets were due that were not sent then: the network refused them, or the sender was late.
    pub not_sent: bool,
    /// The TTL of packets on arrival changed, as with another path.
    pub ttl_change: bool,
    /// Packets arrived with another DSCP or ECN field than was sent.
    pub remarked: bool,
    /// Nothing is known of this time: whether packets were sent neither.
    pub unknown: bool,
}

impl Marks {
    /// Whether one clock jumped against the other: differences of their times before and after are
    /// not comparable.
    pub fn part_offsets(self) -> bool {
        self.clock_step || self.suspended || self.far_step
    }

    /// The marks of both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            clock_step: self.clock_step | other.clock_step,
            suspended: self.suspended | other.suspended,
            source_change: self.source_change | other.source_change,
            far_step: self.far_step | other.far_step,
            restart: self.restart | other.restart,
            lower_rung: self.lower_rung | other.lower_rung,
            not_sent: self.not_sent | other.not_sent,
            ttl_change: self.ttl_change | other.ttl_change,
            remarked: self.remarked | other.remarked,
            unknown: self.unknown & other.unknown,
        }
    }
}
