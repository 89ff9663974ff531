//! A glance at a run in progress.

use std::time::Duration;

use twinpath_metrics::{Coverage, ReplyStatus};
use twinpath_report::{ClockState, IcmpRefusal};

/// Groups of packets that are kept.
const GROUPS: usize = 16;
/// As many of them, the newest whose packets are all answered or lost, are "now".
const NOW: usize = 10;
/// The time of a group is this at least, and this part of the timeout: when a packet is lost, its group
/// is still there.
const LEAST_TIME: Duration = Duration::from_secs(1);
const TIMEOUT_PART: u32 = 5;

impl Progress {
    /// How much of the traffic due so far was sent, as far as these counts tell.
    pub fn coverage(&self) -> Coverage {
        let known = [self.received, self.lost, self.unawaited, self.unsent];
        Coverage {
            unsent: self.unsent,
            due: known.into_iter().fold(0, u64::saturating_add),
            unawaited: self.unawaited,
            ..Coverage::default()
        }
    }
}

/// A glance at a run in progress, for a progress line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Packets to send; `None` for an open end.
    pub asked: Option<u64>,
    /// Sent so far.
    pub sent: u64,
    /// Answered in time so far.
    pub received: u64,
    /// Lost for certain so far.
    pub lost: u64,
    /// Without a reply, and none was to come here.
    pub unawaited: u64,
    /// Due and never sent: the network refused them, or their time passed.
    pub unsent: u64,
    /// Departures that were missed; those of a count are made up for.
    pub missed: u64,
    /// Last round trip in nanoseconds.
    pub last_round_trip_ns: Option<i64>,
    /// What the last reply's Error Estimate claims of the reflector's clock.
    pub far_clock: Option<ClockState>,
    /// The last ICMP error about its packets, if no reply came after it.
    pub refused: Option<IcmpRefusal>,
    /// Whether the far end answers.
    pub reply_status: ReplyStatus,
    /// What became of the latest packets.
    pub recent: RecentPackets,
}

/// Packets that were due one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketGroup {
    /// Answered in time.
    pub received: u16,
    /// Lost, as far as known.
    pub lost: u16,
    /// The greatest round trip, in microseconds.
    pub round_trip_us: u32,
}

/// What became of a session's latest packets, in a few octets: by their numbers, so that no clock is
/// needed. A group has one packet, or as many as are due in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecentPackets {
    groups: [PacketGroup; GROUPS],
    /// Packets of a group; 0 as long as nothing is kept.
    size: u16,
    /// The newest group that is known of, from 0.
    newest: u64,
    /// The fates of all packets before this number are known.
    settled: u64,
}

impl RecentPackets {
    /// Groups of a session are at most as many.
    pub const GROUPS: usize = GROUPS;

    /// None yet, of a session that sends one each `interval` and waits for `timeout`.
    pub fn every(interval: Duration, timeout: Duration) -> Self {
        let time = LEAST_TIME.max(timeout / TIMEOUT_PART);
        let packets = time.as_nanos() / interval.as_nanos().max(1);
        Self {
            size: u16::try_from(packets).unwrap_or(u16::MAX).max(1),
            ..Self::default()
        }
    }

    /// A packet was answered in time.
    pub fn receive(&mut self, seq: u64, round_trip_ns: Option<i64>) {
        if let Some(group) = self.group(seq) {
            group.received = group.received.saturating_add(1);
            let us = round_trip_ns.unwrap_or(0).max(0) / 1_000;
            let us = u32::try_from(us).unwrap_or(u32::MAX);
            group.round_trip_us = group.round_trip_us.max(us);
        }
    }

    /// A packet is lost, or will be late.
    pub fn lose(&mut self, seq: u64) {
        if let Some(group) = self.group(seq) {
            group.lost = group.lost.saturating_add(1);
        }
    }

    /// The fates of all packets before this number are known.
    pub fn settle(&mut self, before: u64) {
        self.settled = before;
    }

    /// The latest groups, oldest first. `None`: nothing is known of it yet.
    pub fn groups(&self) -> impl DoubleEndedIterator<Item = Option<PacketGroup>> {
        self.numbers().map(|number| {
            let group = self.groups.get(Self::place(number)).copied()?;
            let is_known = group != PacketGroup::default() || self.is_settled(number);
            is_known.then_some(group)
        })
    }

    /// Lost, and lost or answered, of the latest packets whose fates are known.
    pub fn now(&self) -> (u64, u64) {
        let settled = self.numbers().rev().filter(|it| self.is_settled(*it));
        let settled = settled.take(NOW);
        let groups = settled.filter_map(|number| self.groups.get(Self::place(number)));
        groups.fold((0, 0), |(lost, all), group| {
            let (here, received) = (u64::from(group.lost), u64::from(group.received));
            (lost + here, all + here + received)
        })
    }

    /// The numbers of the groups that are kept.
    fn numbers(&self) -> impl DoubleEndedIterator<Item = u64> + use<> {
        let end = if self.size == 0 {
            0
        } else {
            self.newest.saturating_add(1)
        };
        end.saturating_sub(GROUPS as u64)..end
    }

    fn is_settled(&self, number: u64) -> bool {
        number.saturating_add(1).saturating_mul(self.size.into()) <= self.settled
    }

    fn place(number: u64) -> usize {
        usize::try_from(number % GROUPS as u64).unwrap_or(0)
    }

    /// The group of a packet; `None` if it made room for others.
    fn group(&mut self, seq: u64) -> Option<&mut PacketGroup> {
        let number = seq.checked_div(self.size.into())?;
        let kept = GROUPS as u64 - 1;
        if self.newest.saturating_sub(number) > kept {
            return None;
        }
        let first = self.newest.saturating_add(1);
        for later in first.max(number.saturating_sub(kept))..=number {
            if let Some(group) = self.groups.get_mut(Self::place(later)) {
                *group = PacketGroup::default();
            }
        }
        self.newest = self.newest.max(number);
        self.groups.get_mut(Self::place(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_lost_now_is_lost_among_the_packets_whose_fates_are_known() {
        let mut recent = RecentPackets::every(SECOND, 2 * SECOND);
        assert_eq!(recent.now(), (0, 0));
        for seq in 0..100 {
            recent.receive(seq, Some(9_000_000));
        }
        recent.settle(100);
        assert_eq!(recent.now(), (0, 10));
        // Two of three are known to be lost by now, and a fourth is answered.
        recent.lose(100);
        recent.lose(101);
        recent.receive(103, Some(7_000));
        recent.settle(102);
        assert_eq!(recent.now(), (2, 10));
        let groups: Vec<_> = recent.groups().collect();
        assert_eq!(groups.len(), RecentPackets::GROUPS);
        let lost = |group: &Option<PacketGroup>| group.is_some_and(|group| group.lost == 1);
        assert_eq!(groups.iter().filter(|group| lost(group)).count(), 2);
        assert_eq!(groups[14], None);
        assert_eq!(groups[15].unwrap().round_trip_us, 7);
        assert_eq!(groups[0].unwrap().round_trip_us, 9_000);
    }

    #[test]
    fn many_packets_are_a_group_and_long_timeouts_make_groups_longer() {
        let mut recent = RecentPackets::every(SECOND / 100, 2 * SECOND);
        for seq in 0..1_000 {
            if seq % 4 == 0 {
                recent.lose(seq);
            } else {
                recent.receive(seq, Some(i64::try_from(seq * 1_000).unwrap()));
            }
        }
        recent.settle(950);
        assert_eq!(recent.now(), (225, 900));
        let groups: Vec<_> = recent.groups().flatten().collect();
        assert_eq!(groups.len(), 10);
        assert_eq!((groups[9].received, groups[9].lost), (75, 25));
        assert_eq!(groups[9].round_trip_us, 999);
        // 12 s each.
        let mut recent = RecentPackets::every(SECOND, 60 * SECOND);
        for seq in 0..200 {
            recent.receive(seq, None);
        }
        recent.settle(100);
        // It waited for a minute, while the others went on.
        recent.lose(100);
        recent.settle(200);
        assert_eq!(recent.now().0, 1);
    }

    #[test]
    fn gaps_and_numbers_of_long_ago_change_nothing_else() {
        let mut recent = RecentPackets::every(SECOND, SECOND);
        recent.receive(3, None);
        recent.lose(1_000_003);
        recent.lose(4);
        recent.settle(1_000_004);
        assert_eq!(recent.now(), (1, 1));
        assert_eq!(
            recent.groups().flatten().filter(|it| it.lost > 0).count(),
            1
        );
        recent.receive(u64::MAX, None);
        let none = RecentPackets::default();
        assert_eq!((none.now(), none.groups().count()), ((0, 0), 0));
    }
}
