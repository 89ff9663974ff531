//! Keys of STAMP: on a command line `HEX`, and in a file a line for each, `HEX`, `ssid N HEX` or
//! `prefix CIDR HEX`.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use twinpath_proto::stamp::{KeyScope, KeyTooShort, StampKey, StampKeys};
use zeroize::Zeroizing;

use super::file::{KeyFile, is_blank, lines};

/// Why octets are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampKeyError {
    /// Something else than digits.
    #[error("the key has a character that is not a hexadecimal digit")]
    NotHex,
    /// The last octet is half.
    #[error("the key has an odd number of hexadecimal digits")]
    OddDigits,
    /// Too few.
    #[error(transparent)]
    Short(#[from] KeyTooShort),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StampLineFault {
    /// It begins with something else.
    #[error("the line begins with neither a key nor ssid nor prefix")]
    Unknown,
    /// It ends before the key.
    #[error("the key is missing")]
    NoKey,
    /// The key does not end it.
    #[error("there is something behind the key: comments have lines of their own")]
    MoreThanKey,
    /// No SSID, or 0, which a packet without SSID has.
    #[error("the SSID is not a number from 1 to 65535")]
    Ssid,
    /// No network.
    #[error("the prefix is neither a network such as 192.0.2.0/24 nor an address")]
    Prefix,
    /// The key cannot be one.
    #[error(transparent)]
    Key(#[from] StampKeyError),
    /// The packets have a key already.
    #[error("{} is already on line {line}", scope_name(*scope))]
    Twice {
        /// Which packets.
        scope: KeyScope,
        /// Where.
        line: usize,
    },
}

/// The packets that a key is for, in words.
pub fn scope_name(scope: KeyScope) -> String {
    match scope {
        KeyScope::Default => "the key for all other packets".to_owned(),
        KeyScope::Ssid(ssid) => format!("SSID {ssid}"),
        KeyScope::Prefix(prefix) => format!("the prefix {prefix}"),
    }
}

/// A key from its hexadecimal digits.
///
/// # Errors
/// [`StampKeyError`]: what is wrong with it.
pub fn stamp_key(digits: &[u8]) -> Result<StampKey, StampKeyError> {
    twinpath_net::host::forbid_core_dumps();
    let mut octets = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    let value = |digit: u8| char::from(digit).to_digit(16).ok_or(StampKeyError::NotHex);
    for pair in digits.chunks(2) {
        let octet = pair.iter().try_fold(0, |octet, digit| {
            Ok::<_, StampKeyError>(octet << 4 | value(*digit)?)
        })?;
        octets.extend(u8::try_from(octet));
    }
    if !digits.len().is_multiple_of(2) {
        return Err(StampKeyError::OddDigits);
    }
    Ok(StampKey::new(&octets)?)
}

impl KeyFile for StampKeys {
    type Fault = StampLineFault;
    /// 100,000 keys of 32 octets for IPv6 prefixes take 12 MB.
    const MOST_OCTETS: usize = 1 << 24;

    fn parse(text: &[u8]) -> Result<Self, (usize, StampLineFault)> {
        let found = lines(text).map(|(line, octets)| {
            let (scope, digits) = key_of(octets).map_err(|fault| (line, fault))?;
            Ok((scope.canonical(), line, digits))
        });
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable_by_key(|(scope, line, _)| (*scope, *line));
        let twice = found.windows(2).filter_map(|pair| match pair {
            [(scope, line, _), (other, twice, _)] if scope == other => {
                Some((*twice, *scope, *line))
            }
            _ => None,
        });
        if let Some((twice, scope, line)) = twice.min() {
            return Err((twice, StampLineFault::Twice { scope, line }));
        }
        // Made where they stay: their number is known before the first.
        let keys = found
            .iter()
            .filter_map(|(scope, _, digits)| Some((*scope, stamp_key(digits).ok()?)));
        Ok(Self::new(keys))
    }

    fn count(&self) -> usize {
        self.len()
    }
}

/// The digits of the key of a line, and what it is for.
fn key_of(line: &[u8]) -> Result<(KeyScope, &[u8]), StampLineFault> {
    let words = line.split(|octet| is_blank(*octet));
    let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
    let (scope, digits) = match words.as_slice() {
        [b"ssid", ssid, digits] => {
            let ssid = parsed(ssid).ok_or(StampLineFault::Ssid)?;
            (KeyScope::Ssid(ssid), digits)
        }
        [b"prefix", prefix, digits] => {
            let address = || parsed::<IpAddr>(prefix).map(IpNet::from);
            let prefix = parsed(prefix).or_else(address);
            (
                KeyScope::Prefix(prefix.ok_or(StampLineFault::Prefix)?),
                digits,
            )
        }
        [b"ssid" | b"prefix"] | [b"ssid" | b"prefix", _] => return Err(StampLineFault::NoKey),
        [b"ssid" | b"prefix", ..] => return Err(StampLineFault::MoreThanKey),
        [digits] => (KeyScope::Default, digits),
        [first, ..] if stamp_key(first).is_ok() => return Err(StampLineFault::MoreThanKey),
        _ => return Err(StampLineFault::Unknown),
    };
    stamp_key(digits)?;
    Ok((scope, digits))
}

fn parsed<T: FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
