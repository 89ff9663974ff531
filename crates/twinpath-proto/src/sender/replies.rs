//! Classifies a received datagram: a first reply, a copy, or an anomaly (rows TT-45 to TT-46, TT-59
//! to TT-63, ST-19, ST-20).

use std::net::SocketAddr;

use twinpath_wire::{
    Arrival, Delta, Fate, Mono, ReflectorSecured, Reply, ReplyTimes, Rung, Sample, SenderOpen,
    SenderSecured, Stamp, StampReflectorAuthenticated, StampSenderAuthenticated, Tos, Wall,
    WireTime,
};

use super::anomalies::ReplyAnomalies;
use super::engine::SessionSender;
use super::in_flight::{Flight, Slot};
use super::numbers::{extend, low32};
use super::tlvs::came;
use super::wire::Format;
use crate::test_guard::PacketFault;

/// An echoed Timestamp farther from the present than this is not one of ours (row TT-58).
const NEAR_NS: u64 = 30 * 86_400 * 1_000_000_000;
/// Rounding error of a T1 as written.
const ROUNDING: Delta = Delta::from_ns(1_000);

/// The packet that the echoed number belongs to.
enum Asked {
    /// A packet without a reply so far.
    Open(u64, Flight),
    /// One that was answered, and the T1 written into it.
    Answered(u64, WireTime),
    /// One that was sent too long ago to be remembered.
    Old,
    /// One that was never sent.
    Unknown,
}

impl SessionSender {
    /// Handles a datagram from the session's socket, read at `now`. Its contents cannot end the
    /// run: a datagram that is not a reply to us is counted by kind.
    pub fn handle_reply(&mut self, now: Mono, octets: &[u8], arrival: &Arrival) {
        self.now = self.now.max(now);
        if self.stopped {
            return;
        }
        if !self.is_from_far_end(arrival) {
            self.note_foreign(octets, arrival.from);
            return;
        }
        let reply = match self.read(octets) {
            Ok(reply) => reply,
            Err(unopened) => {
                let echoed = self.is_own_request(octets);
                let other_mode = self.is_of_other_mode(octets);
                let anomalies = &mut self.counters.anomalies;
                let kind = match unopened {
                    _ if echoed => &mut anomalies.looks_like_request,
                    _ if other_mode => &mut anomalies.other_mode,
                    PacketFault::Short => &mut anomalies.too_short,
                    PacketFault::Forged => &mut anomalies.forged,
                };
                *kind += 1;
                return;
            }
        };
        let sender_t1 = reply.head.sender_t1;
        match self.asked(reply.head.sender_seq.get()) {
            Asked::Open(seq, flight) if flight.wire_t1() == sender_t1 => {
                if self.is_other_session(&reply) {
                    self.counters.anomalies.other_ssid += 1;
                } else {
                    self.first_reply(seq, flight, &reply, octets, now, arrival);
                }
            }
            Asked::Answered(seq, t1) if t1 == sender_t1 => {
                let chain = self.copy_chain(&reply, octets);
                if self.is_of_micro_session(chain.as_ref())
                    && !self.take_copy(seq, &reply, chain.as_ref(), arrival)
                {
                    self.further_copy(seq, &reply, arrival);
                }
            }
            Asked::Old if self.is_of_ours(sender_t1) => self.counters.stale += 1,
            Asked::Open(..) | Asked::Answered(..) | Asked::Old => {
                self.note_stray(octets, sender_t1, true, arrival.at.at);
            }
            Asked::Unknown => self.note_stray(octets, sender_t1, false, arrival.at.at),
        }
    }

    /// The fields of a reply; if it has an HMAC, none is used before that is verified (rows TT-34,
    /// ST-57).
    fn read(&self, octets: &[u8]) -> Result<Reply, PacketFault> {
        let reply = if !self.guard.is_secured() {
            Reply::view(octets)
        } else if self.is_stamp() {
            let header = self
                .guard
                .open::<{ StampReflectorAuthenticated::OCTETS }>(octets)?;
            StampReflectorAuthenticated::view(&header).map(|(packet, _)| Reply::from(packet))
        } else {
            let header = self.guard.open::<{ ReflectorSecured::OCTETS }>(octets)?;
            ReflectorSecured::view(&header).map(|(packet, _)| Reply::from(packet))
        };
        reply.map_err(|_| PacketFault::Short)
    }

    fn is_stamp(&self) -> bool {
        matches!(self.config.wire.format, Format::Stamp { .. })
    }

    /// Whether the octets are a STAMP reply to a packet of ours in the mode that the session does
    /// not have (row ST-57).
    fn is_of_other_mode(&self, octets: &[u8]) -> bool {
        let reply = if self.guard.is_secured() {
            Reply::view(octets)
        } else {
            StampReflectorAuthenticated::view(octets).map(|(packet, _)| Reply::from(packet))
        };
        self.is_stamp() && reply.is_ok_and(|reply| self.is_to_ours(&reply))
    }

    fn first_reply(
        &mut self,
        seq: u64,
        flight: Flight,
        reply: &Reply,
        octets: &[u8],
        now: Mono,
        arrival: &Arrival,
    ) {
        let Some(taught) = self.read_tlvs(seq, reply, octets) else {
            return;
        };
        let ReplyTimes { t2, t3, z_wrong } = self.far_times(reply, arrival.at.at);
        self.count_anomalies(seq, reply, octets, arrival.truncated);
        self.counters.far_error = Some(reply.head.error);
        self.counters.anomalies.z_wrong += u64::from(z_wrong);
        self.counters.anomalies.unset_times += u64::from(t2.is_none() || t3.is_none());
        let backwards = t2.zip(t3).is_some_and(|(t2, t3)| t3 < t2);
        self.counters.anomalies.t3_before_t2 += u64::from(backwards);
        self.last_reply = Some(now);
        if flight.overdue {
            self.linger.remove(seq);
        }
        let sample = Sample {
            seq,
            fate: Fate::Received, // until it is decided
            t1: flight.t1(),
            t2,
            t3,
            t4: Some(arrival.at),
            reflector_seq: Some(reply.head.seq.get()),
            ttl_forward: reply.sender_ttl,
            ttl_backward: arrival.ttl,
            tos_forward: taught
                .observation
                .tos_forward
                .or_else(|| self.tos_forward(reply)),
            tos_backward: arrival.tos,
            departure: flight.departure(),
            excluded: None,
        };
        if let Some(told) = taught.observation.follow_up {
            self.follow_up(told, reply);
        }
        let told = &taught.observation;
        self.begin_burst(seq, told, octets.len(), came(reply, t3, arrival));
        self.admit(sample, &flight, now, taught.awaits_follow_up);
    }

    /// A copy of a reply that was measured. Its T1 is the echoed one, as written: a better
    /// timestamp is gone with the packet's record.
    fn further_copy(&mut self, seq: u64, reply: &Reply, arrival: &Arrival) {
        let t1 = self.written(reply.head.sender_t1, arrival.at.at);
        if arrival.at.at - t1 > Delta::from_duration(self.late_reply_wait()) {
            self.counters.stale += 1;
            return;
        }
        let ReplyTimes { t2, t3, .. } = self.far_times(reply, arrival.at.at);
        self.counters.duplicates += 1;
        self.outbox.push_ready(Sample {
            seq,
            fate: Fate::Duplicate,
            t1: Stamp {
                at: t1,
                rung: Rung::User,
            },
            t2,
            t3,
            t4: Some(arrival.at),
            reflector_seq: Some(reply.head.seq.get()),
            ttl_forward: reply.sender_ttl,
            ttl_backward: arrival.ttl,
            tos_forward: self.tos_forward(reply),
            tos_backward: arrival.tos,
            departure: Delta::ZERO,
            excluded: None,
        });
    }

    /// T2 and T3, in the format that the Z bit names, or in the other one if the bit is wrong.
    pub(super) fn far_times(&self, reply: &Reply, clock: Wall) -> ReplyTimes {
        let stamps = [reply.head.t2, reply.head.t3];
        let z = reply.head.error.format();
        WireTime::read_reply(stamps, z, clock, self.config.tai_offset_s)
    }

    fn asked(&self, low: u32) -> Asked {
        let next = self.in_flight.next();
        let Some(seq) = extend(next.saturating_sub(1), low) else {
            return Asked::Unknown;
        };
        if seq < self.first || seq >= next {
            return Asked::Unknown;
        }
        match self.in_flight.get(seq) {
            Some(Slot::Flying(flight)) => Asked::Open(seq, *flight),
            Some(&(Slot::AwaitingStamp { wire_t1, .. } | Slot::Answered { wire_t1 })) => {
                Asked::Answered(seq, WireTime::from_bits(wire_t1))
            }
            Some(Slot::Prepared { .. } | Slot::Done) => Asked::Unknown,
            None => match (self.linger.get(seq), self.answered.t1(seq)) {
                (Some(flight), _) => Asked::Open(seq, *flight),
                (None, Some(t1)) => Asked::Answered(seq, t1),
                (None, None) => Asked::Old,
            },
        }
    }

    /// A T1 that was written into a packet, read as close to `clock` as it can be.
    fn written(&self, t1: WireTime, clock: Wall) -> Wall {
        t1.read(self.config.error.format(), clock, self.config.tai_offset_s)
    }

    /// Whether this session can have sent the echoed T1.
    fn is_of_ours(&self, echoed: WireTime) -> bool {
        self.t1_span.is_some_and(|(earliest, latest)| {
            let t1 = self.written(echoed, latest);
            earliest - ROUNDING <= t1 && t1 <= latest + ROUNDING
        })
    }

    /// Whether the octets are a request of ours, unchanged.
    fn is_own_request(&self, octets: &[u8]) -> bool {
        if self.guard.is_secured() {
            return self.is_own_secured_request(octets);
        }
        SenderOpen::view(octets)
            .is_ok_and(|(request, _)| self.was_sent(request.seq.get(), request.t1))
    }

    fn is_own_secured_request(&self, octets: &[u8]) -> bool {
        let request = if self.is_stamp() {
            let header = self
                .guard
                .open::<{ StampSenderAuthenticated::OCTETS }>(octets);
            header.map(|header| {
                StampSenderAuthenticated::view(&header).map(|(packet, _)| (packet.seq, packet.t1))
            })
        } else {
            let header = self.guard.open::<{ SenderSecured::OCTETS }>(octets);
            header.map(|header| {
                SenderSecured::view(&header).map(|(packet, _)| (packet.seq, packet.t1))
            })
        };
        matches!(request, Ok(Ok((seq, t1))) if self.was_sent(seq.get(), t1))
    }

    /// Whether a packet with this number and T1 was sent and is remembered.
    fn was_sent(&self, number: u32, t1: WireTime) -> bool {
        match self.asked(number) {
            Asked::Open(_, flight) => flight.wire_t1() == t1,
            Asked::Answered(_, written) => written == t1,
            Asked::Old | Asked::Unknown => false,
        }
    }

    fn is_other_session(&self, reply: &Reply) -> bool {
        let back = reply.head.ssid.get();
        let ssid = self.config.wire.format.ssid();
        back != 0 && ssid.is_some_and(|ssid| ssid != back)
    }

    /// The ToS octet of the request on its arrival, if DSCP and ECN Monitoring is negotiated and
    /// the reply is long enough (RFC 7750 section 2.2.1; row TT-43).
    fn tos_forward(&self, reply: &Reply) -> Option<Tos> {
        let features = self.config.wire.format.features()?;
        reply
            .sender_tos
            .filter(|_| features.monitors_dscp())
            .map(Tos)
    }

    fn count_anomalies(&mut self, seq: u64, reply: &Reply, octets: &[u8], truncated: bool) {
        let asked_octets = self.payload.octets(seq - self.first);
        let differs = self
            .payload
            .echo()
            .is_some_and(|echo| !echo.is_echoed(low32(seq), asked_octets, octets, truncated));
        let tlvs = self.tlvs.as_ref();
        let is_resized = tlvs.is_some_and(|tlvs| tlvs.resizes_replies());
        let anomalies = &mut self.counters.anomalies;
        if truncated {
            anomalies.truncated += 1;
        } else if octets.len() != self.config.wire.reply_octets(asked_octets) && !is_resized {
            anomalies.size_differs += 1;
            anomalies.last_sizes = Some((asked_octets, octets.len()));
        }
        anomalies.padding_differs += u64::from(differs);
        if reply.sender_ttl.is_none() {
            anomalies.short_replies += 1;
        }
        if reply.head.error.multiplier() == 0 {
            anomalies.error_multiplier_zero += 1;
        }
        let ssid_missing = self.config.wire.format.ssid().is_some() && reply.head.ssid == 0;
        anomalies.ssid_missing += u64::from(ssid_missing);
    }

    /// Whether a datagram comes from where replies come from (rows TT-60, SL-18).
    pub fn is_from_far_end(&self, arrival: &Arrival) -> bool {
        self.far_ends().any(|far| same_source(arrival.from, far))
    }

    /// Whether a datagram, wherever it comes from, is a reply to a packet of this session.
    pub fn is_answered_by(&self, octets: &[u8]) -> bool {
        self.read(octets).is_ok_and(|reply| self.is_to_ours(&reply))
    }

    fn is_to_ours(&self, reply: &Reply) -> bool {
        self.was_sent(reply.head.sender_seq.get(), reply.head.sender_t1)
    }

    fn note_foreign(&mut self, octets: &[u8], from: SocketAddr) {
        let ours = self.is_answered_by(octets);
        let anomalies = &mut self.counters.anomalies;
        anomalies.foreign_address += 1;
        anomalies.last_foreign = Some(from);
        if ours {
            anomalies.answers_elsewhere += 1;
            anomalies.last_elsewhere = Some(from);
        }
    }

    /// A datagram from the far end that is not a reply to any packet of ours.
    fn note_stray(&mut self, octets: &[u8], echoed: WireTime, known: bool, clock: Wall) {
        let format = self.config.error.format();
        let reading = echoed.read_plausibly(format, clock, self.config.tai_offset_s);
        let kind: fn(&mut ReplyAnomalies) -> &mut u64 = if self.is_own_request(octets) {
            |anomalies| &mut anomalies.looks_like_request
        } else if self.is_of_other_mode(octets) {
            |anomalies| &mut anomalies.other_mode
        } else if (reading.at - clock).abs_ns() > NEAR_NS {
            |anomalies| &mut anomalies.not_a_reply
        } else if self.is_of_other_micro_session(octets) {
            |anomalies| &mut anomalies.micro_session
        } else if known {
            |anomalies| &mut anomalies.foreign_t1
        } else {
            |anomalies| &mut anomalies.unknown_seq
        };
        *kind(&mut self.counters.anomalies) += 1;
    }
}

/// Whether address and port are equal; IPv6 scope and flow are ignored.
fn same_source(from: SocketAddr, far: SocketAddr) -> bool {
    from.port() == far.port() && from.ip().to_canonical() == far.ip().to_canonical()
}
