//! The configuration file: a keyword and perhaps a value on each line.

use super::policy::split_word;
use super::statements::{Statement, statements};
use super::{Fault, Place, Remark};
use crate::args::NearEnd;

/// What of it has to do with who is served and how. `None`: not in the file.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Security modes to offer, by twampd's letters.
    pub(super) modes: Option<Placed<Letters>>,
    /// Seconds that a control connection may say nothing.
    pub(super) control_timeout_s: Option<Placed<u32>>,
    /// Seconds that a session may be without a packet.
    pub(super) test_timeout_s: Option<Placed<u32>>,
    /// Control connections; 0: any number.
    pub(super) connections: Option<Placed<u32>>,
    /// PBKDF2 iterations.
    pub(super) iterations: Option<Placed<u32>>,
    /// Local address and TCP port.
    pub(super) near: Option<Placed<String>>,
    /// UDP ports of sessions; `None`: any.
    pub(super) test_ports: Option<Placed<Option<(u16, u16)>>>,
    /// What does not go over.
    pub(super) remarks: Vec<Remark>,
}

/// Where it is written.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// The modes of `authmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Letters {
    pub(super) open: bool,
    pub(super) authenticated: bool,
    pub(super) encrypted: bool,
}

/// What needs no option here, and why or what does it instead.
const WITHOUT_OPTION: &[(&str, &str)] = &[
    ("datadir", "a server of two-way sessions stores no results"),
    (
        "dieby",
        "there are no child processes; the service manager's stop timeout is the nearest (TimeoutStopSec=)",
    ),
    (
        "diskfudge",
        "a server of two-way sessions stores no results",
    ),
    (
        "enddelay",
        "the sender's own timeout is used, which it tells the server",
    ),
    (
        "facility",
        "messages go to stderr or the journal; the nearest is --logfile",
    ),
    (
        "group",
        "the service manager chooses the group (systemd: DynamicUser=, Group=)",
    ),
    ("loglocation", "the nearest is --debug"),
    (
        "rootfolly",
        "the process drops its privileges in any case (--sandbox)",
    ),
    (
        "user",
        "the service manager chooses the user (systemd: DynamicUser=, User=)",
    ),
    (
        "vardir",
        "there is no file of the process number; the service manager knows it",
    ),
    ("verbose", "the nearest is --verbose"),
];

impl Config {
    /// That of a file.
    ///
    /// # Errors
    /// The first line with a value that twampd would refuse too.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Fault> {
        let mut config = Self::default();
        for statement in statements(file, text)? {
            config.statement(&statement).map_err(|what| Fault {
                place: statement.place,
                what,
            })?;
        }
        Ok(config)
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), String> {
        let (key, rest) = split_word(&statement.text);
        let (value, rest) = match split_word(rest) {
            (value, _) if value.starts_with('#') => ("", ""),
            words => words,
        };
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(format!("{key}: more than one value"));
        }
        let key = key.to_ascii_lowercase();
        let place = &statement.place;
        let wrong = || format!("{key} {value}: not a value of it");
        let whole = || value.parse::<u32>().map_err(|_| wrong());
        match key.as_str() {
            "authmode" => self.modes = Some(placed(letters(value).ok_or_else(wrong)?, place)),
            "controltimeout" => self.control_timeout_s = Some(placed(whole()?, place)),
            "testtimeout" => self.test_timeout_s = Some(placed(whole()?, place)),
            "maxcontrolsessions" => self.connections = Some(placed(whole()?, place)),
            "pbkdf2_count" => self.iterations = Some(placed(whole()?, place)),
            "testports" => {
                self.test_ports = Some(placed(ports(value).ok_or_else(wrong)?, place));
            }
            "srcnode" => {
                let is_end = value.parse::<NearEnd>().is_ok() && value.chars().all(is_of_end);
                let near = is_end.then(|| value.to_owned()).ok_or_else(wrong)?;
                self.near = Some(placed(near, place));
            }
            _ => {
                let known = WITHOUT_OPTION.iter().find(|(name, _)| *name == key);
                self.remarks.push(match known {
                    Some((_, why)) => Remark::note(place, format!("{key}: {why}")),
                    None => Remark::warning(
                        place,
                        format!("{key}: not known, and left out; see twinpath server --help"),
                    ),
                });
            }
        }
        Ok(())
    }
}

fn placed<T>(value: T, place: &Place) -> Placed<T> {
    Placed {
        value,
        place: place.clone(),
    }
}

/// A character of an address, a name or a port: none that a shell or systemd reads otherwise.
fn is_of_end(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '[' | ']' | '-' | '_')
}

fn letters(text: &str) -> Option<Letters> {
    let mut letters = Letters {
        open: false,
        authenticated: false,
        encrypted: false,
    };
    for letter in text.chars() {
        match letter.to_ascii_uppercase() {
            'O' => letters.open = true,
            'A' => letters.authenticated = true,
            'E' => letters.encrypted = true,
            _ => return None,
        }
    }
    (!text.is_empty()).then_some(letters)
}

/// A range, or 0 for any port.
#[expect(
    clippy::option_option,
    reason = "outside: not understood; inside: any port"
)]
fn ports(text: &str) -> Option<Option<(u16, u16)>> {
    if text == "0" {
        return Some(None);
    }
    let (low, high) = text.split_once('-')?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low > 0 && low < high).then_some(Some((low, high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::parse("c", text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_has_an_option_is_read_with_its_line() {
        let config = read(
            "# x\nauthmode ao\ncontroltimeout 60 # a minute\ntesttimeout\t30\nmaxcontrolsessions 0\n\
             pbkdf2_count 2048\nsrcnode [2001:db8::1]:8620\ntestports 8760-9960\n",
        )
        .unwrap();
        let modes = config.modes.unwrap();
        assert_eq!(modes.place.to_string(), "c:2");
        let letters = modes.value;
        assert_eq!(
            (letters.open, letters.authenticated, letters.encrypted),
            (true, true, false)
        );
        assert_eq!(config.control_timeout_s.unwrap().value, 60);
        assert_eq!(config.test_timeout_s.unwrap().value, 30);
        assert_eq!(config.connections.unwrap().value, 0);
        assert_eq!(config.iterations.unwrap().value, 2_048);
        assert_eq!(config.near.unwrap().value, "[2001:db8::1]:8620");
        assert_eq!(config.test_ports.unwrap().value, Some((8_760, 9_960)));
        assert!(config.remarks.is_empty());
        assert_eq!(read("testports 0").unwrap().test_ports.unwrap().value, None);
    }

    #[test]
    fn what_has_no_option_is_said_with_the_nearest() {
        let config = read("user twamp\nverbose\nloglocation # x\nfuture 7").unwrap();
        let said: Vec<String> = config.remarks.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "c:1: user: the service manager chooses the user (systemd: DynamicUser=, User=)",
                "c:2: verbose: the nearest is --verbose",
                "c:3: loglocation: the nearest is --debug",
                "c:4: future: not known, and left out; see twinpath server --help",
            ]
        );
        let warnings: Vec<bool> = config.remarks.iter().map(|it| it.is_warning).collect();
        assert_eq!(warnings, [false, false, false, true]);
    }

    #[test]
    fn a_value_that_cannot_be_meant_is_an_error_at_its_line() {
        for (text, said) in [
            ("authmode X", "c:1: authmode X: not a value of it"),
            ("authmode", "c:1: authmode : not a value of it"),
            ("#\ntestports 9-5", "c:2: testports 9-5: not a value of it"),
            ("testports 0-5", "c:1: testports 0-5: not a value of it"),
            (
                "testports 1-70000",
                "c:1: testports 1-70000: not a value of it",
            ),
            (
                "controltimeout -1",
                "c:1: controltimeout -1: not a value of it",
            ),
            ("srcnode a b", "c:1: srcnode: more than one value"),
            ("srcnode $(x)", "c:1: srcnode $(x): not a value of it"),
            ("srcnode :99999", "c:1: srcnode :99999: not a value of it"),
        ] {
            assert_eq!(read(text).unwrap_err(), said);
        }
    }
}
