//! A picture of many sessions: the worst of them, each drawn small.

use super::canvas::{Anchor, Area, Canvas, Label, Size, fitted, wrapped};
use super::data::{Overview, Tile};
use super::sheet::{MARGIN, WIDTH, heading};
use super::{Theme, num, small, theme};

/// The most that a picture has.
pub(crate) const MOST_TILES: usize = 48;
/// Side by side.
const COLUMNS: usize = 4;
const GAP: f64 = 20.0;
const LINE: f64 = 16.0;
/// Of a drawing, and of the strip of losses in it.
const HEIGHT: f64 = 62.0;
const STRIP: f64 = 8.0;

/// The worst sessions as one SVG document. `worst`: by rank.
pub(crate) fn svg_of_many(overview: &Overview, worst: &[Tile], theme: Theme) -> String {
    let mut canvas = Canvas::new("tp", WIDTH - 2.0 * MARGIN);
    let mut y = heading(&mut canvas, &overview.title, &overview.subtitle);
    for sentence in &overview.summary {
        for line in wrapped(sentence, Size::Plain, canvas.width(), 3) {
            y = text(&mut canvas, (0.0, y), Size::Plain, "", &line);
        }
    }
    y = text(
        &mut canvas,
        (0.0, y + 8.0),
        Size::Heading,
        "",
        &which(overview, worst.len()),
    );
    if let Some(time) = overview.time {
        let line = format!("Round trips from {}, each on its scale", time.words());
        y = text(&mut canvas, (0.0, y), Size::Plain, "dim", &line);
    }
    y = small::key(&mut canvas, y + 2.0) + 8.0;
    let width = (canvas.width() - GAP * num::place(COLUMNS - 1)) / num::place(COLUMNS);
    for row in worst.chunks(COLUMNS) {
        let mut bottom = y;
        for (place, tile) in row.iter().enumerate() {
            let x = num::place(place) * (width + GAP);
            let area = Area {
                x,
                y,
                width,
                height: HEIGHT,
            };
            bottom = draw(&mut canvas, overview, tile, area);
        }
        y = bottom + GAP - 6.0;
    }
    let names = worst
        .iter()
        .map(|tile| format!("{}: {}, {}.", tile.session.name, tile.loss, tile.delay));
    let about: Vec<String> = overview.summary.iter().cloned().chain(names).collect();
    let style = theme::sheet(theme);
    canvas
        .framed(MARGIN)
        .finish(y, &overview.title, &about.join(" "), &style)
}

/// What is shown, in words.
fn which(overview: &Overview, shown: usize) -> String {
    let all = overview.sessions;
    if shown < all {
        format!("The worst {shown} of {all} sessions, by loss, then by the p99 of the round trip")
    } else {
        format!("{all} sessions, worst first: by loss, then by the p99 of the round trip")
    }
}

/// One of them: its name, its drawing, and what it came to.
fn draw(canvas: &mut Canvas, overview: &Overview, tile: &Tile, area: Area) -> f64 {
    let Area { x, width, .. } = area;
    let line = |canvas: &mut Canvas, y, size, class, words: &str| {
        text(canvas, (x, y), size, class, &fitted(words, size, width))
    };
    let mut y = line(canvas, area.y, Size::Heading, "", &tile.session.name) + 6.0;
    if let Some(time) = overview.time {
        small::draw(canvas, tile, time, (Area { y, ..area }, STRIP));
        y += HEIGHT;
        canvas.line((x, y + 2.0), (x + width, y + 2.0), "frame");
    }
    y = line(canvas, y + 2.0, Size::Plain, "", &tile.loss);
    y = line(canvas, y, Size::Plain, "", &tile.delay);
    let scale = small::scale(tile).map_or_else(String::new, |scale| format!("scale {scale}"));
    line(canvas, y, Size::Plain, "dim", &scale)
}

/// A line of text; gives its lower edge.
fn text(
    canvas: &mut Canvas,
    (x, y): (f64, f64),
    size: Size,
    class: &'static str,
    words: &str,
) -> f64 {
    canvas.text(Label {
        x,
        y: y + LINE - 2.0,
        anchor: Anchor::Start,
        size,
        class,
        text: words,
    });
    y + LINE
}
