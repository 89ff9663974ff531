//! Time along the bottom of a picture, in UTC.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::canvas::{Anchor, Area, Canvas, Label, Size, text_width};
use super::data::PictureSession;
use super::num;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From one round time to the next. Nanoseconds.
const STEPS: [i64; 34] = [
    SECOND / 1000,
    SECOND / 500,
    SECOND / 200,
    SECOND / 100,
    SECOND / 50,
    SECOND / 20,
    SECOND / 10,
    SECOND / 5,
    SECOND / 2,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
    3650 * DAY,
];

/// The time that all charts over time share. Nanoseconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeAxis {
    start: i64,
    span: i64,
}

impl TimeAxis {
    /// From the first column of all sessions to the last; `None` if none has a column.
    pub(super) fn of(sessions: &[PictureSession]) -> Option<Self> {
        let axes = sessions.iter().filter_map(Self::of_one);
        axes.reduce(Self::and)
    }

    pub(super) fn of_one(session: &PictureSession) -> Option<Self> {
        let length = num::nanoseconds(session.width) * num::place(session.columns.len());
        Some(Self::between(
            origin(session)?,
            origin(session)?.saturating_add(num::whole(length)),
        ))
    }

    /// As long as both.
    pub(crate) fn and(self, other: Self) -> Self {
        let end = |axis: Self| axis.start.saturating_add(axis.span);
        Self::between(self.start.min(other.start), end(self).max(end(other)))
    }

    fn between(start: i64, end: i64) -> Self {
        Self {
            start,
            span: end.saturating_sub(start).max(1),
        }
    }

    /// `16:00:00 to 16:10:00, 2026-11-23, UTC`.
    pub(super) fn words(self) -> String {
        let step = if self.span < MINUTE {
            SECOND / 1000
        } else {
            SECOND
        };
        let time = |at: i64| clock(at, step);
        let end = self.start.saturating_add(self.span);
        format!("{} to {}, {}", time(self.start), time(end), self.days())
    }

    /// Where the columns of a session are: the left edge of the first, and the width of each, in
    /// pixels.
    pub(super) fn columns(self, session: &PictureSession, plot: Area) -> (f64, f64) {
        let scale = plot.width / num::float(self.span);
        let first = origin(session).unwrap_or(self.start);
        (
            plot.x + num::difference(first, self.start) * scale,
            num::nanoseconds(session.width) * scale,
        )
    }

    /// Where a moment is on a plot: at its edges what is before or behind it.
    pub(super) fn x(self, at: i64, plot: Area) -> f64 {
        let share = num::difference(at, self.start) / num::float(self.span);
        plot.x + plot.width * share.clamp(0.0, 1.0)
    }

    /// Faint lines through a plot.
    pub(super) fn grid(self, canvas: &mut Canvas, plot: Area) {
        for (at, _) in self.ticks(plot.width) {
            let x = plot.x + plot.width * at;
            canvas.line((x, plot.y), (x, plot.bottom()), "grid");
        }
    }

    /// Times under a plot, and the day; gives the lower edge.
    pub(super) fn labels(self, canvas: &mut Canvas, plot: Area, top: f64) -> f64 {
        for (at, text) in self.ticks(plot.width) {
            let x = plot.x + plot.width * at;
            let half = text_width(&text, Size::Plain) / 2.0;
            if x - half < plot.x - 30.0 || x + half > plot.right() + 12.0 {
                continue;
            }
            canvas.line((x, top), (x, top + 4.0), "frame");
            canvas.text(Label {
                // Nothing is beside the plot on a page: the last text ends where it does.
                x: x.min(plot.right() - half),
                y: top + 17.0,
                anchor: Anchor::Middle,
                size: Size::Plain,
                class: "dim",
                text: &text,
            });
        }
        canvas.text(Label {
            x: plot.right(),
            y: top + 33.0,
            anchor: Anchor::End,
            size: Size::Plain,
            class: "dim",
            text: &self.days(),
        });
        top + 38.0
    }

    /// The day or the days, and the zone.
    pub(super) fn days(self) -> String {
        let first = day(self.start);
        let last = day(self.start.saturating_add(self.span - 1));
        if first == last {
            format!("{first}, UTC")
        } else {
            format!("{first} to {last}, UTC")
        }
    }

    /// Shares of the width, and what to write there.
    fn ticks(self, width: f64) -> Vec<(f64, String)> {
        let room = |step: i64| {
            let label = clock(DAY - step.min(DAY), step);
            text_width(&label, Size::Plain) + 22.0
        };
        let fits = |step: &i64| num::float(*step) / num::float(self.span) * width >= room(*step);
        let step = STEPS.into_iter().find(fits).unwrap_or(3650 * DAY);
        let past = self.start.rem_euclid(step);
        let mut at = if past == 0 {
            Some(self.start)
        } else {
            self.start.checked_add(step - past)
        };
        let mut ticks = Vec::new();
        while let Some(tick) = at.filter(|tick| tick.saturating_sub(self.start) <= self.span) {
            let share = num::difference(tick, self.start) / num::float(self.span);
            ticks.push((share, clock(tick, step)));
            at = tick.checked_add(step).filter(|_| ticks.len() < 100);
        }
        ticks
    }
}

/// When each column of a session begins: to the second, or all to the millisecond where one is between seconds.
pub(super) fn moments(session: &PictureSession) -> impl Iterator<Item = String> {
    let starts = session.columns.iter().map(|column| column.start.unix_ns());
    let is_fine = starts.clone().any(|start| start % SECOND != 0);
    let step = if is_fine { SECOND / 1000 } else { SECOND };
    starts.map(move |start| clock(start, step))
}

fn origin(session: &PictureSession) -> Option<i64> {
    let first = session.columns.first()?;
    Some(first.start.unix_ns())
}

fn day(unix_ns: i64) -> String {
    let time = civil(unix_ns);
    format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day())
}

/// The time of day as a step of the axis wants it; a date at midnight.
fn clock(unix_ns: i64, step: i64) -> String {
    let time = civil(unix_ns);
    if step >= DAY || (unix_ns.rem_euclid(DAY) == 0 && step >= MINUTE) {
        return format!("{:02}-{:02}", time.month(), time.day());
    }
    let minutes = format!("{:02}:{:02}", time.hour(), time.minute());
    if step >= MINUTE {
        return minutes;
    }
    let seconds = format!("{minutes}:{:02}", time.second());
    if step >= SECOND {
        return seconds;
    }
    format!("{seconds}.{:03}", time.subsec_nanosecond() / 1_000_000)
}

fn civil(unix_ns: i64) -> jiff::civil::DateTime {
    let time = Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    Offset::UTC.to_datetime(time)
}
