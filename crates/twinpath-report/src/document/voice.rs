//! Estimated quality of a call over this path, for machines, with all assumptions.

use serde::Serialize;
use twinpath_metrics::figures;
use twinpath_metrics::{Voice as Estimate, VoiceFigures, VoiceParameters};

#[derive(Serialize)]
pub(super) struct Voice {
    pub(super) estimated_by: &'static str,
    pub(super) codec: &'static str,
    pub(super) jitter_buffer_ns: u64,
    pub(super) packet_ns: u64,
    pub(super) look_ahead_ns: u64,
    pub(super) equipment_impairment: f64,
    pub(super) loss_robustness: f64,
    pub(super) advantage: f64,
    pub(super) forward: Option<Direction>,
    pub(super) backward: Option<Direction>,
    pub(super) round_trip: Option<Direction>,
}

impl Voice {
    /// `None` without a reply.
    pub(super) fn new(figures: &VoiceFigures, parameters: VoiceParameters) -> Option<Self> {
        let VoiceFigures {
            forward,
            backward,
            round_trip,
        } = figures;
        let any = forward.or(*backward).or(*round_trip);
        let codec = parameters.codec;
        any.map(|_| Self {
            estimated_by: "simplified E-model, ITU-T G.107",
            codec: codec.name(),
            jitter_buffer_ns: nanoseconds(parameters.buffer_ms),
            packet_ns: nanoseconds(parameters.packet_ms),
            look_ahead_ns: nanoseconds(codec.look_ahead_ms()),
            equipment_impairment: codec.impairment(),
            loss_robustness: codec.robustness(),
            advantage: parameters.advantage,
            forward: forward.as_ref().map(Direction::from),
            backward: backward.as_ref().map(Direction::from),
            round_trip: round_trip.as_ref().map(Direction::from),
        })
    }
}

#[derive(Serialize)]
pub(super) struct Direction {
    pub(super) r_factor: f64,
    pub(super) mos_cqe: f64,
    pub(super) mouth_to_ear_ns: u64,
    pub(super) delay_from_round_trip: bool,
    pub(super) loss_ratio: f64,
    pub(super) loss_from_round_trip: bool,
    pub(super) burst_ratio: f64,
}

figures! { Direction:
    r_factor, Number, Derived, "ITU-T G.107", "transmission rating factor R";
    mos_cqe, Number, Derived, "ITU-T G.107", "mean opinion score of conversational quality, estimated, 1 to 4.5";
    mouth_to_ear_ns, Nanoseconds, Derived, "ITU-T G.107", "delay of the call, codec and jitter buffer included";
    loss_ratio, Ratio, Derived, "ITU-T G.107", "packets lost to the listener, those that come too late among them";
    burst_ratio, Number, Derived, "ITU-T G.107", "length of loss bursts against those of random losses";
}

impl From<&Estimate> for Direction {
    fn from(voice: &Estimate) -> Self {
        Self {
            r_factor: voice.r_factor,
            mos_cqe: voice.mos,
            mouth_to_ear_ns: nanoseconds(voice.delay_ms),
            delay_from_round_trip: voice.half_of_round_trip,
            loss_ratio: voice.loss_percent / 100.0,
            loss_from_round_trip: voice.round_trip_loss,
            burst_ratio: voice.burst_ratio,
        }
    }
}

/// A time that is not negative, in milliseconds.
fn nanoseconds(ms: f64) -> u64 {
    let time = std::time::Duration::try_from_secs_f64(ms.max(0.0) / 1e3);
    twinpath_wire::nanoseconds::of(time.unwrap_or(std::time::Duration::MAX))
}
