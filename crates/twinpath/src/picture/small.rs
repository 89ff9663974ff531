//! A session among many: its delays and losses over time in a few pixels, and the key to them.

use super::canvas::{Area, Canvas};
use super::data::Tile;
use super::key::{self, Entry, Swatch};
use super::losses::{losses, strip};
use super::scale::Axis;
use super::smoke::{bands, delays};
use super::steps::Grid;
use super::theme::LOSS_CLASSES;
use super::times::TimeAxis;
use super::values;

/// Between the delays and the strip of losses.
const GAP: f64 = 2.0;

/// Delays, and losses in a strip of this height below them.
pub(super) fn draw(
    canvas: &mut Canvas,
    tile: &Tile,
    axis_of_time: TimeAxis,
    (area, strip_height): (Area, f64),
) {
    let axis = axis(tile).unwrap_or_else(Axis::blank);
    let plot = Area {
        height: area.height - strip_height - GAP,
        ..area
    };
    let (first, width) = axis_of_time.columns(&tile.session, plot);
    let grid = Grid {
        plot,
        first,
        width,
        axis: &axis,
        hanging: false,
        whole: true,
    };
    let losses = losses(&tile.session);
    let bands = bands(std::slice::from_ref(&tile.session));
    let columns = &tile.session.columns;
    delays(canvas, (columns, &losses), &bands, &grid, false);
    strip(canvas, &losses, &grid, (plot.bottom() + GAP, strip_height));
}

/// From where to where its delays are drawn, in words.
pub(super) fn scale(tile: &Tile) -> Option<String> {
    let axis = axis(tile)?;
    let low = match axis.low() {
        0.0 => "0".to_owned(),
        low => values::delay(low),
    };
    Some(format!("{low} to {}", values::delay(axis.high())))
}

fn axis(tile: &Tile) -> Option<Axis> {
    tile.range.map(|range| Axis::linear(range, 2.0))
}

/// All that a small chart may have; gives the lower edge.
pub(super) fn key(canvas: &mut Canvas, top: f64) -> f64 {
    let mut entries = vec![
        Entry::new(Swatch::Line("median"), "median round trip"),
        Entry::new(Swatch::Patch("smoke-3"), "middle half"),
        Entry::new(Swatch::Patch("smoke-2"), "5 to 95%"),
        Entry::new(Swatch::Patch("smoke-1"), "all"),
    ];
    let classes = ["loss-1", "loss-2", "loss-3", "loss-4"];
    let words = ["lost: ", "", "", ""];
    for ((class, word), share) in classes.into_iter().zip(words).zip(LOSS_CLASSES) {
        let text = format!("{word}{share}");
        entries.push(Entry::new(Swatch::Patch(class), text));
    }
    entries.extend([
        Entry::new(Swatch::Hatched("silence"), "no reply at all"),
        Entry::new(Swatch::Hatched("absent"), "nothing sent"),
        Entry::new(Swatch::Hatched("unknown"), "not known"),
    ]);
    let width = canvas.width();
    key::draw(canvas, &entries, (0.0, width), top)
}
