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
    StampAuthenticated {
        /// Session Identifier; 0 without one.
        ssid: u16,
        /// What follows the base packet.
        tail: Tail,
    },
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
    if payload.len() < SenderOpen::OCTETS {
        return Err(Ignored::TooShort);
    }
    let class = Class::of(protocols, payload);
    let ports = reply_guard::Ports {
        from: from_port,
        to: to_port,
    };
    if reply_guard::is_reply(class.into(), payload, ports, now) {
        return Err(Ignored::Reply);
    }
    Ok(class)
}

impl Class {
    /// The class of a payload of 14 octets or more that is not a reply.
    pub(super) fn of(protocols: ReflectorProtocols, payload: &[u8]) -> Self {
        if protocols == ReflectorProtocols::TwampLight {
            return Self::TwampLight;
        }
        // Steps 2 and 3. No unauthenticated sender has a time, Error Estimate and SSID that are all
        // 0.
        if let Ok((base, rest)) = StampSenderAuthenticated::view(payload)
            && base.mbz == [0; 12]
        {
            return Self::StampAuthenticated {
                ssid: base.ssid.get(),
                tail: Tail::of(rest),
            };
        }
        let Ok((base, rest)) = StampSender::view(payload) else {
            // Step 4. Too short for an SSID: in TWAMP those octets are padding.
            return match protocols {
                ReflectorProtocols::Stamp => Self::Stamp {
                    ssid: 0,
                    tail: Tail::None,
                },
                ReflectorProtocols::Auto | ReflectorProtocols::TwampLight => Self::TwampLight,
            };
        };
        let ssid = base.ssid.get();
        let tail = Tail::of(rest);
        if protocols == ReflectorProtocols::Stamp {
            return Self::Stamp { ssid, tail };
        }
        // Step 5.
        if base.mbz != [0; 28] {
            return Self::TwampLight;
        }
        // Steps 6 to 10.
        let meant = match tail {
            Tail::None => true,
            Tail::Tlvs => begins_like_a_chain(rest),
            Tail::Malformed => matches!(rest, [0x80, 1..=12, ..]),
        };
        if meant || ssid != 0 {
            Self::Stamp { ssid, tail }
        } else {
            Self::TwampLight
        }
    }
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
