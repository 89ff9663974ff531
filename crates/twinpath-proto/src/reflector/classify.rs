//! Classifies a datagram: TWAMP Light and STAMP on one port (RFC 8762 section
//! 4.6). A pure function of one packet, without state.

use twinpath_wire::{
    SenderOpen, StampSender, StampSenderAuthenticated, Tlv, TlvFlags, TlvType, Tlvs, Wall,
};

use super::{Ignored, ReflectorProtocols, reply_guard};

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// TWAMP unauthenticated: 14 octets and padding.
    TwampLight,
    /// STAMP unauthenticated.
    Stamp {
        /// Session Identifier (RFC 8972 section 3); 0 without one.
        ssid: u16,
        /// What follows the base packet.
        tail: Tail,
    },
    /// Has the layout of STAMP authenticated (RFC 8762 section 4.2.2); its HMAC is not checked
    /// here.
    StampAuthenticated,
}

/// What follows a STAMP base packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    None,
    /// A whole chain of TLVs.
    Tlvs,
    /// Octets meant as TLVs, but not a whole chain of them.
    Malformed,
}

/// Classifies `payload`, received from `from_port` on `to_port` at `now` by the local clock.
///
/// # Errors
/// [`Ignored::TooShort`] or [`Ignored::Reply`]: not a request at all.
pub fn classify(
    protocols: ReflectorProtocols,
    payload: &[u8],
    from_port: u16,
    to_port: u16,
    now: Wall,
) -> Result<Class, Ignored> {
    // Step 1.
    if payload.len() < SenderOpen::OCTETS {
        return Err(Ignored::TooShort);
    }
    let ports = reply_guard::Ports {
        from: from_port,
        to: to_port,
    };
    if reply_guard::is_open_reply(payload, ports, now) {
        return Err(Ignored::Reply);
    }
    if protocols == ReflectorProtocols::TwampLight {
        return Ok(Class::TwampLight);
    }
    // Steps 2 and 3. No unauthenticated sender has a time, Error Estimate and SSID that are all 0.
    if payload.len() >= StampSenderAuthenticated::OCTETS && all_zero(payload.get(4..16)) {
        return if reply_guard::is_authenticated_reply(payload, ports, now) {
            Err(Ignored::Reply)
        } else {
            Ok(Class::StampAuthenticated)
        };
    }
    let Ok((base, rest)) = StampSender::view(payload) else {
        // Step 4. Too short for an SSID: in TWAMP those octets are padding.
        return Ok(match protocols {
            ReflectorProtocols::Stamp => Class::Stamp {
                ssid: 0,
                tail: Tail::None,
            },
            ReflectorProtocols::Auto | ReflectorProtocols::TwampLight => Class::TwampLight,
        });
    };
    let ssid = base.ssid.get();
    let tail = Tail::of(rest);
    if protocols == ReflectorProtocols::Stamp {
        return Ok(Class::Stamp { ssid, tail });
    }
    // Step 5.
    if base.mbz != [0; 28] {
        return Ok(Class::TwampLight);
    }
    // Steps 6 to 10.
    let meant = match tail {
        Tail::None => true,
        Tail::Tlvs => begins_like_a_chain(rest),
        Tail::Malformed => matches!(rest, [0x80, 1..=12, ..]),
    };
    Ok(if meant || ssid != 0 {
        Class::Stamp { ssid, tail }
    } else {
        Class::TwampLight
    })
}

impl Tail {
    fn of(rest: &[u8]) -> Self {
        if rest.is_empty() {
            Self::None
        } else if Tlvs::is_whole(rest) {
            Self::Tlvs
        } else {
            Self::Malformed
        }
    }
}

/// Whether the first TLV has a sender's flags, or (some senders omit them) a type with a valid
/// Length.
fn begins_like_a_chain(rest: &[u8]) -> bool {
    let Some(Ok(Tlv { header, .. })) = Tlvs::new(rest).next() else {
        return false;
    };
    let length = header.length.get();
    header.flags == TlvFlags::UNRECOGNIZED
        || match header.kind {
            TlvType::EXTRA_PADDING => true,
            TlvType::LOCATION | TlvType::TIMESTAMP_INFORMATION | TlvType::RETURN_PATH => {
                length >= 4
            }
            TlvType::CLASS_OF_SERVICE | TlvType::ACCESS_REPORT | TlvType::MICRO_SESSION_ID => {
                length == 4
            }
            TlvType::DIRECT_MEASUREMENT => length == 12,
            TlvType::FOLLOW_UP_TELEMETRY | TlvType::HMAC => length == 16,
            TlvType::DESTINATION_NODE_ADDRESS => length == 4 || length == 16,
            TlvType::REFLECTED_CONTROL => length >= 12,
            _ => false,
        }
}

fn all_zero(octets: Option<&[u8]>) -> bool {
    octets.is_some_and(|octets| octets.iter().all(|octet| *octet == 0))
}
