//! When alarms were active, as bars under a chart on the same time: a line for each name. A bar begins with a thick edge
//! and ends with one, as far as that is within the time of the chart: that of an alarm that is active has no end.

use super::canvas::{Anchor, Area, Canvas, Label, Size, text_width};
use super::times::TimeAxis;
use crate::output::ShownAlarm;

/// Lines at most; the last one has all other names.
const MOST_LINES: usize = 4;
/// Height of a line.
const LINE: f64 = 17.0;
/// Height of a bar.
const BAR: f64 = 14.0;
/// Between the chart and the first line.
const GAP: f64 = 6.0;
/// The least width of a bar.
const LEAST_WIDTH: f64 = 3.0;
/// What a name takes at its sides.
const PADDING: f64 = 5.0;

/// A bar of a line.
struct Bar<'a> {
    alarm: &'a ShownAlarm,
    area: Area,
}

/// Draws them from `top` on, below a plot; gives the lower edge.
pub(super) fn draw(
    canvas: &mut Canvas,
    alarms: &[ShownAlarm],
    (time, plot): (TimeAxis, Area),
    top: f64,
) -> f64 {
    let lines = lines(alarms);
    if lines.is_empty() {
        return top;
    }
    let mut y = top + GAP;
    canvas.text(Label {
        x: plot.x - 6.0,
        y: y + 11.0,
        anchor: Anchor::End,
        size: Size::Plain,
        class: "dim",
        text: "alarm",
    });
    for line in lines {
        let mut bars: Vec<Bar<'_>> = line
            .into_iter()
            .map(|alarm| bar(alarm, (time, plot), y))
            .collect();
        bars.sort_by(|one, other| one.area.x.total_cmp(&other.area.x));
        draw_line(canvas, &bars, plot);
        y += LINE;
    }
    y
}

/// The alarms of each line: by name, the first ones by the alphabet have a line of their own.
fn lines(alarms: &[ShownAlarm]) -> Vec<Vec<&ShownAlarm>> {
    let mut names: Vec<&str> = alarms.iter().map(|alarm| &*alarm.name).collect();
    names.sort_unstable();
    names.dedup();
    let mut lines: Vec<Vec<&ShownAlarm>> = vec![Vec::new(); names.len().min(MOST_LINES)];
    for alarm in alarms {
        let place = names.partition_point(|name| *name < &*alarm.name);
        if let Some(line) = lines.get_mut(place.min(MOST_LINES - 1)) {
            line.push(alarm);
        }
    }
    lines
}

fn bar(alarm: &ShownAlarm, (time, plot): (TimeAxis, Area), y: f64) -> Bar<'_> {
    let from = time.x(alarm.from.unix_ns(), plot);
    let to = alarm.to.map(|to| time.x(to.unix_ns(), plot));
    let to = to.unwrap_or(plot.right()).max(from + LEAST_WIDTH);
    let to = to.min(plot.right());
    // The last ones are no narrower than others.
    let x = from.min(to - LEAST_WIDTH).max(plot.x);
    Bar {
        alarm,
        area: Area {
            x,
            y,
            width: to - x,
            height: BAR,
        },
    }
}

/// The bars of a line from left to right, with their names inside or beside them, where there is room.
fn draw_line(canvas: &mut Canvas, bars: &[Bar<'_>], plot: Area) {
    for Bar { alarm, area } in bars {
        canvas.rect(*area, "alarm");
        let (left, right) = (area.x, area.right());
        if left > plot.x {
            canvas.line((left, area.y), (left, area.bottom()), "alarm-edge");
        }
        if alarm.to.is_some() && right < plot.right() {
            canvas.line((right, area.y), (right, area.bottom()), "alarm-edge");
        }
    }
    let mut before = "";
    // From there on nothing is drawn yet.
    let mut free = plot.x;
    for (number, Bar { alarm, area }) in bars.iter().enumerate() {
        let next = bars.get(number + 1);
        let next = next.map_or(plot.right() + PADDING, |next| next.area.x);
        let width = text_width(&alarm.name, Size::Plain);
        let is_new = before != alarm.name;
        let inside = area.x.max(free) + PADDING;
        let beside = area.right().max(free) + PADDING;
        let x = if inside + width + PADDING <= area.right().min(next) {
            Some(inside)
        } else if is_new && beside + width + PADDING <= next {
            Some(beside)
        } else if is_new && free + width + 2.0 * PADDING <= area.x {
            Some(area.x - PADDING - width)
        } else {
            None
        };
        free = free.max(area.right());
        if let Some(x) = x {
            free = free.max(x + width);
            before = &alarm.name;
            canvas.text(Label {
                x,
                y: area.y + 11.0,
                anchor: Anchor::Start,
                size: Size::Plain,
                class: "",
                text: &alarm.name,
            });
        }
    }
    for Bar { alarm, area } in bars {
        canvas.hover(*area, &alarm.about);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roxmltree::Document;
    use twinpath_metrics::Column;
    use twinpath_wire::Wall;

    use super::*;
    use crate::picture::PictureSession;

    const PLOT: Area = Area {
        x: 50.0,
        y: 0.0,
        width: 600.0,
        height: 100.0,
    };

    fn at(s: i64) -> Wall {
        Wall::from_unix_ns(s * 1_000_000_000)
    }

    fn alarm(name: &str, from_s: i64, to_s: Option<i64>) -> ShownAlarm {
        ShownAlarm {
            name: name.to_owned(),
            about: format!("{name} <{from_s}>"),
            from: at(from_s),
            to: to_s.map(at),
        }
    }

    /// A pixel is a second, from 1,000 s on.
    fn drawn(alarms: &[ShownAlarm]) -> (String, f64) {
        let session = PictureSession {
            columns: (0..60)
                .map(|place| Column::silent(at(1_000 + 10 * place)))
                .collect(),
            width: Duration::from_secs(10),
            ..PictureSession::default()
        };
        let mut canvas = Canvas::new("a", 660.0);
        let bottom = draw(&mut canvas, alarms, (session.time().unwrap(), PLOT), 100.0);
        (canvas.finish(bottom, "", "", ""), bottom)
    }

    /// Left edge, top and width of elements of a class.
    fn places(svg: &str, class: &str) -> Vec<[f64; 3]> {
        let document = Document::parse(svg).unwrap();
        let nodes = document.descendants();
        let nodes = nodes.filter(|node| node.attribute("class") == Some(class));
        nodes
            .map(|node| ["x", "y", "width"].map(|it| node.attribute(it).unwrap().parse().unwrap()))
            .collect()
    }

    #[test]
    fn bars_are_at_their_times_on_a_line_for_each_name() {
        let alarms = [
            alarm("slow", 1_100, Some(1_200)),
            alarm("dead", 900, Some(1_010)),
            alarm("slow", 1_300, None),
            // Shorter than a pixel, and at the end.
            alarm("dead", 1_400, Some(1_400)),
            alarm("dead", 1_600, None),
        ];
        let (svg, bottom) = drawn(&alarms);
        let [dead, slow] = [106.0, 123.0];
        let expected = [
            [50.0, dead, 10.0],
            [450.0, dead, 3.0],
            [647.0, dead, 3.0],
            [150.0, slow, 100.0],
            [350.0, slow, 300.0],
        ];
        assert_eq!(places(&svg, "alarm"), expected, "{svg}");
        assert_eq!(places(&svg, "hit"), expected);
        assert!(svg.contains("<title>slow &lt;1100&gt;</title>"), "{svg}");
        // One began before the time, two go on.
        assert_eq!(svg.matches("alarm-edge").count(), 4 + 3);
        assert!((bottom - 140.0).abs() < 0.01, "{bottom}");
        assert_eq!(svg.matches(">slow<").count(), 2);
        assert_eq!(svg.matches(">dead<").count(), 1);
    }

    #[test]
    fn nothing_takes_no_room_and_many_names_take_four_lines() {
        assert!((drawn(&[]).1 - 100.0).abs() < 0.01);
        let names: Vec<String> = (0..30).map(|number| format!("alert {number:02}")).collect();
        let alarms: Vec<ShownAlarm> = names
            .iter()
            .map(|name| alarm(name, 1_100, Some(1_200)))
            .collect();
        let (svg, bottom) = drawn(&alarms);
        assert_eq!(places(&svg, "alarm").len(), 30);
        assert!((bottom - (106.0 + 4.0 * LINE)).abs() < 0.01, "{bottom}");
        for name in &names[..3] {
            assert!(svg.contains(&format!(">{name}<")), "{name}");
        }
    }
}
