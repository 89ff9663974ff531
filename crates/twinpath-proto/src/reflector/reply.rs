//! Building replies (RFC 5357 section 4.2.1, RFC 8762 section 4.3.1; RFC 6038, 7750, 8186), for
//! every kind of reflector.

use twinpath_wire::{
    Arrival, ErrorEstimate, ReflectorOpen, ReflectorSecured, ReplyHead, SenderOpen, StampReflector,
    TimeFormat, Tos, Wall, WireTime,
};

use zerocopy::FromZeros;

use crate::features::{SENDER_TOS_AT, TestFeatures};

/// The Z bit of an Error Estimate (RFC 8186 section 2.3).
const Z: u16 = 0x4000;
/// S = 0 and the largest error that the field can hold: nothing is known about the clock.
const UNKNOWN_ERROR: u16 = 0x3fff;

/// A reply that is ready except for T3 and its Error Estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reflection {
    /// Its length; it starts at the beginning of the buffer.
    pub octets: usize,
    /// The ToS or Traffic Class octet to send it with.
    pub tos: Tos,
    /// The format of T2, and so of T3.
    pub(super) format: TimeFormat,
    /// The session whose keys seal it: an index into the table of negotiated sessions.
    pub(super) keys: Option<u32>,
}

/// Where padding is in a TWAMP request and in its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    padding_from: usize,
    header: usize,
    form: Form,
}

/// The two headers of TWAMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Open,
    Secured {
        /// DSCP and ECN Monitoring.
        monitors: bool,
    },
}

impl Layout {
    /// Without any feature (RFC 5357).
    pub(super) const PLAIN: Self = Self {
        form: Form::Open,
        padding_from: SenderOpen::OCTETS,
        header: ReflectorOpen::OCTETS,
    };

    /// With the features of a session.
    pub(super) fn of(features: TestFeatures) -> Self {
        Self {
            padding_from: features.padding_from(),
            header: features.reply_header(),
            form: if features.is_secured() {
                Form::Secured {
                    monitors: features.monitors_dscp(),
                }
            } else {
                Form::Open
            },
        }
    }
}

/// The contents of a reply except for T3 and its Error Estimate.
pub(super) struct Fields<'a> {
    pub(super) number: u32,
    pub(super) t2: WireTime,
    pub(super) sender: SenderOpen,
    pub(super) arrival: &'a Arrival,
}

impl Fields<'_> {
    /// The request's padding moves after the reply's header and is truncated at its end (rows
    /// TT-19, TT-20), so the octets to be reflected (row TT-39) come first. Octets beyond it are
    /// zeroed, because the buffer may contain an earlier packet.
    pub(super) fn write_twamp(
        &self,
        buffer: &mut [u8],
        received: usize,
        octets: usize,
        layout: Layout,
    ) {
        let Layout {
            padding_from,
            header,
            form,
        } = layout;
        let kept = received
            .saturating_sub(padding_from)
            .min(octets.saturating_sub(header));
        if kept > 0 {
            buffer.copy_within(padding_from..padding_from + kept, header);
        }
        if let Some(beyond) = buffer.get_mut(header + kept..octets) {
            beyond.fill(0);
        }
        if let Form::Secured { monitors } = form {
            return self.write_secured(buffer, monitors);
        }
        if let Some([monitored, mbz @ ..]) = buffer.get_mut(SENDER_TOS_AT..header.min(octets)) {
            *monitored = self.arrival.tos.unwrap_or_default().0;
            mbz.fill(0);
        }
        if let Ok((reply, _)) = ReflectorOpen::view_mut(buffer) {
            self.write_head(&mut reply.head, 0);
            reply.sender_error = self.sender.error;
            reply.mbz.set(0);
            reply.sender_ttl = self.sender_ttl();
        }
    }

    fn write_secured(&self, buffer: &mut [u8], monitors: bool) {
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
        if monitors {
            reply.sender_tos = self.arrival.tos.unwrap_or_default().0;
        }
    }

    /// Octets after the base packet stay in place.
    pub(super) fn write_stamp(&self, buffer: &mut [u8], received: usize, octets: usize, ssid: u16) {
        if let Some(beyond) = buffer.get_mut(received.max(StampReflector::OCTETS)..octets) {
            beyond.fill(0);
        }
        if let Ok((reply, _)) = StampReflector::view_mut(buffer) {
            self.write_head(&mut reply.head, ssid);
            reply.sender_error = self.sender.error;
            reply.mbz.set(0);
            reply.sender_ttl = self.sender_ttl();
            reply.mbz_end = [0; 3];
        }
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
}

/// Writes T3 and the Error Estimate that covers T3 and T2.
pub(super) fn seal(
    reply: &mut [u8],
    t3: Wall,
    error: ErrorEstimate,
    format: TimeFormat,
    tai_offset_s: i32,
) {
    if let Ok((head, _)) = ReplyHead::view_mut(reply) {
        head.t3 = WireTime::write(t3, format, tai_offset_s);
        head.error = estimate_in(format, error);
    }
}

/// As [`seal`], for a secured header; the caller encrypts it afterwards.
pub(super) fn seal_secured(
    reply: &mut [u8],
    t3: Wall,
    error: ErrorEstimate,
    format: TimeFormat,
    tai_offset_s: i32,
) {
    if let Ok((head, _)) = ReflectorSecured::view_mut(reply) {
        head.t3 = WireTime::write(t3, format, tai_offset_s);
        head.error = estimate_in(format, error);
    }
}

/// `error` with the Z bit of the actual format of T2 and T3, and never with a Multiplier of 0 (rows
/// TT-45, TT-51).
fn estimate_in(format: TimeFormat, error: ErrorEstimate) -> ErrorEstimate {
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
