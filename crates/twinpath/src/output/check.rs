//! `twinpath check`: what a run comes to as a monitoring plug-in says it (Monitoring Plugins Development
//! Guidelines, "Plugin Output for Nagios"): a state, a line for people, performance data, details.

mod amounts;
mod judgement;
mod perfdata;
mod unknown;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::names::{Differing, failed, plain, target_of};
use super::targets::Warnings;
use super::units::{WIDTH, count, shortened, wrapped};
use super::words;
use super::{Meta, Outcome, Sink};
use crate::args::CheckOptions;
use crate::failure::{Exit, Failure};

use judgement::Judgement;
use perfdata::Totals;

pub(crate) use judgement::JudgedFigure;

/// The most sessions with a line of details each.
const MOST_DETAILS: usize = 100;
/// Columns of a session's name.
const LONGEST_NAME: usize = 30;

/// A state of the plug-in convention, the worse the greater: what could not be measured must not hide what
/// was measured and is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl State {
    /// All of them, the worst first.
    const ALL: [Self; 4] = [Self::Critical, Self::Warning, Self::Unknown, Self::Ok];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The exit status.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// What a check comes to.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) state: State,
    text: String,
    perfdata: Vec<String>,
    details: Vec<String>,
}

impl Verdict {
    /// There is none, because of this. Bad usage is said in full; anything else in a line as short as all
    /// others, with its remedy where there is room.
    pub(crate) fn without_measurement(failure: &Failure) -> Self {
        let all: Vec<String> = failure
            .earlier
            .iter()
            .chain([failure])
            .map(ToString::to_string)
            .collect();
        let first = failure.earlier.first().unwrap_or(failure);
        let more = match failure.earlier.len() {
            0 => String::new(),
            more => format!(" ({more} more)"),
        };
        let whole = format!("{first}{more}");
        let room = room(State::Unknown);
        let text = if failure.exit == Exit::Usage || width(&whole) <= room {
            whole
        } else {
            let bare = Failure {
                remedy: None,
                ..first.clone()
            };
            cut(&without_number(&bare.to_string()), room - width(&more)) + &more
        };
        Self {
            details: all.into_iter().filter(|line| *line != text).collect(),
            ..Self::unknown(text)
        }
    }

    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Self {
            state: State::Unknown,
            text: text.into(),
            perfdata: Vec::new(),
            details: Vec::new(),
        }
    }

    /// Writes it, the details only if they are wanted.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&self, with_details: bool, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{}{}", head(self.state), without_bars(&self.text))?;
        if !self.perfdata.is_empty() {
            write!(out, " | {}", self.perfdata.join(" "))?;
        }
        writeln!(out)?;
        for line in self.details.iter().filter(|_| with_details) {
            writeln!(out, "{}", wrapped(&without_bars(line), 2))?;
        }
        out.flush()
    }
}

fn head(state: State) -> String {
    format!("TWINPATH {} - ", state.name())
}

/// A bar begins performance data, in details too.
fn without_bars(text: &str) -> String {
    text.replace('|', "/")
}

/// The beginning of a text.
fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let begin: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", begin.trim_end())
}

/// What is wrong with a line of a file, without which one it is.
fn without_place(text: &str) -> &str {
    let is_line = |place: &str| {
        let line = place.rsplit_once(':').map(|(_, line)| line);
        line.is_some_and(|line| line.parse::<usize>().is_ok())
    };
    match text.split_once(": ") {
        Some((place, rest)) if is_line(place) => rest,
        _ => text,
    }
}

/// What the system says, without its number.
fn without_number(text: &str) -> String {
    let is_number = |end: &str| {
        end.strip_suffix(')')
            .is_some_and(|end| end.parse::<u32>().is_ok())
    };
    match text.split_once(" (os error ") {
        Some((line, end)) if is_number(end) => line.to_owned(),
        _ => text.to_owned(),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Columns for what follows the state.
fn room(state: State) -> usize {
    WIDTH - width(&head(state))
}

/// As many of these as there is room for, with the number of the others.
fn listed(parts: &[String], between: &str, room: usize) -> String {
    let mut text = String::new();
    for (place, part) in parts.iter().enumerate() {
        let separator = if place > 0 { between } else { "" };
        let others = |count: usize| match count {
            0 => String::new(),
            count => format!("{between}{count} more"),
        };
        let behind = others(parts.len() - place - 1);
        if width(&text) + width(separator) + width(part) + width(&behind) <= room {
            text.push_str(separator);
            text.push_str(part);
        } else if place == 0 {
            let room = room.saturating_sub(width(&behind));
            // Without what was crossed, if that helps.
            let short = part.split_once(" (").map(|(short, _)| short);
            let short = short.filter(|short| width(short) <= room);
            return cut(short.unwrap_or(part), room) + &behind;
        } else {
            return text + &others(parts.len() - place);
        }
    }
    text
}

/// Where the run's reports go instead of to an output.
pub(crate) struct Check {
    figures: Vec<JudgedFigure>,
    meta: Meta,
    /// The deadline has ended the run.
    is_late: Arc<AtomicBool>,
    verdict: Rc<RefCell<Option<Verdict>>>,
}

/// What becomes of a session, or of a target without one.
struct Judged {
    name: String,
    state: State,
    /// What is said of it, the worst first.
    parts: Vec<String>,
}

impl Judged {
    /// Its name and the worst of it, without what follows from that and why it is so.
    fn in_short(&self) -> String {
        self.until(&[", ", ": ", "; "])
    }

    /// The same with the reason that all packets are lost.
    fn with_reason(&self) -> String {
        self.until(&[": ", "; "])
    }

    /// Its name and the worst of it, as far as the first of these.
    fn until(&self, ends: &[&str]) -> String {
        let part = self.parts.first().map_or("", String::as_str);
        let part = without_place(part);
        let end = ends.iter().filter_map(|end| part.find(end)).min();
        let part = end.and_then(|end| part.get(..end)).unwrap_or(part);
        if part.contains(&self.name) {
            part.to_owned()
        } else {
            format!("{} {part}", shortened(&self.name, LONGEST_NAME))
        }
    }
}

impl Check {
    /// With the place where the verdict will be.
    pub(crate) fn new(
        options: &CheckOptions,
        meta: Meta,
        is_late: Arc<AtomicBool>,
    ) -> (Self, Rc<RefCell<Option<Verdict>>>) {
        let verdict = Rc::default();
        let check = Self {
            figures: JudgedFigure::all(options),
            meta,
            is_late,
            verdict: Rc::clone(&verdict),
        };
        (check, verdict)
    }

    fn judge(&self, outcome: Outcome<'_>) -> Verdict {
        let differing = outcome.differing();
        let refused = outcome.refused();
        let all = outcome.sessions.len() + refused.len() + outcome.failed.len();
        let is_late = self.is_late.load(Ordering::Acquire);
        let mut totals = Totals::new(&self.figures, all);
        let mut judged: Vec<Judged> = Vec::with_capacity(all);
        let mut are_targets = !outcome.failed.is_empty() || differing.has_targets();
        let mut details = Vec::new();
        let mut warnings = Warnings::default();
        for (place, report) in outcome.sessions.iter().enumerate() {
            let document = outcome.document(&self.meta, place, &report);
            let judgement = Judgement::of(&report, &document, &self.figures, is_late);
            let name = name(differing, all, &report.identity);
            are_targets &= name == target_of(&report.identity);
            totals.add(&name, &judgement);
            warnings.add(&report);
            if all == 1 {
                details = judgement.details(&report, &self.figures);
            }
            judged.push(Judged {
                name,
                state: judgement.state,
                parts: judgement.parts(),
            });
        }
        let unmeasured = |name: String, why: String| Judged {
            name,
            state: State::Unknown,
            parts: vec![why],
        };
        judged.extend(refused.iter().map(|session| {
            let class = session.dscp.to_string();
            let path = session.path.map(|path| format!(" path {path}"));
            let name = format!("{class}{}", path.unwrap_or_default());
            unmeasured(name, format!("refused (Accept {})", session.refusal.octet))
        }));
        judged.extend(
            outcome
                .failed
                .iter()
                .map(|one| unmeasured(failed(one), plain(&one.error))),
        );
        totals.count(judged.iter().map(|one| one.state));
        if judged.is_empty() {
            return Verdict::unknown("nothing was measured");
        }
        // Of equals the order stays.
        judged.sort_by_key(|one| std::cmp::Reverse(one.state));
        let state = judged.first().map_or(State::Unknown, |one| one.state);
        let text = match &*judged {
            [only] => listed(&only.parts, ", ", room(state)),
            several => {
                let what = if are_targets {
                    ("target", "targets")
                } else {
                    ("session", "sessions")
                };
                together(several, &totals, what, room(state))
            }
        };
        match &*judged {
            // What the first line has no room for.
            [only] if details.is_empty() => details.clone_from(&only.parts),
            [_] => {}
            several => {
                details = self::details(several);
                // Once, in the words of a report.
                details.extend(warnings.notes().iter().map(judgement::note));
            }
        }
        if let Some(control) = outcome.control {
            let notes = words::finding::notes(&control.findings).into_iter();
            details.extend(notes.map(|note| judgement::note(&note)));
        }
        Verdict {
            state,
            text,
            perfdata: totals.perfdata(),
            details,
        }
    }
}

/// Several sessions in a line: those that are not OK, or how all of them are.
fn together(
    judged: &[Judged],
    totals: &Totals<'_>,
    (one, many): (&str, &str),
    room: usize,
) -> String {
    let all = count(judged.len() as u64, one, many);
    let failing: Vec<&Judged> = judged.iter().filter(|one| one.state > State::Ok).collect();
    if failing.is_empty() {
        let head = format!("{all}, ");
        return format!(
            "{head}{}",
            listed(&totals.spans(), ", ", room - width(&head))
        );
    }
    let head = format!("{} of {all}: ", failing.len());
    let room = room.saturating_sub(width(&head));
    let in_short: Vec<String> = failing.iter().map(|one| one.in_short()).collect();
    let mut listed_ones = listed(&in_short, "; ", room);
    // More names are worth more than reasons.
    if listed_ones == in_short.join("; ") {
        let with_reasons = failing.iter().map(|one| one.with_reason());
        let with_reasons = with_reasons.collect::<Vec<_>>().join("; ");
        if width(&with_reasons) <= room {
            listed_ones = with_reasons;
        }
    }
    format!("{head}{listed_ones}")
}

/// The name of a session among as many.
fn name(differing: Differing, all: usize, identity: &twinpath_report::Identity) -> String {
    if all > 1 {
        differing.name(identity)
    } else {
        String::new()
    }
}

/// A line for each, as far as there are not too many.
fn details(judged: &[Judged]) -> Vec<String> {
    let shown = judged.iter().take(MOST_DETAILS);
    let shown = shown.map(|one| {
        format!(
            "{} {}: {}",
            one.state.name(),
            one.name,
            one.parts.join(", ")
        )
    });
    let more = judged.len().saturating_sub(MOST_DETAILS) as u64;
    let more = (more > 0).then(|| format!("{more} more, none of them worse"));
    shown.chain(more).collect()
}

impl Sink for Check {
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()> {
        *self.verdict.borrow_mut() = Some(self.judge(outcome));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
