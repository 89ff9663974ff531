//! Octets of the IP header, and labels.

use std::fmt;
use std::num::IntErrorKind;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use twinpath_report::words::is_plain;
use twinpath_wire::{Dscp, DscpError, Tos};

use super::quantity::{is_integer, listed, number, out_of_range};
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

/// STAMP Session Identifiers, from the first to the last; 0 is that of packets without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ssids(pub(crate) RangeInclusive<u16>);

impl fmt::Display for Ssids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        write!(f, "{first}")?;
        if last > first {
            write!(f, "-{last}")?;
        }
        Ok(())
    }
}

/// A label's key is no longer than this, in octets.
const LONGEST_KEY: usize = 255;
/// Its value has no more characters, as in a raw file.
const LONGEST_VALUE: usize = 4_096;

/// A remark that is carried into every output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// Letters, digits, `_`, `-` and `.`.
    pub(crate) key: String,
    /// Plain characters.
    pub(crate) value: String,
}

impl FromStr for TosOctet {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let hex = hex.filter(|hex| hex.bytes().all(|octet| octet.is_ascii_hexdigit()));
        let octet = match hex.map(|hex| u8::from_str_radix(hex, 16)) {
            Some(Ok(octet)) => octet,
            Some(Err(error)) if *error.kind() == IntErrorKind::PosOverflow => {
                return Err(out_of_range("0x00", "0xff"));
            }
            _ if text.starts_with(char::is_alphabetic) && text.parse::<Dscp>().is_ok() => {
                return Err(Advice::new("a name is a DSCP, not a ToS octet: use --dscp"));
            }
            _ => number(text, 0..=255)
                .map_err(|advice| advice.and(" or 0x00 to 0xff (a DSCP goes with --dscp)"))?,
        };
        Ok(Self(Tos(octet)))
    }
}

/// A DSCP by its name or number.
pub(in crate::args) fn dscp(text: &str) -> Result<Dscp, Advice> {
    text.parse().map_err(|error: DscpError| {
        if is_integer(text) {
            out_of_range(0, "63 or a name (see twinpath dscptable)")
        } else {
            Advice::new(error.to_string())
        }
    })
}

/// The same in a list.
pub(in crate::args) fn listed_dscp(text: &str) -> Result<Dscp, Advice> {
    listed(text)?;
    dscp(text)
}

/// What to write where the name of a DSCP is typed as a host, as behind `--dscp be `.
pub(crate) fn dscp_for_host(name: &str) -> Option<String> {
    let is_dscp = name.starts_with(char::is_alphabetic) && name.parse::<Dscp>().is_ok();
    is_dscp.then(|| format!("{name} is a DSCP: write a list without spaces, such as be,{name}"))
}

impl FromStr for Ttl {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        number(text, 1..=255).map(Self)
    }
}

impl FromStr for Ssid {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        number(text, 1..=65_535).map(Self)
    }
}

impl FromStr for Ssids {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        listed(text)?;
        let ends = text.split_once('-').filter(|(first, _)| !first.is_empty());
        let (first, last) = ends.unwrap_or((text, text));
        let ssid = |text| number(text, 0..=u16::MAX.into());
        let (first, last) = (ssid(first)?, ssid(last)?);
        if first > last {
            return Err(Advice::new(format!(
                "the lower one comes first: use {last}-{first}"
            )));
        }
        Ok(Self(first..=last))
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
        if key.len() > LONGEST_KEY || value.chars().count() > LONGEST_VALUE {
            return Err(Advice::new(format!(
                "a label has at most {LONGEST_KEY} characters before the = and {LONGEST_VALUE} after it"
            )));
        }
        if !value.chars().all(is_plain) {
            return Err(Advice::new(
                "a label has no control characters, and none that cannot be seen",
            ));
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
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
        for (text, range) in [
            ("0", 0..=0),
            ("7", 7..=7),
            ("100-199", 100..=199),
            ("9-65535", 9..=65_535),
        ] {
            assert_eq!(text.parse(), Ok(Ssids(range)), "{text}");
        }
        for (text, error) in [
            ("-1", "out of range: use 0 to 65535"),
            ("1-65536", "out of range: use 0 to 65535"),
            ("a", "not a whole number: use 0 to 65535"),
            ("5-", "not a whole number: use 0 to 65535"),
            ("9-5", "the lower one comes first: use 5-9"),
            (
                " ",
                "a value is missing at a comma: write the list without spaces",
            ),
        ] {
            let said = text.parse::<Ssids>().unwrap_err().to_string();
            assert_eq!(said, error, "{text}");
        }
        for bad in ["256", "-1", "", "0x", "0x+1", "+1"] {
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
        assert_eq!(
            "0x100".parse::<TosOctet>().unwrap_err().to_string(),
            "out of range: use 0x00 to 0xff"
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
    fn a_dscp_is_a_name_or_a_number_and_a_list_of_them_has_no_spaces() {
        for text in ["ef", "46", "0x2e", "EF", " ef"] {
            assert_eq!(dscp(text), Ok(Dscp::EF), "{text}");
            assert_eq!(listed_dscp(text), Ok(Dscp::EF), "{text}");
        }
        for (text, part) in [
            ("64", "out of range: use 0 to 63 or a name"),
            ("-1", "out of range: use 0 to 63 or a name"),
            ("99999999999", "out of range: use 0 to 63 or a name"),
            ("eff", "not a DSCP: a name (be, "),
        ] {
            let error = dscp(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert_eq!(listed_dscp(text).unwrap_err().to_string(), error);
        }
        for text in ["", " "] {
            let error = listed_dscp(text).unwrap_err().to_string();
            assert!(error.contains("write the list without spaces"), "{error}");
        }
    }

    #[test]
    fn a_label_is_a_key_and_plain_characters_of_limited_length() {
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
        let long = |key: usize, value: usize| format!("{}={}", "k".repeat(key), "ä".repeat(value));
        assert!(long(255, 4_096).parse::<Label>().is_ok());
        let bad = ["site", "=lab", "", "a b=c", "ä=1"].map(str::to_owned);
        let hidden = ["a=\u{1b}[31m", "a=b\nc", "a=\u{202e}b", "a=\u{200b}"].map(str::to_owned);
        for bad in bad
            .iter()
            .chain(&hidden)
            .chain(&[long(256, 1), long(1, 4_097)])
        {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
    }
}
