//! What a call over this path would be like, for machines: an estimate, with all that it assumes.

use serde::Serialize;
use twinpath_metrics::{Voice as Estimate, VoiceFigures, VoiceParameters};

#[derive(Serialize)]
pub(super) struct Voice {
    estimated_by: &'static str,
    codec: &'static str,
    jitter_buffer_ns: u64,
    packet_ns: u64,
    look_ahead_ns: u64,
    equipment_impairment: f64,
    loss_robustness: f64,
    advantage: f64,
    forward: Option<Direction>,
    backward: Option<Direction>,
    round_trip: Option<Direction>,
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
struct Direction {
    r_factor: f64,
    mos_cqe: f64,
    mouth_to_ear_ns: u64,
    delay_from_round_trip: bool,
    loss_ratio: f64,
    loss_from_round_trip: bool,
    burst_ratio: f64,
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
