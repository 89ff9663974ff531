//! One-way variation over time: how much longer than the least a packet took, outbound and inbound
//! (PDV, RFC 5481 section 4.2), with the clocks' skew removed.
//!
//! It needs no synchronized clocks.

use twinpath_metrics::{ClockEstimate, Marks, Smoke, variation};

use super::canvas::{Anchor, Area, Canvas, Label, Size, fitted};
use super::data::{Picture, PictureSession};
use super::heading::heading;
use super::key::{Entry, Swatch};
use super::scale::{Axis, Range};
use super::smoke::{frame, gutter, value_axis};
use super::steps::Grid;
use super::times::TimeAxis;
use super::{key, marks, num, values};
use crate::output::{clocks, units};

/// Less than this is noise of the timestamps, not of the path.
const LEAST_HEIGHT: f64 = 10_000.0;

/// From the least to the greatest of a column.
fn outer(smoke: &Smoke) -> (f64, f64) {
    (num::float(smoke.min_ns), num::float(smoke.max_ns))
}

/// The middle nine in ten.
fn inner(smoke: &Smoke) -> (f64, f64) {
    (num::float(smoke.p5_ns), num::float(smoke.p95_ns))
}

/// Packets of a column with at most this variation, by linear interpolation.
fn packets_within(smoke: &Smoke, ns: f64) -> f64 {
    let known = [
        (smoke.min_ns, 0.0),
        (smoke.p5_ns, 0.05),
        (smoke.p25_ns, 0.25),
        (smoke.median_ns, 0.5),
        (smoke.p75_ns, 0.75),
        (smoke.p95_ns, 0.95),
        (smoke.max_ns, 1.0),
    ];
    let packets = num::count(smoke.count);
    let mut before = (num::float(smoke.min_ns), 0.0);
    for (value, share) in known {
        let value = num::float(value);
        if ns < value {
            let width = (value - before.0).max(1.0);
            let part = ((ns - before.0) / width).max(0.0);
            return (before.1 + (share - before.1) * part) * packets;
        }
        before = (value, share);
    }
    packets
}

/// The distribution of one direction's variation over the run.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    columns: Vec<Smoke>,
    packets: f64,
    /// The greatest variation.
    pub(super) greatest: f64,
}

impl Spread {
    fn of(columns: &[Option<Smoke>]) -> Option<Self> {
        let columns: Vec<Smoke> = columns.iter().flatten().copied().collect();
        let greatest = columns.iter().map(|column| column.max_ns).max()?;
        Some(Self {
            packets: columns.iter().map(|column| num::count(column.count)).sum(),
            greatest: num::float(greatest),
            columns,
        })
    }

    /// The share of the packets within this many nanoseconds of the least delay.
    pub(super) fn share_within(&self, ns: f64) -> f64 {
        let within = self.columns.iter().map(|column| packets_within(column, ns));
        within.sum::<f64>() / self.packets.max(1.0)
    }
}

/// Out and back.
pub(super) fn spreads(session: &PictureSession) -> [Option<Spread>; 2] {
    of(session).map(|columns| Spread::of(&columns))
}

/// Both directions of each session: out, back.
type Directions = [Vec<Option<Smoke>>; 2];

/// Draws the chart of each session; returns the lower edge. Draws nothing without one-way delays.
pub(super) fn draw(canvas: &mut Canvas, picture: &Picture, time: TimeAxis, top: f64) -> f64 {
    let sessions = &picture.sessions;
    let all: Vec<Directions> = sessions.iter().map(of).collect();
    let height = match sessions.len() {
        0..=1 => 90.0,
        2..=3 => 70.0,
        _ => 50.0,
    };
    let Some(axis) = axis(&all, height) else {
        return top;
    };
    canvas.text(Label {
        x: 0.0,
        y: top + 15.0,
        anchor: Anchor::Start,
        size: Size::Heading,
        class: "",
        text: &fitted("One-way variation over time", Size::Heading, canvas.width()),
    });
    let values = || all.iter().flatten().flatten().flatten();
    let mut entries = vec![Entry::new(Swatch::Line("forward-3"), "median")];
    // With few packets in each column, the middle nine in ten are all of them.
    let with_inner = values().any(|it| inner(it) != outer(it));
    if with_inner {
        entries.push(Entry::new(Swatch::Patch("forward-2"), "5 to 95%"));
    }
    entries.extend([
        Entry::new(Swatch::Patch("forward-1"), "all"),
        Entry::new(
            Swatch::None,
            format!("above the minimum delay; {}", skew(sessions)),
        ),
    ]);
    let greatest = values()
        .map(|it| num::float(it.max_ns))
        .max_by(f64::total_cmp);
    if let Some(greatest) = greatest.filter(|greatest| *greatest > axis.high()) {
        let text = format!("beyond the scale: up to {}", values::delay(greatest));
        entries.push(Entry::new(Swatch::None, text));
    }
    let width = canvas.width();
    let mut y = key::draw(canvas, &entries, (0.0, width), top + 22.0);
    let left = gutter(&axis);
    let last = sessions.len().saturating_sub(1);
    for (number, (session, directions)) in sessions.iter().zip(&all).enumerate() {
        let marks = marks::of(session);
        y += 4.0;
        y = heading(canvas, &session.name, &describe(session, sessions), y);
        if marks::any(&marks) {
            y += marks::ROW;
        }
        let plot = Area {
            x: left,
            y,
            width: canvas.width() - left - 1.0,
            height,
        };
        let what = (session, directions, &*marks, with_inner);
        y = chart(canvas, what, (plot, &axis), time);
        if number == last {
            y = time.labels(canvas, plot, y + 1.0);
        } else {
            y += 10.0;
        }
    }
    y
}

/// Whether the clocks' skew is still in the values.
pub(super) fn skew(sessions: &[PictureSession]) -> &'static str {
    let known = sessions.iter().filter(|session| is_skew_known(session));
    let changed =
        |session: &PictureSession| session.clocks.as_ref().is_some_and(|it| it.path_change);
    match known.count() {
        0 if sessions.iter().any(changed) => "clock skew unknown, path changed",
        0 => "clock skew unknown",
        count if count == sessions.len() => "clock skew removed",
        _ => "clock skew removed where stated",
    }
}

fn is_skew_known(session: &PictureSession) -> bool {
    session
        .clocks
        .as_ref()
        .and_then(ClockEstimate::known_skew_ppm)
        .is_some()
}

/// The heading of its chart: beside sessions whose skew is taken out, one whose skew is not known
/// says so.
fn describe(session: &PictureSession, sessions: &[PictureSession]) -> String {
    let unknown = !is_skew_known(session) && sessions.iter().any(is_skew_known);
    let unknown = unknown.then(|| "clock skew unknown".to_owned());
    let parts = [
        Some(summary(session)).filter(|text| !text.is_empty()),
        unknown,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// In words; empty if nothing is known.
pub(super) fn summary(session: &PictureSession) -> String {
    let Some(estimate) = &session.clocks else {
        return String::new();
    };
    let ways = [
        ("outbound", estimate.forward),
        ("inbound", estimate.backward),
    ];
    let ways = ways.into_iter().filter_map(|(name, way)| {
        let p95 = units::delay(way?.variation.p95_ns);
        Some(format!("{p95} {name}"))
    });
    let ways: Vec<String> = ways.collect();
    let variation = (!ways.is_empty()).then(|| format!("variation p95 {}", ways.join(", ")));
    let parts = [variation, clocks::skew(estimate)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Outbound above, inbound below, both from the line between them.
fn chart(
    canvas: &mut Canvas,
    (session, directions, marks, with_inner): (&PictureSession, &Directions, &[Marks], bool),
    (plot, axis): (Area, &Axis),
    time: TimeAxis,
) -> f64 {
    let (first, width) = time.columns(session, plot);
    let lower = Area {
        y: plot.bottom() + 2.0,
        ..plot
    };
    let both = Area {
        height: lower.bottom() - plot.y,
        ..plot
    };
    time.grid(canvas, both);
    let names = [
        (
            "outbound",
            ["forward-1", "forward-2", "forward-3"],
            "forward-text halo",
        ),
        (
            "inbound",
            ["backward-1", "backward-2", "backward-3"],
            "backward-text halo",
        ),
    ];
    for ((values, (name, classes, text)), plot) in directions.iter().zip(names).zip([plot, lower]) {
        let hanging = name == "inbound";
        let grid = Grid {
            plot,
            first,
            width,
            axis,
            hanging,
            whole: false,
        };
        value_axis(canvas, &grid);
        let [all, most, line] = classes;
        let pick = |pair: fn(&Smoke) -> (f64, f64)| -> Vec<Option<(f64, f64)>> {
            values.iter().map(|it| it.as_ref().map(pair)).collect()
        };
        grid.band(canvas, &pick(outer), all);
        if with_inner {
            grid.band(canvas, &pick(inner), most);
        }
        let medians: Vec<Option<f64>> = values
            .iter()
            .map(|it| it.map(|it| num::float(it.median_ns)))
            .collect();
        grid.line(canvas, &medians, line);
        canvas.text(Label {
            x: plot.x + 6.0,
            y: if hanging {
                plot.bottom() - 6.0
            } else {
                plot.y + 13.0
            },
            anchor: Anchor::Start,
            size: Size::Plain,
            class: text,
            text: name,
        });
    }
    let grid = Grid {
        plot: both,
        first,
        width,
        axis,
        hanging: false,
        whole: false,
    };
    marks::draw(canvas, marks, &grid);
    frame(canvas, both);
    let middle = plot.bottom() + 1.0;
    canvas.line((both.x, middle), (both.right(), middle), "frame");
    both.bottom()
}

fn axis(all: &[Directions], height: f64) -> Option<Axis> {
    let values = || all.iter().flatten().flatten().flatten();
    let ordinary: Vec<(f64, f64)> = values().map(|it| (0.0, num::float(it.p95_ns))).collect();
    let extreme: Vec<(f64, f64)> = values().map(|it| (0.0, num::float(it.max_ns))).collect();
    let range = Range::of(&ordinary, &extreme)?;
    let range = Range {
        high: range.high.max(LEAST_HEIGHT),
        ..range
    };
    Some(Axis::linear(range, height / 32.0))
}

/// Both directions of a session.
fn of(session: &PictureSession) -> Directions {
    variation(&session.columns, session.width, session.clocks.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smoke(min_ns: i64) -> Smoke {
        Smoke {
            count: 5,
            min_ns,
            p5_ns: min_ns,
            p25_ns: min_ns + 1,
            median_ns: min_ns + 2,
            p75_ns: min_ns + 3,
            p95_ns: min_ns + 4,
            max_ns: min_ns + 10,
        }
    }

    #[test]
    fn a_spread_is_of_all_columns_that_have_packets() {
        let values = [Some(smoke(0)), None, Some(smoke(7))];
        // What is called all begins with the least packet of the column.
        assert_eq!(outer(&smoke(7)), (7.0, 17.0));
        assert_eq!(inner(&smoke(7)), (7.0, 11.0));
        let spread = Spread::of(&values).unwrap();
        assert_eq!((spread.packets, spread.greatest), (10.0, 17.0));
        for (ns, share) in [
            (-1.0, 0.0),
            (0.0, 0.025),
            (2.0, 0.25),
            (10.0, 0.875),
            (17.0, 1.0),
        ] {
            let found = spread.share_within(ns);
            assert!((found - share).abs() < 1e-9, "{ns}: {found}");
        }
        assert!(Spread::of(&[None]).is_none());
    }
}
