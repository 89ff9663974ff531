//! A progress line on a terminal, erased before the report.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use twinpath_runtime::measure::Progress;

use super::counts::UNAWAITED;
use super::style::is_dumb;
use super::units;

/// The progress line.
pub(crate) struct ProgressLine<W: Write> {
    out: Option<W>,
    shown: bool,
}

impl ProgressLine<io::Stderr> {
    /// On stderr, if that is a terminal that supports it and nothing else is written there. `busy`:
    /// something else writes lines to the same terminal.
    pub(crate) fn on_stderr(busy: bool) -> Self {
        let stderr = io::stderr();
        let fits = stderr.is_terminal() && !is_dumb() && !busy;
        Self::new(fits.then_some(stderr))
    }

    /// No line: something else shows the progress.
    pub(crate) fn none() -> Self {
        Self::new(None)
    }
}

impl<W: Write> ProgressLine<W> {
    fn new(out: Option<W>) -> Self {
        Self { out, shown: false }
    }

    /// Shows this. A terminal that cannot be written to is no longer used.
    pub(crate) fn show(&mut self, text: &str) {
        if let Some(out) = &mut self.out {
            let written = write!(out, "\r{text}\u{1b}[K").and_then(|()| out.flush());
            self.shown = true;
            if written.is_err() {
                self.out = None;
            }
        }
    }

    /// Erases the line, to make room for other text.
    pub(crate) fn erase(&mut self) {
        if let Some(out) = &mut self.out
            && self.shown
        {
            let erased = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
            self.shown = false;
            if erased.is_err() {
                self.out = None;
            }
        }
    }
}

/// A run that ends with an error leaves no partial line.
impl<W: Write> Drop for ProgressLine<W> {
    fn drop(&mut self) {
        self.erase();
    }
}

/// The progress of one session, or of the classes of one target.
pub(crate) fn one(progress: &Progress) -> String {
    let asked = progress
        .asked
        .map_or_else(String::new, |asked| format!("/{asked}"));
    let last = progress.last_round_trip_ns.map_or_else(String::new, |ns| {
        format!(", last round trip {}", units::delay(ns))
    });
    let fate = match progress.unawaited {
        0 => format!(
            "{} received, {} lost{last}",
            progress.received, progress.lost
        ),
        count => format!("{} received, {count} {UNAWAITED}", progress.received),
    };
    format!("{}{asked} sent, {fate}", progress.sent)
}

/// The progress of many sessions: `412 sessions, 40 s of 60 s, 3 lose packets`. `elapsed`: since the first
/// packet; before it, how many sessions the server has accepted, where there is one. `length`: how long
/// they send, if that is known.
pub(crate) fn many(
    sessions: impl Iterator<Item = Progress>,
    elapsed: Result<Duration, Option<usize>>,
    length: Option<Duration>,
) -> String {
    let (all, losing, unawaited) = sessions.fold((0, 0_u64, 0_u64), |sum, one| {
        let is_unawaited = u64::from(one.unawaited > 0);
        (
            sum.0 + 1,
            sum.1 + u64::from(one.lost > 0),
            sum.2 + is_unawaited,
        )
    });
    let all = units::count(all, "session", "sessions");
    let seconds = match elapsed {
        Ok(elapsed) => elapsed.as_secs(),
        Err(None) => return format!("{all}, nothing sent yet"),
        Err(Some(accepted)) => return format!("{all}, {accepted} accepted, nothing sent yet"),
    };
    let time = match length.map(|length| length.as_millis().div_ceil(1_000)) {
        Some(length) if u128::from(seconds) < length => format!("{seconds} s of {length} s"),
        Some(_) => "waiting for the last replies".to_owned(),
        None => format!("{seconds} s"),
    };
    let losses = match losing {
        0 if unawaited > 0 => format!("{unawaited} {UNAWAITED}"),
        0 => "no loss".to_owned(),
        1 => "1 loses packets".to_owned(),
        losing => format!("{losing} lose packets"),
    };
    format!("{all}, {time}, {losses}")
}

/// Sums several sessions.
pub(crate) fn together(sessions: impl Iterator<Item = Progress>) -> Progress {
    let none = Progress {
        asked: Some(0),
        ..Progress::default()
    };
    sessions.fold(none, |sum, one| Progress {
        asked: sum.asked.zip(one.asked).map(|(sum, asked)| sum + asked),
        sent: sum.sent + one.sent,
        received: sum.received + one.received,
        lost: sum.lost + one.lost,
        unawaited: sum.unawaited + one.unawaited,
        unsent: sum.unsent + one.unsent,
        missed: sum.missed + one.missed,
        last_round_trip_ns: one.last_round_trip_ns.or(sum.last_round_trip_ns),
        far_clock: one.far_clock.or(sum.far_clock),
        // Packets of several sessions have the same numbers, and each has its end.
        ..sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_rewritten_in_place_and_erased_once() {
        let mut out = Vec::new();
        let mut line = ProgressLine::new(Some(&mut out));
        line.erase();
        line.show(&one(&Progress {
            asked: Some(100),
            sent: 1,
            ..Progress::default()
        }));
        line.show(&one(&Progress {
            asked: None,
            sent: 38,
            received: 36,
            lost: 1,
            last_round_trip_ns: Some(1_204_000),
            ..Progress::default()
        }));
        line.erase();
        drop(line);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\r1/100 sent, 0 received, 0 lost\u{1b}[K\
             \r38 sent, 36 received, 1 lost, last round trip 1.204ms\u{1b}[K\r\u{1b}[K"
        );
    }

    #[test]
    fn many_sessions_are_counted_with_those_that_lose_packets() {
        let session = |lost| Progress {
            lost,
            ..Progress::default()
        };
        let shown = |lost: &[u64], elapsed, length: Option<u64>| {
            let sessions = lost.iter().map(|lost| session(*lost));
            let length = length.map(Duration::from_millis);
            many(sessions, Ok(Duration::from_millis(elapsed)), length)
        };
        assert_eq!(
            shown(&[0, 2, 1], 40_700, Some(59_500)),
            "3 sessions, 40 s of 60 s, 2 lose packets"
        );
        assert_eq!(shown(&[1], 400, None), "1 session, 0 s, 1 loses packets");
        assert_eq!(
            shown(&[0, 0], 1_000, Some(1_000)),
            "2 sessions, waiting for the last replies, no loss"
        );
    }

    #[test]
    fn before_the_first_packet_no_time_and_no_loss_are_shown() {
        let shown = |accepted| {
            let sessions = [Progress::default(); 3].into_iter();
            many(sessions, Err(accepted), Some(Duration::from_mins(1)))
        };
        assert_eq!(shown(None), "3 sessions, nothing sent yet");
        assert_eq!(shown(Some(2)), "3 sessions, 2 accepted, nothing sent yet");
    }

    #[test]
    fn without_a_terminal_there_is_none() {
        let mut line = ProgressLine::<Vec<u8>>::new(None);
        line.show(&one(&Progress::default()));
        line.erase();
    }
}
