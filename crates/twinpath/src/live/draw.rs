//! The screen: a title, counts, charts, percentiles, facts and keys; on small ones what fits, the
//! most urgent first.

use ratatui::buffer::Buffer;
use ratatui::layout::Constraint::{Fill, Length};
use ratatui::layout::{Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;
use twinpath_metrics::Smoke;
use twinpath_runtime::measure::Progress;

use super::chart::{self, Chart};
use super::columns::Slot;
use super::scene::{Scene, Session, Window};
use super::theme::Theme;
use super::{rows, table};
use crate::output::{UNKNOWN, units};

/// Columns of a bar of progress.
const BAR: u16 = 20;

/// Draws everything, in an area of any size, even an empty one.
pub(super) fn draw(scene: &Scene, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut rest = area.intersection(buffer.area);
    if rest.is_empty() {
        return;
    }
    if let Some(rows) = &scene.rows {
        return rows::draw(scene, rows, theme, rest, buffer);
    }
    if rest.height > 1 {
        title(scene, take(&mut rest, 1), buffer);
    }
    let sessions = scene.sessions.iter();
    let now = sessions.fold((0_u64, 0_u64), |sum, session| {
        (sum.0 + session.now.0, sum.1 + session.now.1)
    });
    let unknown = scene.sessions.iter().any(Session::is_incomplete);
    counts(scene, now, unknown, theme, take(&mut rest, 1), buffer);
    let slots = width_of_a_slot(scene, area.width);
    if rest.height > 2 {
        keys(scene, &slots, take_last(&mut rest, 1), buffer);
    }
    let lines = lines(scene, theme);
    let shown = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let shown = shown.min(match rest.height {
        0..6 => 0,
        6..9 => 1,
        9..14 => 2,
        height => height / 4,
    });
    let below = take_last(&mut rest, shown);
    for (y, (text, style)) in (below.y..below.bottom()).zip(lines) {
        put(buffer, below, y, &text, style);
    }
    let sessions = fitting(scene.sessions.len(), rest.height);
    let sessions = scene.sessions.get(..sessions).unwrap_or_default();
    let table = table::height(sessions.len());
    let spare = rest.height.saturating_sub(table);
    let needed = match sessions.len() {
        0 | 1 => 3,
        many => u16::try_from(many * 2).unwrap_or(u16::MAX),
    };
    if spare >= needed && !sessions.is_empty() {
        table::draw(sessions, take_last(&mut rest, table), buffer);
    }
    panels(sessions, theme, rest, buffer);
}

/// How many sessions are looked at on a screen of this height.
pub(super) fn sessions(height: u16) -> usize {
    usize::from(height / 2).max(1)
}

fn fitting(sessions: usize, height: u16) -> usize {
    let fit = usize::from(height / 2).max(usize::from(height > 0));
    sessions.min(fit)
}

pub(super) fn take(rest: &mut Rect, height: u16) -> Rect {
    let [first, last] = Layout::vertical([Length(height), Fill(1)]).areas(*rest);
    *rest = last;
    first
}

pub(super) fn take_last(rest: &mut Rect, height: u16) -> Rect {
    let [first, last] = Layout::vertical([Fill(1), Length(height)]).areas(*rest);
    *rest = first;
    last
}

pub(super) fn put(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    if y < area.bottom() {
        buffer.set_stringn(area.x, y, text, usize::from(area.width), style);
    }
}

/// The first of these texts that fits, or the last one.
pub(super) fn widest(texts: Vec<String>, width: u16) -> String {
    let mut last = String::new();
    for text in texts {
        if text.chars().count() <= usize::from(width) {
            return text;
        }
        last = text;
    }
    last
}

pub(super) fn title(scene: &Scene, area: Rect, buffer: &mut Buffer) {
    buffer.set_style(area, Theme::title());
    let elapsed = scene.elapsed.map(units::took);
    let state = match (scene.paused, scene.ending, &elapsed) {
        (true, _, _) => "paused ",
        (_, true, _) => "ending ",
        (_, _, None) => "waiting",
        _ => "",
    };
    let right = format!("{state}{} ", elapsed.unwrap_or_default());
    let (command, far, what) = (scene.command, scene.subject(), &scene.what);
    let room = area
        .width
        .saturating_sub(u16::try_from(right.len()).unwrap_or(0) + 1);
    let left = widest(
        vec![
            format!(" twinpath {command}   {far}   {what}"),
            format!(" {command} {far}   {what}"),
            format!(" {far} {what}"),
            format!(" {far}"),
            far.to_owned(),
        ],
        room,
    );
    let space = Rect {
        width: room,
        ..area
    };
    put(buffer, space, area.y, &left, Theme::title());
    Line::styled(right, Theme::title())
        .right_aligned()
        .render(area, buffer);
}

/// What was sent and lost. `now`: lost, and lost or answered, of the latest packets. `unknown`: the loss
/// of all is.
pub(super) fn counts(
    scene: &Scene,
    now: (u64, u64),
    unknown: bool,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let Progress {
        asked,
        sent,
        received,
        lost,
        last_round_trip_ns,
        ..
    } = scene.progress;
    let known = received.saturating_add(lost);
    let of = asked.map_or_else(String::new, |asked| format!("/{asked}"));
    let total = if unknown {
        UNKNOWN.to_owned()
    } else {
        units::percent(lost, known)
    };
    let now = units::percent(now.0, now.1);
    let last =
        last_round_trip_ns.map_or_else(String::new, |ns| format!("   last {}", units::delay(ns)));
    let bar = asked.filter(|asked| *asked > 0 && area.width >= 76);
    let room = area.width - if bar.is_some() { BAR + 1 } else { 0 };
    let text = widest(
        vec![
            format!(
                " {sent}{of} sent   {received} received   {lost} lost: {total}, now {now}{last}"
            ),
            format!(" {sent}{of} sent  {received} received  {lost} lost: {total}, now {now}"),
            format!(" {sent}{of} sent  {lost} lost: {total}, now {now}"),
            format!(" {sent}{of} sent  {lost} lost: {total}"),
            format!(" {sent}{of} sent {lost} lost"),
            format!(" {sent} sent {lost} lost"),
            format!(" {sent} {lost} lost"),
        ],
        room,
    );
    let space = Rect {
        width: room,
        ..area
    };
    put(buffer, space, area.y, &text, Theme::plain());
    if lost > 0 {
        stress(
            &text,
            &format!("{lost} lost"),
            &last,
            theme.loss(),
            space,
            buffer,
        );
    }
    if let Some(asked) = bar {
        let done = u128::from(sent.min(asked)) * u128::from(BAR) / u128::from(asked);
        let done = usize::try_from(done).unwrap_or(0);
        let bar = "█".repeat(done) + &"░".repeat(usize::from(BAR) - done);
        Line::styled(format!("{bar} "), theme.round_trip())
            .right_aligned()
            .render(area, buffer);
    }
}

/// Another style for what a line says from `begin` on, but for what it `ends` with.
pub(super) fn stress(
    text: &str,
    begin: &str,
    ends: &str,
    style: Style,
    area: Rect,
    buffer: &mut Buffer,
) {
    let count = |text: &str| u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
    let Some((before, _)) = text.split_once(begin) else {
        return;
    };
    let kept = text.strip_suffix(ends).unwrap_or(text);
    let left = count(before).min(area.width);
    let right = count(kept).min(area.width);
    let part = Rect {
        x: area.x + left,
        width: right.saturating_sub(left),
        height: 1,
        ..area
    };
    buffer.set_style(part, style);
}

/// The duration of a column of the screen, for people.
fn width_of_a_slot(scene: &Scene, width: u16) -> String {
    let session = scene.sessions.first();
    session.map_or_else(String::new, |session| {
        let (_, time) = session.strip.fit(chart::room(width), session.one_way());
        if time.is_zero() {
            String::new()
        } else {
            units::time(time)
        }
    })
}

fn keys(scene: &Scene, column: &str, area: Rect, buffer: &mut Buffer) {
    let window = match scene.window {
        Window::Whole => "whole run",
        Window::Far => "further back",
        Window::Near => "latest",
    };
    let shown = scene.sessions.len();
    let classes = if scene.all > 1 {
        format!("   up down: {} classes", scene.all)
    } else {
        String::new()
    };
    let scale = if column.is_empty() || shown == 0 {
        String::new()
    } else {
        format!(", {column} a column")
    };
    let closer = scene.window.shorter(&scene.widths) != scene.window;
    let zoom = match (closer, scene.window.longer(&scene.widths) != scene.window) {
        (true, true) => "+ - zoom: ",
        (true, false) => "+ zoom in: ",
        (false, true) => "- zoom out: ",
        (false, false) => "",
    };
    let (long, back) = match scene.opened {
        Some(_) => (" Esc back   up down: others  ", " Esc back "),
        None => ("", ""),
    };
    let text = widest(
        vec![
            format!("{long} q end with the report   p pause   {zoom}{window}{scale}{classes}"),
            format!("{long} q end   p pause   {zoom}{window}{scale}{classes}"),
            format!("{back} q end   p pause   {zoom}{window}"),
            format!("{back} q end  p pause"),
            format!("{back} q end"),
        ],
        area.width,
    );
    put(buffer, area, area.y, &text, Theme::dim());
}

/// Warnings, then facts.
pub(super) fn lines(scene: &Scene, theme: Theme) -> Vec<(String, Style)> {
    let warnings = scene.warnings().into_iter();
    let warnings = warnings.map(|text| (format!(" ! {text}"), theme.warning()));
    let facts = scene.facts().into_iter();
    let facts = facts.map(|(name, text)| (format!(" {name:<8} {text}"), Theme::plain()));
    warnings.chain(facts).collect()
}

fn panels(sessions: &[Session], theme: Theme, area: Rect, buffer: &mut Buffer) {
    let count = u16::try_from(sessions.len()).unwrap_or(u16::MAX).max(1);
    let mut rest = area;
    let mut over = area.height % count;
    for session in sessions {
        let more = u16::from(over > 0);
        over -= more;
        panel(
            session,
            theme,
            take(&mut rest, area.height / count + more),
            buffer,
        );
    }
}

fn panel(session: &Session, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut rest = area;
    if rest.is_empty() {
        return;
    }
    if let Some(name) = &session.name {
        if rest.height > 1 {
            heading(session, name, theme, take(&mut rest, 1), buffer);
        } else {
            let label = Rect {
                width: rest.width.min(8),
                ..rest
            };
            put(buffer, label, rest.y, name, Theme::bold());
            rest.x += label.width;
            rest.width -= label.width;
        }
    }
    let (slots, _) = session
        .strip
        .fit(chart::room(rest.width), session.one_way());
    let one_way = match rest.height {
        0..4 => 0,
        4..10 => 1,
        height => (height - 1) / 5,
    };
    let losses = u16::from(rest.height > 1);
    let round_trip = rest.height - losses - 2 * one_way;
    let name = if session.name.is_some() && area.height < 4 {
        ""
    } else {
        "Roundtrip"
    };
    let chart = Chart {
        name,
        slots: &slots,
        pick: |slot| slot.round_trip,
        style: theme.round_trip(),
        theme,
        variation: None,
        fills: true,
    };
    chart.draw(take(&mut rest, round_trip), buffer);
    if losses > 0 {
        chart::losses(&slots, theme, take(&mut rest, 1), buffer);
    }
    if one_way == 0 {
        return;
    }
    let delay = session.figures.round_trip.as_ref();
    // Values that are small compared with the round trip look small.
    let variation = (!session.is_synchronized()).then(|| delay.map_or(0, |it| it.median_ns / 10));
    let name = |name: &str| match variation {
        Some(_) => format!("{name} var"),
        None => name.to_owned(),
    };
    for (name, pick, style) in [
        (
            name("Out"),
            (|slot: &Slot| slot.forward) as fn(&Slot) -> Option<Smoke>,
            theme.forward(),
        ),
        (name("In"), |slot: &Slot| slot.backward, theme.backward()),
    ] {
        let chart = Chart {
            name: &name,
            slots: &slots,
            pick,
            style,
            theme,
            variation,
            fills: false,
        };
        chart.draw(take(&mut rest, one_way), buffer);
    }
}

fn heading(session: &Session, name: &str, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let (lost, _) = session.counted;
    let total = session.loss();
    let now = units::percent(session.now.0, session.now.1);
    let figures = session.figures.round_trip.as_ref();
    let (median, p99) = figures.map_or(("-".to_owned(), "-".to_owned()), |delay| {
        (units::delay(delay.median_ns), units::delay(delay.p99_ns))
    });
    let text = widest(
        vec![
            format!("{name:<8} median {median}   p99 {p99}   {lost} lost: {total}, now {now}"),
            format!("{name:<8} {median}  {total} lost"),
            format!("{name} {median} {total}"),
            name.to_owned(),
        ],
        area.width.saturating_sub(1),
    );
    let inner = Rect {
        x: area.x + u16::from(area.width > 1),
        width: area.width - u16::from(area.width > 1),
        ..area
    };
    put(buffer, inner, area.y, &text, Theme::bold());
    if lost > 0 {
        stress(
            &text,
            &format!("{lost} lost"),
            "",
            theme.loss(),
            inner,
            buffer,
        );
    }
}
