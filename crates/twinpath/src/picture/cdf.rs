//! The distribution of delays: the share of packets that came back within a time. Lost packets have
//! an infinite delay (RFC 7679 section 5.1), so with loss a curve ends below 100 %.

use twinpath_metrics::Distribution;

use super::canvas::{Anchor, Area, Canvas, Label, Path, Size, fitted, text_width};
use super::data::{Picture, PictureSession};
use super::key::{Entry, Swatch};
use super::scale::{Axis, Range};
use super::theme::session_curve;
use super::variation::{Spread, skew, spreads};
use super::{key, num, values};
use crate::output::units::percent;

/// Of letters, above their base line.
const HEIGHT: f64 = 11.0;
/// Packets that have a middle.
const MIDDLE: u64 = 2;
/// A scale is logarithmic when the greatest value is this many times the least.
const WIDE: f64 = 8.0;
/// The start of a logarithmic scale if values are 0 or less, in nanoseconds.
const LEAST: f64 = 100.0;
/// Shares with a line.
const SHARES: [(f64, &str); 5] = [
    (0.0, "0%"),
    (0.25, "25%"),
    (0.5, "50%"),
    (0.75, "75%"),
    (1.0, "100%"),
];

/// A round trip that has a curve.
struct Trip<'a> {
    session: &'a PictureSession,
    values: &'a Distribution,
    class: &'static str,
    least: f64,
    greatest: f64,
}

/// Draws the distributions; returns the lower edge. A single session has a chart of its one-way
/// variation beside that of the round trip, or below it if there is no room.
pub(super) fn draw(canvas: &mut Canvas, picture: &Picture, top: f64) -> f64 {
    let sessions = &picture.sessions;
    let trips: Vec<Trip<'_>> = sessions
        .iter()
        .enumerate()
        .filter_map(|(number, session)| trip(number, session))
        .collect();
    if trips.is_empty() {
        return top;
    }
    let one = match sessions.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    let width = canvas.width();
    let beside = width > 600.0 && one.is_some();
    let left = Area {
        x: 0.0,
        y: top,
        width: if beside { (width - 24.0) / 2.0 } else { width },
        height: 0.0,
    };
    let bottom = round_trips(canvas, left, &trips, one.is_some());
    let Some(session) = one else {
        return bottom;
    };
    let area = if beside {
        Area {
            x: left.right() + 24.0,
            ..left
        }
    } else {
        Area {
            y: bottom + 12.0,
            ..left
        }
    };
    one_way(canvas, area, session).map_or(bottom, |lower| lower.max(bottom))
}

fn trip(number: usize, session: &PictureSession) -> Option<Trip<'_>> {
    let values = session.round_trip.as_ref()?;
    Some(Trip {
        session,
        least: num::float(values.min_ns()?),
        greatest: num::float(values.max_ns()?),
        values,
        class: session_curve(number),
    })
}

/// `labelled`: its percentiles are named on the curve.
fn round_trips(canvas: &mut Canvas, area: Area, trips: &[Trip<'_>], labelled: bool) -> f64 {
    let entries: Vec<Entry> = if labelled {
        trips.iter().filter_map(never_came_back).collect()
    } else {
        trips.iter().map(entry).collect()
    };
    let heading = "Share of packets back within a time";
    let plot = open(canvas, area, heading, &entries);
    let least = trips
        .iter()
        .map(|trip| trip.least)
        .fold(f64::INFINITY, f64::min);
    let greatest = trips.iter().map(|trip| trip.greatest);
    let range = Range {
        low: least,
        high: greatest.fold(f64::NEG_INFINITY, f64::max),
    };
    let small = if least > 0.0 { least } else { LEAST };
    let axis = axis(range, small, plot.width);
    axes(canvas, plot, &axis);
    for trip in trips {
        curve(canvas, plot, &axis, trip);
        if labelled {
            percentiles(canvas, plot, &axis, trip);
        }
    }
    plot.bottom() + 24.0
}

/// Each direction against its own least delay, as the chart over time has it.
fn one_way(canvas: &mut Canvas, area: Area, session: &PictureSession) -> Option<f64> {
    let both = spreads(session);
    let greatest = both.iter().flatten().map(|spread| spread.greatest);
    let greatest = greatest.max_by(f64::total_cmp)?;
    // It begins at 0, which has no logarithm: the first twentieth may be cut off.
    let small = both.iter().flatten().map(twentieth);
    let small = small.min_by(f64::total_cmp)?;
    let entries = [
        Entry::new(Swatch::Line("curve forward-3"), "outbound"),
        Entry::new(Swatch::Line("curve backward-3 dash-1"), "inbound"),
        Entry::new(Swatch::None, skew(std::slice::from_ref(session))),
    ];
    let plot = open(canvas, area, "Share within a one-way variation", &entries);
    let range = Range {
        low: 0.0,
        high: greatest,
    };
    let axis = axis(range, small.max(LEAST), plot.width);
    axes(canvas, plot, &axis);
    let classes = ["curve forward-3", "curve backward-3 dash-1"];
    for (spread, class) in both.iter().zip(classes) {
        if let Some(spread) = spread {
            let mut path = Path::default();
            path.move_to(plot.x, plot.bottom());
            for pixel in 0..=num::places(plot.width) {
                let share = num::place(pixel) / plot.width;
                let within = spread.share_within(axis.value(share));
                path.line_to(
                    plot.x + plot.width * share,
                    plot.bottom() - plot.height * within,
                );
            }
            canvas.path(&path, class);
        }
    }
    Some(plot.bottom() + 24.0)
}

/// A variation that about one packet in twenty does not exceed.
fn twentieth(spread: &Spread) -> f64 {
    let mut ns = spread.greatest;
    for _ in 0..40 {
        if spread.share_within(ns / 2.0) < 0.05 {
            break;
        }
        ns /= 2.0;
    }
    ns
}

fn entry(trip: &Trip<'_>) -> Entry {
    let session = trip.session;
    let lost = match session.lost {
        0 => String::new(),
        lost => format!(
            " ({} lost{})",
            percent(lost, session.sent),
            of_sent(session)
        ),
    };
    let name = fitted(&session.name, Size::Plain, 160.0);
    Entry::new(Swatch::Line(trip.class), format!("{name}{lost}"))
}

/// The reference of a share, if more was due than was sent.
fn of_sent(session: &PictureSession) -> &'static str {
    if session.incomplete {
        " of those sent"
    } else {
        ""
    }
}

fn never_came_back(trip: &Trip<'_>) -> Option<Entry> {
    let session = trip.session;
    let text = format!(
        "{} never came back{}",
        percent(session.lost, session.sent),
        of_sent(session)
    );
    (session.lost > 0).then(|| Entry::new(Swatch::Line("end lossy-3"), text))
}

/// Heading and key; gives the room for the plot.
fn open(canvas: &mut Canvas, area: Area, heading: &str, entries: &[Entry]) -> Area {
    canvas.text(Label {
        x: area.x,
        y: area.y + 15.0,
        anchor: Anchor::Start,
        size: Size::Heading,
        class: "",
        text: &fitted(heading, Size::Heading, area.width),
    });
    let top = key::draw(canvas, entries, (area.x, area.right()), area.y + 22.0);
    // Charts side by side begin at the same height.
    let top = if entries.is_empty() { top + 19.0 } else { top };
    let gutter = text_width("100%", Size::Plain) + 8.0;
    Area {
        x: area.x + gutter,
        y: top + 8.0,
        width: area.width - gutter - 14.0,
        height: 180.0,
    }
}

fn axes(canvas: &mut Canvas, plot: Area, axis: &Axis) {
    for (share, text) in SHARES {
        let y = plot.bottom() - plot.height * share;
        let class = if share == 0.0 { "frame" } else { "grid" };
        canvas.line((plot.x, y), (plot.right(), y), class);
        canvas.text(Label {
            x: plot.x - 6.0,
            y: y + 4.0,
            anchor: Anchor::End,
            size: Size::Plain,
            class: "dim",
            text,
        });
    }
    canvas.line((plot.x, plot.y), (plot.x, plot.bottom()), "frame");
    let mut free = f64::NEG_INFINITY;
    for tick in &axis.ticks {
        let x = plot.x + plot.width * axis.share(tick.at);
        canvas.line((x, plot.y), (x, plot.bottom()), "grid");
        let half = text_width(&tick.label, Size::Plain) / 2.0;
        if x - half >= free && x + half <= plot.right() + 14.0 {
            canvas.text(Label {
                x,
                y: plot.bottom() + 17.0,
                anchor: Anchor::Middle,
                size: Size::Plain,
                class: "dim",
                text: &tick.label,
            });
            free = x + half + 10.0;
        }
    }
}

/// From 0 on the left to the share that came back on the right; the lost share is dotted, to the
/// top.
fn curve(canvas: &mut Canvas, plot: Area, axis: &Axis, trip: &Trip<'_>) {
    let sent = trip.values.count().saturating_add(trip.session.lost);
    let sent = num::count(sent.max(1));
    let y = |packets: u64| plot.bottom() - plot.height * (num::count(packets) / sent).min(1.0);
    let x = |ns: f64| plot.x + plot.width * axis.share(ns.clamp(trip.least, trip.greatest));
    let parts = trip.values.histogram().parts(trip.values.reference_ns());
    let reference = num::float(parts.reference_ns.unwrap_or(0));
    let mut path = Path::default();
    path.move_to(plot.x, plot.bottom());
    let mut below = 0_u64;
    let mut drawn = (f64::NEG_INFINITY, f64::INFINITY);
    for bin in &parts.bins {
        let left = (x(num::float(bin.lower_ns) + reference), y(below));
        below = below.saturating_add(bin.count);
        let right = (x(num::float(bin.upper_ns) + reference), y(below));
        // Steps too small to see are left out.
        if right.0 - drawn.0 >= 0.7 || drawn.1 - right.1 >= 0.7 {
            path.line_to(left.0, left.1);
            path.line_to(right.0, right.1);
            drawn = right;
        }
    }
    path.line_to(x(trip.greatest), y(below));
    path.across_to(plot.right());
    canvas.path(&path, trip.class);
    if trip.session.lost > 0 {
        let right = plot.right();
        canvas.line((right, y(below)), (right, plot.y), "end lossy-3");
    }
}

/// Dots with their labels. There is room to the right of a curve and below it.
fn percentiles(canvas: &mut Canvas, plot: Area, axis: &Axis, trip: &Trip<'_>) {
    let lost = trip.session.lost;
    let sent = trip.values.count().saturating_add(lost);
    let names = if lost > 0 {
        ["50% of all sent", "95% of all sent", "99% of all sent"]
    } else {
        ["median", "p95", "p99"]
    };
    // With fewer packets, a percentile is just the maximum.
    let places = [(0.5, MIDDLE), (0.95, 20), (0.99, 100)];
    let mut taken: Vec<Area> = Vec::new();
    for ((p, packets), name) in places.into_iter().zip(names) {
        let value = match packets {
            MIDDLE => trip.values.median_with_loss(lost),
            _ => trip.values.quantile_with_loss(p, lost),
        };
        let Some(ns) = value.filter(|_| sent >= packets) else {
            continue;
        };
        let x = plot.x + plot.width * axis.share(num::float(ns));
        let y = plot.bottom() - plot.height * p;
        canvas.dot(x, y, "dot-1");
        let text = format!("{name} {}", values::delay(num::float(ns)));
        let width = text_width(&text, Size::Plain);
        let curve = |x| curve_at(plot, axis, trip, x);
        let free = free_place(plot, (x, y), width, &taken, curve);
        let Some((x, y)) = free else {
            continue;
        };
        taken.push(Area {
            x,
            y,
            width,
            height: 0.0,
        });
        canvas.text(Label {
            x,
            y,
            anchor: Anchor::Start,
            size: Size::Plain,
            class: "halo",
            text: &text,
        });
    }
}

/// Where there is room for what a dot says: beside it or some lines lower, and not on the curve.
fn free_place(
    plot: Area,
    (x, y): (f64, f64),
    width: f64,
    taken: &[Area],
    curve: impl Fn(f64) -> f64,
) -> Option<(f64, f64)> {
    let aside = [x + 9.0, plot.right() - width - 3.0, x - 9.0 - width];
    let lines = |lines: std::ops::Range<u8>| {
        let lines = lines.map(|line| y + 14.0 + 15.0 * f64::from(line));
        lines.flat_map(|y| aside.map(|x| (x, y)))
    };
    // Left of a steep curve.
    let left = [4.0, 19.0, 34.0]
        .into_iter()
        .flat_map(|lower| [9.0, 24.0, 39.0].map(|apart| (x - apart - width, y + lower)));
    let mut wishes = lines(0..3).chain(left).chain(lines(3..8));
    wishes.find(|(x, y)| {
        let apart = taken
            .iter()
            .all(|other| x + width < other.x || *x > other.right() || (y - other.y).abs() > 13.0);
        let inside = *x >= plot.x && x + width <= plot.right() && *y <= plot.bottom() - 4.0;
        // It rises to the right: what is below it at the left end is below it all along.
        let below = y - HEIGHT > curve(x - 2.0);
        let above = y + 4.0 < curve(x + width + 2.0);
        apart && inside && (below || above)
    })
}

/// Where the curve is at `x`.
fn curve_at(plot: Area, axis: &Axis, trip: &Trip<'_>, x: f64) -> f64 {
    let sent = trip.values.count().saturating_add(trip.session.lost);
    let ns = axis.value((x - plot.x) / plot.width);
    let within = num::count(trip.values.at_most(num::whole(ns))) / num::count(sent.max(1));
    plot.bottom() - plot.height * within
}

/// `small`: what a logarithmic scale begins with. Below it, and below 0 by the error of timestamps,
/// values stand at its end.
fn axis(range: Range, small: f64, width: f64) -> Axis {
    if small > 0.0 && range.high > small * WIDE && range.high > -range.low * WIDE {
        let range = Range {
            low: small * 0.9,
            ..range
        };
        return Axis::logarithmic(range);
    }
    Axis::linear(range, width / 75.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_dots_overlap_neither_curves_nor_each_other() {
        let plot = Area {
            x: 40.0,
            y: 30.0,
            width: 300.0,
            height: 180.0,
        };
        // Steep at first, or at last, or even: then dots are near the left edge, or near the right.
        for power in [0.05, 0.3, 1.0, 4.0, 30.0] {
            let share = |x: f64| ((x - plot.x) / plot.width).clamp(0.0, 1.0).powf(power);
            let curve = |x: f64| plot.bottom() - plot.height * share(x);
            let mut taken: Vec<Area> = Vec::new();
            for (p, width) in [(0.5_f64, 118.0), (0.95, 110.0), (0.99, 122.0)] {
                let dot = (
                    plot.x + plot.width * p.powf(1.0 / power),
                    plot.bottom() - plot.height * p,
                );
                let (x, y) = free_place(plot, dot, width, &taken, curve).unwrap();
                for pixel in 0..=122 {
                    let at = x + f64::from(pixel).min(width);
                    assert!(curve(at) < y - HEIGHT || curve(at) > y, "{power} {p}");
                }
                let label = Area {
                    x,
                    y,
                    width,
                    height: 0.0,
                };
                for other in &taken {
                    let beside = x > other.right() || label.right() < other.x;
                    assert!(beside || (y - other.y).abs() > 13.0, "{power} {p}");
                }
                assert!(x >= plot.x && label.right() <= plot.right() && y < plot.bottom());
                taken.push(label);
            }
        }
    }
}
