//! What the two clocks come to: plain numbers for the reports.

use serde::Serialize;
use twinpath_wire::Wall;

use crate::figures;

/// The two clocks as the packets of a run tell (rows M-50 to M-57).
#[derive(Clone, Debug, PartialEq)]
pub struct ClockEstimate {
    /// When `offset_ns` is for, by the sender's clock: the last packet that was used. With a skew
    /// it is another one before.
    pub reference: Wall,
    /// Reflector's clock minus sender's clock, in nanoseconds (RFC 5905 section 8).
    pub offset_ns: i64,
    /// Relative rate of the two clocks in parts per million, positive when the reflector's runs
    /// fast. `None` in less than 10 s or 30 packets since the last step (row M-54).
    pub skew_ppm: Option<f64>,
    /// The true skew is within this of `skew_ppm`, if the rates were constant and no more than
    /// 500 ppm apart, or as far apart as the packets show. Parts per million.
    pub skew_bound_ppm: f64,
    /// The true offset was within this of the line through `offset_ns`, at any time since the last
    /// step: nanoseconds. It follows from delays not being negative and rates being as in
    /// `skew_bound_ppm`, and from nothing else: that the least delays are equal both ways is what the estimate assumes,
    /// not what the bound needs (row M-53).
    pub error_bound_ns: u64,
    /// Over some stretch no straight line fits, a rate having changed within it: the bounds of
    /// the figures are estimates then.
    pub contradicted: bool,
    /// The least round trip changed by more than a tenth and 100 us over the run, or seems to: the
    /// path changed, and what looks like a skew may be that ((k_f + k_b) of row M-52).
    pub path_change: bool,
    /// Steps of the sender's clock, as they were told (row M-55).
    pub local_steps: u64,
    /// Steps of the reflector's clock, as the packets tell (row M-56); the first
    /// [`ClockModel::FAR_STEPS`](super::ClockModel::FAR_STEPS).
    pub far_steps: Vec<FarStep>,
    /// All of them.
    pub far_steps_total: u64,
    /// Times that the line before did not fit what came, though no step was seen: a clock's rate
    /// changed. One-way figures begin again as after a step.
    pub rate_changes: u64,
    /// Received packets whose times contradict those of others, left out of these figures.
    pub disregarded: u64,
    /// De-skewed T2 - T1 (rows M-52, M-53).
    pub forward: Option<OneWay>,
    /// De-skewed T4 - T3.
    pub backward: Option<OneWay>,
}

impl ClockEstimate {
    /// The skew, where the packets tell that there is one: more than what it may be off by. What is
    /// less may be none at all, and what a change of the path looks like is none either.
    pub fn known_skew_ppm(&self) -> Option<f64> {
        self.skew_ppm.filter(|skew| {
            skew.abs() > self.skew_bound_ppm && !self.contradicted && !self.path_change
        })
    }
}

impl ClockEstimate {
    /// Whether the packets allow that both ends read one clock: the offset may be 0, no skew is known,
    /// and the far clock never stepped by itself.
    pub fn may_be_one_clock(&self) -> bool {
        self.least_offset_ns() == 0 && self.known_skew_ppm().is_none() && self.far_steps_total == 0
    }

    /// The clocks were at least this far apart at the reference time.
    pub fn least_offset_ns(&self) -> u64 {
        let offset_ns = self.offset_ns.unsigned_abs();
        offset_ns.saturating_sub(self.error_bound_ns)
    }
}

/// A step of the reflector's clock (row M-56).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarStep {
    /// When the first packet that shows it was sent, by the sender's clock.
    pub at: Wall,
    /// By how much the reflector's clock jumped, in nanoseconds: the shift of the midpoint of the
    /// offset's interval.
    pub size_ns: i64,
    /// The true size is within this of `size_ns`.
    pub bound_ns: u64,
}

/// One direction with the clocks' offset and skew taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWay {
    /// Delays (RFC 7679).
    pub delay: Spread,
    /// Each figure of `delay` is within this of the truth, in nanoseconds (see
    /// [`ClockEstimate::error_bound_ns`]; the greatest one, where clocks stepped in between).
    pub error_bound_ns: u64,
    /// Delay variation against the least delay since the last step (PDV, RFC 5481 section 4.2).
    /// Needs the skew, not the offset.
    pub variation: Spread,
    /// Each figure of `variation` is within this of the truth, in nanoseconds, whatever the
    /// network did.
    pub variation_bound_ns: u64,
    /// Each is likely to be within this, if the least delay of the direction recurred from the
    /// beginning to the end of the run, or if one direction's alone changed.
    pub variation_error_ns: u64,
}

/// Figures of delays or of their variation. Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Number of packets.
    pub count: u64,
    /// Least value.
    pub min_ns: i64,
    /// Greatest value.
    pub max_ns: i64,
    /// Arithmetic mean.
    pub mean_ns: i64,
    /// Middle value, or the mean of the two middle values (RFC 2330 section 11.3).
    pub median_ns: i64,
    /// 95th percentile: nearest rank (RFC 2330 section 11.3).
    pub p95_ns: i64,
    /// 99th percentile.
    pub p99_ns: i64,
    /// 99.9th percentile.
    pub p999_ns: i64,
}

figures! { Spread:
    count, Packets, Never, "", "number of packets";
    min_ns, Nanoseconds, Never, "", "minimum value";
    max_ns, Nanoseconds, Never, "", "maximum value";
    mean_ns, Nanoseconds, Never, "", "arithmetic mean";
    median_ns, Nanoseconds, Never, "RFC 2330 section 11.3", "middle value, or the mean of the two middle values";
    p95_ns, Nanoseconds, Never, "RFC 2330 section 11.3", "95th percentile";
    p99_ns, Nanoseconds, Never, "RFC 2330 section 11.3", "99th percentile";
    p999_ns, Nanoseconds, Never, "RFC 2330 section 11.3", "99.9th percentile";
}

/// What raw one-way delays are worth (row M-57).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Both ends say that their clocks are synchronized (S = 1 in both Error Estimates, RFC 4656
    /// section 4.1.2), and nothing contradicts: raw delays are within `error_ns`.
    Synchronized {
        /// Sum of both error estimates.
        error_ns: u64,
    },
    /// Both say so, and the packets prove that their clocks are farther apart than their error
    /// estimates allow.
    Disproved {
        /// Sum of both error estimates.
        claimed_ns: u64,
        /// The clocks were at least this far apart at the reference time.
        least_offset_ns: u64,
    },
    /// One of them does not: raw delays mean little, the de-skewed ones are within their bound.
    Unsynchronized,
}

impl Basis {
    /// What the ends claim (the error of a clock with S = 1, in nanoseconds; `None` with S = 0),
    /// against what the packets tell.
    pub fn of(
        sender_error_ns: Option<u64>,
        reflector_error_ns: Option<u64>,
        estimate: Option<&ClockEstimate>,
    ) -> Self {
        let (Some(sender), Some(reflector)) = (sender_error_ns, reflector_error_ns) else {
            return Self::Unsynchronized;
        };
        let claimed_ns = sender.saturating_add(reflector);
        let least_offset_ns = estimate
            .filter(|it| !it.contradicted)
            .map_or(0, ClockEstimate::least_offset_ns);
        if least_offset_ns > claimed_ns {
            Self::Disproved {
                claimed_ns,
                least_offset_ns,
            }
        } else {
            Self::Synchronized {
                error_ns: claimed_ns,
            }
        }
    }
}
