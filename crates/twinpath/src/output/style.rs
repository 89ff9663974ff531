//! Colour, for terminals whose user did not refuse it. It never carries meaning that the words do
//! not.

use std::io::IsTerminal;

/// What may be written to a stream besides plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Only text.
    pub(crate) const PLAIN: Self = Self { colour: false };

    /// Depends on the stream and the environment (`NO_COLOR`, `TERM=dumb`).
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        Self {
            colour: stream.is_terminal() && colour_wanted(),
        }
    }

    /// Whether colour may be used.
    pub(crate) const fn colour(self) -> bool {
        self.colour
    }

    /// A heading.
    pub(crate) fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A word of warning.
    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Whether the user did not refuse colour.
pub(crate) fn colour_wanted() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && !is_dumb()
}

/// Whether the terminal does not support control sequences.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_complete_without_colour() {
        assert_eq!(Style::PLAIN.warning("warning"), "warning");
        let style = Style { colour: true };
        assert_eq!(style.warning("warning"), "\u{1b}[1;33mwarning\u{1b}[0m");
    }
}
