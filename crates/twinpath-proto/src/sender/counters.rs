//! Counts of a Session-Sender.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_wire::{ErrorEstimate, add_counts};

use super::anomalies::ReplyAnomalies;

/// Counts of one session so far. When it is over, `sent = received + lost + unawaited`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SenderCounters {
    /// Requested number of packets; `None` if a duration was requested.
    pub asked: Option<u64>,
    /// Packets handed to the network without error (row M-4).
    pub sent: u64,
    /// Packets that the system call refused: neither sent nor lost.
    pub send_errors: u64,
    /// Slots of the schedule that were missed and not caught up (row M-67).
    pub slots_skipped: u64,
    /// Of those, the slots that no later packet replaces, because the run has a duration, not a
    /// count.
    pub slots_left_out: u64,
    /// The most packets sent in a row without a wait between them.
    pub largest_burst: u32,
    /// Packets sent less than the timeout before the session was ended at once: neither sent nor
    /// lost.
    pub in_flight: u64,
    /// First valid replies in time.
    pub received: u64,
    /// Packets without a first reply in time, including late ones. Counted once the timeout has
    /// passed; a reply that arrived in time but was read later subtracts its packet again.
    pub lost: u64,
    /// First replies after the timeout.
    pub late: u64,
    /// Packets to which no reply was to come here, and none came (RFC 9503).
    #[serde(skip_serializing_if = "is_zero")]
    pub unawaited: u64,
    /// Further copies of a reply.
    pub duplicates: u64,
    /// Replies too late to be counted as late or as a copy, or to a packet that is forgotten.
    pub stale: u64,
    /// Steps of the local clock (row M-55).
    pub clock_steps: u64,
    /// Suspensions of the host, which are not among the steps, and their total duration: reported
    /// by the driver.
    pub suspensions: u64,
    /// Nanoseconds.
    pub suspended_ns: u64,
    /// A reply without the SSID stopped the session (row ST-19): reported by the driver.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stopped_without_ssid: bool,
    /// Transmit timestamps that arrived too late to be used.
    pub unused_tx_stamps: u64,
    /// Packets whose departure the kernel or the network interface stamped.
    pub stamped: u64,
    /// Total time that these packets waited in this host, from the reading of T1 just before the
    /// send call to that timestamp, in nanoseconds.
    pub own_wait_ns: u64,
    /// The Error Estimate of the last first reply: the far end's claim about its clock.
    pub far_error: Option<ErrorEstimate>,
    /// Replies with anomalies, by kind.
    #[serde(rename = "odd")]
    pub anomalies: ReplyAnomalies,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl SenderCounters {
    /// Adds the counts of another run. A value known for only one of the two becomes unknown.
    pub fn merge(&mut self, other: &Self) {
        let asked = self.asked.zip(other.asked);
        self.asked = asked.map(|(one, other)| one.saturating_add(other));
        self.largest_burst = self.largest_burst.max(other.largest_burst);
        self.stopped_without_ssid |= other.stopped_without_ssid;
        self.far_error = other.far_error.or(self.far_error);
        self.anomalies.merge(&other.anomalies);
        add_counts!(self, other =>
            sent, send_errors, slots_skipped, slots_left_out, in_flight, received, lost, late,
            unawaited,
            duplicates, stale, clock_steps, suspensions, suspended_ns, unused_tx_stamps, stamped,
            own_wait_ns,
        );
    }

    /// Mean time that a packet waited in this host between the send call and its timestamp; `None`
    /// without timestamps.
    pub fn own_wait_mean(&self) -> Option<Duration> {
        let mean = self.own_wait_ns.checked_div(self.stamped)?;
        Some(Duration::from_nanos(mean))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_count_of_two_runs_is_added() {
        fn each(value: &mut Value, number: u64) {
            match value {
                Value::Object(fields) => fields.values_mut().for_each(|it| each(it, number)),
                Value::Number(_) => *value = json!(number),
                Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
            }
        }
        let counts = |number| {
            let mut counts = json!(SenderCounters {
                asked: Some(0),
                ..SenderCounters::default()
            });
            each(&mut counts, number);
            counts
        };
        let one: SenderCounters = serde_json::from_value(counts(1)).unwrap();
        let mut sum = one;
        sum.merge(&one);
        let mut expected = counts(2);
        expected["largest_burst"] = json!(1);
        assert_eq!(json!(sum), expected);
    }

    #[test]
    fn of_two_runs_the_last_of_what_came_last_is_kept_and_unknown_is_unknown() {
        let far = |bits| Some(ErrorEstimate::from_bits(bits));
        let mut sum = SenderCounters {
            asked: Some(5),
            largest_burst: 7,
            far_error: far(1),
            ..SenderCounters::default()
        };
        sum.anomalies.last_sizes = Some((50, 60));
        let mut other = SenderCounters {
            largest_burst: 3,
            far_error: far(2),
            ..SenderCounters::default()
        };
        other.anomalies.last_foreign = Some(([192, 0, 2, 1], 862).into());
        sum.merge(&other);
        assert_eq!((sum.asked, sum.largest_burst), (None, 7));
        assert_eq!(sum.far_error, far(2));
        assert_eq!(sum.anomalies.last_foreign, other.anomalies.last_foreign);
        assert_eq!(sum.anomalies.last_sizes, Some((50, 60)));
    }

    #[test]
    fn counts_come_back_from_a_document_and_those_it_lacks_are_none() {
        let mut counters = SenderCounters {
            asked: Some(100),
            own_wait_ns: u64::MAX,
            far_error: Some(ErrorEstimate::from_bits(0xfedc)),
            ..SenderCounters::default()
        };
        counters.anomalies.last_sizes = Some((1, 2));
        counters.anomalies.last_elsewhere = Some("[2001:db8::1]:862".parse().unwrap());
        let document = serde_json::to_string(&counters).unwrap();
        assert!(document.contains(r#""far_error":65244"#), "{document}");
        assert_eq!(
            serde_json::from_str::<SenderCounters>(&document).unwrap(),
            counters
        );
        let older: SenderCounters = serde_json::from_str(r#"{"sent":3}"#).unwrap();
        assert_eq!(
            older,
            SenderCounters {
                sent: 3,
                ..SenderCounters::default()
            }
        );
    }
}
