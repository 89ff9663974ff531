//! Where log lines go: stderr, or a file. Never stdout, which is for results.

use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::args::LogOptions;
use crate::failure::Failure;
use crate::output::style::Style;

static IN_FILE: AtomicBool = AtomicBool::new(false);

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
                    .with_writer(io::stderr)
                    .finish(),
            )
        }
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| {
                    Failure::could_not(format!(
                        "cannot write the log file {}: {error}",
                        path.display()
                    ))
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

/// Hours, minutes and seconds in UTC: whoever reads stderr knows the day.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{}", jiff::Timestamp::now().strftime("%H:%M:%S%.3fZ"))
    }
}

/// RFC 3339 in UTC.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{:.3}", jiff::Timestamp::now())
    }
}
