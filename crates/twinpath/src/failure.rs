//! How a run fails: one line, what to do about it, and the exit status.

use std::fmt;
use std::process::ExitCode;

use twinpath_report::words::is_plain;

use crate::output::check::State;
use crate::output::ends::with_zones;
use crate::output::units::shortened;
use crate::output::words::error::Remedy;

/// Characters of a line.
const MOST: usize = 600;

/// The exit status of the program; scripts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Measured, or did what was asked.
    Done,
    /// Could not measure.
    CouldNot,
    /// Bad usage.
    Usage,
    /// Measured, and every packet was lost.
    AllLost,
    /// Of `check`: the state of a monitoring plug-in.
    Checked(State),
}

impl Exit {
    /// The number.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CouldNot => 1,
            Self::Usage => 2,
            Self::AllLost => 3,
            Self::Checked(state) => state.status(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// Why there is no result, for a person and for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What happened, in one line without a full stop.
    pub(crate) line: String,
    /// What the reader can do, in one clause.
    pub(crate) remedy: Option<String>,
    /// With what the program ends.
    pub(crate) exit: Exit,
    /// What else is wrong, said before it.
    pub(crate) earlier: Vec<Self>,
}

impl Failure {
    /// The command line cannot be meant like this.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            remedy: None,
            exit: Exit::Usage,
            earlier: Vec::new(),
        }
    }

    /// It was meant well and could not be done.
    pub(crate) fn could_not(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            remedy: None,
            exit: Exit::CouldNot,
            earlier: Vec::new(),
        }
    }

    /// With what else is wrong.
    pub(crate) fn after(mut self, earlier: Vec<Self>) -> Self {
        self.earlier = earlier;
        self
    }

    /// With what to do about it.
    pub(crate) fn with_remedy(mut self, remedy: Option<impl Into<String>>) -> Self {
        self.remedy = remedy.map(Into::into);
        self
    }
}

impl<E: Remedy> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::could_not(error.to_string()).with_remedy(error.remedy())
    }
}

/// A text that quotes what is from outside, as one line of plain characters of a bounded length.
pub(crate) fn one_line(text: &str) -> String {
    // A name from outside may hold anything.
    let mut shown = String::new();
    for c in text.chars() {
        if is_plain(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    // What happened and what to do about it are at the ends.
    shortened(&shown, MOST)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.line.clone();
        if let Some(remedy) = &self.remedy {
            text.push_str("; ");
            text.push_str(remedy);
        }
        f.write_str(&one_line(&with_zones(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_whatever_it_quotes() {
        let failure =
            Failure::could_not("no host \"a\nb\u{1b}[31m\u{202e}\"").with_remedy(Some("try c"));
        assert_eq!(
            failure.to_string(),
            "no host \"a\\nb\\u{1b}[31m\\u{202e}\"; try c"
        );
    }

    #[test]
    fn a_failure_has_a_bounded_length_whatever_it_quotes() {
        for c in ["a", "b ", "\u{1b}", "ü"] {
            let quoted = c.repeat(3_000);
            let failure = Failure::could_not(format!("mesh.txt:7: {quoted}: more than 255 octets"));
            let shown = failure.with_remedy(Some("shorten it")).to_string();
            assert_eq!(shown.chars().count(), MOST, "{shown}");
            assert!(shown.starts_with("mesh.txt:7: "), "{shown}");
            assert!(
                shown.ends_with(": more than 255 octets; shorten it"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_failure_names_the_interface_of_an_address() {
        let line = "no route to [fe80::1%1]:862";
        assert_eq!(Failure::could_not(line).to_string(), with_zones(line));
        let Some(lo) = twinpath_runtime::host::interface_name(1) else {
            println!("skipped: this system does not tell the names of interfaces");
            return;
        };
        assert!(with_zones(line).ends_with(&format!("%{lo}]:862")));
    }
}
