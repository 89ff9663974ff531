//! What the test packets of a session look like: settings that are independent of each other, and
//! the sizes and offsets that follow from them.

use serde::{Deserialize, Serialize};
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{
    LIGHT_PORT, ReflectorOpen, SenderOpen, StampSender, StampSenderAuthenticated, TWAMP_TEST_PORT,
    TimeFormat, TlvHeader,
};

use crate::features::TestFeatures;

/// The layout of test packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Format {
    /// TWAMP-Test as TWAMP Light uses it (RFC 5357 section 4.1.2 and Appendix I).
    TwampLight,
    /// TWAMP-Test as negotiated by Control-Client and Server (RFC 5357 section 4.1, RFC 6038
    /// section 5.1, RFC 7750 section 2.2.2).
    Twamp(TestFeatures),
    /// STAMP (RFC 8762 section 4.2).
    Stamp {
        /// Session-Sender Identifier (RFC 8972 section 3); 0: none.
        ssid: u16,
        /// Of T1 (RFC 8762 section 4.2.1; row ST-2).
        #[serde(default, skip_serializing_if = "is_ntp")]
        time_format: TimeFormat,
    },
}

impl Format {
    /// The protocol's name in JSON and CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwampLight => "twamp-light",
            Self::Twamp(_) => "twamp",
            Self::Stamp { .. } => "stamp",
        }
    }

    /// The port of a reflector if none is given.
    pub fn default_port(self) -> u16 {
        match self {
            Self::TwampLight => LIGHT_PORT,
            Self::Twamp(_) | Self::Stamp { .. } => TWAMP_TEST_PORT,
        }
    }

    /// What was negotiated by TWAMP-Control; `None` without it.
    pub fn features(self) -> Option<TestFeatures> {
        match self {
            Self::Twamp(features) => Some(features),
            Self::TwampLight | Self::Stamp { .. } => None,
        }
    }

    /// The Session-Sender Identifier, if there is one.
    pub fn ssid(self) -> Option<u16> {
        match self {
            Self::TwampLight | Self::Twamp(_) | Self::Stamp { ssid: 0, .. } => None,
            Self::Stamp { ssid, .. } => Some(ssid),
        }
    }

    /// The format of T1. In TWAMP PTPv2 if both ends agreed on it (RFC 8186 section 2.2), in STAMP as each end
    /// likes (RFC 8762 section 4.2.1).
    pub fn time_format(self) -> TimeFormat {
        match self {
            Self::TwampLight => TimeFormat::Ntp,
            Self::Twamp(features) => features.reflector_format(),
            Self::Stamp { time_format, .. } => time_format,
        }
    }
}

/// What the test packets of a session look like. The keys are those of raw files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// Their layout.
    #[serde(rename = "protocol")]
    pub format: Format,
    /// How they are secured: in TWAMP as its features say, in STAMP open or authenticated.
    #[serde(rename = "mode")]
    pub security: SecurityMode,
    /// Octets of TLVs in STAMP requests, without the Extra Padding that fills them up.
    #[serde(default, skip_serializing_if = "is_none")]
    pub tlv_octets: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(octets: &u16) -> bool {
    *octets == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_ntp(format: &TimeFormat) -> bool {
    *format == TimeFormat::Ntp
}

impl Wire {
    /// TWAMP Light.
    pub const TWAMP_LIGHT: Self = Self {
        format: Format::TwampLight,
        security: SecurityMode::Unauthenticated,
        tlv_octets: 0,
    };

    /// TWAMP-Test with negotiated features, of which the mode is one.
    pub fn twamp(features: TestFeatures) -> Self {
        let mode = features.modes.security();
        Self {
            format: Format::Twamp(features),
            security: mode.unwrap_or(SecurityMode::Unauthenticated),
            tlv_octets: 0,
        }
    }

    /// STAMP without authentication, with NTP timestamps. SSID 0: none.
    pub const fn stamp(ssid: u16) -> Self {
        Self::stamp_in(TimeFormat::Ntp, ssid)
    }

    /// The same with T1 in `time_format`.
    pub const fn stamp_in(time_format: TimeFormat, ssid: u16) -> Self {
        Self {
            format: Format::Stamp { ssid, time_format },
            security: SecurityMode::Unauthenticated,
            tlv_octets: 0,
        }
    }

    /// The same with authentication, which only STAMP has as a setting of its own.
    #[must_use]
    pub const fn authenticated(self) -> Self {
        Self {
            security: SecurityMode::Authenticated,
            ..self
        }
    }

    /// The same with this many octets of TLVs.
    #[must_use]
    pub const fn with_tlvs(self, tlv_octets: u16) -> Self {
        Self { tlv_octets, ..self }
    }

    /// Whether packets have the header of a secured mode, with an HMAC.
    pub fn is_secured(self) -> bool {
        self.security.secures_packets()
    }

    /// Octets of a request's header: before padding, TLVs and the zeros of Symmetrical Size.
    pub fn request_header(self) -> usize {
        match self.format {
            Format::TwampLight => SenderOpen::OCTETS,
            Format::Twamp(features) => features.request_header(),
            Format::Stamp { .. } if self.is_secured() => StampSenderAuthenticated::OCTETS,
            Format::Stamp { .. } => StampSender::OCTETS,
        }
    }

    /// The UDP payload actually sent if `asked` octets are requested: at least the header and what
    /// the negotiated features need, and for STAMP never 1 to 3 octets more than the base packet,
    /// which are too few for a TLV header (row ST-36).
    pub fn payload_octets(self, asked: usize) -> usize {
        let header = self.request_header() + usize::from(self.tlv_octets);
        match self.format {
            Format::TwampLight => asked.max(header),
            Format::Twamp(features) => asked.max(features.least_payload()),
            Format::Stamp { .. } if asked <= header => header,
            Format::Stamp { .. } => asked.max(header + TlvHeader::OCTETS),
        }
    }

    /// The offset from which the user's padding counts: the 14 octets of an unauthenticated header,
    /// whatever the actual header, or the end of the zeros of Symmetrical Size (RFC 6038 section
    /// 5.1.4; row TC-83).
    pub fn padding_counts_from(self) -> usize {
        match self.format {
            Format::Twamp(features) if features.is_symmetrical() => features.padding_from(),
            Format::TwampLight | Format::Twamp(_) | Format::Stamp { .. } => SenderOpen::OCTETS,
        }
    }

    /// The offset from which packets that are long enough have octets of the sender's choice.
    pub fn padding_begins(self) -> usize {
        match self.format {
            Format::TwampLight => self.request_header(),
            Format::Twamp(features) => features.padding_from(),
            Format::Stamp { .. } => {
                self.request_header() + usize::from(self.tlv_octets) + TlvHeader::OCTETS
            }
        }
    }

    /// The UDP payload of the reply to a request of `sent` octets: the same, but at least a reply's
    /// header (rows TT-20, ST-6).
    pub fn reply_octets(self, sent: usize) -> usize {
        match self.format {
            Format::TwampLight => sent.max(ReflectorOpen::OCTETS),
            Format::Twamp(features) => features.reply_octets(sent),
            Format::Stamp { .. } => sent,
        }
    }
}
