//! Voice quality estimated by the simplified E-model (ITU-T G.107, G.113 Appendix I; rows M-58 to
//! M-62). Estimates of a call over this path, never a measured MOS.

use crate::{Distribution, Figures};

/// A codec and its packet loss robustness (ITU-T G.113 Appendix I).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// G.711 with packet loss concealment.
    #[default]
    G711Plc,
    /// G.711 without packet loss concealment.
    G711,
    /// G.729 Annex A.
    G729a,
    /// G.723.1 at 6.3 kbit/s.
    G7231,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::G711Plc, Self::G711, Self::G729a, Self::G7231];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::G711Plc => "G.711 with PLC",
            Self::G711 => "G.711",
            Self::G729a => "G.729A",
            Self::G7231 => "G.723.1",
        }
    }

    /// Equipment impairment factor Ie, without loss.
    pub const fn impairment(self) -> f64 {
        match self {
            Self::G711Plc | Self::G711 => 0.0,
            Self::G729a => 11.0,
            Self::G7231 => 15.0,
        }
    }

    /// Packet-loss robustness factor Bpl.
    pub const fn robustness(self) -> f64 {
        match self {
            Self::G711Plc => 25.1,
            Self::G711 => 4.3,
            Self::G729a => 19.0,
            Self::G7231 => 16.1,
        }
    }

    /// Speech in one packet, in milliseconds: 20, or the codec's own frame of 30.
    pub const fn packet_ms(self) -> f64 {
        match self {
            Self::G711Plc | Self::G711 | Self::G729a => 20.0,
            Self::G7231 => 30.0,
        }
    }

    /// The encoder's look-ahead beyond the frame, in milliseconds.
    pub const fn look_ahead_ms(self) -> f64 {
        match self {
            Self::G711Plc | Self::G711 => 0.0,
            Self::G729a => 5.0,
            Self::G7231 => 7.5,
        }
    }
}

/// The assumptions about a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoiceParameters {
    /// The codec of both ends.
    pub codec: Codec,
    /// Delay of the de-jitter buffer in milliseconds: later packets are lost to the listener.
    pub buffer_ms: f64,
    /// Speech in one packet, in milliseconds.
    pub packet_ms: f64,
    /// Advantage factor A: what a listener forgives for convenience. 0 for a wired telephone.
    pub advantage: f64,
}

impl VoiceParameters {
    /// A buffer of 40 ms, the codec's usual packets and no advantage.
    pub const fn of(codec: Codec) -> Self {
        Self {
            codec,
            buffer_ms: 40.0,
            packet_ms: codec.packet_ms(),
            advantage: 0.0,
        }
    }
}

impl Default for VoiceParameters {
    fn default() -> Self {
        Self::of(Codec::default())
    }
}

/// An estimate and its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Voice {
    /// Rating factor R, 0 to 100; at most 93.2 plus the advantage.
    pub r_factor: f64,
    /// Estimated mean opinion score, 1 to 4.5.
    pub mos: f64,
    /// The assumptions about the call.
    pub parameters: VoiceParameters,
    /// One way, mouth to ear, in milliseconds.
    pub delay_ms: f64,
    /// Whether the network's least delay is taken as half of the round trip's, because the clocks
    /// give no one-way delay.
    pub half_of_round_trip: bool,
    /// Packets lost to the listener, in percent: lost, or later than the buffer waits.
    pub loss_percent: f64,
    /// Whether the loss is that of both directions together, because the direction is unknown.
    pub round_trip_loss: bool,
    /// Burst ratio BurstR: 1 for losses at random, more for losses in a row.
    pub burst_ratio: f64,
}

/// Estimates for a session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VoiceFigures {
    /// Towards the reflector.
    pub forward: Option<Voice>,
    /// Back from it.
    pub backward: Option<Voice>,
    /// One direction of a call with the round trip's loss, if the directions are unknown.
    pub round_trip: Option<Voice>,
}

/// Impairment by delay Id, of a delay in milliseconds from mouth to ear (row M-59).
pub fn delay_impairment(delay_ms: f64) -> f64 {
    let delay = delay_ms.max(0.0);
    0.024 * delay + 0.11 * (delay - 177.3).max(0.0)
}

/// Effective equipment impairment Ie,eff of a loss in percent (ITU-T G.107; row M-60).
pub fn loss_impairment(codec: Codec, loss_percent: f64, burst_ratio: f64) -> f64 {
    let loss = loss_percent.clamp(0.0, 100.0);
    let heard = loss / burst_ratio.max(1.0) + codec.robustness();
    codec.impairment() + (95.0 - codec.impairment()) * loss / heard
}

/// Rating factor R, 0 to 100 (ITU-T G.107 at its defaults; row M-58). Values below 0 are
/// meaningless, so they become 0, the worst call (G.107 Annex B).
pub fn r_factor(delay_impairment: f64, loss_impairment: f64, advantage: f64) -> f64 {
    (93.2 - delay_impairment - loss_impairment + advantage).clamp(0.0, 100.0)
}

/// Mean opinion score estimated from R (ITU-T G.107 Annex B; row M-61).
pub fn mos(r: f64) -> f64 {
    if r <= 0.0 {
        1.0
    } else if r >= 100.0 {
        4.5
    } else {
        (1.0 + 0.035 * r + 7e-6 * r * (r - 60.0) * (100.0 - r)).max(1.0)
    }
}

/// One direction of a call.
#[derive(Clone, Copy, Debug)]
struct Way<'a> {
    delays: &'a Distribution,
    /// Least network delay, one way.
    least_ns: i64,
    half_of_round_trip: bool,
    sent: u64,
    lost: u64,
    round_trip_loss: bool,
}

impl VoiceFigures {
    /// Estimates from a session's figures and its delays ([`SessionMetrics::histograms`]).
    /// `synchronized`: whether both clocks are, so that one-way delays are meaningful.
    ///
    /// [`SessionMetrics::histograms`]: crate::SessionMetrics::histograms
    pub fn new(
        figures: &Figures,
        delays: &crate::Histograms<'_>,
        synchronized: bool,
        parameters: VoiceParameters,
    ) -> Self {
        let Some(least_round_trip) = delays.round_trip.min_ns() else {
            return Self::default();
        };
        let sent = figures.received.saturating_add(figures.lost);
        let estimate = |delays, one_way: Option<i64>, sent, lost: Option<u64>| {
            let one_way = one_way.filter(|least| synchronized && *least >= 0);
            Way {
                delays,
                least_ns: one_way.unwrap_or(least_round_trip / 2),
                half_of_round_trip: one_way.is_none(),
                sent,
                lost: lost.unwrap_or(figures.lost),
                round_trip_loss: lost.is_none(),
            }
            .estimate(figures, parameters)
        };
        // A direction's loss is known if every loss has a direction.
        let split = figures
            .lost_forward
            .zip(figures.lost_backward)
            .filter(|_| figures.lost_unattributed == Some(0));
        let Some((lost_forward, lost_backward)) = split else {
            let voice = estimate(delays.round_trip, None, sent, None);
            return Self {
                round_trip: voice,
                ..Self::default()
            };
        };
        let reflected = sent.saturating_sub(lost_forward);
        let (forward, backward) = (delays.forward, delays.backward);
        Self {
            forward: estimate(forward, forward.min_ns(), sent, Some(lost_forward)),
            backward: estimate(backward, backward.min_ns(), reflected, Some(lost_backward)),
            round_trip: None,
        }
    }
}

impl Way<'_> {
    fn estimate(self, figures: &Figures, parameters: VoiceParameters) -> Option<Voice> {
        let buffer_ns = milliseconds_to_ns(parameters.buffer_ms);
        let latest = self.delays.min_ns()?.saturating_add(buffer_ns);
        let within = self.delays.at_most(latest);
        let beyond = self.delays.count().saturating_sub(within);
        let lost = self.lost.saturating_add(beyond).min(self.sent);
        let loss_percent = 100.0 * crate::round::ratio(lost, self.sent)?;
        let mean_length = figures.loss_periods.mean_length().unwrap_or(1.0);
        let burst_ratio = (mean_length * (1.0 - loss_percent / 100.0)).max(1.0);
        let network_ms = crate::round::float(self.least_ns) / 1e6;
        let codec = parameters.codec;
        let delay_ms =
            network_ms + parameters.buffer_ms + parameters.packet_ms + codec.look_ahead_ms();
        let r = r_factor(
            delay_impairment(delay_ms),
            loss_impairment(codec, loss_percent, burst_ratio),
            parameters.advantage,
        );
        Some(Voice {
            r_factor: r,
            mos: mos(r),
            parameters,
            delay_ms,
            half_of_round_trip: self.half_of_round_trip,
            loss_percent,
            round_trip_loss: self.round_trip_loss,
            burst_ratio,
        })
    }
}

fn milliseconds_to_ns(ms: f64) -> i64 {
    i64::try_from(crate::round::whole(ms * 1e6)).unwrap_or(i64::MAX)
}
