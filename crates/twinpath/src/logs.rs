//! Where log lines go: stderr, or a file. Never stdout, which is for results.

mod file;
mod journal;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::args::{LogFormat, LogOptions};
use crate::failure::{Exit, Failure};
use crate::output::style::Style;
use crate::output::{Written, print_to_stderr, units};

use file::{Log, Turning};

/// The log file, where there is one.
static FILE: OnceLock<Mutex<Log<Turning>>> = OnceLock::new();
/// Lines that wait while the terminal shows something else; `None`: it does not.
static HELD: Mutex<Option<Held>> = Mutex::new(None);
/// Lines that wait at most; earlier ones make room.
const MOST_HELD: usize = 200;

/// How lines on stderr are written that are not log lines.
enum Stderr {
    Json,
    /// With their priority, which the service manager takes off (sd-daemon(3)).
    Journal,
}

static STDERR: OnceLock<Stderr> = OnceLock::new();

/// A line for stderr that is not a log line, as lines there are written now.
pub(crate) fn on_stderr(text: &str) -> String {
    let (level, priority, rest) = match text.split_once(": ") {
        Some(("twinpath", rest)) => ("ERROR", 3, rest),
        Some(("warning", rest)) => ("WARN", 4, rest),
        Some(("note", rest)) => ("INFO", 6, rest),
        Some(_) | None => ("INFO", 6, text),
    };
    match STDERR.get() {
        None => text.to_owned(),
        Some(Stderr::Journal) => format!("<{priority}>{text}"),
        Some(Stderr::Json) => {
            let timestamp = format!("{:.3}", jiff::Timestamp::now());
            serde_json::json!({ "timestamp": timestamp, "level": level, "message": rest })
                .to_string()
        }
    }
}

/// Log lines go to a file: what stderr says beside them is for both.
pub(crate) fn in_file() -> bool {
    FILE.get().is_some()
}

/// Starts logging. `usual`: the level on stderr without `-q` and `-d`; a file is told more.
///
/// # Errors
/// The log file cannot be opened.
pub(crate) fn start(options: &LogOptions, usual: Level) -> Result<(), Failure> {
    start_as(options, usual, LogFormat::Text)
}

/// The same in a form, for a service: text goes to the journal with its fields, where stderr is the journal.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_service(
    options: &LogOptions,
    usual: Level,
    format: LogFormat,
) -> Result<(), Failure> {
    if format == LogFormat::Text && options.logfile.is_none() {
        let level = level(options, usual);
        if journal::is_stderr() && journal::start(level) {
            STDERR.get_or_init(|| Stderr::Journal);
            return Ok(());
        }
    }
    if format == LogFormat::Json {
        STDERR.get_or_init(|| Stderr::Json);
    }
    start_as(options, usual, format)
}

fn level(options: &LogOptions, usual: Level) -> Level {
    match (options.quiet, options.debug) {
        (true, _) => Level::ERROR,
        (_, true) => Level::DEBUG,
        _ if options.logfile.is_some() => usual.max(Level::INFO),
        _ => usual,
    }
}

fn start_as(options: &LogOptions, usual: Level, format: LogFormat) -> Result<(), Failure> {
    let lines = tracing_subscriber::fmt()
        .with_max_level(level(options, usual))
        .with_target(false);
    let json = || {
        let lines = tracing_subscriber::fmt().json().flatten_event(true);
        let lines = lines.with_current_span(false).with_span_list(false);
        lines
            .with_max_level(level(options, usual))
            .with_target(false)
            .with_timer(Utc)
    };
    // A second subscriber could only come from a second call: there is one.
    let _ = match &options.logfile {
        None if format == LogFormat::Json => {
            tracing::subscriber::set_global_default(json().with_writer(|| Line).finish())
        }
        None => {
            let colour = Style::of(&io::stderr()).colour();
            tracing::subscriber::set_global_default(
                lines
                    .with_timer(TimeOfDay)
                    .with_ansi(colour)
                    .with_writer(|| Line)
                    .finish(),
            )
        }
        Some(path) => {
            let name = path.display().to_string();
            let file = Turning::open(path, file::MOST_OCTETS).map_err(|error| {
                Failure::could_not(format!("cannot write the log file {name}: {error}"))
                    .with_remedy(Some(error.remedy()))
            })?;
            FILE.get_or_init(|| Mutex::new(Log::new(file, name)));
            if format == LogFormat::Json {
                let lines = json().with_writer(|| FileLine).finish();
                // As above.
                let _ = tracing::subscriber::set_global_default(lines);
                return Ok(());
            }
            tracing::subscriber::set_global_default(
                lines
                    .with_timer(Utc)
                    .with_ansi(false)
                    .with_writer(|| FileLine)
                    .finish(),
            )
        }
    };
    Ok(())
}

/// What became of the log file so far, where there is one.
pub(crate) fn written() -> Option<Written> {
    FILE.get().map(|file| locked(file).written())
}

/// The end of the program, which is another one where the log file is not complete: that is said.
/// Nothing is logged after it.
pub(crate) fn end(exit: Exit) -> Exit {
    let failure = written().as_ref().and_then(Written::failure);
    let Some(failure) = failure else {
        return exit;
    };
    print_to_stderr(&format!("twinpath: {failure}"));
    match exit {
        Exit::Usage | Exit::Checked(_) => exit,
        Exit::Done | Exit::CouldNot | Exit::AllLost => failure.exit,
    }
}

/// A line on its way to the log file; it comes in one piece. That it cannot be written is said on
/// stderr.
struct FileLine;

impl Write for FileLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let said = FILE
            .get()
            .and_then(|file| locked(file).line(line, Instant::now()));
        if let Some(said) = said {
            print_to_stderr(&said);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hours, minutes and seconds in UTC: whoever reads stderr knows the day.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{}", jiff::Timestamp::now().strftime("%H:%M:%S%.3fZ"))
    }
}

/// Lines wait from now on, but for those that go to a file.
pub(crate) fn hold() {
    held().get_or_insert_default();
}

/// What waited is written, and nothing waits any more.
pub(crate) fn release() {
    // Where stderr is closed nobody reads.
    let _ = release_to(&mut io::stderr());
}

fn release_to(out: &mut impl Write) -> io::Result<()> {
    let Some(held) = held().take() else {
        return Ok(());
    };
    if held.dropped > 0 {
        let lines = units::count(held.dropped, "earlier log line", "earlier log lines");
        writeln!(out, "{lines} left out")?;
    }
    held.lines.iter().try_for_each(|line| out.write_all(line))
}

/// The last line that waits, without its colours.
pub(crate) fn last_held() -> Option<String> {
    let held = held();
    let line = held.as_ref()?.lines.back()?;
    let mut plain = String::new();
    let mut in_code = false;
    for letter in String::from_utf8_lossy(line).trim().chars() {
        match letter {
            '\u{1b}' => in_code = true,
            'm' if in_code => in_code = false,
            letter if in_code || letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    Some(plain)
}

fn held() -> MutexGuard<'static, Option<Held>> {
    locked(&HELD)
}

#[derive(Default)]
struct Held {
    lines: VecDeque<Vec<u8>>,
    dropped: u64,
}

/// A line on its way to stderr; it comes in one piece.
pub(crate) struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut held = held();
        let Some(held) = held.as_mut() else {
            return io::stderr().write(line);
        };
        if held.lines.len() >= MOST_HELD {
            held.lines.pop_front();
            held.dropped = held.dropped.saturating_add(1);
        }
        held.lines.push_back(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// RFC 3339 in UTC.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{:.3}", jiff::Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_wait_are_bounded_and_the_last_one_is_told_plainly() {
        assert_eq!(last_held(), None);
        hold();
        for number in 0..MOST_HELD + 7 {
            let line = format!("\u{1b}[33mWARN\u{1b}[0m line\t{number}\n");
            Line.write_all(line.as_bytes()).unwrap();
        }
        let last = last_held();
        let mut written = Vec::new();
        release_to(&mut written).unwrap();
        assert_eq!(last.as_deref(), Some("WARN line206"));
        let written = String::from_utf8(written).unwrap();
        assert_eq!(written.lines().count(), 1 + MOST_HELD);
        assert!(written.starts_with("7 earlier log lines left out\n"));
        assert!(written.ends_with("line\t206\n"));
        assert_eq!(last_held(), None);
    }
}
