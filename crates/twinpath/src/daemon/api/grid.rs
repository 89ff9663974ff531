//! The page of all sessions, the worst first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use twinpath_report::words;
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use twinpath_wire::Dscp;

use crate::daemon::causes::short;
use crate::daemon::mesh::fresh_until_ns;
use crate::daemon::status::{Entry, LastInterval, Measured};
use crate::output::units::{self, count, took};
use crate::picture::{Head, closing, escaped, opening};

use super::labels::{self, GROUP};
use super::markup::encoded;
use super::{MADE_BY, Query, State, alarms};

/// Rows of a page at most: others are counted.
const MOST_ROWS: usize = 2_000;
/// How often the page is loaded again, in seconds.
const REFRESH_S: u32 = 10;

const FORMS: &str = "\
table.grid th:first-child{color:var(--ink)}
table.grid th.text{text-align:left}
table.grid td.text{text-align:left;white-space:normal;overflow-wrap:anywhere}
table.grid tr.bad th,table.grid tr.bad td{font-weight:700;color:var(--loud)}
.chips a,.chips b{margin-right:10px}
a{color:inherit}
";

/// What a row shows.
struct Row<'a> {
    entry: &'a Entry,
    /// `None`: it is not measured.
    session: Option<&'a Measured>,
    now: Wall,
}

/// How bad a row is; the greatest comes first.
type Badness = (u8, u64, Reverse<String>);

impl Row<'_> {
    /// The last complete interval, if it says how the session is now.
    fn interval(&self) -> Option<&LastInterval> {
        let interval = self.session?.interval.as_ref();
        interval.filter(|interval| fresh_until_ns(interval) >= self.now.unix_ns())
    }

    /// The share of lost packets in the last complete interval.
    fn loss(&self) -> Option<(u64, u64)> {
        let interval = self.interval()?;
        let sent = interval.received + interval.lost;
        (sent > 0).then_some((interval.lost, sent))
    }

    fn is_bad(&self) -> bool {
        self.session.is_none_or(|session| session.is_silent)
    }

    fn badness(&self) -> Badness {
        let state = match self.session {
            None => 2,
            Some(session) if session.is_silent => 1,
            Some(_) => 0,
        };
        let millionths = self
            .loss()
            .map_or(0, |(lost, sent)| lost * 1_000_000 / sent);
        (state, millionths, Reverse(self.entry.name.clone()))
    }

    fn state(&self) -> &str {
        match self.session {
            Some(session) if session.is_silent => "no replies",
            Some(_) | None => self.entry.state,
        }
    }

    /// Class and path, where they are not the usual.
    fn kind(&self) -> String {
        let Some(session) = self.session else {
            return String::new();
        };
        let class = Dscp::new(session.dscp).ok().filter(|_| session.dscp > 0);
        let class = class.map(|dscp| dscp.to_string());
        let path = session.path.map(|path| format!("path {path}"));
        let parts: Vec<String> = class.into_iter().chain(path).collect();
        parts.join(", ")
    }

    fn write(&self, out: &mut String) {
        let name = &self.entry.name;
        let link = format!(
            "<a href=\"/session/{}\">{}</a>",
            encoded(name),
            escaped(name)
        );
        let bad = if self.is_bad() { " class=\"bad\"" } else { "" };
        let interval = self.interval();
        let delay = |ns: Option<i64>| ns.map_or_else(|| "-".to_owned(), units::delay);
        let loss = self
            .loss()
            .map_or_else(|| "-".to_owned(), |(lost, sent)| units::percent(lost, sent));
        let far = self.session.map_or("", |session| &session.reflector);
        let why = self.entry.failure.as_deref().unwrap_or_default();
        let cause = self.session.and_then(|session| session.cause.as_deref());
        let cause = cause.map_or_else(String::new, |cause| format!(": {}", short(cause)));
        // Memory takes it.
        let _ = writeln!(
            out,
            "<tr{bad}><th scope=\"row\">{link}</th><td class=\"text\">{}</td><td class=\"text\">{}</td>\
             <td class=\"text\">{}</td><td>{loss}</td><td>{}</td><td>{}</td></tr>",
            escaped(&format!("{far}{why}")),
            escaped(&self.kind()),
            escaped(&format!("{}{cause}", self.state())),
            delay(interval.and_then(|interval| interval.round_trip_median_ns)),
            delay(interval.and_then(|interval| interval.round_trip_p95_ns)),
        );
    }
}

/// The page.
pub(super) fn page(state: &State, asked: &Query) -> String {
    let sessions: Vec<&Entry> = state
        .entries
        .iter()
        .filter(|entry| entry.kind == "session")
        .collect();
    let now = wall();
    let shown = sessions.iter().copied().filter(|entry| {
        let mut wanted = asked.others(&[GROUP]);
        wanted.all(|(label, value)| entry.labels.get(label).is_some_and(|known| known == value))
    });
    let mut rows: Vec<Row<'_>> = shown.flat_map(|entry| rows(entry, now)).collect();
    rows.sort_by_cached_key(|row| Reverse(row.badness()));
    let title = format!("twinpath on {}", state.name);
    let mut page = opening(&Head {
        title: &title,
        forms: FORMS,
        refresh_s: Some(REFRESH_S),
        ..Head::default()
    });
    let _ = writeln!(page, "<h1>{}</h1>", escaped(&title));
    let _ = writeln!(page, "<p class=\"lead\">{}</p>", escaped(&summary(&rows)));
    if state.mesh.is_some() {
        page.push_str("<p class=\"sub\"><a href=\"/mesh\">the mesh</a></p>\n");
    }
    alarms::table(&state.alarms, &mut page);
    let labels = sessions.iter().flat_map(|entry| &entry.labels);
    labels::links("/", labels, asked, &mut page);
    if let Some(period) = period(&rows) {
        let _ = writeln!(page, "<p class=\"sub\">{}</p>", escaped(&period));
    }
    let more = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    match asked.get(GROUP) {
        Some(label) => groups(&rows, label, &mut page),
        None => table(&rows, &mut page),
    }
    if more > 0 {
        let more = count(more as u64, "more session", "more sessions");
        let _ = writeln!(page, "<p class=\"sub\">and {more}, less bad than these</p>");
    }
    reflectors(&state.entries, &mut page);
    closing(MADE_BY, None, &mut page);
    page
}

/// Over which time the figures are; `None`: there are no figures.
fn period(rows: &[Row<'_>]) -> Option<String> {
    let intervals = || rows.iter().filter_map(Row::interval);
    let lengths = intervals().map(LastInterval::length);
    let (shortest, longest) = (lengths.clone().min()?, lengths.max()?);
    let ends = intervals().map(|interval| interval.end);
    let (first, last) = (ends.clone().min()?, ends.max()?);
    let mut length = took(shortest);
    if longest > shortest {
        length = format!("{length} to {}", took(longest));
    }
    let mut end = words::instant(last, 0);
    if words::instant(first, 0) != end {
        end = format!("between {} and {end}", words::instant(first, 0));
    }
    Some(format!(
        "Loss, median and 95 % of the round trip: over the last complete interval of each session ({length}, ended {end})"
    ))
}

/// What all rows come to.
fn summary(rows: &[Row<'_>]) -> String {
    let of = |is: fn(&Row<'_>) -> bool| rows.iter().filter(|row| is(row)).count();
    let silent = of(|row| row.session.is_some_and(|session| session.is_silent));
    let not_running = of(|row| row.session.is_none());
    let unknown = of(|row| {
        let is_silent = row.session.is_none_or(|session| session.is_silent);
        !is_silent && row.interval().is_none()
    });
    let lossy = of(|row| row.loss().is_some_and(|(lost, _)| lost > 0));
    let parts = [
        (not_running, "not running"),
        (silent, "without replies"),
        (unknown, "without a current interval"),
        (lossy, "with losses"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let all = count(rows.len() as u64, "session", "sessions");
    if rows.is_empty() {
        "no session".to_owned()
    } else if parts.is_empty() {
        format!("{all}, all answered without loss")
    } else {
        format!("{all}: {}", parts.join(", "))
    }
}

/// An entry's sessions, or the entry itself where it has none.
fn rows(entry: &Entry, now: Wall) -> impl Iterator<Item = Row<'_>> {
    let sessions = entry.measures.iter();
    let sessions = sessions.map(move |session| Row {
        entry,
        session: Some(session),
        now,
    });
    let none = entry.measures.is_empty().then_some(Row {
        entry,
        session: None,
        now,
    });
    sessions.chain(none)
}

/// A table for each value of a label.
fn groups(rows: &[Row<'_>], label: &str, out: &mut String) {
    let mut groups: BTreeMap<Option<&str>, Vec<&Row<'_>>> = BTreeMap::new();
    for row in rows {
        let value = row.entry.labels.get(label).map(String::as_str);
        groups.entry(value).or_default().push(row);
    }
    for (value, rows) in groups {
        let heading = value.map_or_else(
            || format!("without {label}"),
            |value| format!("{label} {value}"),
        );
        let _ = writeln!(out, "<h2>{}</h2>", escaped(&heading));
        table(rows.iter().copied(), out);
    }
}

fn table<'a>(rows: impl IntoIterator<Item = &'a Row<'a>>, out: &mut String) {
    out.push_str(
        "<div class=\"wide-table\"><table class=\"grid\"><thead><tr><th scope=\"col\">Session</th>\
         <th scope=\"col\" class=\"text\">Far end</th><th scope=\"col\" class=\"text\">Class</th><th scope=\"col\" class=\"text\">State</th>\
         <th scope=\"col\">Loss</th><th scope=\"col\">Median</th><th scope=\"col\">95 %</th></tr></thead>\n<tbody>\n",
    );
    for row in rows {
        row.write(out);
    }
    out.push_str("</tbody></table></div>\n");
}

/// Responders and servers.
fn reflectors(entries: &[Entry], out: &mut String) {
    let reflectors: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.kind != "session")
        .collect();
    if reflectors.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Reflectors</h2>\n<div class=\"wide-table\"><table class=\"grid\"><thead><tr><th scope=\"col\">Name</th>\
         <th scope=\"col\" class=\"text\">Listening</th><th scope=\"col\" class=\"text\">State</th><th scope=\"col\">Replies</th></tr></thead>\n<tbody>\n",
    );
    for entry in reflectors {
        let bad = if entry.failure.is_some() {
            " class=\"bad\""
        } else {
            ""
        };
        let replies = entry
            .replies
            .map_or_else(|| "-".to_owned(), |replies| replies.to_string());
        let why = entry.failure.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "<tr{bad}><th scope=\"row\">{} {}</th><td class=\"text\">{}{}</td><td class=\"text\">{}</td><td>{replies}</td></tr>",
            entry.kind,
            escaped(&entry.name),
            escaped(&entry.listening.join(", ")),
            escaped(why),
            entry.state,
        );
    }
    out.push_str("</tbody></table></div>\n");
}
