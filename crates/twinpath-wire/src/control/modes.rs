//! Modes: how a control connection and its sessions are secured, and which features they use.

use core::fmt;
use core::ops::BitOr;

use serde::{Deserialize, Serialize};

/// A set of mode bits (RFC 5357 section 3.1; the registry of RFC 5618 section 5 and later).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Modes(u32);

/// The one security mode of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityMode {
    /// 2: control encrypted, test packets authenticated.
    Authenticated,
    /// 4: control and test packets encrypted.
    Encrypted,
    /// 8: control encrypted, test packets open (RFC 5618).
    Mixed,
    /// 1: nothing is secured. An unknown value read from a file is taken for it.
    #[serde(other)]
    Unauthenticated,
}

impl Modes {
    /// Unauthenticated (RFC 4656 section 3.1).
    pub const UNAUTHENTICATED: Self = Self(1);
    /// Authenticated (RFC 4656 section 3.1).
    pub const AUTHENTICATED: Self = Self(2);
    /// Encrypted (RFC 4656 section 3.1).
    pub const ENCRYPTED: Self = Self(4);
    /// Mixed (RFC 5618 section 3.1).
    pub const MIXED: Self = Self(8);
    /// Individual Session Control (RFC 5938 section 3.1).
    pub const INDIVIDUAL_CONTROL: Self = Self(16);
    /// Reflect Octets (RFC 6038 section 4.1).
    pub const REFLECT_OCTETS: Self = Self(32);
    /// Symmetrical Size (RFC 6038 section 4.1).
    pub const SYMMETRICAL_SIZE: Self = Self(64);
    /// DSCP and ECN Monitoring (RFC 7750 section 3).
    pub const DSCP_MONITORING: Self = Self(256);
    /// PTPv2 Timestamp (RFC 8186 section 3).
    pub const PTP_TIME: Self = Self(512);
    /// The four security bits, of which exactly one is chosen.
    pub const SECURITY: Self = Self(15);
    /// The security bits under which control messages are encrypted.
    pub const SECURED: Self = Self(2 | 4 | 8);
    /// Every known feature bit.
    pub const FEATURES: Self = Self(16 | 32 | 64 | 256 | 512);

    const NAMES: [(Self, &'static str); 9] = [
        (Self::UNAUTHENTICATED, "unauthenticated"),
        (Self::AUTHENTICATED, "authenticated"),
        (Self::ENCRYPTED, "encrypted"),
        (Self::MIXED, "mixed"),
        (Self::INDIVIDUAL_CONTROL, "individual session control"),
        (Self::REFLECT_OCTETS, "reflect octets"),
        (Self::SYMMETRICAL_SIZE, "symmetrical size"),
        (Self::DSCP_MONITORING, "DSCP and ECN monitoring"),
        (Self::PTP_TIME, "PTPv2 timestamps"),
    ];

    /// From the 32 bits on the wire.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The 32 bits on the wire.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// No bits.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The bits that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The security mode; `None` unless exactly one is set.
    pub const fn security(self) -> Option<SecurityMode> {
        match self.0 & Self::SECURITY.0 {
            1 => Some(SecurityMode::Unauthenticated),
            2 => Some(SecurityMode::Authenticated),
            4 => Some(SecurityMode::Encrypted),
            8 => Some(SecurityMode::Mixed),
            _ => None,
        }
    }
}

impl SecurityMode {
    /// All four, in the order of their bits.
    pub const ALL: [Self; 4] = [
        Self::Unauthenticated,
        Self::Authenticated,
        Self::Encrypted,
        Self::Mixed,
    ];

    /// Its bit.
    pub const fn modes(self) -> Modes {
        match self {
            Self::Unauthenticated => Modes::UNAUTHENTICATED,
            Self::Authenticated => Modes::AUTHENTICATED,
            Self::Encrypted => Modes::ENCRYPTED,
            Self::Mixed => Modes::MIXED,
        }
    }

    /// Whether test packets are encrypted, in part or whole, and carry an HMAC.
    pub const fn secures_packets(self) -> bool {
        matches!(self, Self::Authenticated | Self::Encrypted)
    }

    /// The name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Authenticated => "authenticated",
            Self::Encrypted => "encrypted",
            Self::Mixed => "mixed",
        }
    }
}

impl BitOr for Modes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut rest = *self;
        let mut first = true;
        for (mode, name) in Self::NAMES
            .into_iter()
            .filter(|(mode, _)| self.contains(*mode))
        {
            f.write_str(if first { "" } else { ", " })?;
            f.write_str(name)?;
            first = false;
            rest = rest.without(mode);
        }
        if !rest.is_empty() {
            write!(
                f,
                "{}unknown bits {:#x}",
                if first { "" } else { ", " },
                rest.bits()
            )?;
        }
        Ok(())
    }
}
