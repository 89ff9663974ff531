//! The page of one entry's sessions: the round trip over time, losses, figures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use twinpath_metrics::{Distribution, Suspect, Value};

use crate::daemon::alarms::ActiveAlarm;
use crate::daemon::status::Entry;
use crate::output::past_alarms::bars;
use crate::output::{rfc3339, units};
use crate::picture::{
    Head, KeyFigure, Picture, PictureSession, charts, closing, escaped, opening, table, title,
};
use crate::store::{Delay, OverTime, PastAlarms, Query as StoreQuery, StoreReader, StoredRow};

use super::markup::encoded;
use super::past_alarms::{self, JsonAlarms};
use super::range::{SPANS, TimeRange};
use super::{MADE_BY, alarms};

/// Sessions that a page draws at most.
const MOST_DRAWN: usize = 16;
/// Rows that are read at most: 64 sessions of a year by the day, of an hour by 10 s.
const MOST_ROWS: usize = 40_000;
/// How often the page of the latest time is loaded again, in seconds.
const REFRESH_S: u32 = 30;
const HOUR: Duration = Duration::from_hours(1);
const BY_HOUR: &str =
    "rows as measured of this time were deleted (max-size): whole hours are shown, from their sums";
/// Columns of the store that are read: counts, percentiles, and what the distribution of the round trip needs.
const COLUMNS: [&str; 31] = [
    "sent",
    "received",
    "lost",
    "late",
    "duplicates",
    "reordered",
    "packets_unawaited",
    "reflector_restarts",
    "intervals",
    "ttl_forward_min",
    "ttl_backward_min",
    "ttl_forward_changes",
    "ttl_backward_changes",
    "marking_forward_remarked_dscp",
    "marking_forward_remarked_ecn",
    "marking_backward_remarked_dscp",
    "marking_backward_remarked_ecn",
    "round_trip_median_ns",
    "round_trip_p95_ns",
    "round_trip_p99_ns",
    "round_trip_count",
    "round_trip_min_ns",
    "round_trip_max_ns",
    "round_trip_reference_ns",
    "round_trip_bins_per_octave",
    "histograms_round_trip_sum_ns",
    "histograms_round_trip_squares_ns2",
    "histograms_round_trip_ipdv_sum_ns",
    "histograms_round_trip_ipdv_pairs",
    "histograms_round_trip_lower_ns",
    "histograms_round_trip_counts",
];

const FORMS: &str = "\
.links a,.links b{margin-right:12px}
a{color:inherit}
table.alarms th:first-child{color:var(--ink)}
table.alarms th.text{text-align:left}
table.alarms td.text{text-align:left;white-space:normal;overflow-wrap:anywhere}
";

/// By class and path.
type Sessions = BTreeMap<(Arc<str>, Option<u16>), Vec<StoredRow>>;

/// What the store has of an entry in a time.
pub(super) struct History {
    range: TimeRange,
    step: Duration,
    sessions: Sessions,
    alarms: PastAlarms,
    /// There were more rows.
    is_cut: bool,
    /// Rows as measured were deleted, and their sums by the hour are shown.
    is_by_hour: bool,
    /// Files that could not be read, and rows that are in memory.
    unread: Vec<String>,
}

impl History {
    /// Reads the rows of an entry, and its alarms; `active`: those that are active now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn read(
        reader: &StoreReader,
        name: &str,
        range: TimeRange,
        active: &[ActiveAlarm],
    ) -> io::Result<Self> {
        let mut history = Self::rows(reader, name, range)?;
        let active = active.iter().map(past_alarms::of_active).collect();
        history.alarms = reader.alarms(name, [range.from(), range.to()], active)?;
        Ok(history)
    }

    /// Notes that the latest rows are not in the store.
    pub(super) fn note_unwritten(&mut self, error: Option<&str>) {
        let error = error.filter(|_| self.range.is_latest());
        let line = error
            .map(|error| format!("the store takes no rows now, the latest are not shown: {error}"));
        self.unread.extend(line);
    }

    /// Rows in steps that fit the time; by the hour where others were deleted.
    fn rows(reader: &StoreReader, name: &str, range: TimeRange) -> io::Result<Self> {
        let history = Self::as_measured(reader, name, range)?;
        let is_fine = history.step < HOUR;
        if !is_fine || !reader.has_deleted(&(range.from()..range.to()))? {
            return Ok(history);
        }
        let hours = Self::with_step(reader, name, range.in_whole_hours(), HOUR)?;
        if !history.lacks(&hours) {
            return Ok(history);
        }
        Ok(Self {
            is_by_hour: true,
            ..Self::with_step(reader, name, range, HOUR)?
        })
    }

    /// Whether one of these hours has packets that no row of this has.
    fn lacks(&self, hours: &Self) -> bool {
        let (from, to) = (self.range.from(), self.range.to());
        hours.sessions.iter().any(|(key, hours)| {
            let rows = self.sessions.get(key).map_or(&[][..], Vec::as_slice);
            hours.iter().any(|hour| {
                let own = rows
                    .iter()
                    .filter(|row| hour.start <= row.start && row.start < hour.end);
                let sent: u64 = own.filter_map(|row| row.count("sent")).sum();
                let all = hour.count("sent").unwrap_or(0);
                if from <= hour.start && hour.end <= to {
                    sent < all
                } else {
                    hour.start < to && from < hour.end && sent == 0 && all > 0
                }
            })
        })
    }

    fn as_measured(reader: &StoreReader, name: &str, range: TimeRange) -> io::Result<Self> {
        let history = Self::with_step(reader, name, range, range.step(Duration::from_secs(1)))?;
        let rows = history.sessions.values().flatten();
        let longest = rows.map(StoredRow::interval_length).max();
        match longest {
            // Each column has a row.
            Some(longest) if longest > history.step => {
                Self::with_step(reader, name, range, range.step(longest))
            }
            Some(_) | None => Ok(history),
        }
    }

    fn with_step(
        reader: &StoreReader,
        name: &str,
        range: TimeRange,
        step: Duration,
    ) -> io::Result<Self> {
        let columns = COLUMNS.map(str::to_owned).to_vec();
        let rows = reader.rows(&StoreQuery {
            session: Some(name.into()),
            from: range.from(),
            to: range.to(),
            resolution: Some(step),
            columns: Some(columns),
        })?;
        let mut history = Self {
            range,
            step,
            sessions: Sessions::new(),
            alarms: PastAlarms::default(),
            is_cut: false,
            is_by_hour: false,
            unread: Vec::new(),
        };
        for (number, row) in rows.enumerate() {
            if number >= MOST_ROWS {
                history.is_cut = true;
                break;
            }
            match row {
                Ok(row) => {
                    let key = (Arc::clone(&row.class), row.path);
                    history.sessions.entry(key).or_default().push(row);
                }
                Err(error) => history.unread.push(error.to_string()),
            }
        }
        Ok(history)
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.alarms.alarms.is_empty()
    }

    /// Leaves out the alarms of other alerts.
    pub(super) fn retain_alerts(&mut self, is_shown: impl Fn(&str) -> bool) {
        self.alarms.retain_alerts(is_shown);
    }

    /// A document with the rows.
    pub(super) fn json(&self, name: &str) -> Vec<u8> {
        let rows = self.sessions.values().flatten().map(JsonRow::of);
        let document = Document {
            schema: "twinpath-history-1",
            session: name,
            from: rfc3339(self.range.from()),
            to: rfc3339(self.range.to()),
            resolution_ns: u64::try_from(self.step.as_nanos()).unwrap_or(u64::MAX),
            complete: self.notes().is_empty(),
            notes: self.notes(),
            rows: rows.collect(),
            alarms: JsonAlarms::of(&self.alarms),
        };
        // Memory takes it, and all keys are strings.
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// The page. `entry`: what is measured now; `None`: it is no longer in the configuration.
    /// `alarms`: all that are active.
    pub(super) fn page(&self, name: &str, entry: Option<&Entry>, alarms: &[ActiveAlarm]) -> String {
        let heading = format!("Session {name}");
        let mut page = opening(&Head {
            title: &heading,
            forms: FORMS,
            refresh_s: self.range.is_latest().then_some(REFRESH_S),
            ..Head::default()
        });
        page.push_str("<p class=\"links\"><a href=\"/\">All sessions</a></p>\n");
        title(&heading, &about(entry), &mut page);
        let own = alarms.iter().filter(|alarm| alarm.session == name);
        alarms::list(own, &mut page);
        self.links(name, &mut page);
        let picture = Picture {
            title: heading,
            sessions: self.pictures(),
            ..Picture::default()
        };
        if self.sessions.is_empty() {
            page.push_str("<p class=\"lead\">Nothing was measured in this time.</p>\n");
        } else {
            table(&picture.sessions, &mut page);
        }
        if !picture.sessions.is_empty() {
            charts(&picture, "", &mut page);
        }
        past_alarms::table(&self.alarms, &mut page);
        self.remarks(&mut page);
        closing(MADE_BY, None, &mut page);
        page
    }

    /// What of this time is missing.
    fn notes(&self) -> Vec<String> {
        let mut lines = self.unread.clone();
        if self.is_by_hour {
            lines.push(BY_HOUR.to_owned());
        }
        if self.is_cut {
            lines.push("there are more rows than a page has: choose a shorter time".to_owned());
        }
        lines
    }

    fn remarks(&self, out: &mut String) {
        let left_out = self.sessions.len().saturating_sub(MOST_DRAWN);
        let mut lines = self.notes();
        lines.extend(past_alarms::unread(&self.alarms));
        if left_out > 0 {
            let more = units::count(left_out as u64, "session", "sessions");
            lines.push(format!("{more} more are not drawn; the JSON has them"));
        }
        for line in lines {
            let _ = writeln!(
                out,
                "<p class=\"note warning\"><b>Note:</b> {}</p>",
                escaped(&line)
            );
        }
    }

    /// Links to other times.
    fn links(&self, name: &str, out: &mut String) {
        let path = format!("/session/{}", encoded(name));
        out.push_str("<p class=\"links\">");
        for (text, span) in SPANS {
            let is_here = self.range.is_latest() && self.range.length_s() == span;
            let _ = if is_here {
                write!(out, "<b>{text}</b> ")
            } else {
                write!(out, "<a href=\"{path}?last={span}\">{text}</a> ")
            };
        }
        for (text, from, to) in self.range.others() {
            let _ = write!(
                out,
                "<a href=\"{path}?from={from}&amp;to={to}\">{text}</a> "
            );
        }
        let (from, to) = (rfc3339(self.range.from()), rfc3339(self.range.to()));
        let _ = writeln!(out, "</p>\n<p class=\"sub\">{from} to {to}</p>");
    }

    /// Of each class and path with rows or alarms.
    fn pictures(&self) -> Vec<PictureSession> {
        let with_rows = self.sessions.iter();
        let mut sessions: BTreeMap<(&str, Option<u16>), &[StoredRow]> = with_rows
            .map(|((class, path), rows)| ((&**class, *path), rows.as_slice()))
            .collect();
        for alarm in &self.alarms.alarms {
            sessions.entry((&alarm.class, alarm.path)).or_default();
        }
        let are_several = sessions.len() > 1;
        let sessions = sessions.into_iter().take(MOST_DRAWN);
        sessions
            .map(|((class, path), rows)| {
                let number = path.map_or_else(String::new, |path| format!(" path {path}"));
                let name = if are_several {
                    format!("{class}{number}")
                } else {
                    String::new()
                };
                PictureSession {
                    alarms: bars(&self.alarms, class, path),
                    ..self.picture(name, rows)
                }
            })
            .collect()
    }

    fn picture(&self, name: String, rows: &[StoredRow]) -> PictureSession {
        let mut columns = OverTime::new(self.range.from(), self.range.to(), self.step);
        for row in rows {
            columns.put(row);
        }
        let sum = |column: &str| rows.iter().filter_map(|row| row.count(column)).sum::<u64>();
        let (received, lost) = (sum("received"), sum("lost"));
        let delays = rows
            .iter()
            .filter_map(|row| row.distribution(Delay::RoundTrip));
        let round_trip = delays.reduce(|mut sum, delays| {
            sum.merge(&delays);
            sum
        });
        PictureSession {
            name,
            columns: columns.into_columns(),
            width: self.step,
            sent: received + lost,
            lost,
            figures: figures(received, lost, round_trip.as_ref()),
            round_trip,
            ..PictureSession::default()
        }
    }
}

/// What an entry is, in a line.
fn about(entry: Option<&Entry>) -> String {
    let Some(entry) = entry else {
        return "no longer in the configuration".to_owned();
    };
    let far = entry
        .measures
        .first()
        .map(|session| session.reflector.clone());
    let labels = entry.labels.iter();
    let labels = labels.map(|(label, value)| format!("{label} {value}"));
    let cause = entry
        .measures
        .iter()
        .find_map(|session| session.cause.clone());
    let why = entry.failure.clone().or(cause);
    let parts = far.into_iter().chain(labels).chain(why);
    let parts: Vec<String> = [entry.state.to_owned()].into_iter().chain(parts).collect();
    parts.join(", ")
}

fn figures(received: u64, lost: u64, round_trip: Option<&Distribution>) -> Vec<KeyFigure> {
    let figure = |name, value| KeyFigure { name, value };
    let delay =
        |name, ns: Option<i64>| figure(name, ns.map_or_else(|| "-".to_owned(), units::delay));
    let of = |p| round_trip.and_then(|delays| delays.quantile(p));
    vec![
        figure("Packets", (received + lost).to_string()),
        figure("Lost", lost.to_string()),
        figure("Loss", units::percent(lost, received + lost)),
        delay("Minimum", round_trip.and_then(Distribution::min_ns)),
        delay("Median", round_trip.and_then(Distribution::median)),
        delay("95 %", of(0.95)),
        delay("99 %", of(0.99)),
        delay("Maximum", round_trip.and_then(Distribution::max_ns)),
    ]
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    session: &'a str,
    from: String,
    to: String,
    resolution_ns: u64,
    /// All rows of this time are in it.
    complete: bool,
    /// Why not.
    notes: Vec<String>,
    rows: Vec<JsonRow>,
    #[serde(flatten)]
    alarms: JsonAlarms,
}

#[derive(Serialize)]
struct JsonRow {
    class: String,
    path: Option<u16>,
    start: String,
    end: String,
    received: Option<u64>,
    lost: Option<u64>,
    late: Option<u64>,
    duplicates: Option<u64>,
    reordered: Option<u64>,
    round_trip_median_ns: Option<Value>,
    round_trip_p95_ns: Option<Value>,
    round_trip_p99_ns: Option<Value>,
    /// Why the figures are doubtful.
    suspect: Vec<&'static str>,
}

impl JsonRow {
    fn of(row: &StoredRow) -> Self {
        let count = |column| row.count(column);
        Self {
            class: row.class.to_string(),
            path: row.path,
            start: rfc3339(row.start),
            end: rfc3339(row.end),
            received: count("received"),
            lost: count("lost"),
            late: count("late"),
            duplicates: count("duplicates"),
            reordered: count("reordered"),
            round_trip_median_ns: row.value("round_trip_median_ns"),
            round_trip_p95_ns: row.value("round_trip_p95_ns"),
            round_trip_p99_ns: row.value("round_trip_p99_ns"),
            suspect: row.suspect().map(Suspect::name).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
