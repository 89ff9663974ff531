//! Where log lines go: stderr, or a file. Never stdout, which is for results.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use twinpath_runtime::file;

use crate::args::LogOptions;
use crate::failure::Failure;
use crate::files::Unfit;
use crate::output::complain;
use crate::output::style::Style;

static IN_FILE: AtomicBool = AtomicBool::new(false);
/// Lines that wait while the terminal shows something else; `None`: it does not.
static HELD: Mutex<Option<Held>> = Mutex::new(None);
/// Lines that wait at most; earlier ones make room.
const MOST_HELD: usize = 200;

/// Log lines go to a file: what stderr says beside them is for both.
pub(crate) fn in_file() -> bool {
    IN_FILE.load(Ordering::Relaxed)
}

/// Starts logging. `usual`: the level on stderr without `-q` and `-d`; a file is told more.
///
/// # Errors
/// The log file cannot be opened.
pub(crate) fn start(options: &LogOptions, usual: Level) -> Result<(), Failure> {
    let level = match (options.quiet, options.debug) {
        (true, _) => Level::ERROR,
        (_, true) => Level::DEBUG,
        _ if options.logfile.is_some() => usual.max(Level::INFO),
        _ => usual,
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false);
    // A second subscriber could only come from a second call: there is one.
    let _ = match &options.logfile {
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
            let file = LogFile::open(path).map_err(|error| {
                let path = path.display();
                Failure::could_not(format!("cannot write the log file {path}: {error}"))
                    .with_remedy(Some(error.remedy()))
            })?;
            IN_FILE.store(true, Ordering::Relaxed);
            tracing::subscriber::set_global_default(
                lines
                    .with_timer(Utc)
                    .with_ansi(false)
                    .with_writer(Mutex::new(file))
                    .finish(),
            )
        }
    };
    Ok(())
}

/// A file that log lines are added to. The first one that it does not take is said on stderr, and how
/// many are missing in the file itself, once it takes lines again.
struct LogFile {
    path: String,
    file: File,
    said: bool,
    missing: u64,
}

impl LogFile {
    /// Unlike other files it may be reached by a link and may be a device: nothing that is there is
    /// replaced.
    fn open(path: &Path) -> Result<Self, Unfit> {
        if let Ok(about) = fs::metadata(path) {
            match file::other_kind(about.file_type()) {
                None | Some(file::DEVICE) => {}
                Some(kind) => return Err(Unfit::Kind(kind)),
            }
        }
        let file = file::open(path, OpenOptions::new().create(true).append(true))?;
        Ok(Self {
            path: path.display().to_string(),
            file,
            said: false,
            missing: 0,
        })
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let lines = match self.missing {
            0 => line.to_vec(),
            missing => [
                format!("{missing} log lines are missing here\n").as_bytes(),
                line,
            ]
            .concat(),
        };
        match self.file.write_all(&lines) {
            Ok(()) => self.missing = 0,
            Err(error) => {
                self.missing = self.missing.saturating_add(1);
                if !std::mem::replace(&mut self.said, true) {
                    let path = &self.path;
                    complain(&format!(
                        "twinpath: cannot write the log file {path}: {error}; lines are missing in it"
                    ));
                }
            }
        }
        // A line that is lost is counted, and not tried again.
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
        writeln!(out, "{} earlier log lines left out", held.dropped)?;
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
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[cfg(target_os = "linux")]
    #[test]
    fn lines_that_a_log_file_does_not_take_are_counted_and_the_count_is_written_later() {
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
            println!("skipped: this host has no /dev/full");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = LogFile::open(&path).unwrap();
        let ours = std::mem::replace(&mut log.file, full);
        for line in ["one\n", "two\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert!(log.said);
        log.file = ours;
        for line in ["three\n", "four\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(written, "2 log lines are missing here\nthree\nfour\n");
    }

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
