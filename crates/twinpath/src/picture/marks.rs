//! Events of clocks, timestamps and the reflector, as marks across a chart.

use twinpath_metrics::Marks;

use super::canvas::{Anchor, Area, Canvas, Label, Size, text_width};
use super::data::PictureSession;
use super::steps::Grid;

/// The height of the row that the names of marks stand in.
pub(super) const ROW: f64 = 15.0;

/// Marks of each column: those of the timeline, and the reflector's steps that the model of the
/// clocks found.
pub(super) fn of(session: &PictureSession) -> Vec<Marks> {
    let columns = session.columns.iter();
    // If nothing was sent, the gap itself is drawn.
    let mut marks: Vec<Marks> = columns
        .map(|column| Marks {
            not_sent: column.marks.not_sent && column.sent > 0,
            ..column.marks
        })
        .collect();
    let steps = session.clocks.iter().flat_map(|clocks| &clocks.far_steps);
    for step in steps {
        let place = session
            .columns
            .partition_point(|column| column.start <= step.at);
        if let Some(mark) = place.checked_sub(1).and_then(|place| marks.get_mut(place)) {
            mark.far_step = true;
        }
    }
    marks
}

/// Whether there is anything to name.
pub(super) fn any(marks: &[Marks]) -> bool {
    marks.iter().any(|mark| name(*mark).is_some())
}

/// Lines across the plot, with their names in a row above it where there is room.
pub(super) fn draw(canvas: &mut Canvas, marks: &[Marks], grid: &Grid<'_>) {
    let plot = grid.plot;
    let mut free_from = f64::NEG_INFINITY;
    let mut before = None;
    for (place, mark) in (0..).map(f64::from).zip(marks) {
        let named = name(*mark);
        let begun = named.is_some() && named != before;
        before.clone_from(&named);
        let Some(text) = named.filter(|_| begun) else {
            continue;
        };
        let (left, right) = grid.edges(place);
        let x = f64::midpoint(left, right).min(plot.right());
        canvas.line((x, plot.y - 3.0), (x, plot.bottom()), "mark");
        let width = text_width(&text, Size::Plain);
        let start = (x - 4.0).min(plot.right() - width).max(plot.x - 40.0);
        if start >= free_from {
            canvas.text(Label {
                x: start,
                y: plot.y - 6.0,
                anchor: Anchor::Start,
                size: Size::Plain,
                class: "mark-text",
                text: &text,
            });
            free_from = start + width + 8.0;
        }
    }
}

/// A thin line at the bottom where timestamps came from a lower rung.
pub(super) fn rungs(canvas: &mut Canvas, marks: &[Marks], grid: &Grid<'_>) {
    for (place, mark) in (0..).map(f64::from).zip(marks) {
        if mark.lower_rung {
            let (left, right) = grid.edges(place);
            let area = Area {
                x: left,
                y: grid.plot.bottom() - 3.0,
                width: right - left,
                height: 3.0,
            };
            canvas.rect(area, "rung");
        }
    }
}

/// In words; `None` for what needs none.
pub(super) fn name(mark: Marks) -> Option<String> {
    let names = [
        (mark.clock_step, "sender clock step"),
        (mark.suspended, "host suspended"),
        (mark.source_change, "source address changed"),
        (mark.far_step, "reflector clock step"),
        (mark.restart, "reflector restart"),
        (mark.not_sent, "packets not sent"),
        (mark.ttl_change, "TTL changed"),
        (mark.remarked, "remarked"),
    ];
    let names: Vec<&str> = names
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
