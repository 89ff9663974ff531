//! How many packets a reordered one is compared with.

/// A power of two, from [`LEAST`](Self::LEAST) to [`MOST`](Self::MOST).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReorderingWindow(u16);

impl ReorderingWindow {
    pub(crate) const LEAST: u16 = 64;
    /// Row M-49.
    pub(crate) const MOST: u16 = 1024;

    /// Enough where no more packets than these are on their way at a time. A packet is received within the
    /// timeout or lost, so that only those overtake it that leave or arrive in this time: in each direction
    /// no more than these, and as many again for packets that leave at random times, or in bursts.
    pub(crate) fn for_in_flight(packets: u64) -> Self {
        let all = packets.clamp(u64::from(Self::LEAST) / 4, u64::from(Self::MOST) / 4) * 4;
        let all = u16::try_from(all).unwrap_or(Self::MOST);
        Self(all.next_power_of_two())
    }

    /// In packets.
    #[inline]
    pub(crate) fn packets(self) -> u16 {
        self.0
    }
}

impl Default for ReorderingWindow {
    fn default() -> Self {
        Self(Self::MOST)
    }
}
