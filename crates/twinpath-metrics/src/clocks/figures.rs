//! Figures of the two clocks: plain numbers for the reports.

use serde::Serialize;
use twinpath_wire::Wall;

use crate::figures;

/// The two clocks, estimated from the packets of a run (rows M-50 to M-57).
#[derive(Clone, Debug, PartialEq)]
pub struct ClockEstimate {
    /// The time that `offset_ns` refers to, by the sender's clock: that of the last packet used.
    /// With a skew, the offset at other times differs.
    pub reference: Wall,
    /// Reflector's clock minus sender's clock, in nanoseconds (RFC 5905 section 8).
    pub offset_ns: i64,
    /// Relative rate of the two clocks in parts per million, positive when the reflector's runs
    /// fast. `None` with less than 10 s or 30 packets since the last step (row M-54).
    pub skew_ppm: Option<f64>,
    /// The true skew is within this of `skew_ppm`, if the rates were constant and no more than
    /// 500 ppm apart, or as far apart as the packets show. Parts per million.
    pub skew_bound_ppm: f64,
    /// The true offset was within this of the line through `offset_ns`, at any time since the last
    /// step: nanoseconds. It relies only on delays not being negative and on rates as in
    /// `skew_bound_ppm`. The estimate assumes that the least delays are equal both ways; the bound
    /// does not (row M-53).
    pub error_bound_ns: u64,
    /// Over some stretch no straight line fits, because a rate changed within it: the bounds of the
    /// figures are then estimates.
    pub contradicted: bool,
    /// The least round trip appears to have changed by more than a tenth and 100 us over the run:
    /// the path changed, and what looks like a skew may be that change ((k_f + k_b) of row M-52).
    pub path_change: bool,
    /// Steps of the sender's clock, as recorded (row M-55).
    pub local_steps: u64,
    /// Steps of the reflector's clock, estimated from the packets (row M-56); the first
    /// [`ClockModel::FAR_STEPS`](super::ClockModel::FAR_STEPS).
    pub far_steps: Vec<FarStep>,
    /// Number of all steps of the reflector's clock.
    pub far_steps_total: u64,
    /// How often the previous line did not fit later packets without a step: a clock's rate
    /// changed. One-way figures restart as after a step.
    pub rate_changes: u64,
    /// Received packets whose times contradict those of others, left out of these figures.
    pub disregarded: u64,
    /// De-skewed T2 - T1 (rows M-52, M-53).
    pub forward: Option<OneWay>,
    /// De-skewed T4 - T3.
    pub backward: Option<OneWay>,
}

impl ClockEstimate {
    /// The skew, if it exceeds its own error. A smaller one may be zero; one that a change of the
    /// path may explain is not returned either.
    pub fn known_skew_ppm(&self) -> Option<f64> {
        self.skew_ppm.filter(|skew| {
            skew.abs() > self.skew_bound_ppm && !self.contradicted && !self.path_change
        })
    }
}

impl ClockEstimate {
    /// Whether both ends may be reading one clock, judging by the packets: the offset may be 0, no
    /// skew is known, and the far clock never stepped by itself.
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
    /// How far the reflector's clock jumped, in nanoseconds: the shift of the midpoint of the
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
    /// The likely error of each, provided that the least delay of the direction recurred throughout
    /// the run, or that only one direction's changed.
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

/// Whether raw one-way delays can be trusted (row M-57).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Both ends report synchronized clocks (S = 1 in both Error Estimates, RFC 4656 section
    /// 4.1.2), and no packet contradicts that: raw delays are within `error_ns`.
    Synchronized {
        /// Sum of both error estimates.
        error_ns: u64,
    },
    /// Both ends report synchronized clocks, but the packets prove that these are farther apart
    /// than the Error Estimates allow.
    Disproved {
        /// Sum of both error estimates.
        claimed_ns: u64,
        /// The clocks were at least this far apart at the reference time.
        least_offset_ns: u64,
    },
    /// At least one end does not: raw delays mean little; de-skewed ones are within their bound.
    Unsynchronized,
}

impl Basis {
    /// Compares the ends' claims (the error of a clock with S = 1, in nanoseconds; `None` with S =
    /// 0) with the packets.
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
