//! The round trip over time, as smoke: the median, the bands that hold the middle half, nine in ten
//! and all packets of a column, and what was lost.

use std::fmt::Write as _;

use twinpath_metrics::{Column, Marks, Smoke};

use super::canvas::{Anchor, Area, Canvas, Label, Size, text_width};
use super::data::{Picture, PictureSession};
use super::heading::heading;
use super::key::{Entry, Swatch};
use super::losses::{Loss, losses, stretches, strip};
use super::scale::{Axis, Range};
use super::steps::Grid;
use super::theme::LOSS_CLASSES;
use super::times::{TimeAxis, moments};
use super::{alarms, key, marks, num, values};
use crate::output::units::{self, percent};

/// Height of the strip of losses.
const STRIP: f64 = 11.0;

/// What is drawn of a column from one value to another.
type Pick = fn(&Smoke) -> (i64, i64);
/// How it is drawn, its name, its values.
type Band = (&'static str, &'static str, Pick);

const BANDS: [Band; 3] = [
    ("smoke-1", "all", |smoke| (smoke.min_ns, smoke.max_ns)),
    ("smoke-2", "5 to 95%", |smoke| (smoke.p5_ns, smoke.p95_ns)),
    ("smoke-3", "middle half", |smoke| {
        (smoke.p25_ns, smoke.p75_ns)
    }),
];

/// Draws the chart of each session, one below the other on the same scales; gives the lower edge.
pub(super) fn draw(canvas: &mut Canvas, picture: &Picture, time: TimeAxis, top: f64) -> f64 {
    let sessions = &picture.sessions;
    let height = match sessions.len() {
        0..=1 => 240.0,
        2..=3 => 160.0,
        _ => 110.0,
    };
    let axis = axis(sessions, height);
    let bands = bands(sessions);
    let left = gutter(&axis);
    let lossy = sessions.iter().any(|session| session.lost > 0);
    canvas.text(Label {
        x: 0.0,
        y: top + 15.0,
        anchor: Anchor::Start,
        size: Size::Heading,
        class: "",
        text: "Round trip over time",
    });
    let width = canvas.width();
    let mut y = key::draw(
        canvas,
        &entries(sessions, &bands, &axis),
        (0.0, width),
        top + 22.0,
    );
    let last = sessions.len().saturating_sub(1);
    for (number, session) in sessions.iter().enumerate() {
        let marks = marks::of(session);
        let losses = losses(session);
        y += 4.0;
        y = heading(canvas, &session.name, &summary(session), y);
        if marks::any(&marks) {
            y += marks::ROW;
        }
        let plot = Area {
            x: left,
            y,
            width: canvas.width() - left - 1.0,
            height,
        };
        let (first, width) = time.columns(session, plot);
        let grid = Grid {
            plot,
            first,
            width,
            axis: &axis,
            hanging: false,
            whole: false,
        };
        chart(canvas, (session, &losses), &bands, &grid, (&marks, time));
        y = plot.bottom();
        if lossy {
            y += 7.0;
            canvas.text(Label {
                x: grid.plot.x - 6.0,
                y: y + 9.5,
                anchor: Anchor::End,
                size: Size::Plain,
                class: "dim",
                text: "loss",
            });
            strip(canvas, &losses, &grid, (y, STRIP));
            y += STRIP;
        }
        y = alarms::draw(canvas, &session.alarms, (time, plot), y);
        if number == last {
            y = time.labels(canvas, plot, y + 1.0);
        } else {
            y += 10.0;
        }
    }
    y
}

/// The room that an axis wants at the left.
pub(super) fn gutter(axis: &Axis) -> f64 {
    let widths = axis
        .ticks
        .iter()
        .map(|tick| text_width(&tick.label, Size::Plain));
    widths.fold(46.0, f64::max) + 8.0
}

/// Lines and numbers of an axis at the left of a plot.
pub(super) fn value_axis(canvas: &mut Canvas, grid: &Grid<'_>) {
    let plot = grid.plot;
    let mut free = f64::INFINITY;
    for tick in &grid.axis.ticks {
        let y = grid.y(tick.at);
        canvas.line((plot.x, y), (plot.right(), y), "grid");
        let shared = grid.hanging && tick.at == 0.0;
        if (free - y).abs() >= 13.0 && !shared {
            canvas.text(Label {
                x: plot.x - 6.0,
                y: y + 4.0,
                anchor: Anchor::End,
                size: Size::Plain,
                class: "dim",
                text: &tick.label,
            });
            free = y;
        }
    }
}

/// In words: for the heading, and for those who cannot see the chart.
pub(super) fn summary(session: &PictureSession) -> String {
    let loss = match (session.sent, session.lost) {
        (0, _) => "no finished packet".to_owned(),
        (sent, lost) if session.incomplete => {
            format!("loss unknown ({lost} of {sent} sent; others could not be sent)")
        }
        (_, 0) => "no loss".to_owned(),
        (sent, lost) => format!("{} lost ({lost} of {sent})", percent(lost, sent)),
    };
    let delays = session.round_trip.as_ref().and_then(|delays| {
        let of = |ns: Option<i64>| ns.map(|ns| values::delay(num::float(ns)));
        let p95 = if delays.count() >= 20 {
            format!(", p95 {}", of(delays.quantile(0.95))?)
        } else {
            String::new()
        };
        Some(format!("median {}{p95}, ", of(delays.median())?))
    });
    let alarms = match session.alarms.len() {
        0 => String::new(),
        count => format!(", {}", units::count(count as u64, "alarm", "alarms")),
    };
    format!("{}{loss}{alarms}", delays.unwrap_or_default())
}

/// Column by column, what is in it.
fn chart(
    canvas: &mut Canvas,
    (session, losses): (&PictureSession, &[Loss]),
    bands: &[Band],
    grid: &Grid<'_>,
    (marks, time): (&[Marks], TimeAxis),
) {
    let columns = &session.columns;
    time.grid(canvas, grid.plot);
    value_axis(canvas, grid);
    delays(canvas, (columns, losses), bands, grid, true);
    beyond(canvas, columns, grid);
    marks::rungs(canvas, marks, grid);
    marks::draw(canvas, marks, grid);
    frame(canvas, grid.plot);
    let described = moments(session).zip(columns).zip(marks);
    for (place, ((moment, column), mark)) in (0..).map(f64::from).zip(described) {
        let area = grid.stretch(place, place + 1.0);
        canvas.hover(area, &describe(moment, column, *mark));
    }
}

/// Bands, the median, and what takes the place of both. `named`: by name.
pub(super) fn delays(
    canvas: &mut Canvas,
    (columns, losses): (&[Column], &[Loss]),
    bands: &[Band],
    grid: &Grid<'_>,
    named: bool,
) {
    let pick = |values: Pick| -> Vec<Option<(f64, f64)>> {
        let smokes = columns.iter().map(|column| column.round_trip);
        let pairs = smokes.map(|smoke| smoke.map(|smoke| values(&smoke)));
        pairs
            .map(|pair| pair.map(|(low, high)| (num::float(low), num::float(high))))
            .collect()
    };
    for (class, _, values) in bands {
        grid.band(canvas, &pick(*values), class);
    }
    stretches(canvas, losses, grid, named);
    let medians: Vec<Option<f64>> = columns
        .iter()
        .map(|column| column.round_trip.map(|smoke| num::float(smoke.median_ns)))
        .collect();
    grid.line(canvas, &medians, "median");
    for (class, name) in (0..).zip([
        "lossy lossy-1",
        "lossy lossy-2",
        "lossy lossy-3",
        "lossy lossy-4",
    ]) {
        let of_class = medians.iter().zip(losses);
        let of_class = of_class.map(|(median, loss)| median.filter(|_| *loss == Loss::Some(class)));
        grid.line(canvas, &of_class.collect::<Vec<_>>(), name);
    }
}

/// The two lines that hold a plot.
pub(super) fn frame(canvas: &mut Canvas, plot: Area) {
    canvas.line((plot.x, plot.y), (plot.x, plot.bottom()), "frame");
    canvas.line(
        (plot.x, plot.bottom()),
        (plot.right(), plot.bottom()),
        "frame",
    );
}

/// A tooth at the edge for each column with packets beyond it.
fn beyond(canvas: &mut Canvas, columns: &[Column], grid: &Grid<'_>) {
    let (low, high) = (grid.axis.low(), grid.axis.high());
    for (place, column) in (0..).map(f64::from).zip(columns) {
        let Some(smoke) = column.round_trip else {
            continue;
        };
        let (left, right) = grid.edges(place);
        let x = f64::midpoint(left, right);
        if num::float(smoke.max_ns) > high {
            canvas.line((x, grid.plot.y - 1.0), (x, grid.plot.y + 7.0), "median");
        }
        if num::float(smoke.min_ns) < low {
            let bottom = grid.plot.bottom();
            canvas.line((x, bottom - 7.0), (x, bottom), "median");
        }
    }
}

/// The distinguishable bands, the outermost first: with few packets in each column, the middle nine
/// in ten are all of them.
pub(super) fn bands(sessions: &[PictureSession]) -> Vec<Band> {
    let columns = || sessions.iter().flat_map(|session| &session.columns);
    let mut bands: Vec<Band> = Vec::new();
    for band in BANDS {
        let differs = bands.last().is_none_or(|(_, _, outer)| {
            let (_, _, inner) = band;
            let mut smokes = columns().filter_map(|column| column.round_trip);
            smokes.any(|smoke| inner(&smoke) != outer(&smoke))
        });
        if differs {
            bands.push(band);
        }
    }
    bands
}

/// The key: only entries in use.
fn entries(sessions: &[PictureSession], bands: &[Band], axis: &Axis) -> Vec<Entry> {
    let columns = || sessions.iter().flat_map(|session| &session.columns);
    let smokes = || columns().filter_map(|column| column.round_trip);
    let mut entries = Vec::new();
    if smokes().next().is_some() {
        entries.push(Entry::new(Swatch::Line("median"), "median"));
    }
    if smokes().any(|smoke| smoke.count > 1) {
        for (class, text, _) in bands.iter().rev() {
            entries.push(Entry::new(Swatch::Patch(class), *text));
        }
    }
    let has = |loss| columns().any(|column| Loss::of(column) == loss);
    let classes = ["loss-1", "loss-2", "loss-3", "loss-4"];
    let mut word = "lost: ";
    for ((number, text), class) in (0..).zip(LOSS_CLASSES).zip(classes) {
        if has(Loss::Some(number)) {
            entries.push(Entry::new(Swatch::Patch(class), format!("{word}{text}")));
            word = "";
        }
    }
    if has(Loss::All) {
        entries.push(Entry::new(Swatch::Hatched("silence"), "no reply at all"));
    }
    if has(Loss::Unknown) {
        entries.push(Entry::new(Swatch::Hatched("unknown"), "not known"));
    }
    if has(Loss::Absent) {
        entries.push(Entry::new(Swatch::Hatched("absent"), "nothing sent"));
    }
    if sessions.iter().any(|session| !session.alarms.is_empty()) {
        entries.push(Entry::new(Swatch::Patch("alarm"), "alarm"));
    }
    if columns().any(|column| column.marks.lower_rung) {
        let text = "timestamps from a lower rung";
        entries.push(Entry::new(Swatch::Patch("rung"), text));
    }
    let greatest = smokes()
        .map(|smoke| num::float(smoke.max_ns))
        .max_by(f64::total_cmp);
    if let Some(greatest) = greatest.filter(|greatest| *greatest > axis.high()) {
        let text = format!("teeth: beyond the scale, up to {}", values::delay(greatest));
        entries.push(Entry::new(Swatch::None, text));
    }
    let least = smokes()
        .map(|smoke| num::float(smoke.min_ns))
        .min_by(f64::total_cmp);
    if let Some(least) = least.filter(|least| *least < axis.low()) {
        let text = format!("teeth: beyond the scale, down to {}", values::delay(least));
        entries.push(Entry::new(Swatch::None, text));
    }
    entries
}

/// One for all sessions, so that they can be compared.
fn axis(sessions: &[PictureSession], height: f64) -> Axis {
    range(sessions).map_or_else(Axis::blank, |range| Axis::linear(range, height / 36.0))
}

/// From where to where an axis of these sessions goes.
pub(super) fn range(sessions: &[PictureSession]) -> Option<Range> {
    let smokes = || {
        let columns = sessions.iter().flat_map(|session| &session.columns);
        columns.filter_map(|column| column.round_trip)
    };
    let ordinary: Vec<(f64, f64)> = smokes()
        .map(|smoke| (num::float(smoke.p5_ns), num::float(smoke.p95_ns)))
        .collect();
    let extreme: Vec<(f64, f64)> = smokes()
        .map(|smoke| (num::float(smoke.min_ns), num::float(smoke.max_ns)))
        .collect();
    Range::of(&ordinary, &extreme)
}

/// A column in words, behind the moment when it begins.
fn describe(mut text: String, column: &Column, mark: Marks) -> String {
    if column.sent == 0 && column.marks.unknown {
        text.push_str(": not known");
    } else if column.sent == 0 {
        text.push_str(": nothing sent");
    } else {
        let _ = write!(
            text,
            ": {} sent, {} lost ({})",
            column.sent,
            column.lost,
            percent(column.lost, column.sent)
        );
    }
    if let Some(smoke) = column.round_trip {
        let [median, low, high] =
            [smoke.median_ns, smoke.min_ns, smoke.max_ns].map(|ns| values::delay(num::float(ns)));
        let _ = write!(text, "; median {median}, {low} to {high}");
    }
    if let Some(name) = marks::name(mark) {
        text.push_str("; ");
        text.push_str(&name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(smoke: Smoke) -> PictureSession {
        PictureSession {
            columns: vec![Column {
                round_trip: Some(smoke),
                ..Column::silent(twinpath_wire::Wall::from_unix_ns(0))
            }],
            ..PictureSession::default()
        }
    }

    #[test]
    fn bands_that_are_the_same_in_all_columns_are_one() {
        let few = Smoke {
            count: 4,
            min_ns: 1,
            p5_ns: 1,
            p25_ns: 1,
            median_ns: 3,
            p75_ns: 5,
            p95_ns: 9,
            max_ns: 9,
        };
        let many = Smoke {
            count: 40,
            min_ns: 0,
            ..few
        };
        let names = |sessions: &[PictureSession]| {
            let bands = bands(sessions);
            bands.iter().map(|(_, name, _)| *name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[session(few)]), ["all", "middle half"]);
        let both = [session(few), session(many)];
        assert_eq!(names(&both), ["all", "5 to 95%", "middle half"]);
        let alike = Smoke { p75_ns: 9, ..few };
        assert_eq!(names(&[session(alike)]), ["all"]);
    }
}
