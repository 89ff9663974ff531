//! Percentiles as a table; on narrow screens without the columns that are missed least.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use twinpath_metrics::DelayFigures;

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
struct Row {
    name: String,
    cells: Vec<String>,
}

/// Rows that a table of these sessions has, its heading with them.
pub(super) fn height(sessions: usize) -> u16 {
    match sessions {
        0 | 1 => 4,
        many => u16::try_from(many + 1).unwrap_or(u16::MAX),
    }
}

/// Round trip and both directions of a single session; of several the round trips and losses.
pub(super) fn draw(sessions: &[Session], area: Rect, buffer: &mut Buffer) {
    let (heads, rows): (Vec<_>, Vec<Row>) = match sessions {
        [] => return,
        [session] => (HEADS.to_vec(), of_one(session)),
        many => {
            let heads = HEADS.iter().copied().chain([LOSS]).collect();
            (heads, many.iter().map(of_several).collect())
        }
    };
    let room = area.width.saturating_sub(NAME) / CELL;
    let shown = |urgency: u8, place: usize| {
        let before = heads
            .iter()
            .enumerate()
            .filter(|(other, (_, head))| (*head, *other) < (urgency, place));
        before.count() < usize::from(room)
    };
    let width = usize::from(CELL);
    let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
        let shown = cells
            .zip(&heads)
            .enumerate()
            .filter(|(place, (_, (_, urgency)))| shown(*urgency, *place));
        let cells = shown.map(|(_, (cell, _))| format!("{cell:>width$}"));
        cells.collect::<Vec<_>>().concat()
    };
    let mut lines = vec![(
        String::new(),
        line(&mut heads.iter().map(|(head, _)| *head)),
        Theme::bold(),
    )];
    for row in &rows {
        let cells = line(&mut row.cells.iter().map(String::as_str));
        lines.push((row.name.clone(), cells, Theme::plain()));
    }
    for (y, (name, cells, style)) in (area.y..area.bottom()).zip(lines) {
        let name_width = usize::from(NAME.min(area.width));
        buffer.set_stringn(area.x, y, name, name_width, Theme::bold());
        if area.width > NAME {
            let left = usize::from(area.width - NAME);
            buffer.set_stringn(area.x + NAME, y, cells, left, style);
        }
    }
}

fn of_one(session: &Session) -> Vec<Row> {
    let figures = &session.figures;
    let delays = |delay: Option<&DelayFigures>| {
        let values = delay.map(|delay| {
            [
                delay.min_ns,
                delay.median_ns,
                delay.p95_ns,
                delay.p99_ns,
                delay.max_ns,
            ]
        });
        cells(values, delay.and_then(|delay| delay.jitter_ns))
    };
    let mut rows = vec![Row {
        name: "Roundtrip".to_owned(),
        cells: delays(figures.round_trip.as_ref()),
    }];
    let clocks = session.clocks.as_ref();
    let ways = [
        (
            "Outbound",
            &figures.forward,
            clocks.and_then(|it| it.forward),
        ),
        (
            "Inbound",
            &figures.backward,
            clocks.and_then(|it| it.backward),
        ),
    ];
    for (name, raw, estimate) in ways {
        rows.push(if session.is_synchronized() {
            Row {
                name: name.to_owned(),
                cells: delays(raw.as_ref()),
            }
        } else {
            let values = estimate.map(|estimate| {
                let it = estimate.variation;
                [it.min_ns, it.median_ns, it.p95_ns, it.p99_ns, it.max_ns]
            });
            Row {
                name: format!("{name} var"),
                cells: cells(values, raw.as_ref().and_then(|delay| delay.jitter_ns)),
            }
        });
    }
    rows
}

fn of_several(session: &Session) -> Row {
    let mut cells = of_one(session)
        .into_iter()
        .next()
        .map(|row| row.cells)
        .unwrap_or_default();
    cells.push(session.loss());
    Row {
        name: session.name.clone().unwrap_or_default(),
        cells,
    }
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
