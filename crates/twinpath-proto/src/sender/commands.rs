//! What a session can be asked for as it goes on.

use twinpath_wire::Mono;

use super::counters::SenderCounters;
use super::engine::SessionSender;

impl SessionSender {
    /// Sends a packet at `now` whatever the schedule, which goes on as before. It counts as one of those asked for, and
    /// none is sent when all were.
    pub fn send_now(&mut self, now: Mono) {
        self.now = self.now.max(now);
        self.slots.add(self.now);
    }

    /// Begins all counts at 0; numbers and schedule go on. Packets in flight are counted as sent, all others are not
    /// counted again. Samples that wait for a better timestamp wait no longer: poll them now.
    pub fn clear_counters(&mut self) {
        self.decide_all_waiting();
        self.in_flight.skip_closed();
        self.counted_below = self.in_flight.open();
        self.slots.clear_counts();
        let earlier = self.counters;
        let in_flight = self.in_flight.awaited();
        let over = earlier.sent.saturating_sub(in_flight);
        self.counters = SenderCounters {
            asked: earlier.asked.map(|asked| asked.saturating_sub(over)),
            sent: in_flight,
            far_error: earlier.far_error,
            ..SenderCounters::default()
        };
    }

    /// Packets before this number were counted before [`SessionSender::clear_counters`]; their samples and those of
    /// their copies may still come.
    pub fn counted_below(&self) -> u64 {
        self.counted_below
    }
}
