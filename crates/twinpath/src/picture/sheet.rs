//! One picture with all charts of a run, and each chart by itself for the page.

use super::canvas::{Anchor, Canvas, Label, Size, fitted, wrapped};
use super::data::Picture;
use super::times::TimeAxis;
use super::{Theme, cdf, smoke, theme, variation};

/// Width of a picture in pixels.
pub(super) const WIDTH: f64 = 960.0;
/// Around all.
pub(super) const MARGIN: f64 = 20.0;

/// All charts as one SVG document, in UTF-8.
pub(crate) fn svg(picture: &Picture, theme: Theme) -> String {
    let mut canvas = Canvas::new("tp", WIDTH - 2.0 * MARGIN);
    let mut y = heading(&mut canvas, &picture.title, &picture.subtitle);
    y = match TimeAxis::of(&picture.sessions) {
        Some(time) => {
            y = smoke::draw(&mut canvas, picture, time, y) + 16.0;
            let after = cdf::draw(&mut canvas, picture, y);
            y = if after > y { after + 16.0 } else { y };
            variation::draw(&mut canvas, picture, time, y)
        }
        None => nothing(&mut canvas, y),
    };
    let style = theme::sheet(theme);
    canvas
        .framed(MARGIN)
        .finish(y, &picture.title, &about(picture), &style)
}

/// The charts of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chart {
    Smoke,
    Distribution,
    Variation,
}

/// One chart as an element for a page; `None` if there is nothing to show.
pub(super) fn chart(picture: &Picture, chart: Chart, prefix: &str, width: f64) -> Option<String> {
    let mut canvas = Canvas::new(prefix, width);
    let time = TimeAxis::of(&picture.sessions);
    let (bottom, title) = match chart {
        Chart::Smoke => (
            smoke::draw(&mut canvas, picture, time?, 0.0),
            "Round trip over time",
        ),
        Chart::Distribution => (
            cdf::draw(&mut canvas, picture, 0.0),
            "Distribution of delays",
        ),
        Chart::Variation => (
            variation::draw(&mut canvas, picture, time?, 0.0),
            "One-way variation over time",
        ),
    };
    (bottom > 0.0).then(|| canvas.finish(bottom, title, &about(picture), ""))
}

pub(super) fn heading(canvas: &mut Canvas, title: &str, subtitle: &str) -> f64 {
    canvas.text(Label {
        x: 0.0,
        y: 18.0,
        anchor: Anchor::Start,
        size: Size::Title,
        class: "",
        text: &fitted(title, Size::Title, canvas.width()),
    });
    let mut y = 24.0;
    for line in wrapped(subtitle, Size::Plain, canvas.width(), 3) {
        y += 16.0;
        canvas.text(Label {
            x: 0.0,
            y,
            anchor: Anchor::Start,
            size: Size::Plain,
            class: "dim",
            text: &line,
        });
    }
    y + 14.0
}

/// A run about which nothing is known.
fn nothing(canvas: &mut Canvas, top: f64) -> f64 {
    canvas.text(Label {
        x: 0.0,
        y: top + 30.0,
        anchor: Anchor::Start,
        size: Size::Heading,
        class: "dim",
        text: "Nothing to show: no packet has a known fate yet.",
    });
    top + 60.0
}

/// All sessions in words, for those who cannot see them.
fn about(picture: &Picture) -> String {
    let sessions = picture.sessions.iter().map(|session| {
        let one_way = variation::summary(session);
        let separator = if one_way.is_empty() {
            ""
        } else {
            "; one way: "
        };
        let name = match session.name.as_str() {
            "" => String::new(),
            name => format!("{name}: "),
        };
        format!("{name}{}{separator}{one_way}.", smoke::summary(session))
    });
    sessions.collect::<Vec<_>>().join(" ")
}
