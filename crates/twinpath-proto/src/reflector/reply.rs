//! Building replies (RFC 5357 section 4.2.1, RFC 8762 section 4.3; RFC 6038, 7750, 8186), in every
//! layout.

use twinpath_wire::{
    Arrival, ErrorEstimate, ReflectorOpen, ReflectorSecured, ReplyHead, SenderOpen, StampReflector,
    StampReflectorAuthenticated, TimeFormat, Tos, WireTime,
};

use zerocopy::FromZeros;

use super::ReplyToken;
use super::form::Form;
use super::lru::SlotId;
use crate::extension::Effects;
use crate::features::{SENDER_TOS_AT, TestFeatures};
use crate::stamp::KeyAt;

/// The Z bit of an Error Estimate (RFC 8186 section 2.3).
const Z: u16 = 0x4000;
/// S = 0 and the largest error that the field can hold: nothing is known about the clock.
const UNKNOWN_ERROR: u16 = 0x3fff;

/// A reply that is ready except for T3 and its Error Estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reflection {
    /// Its length; it starts at the beginning of the buffer.
    pub octets: usize,
    /// The ToS or Traffic Class octet to send it with.
    pub tos: Tos,
    /// The format of T2, and so of T3.
    pub(super) format: TimeFormat,
    pub(super) seal: Seal,
    /// How it differs from an ordinary one, if it does: most do not, and are copied for less.
    pub(super) effects: Option<Box<Effects>>,
    /// TLVs were processed: what they ask for may depend on the interface that the request came by.
    pub has_tlvs: bool,
    /// By which its departure is to be told of, if that matters.
    pub token: Option<ReplyToken>,
    /// Where an unnegotiated session's state is.
    pub(super) session: Option<SlotId>,
}

impl Reflection {
    /// How it differs from an ordinary one.
    pub fn effects(&self) -> &Effects {
        self.effects.as_deref().unwrap_or(&Effects::NONE)
    }
}

/// Where T3 is in a reply, and what protects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seal {
    /// Unauthenticated TWAMP and STAMP.
    Open,
    /// The secured modes of TWAMP: the keys of the negotiated session in this slot.
    TwampSecured(u32),
    /// STAMP authenticated, with this key.
    StampAuthenticated(KeyAt),
}

/// The contents of a reply except for T3 and its Error Estimate.
pub(super) struct Fields<'a> {
    pub(super) number: u32,
    pub(super) t2: WireTime,
    pub(super) sender: SenderOpen,
    pub(super) arrival: &'a Arrival,
}

impl Fields<'_> {
    /// Writes the base packet, `octets` long with what follows it, over a request of `received`
    /// octets. Octets beyond the request are zeroed, because the buffer may contain an earlier
    /// packet.
    pub(super) fn write(&self, buffer: &mut [u8], received: usize, octets: usize, form: Form) {
        let (from, to) = (form.request_base(), form.reply_base());
        let kept = received.saturating_sub(from).min(octets.saturating_sub(to));
        // The padding of TWAMP moves after the reply's header and is truncated at its end (rows
        // TT-19, TT-20), so the octets to be reflected (row TT-39) come first. Octets after a base
        // packet of STAMP stay in place.
        if from != to && kept > 0 {
            buffer.copy_within(from..from + kept, to);
        }
        if let Some(beyond) = buffer.get_mut(to + kept..octets) {
            beyond.fill(0);
        }
        match form {
            Form::Twamp(features) if features.is_secured() => self.write_secured(buffer, features),
            Form::Twamp(_) => self.write_twamp(buffer, to.min(octets)),
            Form::Stamp { ssid, .. } => self.write_stamp(buffer, ssid),
            Form::StampAuthenticated { ssid, .. } => self.write_authenticated(buffer, ssid),
        }
    }

    fn write_twamp(&self, buffer: &mut [u8], header: usize) {
        if let Some([monitored, mbz @ ..]) = buffer.get_mut(SENDER_TOS_AT..header) {
            *monitored = self.sender_tos();
            mbz.fill(0);
        }
        if let Ok((reply, _)) = ReflectorOpen::view_mut(buffer) {
            self.write_head(&mut reply.head, 0);
            reply.sender_error = self.sender.error;
            reply.mbz.set(0);
            reply.sender_ttl = self.sender_ttl();
        }
    }

    fn write_secured(&self, buffer: &mut [u8], features: TestFeatures) {
        let Ok((reply, _)) = ReflectorSecured::view_mut(buffer) else {
            return;
        };
        *reply = ReflectorSecured::new_zeroed();
        reply.seq.set(self.number);
        reply.t2 = self.t2;
        reply.sender_seq = self.sender.seq;
        reply.sender_t1 = self.sender.t1;
        reply.sender_error = self.sender.error;
        reply.sender_ttl = self.sender_ttl();
        if features.monitors_dscp() {
            reply.sender_tos = self.sender_tos();
        }
    }

    fn write_stamp(&self, buffer: &mut [u8], ssid: u16) {
        if let Ok((reply, _)) = StampReflector::view_mut(buffer) {
            self.write_head(&mut reply.head, ssid);
            reply.sender_error = self.sender.error;
            reply.mbz.set(0);
            reply.sender_ttl = self.sender_ttl();
            reply.mbz_end = [0; 3];
        }
    }

    fn write_authenticated(&self, buffer: &mut [u8], ssid: u16) {
        let Ok((reply, _)) = StampReflectorAuthenticated::view_mut(buffer) else {
            return;
        };
        *reply = StampReflectorAuthenticated::new_zeroed();
        reply.seq.set(self.number);
        reply.ssid.set(ssid);
        reply.t2 = self.t2;
        reply.sender_seq = self.sender.seq;
        reply.sender_t1 = self.sender.t1;
        reply.sender_error = self.sender.error;
        reply.sender_ttl = self.sender_ttl();
    }

    fn write_head(&self, head: &mut ReplyHead, ssid: u16) {
        head.seq.set(self.number);
        head.t3 = WireTime::default();
        head.error = ErrorEstimate::default();
        head.ssid.set(ssid);
        head.t2 = self.t2;
        head.sender_seq = self.sender.seq;
        head.sender_t1 = self.sender.t1;
    }

    /// TTL or Hop Limit on arrival; 255 if it is not available (row TT-15).
    fn sender_ttl(&self) -> u8 {
        self.arrival.ttl.unwrap_or(255)
    }

    /// The ToS octet on arrival; 0 if it is not available.
    fn sender_tos(&self) -> u8 {
        self.arrival.tos.unwrap_or_default().0
    }
}

impl Seal {
    /// Writes T3 and the Error Estimate that covers T3 and T2.
    pub(super) fn write_t3(self, reply: &mut [u8], t3: WireTime, error: ErrorEstimate) {
        let (written, at) = match self {
            Self::Open => match ReplyHead::view_mut(reply) {
                Ok((head, _)) => (&mut head.t3, &mut head.error),
                Err(_) => return,
            },
            Self::TwampSecured(_) => match ReflectorSecured::view_mut(reply) {
                Ok((head, _)) => (&mut head.t3, &mut head.error),
                Err(_) => return,
            },
            Self::StampAuthenticated(_) => match StampReflectorAuthenticated::view_mut(reply) {
                Ok((head, _)) => (&mut head.t3, &mut head.error),
                Err(_) => return,
            },
        };
        (*written, *at) = (t3, error);
    }
}

/// `error` with the Z bit of the actual format of T2 and T3, and never with a Multiplier of 0 (rows
/// TT-45, TT-51).
pub(super) fn estimate_in(format: TimeFormat, error: ErrorEstimate) -> ErrorEstimate {
    let known = if error.multiplier() == 0 {
        UNKNOWN_ERROR
    } else {
        error.bits()
    };
    ErrorEstimate::from_bits(match format {
        TimeFormat::Ntp => known & !Z,
        TimeFormat::Ptp => known | Z,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;
    use twinpath_wire::{Rung, Stamp, StampSenderAuthenticated, Wall};

    use super::super::Tail;
    use super::*;
    use crate::stamp::{KeyScope, StampKey, StampKeys};

    fn octets(hex: &Value) -> Vec<u8> {
        let digits = hex.as_str().unwrap().as_bytes();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| octet(pair).unwrap()).collect()
    }

    /// The base packets of known answers, whose times are finer than a nanosecond.
    #[test]
    fn authenticated_stamp_replies_are_the_known_answers_octet_for_octet() {
        let key = octets(&"00112233445566778899aabbccddeeff".into());
        let key = StampKey::new(&key).unwrap();
        let keys = StampKeys::new([(KeyScope::Default, key.clone())]);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stamp.json");
        let known: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for name in [
            "authenticated",
            "authenticated_tlvs",
            "authenticated_padding_only",
            "authenticated_no_hmac_tlv",
        ] {
            let exchange = &known["constructed"][name];
            let (mut buffer, reply) = (octets(&exchange["request"]), octets(&exchange["reply"]));
            let (request, tlvs) = StampSenderAuthenticated::view(&buffer).unwrap();
            let (answer, _) = StampReflectorAuthenticated::view(&reply).unwrap();
            let (ssid, tlvs) = (request.ssid.get(), tlvs.to_vec());
            let arrival = Arrival {
                to_port: 862,
                ttl: Some(answer.sender_ttl),
                ..Arrival::new(
                    Stamp {
                        at: Wall::from_unix_ns(0),
                        rung: Rung::User,
                    },
                    "192.0.2.1:40000".parse().unwrap(),
                )
            };
            let fields = Fields {
                number: answer.seq.get(),
                t2: answer.t2,
                sender: SenderOpen {
                    seq: request.seq,
                    t1: request.t1,
                    error: request.error,
                },
                arrival: &arrival,
            };
            let form = Form::StampAuthenticated {
                ssid,
                tail: Tail::None,
            };
            let octets = buffer.len();
            fields.write(&mut buffer, octets, octets, form);
            let seal = Seal::StampAuthenticated(keys.find(arrival.from.ip(), ssid).unwrap());
            seal.write_t3(&mut buffer, answer.t3, answer.error);
            key.seal(&mut buffer);
            assert_eq!(buffer[..112], reply[..112], "{name}");
            assert_eq!(buffer[112..], tlvs, "{name}");
        }
    }
}
