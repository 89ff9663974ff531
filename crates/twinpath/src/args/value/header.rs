//! Octets of the IP header, and labels.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use twinpath_wire::Tos;

use super::quantity::whole;
use crate::args::Advice;

/// A whole ToS or Traffic Class octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TosOctet(pub(crate) Tos);

/// A TTL or Hop Limit: 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ttl(pub(crate) u8);

/// A STAMP Session Identifier (RFC 8972 section 3): 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ssid(pub(crate) u16);

/// A remark that is carried into every output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// Letters, digits, `_`, `-` and `.`.
    pub(crate) key: String,
    /// Anything.
    pub(crate) value: String,
}

impl FromStr for TosOctet {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let number = match hex {
            Some(hex) if hex.bytes().all(|octet| octet.is_ascii_hexdigit()) => {
                u8::from_str_radix(hex, 16).ok()
            }
            Some(_) => None,
            None => octet(text),
        };
        number.map(|octet| Self(Tos(octet))).ok_or_else(|| {
            Advice::new(if text.parse::<twinpath_wire::Dscp>().is_ok() {
                "a name is a DSCP, not a ToS octet: use --dscp"
            } else {
                "not a ToS octet: use 0 to 255 or 0x00 to 0xff (a DSCP goes with --dscp)"
            })
        })
    }
}

impl FromStr for Ttl {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        octet(text)
            .filter(|ttl| *ttl > 0)
            .map(Self)
            .ok_or_else(|| Advice::new("not a TTL: use 1 to 255"))
    }
}

impl FromStr for Ssid {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        whole(text)
            .and_then(|ssid| u16::try_from(ssid).ok())
            .filter(|ssid| *ssid > 0)
            .map(Self)
            .ok_or_else(|| Advice::new("not a Session Identifier: use 1 to 65535"))
    }
}

impl FromStr for Label {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| Advice::new("not a label: give KEY=VALUE, such as site=lab"))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if key.is_empty() || !key.chars().all(fits) {
            return Err(Advice::new(
                "a label's key has letters, digits, _ - and . only",
            ));
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

fn octet(text: &str) -> Option<u8> {
    whole(text).and_then(|number| u8::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_parse_within_their_bounds() {
        assert_eq!("184".parse(), Ok(TosOctet(Tos(184))));
        assert_eq!("0".parse(), Ok(TosOctet(Tos(0))));
        assert_eq!("0xb8".parse(), Ok(TosOctet(Tos(184))));
        assert_eq!("0X0A".parse(), Ok(TosOctet(Tos(10))));
        assert_eq!("1".parse(), Ok(Ttl(1)));
        assert_eq!("255".parse(), Ok(Ttl(255)));
        assert_eq!("65535".parse(), Ok(Ssid(65_535)));
        for bad in ["256", "-1", "", "0x100", "0x", "0x+1", "+1"] {
            assert!(
                bad.parse::<TosOctet>()
                    .unwrap_err()
                    .to_string()
                    .contains("0 to 255"),
                "{bad}"
            );
            assert!(
                bad.parse::<Ttl>()
                    .unwrap_err()
                    .to_string()
                    .contains("1 to 255"),
                "{bad}"
            );
        }
        assert!(
            "ef".parse::<TosOctet>()
                .unwrap_err()
                .to_string()
                .contains("--dscp")
        );
        assert!("0".parse::<Ttl>().is_err());
        for bad in ["0", "65536", "", "x"] {
            assert!(
                bad.parse::<Ssid>()
                    .unwrap_err()
                    .to_string()
                    .contains("1 to 65535"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_label_is_a_key_and_anything() {
        for (text, key, value) in [
            ("site=lab", "site", "lab"),
            ("a.b-c_1=", "a.b-c_1", ""),
            ("k=a=b c", "k", "a=b c"),
        ] {
            assert_eq!(
                text.parse(),
                Ok(Label {
                    key: key.into(),
                    value: value.into()
                }),
                "{text}"
            );
        }
        for bad in ["site", "=lab", "", "a b=c", "ä=1"] {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
    }
}
