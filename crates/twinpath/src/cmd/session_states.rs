//! Notices that a session no longer gets replies, and that it does again (row SL-87).

use std::time::{Duration, Instant};

use twinpath_metrics::{ReplyStatus, SessionState};
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::Wall;

use super::run_events::Event;
use super::subject::{Known, now};
use crate::output::{summary, units};

/// Shorter runs have it in their report alone.
const LEAST_LENGTH: Duration = Duration::from_mins(1);
/// How often sessions are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Notices of one session: one in this time on average, this many at once. A far end that comes and goes fills no log.
const REPORT_EVERY: Duration = Duration::from_mins(1);
const AT_ONCE: u32 = 4;
/// The most sessions that a look names; of others it tells how many there are.
const MOST_NAMED: usize = 5;

/// The notices given of the sessions of a run.
pub(super) struct SessionStates {
    reported: Vec<Reported>,
    look_due: Option<Instant>,
}

/// The last that was told of a session.
#[derive(Clone, Copy, Default)]
struct Reported {
    has_failed: bool,
    /// The time by which what was told would have come about, each [`REPORT_EVERY`] after the one before.
    by: Option<Instant>,
}

impl Reported {
    fn may_report(&self, now: Instant) -> bool {
        self.by
            .is_none_or(|by| by <= now + REPORT_EVERY * (AT_ONCE - 1))
    }

    fn report(&mut self, has_failed: bool, now: Instant) {
        self.has_failed = has_failed;
        self.by = Some(self.by.map_or(now, |by| by.max(now)) + REPORT_EVERY);
    }
}

impl SessionStates {
    /// `length`: how long the run sends; `None`: until it is stopped.
    pub(super) fn of_run(length: Option<Duration>) -> Self {
        let is_long = length.is_none_or(|length| length >= LEAST_LENGTH);
        Self {
            reported: Vec::new(),
            look_due: is_long.then(Instant::now),
        }
    }

    /// What became of the sessions since the last look, where one is due.
    pub(super) fn look(&mut self, known: &Known, sessions: &[SessionHandle]) -> Vec<Event> {
        let begun = Instant::now();
        if !self.is_due(begun) {
            return Vec::new();
        }
        let going_on = |session: &SessionHandle| {
            (!session.is_finished()).then(|| session.progress().reply_status)
        };
        let names = known.names();
        self.changes((begun, now()), sessions.iter().map(going_on), |place| {
            names.get(place).map(|name| name.text.clone())
        })
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.look_due.is_some_and(|due| now >= due);
        if is_due {
            self.look_due = Some(now + LOOK_EVERY);
        }
        is_due
    }

    /// `sessions`: all of them in order, `None` for one that is over; `name`: what one is called among others.
    fn changes(
        &mut self,
        (now, at): (Instant, Wall),
        sessions: impl Iterator<Item = Option<ReplyStatus>>,
        name: impl Fn(usize) -> Option<String>,
    ) -> Vec<Event> {
        let (mut failed, mut answered) = (Vec::new(), Vec::new());
        for (place, reply_status) in sessions.enumerate() {
            if self.reported.len() <= place {
                self.reported.push(Reported::default());
            }
            let (Some(reply_status), Some(reported)) = (reply_status, self.reported.get_mut(place))
            else {
                continue;
            };
            let has_failed = reply_status.state == SessionState::Failed;
            if has_failed == reported.has_failed || !reported.may_report(now) {
                continue;
            }
            reported.report(has_failed, now);
            let changed = if has_failed {
                &mut failed
            } else {
                &mut answered
            };
            changed.push((place, reply_status));
        }
        let line = |place: usize, what: String| match name(place) {
            Some(name) => format!("{name}: {what}"),
            None => what,
        };
        let failed = lines(&failed, "no longer answered", |(place, reply_status)| {
            line(*place, silence(reply_status, at))
        });
        let answered = lines(&answered, "answered again", |(place, _)| {
            line(*place, "the far end answers again".to_owned())
        });
        let failed = failed.into_iter().map(Event::warning);
        failed
            .chain(answered.into_iter().map(Event::note))
            .collect()
    }
}

fn lines(
    changed: &[(usize, ReplyStatus)],
    others: &str,
    line: impl Fn(&(usize, ReplyStatus)) -> String,
) -> Vec<String> {
    let mut lines: Vec<String> = changed.iter().take(MOST_NAMED).map(line).collect();
    if let Some(more @ 1..) = changed.len().checked_sub(MOST_NAMED) {
        let more = units::count(more as u64, "other session", "other sessions");
        lines.push(format!("{more} {others}"));
    }
    lines
}

fn silence(reply_status: &ReplyStatus, now: Wall) -> String {
    let lost = units::count(reply_status.lost_since, "packet", "packets");
    let since =
        summary::silent_from(*reply_status, now).map(|(_, since)| summary::no_replies(&since));
    match since {
        Some(since) => format!("{since}: {lost} lost in a row"),
        None => format!("no reply so far: {lost} lost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::run_events::Notice;

    const AT: Wall = Wall::from_unix_ns(1_800_000_000_000_000_000);

    fn active() -> ReplyStatus {
        ReplyStatus {
            answered_until: Some(AT),
            lost_since: 0,
            state: SessionState::Active,
        }
    }

    fn failed() -> ReplyStatus {
        ReplyStatus {
            lost_since: 7,
            state: SessionState::Failed,
            ..active()
        }
    }

    fn look(
        states: &mut SessionStates,
        now: Instant,
        sessions: &[Option<ReplyStatus>],
    ) -> Vec<(Notice, String)> {
        let sessions = sessions.iter().copied();
        let events = states.changes((now, AT), sessions, |place| Some(format!("s{place}")));
        let events = events.into_iter();
        events.map(|event| (event.notice, event.line)).collect()
    }

    #[test]
    fn a_session_is_told_of_when_it_fails_and_when_it_is_answered_again() {
        let mut states = SessionStates::of_run(None);
        let begun = Instant::now();
        let mut at = |now, first, second| look(&mut states, now, &[first, second]);
        assert!(at(begun, Some(ReplyStatus::default()), None).is_empty());
        assert!(at(begun, Some(active()), Some(active())).is_empty());
        let reported = at(begun, Some(active()), Some(failed()));
        let [(Notice::Warning, line)] = &*reported else {
            panic!("{reported:?}")
        };
        let silent = "s1: no replies to packets sent after ";
        assert!(line.starts_with(silent), "{line}");
        assert!(line.ends_with(": 7 packets lost in a row"), "{line}");
        assert!(at(begun, None, Some(failed())).is_empty());
        let again = (Notice::Note, "s1: the far end answers again".to_owned());
        assert_eq!(at(begun, None, Some(active())), [again]);
        assert!(at(begun, None, Some(active())).is_empty());
    }

    #[test]
    fn a_far_end_that_comes_and_goes_is_told_of_once_a_minute_after_the_first_times() {
        let mut states = SessionStates::of_run(None);
        let begun = Instant::now();
        let reported = (0..600).map(|second| {
            let now = begun + Duration::from_secs(second);
            let is_away = second / 7 % 2 == 0;
            let reply_status = if is_away { failed() } else { active() };
            look(&mut states, now, &[Some(reply_status)]).len()
        });
        let reported: usize = reported.sum();
        assert_eq!(reported, 4 + 9);
    }

    #[test]
    fn of_many_sessions_some_are_named_and_the_others_counted() {
        let mut states = SessionStates::of_run(None);
        let reported = look(&mut states, Instant::now(), &[Some(failed()); 12]);
        assert_eq!(reported.len(), MOST_NAMED + 1);
        assert_eq!(
            reported[MOST_NAMED].1,
            "7 other sessions no longer answered"
        );
    }

    #[test]
    fn runs_of_a_minute_or_more_are_looked_at_each_second() {
        let now = Instant::now();
        let is_due = |length| SessionStates::of_run(length).is_due(now + LOOK_EVERY);
        assert!(is_due(None) && is_due(Some(LEAST_LENGTH)));
        assert!(!is_due(Some(LEAST_LENGTH / 2)));
        let mut states = SessionStates::of_run(None);
        assert!(states.is_due(now + LOOK_EVERY));
        assert!(!states.is_due(now + LOOK_EVERY));
        assert!(states.is_due(now + 2 * LOOK_EVERY));
    }
}
