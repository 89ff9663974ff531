//! Colours of the screen: the terminal's own sixteen, or none. Glyphs carry the same meaning.

use ratatui::style::{Color, Modifier, Style};

/// What may be sent to the terminal beside plain text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    colour: bool,
}

impl Theme {
    pub(super) const fn new(colour: bool) -> Self {
        Self { colour }
    }

    pub(super) fn plain() -> Style {
        Style::new()
    }

    pub(super) fn title() -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    pub(super) fn bold() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn dim() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn round_trip(self) -> Style {
        self.paint(Color::Cyan)
    }

    pub(super) fn forward(self) -> Style {
        self.paint(Color::Green)
    }

    pub(super) fn backward(self) -> Style {
        self.paint(Color::LightBlue)
    }

    /// Delays of a column in which packets were lost.
    pub(super) fn lossy(self) -> Style {
        self.paint(Color::Yellow)
    }

    pub(super) fn loss(self) -> Style {
        self.paint(Color::LightRed)
    }

    pub(super) fn mark(self) -> Style {
        self.paint(Color::LightMagenta)
    }

    pub(super) fn warning(self) -> Style {
        self.paint(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    fn paint(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}
