//! Percentiles as a table; on narrow screens without the columns that are missed least.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Text;
use ratatui::widgets::{Row, Table, Widget as _};
use twinpath_metrics::{DelayFigures, OneWay};

use super::scene::Session;
use super::theme::Theme;
use crate::output::units::Unit;

/// Columns of a row's name.
const NAME: u16 = 13;
/// Columns of a cell, at least.
const CELL: u16 = 11;
/// In their order; the number tells which go first where there is no room: the greatest.
const HEADS: [(&str, u8); 6] = [
    ("Min", 3),
    ("Median", 0),
    ("p95", 4),
    ("p99", 1),
    ("Max", 2),
    ("Jitter", 5),
];
const LOSS: (&str, u8) = ("Loss", 0);

/// A row: its name and its cells.
type Named = (String, Vec<String>);

/// Rows that a table of these sessions has, its heading with them.
pub(super) fn height(sessions: usize) -> u16 {
    match sessions {
        0 | 1 => 4,
        many => u16::try_from(many + 1).unwrap_or(u16::MAX),
    }
}

/// Round trip and both directions of a single session; of several the round trips and losses.
pub(super) fn draw(sessions: &[Session], area: Rect, buffer: &mut Buffer) {
    let (heads, rows): (Vec<_>, Vec<Named>) = match sessions {
        [] => return,
        [session] => (HEADS.to_vec(), of_one(session).into()),
        many => {
            let heads = HEADS.into_iter().chain([LOSS]);
            (heads.collect(), many.iter().map(of_several).collect())
        }
    };
    let mut shown: Vec<(u8, usize)> = heads.iter().map(|(_, urgency)| *urgency).zip(0..).collect();
    shown.sort_unstable();
    shown.truncate(usize::from(area.width.saturating_sub(NAME) / CELL));
    let row = |(name, cells): Named| {
        let cells = cells.into_iter().enumerate();
        let cells = cells.filter(|(place, _)| shown.iter().any(|(_, shown)| shown == place));
        let cells = cells.map(|(_, cell)| Text::from(cell).right_aligned());
        Row::new([Text::styled(name, Theme::bold())].into_iter().chain(cells))
    };
    let heads = heads.iter().map(|(head, _)| (*head).to_owned()).collect();
    let widths = [NAME].into_iter().chain(shown.iter().map(|_| CELL));
    Table::new(rows.into_iter().map(row), widths)
        .header(row((String::new(), heads)).style(Theme::bold()))
        .column_spacing(0)
        .render(area, buffer);
}

fn of_one(session: &Session) -> [Named; 3] {
    let figures = &session.figures;
    let delays = |delay: Option<&DelayFigures>| {
        let values = delay.map(|it| [it.min_ns, it.median_ns, it.p95_ns, it.p99_ns, it.max_ns]);
        cells(values, delay.and_then(|delay| delay.jitter_ns))
    };
    let way = |name: &str, raw: Option<&DelayFigures>, estimate: Option<OneWay>| {
        if session.is_synchronized() {
            return (name.to_owned(), delays(raw));
        }
        let values = estimate.map(|estimate| {
            let it = estimate.variation;
            [it.min_ns, it.median_ns, it.p95_ns, it.p99_ns, it.max_ns]
        });
        let jitter = raw.and_then(|delay| delay.jitter_ns);
        (format!("{name} var"), cells(values, jitter))
    };
    let clocks = session.clocks.as_ref();
    let (forward, backward) = (figures.forward.as_ref(), figures.backward.as_ref());
    [
        ("Roundtrip".to_owned(), delays(figures.round_trip.as_ref())),
        way("Outbound", forward, clocks.and_then(|it| it.forward)),
        way("Inbound", backward, clocks.and_then(|it| it.backward)),
    ]
}

fn of_several(session: &Session) -> Named {
    let [(_, mut cells), ..] = of_one(session);
    cells.push(session.loss());
    (session.name.clone().unwrap_or_default(), cells)
}

/// Delays, least first, and jitter in one unit.
fn cells(values: Option<[i64; 5]>, jitter: Option<u64>) -> Vec<String> {
    let greatest = values.and_then(|values| values.map(i64::unsigned_abs).into_iter().max());
    let unit = Unit::fit(greatest.or(jitter).unwrap_or(0));
    let cell = |ns: Option<i64>| ns.map_or_else(|| "-".to_owned(), |ns| unit.delay(ns));
    let jitter = jitter.map(|ns| i64::try_from(ns).unwrap_or(i64::MAX));
    let values = values.map_or([None; 5], |values| values.map(Some));
    values.into_iter().chain([jitter]).map(cell).collect()
}
