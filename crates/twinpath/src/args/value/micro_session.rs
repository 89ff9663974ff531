//! Micro-sessions (RFC 9534) as they are written on a command line.

use std::str::FromStr;

use super::quantity::number;
use crate::args::Advice;

/// A system's interface names are no longer than this, in octets.
const LONGEST_INTERFACE: usize = 15;

/// A member link of a LAG: its Micro-session ID, and its interface where that is to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: u16,
    pub(crate) interface: Option<String>,
}

/// A session that measures one, with the far end's Micro-session ID if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MicroSession {
    pub(crate) member: Member,
    pub(crate) far_id: Option<u16>,
}

impl FromStr for Member {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let (id, interface) = split(text)?;
        let id = id_of(id)?;
        Ok(Self { id, interface })
    }
}

impl FromStr for MicroSession {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let (ids, interface) = split(text)?;
        let (id, far_id) = match ids.split_once(':') {
            Some((id, far)) => (id, Some(number(far, 1..=65_535)?)),
            None => (ids, None),
        };
        let id = id_of(id)?;
        let member = Member { id, interface };
        Ok(Self { member, far_id })
    }
}

/// An ID; of a name alone, what to write.
fn id_of(text: &str) -> Result<u16, Advice> {
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_name {
        let advice = format!("an ID is missing: give ID@NAME, as in 1@{text}");
        return Err(Advice::new(advice));
    }
    number(text, 1..=65_535)
}

/// What is before the `@`, and the interface behind it.
fn split(text: &str) -> Result<(&str, Option<String>), Advice> {
    let Some((ids, interface)) = text.split_once('@') else {
        return Ok((text, None));
    };
    let fits = |c: char| c.is_ascii_graphic() && c != '/';
    if interface.is_empty() || interface.len() > LONGEST_INTERFACE || !interface.chars().all(fits) {
        return Err(Advice::new(
            "behind @ is no interface's name: see `ip link` for the members of the LAG",
        ));
    }
    Ok((ids, Some(interface.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_and_an_interface_may_follow() {
        let member = |id, interface: Option<&str>| Member {
            id,
            interface: interface.map(str::to_owned),
        };
        for (text, id, far_id, interface) in [
            ("1", 1, None, None),
            ("65535:2", 65_535, Some(2), None),
            ("7@eth1", 7, None, Some("eth1")),
            ("7:8@eth1.5", 7, Some(8), Some("eth1.5")),
        ] {
            let member = member(id, interface);
            let known = MicroSession { member, far_id };
            assert_eq!(text.parse(), Ok(known), "{text}");
        }
        assert_eq!("7@eth1".parse(), Ok(member(7, Some("eth1"))));
        for (text, part) in [
            ("0", "use 1 to 65535"),
            ("1:0", "use 1 to 65535"),
            ("65536@eth0", "use 1 to 65535"),
            ("@eth0", "use 1 to 65535"),
            ("eth1", "give ID@NAME, as in 1@eth1"),
            ("1@", "no interface's name"),
            ("1@a/b", "no interface's name"),
            ("1@interface-name-x", "no interface's name"),
        ] {
            let error = text.parse::<MicroSession>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!("1:2".parse::<Member>().is_err());
    }
}
