//! A session in one sentence: losses, round trip, other anomalies.
//!
//! Decided from the figures of the table below it and written with the table's own digits, so that the
//! two cannot contradict each other.

use std::time::Duration;

use twinpath_metrics::{DelayFigures, Figures, ReplyStatus, SessionState};
use twinpath_report::words::instant;
use twinpath_report::{Finding, SessionReport};
use twinpath_runtime::measure::Progress;
use twinpath_wire::Wall;

use super::table::enough;
use super::units::{self, Unit};
use super::{counts, words};

const SECOND: i64 = 1_000_000_000;

/// The fate of the packets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// None was sent: the run had no first packet, or all were refused.
    NothingSent {
        due: u64,
    },
    /// Packets were sent, but their fate is not known yet.
    Open,
    /// So many packets were not sent that a ratio of the others would be meaningless.
    Unknown {
        unsent: u64,
        due: u64,
    },
    /// Replies do not come here.
    Unawaited,
    None,
    Some {
        direction: Option<Direction>,
        bursts: Option<Bursts>,
    },
    /// `late`: with replies after the timeout.
    All {
        late: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Direction {
    Outbound,
    Inbound,
}

impl Direction {
    /// Behind a share of losses.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Outbound => " outbound",
            Self::Inbound => " inbound",
        }
    }
}

/// Losses in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bursts {
    count: u64,
    longest: u64,
}

fn loss(report: &SessionReport) -> Loss {
    let (counters, coverage) = (&report.counters, report.coverage());
    if counters.sent == 0 {
        return match counters.in_flight {
            0 => Loss::NothingSent { due: coverage.due },
            _ => Loss::Open,
        };
    }
    if coverage.unawaited > 0 && coverage.is_sent() {
        return Loss::Unawaited;
    }
    if counters.received == 0 && coverage.unawaited == 0 {
        let late = report.figures.late;
        return Loss::All { late };
    }
    if !coverage.is_complete() {
        return Loss::Unknown {
            unsent: coverage.unsent,
            due: coverage.due,
        };
    }
    if counters.lost == 0 {
        return Loss::None;
    }
    Loss::Some {
        direction: direction(report),
        bursts: bursts(report),
    }
}

/// The direction of all losses, if they have the same one and that is certain.
pub(super) fn direction(report: &SessionReport) -> Option<Direction> {
    direction_of(&report.figures)
}

/// The same as far as these figures tell.
pub(crate) fn direction_of(figures: &Figures) -> Option<Direction> {
    let is_known = !figures.direction_uncertain && figures.lost_unattributed == Some(0);
    match (figures.lost_forward?, figures.lost_backward?) {
        (1.., 0) if is_known => Some(Direction::Outbound),
        (0, 1..) if is_known => Some(Direction::Inbound),
        _ => None,
    }
}

fn bursts(report: &SessionReport) -> Option<Bursts> {
    let periods = &report.figures.loss_periods;
    (periods.longest > 1 && periods.unplaced == 0).then_some(Bursts {
        count: periods.periods,
        longest: periods.longest,
    })
}

/// When the last answered packet was sent, if the far end answered and no longer does; and that in words.
pub(super) fn silent_since(report: &SessionReport) -> Option<(Wall, String)> {
    let is_fine = report.duration < Duration::from_mins(1);
    let silence = silence(report.figures.reply_status, report.started, is_fine);
    silence.filter(|_| report.counters.received > 0)
}

/// The same of a session that goes on.
pub(crate) fn silent_so_far(progress: &Progress, now: Wall) -> Option<(Wall, String)> {
    silent_from(progress.reply_status, now).filter(|_| progress.received > 0)
}

/// The same of its state.
pub(crate) fn silent_from(reply_status: ReplyStatus, now: Wall) -> Option<(Wall, String)> {
    silence(reply_status, now, false)
}

fn silence(reply_status: ReplyStatus, beside: Wall, is_fine: bool) -> Option<(Wall, String)> {
    let at = reply_status
        .answered_until
        .filter(|_| reply_status.state == SessionState::Failed)?;
    Some((at, clock(at, beside, is_fine)))
}

/// That nothing came back since then.
pub(crate) fn no_replies(since: &str) -> String {
    format!("no replies to packets sent after {since}")
}

/// Nothing that came back is a reply in time.
pub(super) fn has_answers(report: &SessionReport) -> bool {
    let is_answer =
        |finding: &Finding| matches!(finding, Finding::Silence(silence) if silence.came_back());
    report.counters.received == 0 && report.findings.iter().any(is_answer)
}

/// One sentence about a session. `unit`: that of its table.
pub(crate) fn sentence(report: &SessionReport, unit: Unit) -> String {
    let silence = silent_since(report).map(|(_, since)| no_replies(&since));
    let loss = loss_words(loss(report), report);
    let (in_vain, loss) = match words::finding::in_vain(&report.findings) {
        Some(in_vain) => (
            Some(with_initial(&in_vain, char::to_uppercase)),
            with_initial(&loss, char::to_lowercase),
        ),
        None => (None, loss),
    };
    let parts = [
        in_vain,
        Some(loss),
        silence,
        round_trip(report, unit),
        anomalies(report),
        early_end(report),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join("; ")
}

/// The beginning of a sentence inside of one, or the reverse.
fn with_initial<I: Iterator<Item = char>>(sentence: &str, change: fn(char) -> I) -> String {
    let mut rest = sentence.chars();
    let first = rest.next();
    first.into_iter().flat_map(change).chain(rest).collect()
}

fn loss_words(loss: Loss, report: &SessionReport) -> String {
    let (counters, word) = (&report.counters, words::sent(report));
    match loss {
        Loss::NothingSent { due: 0 } => format!("No packet was {word}"),
        Loss::NothingSent { due } => {
            let due = units::count(due, "packet", "packets");
            format!("None of {due} could be {word}")
        }
        Loss::Open => "No packet was answered or lost yet".to_owned(),
        Loss::Unknown { unsent, due } => {
            let due = units::count(due, "packet", "packets");
            let unsent = match unsent {
                0 => format!("for a time nothing was {word}"),
                unsent => format!("{unsent} of {due} not {word}"),
            };
            let unawaited = match counters.unawaited {
                0 => String::new(),
                count => format!(", {count} {}", counts::unawaited(report)),
            };
            format!("Loss {}: {unsent}{unawaited}", counts::UNKNOWN)
        }
        Loss::Unawaited => {
            let packets = units::count(counters.unawaited, "packet", "packets");
            let (unknown, not_here) = (counts::UNKNOWN, counts::unawaited(report));
            format!("Loss {unknown}: {packets} {word}, {not_here}")
        }
        Loss::None => "No loss".to_owned(),
        Loss::Some { direction, bursts } => {
            let share = units::percent(counters.lost, counters.sent);
            let direction = direction.map_or("", Direction::suffix);
            let bursts = match bursts {
                Some(Bursts { count: 1, longest }) => format!(" in one burst of {longest} packets"),
                Some(Bursts { count, longest }) => format!(" in {count} bursts, longest {longest}"),
                None => String::new(),
            };
            format!("{share} lost{direction}{bursts}")
        }
        Loss::All { late: 0 } => {
            let what = if has_answers(report) {
                "No valid reply"
            } else {
                "Nothing came back"
            };
            let sent = units::count(counters.sent, "packet", "packets");
            format!("{what}: {sent} {word}")
        }
        Loss::All { late } if !report.origin.has_setup() => {
            let sent = counters.sent;
            format!("Nothing came back in time: {sent} packets {word}, {late} answered late")
        }
        Loss::All { late } => {
            let (timeout, sent) = (units::time(report.identity.timeout), counters.sent);
            format!(
                "Nothing came back within {timeout}: {sent} packets {word}, {late} answered late"
            )
        }
    }
}

fn round_trip(report: &SessionReport, unit: Unit) -> Option<String> {
    if report.counters.received == 0 {
        return None;
    }
    let delays = delays(report, unit);
    let delays = delays.as_deref().unwrap_or(counts::UNKNOWN);
    Some(format!("round trip {delays}"))
}

/// `1.204ms median, 3.200ms p99`.
pub(super) fn delays(report: &SessionReport, unit: Unit) -> Option<String> {
    let delay = report.figures.round_trip.as_ref()?;
    let of = |value: i64| unit.delay(value);
    Some(match enough(delay, 100, delay.p99_ns) {
        _ if delay.count == 1 => of(delay.median_ns),
        Some(p99) => format!("{} median, {} p99", of(delay.median_ns), of(p99)),
        None => few(delay, of),
    })
}

/// Too few for a p99.
fn few(delay: &DelayFigures, of: impl Fn(i64) -> String) -> String {
    let (median, greatest) = (of(delay.median_ns), of(delay.max_ns));
    format!("{median} median, {greatest} max")
}

/// Other anomalies.
fn anomalies(report: &SessionReport) -> Option<String> {
    let (reordered, copies) = (report.figures.reordered, report.counters.duplicates);
    let reordered = (reordered > 0).then(|| format!("{reordered} reordered"));
    let copies = (copies > 0).then(|| units::count(copies, "duplicate", "duplicates"));
    let said: Vec<String> = [reordered, copies].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// Packets left out or open because of an early end.
fn early_end(report: &SessionReport) -> Option<String> {
    let counters = &report.counters;
    let left = counters.sent + counters.in_flight;
    let short = counters
        .asked
        .filter(|asked| *asked > left && left > 0 && counters.send_errors == 0);
    let short = short.map(|asked| format!("{left} of {asked} packets {}", words::sent(report)));
    let open = (counters.in_flight > 0).then(|| format!("{} still under way", counters.in_flight));
    let said: Vec<String> = [short, open].into_iter().flatten().collect();
    (!said.is_empty()).then(|| format!("ended early: {}", said.join(", ")))
}

/// A time of the run, rounded up so that "after" holds; with its date if it is not on the day of the
/// other one. `is_fine`: with milliseconds.
fn clock(at: Wall, beside: Wall, is_fine: bool) -> String {
    let (step, digits) = if is_fine {
        (SECOND / 1_000, 3)
    } else {
        (SECOND, 0)
    };
    let ns = at.unix_ns();
    let up = ns.saturating_add((step - ns.rem_euclid(step)) % step);
    let (at, beside) = (
        instant(Wall::from_unix_ns(up), digits),
        instant(beside, digits),
    );
    match (at.split_once('T'), beside.split_once('T')) {
        (Some((day, time)), Some((same, _))) if day == same => {
            format!("{} UTC", time.trim_end_matches('Z'))
        }
        _ => at,
    }
}

#[cfg(test)]
mod tests;
