//! A list of sessions on the screen: what is remarkable in words, then a row for each.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use twinpath_metrics::{Coverage, Figures};
use twinpath_runtime::measure::{PacketGroup, Progress, RecentPackets};

use super::chart::{DEAD, EIGHTHS, SILENT, Scale};
use super::draw::{self, put, stress, take, take_last, widest};
use super::list::Sort;
use super::scene::Scene;
use super::theme::Theme;
use crate::output::summary::{self, Direction};
use crate::output::{UNKNOWN, units};

/// Columns of a name, at least and as long as other columns want room.
const LEAST_NAME: usize = 12;
const NAME: usize = 24;
/// Marks of a history, at least.
const LEAST_HISTORY: usize = 8;
/// Some packets of a group were lost.
const LOSSY: &str = "!";

/// The list as plain data.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// What the rows are.
    pub(super) head: &'static str,
    /// What is remarkable.
    pub(super) words: String,
    /// A line below the rows is needed, for a warning or an event.
    pub(super) has_fact: bool,
    /// Lost, and lost or answered, of the latest packets of all sessions.
    pub(super) now: (u64, u64),
    /// The loss of a session is unknown.
    pub(super) is_unknown: bool,
    pub(super) sort: Sort,
    pub(super) search: String,
    pub(super) is_typing: bool,
    /// Sessions of the run, and those that the search finds.
    pub(super) all: usize,
    pub(super) matching: usize,
    /// The place of the first row among these.
    pub(super) first: usize,
    /// The row that is selected, from the first.
    pub(super) selected: usize,
    pub(super) shown: Vec<Row>,
}

/// A session as a row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) progress: Progress,
    /// At most some seconds old; `None`: not known yet.
    pub(super) figures: Option<RowFigures>,
    pub(super) is_unknown: bool,
    /// When the last answered packet was sent, if nothing came back after it.
    pub(super) silent_since: Option<String>,
}

/// What a row has of the figures of a session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowFigures {
    pub(super) median_ns: Option<i64>,
    pub(super) p99_ns: Option<i64>,
    pub(super) jitter_ns: Option<i64>,
    pub(super) direction: Option<Direction>,
    coverage: Coverage,
}

impl RowFigures {
    pub(super) fn of(figures: &Figures) -> Self {
        let delay = figures.round_trip.as_ref();
        let jitter = delay.and_then(|delay| delay.jitter_ns);
        Self {
            median_ns: delay.map(|delay| delay.median_ns),
            p99_ns: delay.map(|delay| delay.p99_ns),
            jitter_ns: jitter.and_then(|ns| i64::try_from(ns).ok()),
            direction: summary::direction_of(figures),
            coverage: Coverage::of(figures, 0, 0),
        }
    }
}

/// Whether more than a few packets that were due were not sent, so that the loss is unknown.
pub(super) fn is_incomplete(progress: &Progress, figures: Option<&RowFigures>) -> bool {
    let coverage = figures.map(|figures| figures.coverage).unwrap_or_default();
    !Coverage {
        unmeasured_blocks: coverage.unmeasured_blocks,
        ..progress.coverage()
    }
    .is_complete()
}

/// A column of the list.
struct Column {
    head: &'static str,
    /// At least; 0: it is only there where a row has something in it.
    width: usize,
    /// The greatest go first where there is no room.
    urgency: u8,
    sort: Option<Sort>,
    cell: fn(&Row) -> String,
}

/// In their order, the history after them.
const COLUMNS: [Column; 9] = [
    column("Sent", 10, 9, None, |row| row.progress.sent.to_string()),
    column("Lost", 8, 7, None, |row| row.progress.lost.to_string()),
    column("Loss", 11, 2, Some(Sort::Loss), loss),
    column("Now", 8, 0, Some(Sort::Worst), |row| {
        let (lost, all) = row.progress.recent.now();
        units::percent(lost, all)
    }),
    column("Silent since", 0, 3, None, |row| {
        row.silent_since.clone().unwrap_or_default()
    }),
    column("Last", 10, 6, None, |row| {
        delay(row.progress.last_round_trip_ns)
    }),
    column("Median", 10, 5, Some(Sort::Median), |row| {
        delay(row.figures.and_then(|figures| figures.median_ns))
    }),
    column("p99", 10, 1, Some(Sort::P99), |row| {
        delay(row.figures.and_then(|figures| figures.p99_ns))
    }),
    column("Jitter", 10, 8, Some(Sort::Jitter), |row| {
        delay(row.figures.and_then(|figures| figures.jitter_ns))
    }),
];
/// As urgent as a column.
const HISTORY: u8 = 4;

const fn column(
    head: &'static str,
    width: usize,
    urgency: u8,
    sort: Option<Sort>,
    cell: fn(&Row) -> String,
) -> Column {
    Column {
        head,
        width,
        urgency,
        sort,
        cell,
    }
}

fn delay(ns: Option<i64>) -> String {
    ns.map_or_else(|| "-".to_owned(), units::delay)
}

/// `3.25% out`.
fn loss(row: &Row) -> String {
    let Progress { lost, received, .. } = row.progress;
    if row.is_unknown {
        return UNKNOWN.to_owned();
    }
    let share = units::percent(lost, lost.saturating_add(received));
    let direction = row.figures.and_then(|figures| figures.direction);
    match direction.filter(|_| lost > 0) {
        Some(Direction::Outbound) => format!("{share} out"),
        Some(Direction::Inbound) => format!("{share} in"),
        None => share,
    }
}

/// The lines of the screen beside the rows.
#[derive(Clone, Copy, Debug)]
struct Lines {
    title: u16,
    counts: u16,
    words: u16,
    head: u16,
    fact: u16,
    keys: u16,
}

impl Lines {
    fn of(width: u16, height: u16, rows: &Rows) -> Self {
        let most = match height {
            0..8 => 0,
            8..14 => 1,
            _ => 3,
        };
        let words = words_in_lines(&rows.words, width, most).len();
        Self {
            title: u16::from(height > 3),
            counts: u16::from(height > 6),
            words: u16::try_from(words).unwrap_or(0),
            head: u16::from(height > 2),
            fact: u16::from(height > 8 && rows.has_fact),
            keys: u16::from(height > 4),
        }
    }

    fn sum(self) -> u16 {
        self.title + self.counts + self.words + self.head + self.fact + self.keys
    }
}

/// The rows that a screen of this size has room for.
pub(super) fn room(rows: &Rows, width: u16, height: u16) -> usize {
    let lines = Lines::of(width, height, rows);
    height.saturating_sub(lines.sum()).into()
}

fn words_in_lines(words: &str, width: u16, most: usize) -> Vec<String> {
    let room = usize::from(width.saturating_sub(2));
    let wrapped = units::wrapped_to(words, 2, room);
    let mut lines: Vec<String> = wrapped.lines().map(str::to_owned).collect();
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = last.chars().take(room.saturating_sub(1)).collect();
            last.push('…');
        }
    }
    lines
}

/// Draws the list, in an area that is not empty.
pub(super) fn draw(scene: &Scene, rows: &Rows, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let lines = Lines::of(area.width, area.height, rows);
    let mut rest = area;
    if lines.title > 0 {
        draw::title(scene, take(&mut rest, 1), buffer);
    }
    if lines.counts > 0 {
        let place = take(&mut rest, 1);
        draw::counts(scene, rows.now, rows.is_unknown, theme, place, buffer);
    }
    let words = take(&mut rest, lines.words);
    let said = words_in_lines(&rows.words, area.width, lines.words.into());
    for (y, line) in (words.y..).zip(&said) {
        put(buffer, words, y, &format!(" {line}"), Theme::bold());
    }
    let head = take(&mut rest, lines.head);
    if lines.keys > 0 {
        keys(scene, rows, take_last(&mut rest, 1), buffer);
    }
    let below = take_last(&mut rest, lines.fact);
    if let Some((text, style)) = draw::lines(scene, theme).first() {
        put(buffer, below, below.y, text, *style);
    }
    let layout = Layout::of(rows, area.width.into());
    if lines.head > 0 {
        layout.head(rows, head, buffer);
    }
    if rows.shown.is_empty() {
        let none = if rows.all == 0 {
            ""
        } else {
            " no session has all of that in its name, addresses, class or labels"
        };
        put(buffer, rest, rest.y, none, Theme::dim());
    }
    for (y, (place, row)) in (rest.y..rest.bottom()).zip(rows.shown.iter().enumerate()) {
        let line = Rect {
            y,
            height: 1,
            ..rest
        };
        layout.row(row, theme, line, buffer);
        if place == rows.selected {
            buffer.set_style(line, Style::new().add_modifier(Modifier::REVERSED));
        }
    }
}

/// The columns that there is room for.
struct Layout {
    name: usize,
    columns: Vec<(&'static Column, usize)>,
    history: usize,
}

impl Layout {
    fn of(rows: &Rows, width: usize) -> Self {
        // A space before the name.
        let names = rows.shown.iter().map(|row| row.name.chars().count());
        let longest = names.max().unwrap_or(0).max(rows.head.len()) + 1;
        let least = longest.clamp(LEAST_NAME, NAME.min(width / 3).max(LEAST_NAME));
        let mut left = width.saturating_sub(least);
        let wide = |column: &Column| {
            let cells = rows
                .shown
                .iter()
                .map(|row| (column.cell)(row).chars().count() + 1);
            let least = column.width.max(column.head.len() + 1);
            cells.max().unwrap_or(0).max(least)
        };
        let has_cells = |column: &Column| {
            let mut cells = rows.shown.iter().map(column.cell);
            cells.any(|cell| !cell.is_empty())
        };
        let mut order: Vec<(u8, Option<(usize, &'static Column)>)> = COLUMNS
            .iter()
            .enumerate()
            .filter(|(_, column)| column.width > 0 || has_cells(column))
            .map(|(place, column)| (column.urgency, Some((place, column))))
            .chain([(HISTORY, None)])
            .collect();
        order.sort_unstable_by_key(|(urgency, _)| *urgency);
        let (mut shown, mut history) = (Vec::new(), 0);
        for (_, column) in order {
            let wide = column.map_or(LEAST_HISTORY + 1, |(_, column)| wide(column));
            if wide > left {
                continue;
            }
            left -= wide;
            match column {
                Some((place, column)) => shown.push((place, column, wide)),
                None => history = LEAST_HISTORY,
            }
        }
        shown.sort_unstable_by_key(|(place, ..)| *place);
        let more = left.min(longest.saturating_sub(least));
        if history > 0 {
            history += (left - more).min(RecentPackets::GROUPS - LEAST_HISTORY);
        }
        Self {
            name: least + more,
            columns: shown
                .into_iter()
                .map(|(_, column, wide)| (column, wide))
                .collect(),
            history,
        }
    }

    fn head(&self, rows: &Rows, area: Rect, buffer: &mut Buffer) {
        let mut x = area.x;
        let mut text = |text: String, style| {
            let room = usize::from(area.right().saturating_sub(x));
            x = buffer.set_stringn(x, area.y, text, room, style).0;
        };
        let name = self.name;
        let sorted = |it: bool| {
            if it {
                Theme::bold().add_modifier(Modifier::UNDERLINED)
            } else {
                Theme::bold()
            }
        };
        text(" ".to_owned(), Theme::bold());
        text(rows.head.to_owned(), sorted(rows.sort == Sort::Name));
        let spaces = name.saturating_sub(1 + rows.head.len());
        text(" ".repeat(spaces), Theme::plain());
        for (column, wide) in &self.columns {
            text(" ".repeat(wide - column.head.len()), Theme::plain());
            text(
                column.head.to_owned(),
                sorted(column.sort == Some(rows.sort)),
            );
        }
        if self.history > 0 {
            text(" History".to_owned(), Theme::bold());
        }
    }

    fn row(&self, row: &Row, theme: Theme, area: Rect, buffer: &mut Buffer) {
        let width = self.name.saturating_sub(1);
        let name = format!(" {:<width$}", units::shortened(&row.name, width));
        buffer.set_stringn(area.x, area.y, name, area.width.into(), Theme::plain());
        let mut x = area.x + u16::try_from(self.name).unwrap_or(0).min(area.width);
        let (lost_now, _) = row.progress.recent.now();
        for (column, wide) in &self.columns {
            let style = match column.sort {
                Some(Sort::Worst) if lost_now > 0 => theme.loss(),
                Some(Sort::Loss) if row.progress.lost > 0 || row.is_unknown => theme.lossy(),
                _ => Theme::plain(),
            };
            let text = format!("{:>wide$}", (column.cell)(row));
            let room = usize::from(area.right().saturating_sub(x));
            x = buffer.set_stringn(x, area.y, text, room, style).0;
        }
        let history = Rect {
            x: (x + 1).min(area.right()),
            width: u16::try_from(self.history).unwrap_or(0),
            ..area
        };
        strip(
            &row.progress.recent,
            theme,
            history.intersection(area),
            buffer,
        );
    }
}

/// The latest packets: as high as their round trips, those that were lost marked.
fn strip(recent: &RecentPackets, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let groups: Vec<Option<PacketGroup>> = recent.groups().collect();
    let us = |group: &PacketGroup| i64::from(group.round_trip_us) * 1_000;
    let answered = groups.iter().flatten().filter(|group| group.received > 0);
    let values: Vec<i64> = answered.map(us).collect();
    let scale = Scale::between(
        values.iter().min().copied().unwrap_or(0),
        values.iter().max().copied().unwrap_or(0),
        None,
    );
    let skipped = groups.len().saturating_sub(area.width.into());
    for (x, group) in (area.x..area.right()).zip(groups.into_iter().skip(skipped)) {
        let (glyph, style) = match group {
            None => (" ", Theme::plain()),
            Some(PacketGroup {
                received: 0,
                lost: 0,
                ..
            }) => (SILENT, Theme::dim()),
            Some(PacketGroup { received: 0, .. }) => (DEAD, theme.loss()),
            Some(PacketGroup { lost: 1.., .. }) => (LOSSY, theme.loss()),
            Some(group) => {
                let eighths = scale.place(us(&group), 1);
                let glyph = EIGHTHS.get(usize::from(eighths)).copied();
                (glyph.unwrap_or(" "), theme.round_trip())
            }
        };
        if let Some(cell) = buffer.cell_mut((x, area.y)) {
            cell.set_symbol(glyph).set_style(style);
        }
    }
}

fn keys(scene: &Scene, rows: &Rows, area: Rect, buffer: &mut Buffer) {
    let Rows {
        search,
        all,
        matching,
        first,
        ..
    } = rows;
    let found = format!("{matching} of {all}");
    if rows.is_typing {
        let texts = vec![
            format!(" /{search}_   {found} sessions   Enter keeps it, Esc ends it"),
            format!(" /{search}_  {found}"),
            format!(" /{search}_"),
        ];
        return put(
            buffer,
            area,
            area.y,
            &widest(texts, area.width),
            Theme::bold(),
        );
    }
    let last = (first + rows.shown.len()).min(first + room(rows, area.width, buffer.area.height));
    let place = match (search.is_empty(), rows.shown.len()) {
        (false, _) => format!("/{search}: {found}"),
        (true, 0) => found,
        (true, _) => format!("{}-{last} of {all}", first + 1),
    };
    let sort = rows.sort.name();
    let pause = if scene.paused { "p go on" } else { "p pause" };
    let text = widest(
        vec![
            format!(
                " q end with the report   {pause}   Enter open   / search   s sort: {sort}   {place}"
            ),
            format!(" q end  {pause}  Enter open  / search  s sort: {sort}  {place}"),
            format!(" q end  Enter open  / search  s {sort}  {place}"),
            format!(" q end  s {sort}  {place}"),
            format!(" q end  {place}"),
            format!(" {place}"),
        ],
        area.width,
    );
    put(buffer, area, area.y, &text, Theme::dim());
    stress(
        &text,
        &format!("/{search}: "),
        "",
        Theme::bold(),
        area,
        buffer,
    );
}
