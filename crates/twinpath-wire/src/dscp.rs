//! `DiffServ` code points (RFC 2474), the ToS octet that contains them, and ECN (RFC 3168).

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 6-bit `DiffServ` code point. Not the ToS octet: EF is 46 here and 184 there.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u8")]
pub struct Dscp(u8);

/// A whole ToS (IPv4) or Traffic Class (IPv6) octet: DSCP in the upper six bits, ECN below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tos(pub u8);

/// Explicit Congestion Notification field (RFC 3168 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// Not ECN-capable transport.
    NotEct,
    /// ECN-capable transport, ECT(1).
    Ect1,
    /// ECN-capable transport, ECT(0).
    Ect0,
    /// Congestion experienced.
    Ce,
}

/// A DSCP that is neither a known name nor a number from 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a DSCP: a name (be, df, cs0..cs7, af11..af43, ef, va, voice-admit, nqb, le, nc1, nc2) or a number, 0 to 63 or 0x00 to 0x3f"
)]
pub struct DscpError;

impl Dscp {
    /// Best effort, code point 0.
    pub const BE: Self = Self(0);
    /// Expedited forwarding (RFC 3246), code point 46.
    pub const EF: Self = Self(46);

    /// Names by their code points (RFC 2474, 2597, 3246, 5865, 8622, 9956): every name that is
    /// accepted; where a code point has several, the one that is written comes first.
    pub const NAMES: [(&'static str, Self); 29] = [
        ("be", Self(0)),
        ("df", Self(0)),
        ("cs0", Self(0)),
        ("le", Self(1)),
        ("cs1", Self(8)),
        ("af11", Self(10)),
        ("af12", Self(12)),
        ("af13", Self(14)),
        ("cs2", Self(16)),
        ("af21", Self(18)),
        ("af22", Self(20)),
        ("af23", Self(22)),
        ("cs3", Self(24)),
        ("af31", Self(26)),
        ("af32", Self(28)),
        ("af33", Self(30)),
        ("cs4", Self(32)),
        ("af41", Self(34)),
        ("af42", Self(36)),
        ("af43", Self(38)),
        ("cs5", Self(40)),
        ("va", Self(44)),
        ("voice-admit", Self(44)),
        ("nqb", Self(45)),
        ("ef", Self(46)),
        ("cs6", Self(48)),
        ("nc1", Self(48)),
        ("cs7", Self(56)),
        ("nc2", Self(56)),
    ];

    /// From a code point.
    ///
    /// # Errors
    /// [`DscpError`] above 63.
    pub const fn new(value: u8) -> Result<Self, DscpError> {
        if value < 64 {
            Ok(Self(value))
        } else {
            Err(DscpError)
        }
    }

    /// The code point, 0 to 63.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// The ToS octet with this code point and ECN Not-ECT.
    pub const fn tos(self) -> Tos {
        Tos(self.0 << 2)
    }

    /// The customary name, if it has one.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES
            .iter()
            .find(|(_, dscp)| *dscp == self)
            .map(|(name, _)| *name)
    }
}

impl Tos {
    /// The code point in the upper six bits.
    pub const fn dscp(self) -> Dscp {
        Dscp(self.0 >> 2)
    }

    /// The ECN field in the lower two bits.
    pub const fn ecn(self) -> Ecn {
        match self.0 & 3 {
            0 => Ecn::NotEct,
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }
}

impl TryFrom<u8> for Dscp {
    type Error = DscpError;

    fn try_from(value: u8) -> Result<Self, DscpError> {
        Self::new(value)
    }
}

impl FromStr for Dscp {
    type Err = DscpError;

    fn from_str(text: &str) -> Result<Self, DscpError> {
        // As in a list with spaces after its commas.
        let text = text.trim();
        for (name, dscp) in Self::NAMES {
            if name.eq_ignore_ascii_case(text) {
                return Ok(dscp);
            }
        }
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let (digits, radix) = hex.map_or((text, 10), |hex| (hex, 16));
        if digits.starts_with('+') {
            return Err(DscpError);
        }
        u8::from_str_radix(digits, radix)
            .map_err(|_| DscpError)
            .and_then(Self::new)
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString as _;

    use super::*;

    #[test]
    fn ef_is_184_in_the_tos_octet() {
        assert_eq!("EF".parse::<Dscp>().unwrap().tos(), Tos(184));
        assert_eq!(Tos(0xb9).dscp(), Dscp::EF);
        assert_eq!(Tos(0xb9).ecn(), Ecn::Ect1);
    }

    #[test]
    fn each_name_is_listed_once_in_order_of_code_points_and_what_is_written_is_read() {
        let mut before = 0;
        for (place, (name, dscp)) in Dscp::NAMES.into_iter().enumerate() {
            assert!(dscp.value() >= before, "{name}");
            before = dscp.value();
            let others = &Dscp::NAMES[..place];
            assert!(others.iter().all(|(other, _)| *other != name), "{name}");
        }
        for value in 0..64 {
            let dscp = Dscp::new(value).unwrap();
            if let Some(name) = dscp.name() {
                assert_eq!(name.parse(), Ok(dscp), "{name}");
            }
        }
    }

    #[test]
    fn names_and_numbers_parse_and_others_do_not() {
        for (name, dscp) in Dscp::NAMES {
            assert_eq!(name.parse::<Dscp>().unwrap(), dscp, "{name}");
        }
        assert_eq!("nc2".parse::<Dscp>().unwrap().name(), Some("cs7"));
        assert_eq!("63".parse::<Dscp>().unwrap().value(), 63);
        for (text, value) in [
            ("DF", 0),
            ("le", 1),
            ("Voice-Admit", 44),
            ("va", 44),
            ("nqb", 45),
            (" ef", 46),
            ("be ", 0),
            ("0x2e", 46),
            ("0X3F", 63),
            ("0x00", 0),
        ] {
            assert_eq!(text.parse::<Dscp>().unwrap().value(), value, "{text}");
        }
        // The advice contains every name, directly or within a range.
        let advice = DscpError.to_string();
        let (_, list) = advice.split_once('(').unwrap();
        let (list, _) = list.split_once(')').unwrap();
        let is_named = |name: &str| {
            list.split(", ").any(|part| match part.split_once("..") {
                Some((low, high)) => name.len() == low.len() && (low..=high).contains(&name),
                None => name == part,
            })
        };
        for (name, _) in Dscp::NAMES {
            assert!(is_named(name), "{name}: {advice}");
        }
        for bad in [
            "64", "-1", "", " ", "+3", "e f", "af44", "0x40", "0x", "0x+1", "0x-1", "2e",
        ] {
            assert!(bad.parse::<Dscp>().is_err(), "{bad}");
        }
    }
}
