//! A session's name, and what sums it up: beside it, or below it where there is no room.

use super::canvas::{Anchor, Canvas, Label, Size, fitted, text_width, wrapped};

const LINE: f64 = 16.0;
/// Between the last line and what follows.
const GAP: f64 = 12.0;

/// Draws both; gives the lower edge.
pub(super) fn heading(canvas: &mut Canvas, name: &str, summary: &str, top: f64) -> f64 {
    let width = canvas.width();
    let name = fitted(name, Size::Heading, width);
    let beside = match text_width(&name, Size::Heading) {
        0.0 => 0.0,
        used => used + 10.0,
    };
    let fits = beside + text_width(summary, Size::Plain) <= width;
    let mut y = top + LINE - 1.0;
    if !name.is_empty() {
        canvas.text(Label {
            x: 0.0,
            y,
            anchor: Anchor::Start,
            size: Size::Heading,
            class: "",
            text: &name,
        });
    }
    let (start, lines) = if fits {
        (beside, vec![summary.to_owned()])
    } else {
        if !name.is_empty() {
            y += LINE;
        }
        (0.0, wrapped(summary, Size::Plain, width, 3))
    };
    let mut gap = 0.0;
    for line in &lines {
        y += gap;
        canvas.text(Label {
            x: start,
            y,
            anchor: Anchor::Start,
            size: Size::Plain,
            class: "dim",
            text: line,
        });
        gap = LINE;
    }
    y + GAP
}
