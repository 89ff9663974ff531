//! The key of colours, in one or more lines above the charts: only those in use.

use super::canvas::{Anchor, Area, Canvas, Label, Size, text_width};

/// The symbol before the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swatch {
    /// A piece of line.
    Line(&'static str),
    /// A patch.
    Patch(&'static str),
    /// A patch in a pattern.
    Hatched(&'static str),
    /// Nothing.
    None,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) swatch: Swatch,
    pub(super) text: String,
}

impl Entry {
    pub(super) fn new(swatch: Swatch, text: impl Into<String>) -> Self {
        Self {
            swatch,
            text: text.into(),
        }
    }
}

const SWATCH: f64 = 20.0;
const GAP: f64 = 14.0;
const LINE: f64 = 19.0;

/// Draws entries from `top` on between `left` and `right`; returns the lower edge.
pub(super) fn draw(
    canvas: &mut Canvas,
    entries: &[Entry],
    (left, right): (f64, f64),
    top: f64,
) -> f64 {
    let (mut x, mut y) = (left, top);
    for entry in entries {
        let swatch = if entry.swatch == Swatch::None {
            0.0
        } else {
            SWATCH + 5.0
        };
        let width = swatch + text_width(&entry.text, Size::Plain);
        if x > left && x + width > right {
            x = left;
            y += LINE;
        }
        let patch = Area {
            x,
            y: y + 4.0,
            width: SWATCH,
            height: 11.0,
        };
        match entry.swatch {
            Swatch::Line(class) => {
                canvas.line((x, y + 9.5), (x + SWATCH, y + 9.5), class);
            }
            Swatch::Patch(class) => canvas.rect(patch, class),
            Swatch::Hatched(pattern) => canvas.hatched(patch, pattern),
            Swatch::None => {}
        }
        canvas.text(Label {
            x: x + swatch,
            y: y + 13.5,
            anchor: Anchor::Start,
            size: Size::Plain,
            class: "dim",
            text: &entry.text,
        });
        x += width + GAP;
    }
    if entries.is_empty() { top } else { y + LINE }
}
