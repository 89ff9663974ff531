//! How the modes change test packets, for both ends: the secured ones of RFC 4656 and 5357, and the
//! features of RFC 6038, 7750 and 8186 (`twamp-test.md` section 1, "variants").

use serde::{Deserialize, Serialize};
use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{ReflectorOpen, ReflectorSecured, SenderOpen, SenderSecured, TimeFormat};

/// Offset of S-DSCP-ECN in an unauthenticated reply: after the Sender TTL (RFC 7750 section 2.2.1,
/// figure 2).
pub(crate) const SENDER_TOS_AT: usize = ReflectorOpen::OCTETS;
/// S-DSCP-ECN and two octets that must be zero.
const MONITORED_HEADER: usize = ReflectorOpen::OCTETS + 3;
/// Where padding begins in a request of Symmetrical Size with DSCP and ECN Monitoring: 14 octets
/// and 28 that must be zero (RFC 7750 section 2.2.2, figure 4). Two octets less than a reply's
/// header: the RFC contradicts itself (row TT-43).
const MONITORED_SYMMETRICAL: usize = SenderOpen::OCTETS + 28;

/// The negotiated features of a test session, as far as its packets show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFeatures {
    /// The chosen modes; they may include bits that do not affect test packets.
    pub modes: Modes,
    /// Length of padding to reflect (RFC 6038 section 4.2); effective with Reflect Octets only.
    pub padding_to_reflect: u16,
    /// Server octets (RFC 6038 section 4.3): the first two of the padding to reflect; 0: none.
    pub server_octets: u16,
}

impl TestFeatures {
    /// Whether test packets are encrypted, in part or whole, and carry an HMAC (RFC 5357 section
    /// 4).
    pub fn is_secured(self) -> bool {
        self.modes
            .security()
            .is_some_and(SecurityMode::secures_packets)
    }

    /// Octets of a Session-Sender packet before its padding and the zeros of Symmetrical Size.
    pub fn request_header(self) -> usize {
        if self.is_secured() {
            SenderSecured::OCTETS
        } else {
            SenderOpen::OCTETS
        }
    }

    /// Where padding begins in a Session-Sender packet.
    pub fn padding_from(self) -> usize {
        match (self.is_symmetrical(), self.monitors_dscp()) {
            (false, _) => self.request_header(),
            (true, _) if self.is_secured() => ReflectorSecured::OCTETS,
            (true, false) => ReflectorOpen::OCTETS,
            (true, true) => MONITORED_SYMMETRICAL,
        }
    }

    /// Where padding begins in a Session-Reflector packet.
    pub fn reply_header(self) -> usize {
        if self.is_secured() {
            ReflectorSecured::OCTETS
        } else if self.monitors_dscp() {
            MONITORED_HEADER
        } else {
            ReflectorOpen::OCTETS
        }
    }

    /// Octets of padding that the reflector returns unchanged.
    pub fn reflected(self) -> usize {
        if self.modes.contains(Modes::REFLECT_OCTETS) {
            usize::from(self.padding_to_reflect)
        } else {
            0
        }
    }

    /// The smallest UDP payload that our sender sends: with any of the features, large enough for a
    /// reply of the same size and for all octets to be reflected (rows TT-39, TT-40, TT-43; TC-82,
    /// TC-84). A secured reply has room for the field of DSCP and ECN Monitoring.
    pub fn least_payload(self) -> usize {
        let mut any = Modes::REFLECT_OCTETS | Modes::SYMMETRICAL_SIZE;
        if !self.is_secured() {
            any = any | Modes::DSCP_MONITORING;
        }
        if self.modes.and(any).is_empty() {
            self.request_header()
        } else {
            self.reply_header() + self.reflected()
        }
    }

    /// Padding Length, as control messages count it, of a request with a UDP payload of `octets`:
    /// without the zeros of Symmetrical Size (row TC-83).
    pub fn padding_length(self, octets: usize) -> usize {
        octets.saturating_sub(self.padding_from())
    }

    /// The length of the reply to a request of `received` octets (rows TT-20, TT-40, TT-43).
    pub fn reply_octets(self, received: usize) -> usize {
        let stands_as_it_is = !self.is_secured()
            && self.is_symmetrical()
            && (MONITORED_SYMMETRICAL..MONITORED_HEADER).contains(&received);
        if stands_as_it_is {
            received
        } else {
            received.max(self.reply_header())
        }
    }

    /// Whether the request is too short for what was negotiated: it is answered with what fits (row
    /// TT-41).
    pub fn is_too_short(self, received: usize) -> bool {
        let symmetrical = self.is_symmetrical() && received < self.padding_from();
        let reflected = self.reflected();
        symmetrical || reflected > 0 && received < self.reply_header() + reflected
    }

    /// The format of the reflector's timestamps (RFC 8186 section 2.2; row TC-9).
    pub fn reflector_format(self) -> TimeFormat {
        if self.modes.contains(Modes::PTP_TIME) {
            TimeFormat::Ptp
        } else {
            TimeFormat::Ntp
        }
    }

    /// Whether replies carry the ToS octet with which their request arrived (RFC 7750).
    pub fn monitors_dscp(self) -> bool {
        self.modes.contains(Modes::DSCP_MONITORING)
    }

    /// Whether zeros before the padding make requests as long as their replies (RFC 6038).
    pub fn is_symmetrical(self) -> bool {
        self.modes.contains(Modes::SYMMETRICAL_SIZE)
    }
}
